// SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
// SPDX-License-Identifier: GPL-3.0-or-later

"use strict";

// The rows: filtered, sorted, unfolded. What is unfolded is built when it comes near the part that is seen.

const COLUMNS = [
  { key: "outcome", name: "Outcome", by: (guest) => rank(guest.outcome) },
  { key: "guest", name: "Guest", by: (guest) => guest.name },
  { key: "hypervisor", name: "Hypervisor", by: (guest) => guest.hypervisor || "" },
  { key: "seconds", name: "Took", by: (guest) => (typeof guest.seconds === "number" ? guest.seconds : -1), down: true },
  { key: "strip", name: "When", by: (guest) => (guest.drawing ? guest.drawing.began : "") },
  { key: "mended", name: "Mended", by: (guest) => counted(guest, "mended"), down: true },
  { key: "left", name: "Left", by: (guest) => counted(guest, "left"), down: true },
  { key: "reason", name: "Why", by: (guest) => guest.reason },
];

const collator = new Intl.Collator("en", { numeric: true });

function counted(guest, group) {
  return guest.findings.filter((found) => found.group === group).reduce((sum, found) => sum + found.places.length, 0);
}

function compare(one, other) {
  return typeof one === "number" && typeof other === "number" ? one - other : collator.compare(one, other);
}

// All that may be searched for, in one text.
function searched(guest) {
  const parts = [guest.name, guest.hypervisor, guest.domain, guest.uuid, word(OUTCOMES, guest.outcome), guest.outcome, guest.reason];
  parts.push(...guest.timeline.map((entry) => entry.text), ...guest.findings.flatMap((found) => [found.id, found.title]));
  return parts.filter((part) => part).join("\n").toLowerCase();
}

class Row {
  constructor(guest, number, run, watch) {
    this.guest = guest;
    this.number = number;
    this.watch = watch;
    this.open = false;
    this.built = false;
    this.text = null;
    const id = "guest-" + number;
    this.button = make("button", { type: "button", class: "unfold", "aria-expanded": "false", "aria-controls": id + "-detail", "aria-label": "Details of " + place(guest), on: { click: (event) => { event.stopPropagation(); this.toggle(); } } });
    this.detail = make("div", { class: "detail", id: id + "-detail", hidden: true, role: "row" });
    const cell = (key, ...content) => make("span", { class: "cell c-" + key, role: "cell" }, content);
    const count = (group) => counted(guest, group);
    this.element = make(
      "div",
      { class: "guest o-" + outcomeClass(guest.outcome), id: id, role: "rowgroup" },
      make(
        "div",
        { class: "row", role: "row", on: { click: () => { if (!String(getSelection())) { this.toggle(); } } } },
        cell("outcome", this.button, outcomeIcon(guest.outcome), make("b", null, word(OUTCOMES, guest.outcome))),
        cell("guest", guest.name),
        cell("hypervisor", guest.hypervisor || "-"),
        cell("seconds", duration(guest.seconds)),
        cell("strip", strip(guest, run)),
        cell("mended", count("mended") ? [make("b", null, count("mended")), make("span", { class: "unit" }, " mended")] : make("span", { class: "none" }, "-")),
        cell("left", count("left") ? [make("b", { class: "warn" }, count("left")), make("span", { class: "unit" }, " left")] : make("span", { class: "none" }, "-")),
        cell("reason", guest.reason),
      ),
      this.detail,
    );
  }

  toggle(open = !this.open) {
    if (open === this.open) {
      return;
    }
    this.open = open;
    this.button.setAttribute("aria-expanded", String(open));
    this.element.classList.toggle("open", open);
    this.detail.hidden = !open;
    if (open && !this.built) {
      this.watch.observe(this.detail);
    }
  }

  build() {
    if (!this.built) {
      this.built = true;
      this.watch.unobserve(this.detail);
      this.detail.append(make("div", { class: "inside", role: "cell" }, detail(this.guest)));
      this.detail.classList.add("built");
    }
  }

  matches(words, outcomes) {
    if (outcomes.size && !outcomes.has(this.guest.outcome)) {
      return false;
    }
    if (words.length && this.text === null) {
      this.text = searched(this.guest);
    }
    return words.every((part) => this.text.includes(part));
  }
}

class Guests {
  constructor(report) {
    this.outcomes = new Set();
    this.words = [];
    this.sorted = { key: "outcome", down: false };
    this.rows = [];
    const details = new Map();
    this.watch = new IntersectionObserver((seen) => {
      for (const item of seen) {
        if (item.isIntersecting) {
          details.get(item.target).build();
        }
      }
    }, { rootMargin: "600px 0px" });
    report.guests.forEach((guest, number) => {
      const row = new Row(guest, number, report.run, this.watch);
      details.set(row.detail, row);
      this.rows.push(row);
    });
    this.body = make("div", { class: "body", role: "presentation" });
    this.status = make("p", { class: "status", role: "status" });
    this.chips = new Map();
    this.element = make("div", null, this.toolbar(report), this.status, this.table());
    this.sort("outcome", false);
    addEventListener("beforeprint", () => this.print());
    addEventListener("afterprint", () => this.printed());
  }

