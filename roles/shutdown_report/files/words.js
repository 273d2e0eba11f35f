// SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
// SPDX-License-Identifier: GPL-3.0-or-later

"use strict";

// The words for what the document says in keys. A key that is not here is shown as it is.

// In the order in which one wants to look at them.
const OUTCOMES = new Map([
  ["error", "error"],
  ["unknown", "unknown"],
  ["forced", "forced"],
  ["left_running", "left running"],
  ["restarted", "restarted"],
  ["refused", "refused"],
  ["cancelled", "cancelled"],
  ["vanished", "vanished"],
  ["saved", "saved"],
  ["graceful", "graceful"],
  ["already_off", "already off"],
  ["planned", "planned"],
]);

const PHASES = new Map([
  ["queued", "waiting for its turn"],
  ["before", "looked at, its idle writes measured"],
  ["asleep", "asleep, being woken"],
  ["asked_acpi", "asked by the power button, not accepted"],
  ["asked_guest", "Windows itself asked, not accepted"],
  ["asked_agent", "asked through the guest agent, not accepted"],
  ["working", "accepted, shutting down"],
  ["stalled", "accepted, without progress"],
  ["disconnected", "libvirt out of reach"],
  ["watched", "the controller is gone: only watched, nothing is done"],
  ["saving", "being saved"],
  ["forcing", "being forced: evidence, then power off"],
]);

const MARKS = new Map([
  ["press", "power button pressed"],
  ["agent", "guest agent asked"],
  ["in_guest", "Windows asked inside the guest"],
  ["wake", "wake-up"],
  ["sign", "accepted"],
  ["progress", "progress"],
  ["trouble", "trouble"],
  ["evidence", "evidence taken"],
  ["save", "save begun"],
  ["force", "forced"],
  ["end", "end"],
]);

const CLOCKS = new Map([
  ["forecast", "forecast"],
  ["timeout", "finish clock"],
  ["max_timeout", "hard end"],
]);

const STATES = new Map([
  ["differs", "not as wanted"],
  ["unverified", "not as wanted, by a row that nobody could verify"],
  ["unreadable", "could not be read"],
  ["managed_by_policy", "set by a policy"],
  ["fixed", "mended"],
  ["later", "mended from the next start on"],
  ["waived", "waived"],
]);

const EFFECTS = new Map([
  ["blocks", "blocks a shutdown"],
  ["swallows", "swallows a shutdown"],
  ["prolongs", "prolongs a shutdown"],
  ["informs", "for information"],
]);

function word(words, key) {
  return words.has(key) ? words.get(key) : String(key).replaceAll("_", " ");
}

function rank(outcome) {
  const place = [...OUTCOMES.keys()].indexOf(outcome);
  return place < 0 ? 1.5 : place;
}

function outcomeClass(outcome) {
  return OUTCOMES.has(outcome) ? outcome : "unknown";
}

function outcomeIcon(outcome) {
  const known = outcomeClass(outcome);
  return icon("i-" + known, "o-" + known);
}

function many(count, one, more) {
  return count.toLocaleString("en") + " " + (count === 1 ? one : more || one + "s");
}

function duration(seconds) {
  if (typeof seconds !== "number") {
    return "-";
  }
  if (seconds < 99.95) {
    return seconds.toFixed(1) + " s";
  }
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return minutes + " min " + String(whole % 60).padStart(2, "0") + " s";
  }
  return Math.floor(minutes / 60) + " h " + String(minutes % 60).padStart(2, "0") + " min";
}

function moment(iso) {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? String(iso) : time.toISOString().slice(0, 19).replace("T", " ") + " UTC";
}

function place(guest) {
  return guest.hypervisor === null ? guest.name : guest.hypervisor + " / " + guest.name;
}

function shown(value) {
  if (value === null || value === undefined) {
    return "(absent)";
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
