# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a remediation when the connection, the WinRM service or the guest misbehaves in the middle of it."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Row
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import LONGEST_OUTPUT
from bed.ansible_run import play
from bed.guest_action import act
from bed.guests import Bed
from bed.windows import keys
from bed.windows.blockers import OBEDIENT
from bed.windows.commands import Answer, Invocation, faults
from bed.windows.commands.types import Windows
from bed.windows.endpoint.faults import (
    Fault,
    access_denied,
    cut_after,
    cut_before,
    every,
    garbage,
    half_xml,
    http_error,
    huge,
    hung,
    nth,
    quota,
    shell_gone,
    slow,
    timed_out,
    truncated,
)
from bed.windows.guest import SimulatedWindows
from bed.windows.places import contents, loaded, places, put, value
from integration.faults import fault
from integration.guests import MEND

pytestmark = pytest.mark.xdist_group("faults")  # so that they share the guest of this module

ROW = {row.id: row for row in ROWS}
STAYS, LOGON, USERS = "stays_on_after_shutdown", "shutdown_without_logon", "auto_end_tasks"
WRONG = {STAYS: 1, LOGON: 0}
FEW = [ROW[ident] for ident in WRONG]
MEGABYTES = 3_000_000


@pytest.fixture(scope="module")
def shared_guest(shared_bed: Bed) -> Iterator[SimulatedWindows]:
    with SimulatedWindows(shared_bed, "faulty", registry=OBEDIENT) as windows:
        windows.start()
        yield windows


@pytest.fixture
def guest(shared_guest: SimulatedWindows) -> Iterator[SimulatedWindows]:
    """Two rows are wrong; afterwards nothing is left loaded and no file of ours in its temporary folder."""
    for ident, data in WRONG.items():
        put(shared_guest, ROW[ident], data)
    before = loaded(shared_guest)
    yield shared_guest
    shared_guest.faults = []
    shared_guest.network.misbehave(None)
    assert loaded(shared_guest) == before


def mend(guest: SimulatedWindows, rows: list[Row] = FEW, **options: Any) -> dict[str, Any]:
    """Mend these rows."""
    return act(guest, MEND, catalogue=rows, **options)


def states(result: dict[str, Any]) -> dict[str, set[str]]:
    """The states of each row."""
    found: dict[str, set[str]] = {}
    for finding in result["findings"]:
        found.setdefault(finding["id"], set()).add(finding["state"])
    return found


def is_right(guest: SimulatedWindows, ident: str) -> bool:
    """Whether the registry has what a row wants."""
    now = contents(guest)
    return all(ROW[ident].desired.accepts(getattr(value(now, place), "data", None)) for place in places(ROW[ident]))


OVERCOME = {
    "every answer is late": every("Receive", slow(0.5)),
    "the first output is cut off": nth("Receive", 1, truncated()),
    "the first output is half a message": nth("Receive", 1, half_xml()),
    "the first output is no message at all": nth("Receive", 1, garbage()),
    "the end of a command is not taken": every("Signal", http_error(500)),
    "the shell cannot be closed": every("Delete", http_error(500)),
    "the shell is gone": nth("Command", 2, shell_gone()),
    "too many operations": nth("Command", 2, quota()),
    "the service asks for patience": nth("Receive", (1, 2), timed_out()),
    "the service is not there for a moment": nth("Command", 2, http_error(503)),
}


@fault("winrm_slow", "winrm_cut", "winrm_fault")
@pytest.mark.parametrize("what", OVERCOME)
def test_what_goes_wrong_once_is_overcome(guest: SimulatedWindows, what: str) -> None:
    guest.network.forget_requests()
    guest.network.misbehave(OVERCOME[what])
    result = mend(guest)
    assert "failed" not in result, result["msg"]
    assert all(is_right(guest, ident) for ident in WRONG)
    assert all(found <= {"fixed", "ok"} for found in states(result).values())
    assert result["changed"]


