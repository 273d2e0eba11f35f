// SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
// SPDX-License-Identifier: GPL-3.0-or-later

"use strict";

// Timelines: the strip of one guest in its row, and the whole drawing in its detail.

// How far beyond the end a clock may lie and still be drawn, as a part of the whole.
const BEYOND = 0.25;

function percent(part, whole) {
  return (whole > 0 ? Math.min(100, Math.max(0, (100 * part) / whole)) : 0).toFixed(3) + "%";
}

function segment(phase, offset, whole) {
  return make("span", {
    class: "phase p-" + phase.phase,
    title: word(PHASES, phase.phase) + ": " + duration(phase.to - phase.from),
    style: { left: percent(offset + phase.from, whole), width: percent(phase.to - phase.from, whole) },
  });
}

// On the axis of the whole run, so that one row can be compared with the next.
function strip(guest, run) {
  const drawing = guest.drawing;
  if (drawing === null || run.seconds === null) {
    return make("span", { class: "strip empty" });
  }
  const offset = Math.max(0, (new Date(drawing.began) - new Date(run.began)) / 1000);
  const whole = Math.max(run.seconds, 0.001);
  return make("span", { class: "strip", "aria-hidden": "true" }, drawing.phases.map((phase) => segment(phase, offset, whole)));
}

function ticks(whole) {
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  const step = steps.find((candidate) => whole / candidate <= 6) || whole / 5;
  const found = [];
  for (let at = 0; at <= whole * 0.97; at += step) {
    found.push(at);
  }
  return found;
}

function tick(at) {
  if (at < 120) {
    return at + " s";
  }
  return at < 7200 ? (at / 60).toLocaleString("en", { maximumFractionDigits: 1 }) + " min" : (at / 3600).toFixed(1) + " h";
}

function markAt(mark, whole) {
  const count = mark.count ? ", " + mark.count + " times until " + duration(mark.until) : "";
  return make(
    "span",
    { class: "mark k-" + mark.mark, title: duration(mark.at) + ": " + mark.text + count, style: { left: percent(mark.at, whole) } },
    icon("m-" + mark.mark, ""),
  );
}

function repeated(mark, whole) {
  return make("span", {
    class: "again k-" + mark.mark,
    style: { left: percent(mark.at, whole), width: percent(mark.until - mark.at, whole) },
  });
}

function lane(name, marks, whole) {
  if (!marks.length) {
    return null;
  }
  const drawn = marks.map((mark) => [mark.count ? repeated(mark, whole) : null, markAt(mark, whole)]);
  return [make("span", { class: "lane-name" }, name), make("span", { class: "lane marks" }, drawn)];
}

// Clocks that run out at the same time, as those of a fixed deadline do, are one line; the names of others are stacked.
function clockLines(clocks, whole) {
  const lines = [];
  for (const clock of [...clocks].sort((one, other) => one.at - other.at)) {
    const last = lines[lines.length - 1];
    if (last && clock.at - last.at < whole * 0.01) {
      last.names.push(word(CLOCKS, clock.clock));
    } else {
      lines.push({ at: clock.at, seconds: clock.seconds, names: [word(CLOCKS, clock.clock)] });
    }
  }
  return lines;
}

function clockLine(line, level, whole) {
  return make(
    "span",
    { class: "clock" + (line.at > whole * 0.6 ? " late" : ""), style: { left: percent(line.at, whole) } },
    make("span", { style: { top: level * 1.1 + "rem" } }, line.names.join(", ") + " " + duration(line.seconds)),
  );
}

function legend(drawing) {
  const phases = drawing.phases.map((phase) =>
    make(
      "li",
      null,
      make("span", { class: "swatch phase p-" + phase.phase }),
      make("span", null, make("b", null, duration(phase.to - phase.from)), " " + word(PHASES, phase.phase), phase.because ? make("span", { class: "because" }, phase.because) : null),
    ),
  );
  const kinds = [...new Set(drawing.marks.map((mark) => mark.mark))];
  const marks = kinds.map((kind) => {
    const times = drawing.marks.filter((mark) => mark.mark === kind).reduce((sum, mark) => sum + (mark.count || 1), 0);
    return make("li", { class: "k-" + kind }, icon("m-" + kind, ""), word(MARKS, kind) + (times > 1 ? " x" + times : ""));
  });
  return [make("ol", { class: "legend phases" }, phases), make("ul", { class: "legend kinds" }, marks)];
}

function timeline(guest) {
  const drawing = guest.drawing;
  if (drawing === null || drawing.seconds < 0.05) {
    return null;
  }
  const near = drawing.clocks.filter((clock) => clock.at <= drawing.seconds * (1 + BEYOND));
  const far = drawing.clocks.filter((clock) => !near.includes(clock));
  const whole = Math.max(drawing.seconds * 1.01, 0.001, ...near.map((clock) => clock.at * 1.01));
  const lines = clockLines(near, whole);
  const asked = ["press", "agent", "in_guest", "wake", "save", "evidence", "force"];
  const told = drawing.phases.map((phase) => duration(phase.to - phase.from) + " " + word(PHASES, phase.phase)).join(", ");
  return make(
    "figure",
    { class: "timeline" },
    make("figcaption", null, "Timeline, " + duration(drawing.seconds)),
    make(
      "div",
      { class: "drawing", style: { "padding-top": lines.length * 1.1 + "rem" }, role: "img", "aria-label": "Timeline of " + duration(drawing.seconds) + ": " + told },
      lane("asked", drawing.marks.filter((mark) => asked.includes(mark.mark)), whole),
      make("span", { class: "lane-name" }, "guest"),
      make("span", { class: "lane bar" }, drawing.phases.map((phase) => segment(phase, 0, whole))),
      lane("seen", drawing.marks.filter((mark) => !asked.includes(mark.mark)), whole),
      make("span", { class: "lane-name" }),
      make("span", { class: "lane axis" }, ticks(whole).map((at) => make("span", { class: "tick", style: { left: percent(at, whole) } }, tick(at)))),
      make("span", { class: "clocks" }, lines.map((line, level) => clockLine(line, level, whole))),
    ),
    legend(drawing),
    far.length ? make("p", { class: "quiet" }, "Not reached: " + far.map((clock) => word(CLOCKS, clock.clock) + " of " + duration(clock.seconds)).join(", ")) : null,
  );
}
