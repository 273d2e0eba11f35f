# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""One domain in a run, and what is said of it: on the timeline, in its metadata, and in the results. Pure."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import End, Event, Seen, observe
from ansible_collections.winguest.shutdown.plugins.module_utils._plan import plan
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Facts, fit, notes, traps
from ansible_collections.winguest.shutdown.plugins.module_utils._record import (
    SETTLED,
    Past,
    Record,
    Request,
    timestamp,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._timeline import Timeline

FAILED = ("left_running", "refused", "restarted", "cancelled", "error")
"""Outcomes that fail the task: the guest is not known to be off, or it did not go off on its own."""

MOST_NAMED = 20
"""Domains that the message of a failed task names; all of them are in the results."""


class Case:
    """One domain in a run: how it was found, what has been seen of it since, and how it ended."""

    def __init__(self, facts: Facts, policy: Policy, timeline: Timeline, now: float) -> None:
        self.facts = facts
        self.policy = fit(policy, facts)
        self.seen = Seen(
            started_at=now,
            domain_id=facts.domain_id,
            state=facts.state,
            reason=facts.reason,
            agent=facts.definition.agent_connected,
        )
        self.timeline = timeline
        self.end: End | None = None
        self.ended_at = now
        self.acted = False
        self.on_record: Request | None = None
        """The request as it was written into the metadata when it was made."""
        self.evidence: list[str] = []
        self.note(now, "found", f"{facts.state} ({facts.reason})")
        self.note(now, "found", facts.record_error)
        self.notes = [note.told for note in notes(policy, facts)]
        for told in self.notes:
            self.note(now, "found", told)
        self.note(now, "found", _earlier_request(facts))
        found = traps(policy, facts)
        if facts.trouble:
            self.finish(End("error", facts.trouble), now)
        elif facts.state == "gone":
            self.finish(End("vanished", "the domain went away while it was looked at"), now)
        elif facts.off:
            self.finish(End("already_off", _off_because(facts)), now)
        elif found:
            self.finish(End("refused", "; ".join(trap.told for trap in found)), now)

    def note(self, at: float, kind: str, text: str) -> None:
        """Put a line on the timeline, if there is one."""
        if text:
            self.timeline.add(at, kind, text)

    def add_note(self, told: str, now: float) -> None:
        """Something that changes the way of this domain's shutdown, for its plan and its timeline."""
        self.notes.append(told)
        self.note(now, "found", told)

    def fold(self, event: Event, now: float) -> None:
        """Take in something that was seen or asked."""
        self.seen, text = observe(self.policy, self.seen, event, now)
        self.note(now, "seen", text)

    def finish(self, end: End, now: float) -> None:
        """The domain has its outcome."""
        self.end, self.ended_at = end, now
        self.note(now, "ended", f"{end.outcome}: {end.why}")

    # ---- for the domain's metadata

    def record(self) -> Record:
        """What the domain's metadata is to say of this run now."""
        outcome = self.end.outcome if self.end else ""
        record = dataclasses.replace(self.facts.record, request=self._request(outcome))
        if outcome in ("graceful", "saved"):
            record = record.with_past(self._past(outcome))
        return record

    @property
    def to_be_recorded(self) -> bool:
        """Whether the outcome belongs into the domain's metadata and can get there."""
        if self.end is None or self.seen.requested_at is None or self.seen.lost_at is not None:
            return False
        if self.end.outcome in ("cancelled", "vanished") or self.facts.record_error:
            return False
        return self.facts.persistent or self.end.outcome not in SETTLED

    def _request(self, outcome: str) -> Request:
        start = self.seen.start
        return Request(
            at=self._time(start),
            domain_id=self.seen.domain_id or 0,
            finish_by=self._time(start + self.policy.timeout),
            hard_end=self._time(start + self.policy.max_timeout),
            on_timeout=self.policy.on_timeout,
            outcome=outcome,
            ended=self._time(self.ended_at) if outcome else "",
            reason=self.end.why if self.end and self.seen.alone else "",
        )

    def _past(self, outcome: str) -> Past:
        return Past(
            at=self._time(self.seen.start),
            outcome=outcome,
            method=self.seen.method or "",
            accept_seconds=self._accept_seconds(),
            finish_seconds=round(self.ended_at - self.seen.start, 3),
        )

    def _time(self, at: float) -> str:
        return timestamp(self.timeline.wall(at))

    def _accept_seconds(self) -> float | None:
        if self.seen.accepted_at is None:
            return None
        return round(self.seen.accepted_at - self.seen.start, 3)

    # ---- for the user

    @property
    def permission(self) -> str:
        """Under which permission this guest may be forced."""
        clocks = f"timeout={self.policy.timeout:g} s, max_timeout={self.policy.max_timeout:g} s"
        return f"on_timeout={self.policy.on_timeout} for this domain in this run, {clocks}"

    def document(self, why: str, now: float) -> dict[str, t.Any]:
        """What the evidence says besides the screen and the statistics."""
        return {
            "name": self.facts.name,
            "uuid": self.facts.uuid,
            "time": self._time(now),
            "why": why,
            "permission": self.permission,
            "timeline": self.timeline.entries(),
        }

    def result(self) -> dict[str, t.Any]:
        """The domain's entry in the module's results; a domain without an outcome is one that was only planned."""
        outcome = self.end.outcome if self.end else "planned"
        requested = self.seen.requested_at is not None
        forced = outcome == "forced"
        return {
            "name": self.facts.name,
            "uuid": self.facts.uuid,
            "outcome": outcome,
            "reason": self.end.why if self.end else "check mode: nothing was asked of the domain",
            "method": self.seen.method if requested and outcome == "graceful" else None,
            "presses": self.seen.presses,
            "accepted_by": self.seen.accepted_by or None,
            "accept_seconds": self._accept_seconds(),
            "finish_seconds": round(self.ended_at - self.seen.start, 3) if requested and self.end else None,
            "forced": forced,
            "permission": self.permission if forced else None,
            "request_outstanding": requested and outcome not in SETTLED,
            "evidence": list(self.evidence),
            "plan": [] if self.end else [*(f"note: {told}" for told in self.notes), *plan(self.policy, self.facts)],
            "timeline": self.timeline.entries(),
        }


def totals(results: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """How many domains had each outcome, and how many there were."""
    counts = collections.Counter(str(result["outcome"]) for result in results)
    return {**dict(sorted(counts.items())), "domains": len(results)}


def failure(results: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """The message for a task that failed; empty when it did not."""
    bad = [result for result in results if result["outcome"] in FAILED]
    if not bad:
        return ""
    lines = [f"{result['name']}: {result['outcome']}: {result['reason']}" for result in bad[:MOST_NAMED]]
    if len(bad) > MOST_NAMED:
        lines.append(f"and {len(bad) - MOST_NAMED} more")
    return f"{len(bad)} of {len(results)} domains did not shut down as asked. " + " | ".join(lines)


def _earlier_request(facts: Facts) -> str:
    """What the record says of an earlier request to a domain that is not off."""
    request = facts.record.request
    if facts.off or request is None or not request.outstanding:
        return ""
    if request.domain_id != facts.domain_id:
        return f"a request of {request.at} was outstanding; the domain was started anew since, so it is void"
    how = f"it ended as {request.outcome}" if request.outcome else "its run was cut off, or is still under way"
    return f"a request of {request.at} is outstanding ({how}): the guest may still obey it"


def _off_because(facts: Facts) -> str:
    request = facts.record.request
    if request is None or not request.outstanding:
        return f"it was off already ({facts.reason})"
    if facts.reason == "destroyed":
        return f"the request of {request.at} was outstanding until someone powered the guest off by force"
    return (
        f"it went off late ({facts.reason}): the request of {request.at} was left outstanding, and this is its late "
        "answer unless the domain was started and stopped anew since"
    )