@fault("winrm_cut")
@pytest.mark.parametrize("cut", [cut_before(), cut_after()], ids=["before", "after"])
def test_a_connection_that_is_cut_once_at_any_stage(guest: SimulatedWindows, cut: Fault) -> None:
    """At every request of a run there is: either before anything was written, or it is overcome."""
    guest.network.forget_requests()
    assert "failed" not in mend(guest)
    stages = collections.Counter(request.action for request in guest.network.requests)
    assert stages.keys() == {"Create", "Command", "Receive", "Signal", "Delete"}
    for action, count in stages.items():
        for number in range(1, count + 1):
            for ident, data in WRONG.items():
                put(guest, ROW[ident], data)
            guest.network.forget_requests()
            guest.network.misbehave(nth(action, number, cut))
            try:
                result = mend(guest)
            except AnsibleConnectionFailure:
                assert action == "Create" and not any(is_right(guest, ident) for ident in WRONG)
                continue
            assert "failed" not in result, (action, number, result["msg"])
            assert result["changed"] and all(is_right(guest, ident) for ident in WRONG), (action, number)


IMPATIENT = {"ansible_winrm_operation_timeout_sec": 1, "ansible_winrm_read_timeout_sec": 2}


@fault("winrm_hung")
def test_a_service_that_does_not_answer_once_is_asked_anew(guest: SimulatedWindows) -> None:
    guest.network.forget_requests()
    guest.network.misbehave(nth("Receive", 1, hung()))
    assert states(mend(guest, variables=IMPATIENT)) == {LOGON: {"fixed"}, STAYS: {"fixed"}}


@fault("winrm_hung")
def test_a_service_that_never_answers_is_given_up(guest: SimulatedWindows) -> None:
    guest.network.forget_requests()
    guest.network.misbehave(every("Receive", hung()))
    result = mend(guest, variables=IMPATIENT)
    assert result["failed"] and not result.get("changed")
    assert "So it did before, with the same command" in result["msg"] and "run this again" in result["msg"]
    assert not any(is_right(guest, ident) for ident in WRONG)


@fault("winrm_flood")
def test_megabytes_in_place_of_every_answer_leave_all_unread_and_write_nothing(guest: SimulatedWindows) -> None:
    guest.network.forget_requests()
    guest.network.misbehave(every("Receive", huge(LONGEST_OUTPUT + 1, instead=True)))
    result = mend(guest, [ROW[LOGON]])
    assert states(result) == {LOGON: {"unreadable"}}
    assert not result["changed"] and not is_right(guest, LOGON)


GIVES_UP: dict[str, tuple[Any, list[str]]] = {
    "no output ever arrives": (every("Receive", cut_after()), ["So it did before, with the same command", "run this"]),
    "all output is half a message": (every("Receive", half_xml()), ["So it did before"]),
    "the service fails": (every("Command", http_error(500)), ["did not run a command", "500"]),
    "nobody may run a command": (every("Command", access_denied()), ["did not run a command", "Access is denied"]),
}


@fault("winrm_cut", "winrm_fault")
@pytest.mark.parametrize("what", GIVES_UP)
def test_what_goes_on_being_wrong_is_a_failure_that_says_so(guest: SimulatedWindows, what: str) -> None:
    fault, words = GIVES_UP[what]
    guest.network.forget_requests()
    guest.network.misbehave(fault)
    result = mend(guest)
    assert result["failed"]
    for word in words:
        assert word in result["msg"]
    assert "\x1b" not in result["msg"]


@fault("winrm_fault")
def test_a_failure_after_the_first_writes_says_that_they_may_have_been_made(guest: SimulatedWindows) -> None:
    guest.network.forget_requests()
    guest.network.misbehave(lambda action, number: http_error(500) if action == "Command" and number > 1 else None)
    result = mend(guest)
    assert result["failed"] and result["changed"]
    assert "running again goes on from there" in result["msg"]
    guest.network.misbehave(None)
    assert set(states(mend(guest))[LOGON]) == {"fixed"}


@fault("winrm_fault")
def test_a_service_that_takes_no_shell_is_a_guest_that_cannot_be_reached(guest: SimulatedWindows) -> None:
    guest.network.misbehave(every("Create", http_error(500)))
    with pytest.raises(AnsibleConnectionFailure):
        mend(guest)


