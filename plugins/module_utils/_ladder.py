# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The ladder: what to do next about one domain, decided from what has been seen and the clock.

Pure: no libvirt, no sleep, no threads. observe() folds one happening into what has been seen; decide() answers with the
next step. Times are seconds of any clock that never goes backwards. Whoever drives the ladder tells it which act was
asked for (Asked), when that was really begun (Started), and what came of it (Done). Clocks and limits run from Started,
so a guest whose request still waits for its turn is not counted as asked.

The clocks start with the first request:

* accept_timeout: how long a method may stay without a sign of life before the next one is tried, round and round;
* timeout: the finish clock. From then on the guest lives only as long as it makes progress;
* max_timeout: the hard end, whatever the guest is doing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy

Act = t.Literal[
    "sample",
    "wake",
    "resume",
    "thaw",
    "press",
    "guest_shutdown",
    "agent",
    "save",
    "abort_save",
    "evidence",
    "destroy",
    "destroy_plain",
]
Outcome = t.Literal[
    "already_off",
    "graceful",
    "saved",
    "forced",
    "left_running",
    "refused",
    "vanished",
    "restarted",
    "cancelled",
    "error",
]

POWERED_OFF = "the guest powered off"
AGENT_STOPPED = "the guest agent stopped"
AGENT_OBEYED = "the guest agent's call succeeded"
WINDOWS_SAYS_SO = "Windows says that it is shutting down"
"""Signs by which a request shows that it was accepted, besides progress."""

DOUBLE_PRESS_GAP = 0.5
"""Seconds between the two presses of a pair: one that turns a Windows display on, and one that reaches the button."""

SAMPLE_LIMIT = 3.0
"""Seconds after which an unanswered sample is asked for again: the new one passes by a QEMU that the first hangs on."""

FRESH = 2.0
"""Seconds for which a sample is fresh enough to act finally on."""

LIMITS: dict[str, float] = {
    "wake": 15.0,
    "resume": 10.0,
    "thaw": 10.0,
    "press": 5.0,
    "abort_save": 15.0,
    "evidence": 30.0,
    "destroy": 60.0,
    "destroy_plain": 90.0,
}
"""Seconds that an act may take before the ladder goes on without its answer."""

REQUESTS: dict[str, Act] = {"acpi": "press", "guest_shutdown": "guest_shutdown", "agent": "agent"}
"""The act by which each method asks the guest."""

FINAL_ACTS: tuple[Act, ...] = ("save", "abort_save", "destroy", "destroy_plain")
DESTROYS: tuple[Act, ...] = ("destroy", "destroy_plain")
FORCED = "powered off by force: the clocks had run out and on_timeout=force allowed it"

QUEUE_LIMIT = 600.0
"""Seconds after which an act that could not be begun, because libvirt is busy with others, is given up."""

RESUMABLE = ("user", "from_snapshot", "unknown")
"""Reasons for which a domain is paused and may be resumed if that was allowed; all others belong to someone's work."""

SETTLE = 15.0
"""Seconds that libvirt has, after a final action succeeded, to show the domain off."""


# ---- what can be seen -------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class StateSeen:
    """The domain's state in libvirt's words, from an event or from a sample: both say the same, so either may be lost.

    domain_id, write_bytes and taken_at (the time of the sample) come with a sample only; domain_id is None while the
    domain is off.
    """

    state: str
    reason: str = "unknown"
    sampled: bool = False
    domain_id: int | None = None
    write_bytes: int | None = None
    taken_at: float | None = None


@dataclasses.dataclass(frozen=True)
class Changed:
    """An event that says only that something about the domain changed: worth a sample at once."""


@dataclasses.dataclass(frozen=True)
class AgentChannel:
    """The guest agent's channel was opened or closed by the guest."""

    connected: bool


