# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ACPI guest does under plain QEMU what its words say."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import checkout
import pytest
from bed import acpi_guest
from bed.acpi_guest import AcpiGuestError, DiskState, build, disk_state, make_disk
from bed.qmp import Qmp

# An upper bound for a machine on which much else runs.
PATIENCE = 60
# For what must not happen: long enough for a guest that would do it.
A_WHILE = 1.0
SECTOR = 512
GREEN, GREY, RED, BLUE, CYAN = (0, 168, 0), (168, 168, 168), (168, 0, 0), (0, 0, 168), (0, 168, 168)


class Machine:
    """One ACPI guest under QEMU, from its start to `close`."""

    def __init__(
        self, kernel: Path, folder: Path, words: str, extra: tuple[str, ...] = (), disk: bool = True, ports: bool = True
    ) -> None:
        self.disk = folder / "disk"
        self.com2_path = folder / "com2"
        self.screenshot = folder / "screen.ppm"
        self.started = time.monotonic()
        sockets = {name: f"socket,id={name},path={folder / name},server=on,wait=off" for name in ("com2", "monitor")}
        # fmt: off
        command = [
            "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-m", "16", "-nodefaults", "-no-user-config",
            "-display", "none", "-vga", "std", "-kernel", str(kernel), "-append", words,
            "-chardev", sockets["monitor"], "-mon", "chardev=monitor,mode=control", *extra,
        ]
        # fmt: on
        if ports:
            command += ["-serial", "stdio", "-chardev", sockets["com2"], "-serial", "chardev:com2"]
        if disk:
            make_disk(self.disk)
            command += ["-drive", f"file={self.disk},format=raw,if=ide,id=disk"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.said = b""
        self.unheard = 0
        self.com2: socket.socket | None = None
        self._monitor: Qmp | None = None

    @property
    def qmp(self) -> Qmp:
        """The monitor, once QEMU has one."""
        deadline = time.monotonic() + PATIENCE
        while not self._monitor:
            try:
                self._monitor = Qmp(self.com2_path.with_name("monitor"), PATIENCE)
            except OSError:
                assert time.monotonic() < deadline, "QEMU has no monitor"
                time.sleep(0.05)
        return self._monitor

    def next_event(self, waited_for: str = "anything") -> tuple[int, str]:
        """The next thing that the guest says, with the milliseconds since its boot."""
        assert self.process.stdout
        deadline = time.monotonic() + PATIENCE
        while (end := self.said.find(b"\n", self.unheard)) < 0:
            waiting, dummy, dummy = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 4096) if waiting else b""
            assert chunk, f'waited for "{waited_for}", but all that was said is:\n{self.said.decode(errors="replace")}'
            self.said += chunk
        ms, event = self.said[self.unheard : end].decode().split(" ", 1)
        self.unheard = end + 1
        return int(ms), event

    def hear(self, event: str) -> int:
        """Wait until the guest says this, after what was heard before; the milliseconds since its boot."""
        while True:
            ms, said = self.next_event(event)
            if said == event:
                return ms

    def hear_all(self, *events: str) -> list[int]:
        """Wait until the guest says all this, in this order."""
        return [self.hear(event) for event in events]

    def press(self) -> None:
        """Press the power button."""
        self.qmp.execute("system_powerdown")

    def tell(self, words: str) -> None:
        """Send a line to COM2, and wait until the guest has taken it."""
        self.listen().sendall(f"{words}\n".encode())
        self.hear("told")

    def listen(self) -> socket.socket:
        """The connection to COM2."""
        if not self.com2:
            self.com2 = socket.socket(socket.AF_UNIX)
            self.com2.settimeout(PATIENCE)
            self.com2.connect(str(self.com2_path))
        return self.com2

    def status(self) -> str:
        """What QEMU says of the guest."""
        return str(self.qmp.execute("query-status")["status"])

    def sleeps(self) -> bool:
        """Whether QEMU suspends the guest in time."""
        return eventually(lambda: self.status() == "suspended")

    def is_off(self) -> bool:
        """Whether the guest powers off in time, and QEMU was told to stay."""
        return eventually(lambda: self.status() == "shutdown")

    def bytes_written(self) -> int:
        """What QEMU has counted."""
        (disk,) = self.qmp.execute("query-blockstats")
        return int(disk["stats"]["wr_bytes"])

    def writes(self) -> bool:
        """Whether the guest writes something in time."""
        before = self.bytes_written()
        return eventually(lambda: self.bytes_written() > before + SECTOR)

    def cpu_seconds(self) -> float:
        """The processor time that QEMU has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def colour(self) -> tuple[int, ...]:
        """The colour of the page's banner, at its left edge."""
        self.qmp.execute("screendump", filename=str(self.screenshot))
        kind, width, dummy, dummy, pixels = self.screenshot.read_bytes().split(maxsplit=4)
        assert kind == b"P6"
        start = (3 * 16 * int(width) + 4) * 3
        return tuple(pixels[start : start + 3])

    def becomes(self, colour: tuple[int, ...]) -> bool:
        """Whether the banner takes this colour in time."""
        return eventually(lambda: self.colour() == colour)

    def ended(self) -> DiskState:
        """Wait until QEMU has ended by itself; what the guest has left on its disk."""
        assert self.process.wait(PATIENCE) == 0
        return disk_state(self.disk)

    def does_nothing(self) -> bool:
        """Whether QEMU still runs the guest after a while."""
        with pytest.raises(subprocess.TimeoutExpired):
            self.process.wait(A_WHILE)
        return self.status() == "running"

    def close(self) -> None:
        """Leave no process and no socket."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
        if self.com2:
            self.com2.close()
        if self._monitor:
            self._monitor.close()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


@pytest.fixture(scope="session")
def kernel() -> Path:
    """The guest's kernel."""
    return build(checkout.CACHE / "bed")


