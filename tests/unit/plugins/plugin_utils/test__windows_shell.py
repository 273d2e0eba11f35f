# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shells over connections: what is run in what words, how much is read, and what the clients' errors become."""

from __future__ import annotations

import collections
import re
import types
import typing as t
from xml.etree.ElementTree import ParseError

import pytest
import requests
import winrm.exceptions
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _windows_shell
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import (
    LONGEST_OUTPUT,
    BrokenConnection,
    ExecShell,
    Output,
    ShellError,
    WinrmShell,
    open_shell,
)
from hypothesis import given
from hypothesis import strategies as st
from unit.little_cmd import arguments

Piece = tuple[bytes, bytes, int, bool]


class Protocol:
    """pywinrm's, as far as it is used; get_command_output_raw gives these pieces or raises them."""

    def __init__(self, *pieces: Piece | Exception, start: BaseException | None = None) -> None:
        self.pieces: t.Iterator[Piece | Exception] = iter(pieces)
        self.start = start
        self.asked: list[tuple[str, ...]] = []
        self.transport = types.SimpleNamespace(close_session=lambda: self.asked.append(("close",)))
        self.clean_up: Exception | None = None

    def run_command(self, shell: str, line: str) -> str:
        self.asked.append(("run", shell, line))
        if self.start:
            raise self.start
        return "a command"

    def get_command_output_raw(self, shell: str, command: str) -> Piece:
        self.asked.append(("output", shell, command))
        piece = next(self.pieces)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def cleanup_command(self, shell: str, command: str) -> None:
        self.asked.append(("clean up", shell, command))
        if self.clean_up:
            raise self.clean_up

    def counted(self) -> dict[str, int]:
        return dict(collections.Counter(asked[0] for asked in self.asked))


def winrm_shell(protocol: Protocol, timeout: float = 300.0) -> WinrmShell:
    connection = types.SimpleNamespace(
        transport="winrm",
        protocol=protocol,
        shell_id="a shell",
        _connect=lambda: protocol.asked.append(("connect",)),
        reset=lambda: protocol.asked.append(("reset",)),
    )
    return WinrmShell(t.cast("t.Any", connection), timeout)


# ---- over winrm


def test_a_command_runs_in_the_open_shell_and_is_cleaned_up_after() -> None:
    protocol = Protocol((b"a\xc3", b"", 0, False), (b"\xa4b", b"no\xff", 3, True))
    assert winrm_shell(protocol).run("a line") == Output("aäb", "no\ufffd", 3)
    assert protocol.asked == [
        ("connect",),
        ("run", "a shell", "a line"),
        ("output", "a shell", "a command"),
        ("output", "a shell", "a command"),
        ("clean up", "a shell", "a command"),
    ]


def test_a_guest_that_may_be_gone_by_then_is_told_nothing_afterwards() -> None:
    protocol = Protocol((b"a", b"", 0, True))
    assert winrm_shell(protocol).run("a line", clean_up=False) == Output("a", "", 0)
    assert [asked[0] for asked in protocol.asked] == ["connect", "run", "output"]


def test_a_clean_up_that_fails_spoils_nothing() -> None:
    protocol = Protocol((b"a", b"", 0, True))
    protocol.clean_up = OSError("gone")
    assert winrm_shell(protocol).run("a line") == Output("a", "", 0)


def test_waiting_is_no_error() -> None:
    waits = [winrm.exceptions.WinRMOperationTimeoutError()] * 3
    assert winrm_shell(Protocol(*waits, (b"a", b"", 0, True))).run("a line").text == "a"


@pytest.mark.parametrize("stream", [0, 1])
def test_output_without_end_is_cut_and_the_command_ended(stream: int) -> None:
    size = 100_000
    piece = (b"x" * size, b"", 0, False) if stream == 0 else (b"", b"x" * size, 0, False)
    protocol = Protocol(*[piece] * 1000)
    output = winrm_shell(protocol).run("a line")
    assert output.status is None and LONGEST_OUTPUT < len(output.text + output.errors) <= LONGEST_OUTPUT + size
    assert protocol.counted()["clean up"] == 1


