# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The budget: whole runs in made-up time, in which every guest may hang, and the rules one by one."""

from __future__ import annotations

import dataclasses
import heapq
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._budget import (
    FORCE_TIME,
    FORCES_AT_ONCE,
    LATENCY,
    Job,
    Slot,
    fit_clocks,
    needed,
    plan,
    reserve,
    take,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._order import Place, next_turns
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy, make_policy
from hypothesis import assume, example, given
from hypothesis import strategies as st

NOISE = 1e-6
"""Seconds by which sums of seconds may be wrong."""


def jobs_of(*each: tuple[int, str, float, float, float]) -> list[Job]:
    """From (tier, on_timeout, soft, least, save)."""
    return [
        Job(str(key), tier, on_timeout, soft, least if on_timeout == "force" else 0.0, save)
        for key, (tier, on_timeout, soft, least, save) in enumerate(each)
    ]


seconds = st.sampled_from([0.0, 1.0, 4.0, 10.0, 60.0, 304.0]) | st.floats(0, 400)
fleets = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from(["leave", "save", "force"]),
        seconds,
        st.sampled_from([0.0, 5.0, 64.0]),
        seconds,
    ),
    min_size=1,
    max_size=9,
).map(lambda each: jobs_of(*each))


class Made(t.NamedTuple):
    """What became of a guest in a made-up run: when it was taken up, with which slot, and when and how it ended."""

    begin: float
    slot: Slot
    end: float
    how: str


def carry_out(
    jobs: list[Job], deadline: float, parallel: int, actual: t.Callable[[Job], tuple[float, float]]
) -> dict[str, Made]:
    """A whole run: actual says how long a guest takes by itself, and which part of its final action's time that takes.

    Saves go one after the other, forced stops four at a time, both in the order in which the clocks ran out.
    """
    made: dict[str, Made] = {}
    ends: list[tuple[float, int, str, str]] = []
    outcomes: dict[str, str] = {}
    storage, lanes = 0.0, [0.0] * FORCES_AT_ONCE
    begun: dict[str, tuple[float, Slot]] = {}
    now = 0.0
    while True:
        places = [Place(j.key, j.key, j.tier, j.key in begun, outcomes.get(j.key, "")) for j in jobs]
        turns, never = next_turns(places, parallel, ("left_running",))
        assert not never
        open_ = [
            dataclasses.replace(job, until=begun[job.key][1].until if job.key in begun else None)
            for job in jobs
            if job.key not in outcomes
        ]
        slots = plan(open_, now, deadline, parallel)
        for job in jobs:
            if job.key in turns:
                slot = slots[job.key]
                begun[job.key] = now, slot
                if not slot.fits and job.on_timeout != "force":
                    begun[job.key] = now, dataclasses.replace(slot, until=now)
                    how, at = ("final", now) if job.on_timeout == "save" else ("left_running", now)
                else:
                    takes = actual(job)[0]
                    how, at = ("graceful", now + takes) if now + takes <= slot.until + NOISE else ("final", slot.until)
                heapq.heappush(ends, (at, len(begun), job.key, how))
        if not ends:
            return made
        now, dummy_number, key, how = heapq.heappop(ends)
        (job,) = (job for job in jobs if job.key == key)
        part = actual(job)[1]
        if how == "final" and job.on_timeout == "save":
            storage = max(storage, now) + part * job.save
            heapq.heappush(ends, (storage, len(begun), key, "saved"))
        elif how == "final" and job.on_timeout == "force":
            done = max(heapq.heappop(lanes), now) + part * FORCE_TIME
            heapq.heappush(lanes, done)
            heapq.heappush(ends, (done, len(begun), key, "forced"))
        else:
            outcomes[key] = "left_running" if how == "final" else how
            made[key] = Made(*begun[key], now, outcomes[key])


def check(jobs: list[Job], made: dict[str, Made], deadline: float, parallel: int) -> None:
    """What holds of every run with a budget that is possible."""
    assert made.keys() == {job.key for job in jobs}
    for job in jobs:
        begin, slot, end, how = made[job.key]
        assert end <= deadline + NOISE, f"{job} ended too late"
        if how == "forced":
            assert end >= slot.until and slot.until >= begin + job.least - NOISE
        if slot.fits:
            assert slot.until >= begin + job.length - NOISE
        elif job.on_timeout != "force":
            assert how == ("saved" if job.on_timeout == "save" else "left_running")
    for job in jobs:
        for other in jobs:
            if job.tier < other.tier:
                assert made[job.key].end <= made[other.key].begin
    if parallel:
        for one in made.values():
            assert sum(other.begin <= one.begin < other.end for other in made.values()) <= parallel


