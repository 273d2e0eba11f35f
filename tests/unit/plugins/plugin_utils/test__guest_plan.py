# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a guest is asked for an audit, and what is written and read again for remediation."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    POWER_POLICY,
    POWER_SCHEMES,
    Data,
    Desired,
    Events,
    File,
    Location,
    PowerSetting,
    Process,
    RegistryKey,
    RegistryValue,
    Row,
    ServiceValues,
    TwoValues,
    UserValue,
    Value,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import SERVICES, Finding
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import SYSTEM_VALUES, Hive, Reading, Seen
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_plan import audit, preparation, remediation
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
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

KEY = r"HKLM\SOFTWARE\Example"
ONE, OTHER = RegistryValue(KEY, "One", "REG_DWORD"), RegistryValue(KEY, "Other", "REG_DWORD")
TEXT = RegistryValue(r"HKLM\SYSTEM\Other", "Text", "REG_SZ")
TASKS = UserValue(r"Control Panel\Desktop", "AutoEndTasks", "REG_SZ")
HUNG = UserValue(r"Control Panel\Desktop", "HungAppTimeout", "REG_SZ")
BUTTON = PowerSetting("4f971e89-eebd-4455-a8de-9e59040e7347", "7648efa3-dd9c-4e3e-b566-50f929386280", "BUTTON")
SCREEN = PowerSetting("7516b95f-f776-4464-8c53-06167f40cc99", "3c0bc021-c8a8-4e07-a973-6b14cbcb2b7e", "SCREEN")
SCHEME = "381b4222-f694-41f0-9685-ff5bb260df2e"
SCANS = [Scan(root, f"{mode}SettingIndex") for root in (POWER_SCHEMES, POWER_POLICY) for mode in ("AC", "DC")]
POWER: list[Statement] = [Schemes(), *SCANS]


def row(location: Location, data: Data | None = 1, **fields: t.Any) -> Row:
    return Row(
        id="example",
        scenario="other",
        effect="blocks",
        title="An example",
        location=location,
        desired=Desired(data),
        source="this test",
        grade="verified",
        **fields,
    )


def wrong(location: Location, data: Data | None = 1, hive: Hive | None = None, state: str = "differs") -> Finding:
    return Finding(row(location, data), "here", state, hive=hive)


def test_what_comes_first() -> None:
    first, second, *values = preparation("0123abcd")
    assert (first, second) == (NotFound("0123abcd"), Unload())
    assert {(one.key, name) for one in values if isinstance(one, Values) for name in one.names} == set(SYSTEM_VALUES)


EVENTS = (
    Events("System", "a", (1,)),
    Events("System", "b", (2,)),
    Events("System", "c", (3,), days=7),
    Events("x", "a", (1,)),
)


@pytest.mark.parametrize(
    ("places", "statements"),
    [
        ([], []),
        ([ONE, TEXT, OTHER, ONE], [Values(KEY, ("One", "Other")), Values(TEXT.key, ("Text",))]),
        ([TwoValues(ONE, TEXT)], [Values(KEY, ("One",)), Values(TEXT.key, ("Text",))]),
        ([BUTTON, SCREEN], POWER),
        ([ServiceValues("PreshutdownTimeout")], [Scan(SERVICES, "PreshutdownTimeout")]),
        (
            [TASKS, HUNG],
            [LoadedHives((TASKS, HUNG)), StoredHives((TASKS, HUNG)), DefaultHive((TASKS, HUNG))],
        ),
        ([RegistryKey("a"), RegistryKey("b", True)], [Keys((RegistryKey("a"), RegistryKey("b", True)))]),
        ([File("a"), File("b")], [Files(("a", "b"))]),
        ([Process("a"), Process("b")], [Processes(("a", "b"))]),
        (EVENTS, [RecentEvents(EVENTS[:2]), RecentEvents(EVENTS[2:3]), RecentEvents(EVENTS[3:])]),
    ],
)
def test_an_audit(places: list[Location], statements: list[Statement]) -> None:
    assert audit([row(place) for place in places]) == statements


def test_an_audit_of_the_catalogue_names_every_place_of_it() -> None:
    told = repr(audit(ROWS))
    for one in ROWS:
        for field in dataclasses.fields(one.location):
            value = getattr(one.location, field.name)
            if isinstance(value, str) and field.name not in ("alias", "type", "subgroup", "setting"):
                assert repr(value) in told, (one.id, field.name)


