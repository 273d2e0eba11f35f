# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows about the hypervisor: what becomes of real guests when it goes down.

libvirt's own script of libvirt-guests reads the same file of settings as the audit does, and finds the private libvirt
in the namespaces of it. libvirt's daemon acts on its own since 11.2, so it is the next Debian's that hears, from a
simulator of logind, that the host is about to go down.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._host_readiness import AUTO_SHUTDOWN_SINCE
from bed import libvirt_guests, newer_libvirt
from bed.acpi_guest import DiskState, disk_state
from bed.guests import CACHE, AcpiGuest, Bed
from bed.libvirt_guests import SCRIPT
from bed.logind import Logind
from bed.private_libvirt import wait_until
from integration.conftest import Hypervisor
from integration.rows import is_off, look, restart, shows, the_finding

UNIT = "libvirt-guests.service"
WANTED = Path("etc/systemd/system/multi-user.target.wants")
SETTINGS = Path("etc/default/libvirt-guests")
DAEMON_CONF = """
auto_shutdown_try_save = "persistent"
auto_shutdown_try_shutdown = "all"
auto_shutdown_poweroff = "all"
auto_shutdown_wait = 30
"""


class Files:
    """The files of the hypervisor of a private libvirt, below a folder, and what stopping libvirt-guests does."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor
        self.root = hypervisor.bed.directory / "host"
        script = self.root / str(SCRIPT).lstrip("/")
        script.parent.mkdir(parents=True)
        script.write_bytes(SCRIPT.read_bytes())

    def enable(self, settings: str) -> None:
        """Somebody enables libvirt-guests with these settings, for this libvirt."""
        (self.root / WANTED).mkdir(parents=True, exist_ok=True)
        link = self.root / WANTED / UNIT
        if not link.is_symlink():
            link.symlink_to(f"/usr/lib/systemd/system/{UNIT}")
        (self.root / SETTINGS).parent.mkdir(parents=True, exist_ok=True)
        (self.root / SETTINGS).write_text(f"URIS='{self.hypervisor.uri}'\n{settings}\n")

    def look(self) -> dict[str, Any]:
        """The audit of the hypervisor alone."""
        answer = look(self.hypervisor, "served", host_root=str(self.root))
        assert not answer.failed, answer.returned["msg"]
        return dict(answer.returned["host"])

    def stop_service(self) -> str:
        """What systemd does when the host goes down, in the mount namespace of the private libvirt."""
        return libvirt_guests.stop(self.hypervisor.bed.daemon, "served", (self.root / SETTINGS).parent)


@pytest.fixture
def host(own_hypervisor: Hypervisor) -> Files:
    """A hypervisor with one guest, that takes a while to shut down."""
    own_hypervisor.start(AcpiGuest("served", "press=obey delay=4000", sleep_states=False))
    return Files(own_hypervisor)


def wrong(looked: dict[str, Any]) -> dict[str, Any]:
    """What is not ok, and what is there."""
    return {finding["id"]: finding["actual"] for finding in looked["findings"] if finding["state"] != "ok"}


@shows("host_no_service", "host_libvirt_guests_suspend", "host_libvirt_guests_timeout")
def test_what_libvirt_guests_does(host: Files) -> None:
    hypervisor = host.hypervisor
    disk = hypervisor.bed.disk("served")
    looked = host.look()
    assert (wrong(looked), looked["acts_first"]) == ({"host_no_service": "nobody"}, "nobody")
    hypervisor.bed.daemon.stop_daemon()
    subprocess.run(["kill", "-KILL", str(hypervisor.bed.daemon.qemu_pid("served"))], check=True)  # the host goes down
    hypervisor.bed.daemon.start_daemon()
    hypervisor.bed.reconnect()
    assert disk_state(disk) is DiskState.RUNNING, "it lost power"

    host.enable("ON_SHUTDOWN=suspend")
    restart(hypervisor, "served")
    looked = host.look()
    assert (wrong(looked), looked["acts_first"]) == ({"host_libvirt_guests_suspend": "suspend"}, "libvirt-guests")
    said = host.stop_service()
    assert is_off(hypervisor, "served"), said
    assert hypervisor.domain("served").hasManagedSaveImage(0), said
    hypervisor.domain("served").managedSaveRemove(0)

    host.enable("ON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT=2")
    restart(hypervisor, "served")
    looked = host.look()
    assert wrong(looked) == {"host_libvirt_guests_timeout": 2}
    assert "one after the other, and waits for each 2 s" in looked["acts"][0]
    said = host.stop_service()
    assert hypervisor.running("served") and "failed to complete in time" in said, said
    assert disk_state(disk) is DiskState.RUNNING

    host.enable("")  # Debian's script asks for a shutdown, and waits for five minutes
    assert is_off(hypervisor, "served")
    restart(hypervisor, "served")
    looked = host.look()
    assert wrong(looked) == {}, looked
    assert "asks the running guests to shut down, one after the other, and waits for each 300 s" in looked["acts"][0]
    said = host.stop_service()
    assert not hypervisor.running("served"), said
    assert disk_state(disk) is DiskState.CLEAN


@shows("host_daemon_ignored")
def test_settings_that_this_daemon_does_not_know(own_hypervisor: Hypervisor) -> None:
    """A libvirt before 11.2 starts with them and does nothing of it; the file is the one that it has read itself."""
    hypervisor = own_hypervisor
    daemon = hypervisor.bed.daemon
    configuration = daemon.directory / "etc" / "qemu.conf"
    ours = configuration.read_text()
    daemon.stop_daemon()
    configuration.write_text(ours + DAEMON_CONF)
    daemon.start_daemon()
    hypervisor.bed.reconnect()
    assert hypervisor.bed.connection.getLibVersion() < AUTO_SHUTDOWN_SINCE, "this test is about an older libvirt"
    hypervisor.start(AcpiGuest("ignored", sleep_states=False))
    root = f"/proc/{daemon.qemu_pid('ignored')}/root"

    looked = dict(look(hypervisor, "ignored", host_root=root).returned["host"])
    names = [line.partition(" =")[0] for line in DAEMON_CONF.split("\n") if line]
    assert wrong(looked)["host_daemon_ignored"] == names, looked
    assert (looked["acts_first"], "host_no_service" in wrong(looked)) == ("nobody", True)
    assert the_finding(looked, "host_daemon_poweroff")["state"] == "ok"
    daemon.stop_daemon()
    assert hypervisor.bed.daemon.qemu_pid("ignored"), "it has neither saved it nor powered it off"
    assert disk_state(hypervisor.bed.disk("ignored")) is DiskState.RUNNING

    configuration.write_text(ours)
    daemon.start_daemon()
    hypervisor.bed.reconnect()
    looked = dict(look(hypervisor, "ignored", host_root=root).returned["host"])
    assert "host_daemon_ignored" not in wrong(looked)
    assert hypervisor.running("ignored")


DAEMON_TELLS = ('log_outputs = "1:stderr"', 'log_filters = "2:hypervisor.domain_driver"')
DONE = "Processed 1 domains"


class NewerHost(Files):
    """The same with a libvirt whose daemon acts on its own, and a logind that it listens to."""

    def __init__(self, hypervisor: Hypervisor, logind: Logind) -> None:
        super().__init__(hypervisor)
        self.logind = logind
        self.configuration = hypervisor.bed.daemon.directory / "etc" / "qemu.conf"
        self.as_installed = self.configuration.read_text()
        (self.root / "etc").mkdir()
        (self.root / "etc" / "libvirt").symlink_to(self.configuration.parent)

    def configure(self, *settings: str) -> None:
        """Somebody sets these in qemu.conf, and restarts the daemon."""
        hypervisor = self.hypervisor
        hypervisor.bed.daemon.stop_daemon()
        lines = [f"auto_shutdown_{setting}\n" for setting in settings]
        self.configuration.write_text(self.as_installed + "".join(lines))
        hypervisor.bed.daemon.start_daemon()
        hypervisor.bed.reconnect()

    def announce(self) -> None:
        """The host is about to go down; return when the daemon has done what it does then."""
        before = self.daemon_said().count(DONE)
        self.logind.announce_shutdown()
        assert wait_until(lambda: self.daemon_said().count(DONE) > before, 60), self.daemon_said()

    def daemon_said(self) -> str:
        """Everything that the daemon has said."""
        return (self.hypervisor.bed.daemon.directory / "libvirtd.log").read_text()

    def end(self) -> tuple[int, DiskState]:
        """Why libvirt says that the guest is off, and what that has left on its disk."""
        assert is_off(self.hypervisor, "served")
        domain: Any = self.hypervisor.domain("served")
        return domain.state()[1], disk_state(self.hypervisor.bed.disk("served"))


SHUT_DOWN = (libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN, DiskState.CLEAN)
POWERED_OFF = (libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED, DiskState.RUNNING)


@pytest.fixture
def newer_host() -> Iterator[NewerHost]:
    """A hypervisor of a newer libvirt with one guest, that takes eight seconds to shut down."""
    with (
        Bed(DAEMON_TELLS, libvirtd=newer_libvirt.command(CACHE)) as bed,
        Logind(bed.daemon.directory / "run" / "dbus") as logind,
    ):
        assert bed.connection.getLibVersion() >= AUTO_SHUTDOWN_SINCE, "this is about a newer libvirt"
        host = NewerHost(Hypervisor(bed), logind)
        host.configure()  # from now on it listens to logind
        host.hypervisor.start(AcpiGuest("served", "press=obey delay=8000", sleep_states=False))
        yield host


@shows("host_daemon_wait", "host_daemon_poweroff")
def test_what_the_daemon_does(newer_host: NewerHost) -> None:
    host = newer_host
    ((what, who, dummy_why, mode),) = host.logind.inhibitors()
    assert (what, who, mode) == ("shutdown", "Libvirt QEMU", "delay"), "logind's own InhibitDelayMaxSec is above it"

    host.configure('try_shutdown = "all"', "wait = 1")
    looked = host.look()
    assert (wrong(looked), looked["acts_first"]) == ({"host_daemon_wait": 1}, "daemon")
    assert "asks all domains to shut down, and waits 1 s for them together" in looked["acts"][0]
    host.announce()
    assert host.hypervisor.running("served"), "it was done before the guest was"
    assert disk_state(host.hypervisor.bed.disk("served")) is DiskState.RUNNING

    host.configure('try_shutdown = "all"', "wait = 1", 'poweroff = "all"')
    restart(host.hypervisor, "served")
    looked = host.look()
    assert wrong(looked) == {"host_daemon_wait": 1, "host_daemon_poweroff": "all"}
    host.announce()
    assert host.end() == POWERED_OFF

    host.configure('try_shutdown = "all"', "wait = 1", 'poweroff = "none"')
    restart(host.hypervisor, "served")
    assert wrong(host.look()) == {"host_daemon_wait": 1}
    host.announce()
    assert host.end() == SHUT_DOWN, "nobody has taken its power while it did"

    host.configure('try_shutdown = "all"', "wait = 300", 'poweroff = "none"')
    restart(host.hypervisor, "served")
    looked = host.look()
    assert wrong(looked) == {}, looked
    host.announce()
    assert not host.hypervisor.running("served"), "the daemon was done before the guest was"
    assert host.end() == SHUT_DOWN


@shows("host_two_services")
def test_libvirt_guests_and_the_daemon_both(newer_host: NewerHost) -> None:
    """The daemon takes the power of a guest that libvirt-guests would have waited for."""
    host = newer_host
    host.enable("ON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT=300")
    host.configure('try_shutdown = "all"', "wait = 3", 'poweroff = "all"')
    looked = host.look()
    assert wrong(looked)["host_two_services"] == looked["acts"] and len(looked["acts"]) == 2, looked
    assert looked["acts_first"] == "daemon"
    host.logind.announce_shutdown()
    said = host.stop_service()
    assert host.end() == POWERED_OFF, said

    host.configure('try_shutdown = "none"', 'poweroff = "none"')
    restart(host.hypervisor, "served")
    looked = host.look()
    assert (wrong(looked), looked["acts_first"], len(looked["acts"])) == ({}, "libvirt-guests", 1)
    host.logind.announce_shutdown()
    said = host.stop_service()
    assert not host.hypervisor.running("served"), said
    assert host.end() == SHUT_DOWN, said
