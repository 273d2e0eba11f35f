# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent guest does under plain QEMU what its command line says, and its file system is left as promised."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import checkout
import pytest
from bed.agent_guest import (
    AgentGuest,
    FilesystemState,
    build,
    command_line,
    filesystem_state,
    make_disk,
    read_file,
    recipe,
)
from bed.agent_protocol import AgentChannel, AgentError

# Upper bounds for a machine on which much else runs: a guest boots in 3 s.
BOOT = 120
ANSWER = 60


class Monitor:
    """QMP: one command at a time, and the events in the order in which they came."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ANSWER)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile()
        self.events: list[dict[str, Any]] = []
        self.read()
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Hang up."""
        self.lines.close()
        self.socket.close()

    def read(self) -> dict[str, Any]:
        """The next message. At the end of QEMU there is none."""
        line = self.lines.readline()
        assert line, f"QEMU has ended; its events were {self.events}"
        message: dict[str, Any] = json.loads(line)
        if "event" in message:
            self.events.append(message)
        return message

    def execute(self, command: str) -> Any:
        """Give a command and wait for what it returns."""
        self.socket.sendall(json.dumps({"execute": command}).encode())
        while "return" not in (message := self.read()):
            assert "error" not in message, message
        return message["return"]

    def wait(self, event: str, **data: object) -> float:
        """Wait until there is an event with these data, or take one that was there before; the time it bears."""
        seen = 0
        while True:
            for message in self.events[seen:]:
                if message["event"] == event and data.items() <= message["data"].items():
                    stamp = message["timestamp"]
                    return float(stamp["seconds"] + stamp["microseconds"] / 1e6)
            seen = len(self.events)
            self.read()

    def channel_is_open(self) -> bool:
        """Whether an agent in the guest has opened its port."""
        opened = {device["label"]: bool(device["frontend-open"]) for device in self.execute("query-chardev")}
        return opened["agent"]

    def wait_for_closed_channel(self) -> None:
        """Wait until no agent has its port open. Where one still has, its closing will be an event."""
        while self.channel_is_open():
            self.read()