@pytest.fixture
def start(kernel: Path) -> Iterator[Callable[..., Machine]]:
    """Start a guest with these words, and wait until it is ready if it can say so; it ends with the test."""
    machines: list[Machine] = []
    # Not tmp_path, which can be too long for the path of a socket.
    folder = Path(tempfile.mkdtemp())

    def start_one(words: str = "", *extra: str, until: str = "ready", disk: bool = True, ports: bool = True) -> Machine:
        machine = Machine(kernel, folder, words, extra, disk, ports)
        machines.append(machine)
        if ports and until:
            machine.hear(until)
        return machine

    yield start_one
    for machine in machines:
        machine.close()
    shutil.rmtree(folder)


def test_it_obeys(start: Callable[..., Machine]) -> None:
    machine = start()
    print(f"from QEMU's start to ready: {time.monotonic() - machine.started:.2f} s")
    assert disk_state(machine.disk) is DiskState.RUNNING
    machine.press()
    machine.hear_all("press 1", "accepted", "power off")
    machine.qmp.wait("SHUTDOWN")
    assert machine.ended() is DiskState.CLEAN


def test_it_obeys_late_and_writes_nothing_meanwhile(start: Callable[..., Machine]) -> None:
    machine = start("delay=1500", "-no-shutdown")
    before = machine.bytes_written()
    machine.press()
    accepted, off = machine.hear_all("accepted", "power off")
    assert off - accepted >= 1500
    assert machine.is_off()
    assert machine.bytes_written() == before + SECTOR
    assert disk_state(machine.disk) is DiskState.CLEAN


def test_it_ignores_further_presses_once_it_leaves(start: Callable[..., Machine]) -> None:
    machine = start("delay=600000")
    machine.press()
    machine.hear_all("press 1", "accepted")
    machine.press()
    machine.hear_all("press 2", "ignored")
    assert machine.becomes(CYAN)
    assert disk_state(machine.disk) is DiskState.RUNNING


