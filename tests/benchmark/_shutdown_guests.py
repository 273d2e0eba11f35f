# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests that are started again and again, and watched by a third party while somebody shuts them down.

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

import ansible.release
import libvirt
from bed.guests import AcpiGuest, Bed, file_of
from bed.module import HYPERVISOR_PYTHON
from benchmark._measured import dotted, said_version, void

STARTING_AT_ONCE = 2
START_LIMIT = 120.0
END_LIMIT = 60.0
"""Seconds after a side's answer for the guests to end: a peer may answer before they have."""


POWERED_OFF = (libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN,)
"""The details of a stop by which a guest powered off by itself."""


class Stop(NamedTuple):
    """When a guest ended, as the time of day, and libvirt's detail of that stop."""

    at: float
    detail: int


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

    def ends(self, names: Sequence[str], expected: Collection[int]) -> dict[str, Stop]:
        """How each of these guests ended. Another detail than the expected ones makes the benchmark void."""
        ends: dict[str, Stop] = {}
        while len(ends) < len(names):
            try:
                name, at, detail = self._ends.get(timeout=END_LIMIT)
            except queue.Empty:
                void(f"no event told the end of {', '.join(sorted(set(names) - set(ends)))}")
            if detail not in expected:
                void(f"{name} did not end as it should: it stopped with detail {detail}")
            ends[name] = Stop(at, detail)
        return ends


class Guests:
    """These guests; `quiet`: seconds between the last one's start and whatever is measured."""

    def __init__(self, bed: Bed, listener: Listener, guests: Sequence[AcpiGuest], quiet: float = 0) -> None:
        self.bed = bed
        self.names = [guest.name for guest in guests]
        self._domains = [bed.define(guest) for guest in guests]
        self._listener, self._quiet = listener, quiet
        self._said: dict[str, int] = {}

    def start(self) -> None:
        """Start them, gently, and wait until they hear their buttons and the machine is quiet again."""
        self._said = {name: len(self.bed.com1(name)) for name in self.names}
        with ThreadPoolExecutor(STARTING_AT_ONCE) as pool:
            list(pool.map(libvirt.virDomain.create, self._domains))
        for name, since in self._said.items():
            self.bed.wait_for(name, "ready", timeout=START_LIMIT, since=since)
        time.sleep(self._quiet)

    def ends(self, expected: Collection[int] = POWERED_OFF) -> dict[str, Stop]:
        """How each of them ended since."""
        return self._listener.ends(self.names, expected)

    def said(self, name: str) -> dict[str, float]:
        """When a guest said what since, as the time of day: the log has that of its last word; its clock leads back."""
        log = self.bed.com1(name)[self._said[name] :]
        own = {words: int(when) / 1000 for when, words in re.findall(r"^(\d+) (.+)$", log, re.MULTILINE)}
        last_word = file_of(name, "com1", self.bed.directory).stat().st_mtime
        return {words: last_word - (max(own.values()) - when) for words, when in own.items()}

    def pressed(self, name: str) -> float:
        """When a guest received its first press."""
        said = self.said(name)
        if "press 1" not in said:
            void(f"{name} was never pressed; it said: {', '.join(said)}")
        return said["press 1"]

    def forget(self) -> None:
        """Undefine them."""
        for domain in self._domains:
            domain.undefine()


def versions(connection: libvirt.virConnect) -> dict[str, str]:
    """Those of whatever shuts guests down."""
    return {
        "QEMU": f"{dotted(connection.getVersion())} (TCG)",
        "libvirt": dotted(connection.getLibVersion()),
        "Python": said_version(HYPERVISOR_PYTHON),
        "ansible-core": ansible.release.__version__,
    }


def start_event_loop() -> None:
    """libvirt's event loop, which must be there before the first connection that wants events."""

    def loop() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=loop, name="libvirt events", daemon=True).start()
