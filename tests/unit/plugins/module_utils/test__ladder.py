# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The promises of the ladder over random histories in made-up time, and the rules one by one."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import (
    LIMITS,
    QUEUE_LIMIT,
    SAMPLE_LIMIT,
    SETTLE,
    AgentChannel,
    Asked,
    ConnectionBack,
    ConnectionLost,
    Do,
    Done,
    End,
    Event,
    Seen,
    Started,
    StateSeen,
    Step,
    decide,
    is_accepted,
    observe,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.made_up_guest import Guest, History, World

EXAMPLES = int(os.environ.get("WINGUEST_HISTORIES", "1000"))
"""How many histories each property is tried on."""

seconds = st.sampled_from([0.0, 0.3, 1.0, 2.5, 5.0, 9.9, 10.0, 30.0, 59.0, 61.0, 200.0, 301.0, 1000.0, 5000.0])
some_time = st.one_of(seconds, st.floats(0, 400, allow_nan=False))

policies = st.builds(
    Policy,
    methods=st.sampled_from(
        [
            ("acpi", "agent"),
            ("agent", "acpi"),
            ("acpi", "guest_shutdown", "agent"),
            ("guest_shutdown", "acpi"),
            ("acpi",),
            ("agent",),
            (),
        ]
    ),
    accept_timeout=st.sampled_from([0.0, 5.0, 20.0, 60.0]),
    timeout=st.sampled_from([60.0, 90.0, 300.0]),
    max_timeout=st.sampled_from([300.0, 400.0, 1800.0]),
    stall_timeout=st.sampled_from([0.0, 5.0, 60.0]),
    press_interval=st.sampled_from([1.0, 5.0, 10.0]),
    double_press=st.booleans(),
    press_after_acceptance=st.booleans(),
    baseline_time=st.sampled_from([0.0, 3.0, 20.0]),
    poll_interval=st.sampled_from([1.0, 5.0, 30.0]),
    on_timeout=st.sampled_from(["leave", "save", "force"]),
    save_timeout=st.sampled_from([10.0, 600.0]),
    reconnect_timeout=st.sampled_from([10.0, 60.0]),
    wake=st.booleans(),
    thaw=st.booleans(),
)

guests = st.builds(
    Guest,
    presses_needed=st.sampled_from([1, 1, 2, 3, 7, None]),
    ready_after=some_time,
    works_for=some_time,
    works_at=st.sampled_from([0.0, 1e4, 1e5, 1e6, 1e8]),
    then=st.sampled_from(["off", "off", "hang"]),
    off_delay=some_time,
    noise=st.sampled_from([0.0, 100.0, 5e4, 1e6]),
    bursts=st.lists(st.tuples(some_time, some_time), max_size=2).map(tuple),
    agent=st.sampled_from(["absent", "obeys", "deaf", "hung", "refuses"]),
    windows=st.sampled_from(["obeys", "vetoed", "under_way", "refuses", "unreachable", "never"]),
    asleep=st.booleans(),
    wakes=st.booleans(),
    act_latency=st.sampled_from([0.0, 0.05, 1.0, 4.0, 40.0]),
    queue=st.sampled_from([0.0, 0.0, 0.5, 20.0, 200.0]),
    blind=st.booleans(),
    save=st.sampled_from(["ok", "failed", "never"]),
    destroy=st.sampled_from(["ok", "busy", "failed", "never"]),
    evidence=st.sampled_from(["ok", "failed", "never"]),
    events_lost=st.lists(st.booleans(), max_size=4).map(tuple),
)

trouble = st.fixed_dictionaries(
    {
        "lost_at": st.one_of(st.none(), some_time),
        "lost_for": some_time,
        "cancel_at": st.one_of(st.none(), some_time),
    }
)


