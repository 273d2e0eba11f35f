# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Whose turn it is in a run, and with which clocks: order and budget applied to the domains as they stand. No I/O."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _budget as budget
from ansible_collections.winguest.shutdown.plugins.module_utils import _forecast as forecast
from ansible_collections.winguest.shutdown.plugins.module_utils._case import Case
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import End
from ansible_collections.winguest.shutdown.plugins.module_utils._order import (
    Place,
    Rules,
    Wish,
    last_tier,
    next_turns,
    room,
)

LATE = 1.0
"""Seconds that a domain may be too late for its slot and still be asked; the budget's margin bears them."""


class BudgetError(ValueError):
    """A budget that cannot be kept; the text says what would be needed, and what to change."""


class Entry(t.NamedTuple):
    """One domain of the run."""

    case: Case
    wish: Wish
    open: forecast.Open


@dataclasses.dataclass
class Tier:
    """The domains of a tier without an outcome: those that wait, and how many are under way."""

    waiting: dict[str, None] = dataclasses.field(default_factory=dict)
    under_way: int = 0


class Turns:
    """The domains of a run, those that wait and those that were taken up.

    Who comes next within a tier follows from the counts of that tier. All domains are only looked at when one has ended
    altogether: that would otherwise be done once for each domain.
    """

    def __init__(self, rules: Rules, began: float) -> None:
        """began is the time.monotonic() from which the budget counts."""
        self._rules = rules
        self._began = began
        self._entries: dict[str, Entry] = {}
        self._until: dict[str, float | None] = {}
        self._tiers: dict[int, Tier] = collections.defaultdict(Tier)
        self._now_at = Tier()
        self._moved = True
        self.waiting: dict[str, None] = {}
        self.forecast: dict[str, t.Any] = forecast.whole([], rules.budget)

    def add(self, case: Case, wish: Wish) -> None:
        """Line a domain up; one that has its outcome has a place all the same, for its tier's sake."""
        uuid = case.facts.uuid
        tier = self._tiers[wish.tier]
        seconds, source = forecast.expected(wish, case.facts.record.history, case.policy)
        job = forecast.job(wish.tier, seconds, case.policy, case.facts, self._rules.save_rate)
        self._entries[uuid] = Entry(case, wish, forecast.Open(case.facts.name, case.policy, seconds, source, job))
        if case.end is None:
            self.waiting[uuid] = tier.waiting[uuid] = None
            case.when_ended = lambda: self._ended(uuid, tier)
            self._moved = True

    def _ended(self, uuid: str, tier: Tier) -> None:
        if uuid in self.waiting:
            del self.waiting[uuid], tier.waiting[uuid]
        else:
            tier.under_way -= 1
        self._moved = True

    def foretell(self, now: float) -> None:
        """Make the forecast, before anything is asked. Raises BudgetError when the budget is impossible."""
        if not self._entries:
            return
        places = self._places()
        possible = last_tier(places, self._rules.continue_after)
        open_ = [entry.open for uuid, entry in self._entries.items() if uuid in self.waiting]
        ended = [place for place in places if place.outcome]
        slots = self._plan(now, 0.0) if self._deadline is not None else None
        zero = now - next(iter(self._entries.values())).case.timeline.seconds(now)
        told = forecast.foretell(open_, ended, slots, now, zero, self._rules)
        able = [one for one in open_ if one.job.tier <= possible]
        least = budget.needed([one.job for one in able], self._rules.parallel) + budget.MARGIN + now - self._began
        problem = forecast.impossible(able, told, least, self._rules)
        if problem:
            raise BudgetError(problem)
        for uuid, one in told.items():
            self._entries[uuid].case.forecast = one
            if self._matters:
                self._entries[uuid].case.turn = one.steps(self._rules.budget)
        self.forecast = forecast.whole(
            [(self._entries[uuid].open.name, one) for uuid, one in told.items()], self._rules.budget
        )

    def next(self, now: float) -> list[Case]:
        """Those whose wait is over: taken up just now, or with an outcome, since nothing will be asked of them."""
        if not (self._moved and self.waiting):
            return []
        self._moved = False
        turns, never = self._whose_turn()
        slots = self._plan(now, LATE) if turns and self._deadline is not None else {}
        for uuid, why in never.items():
            self._entries[uuid].case.finish(End("refused", why), now)
        for uuid in turns:
            del self.waiting[uuid], self._now_at.waiting[uuid]
            self._now_at.under_way += 1
        for uuid in turns:
            self._take_up(uuid, slots.get(uuid), now)
        return [self._entries[uuid].case for uuid in (*turns, *never)]

    def _whose_turn(self) -> tuple[list[str], dict[str, str]]:
        """Those that are to be taken up now, and why others never will be."""
        tier = self._now_at
        if tier.waiting or tier.under_way:
            count = room(self._rules.parallel, tier.under_way, len(tier.waiting))
            return list(itertools.islice(tier.waiting, count)), {}
        turns, never = next_turns(self._places(), self._rules.parallel, self._rules.continue_after)
        if turns:
            self._now_at = self._tiers[self._entries[turns[0]].wish.tier]
        return turns, never

    def _take_up(self, uuid: str, slot: budget.Slot | None, now: float) -> None:
        case, wish, one = self._entries[uuid]
        self._until[uuid] = slot.until if slot else None
        if self._matters:
            case.note(now, "found", f"its turn has come: tier {wish.tier}")
        if slot is None:
            case.take_up(now)
        elif slot.fits or case.policy.on_timeout == "force":
            if not slot.fits:
                case.note(now, "found", f"{forecast.too_long(one, slot)}: it is asked, and has that long")
            case.take_up(now, slot.until, forecast.lead(case.policy), forecast.least_clock(case.policy))
        elif case.policy.on_timeout == "save":
            self._until[uuid] = now
            case.take_up_to_save(now, f"{forecast.too_long(one, slot)}: it is saved straight away, without a request")
        else:
            why = f"{forecast.too_long(one, slot)}: on_timeout=leave, so it is left running, and was asked nothing"
            case.finish(End("left_running", why), now)

    @property
    def _matters(self) -> bool:
        """Whether the user has said anything of order or time."""
        return len(self._tiers) > 1 or bool(self._rules.parallel) or self._deadline is not None

    @property
    def _deadline(self) -> float | None:
        return None if self._rules.budget is None else self._began + self._rules.budget - budget.MARGIN

    def _plan(self, now: float, late: float) -> dict[str, budget.Slot]:
        possible = last_tier(self._places(), self._rules.continue_after)
        jobs = [
            dataclasses.replace(entry.open.job, until=self._until.get(uuid))
            for uuid, entry in self._entries.items()
            if entry.case.end is None and entry.wish.tier <= possible
        ]
        deadline = math.inf if self._deadline is None else self._deadline
        return budget.plan(jobs, now, deadline, self._rules.parallel, late)

    def _places(self) -> list[Place]:
        return [
            Place(uuid, case.facts.name, wish.tier, uuid not in self.waiting, case.end.outcome if case.end else "")
            for uuid, (case, wish, dummy_open) in self._entries.items()
        ]
