# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The dead man's switch: whether the controller still shows signs of life. It does by changing a file's time."""

from __future__ import annotations

import os
import threading
import time
import typing as t

LOOK_INTERVAL = 0.5
"""Seconds between two looks at the file."""


class SignOfLife:
    """Watches the file. What counts is that its time changes, not to what: the host's time of day may jump."""

    def __init__(self, path: str, limit: float, clock: t.Callable[[], float] = time.monotonic) -> None:
        """limit: seconds without a sign after which the controller counts as gone, for good."""
        self._path = path
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._time = self._read()
        self._seen_at = clock()
        self._signs = 0
        self.lost = ""
        """Why the controller counts as gone; empty while it does not."""

    def look(self) -> int:
        """Look at the file now: how many signs have been seen so far."""
        with self._lock:
            if self.lost:
                return self._signs
            now, found = self._clock(), self._read()
            if found not in (None, self._time):
                self._time, self._seen_at = found, now
                self._signs += 1
            elif now - self._seen_at >= self._limit:
                self.lost = f"the controller disappeared: no sign of life for {self._limit:g} s (controller_timeout)"
            return self._signs

    def watch(self, on_lost: t.Callable[[str], None]) -> None:
        """Look again and again in the background; call on_lost once, with the reason, when the controller is gone."""

        def keep_looking() -> None:
            while not self.lost:
                time.sleep(LOOK_INTERVAL)
                self.look()
            on_lost(self.lost)

        threading.Thread(target=keep_looking, name="sign of life", daemon=True).start()

    def _read(self) -> int | None:
        try:
            return os.stat(self._path).st_mtime_ns
        except OSError:
            return None


class Proofs:
    """For what must not be done once the controller is gone: a sign of life from after the moment it was decided.

    A run that has lost its controller learns of it only after a while; this closes the gap.
    """

    def __init__(self, life: SignOfLife | None) -> None:
        """Without a file that shows signs of life, nothing has to be proved."""
        self._life = life
        self._decided: dict[str, int] = {}

    def __contains__(self, uuid: str) -> bool:
        """Whether the domain waits for a sign."""
        return uuid in self._decided

    def missing(self, uuid: str) -> bool:
        """Whether there has been no sign yet since this was first asked about the domain."""
        if self._life is None:
            return False
        signs = self._life.look()
        if signs <= self._decided.setdefault(uuid, signs):
            return True
        self.forget(uuid)
        return False

    def forget(self, uuid: str) -> None:
        """It was done, or it is not to be done any more."""
        self._decided.pop(uuid, None)
