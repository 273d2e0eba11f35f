# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX starts them, from the job templates of extensions/awx, on real guests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bed import watched
from bed.awx_job import Job
from bed.guests import AcpiGuest, Bed
from bed.module import FAST, HYPERVISOR_PYTHON
from bed.windows.blockers import BLOCKERS
from bed.windows.guest import SimulatedWindows
from integration.conftest import Hypervisor

pytestmark = [pytest.mark.xdist_group("awx"), pytest.mark.timeout(300)]

PASSWORD = "Nur-gefragt-5518 & mehr"
CONTROLLER_TIMEOUT = 4
CLOCKS = {**FAST, "accept_timeout": 6, "max_timeout": 40, "controller_timeout": CONTROLLER_TIMEOUT}
NO_WINRM = {"ansible_connection": "winrm", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.fixture(scope="module")
def windows(shared_bed: Bed) -> Iterator[SimulatedWindows]:
    """A guest whose power button means nothing, so that Windows itself has to be asked, with the password."""
    registry = BLOCKERS["power_button"].registry
    with SimulatedWindows(shared_bed, "awx-windows", registry=registry, password=PASSWORD) as windows:
        yield windows


def inventory(bed: Bed, guests: dict[str, dict[str, Any]], **clocks: Any) -> dict[str, Any]:
    """As AWX writes it: without user and password, which are the machine credential's."""
    given = {"uri": bed.daemon.uri, "evidence_dir": str(bed.directory / "evidence"), **CLOCKS, **clocks}
    here = {
        "ansible_connection": "local",
        "ansible_python_interpreter": HYPERVISOR_PYTHON,
        "domain_readiness_uri": bed.daemon.uri,
        **{f"domain_shutdown_{name}": value for name, value in given.items()},
    }
    return {
        "hypervisors": {"hosts": ["here"]},
        "windows": {"hosts": list(guests)},
        "_meta": {"hostvars": {"here": here, **guests}},
    }


def without_credentials(windows: SimulatedWindows) -> dict[str, Any]:
    """The variables of its host, but for the user."""
    return {name: value for name, value in windows.variables.items() if name != "ansible_user"}


def test_a_job_whose_password_is_only_asked_for(
    windows: SimulatedWindows, hypervisor: Hypervisor, tmp_path: Path
) -> None:
    """One guest that obeys only Windows' own command, one that has to be forced and one that may not be."""
    hypervisor.start(AcpiGuest("awx-forced", "press=hang"), AcpiGuest("awx-left", "press=hang"))
    domain = windows.start()
    guests = {
        "awx-windows": without_credentials(windows),
        "awx-forced": {**NO_WINRM, "winguest_shutdown": {"on_timeout": "force"}},
        "awx-left": NO_WINRM,
    }
    answers = {"domain_shutdown_on_timeout": "leave", "domain_shutdown_timeout": 12}
    job = Job(tmp_path, "winguest shutdown", inventory(windows.bed, guests), PASSWORD, **answers)
    with job:
        job.end()
    assert (job.status, job.rc) == ("failed", 2), job.output
    assert not domain.isActive() and not hypervisor.running("awx-forced") and hypervisor.running("awx-left")

    totals = job.artifact_data()["winguest_shutdown"]
    assert totals["outcomes"] == {"forced": 1, "graceful": 1, "left_running": 1}, totals
    assert totals["forced"] == [{"hypervisor": "here", "name": "awx-forced"}]
    assert totals["left_running"] == [{"hypervisor": "here", "name": "awx-left"}]
    assert [guest["name"] for guest in totals["unreachable_guests"]] == ["awx-forced", "awx-left"]
    assert (totals["guests"], totals["look_after"], totals["hypervisors_in_trouble"]) == (3, 2, [])

    failed = [event["event_data"] for event in job.events("runner_on_failed")]
    assert {event["host"] for event in failed if not event["ignore_errors"]} == {"here"}
    (stats,) = job.events("playbook_on_stats")
    assert stats["event_data"]["failures"].keys() == {"here"} and not stats["event_data"]["dark"]
    (shutdown,) = [
        event["event_data"]["res"]
        for event in job.events("runner_on_ok")
        if event["event_data"]["resolved_action"] == watched.ACTION
    ]
    (asked,) = [domain for domain in shutdown["domains"] if domain["name"] == "awx-windows"]
    assert (asked["outcome"], asked["method"]) == ("graceful", "guest_shutdown"), asked["timeline"]
    assert "here: 2 of 3 off (1 forced), 1 left running" in job.output
    for secret in (PASSWORD, PASSWORD.split()[0]):
        assert not job.files_with(secret)


def test_a_cancelled_job_forces_nothing(hypervisor: Hypervisor, tmp_path: Path) -> None:
    hypervisor.start(AcpiGuest("awx-cancelled", "press=hang"))
    entry = {"name": "awx-cancelled", "methods": ["acpi"]}
    hosts = inventory(hypervisor.bed, {}, domains=[entry], timeout=15, max_timeout=15)
    job = Job(tmp_path, "winguest shutdown", hosts, PASSWORD, domain_shutdown_on_timeout="force")
    with job:
        hypervisor.bed.wait_for("awx-cancelled", "press 1", timeout=120)
        job.cancel()
        job.end()
    assert job.status == "canceled", job.output
    assert not job.events("playbook_on_stats")
    result = watched.left_behind(hypervisor.domain("awx-cancelled").UUIDString())["awx-cancelled"]
    assert (result["outcome"], result["forced"]) == ("left_running", False)
    assert result["reason"].startswith("the controller disappeared"), result["reason"]
    assert hypervisor.running("awx-cancelled")


def test_a_dry_run_touches_nothing(hypervisor: Hypervisor, tmp_path: Path) -> None:
    hypervisor.start(AcpiGuest("awx-dry"))
    hosts = inventory(hypervisor.bed, {}, domains=["awx-dry"])
    job = Job(tmp_path, "winguest shutdown (dry run)", hosts, PASSWORD, domain_shutdown_on_timeout="force")
    with job:
        job.end()
    assert (job.status, job.rc) == ("successful", 0), job.output
    assert job.artifact_data()["winguest_shutdown"]["outcomes"] == {"planned": 1}
    assert hypervisor.running("awx-dry") and "press" not in hypervisor.bed.com1("awx-dry")
