# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input, and trouble with libvirt, QEMU and other people while a run is under way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import libvirt
import pytest
from bed.guests import AcpiGuest
from bed.module import call
from integration.conftest import Hypervisor
from integration.faults import fault


def begin_and_wait_for_the_press(hypervisor: Hypervisor, name: str, **options: Any) -> Any:
    running = hypervisor.begin(name, **options)
    hypervisor.bed.wait_for(name, "press 1")
    return running


# ---- bad input: nothing is asked of anybody


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"domains": []}, ["domains is empty", "all=true"]),
        ({}, ["exactly one of domains", "all=true"]),
        ({"domains": ["good"], "name_pattern": "*"}, ["name_pattern", "all=true"]),
        ({"domains": ["good", "nobody"]}, ["domains[1] (nobody)", "no domain with name 'nobody'"]),
        ({"domains": [{"uuid": "not-one"}]}, ["domains[0]", "not a UUID"]),
        ({"domains": [{"uuid": "00000000-0000-4000-8000-000000000000"}]}, ["no domain with uuid"]),
        ({"domains": [{"timeout": 5}]}, ["domains[0]", "name, uuid"]),
        ({"domains": [{"name": "good", "tiemout": 5}]}, ["domains[0] (good)", "tiemout"]),
        ({"domains": [{"name": "good", "on_timeout": "kill"}]}, ["domains[0] (good)", "kill"]),
        ({"domains": [17]}, ["domains[0]", "17"]),
        ({"domains": ["good", "good"]}, ["domains[1] (good)", "domains[0] (good)", "same domain"]),
        ({"domains": ["good"], "timeout": 10, "max_timeout": 5}, ["timeout (10 s)", "max_timeout (5 s)"]),
        ({"domains": ["good"], "timeout": 3, "accept_timeout": 4}, ["accept_timeout (4 s)", "timeout (3 s)"]),
        ({"domains": [{"name": "good", "max_timeout": 1}]}, ["domains[0] (good)", "max_timeout (1 s)"]),
        ({"domains": ["good"], "press_interval": 0}, ["press_interval"]),
        ({"domains": ["good"], "methods": ["acpi", "acpi"]}, ["methods", "twice"]),
        (
            {"domains": ["good"], "evidence_dir": "/proc/no/such", "on_timeout": "force"},
            ["evidence_dir", "/proc/no/such"],
        ),
    ],
)
def test_bad_input(hypervisor: Hypervisor, options: dict[str, Any], words: list[str]) -> None:
    hypervisor.start(AcpiGuest("good"))
    answer = call(hypervisor.uri, **options)
    assert answer.failed
    for word in words:
        assert word in answer.returned["msg"], answer.returned["msg"]
    assert "press" not in hypervisor.bed.com1("good")


def test_name_and_uuid_of_one_domain(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("same"), AcpiGuest("other"))
    uuid = hypervisor.domain("same").UUIDString()
    answer = hypervisor.shut_down("same", {"uuid": uuid.upper()})
    assert answer.failed
    assert "same domain" in answer.returned["msg"]
    answer = hypervisor.shut_down({"name": "other", "uuid": uuid})
    assert answer.failed
    assert "is named 'same'" in answer.returned["msg"]
    assert "press" not in hypervisor.bed.com1("same") + hypervisor.bed.com1("other")


@fault("libvirt_unreachable")
@pytest.mark.parametrize("uri", ["qemu+unix:///system?socket=/no/such/socket", "nonsense:///", "not a uri"])
def test_libvirt_out_of_reach(uri: str) -> None:
    answer = call(uri, domains=["anyone"])
    assert answer.failed
    assert repr(uri) in answer.returned["msg"]
    assert "check the uri" in answer.returned["msg"]


@fault("connection_read_only")
def test_a_read_only_connection(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("untouchable"))
    answer = call(hypervisor.bed.daemon.readonly_uri, domains=["untouchable"])
    assert answer.failed
    assert answer.outcome("untouchable") == "error"
    assert "does not allow it on this connection" in answer["untouchable"]["reason"]
    assert "press" not in hypervisor.bed.com1("untouchable")


@fault("evidence_unwritable")
def test_an_evidence_folder_without_room(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """A file system that is full from the start is found before anything is asked."""
    folder = tmp_path / "full"
    folder.mkdir()
    folder.chmod(0o500)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)], check=True)
    try:
        hypervisor.start(AcpiGuest("no-room"))
        answer = hypervisor.shut_down("no-room", on_timeout="force", evidence_dir=str(folder))
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert answer.failed
    assert "cannot be written to" in answer.returned["msg"]
    assert "press" not in hypervisor.bed.com1("no-room")


# ---- other people


@fault("domain_suspended")
def test_a_paused_domain_is_refused_or_resumed(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("paused"))
    hypervisor.domain("paused").suspend()
    answer = hypervisor.shut_down("paused")
    assert answer.outcome("paused") == "refused"
    assert "resume=true" in answer["paused"]["reason"]
    assert hypervisor.shut_down("paused", resume=True).outcome("paused") == "graceful"


@fault("domain_destroyed")
def test_someone_else_destroys_it(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("pulled", "press=hang"))
    running = begin_and_wait_for_the_press(hypervisor, "pulled", on_timeout="force", timeout=60)
    hypervisor.domain("pulled").destroy()
    answer = running.answer()
    assert answer.outcome("pulled") == "error"
    assert "someone else" in answer["pulled"]["reason"]
    assert not answer["pulled"]["forced"]


