# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Order and budget applied to the domains of a run: who is taken up, with which clocks, and who is not."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _turns
from ansible_collections.winguest.shutdown.plugins.module_utils._budget import LATENCY, MARGIN
from ansible_collections.winguest.shutdown.plugins.module_utils._case import Case
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Do, End, Started
from ansible_collections.winguest.shutdown.plugins.module_utils._order import Place, Rules, Wish, next_turns
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Definition, Facts
from ansible_collections.winguest.shutdown.plugins.module_utils._timeline import Timeline
from ansible_collections.winguest.shutdown.plugins.module_utils._turns import BudgetError, Turns

ZERO = 1000.0
"""When each run began, on its clock."""

FACTS = Facts("", "", "running", "booted", True, Definition(True, "destroy", True, True, True, (), 400 << 20), 7)


class Line:
    """A run of made-up domains."""

    def __init__(self, **rules: t.Any) -> None:
        self.turns = Turns(Rules(**rules), ZERO)
        self.cases: dict[str, Case] = {}

    def add(
        self, name: str, tier: int = 0, seconds: float | None = 10.0, state: str = "running", **options: t.Any
    ) -> None:
        facts = dataclasses.replace(FACTS, name=name, uuid=name, state=state)
        policy = Policy(**{"baseline_time": 0, **options})
        self.cases[name] = Case(facts, policy, Timeline(ZERO, 0.0), ZERO)
        self.turns.add(self.cases[name], Wish(tier, seconds))

    def next(self, now: float) -> str:
        return " ".join(case.facts.name for case in self.turns.next(ZERO + now))

    def end(self, name: str, outcome: t.Any, now: float) -> None:
        self.cases[name].finish(End(outcome, "why"), ZERO + now)

    def said(self, name: str) -> list[str]:
        return [entry["text"] for entry in self.cases[name].timeline.entries()]


def test_all_at_once() -> None:
    line = Line()
    line.add("a")
    line.add("b", state="shutoff")
    line.add("c")
    line.turns.foretell(ZERO)
    assert line.next(2.0) == "a c" and line.next(3.0) == ""
    assert line.cases["a"].seen.started_at == ZERO + 2 and line.cases["a"].policy.max_timeout == 3600
    assert line.said("a") == ["running (booted)"] and line.cases["a"].turn == []
    assert line.turns.forecast == {"budget": None, "expected_seconds": 11.0, "fits": ["a", "c"], "does_not_fit": []}
    assert line.cases["b"].forecast is None and line.cases["c"].forecast is not None


def test_nobody() -> None:
    line = Line(budget=5.0)
    line.turns.foretell(ZERO)
    assert line.next(0.0) == "" and line.turns.forecast["fits"] == []


def test_tiers() -> None:
    line = Line(parallel=1)
    for name, tier in (("late", 1), ("a", 0), ("b", 0)):
        line.add(name, tier)
    line.turns.foretell(ZERO)
    assert line.cases["late"].turn[0].startswith("take it up 22.0 s after the start (tier 1)")
    assert line.next(0.0) == "a" and line.next(1.0) == ""
    assert list(line.turns.waiting) == ["late", "b"]
    line.end("a", "graceful", 5.0)
    assert line.next(5.0) == "b" and line.said("b")[-1] == "its turn has come: tier 0"
    line.end("b", "left_running", 9.0)
    assert line.next(9.0) == "late"
    late = line.cases["late"].end
    assert late is not None and late.outcome == "refused" and "b (left_running)" in late.why


def test_one_that_ends_while_it_waits() -> None:
    line = Line(parallel=1)
    for name in "ab":
        line.add(name)
    assert line.next(0.0) == "a"
    line.end("b", "already_off", 1.0)
    assert line.next(1.0) == "" and not line.turns.waiting
    line.end("a", "graceful", 2.0)
    assert line.next(2.0) == ""


