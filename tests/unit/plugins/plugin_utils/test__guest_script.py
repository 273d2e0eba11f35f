# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command lines: none is too long, every answer comes back to its question, and trouble leaves values unread."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Events, RegistryKey, UserValue, Value
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import Reading
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _guest_plan as plan
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_script import (
    LONGEST_LINE,
    Line,
    ScriptError,
    fitting,
    lines,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
    Answers,
    DefaultHive,
    Files,
    Keys,
    LoadedHives,
    NotFound,
    Processes,
    RecentEvents,
    Scan,
    Schemes,
    Setting,
    Statement,
    StoredHives,
    Unload,
    Values,
    Write,
    WritePower,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.little_cmd import ALICE, BOB, END, SCHEMES, Machine, windows

NONCE = "0123abcd"
SIGN = f"#{NONCE}#"
BASE = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"


def users(number: int) -> tuple[str, ...]:
    return tuple(f"S-1-5-21-1004336348-1177238915-682003330-{1000 + index}" for index in range(number))


words = st.text(st.sampled_from("abcXYZ 09-_.&(é"), min_size=1, max_size=255).map(str.strip).filter(bool)
some_words = st.lists(words, min_size=1, max_size=40, unique=True).map(tuple)
keys = words.map(lambda text: f"{BASE}\\{text}")
user_values = st.builds(UserValue, words, words, st.just("REG_SZ"))
some_users = st.integers(1, 300).map(users)
guids = st.uuids().map(str)
texts = st.text(st.sampled_from("ab &|<>()"), max_size=1000)


@st.composite
def hives(draw: st.DrawFn, kind: type[t.Any]) -> Statement:
    values = tuple(draw(st.lists(user_values, min_size=1, max_size=40, unique=True)))
    settings = tuple(Setting(value, draw(texts)) for value in values if draw(st.booleans()))
    only = draw(some_users) if kind is not DefaultHive and draw(st.booleans()) else ()
    return t.cast("Statement", kind(values, settings, only))


statements = st.one_of(
    st.just(NotFound(NONCE)),
    st.just(Unload()),
    st.just(Schemes()),
    st.builds(Values, keys, some_words),
    st.builds(Keys, st.lists(st.builds(RegistryKey, keys, st.booleans()), min_size=1, max_size=30).map(tuple)),
    st.builds(Scan, keys, words),
    st.builds(Files, st.lists(words, min_size=1, max_size=10).map(tuple)),
    st.builds(Processes, some_words),
    st.builds(
        RecentEvents,
        st.lists(st.builds(Events, st.just("System"), words, st.just((1, 2))), min_size=1, max_size=30).map(tuple),
    ),
    st.builds(Write, keys, some_words, st.just("REG_SZ"), texts),
    st.builds(
        WritePower,
        st.lists(guids, min_size=1, max_size=300).map(tuple),
        st.lists(st.tuples(guids, guids, st.integers(0, 2**32 - 1)), min_size=1, max_size=20).map(tuple),
    ),
    *(hives(kind) for kind in (LoadedHives, StoredHives, DefaultHive)),
)


@settings(max_examples=50)
@given(st.lists(statements, max_size=6))
def test_whatever_is_asked_no_line_is_too_long_and_none_is_lost(asked: list[Statement]) -> None:
    fitted = fitting(asked, NONCE)
    made = list(lines(fitted, NONCE))
    assert [statement for line in made for statement in line.statements] == fitted
    for line in made:
        assert len(line.text) <= LONGEST_LINE < 8191
        assert "\n" not in line.text and "\r" not in line.text
        marks = [f"echo %m={index} >>%e" for index in range(len(line.statements) + 1)]
        places = [line.text.index(mark) for mark in marks]
        assert places == sorted(places) and all(line.text.count(mark) == 1 for mark in marks)


def test_lines_are_filled() -> None:
    assert len(list(lines(plan.audit(ROWS), NONCE))) == 2 and list(lines([], NONCE)) == []


def test_what_no_line_can_hold_is_an_error_that_says_what() -> None:
    with pytest.raises(ScriptError, match=r"^Values needs more than the .* characters .* a command line"):
        list(lines([Schemes(), Values(BASE, ("x" * 9000,))], NONCE))


# ---- answers come back to their questions

NAMES = ("A", "B", "C")
KEYS = tuple(rf"HKLM\SOFTWARE\{name}" for name in "KLMN")
WANTED = tuple(Values(key, NAMES) for key in KEYS)
contents = st.dictionaries(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(NAMES)),
    st.one_of(
        st.builds(Value, st.just("REG_DWORD"), st.integers(0, 2**32 - 1)),
        st.builds(Value, st.just("REG_SZ"), st.text(max_size=20).filter(lambda text: not text.endswith("\r"))),
    ),
)


