# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""One domain in a run, and what is said of it: on the timeline, in its metadata, and in the results. Pure."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._budget import fit_clocks
from ansible_collections.winguest.shutdown.plugins.module_utils._forecast import Forecast
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Do, End, Event, Seen, observe
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
        self.when_ended: t.Callable[[], None] = lambda: None
        """Called when it has its outcome."""
        self.ended_at = now
        self.acted = False
        self.on_record: Request | None = None
        """The request as it was written into the metadata before it was made."""
        self.asked = False
        """Whether that request was really begun; set by the thread that does."""
        self.evidence: list[str] = []
        self.forecast: Forecast | None = None
        self.turn: list[str] = []
        self._allowed = self.policy
        self._until: tuple[float, float, float] | None = None
        self._saved_because = ""
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
        start = self.seen.start
        self.seen, text = observe(self.policy, self.seen, event, now)
        if self.seen.start != start:
            self._fit_clocks()
        self.note(now, "seen", text)

    def finish(self, end: End, now: float) -> None:
        """The domain has its outcome."""
        if self._saved_because and end.outcome == "saved":
            end = End("saved", f"{end.why}; {self._saved_because}")
        self.end, self.ended_at = end, now
        self.note(now, "ended", f"{end.outcome}: {end.why}")
        self.when_ended()

    # ---- its turn

    def take_up(self, now: float, until: float | None = None, lead: float = 0.0, least: float = 0.0) -> None:
        """Its turn has come. With until, a budget's: its clocks run out at that time at the latest.

        least: seconds from the first request that no budget takes from it, and lead is what comes before those.
        """
        self.seen = dataclasses.replace(self.seen, started_at=now)
        if until is not None:
            self._until = until, lead, least
            self._fit_clocks()
            if self._fitted:
                self.note(now, "found", f"for the budget its clocks run out in {until - now:.1f} s at the latest")

    def take_up_to_save(self, now: float, why: str) -> None:
        """Its turn has come, and all that is to be done is to save it."""
        self.take_up(now)
        self._saved_because = why
        self.policy = dataclasses.replace(self.policy, methods=(), accept_timeout=0.0, timeout=0.0, max_timeout=0.0)

    @property
    def would_act(self) -> bool:
        """Whether it is only planned, and something would be asked of it."""
        return self.end is None and (self.forecast is None or self.forecast.becomes not in ("left_running", "refused"))

    def why(self, step: Do) -> str:
        """What the timeline says of an act that is asked for."""
        return f"managed save: {self._saved_because}" if self._saved_because and step.act == "save" else step.why

    def _fit_clocks(self) -> None:
        """The clocks count from the first request, whenever that is, so they are fitted again when it was made."""
        if self._until is not None:
            until, lead, least = self._until
            least += lead if self.seen.requested_at is None else 0.0
            self.policy = fit_clocks(self._allowed, max(until - self.seen.start, least))

    @property
    def _fitted(self) -> bool:
        return self.policy.max_timeout < self._allowed.max_timeout

    # ---- for the domain's metadata

    def record(self) -> Record:
        """What the domain's metadata is to say of this run now."""
        outcome = self.end.outcome if self.end else ""
        request = self.facts.record.request if self._saved_because else self._request(outcome)
        record = dataclasses.replace(self.facts.record, request=request)
        if outcome in ("graceful", "saved"):
            record = record.with_past(self._past(outcome))
        return record

    @property
    def needlessly_recorded(self) -> bool:
        """Whether a request is on record that was not made before the run was told to stop, or to ask nothing more."""
        cancelled = self.end is not None and self.end.outcome == "cancelled"
        return cancelled and self.on_record is not None and not self.asked

    @property
    def to_be_recorded(self) -> bool:
        """Whether the outcome belongs into the domain's metadata and can get there."""
        nothing_done = self.on_record is None and self.seen.requested_at is None and not self._saved_because
        if self.end is None or nothing_done or self.seen.lost_at is not None:
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
            save_seconds=round(self.ended_at - self.seen.busy_since, 3) if self.seen.final_act == "save" else None,
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
        fitted = " (fitted to the budget)" if self._fitted else ""
        return f"on_timeout={self.policy.on_timeout} for this domain in this run, {clocks}{fitted}"

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
            "plan": [] if self.end else [*(f"note: {told}" for told in self.notes), *self._plan()],
            "forecast": self.forecast.told() if self.forecast else None,
            "timeline": self.timeline.entries(),
        }

    def _plan(self) -> list[str]:
        policy = self.forecast.policy if self.forecast else self.policy
        return [*self.turn, *(plan(policy, self.facts) if policy else [])]


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
