# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of a simulated Windows guest's registry."""

from __future__ import annotations

import pytest
from bed.windows.snapshot import Data, Snapshot, Value

POWER = r"HKLM\SYSTEM\CurrentControlSet\Control\Power"
SNAPSHOT = Snapshot(
    {
        POWER: {"HibernateEnabled": Value("REG_DWORD", 0), "": Value("REG_SZ", "default")},
        rf"{POWER}\User\PowerSchemes": {"ActivePowerScheme": Value("REG_SZ", "381b4222-f694-41f0-9685-ff5bb260df2e")},
        "HKU\\S-1-5-21-1\\Größe": {"Ñame": Value("REG_EXPAND_SZ", "%TEMP%")},
    }
)


def test_names_are_found_whatever_their_case() -> None:
    assert SNAPSHOT.value(POWER.upper(), "HIBERNATEENABLED") == Value("REG_DWORD", 0)
    assert SNAPSHOT.text("hku\\s-1-5-21-1\\GRÖSSE", "ñAME") is None  # ß is no SS to Windows
    assert SNAPSHOT.text("hku\\s-1-5-21-1\\GRÖßE", "ñAME") == "%TEMP%"


def test_the_default_value_has_the_empty_name() -> None:
    assert SNAPSHOT.text(POWER, "") == "default"
    assert SNAPSHOT.values(POWER) == {"HibernateEnabled": Value("REG_DWORD", 0), "": Value("REG_SZ", "default")}


def test_a_value_may_have_backslashes_in_its_name() -> None:
    value = Value("REG_SZ", "*")
    snapshot = Snapshot({"HKLM\\SOFTWARE": {"\\\\*\\SYSVOL\\": value}})
    assert snapshot.value("HKLM\\SOFTWARE\\", "\\\\*\\sysvol\\") == value
    assert snapshot.value("HKLM\\SOFTWARE", "*\\SYSVOL") is None


def test_the_keys_above_a_key_exist_too() -> None:
    assert SNAPSHOT.exists(r"HKLM\SYSTEM")
    assert SNAPSHOT.subkeys("HKLM") == ["SYSTEM"]
    assert SNAPSHOT.values(r"HKLM\SYSTEM") == {}
    assert SNAPSHOT.keys()[:2] == ["HKLM", r"HKLM\SYSTEM"]
    assert SNAPSHOT.keys()[-1] == "HKU\\S-1-5-21-1\\Größe"


def test_what_is_not_there_is_not_there() -> None:
    assert not SNAPSHOT.exists(r"HKLM\SOFTWARE")
    assert SNAPSHOT.subkeys(r"HKLM\SOFTWARE") == []
    assert SNAPSHOT.values(r"HKLM\SOFTWARE") == {}
    assert SNAPSHOT.value(POWER, "CsEnabled") is None
    assert SNAPSHOT.number(POWER, "CsEnabled") is None
    assert SNAPSHOT.text(POWER, "CsEnabled") is None


@pytest.mark.parametrize(
    ("kind", "data", "number"),
    [
        ("REG_DWORD", 0xFFFFFFFF, 0xFFFFFFFF),
        ("REG_QWORD", 1 << 40, 1 << 40),
        ("REG_SZ", "20000", 20000),
        ("REG_SZ", " 1 ", 1),
        ("REG_SZ", "", None),
        ("REG_SZ", "one", None),
        ("REG_SZ", "-1", None),
        ("REG_SZ", "²", None),
        ("REG_MULTI_SZ", ["1"], None),
        ("REG_BINARY", b"1", None),
    ],
)
def test_what_counts_as_a_number(kind: str, data: Data, number: int | None) -> None:
    assert Snapshot({"HKLM": {"it": Value(kind, data)}}).number("HKLM", "it") == number
