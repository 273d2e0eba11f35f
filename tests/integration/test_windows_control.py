# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model drives the ACPI guest on real QEMU; the registry is one in memory in place of Wine's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import libvirt
import pytest
from bed.acpi_guest import DiskState, disk_state
from bed.guests import AcpiGuest, file_of
from bed.windows import keys, power
from bed.windows.blockers import BLOCKERS, OBEDIENT, Changes, in_every_scheme, merged, with_changes
from bed.windows.control import ERROR_NOT_READY, Control
from bed.windows.situation import Phase, Request, Service, Situation
from bed.windows.snapshot import Snapshot
from bed.windows.systems import SERVER_2022, WINDOWS_11, System, registry
from bed.windows.typed import dword
from integration.conftest import Hypervisor

PATIENCE = 60
A_WHILE = 0.5
QUICK = Situation(takes=1)
FORCED = Request(forced=True)


class MemoryRegistry:
    """A registry that is a mapping."""

    def __init__(self, system: System, changes: Changes) -> None:
        self.system = system
        self.changes = merged(OBEDIENT, changes)

    def snapshot(self, *dummy_roots: str) -> Snapshot:
        """What it holds."""
        return Snapshot(with_changes(registry(self.system), self.changes))

    def delete_key(self, key: str) -> None:
        """Delete a key."""
        self.changes.pop(key, None)


class Driven:
    """A guest that the model drives."""

    def __init__(
        self, hypervisor: Hypervisor, changes: Changes, situation: Situation, system: System = SERVER_2022
    ) -> None:
        self.hypervisor = hypervisor
        self.name = f"w{len(hypervisor.bed.connection.listAllDomains())}-{time.monotonic_ns() % 1000000}"
        self.registry = MemoryRegistry(system, changes)
        com1, com2 = (file_of(self.name, kind, hypervisor.bed.directory) for kind in ("com1", "com2"))
        self.reached: list[bool] = []
        self.control = Control(com1, com2, system, self.registry, situation, 60, self.reached.append)
        self.control.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        if self.control.decisions or self.control.state:
            self.domain.create()
        else:
            self.hypervisor.start(AcpiGuest(self.name, "press=ask"))
        self.control.wait_until(lambda: self.control.reachable, PATIENCE)

    @property
    def domain(self) -> libvirt.virDomain:
        """The domain as it is now."""
        return self.hypervisor.domain(self.name)

    def press(self, rule: str) -> None:
        """Press the button, and wait until this rule has decided."""
        count = len(self.control.decisions)
        self.domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        self.control.wait_until(lambda: len(self.control.decisions) > count, PATIENCE)
        assert self.control.decisions[-1].rule == rule, self.control.decisions[-1].reason

    def ended(self) -> DiskState:
        """Wait until it is off; what it has left on its disk."""
        deadline = time.monotonic() + PATIENCE
        while self.runs():
            assert time.monotonic() < deadline, self.hypervisor.bed.com1(self.name)
            time.sleep(0.05)
        return disk_state(self.hypervisor.bed.disk(self.name))

    def runs(self) -> bool:
        """Whether QEMU runs it."""
        return bool(self.domain.isActive())

    def state(self) -> int:
        """Libvirt's number for its state."""
        found: Any = self.domain.state()
        return int(found[0])

    def until_suspended(self) -> None:
        """Wait until it sleeps."""
        deadline = time.monotonic() + PATIENCE
        while self.state() != libvirt.VIR_DOMAIN_PMSUSPENDED:
            assert time.monotonic() < deadline, self.hypervisor.bed.com1(self.name)
            time.sleep(0.05)

    def stays(self) -> bool:
        """Whether it still runs after a while."""
        time.sleep(A_WHILE)
        return self.runs()

    def logged(self) -> list[int]:
        """The numbers of the events."""
        return [event.id for dummy_time, event in self.control.events]


Start = Callable[..., Driven]


