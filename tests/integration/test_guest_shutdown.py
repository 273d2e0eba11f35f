# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""guest_shutdown against a simulated Windows guest on real QEMU: what it asks, and what it makes of the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import libvirt
import pytest
from ansible.errors import AnsibleConnectionFailure
from bed.acpi_guest import DiskState
from bed.ansible_run import play
from bed.guest_action import act
from bed.guests import Bed
from bed.windows import keys
from bed.windows.commands import faults
from bed.windows.commands.shutdown import LONGEST_TIMEOUT
from bed.windows.commands.types import Answer, Invocation, Windows
from bed.windows.endpoint.faults import Fault, cut_after, hung, nth
from bed.windows.guest import SimulatedWindows
from bed.windows.situation import FOR_EVER, Application, Phase, Request, Session, Situation
from bed.windows.systems import ALICE
from bed.windows.typed import dword
from integration.faults import fault
from integration.guests import SHUT_DOWN, off

pytestmark = [pytest.mark.xdist_group("guest_shutdown"), pytest.mark.timeout(300)]

MESSAGE = "Maintenance & updates | save <all> ^your^ (work), it's 100 !sure!"
PROMPT = 20.0
"""Seconds. Whoever waits for a guest that has gone does so for 30 s at least, which is how long Ansible's winrm
connection waits for an answer; the task itself takes about one."""

ASKED = ("shutdown", ("/s", "/t", "0", "/d", "p:0:0"))
CANCELLED = ("shutdown", ("/a",))


@pytest.fixture(scope="module")
def windows(shared_bed: Bed) -> Iterator[SimulatedWindows]:
    """One guest for all; once scripts run they run for ever, and WinRM answers meanwhile."""
    with SimulatedWindows(
        shared_bed,
        "asked",
        registry={keys.SYSTEM_POLICIES: {"MaxGPOScriptWait": dword(0)}},
        situation=Situation(takes=0),
    ) as windows:
        yield windows


@pytest.fixture
def domain(windows: SimulatedWindows) -> Iterator[libvirt.virDomain]:
    """Its domain, started; what a test has done to the guest does not outlast it."""
    windows.faults.clear()
    windows.network.misbehave(None)
    windows.control.change_situation(scripts=0.0)
    domain = windows.bed.connection.lookupByName(windows.name) if windows.boots else windows.start()
    if not domain.isActive():
        windows.start()
    windows.commands.invocations.clear()
    windows.network.forget_requests()
    yield domain
    untouched = windows.state and windows.state.phase is Phase.UP and not windows.state.signed_in
    if domain.isActive() and not untouched:
        domain.destroy()
        windows.control.wait_until(lambda: not windows.control.reachable)


def shut_down(windows: SimulatedWindows, **options: Any) -> dict[str, Any]:
    """Run the action, and check that it is prompt."""
    began = time.monotonic()
    result = act(windows, SHUT_DOWN, **options)
    assert time.monotonic() - began < PROMPT
    return result


def told(result: dict[str, Any]) -> tuple[str, int | None, bool, bool]:
    """Outcome and status, and whether it was changed and has failed."""
    return result["outcome"], result["status"], result["changed"], result["failed"]


def never_ends(windows: SimulatedWindows) -> None:
    """A shutdown from now on begins, and is in progress as long as the guest runs."""
    windows.control.change_situation(scripts=FOR_EVER)


def asked(windows: SimulatedWindows) -> list[Invocation]:
    """All that was run in the guest."""
    return list(windows.commands.invocations)


def no_answer(invocation: Invocation, windows: Windows, ends: threading.Event) -> Answer | None:
    """shutdown.exe asks, and the shutdown ends it, and the connection, before it can say so."""
    if invocation.program == "shutdown":
        windows.request_shutdown(Request(forced=True))
        ends.wait()
    return None