@dataclasses.dataclass(frozen=True)
class Rebooted:
    """The guest reset itself inside the running domain."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """This act was asked for; a sample is begun with that."""

    act: Act


@dataclasses.dataclass(frozen=True)
class Started:
    """The call to libvirt that is this act begins."""

    act: Act


@dataclasses.dataclass(frozen=True)
class Done:
    """What came of an act.

    result: ok; failed; denied (this connection may not do it, ever); not_delivered (the guest, or its agent, never got
    the request); no_reply (an agent that got it and said nothing); under_way (the guest says that it is shutting down
    already); busy (a gentle destroy that could not end QEMU, where
    the plain one is called for); lost (the connection broke before the answer: libvirt may have got it or not);
    dropped (not begun, because it was not wanted any more when its turn came).
    """

    act: Act
    result: t.Literal["ok", "failed", "denied", "not_delivered", "no_reply", "under_way", "busy", "lost", "dropped"]
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Noted:
    """Something worth a line on the timeline that changes no decision."""

    text: str


@dataclasses.dataclass(frozen=True)
class ConnectionLost:
    """The connection to libvirt is gone."""

    detail: str = ""


@dataclasses.dataclass(frozen=True)
class ConnectionBack:
    """The connection to libvirt is there again; whatever happened in between was missed."""


@dataclasses.dataclass(frozen=True)
class Cancelled:
    """The run was told to stop."""

    detail: str = ""


@dataclasses.dataclass(frozen=True)
class ControllerLost:
    """Whoever asked for the run has disappeared: from now on it only watches."""

    detail: str = ""


Event = t.Union[
    StateSeen,
    Changed,
    AgentChannel,
    Rebooted,
    Asked,
    Started,
    Done,
    Noted,
    ConnectionLost,
    ConnectionBack,
    Cancelled,
    ControllerLost,
]


@dataclasses.dataclass(frozen=True)
class Seen:
    """All that has been seen of one domain in this run."""

    started_at: float
    domain_id: int | None = None
    state: str = "unknown"
    reason: str = "unknown"
    powered_off: bool = False
    hibernated: bool = False
    killed_by_host: bool = False
    rebooted: bool = False
    replaced: bool = False

    agent: bool | None = None
    thawed: bool = False
    wake_asked_at: float | None = None
    resume_asked_at: float | None = None

    told_at: float = 0.0
    sample_asked_at: float | None = None
    unanswered_since: float | None = None
    sampled_at: float | None = None
    first_count: tuple[float, int] | None = None
    last_count: tuple[float, int] | None = None
    baseline: float | None = None
    progress_at: float | None = None
    progress_samples: int = 0

    requested_at: float | None = None
    method: str | None = None
    method_since: float = 0.0
    method_failed: bool = False
    called_at: float | None = None
    presses: int = 0
    pressed_at: float | None = None
    accepted_at: float | None = None
    accepted_by: str = ""

    outstanding: frozenset[str] = frozenset()
    busy: Act | None = None
    begun: bool = False
    busy_since: float = 0.0
    evidence_at: float | None = None
    evidence_failure: str = ""
    final_act: Act | None = None
    final_result: str = ""
    final_at: float = 0.0
    failure: str = ""
    denied: str = ""

    lost_at: float | None = None
    lost_detail: str = ""
    cancelled: str = ""
    alone: str = ""

    @property
    def start(self) -> float:
        """When the clocks started: at the first request, or, until there is one, when the run took the domain up."""
        return self.started_at if self.requested_at is None else self.requested_at


# ---- what to do next --------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Wait:
    """Nothing to do before this time, unless something is seen."""

    until: float


@dataclasses.dataclass(frozen=True)
class Do:
    """Issue this act now."""

    act: Act
    why: str


@dataclasses.dataclass(frozen=True)
class End:
    """The domain is done with."""

    outcome: Outcome
    why: str


Step = t.Union[Wait, Do, End]


# ---- observe ----------------------------------------------------------------------------------------------------


def _with(seen: Seen, **changes: t.Any) -> Seen:
    """The same with other values. dataclasses.replace() takes twenty times as long, for so many of them."""
    changed = object.__new__(Seen)
    changed.__dict__.update(seen.__dict__, **changes)
    if len(changed.__dict__) != len(seen.__dict__):
        raise TypeError(f"Seen has not all of {', '.join(changes)}")
    return changed


def observe(policy: Policy, seen: Seen, event: Event, at: float) -> tuple[Seen, str]:
    """Fold one happening into what has been seen; the text is a line for the timeline, empty when nothing changed."""
    if isinstance(event, StateSeen):
        return _observe_state(policy, seen, event, at)
    if isinstance(event, Noted):
        return seen, event.text
    if isinstance(event, Changed):
        return _with(seen, sampled_at=None), ""
    if isinstance(event, AgentChannel):
        return _observe_agent(seen, event, at)
    if isinstance(event, Rebooted):
        return _observe_reset(seen)
    if isinstance(event, Asked):
        return _observe_asked(seen, event.act, at), ""
    if isinstance(event, Started):
        return _observe_started(seen, event.act, at), ""
    if isinstance(event, Done):
        return _observe_done(seen, event, at)
    if isinstance(event, ConnectionLost):
        if seen.lost_at is not None:
            return seen, ""
        lost = _with(seen, lost_at=at, lost_detail=event.detail, busy=None, outstanding=frozenset())
        return lost, f"connection to libvirt lost: {event.detail}"
    if isinstance(event, ConnectionBack):
        back = _with(seen, lost_at=None, sampled_at=None, sample_asked_at=None, unanswered_since=None)
        return back, "connection to libvirt is back"
    if isinstance(event, ControllerLost):
        alone = event.detail or "the controller disappeared"
        return _with(seen, alone=alone), f"{alone}; from now on this run only watches"
    return _with(seen, cancelled=event.detail or "cancelled"), f"cancelled: {event.detail}"


def _observe_state(policy: Policy, seen: Seen, event: StateSeen, at: float) -> tuple[Seen, str]:
    if event.taken_at is not None:
        at = event.taken_at
        if at < max(seen.told_at, seen.sampled_at or 0.0):  # an event or a later sample has overtaken it
            return _with(seen, sample_asked_at=None, unanswered_since=None), ""
    else:
        seen = _with(seen, told_at=at)
    notes = []
    reason = seen.reason if event.state == seen.state == "in_shutdown" else event.reason
    if event.state != seen.state or (reason != seen.reason and event.state != "running"):
        notes.append(f"state: {event.state} ({reason})")
    seen = _with(seen, state=event.state, reason=reason)
    if event.state == "in_shutdown":
        if event.reason == "host":
            seen = _with(seen, killed_by_host=True)
        elif seen.final_act is None:
            seen, note = _accept(_with(seen, powered_off=True), at, POWERED_OFF)
            notes.append(note)
    if (event.state, event.reason) == ("pmsuspended", "disk"):
        seen = _with(seen, hibernated=True)
    if event.sampled:
        seen = _with(seen, sampled_at=at, sample_asked_at=None, unanswered_since=None)
        if event.domain_id is not None:
            if seen.domain_id is None:
                seen = _with(seen, domain_id=event.domain_id)
            elif seen.domain_id != event.domain_id:
                return _with(seen, replaced=True), "the domain was started anew by someone else"
        if event.write_bytes is not None:
            seen, note = _observe_writes(policy, seen, event.write_bytes, at)
            notes.append(note)
    return seen, "; ".join(filter(None, notes))


def _observe_writes(policy: Policy, seen: Seen, count: int, at: float) -> tuple[Seen, str]:
    previous = seen.last_count
    if previous is None or count < previous[1]:
        return _with(seen, first_count=(at, count), last_count=(at, count)), ""
    elapsed = at - previous[0]
    if elapsed < 0.5:  # too short a time to tell a rate from
        return seen, ""
    seen = _with(seen, last_count=(at, count))
    if seen.requested_at is None:
        if policy.baseline_time <= 0:
            return seen, ""
        first_at, first = seen.first_count or previous
        return _with(seen, baseline=(count - first) / (at - first_at)), ""
    rate = (count - previous[1]) / elapsed
    if rate < progress_rate(policy, seen):
        return _with(seen, progress_samples=0), ""
    fresh_start = seen.progress_at is None or at - seen.progress_at > policy.stall_timeout
    seen = _with(seen, progress_at=at, progress_samples=seen.progress_samples + 1)
    text = f"progress: writes {rate / 1024:.0f} KiB/s over a baseline of {(seen.baseline or 0) / 1024:.0f} KiB/s"
    note = ""
    if seen.progress_samples > 1:  # a single burst is progress, and says nothing about acceptance yet
        seen, note = _accept(seen, at, text)
    return seen, note or (text if fresh_start else "")


def _observe_reset(seen: Seen) -> tuple[Seen, str]:
    if seen.requested_at is not None:
        return _with(seen, rebooted=True), "the guest reset itself"
    # Nothing was asked of it yet: what it wrote until now is no baseline for the guest that it is from now on.
    seen = _with(seen, first_count=None, last_count=None, baseline=None, sampled_at=None)
    return seen, "the guest reset itself before anything was asked of it"


def _observe_agent(seen: Seen, event: AgentChannel, at: float) -> tuple[Seen, str]:
    if seen.agent == event.connected:
        return seen, ""
    before = seen.agent
    seen = _with(seen, agent=event.connected)
    if event.connected:
        if seen.accepted_by in (AGENT_STOPPED, AGENT_OBEYED):
            # An agent that comes back was only restarted: the guest has not begun to shut down after all.
            seen = _with(seen, accepted_at=None, accepted_by="", method_since=at)
            return seen, "the guest agent came back: not taken as accepted any longer"
        return seen, "the guest agent connected"
    if before and seen.requested_at is not None:
        return _accept(seen, at, AGENT_STOPPED)
    return seen, "the guest agent disconnected"


def _observe_asked(seen: Seen, act: Act, at: float) -> Seen:
    if act == "sample":
        since = at if seen.unanswered_since is None else seen.unanswered_since
        return _with(seen, sample_asked_at=at, unanswered_since=since)
    return _with(seen, busy=act, begun=False, busy_since=at, outstanding=seen.outstanding | {act})


def _observe_started(seen: Seen, act: Act, at: float) -> Seen:
    method = _method_of(act)
    if method is not None:
        seen = _with(seen, requested_at=at if seen.requested_at is None else seen.requested_at)
        if method != seen.method or act != "press":
            seen = _with(seen, method=method, method_since=at, method_failed=False)
        if act != "press":  # may take a minute, and nothing needs to wait for it
            return _with(seen, busy=None, called_at=at)
        seen = _with(seen, presses=seen.presses + 1, pressed_at=at)
    elif act == "wake":
        seen = _with(seen, wake_asked_at=at)
    elif act == "resume":
        seen = _with(seen, resume_asked_at=at)
    elif act == "thaw":
        seen = _with(seen, thawed=True)
    elif act in FINAL_ACTS:
        seen = _with(seen, final_act=act, final_result="", final_at=at, sample_asked_at=None, unanswered_since=None)
    return _with(seen, busy=act, begun=True, busy_since=at)


def _observe_done(seen: Seen, event: Done, at: float) -> tuple[Seen, str]:
    if seen.busy == event.act:
        seen = _with(seen, busy=None)
    note = f"{event.act}: {event.result}" + (f": {event.detail}" if event.detail else "")
    seen = _with(seen, outstanding=seen.outstanding - {event.act})
    if event.result == "dropped":
        if event.act == seen.final_act:
            before: Act | None = "destroy" if event.act == "destroy_plain" else None
            seen = _with(seen, final_act=before, final_result="busy" if before else "")
        return _with(seen, sampled_at=None), note
    if event.result == "denied" and event.act not in ("wake", "resume", "thaw"):
        return _with(seen, denied=event.detail or "no reason given"), note
    if event.act == "evidence":
        if event.result == "ok":
            return _with(seen, evidence_at=at), note
        return _with(seen, evidence_failure=event.detail or "no reason given"), note
    if event.act in FINAL_ACTS and event.act == seen.final_act:
        failure = "" if event.result == "ok" else event.detail or "no reason given"
        return _with(seen, final_result=event.result, final_at=at, failure=failure or seen.failure), note
    return _observe_answer(seen, event, note, at)


def _observe_answer(seen: Seen, event: Done, note: str, at: float) -> tuple[Seen, str]:
    method = _method_of(event.act)
    if event.result in ("failed", "not_delivered") and method is not None and seen.method == method:
        seen = _with(seen, method_failed=True)
    if event.act == "agent" and event.result == "ok":
        seen, accepted = _accept(seen, at, AGENT_OBEYED)
        return seen, accepted or note
    if event.result == "under_way":
        seen, accepted = _accept(seen, at, WINDOWS_SAYS_SO)
        return seen, accepted or note
    expected = event.result == "ok" and event.act == "press"
    if expected:
        seen = _with(seen, method_failed=False)
    return seen, "" if expected and not event.detail else note


def _accept(seen: Seen, at: float, by: str) -> tuple[Seen, str]:
    if seen.accepted_at is not None or seen.requested_at is None:
        return seen, ""
    return _with(seen, accepted_at=at, accepted_by=by), f"accepted: {by}"


# ---- decide -----------------------------------------------------------------------------------------------------


def decide(policy: Policy, seen: Seen, now: float) -> Step:
    """The next step for this domain at this time."""
    if seen.cancelled:
        return End("cancelled", seen.cancelled)
    end = _ended(seen)
    if end is not None:
        return end
    if seen.denied:
        return End("error", f"libvirt does not allow it on this connection: {seen.denied}")
    if seen.busy is not None and not seen.begun and now >= seen.busy_since + QUEUE_LIMIT:
        return End("error", f"libvirt is busy with other calls: {seen.busy} could not be begun in {QUEUE_LIMIT:g} s")
    if seen.lost_at is not None:
        give_up = seen.lost_at + policy.reconnect_timeout
        if now < give_up:
            return Wait(give_up)
        return End("error", _unreachable(policy, seen.lost_detail))
    sampling = _sample_due(policy, seen, now)
    due = final_action_due(policy, seen, now)
    if sampling is not None and (not isinstance(sampling, Wait) or due or seen.sampled_at is None):
        return sampling
    busy_until = _busy_until(policy, seen)
    if now < busy_until:
        return _wait(policy, seen, now, busy_until)
    if seen.alone:
        return _watch(policy, seen, now, due)
    if due:
        return _final(policy, seen, now)
    return _prepare(policy, seen, now) or _request(policy, seen, now) or _wait(policy, seen, now)


def still_wanted(policy: Policy, seen: Seen, act: Act, now: float) -> bool:
    """Whether an act whose turn has come should still be begun, going by what was seen while it waited."""
    if seen.cancelled or seen.alone or seen.lost_at is not None or _ended(seen) is not None:
        return False
    if act == "press":
        return policy.press_after_acceptance or not is_accepted(policy, seen, now)
    if act in ("evidence", "save", "destroy"):
        return final_action_due(policy, seen, now)
    return True


def progress_rate(policy: Policy, seen: Seen) -> float:
    """Bytes written a second from which on a guest counts as working: well above what it wrote when idle."""
    return max(policy.progress_min_rate, 2.0 * (seen.baseline or 0.0))


def final_action_due(policy: Policy, seen: Seen, now: float) -> bool:
    """Whether the clocks have run out: the finish clock without progress, or the hard end."""
    return now >= _clocks_end(policy, seen)


def _clocks_end(policy: Policy, seen: Seen) -> float:
    """When the clocks run out, or ran out, going by what has been seen so far."""
    hard_end = seen.start + policy.max_timeout
    if _off_but_for_qemu(seen) or _blind(policy, seen):
        return hard_end
    stalled = seen.start if seen.progress_at is None else seen.progress_at + policy.stall_timeout
    return min(hard_end, max(seen.start + policy.timeout, stalled))


def _off_but_for_qemu(seen: Seen) -> bool:
    """Whether the guest has powered off and only QEMU is still there, flushing or held by a backup."""
    return seen.state == "in_shutdown" or (seen.state, seen.reason) == ("paused", "shutting_down")


def _blind(policy: Policy, seen: Seen) -> bool:
    """Whether libvirt cannot tell what the guest writes, so that not seeing it work says nothing."""
    if seen.last_count is None:
        return True
    return seen.sampled_at is not None and seen.sampled_at - seen.last_count[0] > policy.stall_timeout + FRESH


def is_accepted(policy: Policy, seen: Seen, now: float) -> bool:
    """Whether the guest has shown that it started to shut down.

    Writes alone are a sign only for as long as they go on: a guest may write for many reasons.
    """
    if seen.accepted_at is None:
        return False
    if seen.accepted_by in (POWERED_OFF, AGENT_STOPPED, AGENT_OBEYED, WINDOWS_SAYS_SO):
        return True
    return seen.progress_at is not None and now - seen.progress_at < policy.stall_timeout


def current_method(policy: Policy, seen: Seen, now: float) -> str | None:
    """The method whose turn it is: each in turn until accepted; after that only those that come later on the list."""
    usable = [m for m in policy.methods if _usable(seen, m)]
    if seen.method in usable and not seen.method_failed and not _silent(policy, seen, now):
        return seen.method
    if seen.method is not None:
        position = policy.methods.index(seen.method)
        later = [m for m in policy.methods[position + 1 :] if m in usable]
        if later:
            return later[0]
        if is_accepted(policy, seen, now) and not policy.press_after_acceptance:
            return None
    return usable[0] if usable else None


def _usable(seen: Seen, method: str) -> bool:
    """Whether this method can be taken up: an earlier call of it that is still unanswered must be over first."""
    if method == "acpi":
        return True
    unanswered = REQUESTS[method] in seen.outstanding and seen.method != method
    return not unanswered and (method != "agent" or seen.agent is not False)


def _method_of(act: Act) -> str | None:
    """The method that asks by this act; None for an act that is no request."""
    return next((method for method, request in REQUESTS.items() if request == act), None)


def _silent(policy: Policy, seen: Seen, now: float) -> bool:
    """Whether the method in use has had its time to bring a sign of life."""
    return now - _last_life(seen) >= policy.accept_timeout


def _last_life(seen: Seen) -> float:
    return max(seen.method_since, seen.accepted_at or 0.0, seen.progress_at or 0.0)


def _ended(seen: Seen) -> End | None:
    if seen.replaced:
        return End("restarted", "the domain was stopped and started anew by someone else while it was being shut down")
    if seen.rebooted and seen.requested_at is not None and seen.state not in ("shutoff", "gone"):
        return End("restarted", "the guest restarted instead of powering off: look at what asked Windows to restart")
    if seen.state == "gone":
        if seen.final_act in DESTROYS and seen.final_result == "ok":
            return End("forced", FORCED)
        if seen.powered_off:
            return End("graceful", "the guest powered off and its transient domain is gone")
        return End("vanished", "the domain is no longer known here: migrated, undefined, or transient and ended")
    if seen.state != "shutoff":
        return None
    return _how_it_went_off(seen)


def _how_it_went_off(seen: Seen) -> End:
    if seen.reason == "saved":
        by = "" if seen.final_act in ("save", "abort_save") else " by someone else"
        return End("saved", f"managed save{by}: the next start resumes the guest where it was")
    if seen.reason == "migrated":
        return End("vanished", "the guest was migrated to another hypervisor")
    if seen.final_act in DESTROYS:
        return End("forced", FORCED)
    if seen.reason == "destroyed":
        return End("error", "someone else powered the guest off by force (virDomainDestroy); this run did not")
    if seen.reason in ("crashed", "failed", "daemon"):
        return End("error", f"QEMU ended without the guest having powered off (shutoff, {seen.reason})")
    if seen.killed_by_host:
        return End("error", "QEMU was terminated by the host, not by the guest (SHUTDOWN event with detail HOST)")
    if seen.reason == "from_snapshot":
        return End("error", "someone else reverted the domain to a snapshot in which it is off")
    if seen.requested_at is None:
        return End("already_off", "the guest went off before anything was asked of it")
    if seen.reason != "shutdown" and not seen.powered_off:
        return End("error", f"the domain is off and libvirt does not know why (shutoff, {seen.reason})")
    details = [
        "woken from S3 first" if seen.wake_asked_at is not None else "",
        f"{seen.presses} presses" if seen.presses > 1 else "",
        f"first sign: {seen.accepted_by}" if seen.accepted_by not in ("", POWERED_OFF) else "",
        "hibernated (S4), so its volumes are not clean: do not change them offline" if seen.hibernated else "",
    ]
    how = "; ".join(filter(None, details))
    return End("graceful", "the guest shut down and powered off" + (f" ({how})" if how else ""))


def _unreachable(policy: Policy, detail: str) -> str:
    return (
        f"libvirt stayed away for {policy.reconnect_timeout:g} s ({detail}): what became of the guest is not known, "
        "nothing was forced, and a request that was made may still be obeyed; look after libvirt and run again"
    )


def _sample_due(policy: Policy, seen: Seen, now: float) -> Step | None:
    """Ask for a sample, or end when libvirt has not answered one for as long as a lost connection may last.

    While libvirt ends or saves a QEMU it keeps the domain locked, and a sample would only wait for that.
    """
    if seen.busy in FINAL_ACTS:
        return None
    if seen.unanswered_since is not None and now - seen.unanswered_since >= policy.reconnect_timeout:
        return End("error", _unreachable(policy, "no answer about this domain"))
    if not _wants_sample(policy, seen, now):
        return None
    if seen.sample_asked_at is None or now - seen.sample_asked_at >= SAMPLE_LIMIT:
        return Do("sample", "state and block writes")
    return _wait(policy, seen, now, seen.sample_asked_at + SAMPLE_LIMIT)


def _wants_sample(policy: Policy, seen: Seen, now: float) -> bool:
    if seen.sampled_at is None:
        return True
    age = now - seen.sampled_at
    if _measuring(policy, seen):
        return now >= _baseline_end(policy, seen) and age >= min(FRESH, policy.baseline_time)
    clocks_end = _clocks_end(policy, seen)
    if now >= clocks_end:
        return age >= FRESH or seen.sampled_at < clocks_end
    return age >= policy.poll_interval


def _measuring(policy: Policy, seen: Seen) -> bool:
    """Whether the idle writes are still being measured, before the first request."""
    if seen.requested_at is not None or seen.last_count is None or not policy.methods or policy.baseline_time <= 0:
        return False
    return seen.baseline is None or seen.last_count[0] < _baseline_end(policy, seen)


def _baseline_end(policy: Policy, seen: Seen) -> float:
    return (0.0 if seen.first_count is None else seen.first_count[0]) + policy.baseline_time


def _busy_until(policy: Policy, seen: Seen) -> float:
    if seen.busy is None:
        return 0.0
    if not seen.begun:
        return seen.busy_since + QUEUE_LIMIT
    return seen.busy_since + (policy.save_timeout if seen.busy == "save" else LIMITS[seen.busy])


def _prepare(policy: Policy, seen: Seen, now: float) -> Step | None:
    """Bring the guest to where it can hear a request: awake, running, thawed, its idle writes measured."""
    if not policy.methods:
        return None
    if seen.state == "pmsuspended" and policy.wake and not (seen.hibernated or "wake" in seen.outstanding):
        if seen.wake_asked_at is None or now - seen.wake_asked_at >= LIMITS["wake"]:
            return Do("wake", "the guest sleeps (S3) and a sleeping guest refuses every request")
    resumable = policy.resume and seen.reason in RESUMABLE and "resume" not in seen.outstanding
    if seen.state == "paused" and resumable:
        if seen.resume_asked_at is None or now - seen.resume_asked_at >= LIMITS["resume"]:
            return Do("resume", "the domain is paused and a paused domain refuses every request")
    if seen.state != "running" or seen.requested_at is not None:
        return None
    if policy.thaw and seen.agent and not seen.thawed:
        return Do("thaw", "a guest whose file systems are frozen cannot shut down")
    return _wait(policy, seen, now) if _measuring(policy, seen) else None


def _request(policy: Policy, seen: Seen, now: float) -> Step | None:
    if seen.state != "running":
        return None
    method = current_method(policy, seen, now)
    if method is None or REQUESTS[method] in seen.outstanding:
        return None
    if method == "acpi":
        wanted = policy.press_after_acceptance or not is_accepted(policy, seen, now)
        if wanted and now >= _next_press(policy, seen):
            return Do("press", _why(seen, "acpi", "press the ACPI power button"))
        return None
    asked = seen.method == method and not seen.method_failed and not _silent(policy, seen, now)
    if not asked and now >= _next_call(policy, seen):
        return Do(REQUESTS[method], _why(seen, method, _CALLS[method]))
    return None


_CALLS = {
    "guest_shutdown": "ask Windows itself over the guest's own connection (shutdown.exe)",
    "agent": "ask the guest agent: it can't be vetoed, and applications are not asked",
}


def _why(seen: Seen, method: str, what: str) -> str:
    if seen.method is None:
        return what
    if seen.method == method:
        return f"{what} again: not accepted so far"
    return f"{what}: {seen.method} {'could not be delivered' if seen.method_failed else 'brought no sign of life'}"


def _next_press(policy: Policy, seen: Seen) -> float:
    if seen.pressed_at is None:
        return 0.0
    second_of_pair = policy.double_press and seen.presses % 2 == 1
    return seen.pressed_at + (DOUBLE_PRESS_GAP if second_of_pair else policy.press_interval)


def _next_call(policy: Policy, seen: Seen) -> float:
    return 0.0 if seen.called_at is None else seen.called_at + policy.press_interval


def _final(policy: Policy, seen: Seen, now: float) -> Step:
    """The final action that was allowed, for a guest whose clocks have run out."""
    clock = "hard end" if now >= seen.start + policy.max_timeout else "finish clock"
    seconds = policy.max_timeout if clock == "hard end" else policy.timeout
    why = f"{clock} of {seconds:g} s has run out, {_last_sign(seen, now)}"
    if policy.on_timeout == "leave":
        outstanding = " with its request outstanding" if seen.requested_at is not None else ""
        return End("left_running", f"{why}; on_timeout=leave, so it is left running{outstanding}")
    if seen.final_act is not None:
        return _after_final(policy, seen, now)
    untouchable = _untouchable(policy, seen)
    if untouchable:
        return End("left_running", f"{why}; {untouchable}")
    act: Act = "save" if policy.on_timeout == "save" else "destroy"
    stale = seen.evidence_at is None or seen.evidence_at < _clocks_end(policy, seen)
    if act == "destroy" and stale:
        if seen.evidence_failure or seen.busy == "evidence":
            reason = seen.evidence_failure or f"it took longer than {LIMITS['evidence']:g} s"
            return End("error", f"{why}; no evidence could be taken, so it was not forced: {reason}")
        return Do("evidence", f"{why}; on_timeout=force: evidence first")
    return Do(act, f"{why}; on_timeout={policy.on_timeout}")


def _watch(policy: Policy, seen: Seen, now: float, due: bool) -> Step:
    """Ask nothing of the guest any more, and see what becomes of it until its clocks have run out."""
    begun = seen.final_act not in (None, "abort_save")
    if begun and seen.busy != seen.final_act and seen.final_result in ("ok", "lost") and now < seen.final_at + SETTLE:
        return _look_again(seen, now)
    if seen.requested_at is None and not begun:
        return End("cancelled", f"{seen.alone}; nothing had been asked of the guest")
    if not due:
        return _wait(policy, seen, now)
    last = f"{seen.final_act} had been begun ({seen.failure or 'no answer'}), " if begun else ""
    outstanding = ", its request outstanding" if seen.requested_at is not None else ""
    return End(
        "left_running",
        f"{seen.alone}; {last}its clocks have run out, {_last_sign(seen, now)}; it is left running{outstanding}",
    )


def _after_final(policy: Policy, seen: Seen, now: float) -> Step:
    """Go on from a final action that was begun and has been answered, or has had its time."""
    act, result, answered = seen.final_act, seen.final_result, seen.busy != seen.final_act
    if answered and result in ("ok", "lost") and act != "abort_save":
        under_way = act == "save" and (seen.state, seen.reason) == ("paused", "save")
        if now < seen.final_at + (policy.save_timeout if under_way else SETTLE):
            return _look_again(seen, now)
        if result == "lost":
            return End(
                "error",
                f"the connection broke when libvirt was asked for the {act} ({seen.failure}), and the domain is still "
                f"{seen.state}; nothing more was done: look after libvirt and run again",
            )
        return End("error", f"{act} succeeded, but libvirt still shows the domain {seen.state}")
    if act == "destroy" and (not answered or result == "busy"):
        return Do("destroy_plain", f"the gentle destroy could not end QEMU: {seen.failure or 'no answer'}")
    if act == "save" and not answered:
        return Do("abort_save", f"the managed save took longer than save_timeout={policy.save_timeout:g} s")
    if act == "abort_save":
        return End(
            "error", f"the managed save took longer than save_timeout={policy.save_timeout:g} s; nothing was forced"
        )
    failure = seen.failure or "no answer"
    if act == "save":
        return End("error", f"the managed save failed: {failure}; the guest was not forced")
    return End("error", f"the forced stop did not end QEMU: {failure}")


def _look_again(seen: Seen, now: float) -> Step:
    """Sample now, but no more than twice a second."""
    if seen.sample_asked_at is not None:
        return Wait(seen.sample_asked_at + SAMPLE_LIMIT)
    if seen.sampled_at is not None and now - seen.sampled_at < 0.5:
        return Wait(seen.sampled_at + 0.5)
    return Do("sample", "look for the end")


def _untouchable(policy: Policy, seen: Seen) -> str:
    """Why even an allowed final action would do harm now."""
    if (seen.state, seen.reason) == ("paused", "ioerror"):
        return "a storage error paused it, and stopping it now loses its writes: mend the storage and resume it"
    if _off_but_for_qemu(seen):
        return "the guest has powered off, and QEMU is still flushing or held by a backup: it ends with that"
    if seen.state == "paused" and seen.reason in ("migration", "save", "dump", "snapshot"):
        return f"libvirt has paused it for a {seen.reason} that is still under way"
    if _paused_by_someone(seen) and policy.methods and policy.on_timeout == "force":
        return "a guest that was stopped in the middle is not forced, which would lose what it was writing"
    return ""


def _paused_by_someone(seen: Seen) -> bool:
    return seen.state == "paused" and seen.reason in RESUMABLE


def _last_sign(seen: Seen, now: float) -> str:
    if _paused_by_someone(seen):
        return f"and someone has paused it ({seen.reason}): resume it (virsh resume)"
    if seen.accepted_at is None:
        return "and the guest never accepted" if seen.requested_at is not None else "and the guest could not be asked"
    if seen.progress_at is None:
        return f"accepted ({seen.accepted_by}) but without progress"
    return f"accepted, last progress {now - seen.progress_at:.0f} s ago"


def _wait(policy: Policy, seen: Seen, now: float, *also: float) -> Wait:
    """Wait for the next moment at which the clock alone could change the decision."""
    moments = list(also)
    moments += [seen.start + policy.timeout, seen.start + policy.max_timeout]
    if seen.sampled_at is not None:
        moments.append(seen.sampled_at + policy.poll_interval)
    if seen.sample_asked_at is not None:
        moments.append(seen.sample_asked_at + SAMPLE_LIMIT)
    if seen.progress_at is not None:
        moments.append(seen.progress_at + policy.stall_timeout)
    if seen.busy is not None and not seen.begun:
        moments.append(seen.busy_since + QUEUE_LIMIT)
    if _measuring(policy, seen):
        moments.append(_baseline_end(policy, seen))
    if seen.state == "pmsuspended" and seen.wake_asked_at is not None:
        moments.append(seen.wake_asked_at + LIMITS["wake"])
    if seen.method is not None:
        moments.append(_last_life(seen) + policy.accept_timeout)
        moments += [_next_press(policy, seen), _next_call(policy, seen)]
    return Wait(min((m for m in moments if m > now), default=now + policy.poll_interval))