@pytest.fixture
def start(hypervisor: Hypervisor) -> Iterator[Start]:
    """Start such a guest."""
    guests: list[Driven] = []

    def start_one(changes: Changes | None = None, situation: Situation = QUICK, system: System = SERVER_2022) -> Driven:
        guests.append(Driven(hypervisor, changes or {}, situation, system))
        guests[-1].start()
        return guests[-1]

    yield start_one
    for guest in guests:
        guest.control.close()


def test_it_obeys(start: Start) -> None:
    guest = start()
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN
    assert guest.logged() == [12, 27, 6009, 6005, 1074, 109, 6006, 13]
    guest.control.wait_until(lambda: not guest.control.reachable)
    assert guest.reached == [True, False]


def test_a_button_that_means_nothing_is_mended_by_a_scheme_that_is_activated(start: Start) -> None:
    guest = start(in_every_scheme(power.POWER_BUTTON, 0))
    guest.press("button_nothing")
    guest.registry.changes = merged(OBEDIENT)
    guest.press("button_nothing")
    assert guest.stays()
    guest.control.power_scheme_activated()
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN


def test_a_dark_display_needs_two_presses(start: Start) -> None:
    guest = start(BLOCKERS["sleep"].wrong, replace(QUICK, idle=900))
    guest.press("display_off")
    assert guest.stays()
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN


def test_it_sleeps_when_left_alone_and_is_woken(start: Start) -> None:
    guest = start(BLOCKERS["sleep"].wrong)
    guest.control.left_alone(1800)
    guest.control.wait_until(lambda: not guest.control.reachable)
    guest.until_suspended()
    guest.domain.pMWakeup()
    guest.control.wait_until(lambda: guest.control.reachable, PATIENCE)
    assert guest.logged()[-2:] == [42, 107]
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN


def test_it_may_be_asleep_from_the_start(start: Start, hypervisor: Hypervisor) -> None:
    guest = Driven(hypervisor, BLOCKERS["sleep"].wrong, replace(QUICK, idle=1e6))
    try:
        hypervisor.start(AcpiGuest(guest.name, "press=ask"))
        hypervisor.bed.wait_for(guest.name, "sleep")
        assert guest.control.state
        assert guest.control.state.phase is Phase.ASLEEP
    finally:
        guest.control.close()


def test_it_works_on_updates_once(start: Start) -> None:
    updates = BLOCKERS["updates"]
    guest = start(updates.wrong, replace(QUICK, servicing=60))
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN
    assert "written" in guest.hypervisor.bed.com1(guest.name)
    guest.control.wait_until(lambda: guest.logged()[-1] == 13)
    assert not guest.registry.snapshot().exists(keys.SERVICING_MARKERS[0])
    guest.start()
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN
    assert guest.hypervisor.bed.com1(guest.name).count("written") == 1


def test_updates_that_are_cut_off_stay_and_are_seen(start: Start) -> None:
    guest = start(BLOCKERS["updates"].wrong, replace(QUICK, servicing=60000))
    guest.press("off")
    guest.hypervisor.bed.wait_for(guest.name, "writing")
    guest.domain.destroy()
    assert guest.ended() is DiskState.SERVICING
    guest.control.wait_until(lambda: not guest.control.reachable)
    guest.start()
    assert 41 in guest.logged()
    assert 6008 in guest.logged()
    assert guest.registry.snapshot().exists(keys.SERVICING_MARKERS[0])


def test_a_damaged_guest_hangs_and_does_not_answer(start: Start) -> None:
    guest = start({}, replace(QUICK, damaged=True))
    assert {55, 1119} < set(guest.logged())
    guest.press("damaged")
    guest.control.wait_until(lambda: not guest.control.reachable)
    guest.domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    assert guest.stays()


def test_a_hung_application_leaves_it_answering(start: Start) -> None:
    blocker = BLOCKERS["applications"]
    guest = start(blocker.wrong, blocker.situation)
    guest.press("application")
    guest.hypervisor.bed.wait_for(guest.name, "hang")
    assert guest.control.reachable
    assert guest.control.request_shutdown(FORCED) == 1115
    assert guest.stays()