def test_check_mode_asks_nothing(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    result = act(windows, SHUT_DOWN, check_mode=True, force=True, message=MESSAGE)
    assert (result["outcome"], result["changed"]) == ("planned", True)
    assert windows.commands.invocations == [] and windows.network.requests == []
    assert domain.isActive()


def test_it_is_accepted_and_the_guest_goes_off(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    """Ansible tells the outcome, and the guest's power is off, while nobody keeps a connection up to it.

    What the answer is like when it comes in time, the tests of a shutdown in progress say: there it always does.
    """
    inventory = {"windows": {"hosts": {"guest": {**windows.variables, "ansible_password": windows.password}}}}
    run = play(inventory, [{SHUT_DOWN: {"message": MESSAGE}}])
    result = run.result("guest", SHUT_DOWN)
    assert run.status == 0 and "changed=1" in run.output, run.output
    assert told({"failed": False, **result}) in (("accepted", 0, True, False), ("unanswered", None, True, False))
    assert off(windows, domain) is DiskState.CLEAN
    (invocation,) = asked(windows)
    assert invocation == ("shutdown", ("/s", "/t", "0", "/d", "p:0:0", "/c", MESSAGE))


def test_one_that_is_in_progress_is_no_failure_and_no_change(
    windows: SimulatedWindows, domain: libvirt.virDomain
) -> None:
    never_ends(windows)
    assert told(shut_down(windows)) == ("accepted", 0, True, False)
    assert told(shut_down(windows)) == ("in_progress", 1115, False, False)
    assert asked(windows) == [ASKED, ASKED]
    assert windows.state and windows.state.phase is Phase.LEAVING


@fault("request_refused")
def test_one_that_is_scheduled_blocks_it_until_it_is_cancelled(
    windows: SimulatedWindows, domain: libvirt.virDomain
) -> None:
    never_ends(windows)
    result = shut_down(windows, delay=LONGEST_TIMEOUT, force=True, message=MESSAGE)
    assert told(result) == ("accepted", 0, True, False)
    assert windows.state and windows.state.phase is Phase.SCHEDULED
    assert windows.state.request == Request(forced=True, seconds=LONGEST_TIMEOUT, comment=MESSAGE)

    blocked = shut_down(windows)
    assert told(blocked) == ("scheduled", 1190, False, True)
    assert not blocked["cancelled_scheduled"] and windows.state.phase is Phase.SCHEDULED

    windows.commands.invocations.clear()
    result = shut_down(windows, cancel_scheduled=True)
    assert told(result) == ("accepted", 0, True, False) and result["cancelled_scheduled"]
    assert asked(windows) == [ASKED, CANCELLED, ASKED]
    state = windows.state
    assert state.phase is Phase.LEAVING and state.request == Request()


def test_nothing_is_cancelled_where_nothing_is_scheduled(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    never_ends(windows)
    result = shut_down(windows, cancel_scheduled=True)
    assert told(result) == ("accepted", 0, True, False) and not result["cancelled_scheduled"]
    assert asked(windows) == [ASKED]


def test_a_timer_runs_out(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    """600 of Windows' seconds, which are ten here."""
    assert told(shut_down(windows, delay=600, force=True)) == ("accepted", 0, True, False)
    assert off(windows, domain) is DiskState.CLEAN
    assert [decision.rule for decision in windows.decisions][-2:] == ["timer", "off"]


def test_users_who_are_signed_in_are_asked_about_first(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    windows.sign_in(Session(ALICE.user, ALICE.sid, applications=(Application("editor.exe", "veto"),)))
    result = shut_down(windows)
    assert told(result) == ("refused", 1191, False, True) and "force" in result["msg"]
    assert domain.isActive() and windows.state and windows.state.phase is Phase.UP
    shut_down(windows, force=True)
    assert off(windows, domain) is DiskState.CLEAN
    assert asked(windows) == [ASKED, ("shutdown", ("/s", "/f", "/t", "0", "/d", "p:0:0"))]


@fault("request_refused")
@pytest.mark.parametrize(("status", "words"), [(5, "denied"), (1314, "right"), (21, "starting"), (4711, "4711")])
def test_a_refusal_says_why(windows: SimulatedWindows, domain: libvirt.virDomain, status: int, words: str) -> None:
    """Whatever the language that shutdown.exe speaks."""
    windows.faults.append(faults.answer("shutdown", Answer(errors=f"Zugriff verweigert({status})\n", status=status)))
    result = shut_down(windows, cancel_scheduled=True)
    assert told(result) == ("refused", status, False, True) and words in result["msg"]
    assert asked(windows) == [ASKED]
    assert domain.isActive()


@fault("answer_lost")
def test_it_returns_when_the_shutdown_cuts_the_connection(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    windows.faults.append(no_answer)
    assert told(shut_down(windows)) == ("unanswered", None, True, False)
    assert off(windows, domain) is DiskState.CLEAN
    assert asked(windows) == [ASKED]


@fault("answer_lost")
def test_it_does_not_ask_twice_when_the_answer_is_lost(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    never_ends(windows)
    windows.network.misbehave(nth("Receive", 1, cut_after()))
    assert told(shut_down(windows)) == ("unanswered", None, True, False)
    windows.control.wait_until(lambda: bool(asked(windows)))  # the Receive may have brought nothing yet, and been cut
    assert asked(windows) == [ASKED]


def test_what_comes_after_the_answer_is_not_waited_for(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    """A guest that has gone without closing its connections never answers, and nobody says so."""
    never_ends(windows)

    def silent_after_the_answer(action: str, dummy_number: int) -> Fault | None:
        return hung() if action in ("Signal", "Delete") else None

    windows.network.misbehave(silent_after_the_answer)
    assert told(shut_down(windows)) == ("accepted", 0, True, False)
    assert [request.action for request in windows.network.requests] == ["Create", "Command", "Receive"]


@fault("winrm_down")
def test_a_guest_that_is_off_cannot_be_asked(windows: SimulatedWindows, domain: libvirt.virDomain) -> None:
    domain.destroy()
    windows.control.wait_until(lambda: not windows.control.reachable)
    with pytest.raises(AnsibleConnectionFailure):
        shut_down(windows)