def test_only_the_second_press_counts(start: Callable[..., Machine]) -> None:
    machine = start("presses=2")
    assert machine.becomes(GREY)
    machine.press()
    machine.hear_all("press 1", "display on")
    assert machine.becomes(GREEN)
    assert machine.does_nothing()
    machine.press()
    machine.hear_all("press 2", "accepted", "power off")
    assert machine.ended() is DiskState.CLEAN


def test_a_press_while_it_boots_is_lost(start: Callable[..., Machine]) -> None:
    machine = start("boot=600000", until="booting")
    machine.press()
    machine.tell("boot=300")
    assert machine.next_event()[1] == "ready"
    assert machine.does_nothing()
    machine.press()
    machine.hear_all("press 1", "power off")
    assert machine.ended() is DiskState.CLEAN


def test_it_ignores(start: Callable[..., Machine]) -> None:
    machine = start("press=ignore")
    for press in ("press 1", "press 2"):
        machine.press()
        machine.hear_all(press, "ignored")
    assert machine.does_nothing()
    assert disk_state(machine.disk) is DiskState.RUNNING


def test_a_press_at_the_clocks_tick_does_not_deafen_it(start: Callable[..., Machine]) -> None:
    """Both interrupts wait at the second controller when the processor comes to look: it stands still for a second."""
    machine = start("press=ignore")
    for number in (1, 3):
        machine.qmp.execute("stop")
        time.sleep(1.1)
        machine.press()
        machine.qmp.execute("cont")
        machine.hear_all(f"press {number}", "ignored")
        # Asleep by then: a guest that is up looks at its button without being told.
        time.sleep(0.2)
        machine.press()
        machine.hear_all(f"press {number + 1}", "ignored")


def test_it_hears_hundreds_of_presses(start: Callable[..., Machine]) -> None:
    """One every few milliseconds, answered each time, over a tick or two of its clock."""
    machine = start("press=ask")
    for number in range(300):
        machine.press()
        machine.hear("asking")
        machine.tell("press=ignore")
        machine.hear("ignored")
        time.sleep(number % 5 / 1000)


def test_it_hangs(start: Callable[..., Machine]) -> None:
    machine = start("press=hang")
    machine.press()
    machine.hear_all("press 1", "accepted", "hang")
    before = machine.bytes_written()
    assert machine.becomes(RED)
    machine.press()
    machine.hear_all("press 2", "ignored")
    assert machine.does_nothing()
    assert machine.bytes_written() == before


def test_it_updates(start: Callable[..., Machine]) -> None:
    machine = start("press=update write=2000 rate=100 delay=500", "-no-shutdown")
    before = machine.bytes_written()
    machine.press()
    accepted, written, off = machine.hear_all("accepted", "written", "power off")
    assert written - accepted >= 2000
    assert off - written >= 500
    assert machine.is_off()
    # The update's own sectors, and the marks SERVICING and CLEAN.
    assert machine.bytes_written() - before == (200 + 2) * SECTOR
    assert disk_state(machine.disk) is DiskState.CLEAN
    image = machine.disk.read_bytes()
    assert image[SECTOR : 128 * SECTOR].count(b"write") == 127
    assert not image[128 * SECTOR :].strip(b"\0")


def test_an_update_shows_while_it_lasts_and_after_it_was_cut_off(start: Callable[..., Machine]) -> None:
    machine = start("press=update write=600000")
    machine.press()
    machine.hear("writing")
    before = machine.bytes_written()
    assert eventually(lambda: machine.bytes_written() > before + 100 * SECTOR)
    assert machine.becomes(BLUE)
    assert disk_state(machine.disk) is DiskState.SERVICING
    machine.process.kill()
    machine.process.wait()
    assert disk_state(machine.disk) is DiskState.SERVICING


