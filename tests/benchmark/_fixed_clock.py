# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A shutdown by a fixed clock, in its kindest form: press every button once, wait, and cut the power of what is left.

    _fixed_clock.py URI SECONDS NAME ...

All guests have the same clock at once, from the last press on; it hears of each end at once, and ends with the last.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import libvirt

LOOK_MS = 50
"""How often the event loop comes back to look at the clock."""


def main(uri: str, seconds: float, names: list[str]) -> None:
    """Shut the guests of these names down."""
    running = set(names)

    def on_lifecycle(connection: libvirt.virConnect, domain: libvirt.virDomain, event: int, *_rest: Any) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            running.discard(domain.name())

    libvirt.virEventRegisterDefaultImpl()
    libvirt.virEventAddTimeout(LOOK_MS, lambda *dummy: None, None)
    connection = libvirt.open(uri)
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_lifecycle, None)
    domains = {name: connection.lookupByName(name) for name in names}
    for domain in domains.values():
        domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    deadline = time.monotonic() + seconds
    while running and time.monotonic() < deadline:
        libvirt.virEventRunDefaultImpl()
    left = [domains[name] for name in sorted(running)]
    if left:
        with ThreadPoolExecutor(len(left)) as pool:
            list(pool.map(destroy, left))


def destroy(domain: libvirt.virDomain) -> None:
    """Cut the power, unless the guest has gone off at the last moment."""
    try:
        domain.destroy()
    except libvirt.libvirtError:
        if domain.isActive():
            raise


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
