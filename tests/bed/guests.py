# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guests of the test bed as libvirt domains, and the bed they run in.

    with Bed() as bed:
        domain, = bed.start(AcpiGuest("one", "press=obey"))
        bed.wait_for("one", "ready")

A guest's files lie in one folder: NAME.disk, NAME.com1 (what it says on its first serial port) and, for an ACPI guest,
NAME.com2 (a Unix socket through which it is told what to do).
"""

from __future__ import annotations

import os
import socket
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import libvirt

from bed import acpi_guest, agent_guest
from bed.private_libvirt import LIBVIRTD, LONGEST_SOCKET_PATH, PrivateLibvirt

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "bed"
LIBOSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
WINDOWS_10 = "http://microsoft.com/win/10"

ET.register_namespace("libosinfo", LIBOSINFO)
ET.register_namespace("qemu", QEMU)


@dataclass(frozen=True)
class AcpiGuest:
    """The ACPI guest (see bed.acpi_guest for its behaviours) as a domain; to libvirt it is a Windows, unless told not.

    `display`: has a graphics card; `agent_channel`: has the agent's channel, with nobody at its other end;
    `sleep_states`: offers S3; `kvm`: uses KVM and not TCG.
    """

    name: str
    behaviour: str = "press=obey"
    disk: bool = True
    display: bool = True
    acpi: bool = True
    agent_channel: bool = False
    sleep_states: bool = True
    on_poweroff: str = "destroy"
    memory_mib: int = 16
    kvm: bool = False
    windows: bool = True

    def xml(self, directory: Path, cache: Path) -> str:
        """The domain's XML; the kernel (in `cache`) and the disk (in `directory`) it names are made where missing."""
        domain, devices = skeleton(self, directory)
        boot(domain, acpi_guest.build(cache), self.behaviour)
        disk = file_of(self.name, "disk", directory)
        if self.disk:
            if not disk.exists():
                acpi_guest.make_disk(disk)
            add_disk(devices, disk, "hda", "ide")
        com2 = file_of(self.name, "com2", directory)
        if len(os.fsencode(com2)) > LONGEST_SOCKET_PATH:
            raise ValueError(f"{com2} is too long for a Unix socket: give the guest or the folder a shorter name.")
        serial = add(devices, "serial", type="unix")
        add(serial, "source", mode="bind", path=str(com2))
        add(serial, "target", port="1")
        return ET.tostring(domain, encoding="unicode")


@dataclass(frozen=True)
class AgentGuest:
    """The agent guest (see bed.agent_guest for its behaviours) as a domain; the words are those of AcpiGuest."""

    name: str
    behaviour: str = "agent=obey"
    display: bool = True
    acpi: bool = True
    agent_channel: bool = True
    sleep_states: bool = False
    on_poweroff: str = "destroy"
    memory_mib: int = 128
    kvm: bool = False
    windows: bool = False

    def xml(self, directory: Path, cache: Path) -> str:
        """The domain's XML; the files (in `cache`) and the disk (in `directory`) it names are made where missing."""
        files = agent_guest.build(cache)
        domain, devices = skeleton(self, directory)
        boot(domain, files.kernel, f"{agent_guest.KERNEL_WORDS} {self.behaviour}", files.initramfs)
        disk = file_of(self.name, "disk", directory)
        if not disk.exists():
            agent_guest.make_disk(files, disk)
        add_disk(devices, disk, "vda", "virtio")
        return ET.tostring(domain, encoding="unicode")


Guest = AcpiGuest | AgentGuest


def skeleton(guest: Guest, directory: Path) -> tuple[ET.Element, ET.Element]:
    """What the domains of all guests have in common: the domain and its devices."""
    domain = ET.Element("domain", type="kvm" if guest.kvm else "qemu")
    add(domain, "name", guest.name)
    add(domain, "uuid", str(uuid.uuid5(uuid.NAMESPACE_URL, guest.name)))  # a domain can be defined again by its name
    if guest.windows:
        system = add(add(domain, "metadata"), f"{{{LIBOSINFO}}}libosinfo")
        add(system, f"{{{LIBOSINFO}}}os", id=WINDOWS_10)
    add(domain, "memory", str(guest.memory_mib), unit="MiB")
    features = add(domain, "features")
    if guest.acpi:
        add(features, "acpi")
    add(domain, "on_poweroff", guest.on_poweroff)
    add(add(domain, "pm"), "suspend-to-mem", enabled="yes" if guest.sleep_states else "no")
    # Otherwise libvirt asks for 400 properties of the processor, one by one, and QEMU reads what it is asked byte by
    # byte: more than half of the time that a guest takes to start.
    add(add(domain, f"{{{QEMU}}}capabilities"), f"{{{QEMU}}}del", capability="cpu-unavailable-features")
    devices = add(domain, "devices")
    add(devices, "controller", type="usb", model="none")
    add(devices, "memballoon", model="none")
    if guest.display:
        add(add(devices, "graphics", type="vnc"), "listen", type="none")
        add(add(devices, "video"), "model", type="vga")
    if guest.agent_channel:
        add(add(devices, "channel", type="unix"), "target", type="virtio", name="org.qemu.guest_agent.0")
    serial = add(devices, "serial", type="file")
    add(serial, "source", path=str(file_of(guest.name, "com1", directory)), append="on")
    add(serial, "target", port="0")
    return domain, devices