class Machine:
    """One agent guest under QEMU, from its start to `close`."""

    def __init__(self, guest: AgentGuest, folder: Path, **behaviour: Any) -> None:
        self.disk = folder / "disk.img"
        make_disk(guest, self.disk)
        # fmt: off
        self.process = subprocess.Popen(
            [
                "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-m", "128", "-smp", "1", "-nodefaults",
                "-display", "none", "-no-reboot", "-serial", "stdio",
                "-kernel", guest.kernel, "-initrd", guest.initramfs, "-append", command_line(**behaviour),
                "-drive", f"file={self.disk},format=raw,if=virtio",
                "-chardev", f"socket,id=monitor,path={folder / 'monitor'},server=on,wait=off",
                "-mon", "chardev=monitor,mode=control",
                "-chardev", f"socket,id=agent,path={folder / 'agent'},server=on,wait=off",
                "-device", "virtio-serial",
                "-device", "virtserialport,id=channel,chardev=agent,name=org.qemu.guest_agent.0",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        # fmt: on
        self.said = b""
        self.unheard = 0
        try:
            self.hear("ready", BOOT)
            self.agent = AgentChannel(folder / "agent")
            self.monitor = Monitor(folder / "monitor")
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def hear(self, words: str, timeout: float = ANSWER) -> None:
        """Wait until the guest says so on its serial port, after what was heard before."""
        assert self.process.stdout
        deadline = time.monotonic() + timeout
        line = f"guest: {words}\r\n".encode()
        while (found := self.said.find(line, self.unheard)) < 0:
            waiting, dummy, dummy = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 4096) if waiting else b""
            assert chunk, f'waited for "{words}", but all that was said is:\n{self.said.decode(errors="replace")}'
            self.said += chunk
        self.unheard = found + len(line)

    def hear_all(self, *sentences: str) -> None:
        """Wait until the guest says all this, in this order."""
        for words in sentences:
            self.hear(words)

    def press(self) -> None:
        """Press the power button."""
        self.monitor.execute("system_powerdown")

    def ended(self) -> FilesystemState:
        """Wait until QEMU has ended by itself; what it left on the disk."""
        assert self.process.wait(ANSWER) == 0
        return filesystem_state(self.disk)

    def stop(self, how: signal.Signals) -> FilesystemState:
        """End QEMU; what it left on the disk."""
        self.process.send_signal(how)
        self.process.wait(ANSWER)
        return filesystem_state(self.disk)

    def close(self) -> None:
        """Leave no process and no socket."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
        self.agent.close()
        self.monitor.close()


@pytest.fixture(scope="session")
def guest() -> AgentGuest:
    """The files of the guest."""
    return build(checkout.CACHE / "bed")


@pytest.fixture
def start(guest: AgentGuest) -> Iterator[Callable[..., Machine]]:
    """Start a guest that behaves as the arguments say; it ends with the test."""
    machines: list[Machine] = []
    # Not tmp_path, which can be too long for the path of a socket.
    folder = Path(tempfile.mkdtemp())

    def start_one(**behaviour: Any) -> Machine:
        machines.append(Machine(guest, folder, **behaviour))
        return machines[-1]

    yield start_one
    for machine in machines:
        machine.close()
    shutil.rmtree(folder)


def test_an_obedient_guest_stops_its_agent_first(start: Callable[..., Machine]) -> None:
    machine = start()
    machine.agent.synchronise()
    assert machine.agent.execute("guest-ping") == {}
    machine.agent.send("guest-shutdown")
    machine.hear_all("asked by agent", "shutting down", "agent stopped", "off")
    assert machine.ended() is FilesystemState.CLEAN


def test_an_obedient_guest_hears_its_button(start: Callable[..., Machine]) -> None:
    machine = start(writer=True)
    machine.hear("writing")
    machine.press()
    machine.hear_all("asked by button", "shutting down", "agent stopped", "off")
    assert machine.ended() is FilesystemState.CLEAN
    written = read_file(machine.disk, "synced").splitlines()
    assert len(written) >= 10
    assert abs(len(read_file(machine.disk, "buffered").splitlines()) - len(written)) <= 1


@pytest.mark.parametrize("asked_by", ["agent", "button"])
def test_a_slow_guest_loses_its_agent_at_once(start: Callable[..., Machine], asked_by: str) -> None:
    machine = start(**{asked_by: "slow"}, delay=3)
    machine.agent.synchronise()
    if asked_by == "agent":
        machine.agent.send("guest-shutdown")
    else:
        machine.press()
    machine.hear_all(f"asked by {asked_by}", "shutting down", "agent stopped", "off")
    assert machine.monitor.wait("SHUTDOWN") - machine.monitor.wait("VSERPORT_CHANGE", open=False) > 2.5
    assert machine.ended() is FilesystemState.CLEAN


def test_a_deaf_agent_answers_but_only_the_button_works(start: Callable[..., Machine]) -> None:
    machine = start(agent="deaf")
    machine.agent.synchronise()
    for dummy in range(2):
        machine.agent.send("guest-shutdown")
        machine.hear("asked by agent")
    machine.agent.synchronise()
    machine.press()
    machine.hear_all("asked by button", "off")
    assert machine.ended() is FilesystemState.CLEAN


def test_an_absent_agent_and_an_ignored_button_leave_the_guest_running(start: Callable[..., Machine]) -> None:
    machine = start(agent="absent", button="ignore")
    assert not machine.monitor.channel_is_open()
    # The second press is heard only by a guest that has not acted on the first one.
    for dummy in range(2):
        machine.press()
        machine.hear("asked by button")
    assert b"shutting down" not in machine.said
    assert machine.process.poll() is None


def test_a_misspelt_behaviour_is_refused(start: Callable[..., Machine]) -> None:
    with pytest.raises(AssertionError, match="guest: does not know agent=hangs"):
        start(agent="hangs")


def test_a_disk_that_it_cannot_mount_is_told(start: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for ever to unmount it, and look like a guest that hangs."""
    monkeypatch.setitem(globals(), "make_disk", lambda dummy, path: path.write_bytes(bytes(1 << 20)))
    with pytest.raises(AssertionError, match="guest: cannot mount its disk"):
        start()


def test_a_hung_agent_is_connected_and_silent(start: Callable[..., Machine]) -> None:
    machine = start(agent="hung")
    machine.hear("agent hung")
    assert machine.monitor.channel_is_open()
    with pytest.raises(TimeoutError):
        machine.agent.synchronise(timeout=2)
    machine.press()
    machine.hear_all("asked by button", "agent stopped", "off")
    assert machine.monitor.wait("VSERPORT_CHANGE", open=False) < machine.monitor.wait("SHUTDOWN")
    assert machine.ended() is FilesystemState.CLEAN


def test_an_agent_that_dies_closes_its_channel(start: Callable[..., Machine]) -> None:
    machine = start(agent="dies")
    machine.hear("agent died")
    machine.monitor.wait_for_closed_channel()
    machine.press()
    machine.hear_all("asked by button", "off")
    assert machine.ended() is FilesystemState.CLEAN


def test_a_frozen_guest_shuts_down_only_after_the_thaw(start: Callable[..., Machine]) -> None:
    machine = start(writer=True)
    machine.hear("writing")
    machine.agent.synchronise()
    assert machine.agent.execute("guest-fsfreeze-status") == "thawed"
    assert machine.agent.execute("guest-fsfreeze-freeze") == 1
    machine.hear("freezing")
    assert machine.agent.execute("guest-fsfreeze-status") == "frozen"
    with pytest.raises(AgentError, match="guest-shutdown"):
        machine.agent.execute("guest-shutdown")
    machine.press()
    machine.hear("shutting down")
    machine.agent.synchronise()
    assert machine.agent.execute("guest-fsfreeze-thaw") == 1
    machine.hear_all("thawed", "agent stopped", "off")
    assert machine.ended() is FilesystemState.CLEAN


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_forced_stop_leaves_a_journal_and_loses_what_was_not_synced(
    start: Callable[..., Machine], how: signal.Signals
) -> None:
    machine = start(writer=True)
    machine.hear("writing")
    assert machine.stop(how) is FilesystemState.NEEDS_RECOVERY
    synced = read_file(machine.disk, "synced").splitlines()
    assert len(synced) >= 10
    assert len(read_file(machine.disk, "buffered").splitlines()) < len(synced)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_forced_stop_after_a_freeze_loses_nothing(start: Callable[..., Machine], how: signal.Signals) -> None:
    machine = start(writer=True)
    machine.hear("writing")
    machine.agent.synchronise()
    assert machine.agent.execute("guest-fsfreeze-freeze") == 1
    assert machine.stop(how) is FilesystemState.CLEAN
    synced = read_file(machine.disk, "synced").splitlines()
    assert len(synced) >= 10
    assert abs(len(read_file(machine.disk, "buffered").splitlines()) - len(synced)) <= 1


def test_even_an_idle_guest_needs_recovery_after_a_forced_stop(start: Callable[..., Machine]) -> None:
    assert start().stop(signal.SIGTERM) is FilesystemState.NEEDS_RECOVERY


def test_a_thawed_guest_needs_recovery_again(start: Callable[..., Machine]) -> None:
    machine = start()
    machine.agent.synchronise()
    machine.agent.execute("guest-fsfreeze-freeze")
    machine.agent.execute("guest-fsfreeze-thaw")
    assert machine.stop(signal.SIGTERM) is FilesystemState.NEEDS_RECOVERY


def test_a_file_system_without_sense_is_damaged(guest: AgentGuest, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    make_disk(guest, disk)
    assert filesystem_state(disk) is FilesystemState.CLEAN
    before = disk.read_bytes()
    with disk.open("r+b") as image:
        image.seek(2048)
        image.write(b"\xa5" * 2_000_000)
    assert filesystem_state(disk) is FilesystemState.DAMAGED
    disk.write_bytes(b"\0" * len(before))
    assert filesystem_state(disk) is FilesystemState.DAMAGED
    with pytest.raises(FileNotFoundError, match=r"there is no disk image .*absent\.img"):
        filesystem_state(tmp_path / "absent.img")


def test_of_several_builds_at_once_one_does_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def make(result: Path, scratch: Path) -> None:
        made.append(scratch)
        time.sleep(0.2)
        (result / "kernel").touch()

    monkeypatch.setattr(recipe, "make", make)
    results: list[AgentGuest] = []
    builders = [threading.Thread(target=lambda: results.append(build(tmp_path))) for dummy in range(4)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert len(made) == 1
    assert len(results) == 4
    assert len(set(results)) == 1
    assert results[0].kernel.exists()
