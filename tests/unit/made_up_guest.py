# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A made-up guest, hypervisor and clock that drive the ladder through one history in no time at all."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import (
    AgentChannel,
    Asked,
    Cancelled,
    ConnectionBack,
    ConnectionLost,
    ControllerLost,
    Do,
    Done,
    End,
    Event,
    Seen,
    Started,
    StateSeen,
    decide,
    observe,
    still_wanted,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy


@dataclasses.dataclass(frozen=True)
class Guest:
    """What the guest will do. Times in seconds; None is never."""

    presses_needed: int | None = 1
    ready_after: float = 0.0
    works_for: float = 0.0
    works_at: float = 1e6
    then: t.Literal["off", "hang", "reboot"] = "off"
    off_delay: float = 1.0
    noise: float = 0.0
    bursts: tuple[tuple[float, float], ...] = ()
    agent: t.Literal["absent", "obeys", "deaf", "hung", "refuses"] = "absent"
    windows: t.Literal["obeys", "vetoed", "under_way", "refuses", "unreachable", "never"] = "refuses"
    """What comes of a request over the guest's own connection."""
    asleep: bool = False
    wakes: bool = True
    act_latency: float = 0.05
    queue: float = 0.0
    blind: bool = False
    save: t.Literal["ok", "failed", "lost", "never"] = "ok"
    destroy: t.Literal["ok", "busy", "failed", "lost", "never"] = "ok"
    evidence: t.Literal["ok", "failed", "never"] = "ok"
    lost_at: float | None = None
    lost_for: float = 0.0
    cancel_at: float | None = None
    alone_at: float | None = None
    events_lost: tuple[bool, ...] = ()


@dataclasses.dataclass
class History:
    """What came of it."""

    end: End
    ended_at: float
    asked: list[tuple[float, Do, Seen]]
    begun: list[tuple[float, Do, Seen]]
    samples: list[tuple[float, int, bool]]
    seen: Seen