@given(jobs=fleets, parallel=st.integers(0, 4), spare=seconds, data=st.data())
def test_no_run_ends_after_its_budget(jobs: list[Job], parallel: int, spare: float, data: st.DataObject) -> None:
    """Whatever guests do, and however much of their time final actions take."""
    deadline = needed(jobs, parallel) + spare
    takes = {job.key: data.draw(st.sampled_from([0.5 * job.soft, job.soft, 1e6])) for job in jobs}
    parts = {job.key: data.draw(st.sampled_from([0.1, 1.0])) for job in jobs}
    made = carry_out(jobs, deadline, parallel, lambda job: (takes[job.key], parts[job.key]))
    check(jobs, made, deadline, parallel)


@given(jobs=fleets, parallel=st.integers(0, 4), part=st.sampled_from([0.0, 0.3, 0.6, 1.0]))
def test_where_all_fit_all_go_by_themselves_when_that_is_as_foretold(
    jobs: list[Job], parallel: int, part: float
) -> None:
    deadline = needed(jobs, parallel) + NOISE + part * sum(job.length for job in jobs)
    foretold = plan(jobs, 0.0, deadline, parallel)
    for slot in foretold.values():
        assert slot.end <= deadline + NOISE and slot.until <= deadline + NOISE
    made = carry_out(jobs, deadline, parallel, lambda job: (job.soft, 1.0))
    if all(slot.fits for slot in foretold.values()):
        assert {one.how for one in made.values()} == {"graceful"}
    else:
        assert part < 1


@given(jobs=fleets, parallel=st.integers(0, 4), deadline=seconds, late=seconds)
def test_a_run_that_is_late_still_has_slots(jobs: list[Job], parallel: int, deadline: float, late: float) -> None:
    """Also where the budget cannot be kept any more: what fits is promised its time, and force its least."""
    slots = plan(jobs, 1000.0, 1000.0 + deadline, parallel, late)
    for job in jobs:
        slot = slots[job.key]
        assert slot.begin >= 1000
        assert slot.until >= slot.begin + (job.length if slot.fits else job.least) - NOISE
        assert not slot.fits or slot.end <= 1000 + deadline + late + NOISE


@given(jobs=fleets, parallel=st.integers(0, 4))
def test_with_all_the_time_in_the_world_all_fits(jobs: list[Job], parallel: int) -> None:
    assert all(slot.fits and slot.until > 1e8 for slot in plan(jobs, 0.0, 1e9, parallel).values())


def fits(jobs: list[Job], deadline: float, parallel: int = 0) -> str:
    return "".join(sorted(key for key, slot in plan(jobs, 0.0, deadline, parallel).items() if slot.fits))


def test_what_fits() -> None:
    three = jobs_of((0, "leave", 10, 0, 0), (0, "leave", 20, 0, 0), (0, "leave", 30, 0, 0))
    assert fits(three, LATENCY + 30) == "012"
    assert fits(three, LATENCY + 29) == "01"
    assert fits(three, LATENCY + 9) == ""
    assert fits(three, LATENCY + 60, parallel=1) == "012"
    assert fits(three, LATENCY + 59, parallel=1) == "01"
    assert fits(three, LATENCY + 40, parallel=2) == "012"
    assert fits(three, LATENCY + 39, parallel=2) == "01"
    tiers = jobs_of((0, "leave", 10, 0, 0), (1, "save", 20, 0, 5))
    assert fits(tiers, 2 * LATENCY + 35) == "01"
    assert fits(tiers, 2 * LATENCY + 34) == "0"
    assert fits(tiers, 2 * LATENCY + 15) == "0"
    assert fits(tiers, 2 * LATENCY + 14) == ""  # the save of the later tier comes first


def test_a_later_tier_keeps_its_share() -> None:
    jobs = jobs_of((0, "force", 10, 5, 0), (1, "save", 20, 0, 5))
    slots = plan(jobs, 100.0, 200.0, 0)
    assert slots["0"].until == 200 - (LATENCY + 5 + 20) - LATENCY - FORCE_TIME
    assert slots["1"].until == 200 - LATENCY - 5


def test_one_that_may_be_forced_is_asked_and_has_what_time_there_is() -> None:
    jobs = jobs_of((0, "force", 500, 5, 0), (0, "leave", 10, 0, 0))
    assert plan(jobs, 0.0, 100.0, 0)["0"] == Slot(0.0, 5 + FORCE_TIME, False, 100 - LATENCY - FORCE_TIME)
    # With one at a time there are 10 s for the other one, too.
    slots = plan(jobs, 0.0, 100.0, 1)
    assert slots["0"].until == 90 - LATENCY - FORCE_TIME and slots["1"].fits