def test_it_hangs_after_an_update(start: Callable[..., Machine]) -> None:
    machine = start("press=update-hang write=500")
    machine.press()
    machine.hear_all("accepted", "writing", "written", "hang")
    before = machine.bytes_written()
    assert machine.does_nothing()
    assert machine.bytes_written() == before
    assert disk_state(machine.disk) is DiskState.SERVICING


@pytest.mark.parametrize("words", ["", "press=hang"])
def test_its_noise_goes_on_whatever_it_does(start: Callable[..., Machine], words: str) -> None:
    machine = start(f"noise=100 {words}")
    before, began = machine.bytes_written(), time.monotonic()
    assert eventually(lambda: machine.bytes_written() >= before + 10 * SECTOR)
    assert time.monotonic() - began > 0.7
    if words:
        machine.press()
        machine.hear("hang")
        assert machine.writes()
    machine.tell("noise=0")
    before = machine.bytes_written()
    assert machine.does_nothing()
    assert machine.bytes_written() == before


def test_it_sleeps_on_a_press_and_obeys_when_awake(start: Callable[..., Machine]) -> None:
    machine = start("press=sleep presses=2 noise=100")
    for dummy in range(2):
        for press in ("press 1", "press 2"):
            machine.press()
            machine.hear(press)
        slept = machine.hear("sleep")
        assert machine.sleeps()
        assert machine.becomes(GREY)
        before = machine.bytes_written()
        time.sleep(A_WHILE)
        assert machine.bytes_written() == before
        machine.qmp.execute("system_wakeup")
        machine.qmp.wait("WAKEUP")
        assert 0 <= machine.hear("awake") - slept < A_WHILE * 1000
        assert machine.writes()
    machine.tell("press=obey presses=1")
    assert machine.becomes(GREEN)
    machine.press()
    machine.hear_all("press 1", "accepted", "power off")
    assert machine.ended() is DiskState.CLEAN


def test_it_falls_asleep_once_by_itself(start: Callable[..., Machine]) -> None:
    machine = start("sleep=300")
    machine.hear("sleep")
    assert machine.sleeps()
    machine.qmp.execute("system_wakeup")
    machine.hear("awake")
    assert machine.does_nothing()
    machine.tell("sleep=1")
    machine.hear("sleep")
    assert machine.sleeps()
    assert disk_state(machine.disk) is DiskState.RUNNING


def test_a_press_while_it_sleeps_is_lost(start: Callable[..., Machine]) -> None:
    machine = start("sleep=1")
    machine.hear("sleep")
    assert machine.sleeps()
    machine.press()
    assert machine.sleeps()
    machine.qmp.execute("system_wakeup")
    machine.hear("awake")
    assert machine.does_nothing()
    assert b"press" not in machine.said


def test_it_reboots(start: Callable[..., Machine]) -> None:
    machine = start("press=reboot presses=2 delay=200")
    for dummy in range(2):
        for press in ("press 1", "press 2"):
            machine.press()
            machine.hear(press)
        machine.hear_all("accepted", "reboot")
        machine.qmp.wait("RESET")
        machine.hear("booting")
        assert disk_state(machine.disk) is DiskState.RUNNING
        machine.hear("ready")


def test_its_disk_is_clean_before_the_reset(start: Callable[..., Machine]) -> None:
    machine = start("press=reboot", "-no-reboot")
    machine.press()
    machine.hear("reboot")
    assert machine.ended() is DiskState.CLEAN


def test_it_asks(start: Callable[..., Machine]) -> None:
    machine = start("press=ask")
    machine.press()
    machine.hear_all("press 1", "asking")
    machine.press()
    machine.hear_all("press 2", "ignored")
    machine.tell("noise=60000")
    machine.tell("press=ignore write=1")
    machine.hear("ignored")
    machine.press()
    machine.hear_all("press 3", "asking")
    machine.tell("press=update write=200 rate=50")
    machine.hear_all("accepted", "writing", "written", "power off")
    assert machine.ended() is DiskState.CLEAN


