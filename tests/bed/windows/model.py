# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Windows would do with a press of the power button, a program's request, and time without anybody.

Pure functions from what the registry holds now and the guest's state to a decision, which has the state that follows.
Nothing here has been compared with a running Windows: the rules are those of RULES, each with its source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from bed.windows import events as log
from bed.windows import keys, power
from bed.windows.course import Manner, Step, hibernation_on, read_desktop, steps
from bed.windows.events import Event
from bed.windows.rules import RULES
from bed.windows.situation import FOR_EVER, NOTHING_SPECIAL, Phase, Request, Session, Situation, State
from bed.windows.snapshot import Snapshot
from bed.windows.systems import SIGN_IN_DESKTOP, System
from bed.windows.typed import read_dword

ERROR_SHUTDOWN_IN_PROGRESS = 1115
ERROR_NO_SHUTDOWN_IN_PROGRESS = 1116
ERROR_SHUTDOWN_IS_SCHEDULED = 1190
ERROR_SHUTDOWN_USERS_LOGGED_ON = 1191

INFINITE = 0xFFFFFFFF
WINLOGON = r"C:\Windows\system32\winlogon.exe"
SYSTEM_ACCOUNT = r"NT AUTHORITY\SYSTEM"

Word = Literal["", "obey", "ignore", "hang", "update", "update-hang", "sleep", "hibernate", "reboot"]
"""What the ACPI guest is told to do; "" is nothing at all."""


@dataclass(frozen=True)
class Decision:
    """What becomes of a press or a request.

    `rule` is the one of RULES that decided, `reason` says it of this guest, `steps` are all waits of a shutdown that
    has begun. `delay` and `write` (to the disk, before the delay) are Windows' seconds. `error` is what a program's
    request returns. `services_up`: if it never ends, WinRM still answers.
    """

    word: Word
    rule: str
    reason: str
    state: State
    delay: float = 0.0
    write: float = 0.0
    error: int = 0
    events: tuple[Event, ...] = ()
    steps: tuple[Step, ...] = ()
    services_up: bool = False
    torn: bool = False

    @property
    def hybrid(self) -> bool:
        """Whether the next start is no boot."""
        return any(step.rule == "fast_startup" for step in self.steps)

    @property
    def source(self) -> str:
        """Where the rule comes from."""
        return RULES[self.rule].source

    def words(self, time_scale: float) -> str:
        """The decision as an answer to the ACPI guest; one of its seconds is so many of Windows'."""
        words = [f"press={self.word}"]
        for name, seconds in (("delay", self.delay), ("write", self.write)):
            if seconds:
                words.append(f"{name}={round(seconds * 1000 / time_scale)}")
        return " ".join(words)


class _Wait(NamedTuple):
    """How long a box on the screen waits."""

    rule: str
    reason: str
    seconds: float


def boot(system: System, now: Snapshot, situation: Situation = NOTHING_SPECIAL, kept: Snapshot | None = None) -> State:
    """The state of a guest that has just started; if it is idle long enough to sleep, `left_alone` says so.

    `kept`: after a hybrid shutdown, what the kernel and the services that it has kept read at their boot.
    """
    sessions = situation.sessions
    state = State(
        system=system,
        situation=situation,
        booted=kept or now,
        power=power.in_force(now),
        desktops={sid: read_desktop(now, sid) for sid in [SIGN_IN_DESKTOP, *(session.sid for session in sessions)]},
        sessions=sessions,
        phase=Phase.UP if situation.scheduled is None else Phase.SCHEDULED,
        request=None if situation.scheduled is None else Request(forced=True, seconds=situation.scheduled),
    )
    return _aged(now, state, situation.idle)


def activate_power_scheme(now: Snapshot, state: State) -> State:
    """The active scheme with the values it has now is in force, as after powercfg /setactive."""
    return replace(state, power=power.in_force(now))


def sign_in(now: Snapshot, state: State, session: Session) -> State:
    """A session begins, or begins anew; it touches the machine."""
    desktops = {**state.desktops, session.sid: read_desktop(now, session.sid)}
    others = tuple(other for other in state.sessions if other.sid != session.sid)
    return _touched(replace(state, sessions=(*others, session), desktops=desktops))


def sign_out(state: State, user: str) -> State:
    """The user's session ends; it touches the machine."""
    return _touched(replace(state, sessions=tuple(session for session in state.sessions if session.user != user)))


def lock(state: State, locked: bool = True) -> State:
    """The session at the screen is locked, or unlocked, by whoever touches the machine."""
    return _touched(_locked(state, locked))


