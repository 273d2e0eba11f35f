# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Windows itself is asked, over its own connection, in the course of a run of domain_shutdown on its hypervisor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bed.acpi_guest import DiskState, disk_state
from bed.ansible_run import Run, play
from bed.guests import Bed
from bed.module import FAST, HYPERVISOR_PYTHON
from bed.windows.blockers import BLOCKERS
from bed.windows.guest import SimulatedWindows
from integration.faults import fault

pytestmark = [pytest.mark.xdist_group("guest_rung"), pytest.mark.timeout(300)]

MODULE = "winguest.shutdown.domain_shutdown"
CLOCKS = {**FAST, "press_interval": 1, "accept_timeout": 6, "timeout": 40, "max_timeout": 40, "stall_timeout": 2}


@pytest.fixture(scope="module")
def windows(shared_bed: Bed) -> Iterator[SimulatedWindows]:
    """A guest whose power button means nothing."""
    with SimulatedWindows(shared_bed, "deaf-button", registry=BLOCKERS["power_button"].registry) as windows:
        yield windows


@pytest.fixture
def started(windows: SimulatedWindows) -> Iterator[SimulatedWindows]:
    """It runs, and nothing that a test has started runs on."""
    windows.network.misbehave(None)
    domain = windows.start()
    yield windows
    if domain.isActive():
        domain.destroy()


def shut_down(windows: SimulatedWindows, *arguments: str, guest: dict[str, Any] | None = None, **options: Any) -> Run:
    """The playbook, with the guest and its hypervisor in one inventory."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
    evidence = str(windows.bed.directory / "evidence")
    given = {"uri": windows.bed.daemon.uri, "evidence_dir": evidence, **CLOCKS, **options}
    host = {
        **windows.variables,
        "ansible_password": windows.password,
        "winguest_domain": windows.name,
        **(guest or {}),
    }
    inventory = {
        "hypervisors": {"hosts": {"here": here}, "vars": {f"domain_shutdown_{k}": v for k, v in given.items()}},
        "windows": {"hosts": {"guest": host}},
    }
    return play(inventory, "winguest.shutdown.shutdown", *arguments)


def about(run: Run) -> dict[str, Any]:
    """What the module said of the domain."""
    assert "domains" in run.result("here", MODULE), run.output
    domain: dict[str, Any] = run.result("here", MODULE)["domains"][0]
    return domain


def test_what_does_not_hear_the_button_is_asked_over_its_own_connection(started: SimulatedWindows) -> None:
    run = shut_down(started, "--tags", "shutdown")
    domain = about(run)
    assert (domain["outcome"], domain["method"]) == ("graceful", "guest_shutdown"), run.output
    asked = [entry["text"] for entry in domain["timeline"] if entry["kind"] == "asked"]
    assert asked[0] == "press the ACPI power button" and "over the guest's own connection" in asked[-1]
    assert disk_state(started.bed.disk(started.name)) is DiskState.CLEAN
    assert run.status == 0


def test_the_hints_of_its_readiness_leave_the_button_out(started: SimulatedWindows) -> None:
    run = shut_down(started, "--tags", "guest_readiness,shutdown")
    domain = about(run)
    assert (domain["outcome"], domain["method"], domain["presses"]) == ("graceful", "guest_shutdown", 0), run.output


@fault("winrm_down")
def test_a_guest_that_cannot_be_reached_is_a_line_on_the_timeline(started: SimulatedWindows) -> None:
    nobody = {"ansible_port": 1, "ansible_winrm_port": 1}
    run = shut_down(started, "--tags", "shutdown", guest=nobody, timeout=14, max_timeout=14)
    domain = about(run)
    assert domain["outcome"] == "left_running", run.output
    assert any("guest_shutdown: not_delivered: the guest cannot be reached" in e["text"] for e in domain["timeline"]), (
        domain["timeline"]
    )


def test_a_host_that_the_inventory_does_not_have(started: SimulatedWindows) -> None:
    entry = {"name": started.name, "guest": "nobody-of-that-name"}
    run = shut_down(started, "--tags", "shutdown", domains=[entry], timeout=14, max_timeout=14)
    assert any("the inventory has no host nobody-of-that-name" in e["text"] for e in about(run)["timeline"]), run.output


def test_the_plan_says_so(started: SimulatedWindows) -> None:
    run = shut_down(started, "--tags", "shutdown", "--check")
    assert any("ask Windows on guest by shutdown.exe" in step for step in about(run)["plan"])