@fault("winrm_slow")
def test_a_command_that_takes_too_long_is_ended(guest: SimulatedWindows) -> None:
    guest.faults = [faults.slow("reg", 30)]
    timeouts = {"ansible_winrm_operation_timeout_sec": 1, "ansible_winrm_read_timeout_sec": 20}
    result = mend(guest, timeout=1, variables=timeouts)
    assert result["failed"] and "has not answered within 1 s (option timeout)" in result["msg"]
    assert not any(is_right(guest, ident) for ident in WRONG)


@fault("winrm_flood")
def test_megabytes_of_a_value_hide_no_other(guest: SimulatedWindows) -> None:
    """Of what a guest prints, a megabyte is read; the value is left unread, and what comes after it is asked again."""
    (place,) = places(ROW[LOGON])

    def flood(invocation: Invocation, dummy: Windows, dummy_ends: threading.Event) -> Answer | None:
        words = invocation.arguments
        asked = invocation.program == "reg" and words[0] == "query" and place.name in words
        return Answer("x" * MEGABYTES) if asked else None

    guest.faults = [flood]
    result = mend(guest)
    assert states(result) == {LOGON: {"unreadable"}, STAYS: {"fixed"}}
    assert "failed" not in result and is_right(guest, STAYS)


@fault("winrm_flood")
def test_megabytes_that_the_service_adds_are_not_read_for_ever(guest: SimulatedWindows) -> None:
    guest.network.forget_requests()
    guest.network.misbehave(nth("Receive", 1, huge(MEGABYTES)))
    result = mend(guest)
    assert "failed" not in result and all(is_right(guest, ident) for ident in WRONG)


@fault("registry_refused")
def test_a_key_that_may_not_be_written_is_named_and_all_else_is_mended(guest: SimulatedWindows) -> None:
    (place,) = places(ROW[LOGON])
    guest.faults = [faults.refuse_writes(place.key)]
    result = mend(guest)
    assert states(result) == {LOGON: {"differs"}, STAYS: {"fixed"}}
    assert result["failed"] and result["changed"]
    assert result["msg"].startswith(f"1 findings could not be mended: {LOGON} at {place.location} (")
    assert "Access is denied" in result["msg"]
    assert is_right(guest, STAYS) and not is_right(guest, LOGON)


@fault("registry_refused")
def test_a_key_that_may_not_be_read_is_unreadable_and_left_alone(guest: SimulatedWindows) -> None:
    (place,) = places(ROW[LOGON])
    guest.faults = [faults.refuse_all(place.key)]
    result = mend(guest)
    assert states(result) == {LOGON: {"unreadable"}, STAYS: {"fixed"}}
    (finding,) = [one for one in result["findings"] if one["id"] == LOGON]
    assert "Access is denied" in finding["detail"] and "failed" not in result


@fault("registry_refused")
def test_a_write_that_is_refused_once_is_tried_once_more(guest: SimulatedWindows) -> None:
    """A virus scanner may hold a key or a hive for a moment."""
    refusals: list[Invocation] = []

    def refuse_once(invocation: Invocation, windows: Windows, ends: threading.Event) -> Answer | None:
        answer = faults.refuse_writes(keys.SYSTEM_POLICIES)(invocation, windows, ends)
        if answer and not refusals:
            refusals.append(invocation)
            return answer
        return None

    guest.faults = [refuse_once]
    result = mend(guest)
    assert len(refusals) == 1
    assert states(result) == {LOGON: {"fixed"}, STAYS: {"fixed"}} and "failed" not in result


@fault("program_fails")
def test_a_program_that_fails_is_not_taken_for_one_that_finds_nothing(guest: SimulatedWindows) -> None:
    rows = [ROW["modules_installer_running"], ROW["threat_not_removed"]]
    assert set().union(*states(mend(guest, rows)).values()) == {"ok"}
    said = "This program is blocked by group policy."
    guest.faults = [
        faults.answer("tasklist", Answer(errors=f"{said}\n", status=1)),
        faults.answer("wevtutil", Answer(status=1)),
    ]
    told = {finding["id"]: (finding["state"], finding["detail"]) for finding in mend(guest, rows)["findings"]}
    assert told["modules_installer_running"] == ("unreadable", said)
    assert told["threat_not_removed"] == ("unreadable", "the program that tells it has failed without a word")


