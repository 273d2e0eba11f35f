# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The file in which a run says how far it is, for the action plugin to show."""

from __future__ import annotations

import collections
import json
import os
import time
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._case import Case
from ansible_collections.winguest.shutdown.plugins.module_utils._progress import document, phase

INTERVAL = 1.0
"""Seconds between two writes."""

MOST_NEWS = 100
"""Lines of news in the file; who has not seen one of the older ones by then misses it."""


class ProgressFile:
    """Written anew, at once and as a whole, at most once a second and when something may have changed."""

    def __init__(self, path: str, verbosity: int) -> None:
        """verbosity is Ansible's: from 1 on there is news of each domain, from 2 on all that is on the timelines."""
        self._path = path
        self._verbosity = verbosity
        self._next = 0.0
        self._written: dict[str, t.Any] = {}
        self._phases: dict[str, str] = {}
        self._serial = 0
        self._news: collections.deque[tuple[int, str]] = collections.deque(maxlen=MOST_NEWS)

    def entry(self, name: str, kind: str, text: str) -> None:
        """Something was put on a domain's timeline."""
        if self._verbosity > 1:
            self._add(f"{name}: {kind}: {text}")

    def tell(
        self,
        cases: t.Callable[[], t.Sequence[Case]],
        last: bool = False,
        errands: t.Sequence[t.Mapping[str, t.Any]] = (),
    ) -> None:
        """Write how far the cases are, unless that was done just now and this is not the last time.

        errands are those that whoever watches the run is to do.
        """
        now = time.monotonic()
        if now < self._next and not last:
            return
        self._next = now + INTERVAL
        taken = cases()
        if self._verbosity == 1:
            self._compare(taken)
        told = {**document(taken, now), "errands": list(errands), "news": list(self._news)}
        if told != self._written:
            self._written = told
            self._write(json.dumps(told))

    def _compare(self, cases: t.Sequence[Case]) -> None:
        for case in cases:
            now_at = phase(case)
            if self._phases.get(case.facts.uuid) != now_at:
                self._phases[case.facts.uuid] = now_at
                end = case.end
                self._add(f"{case.facts.name}: {now_at}" + (f" ({end.outcome}: {end.why})" if end else ""))

    def _add(self, line: str) -> None:
        self._serial += 1
        self._news.append((self._serial, line))

    def _write(self, text: str) -> None:
        fresh = f"{self._path}.new"
        try:
            with open(fresh, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(fresh, self._path)
        except OSError:
            pass  # a full disk, or a folder that is gone, must not end the run: it is only not shown
