# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timeline: in order, repetitions counted, a flood cut in the middle."""

from __future__ import annotations

from typing import Any

from ansible_collections.winguest.shutdown.plugins.module_utils._timeline import MOST_ENTRIES, Timeline
from hypothesis import given
from hypothesis import strategies as st


def made(*entries: tuple[float, str, str]) -> list[dict[str, Any]]:
    timeline = Timeline(clock_start=1000.0, wall_start=1_700_000_000.0)
    for entry in entries:
        timeline.add(*entry)
    return timeline.entries()


def test_an_entry() -> None:
    assert made((1003.0214, "asked", "press")) == [
        {"time": "2023-11-14T22:13:23.021Z", "seconds": 3.021, "kind": "asked", "text": "press"}
    ]


def test_a_repetition_is_counted_where_it_began() -> None:
    entries = made(
        (1000.0, "asked", "press"),
        (1000.5, "asked", "press"),
        (1001.0, "seen", "nothing"),
        (1010.0, "asked", "press"),
        (1011.0, "asked", "agent"),
        (1012.0, "asked", "press"),
    )
    assert [(e["seconds"], e["text"], e.get("count"), e.get("last_seconds")) for e in entries] == [
        (0.0, "press", 3, 10.0),
        (1.0, "nothing", None, None),
        (11.0, "agent", None, None),
        (12.0, "press", None, None),
    ]


def test_the_same_words_of_another_kind_are_no_repetition() -> None:
    assert len(made((1000.0, "asked", "x"), (1000.0, "seen", "x"), (1000.0, "found", "x"))) == 3


def test_what_is_returned_is_a_copy() -> None:
    timeline = Timeline(0.0, 0.0)
    timeline.add(0.0, "seen", "x")
    timeline.entries()[0]["text"] = "y"
    assert timeline.entries()[0]["text"] == "x"


def test_a_flood_loses_its_middle_and_says_so() -> None:
    flood = [(1000.0 + number, "seen", f"line {number}") for number in range(MOST_ENTRIES + 50)]
    entries = made(*flood)
    assert len(entries) == MOST_ENTRIES + 1
    half = MOST_ENTRIES // 2
    assert [e["text"] for e in entries[:half]] == [f"line {number}" for number in range(half)]
    assert (entries[half]["text"], entries[half]["seconds"]) == ("50 entries left out here", half - 1)
    assert [e["text"] for e in entries[half + 1 :]] == [f"line {number}" for number in range(half + 50, half * 2 + 50)]


def test_the_line_about_a_flood_is_not_said_to_be_repeated() -> None:
    half = MOST_ENTRIES // 2
    flood = [(1000.0 + number, "seen", f"line {number}") for number in range(MOST_ENTRIES + 1)]
    flood.insert(half, (1000.0 + half - 0.5, "seen", f"line {half - 1}"))
    entries = made(*flood)
    assert entries[half - 1]["count"] == 2
    assert entries[half].keys() == {"time", "seconds", "kind", "text"}


@given(texts=st.lists(st.tuples(st.sampled_from(["asked", "seen"]), st.sampled_from("abc")), max_size=600))
def test_always_in_order_and_never_endless(texts: list[tuple[str, str]]) -> None:
    entries = made(*((1000.0 + number, kind, text) for number, (kind, text) in enumerate(texts)))
    assert len(entries) <= MOST_ENTRIES + 1
    assert [e["seconds"] for e in entries] == sorted(e["seconds"] for e in entries)
    told = sum(e.get("count", 1) for e in entries if "left out" not in e["text"])
    assert told <= len(texts) and (told == len(texts) or len(entries) == MOST_ENTRIES + 1)


def test_seconds_since_the_run_began() -> None:
    assert Timeline(clock_start=1000.0, wall_start=0.0).seconds(1002.50049) == 2.5
