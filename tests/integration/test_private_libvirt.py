# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private libvirt keeps to itself, and ends with its owner."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt
import pytest
from bed import private_libvirt
from bed.libvirt_supervisor import HIDDEN
from bed.private_libvirt import PrivateLibvirt, PrivateLibvirtError

CGROUPS = Path("/sys/fs/cgroup")
TESTS = Path(__file__).resolve().parents[1]

IDLE_GUEST = """
<domain type='qemu'>
  <name>idle</name><memory unit='MiB'>16</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
</domain>
"""

OWNER = f"""
import sys, libvirt
from bed.private_libvirt import PrivateLibvirt
with PrivateLibvirt() as private:
    libvirt.open(private.uri).createXML('''{IDLE_GUEST}''')
    print(private.directory, private.qemu_pid("idle"), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder with a shorter name than tmp_path's."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def start_idle_guest(private: PrivateLibvirt) -> None:
    libvirt.open(private.uri).defineXML(IDLE_GUEST).create()


def names(uri: str) -> list[str]:
    return [domain.name() for domain in libvirt.open(uri).listAllDomains()]


def pid_namespace(pid: int | str) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")


def processes_in(namespace: str) -> list[str]:
    """The command lines of all processes of a PID namespace."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if pid_namespace(pid) == namespace:
                found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def host_state() -> set[str]:
    """What of a libvirt there is on the machine: files, mounts and control groups."""
    folders = [Path("/run/libvirt"), *(Path(name) for name in HIDDEN if name != "/run")]
    files = [path for folder in folders for path in (folder, *folder.rglob("*")) if path.exists()]
    groups = [path for pattern in ("*machine*", "*/*machine*", "*/*libvirt*") for path in CGROUPS.glob(pattern)]
    mounts = [
        line for line in Path("/proc/self/mounts").read_text().splitlines() if re.search("libvirt|winguest", line)
    ]
    return {str(item) for item in (*files, *groups, *mounts)}


def wait_until(condition: Callable[[], bool], timeout: float = 20) -> bool:
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_nothing_is_left_of_it_and_the_machine_is_as_before() -> None:
    before = host_state()
    for dummy in range(2):
        with PrivateLibvirt() as private:
            directory = private.directory
            start_idle_guest(private)
            namespace = pid_namespace(private.qemu_pid("idle"))
            assert namespace != pid_namespace("self")
            assert any("qemu-system" in command for command in processes_in(namespace))
            assert host_state() == before
        assert processes_in(namespace) == []
        assert not directory.exists()
        assert host_state() == before


def test_two_at_once_do_not_see_each_other() -> None:
    with PrivateLibvirt() as one, PrivateLibvirt() as other:
        start_idle_guest(one)
        assert names(one.uri) == ["idle"]
        assert names(other.uri) == []
        start_idle_guest(other)
        one.stop()
        assert names(other.uri) == ["idle"]
        assert list(other.qemu_pids()) == ["idle"]


def test_the_death_of_the_owner_ends_everything() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert owner.stdin and owner.stdout
    with owner:
        directory, qemu = owner.stdout.readline().split()
        namespace = pid_namespace(qemu)
        owner.kill()
    assert wait_until(lambda: processes_in(namespace) == [])
    assert wait_until(lambda: not Path(directory).exists())


@pytest.mark.parametrize("end", [PrivateLibvirt.stop_daemon, PrivateLibvirt.kill_daemon])
def test_a_guest_outlives_the_daemon_and_is_known_to_the_next(end: Callable[[PrivateLibvirt], None]) -> None:
    with PrivateLibvirt() as private:
        start_idle_guest(private)
        pid = private.qemu_pid("idle")
        for dummy in range(2):
            end(private)
            with pytest.raises(libvirt.libvirtError):
                libvirt.open(private.uri)
            assert private.qemu_pids() == {"idle": pid}
            private.start_daemon()
            assert libvirt.open(private.uri).lookupByName("idle").isActive()
            assert private.qemu_pids() == {"idle": pid}


