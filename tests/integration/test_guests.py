# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of guests of every behaviour, and that a guest is forced only as promised."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from bed.acpi_guest import DiskState, disk_state
from bed.guests import AcpiGuest
from integration.conftest import Hypervisor
from integration.faults import fault


@pytest.mark.parametrize(
    ("name", "behaviour", "options"),
    [
        ("obeys", "press=obey", {}),
        ("obeys-late", "press=obey delay=2000", {}),
        ("two-presses", "press=obey presses=2", {}),
        ("three-presses", "press=obey presses=3", {"double_press": False}),
        ("sleeps", "press=obey sleep=200", {}),
        ("updates", "press=update write=3000", {}),
    ],
)
def test_goes_off_by_itself(hypervisor: Hypervisor, name: str, behaviour: str, options: dict[str, Any]) -> None:
    hypervisor.start(AcpiGuest(name, behaviour))
    if "sleep=" in behaviour:
        hypervisor.bed.wait_for(name, "sleep")
    answer = hypervisor.shut_down(name, **options)
    assert answer.outcome(name) == "graceful", answer.texts(name)
    assert answer[name]["method"] == "acpi"
    assert not answer.failed
    assert answer.returned["changed"]
    assert disk_state(hypervisor.bed.disk(name)) == DiskState.CLEAN
    assert "power off" in hypervisor.bed.com1(name)


def test_presses_lost_while_booting_are_repeated(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("boots", "press=obey boot=6000"))
    answer = hypervisor.shut_down("boots", timeout=30, accept_timeout=30)
    assert answer.outcome("boots") == "graceful"
    assert answer["boots"]["presses"] > 2
    assert hypervisor.bed.com1("boots").count("press 1") == 1


def test_no_press_after_acceptance(hypervisor: Hypervisor) -> None:
    """Writing is a sign of acceptance, so a guest that works on updates is not pressed again, unless that was asked."""
    hypervisor.start(AcpiGuest("once", "press=update write=9000"), AcpiGuest("again", "press=update write=9000"))
    answer = hypervisor.shut_down("once", {"name": "again", "press_after_acceptance": True}, timeout=30)
    for name in ("once", "again"):
        assert answer.outcome(name) == "graceful"
        assert "progress" in answer[name]["accepted_by"]
    assert answer["once"]["presses"] < answer["again"]["presses"]


def test_an_updating_guest_that_outlives_timeout_is_never_forced(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("slow-update", "press=update write=22000"))
    answer = hypervisor.shut_down("slow-update", on_timeout="force")
    assert answer.outcome("slow-update") == "graceful", answer.texts("slow-update")
    assert answer["slow-update"]["finish_seconds"] > 20
    assert disk_state(hypervisor.bed.disk("slow-update")) == DiskState.CLEAN


def test_the_hard_end_ends_the_wait_for_progress(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("endless", "press=update write=600000"))
    answer = hypervisor.shut_down("endless", on_timeout="force", max_timeout=12)
    assert answer.outcome("endless") == "forced"
    assert 12 <= answer["endless"]["finish_seconds"] < 60
    assert disk_state(hypervisor.bed.disk("endless")) == DiskState.SERVICING  # torn: what the hard end costs


@pytest.mark.parametrize("behaviour", ["hang", "ignore", "update-hang write=4000", "hang noise=500"])
def test_a_guest_that_does_not_go_is_left_saved_or_forced_as_allowed(hypervisor: Hypervisor, behaviour: str) -> None:
    label = behaviour.split()[0] + ("-noise" if "noise" in behaviour else "")
    names = {policy: f"{label}-{policy}" for policy in ("leave", "save", "force")}
    hypervisor.start(*(AcpiGuest(name, f"press={behaviour}") for name in names.values()))
    answer = hypervisor.shut_down(*({"name": name, "on_timeout": policy} for policy, name in names.items()))
    outcomes = {policy: answer.outcome(name) for policy, name in names.items()}
    assert outcomes == {"leave": "left_running", "save": "saved", "force": "forced"}
    assert answer.failed
    assert answer.returned["totals"] == {"domains": 3, "forced": 1, "left_running": 1, "saved": 1}
    assert hypervisor.running(names["leave"])
    assert hypervisor.domain(names["save"]).hasManagedSaveImage()
    for name in names.values():
        assert answer[name]["finish_seconds"] >= 8
        assert answer[name]["request_outstanding"] == (name == names["leave"])
    forced = answer[names["force"]]
    assert forced["forced"]
    assert "on_timeout=force" in forced["permission"]


def test_idle_noise_is_not_progress_but_work_above_it_is(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("noisy-hang", "press=hang noise=10"), AcpiGuest("noisy-work", "press=update noise=10"))
    hypervisor.bed.tell("noisy-work", "write=16000 rate=1200")
    answer = hypervisor.shut_down("noisy-hang", "noisy-work", on_timeout="force", progress_min_rate=1000)
    assert answer.outcome("noisy-hang") == "forced"
    assert answer["noisy-hang"]["finish_seconds"] < 14
    assert answer.outcome("noisy-work") == "graceful", answer.texts("noisy-work")


def test_a_guest_that_sleeps_on_each_press_is_woken_and_pressed_again(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("sleepy", "press=sleep"))
    call = hypervisor.begin("sleepy", timeout=40, accept_timeout=40)
    hypervisor.bed.wait_for("sleepy", "awake")
    hypervisor.bed.tell("sleepy", "press=obey")
    answer = call.answer()
    assert answer.outcome("sleepy") == "graceful", answer.texts("sleepy")


