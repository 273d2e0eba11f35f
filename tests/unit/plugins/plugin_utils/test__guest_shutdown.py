# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""guest_shutdown: its command line, what it refuses, what each exit status means, and that its message stays secret."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_shutdown import (
    CANCEL,
    DONE,
    LONGEST_DELAY,
    LONGEST_MESSAGE,
    OUTCOMES,
    ShutdownAction,
    command,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import (
    BrokenConnection,
    Output,
    ShellError,
    WindowsShell,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from unit.little_cmd import arguments

DEFAULTS = {name: option.get("default") for name, option in ShutdownAction.argument_spec.items()}
SECRET = "the boss's secret plan"


class Shell(WindowsShell):
    """Answers as it is told, or raises."""

    def __init__(self, *answers: Output | Exception | int) -> None:
        super().__init__(t.cast("t.Any", None), 30.0)
        self.answers = list(answers)
        self.lines: list[str] = []
        self.left = 0

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        self.lines.append(line)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Output("", "", answer) if isinstance(answer, int) else answer

    def leave(self) -> None:
        self.left += 1


def work(shell: Shell, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    assert options.keys() <= DEFAULTS.keys()
    action = ShutdownAction(t.cast("t.Any", types.SimpleNamespace(check_mode=check_mode)), *[t.cast("t.Any", None)] * 5)
    return action.work(shell, {**DEFAULTS, **options})


# ---- the command line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "shutdown.exe /s /t 0 /d p:0:0"),
        ({"force": True}, "shutdown.exe /s /f /t 0 /d p:0:0"),
        ({"force": True, "delay": 60}, "shutdown.exe /s /f /t 60 /d p:0:0"),
        ({"force": True, "delay": LONGEST_DELAY}, "shutdown.exe /s /f /t 315360000 /d p:0:0"),
        ({"message": ""}, "shutdown.exe /s /t 0 /d p:0:0"),
        ({"message": "Good bye"}, 'shutdown.exe /s /t 0 /d p:0:0 /c "Good bye"'),
        ({"message": "a & b | c > d ^ (e)!"}, 'shutdown.exe /s /t 0 /d p:0:0 /c "a & b | c > d ^ (e)!"'),
        ({"message": "C:\\"}, 'shutdown.exe /s /t 0 /d p:0:0 /c "C:\\\\"'),
    ],
)
def test_the_command_line(options: dict[str, t.Any], line: str) -> None:
    assert command({**DEFAULTS, **options}) == line


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"delay": -1, "force": True}, "delay is -1; it must be a number of seconds from 0 to 315360000"),
        ({"delay": LONGEST_DELAY + 1, "force": True}, "delay is 315360001; it must be"),
        ({"delay": 1}, "delay is above 0 and force is false, .*set delay to 0, or force to true"),
        ({"message": "x" * 513}, "message has 513 characters; Windows takes 512"),
        *(({"message": f"a{char}b"}, "message has a character") for char in '"%\n\r\0\x1b\u2028\u200b\ud800'),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_refused_before_anything_is_asked(options: dict[str, t.Any], complaint: str, check_mode: bool) -> None:
    shell = Shell()
    with pytest.raises(AnsibleActionFail, match=complaint) as raised:
        work(shell, check_mode, **options)
    assert shell.lines == [] and str(options.get("message", "nothing")) not in str(raised.value)


@given(st.text(max_size=LONGEST_MESSAGE + 1))
def test_a_message_arrives_as_it_is_or_is_refused(message: str) -> None:
    try:
        line = command({**DEFAULTS, "message": message})
    except AnsibleActionFail as error:
        assert len(message) < 20 or message not in str(error)
        return
    assume(message)
    assert arguments(line)[-2:] == ["/c", message]
    # Inside of double quotes, cmd.exe leaves all but these alone.
    assert not set(message) & set('"%\r\n\0')


# ---- what comes of it


@pytest.mark.parametrize("code", OUTCOMES)
@pytest.mark.parametrize("low_bits", [False, True])
def test_every_exit_status(code: int, low_bits: bool) -> None:
    """Also as an OpenSSH client has it, which keeps the lowest eight bits."""
    status = code & 0xFF if low_bits else code
    shell = Shell(status)
    result = work(shell)
    name, text = OUTCOMES[code]
    assert result == {
        "changed": name == "accepted",
        "failed": name not in ("accepted", "in_progress"),
        "outcome": name,
        "status": status,
        "cancelled_scheduled": False,
        "msg": text,
    }
    assert shell.left == (name in ("accepted", "in_progress")) and len(shell.lines) == 1


