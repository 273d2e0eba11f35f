# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The course of a shutdown that has begun: what it waits for, step by step, up to the first wait without an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bed.windows import keys, power
from bed.windows.events import Event, application_ended, application_vetoed, preshutdown_late
from bed.windows.situation import FOR_EVER, Application, Desktop, Session, State
from bed.windows.snapshot import Snapshot
from bed.windows.typed import read_decimal, read_dword

PRESHUTDOWN_SHORTENED = 15063
DEFAULT_PRESHUTDOWN = 10.0
OLD_DEFAULT_PRESHUTDOWN = 180.0
DEFAULT_SERVICES = 20.0
DEFAULT_APPLICATION = 5.0
DEFAULT_SCRIPTS = 600.0
HUNG_SESSION_MINUTES = {False: 3, True: 15}
SERVICING_PATIENCE = 900.0
PAGE_FILE_SECONDS_PER_MIB = 1800.0 / 2048


class Manner(NamedTuple):
    """How it was begun: by the button or by a program's request, and whether applications are asked."""

    forced: bool
    by_program: bool


@dataclass(frozen=True)
class Step:
    """One wait of a shutdown. `seconds` and `writing` (to the disk) may be FOR_EVER.

    `services_up`: services still run, WinRM among them. `torn`: work on updates was cut off.
    """

    rule: str
    reason: str
    seconds: float = 0.0
    writing: float = 0.0
    services_up: bool = False
    torn: bool = False
    events: tuple[Event, ...] = ()


def steps(now: Snapshot, state: State, manner: Manner) -> Iterator[Step]:
    """What the shutdown waits for, in order."""
    yield from _applications(now, state, manner)
    yield from _scripts(now, state)
    yield from _hung_sessions(now, state)
    yield from _services(state)
    yield from _servicing(now, state)
    yield from _page_file(now, state)
    yield from _end(now, state, manner)


def read_desktop(snapshot: Snapshot, sid: str) -> Desktop:
    """The limits for the applications of a session that begins now."""
    key = keys.desktop(sid)
    return Desktop(
        read_decimal(snapshot, key, "AutoEndTasks") == 1,
        _milliseconds(read_decimal(snapshot, key, "HungAppTimeout"), DEFAULT_APPLICATION),
        _milliseconds(read_decimal(snapshot, key, "WaitToKillTimeout"), DEFAULT_APPLICATION),
    )


def servicing_due(now: Snapshot, state: State) -> bool:
    """Whether a shutdown would work on updates."""
    return state.situation.servicing_runs or any(now.exists(marker) for marker in keys.SERVICING_MARKERS)


def _applications(now: Snapshot, state: State, manner: Manner) -> Iterator[Step]:
    applications = [(session, one) for session in state.sessions for one in session.applications]
    if manner.forced:
        if applications:
            names = ", ".join(one.name for dummy_session, one in applications)
            yield Step("forced", f"{names}: ended without being asked")
        return
    blocking_allowed = read_dword(now, keys.BLOCKING_POLICY, "AllowBlockingAppsAtShutdown") == 1
    for session, one in applications:
        yield _application(session, one, state.desktops[session.sid], blocking_allowed)


def _application(session: Session, one: Application, desktop: Desktop, blocking_allowed: bool) -> Step:
    does = "vetoes" if one.does == "veto" else "hangs"
    whose = f"of {session.user}" if session.user else "of the sign-in desktop"
    if not one.window and not blocking_allowed:
        reason = f"{one.name} {whose} has no window and {does}: killed"
        return Step("windowless", reason, desktop.killed_after, events=(application_ended(one.name),))
    if desktop.end_tasks:
        wait = desktop.hung_after if one.does == "hang" else 0.0
        reason = f"{one.name} {whose} {does}: ended, AutoEndTasks was 1 at the sign-in"
        return Step("application", reason, wait, events=(application_ended(one.name),))
    reason = f"{one.name} {whose} {does}: the screen that says so waits for ever"
    events = (application_vetoed(one.name),) if one.does == "veto" else ()
    return Step("application", reason, FOR_EVER, services_up=True, events=events)


def _scripts(now: Snapshot, state: State) -> Iterator[Step]:
    if not state.situation.scripts:
        return
    limit = read_dword(now, keys.SYSTEM_POLICIES, "MaxGPOScriptWait")
    seconds = DEFAULT_SCRIPTS if limit is None else limit or FOR_EVER
    yield Step("scripts", "scripts run", min(state.situation.scripts, seconds), services_up=True)