def test_after_the_next_sign_in_it_is_ended(start: Start) -> None:
    blocker = BLOCKERS["applications"]
    guest = start(blocker.wrong, replace(blocker.situation, takes=1, services=()))
    guest.registry.changes = merged(OBEDIENT)
    session = blocker.situation.sessions[0]
    guest.control.sign_out(session.user)
    guest.control.sign_in(session)
    guest.press("off")
    assert guest.ended() is DiskState.CLEAN
    assert guest.logged().count(10002) == 2


def test_a_program_ends_it_without_a_press(start: Start) -> None:
    guest = start(BLOCKERS["power_button"].wrong)
    assert guest.control.request_shutdown(FORCED) == 0
    assert guest.ended() is DiskState.CLEAN
    assert "press" not in guest.hypervisor.bed.com1(guest.name)
    assert guest.control.request_shutdown(FORCED) == ERROR_NOT_READY


def test_a_program_ends_it_while_the_button_is_pressed(start: Start) -> None:
    guest = start()
    for dummy in range(10):
        guest.domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    assert guest.control.request_shutdown(FORCED) in (0, 1115)
    assert guest.ended() is DiskState.CLEAN


def test_a_timer(start: Start) -> None:
    guest = start()
    assert guest.control.request_shutdown(Request(seconds=600)) == 0
    assert guest.control.request_shutdown(FORCED) == 1190
    assert guest.control.abort_shutdown() == 0
    assert guest.control.abort_shutdown() == 1116
    assert guest.control.request_shutdown(Request(seconds=6)) == 0
    assert guest.ended() is DiskState.CLEAN


def test_a_start_after_a_hybrid_shutdown_is_no_boot(start: Start) -> None:
    service = rf"{keys.SERVICES}\Slow"
    situation = replace(QUICK, services=(Service("Slow"),))
    guest = start({keys.FAST_STARTUP: {"HiberbootEnabled": dword(1)}}, situation, WINDOWS_11)
    guest.registry.changes[service] = {"PreshutdownTimeout": dword(1000)}
    for delay in (11, 11, 2):  # after the first press, which is hybrid, the old time still counts
        guest.press("off")
        guest.registry.changes[keys.FAST_STARTUP] = {"HiberbootEnabled": dword(0)}
        assert guest.control.decisions[-1].delay == delay
        guest.ended()
        guest.control.wait_until(lambda: not guest.control.reachable)
        guest.start()
    assert [dict(event.data)["BootType"] for dummy, event in guest.control.events if event.id == 27] == list("0100")


def test_power_that_stays_on(start: Start) -> None:
    guest = start({keys.SHUTDOWN_POLICY: {"DontPowerOffAfterShutdown": dword(1)}})
    assert guest.control.request_shutdown(FORCED) == 0
    guest.control.wait_until(lambda: not guest.control.reachable)
    assert guest.stays()


def test_it_goes_on_after_it_was_saved(start: Start) -> None:
    blocker = BLOCKERS["logon"]
    guest = start(blocker.wrong, blocker.situation)
    guest.control.change_situation(takes=1)
    guest.control.sign_out(blocker.situation.sessions[0].user)
    guest.domain.managedSave()
    guest.control.wait_until(lambda: not guest.control.reachable, PATIENCE)
    guest.start()
    assert guest.control.state
    assert not guest.control.state.sessions
    guest.press("without_logon")
    assert guest.control.request_shutdown(FORCED) == 0
    assert guest.ended() is DiskState.CLEAN


def test_what_cannot_be_done_is_refused(hypervisor: Hypervisor) -> None:
    guest = Driven(hypervisor, {}, QUICK)
    try:
        with pytest.raises(RuntimeError, match="has not booted"):
            guest.control.sign_out("alice")
        with pytest.raises(TimeoutError, match="decided so far"):
            guest.control.wait_for_decision("off", timeout=0.1)
    finally:
        guest.control.close()
