# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a row of the catalogue is: what it accepts, what absence means, and what is refused."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    UNKNOWN,
    Absent,
    CatalogueError,
    Data,
    Desired,
    Process,
    RegistryValue,
    Row,
    as_number,
    check,
)

ROW = Row(
    id="example",
    scenario="other",
    effect="informs",
    title="An example",
    location=RegistryValue(r"HKLM\SOFTWARE\Example", "Value", "REG_DWORD"),
    desired=Desired(1),
    source="this test",
    grade="verified",
)


@pytest.mark.parametrize(
    ("desired", "accepted", "refused"),
    [
        (Desired(3), [3], [0, "3", None]),
        (Desired(0, others=(3,)), [0, 3], [1, None]),
        (Desired(3, least=1, most=3), [1, 2, 3], [0, 4, None, b"\x02"]),
        (Desired("20000", least=5000, most=60000), ["5000", "60000", " 7000 "], ["4999", "", "many", "-7000", None]),
        (Desired(None), [None], [0, "", ()]),
        (Desired(None, others=(0,)), [None, 0], [1]),
        (Desired(None, others=((),)), [None, ()], [("a",)]),
        (Desired(None, most=300_000), [None, 0, 300_000], [300_001]),
        (Desired(5, least=5), [5, 6, 2**32 - 1], [4]),
        (Desired(("a *",), others=(("b",),)), [("a *",), ("b",)], [("a *", "b"), ()]),
    ],
)
def test_desired(desired: Desired, accepted: list[Data | None], refused: list[Data | None]) -> None:
    assert [data for data in accepted if not desired.accepts(data)] == []
    assert [data for data in refused if desired.accepts(data)] == []


@pytest.mark.parametrize(
    ("data", "number"),
    [
        *((7, 7), ("7", 7), (" 7 ", 7), ("007", 7), ("0x7", None), ("", None), ("7.0", None), ("\u0667", None)),
        *(("9" * 19, int("9" * 19)), ("9" * 20, None), (b"7", None), (("7",), None), (None, None)),
    ],
)
def test_as_number(data: Data | None, number: int | None) -> None:
    assert as_number(data) == number


def test_absence_differs_by_kind_and_build() -> None:
    by_kind = Absent(client=3, server=15)
    assert [by_kind.on(server, 20348) for server in (False, True)] == [3, 15]
    by_build = Absent(client=10_000, server=10_000, since_build=15063, before=180_000)
    assert [by_build.on(True, build) for build in (9600, 15062, 15063, 26100)] == [180_000, 180_000, 10_000, 10_000]
    assert Absent().on(True, 20348) is UNKNOWN


def test_what_is_only_read_is_not_writable() -> None:
    assert ROW.writable
    assert not dataclasses.replace(ROW, only_read=True).writable
    assert not dataclasses.replace(ROW, location=Process("example.exe"), desired=Desired(None)).writable


def test_a_sound_row_is_returned() -> None:
    assert check(ROW, "here") is ROW


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"scenario": "misc"}, "here: scenario is 'misc'; it must be one of updates, "),
        ({"effect": "hurts"}, "here: effect is 'hurts'; it must be one of blocks, "),
        ({"takes_effect": "soon"}, "here: takes_effect is 'soon'; it must be one of now, "),
        ({"grade": "sure"}, "here: grade is 'sure'; it must be one of verified, "),
        ({"baselines": (("bsi", "1"),)}, "here: baselines names 'bsi'; it must be one of cis, stig"),
        ({"enforced": True, "only_read": True}, "here: enforced is true, but this RegistryValue can only be read"),
        ({"enforced": True, "location": Process("a.exe")}, "here: enforced is true, but this Process can only be read"),
    ],
)
def test_an_unsound_row_is_refused(change: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(CatalogueError) as error:
        check(dataclasses.replace(ROW, **change), "here")
    assert str(error.value).startswith(complaint)
