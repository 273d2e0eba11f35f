# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The least with which a libvirt client shuts guests down: press every button once, wait for the last end, exit.

    _bare_client.py URI NAME ...

It looks at nothing beforehand, keeps no record and would wait for ever. It prints, as JSON, when it got how far.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import libvirt


def main(uri: str, names: list[str]) -> None:
    """Shut the guests of these names down."""
    running = set(names)

    def on_lifecycle(connection: libvirt.virConnect, domain: libvirt.virDomain, event: int, *_rest: Any) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            running.discard(domain.name())

    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(uri)
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_lifecycle, None)
    reached = {"connected": time.time()}
    domains = [connection.lookupByName(name) for name in names]
    reached["looked"] = reached["pressed"] = time.time()
    for domain in domains:
        domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    while running:
        libvirt.virEventRunDefaultImpl()
    reached["off"] = time.time()
    print(json.dumps(reached))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
