# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guest whose clock jumps: while it is mended, while it shuts down, and between two boots."""

from __future__ import annotations

import threading

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._shutdown_verdict import verdict
from bed.acpi_guest import DiskState
from bed.guest_action import act
from bed.guests import Bed
from bed.windows.blockers import OBEDIENT
from bed.windows.commands import Answer, Invocation
from bed.windows.commands.types import Windows
from bed.windows.guest import SimulatedWindows
from bed.windows.places import put
from integration.faults import fault
from integration.guests import HISTORY, MEND, SHUT_DOWN, off

HOUR = 3600.0
(LOGON,) = [row for row in ROWS if row.id == "shutdown_without_logon"]


class Jumping:
    """A fault: from each program to the next the clock goes a day ahead, or two back."""

    def __init__(self, windows: SimulatedWindows) -> None:
        self.windows = windows
        self.jumps = 0

    def __call__(self, dummy: Invocation, dummy_windows: Windows, dummy_ends: threading.Event) -> Answer | None:
        self.jumps += 1
        self.windows.control.clock += 24 * HOUR if self.jumps % 3 else -48 * HOUR
        return None


@fault("guest_clock_jumps")
def test_a_guest_whose_clock_jumps_is_mended_and_its_stops_are_told_as_they_were(shared_bed: Bed) -> None:
    with SimulatedWindows(shared_bed, "jumping", registry=OBEDIENT) as windows:
        domain = windows.start()
        put(windows, LOGON, 0)
        jumping = Jumping(windows)
        windows.faults = [jumping]
        assert act(windows, MEND, catalogue=[LOGON])["totals"]["fixed"] == 1
        assert jumping.jumps > 5
        windows.faults = []

        # Three hours behind when it stops, and right at the next boot; then ahead, and its plug is pulled.
        windows.control.clock = -3 * HOUR
        assert act(windows, SHUT_DOWN)["outcome"] == "accepted"
        assert off(windows, domain) is DiskState.CLEAN
        windows.control.clock = 0.0
        windows.start()
        told = act(windows, HISTORY)
        assert verdict(told)["verdict"] == "clean", told
        assert told["stops"][0]["asked_by"]["program"].endswith("shutdown.exe"), told

        windows.control.clock = 5 * HOUR
        domain.destroy()
        windows.start()
        told = act(windows, HISTORY)
        assert verdict(told)["verdict"] == "unclean", told
        assert [stop["clean"] for stop in told["stops"]] == [False, True]
        domain.destroy()
        domain.undefine()
