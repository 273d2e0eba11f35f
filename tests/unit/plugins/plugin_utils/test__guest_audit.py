# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questioner keeps asking until all is answered, whatever becomes of the answers and of the connection."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable, Iterator

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import UserValue, Value
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import Seen
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _guest_audit
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_audit import ATTEMPTS, Questioner
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
    LoadedHives,
    NotFound,
    Setting,
    Statement,
    StoredHives,
    Values,
    Write,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import (
    BrokenConnection,
    Output,
    ShellError,
    WindowsShell,
)
from hypothesis import given
from hypothesis import strategies as st
from unit.little_cmd import ALICE, BOB, CAROL, LONGEST_LINE, PROFILES, Machine, profile, windows

KEYS = tuple(rf"HKLM\SOFTWARE\Example {number}" for number in range(4))
WANTED = tuple(Values(key, ("A", "B")) for key in KEYS)
TASKS = UserValue(r"Control Panel\Desktop", "AutoEndTasks", "REG_SZ")
HUNG = UserValue(r"Control Panel\Desktop", "HungAppTimeout", "REG_SZ")
LIMIT = 20_000
MOST_COMMANDS = 300

Behaviour = Callable[[str], "Output | None"]
"""What a shell does with a command line: raises, answers, or leaves it to the guest (None)."""


