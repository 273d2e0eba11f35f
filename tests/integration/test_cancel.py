# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is cancelled, cut off or killed forces nothing any more."""

from __future__ import annotations

import random
import signal
import time

import pytest
from bed.guests import AcpiGuest
from integration.conftest import Hypervisor
from integration.faults import fault

MOMENTS = 20
CLOCKS = {"timeout": 3, "max_timeout": 3, "accept_timeout": 3, "on_timeout": "force"}


@fault("run_killed")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_run_and_nothing_is_forced(hypervisor: Hypervisor, number: signal.Signals) -> None:
    name = number.name.lower()
    hypervisor.start(AcpiGuest(name, "press=hang"))
    running = hypervisor.begin(name, **CLOCKS)
    hypervisor.bed.wait_for(name, "press 1")
    began = time.monotonic()
    running.process.send_signal(number)
    answer = running.answer()
    assert time.monotonic() - began < 3
    assert answer.failed
    assert answer.outcome(name) == "cancelled"
    assert number.name in answer[name]["reason"]
    assert answer[name]["request_outstanding"]
    time.sleep(5)
    assert hypervisor.running(name)


@fault("run_killed")
def test_a_run_whose_results_nobody_waits_for_forces_nothing(hypervisor: Hypervisor) -> None:
    """When the controller, or the connection to it, goes away, the module gets no signal, only a closed pipe."""
    hypervisor.start(AcpiGuest("cut-off", "press=hang"))
    running = hypervisor.begin("cut-off", **CLOCKS)
    hypervisor.bed.wait_for("cut-off", "press 1")
    for pipe in (running.process.stdout, running.process.stderr):
        assert pipe is not None
        pipe.close()
    running.process.wait(timeout=30)
    time.sleep(5)
    assert hypervisor.running("cut-off")


@fault("run_killed")
def test_killed_at_random_moments_nothing_is_destroyed_afterwards(own_hypervisor: Hypervisor) -> None:
    """Whatever the module had asked libvirt for when it was killed may still happen; nothing after that may.

    libvirt carries out a destroy within two seconds of the call (SIGTERM to an idle QEMU), so a guest that is there
    two seconds after the kill must be there for good.
    """
    hypervisor = own_hypervisor
    chance = random.Random(20_261_123)
    names = [f"moment-{number}" for number in range(MOMENTS)]
    hypervisor.start(*(AcpiGuest(name, "press=hang") for name in names))
    runs = []
    for name in names:
        runs.append((name, hypervisor.begin(name, **CLOCKS), time.monotonic() + chance.uniform(0.2, 6.0)))
        time.sleep(0.05)
    for _name, running, moment in sorted(runs, key=lambda run: run[2]):
        time.sleep(max(0.0, moment - time.monotonic()))
        running.process.kill()
    for _name, running, _moment in runs:
        running.process.communicate()
    time.sleep(2)
    survivors = {name for name in names if hypervisor.running(name)}
    assert len(survivors) >= 5, "too few runs were killed before their end for this test to say anything"
    time.sleep(12)
    assert {name for name in names if hypervisor.running(name)} == survivors
