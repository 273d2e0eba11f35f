# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of a hypervisor in the middle of a shutdown: of its libvirt, storage, clock and agents, and by its people."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._acts import read_record
from bed import watched
from bed.acpi_guest import DiskState, disk_state
from bed.guests import AcpiGuest, AgentGuest
from bed.libvirt_line import LibvirtLine, Procedure
from bed.module import HYPERVISOR_PYTHON, Call
from bed.served_disk import fails_once, new_image, on_served_disk, served
from bed.wrong_clock import WrongClock
from integration.conftest import Hypervisor
from integration.faults import fault
from integration.rows import is_off, restart, wait_for_agent, wait_for_state

SAVED = "/var/lib/libvirt/qemu/save"
"""Where libvirt keeps managed-save images, in the private libvirt's own namespace."""


SHORT: dict[str, Any] = {"timeout": 3, "accept_timeout": 2, "baseline_time": 0}


# ---- the connection


class Cut(NamedTuple):
    """At which call the connection is cut, and what comes of it; libvirt gets the call when it is answered."""

    procedure: Procedure
    which: int
    answered: bool
    press: str
    on_timeout: str
    outcome: str
    words: str = ""


CUTS = {
    "look": Cut(Procedure.DOMAIN_GET_XML_DESC, 1, False, "obey", "force", "error", "libvirt does not tell about it"),
    "baseline": Cut(Procedure.CONNECT_GET_ALL_DOMAIN_STATS, 1, False, "obey", "force", "graceful"),
    "record": Cut(Procedure.DOMAIN_SET_METADATA, 1, False, "obey", "force", "graceful"),
    "request": Cut(Procedure.DOMAIN_SHUTDOWN_FLAGS, 1, False, "obey", "force", "graceful"),
    "requested": Cut(Procedure.DOMAIN_SHUTDOWN_FLAGS, 1, True, "obey", "force", "graceful"),
    "wait": Cut(Procedure.CONNECT_GET_ALL_DOMAIN_STATS, 4, True, "obey delay=5000", "force", "graceful"),
    "force": Cut(
        Procedure.DOMAIN_DESTROY_FLAGS, 1, False, "hang", "force", "error", "libvirt was asked for the destroy"
    ),
    "forced": Cut(Procedure.DOMAIN_DESTROY_FLAGS, 1, True, "hang", "force", "forced"),
    "save": Cut(Procedure.DOMAIN_MANAGED_SAVE, 1, False, "hang", "save", "error", "libvirt was asked for the save"),
    "saved": Cut(Procedure.DOMAIN_MANAGED_SAVE, 1, True, "hang", "save", "saved"),
    "outcome": Cut(Procedure.DOMAIN_SET_METADATA, 2, False, "obey", "force", "graceful"),
}