# ---- remediation

READING = Reading(schemes=(SCHEME,))


def test_nothing_is_written_where_nothing_is_wrong() -> None:
    assert remediation([], READING) == []


def test_values_are_written_together_where_they_get_the_same_and_all_are_read_again() -> None:
    plan = remediation(
        [wrong(ONE), wrong(TEXT, "x"), wrong(OTHER), wrong(RegistryValue(KEY, "Gone", "REG_SZ"), None)], READING
    )
    assert plan == [
        Write(KEY, ("One", "Other"), "REG_DWORD", 1),
        Write(TEXT.key, ("Text",), "REG_SZ", "x"),
        Write(KEY, ("Gone",), "REG_SZ", None),
        Values(KEY, ("One", "Other", "Gone")),
        Values(TEXT.key, ("Text",)),
    ]


def test_power_settings() -> None:
    plan = remediation([wrong(BUTTON, 3), wrong(BUTTON, 3), wrong(SCREEN, 0)], READING)
    settings = ((BUTTON.subgroup, BUTTON.setting, 3), (SCREEN.subgroup, SCREEN.setting, 0))
    assert plan == [WritePower((SCHEME,), settings), *SCANS[:2]]


@pytest.mark.parametrize(
    ("policy", "removed"),
    [
        ({"AC": 0, "DC": 0}, ("ACSettingIndex", "DCSettingIndex")),
        ({"AC": 0, "DC": 3}, ("ACSettingIndex",)),
        ({"DC": 1}, ("DCSettingIndex",)),
    ],
)
def test_a_policy_that_overrides_is_removed_first_and_only_where_it_is_wrong(
    policy: dict[str, int], removed: tuple[str, ...]
) -> None:
    reading = Reading(schemes=(SCHEME,))
    key = f"{POWER_POLICY}\\{BUTTON.setting}"
    for root in (POWER_SCHEMES, POWER_POLICY):
        for mode in ("AC", "DC"):
            reading.begin_scan(root, f"{mode}SettingIndex")
    for mode, index in policy.items():
        reading.put(key.upper(), f"{mode}SettingIndex", Seen(Value("REG_DWORD", index)))
    findings = [wrong(BUTTON, 3, state="managed_by_policy") for index in policy.values() if index != 3]
    plan = remediation(findings, reading)
    assert plan == [
        Write(key, removed, "REG_DWORD", None),
        WritePower((SCHEME,), ((BUTTON.subgroup, BUTTON.setting, 3),)),
        *SCANS,
    ]


def test_hives_by_their_kind() -> None:
    plan = remediation(
        [
            wrong(TASKS, "1", Hive("S-1-5-21-1", "loaded")),
            wrong(HUNG, "5000", Hive("S-1-5-21-2", "loaded")),
            wrong(TASKS, "1", Hive(".DEFAULT", "system")),
            wrong(TASKS, "1", Hive("S-1-5-21-3", "stored")),
            wrong(TASKS, None, Hive("default", "default")),
        ],
        READING,
    )
    tasks, hung = Setting(TASKS, "1"), Setting(HUNG, "5000")
    assert plan == [
        LoadedHives((TASKS,), (tasks,), only=("S-1-5-21-1", ".DEFAULT")),
        LoadedHives((HUNG,), (hung,), only=("S-1-5-21-2",)),
        StoredHives((TASKS,), (tasks,), only=("S-1-5-21-3",)),
        DefaultHive((TASKS,), (Setting(TASKS, None),)),
    ]


def test_writes_come_before_what_reads_them() -> None:
    findings = [
        *(wrong(ONE), wrong(BUTTON, 3), wrong(TASKS, "1", Hive("S-1-5-21-3", "stored"))),
        wrong(RegistryValue(f"{POWER_SCHEMES}\\x", "ACSettingIndex", "REG_DWORD")),
    ]
    kinds = [type(statement) for statement in remediation(findings, READING)]
    assert max(kinds.index(Write), kinds.index(WritePower)) < min(kinds.index(Values), kinds.index(Scan))
    assert kinds.index(Write) == 0 and kinds.count(Write) == 2
