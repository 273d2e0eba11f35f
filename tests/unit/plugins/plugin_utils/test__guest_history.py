# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guest is asked for its events in one command, and whatever it answers, the rest of the history stays."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._shutdown_history import QUERIES
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_audit import Questioner
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_history import questions, told
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_script import LONGEST_LINE
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import (
    LONGEST_OUTPUT,
    Output,
    ShellError,
    WindowsShell,
)
from unit.recorded_events import BEGIN, UPDATES, UPGRADE_CODE, Guest, event_xml, parameters

QUERY = re.compile(
    r"wevtutil qe (\w+) /q:\"\*\[System\[Provider\[@Name='([^']+)'\] and \(([^)]*)\)"
    r" and TimeCreated\[timediff\(@SystemTime\)<=(\d+)\]\]\]\" /c:(\d+) /rd:true /f:xml >>%e 2>&1"
)
JUDGEMENT = r"(if errorlevel 1 \(echo %mf >>%e\) else \(echo %m >>%e\))"
PIECE = re.compile(rf"{JUDGEMENT}|echo %m(\S*) >>%e|{QUERY.pattern}")


class Shell(WindowsShell):
    """A cmd.exe that knows only the words of the history's command lines, and has a guest's events."""

    def __init__(self, guest: Guest, failing: str = "", **answers: str) -> None:
        """answers: what wevtutil prints of a provider in place of the guest's events; it fails for the failing one."""
        self.events = re.findall(r"<Event .*?</Event>", guest.texts, re.DOTALL)
        self.answers = answers
        self.failing = failing
        self.lines: list[str] = []
        self.asked: list[tuple[str, int]] = []
        self.ages: set[int] = set()

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        assert len(line) <= LONGEST_LINE
        self.lines.append(line)
        mark = re.search(r"for %m in \((\S+)\)", line)
        if mark is None:
            return Output("", "", 0)
        parts = []
        for found in PIECE.finditer(line):
            if found[1] is not None:
                failed = self.asked[-1][0] == self.failing
                parts.append(f"{mark[1]}{'f' if failed else ''} \r\n")
            elif found[2] is not None:
                parts.append(f"{mark[1]}{found[2]} \r\n")
            else:
                parts.append(self._query(*found.groups()[2:]))
        output = "\r\n" + "".join(parts)
        return Output(output[:LONGEST_OUTPUT], "", None if len(output) > LONGEST_OUTPUT else 0)

    def _query(self, log: str, provider: str, ids: str, age: str, count: str) -> str:
        self.asked.append((provider, int(count)))
        self.ages.add(int(age))
        if provider in self.answers:
            return self.answers[provider]
        numbers = re.findall(r"EventID=(\d+)", ids)
        fitting = [
            event
            for event in self.events
            if f"Name='{provider}'" in event
            and f"<Channel>{log}<" in event
            and any(re.search(rf"<EventID[^>]*>{number}</EventID>", event) for number in numbers)
        ]
        return "".join(fitting[: int(count)])


def guest() -> Guest:
    """One with two stops, for updates and by the power."""
    guest = Guest()
    guest.boot()
    guest.asked(UPDATES, UPGRADE_CODE, "restart")
    guest.ends(5)
    guest.boot()
    guest.vetoed("notepad.exe")
    guest.boot(unclean=True)
    return guest


def read(shell: Shell, stops: int = 10, days: int = 30) -> dict[str, Any]:
    questioner = Questioner(shell)
    questioner.ask(questions(days, stops))
    return told(questioner.answers, stops)


def test_one_command_reads_it_all() -> None:
    shell = Shell(guest())
    result = read(shell, days=7)
    assert len(shell.lines) == 1
    assert shell.ages == {7 * 24 * 3600 * 1000}
    assert [stop["clean"] for stop in result["stops"]] == [False, True]
    assert result["stops"][0]["vetoed_by"] == ["notepad.exe"]
    assert result["incomplete"] == []
    assert result["changed"] is False


