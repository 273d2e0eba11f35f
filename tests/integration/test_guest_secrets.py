# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Neither a password nor a message shows in what ansible-playbook prints, and no variable has to hold a password."""

from __future__ import annotations

import base64
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checkout
import pytest
import yaml
from bed.ansible_run import Inventory, Run, play
from bed.guests import Bed
from bed.windows import keys
from bed.windows.blockers import OBEDIENT
from bed.windows.commands import faults
from bed.windows.commands.types import Answer
from bed.windows.guest import SimulatedWindows
from bed.windows.systems import SERVER_2022
from bed.windows.typed import dword, read_dword
from integration.faults import fault
from integration.guests import AUDIT, MEND, SHUT_DOWN

pytestmark = [pytest.mark.xdist_group("secrets"), pytest.mark.timeout(300)]

PASSWORD = "Geheim-7391 & mehr"
WRONG_PASSWORD = "Falsch-4862 ^ mehr"
MESSAGE = "Botschaft-5527 an alle"
LOUD = "-vvvvv"
PATIENCE = 240.0


@pytest.fixture(scope="module")
def shared_guest(shared_bed: Bed) -> Iterator[SimulatedWindows]:
    """By Basic over HTTPS, which carries the password itself."""
    options: dict[str, Any] = {"tls": True, "allow_basic": True}
    with SimulatedWindows(
        shared_bed, "secrets", SERVER_2022, registry=OBEDIENT, password=PASSWORD, **options
    ) as windows:
        windows.start()
        yield windows


@pytest.fixture
def guest(shared_guest: SimulatedWindows) -> Iterator[SimulatedWindows]:
    """One thing is wrong in it, and it refuses to shut down, with the message among its words."""
    shared_guest.change({keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": dword(0)}})
    shared_guest.faults = [faults.answer("shutdown", Answer(errors=f"{MESSAGE}: no\n", status=4711))]
    yield shared_guest
    shared_guest.faults = []


def inventory(windows: SimulatedWindows, **variables: Any) -> Inventory:
    """The guest, without a password unless the variables have one."""
    return {"windows": {"hosts": {"guest": {**windows.variables, **variables}}}}


def ignored(action: str, **options: Any) -> dict[str, Any]:
    """A task whose failure is of no consequence."""
    return {action: options, "ignore_errors": True, "ignore_unreachable": True}


def assert_secret(run: Run) -> None:
    """Nothing secret is in what it printed, as it is or in the usual disguises."""
    for secret in (PASSWORD, WRONG_PASSWORD, MESSAGE):
        assert secret not in run.output
        assert secret.split()[0] not in run.output
        assert base64.b64encode(secret.encode()).decode() not in run.output
    for password in (PASSWORD, WRONG_PASSWORD):
        assert base64.b64encode(f"Administrator:{password}".encode()).decode() not in run.output


def mended(windows: SimulatedWindows) -> bool:
    """Whether what was wrong is so no more."""
    return (
        read_dword(windows.registry.snapshot(keys.SYSTEM_POLICIES), keys.SYSTEM_POLICIES, "ShutdownWithoutLogon") == 1
    )


def test_neither_shows_whether_tasks_end_well_or_not(guest: SimulatedWindows) -> None:
    tasks = [
        ignored(AUDIT),
        ignored(MEND),
        ignored(SHUT_DOWN, message=MESSAGE),
        ignored(SHUT_DOWN, message=MESSAGE, delay=5, force=True),
    ]
    run = play(inventory(guest, ansible_password=PASSWORD), tasks, LOUD, "--diff")
    assert [task.state for task in run.tasks] == ["ok", "ok", "ignored", "ignored"], run.output
    assert "4711" in run.output and mended(guest)
    assert_secret(run)


def test_neither_shows_when_options_are_wrong(guest: SimulatedWindows) -> None:
    tasks = [
        ignored(AUDIT, baseline="nist"),
        ignored(MEND, waive=["nothing"]),
        ignored(SHUT_DOWN, message=f'{MESSAGE} "quoted"'),
        ignored(SHUT_DOWN, message=MESSAGE * 100),
        ignored(SHUT_DOWN, message=MESSAGE, delay=-1),
        ignored(SHUT_DOWN, message=MESSAGE, delay=5),
        ignored(SHUT_DOWN, message=MESSAGE, delay="soon"),
        ignored(SHUT_DOWN, message=MESSAGE, timeout=0),
        ignored(SHUT_DOWN, message=MESSAGE, colour="red"),
        ignored(SHUT_DOWN, message=[MESSAGE, {"text": MESSAGE}]),
        ignored(SHUT_DOWN, message={"text": MESSAGE}),
        {**ignored(SHUT_DOWN, message=MESSAGE), "become": True, "become_method": "ansible.builtin.runas"},
    ]
    run = play(inventory(guest, ansible_password=PASSWORD), tasks, LOUD)
    assert len(run.tasks) == len(tasks) and "ok" not in {task.state for task in run.tasks}, run.output
    assert_secret(run)


@fault("credentials_wrong")
def test_neither_shows_when_the_password_is_wrong(guest: SimulatedWindows) -> None:
    tasks = [ignored(AUDIT), ignored(MEND), ignored(SHUT_DOWN, message=MESSAGE)]
    run = play(inventory(guest, ansible_password=WRONG_PASSWORD), tasks, LOUD)
    assert {task.state for task in run.tasks} <= {"unreachable", "ignored"} and len(run.tasks) == len(tasks), run.output
    assert "credentials were rejected" in run.output
    assert_secret(run)


def test_the_role_runs_with_a_password_from_a_file(guest: SimulatedWindows, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    run = play(inventory(guest), "winguest.shutdown.remediate", LOUD, "--connection-password-file", str(file))
    assert run.status == 0 and mended(guest), run.output
    assert_secret(run)


def test_the_role_runs_with_a_password_that_is_asked_for(guest: SimulatedWindows, tmp_path: Path) -> None:
    status, output = typed(PASSWORD, inventory(guest), "winguest.shutdown.remediate", tmp_path)
    assert status == 0 and mended(guest), output
    assert_secret(Run(status, output, []))


def typed(password: str, inventory: Inventory, playbook: str, folder: Path) -> tuple[int, str]:
    """Run a playbook on a terminal with --ask-pass, and type the password: the status, and what it has printed."""
    file = folder / "inventory.yml"
    file.write_text(yaml.safe_dump(dict(inventory)), encoding="utf-8")
    assert "assword" not in file.read_text(encoding="utf-8")
    terminal, other_end = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ansible", "playbook", "-i", str(file), playbook, "--ask-pass", LOUD],
        env=checkout.ansible_environment(),
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
    )
    os.close(other_end)
    output, asked, deadline = b"", False, time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                read = os.read(terminal, 65536)
            except OSError:  # nobody has the other end any more
                break
            output += read
            if not asked and b"SSH password:" in output:
                # Not before: what is typed before a password is asked for is thrown away.
                os.write(terminal, f"{password}\n".encode())
                asked = True
        status = process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert asked, output
    return status, output.decode(errors="replace")
