# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""How far a run is, as a small document: how many domains are in which state, and what the slowest ones do. Pure."""

from __future__ import annotations

import collections
import heapq
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._case import Case
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import DESTROYS, LIMITS

OFF = ("already_off", "graceful", "saved", "forced")
"""Outcomes of domains that are off."""

MOST_SLOWEST = 3


def phase(case: Case) -> str:
    """What the domain is counted under: off, another outcome, or what happens to it now."""
    if case.end is not None:
        return "off" if case.end.outcome in OFF else case.end.outcome
    seen = case.seen
    if seen.final_act in ("save", "abort_save"):
        return "saving"
    if seen.final_act in DESTROYS or seen.busy == "evidence":
        return "forcing"
    if seen.requested_at is None:
        return "not asked yet"
    return "waiting" if seen.accepted_at is None else "shutting down"


def doing(case: Case, now: float) -> str:
    """What an open domain does, in a few words."""
    seen = case.seen
    now_at = phase(case)
    if now_at in ("saving", "forcing", "not asked yet"):
        return now_at
    if seen.powered_off:
        return "powered off, its QEMU is still there"
    if seen.state != "running":
        return seen.state
    writing = seen.progress_at is not None and now - seen.progress_at < case.policy.stall_timeout
    said = "not accepted" if seen.accepted_at is None else "accepted"
    return f"{said}, writing" if writing else said


def at_most(case: Case, now: float) -> float:
    """For how many more seconds an open domain may take, counting what is allowed at the end of its clocks."""
    final = 0.0
    if case.policy.on_timeout == "save":
        final = case.policy.save_timeout + LIMITS["abort_save"]
    elif case.policy.on_timeout == "force":
        final = sum(LIMITS[act] for act in ("evidence", *DESTROYS))
    ends_at = case.seen.start + case.policy.max_timeout
    if case.seen.final_act is not None:
        ends_at = min(ends_at, case.seen.final_at)
    return max(0.0, ends_at + final - now)


def document(cases: t.Sequence[Case], now: float) -> dict[str, t.Any]:
    """The document. Times are whole seconds, from the first request on where there was one."""
    open_cases = [case for case in cases if case.end is None]
    slowest = heapq.nlargest(MOST_SLOWEST, open_cases, key=lambda case: at_most(case, now))
    ends = collections.Counter(case.end.outcome for case in cases if case.end is not None)
    return {
        "domains": len(cases),
        "counts": dict(sorted(collections.Counter(map(phase, cases)).items())),
        "saved": ends["saved"],
        "forced": ends["forced"],
        "alone": next((case.seen.alone for case in open_cases if case.seen.alone), ""),
        "slowest": [
            {
                "name": case.facts.name,
                "doing": doing(case, now),
                "seconds": round(now - case.seen.start),
                "more": round(at_most(case, now)),
            }
            for case in slowest
        ],
    }