def test_a_guest_that_does_not_answer_is_an_error_and_the_command_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 20))
    monkeypatch.setattr(_windows_shell, "time", types.SimpleNamespace(monotonic=lambda: next(now)))
    for piece in (winrm.exceptions.WinRMOperationTimeoutError(), (b"", b"", 0, False)):
        protocol = Protocol(*[t.cast("t.Any", piece)] * 1000)
        with pytest.raises(ShellError, match=r"^the guest has not answered within 30 s \(option timeout\)$") as raised:
            winrm_shell(protocol, timeout=30).run("a line")
        assert not isinstance(raised.value, BrokenConnection)
        assert protocol.counted() == {"connect": 1, "run": 1, "output": 2, "clean up": 1}


def fault(code: int) -> Exception:
    error = winrm.exceptions.WSManFaultError(
        code=500,
        message="a fault",
        response="",
        reason="a reason",
        wsman_fault_code=code,
    )
    assert error.wsman_fault_code == code
    return error


def transport_error(code: int) -> Exception:
    return winrm.exceptions.WinRMTransportError("http", code, "a response")


BREAKS = [
    requests.exceptions.ConnectionError("reset by peer"),
    requests.exceptions.ChunkedEncodingError("incomplete"),
    requests.exceptions.ReadTimeout("too late"),
    ConnectionResetError("reset by peer"),
    EOFError("end"),
    ParseError("no element found"),
    *(fault(code) for code in _windows_shell.LOST_SHELL),
    *(transport_error(code) for code in (400, 502, 503)),
]
REFUSALS = [
    fault(5),
    transport_error(500),
    winrm.exceptions.InvalidCredentialsError("the specified credentials were rejected"),
    winrm.exceptions.WinRMError("something"),
    ValueError("nonsense\x1b[31m"),
]


@pytest.mark.parametrize("error", BREAKS, ids=lambda error: f"{type(error).__name__} {error}"[:40])
def test_a_connection_that_breaks(error: Exception) -> None:
    protocol = Protocol(start=error)
    with pytest.raises(BrokenConnection) as raised:
        winrm_shell(protocol).run("a line")
    assert not raised.value.started and type(error).__name__ in str(raised.value)
    protocol = Protocol((b"a", b"", 0, False), error)
    with pytest.raises(BrokenConnection) as raised:
        winrm_shell(protocol).run("a line")
    assert raised.value.started and "clean up" not in protocol.counted()


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: f"{type(error).__name__} {error}"[:40])
def test_a_command_that_is_refused(error: Exception) -> None:
    for protocol in (Protocol(start=error), Protocol(error)):
        with pytest.raises(ShellError, match=r"^the guest did not run a command: ") as raised:
            winrm_shell(protocol).run("a line")
        assert not isinstance(raised.value, BrokenConnection) and "\x1b" not in str(raised.value)
        assert ("clean up" in protocol.counted()) is (protocol.start is None)


def test_what_ansible_or_a_user_raises_is_left_as_it_is() -> None:
    for error in (AnsibleConnectionFailure("no route"), ShellError("a reason")):
        with pytest.raises(type(error), match=str(error)):
            winrm_shell(Protocol(start=error)).run("a line")
    with pytest.raises(KeyboardInterrupt):
        winrm_shell(Protocol(start=KeyboardInterrupt())).run("a line")


def test_the_words_of_a_client_are_shown_in_part() -> None:
    with pytest.raises(ShellError) as raised:
        winrm_shell(Protocol(start=ValueError("x" * 5000))).run("a line")
    assert len(str(raised.value)) < 700


def test_reconnecting_and_leaving() -> None:
    protocol = Protocol()
    shell = winrm_shell(protocol)
    shell.reconnect()
    connection = t.cast("t.Any", shell.connection)
    shell.leave()
    assert protocol.asked == [("reset",), ("close",)]
    # With no shell, Ansible has nothing to say to the guest at the end.
    assert (connection.protocol, connection.shell_id) == (None, None)
    shell.leave()


# ---- over any other connection


