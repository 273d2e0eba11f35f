# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is expected of each domain, what is foretold of a run, and what is said of an impossible budget."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._budget import FORCE_TIME, Job, plan
from ansible_collections.winguest.shutdown.plugins.module_utils._forecast import (
    ASKING,
    MIB,
    SAVING,
    Forecast,
    Open,
    expected,
    foretell,
    impossible,
    job,
    save_time,
    whole,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._order import Place, Rules, Wish
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy, make_policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Definition, Facts
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Past

NAN, INF = float("nan"), float("inf")
FACTS = Facts("web01", "uuid", "running", "booted", True, Definition(True, "destroy", True, True, True, (), 400 << 20))


def past(finish: float, outcome: str = "graceful", save: float | None = None) -> Past:
    return Past("x", outcome, "acpi", None, finish, save)


# ---- of one domain


@pytest.mark.parametrize(
    ("wish", "finish", "answer"),
    [
        (Wish(), [], (300.0, "timeout")),
        (Wish(expected_time=0.0), [8.0], (0.0, "expected_time")),
        (Wish(), [8.0], (10.0, "record")),
        (Wish(), [8.0, 4.0, 16.0, 4.0], (20.0, "record")),
        (Wish(), [8.0, 4.0, 1600.0, 4.0, 4.0], (10.0, "record")),  # one night of updates says nothing of the others
        (Wish(), [8.0, 4.0, 1600.0, 1200.0, 4.0], (1500.0, "record")),
        (Wish(), [NAN, INF, -1.0, 1e200], (300.0, "timeout")),
    ],
)
def test_what_is_expected(wish: Wish, finish: list[float], answer: tuple[float, str]) -> None:
    history = [past(seconds) for seconds in finish]
    assert expected(wish, [past(5000.0, "saved"), *history, past(5000.0, "saved")], Policy()) == answer


def test_what_a_save_takes() -> None:
    assert save_time([past(9.0), past(30.0, "saved")], 400 << 20, 50.0) == SAVING + 8
    assert save_time([past(9.0, "saved", 4.0), past(9.0, "saved", 8.0), past(9.0, "saved", 2.0)], 1 << 40, 50.0) == 10
    assert save_time([past(9.0, "saved", NAN)], 0, 50.0) == SAVING


def test_jobs() -> None:
    assert job(2, 20.0, Policy(), FACTS, 100.0) == Job("uuid", 2, "leave", 3 + ASKING + 20)
    assert job(0, 9e3, Policy(on_timeout="save"), FACTS, 100.0) == Job("uuid", 0, "save", 3 + ASKING + 3600, save=5.0)
    forced = job(0, 20.0, Policy(on_timeout="force", baseline_time=0), FACTS, 100.0)
    assert forced == Job("uuid", 0, "force", ASKING + 20, least=ASKING + 60) and forced.length == ASKING + 60
    hard = make_policy({"methods": [], "timeout": 0, "max_timeout": 0, "on_timeout": "force"}, "here")
    assert job(0, 0.0, hard, FACTS, 100.0) == Job("uuid", 0, "force", 0.0)
    assert MIB == 1 << 20


# ---- of a run


def one(name: str, tier: int = 0, seconds: float = 10.0, **options: t.Any) -> Open:
    policy = Policy(baseline_time=0, **options)
    facts = dataclasses.replace(FACTS, uuid=name)
    return Open(name, policy, seconds, "expected_time", job(tier, seconds, policy, facts, 100.0))


def told(*open_: Open, ended: t.Sequence[Place] = (), **rules: t.Any) -> dict[str, Forecast]:
    """The forecast of a run that began at 1000 s, at 1001 s, with all that remains of a budget."""
    made = Rules(**rules)
    slots = None
    if made.budget is not None:
        slots = plan([each.job for each in open_], 1001.0, 1000.0 + made.budget, made.parallel)
    return foretell(open_, ended, slots, 1001.0, 1000.0, made)


def when(forecasts: dict[str, Forecast]) -> dict[str, tuple[t.Any, ...]]:
    return {name: (each.start, each.end, each.becomes) for name, each in forecasts.items()}


def test_tiers_and_a_cap() -> None:
    assert when(told(one("c", 1), one("a"), one("b"), parallel=1)) == {
        "a": (1, 12, "graceful"),
        "b": (12, 23, "graceful"),
        "c": (23, 34, "graceful"),
    }
    assert when(told(one("a"), one("b", seconds=4.0), one("c", seconds=9.0)))["c"] == (1, 11, "graceful")


def test_clocks_that_are_shorter_than_what_is_expected() -> None:
    """The user's own, without a budget."""
    clocks = {"timeout": 5, "max_timeout": 5, "accept_timeout": 5}
    forecasts = told(*(one(policy, on_timeout=policy, **clocks) for policy in ("leave", "save", "force")))
    assert when(forecasts) == {
        "leave": (1, 7, "left_running"),
        "save": (1, 12, "saved"),
        "force": (1, 7 + FORCE_TIME, "forced"),
    }
    assert all(each.fits for each in forecasts.values())


def test_a_budget() -> None:
    forecasts = told(
        one("fits"),
        one("saved", seconds=500.0, on_timeout="save"),
        one("left", seconds=500.0),
        one("forced", seconds=500.0, on_timeout="force", accept_timeout=5.0),
        one("late", 1),
        budget=80.0,
        continue_after=("left_running",),
    )
    # 1 s is over, 11 s and 3 s are the later tier's, 5 s the save's, 10 s those of the force, and 3 s the first tier's.
    assert when(forecasts) == {
        "fits": (1, 12, "graceful"),
        "saved": (1, 6, "saved"),
        "left": (1, 1, "left_running"),
        "forced": (1, 58, "forced"),
        "late": (58, 69, "graceful"),
    }
    clocks = {name: each.told()["max_timeout"] for name, each in forecasts.items()}
    assert clocks == {"fits": 56.0, "saved": None, "left": None, "forced": 46.0, "late": 18.0}
    summary = whole(forecasts.items(), 80.0)
    assert summary["budget"] == 80.0 and summary["expected_seconds"] == 69.0 and summary["fits"] == ["fits", "late"]
    assert summary["does_not_fit"][0] == {
        "name": "saved",
        "becomes": "saved",
        "reason": "501.0 s by forecast (by expected_time) do not fit the budget, which leaves it 57.0 s",
    }
    assert whole([], None) == {"budget": None, "expected_seconds": 0.0, "fits": [], "does_not_fit": []}
    (step,) = forecasts["fits"].steps(80.0)
    assert step == (
        "take it up 1.0 s after the start (tier 0); by forecast it is graceful 12.0 s after the start (expected 10.0 s "
        "from the first request, by expected_time), within the budget of 80 s"
    )
    (forced,) = forecasts["forced"].steps(80.0)
    assert "by forecast it is forced 58.0 s" in forced and forced.endswith("; " + forecasts["forced"].why)
    assert (
        forecasts["saved"]
        .steps(80.0)[0]
        .startswith("save it straight away, without a request, 1.0 s after the start (tier 0): 501.0 s by forecast")
    )
    assert forecasts["left"].steps(80.0)[0].startswith("leave it, ask nothing, 1.0 s after the start")
    assert forecasts["fits"].steps(None)[0].endswith("by expected_time)")


def test_a_tier_that_will_be_held_up() -> None:
    forecasts = told(one("a"), one("b", 1), one("c", 2), ended=[Place("x", "web09", 0, True, "refused")])
    assert when(forecasts) == {"a": (1, 12, "graceful"), "b": (None, None, "refused"), "c": (None, None, "refused")}
    assert forecasts["c"].steps(None) == [f"refuse it: {forecasts['c'].why}"]
    assert "tier 0 was held up by web09 (refused)" in forecasts["c"].why and not forecasts["c"].fits
    assert forecasts["c"].told()["start_seconds"] is None
    left = told(one("a"), one("b", 1, 500.0), one("c", 2), budget=60.0)
    assert [each.becomes for each in left.values()] == ["graceful", "left_running", "refused"]


# ---- what is impossible


def problem(*open_: Open, least: float = 0.0, **rules: t.Any) -> str:
    return impossible(open_, told(*open_, **rules), least, Rules(**rules))


def test_a_budget_that_is_possible() -> None:
    assert problem(budget=1.0, least=5.0) == problem(one("a")) == problem(one("a"), budget=20.0, least=4.0) == ""
    assert problem(one("a", seconds=500.0, on_timeout="save"), budget=20.0, least=9.0) == ""


def test_a_budget_that_is_impossible() -> None:
    fleet = [one("a", on_timeout="save"), one("b", on_timeout="force"), one("c")]
    text = problem(*fleet, budget=20.0, least=84.2)
    assert text.startswith(
        "budget is 20 s, and at least 85 s are needed: saving 1 domains takes 5.0 s (most of it a: 5."
    )
    for part in (
        "save_rate=100 MiB/s",
        "1 domains that may be forced",
        "b: 61.0 s",
        "; nothing was asked of any domain",
    ):
        assert part in text
    assert text.endswith("or lower accept_timeout or baseline_time, or raise parallel")
    assert "save" not in problem(one("c"), budget=2.0, least=5.0)


def test_a_budget_that_would_serve_nothing() -> None:
    text = problem(one("a", seconds=50.0), one("b", seconds=40.0), one("c", 1, 1.0), budget=20.0, least=9.0)
    assert text.startswith("budget is 20 s, and no domain would be off within it: not even c")
    assert "nothing was asked of any domain" in text and "expected_time" in text
