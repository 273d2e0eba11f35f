# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guests of shutdown_many: started again and again, and watched by a third party while somebody shuts them down.

When a guest received its press is told by its own log, whose last word has the time of that file; when it ended is told
to a libvirt connection of its own. Everything goes by the time of day, as files do.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import libvirt
from bed.guests import AcpiGuest, Bed, file_of
from benchmark._measured import void

STARTING_AT_ONCE = 2
START_LIMIT = 120.0
QUIET = 2.0
"""Seconds between the last guest's start and the next run."""

END_LIMIT = 60.0
"""Seconds after a side's answer for the guests to end: a peer may answer before they have."""


POWERED_OFF = (libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN,)
"""The details of a stop by which a guest powered off by itself."""


class Stop(NamedTuple):
    """When a guest ended, as the time of day, and libvirt's detail of that stop."""

    at: float
    detail: int


class Seen(NamedTuple):
    """By the guests' names, when each was pressed and when it ended."""

    presses: dict[str, float]
    ends: dict[str, float]


class Listener:
    """Hears on a libvirt connection when guests end."""

    def __init__(self, connection: libvirt.virConnect) -> None:
        self._ends: queue.SimpleQueue[tuple[str, float, int]] = queue.SimpleQueue()
        connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._hear, None)

    def _hear(
        self, connection: libvirt.virConnect, domain: libvirt.virDomain, event: int, detail: int, *_rest: Any
    ) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            self._ends.put((domain.name(), time.time(), detail))

    def ends(
        self, names: Sequence[str], expected: Collection[int] = POWERED_OFF, limit: float = END_LIMIT
    ) -> dict[str, Stop]:
        """How each of these guests ended. Another detail than the expected ones makes the benchmark void."""
        ends: dict[str, Stop] = {}
        while len(ends) < len(names):
            try:
                name, at, detail = self._ends.get(timeout=limit)
            except queue.Empty:
                void(f"no event told the end of {', '.join(sorted(set(names) - set(ends)))}")
            if detail not in expected:
                void(f"{name} did not end as it should: it stopped with detail {detail}")
            ends[name] = Stop(at, detail)
        return ends


class Guests:
    """So many obedient guests, each of which takes `delay` milliseconds to shut down."""

    def __init__(self, bed: Bed, listener: Listener, count: int, delay: int) -> None:
        self.bed = bed
        self.names = [f"guest-{number:03}" for number in range(1, count + 1)]
        behaviour = f"press=obey delay={delay}"
        self._domains = [bed.define(AcpiGuest(name, behaviour)) for name in self.names]
        self._listener = listener
        self._said: dict[str, int] = {}

    def start(self) -> None:
        """Start them, gently, and wait until they hear their buttons and the machine is quiet again."""
        self._said = {name: len(self.bed.com1(name)) for name in self.names}
        with ThreadPoolExecutor(STARTING_AT_ONCE) as pool:
            list(pool.map(libvirt.virDomain.create, self._domains))
        for name, since in self._said.items():
            self.bed.wait_for(name, "ready", timeout=START_LIMIT, since=since)
        time.sleep(QUIET)

    def seen(self) -> Seen:
        """What was seen of them since they were started, once all have ended."""
        ends = {name: stop.at for name, stop in self._listener.ends(self.names).items()}
        return Seen({name: self._pressed(name) for name in self.names}, ends)

    def forget(self) -> None:
        """Undefine them."""
        for domain in self._domains:
            domain.undefine()

    def _pressed(self, name: str) -> float:
        """When the guest received the press: its last word has the file's time, and its own clock leads back."""
        log = self.bed.com1(name)[self._said[name] :]
        at = {words: int(when) / 1000 for when, words in re.findall(r"^(\d+) (press 1|power off)$", log, re.MULTILINE)}
        last_word = file_of(name, "com1", self.bed.directory).stat().st_mtime
        return last_word - (at["power off"] - at["press 1"])


def start_event_loop() -> None:
    """libvirt's event loop, which must be there before the first connection that wants events."""

    def loop() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=loop, name="libvirt events", daemon=True).start()
