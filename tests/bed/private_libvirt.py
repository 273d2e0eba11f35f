# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A libvirt of one's own: its sockets, state and configuration in a temporary folder, its processes in namespaces.

A libvirt that is already on the machine, and its guests, are neither touched nor seen. Nothing outlives the Python
process that started it, not even if that process is killed. It needs root, for the namespaces.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import libvirt

SUPERVISOR = Path(__file__).with_name("libvirt_supervisor.py")
PREFIX = "winguest-bed-"
LONGEST_SOCKET_PATH = 99  # the kernel takes 107, and URIs and guests' sockets beside ours want some room
PROGRAMS = {
    "unshare": "util-linux",
    "libvirtd": "libvirt-daemon",
    "qemu-system-x86_64": "qemu-system-x86",
}
LIBVIRTD = ("libvirtd",)
QEMU_DRIVER = "libvirt-daemon-driver-qemu"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0

LIBVIRTD_CONF = """\
unix_sock_dir = "{directory}"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
host_uuid = "{uuid}"
log_outputs = "3:stderr"
"""

QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""


class PrivateLibvirtError(RuntimeError):
    """The private libvirt cannot be had or did not do what it was told; the text says why and what to do."""


class PrivateLibvirt:
    """A libvirtd in its own mount, PID and network namespaces; use it as a context manager.

    Several can run at once. Guests go on running while the daemon is stopped, killed or frozen, and end with `stop`.
    """

    def __init__(
        self,
        libvirtd_conf: Sequence[str] = (),
        base: Path | None = None,
        capabilities: Path | None = None,
        libvirtd: Sequence[str] = LIBVIRTD,
    ) -> None:
        """Nothing is started yet.

        `libvirtd_conf`: further lines of libvirtd.conf, which outweigh ours; `base`: where the temporary folder is
        made; `capabilities`: a folder that keeps what libvirt has found out about QEMU, which costs it over a second,
        for the next private libvirt (it is not believed once QEMU, libvirt or the kernel is another); `libvirtd`: the
        command that is libvirtd, where it is not to be the machine's own.
        """
        self._libvirtd_conf = libvirtd_conf
        self._base = base
        self._kept_capabilities = capabilities
        self._libvirtd = libvirtd
        self._directory: Path | None = None
        self._supervisor: subprocess.Popen[str] | None = None
        self._daemon_pid: int | None = None

    def __enter__(self) -> PrivateLibvirt:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def directory(self) -> Path:
        """The temporary folder; guests' files may lie in it and go with it."""
        if self._directory is None:
            raise PrivateLibvirtError("The private libvirt is not running: use it in a with statement or call start().")
        return self._directory

    @property
    def uri(self) -> str:
        """Where a client on this machine, run by root, finds the QEMU driver."""
        return f"qemu+unix:///system?socket={self.directory}/libvirt-sock"

    @property
    def readonly_uri(self) -> str:
        """The same through the socket that only allows reading."""
        return f"qemu+unix:///system?socket={self.directory}/libvirt-sock-ro"

    @property
    def test_uri(self) -> str:
        """libvirt's test driver in this daemon; its state lasts while a connection to it is open."""
        return f"test+unix:///default?socket={self.directory}/libvirt-sock"

    @property
    def daemon_pid(self) -> int:
        """The process id of libvirtd."""
        if self._daemon_pid is None:
            raise PrivateLibvirtError("libvirtd is not running: start_daemon() first.")
        return self._daemon_pid

    def start(self) -> None:
        """Make the folder and the namespaces, and start the daemon."""
        if self._directory is not None:
            raise PrivateLibvirtError(f"The private libvirt in {self._directory} is running already: stop() it first.")
        check_machine()
        self._directory = make_directory(self._base, self._libvirtd_conf)
        try:
            if self._kept_capabilities:
                copy_new(self._kept_capabilities, self._capabilities)
            self._start_supervisor()
            self.start_daemon()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all guests and daemons at once, and remove the folder."""
        if self._kept_capabilities and self._directory:
            with contextlib.suppress(OSError):  # without them the next one is slower, and no worse
                copy_new(self._capabilities, self._kept_capabilities)
        if self._supervisor is not None:
            assert self._supervisor.stdin and self._supervisor.stdout
            with contextlib.suppress(BrokenPipeError):
                self._supervisor.stdin.close()
            try:
                self._supervisor.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()  # takes process 1 of the namespaces, and so everything in them, with it
                self._supervisor.wait()
            self._supervisor.stdout.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._supervisor = self._directory = self._daemon_pid = None

    def start_daemon(self) -> None:
        """Start libvirtd, and return when it accepts connections."""
        if self._daemon_pid is not None and is_alive(self._daemon_pid):
            raise PrivateLibvirtError("libvirtd is running already: stop_daemon() or kill_daemon() it first.")
        inner_pid = int(self._tell_supervisor("start"))
        self._daemon_pid = next((pid for pid in self._pids() if pid_in_its_namespace(pid) == inner_pid), None)
        if not wait_until(self._daemon_listens, START_TIMEOUT):
            raise PrivateLibvirtError(f"libvirtd did not listen within {START_TIMEOUT:g} s. It said:\n{self.log()}")
        try:
            libvirt.open(self.uri).close()  # it listens before its drivers are ready, and then may still give up
        except libvirt.libvirtError as error:
            raise PrivateLibvirtError(f"libvirtd did not start: {error}. It said:\n{self.log()}") from error

    def stop_daemon(self) -> None:
        """Ask libvirtd to end (SIGTERM) and wait until it has; the guests go on."""
        self._signal_daemon(signal.SIGTERM)
        self._wait_for_daemon_end()

    def kill_daemon(self) -> None:
        """Kill libvirtd (SIGKILL); the guests go on."""
        self._signal_daemon(signal.SIGKILL)
        self._wait_for_daemon_end()

    def freeze_daemon(self) -> None:
        """Let libvirtd answer nothing any more (SIGSTOP), its sockets staying open."""
        self._signal_daemon(signal.SIGSTOP)

    def thaw_daemon(self) -> None:
        """Let a frozen libvirtd go on (SIGCONT)."""
        self._signal_daemon(signal.SIGCONT)

    def qemu_pids(self) -> dict[str, int]:
        """The process ids of the running guests, by the guests' names."""
        guests = {}
        for pid in self._pids():
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_text()
                if found := re.search(r"\0-name\0guest=((?:[^,\0]|,,)*)", command):
                    guests[found[1].replace(",,", ",")] = pid
        return guests

    def qemu_pid(self, name: str) -> int:
        """The process id of the guest of this name."""
        guests = self.qemu_pids()
        if name not in guests:
            raise PrivateLibvirtError(f'No QEMU runs a guest "{name}" here; running: {", ".join(guests) or "none"}.')
        return guests[name]

    def log(self) -> str:
        """What the daemon, its supervisor and the guests' QEMUs have said, for the output of a failed test."""
        files = [self.directory / "supervisor.log", self.directory / "libvirtd.log"]
        files += sorted((self.directory / "log" / "qemu").glob("*.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')}" for file in files if file.exists())

    @property
    def _capabilities(self) -> Path:
        return self.directory / "cache" / "qemu" / "capabilities"

    def _start_supervisor(self) -> None:
        with (self.directory / "supervisor.log").open("w") as log:
            self._supervisor = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "private", "--net"),
                    *("--pid", "--fork", "--kill-child", "--mount-proc"),
                    *(sys.executable, "-I", "-S", str(SUPERVISOR), str(self.directory), *self._libvirtd),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # a Ctrl-C at the terminal is for the owner alone
            )
        self._answer()

    def _tell_supervisor(self, word: str) -> str:
        assert self._supervisor and self._supervisor.stdin
        with contextlib.suppress(BrokenPipeError):
            print(word, file=self._supervisor.stdin, flush=True)
        return self._answer()

    def _answer(self) -> str:
        assert self._supervisor and self._supervisor.stdout
        answer = self._supervisor.stdout.readline().strip()
        if not answer:
            raise PrivateLibvirtError(
                "The namespaces for a private libvirt could not be made or have ended. It takes root with all its "
                "rights; in a container, one that is started with --privileged. What was said:\n" + self.log()
            )
        return answer

    def _pids(self) -> Iterator[int]:
        """The process ids, as seen from here, of everything in our PID namespace."""
        assert self._supervisor
        ours = os.readlink(f"/proc/{self._supervisor.pid}/ns/pid_for_children")
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/pid") == ours:
                        yield int(entry)

    def _daemon_listens(self) -> bool:
        if self._daemon_pid is None or not is_alive(self._daemon_pid):
            raise PrivateLibvirtError(f"libvirtd ended as soon as it started. What was said:\n{self.log()}")
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            client.connect(str(self.directory / "libvirt-sock"))
            return True
        return False

    def _signal_daemon(self, number: signal.Signals) -> None:
        if self._daemon_pid is None or not is_alive(self._daemon_pid):
            raise PrivateLibvirtError(f"libvirtd is not running, so it cannot be sent {number.name}.")
        os.kill(self._daemon_pid, number)

    def _wait_for_daemon_end(self) -> None:
        assert self._daemon_pid
        pid = self._daemon_pid
        if not wait_until(lambda: not is_alive(pid), STOP_TIMEOUT):
            raise PrivateLibvirtError(f"libvirtd did not end within {STOP_TIMEOUT:g} s; is it frozen?\n{self.log()}")
        self._daemon_pid = None