def press(now: Snapshot, state: State) -> Decision:
    """What a press of the power button does."""
    if state.phase not in (Phase.UP, Phase.ASLEEP):
        return Decision("ignore", "busy", state.phase.value, state)
    if not state.display_on:
        return Decision("ignore", "display_off", "the press turns the display on", _touched(state))
    if any(read_dword(now, keys.SETUP, name) for name in ("SystemSetupInProgress", "OOBEInProgress", "SetupType")):
        return Decision("ignore", "setup", "Windows is being set up", state)
    state = _touched(state)
    action = _power(state, power.POWER_BUTTON)
    where = f"PBUTTONACTION ({state.situation.supply}) is {action}"
    if action == 0:
        return Decision("ignore", "button_nothing", where, state)
    if action == 1:
        return _fall_asleep(state, "button_sleep", where)
    if action == 2:
        return _hibernate(now, state, "button_hibernate", where)
    if action == 4:
        return Decision("ignore", "button_display", where, replace(state, display_on=False))
    return _press_to_shut_down(now, state)


def request(now: Snapshot, state: State, asked: Request) -> Decision:
    """What a program's request to shut down does; the caller is no user who is signed in."""
    failed = (log.shutdown_failed(SYSTEM_ACCOUNT),)
    if state.phase is Phase.SCHEDULED:
        reason = "another shutdown is scheduled"
        return Decision("", "scheduled", reason, state, error=ERROR_SHUTDOWN_IS_SCHEDULED, events=failed)
    if state.phase is Phase.LEAVING:
        return Decision("", "in_progress", state.phase.value, state, error=ERROR_SHUTDOWN_IN_PROGRESS, events=failed)
    # shutdown.exe implies /f with a timer.
    asked = asked._replace(forced=asked.forced or asked.seconds > 0)
    if state.signed_in and not asked.forced:
        reason = f"signed in: {', '.join(session.user for session in state.signed_in)}"
        return Decision("", "users_signed_in", reason, state, error=ERROR_SHUTDOWN_USERS_LOGGED_ON, events=failed)
    code = log.PLANNED
    event = log.shutdown_asked(asked.program, code, asked.restart, asked.comment, SYSTEM_ACCOUNT)
    if asked.seconds:
        after = replace(state, phase=Phase.SCHEDULED, request=asked)
        return Decision("", "timer", f"in {asked.seconds:g} s", after, events=(event,))
    return _shut_down(now, replace(state, request=asked), Manner(asked.forced, by_program=True), (event,))


def timer_ran_out(now: Snapshot, state: State) -> Decision:
    """What a scheduled shutdown does when its time has come."""
    if state.phase is not Phase.SCHEDULED:
        raise ValueError(f"No shutdown is scheduled: {state.phase.value}.")
    return _shut_down(now, state, Manner(forced=True, by_program=True), ())


def abort(state: State) -> Decision:
    """What a request to abort a shutdown does."""
    if state.phase is not Phase.SCHEDULED:
        reason = state.phase.value
        return Decision("", "nothing_to_abort", reason, state, error=ERROR_NO_SHUTDOWN_IN_PROGRESS)
    after = replace(state, phase=Phase.UP, request=None)
    return Decision("", "aborted", "the timer ran", after, events=(log.shutdown_aborted(SYSTEM_ACCOUNT),))


def left_alone(now: Snapshot, state: State, seconds: float) -> Decision:
    """What comes of nobody touching the machine for so long, on top of the time before."""
    if state.phase is Phase.ASLEEP:
        return Decision("", "awake", "it sleeps already", state)
    state = _aged(now, state, seconds)
    if _due(state, power.STANDBY_IDLE) or (state.woken_unattended and _due(state, power.UNATTENDED_SLEEP)):
        return _fall_asleep(state, "standby_idle", f"idle for {state.idle:g} s")
    if _due(state, power.HIBERNATE_IDLE):
        return _hibernate(now, state, "hibernate_idle", f"idle for {state.idle:g} s")
    return Decision("", "awake", f"idle for {state.idle:g} s, display {'on' if state.display_on else 'off'}", state)


def woken(state: State) -> State:
    """The host has woken the guest, or it could not sleep. Taken: the display is on."""
    return replace(_touched(state), phase=Phase.UP, woken_unattended=True)


def _power(state: State, setting: power.Setting) -> int:
    return state.power.index(setting, state.situation.supply)


def _touched(state: State) -> State:
    return replace(state, display_on=True, idle=0.0, idle_when_locked=0.0, woken_unattended=False)


def _locked(state: State, locked: bool) -> State:
    sessions = tuple(replace(one, locked=locked) if one == state.console else one for one in state.sessions)
    return replace(state, sessions=sessions)


def _aged(now: Snapshot, state: State, seconds: float) -> State:
    state = _locked_by_itself(now, replace(state, idle=state.idle + seconds))
    return replace(state, display_on=state.display_on and not _display_due(state))


def _locked_by_itself(now: Snapshot, state: State) -> State:
    limit = read_dword(now, keys.SYSTEM_POLICIES, "InactivityTimeoutSecs")
    if limit and state.idle >= limit and state.console and not state.console.locked:
        return replace(_locked(state, True), idle_when_locked=float(limit))
    return state


def _display_due(state: State) -> bool:
    locked = state.console is None or state.console.locked
    limit = _power(state, power.VIDEO_LOCKED)
    return _due(state, power.VIDEO_IDLE) or (locked and 0 < limit <= state.idle - state.idle_when_locked)


