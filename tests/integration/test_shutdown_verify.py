# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated Windows guest is shut down and started, and its own logs and its domain's record tell the truth of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._acts import read_record
from bed.ansible_run import Run, play
from bed.guests import Bed
from bed.module import FAST, HYPERVISOR_PYTHON, call
from bed.windows.blockers import AT_THE_SCREEN, BLOCKERS, HUNG_SERVICE
from bed.windows.guest import SimulatedWindows
from bed.windows.situation import Application, Situation
from bed.windows.systems import SERVER_2022
from integration.faults import fault

pytestmark = pytest.mark.xdist_group("shutdown_verify")

HOSTILE = "{{ 7 * 7 }}\x1b[2J</Data><Event>.exe"
AS_TOLD = HOSTILE.replace("\x1b", "\ufffd")
BUSY = replace(AT_THE_SCREEN, applications=(Application(HOSTILE, "veto"),))
NOWHERE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_timeout": 3}
SHORT = {**FAST, "timeout": 3, "max_timeout": 3, "accept_timeout": 2, "baseline_time": 0}


class Pair:
    """A guest of another language than English, and its hypervisor."""

    def __init__(self, windows: SimulatedWindows, folder: Path) -> None:
        self.windows = windows
        self.evidence = str(folder / "evidence")
        self.domain = windows.start()

    def shut_down(self, **options: Any) -> dict[str, Any]:
        """Shut it down through libvirt: the module's result for it."""
        uri = self.windows.bed.daemon.uri
        return call(uri, domains=[self.windows.name], evidence_dir=self.evidence, **{**SHORT, **options})[
            self.windows.name
        ]

    def start(self) -> None:
        """The next boot."""
        self.domain = self.windows.start()

    def verify(
        self, hypervisor: dict[str, Any] | None = None, inventory_name: str = "", **variables: Any
    ) -> tuple[dict[str, Any], Run]:
        """Run the playbook: the role's result, and the run.

        inventory_name: the guest has another name in the inventory, and the inventory plugin's variables.
        """
        uri = self.windows.bed.daemon.uri
        known = {"winguest_hypervisor": "here", "winguest_uri": uri, "winguest_domain": self.windows.name}
        given = {"evidence_dir": self.evidence, **variables}
        if not inventory_name:
            given, known = {"hypervisor": "here", "uri": uri, **given}, {}
        guest = {
            **known,
            **self.windows.variables,
            "ansible_password": self.windows.password,
            **{f"shutdown_verify_{option}": value for option, value in given.items()},
        }
        here = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON, **(hypervisor or {})}
        groups = {
            "windows": {"hosts": {inventory_name or self.windows.name: guest}},
            "hypervisors": {"hosts": {"here": here}},
        }
        run = play(groups, "winguest.shutdown.verify")
        kept = [task for task in run.tasks if task.task == "Keep the result"]
        assert len(kept) == 1, run.output
        return kept[0].result["ansible_facts"]["shutdown_verify_result"], run


@pytest.fixture
def pair(shared_bed: Bed, tmp_path: Path) -> Iterator[Pair]:
    """A guest with a service that does not stop in its time, and applications that may veto."""
    name = f"verified-{uuid.uuid4().hex[:8]}"
    with SimulatedWindows(
        shared_bed,
        name,
        SERVER_2022,
        language="de-DE",
        registry=BLOCKERS["applications"].registry,
        situation=Situation(services=(HUNG_SERVICE,), takes=10),
    ) as windows:
        pair = Pair(windows, tmp_path)
        yield pair
    if pair.domain.isActive():
        pair.domain.destroy()
    pair.domain.undefine()


def test_a_soft_stop_then_a_veto_and_a_plug_that_was_pulled(pair: Pair) -> None:
    assert pair.shut_down(timeout=30, max_timeout=30)["outcome"] == "graceful"
    pair.start()
    pair.windows.sign_in(BUSY)
    left = pair.shut_down()
    assert left["outcome"] == "left_running", left

    waiting, run = pair.verify()
    assert run.status == 0, run.output
    assert waiting["verdict"] == "clean", run.output
    stop = waiting["last_stop"]
    assert stop["asked_by"]["program"].endswith("winlogon.exe")
    assert stop["reason"] == "system, unplanned"
    assert stop["late_services"] == ["HungService"]
    assert stop["vetoed_by"] == []
    assert any("a shutdown has not come to its end" in sentence for sentence in waiting["blocking"])
    assert any(f"{AS_TOLD} vetoed a shutdown" in sentence for sentence in waiting["blocking"])
    assert waiting["request"]["outstanding"]
    assert waiting["cleared_request"] is None
    assert "{{ 7 * 7 }}" in run.output, "what a guest says is no template"
    request = read_record(pair.domain).request
    assert request is not None and request.outstanding

    pair.domain.destroy()
    pair.start()
    after, run = pair.verify()
    assert run.status == 0, run.output
    assert after["verdict"] == "unclean", run.output
    assert after["last_stop"]["vetoed_by"] == [AS_TOLD]
    assert after["last_stop"]["stop"] is None
    assert any("Kernel-Power 41" in reason for reason in after["reasons"])
    assert after["cleared_request"] == request.at
    record = read_record(pair.domain)
    assert record.request is None
    assert len(record.history) == 1, "how long the shutdown that went well took stays on record"


def test_a_guest_that_was_forced_is_named_with_its_evidence(pair: Pair) -> None:
    pair.windows.sign_in(BUSY)
    forced = pair.shut_down(on_timeout="force")
    assert forced["outcome"] == "forced", forced
    pair.start()
    result, run = pair.verify(inventory_name="other", fail_unclean=True)
    assert run.status == 2, run.output
    assert "forced: the hypervisor has on record that it powered the guest off by force" in run.output
    assert result["verdict"] == "forced"
    assert forced["evidence"]
    assert [path for entry in result["evidence"] for path in entry["files"]] == forced["evidence"]
    assert all(path in run.output for path in forced["evidence"])
    assert result["last_stop"]["clean"] is False
    assert result["cleared_request"] is None, "what was settled already stays on record"


@fault("winrm_down")
def test_neither_side_can_be_reached(pair: Pair) -> None:
    assert pair.shut_down(timeout=30, max_timeout=30)["outcome"] == "graceful"
    result, run = pair.verify(hypervisor=NOWHERE)
    assert run.status == 0, run.output
    assert result["verdict"] == "unknown", run.output
    assert result["last_stop"] is None
    assert any(reason.startswith("the guest could not be asked: ") for reason in result["reasons"])
    assert any(reason.startswith("the hypervisor could not be asked: ") for reason in result["reasons"])
