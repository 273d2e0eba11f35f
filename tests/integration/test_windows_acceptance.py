# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Windows acceptance kit on a simulated Windows guest and a real libvirt. `tests/run acceptance` is all of it."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import checkout
import libvirt
import pytest
from bed.acceptance import GIVE_BACK, HOST, KIT, PLAYBOOK, Kit, kit
from bed.ansible_run import play
from bed.guests import AcpiGuest, Bed
from bed.module import HYPERVISOR_PYTHON
from bed.windows import events
from integration.conftest import Hypervisor
from integration.guests import eventually as soon
from windows import seen_page

pytestmark = [pytest.mark.xdist_group("windows_acceptance"), pytest.mark.timeout(900)]

LEAVE = ("-e", f"acceptance_guest_may_be_lost={HOST}")


@pytest.fixture(scope="module")
def one(shared_bed: Bed) -> Iterator[Kit]:
    with kit(shared_bed, "may-be-lost") as one:
        yield one


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it holds in time, which is long: the playbook has much to do before."""
    return any(soon(condition) for dummy in range(5))


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    """Claim -> its verdict."""
    return {claim["id"]: claim["verdict"] for claim in report["claims"]}


def test_without_leave_nothing_is_touched(one: Kit) -> None:
    one.windows.network.forget_requests()
    run = play(one.inventory(), PLAYBOOK)
    assert run.status != 0 and "acceptance_guest_may_be_lost=NAME" in run.output, run.output
    assert not one.windows.network.requests and not one.kept
    assert one.bed.connection.lookupByName(one.windows.name).isActive()


def test_claims_are_tried_and_a_false_one_is_told_and_the_guest_is_given_back(
    one: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This guest does not log that its event log was closed in order, which is not as it is claimed of Windows."""
    monkeypatch.setattr(events, "LEAVES", tuple(event for event in events.LEAVES if event.id != 6006))
    before = one.before()
    run, report = one.run(tmp_path, acceptance_only=["logon"])
    assert run.status == 0, run.output
    one.is_up()
    assert one.before() == before and before.running and not one.kept

    seen_page.check(report, "its report")
    found = verdicts(report)
    assert {name for name, verdict in found.items() if verdict == "not held"} == {
        "scenario:logon:after:history",
        "scenario:logon:after:events",
    }
    assert [name for name in found if name.startswith("scenario:logon")] == [
        f"scenario:logon:{half}{part}" for half in ("before", "after") for part in ("", ":history", ":events")
    ]
    assert {name for name, verdict in found.items() if verdict == "not tried"} == {
        f"scenario:{one['name']}" for one in seen_page.SCENARIOS if one["name"] != "logon"
    }
    assert " | NOT HELD |" in run.output and "not held: 2" in run.output
    assert report["simulated"] and report["given_back"] and report["audit"]["winrm_requests"] > 0
    told = json.dumps(report)
    assert HOST not in told and one.windows.name not in told and "S-1-5-21-1" not in told


def test_an_interruption_in_the_middle_gives_the_guest_back(one: Kit, tmp_path: Path) -> None:
    """It is interrupted when the guest runs on overlays and is being asked."""
    before, boots = one.before(), one.windows.boots
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps(one.inventory({"acceptance_report_folder": str(tmp_path)})), encoding="utf-8")
    command = [str(KIT / "run"), "-i", str(inventory), *LEAVE]
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            command, env=checkout.ansible_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            assert eventually(lambda: one.windows.boots > boots and one.windows.control.reachable and bool(one.kept))
            one.windows.network.forget_requests()
            assert eventually(lambda: len(one.windows.network.requests) > 4)
            process.send_signal(signal.SIGTERM)
            status = process.wait(240)
        finally:
            process.kill()
    told = (tmp_path / "output").read_text()
    assert status != 0, told
    assert "TASK [Safekeeping on the hypervisor: give-back]" in told and not one.kept, told
    one.is_up()
    assert one.before() == before


def safekeeping(hypervisor: Hypervisor, what: str, name: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the program that keeps domains."""
    program = [HYPERVISOR_PYTHON, str(KIT / "safekeeping.py"), what, name, "--uri", hypervisor.uri]
    folder = ["--images", str(hypervisor.bed.directory), "--room", "0"]
    return subprocess.run([*program, *folder, *more], capture_output=True, text=True, timeout=60, check=False)


def test_a_domain_is_kept_once_and_given_back_bit_for_bit(hypervisor: Hypervisor) -> None:
    guest = AcpiGuest("kept", "noise=20")
    hypervisor.start(guest)
    domain = hypervisor.domain(guest.name)
    refused = safekeeping(hypervisor, "keep", guest.name)
    assert refused.returncode == 1 and "still runs" in refused.stderr
    domain.destroy()
    disk = hypervisor.bed.disk(guest.name)
    digest, definition = hashlib.sha256(disk.read_bytes()).hexdigest(), domain.XMLDesc(0)

    assert safekeeping(hypervisor, "keep", guest.name, "--was-running").returncode == 0
    again = safekeeping(hypervisor, "keep", guest.name)
    assert again.returncode == 1 and "give_back.yml" in again.stderr
    said = len(hypervisor.bed.com1(guest.name))
    assert safekeeping(hypervisor, "start", guest.name).returncode == 0
    hypervisor.bed.wait_for(guest.name, "ready", timeout=60, since=said)
    folder = Path(json.loads(safekeeping(hypervisor, "look", guest.name).stdout)["folder"])
    overlay = folder / "hda.qcow2"
    written = overlay.stat().st_mtime_ns
    assert soon(lambda: overlay.stat().st_mtime_ns > written)
    assert hashlib.sha256(disk.read_bytes()).hexdigest() == digest

    given = safekeeping(hypervisor, "give-back", guest.name)
    assert given.returncode == 0 and json.loads(given.stdout)["running"], given.stderr
    assert not folder.exists()
    assert domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == definition
    assert not json.loads(safekeeping(hypervisor, "give-back", guest.name).stdout)["changed"]


ADDRESS = "<address domain='0' bus='9' slot='31' function='0'/>"
PASSED_THROUGH = f"<hostdev mode='subsystem' type='pci'><source>{ADDRESS}</source></hostdev>"
NETWORK = "<disk type='network' device='disk'><source protocol='rbd' name='pool/one'/><target dev='vdz'/></disk>"


@pytest.mark.parametrize(
    ("change", "why"), [(PASSED_THROUGH, "device of the host"), (NETWORK, "of the type network")], ids=["pci", "rbd"]
)
def test_what_could_not_be_given_back_is_refused(hypervisor: Hypervisor, change: str, why: str) -> None:
    guest = AcpiGuest("refused")
    definition = guest.xml(hypervisor.bed.directory, hypervisor.bed.cache)
    domain = hypervisor.bed.connection.defineXML(definition.replace("</devices>", f"{change}</devices>"))
    hypervisor.domains.append(domain)
    for what in ("check", "keep"):
        refused = safekeeping(hypervisor, what, guest.name)
        assert refused.returncode == 1 and why in refused.stderr, refused
    assert not list(hypervisor.bed.directory.glob(f"*{domain.UUIDString()}*"))


def test_a_guest_that_nobody_keeps_is_left_alone(one: Kit) -> None:
    boots = one.windows.boots
    run = play(one.inventory(), GIVE_BACK, *LEAVE)
    assert run.status == 0 and "changed=0" in run.output, run.output
    assert one.windows.boots == boots
