# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dead man's switch: when the controller is gone, nothing is asked or forced any more, and the end is recorded."""

from __future__ import annotations

import random
import signal
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._acts import read_record
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Request
from bed import watched
from bed.guests import AcpiGuest
from integration.conftest import Hypervisor
from integration.faults import fault

MOMENTS = 20
LIMIT = 4
"""Seconds of controller_timeout here, the shortest there is."""

ABOUT_TO_FORCE: dict[str, Any] = {
    "timeout": 5,
    "max_timeout": 5,
    "accept_timeout": 5,
    "on_timeout": "force",
    "controller_timeout": LIMIT,
}
GONE = f"the controller disappeared: no sign of life for {LIMIT} s (controller_timeout)"


def request(domain: libvirt.virDomain) -> Request | None:
    return read_record(domain).request


def presses(hypervisor: Hypervisor, name: str) -> int:
    return hypervisor.bed.com1(name).count("press ")


def wait_for_first_press(hypervisor: Hypervisor, name: str) -> None:
    hypervisor.bed.wait_for(name, "press 1", timeout=60)


def kill_its_controller(hypervisor: Hypervisor, name: str, moment: float) -> bool:
    """Kill the controller of a run so many seconds after the first request; whether the guest has outlived it.

    A guest that is on when the controller has been dead for three seconds (libvirt may take that long to end a QEMU)
    must stay on, and when the run must know it must never ask again.
    """
    playing = watched.begin(hypervisor.bed, name, **ABOUT_TO_FORCE)
    hypervisor.bed.wait_for(name, "press 1", timeout=120)
    time.sleep(moment)
    watched.end_controller(playing, worker_too=int(name.rpartition("-")[2]) % 2 == 0)
    time.sleep(3.0)
    on = hypervisor.running(name)
    time.sleep(LIMIT)
    pressed = presses(hypervisor, name)
    time.sleep(4.0)
    assert hypervisor.running(name) is on, f"forced more than three seconds after the controller was killed: {name}"
    assert presses(hypervisor, name) == pressed, f"pressed though the controller had been gone for long: {name}"
    return on


@fault("controller_gone")
@pytest.mark.timeout(240)
def test_killed_at_random_moments_nothing_is_forced_afterwards(own_hypervisor: Hypervisor) -> None:
    """The moments are from the first request until after the force; 20 controllers, each with its own guest.

    Half of them lose only their main process, and the others all that they have.
    """
    hypervisor = own_hypervisor
    chance = random.Random(20_261_126)
    moments = {f"moment-{number}": chance.uniform(0.0, 11.0) for number in range(MOMENTS)}
    hypervisor.start(*(AcpiGuest(name, "press=hang") for name in moments))
    with futures.ThreadPoolExecutor(MOMENTS) as pool:
        outlived = list(pool.map(lambda name: kill_its_controller(hypervisor, name, moments[name]), moments))
    survivors = [name for name, on in zip(moments, outlived, strict=True) if on]
    for name in moments.keys() - survivors:
        watched.clear(hypervisor.domain(name).UUIDString())
    assert len(survivors) >= MOMENTS // 4, "too few controllers were killed before the force for this to say anything"
    for name in survivors:
        domain = hypervisor.domain(name)
        result = watched.left_behind(domain.UUIDString())[name]
        assert (result["outcome"], result["forced"], result["request_outstanding"]) == ("left_running", False, True)
        assert result["reason"].startswith(GONE)
        recorded = request(domain)
        assert recorded is not None and recorded.outstanding and recorded.outcome == "left_running"
        assert recorded.reason.startswith(GONE)


@fault("controller_gone", "two_operators")
def test_a_controller_that_hangs_is_gone_for_good_and_the_next_run_may_act(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("frozen", "press=hang"))
    clocks = {**ABOUT_TO_FORCE, "timeout": 30, "max_timeout": 30}
    playing = watched.begin(hypervisor.bed, "frozen", **clocks)
    wait_for_first_press(hypervisor, "frozen")
    refused = hypervisor.shut_down("frozen")
    assert refused.outcome("frozen") == "refused" and not refused.returned["changed"]
    assert "nothing was asked of it" in refused["frozen"]["reason"]
    planned = hypervisor.shut_down("frozen", check_mode=True)
    assert any(step.startswith("note: another run (process ") for step in planned["frozen"]["plan"])
    watched.signal_controller(playing, signal.SIGSTOP)
    time.sleep(LIMIT + 3)
    pressed = presses(hypervisor, "frozen")
    watched.signal_controller(playing, signal.SIGCONT)
    time.sleep(4)
    assert presses(hypervisor, "frozen") == pressed
    mine = hypervisor.shut_down("frozen", timeout=5, baseline_time=0, methods=["acpi"])
    assert mine.outcome("frozen") == "left_running" and mine["frozen"]["presses"] >= 1
    kept = request(hypervisor.domain("frozen"))
    run = playing.end(timeout=60)
    result = run.result("hv1", watched.ACTION)["domains"][0]
    assert (result["outcome"], result["forced"]) == ("left_running", False) and result["reason"].startswith(GONE)
    assert "only watching" in run.output
    assert request(hypervisor.domain("frozen")) == kept, (
        "a run that only watched has written over the next one's record"
    )
    assert hypervisor.running("frozen")


@fault("controller_gone")
def test_a_guest_that_goes_off_after_the_controller_is_gone_is_graceful(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("late", "press=obey delay=14000"))
    clocks = {**ABOUT_TO_FORCE, "timeout": 60, "max_timeout": 60}
    playing = watched.begin(hypervisor.bed, "late", **clocks)
    wait_for_first_press(hypervisor, "late")
    watched.end_controller(playing)
    time.sleep(LIMIT + 3)
    assert hypervisor.running("late")
    domain = hypervisor.domain("late")
    assert watched.left_behind(domain.UUIDString()).outcome("late") == "graceful"
    recorded = request(domain)
    assert recorded is not None and not recorded.outstanding


@fault("controller_gone")
@pytest.mark.parametrize("for_long", [False, True])
def test_a_network_that_is_cut(hypervisor: Hypervisor, tmp_path: Path, for_long: bool) -> None:
    """For less than controller_timeout the run goes on; for longer it only watches, and is still waited for."""
    name = f"cut-{for_long}".lower()
    hypervisor.start(AcpiGuest(name, "press=hang"))
    variables, cut = watched.over_ssh(tmp_path)
    clocks = {**ABOUT_TO_FORCE, "timeout": 8, "max_timeout": 8}
    if not for_long:
        clocks["controller_timeout"] = 12
    playing = watched.begin(hypervisor.bed, name, variables=variables, **clocks)
    wait_for_first_press(hypervisor, name)
    cut.touch()
    time.sleep(12 if for_long else 3)
    cut.unlink()
    run = playing.end(timeout=60)
    result = run.result("hv1", watched.ACTION)["domains"][0]
    assert result["outcome"] == ("left_running" if for_long else "forced"), run.output
    assert result["reason"].startswith(GONE) is for_long
    assert "hv1: out of reach: " in run.output and "hv1: in reach again" in run.output