class Connection:
    """A connection with a shell of this family."""

    def __init__(self, family: str, answer: tuple[int, bytes, bytes] | Exception = (0, b"", b"")) -> None:
        self.transport = "ssh"
        self._shell = types.SimpleNamespace(SHELL_FAMILY=family)
        self.answer = answer
        self.lines: list[str] = []
        self.connected = 0

    def _connect(self) -> None:
        self.connected += 1

    def exec_command(self, line: str, in_data: t.Any = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        assert in_data is None and not sudoable
        self.lines.append(line)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def exec_shell(connection: Connection) -> ExecShell:
    return ExecShell(t.cast("t.Any", connection), 30.0)


def test_where_cmd_answers_a_line_is_run_as_it_is() -> None:
    connection = Connection("cmd", (3, b"a\xc3\xa4", b"no"))
    assert exec_shell(connection).run('echo "it\'s"') == Output("aä", "no", 3)
    assert connection.lines == ['chcp 65001>nul&echo "it\'s"'] and connection.connected == 1


def powershell_reads(line: str) -> tuple[list[str], str]:
    """What PowerShell makes of a line of words and one text in single quotes, to which it counts typographic ones."""
    head, quote, rest = line.partition("'")
    text, position = "", 0
    while rest[position] not in "'\u2018\u2019\u201a\u201b" or rest[position + 1 : position + 2] in [
        *"'\u2018\u2019\u201a\u201b"
    ]:
        position += rest[position] in "'\u2018\u2019\u201a\u201b"
        text += rest[position]
        position += 1
    assert quote and rest[position + 1 :] == "", "something is left after the text"
    return head.split(), text


@given(st.text(st.sampled_from("ab'\u2018\u2019\u201a\u201b\u201c\"$`;&|(){}")))
def test_where_powershell_answers_it_hands_the_line_to_cmd_as_it_is(text: str) -> None:
    connection = Connection("powershell")
    exec_shell(connection).run(f"echo {text}")
    words, line = powershell_reads(connection.lines[0])
    assert words == ["cmd.exe", "/d", "/s", "/c"] and line == f"chcp 65001>nul&echo {text}"


def test_a_shell_that_is_not_windows_own_is_an_error_that_says_what_to_set() -> None:
    connection = Connection("sh")
    with pytest.raises(
        ShellError, match="connection ssh has a shell of the kind 'sh'; set ansible_shell_type to cmd or"
    ):
        exec_shell(connection).run("a line")
    assert connection.lines == []


def test_output_of_other_connections_is_cut_too() -> None:
    output = exec_shell(Connection("cmd", (0, b"x" * (LONGEST_OUTPUT + 1), b"y"))).run("a line")
    assert output == Output("x" * LONGEST_OUTPUT, "", None)
    assert exec_shell(Connection("cmd", (0, b"x" * LONGEST_OUTPUT, b""))).run("a line").status == 0


def test_errors_of_other_connections() -> None:
    with pytest.raises(BrokenConnection):
        exec_shell(Connection("cmd", BrokenPipeError("gone"))).run("a line")
    with pytest.raises(ShellError, match="did not run a command"):
        exec_shell(Connection("cmd", ValueError("x"))).run("a line")
    with pytest.raises(AnsibleConnectionFailure):
        exec_shell(Connection("cmd", AnsibleConnectionFailure("no route"))).run("a line")


def test_other_connections_reconnect_as_far_as_they_can() -> None:
    connection = Connection("cmd")
    exec_shell(connection).reconnect()
    resets: list[int] = []
    t.cast("t.Any", connection).reset = lambda: resets.append(1)
    shell = exec_shell(connection)
    shell.reconnect()
    shell.leave()
    assert resets == [1]


@pytest.mark.parametrize(("transport", "kind"), [("winrm", WinrmShell), ("psrp", ExecShell), ("ssh", ExecShell)])
def test_which_shell_a_connection_has(transport: str, kind: type) -> None:
    shell = open_shell(t.cast("t.Any", types.SimpleNamespace(transport=transport)), 7.0)
    assert isinstance(shell, kind) and shell.timeout == 7.0


def test_the_little_reader_of_arguments_is_right() -> None:
    r"""The rules of Microsoft's C run-time library: 2n backslashes and a quote are n and a quote that counts."""
    cases = {r'a "b c" d': ["a", "b c", "d"], r'"a\\" b': ["a\\", "b"], r"a\"b": ['a"b'], r'"" x\\': ["", r"x\\"]}
    assert {line: arguments(line) for line in cases} == cases and re.fullmatch(r"\S+", arguments("x")[0])