def test_a_sleeping_guest_is_refused_when_it_may_not_be_woken(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("dormant", "sleep=200"))
    hypervisor.bed.wait_for("dormant", "sleep")
    answer = hypervisor.shut_down("dormant", wake=False)
    assert answer.outcome("dormant") == "refused"
    assert "domain_asleep" in answer["dormant"]["reason"]


def test_a_guest_that_reboots_instead(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("reboots", "press=reboot"))
    answer = hypervisor.shut_down("reboots", on_timeout="force")
    assert answer.outcome("reboots") == "restarted"
    assert answer.failed
    assert hypervisor.running("reboots")


def test_evidence_is_written_before_a_guest_is_forced(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("hung", "press=hang"), AcpiGuest("hung-blind", "press=hang", display=False))
    answer = hypervisor.shut_down("hung", "hung-blind", on_timeout="force")
    screen, document = (Path(path) for path in answer["hung"]["evidence"])
    assert screen.read_bytes().startswith(b"\x89PNG")
    written = json.loads(document.read_text())
    assert written["statistics"]["cpu.time"] > 0
    assert [entry["kind"] for entry in written["timeline"]].count("asked") >= 2
    for path in (screen, document):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(screen.parent.stat().st_mode) == 0o700
    (blind,) = answer["hung-blind"]["evidence"]
    assert json.loads(Path(blind).read_text())["screenshot"].startswith("none: ")
    assert answer.outcome("hung-blind") == "forced"


@fault("qemu_hangs")
def test_qemu_that_ignores_sigterm_is_ended_plainly(hypervisor: Hypervisor) -> None:
    """A stopped QEMU cannot even answer its monitor: the other domain goes on all the same."""
    hypervisor.start(AcpiGuest("stopped-qemu", "press=hang"), AcpiGuest("beside-it", "press=obey delay=3000"))
    os.kill(hypervisor.bed.daemon.qemu_pid("stopped-qemu"), signal.SIGSTOP)
    stopped = {"name": "stopped-qemu", "methods": [], "max_timeout": 8, "on_timeout": "force"}
    answer = hypervisor.begin("beside-it", stopped).answer(timeout=200)
    assert answer.outcome("beside-it") == "graceful"
    assert answer["beside-it"]["finish_seconds"] < 9
    assert answer.outcome("stopped-qemu") == "forced", answer.texts("stopped-qemu")
    assert any("gentle destroy could not" in text for text in answer.texts("stopped-qemu"))


@fault("qemu_hangs")
def test_guests_whose_qemu_hangs_hold_up_nobody(own_hypervisor: Hypervisor) -> None:
    hypervisor = own_hypervisor
    hung = [f"hung-{number}" for number in range(3)]
    well = [f"well-{number}" for number in range(3)]
    hypervisor.start(*(AcpiGuest(name, "press=obey") for name in hung + well))
    for name in hung:
        os.kill(hypervisor.bed.daemon.qemu_pid(name), signal.SIGSTOP)
    answer = hypervisor.shut_down(*hung, *well, max_timeout=12)
    for name in well:
        assert answer.outcome(name) == "graceful", answer.texts(name)
        assert answer[name]["finish_seconds"] < 8
    for name in hung:
        assert answer.outcome(name) == "left_running", answer.texts(name)


@fault("disk_full_evidence")
def test_without_evidence_nothing_is_forced(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("unseen", "press=hang"))
    folder = hypervisor.bed.directory / "soon-gone"
    running = hypervisor.begin("unseen", on_timeout="force", evidence_dir=str(folder))
    hypervisor.bed.wait_for("unseen", "press 1")
    folder.rmdir()
    answer = running.answer()
    assert answer.outcome("unseen") == "error"
    assert "no evidence could be taken, so it was not forced" in answer["unseen"]["reason"]
    assert hypervisor.running("unseen")


def test_a_burst_of_writes_is_no_acceptance(hypervisor: Hypervisor) -> None:
    """A guest that writes for a while for reasons of its own, and would obey a later press, is pressed again."""
    hypervisor.start(AcpiGuest("burst", "press=ignore"))
    running = hypervisor.begin("burst", timeout=60, accept_timeout=60, on_timeout="force")
    hypervisor.bed.wait_for("burst", "press 1")
    hypervisor.bed.tell("burst", "noise=1")
    time.sleep(4)
    hypervisor.bed.tell("burst", "noise=0 press=obey")
    answer = running.answer()
    assert answer.outcome("burst") == "graceful", answer.texts("burst")


def test_hard_is_evidence_and_force_at_once(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("hard", "press=obey"))
    answer = hypervisor.shut_down("hard", methods=[], timeout=0, max_timeout=0, accept_timeout=0, on_timeout="force")
    assert answer.outcome("hard") == "forced"
    assert answer["hard"]["presses"] == 0
    assert len(answer["hard"]["evidence"]) == 2
    assert "press" not in hypervisor.bed.com1("hard")


def test_a_saved_guest_goes_on_where_it_was(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("saved", "press=ignore"))
    assert hypervisor.shut_down("saved", on_timeout="save").outcome("saved") == "saved"
    domain = hypervisor.domain("saved")
    assert not domain.isActive()
    domain.create()
    hypervisor.bed.tell("saved", "press=obey")
    assert hypervisor.shut_down("saved").outcome("saved") == "graceful"
    assert hypervisor.bed.com1("saved").count("ready") == 1, "the guest has booted anew instead of being resumed"