def guest(content: dict[tuple[str, str], Value]) -> Machine:
    machine = windows()
    for (key, name), value in content.items():
        machine.registry.set(key, name, value)
    machine.registry.create(KEYS[0])
    return machine


def check(reading: Reading, content: dict[tuple[str, str], Value], may_be_unread: bool) -> int:
    """Every value is right or, where it may be, unread; returns how many were read."""
    read = 0
    for key in KEYS:
        for name in NAMES:
            seen = reading.value(key, name)
            assert (seen.trouble and may_be_unread) or (not seen.trouble and seen.value == content.get((key, name)))
            read += not seen.trouble
    return read


@given(contents)
def test_answers_come_back_to_their_questions(content: dict[tuple[str, str], Value]) -> None:
    machine, answers = guest(content), Answers()
    (line,) = lines([NotFound(NONCE), *WANTED], NONCE)
    assert line.take(machine.run(line.text).text, answers) == []
    check(answers.reading, content, may_be_unread=False)


def output_of(content: dict[tuple[str, str], Value]) -> tuple[Line, list[str]]:
    (line,) = lines([NotFound(NONCE), *WANTED], NONCE)
    return line, guest(content).run(line.text).text.splitlines(keepends=True)


def taken(line: Line, output: list[str] | str) -> tuple[Reading, list[Statement]]:
    answers = Answers()
    left = line.take("".join(output), answers)
    return answers.reading, left


@given(content=contents, mark=st.integers(0, 10**6))
def test_a_lost_mark_leaves_values_unread(content: dict[tuple[str, str], Value], mark: int) -> None:
    line, output = output_of(content)
    marks = [index for index, text in enumerate(output) if text.startswith(SIGN)]
    del output[marks[mark % len(marks)]]
    check(taken(line, output)[0], content, may_be_unread=True)


@given(content=contents, mark=st.integers(0, 10**6), place=st.integers(0, 10**6))
def test_a_mark_that_is_there_again_leaves_values_unread(
    content: dict[tuple[str, str], Value], mark: int, place: int
) -> None:
    line, output = output_of(content)
    marks = [text for text in output if text.startswith(SIGN)]
    output.insert(place % (len(output) + 1), marks[mark % len(marks)])
    check(taken(line, output)[0], content, may_be_unread=True)


@given(content=contents, one=st.integers(0, 10**6), other=st.integers(0, 10**6))
def test_marks_out_of_order_leave_values_unread(content: dict[tuple[str, str], Value], one: int, other: int) -> None:
    line, output = output_of(content)
    marks = [index for index, text in enumerate(output) if text.startswith(SIGN)]
    first, second = marks[one % len(marks)], marks[other % len(marks)]
    output[first], output[second] = output[second], output[first]
    check(taken(line, output)[0], content, may_be_unread=True)


@given(content=contents, cut=st.floats(0, 1))
def test_what_is_cut_off_is_asked_again(content: dict[tuple[str, str], Value], cut: float) -> None:
    line, output = output_of(content)
    text = "".join(output)
    reading, left = taken(line, text[: int(cut * len(text))])
    read = check(reading, content, may_be_unread=True)
    unanswered = [statement for statement in WANTED if statement in left]
    assert read == (len(WANTED) - len(unanswered)) * len(NAMES) or NotFound(NONCE) in left
    assert unanswered == list(WANTED[len(WANTED) - len(unanswered) :])