def test_an_answer_that_is_too_long_is_asked_for_in_a_shorter_form_and_hides_no_other() -> None:
    hostile = guest()
    for dummy in range(40):
        hostile.late("x" * 60_000)
    shell = Shell(hostile)
    result = read(shell)
    assert [stop["clean"] for stop in result["stops"]] == [False, True]
    assert len(result["current"]["late_services"]) == 1
    assert [sentence.partition(":")[0] for sentence in result["incomplete"]] == [
        "events 7043 of Service Control Manager"
    ]
    assert 1 < len(shell.lines) < 12


def test_an_answer_that_is_always_too_long_is_told() -> None:
    shell = Shell(guest(), **{"Service Control Manager": "x" * 2 * LONGEST_OUTPUT})
    result = read(shell)
    assert [stop["clean"] for stop in result["stops"]] == [False, True]
    (trouble,) = result["incomplete"]
    assert "too long" in trouble


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "they could not be read; wevtutil said: (nothing, and failed)"),
        ("Zugriff verweigert.\r\n", "wevtutil said: Zugriff verweigert."),
        ("\x1b[2Jdenied\r\nnow", "wevtutil said: \\x1b[2Jdenied now"),
        ("<Event></Event>", "1 could not be understood"),
        (event_xml("System", "EventLog", 6008, BEGIN, 1), "1 could not be understood, or are others"),
        (event_xml("Application", "User32", 1074, BEGIN, 1), "1 could not be understood, or are others"),
        (event_xml("System", "User32", 1076, BEGIN, 1), "1 could not be understood, or are others"),
        (event_xml("System", "User32", 1073, BEGIN, 1, parameters("a", "b")) + "more", "what is no event: more"),
    ],
)
def test_what_is_no_answer_is_told_and_hides_no_other(answer: str, words: str) -> None:
    result = read(Shell(guest(), failing="User32", User32=answer))
    (trouble,) = result["incomplete"]
    assert trouble.startswith("events 1073, 1074, 1075 of User32: ")
    assert words in trouble
    assert [stop["clean"] for stop in result["stops"][:2]] == [False, True]
    assert result["stops"][1]["asked_by"] is None


def test_marks_in_an_event_are_not_taken_for_marks() -> None:
    hostile = guest()
    for mark in ("#12345678#=0", "#12345678#=9", "%m=3", "\r\n#00000000#\r\n"):
        hostile.vetoed(mark)
    result = read(Shell(hostile))
    assert len(result["current"]["vetoed_by"]) == 4
    assert result["incomplete"] == []


def test_nothing_but_errors_is_an_error() -> None:
    denied = {query.provider: "Access is denied.\r\n" for query in QUERIES}
    with pytest.raises(ShellError, match=r"no event could be read.*Access is denied"):
        read(Shell(guest(), **denied))


def test_a_guest_without_events_has_no_history() -> None:
    result = read(Shell(Guest()))
    assert (result["stops"], result["blocking"], result["incomplete"]) == ([], [], [])


def test_more_stops_than_are_wanted_are_not_missed() -> None:
    many = Guest()
    for dummy in range(30):
        many.boot()
        many.asked()
        many.ends()
    many.boot()
    result = read(Shell(many), stops=3)
    assert len(result["stops"]) == 3
    assert result["stops"] == read(Shell(many), stops=20)["stops"][:3]
    assert result["incomplete"] == []


def test_sleeps_crowd_nothing_out_and_their_number_is_told() -> None:
    sleepy = guest()
    for dummy in range(300):
        sleepy.slept(0, 60)
    result = read(Shell(sleepy), stops=2)
    assert [stop["clean"] for stop in result["stops"]] == [False, True]
    (trouble,) = result["incomplete"]
    assert trouble.startswith("events 42, 107 of Microsoft-Windows-Kernel-Power: older ones than those of ")


def test_the_largest_question_fits_into_a_command_line() -> None:
    shell = Shell(guest())
    read(shell, stops=100, days=3650)
    assert len(shell.lines) == 1