def progress_times(history: History, policy: Policy) -> list[float]:
    """When progress was to be seen, computed anew from what the ladder was shown."""
    before = [(at, count) for at, count, requested in history.samples if not requested]
    rate = 0.0
    if len(before) > 1 and before[-1][0] - before[0][0] >= 0.5:
        rate = (before[-1][1] - before[0][1]) / (before[-1][0] - before[0][0])
    threshold = max(policy.progress_min_rate, 2 * rate)
    last = before[-1] if before else None
    times = []
    for at, count, requested in history.samples:
        if not requested:
            continue
        if last is None:
            last = (at, count)
        elif at - last[0] >= 0.5:
            if (count - last[1]) / (at - last[0]) >= threshold * 1.01:
                times.append(at)
            last = (at, count)
    return times


def bound(policy: Policy, start: float) -> float:
    """By when a history must have ended."""
    answers = policy.reconnect_timeout + 2 * SAMPLE_LIMIT + SETTLE
    final = max(policy.save_timeout + LIMITS["abort_save"], *(LIMITS.values())) + sum(
        LIMITS[act] for act in ("evidence", "destroy", "destroy_plain")
    )
    return start + policy.max_timeout + answers + final + 4 * QUEUE_LIMIT


@settings(max_examples=EXAMPLES)
@given(guest=guests, policy=policies, what=trouble)
def test_promises(guest: Guest, policy: Policy, what: dict[str, Any]) -> None:
    guest = dataclasses.replace(guest, **what)
    history = World(guest, policy).run()
    start = history.seen.start
    progress = progress_times(history, policy)
    for at, do, seen in history.begun:
        if do.act in ("evidence", "destroy", "destroy_plain"):
            assert policy.on_timeout == "force", "forced without permission"
            assert at >= start + policy.timeout, "forced before the finish clock"
            recent = [p for p in progress if p <= at and at - p < policy.stall_timeout]
            assert not recent or at >= start + policy.max_timeout, "forced while progress was seen"
        if do.act in ("save", "abort_save"):
            assert policy.on_timeout == "save" and at >= start + policy.timeout
        if do.act == "press":
            assert "acpi" in policy.methods
            assert policy.press_after_acceptance or not is_accepted(policy, seen, at), "pressed after acceptance"
        if do.act in ("agent", "guest_shutdown"):
            assert do.act in policy.methods
        if guest.cancel_at is not None:
            assert at <= guest.cancel_at, "acted after it was cancelled"
        if guest.lost_at is not None:
            assert not guest.lost_at < at < guest.lost_at + guest.lost_for, "acted without a connection"
    lost_for = guest.lost_for if guest.lost_at is not None else 0.0
    assert history.ended_at <= bound(policy, start) + lost_for, f"ended at {history.ended_at}"
    if history.end.outcome == "forced":
        assert any(asked[1].act in ("destroy", "destroy_plain") for asked in history.asked)
    if guest.cancel_at is not None and guest.cancel_at < history.ended_at:
        raise AssertionError("went on after it was cancelled")


@settings(max_examples=EXAMPLES)
@given(guest=guests, policy=policies, alone_at=some_time, what=trouble)
def test_without_a_controller_nothing_is_asked(
    guest: Guest, policy: Policy, alone_at: float, what: dict[str, Any]
) -> None:
    guest = dataclasses.replace(guest, **what, alone_at=alone_at)
    world = World(guest, policy)
    history = world.run()
    for at, do, dummy in history.asked:
        # What happens at the very moment may come before or after the news.
        assert do.act == "sample" or at <= alone_at, f"{do.act} was asked at {at}, alone since {alone_at}"
    for at, do, dummy in history.begun:
        assert at <= alone_at, f"{do.act} was begun at {at}, alone since {alone_at}"
    seen = history.seen
    assert history.ended_at <= bound(policy, seen.start) + guest.lost_for
    if seen.alone and history.end.outcome == "cancelled" and not seen.cancelled:
        assert seen.requested_at is None
    if history.end.outcome == "left_running" and seen.alone:
        assert "nobody there" in history.end.why


@settings(max_examples=EXAMPLES)
@given(guest=guests, policy=policies, alone_at=some_time)
def test_what_a_guest_does_without_a_controller_is_seen(guest: Guest, policy: Policy, alone_at: float) -> None:
    guest = dataclasses.replace(guest, alone_at=alone_at, events_lost=())
    world = World(guest, policy)
    history = world.run()
    if (world.state, world.reason) == ("shutoff", "shutdown") and history.seen.requested_at is not None:
        assert history.end.outcome == "graceful"
    if history.seen.alone and history.end.outcome == "forced":
        assert any(do.act in ("destroy", "destroy_plain") for dummy, do, seen in history.begun)


