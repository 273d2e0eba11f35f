# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images with NTFS and hives that the tests make, opened by libguestfs: audited, mended, booted, refused, killed.

An appliance takes twenty seconds to start without KVM, so there are few of these tests; what needs none is in
test_image_disk.py. What was written is read by ntfs-3g on this machine, and by another reader of hives.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bed import ansible_run, appliance, disk_image, image
from bed.disk_image import Volume, digest
from bed.guests import CACHE, AcpiGuest
from bed.image import AUDIT, MEND, SOFTWARE
from bed.module import HYPERVISOR_PYTHON
from bed.windows import keys
from bed.windows.systems import SERVER_2022
from bed.windows.typed import dword
from integration.conftest import Hypervisor
from integration.faults import fault

pytestmark = [pytest.mark.xdist_group("appliance"), pytest.mark.timeout(600)]

PATIENCE = 300
RESERVED = Volume(mib=8)
WRONG = {keys.RELIABILITY_POLICY: {"ShutdownReasonOn": dword(1)}}
NO_DOMAINS = {"uri": "test:///default"}


@pytest.fixture(scope="module", autouse=True)
def libguestfs() -> Iterator[None]:
    """The appliance that the modules find."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in appliance.environment(CACHE).items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def hives() -> dict[str, bytes]:
    """The hives of a server that asks for a reason."""
    return image.hives(SERVER_2022, WRONG)


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """No appliance outlives its run, however that ended, and no file lies beside the image."""
    yield
    wait_for_the_end_of_appliances(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def wait_for_the_end_of_appliances(folder: Path) -> None:
    """libguestfs ends them itself, also when the run that started one was killed; it looks every other second."""
    deadline = time.monotonic() + 60
    while found := appliances(folder):
        assert time.monotonic() < deadline, f"these appliances are left: {found}"
        time.sleep(0.2)


def sockets_of(pids: list[int]) -> list[Path]:
    """The temporary folders with the sockets of appliances."""
    commands = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in pids)
    return [Path(found) for found in set(re.findall(r"path=(/[^,\0]*/libguestfs[^,/\0]+)/", commands))]


def appliances(folder: Path) -> list[int]:
    """The process ids of QEMUs that have a file of this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"qemu-system" in command and os.fsencode(folder) in command:
                found.append(int(entry.name))
    return found


def reason_is_asked_for(path: Path, kind: str, scratch: Path) -> bool:
    """What the image's SOFTWARE says, by other programs than the collection's."""
    hive = scratch / "SOFTWARE.read"
    hive.write_bytes(disk_image.read(path, SOFTWARE, kind, number=1))
    return image.read(hive, r"HKLM\SOFTWARE")[keys.RELIABILITY_POLICY]["ShutdownReasonOn"] != dword(0)


def temporary_domain(hypervisor: Hypervisor, folder: Path) -> Path:
    """A template for the last step: the ACPI guest, with the image as its disk."""
    name, disk = "{{ image_readiness_boot_name | e }}", "{{ image_readiness_boot_disk | e }}"
    text = AcpiGuest("to-be-booted").xml(hypervisor.bed.directory, hypervisor.bed.cache)
    place = str(hypervisor.bed.disk("to-be-booted"))
    assert "<name>to-be-booted</name>" in text and 'type="raw"' in text and text.count(place) == 1
    text = text.replace("<name>to-be-booted</name>", f"<name>{name}</name>").replace(place, disk)
    template = folder / "domain.xml.j2"
    template.write_text(text.replace('type="raw"', 'type="{{ image_readiness_boot_format }}"'))
    return template