def boot(domain: ET.Element, kernel: Path, command_line: str, initramfs: Path | None = None) -> None:
    """Let the domain boot this kernel directly."""
    system = add(domain, "os")
    add(system, "type", "hvm", arch="x86_64", machine="pc")
    add(system, "kernel", str(kernel))
    if initramfs:
        add(system, "initrd", str(initramfs))
    add(system, "cmdline", command_line)


def add_disk(devices: ET.Element, path: Path, target: str, bus: str) -> None:
    """Give the domain a raw disk."""
    disk = add(devices, "disk", type="file", device="disk")
    add(disk, "driver", name="qemu", type="raw")
    add(disk, "source", file=str(path))
    add(disk, "target", dev=target, bus=bus)


def add(parent: ET.Element, tag: str, text: str | None = None, /, **attributes: str) -> ET.Element:
    """Add an element, and return it."""
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def file_of(name: str, kind: str, directory: Path) -> Path:
    """Where the guest's file of this kind is: disk, com1 or com2."""
    return directory / f"{name}.{kind}"


class Bed:
    """A private libvirt with a connection to it, and guests; use it as a context manager.

    `daemon` is the PrivateLibvirt, `connection` the connection; after a restart of the daemon, call `reconnect`.
    """

    connection: libvirt.virConnect

    def __init__(
        self,
        libvirtd_conf: Sequence[str] = (),
        base: Path | None = None,
        cache: Path = CACHE,
        libvirtd: Sequence[str] = LIBVIRTD,
    ) -> None:
        """`cache`: the folder of what is made once, such as the guests' kernels; the others as in PrivateLibvirt."""
        # What one libvirt has found out is nothing to another, so only the machine's own keeps it.
        capabilities = cache / "capabilities" if libvirtd == LIBVIRTD else None
        self.daemon = PrivateLibvirt(libvirtd_conf, base, capabilities, libvirtd)
        self.cache = cache

    def __enter__(self) -> Bed:
        self.daemon.start()
        try:
            self.directory.mkdir()
            self.reconnect()
        except BaseException:
            self.daemon.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.daemon.stop()

    @property
    def directory(self) -> Path:
        """The folder of the guests' files."""
        return self.daemon.directory / "guests"

    def reconnect(self) -> libvirt.virConnect:
        """Open the connection anew, and return it."""
        self.connection = libvirt.open(self.daemon.uri)
        return self.connection

    def forget(self, name: str) -> None:
        """Take away what an earlier guest of that name has said, and its disk, if it has no domain any more."""
        if name not in {domain.name() for domain in self.connection.listAllDomains()}:
            for kind in ("com1", "disk"):
                file_of(name, kind, self.directory).unlink(missing_ok=True)

    def define(self, guest: Guest) -> libvirt.virDomain:
        """Define the guest's domain, and return it."""
        self.forget(guest.name)
        return self.connection.defineXML(guest.xml(self.directory, self.cache))

    def start(self, *guests: Guest) -> list[libvirt.virDomain]:
        """Define the guests' domains, start them one after the other, and return them."""
        domains = [self.define(guest) for guest in guests]
        for domain in domains:
            domain.create()
        return domains

    def disk(self, name: str) -> Path:
        """The file that is the guest's disk."""
        return file_of(name, "disk", self.directory)

    def com1(self, name: str) -> str:
        """What the guest has said on its first serial port, in all its boots."""
        path = file_of(name, "com1", self.directory)
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for(self, name: str, text: str, timeout: float = 30, since: int = 0) -> int:
        """Wait until the guest has said this in COM1 after position `since`; return the position after it."""
        deadline = time.monotonic() + timeout
        while (found := self.com1(name).find(text, since)) < 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f'"{name}" did not say "{text}" within {timeout:g} s. It said:\n{self.com1(name)}')
            time.sleep(0.05)
        return found + len(text)

    def tell(self, name: str, words: str, timeout: float = 10) -> None:
        """Write a line to the second serial port of an ACPI guest, and wait until the guest has taken it."""
        path = file_of(name, "com2", self.directory)
        with socket.socket(socket.AF_UNIX) as com2:
            com2.settimeout(timeout)
            try:
                com2.connect(str(path))
                com2.sendall(f"{words}\n".encode())
                taken = any(line.endswith(" told\n") for line in com2.makefile())
            except OSError as error:
                raise RuntimeError(f'"{name}" was not told "{words}" through {path}: {error}') from error
        if not taken:
            raise RuntimeError(f'"{name}" ended before it was told "{words}" through {path}.')