@settings(max_examples=EXAMPLES)
@given(guest=guests, policy=policies)
def test_a_lost_event_never_changes_the_outcome(guest: Guest, policy: Policy) -> None:
    """For a guest without bursts of writes, since what counts as its baseline depends on when it is measured, and for
    acts that end within their limits and not just when the guest does, since which of two ends comes first depends on
    when they began. A reset of the guest and a SIGTERM of the host's to QEMU leave no trace but their event, and are
    not among the histories."""
    latency = min(guest.act_latency, 4.0)
    guest = dataclasses.replace(guest, bursts=(), act_latency=latency, queue=min(guest.queue, 0.5))
    worlds = World(guest, policy), World(dataclasses.replace(guest, events_lost=()), policy)
    outcome, without_losses = (world.run().end.outcome for world in worlds)
    assume(not any(two_ends_at_once(world) for world in worlds))
    assert outcome == without_losses


def two_ends_at_once(world: World) -> bool:
    """Whether the guest goes off by itself about when the ladder begins to end it."""
    final = [at for at, do, dummy in world.asked if do.act in ("save", "evidence", "destroy")]
    if not final or world.began_at is None or world.guest.then != "off":
        return False
    return abs(world.began_at + world.guest.works_for + world.guest.off_delay - final[0]) < 20


@pytest.mark.parametrize("on_timeout", ["save", "force"])
@pytest.mark.parametrize("methods", [("acpi",), ("acpi", "agent")])
def test_a_guest_that_powers_off_as_its_clock_runs_out_is_let_go(on_timeout: Any, methods: tuple[str, ...]) -> None:
    """Also when nobody hears of it: the act itself looks at the last moment."""
    policy = Policy(
        methods=methods,
        accept_timeout=0,
        timeout=60,
        press_interval=1,
        double_press=False,
        press_after_acceptance=True,
        baseline_time=0,
        poll_interval=1,
        on_timeout=on_timeout,
    )
    guest = Guest(works_for=9.9, works_at=1e5, off_delay=61, queue=0.5, agent="obeys")
    for lost in ((), (True,)):
        history = World(dataclasses.replace(guest, events_lost=lost), policy).run()
        assert history.end.outcome == "graceful", history.end
        assert {"save", "evidence"} & {do.act for dummy, do, dummy_seen in history.asked}, "it ended before its clock"