@fault("qemu_killed")
def test_qemu_dies(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("killed", "press=hang"))
    running = begin_and_wait_for_the_press(hypervisor, "killed", timeout=60)
    os.kill(hypervisor.bed.daemon.qemu_pid("killed"), signal.SIGKILL)
    answer = running.answer()
    assert answer.outcome("killed") == "error"
    assert "QEMU ended" in answer["killed"]["reason"]


@fault("qemu_killed")
def test_the_host_terminates_qemu(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("terminated", "press=hang"))
    running = begin_and_wait_for_the_press(hypervisor, "terminated", timeout=60)
    os.kill(hypervisor.bed.daemon.qemu_pid("terminated"), signal.SIGTERM)
    answer = running.answer()
    assert answer.outcome("terminated") == "error"
    assert "terminated by the host" in answer["terminated"]["reason"]


@fault("domain_undefined")
def test_it_is_undefined_meanwhile(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("undefined", "press=obey delay=2000"))
    running = begin_and_wait_for_the_press(hypervisor, "undefined")
    hypervisor.domain("undefined").undefine()
    assert running.answer().outcome("undefined") == "graceful"


def test_a_transient_domain(hypervisor: Hypervisor) -> None:
    bed = hypervisor.bed
    bed.connection.createXML(AcpiGuest("transient", "press=obey delay=1000").xml(bed.directory, bed.cache))
    bed.wait_for("transient", "ready")
    answer = hypervisor.shut_down("transient")
    assert answer.outcome("transient") == "graceful"


@fault("domain_started_anew")
def test_it_is_started_anew_meanwhile(hypervisor: Hypervisor) -> None:
    """Stopped and started while the module could not see it."""
    hypervisor.start(AcpiGuest("started-anew", "press=hang"))
    running = begin_and_wait_for_the_press(hypervisor, "started-anew", timeout=60, on_timeout="force")
    running.process.send_signal(signal.SIGSTOP)
    domain = hypervisor.domain("started-anew")
    domain.destroy()
    domain.create()
    running.process.send_signal(signal.SIGCONT)
    answer = running.answer()
    assert answer.outcome("started-anew") in ("error", "restarted")
    assert domain.isActive(), "the new start was stopped, too"


@fault("domain_migrated")
def test_it_is_migrated_away_meanwhile(hypervisor: Hypervisor, own_hypervisor: Hypervisor) -> None:
    guest = AcpiGuest("migrant", "press=hang", disk=False)
    hypervisor.start(guest)
    running = begin_and_wait_for_the_press(hypervisor, "migrant", timeout=60, on_timeout="force")
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE | libvirt.VIR_MIGRATE_PERSIST_DEST
    xml = hypervisor.domain("migrant").XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)
    here, there = str(hypervisor.bed.directory), str(own_hypervisor.bed.directory)
    parameters = {
        libvirt.VIR_MIGRATE_PARAM_URI: f"unix://{there}/migration",
        libvirt.VIR_MIGRATE_PARAM_DEST_XML: xml.replace(here, there),
    }
    target: Any = own_hypervisor.bed.connection
    source: Any = hypervisor.domain("migrant")
    moved = source.migrate3(target, parameters, flags)
    answer = running.answer()
    assert answer.outcome("migrant") == "vanished", answer.texts("migrant")
    assert not answer.failed
    assert moved.isActive()


# ---- libvirt itself


@fault("libvirt_restarted", "libvirt_killed")
@pytest.mark.parametrize("way", ["stop", "kill"])
def test_libvirt_is_restarted_in_the_middle(own_hypervisor: Hypervisor, way: str) -> None:
    hypervisor = own_hypervisor
    hypervisor.start(AcpiGuest("obeys", "press=obey delay=4000"), AcpiGuest("hangs", "press=hang"))
    running = hypervisor.begin("obeys", {"name": "hangs", "on_timeout": "force"}, timeout=12, reconnect_timeout=30)
    hypervisor.bed.wait_for("hangs", "press 1")
    getattr(hypervisor.bed.daemon, f"{way}_daemon")()
    time.sleep(2)
    hypervisor.bed.daemon.start_daemon()
    answer = running.answer()
    assert answer.outcome("obeys") == "graceful", answer.texts("obeys")
    assert answer.outcome("hangs") == "forced", answer.texts("hangs")
    assert any("connection to libvirt is back" in text for text in answer.texts("hangs"))


@fault("libvirt_away")
def test_libvirt_stays_away(own_hypervisor: Hypervisor) -> None:
    hypervisor = own_hypervisor
    hypervisor.start(AcpiGuest("alone", "press=hang"))
    running = begin_and_wait_for_the_press(hypervisor, "alone", on_timeout="force", reconnect_timeout=6)
    pid = hypervisor.bed.daemon.qemu_pid("alone")
    hypervisor.bed.daemon.stop_daemon()
    answer = running.answer()
    assert answer.outcome("alone") == "error"
    assert "nothing was forced" in answer["alone"]["reason"]
    os.kill(pid, 0)  # QEMU is still there
    hypervisor.bed.daemon.start_daemon()
    hypervisor.bed.reconnect()
    assert hypervisor.running("alone")


@fault("libvirt_silent")
def test_libvirt_does_not_answer(own_hypervisor: Hypervisor) -> None:
    """A frozen daemon keeps the connection open; only its silence tells."""
    hypervisor = own_hypervisor
    hypervisor.start(AcpiGuest("silence", "press=hang"))
    running = begin_and_wait_for_the_press(hypervisor, "silence", on_timeout="force", reconnect_timeout=8)
    hypervisor.bed.daemon.freeze_daemon()
    try:
        answer = running.answer()
    finally:
        hypervisor.bed.daemon.thaw_daemon()
    assert answer.outcome("silence") == "error"
    assert "nothing was forced" in answer["silence"]["reason"]
    assert hypervisor.running("silence")
