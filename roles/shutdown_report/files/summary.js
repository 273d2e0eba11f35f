// SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
// SPDX-License-Identifier: GPL-3.0-or-later

"use strict";

// The totals at the top, and the hypervisors.

const MOST_NAMED = 12;
const MOST_ROWS = 6;

function sortedOutcomes(totals) {
  return Object.entries(totals.outcomes).sort(([one], [other]) => rank(other) - rank(one));
}

function heading(report) {
  const run = report.run;
  const when = run.began ? moment(run.began) + ", took " + duration(run.seconds) : "written " + moment(report.made_at);
  return [
    make("h1", null, report.title),
    make("p", { class: "when" }, when, report.check_mode ? make("span", { class: "badge" }, "check mode: a plan, nothing was touched") : null),
  ];
}

function proportions(totals) {
  const whole = Math.max(1, totals.guests);
  const parts = sortedOutcomes(totals).map(([outcome, count]) =>
    make("span", { class: "part o-" + outcomeClass(outcome), style: { "flex-grow": String(count) }, title: count + " " + word(OUTCOMES, outcome) }),
  );
  return make("div", { class: "proportions", role: "img", "aria-label": sortedOutcomes(totals).map(([outcome, count]) => count + " " + word(OUTCOMES, outcome)).join(", ") + " of " + whole }, parts);
}

function sentence(totals) {
  const parts = sortedOutcomes(totals).map(([outcome, count]) => make("span", { class: "count" }, outcomeIcon(outcome), make("b", null, count.toLocaleString("en")), " " + word(OUTCOMES, outcome)));
  return make("p", { class: "counts" }, parts);
}

function card(title, number, kind, ...content) {
  return make("div", { class: "card " + kind }, make("h2", null, title), number === null ? null : make("p", { class: "big" }, number), content);
}

function named(report, guests, table, outcome) {
  const links = guests.slice(0, MOST_NAMED).map((name) => {
    const guest = report.guests.find((candidate) => candidate.name === name.name && candidate.hypervisor === name.hypervisor);
    return make("li", null, make("button", { type: "button", class: "link", on: { click: () => table.show(guest) } }, outcomeIcon(guest.outcome), place(guest)));
  });
  const rest = guests.length - links.length;
  const more = rest > 0 ? make("li", null, make("button", { type: "button", class: "link", on: { click: () => { table.choose(outcome, true); table.find(""); } } }, "and " + rest + " more")) : null;
  return make("ul", { class: "names" }, links, more);
}

// Rows of the catalogue that are left, by how many guests have them.
function leftRows(report, table) {
  const counts = new Map();
  for (const guest of report.guests) {
    for (const id of new Set(guest.findings.filter((found) => found.group === "left").map((found) => found.id))) {
      counts.set(id, (counts.get(id) || 0) + 1);
    }
  }
  const rows = [...counts].sort(([, one], [, other]) => other - one);
  const links = rows.slice(0, MOST_ROWS).map(([id, count]) => make("li", null, make("button", { type: "button", class: "link", on: { click: () => table.find(id) } }, id), " on " + many(count, "guest")));
  return make("ul", { class: "names" }, links, rows.length > links.length ? make("li", { class: "quiet" }, "and " + many(rows.length - links.length, "other row")) : null);
}

function cards(report, table) {
  const totals = report.totals;
  const found = totals.findings;
  const lost = report.hypervisors.filter((host) => host.trouble);
  const others = report.guests.filter((guest) => guest.look_after && !["forced", "left_running"].includes(guest.outcome));
  return make(
    "div",
    { class: "cards" },
    totals.forced.length ? card("Forced", totals.forced.length, "bad", named(report, totals.forced, table, "forced")) : null,
    totals.left_running.length ? card("Left running", totals.left_running.length, "bad", named(report, totals.left_running, table, "left_running")) : null,
    others.length ? card("Also to look after", others.length, "bad", named(report, others, table, others[0].outcome)) : null,
    lost.length ? card("Hypervisors without a result", lost.length, "bad", make("ul", { class: "names" }, lost.map((host) => make("li", null, make("b", null, host.name), ": " + host.trouble)))) : null,
    totals.unreachable_guests.length ? card("Guests that could not be looked at", totals.unreachable_guests.length, "odd", named(report, totals.unreachable_guests, table, null)) : null,
    card("Findings mended", found.mended.toLocaleString("en"), "good", found.waived ? make("p", { class: "quiet" }, many(found.waived, "finding") + " waived") : null),
    card("Findings left", found.left.toLocaleString("en"), found.left ? "odd" : "good", found.left ? leftRows(report, table) : null),
    totals.slowest ? card("Slowest", duration(totals.slowest.seconds), "", named(report, [totals.slowest], table, null)) : null,
  );
}

function forecast(told) {
  if (told.forecast === null) {
    return null;
  }
  const others = list(told.forecast.does_not_fit).map((one) => make("li", null, make("b", null, one.name), ": " + one.reason));
  return [
    facts([
      ["budget", typeof told.forecast.budget === "number" ? duration(told.forecast.budget) : null],
      ["forecast", duration(told.forecast.expected_seconds)],
    ]),
    others.length ? make("ul", { class: "findings" }, others) : null,
  ];
}

function host(told) {
  const totals = Object.entries(told.totals).filter(([name]) => name !== "domains");
  return make(
    "li",
    null,
    make("p", null, make("b", null, told.name), " ", totals.map(([outcome, count]) => make("span", { class: "count" }, outcomeIcon(outcome), count + " " + word(OUTCOMES, outcome)))),
    told.trouble ? make("p", { class: "note" }, told.trouble) : null,
    told.readiness_trouble ? make("p", { class: "note" }, "Readiness: " + told.readiness_trouble) : null,
    told.findings.length ? make("ul", { class: "findings" }, told.findings.map(finding)) : null,
    list(told.acts).length ? make("p", { class: "quiet" }, "When it goes down: " + told.acts.join("; ")) : null,
    forecast(told),
  );
}

function hosts(report) {
  return make("details", { class: "hosts" }, make("summary", null, many(report.hypervisors.length, "hypervisor")), make("ul", null, report.hypervisors.map(host)));
}

function summary(report, table) {
  const totals = report.totals;
  const good = totals.guests - totals.look_after;
  const verdict = totals.guests === 0 ? "No guests" : report.check_mode ? "The plan for " + many(totals.guests, "guest") : totals.look_after === 0 ? "All " + many(totals.guests, "guest") + " as wanted" : totals.look_after.toLocaleString("en") + " of " + many(totals.guests, "guest") + " to look after";
  return [
    make("p", { class: "verdict " + (totals.look_after ? "bad" : "good") }, verdict, make("span", { class: "quiet" }, totals.look_after && good ? good.toLocaleString("en") + " as wanted" : null)),
    proportions(totals),
    sentence(totals),
    cards(report, table),
    hosts(report),
  ];
}