CASES = {
    "obeys": (Guest(), Policy(), "graceful"),
    "needs two presses": (Guest(presses_needed=2), Policy(), "graceful"),
    "is booting": (Guest(ready_after=100.0), Policy(), "graceful"),
    "ignores, and may be forced": (Guest(presses_needed=None), Policy(on_timeout="force"), "forced"),
    "ignores, and may be saved": (Guest(presses_needed=None), Policy(on_timeout="save"), "saved"),
    "ignores, and is left": (Guest(presses_needed=None), Policy(), "left_running"),
    "ignores the button, obeys the agent": (Guest(presses_needed=None, agent="obeys"), Policy(), "graceful"),
    "ignores the button, obeys Windows' own request": (
        Guest(presses_needed=None, windows="obeys"),
        Policy(methods=("acpi", "guest_shutdown")),
        "graceful",
    ),
    "is never answered for, obeys the agent": (
        Guest(presses_needed=None, windows="never", agent="obeys"),
        Policy(),
        "graceful",
    ),
    "updates beyond timeout": (Guest(works_for=2000.0), Policy(on_timeout="force"), "graceful"),
    "updates beyond the hard end": (Guest(works_for=4000.0), Policy(on_timeout="force"), "forced"),
    "works, then hangs": (Guest(works_for=400.0, then="hang"), Policy(on_timeout="force"), "forced"),
    "hangs with idle noise": (Guest(then="hang", noise=2e5), Policy(on_timeout="force"), "forced"),
    "sleeps": (Guest(asleep=True), Policy(), "graceful"),
    "does not wake": (Guest(asleep=True, wakes=False), Policy(), "left_running"),
    "cannot be ended gently": (Guest(presses_needed=None, destroy="busy"), Policy(on_timeout="force"), "forced"),
    "cannot be ended": (Guest(presses_needed=None, destroy="failed"), Policy(on_timeout="force"), "error"),
    "is cut off from as it is forced": (
        Guest(presses_needed=None, destroy="lost"),
        Policy(on_timeout="force"),
        "error",
    ),
    "is cut off from as it is saved": (Guest(presses_needed=None, save="lost"), Policy(on_timeout="save"), "error"),
    "cannot be saved": (Guest(presses_needed=None, save="failed"), Policy(on_timeout="save"), "error"),
    "saves for ever": (Guest(presses_needed=None, save="never"), Policy(on_timeout="save"), "error"),
    "is alone before it is asked": (Guest(alone_at=1.0), Policy(on_timeout="force"), "cancelled"),
    "is alone and goes off": (Guest(works_for=100.0, alone_at=50.0), Policy(on_timeout="force"), "graceful"),
    "is alone and stays": (Guest(presses_needed=None, alone_at=50.0), Policy(on_timeout="force"), "left_running"),
    "is alone and may be saved": (Guest(presses_needed=None, alone_at=50.0), Policy(on_timeout="save"), "left_running"),
    "is alone while it is forced": (
        Guest(presses_needed=None, alone_at=310.0, act_latency=4.0),
        Policy(on_timeout="force", stall_timeout=0),
        "forced",
    ),
    "is alone, and cannot be ended gently": (
        Guest(presses_needed=None, alone_at=310.0, act_latency=4.0, destroy="busy"),
        Policy(on_timeout="force", stall_timeout=0),
        "left_running",
    ),
    "is cancelled": (Guest(presses_needed=None, cancel_at=100.0), Policy(on_timeout="force"), "cancelled"),
    "libvirt stays away": (Guest(presses_needed=None, lost_at=50.0, lost_for=1e4), Policy(), "error"),
    "libvirt comes back": (Guest(works_for=30.0, lost_at=10.0, lost_for=40.0), Policy(), "graceful"),
    "HARD": (Guest(), Policy(methods=(), timeout=0, max_timeout=0, on_timeout="force"), "forced"),
}


@pytest.mark.parametrize("case", CASES)
def test_outcome_of_a_guest_that(case: str) -> None:
    guest, policy, outcome = CASES[case]
    history = World(guest, policy).run()
    assert history.end.outcome == outcome, history.end


@pytest.mark.parametrize(
    ("on_timeout", "reason", "step"),
    [
        ("force", "user", End),
        ("force", "from_snapshot", End),
        ("force", "ioerror", End),
        ("leave", "user", End),
        ("save", "user", Do),
    ],
)
def test_a_guest_that_was_paused_in_the_middle_is_not_forced(on_timeout: Any, reason: str, step: type[Step]) -> None:
    """One that may be saved is, since that loses nothing."""
    policy = Policy(on_timeout=on_timeout)
    seen = Seen(started_at=0.0, requested_at=0.0, method="acpi", last_count=(4999.0, 0), state="paused", reason=reason)
    decided = decide(policy, dataclasses.replace(seen, sampled_at=5000.0), 5000.0)
    assert isinstance(decided, step)
    if isinstance(decided, End):
        assert decided.outcome == "left_running" and "resume it" in decided.why


def test_what_a_cut_connection_has_swallowed_counts_where_libvirt_got_it() -> None:
    seen = Seen(started_at=0.0, requested_at=0.0, state="running")
    events: list[Event] = [
        Started("destroy"),
        Done("destroy", "lost", "end of file"),
        ConnectionLost(),
        ConnectionBack(),
    ]
    for event in events:
        seen = observe(Policy(on_timeout="force"), seen, event, 5000.0)[0]
    assert decide(Policy(on_timeout="force"), seen, 5001.0) == Do("sample", "state and block writes")
    seen = observe(Policy(on_timeout="force"), seen, StateSeen("shutoff", "destroyed", sampled=True), 5001.0)[0]
    end = decide(Policy(on_timeout="force"), seen, 5001.0)
    assert isinstance(end, End) and end.outcome == "forced"


