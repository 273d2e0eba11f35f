# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole playbook over a fleet of real guests: every guest ends as it has to, whatever happens to the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bed.acpi_guest import DiskState, disk_state
from bed.ansible_run import Run
from bed.browser import Browser
from bed.fleet import MODULE, Fleet

pytestmark = [pytest.mark.xdist_group("fleet"), pytest.mark.timeout(900)]


class Played:
    """The run, and what can be seen of it afterwards."""

    def __init__(self, fleet: Fleet, run: Run, report: Path) -> None:
        self.fleet, self.run, self.report = fleet, run, report

    def domains(self, hypervisor: str) -> dict[str, dict[str, Any]]:
        """What the module said of each domain."""
        return {domain["name"]: domain for domain in self.run.result(hypervisor, MODULE)["domains"]}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("report")
    with Fleet() as fleet:
        run = fleet.run(shutdown_remediate="yes", shutdown_report_folder=str(folder))
        yield Played(fleet, run, folder / "shutdown-report.json")


def test_every_domain_ends_as_it_has_to(played: Played) -> None:
    for hypervisor, expected in played.fleet.expected().items():
        found = {name: domain["outcome"] for name, domain in played.domains(hypervisor).items()}
        assert found == expected, played.run.output


def test_what_failed_is_told_and_the_status_says_so(played: Played) -> None:
    assert played.run.status == 2
    failed = {task.host for task in played.run.tasks if (task.state, task.task) == ("failed", "Fail")}
    assert failed == {"hv2", "hv3", "hv4"}, played.run.output


def test_libvirt_and_the_disks_say_the_same(played: Played) -> None:
    """Not only what the playbook says: the domains are off, and what they wrote is whole."""
    for hypervisor in ("hv1", "hv2"):
        bed = played.fleet.hypervisors[hypervisor]
        for name, outcome in played.fleet.expected()[hypervisor].items():
            active = bed.connection.lookupByName(name).isActive()
            assert bool(active) is (outcome in ("left_running", "refused")), name
            if outcome == "graceful":
                assert disk_state(bed.disk(name)) is DiskState.CLEAN, name


def test_tiers_come_one_after_the_other(played: Played) -> None:
    def asked_and_ended(domain: dict[str, Any]) -> tuple[float, float]:
        asked = [entry["seconds"] for entry in domain["timeline"] if entry["kind"] == "asked"]
        return asked[0], domain["timeline"][-1]["seconds"]

    found = played.domains("hv2")
    first = [asked_and_ended(found[name])[1] for name in ("app-1", "app-2", "app-3")]
    second = [asked_and_ended(found[name])[0] for name in ("db-1", "db-hangs")]
    assert max(first) <= min(second)
    assert "tier 1 was held up" in found["never-asked"]["reason"]


def test_a_guest_without_winrm_is_a_result_and_is_shut_down(played: Played) -> None:
    readiness = played.run.task("win-no-winrm", "winguest.shutdown.guest_readiness")
    assert readiness.state in ("unreachable", "ignored")
    assert played.domains("hv1")["no-winrm"]["method"] == "acpi"


def test_a_failed_remediation_is_a_result_and_the_guest_is_asked_itself(played: Played) -> None:
    """Its button means nothing still, so that it is Windows that is asked in the end."""
    readiness = played.run.result("win-power-button", "winguest.shutdown.guest_readiness")
    assert "no_such_row" in readiness["msg"]
    assert played.domains("hv1")["power-button"]["method"] == "guest_shutdown"


def test_a_hypervisor_killed_in_the_middle_is_told_with_what_is_not_known(played: Played) -> None:
    for domain in played.domains("hv3").values():
        assert domain["request_outstanding"] and "libvirt stayed away" in domain["reason"]
        assert not domain["forced"]


def test_the_report_has_everybody(played: Played) -> None:
    document = json.loads(played.report.read_text())
    told = {(guest["hypervisor"], guest["domain"]): guest["outcome"] for guest in document["guests"]}
    expected = {(hv, name): outcome for hv, names in played.fleet.expected().items() for name, outcome in names.items()}
    assert told == {**expected, ("hv4", "win-elsewhere"): "unknown"}
    assert [one["name"] for one in document["totals"]["forced"]] == ["win-damage"]
    assert document["totals"]["hypervisors_in_trouble"] == ["hv4"]


def test_the_report_in_a_browser(played: Played) -> None:
    """A row for each, the screenshot of the one that was forced, and nothing that the browser complains about."""
    with Browser() as browser:
        browser.open(played.report.with_suffix(".html"))
        for name in ("win-damage", "db-hangs", "doomed-1", "win-elsewhere"):
            assert any(name in row for row in browser.texts(".guest")), name
        browser.click("[aria-label='Details of hv1 / win-damage']")
        browser.wait(
            lambda: browser.run("return document.images.length && [...document.images].every((i) => i.complete)")
        )
        assert all(width > 0 for width in browser.run("return [...document.images].map((i) => i.naturalWidth)"))
        assert browser.complaints() == []


def test_what_was_mended_is_told(played: Played) -> None:
    """Each simulated Windows guest that could be reached had its blocker, and each tells what became of it."""
    document = json.loads(played.report.read_text())
    mended = {
        guest["domain"]: {finding["id"] for finding in guest["findings"] if finding["group"] == "mended"}
        for guest in document["guests"]
    }
    assert "shutdown_without_logon" in mended["logon"]
    assert "auto_end_tasks" in mended["applications"]
    left = {
        finding["id"] for guest in document["guests"] for finding in guest["findings"] if finding["group"] == "left"
    }
    assert left == {"threat_not_removed", "volume_damaged", "cbs_reboot_pending"}