  toolbar(report) {
    this.search = make("input", { type: "search", id: "search", placeholder: "name, reason, finding ...", autocomplete: "off", spellcheck: "false", on: { input: () => this.look() } });
    const outcomes = Object.keys(report.totals.outcomes).sort((one, other) => rank(one) - rank(other));
    const chips = outcomes.map((outcome) => {
      const chip = make("button", { type: "button", class: "chip", "aria-pressed": "false", on: { click: () => this.choose(outcome) } }, outcomeIcon(outcome), word(OUTCOMES, outcome), make("b", null, report.totals.outcomes[outcome].toLocaleString("en")));
      this.chips.set(outcome, chip);
      return chip;
    });
    this.order = make("select", { id: "order", on: { change: () => this.sort(this.order.value) } }, COLUMNS.map((column) => make("option", { value: column.key }, column.name.toLowerCase())));
    return make(
      "div",
      { class: "toolbar" },
      make("div", { class: "chips", role: "group", "aria-label": "Show only these outcomes" }, chips),
      make("div", { class: "find" }, make("label", { for: "search" }, "Search"), this.search),
      make("div", { class: "order" }, make("label", { for: "order" }, "Sort by"), this.order),
      make(
        "div",
        { class: "all" },
        make("button", { type: "button", id: "expand-all", on: { click: () => this.toggleAll(true) } }, "Expand all"),
        make("button", { type: "button", id: "fold-all", on: { click: () => this.toggleAll(false) } }, "Fold all"),
      ),
    );
  }

  table() {
    this.heads = new Map();
    const heads = COLUMNS.map((column) => {
      const head = make("span", { class: "cell c-" + column.key, role: "columnheader" }, make("button", { type: "button", on: { click: () => this.sort(column.key) } }, column.name));
      this.heads.set(column.key, head);
      return head;
    });
    return make(
      "div",
      { class: "table", role: "table", "aria-label": "Guests" },
      make("div", { class: "row heads", role: "row" }, heads),
      this.body,
    );
  }

  sort(key, down) {
    const column = COLUMNS.find((candidate) => candidate.key === key);
    if (down === undefined) {
      down = this.sorted.key === key ? !this.sorted.down : Boolean(column.down);
    }
    this.sorted = { key, down };
    const sign = down ? -1 : 1;
    const keys = new Map(this.rows.map((row) => [row, column.by(row.guest)]));
    this.rows.sort((one, other) => sign * compare(keys.get(one), keys.get(other)) || one.number - other.number);
    for (const [name, head] of this.heads) {
      head.setAttribute("aria-sort", name === key ? (down ? "descending" : "ascending") : "none");
    }
    this.order.value = key;
    this.body.append(...this.rows.map((row) => row.element));
    this.look();
  }

  choose(outcome, only = false) {
    if (only) {
      this.outcomes = new Set([outcome]);
    } else if (!this.outcomes.delete(outcome)) {
      this.outcomes.add(outcome);
    }
    for (const [name, chip] of this.chips) {
      chip.setAttribute("aria-pressed", String(this.outcomes.has(name)));
    }
    this.look();
  }

  find(text) {
    this.search.value = text;
    this.look();
    this.element.scrollIntoView();
  }

  look() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter((part) => part);
    let count = 0;
    for (const row of this.rows) {
      const there = row.matches(words, this.outcomes);
      row.element.hidden = !there;
      count += there;
    }
    const all = many(this.rows.length, "guest");
    this.status.textContent = count === this.rows.length ? all : count.toLocaleString("en") + " of " + all;
  }

  toggleAll(open) {
    for (const row of this.rows) {
      if (!row.element.hidden) {
        row.toggle(open);
      }
    }
  }

  // The row of a guest, unfolded and in sight.
  show(guest) {
    const row = this.rows.find((candidate) => candidate.guest === guest);
    row.element.hidden = false;
    row.build();
    row.toggle(true);
    row.element.scrollIntoView({ block: "start" });
    row.button.focus({ preventScroll: true });
  }

  // On paper nothing can be unfolded: what someone has to look after is, and what was unfolded stays so.
  print() {
    this.unfolded = this.rows.filter((row) => !row.open && row.guest.look_after);
    for (const row of this.unfolded) {
      row.toggle(true);
    }
    for (const row of this.rows.filter((candidate) => candidate.open)) {
      row.build();
    }
  }

  printed() {
    for (const row of this.unfolded || []) {
      row.toggle(false);
    }
  }
}