def test_a_request_that_a_cut_connection_has_swallowed_is_made_again_and_no_other_takes_its_place() -> None:
    policy = Policy(methods=("acpi", "agent"), baseline_time=0)
    seen = Seen(started_at=0.0, state="running", agent=True, thawed=True, sampled_at=0.0, last_count=(0.0, 0))
    for event in (Asked("press"), Started("press"), Done("press", "lost", "end of file")):
        seen = observe(policy, seen, event, 0.0)[0]
    step = decide(policy, seen, 1.0)
    assert isinstance(step, Do) and step.act == "press"


def acts(guest: Guest, policy: Policy) -> list[tuple[float, str]]:
    return [(round(at, 1), do.act) for at, do, dummy in World(guest, policy).run().asked if do.act != "sample"]


def test_presses_in_pairs_until_accepted_and_then_no_more() -> None:
    assert acts(Guest(ready_after=12.0), Policy(baseline_time=0)) == [
        (0.0, "press"),
        (0.5, "press"),
        (10.5, "press"),
        (11.0, "press"),
        (21.0, "press"),
        (21.5, "press"),
    ]


def test_single_presses() -> None:
    asked = acts(Guest(ready_after=12.0, works_for=60), Policy(baseline_time=0, double_press=False, methods=("acpi",)))
    assert asked == [(0.0, "press"), (10.0, "press"), (20.0, "press"), (30.0, "press")]  # two samples of work accept


def test_each_method_has_its_turn_and_an_undelivered_one_gives_way_at_once() -> None:
    policy = Policy(("acpi", "agent"), accept_timeout=20, timeout=52, baseline_time=0, double_press=False)
    asked = acts(Guest(presses_needed=None, agent="hung"), policy)
    assert asked == [
        (0.0, "thaw"),
        (0.1, "press"),
        (10.1, "press"),
        (20.1, "agent"),
        (25.1, "press"),
        (35.1, "press"),
        (45.1, "agent"),
        (50.2, "press"),
    ]


def test_windows_itself_is_asked_once_in_its_turn() -> None:
    policy = Policy(accept_timeout=20, timeout=70, baseline_time=0, press_interval=20, double_press=False)
    asked = acts(Guest(presses_needed=None, windows="vetoed"), policy)
    assert asked[:3] == [(0.0, "press"), (20.0, "guest_shutdown"), (40.0, "agent")]
    policy = dataclasses.replace(policy, methods=("guest_shutdown", "acpi"))
    asked = acts(Guest(presses_needed=None, windows="unreachable"), policy)
    assert asked[:2] == [(0.0, "guest_shutdown"), (0.1, "press")]  # an undelivered one gives way at once


def test_windows_that_is_shutting_down_already_has_accepted() -> None:
    history = World(Guest(presses_needed=None, windows="under_way"), Policy(methods=("acpi", "guest_shutdown"))).run()
    assert history.seen.accepted_by == "Windows says that it is shutting down"
    assert [do.act for at, do, dummy in history.asked if at > 64 and do.act != "sample"] == []


def test_evidence_comes_before_force_and_the_plain_destroy_only_after_the_gentle_one_could_not() -> None:
    policy = Policy(methods=("acpi",), on_timeout="force", timeout=60, press_interval=100, double_press=False)
    final = acts(Guest(presses_needed=None, destroy="busy"), policy)[1:]
    assert [act for dummy, act in final] == ["evidence", "destroy", "destroy_plain"]


def test_an_agent_that_comes_back_withdraws_the_acceptance() -> None:
    seen = Seen(started_at=0.0, agent=True)
    events: list[Event] = [Asked("press"), Started("press"), AgentChannel(False)]
    for at, event in enumerate(events):
        seen = observe(Policy(), seen, event, float(at))[0]
    assert seen.accepted_by == "the guest agent stopped"
    seen = observe(Policy(), seen, AgentChannel(True), 3.0)[0]
    assert seen.accepted_at is None
