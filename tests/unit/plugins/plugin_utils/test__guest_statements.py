# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questions: what each of them finds on a guest, and what it makes of answers that are not as they should be."""

from __future__ import annotations

import dataclasses
import time
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    POWER_POLICY,
    POWER_SCHEMES,
    CatalogueError,
    Data,
    Events,
    RegistryKey,
    UserValue,
    Value,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_input import (
    check_data,
    check_key,
    check_name,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import Exists, Hive, Seen
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_script import lines
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
    Answers,
    DefaultHive,
    Files,
    Keys,
    LoadedHives,
    NotFound,
    Part,
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
    groups,
    quoted,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from unit.little_cmd import ALICE, BOB, CAROL, NOT_FOUND, SCHEMES, Machine, arguments, event_text, profile, windows

NONCE = "0123abcd"
KEY = r"HKLM\SOFTWARE\Example"
DESKTOP = r"Control Panel\Desktop"
TASKS = UserValue(DESKTOP, "AutoEndTasks", "REG_SZ")
HUNG = UserValue(DESKTOP, "HungAppTimeout", "REG_SZ")
CLOSE = UserValue(r"Software\Policies\A Key", "No Close", "REG_DWORD")


def ask(machine: Machine, *statements: Statement, answers: Answers | None = None) -> Answers:
    """Have a guest answer, as the questioner does."""
    answers = answers or Answers()
    for line in lines([NotFound(NONCE), *statements], NONCE):
        output = machine.run(line.text)
        assert line.take(output.text, answers) == []
    assert machine.contents == {}
    return answers


def values(answers: Answers, key: str, *names: str) -> list[Data | str | None]:
    seen = [answers.reading.value(key, name) for name in names]
    return [one.trouble or one.data for one in seen]


# ---- what is found


def test_values() -> None:
    machine = windows()
    data: dict[str, Value] = {
        "Number": Value("REG_DWORD", 0),
        "A  Name": Value("REG_SZ", "a text\r\n    Number    REG_DWORD    0x7"),
        "Empty": Value("REG_SZ", ""),
        "List": Value("REG_MULTI_SZ", ("a b", "c")),
        "Large": Value("REG_QWORD", 2**63),
        "Bytes": Value("REG_BINARY", b"\x00\xff"),
        "Ünïcode": Value("REG_EXPAND_SZ", "ä"),
        "&|<>()": Value("REG_SZ", "&|<>()"),
    }
    for name, value in data.items():
        machine.registry.set(KEY, name, value)
    answers = ask(machine, Values(KEY, (*data, "Missing")), Values(rf"{KEY}\Sub", ("Missing",)))
    for name, value in data.items():
        assert answers.reading.value(KEY, name).value == value, name
    assert answers.reading.value(KEY, "Missing") == answers.reading.value(rf"{KEY}\Sub", "Missing") == Seen()


def test_what_a_guest_says_when_it_refuses_is_not_taken_for_absence() -> None:
    machine = windows()
    machine.disabled = "FEHLER: Das Bearbeiten der Registrierung wurde vom Administrator deaktiviert."
    answers = ask(machine, Values(KEY, ("Name",)), Keys((RegistryKey(KEY),)), Scan(KEY, "Name"), Schemes())
    assert answers.not_found == set()
    assert answers.reading.value(KEY, "Name").trouble == machine.disabled
    assert answers.reading.keys[KEY].trouble == machine.disabled
    assert answers.reading.value(rf"{KEY}\a", "Name").trouble and answers.reading.schemes_trouble


def test_keys() -> None:
    machine = windows()
    for key in (rf"{KEY}\Empty", rf"{KEY}\Parent\Child", rf"{KEY}\With value"):
        machine.registry.create(key)
    machine.registry.set(rf"{KEY}\With value", "Name", "x")
    asked = {
        RegistryKey(rf"{KEY}\Empty"): True,
        RegistryKey(rf"{KEY}\Missing"): False,
        RegistryKey(rf"{KEY}\Parent", subkeys=True): True,
        RegistryKey(rf"{KEY}\With value", subkeys=True): False,
        RegistryKey(rf"{KEY}\Missing too", subkeys=True): False,
    }
    answers = ask(machine, Keys(tuple(asked)))
    assert answers.reading.keys == {key.key: Exists(there) for key, there in asked.items()}


def test_a_search() -> None:
    machine = windows()
    for number, key in enumerate(("a", r"b\c", "d e")):
        machine.registry.set(rf"{KEY}\{key}", "Name", number)
    answers = ask(machine, Scan(KEY, "Name"), Scan(KEY, "Nothing"))
    assert {key: seen.data for key, seen in answers.reading.found(KEY, "Name").items()} == {"a": 0, r"b\c": 1, "d e": 2}
    assert answers.reading.value(rf"{KEY}\z", "Nothing") == Seen()
    machine.registry.set(rf"{KEY}\a", "Name", "a text")
    answers = ask(machine, Scan(KEY, "Name"), answers=answers)
    assert answers.reading.found(KEY, "Name") == {} and "REG_SZ" in answers.reading.value(rf"{KEY}\d e", "Name").trouble


def test_schemes() -> None:
    machine = windows()
    machine.registry.create(f"{POWER_SCHEMES}\\no scheme")
    machine.registry.create(f"{POWER_SCHEMES}\\{SCHEMES[0]}\\a subgroup")
    reading = ask(machine, Schemes()).reading
    assert (reading.schemes, reading.active_scheme, reading.schemes_trouble) == (SCHEMES, SCHEMES[0], "")
    machine.registry.remove(POWER_SCHEMES)
    reading = ask(machine, Schemes()).reading
    assert reading.schemes == () and NOT_FOUND in reading.schemes_trouble


def test_hives() -> None:
    machine = windows()
    machine.registry.set(rf"HKU\{ALICE}\{DESKTOP}", "AutoEndTasks", "1")
    machine.registry.set(rf"HKU\.DEFAULT\{CLOSE.key}", CLOSE.name, 1)
    profile(machine, "Bob the Builder").set(rf"HKU\hive\{DESKTOP}", "AutoEndTasks", "0")
    profile(machine, "Default").set(rf"HKU\hive\{DESKTOP}", "HungAppTimeout", "7")
    machine.profiles.pop(r"c:\users\carol & co\ntuser.dat")
    wanted = (TASKS, HUNG, CLOSE)
    answers = ask(machine, LoadedHives(wanted), StoredHives(wanted), DefaultHive(wanted))
    hives = {hive.name: hive for hive in answers.reading.hives}
    assert {name: hive.kind for name, hive in hives.items()} == {
        ".DEFAULT": "system",
        ALICE: "loaded",
        BOB: "stored",
        CAROL: "stored",
        "default": "default",
    }
    assert [bool(hive.trouble) for hive in hives.values()] == [False, False, False, True, False]
    read = {
        name: [answers.reading.value(hive.key(value.key), value.name).data for value in wanted]
        for name, hive in hives.items()
        if not hive.trouble
    }
    assert read == {
        ".DEFAULT": [None, None, 1],
        ALICE: ["1", None, None],
        BOB: ["0", None, None],
        "default": [None, "7", None],
    }
    assert [*machine.mounted] == [f"hku\\{ALICE}".casefold()]


def test_a_profile_that_cannot_be_unloaded_is_told() -> None:
    machine = windows()
    machine.busy.add(f"hku\\winguest-{BOB}".casefold())
    answers = ask(machine, StoredHives((TASKS,)))
    (bob,) = [hive for hive in answers.reading.hives if hive.name == BOB]
    assert "could not be unloaded" in bob.trouble


def test_what_an_earlier_run_left_loaded_is_unloaded() -> None:
    machine = windows()
    machine.run(rf'reg load "HKU\winguest-{BOB}" "C:\Users\Bob the Builder\NTUSER.DAT"')
    machine.run(r'reg load "HKU\Other-1" "C:\Users\carol & co\NTUSER.DAT"')
    assert len(machine.mounted) == 3
    ask(machine, Unload())
    assert sorted(machine.mounted) == ["hku\\other-1", f"hku\\{ALICE}".casefold()]


def test_files_and_processes() -> None:
    machine = windows()
    machine.existing.add(r"C:\Windows\WinSxS\pending.xml")
    machine.running.add("TiWorker.exe")
    paths = (r"%SystemRoot%\WinSxS\pending.xml", r"%SystemDrive%\none.xml")
    answers = ask(machine, Files(paths), Processes(("msiexec.exe", "tiworker.exe")))
    assert answers.reading.files == {paths[0]: Exists(True), paths[1]: Exists()}
    assert answers.reading.processes == {"msiexec.exe": Exists(), "tiworker.exe": Exists(True, detail="running")}


def test_events() -> None:
    machine = windows()
    machine.events["System"] = [("Ntfs", 55), ("Microsoft-Windows-Kernel-Power", 41), ("Ntfs", 98), ("User32", 1074)]
    rows = (Events("System", "Ntfs", (55, 98)), Events("System", "User32", (1073,)))
    missing = Events("No Such Log", "x", (1,))
    events = ask(machine, RecentEvents(rows), RecentEvents((missing,))).reading.events
    assert events[rows[0]] == Exists(True, detail="event 98 at 2026-01-02T03:04:05.678Z")
    assert events[rows[1]] == Exists() and "Kanal" in events[missing].trouble


@pytest.mark.parametrize("said", ["Dieses Programm wurde durch eine Gruppenrichtlinie geblockt.", ""])
def test_a_program_that_fails_has_not_told_that_there_is_nothing(said: str) -> None:
    machine = windows()
    machine.failing = {"tasklist": said, "wevtutil": said}
    row = Events("System", "Ntfs", (55,))
    reading = ask(machine, Processes(("msiexec.exe",)), RecentEvents((row,))).reading
    for exists in (reading.processes["msiexec.exe"], reading.events[row]):
        assert exists.trouble and said in exists.trouble and not exists.there
    assert Processes(("msiexec.exe",)).lost([Part("", "", "\r\n")])


@pytest.mark.parametrize(
    "text",
    [
        "<Event",
        "an error",
        event_text("Ntfs", 56),
        event_text("Ntfs", 55).replace(">55<", ">\u00b2<"),
        event_text("Ntfs", 55).replace(">55<", f">{'5' * 5000}<"),
        event_text("Ntfs", 55).replace("TimeCreated", "Created"),
        event_text("Ntfs", 55).replace("2004/08", "2004/09"),
        "<!DOCTYPE x [<!ENTITY y 'z'>]>" + event_text("Ntfs", 55),
        '<?xml version="1.0" encoding="utf-16"?><a>\x00</a>',
        event_text("Ntfs", 55) * 2,
        "\x1b[2J" + event_text("Ntfs", 55),
    ],
)
def test_what_is_not_the_event_that_was_asked_for(text: str) -> None:
    row, answers = Events("System", "Ntfs", (55,)), Answers()
    RecentEvents((row,)).take([Part("", "", text)], answers)
    exists = answers.reading.events[row]
    assert not exists.there and exists.trouble and len(exists.trouble) <= 300


# ---- what is written


def test_writes() -> None:
    machine = windows()
    machine.registry.set(KEY, "Old", 1)
    writes = [
        Write(KEY, ("A", "B c"), "REG_DWORD", 4294967295),
        Write(KEY, ("Text",), "REG_SZ", "a \\b\\"),
        Write(KEY, ("List",), "REG_MULTI_SZ", ("a", "b c")),
        Write(KEY, ("Bytes",), "REG_BINARY", b"\x00\xfe"),
        Write(KEY, ("Old", "Missing"), "REG_DWORD", None),
    ]
    names = ("A", "B c", "Text", "List", "Bytes", "Old", "Missing")
    answers = ask(machine, *writes, Values(KEY, names))
    read = values(answers, KEY, *names)
    assert read == [4294967295, 4294967295, "a \\b\\", ("a", "b c"), b"\x00\xfe", None, None]
    assert len(answers.notes) == 7 and NOT_FOUND in answers.notes


def test_settings_of_users() -> None:
    machine = windows()
    settings = (Setting(TASKS, "1"), Setting(CLOSE, None))
    machine.registry.set(rf"HKU\{ALICE}\{CLOSE.key}", CLOSE.name, 1)
    wanted = (TASKS, CLOSE)
    answers = ask(
        machine,
        LoadedHives(wanted, settings, only=(ALICE,)),
        StoredHives(wanted, settings, only=(BOB, CAROL)),
        DefaultHive(wanted, settings),
    )
    for hive in answers.reading.hives:
        assert values(answers, hive.key(DESKTOP), "AutoEndTasks") == ["1"] and not hive.trouble
    assert len(answers.reading.hives) == 4
    assert machine.registry.get(rf"HKU\{ALICE}\{CLOSE.key}", CLOSE.name) is None
    assert machine.registry.get(rf"HKU\.DEFAULT\{DESKTOP}", "AutoEndTasks") is None
    for folder in ("Bob the Builder", "carol & co", "Default"):
        assert profile(machine, folder).get(rf"HKU\hive\{DESKTOP}", "AutoEndTasks") == Value("REG_SZ", "1")
    assert len(machine.mounted) == 1


def test_a_profile_is_read_anew_when_it_is_asked_for_again() -> None:
    machine = windows()
    answers = ask(machine, StoredHives((TASKS,)), DefaultHive((TASKS,)))
    ask(machine, StoredHives((TASKS,), (Setting(TASKS, "1"),), only=(BOB,)), answers=answers)
    ask(machine, DefaultHive((TASKS,), (Setting(TASKS, "1"),)), answers=answers)
    read = {hive.name: values(answers, hive.key(DESKTOP), "AutoEndTasks")[0] for hive in answers.reading.hives}
    assert (read[BOB], read[CAROL], read["default"]) == ("1", None, "1")


def test_power_settings_in_every_scheme() -> None:
    machine = windows()
    machine.registry.set(f"{POWER_POLICY}\\{SETTINGS[1][1].upper()}", "DCSettingIndex", 0)
    ask(machine, WritePower(SCHEMES, SETTINGS))
    read = {
        (scheme, setting, name): machine.registry.get(f"{POWER_SCHEMES}\\{scheme}\\{subgroup}\\{setting}", name)
        for scheme in SCHEMES
        for subgroup, setting, dummy in SETTINGS
        for name in ("ACSettingIndex", "DCSettingIndex")
    }
    for (dummy, setting, name), value in read.items():
        managed = setting == SETTINGS[1][1] and name == "DCSettingIndex"
        assert value == (None if managed else Value("REG_DWORD", 3 if setting == SETTINGS[0][1] else 0))
    assert machine.activations == 1


SETTINGS = (
    ("4f971e89-eebd-4455-a8de-9e59040e7347", "7648efa3-dd9c-4e3e-b566-50f929386280", 3),
    ("7516b95f-f776-4464-8c53-06167f40cc99", "3c0bc021-c8a8-4e07-a973-6b14cbcb2b7e", 0),
)


@pytest.mark.parametrize("scheme", ["x", f"{SCHEMES[0]}&calc", f"{SCHEMES[0]}\n", ""])
def test_only_a_guid_gets_into_a_command_for_power(scheme: str) -> None:
    with pytest.raises(ValueError, match="is no GUID"):
        WritePower((scheme,), SETTINGS).text()


# ---- answers that are not as they should be

ROWS = (Events("System", "a", (1,)), Events("System", "b", (2,)))
COUNTED: list[tuple[Statement, list[str]]] = [
    (Values(KEY, ("A", "B")), ["", ""]),
    (Keys((RegistryKey("a"), RegistryKey("b"))), ["", ""]),
    (Scan(KEY, "A"), [""]),
    (Schemes(), ["", ""]),
    (Files(("a", "b")), ["y", "n"]),
    (Processes(("a", "b")), ["", ""]),
    (RecentEvents(ROWS), ["", ""]),
    (NotFound(NONCE), ["", "", "", ""]),
]


@pytest.mark.parametrize(("statement", "letters"), COUNTED, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("number", range(6))
def test_with_a_mark_too_few_or_too_many_nothing_is_read(statement: Statement, letters: list[str], number: int) -> None:
    if number == len(letters):
        return
    answers = Answers()
    parts = [Part(letter, "", NOT_FOUND) for letter in (letters * 6)[:number]]
    statement.take(parts, answers)
    assert answers == Answers()


def test_a_hive_with_a_mark_too_few_is_there_and_unread() -> None:
    answers = Answers(not_found={NOT_FOUND})
    gone = Part("", "", NOT_FOUND)
    parts = [
        Part("h", rf"USERS\{ALICE}", ""),
        *(gone, gone, gone),
        Part("h", r"USERS\.DEFAULT", ""),
        *(gone, gone),
    ]
    LoadedHives((TASKS, HUNG)).take(parts, answers)
    assert [hive.name for hive in answers.reading.hives] == [ALICE, ".DEFAULT"]
    assert answers.reading.value(rf"HKU\{ALICE}\{DESKTOP}", "AutoEndTasks").trouble
    assert answers.reading.value(rf"HKU\.DEFAULT\{DESKTOP}", "AutoEndTasks") == Seen()


@pytest.mark.parametrize("name", ["S-1-5-18", f"{ALICE}.bak", f"winguest-{ALICE}", "x", "", f"{ALICE}&calc", "default"])
def test_only_users_are_taken_for_hives(name: str) -> None:
    answers = Answers()
    LoadedHives((TASKS,)).take([Part("h", f"USERS\\{name}", ""), Part("", "", "")], answers)
    StoredHives((TASKS,)).take([Part("p", name, ""), Part("", "", ""), Part("u", "0", "")], answers)
    assert answers.reading.hives == ()


def test_a_stored_profile_of_a_user_who_is_signed_in_changes_nothing() -> None:
    answers = Answers()
    answers.reading.add_hives([Hive(ALICE, "loaded")])
    StoredHives((TASKS,)).take([Part("f", ALICE.lower(), "in use")], answers)
    assert answers.reading.hives == (Hive(ALICE, "loaded"),)


@pytest.mark.parametrize("rest", [[], [Part("u", "1", "")], [Part("u", "", "")]])
def test_a_profile_whose_unloading_is_not_certain_has_trouble(rest: list[Part]) -> None:
    answers = Answers()
    DefaultHive((TASKS,)).take([Part("p", "default", ""), Part("", "", ""), *rest], answers)
    (hive,) = answers.reading.hives
    assert hive.trouble


def test_groups() -> None:
    a, b, c, head = Part("", "", "a"), Part("w", "", "b"), Part("", "", "c"), Part("h", "x", "")
    assert list(groups([a, head, b, c, head], "h")) == [(head, [b, c]), (head, [])]
    assert list(groups([], "h")) == list(groups([a], "h")) == []


def test_what_is_said_is_shown_in_part() -> None:
    answers = Answers()
    assert len(answers.seen("x" * 10_000, "Name").trouble) == 300
    assert len(answers.exists("x" * 10_000).trouble) == 300
    assert answers.seen("", "Name").trouble and answers.exists("").there


# ---- smaller ones

TAKEN_APART: list[tuple[Statement, int]] = [
    (NotFound(NONCE), 0),
    (Values(KEY, ("A", "B", "C")), 3),
    (Keys((RegistryKey("a"), RegistryKey("b"))), 2),
    (Scan(KEY, "A"), 0),
    (Schemes(), 0),
    (Files(("a", "b")), 0),
    (Processes(("a", "b")), 2),
    (RecentEvents(ROWS), 2),
    (Write(KEY, ("A", "B"), "REG_SZ", "x"), 2),
    (WritePower(SCHEMES, SETTINGS), 2),
    (LoadedHives((TASKS, CLOSE)), 2),
    (StoredHives((TASKS, CLOSE), (Setting(TASKS, "1"),), only=(ALICE, BOB, CAROL)), 2),
    (DefaultHive((TASKS, CLOSE)), 2),
]


@pytest.mark.parametrize(("statement", "number"), TAKEN_APART, ids=lambda value: type(value).__name__)
def test_pieces_ask_the_same_and_end(statement: Statement, number: int) -> None:
    def leaves(one: Statement) -> list[Statement]:
        pieces = one.pieces()
        assert one not in pieces
        return [leaf for piece in pieces for leaf in leaves(piece)] or [one]

    assert len(statement.pieces()) == number
    together: dict[str, list[t.Any]] = {}
    for leaf in leaves(statement):
        for field in dataclasses.fields(t.cast("t.Any", leaf)):
            kept = together.setdefault(field.name, [])
            value = getattr(leaf, field.name)
            kept += [one for one in (value if isinstance(value, tuple) else (value,)) if one not in kept]
    for name, kept in together.items():
        whole = getattr(statement, name)
        assert sorted(map(repr, kept)) == sorted(map(repr, whole if isinstance(whole, tuple) else (whole,)))


# ---- what ends up in a command line


@given(st.text(alphabet=st.sampled_from("a b\\\\.é&|<>();,=")))
def test_what_is_quoted_arrives_as_it_is(text: str) -> None:
    assert arguments(f"x {quoted(text)} y") == ["x", text, "y"]


USERS_OWN = st.text(st.sampled_from("ab Zé\u4e2d0.,;:=+-_~#@$&|<>()[]{}'`\\/"), min_size=1, max_size=20)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(name=USERS_OWN, path=USERS_OWN, data=USERS_OWN)
def test_what_a_user_may_write_is_written_and_read_as_it_is(name: str, path: str, data: str) -> None:
    try:
        key = check_key(f"HKLM\\SOFTWARE\\{path}", "key")
        name, data = check_name(name, "name"), str(check_data(data, "REG_SZ", "data"))
    except CatalogueError:
        assume(False)
    machine = windows()
    answers = ask(machine, Write(key, (name,), "REG_SZ", data), Values(key, (name,)))
    assert values(answers, key, name) == [data]
    assert {line.split()[0] for line in machine.asked} == {"reg"}


def test_what_cmd_would_interpret_is_refused_before() -> None:
    for char in '"%!^*?\n\0':
        for check in (check_key, check_name, lambda text, where: check_data(text, "REG_SZ", where)):
            with pytest.raises(CatalogueError):
                check(rf"HKLM\SOFTWARE\a{char}b", "here")


def test_words_for_what_is_not_there_are_known_with_a_letter_torn() -> None:
    answers = Answers(not_found={"reg: Der Schlüssel wurde nicht gefunden"})
    assert answers.absent("reg: Der Schlüssel wurde nicht gefunden\r\n")
    assert answers.absent("reg: Der Schl\ufffd\ufffdssel wurde nicht gefunden")
    assert not answers.absent("reg: Der Zugriff auf den Schl\ufffd\ufffdssel wurde verweigert")
    assert not answers.absent("\ufffd" * 40)


def test_words_that_are_meant_to_take_long_do_not() -> None:
    """Both the words and the answer may be a hostile guest's."""
    began = time.process_time()
    for words in ("a" * 1_000_000, "a" * 500, "a" * 400 + "b", "ab" * 200):
        answers = Answers(not_found={words})
        for text in (
            "\ufffd".join("a" * 300),
            "a\ufffd" * 15 + words[:300] + "c",
            "\ufffd" * 1_000_000,
            words + "\ufffd",
        ):
            answers.absent(text)
    assert time.process_time() - began < 10