def test_those_behind_which_somebody_waits_share_what_is_left() -> None:
    jobs = jobs_of(*[(0, "leave", 10.0, 0.0, 0.0)] * 4)
    slots = plan(jobs, 0.0, LATENCY + 50, 2)
    assert [slots[key].until for key in "0123"] == [40, 40, 50, 50]


def test_what_comes_behind_keeps_its_least() -> None:
    jobs = jobs_of((0, "leave", 10, 0, 0), (0, "force", 500, 5, 0))
    least = LATENCY + 5 + FORCE_TIME
    assert fits(jobs, least + 9, 1) == ""
    assert fits(jobs, least + 10, 1) == "0"
    # One that takes no time by forecast has no more than that while somebody waits for its place.
    jobs = jobs_of((0, "leave", 0, 0, 0), (0, "force", 1, 0, 0))
    assert plan(jobs, 0.0, LATENCY + FORCE_TIME, 1)["0"] == Slot(0.0, 0.0, True, 0.0)


def test_five_forced_stops_take_two_rounds() -> None:
    jobs = jobs_of(*[(0, "force", 10.0, 5.0, 0.0)] * 5)
    assert {slot.until for slot in plan(jobs, 0.0, 100.0, 0).values()} == {100 - LATENCY - 2 * FORCE_TIME}


def test_what_is_needed() -> None:
    assert needed([], 0) == 0
    assert needed(jobs_of((0, "leave", 99, 0, 0)), 0) == LATENCY
    assert needed(jobs_of((0, "save", 99, 0, 7), (0, "save", 99, 0, 8), (1, "save", 9, 0, 1)), 0) == 2 * LATENCY + 16
    forces = jobs_of(*[(0, "force", 99.0, 60.0, 0.0)] * 5)
    assert needed(forces, 0) == LATENCY + 60 + 2 * FORCE_TIME
    assert needed(forces, 1) == LATENCY + 5 * (60 + FORCE_TIME)
    assert needed(forces, 2) == LATENCY + 3 * (60 + FORCE_TIME)


def test_the_reserve_is_for_saves_that_may_come() -> None:
    assert reserve(jobs_of((0, "save", 0, 0, 7), (0, "leave", 0, 0, 100), (0, "force", 0, 0, 100))) == LATENCY + 7


@given(
    starts=st.lists(seconds, max_size=5),
    start=seconds,
    lengths=st.lists(seconds, max_size=9),
    parallel=st.integers(0, 3),
)
def test_places(starts: list[float], start: float, lengths: list[float], parallel: int) -> None:
    places = sorted(starts[:parallel])
    taken = [*((0.0, end) for end in places), *(take(places, start, length, parallel) for length in lengths)]
    for begin, end in taken[len(starts[:parallel]) :]:
        assert start <= begin <= end
        if parallel and end > begin:
            assert sum(other <= begin < after for other, after in taken if after > other) <= parallel
        else:
            assert parallel or begin == start


# ---- the clocks

clocks = st.sampled_from([0.0, 1.0, 60.0, 300.0, 3600.0])


@given(
    accept=clocks,
    timeout=clocks,
    hard=clocks,
    methods=st.sampled_from([(), ("acpi",), ("acpi", "agent")]),
    left=seconds,
)
@example(accept=60.0, timeout=300.0, hard=3600.0, methods=("acpi", "agent"), left=-5.0)
def test_fitted_clocks_are_never_longer_and_still_a_policy(
    accept: float, timeout: float, hard: float, methods: tuple[str, ...], left: float
) -> None:
    assume(accept <= timeout <= hard)
    given_ = make_policy(
        {"accept_timeout": accept, "timeout": timeout, "max_timeout": hard, "methods": methods}, "the task"
    )
    fitted = fit_clocks(given_, left)
    assert make_policy(dataclasses.asdict(fitted), "fitted") == fitted
    assert fitted.max_timeout == min(hard, max(0.0, left))
    assert fitted.timeout == min(timeout, fitted.max_timeout) and fitted.accept_timeout <= accept
    if left >= timeout:
        assert dataclasses.replace(fitted, max_timeout=hard) == given_


@pytest.mark.parametrize(
    ("left", "clocks_"), [(1000, (60, 300, 1000)), (200, (60, 200, 200)), (90, (45, 90, 90)), (0, (0, 0, 0))]
)
def test_fitted_clocks(left: float, clocks_: tuple[float, float, float]) -> None:
    fitted = fit_clocks(Policy(("acpi", "agent")), left)
    assert (fitted.accept_timeout, fitted.timeout, fitted.max_timeout) == clocks_
