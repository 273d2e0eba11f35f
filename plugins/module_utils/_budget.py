# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""One budget of time for all domains of a hypervisor: what fits, and how long each may take. Pure.

A tier takes the time until the last of its guests is off by itself, and then, at the worst, that of its final actions.
Saves share the hypervisor's storage, so their times add up; forced stops go four at a time. Both are kept free for
every domain that is not off yet, in its own tier and in the later ones. What then remains is given away:

* first to guests to go by themselves, in their order, each as long as the forecast says. One for which there is not
  enough left does not fit. One that may be forced is asked all the same, and has the least time that was kept for it;
* then the rest, to the tier whose turn it is. A guest behind which nobody waits for a place may have all of it. Before
  that each may take as much longer than forecast as the whole tier may: then all those behind it still have their time.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy

MARGIN = 2.0
"""Seconds of a budget that are kept for the outcomes to be written down and returned."""

LATENCY = 3.0
"""Seconds of each tier that are kept for looking at the guests again when their clocks have run out."""

FORCE_TIME = 10.0
"""Seconds that evidence, a freeze and the end of QEMU are reckoned at."""

FORCES_AT_ONCE = 4


@dataclasses.dataclass(frozen=True)
class Job:
    """One domain without an outcome. Times in seconds.

    soft: from being taken up until it is off, by forecast. least: what it is given even where that does not fit.
    save: what a managed save takes. until: when its clocks run out at the latest, on the run's clock, or when it was
    taken up to be saved straight away; None until then.
    """

    key: str
    tier: int
    on_timeout: str
    soft: float
    least: float = 0.0
    save: float = 0.0
    until: float | None = None

    @property
    def length(self) -> float:
        """The seconds that it needs to fit."""
        return max(self.soft, self.least)


@dataclasses.dataclass(frozen=True)
class Slot:
    """When a domain is taken up, and when it is off, by itself or by force, on the run's clock.

    until: when its clocks have to run out, so that final actions and all those that come after it have their time.
    """

    begin: float
    end: float
    fits: bool
    until: float


def plan(jobs: t.Sequence[Job], now: float, deadline: float, parallel: int, late: float = 0.0) -> dict[str, Slot]:
    """The slots of all jobs that wait. late: how many seconds too long a guest may be and still count as one that fits.

    begin and end are those of the worst case, in which all earlier tiers need the time of their final actions.
    """
    tiers = in_tiers(jobs)
    chosen: list[dict[str, Slot]] = []
    lengths = []
    start = now
    for number, tier in enumerate(tiers):
        later = sum(_least(other, parallel) for other in tiers[number + 1 :])
        slots = _choose(tier, start, deadline - later - reserve(tier) + late, parallel)
        chosen.append(slots)
        ends = [start, *_running(tier, start, parallel), *(slot.end for slot in slots.values())]
        lengths.append(max(ends) - start + reserve(tier))
        start += lengths[-1]
    planned: dict[str, Slot] = {}
    limit = deadline
    for tier, slots, length in reversed(list(zip(tiers, chosen, lengths))):
        start -= length
        last = _last_begin(slots.values(), _running(tier, start, parallel), parallel)
        spare = max(0.0, limit - start - length)
        for key, slot in slots.items():
            more = limit - reserve(tier) - slot.end if slot.begin >= last else spare
            planned[key] = dataclasses.replace(slot, until=slot.until + max(0.0, more))
        limit -= length
    return planned


def needed(jobs: t.Sequence[Job], parallel: int) -> float:
    """The seconds without which not even all that does not fit could be settled."""
    return sum(_least(tier, parallel) for tier in in_tiers(jobs))


def reserve(tier: t.Iterable[Job]) -> float:
    """The seconds that are kept for a tier's saves."""
    return LATENCY + sum(job.save for job in tier if job.on_timeout == "save")


def _force_time(tier: t.Iterable[Job], parallel: int) -> float:
    """What a forced stop takes at most where all that may come at once do."""
    forces = sum(job.on_timeout == "force" for job in tier)
    return FORCE_TIME * math.ceil(min(forces, parallel or forces) / FORCES_AT_ONCE)


def in_tiers(jobs: t.Iterable[Job]) -> list[list[Job]]:
    """The jobs by tier, the first tier first."""
    tiers: dict[int, list[Job]] = {}
    for job in jobs:
        tiers.setdefault(job.tier, []).append(job)
    return [tiers[tier] for tier in sorted(tiers)]


def take(places: list[float], start: float, length: float, parallel: int) -> tuple[float, float]:
    """Give the place that is free first to the next one; returns when that begins and ends.

    places is the heap of the times at which places become free; without parallel there is always another one.
    """
    begin = heapq.heappop(places) if parallel and len(places) >= parallel else start
    begin = max(begin, start)
    heapq.heappush(places, begin + length)
    return begin, begin + length


def _running(tier: t.Sequence[Job], start: float, parallel: int) -> list[float]:
    """When those that were taken up are off at the latest, saves apart."""
    force_time = _force_time(tier, parallel)
    finals = [(job.until, force_time if job.on_timeout == "force" else 0.0) for job in tier if job.until is not None]
    return [max(start, until + final) for until, final in finals]


def _least(tier: t.Sequence[Job], parallel: int) -> float:
    force_time = _force_time(tier, parallel)
    places: list[float] = []
    lengths = [job.least + force_time if job.on_timeout == "force" else 0.0 for job in tier]
    return max(take(places, 0.0, length, parallel)[1] for length in lengths) + reserve(tier)


def _choose(tier: t.Sequence[Job], start: float, limit: float, parallel: int) -> dict[str, Slot]:
    """The slots of a tier in which every guest that fits has its time, and every other one its least."""
    places = _running(tier, start, parallel)
    heapq.heapify(places)
    waiting = [job for job in tier if job.until is None]
    force_time = _force_time(tier, parallel)
    finals = [force_time if job.on_timeout == "force" else 0.0 for job in waiting]
    leasts = [job.least + final for job, final in zip(waiting, finals)]
    slots = {}
    for number, (job, final) in enumerate(zip(waiting, finals)):
        trial = list(places)
        end = take(trial, start, job.length + final, parallel)[1]
        behind = filter(None, leasts[number + 1 :]) if parallel else ()
        fits = max([end, *(take(trial, start, least, parallel)[1] for least in behind)]) <= limit
        begin, end = take(places, start, job.length + final if fits else leasts[number], parallel)
        slots[job.key] = Slot(begin, end, fits, end - final)
    return slots


def _last_begin(slots: t.Collection[Slot], running: t.Iterable[float], parallel: int) -> float:
    """From when on nobody waits for a place of those that begin then; never, where more begin than there are places."""
    last = max((slot.begin for slot in slots), default=0.0)
    under_way = sum(end >= last for end in running) + sum(slot.begin >= last or slot.end > last for slot in slots)
    return last if not parallel or under_way <= parallel else math.inf


def fit_clocks(policy: Policy, seconds: float) -> Policy:
    """The policy with clocks that run out after that many seconds at the latest; no clock becomes longer.

    Where that makes the finish clock shorter, each method has its share of it, so that each has its turn.
    """
    max_timeout = min(policy.max_timeout, max(0.0, seconds))
    timeout = min(policy.timeout, max_timeout)
    accept_timeout = policy.accept_timeout
    if timeout < policy.timeout:
        accept_timeout = min(accept_timeout, timeout / max(1, len(policy.methods)))
    return dataclasses.replace(policy, accept_timeout=accept_timeout, timeout=timeout, max_timeout=max_timeout)