def test_a_frozen_daemon_is_silent_until_it_thaws_and_ends_frozen() -> None:
    with PrivateLibvirt() as private:
        connection = libvirt.open(private.uri)
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(connection.getLibVersion()))
        private.freeze_daemon()
        asking.start()
        asking.join(1)
        assert not answers
        private.thaw_daemon()
        asking.join(20)
        assert answers
        private.freeze_daemon()
        directory = private.directory
    assert not directory.exists()


def test_the_readonly_socket_only_reads() -> None:
    with PrivateLibvirt() as private:
        start_idle_guest(private)
        domain = libvirt.open(private.readonly_uri).lookupByName("idle")
        assert domain.isActive()
        with pytest.raises(libvirt.libvirtError, match="read only"):
            domain.destroy()
        assert domain.isActive()


def test_the_test_driver_keeps_its_state_while_a_connection_is_open() -> None:
    with PrivateLibvirt() as private:
        held = libvirt.open(private.test_uri)
        libvirt.open(private.test_uri).lookupByName("test").destroy()
        assert not libvirt.open(private.test_uri).lookupByName("test").isActive()
        held.close()
        assert wait_until(lambda: libvirt.open(private.test_uri).lookupByName("test").isActive() == 1)


def test_further_configuration_outweighs_ours() -> None:
    with PrivateLibvirt(['host_uuid = "01234567-89ab-cdef-0123-456789abcdef"']) as private:
        assert "<uuid>01234567-89ab-cdef-0123-456789abcdef</uuid>" in libvirt.open(private.uri).getCapabilities()


def test_a_daemon_that_does_not_start_says_why_and_leaves_nothing(short_folder: Path) -> None:
    with pytest.raises(PrivateLibvirtError, match="max_clients"):
        PrivateLibvirt(['max_clients = "many"'], short_folder).start()
    assert list(short_folder.iterdir()) == []


def test_what_libvirt_knows_about_qemu_is_kept(tmp_path: Path) -> None:
    for dummy in range(2):
        with PrivateLibvirt(capabilities=tmp_path / "kept") as private:
            start_idle_guest(private)
    assert list((tmp_path / "kept").glob("*.xml"))


def test_calls_at_the_wrong_time_are_refused() -> None:
    private = PrivateLibvirt()
    private.stop()
    with pytest.raises(PrivateLibvirtError, match="is not running"):
        print(private.uri)
    with private:
        with pytest.raises(PrivateLibvirtError, match="running already"):
            private.start()
        with pytest.raises(PrivateLibvirtError, match="running already"):
            private.start_daemon()
        with pytest.raises(PrivateLibvirtError, match='guest "nobody"'):
            private.qemu_pid("nobody")
        private.stop_daemon()
        with pytest.raises(PrivateLibvirtError, match="SIGTERM"):
            private.stop_daemon()


def test_a_folder_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PrivateLibvirtError, match="too long a name"):
        PrivateLibvirt(base=tmp_path / ("x" * 90)).start()
    with pytest.raises(PrivateLibvirtError, match="hidden"):
        PrivateLibvirt(base=Path("/run/lock")).start()


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrivateLibvirtError, match="libvirt-daemon qemu-system-x86 libvirt-daemon-driver-qemu"):
        PrivateLibvirt().start()


def test_an_ordinary_user_is_told_to_be_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PrivateLibvirtError, match="needs root"):
        PrivateLibvirt().start()


def test_a_root_without_all_rights_is_told_what_it_lacks(short_folder: Path) -> None:
    run = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", sys.executable, "-c", OWNER],
        env={**os.environ, "PYTHONPATH": str(TESTS), "TMPDIR": str(short_folder)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert "--privileged" in run.stderr
    assert "unshare failed: Operation not permitted" in run.stderr
    assert list(short_folder.iterdir()) == []


def test_a_supervisor_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, short_folder: Path) -> None:
    supervisor = tmp_path / "supervisor.py"
    supervisor.write_text("raise SystemExit('cannot mount this')")
    monkeypatch.setattr(private_libvirt, "SUPERVISOR", supervisor)
    with pytest.raises(PrivateLibvirtError, match="cannot mount this"):
        PrivateLibvirt(base=short_folder).start()
    assert list(short_folder.iterdir()) == []
