# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Drives the ladders of all domains at once: events in, acts out, until every domain has its outcome."""

from __future__ import annotations

import dataclasses
import functools
import heapq
import queue
import time
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _acts as acts
from ansible_collections.winguest.shutdown.plugins.module_utils import _evidence as evidence
from ansible_collections.winguest.shutdown.plugins.module_utils._case import Case
from ansible_collections.winguest.shutdown.plugins.module_utils._claims import Claims, NoClaims
from ansible_collections.winguest.shutdown.plugins.module_utils._errands import Errands
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import Call, Hypervisor, Inbox
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import (
    FINAL_ACTS,
    REQUESTS,
    Act,
    Asked,
    Cancelled,
    ConnectionBack,
    ConnectionLost,
    ControllerLost,
    Do,
    Done,
    End,
    Event,
    Noted,
    decide,
    final_action_due,
    still_wanted,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._order import Rules, Wish
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Facts
from ansible_collections.winguest.shutdown.plugins.module_utils._progress_file import ProgressFile
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Record
from ansible_collections.winguest.shutdown.plugins.module_utils._sign_of_life import Proofs, SignOfLife
from ansible_collections.winguest.shutdown.plugins.module_utils._timeline import Timeline
from ansible_collections.winguest.shutdown.plugins.module_utils._turns import Turns

ANYHOW = Wish()

SETTLE_LIMIT = 10.0
"""Seconds at the end of a run for the outcomes to get into the domains' metadata."""

WITHDRAW_LIMIT = 5.0
"""Seconds, twice, that a run that was told to stop takes to put back the records of requests that it has not made."""

LAST_CALLS_LIMIT = 15.0
"""Seconds that a cancelled run waits for a forced stop that was already on its way, so that nothing stays frozen."""

LOOK_AROUND = 1.0
"""Seconds between two looks at whether someone still waits for the results."""


PROOF_LOOK = 0.2
"""Seconds between two looks for the sign of life that a final action waits for."""

PROVED_ACTS = ("save", "destroy", "destroy_plain")
"""Acts that are begun only when the controller has shown a sign of life since they were decided."""


class Run:
    """One run over the domains of one hypervisor."""

    def __init__(
        self,
        hypervisor: Hypervisor,
        inbox: Inbox,
        evidence_dir: str,
        abandoned: t.Callable[[], bool] = lambda: False,
        claims: Claims | None = None,
        life: SignOfLife | None = None,
        progress: ProgressFile | None = None,
        errands: Errands | None = None,
        turns: Turns | None = None,
    ) -> None:
        """abandoned tells whether the other side, to which the results would go, is gone, and ends the run.

        life is there for a run that is watched: when it is lost, the run goes on and only watches. errands are what
        whoever watches it is to do.
        """
        self._hypervisor = hypervisor
        self._inbox = inbox
        self._evidence_dir = evidence_dir
        self._abandoned = abandoned
        self._errands = Errands("") if errands is None else errands
        self.stopped = ""
        self._clock_start, self._wall_start = time.monotonic(), time.time()
        self._turns = turns if turns is not None else Turns(Rules(), self._clock_start)
        self._cases: dict[str, Case] = {}
        self._open: dict[str, None] = {}
        self._wakes: list[tuple[float, str]] = []
        self._wake_at: dict[str, float] = {}
        self._to_sample: list[str] = []
        self._unsettled: dict[str, str] = {}
        self._settled: queue.SimpleQueue[tuple[Case, Done]] = queue.SimpleQueue()
        self._reconnecting = False
        self._claims = claims or NoClaims()
        self._life = life
        self._proofs = Proofs(life)
        self._progress = progress
        if life is not None:
            life.watch(lambda why: inbox.put((None, ControllerLost(why))))

    @property
    def cases(self) -> list[Case]:
        """The domains in the order they were added."""
        return list(self._cases.values())

    def stop(self, why: str) -> None:
        """Stop as soon as possible and force nothing any more. Safe to call from a signal handler."""
        self.stopped = self.stopped or why
        self._inbox.put((None, Cancelled(why)))

    def add(self, facts: Facts, policy: Policy, wish: Wish = ANYHOW) -> None:
        """Take a domain up; one that is off, or in a trap, has its outcome at once."""
        case = Case(facts, policy, self._timeline(facts.name), time.monotonic())
        self._cases[facts.uuid] = case
        self._turns.add(case, wish)
        if case.end is None:
            self._open[facts.uuid] = None

    def _timeline(self, name: str) -> Timeline:
        if self._progress is None:
            return Timeline(self._clock_start, self._wall_start)
        entry = self._progress.entry
        return Timeline(self._clock_start, self._wall_start, lambda kind, text: entry(name, kind, text))

    def plan(self) -> None:
        """Say which of the open domains another run is at work on."""
        for uuid in self._open:
            holder = self._claims.holder(uuid)
            if holder:
                self._cases[uuid].add_note(f"{holder} is at work on it: this run would refuse it", time.monotonic())

    def claim(self) -> None:
        """Claim the open domains; one that another run is at work on has its outcome at once."""
        for uuid in list(self._open):
            holder = self._claims.take(uuid)
            if holder:
                why = f"{holder} is at work on it, and nothing was asked of it: wait for the end of that run, or end it"
                self._cases[uuid].finish(End("refused", why), time.monotonic())
                del self._open[uuid]

    def carry_out(self) -> None:
        """Run until every domain has its outcome and it is written down."""
        self.claim()
        self._let_in()
        while self._open:
            self._send_samples()
            self._wait_for_something()
            self._let_in()
            self._tell_progress()
        self._tell_progress(last=True)
        self._take_off_the_record()
        if self.stopped:
            self._hypervisor.finish("end", LAST_CALLS_LIMIT)
        else:
            self._settle()

    # ---- what comes in

    def _wait_for_something(self) -> None:
        touched: dict[str, None] = {}
        timeout = min(LOOK_AROUND, max(0.0, self._wakes[0][0] - time.monotonic()) if self._wakes else LOOK_AROUND)
        if not self.stopped and self._abandoned():
            self.stop("the controller went away")
        try:
            self._take(self._inbox.get(timeout=timeout), touched)
            while True:
                self._take(self._inbox.get_nowait(), touched)
        except queue.Empty:
            pass
        for answer in self._errands.collect():
            self._take(answer, touched)
        now = time.monotonic()
        while self._wakes and self._wakes[0][0] <= now:
            touched[heapq.heappop(self._wakes)[1]] = None
        for uuid in touched:
            self._step(uuid, now)

    def _take(self, item: tuple[str | None, Event], touched: dict[str, None]) -> None:
        uuid, event = item
        now = time.monotonic()
        if isinstance(event, ConnectionLost) and not self._reconnecting:
            self._reconnecting = True
            self._hypervisor.reconnect(now + max(case.policy.reconnect_timeout for case in self.cases))
        elif isinstance(event, ConnectionBack):
            self._reconnecting = False
        for target in list(self._open) if uuid is None else [uuid]:
            if target in self._open:
                self._cases[target].fold(event, now)
                touched[target] = None
                self._give_up_claim(self._cases[target])

    def _let_in(self) -> None:
        """Take up the domains whose turn has come; one that ends with that may give the next one its turn."""
        while not self.stopped:
            now = time.monotonic()
            moved = self._turns.next(now)
            if not moved:
                return
            for case in moved:
                if case.end is None:
                    self._step(case.facts.uuid, now)
                else:
                    del self._open[case.facts.uuid]

    # ---- what goes out

    def _step(self, uuid: str, now: float) -> None:
        """Do what the ladder says about this domain until it says to wait."""
        case = self._cases[uuid]
        while case.end is None:
            step = decide(case.policy, case.seen, now)
            if not final_action_due(case.policy, case.seen, now):
                self._proofs.forget(uuid)
            if isinstance(step, End):
                case.finish(step, now)
                del self._open[uuid]
                self._write_outcome(case)
            elif isinstance(step, Do):
                if uuid in self._turns.waiting:
                    return
                if step.act in PROVED_ACTS and self._must_wait(case, step.act, now):
                    self._wake_later(uuid, now + PROOF_LOOK, now)
                    return
                self._do(case, step, now)
            else:
                self._wake_later(uuid, step.until, now)
                return

    def _must_wait(self, case: Case, act: Act, now: float) -> bool:
        """Whether a final action still lacks the sign of life from after its decision."""
        waited = case.facts.uuid in self._proofs
        missing = self._proofs.missing(case.facts.uuid)
        if missing and not waited:
            case.note(now, "seen", f"before the {act}, a new sign of life of the controller is waited for")
        return missing

    def _wake_later(self, uuid: str, until: float, now: float) -> None:
        if not now < self._wake_at.get(uuid, 0.0) <= until:
            self._wake_at[uuid] = until
            heapq.heappush(self._wakes, (until, uuid))

    def _do(self, case: Case, step: Do, now: float) -> None:
        first_request = case.seen.requested_at is None and step.act in REQUESTS.values()
        if step.act == "sample":
            self._to_sample.append(case.facts.uuid)
            case.fold(Asked("sample"), now)
            return
        case.acted = True
        case.note(now, "asked", case.why(step))
        call = self._call(case, step, now)
        case.fold(Asked(step.act), now)
        if first_request and not case.facts.record_error:
            self._record_and_ask(case, step.act, call)
        else:
            self._ask(case, step.act, call)

    def _ask(self, case: Case, act: Act, call: Call) -> None:
        """Let the act have its turn."""
        self._hypervisor.act(acts.LANES[act], case.facts.uuid, act, call, lambda: self._still_wanted(case, act))

    def _record_and_ask(self, case: Case, act: Act, call: Call) -> None:
        """The first request has two turns: in one it is written into the domain's metadata, in the next it is made.

        So domains that are due together are put on record together, and are then asked one right after the other,
        without libvirt's files being written in between. What has become needless in between is not made.
        """
        record = case.record()
        case.on_record = record.request

        def make(connection: t.Any, domain: t.Any) -> Done | None:
            case.asked = True  # before the look, so that whoever takes it off the record sees one of the two
            return Done(act, "dropped", "not wanted any more") if self._silenced() else call(connection, domain)

        def recorded(event: Event) -> None:
            if isinstance(event, Done):
                if event.result in ("denied", "dropped"):
                    case.on_record = None
                    self._inbox.put((case.facts.uuid, event))
                else:
                    self._ask(case, act, make if event.result == "ok" else _told(make, event.detail))

        self._hypervisor.act(
            acts.LANES["press"],
            case.facts.uuid,
            act,
            lambda connection, domain: acts.try_to_record(act, domain, record, guess=case.facts.persistent),
            lambda: self._still_wanted(case, act),
            recorded,
        )

    def _still_wanted(self, case: Case, act: Act) -> bool:
        """Asked in the lane's thread when the act's turn has come; what was seen is never changed, only replaced."""
        open_still = not self._silenced() and case.end is None
        return open_still and still_wanted(case.policy, case.seen, act, time.monotonic())

    def _silenced(self) -> bool:
        """Whether nothing must be asked of any guest any more."""
        return bool(self.stopped) or self._abandoned() or bool(self._life is not None and self._life.lost)

    def _send_samples(self) -> None:
        """One call for all the samples that were asked for since the last time."""
        if self._to_sample:
            self._hypervisor.sample(self._to_sample)
            self._to_sample = []

    def _call(self, case: Case, step: Do, now: float) -> Call:
        domain_id, agent = case.seen.domain_id, bool(case.seen.agent)
        stopped = self._silenced
        if step.act == "agent":
            return lambda connection, domain: acts.ask_agent(domain)
        if step.act == "guest_shutdown":
            return lambda connection, domain: self._errands.give(case.facts.uuid, case.policy.guest)
        if step.act == "destroy":
            # Told at once: when the destroy has been answered, the domain is off and done with.
            uuid = case.facts.uuid
            return lambda connection, domain: acts.destroy(
                domain, domain_id, agent, stopped, lambda text: self._inbox.put((uuid, Noted(text)))
            )
        if step.act == "destroy_plain":
            return lambda connection, domain: acts.destroy_plain(domain, domain_id, stopped)
        if step.act == "evidence":
            document = case.document(step.why, now)
            return lambda connection, domain: self._collect(case, document, connection, domain)
        return lambda connection, domain: acts.simple(step.act, domain)

    def _collect(self, case: Case, document: dict[str, t.Any], connection: t.Any, domain: t.Any) -> Done:
        paths = evidence.collect(connection, domain, self._evidence_dir, document)
        case.evidence.extend(paths)
        return Done("evidence", "ok", ", ".join(paths))

    # ---- the record

    def _write_outcome(self, case: Case) -> None:
        if not case.to_be_recorded:
            self._claims.release(case.facts.uuid)
            return
        record = case.record()
        self._unsettled[case.facts.uuid] = case.facts.name
        self._hypervisor.act(
            "act",
            case.facts.uuid,
            "press",
            lambda connection, domain: self._record_end(case, record, domain),
            lambda: not self.stopped,
            lambda event: self._recorded_end(case, event),
        )

    def _record_end(self, case: Case, record: Record, domain: t.Any) -> Done:
        """A run that only watched has given its claim up, and must not write over what another one has written."""
        if not case.to_be_recorded:
            return Done("press", "ok", "the request did not get its turn, and is not on record")
        if case.seen.alone:
            if self._claims.take(case.facts.uuid) or not acts.still_ours(domain, case.on_record):
                return Done("press", "ok", "another run has it now")
        return acts.try_to_record("press", domain, record)

    def _recorded_end(self, case: Case, event: Event) -> None:
        if isinstance(event, Done):
            self._claims.release(case.facts.uuid)
            self._settled.put((case, event))

    def _take_off_the_record(self) -> None:
        """Put the record back as it was found where a request was recorded and then not made."""
        needless = [case for case in self.cases if case.needlessly_recorded]
        if not needless or not self._hypervisor.finish(acts.LANES["press"], WITHDRAW_LIMIT):
            return
        for case in needless:
            put_back = functools.partial(self._put_back, case)
            self._hypervisor.act(
                acts.LANES["press"], case.facts.uuid, "press", put_back, lambda: True, lambda event: None
            )
        self._hypervisor.finish(acts.LANES["press"], WITHDRAW_LIMIT)

    def _put_back(self, case: Case, connection: t.Any, domain: t.Any) -> Done:
        if not case.needlessly_recorded or self._claims.take(case.facts.uuid):
            return Done("press", "ok", "it was made after all, or another run has it now")
        if acts.still_ours(domain, case.on_record):
            acts.put_back(domain, case.facts.record)
        self._claims.release(case.facts.uuid)
        return Done("press", "ok")

    def _give_up_claim(self, case: Case) -> None:
        """Whoever comes next may act at once on a domain that is only watched, unless libvirt is still at it for us."""
        if case.seen.alone and case.seen.busy not in FINAL_ACTS:
            self._claims.release(case.facts.uuid)

    def _tell_progress(self, last: bool = False) -> None:
        if self._progress is not None:
            self._progress.tell(lambda: self.cases, last, self._errands.tell())

    def _settle(self) -> None:
        give_up_at = time.monotonic() + SETTLE_LIMIT
        while self._unsettled and not self.stopped:
            try:
                case, done = self._settled.get(timeout=max(0.0, give_up_at - time.monotonic()))
            except queue.Empty:
                return
            if done.result == "ok":
                del self._unsettled[case.facts.uuid]
            else:
                self._unsettled[case.facts.uuid] += f" ({done.detail})"
                give_up_at = min(give_up_at, time.monotonic() + 1.0)

    @property
    def unrecorded(self) -> list[str]:
        """The names of domains whose metadata do not say how they ended, though they should."""
        return list(self._unsettled.values())


def _told(call: Call, problem: str) -> Call:
    """The call of a request that could not be recorded, whose answer tells so."""

    def tell(connection: t.Any, domain: t.Any) -> Done | None:
        done = call(connection, domain)
        told = f"the request could not be recorded: {problem}"
        return None if done is None else dataclasses.replace(done, detail="; ".join(filter(None, (done.detail, told))))

    return tell
