# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""How long each domain is expected to take, when it would be taken up and off, and what would become of it. Pure."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._budget import (
    FORCE_TIME,
    Job,
    Slot,
    fit_clocks,
    in_tiers,
    take,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._order import GOOD, Place, Rules, Wish, held_up
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import LONGEST, Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Facts
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Past

ASKING = 1.0
"""Seconds that the first sample and the way of the first request are reckoned at."""

SAVING = 1.0
"""Seconds that a managed save takes besides the writing."""

ENOUGH = 5
"""Shutdowns on record from which on the longest is taken for an exception, such as a night of updates."""

RESERVE = 1.25
"""How much longer than on record a shutdown or save may take and still be as expected."""

FINAL = {"leave": "left_running", "save": "saved", "force": "forced"}
"""The outcome of a guest whose clocks have run out, by on_timeout."""

MIB = 1024.0 * 1024.0


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What is foretold of one domain.

    Times in seconds since the run began, None for one that is never taken up; expected counts from the first request.
    policy: the one with the clocks that it would have, None for one that is not asked. why: why it does not fit.
    """

    tier: int
    expected: float
    source: str
    start: float | None
    end: float | None
    fits: bool
    becomes: str
    policy: Policy | None
    why: str = ""

    def told(self) -> dict[str, t.Any]:
        """It for the results."""
        return {
            "tier": self.tier,
            "expected_seconds": round(self.expected, 3),
            "source": self.source,
            "start_seconds": None if self.start is None else round(self.start, 3),
            "end_seconds": None if self.end is None else round(self.end, 3),
            "fits": self.fits,
            "becomes": self.becomes,
            "timeout": None if self.policy is None else round(self.policy.timeout, 3),
            "max_timeout": None if self.policy is None else round(self.policy.max_timeout, 3),
        }

    def steps(self, budget: float | None) -> list[str]:
        """What it adds to the plan."""
        if self.start is None or self.end is None:
            return [f"refuse it: {self.why}"]
        if self.policy is None:
            what = "save it straight away, without a request" if self.becomes == "saved" else "leave it, ask nothing"
            return [f"{what}, {self.start:.1f} s after the start (tier {self.tier}): {self.why}"]
        fits = ""
        if budget is not None:
            fits = f", within the budget of {budget:g} s" if self.fits else f"; {self.why}"
        step = (
            f"take it up {self.start:.1f} s after the start (tier {self.tier}); by forecast it is {self.becomes} "
            f"{self.end:.1f} s after the start (expected {self.expected:.1f} s from the first request, by "
            f"{self.source}){fits}"
        )
        return [step]


def expected(wish: Wish, history: t.Iterable[Past], policy: Policy) -> tuple[float, str]:
    """Seconds from the first request until the guest is off, and where they come from.

    Of the shutdowns on record that went well by themselves, the longest counts, or the second longest where there are
    enough of them, with some reserve.
    """
    if wish.expected_time is not None:
        return wish.expected_time, "expected_time"
    times = _sorted(past.finish_seconds for past in history if past.outcome == "graceful")
    if times:
        return _reserved(times[-2] if len(times) >= ENOUGH else times[-1]), "record"
    return policy.timeout, "timeout"


def save_time(history: t.Iterable[Past], memory: int, rate: float) -> float:
    """Seconds that a managed save is expected to take: the longest on record, or all memory at that rate (MiB/s)."""
    times = _sorted(past.save_seconds for past in history if past.save_seconds is not None)
    return _reserved(times[-1]) if times else SAVING + memory / MIB / rate


def _sorted(times: t.Iterable[float]) -> list[float]:
    """What can be a time; the metadata may say anything."""
    return sorted(seconds for seconds in times if 0 <= seconds <= LONGEST)


def _reserved(seconds: float) -> float:
    return min(LONGEST, RESERVE * seconds)


def lead(policy: Policy) -> float:
    """Seconds from when a domain is taken up to its first request."""
    return policy.baseline_time + ASKING if policy.methods else 0.0


def least_clock(policy: Policy) -> float:
    """Seconds from the first request that no budget takes from a guest: one is never forced before it could accept."""
    return min(policy.accept_timeout, policy.timeout) if policy.on_timeout == "force" else 0.0


def job(tier: int, seconds: float, policy: Policy, facts: Facts, rate: float) -> Job:
    """The domain for the plan of the budget; seconds is what it is expected to take from the first request."""
    return Job(
        facts.uuid,
        tier,
        policy.on_timeout,
        soft=lead(policy) + min(seconds, policy.max_timeout),
        least=lead(policy) + least_clock(policy) if policy.on_timeout == "force" else 0.0,
        save=save_time(facts.record.history, facts.definition.memory, rate) if policy.on_timeout == "save" else 0.0,
    )


class Open(t.NamedTuple):
    """One domain without an outcome, for the forecast."""

    name: str
    policy: Policy
    expected: float
    source: str
    job: Job


def foretell(
    open_: t.Sequence[Open],
    ended: t.Iterable[Place],
    slots: t.Mapping[str, Slot] | None,
    now: float,
    zero: float,
    rules: Rules,
) -> dict[str, Forecast]:
    """What becomes of each by the slots of the budget, or without one. zero is the run's beginning on its clock."""
    places = list(ended)
    by_key = {one.job.key: one for one in open_}
    told: dict[str, Forecast] = {}
    for tier in in_tiers(one.job for one in open_):
        number = tier[0].tier
        why = next(filter(None, (held_up(places, at, rules.continue_after) for at in _before(places, number))), "")
        heap: list[float] = []
        ends = [now]
        for job_ in tier:
            one = by_key[job_.key]
            if why:
                forecast = Forecast(number, one.expected, one.source, None, None, False, "refused", None, why)
            else:
                slot = slots[job_.key] if slots is not None else None
                seconds, becomes, policy = _fate(one, slot, take(list(heap), now, 0.0, rules.parallel)[0])
                begin, end = take(heap, now, seconds, rules.parallel)
                ends.append(end)
                fits = slot is None or slot.fits
                forecast = Forecast(number, one.expected, one.source, begin - zero, end - zero, fits, becomes, policy)
                if slot is not None and not fits:
                    forecast = dataclasses.replace(forecast, why=too_long(one, slot))
            told[job_.key] = forecast
            places.append(Place(job_.key, one.name, number, True, forecast.becomes))
        now = max(ends)
    return told


