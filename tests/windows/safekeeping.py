# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps a domain as it is, starts it on overlays of its disks, and gives it back. Runs on the hypervisor.

    python3 safekeeping.py look|check|keep|start|give-back DOMAIN
        [--uri URI] [--images FOLDER] [--room GIB] [--was-running]

Needs Python 3.9 and libvirt's bindings. Prints a JSON document, or says on standard error why not and ends with 1.

The domain is kept while it is off: its disks get overlays by libvirt's external snapshot, so that they are not written
to, and its definition, its UEFI variables and its TPM's state are copied. That works on every libvirt and with every
format of disk, and needs no room but for what the guest writes meanwhile. All of it is in one folder, whose existence
says that the domain is being kept. To give it back is to end it, to put definition and copies back, to start it if it
ran before, and to delete the folder; it can be done again wherever it was interrupted.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import libvirt

PREFIX = "winguest-acceptance-"
TPM_STATES = Path("/var/lib/libvirt/swtpm")
DISKS = {"file": "file", "block": "dev"}
GIB = 1 << 30


class Refused(Exception):
    """It cannot be kept, or not be given back; the text says why and what to do."""


class Safekeeping:
    """One domain, and the folder in which it is kept."""

    def __init__(self, domain: libvirt.virDomain, images: Path) -> None:
        self.domain = domain
        self.folder = images / f"{PREFIX}{domain.UUIDString()}"
        self.definition = self.folder / "domain.xml"
        self.note = self.folder / "before.json"

    @property
    def kept(self) -> bool:
        """Whether it is being kept now."""
        return self.folder.exists()

    def keep(self, was_running: bool, room: float) -> None:
        """Keep it; if that cannot be done it is left as it was, and started if it ran."""
        self.refuse(room)
        if self.domain.isActive():
            raise Refused(f"{self.domain.name()} still runs, and is kept only while it is off.")
        flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
        definition = self.domain.XMLDesc(flags)
        tree = ET.fromstring(definition)
        self.folder.mkdir(mode=0o711)
        try:
            os.chmod(self.folder, 0o711)  # QEMU's user must get at the overlays, whatever the umask is
            _write(self.note, json.dumps({"was_running": was_running, "states": self._copy_states(tree)}))
            _write(self.definition, definition)
            flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
            self.domain.snapshotCreateXML(self._snapshot(tree), flags)
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Give it back as it was, from wherever this was interrupted."""
        if self.domain.isActive():
            self.domain.destroy()
        if self.domain.hasManagedSaveImage():
            self.domain.managedSaveRemove()
        if self.definition.exists():
            self.domain.connect().defineXML(self.definition.read_text(encoding="utf-8"))
            note = json.loads(self.note.read_text(encoding="utf-8"))
            for number, path in enumerate(note["states"]):
                _replace(self._state(number), Path(path))
            if note["was_running"]:
                self.domain.create()
        shutil.rmtree(self.folder)

    def by_hand(self) -> list[str]:
        """What a person does to give it back."""
        name = self.domain.name()
        lines = [f"virsh destroy '{name}'   # if it runs", f"virsh define '{self.definition}'"]
        if self.note.exists():
            note = json.loads(self.note.read_text(encoding="utf-8"))
            for number, path in enumerate(note["states"]):
                lines.append(f"rm -rf '{path}' && cp -a '{self._state(number)}' '{path}'")
            if note["was_running"]:
                lines.append(f"virsh start '{name}'")
        return [*lines, f"rm -rf '{self.folder}'"]

    def refuse(self, room: float) -> None:
        """Raise Refused where it could not be given back as it was; it may still run."""
        name = self.domain.name()
        tree = ET.fromstring(self.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        if self.kept:
            raise Refused(
                f"{name} is kept in {self.folder} already, by a run that was interrupted or still goes on. "
                "Give it back first: run the playbook give_back.yml."
            )
        if not self.domain.isPersistent():
            raise Refused(f"{name} is transient: nothing of it would be left to be given back. Define it first.")
        if self.domain.hasManagedSaveImage():
            raise Refused(f"{name} has a managed-save image. Start it and shut it down, and run this again.")
        if tree.find("devices/hostdev") is not None:
            raise Refused(f"{name} has a device of the host, and what is on that could not be given back.")
        if not _written(tree):
            raise Refused(f"{name} has no disk that could be kept.")
        free = shutil.disk_usage(self.folder.parent).free / GIB
        if free < room:
            raise Refused(f"{self.folder.parent} has {free:.1f} GiB free, and {room:g} are asked for.")
        for disk in _written(tree):
            kind, target = disk.get("type", ""), _target(disk)
            if kind not in DISKS:
                raise Refused(f"the disk {target} of {name} is of the type {kind}, of which no overlay is made here.")
            if disk.find("shareable") is not None:
                raise Refused(f"the disk {target} of {name} is shared with others, so it could not be given back.")

    def _snapshot(self, tree: ET.Element) -> str:
        snapshot = ET.Element("domainsnapshot")
        disks = ET.SubElement(snapshot, "disks")
        written = {_target(disk) for disk in _written(tree)}
        for target in sorted(_target(disk) for disk in tree.iterfind("devices/disk")):
            kept = target in written
            disk = ET.SubElement(disks, "disk", name=target, snapshot="external" if kept else "no")
            if kept:
                ET.SubElement(disk, "driver", type="qcow2")
                ET.SubElement(disk, "source", file=str(self.folder / f"{target}.qcow2"))
        return ET.tostring(snapshot, encoding="unicode")

    def _state(self, number: int) -> Path:
        return self.folder / f"state-{number}"

    def _copy_states(self, tree: ET.Element) -> list[str]:
        """Copy what a guest writes to besides its disks; what is not there yet is noted, and taken away at the end."""
        paths = [Path(text) for text in [tree.findtext("os/nvram")] if text]
        if tree.find("devices/tpm/backend[@type='emulator']") is not None:
            paths.append(TPM_STATES / self.domain.UUIDString())
        for number, path in enumerate(paths):
            if path.exists():
                _copy(path, self._state(number))
        return [str(path) for path in paths]


def _written(tree: ET.Element) -> list[ET.Element]:
    """The disks that a guest can write to."""
    disks = [disk for disk in tree.iterfind("devices/disk") if disk.get("device", "disk") in ("disk", "lun")]
    return [disk for disk in disks if disk.find("readonly") is None]


def _target(disk: ET.Element) -> str:
    target = disk.find("target")
    return "" if target is None else target.get("dev", "")


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a definition has passwords in it."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _copy(source: Path, target: Path) -> None:
    """With owners and modes."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
        for path in [source, *source.rglob("*")]:
            status = path.lstat()
            os.chown(target / path.relative_to(source), status.st_uid, status.st_gid, follow_symlinks=False)
    else:
        shutil.copy2(source, target)
        os.chown(target, source.stat().st_uid, source.stat().st_gid)