@fault("connection_cut")
def test_the_connection_is_cut_at_each_stage(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """Each run has a line of its own to libvirt."""
    hypervisor.start(*(AcpiGuest(f"cut-{stage}", f"press={cut.press}") for stage, cut in CUTS.items()))
    with contextlib.ExitStack() as stack:
        runs = {}
        for stage, cut in CUTS.items():
            line = stack.enter_context(LibvirtLine(hypervisor.bed.daemon.directory / "libvirt-sock", tmp_path / stage))
            line.cut_at(cut.procedure, cut.which, cut.answered)
            options: dict[str, Any] = {"domains": [f"cut-{stage}"], "on_timeout": cut.on_timeout, "accept_timeout": 2}
            options["timeout"] = 3 if cut.press == "hang" else 60
            runs[stage] = line, Call(line.uri, evidence_dir=str(tmp_path), reconnect_timeout=60, **options)
        for stage, (line, running) in runs.items():
            name, cut, answer = f"cut-{stage}", CUTS[stage], running.answer()
            assert line.cuts == 1, stage
            assert answer.outcome(name) == cut.outcome, (stage, answer.texts(name))
            assert cut.words in answer[name]["reason"]
            assert answer.failed is (cut.outcome == "error")
            if answer.failed:
                assert hypervisor.running(name), "nothing was forced or saved"
                assert "look after libvirt and run again" in answer.returned["msg"]
    for stage, name in (("look", "cut-look"), ("force", "cut-force"), ("save", "cut-save")):
        assert ("press" in hypervisor.bed.com1(name)) is (stage != "look")


@fault("libvirt_slow")
def test_libvirt_is_slow(own_hypervisor: Hypervisor) -> None:
    """It stands still for most of the time, as on a host that swaps, and never for long enough to be given up."""
    hypervisor = own_hypervisor
    hypervisor.start(AcpiGuest("patient", "press=obey delay=2000"), AcpiGuest("stubborn", "press=hang"))
    over = threading.Event()
    domains = {"name": "patient", "timeout": 60}, {"name": "stubborn", "on_timeout": "force"}
    running = hypervisor.begin(*domains, timeout=6, reconnect_timeout=60)

    def stop_and_go() -> None:
        while not over.is_set():
            hypervisor.bed.daemon.freeze_daemon()
            over.wait(1.5)
            hypervisor.bed.daemon.thaw_daemon()
            over.wait(0.3)

    slowly = threading.Thread(target=stop_and_go)
    slowly.start()
    try:
        answer = running.answer()
    finally:
        over.set()
        slowly.join()
    assert answer.outcome("patient") == "graceful", answer.texts("patient")
    assert answer.outcome("stubborn") == "forced", answer.texts("stubborn")


# ---- storage


@contextmanager
def small_tmpfs(folder: str, *within: str) -> Iterator[None]:
    """A file system of 64 KiB at this folder; `within`: the command to run mount by."""
    subprocess.run([*within, "mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run([*within, "umount", folder], check=True)


@fault("disk_full_saving")
def test_the_disk_is_full_when_a_guest_is_saved(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("too-big", "press=ignore"))
    libvirts = ("nsenter", "--mount", "--target", str(hypervisor.bed.daemon.qemu_pid("too-big")))
    with small_tmpfs(SAVED, *libvirts):
        answer = hypervisor.shut_down("too-big", on_timeout="save", **SHORT)
        assert answer.failed and answer.outcome("too-big") == "error", answer.texts("too-big")
        assert "the managed save failed" in answer["too-big"]["reason"]
        assert "the guest was not forced" in answer["too-big"]["reason"]
        wait_for_state(hypervisor, "too-big", libvirt.VIR_DOMAIN_RUNNING)
        assert not hypervisor.domain("too-big").hasManagedSaveImage()
    hypervisor.bed.tell("too-big", "press=obey")
    assert hypervisor.shut_down("too-big").outcome("too-big") == "graceful"
    assert hypervisor.bed.com1("too-big").count("ready") == 1, "it went on where it was"


@fault("disk_full_evidence")
def test_the_disk_is_full_when_evidence_is_written(hypervisor: Hypervisor, tmp_path: Path) -> None:
    hypervisor.start(AcpiGuest("no-room-left", "press=hang"))
    with small_tmpfs(str(tmp_path)):
        with contextlib.suppress(OSError), (tmp_path / "others").open("wb", buffering=0) as others:
            while True:
                others.write(bytes(4096))
        answer = hypervisor.shut_down("no-room-left", on_timeout="force", evidence_dir=str(tmp_path), **SHORT)
    assert answer.failed and answer.outcome("no-room-left") == "error"
    assert "so it was not forced: " in answer["no-room-left"]["reason"]
    assert "No space left on device" in answer["no-room-left"]["reason"]
    assert hypervisor.running("no-room-left")


@fault("storage_error")
def test_a_storage_error_pauses_the_guest_while_it_is_waited_for(hypervisor: Hypervisor) -> None:
    """A sector that only the guest's update writes cannot be written, once."""
    folder = hypervisor.bed.directory
    image = new_image(folder, "spoilt")
    with served(folder, "spoilt", fails_once(image, sector=5)) as (source, dummy_server):
        xml = AcpiGuest("spoilt", "press=update write=2000", sleep_states=False).xml(folder, hypervisor.bed.cache)
        hypervisor.domains.append(hypervisor.bed.connection.defineXML(on_served_disk(xml, source)))
        restart(hypervisor, "spoilt")
        answer = hypervisor.shut_down("spoilt", on_timeout="force", **SHORT)
        assert answer.failed and answer.outcome("spoilt") == "left_running", answer.texts("spoilt")
        assert "mend the storage and resume it" in answer["spoilt"]["reason"]
        domain: Any = hypervisor.domain("spoilt")
        assert tuple(domain.state()) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR)
        domain.resume()
        wait_for_state(hypervisor, "spoilt", libvirt.VIR_DOMAIN_RUNNING)


# ---- other people


@fault("domain_renamed")
def test_it_is_renamed_meanwhile(hypervisor: Hypervisor) -> None:
    """Which takes that it is off: here, while the module could not see it."""
    hypervisor.start(AcpiGuest("old-name", "press=obey delay=1500"))
    running = hypervisor.begin("old-name", baseline_time=0)
    hypervisor.bed.wait_for("old-name", "press 1")
    running.process.send_signal(signal.SIGSTOP)
    assert is_off(hypervisor, "old-name")
    domain = hypervisor.domain("old-name")
    domain.rename("new-name")
    running.process.send_signal(signal.SIGCONT)
    answer = running.answer()
    assert answer.outcome("old-name") == "graceful", answer.texts("old-name")
    assert not answer.returned.get("warnings")
    recorded = read_record(hypervisor.domain("new-name")).request
    assert recorded is not None and recorded.outcome == "graceful"


@fault("domain_suspended")
def test_someone_else_suspends_it(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("halted", "press=update write=600000"))
    running = hypervisor.begin("halted", on_timeout="force", **SHORT)
    hypervisor.bed.wait_for("halted", "writing")
    hypervisor.domain("halted").suspend()
    answer = running.answer()
    assert answer.failed and answer.outcome("halted") == "left_running", answer.texts("halted")
    assert "someone has paused it" in answer["halted"]["reason"]
    assert disk_state(hypervisor.bed.disk("halted")) is DiskState.SERVICING
    hypervisor.domain("halted").resume()
    wait_for_state(hypervisor, "halted", libvirt.VIR_DOMAIN_RUNNING)


@fault("two_operators")
def test_two_operators_at_once(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("wanted", "press=ignore"))
    both = [hypervisor.begin("wanted", timeout=60, accept_timeout=60, baseline_time=0) for dummy in range(2)]
    while all(running.process.poll() is None for running in both):
        time.sleep(0.05)
    hypervisor.bed.tell("wanted", "press=obey")
    answers = [running.answer() for running in both]
    first, second = sorted(answers, key=lambda answer: answer.outcome("wanted"))
    assert (first.outcome("wanted"), second.outcome("wanted")) == ("graceful", "refused")
    assert "wait for the end of that run, or end it" in second["wanted"]["reason"]
    assert second.failed and not second.returned["changed"]


# ---- agents


@fault("agent_lies", "agent_floods", "agent_late")
def test_agents_that_lie_flood_or_answer_late(hypervisor: Hypervisor) -> None:
    """The button is asked where the agent brings nothing; a guest that hears neither is left running."""
    agents = {"lies": "button=ignore", "floods": "", "late": "delay=7"}
    hypervisor.start(*(AgentGuest(name, f"agent={name} {more}") for name, more in agents.items()))
    for name in agents:
        wait_for_agent(hypervisor, name)
    domains = {"name": "lies", "timeout": 8}, "floods", "late"
    answer = hypervisor.shut_down(*domains, methods=["agent", "acpi"], timeout=60, accept_timeout=6, thaw=False)
    assert answer.outcome("lies") == "left_running", answer.texts("lies")
    assert answer.outcome("floods") == "graceful", answer.texts("floods")
    assert answer["floods"]["method"] == "acpi"
    assert answer.outcome("late") == "graceful", answer.texts("late")
    assert not any(answer[name]["forced"] for name in agents)


# ---- clocks


@fault("clock_jumps_hypervisor")
def test_the_hypervisors_clock_jumps(hypervisor: Hypervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hypervisor.start(AcpiGuest("timeless", "press=hang"))
    clock = WrongClock(tmp_path)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    clock.jump(days=-10)
    running = hypervisor.begin("timeless", on_timeout="force", **{**SHORT, "timeout": 9})
    monkeypatch.undo()
    hypervisor.bed.wait_for("timeless", "press 1")
    clock.jump(days=30)
    hypervisor.bed.wait_for("timeless", "press 3")
    assert hypervisor.running("timeless"), "that is no reason to force a guest whose clocks have not run out"
    clock.jump(days=-30)
    answer = running.answer()
    assert answer.outcome("timeless") == "forced", answer.texts("timeless")
    assert 9 <= answer["timeless"]["finish_seconds"] < 60
    times = [entry["time"] for entry in answer["timeless"]["timeline"]]
    assert datetime.fromisoformat(times[0]) < datetime.now(timezone.utc) - timedelta(days=9), "it went by the mock"
    assert times == sorted(times)


@fault("clock_jumps_controller")
def test_the_controllers_clock_jumps(hypervisor: Hypervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither taken for one that has disappeared, nor does it give up."""
    hypervisor.start(AcpiGuest("seen-off", "press=hang"))
    clock = WrongClock(tmp_path)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nunset LD_PRELOAD\nexec {HYPERVISOR_PYTHON} "$@"\n')
    python.chmod(0o700)
    variables = {"ansible_python_interpreter": str(python)}
    options = {**SHORT, "timeout": 8, "on_timeout": "force", "controller_timeout": 6}
    playing = watched.begin(hypervisor.bed, "seen-off", variables=variables, **options)
    monkeypatch.undo()
    hypervisor.bed.wait_for("seen-off", "press 1", timeout=60)
    clock.jump(days=30)
    hypervisor.bed.wait_for("seen-off", "press 3")
    clock.jump(days=-30)
    run = playing.end(timeout=60)
    result = run.result("hv1", watched.ACTION)["domains"][0]
    assert result["outcome"] == "forced", run.output
    assert 8 <= result["finish_seconds"] < 60


# ---- what the host runs out of


@fault("module_out_of_files")
def test_the_module_runs_out_of_file_descriptors(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("outlasts", "press=hang"))
    running = hypervisor.begin("outlasts", on_timeout="force", **{**SHORT, "timeout": 6})
    hypervisor.bed.wait_for("outlasts", "press 1")
    leave_no_file_descriptor(running.process.pid)
    answer = running.answer()
    assert answer.failed and answer.outcome("outlasts") == "error", answer.texts("outlasts")
    assert "Too many open files" in answer["outlasts"]["reason"]
    assert hypervisor.running("outlasts")


@fault("libvirt_out_of_files")
def test_libvirt_runs_out_of_file_descriptors(own_hypervisor: Hypervisor) -> None:
    hypervisor = own_hypervisor
    hypervisor.start(AcpiGuest("outlasts", "press=hang"))
    running = hypervisor.begin("outlasts", on_timeout="force", **{**SHORT, "timeout": 6})
    hypervisor.bed.wait_for("outlasts", "press 1")
    limit = leave_no_file_descriptor(hypervisor.bed.daemon.daemon_pid)
    time.sleep(8)
    assert hypervisor.running("outlasts") and running.process.poll() is None
    resource.prlimit(hypervisor.bed.daemon.daemon_pid, resource.RLIMIT_NOFILE, limit)
    answer = running.answer()
    assert answer.outcome("outlasts") == "forced", answer.texts("outlasts")
    assert len(answer["outlasts"]["evidence"]) == 2


def leave_no_file_descriptor(pid: int) -> tuple[int, int]:
    """Let the process open nothing more; how many it could open before."""
    used = {int(entry) for entry in os.listdir(f"/proc/{pid}/fd")}
    free = min(set(range(len(used) + 1)) - used)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, hard))
    return soft, hard
