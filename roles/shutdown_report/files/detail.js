// SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
// SPDX-License-Identifier: GPL-3.0-or-later

"use strict";

// What unfolds below a guest's row.

function block(title, ...content) {
  const there = content.flat(Infinity).filter((item) => item);
  return there.length ? make("section", { class: "block" }, make("h3", null, title), there) : null;
}

function facts(pairs) {
  const there = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  return there.length ? make("dl", null, there.map(([name, value]) => make("div", null, make("dt", null, name), make("dd", null, value)))) : null;
}

function entryTime(entry) {
  const at = duration(entry.seconds);
  return entry.count ? [at, make("span", { class: "quiet" }, " to " + duration(entry.last_seconds))] : at;
}

function entries(guest) {
  if (!list(guest.timeline).length) {
    return null;
  }
  const rows = guest.timeline.map((entry) =>
    make(
      "tr",
      { class: "e-" + entry.kind },
      make("td", { class: "number", title: entry.time ? moment(entry.time) : null }, entryTime(entry)),
      make("td", null, make("span", { class: "kind" }, entry.kind)),
      make("td", { class: "said" }, entry.text, entry.count ? make("b", null, " (" + entry.count + " times)") : null),
    ),
  );
  const head = ["after", "", "what and why"].map((name) => make("th", { scope: "col" }, name));
  return make("table", { class: "entries" }, make("thead", null, make("tr", null, head)), make("tbody", null, rows));
}

function findingPlace(finding, at) {
  const now = shown(at.actual);
  const values =
    finding.group === "mended" && finding.state === "fixed"
      ? [make("s", null, shown(at.actual_before)), " is now ", make("b", null, now)]
      : [make("b", null, now), at.desired === null || at.desired === undefined ? "" : ", wanted is " + shown(at.desired)];
  return make("li", null, make("code", null, at.location), ": ", values, at.detail ? make("span", { class: "quiet" }, " (" + at.detail + ")") : null);
}

const TAKES_EFFECT = { now: "at once", activation: "at once", logon: "from the next sign-in on", boot: "from the next boot on", next_start: "from the next start on", next_shutdown: "with the next shutdown" };

function finding(found) {
  const places = list(found.places);
  const tell = make("ul", { class: "places" }, places.slice(0, 4).map((at) => findingPlace(found, at)));
  const rest = places.slice(4);
  return make(
    "li",
    { class: "finding g-" + found.group },
    make("p", { class: "finding-title" }, make("b", null, found.title || found.id), " ", make("code", null, found.id)),
    make("p", { class: "quiet" }, [word(STATES, found.state), found.group === "left" ? word(EFFECTS, found.effect) : null, found.group === "mended" && found.takes_effect ? "holds " + (TAKES_EFFECT[found.takes_effect] || found.takes_effect) : null].filter((text) => text).join("; ")),
    found.group === "left" && found.cure ? make("p", { class: "cure" }, make("b", null, "Cure: "), found.cure) : null,
    found.cost ? make("p", { class: "quiet" }, "Cost: " + found.cost) : null,
    tell,
    rest.length ? make("details", { class: "more" }, make("summary", null, "and " + many(rest.length, "more place")), make("ul", { class: "places" }, rest.map((at) => findingPlace(found, at)))) : null,
  );
}

function findings(guest) {
  const of = (group) => list(guest.findings).filter((found) => found.group === group);
  const left = of("left");
  const folded = ["mended", "waived"].map((group) => {
    const found = of(group);
    const count = found.reduce((sum, one) => sum + one.places.length, 0);
    return found.length ? make("details", null, make("summary", null, many(count, "finding") + " " + group), make("ul", { class: "findings" }, found.map(finding))) : null;
  });
  return block("Findings", left.length ? make("ul", { class: "findings" }, left.map(finding)) : null, folded);
}