class LostOutput:
    """A fault: what so many commands have printed is lost, because their file cannot be read at their end."""

    def __init__(self, windows: SimulatedWindows, times: int) -> None:
        self.windows, self.times = windows, times

    def __call__(self, invocation: Invocation, dummy: Windows, dummy_ends: threading.Event) -> Answer | None:
        if invocation.program == "reg" and "ProductType" in invocation.arguments and self.times:
            self.times -= 1
            for file in self.windows.wine.drive_c.rglob("winguest-*.txt"):
                file.write_text("")
        return None


@fault("output_lost")
def test_output_that_is_lost_is_asked_for_again(guest: SimulatedWindows) -> None:
    """What the guest has printed so far is gone from the file of the output: all of it, twice."""
    lost = LostOutput(guest, 2)
    guest.faults = [lost]
    result = mend(guest)
    assert lost.times == 0
    assert states(result) == {LOGON: {"fixed"}, STAYS: {"fixed"}} and "failed" not in result


class Reboot:
    """A fault: the guest stops dead at the first write, and is started again."""

    def __init__(self, windows: SimulatedWindows) -> None:
        self.windows = windows
        self.thread: threading.Thread | None = None

    def __call__(self, invocation: Invocation, dummy: Windows, dummy_ends: threading.Event) -> Answer | None:
        if self.thread is None and invocation.program == "reg" and invocation.arguments[0] == "add":
            self.thread = threading.Thread(target=self._reboot)
            self.thread.start()
            self.windows.control.wait_until(lambda: not self.windows.control.reachable)
        return None

    def _reboot(self) -> None:
        self.windows.bed.connection.lookupByName(self.windows.name).destroy()
        self.windows.start()


@fault("guest_reboots")
def test_a_guest_that_reboots_in_the_middle_is_mended_when_it_is_back(guest: SimulatedWindows) -> None:
    boots = guest.boots
    put(guest, ROW[USERS], "0")
    reboot = Reboot(guest)
    guest.faults = [reboot]
    result = mend(guest, [*FEW, ROW[USERS]])
    assert reboot.thread
    reboot.thread.join()
    assert guest.boots == boots + 1
    assert "failed" not in result, result["msg"]
    assert set().union(*states(result).values()) <= {"fixed", "ok"}
    assert all(is_right(guest, ident) for ident in (*WRONG, USERS))


@fault("winrm_down", "credentials_wrong")
def test_guests_that_cannot_be_reached_are_results_and_not_the_end_of_the_run(
    guest: SimulatedWindows, shared_bed: Bed
) -> None:
    """One is off, one takes another password, and the playbook goes on with the third and to its end."""
    reachable = {**guest.variables, "ansible_password": guest.password}
    with SimulatedWindows(shared_bed, "faulty-off") as off:
        hosts = {
            "off": {**off.variables, "ansible_password": off.password},
            "wrong": {**reachable, "ansible_password": "not it"},
            "good": reachable,
        }
        custom = {"guest_readiness_scenarios": ["other"], "guest_readiness_fail_unreachable": False}
        tasks = [
            {"ansible.builtin.include_role": {"name": "winguest.shutdown.guest_readiness"}},
            {"ansible.builtin.debug": {"var": "guest_readiness_result.unreachable"}},
        ]
        run = play({"windows": {"hosts": hosts, "vars": custom}}, tasks)
    assert run.status == 0, run.output
    for host in ("off", "wrong"):
        (told,) = [task for task in run.tasks if (task.host, task.action) == (host, MEND)]
        assert told.result["unreachable"] and told.result["msg"]
        assert f"unreachable: {told.result['msg']}"[:40] in run.output
    assert run.result("good", MEND)["totals"]["fixed"] == 1
    assert "credentials were rejected" in run.output
    assert run.output.count("failed=0") == 3