def _due(state: State, setting: power.Setting) -> bool:
    return 0 < _power(state, setting) <= state.idle


def _fall_asleep(state: State, rule: str, reason: str) -> Decision:
    if not _power(state, power.ALLOW_STANDBY):
        return Decision(_nothing(rule), "standby_forbidden", f"{reason}, ALLOWSTANDBY is 0", state)
    event = log.falls_asleep(button=rule == "button_sleep", hibernates=False)
    after = replace(state, phase=Phase.ASLEEP, display_on=False)
    return Decision("sleep", rule, reason, after, events=(event,))


def _hibernate(now: Snapshot, state: State, rule: str, reason: str) -> Decision:
    if not hibernation_on(now):
        return Decision(_nothing(rule), "hibernation_off", f"{reason}, hibernation is off", state)
    event = log.falls_asleep(button=rule == "button_hibernate", hibernates=True)
    return Decision("hibernate", rule, reason, replace(state, phase=Phase.ASLEEP), events=(event,))


def _nothing(rule: str) -> Word:
    """A press must be answered; what happens by itself need not."""
    return "ignore" if rule.startswith("button") else ""


def _press_to_shut_down(now: Snapshot, state: State) -> Decision:
    if _screen_locked(state) and not _allowed_without_logon(now, state):
        reason = "nobody is signed in at the screen" if state.console is None else "the session at the screen is locked"
        return Decision("ignore", "without_logon", f"{reason}, ShutdownWithoutLogon does not allow it", state)
    waits = [wait for wait in (_warning_box(now, state), _event_tracker(now, state)) if wait]
    for wait in waits:
        if wait.seconds == FOR_EVER:
            return Decision("ignore", wait.rule, wait.reason, replace(state, phase=Phase.BOX))
    forced = _power(state, power.FORCED_BUTTON) == 1
    event = log.shutdown_asked(WINLOGON, log.BUTTON_REASON, False, "", SYSTEM_ACCOUNT)
    before = tuple(Step(wait.rule, wait.reason, wait.seconds) for wait in waits)
    return _shut_down(now, state, Manner(forced, by_program=False), (event,), before)


def _screen_locked(state: State) -> bool:
    return state.console is None or state.console.locked


def _allowed_without_logon(now: Snapshot, state: State) -> bool:
    allowed = read_dword(now, keys.SYSTEM_POLICIES, "ShutdownWithoutLogon")
    return not state.system.server if allowed is None else allowed == 1


def _warning_box(now: Snapshot, state: State) -> _Wait | None:
    others = [one.user for one in state.signed_in if one != state.console or one.locked]
    if not others:
        return None
    timeout = read_dword(now, keys.WARNING_DIALOG, "ShutdownWarningDialogTimeout")
    for_ever = timeout is None or timeout == INFINITE
    reason = f"a box warns of {', '.join(others)}, {'without an end' if for_ever else f'{timeout} ms'}"
    return _Wait("other_users", reason, FOR_EVER if for_ever else (timeout or 0) / 1000)


def _event_tracker(now: Snapshot, state: State) -> _Wait | None:
    if _screen_locked(state) or not _asks_for_a_reason(now, state.system):
        return None
    return _Wait("event_tracker", "a box asks for a reason, without an end", FOR_EVER)


def _asks_for_a_reason(now: Snapshot, system: System) -> bool:
    for key in (keys.RELIABILITY_POLICY, keys.RELIABILITY):
        whom = read_dword(now, key, "ShutdownReasonUI")
        if whom is not None:
            return whom == 1 or whom == (3 if system.server else 2)
        on = read_dword(now, key, "ShutdownReasonOn")
        if on is not None:
            return on != 0
    return system.server


def _shut_down(
    now: Snapshot, state: State, manner: Manner, events: tuple[Event, ...], before: tuple[Step, ...] = ()
) -> Decision:
    taken = [*before]
    for step in steps(now, state, manner):
        taken.append(step)
        if step.seconds == FOR_EVER:
            break
    last = taken[-1]
    ends = last.seconds != FOR_EVER
    write, delay = sum(step.writing for step in taken), sum(step.seconds for step in taken if step.seconds != FOR_EVER)
    word: Word = ("update" if write else "obey") if ends else ("update-hang" if write else "hang")
    if ends and state.request and state.request.restart:
        # The ACPI guest has no word for updating and then restarting.
        word, delay, write = "reboot", delay + write, 0.0
    waits = [f"{step.reason} ({step.seconds + step.writing:g} s)" for step in taken[:-1]]
    return Decision(
        word,
        last.rule,
        "; ".join([*waits, last.reason]),
        replace(state, phase=Phase.LEAVING, serviced=any(step.rule == "servicing" for step in taken)),
        delay=delay if ends else 0.0,
        write=write,
        events=(*events, *(event for step in taken for event in step.events)),
        steps=tuple(taken),
        services_up=last.services_up,
        torn=any(step.torn for step in taken),
    )