def play(folder: Path, **variables: Any) -> ansible_run.Run:
    """The playbook, with one builder, which is this machine."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
    group = {"hosts": {"here": host}, "vars": {f"image_readiness_{name}": value for name, value in variables.items()}}
    inventory = {"image_builders": group, "build_guests": {}}
    return ansible_run.play(inventory, "winguest.shutdown.prepare_image", timeout=2 * PATIENCE)


def test_the_playbook_mends_boots_and_shuts_down(
    hypervisor: Hypervisor, tmp_path: Path, hives: dict[str, bytes]
) -> None:
    """And its second run changes nothing. An image that cannot be opened keeps none from being done."""
    disk = disk_image.make(tmp_path / "golden.qcow2", [RESERVED, Volume(hives)])
    assert reason_is_asked_for(disk, "qcow2", tmp_path)
    booted = {
        "boot": True,
        "boot_uri": hypervisor.uri,
        "boot_template": str(temporary_domain(hypervisor, tmp_path)),
        "boot_wait": 5,
        "boot_timeout": 60,
    }
    missing = str(tmp_path / "missing.qcow2")
    first = play(tmp_path, images=[missing, str(disk)], uri=hypervisor.uri, **booted)
    assert first.status == 2, first.output
    assert f"{disk}: ready" in first.output and f"{missing}: not ready" in first.output
    results = [task.result for task in first.tasks if task.action == f"winguest.shutdown.{MEND}"]
    assert [result["changed"] for result in results] == [False, True]
    fixed = {finding["id"] for finding in results[1]["findings"] if finding["state"] == "fixed"}
    assert "event_tracker_policy" in fixed
    assert (results[1]["holds"], results[1]["format"]) == (str(disk), "qcow2")
    assert not reason_is_asked_for(disk, "qcow2", tmp_path)
    shutdown = first.result("here", "winguest.shutdown.domain_shutdown")["domains"]
    assert [domain["outcome"] for domain in shutdown] == ["graceful"]
    assert not list(tmp_path.glob("*.boot*"))
    mended = digest(disk)
    second = play(tmp_path, images=[str(disk)], uri=hypervisor.uri)
    assert second.status == 0, second.output
    assert "changed=0" in second.output and f"{disk}: ready" in second.output
    assert digest(disk) == mended


@fault("image_damaged")
@pytest.mark.parametrize(
    ("kind", "volume", "words"),
    [
        ("vmdk", {"dirty": True}, "is dirty"),
        ("raw", {"files": {"hiberfil.sys": b"HIBR".ljust(4096, b"\0")}}, "is hibernated"),
        ("vhdx", {"start": b"\xeb\x58\x90-FVE-FS-"}, "BitLocker"),
    ],
    ids=["dirty", "hibernated", "encrypted"],
)
def test_what_is_refused_is_left_as_it_was(
    tmp_path: Path, hives: dict[str, bytes], kind: str, volume: dict[str, Any], words: str
) -> None:
    """Each in another format."""
    files = {**hives, **volume.pop("files", {})}
    disk = disk_image.make(tmp_path / f"a.{kind}", [RESERVED, Volume(files, **volume)])
    before = digest(disk)
    answer = image.begin(MEND, image=disk, **NO_DOMAINS).answer(PATIENCE)
    assert answer.failed and words in answer.returned["msg"], answer
    assert not answer.returned.get("changed")
    assert digest(disk) == before
    assert os.listdir(tmp_path) == [disk.name]


def test_what_is_cut_off_can_be_audited(tmp_path: Path, hives: dict[str, bytes]) -> None:
    """A volume whose log is open, as after a power failure: it is read, and told to be no place to write to."""
    disk = disk_image.make(tmp_path / "a.raw", [RESERVED, Volume(hives, cut_off=True)])
    before = digest(disk)
    answer = image.begin(AUDIT, image=disk, **NO_DOMAINS).answer(PATIENCE)
    assert not answer.failed, answer
    (obstacle,) = answer.returned["obstacles"]
    assert "is dirty" in obstacle
    assert "event_tracker_policy" in {
        found["id"] for found in answer.returned["findings"] if found["state"] == "differs"
    }
    assert digest(disk) == before


@fault("image_killed")
def test_killed_and_ended(tmp_path: Path, hives: dict[str, bytes]) -> None:
    """SIGKILL and SIGTERM in the middle leave the image as it was, and the next run removes what SIGKILL has left."""
    disk = disk_image.make(tmp_path / "a.raw", [RESERVED, Volume(hives)])
    before = digest(disk)
    for number in signal.SIGKILL, signal.SIGTERM:
        call = image.begin(MEND, image=disk, **NO_DOMAINS)
        deadline = time.monotonic() + PATIENCE
        while not appliances(tmp_path):
            assert call.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        sockets = sockets_of(appliances(tmp_path))
        call.process.send_signal(number)
        call.process.communicate(timeout=PATIENCE)
        wait_for_the_end_of_appliances(tmp_path)
        if number == signal.SIGKILL:
            for folder in sockets:  # libguestfs has them where nobody can tell it not to
                shutil.rmtree(folder, ignore_errors=True)
        assert not [folder for folder in sockets if folder.exists()]
        assert digest(disk) == before
        beside = [path.name for path in tmp_path.iterdir() if path != disk]
        assert beside == ([f".{disk.name}.winguest-work"] if number == signal.SIGKILL else [])