function screen(guest) {
  if (guest.screen === null) {
    return null;
  }
  const picture = guest.screen.data
    ? make("img", { src: guest.screen.data, alt: "The screen of " + guest.name + " before it was forced", decoding: "async" })
    : make("p", { class: "note" }, "No screenshot: " + guest.screen.missing);
  return block(
    "Screen before it was forced",
    make("figure", { class: "screen" }, picture, make("figcaption", { class: "quiet" }, guest.hypervisor + ": " + guest.screen.path)),
  );
}

function readiness(guest) {
  const ready = guest.readiness;
  if (ready === null) {
    return null;
  }
  const hints = ready.hints || {};
  const bad = Object.entries(ready.verdicts).filter(([, verdict]) => verdict !== "ready");
  return block(
    "Readiness",
    ready.state === "unreachable" || ready.state === "failed" ? make("p", { class: "note" }, "The guest could not be looked at (" + ready.state + "): " + (ready.message || "no reason was given")) : null,
    facts([
      ["domain", ready.domain_message],
      ["verdicts", bad.map(([scenario, verdict]) => scenario.replaceAll("_", " ") + " " + verdict.replaceAll("_", " ")).join(", ") || "ready"],
      ["methods it obeys", list(hints.recommended_methods).join(", ")],
      ["why not others", list(hints.methods_reason).join("; ")],
      ["may take", hints.recommended_timeout === undefined ? null : duration(hints.recommended_timeout)],
      ["servicing pending", hints.pending_servicing ? "yes: " + list(hints.pending_rows).join(", ") : null],
    ]),
  );
}

function forecastTold(forecast) {
  const becomes = word(OUTCOMES, forecast.becomes);
  return becomes + " after " + duration(forecast.expected_seconds) + (forecast.source ? ", by " + forecast.source.replaceAll("_", " ") : "") + (forecast.fits === false ? "; does not fit" : "");
}

function about(guest) {
  const others = Object.entries(guest.more || {}).filter(([, value]) => typeof value !== "object");
  return block(
    "The guest",
    facts([
      ["domain", guest.domain === guest.name ? null : guest.domain],
      ["UUID", guest.uuid],
      ["obeyed", guest.method],
      ["presses", guest.presses || null],
      ["accepted by", guest.accepted_by],
      ["accepted after", guest.accept_seconds === null || guest.accept_seconds === undefined ? null : duration(guest.accept_seconds)],
      ["off after", guest.seconds === null || guest.seconds === undefined || guest.look_after ? null : duration(guest.seconds)],
      ["forced by leave of", guest.permission],
      ["forecast", guest.forecast ? forecastTold(guest.forecast) : null],
      ["tier", guest.forecast ? guest.forecast.tier : null],
      ["request outstanding", guest.request_outstanding ? "yes, the guest may still obey it" : null],
      ["asked inside", guest.in_guest ? word(new Map(), guest.in_guest.outcome) + (guest.in_guest.message ? ": " + guest.in_guest.message : "") : null],
      ...others.map(([name, value]) => [name.replaceAll("_", " "), String(value)]),
    ]),
  );
}

function lines(texts) {
  return list(texts).length ? make("ul", null, texts.map((text) => make("li", null, text))) : null;
}

function detail(guest) {
  const verify = guest.verify;
  return [
    make("p", { class: "whole-reason" }, outcomeIcon(guest.outcome), make("b", null, word(OUTCOMES, guest.outcome)), ": ", guest.reason),
    timeline(guest),
    make(
      "div",
      { class: "columns" },
      block("What happened", entries(guest)),
      list(guest.plan).length ? block("Plan", make("ol", null, guest.plan.map((step) => make("li", null, step)))) : null,
      screen(guest),
      findings(guest),
      about(guest),
      readiness(guest),
      list(guest.blocking).length ? block("What held it up, by its own log", lines(guest.blocking)) : null,
      verify ? block("After the next boot: " + verify.verdict, lines([...list(verify.reasons), ...list(verify.blocking)])) : null,
      list(guest.evidence).length ? block("Evidence on " + guest.hypervisor, make("ul", null, guest.evidence.map((path) => make("li", null, make("code", null, path))))) : null,
    ),
  ];
}
