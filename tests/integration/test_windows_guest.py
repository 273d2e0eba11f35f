# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated Windows guest as a whole: its button through libvirt, its commands through WinRM, on real QEMU."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import libvirt
import pytest
from bed.acpi_guest import DiskState, disk_state
from bed.guests import Bed
from bed.windows import keys, power
from bed.windows.blockers import BLOCKERS, OBEDIENT, Changes, for_every_user, in_every_scheme, merged
from bed.windows.endpoint.faults import every, http_error
from bed.windows.guest import SimulatedWindows
from bed.windows.situation import Application, Session, Situation
from bed.windows.systems import ALICE, BJOERN, NEW_USER, SERVER_2022, SYSTEMS, System
from bed.windows.typed import dword, string
from winrm import Protocol
from winrm.exceptions import WinRMTransportError

PATIENCE = 60
A_WHILE = 0.5
NAMES = (f"windows-{number}" for number in itertools.count())
BUTTON_0 = in_every_scheme(power.POWER_BUTTON, 0)
LONG_ENOUGH = Situation(takes=300)
"""A shutdown during which a client of WinRM gets its answer even on a busy machine."""
PBUTTONACTION = f"{power.BUTTONS} {power.POWER_BUTTON.guid}"


class Answer(NamedTuple):
    """What a command has printed, and its status."""

    output: str
    errors: str
    status: int