def test_no_exit_status_can_be_taken_for_another() -> None:
    assert len({code & 0xFF for code in OUTCOMES} | set(OUTCOMES)) == len(OUTCOMES) + sum(
        code > 0xFF for code in OUTCOMES
    )
    assert [code for code in OUTCOMES if code & 0xFF == 0] == [0]
    assert {name for name, dummy in OUTCOMES.values()} | {"unanswered"} >= set(DONE)


@pytest.mark.parametrize("status", [1, 50, 255, 1203, -1073741502, None])
def test_any_other_status_is_a_refusal_with_the_programs_words(status: int | None) -> None:
    result = work(Shell(Output("out", "Falscher Parameter.\x1b[31m(87)\r\n" + "x" * 1000, status)))
    assert (result["outcome"], result["failed"], result["changed"]) == ("refused", True, False)
    assert f"status {status} and said: Falscher Parameter.\\x1b[31m(87)" in result["msg"] and len(result["msg"]) < 400
    assert "out" in work(Shell(Output("out", "", status)))["msg"]


def test_check_mode_asks_nothing() -> None:
    shell = Shell()
    result = work(shell, check_mode=True, message=SECRET)
    assert (result["changed"], result["outcome"], shell.lines, shell.left) == (True, "planned", [], 0)


# ---- a shutdown that is scheduled


def test_one_that_is_scheduled_is_left_alone_unless_that_is_asked_for() -> None:
    shell = Shell(1190)
    result = work(shell)
    assert (result["outcome"], result["failed"], result["changed"], len(shell.lines)) == ("scheduled", True, False, 1)


def test_one_that_is_scheduled_is_cancelled_once_and_then_asked_again() -> None:
    shell = Shell(1190, 0, 0)
    result = work(shell, cancel_scheduled=True)
    assert shell.lines == [shell.lines[0], CANCEL, shell.lines[0]]
    assert (result["outcome"], result["cancelled_scheduled"], result["changed"]) == ("accepted", True, True)
    shell = Shell(1190, 0, 1190)
    result = work(shell, cancel_scheduled=True)
    assert (result["outcome"], result["failed"], result["changed"], len(shell.lines)) == ("scheduled", True, True, 3)


def test_one_that_could_not_be_cancelled_is_not_told_as_cancelled() -> None:
    result = work(Shell(1190, 5, 1190), cancel_scheduled=True)
    assert (result["outcome"], result["cancelled_scheduled"], result["changed"]) == ("scheduled", False, False)


@pytest.mark.parametrize("status", [0, 5, 1115])
def test_nothing_is_cancelled_where_nothing_is_scheduled(status: int) -> None:
    shell = Shell(status)
    assert work(shell, cancel_scheduled=True)["cancelled_scheduled"] is False and len(shell.lines) == 1


# ---- a connection that is cut


def cut(started: bool) -> BrokenConnection:
    error = BrokenConnection("the connection to the guest broke: EOFError")
    error.started = started
    return error


def test_a_connection_that_is_cut_after_the_command_was_taken_is_what_a_shutdown_does() -> None:
    shell = Shell(cut(started=True))
    result = work(shell)
    assert (result["outcome"], result["status"], result["changed"], result["failed"]) == (
        "unanswered",
        None,
        True,
        False,
    )
    assert shell.left == 1 and len(shell.lines) == 1


def test_a_connection_that_is_cut_before_is_an_error() -> None:
    shell = Shell(cut(started=False))
    with pytest.raises(BrokenConnection):
        work(shell)
    assert len(shell.lines) == 1


def test_it_is_not_asked_twice_after_an_error() -> None:
    shell = Shell(ShellError("the guest has not answered within 30 s (option timeout)"))
    with pytest.raises(ShellError, match="within 30 s"):
        work(shell)
    assert len(shell.lines) == 1


# ---- the message


@pytest.mark.parametrize(
    "answers",
    [
        *[(code,) for code in (*OUTCOMES, 1, None) if code != 1190],
        (1190, 0, 0),
        (1190, 5, 1190),
        (Output(f'cmd.exe /c shutdown.exe /c "{SECRET}"', "", 1),),
        (Output("", f"At line:1 char:1\n+ cmd.exe /d /s /c '... /c \"{SECRET[:10]}\n{SECRET[10:]}\"'", 1),),
        (cut(started=True),),
    ],
)
def test_no_result_has_the_message(answers: tuple[t.Any, ...]) -> None:
    shell = Shell(*(Output("", "", None) if answer is None else answer for answer in answers))
    result = work(shell, message=SECRET, cancel_scheduled=True)
    assert SECRET in shell.lines[0]
    assert SECRET not in repr(result) and SECRET[:10] not in repr(result) and result["msg"]


def test_the_message_is_no_log() -> None:
    assert ShutdownAction.argument_spec["message"]["no_log"] is True