def test_it_asks_without_a_press(start: Callable[..., Machine]) -> None:
    machine = start("press=hang")
    machine.tell("ask=1")
    machine.hear("asking")
    machine.tell("ask=1")
    machine.hear("ignored")
    machine.tell("press=ignore")
    machine.hear("ignored")
    assert machine.becomes(GREEN)
    machine.tell("ask=1")
    machine.hear("asking")
    machine.tell("press=obey delay=300")
    accepted, off = machine.hear_all("accepted", "power off")
    assert off - accepted >= 300
    assert b"press" not in machine.said
    assert machine.ended() is DiskState.CLEAN


def test_it_hibernates(start: Callable[..., Machine]) -> None:
    machine = start("press=hibernate")
    machine.press()
    machine.hear_all("press 1", "accepted", "hibernate")
    machine.qmp.wait("SUSPEND_DISK")
    assert machine.ended() is DiskState.RUNNING


def test_without_s4_it_stays_up(start: Callable[..., Machine]) -> None:
    machine = start("press=hibernate", "-global", "PIIX4_PM.disable_s4=1")
    machine.press()
    machine.hear_all("accepted", "no S4")
    assert machine.does_nothing()


def test_com2_hears_all_events_and_changes_the_behaviour(start: Callable[..., Machine]) -> None:
    machine = start("press=ignore presses=3")
    events = machine.listen().makefile()
    machine.listen().sendall(
        b"  delay=100\tpress=hang  \r\npresses=1\npress=later no=1 delay=-1 delay= delay\npress=obey\n"
    )
    said = [events.readline().split(" ", 1)[1] for dummy in range(10)]
    # The carriage return ends a line, too.
    nothing = ["told\n"]
    unknown = [f"unknown {word}\n" for word in ("press=later", "no=1", "delay=-1", "delay=", "delay")]
    assert said == ["told\n", *nothing, "told\n", *unknown, "told\n", "told\n"]
    machine.press()
    said = [events.readline().split(" ", 1)[1] for dummy in range(3)]
    assert said == ["press 1\n", "accepted\n", "power off\n"]
    assert machine.ended() is DiskState.CLEAN


def test_unknown_words_of_the_command_line_are_reported(start: Callable[..., Machine]) -> None:
    machine = start("quiet press=perhaps presses=2", until="unknown quiet")
    machine.hear_all("unknown press=perhaps", "ready")
    machine.press()
    machine.hear("display on")


def test_it_does_without_a_disk(start: Callable[..., Machine]) -> None:
    machine = start("press=update write=300 noise=10", disk=False, until="no disk")
    machine.hear("ready")
    machine.press()
    machine.hear_all("accepted", "writing", "written", "power off")
    assert machine.process.wait(PATIENCE) == 0


def test_it_does_without_serial_ports_and_screen(start: Callable[..., Machine]) -> None:
    machine = start("sleep=1", "-vga", "none", "-no-shutdown", ports=False)
    assert machine.sleeps()
    machine.qmp.execute("system_wakeup")

    def pressed_until_off() -> bool:
        machine.press()
        return machine.status() == "shutdown"

    assert eventually(pressed_until_off)
    assert disk_state(machine.disk) is DiskState.CLEAN


def test_without_acpi_there_is_no_button(start: Callable[..., Machine]) -> None:
    machine = start("noise=100 sleep=1", "-no-acpi", until="no ACPI")
    machine.hear_all("ready", "no S3")
    machine.press()
    assert machine.writes()
    assert b"press" not in machine.said


def test_without_s3_it_stays_awake(start: Callable[..., Machine]) -> None:
    machine = start("press=sleep", "-global", "PIIX4_PM.disable_s3=1")
    machine.press()
    machine.hear_all("accepted", "no S3")
    machine.tell("press=obey")
    machine.press()
    machine.hear("power off")
    assert machine.ended() is DiskState.CLEAN


