# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""How one guest's timeline is drawn: which phase it was in from when to when and why, and what happened in it. Pure.

The phases are told from the lines of domain_shutdown's timeline. A line that is not known here begins no phase, so a
timeline of a later version is drawn with fewer of them.
"""

from __future__ import annotations

import datetime
import math
import re
import typing as t

Entry = t.Mapping[str, t.Any]

PHASES = (
    *("queued", "before", "asleep", "asked_acpi", "asked_guest", "asked_agent"),
    *("working", "stalled", "disconnected", "watched", "saving", "forcing"),
)

_ASKED = (
    (re.compile(r"press the ACPI power button"), "asked_acpi", "press"),
    (re.compile(r"ask the guest agent"), "asked_agent", "agent"),
    (re.compile(r"ask Windows itself"), "asked_guest", "in_guest"),
    (re.compile(r"the guest sleeps "), "asleep", "wake"),
    (re.compile(r"the gentle destroy could not end QEMU"), "forcing", "force"),
    (re.compile(r".*; on_timeout=force: evidence first$", re.DOTALL), "forcing", "evidence"),
    (re.compile(r".*; on_timeout=force$", re.DOTALL), "forcing", "force"),
    (re.compile(r".*; on_timeout=save$", re.DOTALL), "saving", "save"),
    (re.compile(r"managed save: "), "saving", "save"),
)
"""What was asked for, the phase that it begins, and its mark."""

_TROUBLE = re.compile(r"(press|agent|guest_shutdown|wake|resume|thaw|save|evidence|destroy|destroy_plain): (?!ok\b)\w+")
_SILENT_SINCE = re.compile(r"finish clock of [\d.e+]+ s has run out, accepted, last progress (\d+) s ago")
_NEVER_WORKED = re.compile(
    r"(?:finish clock|hard end) of [\d.e+]+ s has run out, accepted \(.*\) but without progress", re.DOTALL
)
_CLOCKS = {
    "timeout": (re.compile(r"\btimeout=([\d.e+]+) s"), re.compile(r"finish clock of ([\d.e+]+) s")),
    "max_timeout": (re.compile(r"\bmax_timeout=([\d.e+]+) s"), re.compile(r"hard end of ([\d.e+]+) s")),
}


def draw(domain: Entry, in_guest: Entry | None = None) -> dict[str, t.Any] | None:
    """The drawing of a domain's result, in seconds since its first entry; None where there is nothing to draw.

    in_guest: what Windows answered to a request of guest_shutdown, drawn where it tells its time.
    """
    timeline = domain.get("timeline")
    told = [entry for entry in timeline if isinstance(entry, t.Mapping)] if isinstance(timeline, list) else []
    entries = [entry for entry in told if _number(entry.get("seconds")) is not None]
    if not entries:
        return None
    drawing = _Drawing(float(entries[0]["seconds"]))
    for entry in entries:
        drawing.take(entry)
    began = moment(entries[0].get("time"))
    asked_inside = moment((in_guest or {}).get("time"))
    if began and asked_inside and in_guest:
        at = max(0.0, (asked_inside - began).total_seconds())
        drawing.mark(at, "in_guest", f"Windows was asked to shut down: {in_guest.get('outcome')}")
    return {
        "began": entries[0].get("time"),
        "seconds": drawing.end,
        "phases": drawing.phases,
        "marks": drawing.marks,
        "clocks": _clocks(domain, drawing),
    }


def moment(text: t.Any) -> datetime.datetime | None:
    """The time of an ISO 8601 text in UTC, if it is one."""
    try:
        found = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


class _Drawing:
    """Phases and marks, drawn entry by entry."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._accepted = False
        self._before = ""
        self.first_request: float | None = None
        self.end = 0.0
        self.phases: list[dict[str, t.Any]] = []
        self.marks: list[dict[str, t.Any]] = []
        self._turn(0.0, "before", "")

    def take(self, entry: Entry) -> None:
        """Draw one entry."""
        at = self._since(entry["seconds"])
        text, kind = str(entry.get("text", "")), entry.get("kind")
        last = self._since(_number(entry.get("last_seconds")) or entry["seconds"])
        self.end = max(self.end, at, last)
        self.phases[-1]["to"] = self.end
        if kind == "found" and text.startswith("its turn has come"):
            self.phases[-1].update(phase="queued")
            self._turn(at, "before", text)
        elif kind == "asked":
            self._asked(at, text)
        elif kind == "seen":
            self._seen(at, text)
        elif kind == "ended":
            if text.startswith("refused: its tier never started"):
                self.phases[-1].update(phase="queued", because=text)
            self._look_back(at, text)
            self.mark(at, "end", text)
        count = entry.get("count")
        if count and self.marks and self.marks[-1]["at"] == at:
            self.marks[-1].update(count=count, until=last)

    def mark(self, at: float, mark: str, text: str) -> None:
        """Something that happened at one time."""
        self.marks.append({"at": at, "mark": mark, "text": text})

    def _asked(self, at: float, text: str) -> None:
        known = next((known for known in _ASKED if known[0].match(text)), None)
        if known is None:
            return
        dummy, phase, mark = known
        if phase in ("saving", "forcing"):
            self._look_back(at, text)
        request = mark in ("press", "agent", "in_guest")
        if request and self.first_request is None:
            self.first_request = at
        if not (self._accepted and request):
            self._turn(at, phase, text)
        self.mark(at, mark, text)

    def _seen(self, at: float, text: str) -> None:
        if text.startswith("accepted: ") or "; accepted: " in text:
            self._accepted = True
            self._turn(at, "working", text)
            self.mark(at, "sign", text)
        elif text.startswith("progress: "):
            self.mark(at, "progress", text)
        elif text.startswith("state: running") and self.phases[-1]["phase"] == "asleep":
            self._turn(at, "before", text)
        elif text.startswith("the guest agent came back"):
            self._accepted = False
            self._turn(at, self._asked_before(), text)
            self.mark(at, "trouble", text)
        elif text.startswith("connection to libvirt lost"):
            self._before = self.phases[-1]["phase"]
            self._turn(at, "disconnected", text)
            self.mark(at, "trouble", text)
        elif text == "connection to libvirt is back":
            self._turn(at, self._before or "before", text)
        elif text.endswith("from now on this run only watches"):
            self._turn(at, "watched", text)
            self.mark(at, "trouble", text)
        elif _TROUBLE.match(text):
            self.mark(at, "trouble", text)

    def _asked_before(self) -> str:
        asked = [phase["phase"] for phase in self.phases if phase["phase"].startswith("asked_")]
        return asked[-1] if asked else "before"

    def _look_back(self, at: float, text: str) -> None:
        """The end of the clocks tells since when the guest had shown no progress."""
        silent = _SILENT_SINCE.search(text)
        worked = self.phases[-1]
        if worked["phase"] != "working":
            return
        if silent:
            self._turn(max(at - float(silent.group(1)), worked["from"]), "stalled", text)
        elif _NEVER_WORKED.search(text):
            worked.update(phase="stalled")
        self.phases[-1]["to"] = at

    def _turn(self, at: float, phase: str, because: str) -> None:
        if self.phases:
            if self.phases[-1]["phase"] == phase:
                return
            self.phases[-1]["to"] = at
            if self.phases[-1]["from"] == at:
                del self.phases[-1]
        self.phases.append({"phase": phase, "from": at, "to": at, "because": because})

    def _since(self, seconds: float) -> float:
        return round(float(seconds) - self._start, 3)


def _clocks(domain: Entry, drawing: _Drawing) -> list[dict[str, t.Any]]:
    """When the clocks run out, and when it was to be off by forecast, as far as the result says so."""
    if drawing.first_request is None:
        return []
    told = " ".join([str(domain.get("permission") or ""), *(mark["text"] for mark in drawing.marks)])
    told += str(domain.get("reason") or "")
    forecast = domain.get("forecast")
    if not isinstance(forecast, t.Mapping):
        forecast = {}
    lengths = {"forecast": _number(forecast.get("expected_seconds"))}
    for clock, patterns in _CLOCKS.items():
        matches = [match for match in (pattern.search(told) for pattern in patterns) if match]
        lengths[clock] = _number(matches[0].group(1) if matches else forecast.get(clock))
    return [
        {"clock": clock, "seconds": seconds, "at": round(drawing.first_request + seconds, 3)}
        for clock, seconds in lengths.items()
        if seconds is not None
    ]


def _number(value: t.Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
