# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""A Windows' starts and stops, put together from events of its logs, and what got in the way. Pure.

Events are known by provider and number, and their data by position or name: nothing here depends on a language.

One time that Windows was up, from a start to the next stop, is an uptime here. What belongs to which is not for the
time alone to say, since a guest's clock may be wrong by hours from its boot until it is set, and not for the order in
the log alone either, since what the kernel says while the event log is not there (12, 13, 41, 109) gets into it later.
So the starts are those of the event log itself (6005), in the order of the log; what services and programs log (1074,
7043) is in that order, too; what tells of a boot (12, 41, 6008) belongs to the start nearest in time; and all else, to
what was logged last before it.
"""

from __future__ import annotations

import bisect
import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _shutdown_codes as codes
from ansible_collections.winguest.shutdown.plugins.module_utils._event_xml import Event, as_number
from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable

EVENT_LOG = "EventLog"
KERNEL_GENERAL = "Microsoft-Windows-Kernel-General"
KERNEL_POWER = "Microsoft-Windows-Kernel-Power"
USER32 = "User32"
SERVICES = "Service Control Manager"
WINSRV = "Microsoft-Windows-Winsrv"


class Query(t.NamedTuple):
    """Events that are asked for together: so many of the newest for each stop, so that none crowd out others."""

    log: str
    provider: str
    ids: tuple[int, ...]
    each: int


QUERIES = (
    Query("System", EVENT_LOG, (6005, 6006, 6008), 3),
    Query("System", KERNEL_GENERAL, (12, 13), 2),
    Query("System", KERNEL_POWER, (41,), 1),
    Query("System", KERNEL_POWER, (109,), 1),
    Query("System", KERNEL_POWER, (42, 107), 10),
    Query("System", USER32, (1073, 1074, 1075), 5),
    Query("System", SERVICES, (7043,), 5),
    Query("Application", WINSRV, (10001, 10002), 5),
)

LONGEST_NAME = 200
MOST_TOLD = 20
"""How many of a kind (applications, services, sleeps) one uptime tells."""

MOST_BLOCKING = 50

_KINDS = {(query.provider, number) for query in QUERIES for number in query.ids}
_START = (EVENT_LOG, 6005)
_BOOT = ((KERNEL_GENERAL, 12), (KERNEL_POWER, 41), (EVENT_LOG, 6008))
_IN_ORDER = (EVENT_LOG, USER32, SERVICES)


@dataclasses.dataclass
class Uptime:
    """One time that Windows was up. `start` is None for one that began before the events that were read."""

    start: Event | None = None
    boot: list[Event] = dataclasses.field(default_factory=list)
    """What its boot has told, also of the stop before it."""
    events: list[Event] = dataclasses.field(default_factory=list)
    """All else, the oldest first."""

    def of(self, provider: str, *ids: int) -> list[Event]:
        """Its events of this provider with these numbers."""
        return [event for event in self.events if event.provider == provider and event.id in ids]

    def booted(self, provider: str, number: int) -> Event | None:
        """What its boot has told."""
        return next((event for event in self.boot if _kind(event) == (provider, number)), None)

    @property
    def asked(self) -> Event | None:
        """The last request to shut down that was not aborted."""
        asked = None
        for event in self.of(USER32, 1074, 1075):
            asked = event if event.id == 1074 else None
        return asked

    @property
    def started(self) -> float | None:
        """When it began."""
        first = self.booted(KERNEL_GENERAL, 12) or self.start
        return first.time if first else None

    @property
    def stopped(self) -> float | None:
        """When it closed its event log or, later, its kernel ended; None where nothing says so."""
        last = [*self.of(EVENT_LOG, 6006), *self.of(KERNEL_GENERAL, 13)]
        return last[-1].time if last else None


def uptimes(events: t.Iterable[Event]) -> list[Uptime]:
    """All of them, the oldest first; the last one has not ended."""
    # One event may have been read more than once.
    known = {(event.log, event.record): event for event in map(_canonical, events) if _kind(event) in _KINDS}
    ordered = sorted(known.values(), key=lambda event: (event.log, event.record))
    starts = [event for event in ordered if _kind(event) == _START]
    found = [Uptime(), *(Uptime(start) for start in starts)]
    records = [start.record for start in starts]
    placed: list[tuple[float, int]] = []
    later: list[Event] = []
    for event in ordered:
        if _kind(event) in _BOOT:
            index = _nearest(starts, event)
            found[index].boot.append(event)
        elif event.provider in _IN_ORDER:
            index = bisect.bisect(records, event.record)
            if _kind(event) != _START:
                found[index].events.append(event)
        else:
            later.append(event)
            continue
        placed.append((event.time, index))
    placed.sort()
    for event in later:
        position = bisect.bisect(placed, (event.time, len(found)))
        found[placed[position - 1][1] if position else 0].events.append(event)
    for uptime in found:
        uptime.events.sort(key=lambda event: event.time)
    return found


def _kind(event: Event) -> tuple[str, int]:
    return event.provider, event.id


def _canonical(event: Event) -> Event:
    """With the name of the provider as it is written here; older versions write User32 in capitals."""
    names = (query.provider for query in QUERIES)
    name = next((name for name in names if name.casefold() == event.provider.casefold()), event.provider)
    return event._replace(provider=name)


def _nearest(starts: t.Sequence[Event], event: Event) -> int:
    """The index of the uptime with the start that is nearest in time; 0 where there is none."""
    if not starts:
        return 0
    return 1 + min(range(len(starts)), key=lambda index: abs(starts[index].time - event.time))


def history(events: t.Iterable[Event], most: int) -> dict[str, t.Any]:
    """The newest stops, the newest first; what has happened since the last start; and what got in the way."""
    found = uptimes(events)
    stops = []
    for uptime, following in zip(found, found[1:]):
        if uptime.start or uptime.events or clean(uptime, following) is not None:
            stops.append((uptime, following))
    stops = stops[-most:][::-1]
    return {
        "stops": [_stop(uptime, following) for uptime, following in stops],
        "current": _told(found[-1]),
        "blocking": _blocking([uptime for uptime, dummy in stops], found[-1]),
    }


def clean(uptime: Uptime, following: Uptime) -> bool | None:
    """Whether it ended in order: the event log was closed, and the next boot has found nothing amiss."""
    if following.booted(KERNEL_POWER, 41) or following.booted(EVENT_LOG, 6008):
        return False
    return True if uptime.of(EVENT_LOG, 6006) else None


def _stop(uptime: Uptime, following: Uptime) -> dict[str, t.Any]:
    unexpected = following.booted(KERNEL_POWER, 41)
    return {
        **_told(uptime),
        "next_start": _time(following.started),
        "clean": clean(uptime, following),
        "stop_error": _stop_error(unexpected),
        "power_button_held": _power_button_held(unexpected),
        "while_sleeping": bool(unexpected and unexpected.number("SleepInProgress")),
        "evidence": list(_evidence(uptime, following)),
    }


def _told(uptime: Uptime) -> dict[str, t.Any]:
    """What is told of an uptime, whether it has ended or not."""
    asked, leaves = uptime.asked, uptime.of(KERNEL_POWER, 109)
    code = as_number(asked.text(4)) if asked else None
    return {
        "start": _time(uptime.started),
        "stop": _time(uptime.stopped),
        "asked_by": _asked_by(asked) if asked else None,
        "reason": None if code is None else codes.reason(code),
        "action": codes.ACTIONS.get(leaves[-1].number("ShutdownActionType") or 0) if leaves else None,
        "kernel_reason": leaves[-1].number("ShutdownReason") if leaves else None,
        "vetoed_by": _names(uptime.of(WINSRV, 10001)),
        "hung": _names(uptime.of(WINSRV, 10002)),
        "late_services": _names(uptime.of(SERVICES, 7043)),
        "failed_requests": _requests(uptime.of(USER32, 1073)),
        "aborted_requests": _requests(uptime.of(USER32, 1075)),
        "sleeps": _sleeps(uptime),
    }


def _asked_by(asked: Event) -> dict[str, t.Any]:
    """The strings of event 1074: program, computer, reason, its code, kind, comment, user."""
    return {
        "time": _time(asked.time),
        "program": _plain(asked.text(1)),
        "user": _plain(asked.text(7)),
        "reason_code": _plain(asked.text(4)),
        "reason_text": _plain(asked.text(3)),
        "kind_text": _plain(asked.text(5)),
        "comment": _plain(asked.text(6)),
    }


def _requests(events: list[Event]) -> list[dict[str, t.Any]]:
    """Requests that came to nothing; their strings are computer, user."""
    return [{"time": _time(event.time), "user": _plain(event.text(2))} for event in events[-MOST_TOLD:]]


def _names(events: list[Event]) -> list[str]:
    """The first string of each, every one once, in their order."""
    return list(dict.fromkeys(_plain(event.text(1)) for event in events))[:MOST_TOLD]


def _sleeps(uptime: Uptime) -> list[dict[str, t.Any]]:
    told: list[dict[str, t.Any]] = []
    for event in uptime.of(KERNEL_POWER, 42, 107):
        if event.id == 42:
            told.append(
                {
                    "time": _time(event.time),
                    "reason": codes.sleep_reason(event.number("Reason")),
                    "state": codes.SLEEP_STATES.get(event.number("TargetState") or 0),
                    "resumed": None,
                }
            )
        elif told and told[-1]["resumed"] is None:
            told[-1]["resumed"] = _time(event.time)
    return told[-MOST_TOLD:]


def _stop_error(unexpected: Event | None) -> str | None:
    code = unexpected.number("BugcheckCode") if unexpected else None
    return f"0x{code:08x}" if code else None


def _power_button_held(unexpected: Event | None) -> bool:
    if unexpected is None:
        return False
    long_press = unexpected.named("LongPowerButtonPressDetected").casefold() == "true"
    return long_press or bool(unexpected.number("PowerButtonTimestamp"))


def _evidence(uptime: Uptime, following: Uptime) -> t.Iterator[str]:
    """What says whether it ended in order."""
    closed = uptime.of(EVENT_LOG, 6006)
    if closed:
        yield f"the event log was closed in order at {_time(closed[-1].time)} (EventLog 6006)"
    unexpected = following.booted(KERNEL_POWER, 41)
    if unexpected:
        error = _stop_error(unexpected)
        how = f"after the stop error {error}" if error else "and no stop error is known"
        yield f"the next boot found that Windows had not been shut down, {how} (Kernel-Power 41)"
        if _power_button_held(unexpected):
            yield "the power button was held until the power went off (Kernel-Power 41)"
        if unexpected.number("SleepInProgress"):
            yield "it was on its way to sleep or back (Kernel-Power 41)"
    if following.booted(EVENT_LOG, 6008):
        yield "the next boot found that the event log had not been closed (EventLog 6008)"


# ---- what got in the way


def _blocking(stopped: list[Uptime], current: Uptime) -> list[str]:
    """Sentences, the newest first, about what held a shutdown up, swallowed it, or made it take longer."""
    told = list(_under_way(current))
    seen: dict[str, list[float]] = {}
    for uptime in (*stopped, current):
        for sentence, event in _obstacles(uptime):
            seen.setdefault(sentence, []).append(event.time)
    for sentence, times in sorted(seen.items(), key=lambda item: max(item[1]), reverse=True):
        often = f"{len(times)} times, last " if len(times) > 1 else ""
        told.append(f"{sentence} ({often}at {_time(max(times))})")
    return told[:MOST_BLOCKING]


def _under_way(current: Uptime) -> t.Iterator[str]:
    asked = current.asked
    if asked and current.stopped is None:
        yield (
            f"a shutdown has not come to its end: {_plain(asked.text(1))} asked for it at {_time(asked.time)}, "
            f"as user {_plain(asked.text(7))}"
        )


_OBSTACLES: dict[tuple[str, int], tuple[str, int, str]] = {
    (WINSRV, 10001): ("the application ", 1, " vetoed a shutdown"),
    (WINSRV, 10002): ("the application ", 1, " hung, and Windows ended it"),
    (SERVICES, 7043): ("the service ", 1, " did not stop in its time"),
    (USER32, 1073): ("an attempt of the user ", 2, " to shut down failed"),
    (USER32, 1075): ("the user ", 2, " aborted a shutdown"),
}
"""What an event says, around one of its strings."""


def _obstacles(uptime: Uptime) -> t.Iterator[tuple[str, Event]]:
    for event in uptime.events:
        kind = _kind(event)
        if kind in _OBSTACLES:
            before, position, after = _OBSTACLES[kind]
            yield f"{before}{_plain(event.text(position))}{after}", event
        elif kind == (KERNEL_POWER, 42):
            reason = event.number("Reason")
            by_button = "by its button or lid, which is no shutdown"
            told = by_button if reason == codes.BUTTON else f"(reason: {codes.sleep_reason(reason)})"
            yield f"the guest went to sleep {told}", event


def _plain(text: str) -> str:
    """In one line, without what could steer a terminal, and not too long."""
    plain = printable(" ".join(text[:LONGEST_NAME].split()))
    return plain if len(text) <= LONGEST_NAME else f"{plain}… ({len(text)} characters)"


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