def check_machine() -> None:
    """Raise a PrivateLibvirtError that says what to do if this process or this machine cannot run a private libvirt."""
    if os.geteuid() != 0:
        raise PrivateLibvirtError("A private libvirt needs root, for its own namespaces: run this as root, or by sudo.")
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if "libvirt-daemon" in missing:
        missing.append(QEMU_DRIVER)
    if missing:
        raise PrivateLibvirtError(
            f"Missing here: apt-get install --no-install-recommends {' '.join(missing)} "
            "(libvirt-daemon-system is not needed: it would enable a libvirt of the whole machine)."
        )


def make_directory(base: Path | None, libvirtd_conf: Sequence[str]) -> Path:
    """Make the temporary folder with its configuration, and nothing if a socket in it would have too long a path."""
    parent = Path(tempfile.gettempdir() if base is None else base).resolve()
    length = len(os.fsencode(parent / f"{PREFIX}12345678" / "libvirt-sock-ro"))
    if length > LONGEST_SOCKET_PATH:
        raise PrivateLibvirtError(
            f"{parent} is too long a name: a Unix socket in a folder of it would have a name of {length} bytes, and "
            f"{LONGEST_SOCKET_PATH} is the most. Give another base, or set TMPDIR to a shorter one."
        )
    if parent == Path("/run") or Path("/run") in parent.parents:
        raise PrivateLibvirtError(f"{parent} is in /run, which is hidden from the private libvirt. Give another base.")
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    for name in ("run", "etc", "lib", "cache", "log"):
        (directory / name).mkdir()
    ours = LIBVIRTD_CONF.format(directory=directory, uuid=uuid.uuid4())
    # libvirt takes the first line where a name is there twice.
    (directory / "etc" / "libvirtd.conf").write_text("".join(f"{line}\n" for line in libvirtd_conf) + ours)
    (directory / "etc" / "qemu.conf").write_text(QEMU_CONF)
    return directory


def copy_new(source: Path, target: Path) -> None:
    """Copy the XML files that are not the same in the target folder; whoever reads there sees whole files only."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.xml"):
        copy = target / file.name
        if not copy.exists() or copy.read_bytes() != file.read_bytes():
            scratch = copy.with_suffix(f".{os.getpid()}")
            shutil.copyfile(file, scratch)
            scratch.replace(copy)


def pid_in_its_namespace(pid: int) -> int | None:
    """The number by which a process knows itself, or None if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return None


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Look every 20 ms whether the condition holds, and say whether it did within so many seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
