# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Over Ansible's ssh connection: audit, remediation and shutdown of a simulated Windows guest, without WinRM.

The connection is the real one, and what it starts in place of `ssh` hands the command to the cmd.exe of the guest's
Wine, as OpenSSH for Windows does with its default shell. A real server is not asked for: the package that has one
enables a service on the machine that it is installed on.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from bed.acpi_guest import DiskState
from bed.ansible_run import Tasks, play
from bed.guests import Bed
from bed.windows import keys
from bed.windows.blockers import OBEDIENT, for_every_user, merged
from bed.windows.guest import SimulatedWindows
from bed.windows.places import loaded
from bed.windows.situation import Situation
from bed.windows.systems import BJOERN
from bed.windows.typed import dword, string
from integration.guests import MEND, SHUT_DOWN, off

WRONG = merged(
    OBEDIENT,
    {keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": dword(0)}, keys.SHUTDOWN_POLICY: {}},
    for_every_user("AutoEndTasks", string("0")),
)
STAND_IN = """#!/bin/sh
# Ansible asks whether ssh knows this option, and it does.
[ "$*" != "-o ControlPersist" ] || exit 0
for command; do :; done
cd {folder} || exit 255
exec env --ignore-environment {variables} WINGUEST_COMMAND_LINE="cmd.exe /c $command" {program} </dev/null
"""


def stand_in(windows: SimulatedWindows, path: Path) -> Path:
    """A program that is called as ssh is, and runs the command in the guest."""
    command = windows.wine.command("")
    variables = {**command.environment}
    del variables["WINGUEST_COMMAND_LINE"]
    path.write_text(
        STAND_IN.format(
            folder=shlex.quote(str(command.folder)),
            variables=shlex.join(f"{name}={value}" for name, value in variables.items()),
            program=shlex.join(command.arguments),
        )
    )
    path.chmod(0o700)
    return path


def test_it_is_mended_and_shut_down(shared_bed: Bed, tmp_path: Path) -> None:
    with SimulatedWindows(shared_bed, "by-ssh", registry=WRONG, situation=Situation(takes=5)) as windows:
        domain = windows.start()
        before = loaded(windows)
        variables = {
            "ansible_connection": "ssh",
            "ansible_host": "guest.invalid",
            "ansible_shell_type": "cmd",
            "ansible_ssh_executable": str(stand_in(windows, tmp_path / "ssh")),
        }
        message = "Maintenance & updates"
        tasks: Tasks = [{MEND: {}}, {SHUT_DOWN: {"message": message, "force": True}}]
        run = play({"windows": {"hosts": {"guest": variables}}}, tasks)
        assert run.status == 0, run.output
        result = run.result("guest", MEND)
        mended = {finding["id"] for finding in result["findings"] if finding["state"] == "fixed"}
        assert mended == {"shutdown_without_logon", "auto_end_tasks", "hung_session_timeout", "hibernation"}
        assert result["changed"] and result["totals"]["unreadable"] == 0
        assert run.result("guest", SHUT_DOWN)["outcome"] == "accepted"
        assert off(windows, domain) is DiskState.CLEAN
        assert windows.read_profile(BJOERN, r"Control Panel\Desktop", "AutoEndTasks") == string("1")
        assert loaded(windows) == before
        assert windows.network.requests == []
        asked = [one.arguments for one in windows.commands.invocations if one.program == "shutdown"]
        assert asked == [("/s", "/f", "/t", "0", "/d", "p:0:0", "/c", message)]
