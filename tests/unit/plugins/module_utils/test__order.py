# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tiers and the cap: whose turn it is, and who never gets one."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Outcome
from ansible_collections.winguest.shutdown.plugins.module_utils._order import (
    GOOD,
    HOLDING,
    MOST_NAMED,
    Place,
    Rules,
    Wish,
    held_up,
    last_tier,
    make_rules,
    make_wish,
    next_turns,
    room,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import PolicyError
from hypothesis import given
from hypothesis import strategies as st

TASK: dict[str, t.Any] = {"continue_after": [], "parallel": 0, "budget": None, "save_rate": 100.0}


def test_every_outcome_holds_up_or_not() -> None:
    assert sorted([*GOOD, *HOLDING, "cancelled"]) == sorted(t.get_args(Outcome))


def test_what_is_said_of_a_domain_and_of_the_task() -> None:
    assert make_wish({}, "here") == Wish()
    assert make_wish({"tier": -1, "expected_time": 0.0, "timeout": 3.0}, "here") == Wish(-1, 0.0)
    assert make_rules(TASK) == Rules()
    given_ = {**TASK, "continue_after": ["error"], "parallel": 3, "budget": 9.0, "save_rate": 1.0}
    assert make_rules(given_) == Rules(("error",), 3, 9.0, 1.0)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), 1e9])
def test_a_wish_out_of_range(seconds: float) -> None:
    with pytest.raises(PolicyError, match=r"^domains\[0\] \(a\): expected_time is .*; it must be a number from 0 to"):
        make_wish({"expected_time": seconds}, "domains[0] (a)")


@pytest.mark.parametrize(
    ("option", "value"),
    [("parallel", -1), ("budget", 0.5), ("budget", float("nan")), ("save_rate", 0.0), ("save_rate", float("inf"))],
)
def test_rules_out_of_range(option: str, value: float) -> None:
    with pytest.raises(PolicyError, match=rf"^the task: {option} is .*; it must be "):
        make_rules({**TASK, option: value})


def places(text: str) -> list[Place]:
    """NAME TIER [OUTCOME], separated by commas; the outcome "begun" is none so far."""
    made = []
    for part in text.split(","):
        name, tier, outcome = f"{part.strip()} ".split(" ")[:3]
        made.append(Place(name, name, int(tier), bool(outcome), outcome.replace("begun", "")))
    return made


@pytest.mark.parametrize(
    ("now", "parallel", "turns"),
    [
        ("a 0, b 0, c 1", 0, "ab"),
        ("a 1, b 0, c 1", 0, "b"),
        ("a 7, b -2, c 7", 0, "b"),
        ("a 0, b 0, c 0", 2, "ab"),
        ("a 0 begun, b 0, c 0", 2, "b"),
        ("a 0 begun, b 0 begun, c 0", 2, ""),
        ("a 0 begun, b 0 begun, c 0", 1, ""),
        ("a 0 begun, b 1", 0, ""),
        ("a 0 begun, b 1", 2, ""),
        ("a 0 graceful, b 1", 1, "b"),
        ("a 0 graceful, b 0 saved, c 0 forced, d 0 already_off, e 1", 0, "e"),
        ("a 0 error, b 0", 0, "b"),
        ("a 0 graceful", 0, ""),
    ],
)
def test_turns(now: str, parallel: int, turns: str) -> None:
    assert next_turns(places(now), parallel, ()) == ([*turns], {})


def test_room() -> None:
    assert [room(0, 5, 9), room(3, 1, 9), room(3, 3, 9), room(3, 4, 9)] == [9, 2, 0, 0]


@pytest.mark.parametrize("outcome", [*HOLDING, "cancelled"])
def test_a_tier_that_is_held_up(outcome: str) -> None:
    now = places(f"a 0 graceful, b 0 {outcome}, c 1, d 2, e 1 already_off")
    turns, never = next_turns(now, 0, [other for other in HOLDING if other != outcome])
    assert turns == [] and never.keys() == {"c", "d"}
    assert (
        f"tier 0 was held up by b ({outcome}), and nothing was asked" in never["d"] and "(graceful)" not in never["d"]
    )
    if outcome != "cancelled":
        assert next_turns(now, 0, [outcome]) == (["c"], {})


def test_a_tier_is_not_held_up_before_it_has_ended() -> None:
    now = places("a 0 error, b 0 begun, c 1")
    assert next_turns(now, 0, ()) == ([], {})
    assert last_tier(now, ()) == 0 and last_tier(now, ("error",)) > 1e9


def test_many_that_hold_up() -> None:
    now = [Place(str(number), f"web{number}", 0, True, "error") for number in range(MOST_NAMED + 3)]
    assert "web0 (error), web1 (error)" in held_up(now, 0, ()) and " and 3 more, and nothing" in held_up(now, 0, ())
    assert held_up(now, 1, ()) == held_up(now, 0, ["error"]) == ""


@given(
    tiers=st.lists(st.integers(-1, 2), max_size=12),
    parallel=st.integers(0, 4),
    allowed=st.sets(st.sampled_from(HOLDING)),
    data=st.data(),
)
def test_a_whole_run(tiers: list[int], parallel: int, allowed: set[str], data: st.DataObject) -> None:
    """No cap is exceeded, no two tiers overlap, everybody has a turn or a reason, and nobody waits without need."""
    now = {str(key): Place(str(key), f"web{key}", tier) for key, tier in enumerate(tiers)}
    while True:
        turns, never = next_turns(list(now.values()), parallel, allowed)
        for key in turns:
            assert not now[key].begun
            now[key] = dataclasses.replace(now[key], begun=True)
        for key, why in never.items():
            assert why and not now[key].begun
            now[key] = dataclasses.replace(now[key], outcome="refused")
        running = [place for place in now.values() if place.begun and not place.outcome]
        assert len({place.tier for place in running}) <= 1
        assert len(running) <= (parallel or len(running))
        if not running:
            break
        waiting = [p for p in now.values() if not p.begun and not p.outcome and p.tier == running[0].tier]
        assert not waiting or len(running) == parallel
        ended = data.draw(st.sampled_from(running))
        outcome = data.draw(st.sampled_from([*GOOD, *HOLDING]))
        now[ended.key] = dataclasses.replace(ended, outcome=outcome)
    assert all(place.outcome for place in now.values())