@given(content=contents, garbage=st.text(max_size=30), place=st.integers(0, 10**6))
def test_garbage_between_changes_at_most_what_it_is_in(
    content: dict[tuple[str, str], Value], garbage: str, place: int
) -> None:
    """A line of something else, such as a program's complaint, in an answer."""
    line, output = output_of(content)
    place %= len(output) + 1
    output.insert(place, f"{garbage}{END}")
    reading, left = taken(line, output)
    wrong = 0
    for key in KEYS:
        for name in NAMES:
            seen = reading.value(key, name)
            if seen.trouble or seen.value != content.get((key, name)):
                wrong += 1
    # The first statement is how this guest says that nothing is there.
    assert wrong <= 1 or place <= output.index(f"{SIGN}=1 {END}")
    assert left == []


# ---- hostile texts

HOSTILE = (
    "\x00" * 50,
    "\x1b[2J\x1b]2;title\x07\x1b[8m",
    "x" * 300_000,
    "\r\n".join(f"#deadbeef#{word}" for word in ("", "=0", "=1", "=2", "h", "u0")),
    f"\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\L\r\n    B    REG_DWORD    0x7\r\n\r\n{SIGN[:-1]}\r\n",
    '" & shutdown /s & echo "',
    "%m%TEMP%!x!^&|<>",
    "\u202e\u2028\u2029\ufeff\ud7ff",
    "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.",
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_changes_nothing_but_its_own_value(hostile: str) -> None:
    content = {(KEYS[1], "B"): Value("REG_DWORD", 1), (KEYS[0], "A"): Value("REG_SZ", hostile)}
    machine = guest(content)
    machine.registry.set(rf"HKU\{ALICE}\Control Panel\Desktop", "AutoEndTasks", hostile)
    machine.registry.set(r"HKU\.DEFAULT\Control Panel\Desktop", "AutoEndTasks", "1")
    tasks = UserValue(r"Control Panel\Desktop", "AutoEndTasks", "REG_SZ")
    (line,) = lines([NotFound(NONCE), LoadedHives((tasks,)), StoredHives((tasks,)), *WANTED], NONCE)
    answers = Answers()
    assert line.take(machine.run(line.text).text, answers) == []
    check(answers.reading, content, may_be_unread=False)
    read = {hive.name: answers.reading.value(hive.key(tasks.key), tasks.name) for hive in answers.reading.hives}
    assert (read[ALICE].data, read[".DEFAULT"].data, read[BOB].data) == (hostile, "1", None)
    assert {command.split()[0] for command in machine.asked} == {"reg"}


@given(st.text(max_size=300))
def test_any_output_raises_nothing_and_reads_nothing_that_is_not_there(output: str) -> None:
    tasks = UserValue(r"Control Panel\Desktop", "AutoEndTasks", "REG_SZ")
    asked: list[Statement] = [
        NotFound(NONCE),
        *WANTED,
        *(LoadedHives((tasks,)), StoredHives((tasks,)), DefaultHive((tasks,)), Schemes(), Scan(BASE, "A"), Unload()),
        *(Files(("x",)), Processes(("x",)), RecentEvents((Events("System", "x", (1,)),)), Keys((RegistryKey("x"),))),
        *(Write(BASE, ("A",), "REG_SZ", "x"), WritePower(SCHEMES, ((SCHEMES[0], SCHEMES[1], 1),))),
    ]
    (line,) = lines(asked, NONCE)
    answers = Answers()
    for text in (
        output,
        f"{SIGN}=0\n{output}",
        "".join(f"{SIGN}={index}\n{output}" for index in range(len(asked) + 1)),
    ):
        line.take(text, answers)
    between = "".join(f"{SIGN}={index}\n{output}{SIGN}\n" for index in range(len(asked) + 1))
    line.take(between, answers)
    reading = answers.reading
    assert not reading.hives and not any(seen.value for seen in reading.values.values())


def test_a_query_that_was_answered_with_nothing_is_asked_again() -> None:
    """A program that could not be started prints nothing, and its mark is there all the same."""
    (line,) = lines([Values(r"HKLM\SOFTWARE\x", ("A", "B"))], "aa")
    answers = Answers()
    assert line.take("#aa#=0\n#aa#\nwords\n#aa#\n#aa#=1\n", answers) == [Values(r"HKLM\SOFTWARE\x", ("A", "B"))]
    assert line.take("#aa#=0\nwords\n#aa#\nwords\n#aa#\n#aa#=1\n", answers) == []
