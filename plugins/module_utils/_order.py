# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""In which order the domains of a run are taken up: tiers, and how many at once. Pure."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._policy import LONGEST, PolicyError

GOOD = ("already_off", "graceful", "saved", "forced")
"""Outcomes after which the next tier may always begin: the domain is off, here and for good."""

HOLDING = ("left_running", "refused", "restarted", "vanished", "error")
"""Outcomes after which the next tier begins only where continue_after says so."""

MOST_NAMED = 5
"""Domains that a reason names; all of them are in the results."""


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is said of one domain's place in the run. Times in seconds."""

    tier: int = 0
    expected_time: float | None = None


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is said of the order and the time of the whole run. Times in seconds, save_rate in MiB a second."""

    continue_after: tuple[str, ...] = ()
    parallel: int = 0
    budget: float | None = None
    save_rate: float = 100.0


def make_wish(options: t.Mapping[str, t.Any], where: str) -> Wish:
    """The wish from an entry's checked options; where names the entry. Raises PolicyError for values out of range."""
    expected = options.get("expected_time")
    if expected is not None:
        _check(f"{where}: expected_time", expected, 0.0)
    return Wish(options.get("tier", 0), expected)


def make_rules(options: t.Mapping[str, t.Any]) -> Rules:
    """The rules from the task's checked options. Raises PolicyError for values out of range."""
    rules = Rules(tuple(options["continue_after"]), options["parallel"], options["budget"], options["save_rate"])
    if rules.parallel < 0:
        raise PolicyError(f"the task: parallel is {rules.parallel}; it must be 0 (no limit) or a number of domains")
    if rules.budget is not None:
        _check("the task: budget", rules.budget, 1.0)
    _check("the task: save_rate", rules.save_rate, 1.0)
    return rules


def _check(what: str, value: float, least: float) -> None:
    if not least <= value <= LONGEST:
        raise PolicyError(f"{what} is {value:g}; it must be a number from {least:g} to {LONGEST:g}")


@dataclasses.dataclass(frozen=True)
class Place:
    """One domain in the run as it stands: outcome is empty until it has one, begun says whether it was taken up."""

    key: str
    name: str
    tier: int
    begun: bool = False
    outcome: str = ""


def next_turns(
    places: t.Sequence[Place], parallel: int, continue_after: t.Collection[str]
) -> tuple[list[str], dict[str, str]]:
    """The keys of those that are to be taken up now, and why others never will be.

    A tier ends when each of its domains has an outcome. Within a tier the domains have their turn in the order given.
    """
    for tier in sorted({place.tier for place in places}):
        members = [place for place in places if place.tier == tier and not place.outcome]
        if members:
            waiting = [place.key for place in members if not place.begun]
            return waiting[: room(parallel, len(members) - len(waiting), len(waiting))], {}
        reason = held_up(places, tier, continue_after)
        if reason:
            return [], {place.key: reason for place in places if place.tier > tier and not place.outcome}
    return [], {}


def room(parallel: int, under_way: int, waiting: int) -> int:
    """How many more of a tier may be taken up, of which so many are under way and so many wait."""
    return max(0, parallel - under_way) if parallel else waiting


def held_up(places: t.Iterable[Place], tier: int, continue_after: t.Collection[str]) -> str:
    """Why no tier after this one may begin; empty when the next one may, going by the outcomes so far."""
    holding = [place for place in places if place.tier == tier and place.outcome not in ("", *GOOD, *continue_after)]
    if not holding:
        return ""
    named = ", ".join(f"{place.name} ({place.outcome})" for place in holding[:MOST_NAMED])
    more = f" and {len(holding) - MOST_NAMED} more" if len(holding) > MOST_NAMED else ""
    return (
        f"its tier never started: tier {tier} was held up by {named}{more}, and nothing was asked of this domain; see "
        "to that and run again, or allow it with continue_after"
    )


def last_tier(places: t.Sequence[Place], continue_after: t.Collection[str]) -> float:
    """The last tier that may begin, going by the outcomes so far."""
    holding = [tier for tier in {place.tier for place in places} if held_up(places, tier, continue_after)]
    return min(holding, default=math.inf)
