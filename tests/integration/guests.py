# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the guest_* modules on simulated Windows guests share."""

from __future__ import annotations

import time
from collections.abc import Callable

import libvirt
from bed.acpi_guest import DiskState, disk_state
from bed.windows.guest import SimulatedWindows
from bed.windows.model import Decision

AUDIT, MEND, SHUT_DOWN, HISTORY = (
    f"winguest.shutdown.{name}"
    for name in ("guest_readiness_info", "guest_readiness", "guest_shutdown", "guest_shutdown_info")
)
PATIENCE = 60.0


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it holds in time."""
    deadline = time.monotonic() + PATIENCE
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def press(windows: SimulatedWindows, domain: libvirt.virDomain) -> Decision:
    """Press the power button; what becomes of it."""
    count = len(windows.decisions)
    domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    windows.control.wait_until(lambda: len(windows.decisions) > count, PATIENCE)
    return windows.decisions[-1]


def off(windows: SimulatedWindows, domain: libvirt.virDomain) -> DiskState:
    """Wait until it is off; what it has left on its disk."""
    assert eventually(lambda: not domain.isActive()), windows.bed.com1(windows.name)
    return disk_state(windows.bed.disk(windows.name))