def _before(places: t.Iterable[Place], tier: int) -> list[int]:
    return sorted({place.tier for place in places if place.tier < tier})


def _fate(one: Open, slot: Slot | None, begin: float) -> tuple[float, str, Policy | None]:
    """How long it is under way by forecast, what becomes of it, and the policy with which it is asked."""
    job_, policy = one.job, one.policy
    if slot is not None:
        if not slot.fits and policy.on_timeout != "force":
            return job_.save, FINAL[policy.on_timeout], None
        least = one.expected if slot.fits else least_clock(policy)
        policy = fit_clocks(policy, max(slot.until - begin - lead(policy), least))
    if one.expected <= policy.max_timeout:
        return job_.soft, "graceful", policy
    final = job_.save if policy.on_timeout == "save" else FORCE_TIME if policy.on_timeout == "force" else 0.0
    return lead(policy) + policy.max_timeout + final, FINAL[policy.on_timeout], policy


def too_long(one: Open, slot: Slot) -> str:
    """Why it does not fit."""
    left = max(0.0, slot.until - slot.begin)
    return f"{one.job.length:.1f} s by forecast (by {one.source}) do not fit the budget, which leaves it {left:.1f} s"


def whole(forecasts: t.Iterable[tuple[str, Forecast]], budget: float | None) -> dict[str, t.Any]:
    """The forecast of the whole run, from those of the named domains."""
    named = list(forecasts)
    return {
        "budget": budget,
        "expected_seconds": round(max((one.end for dummy_name, one in named if one.end is not None), default=0.0), 3),
        "fits": [name for name, one in named if one.fits],
        "does_not_fit": [
            {"name": name, "becomes": one.becomes, "reason": one.why} for name, one in named if not one.fits
        ],
    }


def impossible(open_: t.Sequence[Open], forecasts: t.Mapping[str, Forecast], least: float, rules: Rules) -> str:
    """Why the budget cannot be kept, or would serve nothing, and what to change; empty for one that is possible.

    least: seconds of the whole call that it takes to settle everything the quickest way.
    """
    if rules.budget is None or not open_:
        return ""
    if least > rules.budget:
        return f"budget is {rules.budget:g} s, and at least {math.ceil(least)} s are needed: {_parts(open_, rules)}"
    foretold = [forecasts[one.job.key] for one in open_]
    if not any(one.fits or one.becomes in GOOD for one in foretold):
        quickest = min(open_, key=lambda one: one.job.length)
        return (
            f"budget is {rules.budget:g} s, and no domain would be off within it: not even {quickest.name}, for which "
            f"{quickest.job.length:.1f} s are expected (by {quickest.source}), besides {least:.1f} s that are kept "
            "free; nothing was asked of any domain; raise budget, or lower timeout or baseline_time, or say with "
            "expected_time how long guests take, or allow on_timeout=save"
        )
    return ""


def _parts(open_: t.Sequence[Open], rules: Rules) -> str:
    saves = [one for one in open_ if one.policy.on_timeout == "save"]
    forces = [one for one in open_ if one.policy.on_timeout == "force"]
    parts, cures = [], ["raise budget"]
    if saves:
        longest = max(saves, key=lambda one: one.job.save)
        parts.append(
            f"saving {len(saves)} domains takes {sum(one.job.save for one in saves):.1f} s (most of it {longest.name}: "
            f"{longest.job.save:.1f} s) by what is on record, or else at save_rate={rules.save_rate:g} MiB/s"
        )
        cures.append("set save_rate to what the storage really takes, or on_timeout=leave for what need not be saved")
    if forces:
        longest = max(forces, key=lambda one: one.job.least)
        parts.append(
            f"{len(forces)} domains that may be forced are asked first, and have their accept_timeout ({longest.name}: "
            f"{longest.job.least:.1f} s with its baseline_time)"
        )
        cures.append("lower accept_timeout or baseline_time, or raise parallel")
    parts.append("looking after them takes the rest")
    return f"{'; '.join(parts)}; nothing was asked of any domain; {', or '.join(cures)}"