@dataclasses.dataclass
class Clock:
    """Time that passes while somebody sleeps."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_guest_audit, "time", clock)
    return clock


class LittleShell(WindowsShell):
    """A shell on a little guest, which misbehaves as it is told."""

    def __init__(self, machine: Machine, behaviours: t.Iterable[Behaviour | None] = ()) -> None:
        self.machine = machine
        self.behaviours = iter(behaviours)
        self.lines: list[str] = []
        self.reconnections = 0
        self.reconnect_errors: Iterator[Exception | None] = iter(())

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        self.lines.append(line)
        assert len(self.lines) < MOST_COMMANDS, "the questioner asks for ever"
        behaviour = next(self.behaviours, None)
        output = behaviour(line) if behaviour else None
        output = output or self.machine.run(line)
        if len(output.text) > LIMIT:
            # As it is when reading stops: the command is ended before it comes to its del.
            self.machine.contents[file_of(line)] = output.text
            return Output(output.text[:LIMIT], "", None)
        return output

    def reconnect(self) -> None:
        self.reconnections += 1
        error = next(self.reconnect_errors, None)
        if error:
            raise error


def file_of(line: str) -> str:
    return line.split('"')[1].replace("%TEMP%", r"C:\Users\Administrator.LONG-NAME-OF-A\AppData\Local\Temp").casefold()


def guest() -> Machine:
    machine = windows()
    for number, key in enumerate(KEYS):
        machine.registry.set(key, "A", number)
    return machine


def ask(shell: WindowsShell, *statements: Statement, needed: t.Sequence[Statement] | None = None) -> Questioner:
    questioner = Questioner(shell)
    first = NotFound(questioner.nonce)
    questioner.ask([first, *statements], None if needed is None else [first, *needed])
    return questioner


def read(questioner: Questioner) -> list[t.Any]:
    values = [questioner.answers.reading.value(key, name) for key in KEYS for name in ("A", "B")]
    return [seen.trouble or seen.data for seen in values]


ALL = [0, None, 1, None, 2, None, 3, None]


def test_all_is_answered_at_once() -> None:
    shell = LittleShell(guest())
    questioner = ask(shell, *WANTED)
    assert read(questioner) == ALL and len(shell.lines) == 1
    assert questioner.nonce != Questioner(shell).nonce  # every questioner has its own


def test_what_is_not_needed_now_is_asked_where_there_is_room_and_else_later() -> None:
    shell = LittleShell(guest())
    questioner = Questioner(shell)
    first, many = NotFound(questioner.nonce), Values(KEYS[3], tuple(f"Name {number}" for number in range(700)))
    left = questioner.ask([first, *WANTED, many], [first, WANTED[0]])
    assert read(questioner) == ALL and len(shell.lines) == 1
    assert len(left) > 0 and all(isinstance(statement, Values) for statement in left)
    assert questioner.ask(left) == []
    assert questioner.answers.reading.value(KEYS[3], "Name 699") == Seen()


def test_nothing_to_ask_is_no_command() -> None:
    shell = LittleShell(guest())
    assert Questioner(shell).ask([]) == [] and shell.lines == []


# ---- too much output


def test_a_value_without_end_is_left_unread_and_all_others_are_read() -> None:
    machine = guest()
    machine.registry.set(KEYS[1], "B", "x" * 3 * LIMIT)
    shell = LittleShell(machine)
    questioner = ask(shell, *WANTED)
    assert questioner.answers.reading.value(KEYS[1], "B").trouble
    assert [data for data in read(questioner) if isinstance(data, int) or data is None] == [
        0,
        None,
        1,
        2,
        None,
        3,
        None,
    ]
    assert machine.contents == {}, "a file was left behind"
    assert any(line.startswith('del "%TEMP%') for line in shell.lines)


def test_values_without_end_everywhere() -> None:
    machine = guest()
    for key in KEYS:
        for name in ("A", "B"):
            machine.registry.set(key, name, "x" * 3 * LIMIT)
    questioner = ask(LittleShell(machine), *WANTED)
    assert all(isinstance(seen, str) for seen in read(questioner)) and machine.contents == {}


def test_a_value_of_a_user_without_end_hides_no_other_value_and_nothing_stays_loaded() -> None:
    machine = guest()
    profile(machine, "Bob the Builder").set(rf"HKU\hive\{TASKS.key}", TASKS.name, "x" * 3 * LIMIT)
    questioner = ask(LittleShell(machine), LoadedHives((TASKS, HUNG)), StoredHives((TASKS, HUNG)), *WANTED)
    reading = questioner.answers.reading
    assert read(questioner) == ALL
    assert reading.value(rf"HKU\{BOB}\{TASKS.key}", TASKS.name).trouble
    for sid in (ALICE, BOB, CAROL):
        assert reading.value(rf"HKU\{sid}\{HUNG.key}", HUNG.name) == Seen()
    assert len(machine.mounted) == 1 and machine.contents == {}


def test_of_hives_that_are_named_each_is_asked_by_itself() -> None:
    machine = guest()
    profile(machine, "Bob the Builder").set(rf"HKU\hive\{HUNG.key}", HUNG.name, "x" * 3 * LIMIT)
    settings = (Setting(TASKS, "1"),)
    questioner = ask(LittleShell(machine), StoredHives((TASKS, HUNG), settings, only=(BOB, CAROL)))
    reading = questioner.answers.reading
    for sid in (BOB, CAROL):
        assert reading.value(rf"HKU\{sid}\{TASKS.key}", TASKS.name).data == "1"
    assert reading.value(rf"HKU\{BOB}\{HUNG.key}", HUNG.name).trouble
    assert reading.value(rf"HKU\{CAROL}\{HUNG.key}", HUNG.name) == Seen()


def test_the_file_stays_where_it_cannot_be_deleted_and_the_rest_is_asked_all_the_same() -> None:
    machine = guest()
    machine.registry.set(KEYS[0], "A", "x" * 3 * LIMIT)

    def no_del(line: str) -> Output | None:
        if line.startswith("del "):
            raise ShellError("access is denied")
        return None

    questioner = ask(LittleShell(machine, iter(lambda: no_del, None)), *WANTED)
    assert read(questioner)[1:] == ALL[1:]


def test_many_hives_and_schemes_need_more_than_a_line() -> None:
    machine = guest()
    sids = tuple(f"S-1-5-21-1004336348-1177238915-682003330-{number}" for number in range(2000, 2150))
    for sid in sids:
        machine.registry.set(rf"HKU\{sid}\Control Panel\Desktop", "Wallpaper", "")
    shell = LittleShell(machine)
    # The limit of the test's output is for one user in a hundred.
    questioner = ask(
        shell, LoadedHives((TASKS,), (Setting(TASKS, "1"),), only=sids), Write(KEYS[0], ("B",), "REG_SZ", "y")
    )
    reading = questioner.answers.reading
    assert {reading.value(rf"HKU\{sid}\{TASKS.key}", TASKS.name).data for sid in sids} == {"1"}
    assert machine.registry.get(KEYS[0], "B") == Value("REG_SZ", "y")
    assert all(len(line) <= LONGEST_LINE for line in shell.lines)


def test_the_key_of_a_profile_is_never_parsed_as_a_command() -> None:
    machine = guest()
    machine.registry.set(f'{PROFILES}\\x" & tasklist & "', "ProfileImagePath", r"C:\x")
    assert read(ask(LittleShell(machine), *WANTED, StoredHives((TASKS,)))) == ALL
    assert {command.partition(" ")[0] for command in machine.asked} == {"reg"}


# ---- a connection that breaks


def broken(line: str) -> Output | None:
    raise BrokenConnection("the connection to the guest broke: EOFError.")


def refused(line: str) -> Output | None:
    raise ShellError("the guest did not run a command: access is denied")


def timed_out(line: str) -> Output | None:
    raise ShellError("the guest has not answered within 300 s (option timeout)")


def test_after_a_break_all_is_unloaded_and_the_command_is_run_again() -> None:
    machine = guest()
    shell = LittleShell(machine)

    def broken_amid(line: str) -> Output | None:
        """Loads a profile, begins to write its file, and breaks."""
        machine.run(rf'reg load "HKU\winguest-{BOB}" "C:\Users\Bob the Builder\NTUSER.DAT"')
        machine.contents[file_of(line)] = "half an answer"
        return broken(line)

    shell.behaviours = iter([broken_amid])
    questioner = ask(shell, *WANTED, StoredHives((TASKS,)))
    assert read(questioner) == ALL and shell.reconnections == 1
    assert questioner.answers.reading.value(rf"HKU\{BOB}\{TASKS.key}", TASKS.name) == Seen()
    assert len(machine.mounted) == 1 and machine.contents == {}
    assert "reg unload" in shell.lines[1] and "ProfileList" not in shell.lines[1]


def test_what_goes_on_in_the_guest_after_a_break_is_not_taken_for_an_answer() -> None:
    """The interrupted command keeps its file and its marks, and the next one has others."""
    machine = guest()
    shell = LittleShell(machine, [broken])
    ask(shell, *WANTED)
    interrupted, *others = shell.lines
    again = others[-1]
    assert file_of(interrupted) != file_of(again)
    marks = [line.split("%m in (")[1].split(")")[0] for line in (interrupted, again)]
    assert marks[0] != marks[1]


def test_a_connection_that_breaks_twice_in_one_command_is_an_error_that_says_what_to_do() -> None:
    shell = LittleShell(guest(), [broken, None, None, broken])
    with pytest.raises(ShellError) as raised:
        ask(shell, *WANTED)
    assert not isinstance(raised.value, BrokenConnection)
    for words in ("broke: EOFError", "So it did before", r"HKU\winguest-SID", "run this again"):
        assert words in str(raised.value)


def test_a_connection_may_break_once_in_every_command() -> None:
    machine = guest()
    for key in KEYS:
        machine.registry.set(key, "A", "x" * (LIMIT - 2000))
    shell = LittleShell(machine)
    known: set[str] = set()

    def once(line: str) -> Output | None:
        kind = line.split("echo %m=0", 1)[-1]
        if kind in known or "=0" not in line:
            return None
        known.add(kind)
        return broken(line)

    shell.behaviours = iter(lambda: once, None)
    questioner = ask(shell, *WANTED)
    assert all(isinstance(data, str) or data is None for data in read(questioner)) and shell.reconnections > 1


def test_a_connection_that_comes_back_late(clock: Clock) -> None:
    shell = LittleShell(guest(), [broken])
    shell.reconnect_errors = iter([AnsibleConnectionFailure("no route"), OSError("no route"), ValueError("x")])
    assert read(ask(shell, *WANTED)) == ALL
    assert shell.reconnections == 4 and clock.now == 6


def test_a_connection_that_does_not_come_back_is_an_unreachable_guest(clock: Clock) -> None:
    shell = LittleShell(guest(), [broken])
    shell.reconnect_errors = iter(lambda: OSError("no route"), None)
    with pytest.raises(AnsibleConnectionFailure) as raised:
        ask(shell, *WANTED)
    for words in ("broke: EOFError", "within 30 s", "no route", r"HKU\winguest-SID", "run this again"):
        assert words in str(raised.value)
    assert 30 <= clock.now <= 34


@pytest.mark.parametrize("trouble", [refused, timed_out])
def test_what_is_refused_or_takes_too_long_is_tidied_up_after(trouble: Behaviour) -> None:
    machine = guest()
    machine.run(rf'reg load "HKU\winguest-{BOB}" "C:\Users\Bob the Builder\NTUSER.DAT"')
    shell = LittleShell(machine, [trouble])
    with pytest.raises(ShellError) as raised:
        ask(shell, *WANTED)
    with pytest.raises(ShellError) as original:
        trouble("")
    assert str(raised.value) == str(original.value)
    assert len(machine.mounted) == 1 and shell.reconnections == 0


def test_trouble_while_tidying_up_hides_nothing() -> None:
    for second in (broken, refused):
        with pytest.raises(ShellError, match="within 300 s"):
            ask(LittleShell(guest(), [timed_out, second, second]), *WANTED)
    with pytest.raises(ShellError, match="So it did before"):
        ask(LittleShell(guest(), iter(lambda: broken, None)), *WANTED)


# ---- an answer that is lost


def test_an_answer_that_is_lost_is_asked_for_again_in_another_file() -> None:
    machine = guest()

    def lost(line: str) -> Output:
        """As when something else holds the file of the output."""
        machine.run(line)
        machine.contents[file_of(line)] = "held"
        return Output("", "The process cannot access the file.", 1)

    shell = LittleShell(machine, [lost, None, lost])
    assert read(ask(shell, *WANTED)) == ALL
    asked = [line for line in shell.lines if not line.startswith("del ")]
    assert len(asked) == len({file_of(line) for line in asked}) == 3
    assert machine.contents == {}


def test_an_answer_that_is_always_lost_is_left_unread_and_the_others_are_read() -> None:
    machine = guest()

    def without_one(line: str) -> Output | None:
        """Without the mark that ends one answer and begins the next, which are lost both."""
        if KEYS[1] not in line:
            return None
        before, after = machine.run(line).text.split("0x1", 1)
        return Output(before.rpartition("#=")[0] + after, "", 0)

    shell = LittleShell(machine, iter(lambda: without_one, None))
    questioner = ask(shell, *WANTED)
    for key in KEYS[:2]:
        assert "the answer is missing" in questioner.answers.reading.value(key, "A").trouble
    assert read(questioner)[4:] == ALL[4:]
    assert sum(KEYS[1] in line for line in shell.lines) == ATTEMPTS


def test_what_was_written_is_written_again_where_nobody_knows_whether_it_was() -> None:
    machine = guest()
    shell = LittleShell(machine, [None, lambda line: Output("", "", 0)])
    questioner = ask(shell, *WANTED)
    questioner.ask([Write(KEYS[0], ("B",), "REG_SZ", "y"), Values(KEYS[0], ("B",))])
    assert machine.registry.get(KEYS[0], "B") == Value("REG_SZ", "y")
    assert questioner.answers.reading.value(KEYS[0], "B").data == "y"


# ---- nothing is answered


@pytest.mark.parametrize(
    "output",
    [
        Output("", "Zugriff verweigert\x1b[31m\r\n", 1),
        Output("Zugriff verweigert\x1b[31m\r\n", "", 1),
        Output("Zugriff verweigert\x1b[31m\r\n" * 500, "", 0),
    ],
)
def test_a_shell_that_is_no_cmd_is_an_error_with_its_words(output: Output) -> None:
    with pytest.raises(ShellError) as raised:
        ask(LittleShell(guest(), iter(lambda: lambda line: output, None)), *WANTED)
    text = str(raised.value)
    assert "did not answer as expected" in text and f"status {output.status}" in text and "Zugriff verweigert" in text
    assert "\x1b" not in text and len(text) < 600


def truncated(share: float, status: int | None) -> Callable[[Machine], Behaviour]:
    def of(machine: Machine) -> Behaviour:
        def behave(line: str) -> Output:
            text = machine.run(line).text
            return Output(text[: int(len(text) * share)], "", status)

        return behave

    return of


def silent(machine: Machine) -> Behaviour:
    return lambda line: Output("", "", None)


def babbling(machine: Machine) -> Behaviour:
    return lambda line: Output("x" * 50_000, "", None)


def well(machine: Machine) -> Behaviour:
    return machine.run


def breaking(machine: Machine) -> Behaviour:
    return broken


def refusing(machine: Machine) -> Behaviour:
    return refused


manners = st.one_of(
    st.sampled_from([well, silent, babbling, breaking, refusing]),
    st.builds(truncated, st.floats(0, 1), st.sampled_from([0, 1, None])),
)


@given(ways=st.lists(manners, max_size=12), after=manners)
def test_no_behaviour_of_a_shell_makes_it_ask_for_ever(
    ways: list[Callable[[Machine], Behaviour]], after: Callable[[Machine], Behaviour]
) -> None:
    """And what was read is right."""
    machine = guest()
    behaviours = [way(machine) for way in ways]
    shell = LittleShell(machine, [*behaviours, *[after(machine)] * MOST_COMMANDS])
    questioner = Questioner(shell)
    try:
        questioner.ask([NotFound(questioner.nonce), *WANTED, StoredHives((TASKS, HUNG))])
    except AnsibleError as error:
        assert str(error)
    assert all(isinstance(seen, str) or seen == right for seen, right in zip(read(questioner), ALL, strict=True))
