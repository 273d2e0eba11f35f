# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hostile guest prints changes neither what is run next, nor the findings of another row, nor a terminal."""

from __future__ import annotations

from bed.ansible_run import play
from bed.guests import Bed
from bed.windows.guest import SimulatedWindows
from integration.guests import SHUT_DOWN


def test_check_mode_asks_nothing(shared_bed: Bed) -> None:
    with SimulatedWindows(shared_bed, "hostile-check") as windows:
        windows.start()
        hosts = {"guest": {**windows.variables, "ansible_password": windows.password}}
        run = play({"windows": {"hosts": hosts}}, [{SHUT_DOWN: {}}], "--check", "-vvvvv")
        assert run.result("guest", SHUT_DOWN)["outcome"] == "planned"
        assert windows.commands.invocations == []
        assert windows.password not in run.output and "\x1b" not in run.output
