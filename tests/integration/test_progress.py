# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user sees of domain_shutdown while it runs, and that nothing else is changed by that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from bed import watched
from bed.guests import AcpiGuest
from integration.conftest import Hypervisor

KEYS = {"changed", "domains", "totals", "invocation"}


def shown(output: str) -> list[str]:
    """The lines of progress."""
    return [line.removeprefix("hv1: ") for line in output.splitlines() if line.startswith("hv1: ")]


def test_lines_tell_how_far_it_is_and_the_result_is_the_modules(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("goes"), AcpiGuest("hangs", "press=hang"), AcpiGuest("ends", "press=hang"))
    options: dict[str, Any] = {"timeout": 6, "accept_timeout": 3}
    run = watched.play(hypervisor.bed, "goes", "hangs", {"name": "ends", "on_timeout": "force"}, **options)
    assert run.status == 2, run.output
    task = run.task("hv1", watched.ACTION)
    assert task.state == "failed"
    assert [domain["outcome"] for domain in task.result["domains"]] == ["graceful", "left_running", "forced"]
    assert task.result["totals"] == {"domains": 3, "forced": 1, "graceful": 1, "left_running": 1}
    assert task.result["msg"].startswith("1 of 3 domains did not shut down as asked. hangs: left_running: finish clock")
    assert task.result.keys() >= KEYS
    assert not {"ansible_job_id", "started", "finished", "results_file", "ansible_async_watchdog"} & task.result.keys()
    lines = shown(run.output)
    assert 2 <= len(lines) <= 8, lines
    waiting = r"1 of 3 off, 2 waiting; slowest (hangs|ends): not accepted, \d+ s, at most \d+ s more"
    assert any(re.fullmatch(waiting, line) for line in lines), lines
    assert lines[-1] == "2 of 3 off (1 forced), 1 left running"
    timeline = [entry["text"] for entry in task.result["domains"][2]["timeline"]]
    assert "before the destroy, a new sign of life of the controller is waited for" in timeline


def test_verbosity_tells_all_that_happens(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("in-words"))
    lines = shown(watched.play(hypervisor.bed, "in-words", arguments=("-vv",)).output)
    assert any(line.startswith("in-words: asked: press the ACPI power button") for line in lines), lines
    assert "in-words: ended: graceful: the guest shut down and powered off" in lines
    assert lines[-1] == "1 of 1 off"


@pytest.mark.parametrize("pipelining", [True, False])
def test_over_ssh_with_become(hypervisor: Hypervisor, tmp_path: Path, pipelining: bool) -> None:
    name = f"ssh-{pipelining}".lower()
    hypervisor.start(AcpiGuest(name))
    variables = {**watched.over_ssh(tmp_path)[0], "ansible_pipelining": pipelining}
    keywords = {"become": True, "become_method": "su", "vars": {"ansible_become_allow_same_user": True}}
    run = watched.play(hypervisor.bed, name, variables=variables, keywords=keywords)
    assert run.status == 0, run.output
    assert run.result("hv1", watched.ACTION)["domains"][0]["outcome"] == "graceful"
    assert shown(run.output)[-1] == "1 of 1 off"


def test_with_async_nobody_watches(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("by-itself"))
    run = watched.play(hypervisor.bed, "by-itself", keywords={"async": 60, "poll": 1})
    assert run.status == 0, run.output
    result = run.result("hv1", watched.ACTION)
    assert result["domains"][0]["outcome"] == "graceful" and result["ansible_job_id"]
    assert shown(run.output) == []


def test_a_module_that_is_killed_is_a_failure_that_says_so(hypervisor: Hypervisor, tmp_path: Path) -> None:
    hypervisor.start(AcpiGuest("killed", "press=hang"))
    # What Ansible has unpacked for the module stays when it is killed.
    playing = watched.begin(hypervisor.bed, "killed", keywords={"environment": {"TMPDIR": str(tmp_path)}})
    hypervisor.bed.wait_for("killed", "press 1")
    refused = hypervisor.shut_down("killed")
    found = re.search(r"another run \(process (\d+), since \S+Z\)", refused["killed"]["reason"])
    assert refused.outcome("killed") == "refused" and found, refused.returned
    watched.kill(int(found.group(1)))
    run = playing.end(timeout=30)
    assert run.status == 2
    assert "the run on the hypervisor was killed by signal 9" in str(run.result("hv1", watched.ACTION))
    assert hypervisor.shut_down("killed", timeout=1, accept_timeout=1).outcome("killed") == "left_running"


def test_the_run_ends_for_the_user_though_the_hypervisor_forgot_it(hypervisor: Hypervisor) -> None:
    """As after a restart of the host."""
    hypervisor.start(AcpiGuest("forgot", "press=hang"))
    playing = watched.begin(hypervisor.bed, "forgot", controller_timeout=4)
    hypervisor.bed.wait_for("forgot", "press 1")
    watched.forget("forgot")
    run = playing.end(timeout=30)
    assert run.status == 2 and "has left no result" in str(run.result("hv1", watched.ACTION))
