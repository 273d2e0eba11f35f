# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook and the role, run by Ansible as a user runs them."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from bed import ansible_run, watched
from bed.guests import AcpiGuest
from bed.module import FAST, HYPERVISOR_PYTHON
from integration.conftest import Hypervisor


def begin(hypervisor: Hypervisor, *arguments: str, **variables: Any) -> ansible_run.Playing:
    """The playbook with the role's variables in an inventory whose one hypervisor is this machine."""
    given = {"uri": hypervisor.uri, "evidence_dir": str(hypervisor.bed.directory / "evidence"), **FAST, **variables}
    host = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
    group = {"hosts": {"here": host}, "vars": {f"domain_shutdown_{name}": value for name, value in given.items()}}
    return ansible_run.begin({"hypervisors": group}, "winguest.shutdown.shutdown", *arguments)


def play(hypervisor: Hypervisor, *arguments: str, **variables: Any) -> tuple[int, str]:
    """Run it to its end: its exit status, and what it printed."""
    run = begin(hypervisor, *arguments, **variables).end(timeout=120)
    return run.status, run.output


def test_a_run_a_second_run_and_check_mode(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("played"), AcpiGuest("too-long"))
    status, out = play(hypervisor, "--check", domains=["played", {"name": "too-long", "expected_time": 99}], budget=50)
    assert status == 0, out
    assert "planned" in out
    assert "plan: press the ACPI power button" in out
    assert "within a budget of 50 s; what does not fit: too-long: left_running" in out
    assert hypervisor.running("played")
    status, out = play(hypervisor, domains=["played"])
    assert status == 0, out
    assert "graceful" in out
    assert "changed=1" in out
    status, out = play(hypervisor, domains=["played"])
    assert status == 0, out
    assert "already_off" in out
    assert "changed=0" in out


def test_a_guest_that_does_not_go_fails_the_play_after_the_table(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("stays", "press=hang"), AcpiGuest("leaves"))
    status, out = play(hypervisor, domains=["stays", {"name": "leaves", "methods": ["acpi"]}])
    assert status == 2, out
    table = out.index("guest                outcome")
    assert table < out.index("1 of 2 domains did not shut down as asked")
    assert "left_running" in out[table:]


def test_bad_input_is_told_by_the_role(hypervisor: Hypervisor) -> None:
    status, out = play(hypervisor, domains=[])
    assert status == 2
    assert "domains is empty" in out
    status, out = play(hypervisor, domains=["x"], on_timeout="kill")
    assert status == 2
    assert "on_timeout" in out


def test_a_cancelled_job_forces_nothing(hypervisor: Hypervisor) -> None:
    """What AWX does to cancel a job: a signal to the whole process group."""
    hypervisor.start(AcpiGuest("job", "press=hang"))
    playing = begin(hypervisor, domains=["job"], on_timeout="force")
    hypervisor.bed.wait_for("job", "press 1")
    os.killpg(playing.process.pid, signal.SIGTERM)
    playing.end(timeout=60)
    time.sleep(12)
    assert hypervisor.running("job")
    assert watched.left_behind(hypervisor.domain("job").UUIDString()).outcome("job") == "left_running"