def _replace(kept: Path, path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kept.exists():
        _copy(kept, path)


def run(arguments: argparse.Namespace) -> dict[str, t.Any]:
    """Do what was asked for."""
    libvirt.registerErrorHandler(lambda *dummy: None, None)
    # What an interrupted run has left at work here ends before anything is given back.
    lock = os.open(arguments.images, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    connection = libvirt.open(arguments.uri)
    try:
        domain = connection.lookupByName(arguments.domain)
        safe = Safekeeping(domain, arguments.images)
        if arguments.what == "check":
            safe.refuse(arguments.room)
        elif arguments.what == "keep":
            safe.keep(arguments.was_running, arguments.room)
        elif arguments.what == "start" and not safe.kept:
            raise Refused(f"{arguments.domain} is not kept, so it is not started.")
        elif arguments.what == "start":
            domain.create()
        elif arguments.what == "give-back" and safe.kept:
            hand = safe.by_hand()
            try:
                safe.give_back()
            except Exception as error:
                raise Refused(f"{error}. By hand, on the hypervisor, as root: {'; '.join(hand)}") from error
            return _told(connection, safe, changed=True)
        elif arguments.what == "give-back" and arguments.was_running and not domain.isActive():
            domain.create()  # it was shut down, and could not be kept
            return _told(connection, safe, changed=True)
        return _told(connection, safe, changed=arguments.what in ("keep", "start"))
    finally:
        connection.close()
        os.close(lock)


def _told(connection: libvirt.virConnect, safe: Safekeeping, changed: bool) -> dict[str, t.Any]:
    state = int(safe.domain.state()[0])
    return {
        "changed": changed,
        "kept": safe.kept,
        "running": bool(safe.domain.isActive()),
        "asleep": state == libvirt.VIR_DOMAIN_PMSUSPENDED,
        "folder": str(safe.folder),
        "by_hand": safe.by_hand() if safe.kept else [],
        "libvirt": _version(connection.getLibVersion()),
        "qemu": _version(connection.getVersion()),
    }


def _version(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def main(words: t.Sequence[str]) -> int:
    """Take the words of the command line, and print what became of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["look", "check", "keep", "start", "give-back"])
    parser.add_argument("domain")
    parser.add_argument("--uri", default="qemu:///system")
    parser.add_argument("--images", type=Path, default=Path("/var/lib/libvirt/images"))
    parser.add_argument("--room", type=float, default=10.0, help="GiB that must be free")
    parser.add_argument("--was-running", action="store_true")
    arguments = parser.parse_args(words)
    try:
        print(json.dumps(run(arguments)))
    except (Refused, libvirt.libvirtError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