def test_a_com2_that_nobody_reads_does_not_stop_it(start: Callable[..., Machine]) -> None:
    machine = start("", "-no-shutdown")
    for dummy in range(5):
        machine.tell("x " * 400)
    with machine.listen().makefile() as events:
        # First what it could say before it was blocked; once that is read, it can be heard again.
        heard = [events.readline()]
        while not heard[-1].endswith("told\n"):
            machine.listen().sendall(b"delay=0\n")
            heard.append(events.readline())
        machine.press()
        while not heard[-1].endswith("power off\n"):
            heard.append(events.readline())
    machine.hear_all("press 1", "power off")
    assert "".join(heard).count("unknown") < machine.said.count(b"unknown")
    assert machine.is_off()


def test_it_goes_on_after_it_was_saved(start: Callable[..., Machine]) -> None:
    saved = start("presses=2 delay=300")
    saved.press()
    at = saved.hear("display on")
    file = saved.disk.with_name("saved")
    saved.qmp.execute("stop")
    saved.qmp.execute("migrate", uri=f"exec:cat > {file}")
    assert eventually(lambda: saved.status() == "postmigrate")
    saved.close()
    drive = f"file={saved.disk},format=raw,if=ide,id=disk"
    machine = start("", "-incoming", f"exec:cat {file}", "-drive", drive, until="", disk=False)
    assert eventually(lambda: machine.status() != "inmigrate")
    machine.qmp.execute("cont")
    machine.press()
    pressed, accepted, off = machine.hear_all("press 2", "accepted", "power off")
    assert at < pressed <= accepted <= off - 300
    assert off - at < PATIENCE * 1000
    assert machine.ended() is DiskState.CLEAN


def test_a_crash_is_shown_and_told(start: Callable[..., Machine]) -> None:
    machine = start()
    machine.qmp.execute("inject-nmi")
    assert machine.next_event()[1].startswith("panic exception 2 code 0 at 0010")
    assert machine.becomes(RED)
    assert machine.does_nothing()


def test_it_costs_little_when_idle(start: Callable[..., Machine]) -> None:
    machine = start()
    before = machine.cpu_seconds()
    time.sleep(2)
    used = machine.cpu_seconds() - before
    print(f"processor time of an idle guest in 2 s: {used:.2f} s")
    assert used < 0.3


def test_its_screen_shows_what_it_does(start: Callable[..., Machine]) -> None:
    machine = start()
    assert machine.becomes(GREEN)
    assert len(set(machine.screenshot.read_bytes().split(maxsplit=4)[4])) > 2


def test_it_is_built_once(kernel: Path, tmp_path: Path) -> None:
    cache = tmp_path / "not" / "there yet"
    made: list[Path] = []
    builders = [threading.Thread(target=lambda: made.append(build(cache))) for dummy in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert len(made) == 3
    assert list(cache.iterdir()) == [made[0]]
    assert made[0].name == kernel.name
    stamp = made[0].stat().st_mtime_ns
    assert build(cache).stat().st_mtime_ns == stamp


def test_it_is_built_without_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(acpi_guest, "COMPILE", [*acpi_guest.COMPILE, "-Werror"])
    assert build(tmp_path).exists()


def test_a_build_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(acpi_guest, "COMPILE", [*acpi_guest.COMPILE, "-no-such-option"])
        with pytest.raises(AcpiGuestError, match="no-such-option"):
            build(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AcpiGuestError, match="Install Debian's package gcc"):
        build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_none_of_its_own_is_refused(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with pytest.raises(AcpiGuestError, match="no disk of an ACPI guest at"):
        disk_state(disk)
    disk.write_bytes(b"\xeb\x3cMSDOS5.0")
    with pytest.raises(AcpiGuestError, match="MSDOS"):
        disk_state(disk)
    make_disk(disk, mib=2)
    assert disk.stat().st_size == 2 << 20
    assert disk_state(disk) is DiskState.UNUSED