class World:
    """One guest on one hypervisor, and the ladder that shuts it down."""

    def __init__(self, guest: Guest, policy: Policy) -> None:
        self.guest, self.policy = guest, policy
        self.now = 0.0
        self.state, self.reason = ("pmsuspended", "unknown") if guest.asleep else ("running", "booted")
        self.presses = 0
        self.began_at: float | None = None
        self.agent_there = guest.agent != "absent"
        self.queue: list[tuple[float, int, t.Callable[[], None]]] = []
        self.order = itertools.count()
        self.lossy = itertools.cycle(guest.events_lost or (False,))
        self.connected = True
        self.samples: list[tuple[float, int, bool]] = []
        self.asked: list[tuple[float, Do, Seen]] = []
        self.begun: list[tuple[float, Do, Seen]] = []
        self.seen = Seen(started_at=0.0, domain_id=1, agent=self.agent_there if guest.agent != "absent" else None)

    # ---- the clock

    def at(self, delay: float, what: t.Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.now + delay, next(self.order), what))

    def tell(self, event: Event) -> None:
        if self.connected or isinstance(event, (ConnectionBack, ConnectionLost, Cancelled, ControllerLost)):
            self.seen, dummy = observe(self.policy, self.seen, event, self.now)

    def happen(self, event: Event) -> None:
        """An event of libvirt's, which may get lost."""
        if not next(self.lossy):
            self.tell(event)

    # ---- the guest

    def written(self) -> int:
        """Bytes the guest has written by now."""
        total = self.guest.noise * self.now
        work = list(self.guest.bursts)
        if self.began_at is not None:
            work.append((self.began_at, self.guest.works_for))
        for start, length in work:
            total += self.guest.works_at * max(0.0, min(self.now - start, length))
        return int(total)

    def become(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
        self.happen(StateSeen(state, reason))

    def begin(self) -> None:
        if self.began_at is not None or self.state != "running":
            return
        self.began_at = self.now
        if self.agent_there:
            self.agent_there = False
            self.happen(AgentChannel(False))
        if self.guest.then == "off":
            self.at(self.guest.works_for + self.guest.off_delay, self.power_off)

    def power_off(self) -> None:
        if self.state == "running":
            self.become("in_shutdown", "guest")
            self.at(1.0, self.stop)

    def stop(self) -> None:
        if self.state == "in_shutdown":
            self.become("shutoff", "shutdown")

    # ---- the hypervisor

    def begin_act(self, do: Do) -> None:
        """The act's turn has come."""
        if not self.connected:
            return  # it cannot be begun, and what was under way is forgotten when the connection is lost
        if not still_wanted(self.policy, self.seen, do.act, self.now):
            self.tell(Done(do.act, "dropped"))
            return
        self.begun.append((self.now, do, self.seen))
        self.tell(Started(do.act))
        self.at(self.guest.act_latency, lambda: self.answer(do))

    def answer(self, do: Do) -> None:
        """Carry an act out and tell what came of it."""
        result, detail = getattr(self, f"_{do.act}")()
        if result is not None:
            self.tell(Done(do.act, result, detail))

    def _sample(self) -> tuple[None, str]:
        if self.connected:
            running = self.state != "shutoff"
            count = self.written() if running and not self.guest.blind else None
            if count is not None:
                self.samples.append((self.now, count, self.seen.requested_at is not None))
            self.tell(StateSeen(self.state, self.reason, True, 1 if running else None, count))
        return None, ""

    def _press(self) -> tuple[str, str]:
        if self.state != "running":
            return "failed", "domain is not running"
        if self.now >= self.guest.ready_after:
            self.presses += 1
            if self.guest.presses_needed is not None and self.presses >= self.guest.presses_needed:
                self.begin()
        return "ok", ""

    def _agent(self) -> tuple[str | None, str]:
        kind = self.guest.agent
        if kind == "obeys" and self.agent_there and self.state == "running":
            self.begin()
            return "ok", ""
        if kind == "deaf" and self.agent_there:
            self.at(60.0, lambda: self.tell(Done("agent", "no_reply", "")))
            return None, ""
        if kind == "hung" and self.agent_there:
            self.at(5.0, lambda: self.tell(Done("agent", "not_delivered", "")))
            return None, ""
        return "failed" if kind == "refuses" else "not_delivered", "not there"

    def _guest_shutdown(self) -> tuple[str | None, str]:
        kind = self.guest.windows
        if kind == "obeys" and self.state == "running":
            self.begin()
        if kind in ("obeys", "vetoed"):
            return "ok", "Windows has accepted the request"
        answers = {"under_way": "under_way", "refuses": "failed", "unreachable": "not_delivered", "never": None}
        return answers[kind], kind

    def _wake(self) -> tuple[str, str]:
        if self.state == "pmsuspended" and self.guest.wakes:
            self.become("running", "wakeup")
        return "ok", ""

    def _resume(self) -> tuple[str, str]:
        return "ok", ""

    def _thaw(self) -> tuple[str, str]:
        return "ok", "0 file systems"

    def powered_off(self) -> bool:
        """What the acts that end a guest ask at the last moment."""
        return self.state in ("in_shutdown", "shutoff")

    def _save(self) -> tuple[str | None, str]:
        if self.powered_off():
            return "dropped", "the guest has powered off meanwhile"
        if self.guest.save == "never" and self.state == "running":
            self.state, self.reason = "paused", "save"
        if self.guest.save == "ok":
            self.become("shutoff", "saved")
        return (None if self.guest.save == "never" else self.guest.save), "no space left"

    def _abort_save(self) -> tuple[str, str]:
        if self.state == "paused":
            self.become("running", "save_canceled")
        return "ok", ""

    def _evidence(self) -> tuple[str | None, str]:
        return (None if self.guest.evidence == "never" else self.guest.evidence), ""

    def _destroy(self) -> tuple[str | None, str]:
        if self.powered_off():
            return "dropped", "the guest has powered off meanwhile"
        if self.guest.destroy == "ok":
            self.become("shutoff", "destroyed")
        return (None if self.guest.destroy == "never" else self.guest.destroy), ""

    def _destroy_plain(self) -> tuple[str, str]:
        if self.powered_off():
            return "dropped", "the guest has powered off meanwhile"
        self.become("shutoff", "destroyed")
        return "ok", ""

    # ---- the history

    def lose(self) -> None:
        self.tell(ConnectionLost("gone"))
        self.connected = False
        self.at(self.guest.lost_for, self.come_back)

    def come_back(self) -> None:
        self.connected = True
        self.tell(ConnectionBack())

    def run(self) -> History:
        """The whole history."""
        if self.guest.lost_at is not None:
            self.at(self.guest.lost_at, self.lose)
        if self.guest.cancel_at is not None:
            self.at(self.guest.cancel_at, lambda: self.tell(Cancelled("told to stop")))
        if self.guest.alone_at is not None:
            self.at(self.guest.alone_at, lambda: self.tell(ControllerLost("nobody there")))
        for dummy in range(100_000):
            step = decide(self.policy, self.seen, self.now)
            if isinstance(step, End):
                return History(step, self.now, self.asked, self.begun, self.samples, self.seen)
            if isinstance(step, Do):
                self.asked.append((self.now, step, self.seen))
                self.tell(Asked(step.act))
                if step.act == "sample":
                    self.at(0.005, lambda do=step: self.answer(do))  # type: ignore[misc]
                else:
                    self.at(self.guest.queue, lambda do=step: self.begin_act(do))  # type: ignore[misc]
                continue
            assert step.until > self.now, f"waits for a time that has passed: {step} at {self.now}"
            next_world = self.queue[0][0] if self.queue else float("inf")
            if next_world <= step.until:
                self.now, dummy, what = heapq.heappop(self.queue)
                what()
            else:
                self.now = step.until
        raise AssertionError(f"the history does not end: {self.now} {step} {self.asked[-3:]}")
