# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows about the hypervisor: what becomes of real guests when libvirt's own script of libvirt-guests stops.

The script reads the same file of settings as the audit does, and finds the private libvirt in the namespaces of it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build
from ansible_collections.winguest.shutdown.plugins.module_utils._host_readiness import AUTO_SHUTDOWN_SINCE, Host
from ansible_collections.winguest.shutdown.plugins.module_utils._host_reading import read
from bed.acpi_guest import DiskState, disk_state
from bed.guests import AcpiGuest
from integration.conftest import Hypervisor
from integration.rows import is_off, look, restart, shows, the_finding

SCRIPT = Path("/usr/lib/libvirt/libvirt-guests.sh")
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
        pid = str(self.hypervisor.bed.daemon.qemu_pid("served"))
        as_systemd = (
            'unshare --mount sh -c \'mount --bind "$1" /etc/default && mkdir -p /run/lock && exec "$2" stop\' '
            '- "$1" "$2"'
        )
        command = ["nsenter", "--mount", "--target", pid, "sh", "-c", as_systemd, "-"]
        command += [str((self.root / SETTINGS).parent), str(SCRIPT)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        (self.hypervisor.bed.daemon.directory / "lib" / "libvirt-guests").unlink(missing_ok=True)
        return ended.stdout + ended.stderr


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

    # A newer one would do what the same file says; there is none here that could be asked.
    newer = Host(read("qemu:///system", AUTO_SHUTDOWN_SINCE, root))
    told = {f.row.id: f.actual for f in newer.findings(build(ROWS)) if f.state != "ok"}
    assert told == {"host_daemon_wait": 30, "host_daemon_poweroff": "all"}
    assert (newer.acts_first, len(newer.acts())) == ("daemon", 1)

    configuration.write_text(ours)
    daemon.start_daemon()
    hypervisor.bed.reconnect()
    looked = dict(look(hypervisor, "ignored", host_root=root).returned["host"])
    assert "host_daemon_ignored" not in wrong(looked)
    assert hypervisor.domain("ignored").state()[0] == libvirt.VIR_DOMAIN_RUNNING