def _hung_sessions(now: Snapshot, state: State) -> Iterator[Step]:
    hung = [session for session in state.sessions if session.hung]
    if hung:
        minutes = read_dword(now, keys.SYSTEM_POLICIES, "ShutdownSessionTimeout")
        minutes = HUNG_SESSION_MINUTES[state.system.server] if minutes is None else minutes
        names = ", ".join(session.user for session in hung)
        yield Step("hung_session", f"hung sessions: {names}", minutes * 60.0, services_up=True)


def _services(state: State) -> Iterator[Step]:
    for service in state.situation.services:
        if service.preshutdown:
            limit = _preshutdown(state, service.name)
            late = (preshutdown_late(service.name),) if service.seconds > limit else ()
            yield Step("preshutdown", f"the service {service.name} stops", min(service.seconds, limit), events=late)
    others = [service for service in state.situation.services if not service.preshutdown]
    if others:
        limit = _milliseconds(read_decimal(state.booted, keys.CONTROL, "WaitToKillServiceTimeout"), DEFAULT_SERVICES)
        names = ", ".join(service.name for service in others)
        seconds = min(limit, max(service.seconds for service in others))
        yield Step("service", f"services stop: {names}", seconds)


def _preshutdown(state: State, service: str) -> float:
    old = state.system.build < PRESHUTDOWN_SHORTENED
    milliseconds = read_dword(state.booted, rf"{keys.SERVICES}\{service}", "PreshutdownTimeout")
    return _milliseconds(milliseconds, OLD_DEFAULT_PRESHUTDOWN if old else DEFAULT_PRESHUTDOWN)


def _servicing(now: Snapshot, state: State) -> Iterator[Step]:
    if not servicing_due(now, state):
        return
    limit = _preshutdown(state, "TrustedInstaller")
    work = state.situation.servicing / (2 if state.situation.servicing_stuck else 1)
    stuck = SERVICING_PATIENCE if state.situation.servicing_stuck else 0.0
    late = work + stuck > limit
    yield Step(
        "servicing",
        f"works on updates{', gets stuck' if stuck else ''}{', is cut off' if late else ''}",
        min(stuck, max(0.0, limit - work)),
        min(work, limit),
        torn=late or bool(stuck),
        events=(preshutdown_late("TrustedInstaller"),) if late else (),
    )


def _page_file(now: Snapshot, state: State) -> Iterator[Step]:
    if read_dword(now, keys.MEMORY_MANAGEMENT, "ClearPageFileAtShutdown") == 1:
        size = state.situation.page_file_mib
        yield Step("page_file", f"a page file of {size} MiB is overwritten", writing=size * PAGE_FILE_SECONDS_PER_MIB)


def _end(now: Snapshot, state: State, manner: Manner) -> Iterator[Step]:
    if state.situation.damaged:
        yield Step("damaged", "the system is damaged, nothing more happens", FOR_EVER)
    restarts = state.request is not None and state.request.restart
    if manner.by_program and not restarts and read_dword(now, keys.SHUTDOWN_POLICY, "DontPowerOffAfterShutdown") == 1:
        yield Step("no_power_off", "it is safe to turn the computer off, which nobody does", FOR_EVER)
    if not restarts and _fast_startup(now, state, manner):
        yield Step("fast_startup", "the kernel is kept for the next start")
    yield Step("off", "off", state.situation.takes)


def _fast_startup(now: Snapshot, state: State, manner: Manner) -> bool:
    if state.system.server or (manner.by_program and not (state.request and state.request.hybrid)):
        return False
    local = read_dword(now, keys.FAST_STARTUP, "HiberbootEnabled")
    forced = read_dword(now, keys.FAST_STARTUP_POLICY, "HiberbootEnabled")
    return hibernation_on(now) and bool(local or forced)


def hibernation_on(now: Snapshot) -> bool:
    """Whether the system can hibernate; absent, the kernel's default counts."""
    enabled = read_dword(now, power.POWER, "HibernateEnabled")
    return (read_dword(now, power.POWER, "HibernateEnabledDefault") if enabled is None else enabled) != 0


def _milliseconds(value: int | None, default: float) -> float:
    return default if value is None else value / 1000