class Guest:
    """A simulated Windows guest in a test, started."""

    def __init__(self, windows: SimulatedWindows) -> None:
        self.windows = windows
        self.domain = windows.start()
        self._shell: tuple[Protocol, str] | None = None

    def run(self, line: str) -> Answer:
        """Run a command through WinRM."""
        if not self._shell:
            url = self.windows.network.endpoint.url
            protocol = Protocol(url, "ntlm", self.windows.user, self.windows.password)
            self._shell = protocol, protocol.open_shell(codepage=65001)
        protocol, shell = self._shell
        command = protocol.run_command(shell, line)
        output, errors, status = protocol.get_command_output(shell, command)
        protocol.cleanup_command(shell, command)
        return Answer(output.decode(), errors.decode(), status)

    def press(self, rule: str) -> None:
        """Press the button, and wait until this rule has decided."""
        count = len(self.windows.decisions)
        self.domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        self.windows.control.wait_until(lambda: len(self.windows.decisions) > count, PATIENCE)
        assert self.windows.decisions[-1].rule == rule, self.windows.decisions[-1].reason

    def runs(self) -> bool:
        """Whether QEMU runs it."""
        return bool(self.domain.isActive())

    def stays(self) -> bool:
        """Whether it still runs after a while."""
        time.sleep(A_WHILE)
        return self.runs()

    def ended(self) -> DiskState:
        """Wait until it is off; what it has left on its disk."""
        assert eventually(lambda: not self.runs()), self.windows.bed.com1(self.windows.name)
        return disk_state(self.windows.bed.disk(self.windows.name))

    def state(self) -> int:
        """Libvirt's number for its state."""
        found: Any = self.domain.state()
        return int(found[0])

    def connect_anew(self) -> None:
        """What was connected is no more."""
        self._shell = None

    def start_again(self) -> None:
        """The next boot."""
        self.connect_anew()
        self.domain = self.windows.start()


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it holds in time."""
    deadline = time.monotonic() + PATIENCE
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


Start = Callable[..., Guest]


@pytest.fixture
def start(shared_bed: Bed) -> Iterator[Start]:
    """Start such a guest, that is obedient but for the changes."""
    guests: list[SimulatedWindows] = []

    def start_one(changes: Changes | None = None, system: System = SERVER_2022, **options: Any) -> Guest:
        options.setdefault("situation", Situation(takes=10))
        windows = SimulatedWindows(shared_bed, next(NAMES), system, registry=merged(OBEDIENT, changes or {}), **options)
        guests.append(windows.__enter__())
        return Guest(windows)

    yield start_one
    for windows in guests:
        windows.__exit__(None, None, None)
        for domain in shared_bed.connection.listAllDomains():
            if domain.name() == windows.name:
                if domain.isActive():
                    domain.destroy()
                domain.undefine()


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: str(system.build))
def test_it_obeys_and_says_what_it_is(start: Start, system: System) -> None:
    guest = start(system=system)
    answer = guest.run(rf'reg query "{keys.WINDOWS_NT}" /v CurrentBuildNumber')
    assert answer.output.split()[-1] == str(system.build)
    answer = guest.run(rf"reg query {keys.CONTROL}\ProductOptions /v ProductType")
    assert answer.output.split()[-1] == ("ServerNT" if system.server else "WinNT")
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN
    guest.windows.control.wait_until(lambda: not guest.windows.control.reachable)
    assert [event.id for dummy, event in guest.windows.events][-4:] == [1074, 109, 6006, 13]


def test_a_button_that_means_nothing_is_mended_by_powercfg(start: Start) -> None:
    guest = start(BUTTON_0)
    guest.press("button_nothing")
    for scheme in power.SCHEMES:
        assert guest.run(f"powercfg /setacvalueindex {scheme} {PBUTTONACTION} 3").status == 0
    guest.press("button_nothing")
    assert guest.stays()
    assert guest.run("powercfg /setactive SCHEME_CURRENT").status == 0
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN


def test_a_value_that_reg_has_written_counts_for_the_next_press(start: Start) -> None:
    guest = start({keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": dword(0)}})
    guest.press("without_logon")
    line = rf"reg add {keys.SYSTEM_POLICIES} /v ShutdownWithoutLogon /t REG_DWORD /d 1 /f /reg:64"
    assert guest.run(line).status == 0
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN


def test_a_dark_display_needs_two_presses(start: Start) -> None:
    guest = start(BLOCKERS["sleep"].wrong, situation=Situation(takes=10, idle=900))
    guest.press("display_off")
    assert guest.stays()
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN


def test_it_sleeps_in_s3_and_winrm_comes_back_when_it_is_woken(start: Start) -> None:
    guest = start(BLOCKERS["sleep"].wrong)
    assert guest.run("ver").status == 0
    guest.windows.left_alone(1800)
    assert eventually(lambda: guest.state() == libvirt.VIR_DOMAIN_PMSUSPENDED)
    guest.windows.control.wait_until(lambda: not guest.windows.control.reachable)
    with pytest.raises(RuntimeError, match="is not up"):
        guest.windows.network.endpoint  # noqa: B018 - it is a property
    guest.domain.pMWakeup()
    guest.windows.control.wait_until(lambda: guest.windows.control.reachable, PATIENCE)
    guest.connect_anew()
    answer = guest.run('wevtutil qe System /q:"*[System[(EventID=42)]]" /f:xml /c:1 /rd:true')
    assert "Kernel-Power" in answer.output
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN


def test_it_works_on_updates(start: Start) -> None:
    guest = start(BLOCKERS["updates"].wrong, situation=Situation(takes=10, servicing=60))
    assert guest.run(f'reg query "{keys.SERVICING_MARKERS[0]}"').status == 0
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN
    assert "written" in guest.windows.bed.com1(guest.windows.name)
    guest.start_again()
    assert guest.run(f'reg query "{keys.SERVICING_MARKERS[0]}"').status == 1


def test_shutdown_exe_ends_it(start: Start) -> None:
    guest = start(BUTTON_0, situation=LONG_ENOUGH)
    line = 'shutdown.exe /s /f /t 0 /d p:0:0 /c "moving, said ""x"" & y"'
    assert guest.run(line) == Answer("", "", 0)
    assert guest.ended() is DiskState.CLEAN
    assert "press" not in guest.windows.bed.com1(guest.windows.name)
    guest.start_again()
    answer = guest.run('wevtutil qe System /q:"*[System[(EventID=1074)]]" /f:xml /c:1 /rd:true')
    assert "shutdown.exe" in answer.output


def test_shutdown_exe_is_refused_and_a_timer_is_aborted(start: Start) -> None:
    guest = start(BUTTON_0, situation=replace(LONG_ENOUGH, scheduled=315360000))
    assert guest.run("shutdown /s /f /t 5").status == 1190
    assert guest.run("shutdown /a").status == 0
    assert guest.run("shutdown /a").status == 1116
    assert guest.run("shutdown /s /f /t 5").status == 0
    assert guest.ended() is DiskState.CLEAN


def test_a_hive_that_was_mended_in_its_file_counts_at_the_sign_in(start: Start) -> None:
    busy = Session(BJOERN.user, BJOERN.sid, applications=(Application("editor.exe", "veto"),))
    guest = start(for_every_user("AutoEndTasks", string("0")))
    hive = rf"{BJOERN.folder}\NTUSER.DAT"
    assert guest.run(rf'reg load HKU\mend "{hive}"').status == 0
    assert guest.run(r'reg add "HKU\mend\Control Panel\Desktop" /v AutoEndTasks /t REG_SZ /d 1 /f').status == 0
    assert guest.run(r"reg unload HKU\mend").status == 0
    assert guest.windows.read_profile(BJOERN, "Control Panel\\Desktop", "AutoEndTasks") == string("1")
    assert guest.windows.read_profile(ALICE, "Control Panel\\Desktop", "AutoEndTasks") == string("0")
    guest.windows.sign_in(busy)
    assert guest.run(rf'reg load HKU\mend "{hive}"').status == 1  # the hive is in use
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN


def test_a_new_user_gets_what_new_users_get(start: Start) -> None:
    guest = start({keys.desktop(NEW_USER.sid): {"AutoEndTasks": string("0")}})
    newcomer = Session("carla", f"{ALICE.sid}3", applications=(Application("editor.exe", "hang"),))
    guest.windows.sign_in(newcomer)
    assert guest.run(rf'reg query "{keys.desktop(newcomer.sid)}" /v AutoEndTasks').output.split()[-1] == "0"
    guest.windows.sign_out("carla")
    assert guest.run(rf'reg query "{keys.desktop(newcomer.sid)}"').status == 1
    guest.windows.sign_in(newcomer)
    guest.press("application")
    assert guest.stays()
    assert guest.run("tasklist /fo csv /nh").output.count("editor.exe") == 1


def test_a_hive_that_was_left_loaded_is_not_after_the_next_boot(start: Start) -> None:
    guest = start()
    hive = rf"{BJOERN.folder}\NTUSER.DAT"
    assert guest.run(rf'reg load HKU\left "{hive}"').status == 0
    guest.press("off")
    guest.ended()
    guest.start_again()
    assert guest.run(r"reg query HKU\left").status == 1
    assert guest.run(rf'reg load HKU\left "{hive}"').status == 0


def test_it_has_the_same_port_in_all_boots_and_none_of_its_faults_are_forgotten(start: Start) -> None:
    guest = start(allow_basic=True, tls=True)
    port = guest.windows.network.port
    assert guest.windows.variables["ansible_port"] == port
    guest.windows.network.misbehave(every("Create", http_error(500)))
    guest.domain.destroy()
    guest.windows.control.wait_until(lambda: not guest.windows.control.reachable)
    guest.start_again()
    assert guest.windows.network.port == port
    url = guest.windows.network.endpoint.url
    assert url == f"https://127.0.0.1:{port}/wsman"
    client = Protocol(url, "basic", guest.windows.user, guest.windows.password, server_cert_validation="ignore")
    with pytest.raises(WinRMTransportError, match="500"):
        client.open_shell()
    assert [request.action for request in guest.windows.network.requests] == ["Create"]
    guest.windows.network.misbehave(None)
    client.close_shell(client.open_shell())
    guest.windows.network.forget_requests()
    assert guest.windows.network.requests == []


def test_a_guest_of_another_language_answers_in_it(start: Start) -> None:
    guest = start(language="de-DE")
    assert "FEHLER" in guest.run(r'reg load HKU\x "C:\nothing"').errors


def test_several_at_once(start: Start) -> None:
    guests = [start(), start(BUTTON_0)]
    guests[1].windows.change({power.scheme_key(power.BALANCED, power.POWER_BUTTON): {"ACSettingIndex": dword(3)}})
    guests[1].windows.power_scheme_activated()
    for guest in guests:
        guest.press("off")
    for guest in guests:
        assert guest.ended() is DiskState.CLEAN
