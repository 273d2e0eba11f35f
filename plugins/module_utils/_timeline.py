# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What happened to one domain, in order: what was asked, what was seen, and why. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp

MOST_ENTRIES = 200


class Timeline:
    """Entries of one run. A line that repeats the last one of its kind is counted there; the middle of a flood goes."""

    def __init__(
        self, clock_start: float, wall_start: float, told: t.Callable[[str, str], None] = lambda kind, text: None
    ) -> None:
        """told is called with each entry that is no repetition."""
        self._told = told
        self._clock_start = clock_start
        self._wall_start = wall_start
        self._entries: list[dict[str, t.Any]] = []
        self._left_out = 0

    def wall(self, at: float) -> float:
        """The time of day, in seconds since the epoch, at this time of the run's clock."""
        return self._wall_start + at - self._clock_start

    def seconds(self, at: float) -> float:
        """The seconds since the run began at this time of its clock."""
        return round(at - self._clock_start, 3)

    def add(self, at: float, kind: str, text: str) -> None:
        """kind is found, asked, seen or ended."""
        seconds = round(at - self._clock_start, 3)
        for last in reversed(self._entries):
            if last["kind"] == kind:
                if last["text"] == text:
                    last.update(count=last.get("count", 1) + 1, last_seconds=seconds)
                    return
                break
        if len(self._entries) >= MOST_ENTRIES:
            del self._entries[MOST_ENTRIES // 2]
            self._left_out += 1
        self._entries.append({"time": timestamp(self.wall(at)), "seconds": seconds, "kind": kind, "text": text})
        self._told(kind, text)

    def entries(self) -> list[dict[str, t.Any]]:
        """The entries as they are returned to the user."""
        entries = [dict(entry) for entry in self._entries]
        if self._left_out:
            before = entries[MOST_ENTRIES // 2 - 1]
            when = {"time": before["time"], "seconds": before["seconds"]}
            gap = {**when, "kind": "seen", "text": f"{self._left_out} entries left out here"}
            entries.insert(MOST_ENTRIES // 2, gap)
        return entries