@pytest.mark.parametrize("parallel", [0, 1, 3])
def test_all_domains_are_looked_at_once_for_each_tier(parallel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not once for each domain, of which there may be thousands."""
    looks: list[int] = []

    def counted(places: t.Sequence[Place], *rest: t.Any) -> t.Any:
        looks.append(len(places))
        return next_turns(places, *rest)

    monkeypatch.setattr(_turns, "next_turns", counted)
    line = Line(parallel=parallel)
    for number in range(30):
        line.add(f"{number:02}", number % 2)
    order: list[str] = []
    under_way = line.next(0.0).split()
    while under_way:
        assert len(under_way) <= (parallel or 15)
        order.append(under_way.pop(0))
        line.end(order[-1], "graceful", 1.0)
        under_way += line.next(1.0).split()
        assert line.next(1.0) == ""
    assert order == [f"{number:02}" for number in (*range(0, 30, 2), *range(1, 30, 2))]
    assert looks == [30, 30]


def test_a_tier_that_is_held_up_already_needs_no_share_of_the_budget() -> None:
    line = Line(budget=30.0)
    line.add("a", seconds=20.0)
    line.add("x", state="crashed")
    line.add("later", 1, seconds=100.0, on_timeout="force")
    line.turns.foretell(ZERO)
    assert line.turns.forecast["fits"] == ["a"]
    assert line.turns.forecast["does_not_fit"][0]["becomes"] == "refused"
    assert line.next(0.0) == "a" and line.cases["a"].policy.max_timeout == 30 - MARGIN - LATENCY


def test_clocks_are_fitted_and_count_from_the_first_request() -> None:
    line = Line(budget=100.0)
    line.add("a", on_timeout="force", accept_timeout=20.0)
    line.turns.foretell(ZERO)
    assert line.next(0.5) == "a"
    case, until = line.cases["a"], ZERO + 100 - MARGIN - LATENCY - 10
    assert case.seen.started_at + case.policy.max_timeout == until == case.seen.started_at + case.policy.timeout
    assert line.said("a")[-1] == "for the budget its clocks run out in 84.5 s at the latest"
    case.fold(Started("press"), ZERO + 30.0)
    assert case.seen.start + case.policy.max_timeout == until
    assert (case.policy.accept_timeout, case.policy.timeout) == (20, 55)
    assert case.permission.endswith("timeout=55 s, max_timeout=55 s (fitted to the budget)")
    case.fold(Started("press"), ZERO + 40.0)
    assert case.policy.timeout == 55


def test_one_that_may_be_forced_can_always_accept() -> None:
    line = Line(budget=100.0)
    line.add("a", on_timeout="force", accept_timeout=20.0)
    line.next(0.0)
    line.cases["a"].fold(Started("press"), ZERO + 80.0)
    assert line.cases["a"].policy.max_timeout == 20


def test_clocks_that_end_in_time_stay_as_they_are() -> None:
    line = Line(budget=1000.0)
    line.add("a", timeout=50.0, max_timeout=60.0, accept_timeout=50.0)
    line.next(0.0)
    assert line.cases["a"].policy == Policy(
        ("acpi", "agent"), accept_timeout=50, timeout=50, max_timeout=60, baseline_time=0
    )
    assert line.said("a")[-1] == "its turn has come: tier 0"


def test_what_does_not_fit_when_its_turn_comes() -> None:
    """It fitted by forecast, and the one before it took too long."""
    line = Line(budget=80.0, parallel=1, continue_after=("left_running",))
    line.add("slow", seconds=5.0)
    for policy in ("save", "leave", "force"):
        line.add(policy, seconds=15.0, on_timeout=policy, accept_timeout=5.0)
    line.turns.foretell(ZERO)
    assert line.turns.forecast["fits"] == ["slow", "save", "leave", "force"]
    assert line.next(0.0) == "slow"
    line.end("slow", "graceful", 48.0)
    assert line.next(48.0) == "save"
    save = line.cases["save"]
    assert (save.policy.methods, save.policy.max_timeout) == ((), 0)
    assert save.why(Do("save", "hard end")).startswith("managed save: 16.0 s by forecast (by expected_time) do not fit")
    assert save.why(Do("abort_save", "too long")) == "too long"
    save.finish(End("saved", "managed save"), ZERO + 50.0)
    assert save.end is not None and "; 16.0 s by forecast" in save.end.why
    assert line.next(62.0) == "leave"
    left = line.cases["leave"]
    assert left.end is not None and left.end.outcome == "left_running" and "asked nothing" in left.end.why
    assert not left.result()["request_outstanding"] and not left.to_be_recorded
    assert line.next(62.0) == "force"
    assert "it is asked, and has that long" in line.said("force")[-2]
    assert line.cases["force"].policy.accept_timeout > 0


def test_a_save_without_a_request_is_on_record_for_the_next_forecast() -> None:
    line = Line(budget=60.0)
    line.add("a", seconds=500.0, on_timeout="save")
    line.next(0.0)
    case = line.cases["a"]
    case.fold(Started("save"), ZERO + 1.0)
    case.finish(End("saved", "managed save"), ZERO + 5.0)
    assert case.to_be_recorded and case.record().request is None
    assert [(past.outcome, past.save_seconds) for past in case.record().history] == [("saved", 4.0)]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"on_timeout": "save"}, "budget is 9 s, and at least 10 s are needed: saving 1 domains takes 5.0 s"),
        ({"on_timeout": "force"}, "budget is 9 s, and at least 76 s are needed: 1 domains that may be forced"),
        ({}, "no domain would be off within it: not even a, for which 11.0 s are expected (by expected_time)"),
    ],
)
def test_an_impossible_budget(options: dict[str, t.Any], complaint: str) -> None:
    line = Line(budget=9.0)
    line.add("a", **options)
    with pytest.raises(BudgetError) as raised:
        line.turns.foretell(ZERO)
    assert complaint in str(raised.value) and "nothing was asked of any domain" in str(raised.value)


def test_time_that_is_over_before_the_forecast_counts() -> None:
    line = Line(budget=20.0)
    line.add("a", seconds=10.0)
    line.turns.foretell(ZERO + 4.0)
    with pytest.raises(BudgetError):
        line.turns.foretell(ZERO + 5.0)
