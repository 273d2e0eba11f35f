# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the model of the simulated Windows guest decides, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from bed.windows import events, keys, model, power
from bed.windows.blockers import (
    AT_THE_SCREEN,
    BLOCKERS,
    ELSEWHERE,
    OBEDIENT,
    SEVEN,
    Changes,
    in_every_scheme,
    merged,
    with_changes,
)
from bed.windows.model import Decision
from bed.windows.rules import RULES
from bed.windows.situation import FOR_EVER, Application, Phase, Request, Service, Session, Situation, State
from bed.windows.snapshot import Snapshot
from bed.windows.systems import (
    ALICE,
    SERVER_2012_R2,
    SERVER_2016,
    SERVER_2022,
    SIGN_IN_DESKTOP,
    SYSTEMS,
    WINDOWS_10,
    WINDOWS_11,
    System,
    registry,
)
from bed.windows.typed import dword, string

LOCKED = replace(AT_THE_SCREEN, locked=True)
REMOTE = ELSEWHERE
FORCED = Request(forced=True)
NOTHING: Changes = {}
NOBODY = Situation()


def snapshot(system: System = SERVER_2022, *changes: Changes) -> Snapshot:
    """The registry of an obedient guest with these changes."""
    return Snapshot(with_changes(registry(system), merged(OBEDIENT, *changes)))


def stock(system: System) -> Snapshot:
    """The registry of a new system."""
    return Snapshot(registry(system))


def pressed(changes: Changes, situation: Situation = NOBODY, system: System = SERVER_2022) -> Decision:
    """The first press of a guest that has booted like this."""
    now = snapshot(system, changes)
    return model.press(now, model.boot(system, now, replace(situation, takes=0.0)))


def asked(
    changes: Changes, situation: Situation = NOBODY, request: Request = FORCED, system: System = SERVER_2022
) -> Decision:
    """A program's request in a guest that has booted like this."""
    now = snapshot(system, changes)
    return model.request(now, model.boot(system, now, replace(situation, takes=0.0)), request)


def policy(setting: power.Setting, index: int) -> Changes:
    """A policy that overrides a power setting."""
    return {power.policy_key(setting): {f"{supply}SettingIndex": dword(index) for supply in power.SUPPLIES}}


def policies(**values: int) -> Changes:
    """Values of the key that holds most of the machine's own policies."""
    return {keys.SYSTEM_POLICIES: {name: dword(value) for name, value in values.items()}}


def reasons(key: str, on: int | None, ui: int | None) -> Changes:
    """The two values of the Shutdown Event Tracker; None: absent."""
    values = {"ShutdownReasonOn": on, "ShutdownReasonUI": ui}
    return {key: {name: None if value is None else dword(value) for name, value in values.items()}}


def runs(*applications: Application, locked: bool = False) -> Situation:
    """Alice at the screen with these applications."""
    return Situation(sessions=(replace(AT_THE_SCREEN, applications=applications, locked=locked),))


def alices(**texts: str) -> Changes:
    """Values of Alice's desktop."""
    return {keys.desktop(ALICE.sid): {name: string(text) for name, text in texts.items()}}


NO_TRACKER_POLICY = reasons(keys.RELIABILITY_POLICY, None, None)
DIALOG = keys.WARNING_DIALOG
TIMEOUT = "ShutdownWarningDialogTimeout"
VETO, HUNG = Application("editor.exe", "veto"), Application("hung.exe", "hang")
QUIET = Application("daemon.exe", "hang", window=False)
UPDATES: Changes = {keys.SERVICING_MARKERS[0]: {}}


class Press(NamedTuple):
    """A first press, and what must become of it."""

    changes: Changes
    situation: Situation
    word: str
    rule: str
    delay: float = 0.0
    write: float = 0.0
    system: System = SERVER_2022


PRESSES = {
    "obeys": Press(NOTHING, NOBODY, "obey", "off"),
    # The button.
    "button 0": Press(in_every_scheme(power.POWER_BUTTON, 0), NOBODY, "ignore", "button_nothing"),
    "button 1": Press(in_every_scheme(power.POWER_BUTTON, 1), NOBODY, "sleep", "button_sleep"),
    "button 2": Press(
        in_every_scheme(power.POWER_BUTTON, 2), NOBODY, "hibernate", "button_hibernate", system=WINDOWS_10
    ),
    "button 4": Press(in_every_scheme(power.POWER_BUTTON, 4), NOBODY, "ignore", "button_display"),
    "policy 0": Press(policy(power.POWER_BUTTON, 0), NOBODY, "ignore", "button_nothing"),
    "policy 3 over 0": Press(
        merged(in_every_scheme(power.POWER_BUTTON, 0), policy(power.POWER_BUTTON, 3)), NOBODY, "obey", "off"
    ),
    "sleep forbidden": Press(
        merged(in_every_scheme(power.POWER_BUTTON, 1), in_every_scheme(power.ALLOW_STANDBY, 0)),
        NOBODY,
        "ignore",
        "standby_forbidden",
    ),
    "hibernation off": Press(
        merged(in_every_scheme(power.POWER_BUTTON, 2), {power.POWER: {"HibernateEnabled": dword(0)}}),
        NOBODY,
        "ignore",
        "hibernation_off",
    ),
    "hibernation off by default": Press(
        merged(
            in_every_scheme(power.POWER_BUTTON, 2),
            {power.POWER: {"HibernateEnabled": None, "HibernateEnabledDefault": dword(0)}},
        ),
        NOBODY,
        "ignore",
        "hibernation_off",
    ),
    "setup": Press({keys.SETUP: {"SystemSetupInProgress": dword(1)}}, NOBODY, "ignore", "setup"),
    "first run": Press({keys.SETUP: {"OOBEInProgress": dword(1)}}, NOBODY, "ignore", "setup"),
    # The display.
    "display off": Press(in_every_scheme(power.VIDEO_IDLE, 600), Situation(idle=600), "ignore", "display_off"),
    "display on yet": Press(in_every_scheme(power.VIDEO_IDLE, 600), Situation(idle=599), "obey", "off"),
    "display off when locked": Press(
        in_every_scheme(power.VIDEO_LOCKED, 60), Situation(sessions=(LOCKED,), idle=60), "ignore", "display_off"
    ),
    "display off with nobody there": Press(
        in_every_scheme(power.VIDEO_LOCKED, 60), Situation(idle=60), "ignore", "display_off"
    ),
    "display on unless locked": Press(
        in_every_scheme(power.VIDEO_LOCKED, 60), Situation(sessions=(AT_THE_SCREEN,), idle=6000), "obey", "off"
    ),
    "locked by itself, then dark": Press(
        merged(in_every_scheme(power.VIDEO_LOCKED, 60), policies(InactivityTimeoutSecs=900)),
        Situation(sessions=(AT_THE_SCREEN,), idle=960),
        "ignore",
        "display_off",
    ),
    "locked by itself, not dark yet": Press(
        merged(in_every_scheme(power.VIDEO_LOCKED, 60), policies(InactivityTimeoutSecs=900)),
        Situation(sessions=(AT_THE_SCREEN,), idle=959),
        "obey",
        "off",
        delay=0.001,  # the box for a locked session
    ),
    "always on": Press(NOTHING, Situation(sessions=(LOCKED,), idle=1e9), "obey", "off", delay=0.001),
    # Without logon.
    "without logon 0": Press(policies(ShutdownWithoutLogon=0), NOBODY, "ignore", "without_logon"),
    "without logon 0, locked": Press(
        policies(ShutdownWithoutLogon=0), Situation(sessions=(LOCKED,)), "ignore", "without_logon"
    ),
    "without logon 0, signed in": Press(
        policies(ShutdownWithoutLogon=0), Situation(sessions=(AT_THE_SCREEN,)), "obey", "off"
    ),
    "without logon absent, server": Press(
        {keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": None}}, NOBODY, "ignore", "without_logon"
    ),
    "without logon absent, client": Press(
        {keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": None}}, NOBODY, "obey", "off", system=WINDOWS_11
    ),
    "without logon of the wrong type": Press(
        {keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": string("1")}}, NOBODY, "ignore", "without_logon"
    ),
    "without logon of the days of GINA": Press(
        {
            keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": dword(0)},
            rf"{keys.WINDOWS_NT}\Winlogon": {"ShutdownWithoutLogon": string("1")},
        },
        NOBODY,
        "ignore",
        "without_logon",
    ),
    # The box about other users.
    "box for ever": Press({DIALOG: {TIMEOUT: None}}, Situation(sessions=(REMOTE,)), "ignore", "other_users"),
    "box for ever by number": Press(
        {DIALOG: {TIMEOUT: dword(0xFFFFFFFF)}}, Situation(sessions=(AT_THE_SCREEN, REMOTE)), "ignore", "other_users"
    ),
    "box for a locked session": Press(
        {DIALOG: {TIMEOUT: None}}, Situation(sessions=(LOCKED,)), "ignore", "other_users"
    ),
    "box for milliseconds": Press(
        {DIALOG: {TIMEOUT: dword(60000)}}, Situation(sessions=(AT_THE_SCREEN, REMOTE)), "obey", "off", delay=60
    ),
    "no box": Press({DIALOG: {TIMEOUT: None}}, Situation(sessions=(AT_THE_SCREEN,)), "obey", "off"),
    "no box with nobody": Press({DIALOG: {TIMEOUT: None}}, NOBODY, "obey", "off"),
    # The Shutdown Event Tracker is a table of its own; this is where it stands in the order.
    "tracker asks nobody": Press(reasons(keys.RELIABILITY_POLICY, 1, 1), NOBODY, "obey", "off"),
    "tracker": Press(
        reasons(keys.RELIABILITY_POLICY, 1, 1), Situation(sessions=(AT_THE_SCREEN,)), "ignore", "event_tracker"
    ),
    # Applications.
    "veto": Press(alices(AutoEndTasks="0"), runs(VETO), "hang", "application"),
    "veto, AutoEndTasks absent": Press(
        {keys.desktop(ALICE.sid): {"AutoEndTasks": None}}, runs(VETO), "hang", "application"
    ),
    "veto, AutoEndTasks of the wrong type": Press(
        {keys.desktop(ALICE.sid): {"AutoEndTasks": dword(1)}}, runs(VETO), "hang", "application"
    ),
    "veto, ended": Press(NOTHING, runs(VETO), "obey", "off"),
    "hung": Press(alices(AutoEndTasks="0"), runs(HUNG), "hang", "application"),
    "hung, ended": Press(NOTHING, runs(HUNG), "obey", "off", delay=5),
    "hung, ended late": Press(alices(HungAppTimeout="600000"), runs(HUNG), "obey", "off", delay=600),
    "hung, ended soon": Press(alices(HungAppTimeout="2000"), runs(HUNG, HUNG), "obey", "off", delay=4),
    "windowless": Press(alices(AutoEndTasks="0"), runs(QUIET), "obey", "off", delay=5),
    "windowless, killed late": Press(alices(WaitToKillTimeout="300000"), runs(QUIET), "obey", "off", delay=300),
    "windowless, Vista's name": Press(alices(WaitToKillAppTimeout="300000"), runs(QUIET), "obey", "off", delay=5),
    "windowless, blocking allowed": Press(
        merged(alices(AutoEndTasks="0"), {keys.BLOCKING_POLICY: {"AllowBlockingAppsAtShutdown": dword(1)}}),
        runs(QUIET),
        "hang",
        "application",
    ),
    "forced button": Press(
        merged(alices(AutoEndTasks="0"), in_every_scheme(power.FORCED_BUTTON, 1)), runs(VETO, HUNG), "obey", "off"
    ),
    "forced button and no logon": Press(
        merged(policies(ShutdownWithoutLogon=0), in_every_scheme(power.FORCED_BUTTON, 1)),
        NOBODY,
        "ignore",
        "without_logon",
    ),
    "at the sign-in desktop": Press(
        {keys.desktop(SIGN_IN_DESKTOP): {"AutoEndTasks": string("0")}},
        Situation(sessions=(Session("", SIGN_IN_DESKTOP, applications=(HUNG,)),)),
        "hang",
        "application",
    ),
    "at the sign-in desktop, ended": Press(
        NOTHING, Situation(sessions=(Session("", SIGN_IN_DESKTOP, applications=(HUNG,)),)), "obey", "off", delay=5
    ),
    "a menu without shut down": Press(
        {rf"HKU\{ALICE.sid}\Software\Microsoft\Windows\CurrentVersion\Policies\Explorer": {"NoClose": dword(1)}},
        Situation(sessions=(AT_THE_SCREEN,)),
        "obey",
        "off",
    ),
    # Sessions and scripts.
    "hung session, server": Press(
        NOTHING, Situation(sessions=(replace(AT_THE_SCREEN, hung=True),)), "obey", "off", delay=900
    ),
    "hung session, client": Press(
        NOTHING, Situation(sessions=(replace(AT_THE_SCREEN, hung=True),)), "obey", "off", delay=180, system=WINDOWS_10
    ),
    "hung session, mended": Press(
        policies(ShutdownSessionTimeout=1),
        Situation(sessions=(replace(AT_THE_SCREEN, hung=True),)),
        "obey",
        "off",
        delay=60,
    ),
    "scripts": Press(NOTHING, Situation(scripts=FOR_EVER), "obey", "off", delay=600),
    "scripts for ever": Press(policies(MaxGPOScriptWait=0), Situation(scripts=FOR_EVER), "hang", "scripts"),
    "scripts, no limit, but they end": Press(
        policies(MaxGPOScriptWait=0), Situation(scripts=30), "obey", "off", delay=30
    ),
    "scripts, mended": Press(policies(MaxGPOScriptWait=120), Situation(scripts=FOR_EVER), "obey", "off", delay=120),
    # Services.
    "preshutdown": Press(NOTHING, Situation(services=(Service("a"), Service("b", 4))), "obey", "off", delay=14),
    "preshutdown before 15063": Press(
        NOTHING, Situation(services=(Service("a"),)), "obey", "off", delay=180, system=SERVER_2016
    ),
    "preshutdown of its own": Press(
        {rf"{keys.SERVICES}\a": {"PreshutdownTimeout": dword(120000)}},
        Situation(services=(Service("a"),)),
        "obey",
        "off",
        delay=120,
    ),
    "Windows Update": Press(NOTHING, Situation(services=(Service("wuauserv"),)), "obey", "off", delay=57600),
    "services": Press(
        NOTHING,
        Situation(services=(Service("a", preshutdown=False), Service("b", 3, preshutdown=False))),
        "obey",
        "off",
        delay=20,
    ),
    "services, Exchange's time": Press(
        {keys.CONTROL: {"WaitToKillServiceTimeout": string("600000")}},
        Situation(services=(Service("a", preshutdown=False),)),
        "obey",
        "off",
        delay=600,
    ),
    "services, wrong type": Press(
        {keys.CONTROL: {"WaitToKillServiceTimeout": dword(600000)}},
        Situation(services=(Service("a", preshutdown=False),)),
        "obey",
        "off",
        delay=20,
    ),
    # The end.
    "servicing pending": Press(UPDATES, Situation(servicing=300), "update", "off", write=300),
    "servicing in progress": Press(
        {keys.SERVICING_MARKERS[1]: {}}, Situation(servicing=300), "update", "off", write=300
    ),
    "packages pending": Press({keys.SERVICING_MARKERS[2]: {}}, Situation(servicing=300), "update", "off", write=300),
    "servicing runs": Press(NOTHING, Situation(servicing=300, servicing_runs=True), "update", "off", write=300),
    "servicing stuck": Press(
        UPDATES, Situation(servicing=300, servicing_stuck=True), "update", "off", write=150, delay=900
    ),
    "servicing cut off": Press(
        merged(UPDATES, {rf"{keys.SERVICES}\TrustedInstaller": {"PreshutdownTimeout": dword(10000)}}),
        Situation(servicing=300),
        "update",
        "off",
        write=10,
    ),
    "renames wait for the boot": Press(
        {
            rf"{keys.CONTROL}\Session Manager": {
                "PendingFileRenameOperations": string("x"),
                "PendingFileRenameOperations2": string("x"),
            }
        },
        Situation(servicing=300),
        "obey",
        "off",
    ),
    "page file": Press(
        {keys.MEMORY_MANAGEMENT: {"ClearPageFileAtShutdown": dword(1)}}, NOBODY, "update", "off", write=1800
    ),
    "page file kept": Press({keys.MEMORY_MANAGEMENT: {"ClearPageFileAtShutdown": None}}, NOBODY, "obey", "off"),
    "damaged": Press(NOTHING, Situation(damaged=True), "hang", "damaged"),
    "damaged while updating": Press(UPDATES, Situation(damaged=True), "update-hang", "damaged", write=600),
    "power stays on for programs only": Press(
        {keys.SHUTDOWN_POLICY: {"DontPowerOffAfterShutdown": dword(1)}}, NOBODY, "obey", "off"
    ),
    "all waits add up": Press(
        merged(UPDATES, {DIALOG: {TIMEOUT: dword(2000)}}),
        Situation(
            sessions=(replace(AT_THE_SCREEN, applications=(HUNG,)), REMOTE),
            services=(Service("a"),),
            servicing=30,
            scripts=7,
        ),
        "update",
        "off",
        delay=2 + 5 + 7 + 10,
        write=30,
    ),
}


@pytest.mark.parametrize("name", PRESSES)
def test_a_press(name: str) -> None:
    changes, situation, word, rule, delay, write, system = PRESSES[name]
    decision = pressed(changes, situation, system)
    assert (decision.word, decision.rule) == (word, rule), decision.reason
    assert (decision.delay, decision.write) == pytest.approx((delay, write))
    assert decision.reason
    assert decision.source


@pytest.mark.parametrize("key", [keys.RELIABILITY_POLICY, keys.RELIABILITY])
@pytest.mark.parametrize(
    ("on", "ui", "servers", "clients"),
    [
        (None, None, True, False),
        (None, 0, False, False),
        (None, 1, True, True),
        (None, 2, False, True),
        (None, 3, True, False),
        (1, None, True, True),
        (1, 0, False, False),
        (1, 2, False, True),
        (0, None, False, False),
        (0, 0, False, False),
        (0, 1, True, True),  # one reader looks at ShutdownReasonUI alone
    ],
)
def test_whom_the_event_tracker_asks(key: str, on: int | None, ui: int | None, servers: bool, clients: bool) -> None:
    changes = merged(NO_TRACKER_POLICY, reasons(key, on, ui))
    for system, asks in ((SERVER_2022, servers), (SERVER_2012_R2, servers), (WINDOWS_11, clients)):
        decision = pressed(changes, Situation(sessions=(AT_THE_SCREEN,)), system)
        assert decision.rule == ("event_tracker" if asks else "off"), system.name


def test_the_tracker_s_policy_beats_the_local_key() -> None:
    situation = Situation(sessions=(AT_THE_SCREEN,))
    assert pressed(reasons(keys.RELIABILITY, 1, 1), situation).rule == "off"
    assert (
        pressed(merged(reasons(keys.RELIABILITY_POLICY, 1, 1), reasons(keys.RELIABILITY, 0, 0)), situation).rule
        == "event_tracker"
    )


def in_scheme(scheme: str, setting: power.Setting, **values: int | None) -> Changes:
    """Values of a power setting in one scheme; None: absent."""
    return {
        power.scheme_key(scheme, setting): {
            name: None if value is None else dword(value) for name, value in values.items()
        }
    }


def defaults(scheme: str, setting: power.Setting, **values: int) -> Changes:
    """Default values of a power setting for one scheme."""
    return {power.defaults_key(scheme, setting): {name: dword(value) for name, value in values.items()}}


OWN = "11111111-2222-3333-4444-555555555555"
BUTTON = power.POWER_BUTTON
NO_SCHEME_VALUE = in_scheme(power.BALANCED, BUTTON, ACSettingIndex=None, DCSettingIndex=None)
ACTIVE_OWN: Changes = {power.SCHEMES_KEY: {"ActivePowerScheme": string(OWN)}, rf"{power.SCHEMES_KEY}\{OWN}": {}}
PERSONALITY = power.Setting("PERSONALITY", power.NO_SUBGROUP, power.PERSONALITY)


@pytest.mark.parametrize(
    ("changes", "index"),
    [
        (in_scheme(power.BALANCED, BUTTON, ACSettingIndex=2), 2),
        (in_scheme(power.BALANCED, BUTTON, DCSettingIndex=2), 3),
        (in_scheme(power.HIGH_PERFORMANCE, BUTTON, ACSettingIndex=2), 3),
        (NO_SCHEME_VALUE, 1),
        (merged(NO_SCHEME_VALUE, defaults(power.BALANCED, BUTTON, ProvAcSettingIndex=2)), 2),
        (
            merged(
                NO_SCHEME_VALUE,
                defaults(power.BALANCED, BUTTON, ProvAcSettingIndex=2),
                defaults(power.BALANCED, BUTTON, OverrideACSettingIndex=4),
            ),
            4,
        ),
        (merged(NO_SCHEME_VALUE, defaults(power.BALANCED, BUTTON, OverrideDCSettingIndex=4)), 1),
        (policy(BUTTON, 0), 0),
        (merged(NO_SCHEME_VALUE, policy(BUTTON, 2)), 2),
        (ACTIVE_OWN, 1),
        (merged(ACTIVE_OWN, defaults(power.POWER_SAVER, BUTTON, ACSettingIndex=2)), 1),
        (
            merged(
                ACTIVE_OWN,
                in_scheme(OWN, PERSONALITY, ACSettingIndex=0),
                defaults(power.POWER_SAVER, BUTTON, ACSettingIndex=2),
            ),
            2,
        ),
        (merged(ACTIVE_OWN, defaults(OWN, BUTTON, ACSettingIndex=4)), 4),
        (
            {
                power.POLICY_KEY: {"ActivePowerScheme": string(power.POWER_SAVER)},
                **in_scheme(power.POWER_SAVER, BUTTON, ACSettingIndex=2),
            },
            2,
        ),
        ({power.SCHEMES_KEY: {"ActivePowerScheme": None}}, 3),
        ({power.scheme_key(power.BALANCED, BUTTON): {"ACSettingIndex": string("0")}}, 1),
    ],
)
def test_where_a_power_value_is_found(changes: Changes, index: int) -> None:
    # The default of a client is 1, and an obedient guest's own value 3.
    now = snapshot(WINDOWS_10, changes)
    assert power.in_force(now).index(BUTTON, "AC") == index


def test_a_setting_without_any_value_is_0() -> None:
    assert power.in_force(Snapshot({})).index(power.ALLOW_STANDBY, "DC") == 0


def test_on_battery_the_other_value_counts() -> None:
    changes = in_scheme(power.BALANCED, BUTTON, DCSettingIndex=0)
    assert pressed(changes).word == "obey"
    assert pressed(changes, Situation(supply="DC")).rule == "button_nothing"


def test_a_power_value_counts_from_its_activation() -> None:
    wrong, right = snapshot(SERVER_2022, in_every_scheme(BUTTON, 0)), snapshot()
    state = model.boot(SERVER_2022, wrong)
    assert model.press(right, state).rule == "button_nothing"
    assert model.press(right, model.activate_power_scheme(right, state)).rule == "off"
    state = model.boot(SERVER_2022, right)
    assert model.press(wrong, state).rule == "off"
    assert model.press(wrong, model.activate_power_scheme(wrong, state)).rule == "button_nothing"


def test_another_scheme_counts_once_it_is_the_active_one() -> None:
    changes = in_scheme(power.HIGH_PERFORMANCE, BUTTON, ACSettingIndex=0)
    state = pressed(changes).state
    assert state.power.scheme == power.BALANCED
    switched = snapshot(
        SERVER_2022, changes, {power.SCHEMES_KEY: {"ActivePowerScheme": string(power.HIGH_PERFORMANCE.upper())}}
    )
    state = model.activate_power_scheme(switched, model.boot(SERVER_2022, snapshot(SERVER_2022, changes)))
    assert model.press(switched, state).rule == "button_nothing"


def test_what_is_read_at_boot_counts_from_the_next_one() -> None:
    situation = Situation(services=(Service("a"), Service("b", preshutdown=False)), takes=0.0)
    before, after = (
        snapshot(),
        snapshot(
            SERVER_2022,
            {
                rf"{keys.SERVICES}\a": {"PreshutdownTimeout": dword(1000)},
                keys.CONTROL: {"WaitToKillServiceTimeout": string("2000")},
            },
        ),
    )
    assert model.press(after, model.boot(SERVER_2022, before, situation)).delay == 10 + 20
    assert model.press(after, model.boot(SERVER_2022, after, situation)).delay == 1 + 2


def test_what_a_session_reads_counts_from_the_next_sign_in() -> None:
    wrong, right = snapshot(SERVER_2022, alices(AutoEndTasks="0")), snapshot()
    state = model.boot(SERVER_2022, wrong, runs(VETO))
    assert model.press(right, state).rule == "application"
    again = model.sign_in(right, model.sign_out(state, ALICE.user), state.sessions[0])
    assert model.press(right, again).rule == "off"
    assert model.press(right, model.sign_out(state, ALICE.user)).rule == "off"


def test_a_dark_display_needs_two_presses() -> None:
    now = snapshot(SERVER_2022, in_every_scheme(power.VIDEO_IDLE, 600))
    first = model.press(now, model.boot(SERVER_2022, now, Situation(idle=700)))
    assert first.rule == "display_off"
    second = model.press(now, first.state)
    assert second.rule == "off"


def test_a_dark_display_stays_dark_when_its_timeout_goes() -> None:
    wrong, right = snapshot(SERVER_2022, in_every_scheme(power.VIDEO_IDLE, 600)), snapshot()
    state = model.activate_power_scheme(right, model.boot(SERVER_2022, wrong, Situation(idle=700)))
    first = model.press(right, state)
    assert first.rule == "display_off"
    assert model.left_alone(right, first.state, 1e6).state.display_on


def test_button_4_makes_the_display_dark() -> None:
    now = snapshot(SERVER_2022, in_every_scheme(BUTTON, 4))
    decision = model.press(now, model.boot(SERVER_2022, now))
    assert not decision.state.display_on
    assert model.press(now, decision.state).rule == "display_off"


@pytest.mark.parametrize(
    ("changes", "situation", "phase"),
    [
        ({DIALOG: {TIMEOUT: None}}, Situation(sessions=(REMOTE,)), Phase.BOX),
        (reasons(keys.RELIABILITY_POLICY, 1, 1), Situation(sessions=(AT_THE_SCREEN,)), Phase.BOX),
        (alices(AutoEndTasks="0"), runs(VETO), Phase.LEAVING),
        (UPDATES, NOBODY, Phase.LEAVING),
        (NOTHING, Situation(damaged=True), Phase.LEAVING),
    ],
)
def test_the_next_press_is_lost(changes: Changes, situation: Situation, phase: Phase) -> None:
    first = pressed(changes, situation)
    assert first.state.phase is phase
    second = model.press(snapshot(), first.state)
    assert (second.word, second.rule) == ("ignore", "busy")
    assert second.state == first.state


# Requests of programs.


@pytest.mark.parametrize("name", sorted(set(PRESSES) - {"obeys"}))
def test_a_forced_request_needs_no_button_no_logon_and_no_box(name: str) -> None:
    case = PRESSES[name]
    decision = asked(case.changes, case.situation, system=case.system)
    rules = {"off", "scripts", "damaged", "no_power_off"}
    assert decision.error == 0
    assert decision.rule in rules, decision.reason
    assert decision.state.phase is Phase.LEAVING


@pytest.mark.parametrize("sessions", [(AT_THE_SCREEN,), (LOCKED,), (REMOTE,)])
def test_an_unforced_request_fails_while_others_are_signed_in(sessions: tuple[Session, ...]) -> None:
    decision = asked(NOTHING, Situation(sessions=sessions), Request())
    assert (decision.word, decision.rule, decision.error) == ("", "users_signed_in", 1191)
    assert decision.state.phase is Phase.UP
    assert [event.id for event in decision.events] == [1073]
    assert asked(NOTHING, Situation(sessions=sessions), Request(forced=True)).word == "obey"
    assert asked(NOTHING, NOBODY, Request()).word == "obey"


def test_a_request_while_a_shutdown_hangs_fails() -> None:
    first = pressed(alices(AutoEndTasks="0"), runs(VETO))
    decision = model.request(snapshot(), first.state, FORCED)
    assert (decision.word, decision.rule, decision.error) == ("", "in_progress", 1115)
    assert decision.state == first.state


def test_a_request_while_a_box_waits_works() -> None:
    first = pressed({DIALOG: {TIMEOUT: None}}, Situation(sessions=(REMOTE,)))
    assert model.request(snapshot(), first.state, FORCED).word == "obey"


def test_an_unforced_request_asks_the_applications() -> None:
    situation = Situation(sessions=(Session("", SIGN_IN_DESKTOP, applications=(VETO,)),))
    changes: Changes = {keys.desktop(SIGN_IN_DESKTOP): {"AutoEndTasks": None}}
    decision = asked(changes, situation, Request())
    assert (decision.word, decision.rule, decision.error) == ("hang", "application", 0)
    assert model.request(snapshot(), decision.state, FORCED).error == 1115


def test_a_timer() -> None:
    now = snapshot()
    state = model.boot(SERVER_2022, now, runs(VETO))
    decision = model.request(now, state, Request(seconds=30))
    assert (decision.word, decision.rule, decision.error) == ("", "timer", 0)
    assert model.request(now, decision.state, FORCED).error == 1190
    assert model.press(now, decision.state).rule == "busy"
    after = model.timer_ran_out(now, decision.state)
    assert after.word == "obey"  # /f is implied
    assert after.steps[0].rule == "forced"
    with pytest.raises(ValueError, match="No shutdown is scheduled"):
        model.timer_ran_out(now, after.state)


def test_a_timer_that_was_left_is_aborted() -> None:
    now = snapshot()
    state = model.boot(SERVER_2022, now, Situation(scheduled=315360000))
    assert model.request(now, state, FORCED).error == 1190
    aborted = model.abort(state)
    assert (aborted.rule, aborted.error, [event.id for event in aborted.events]) == ("aborted", 0, [1075])
    assert model.request(now, aborted.state, FORCED).word == "obey"
    assert model.abort(aborted.state).error == 1116
    assert model.abort(model.press(now, aborted.state).state).error == 1116


def test_power_that_stays_on() -> None:
    changes: Changes = {keys.SHUTDOWN_POLICY: {"DontPowerOffAfterShutdown": dword(1)}}
    decision = asked(changes)
    assert (decision.word, decision.rule) == ("hang", "no_power_off")
    assert asked(merged(changes, UPDATES)).word == "update-hang"
    assert asked(changes, request=Request(restart=True)).word == "reboot"
    assert asked({keys.SHUTDOWN_POLICY: {"DontPowerOffAfterShutdown": dword(0)}}).word == "obey"


@pytest.mark.parametrize(
    ("local", "forced", "hibernates", "hybrid"),
    [
        (1, None, 1, True),
        (0, None, 1, False),
        (None, None, 1, False),
        (0, 1, 1, True),
        (1, 0, 1, True),  # a policy does not turn it off
        (1, None, 0, False),
    ],
)
def test_fast_startup(local: int | None, forced: int | None, hibernates: int, hybrid: bool) -> None:
    changes: Changes = {
        keys.FAST_STARTUP: {"HiberbootEnabled": None if local is None else dword(local)},
        keys.FAST_STARTUP_POLICY: {"HiberbootEnabled": None if forced is None else dword(forced)},
        power.POWER: {"HibernateEnabled": dword(hibernates)},
    }
    decision = pressed(changes, system=WINDOWS_11)
    assert (decision.word, decision.rule, decision.hybrid) == ("obey", "off", hybrid)
    assert not pressed(changes).hybrid
    assert not asked(changes, system=WINDOWS_11).hybrid
    assert asked(changes, request=Request(hybrid=True), system=WINDOWS_11).hybrid is hybrid
    assert not asked(changes, request=Request(hybrid=True, restart=True), system=WINDOWS_11).hybrid


def test_after_a_hybrid_shutdown_services_have_not_read_anew() -> None:
    before, after = snapshot(), snapshot(SERVER_2022, {rf"{keys.SERVICES}\a": {"PreshutdownTimeout": dword(1000)}})
    state = model.boot(SERVER_2022, after, Situation(services=(Service("a"),), takes=0.0), kept=before)
    assert model.press(after, state).delay == 10


def test_a_restart_takes_its_time() -> None:
    decision = asked(UPDATES, Situation(servicing=30, services=(Service("a"),)), Request(forced=True, restart=True))
    assert (decision.word, decision.delay, decision.write) == ("reboot", 40, 0)


# Time without anybody.


@pytest.mark.parametrize(
    ("changes", "seconds", "word", "rule"),
    [
        (in_every_scheme(power.STANDBY_IDLE, 1800), 1800, "sleep", "standby_idle"),
        (in_every_scheme(power.STANDBY_IDLE, 1800), 1799, "", "awake"),
        (NOTHING, 1e9, "", "awake"),
        (in_every_scheme(power.HIBERNATE_IDLE, 3600), 3600, "hibernate", "hibernate_idle"),
        (in_every_scheme(power.UNATTENDED_SLEEP, 120), 1e9, "", "awake"),
        (
            merged(in_every_scheme(power.STANDBY_IDLE, 1800), in_every_scheme(power.ALLOW_STANDBY, 0)),
            1e9,
            "",
            "standby_forbidden",
        ),
        (
            merged(in_every_scheme(power.HIBERNATE_IDLE, 60), {power.POWER: {"HibernateEnabled": dword(0)}}),
            60,
            "",
            "hibernation_off",
        ),
        (policy(power.STANDBY_IDLE, 60), 60, "sleep", "standby_idle"),
    ],
)
def test_left_alone(changes: Changes, seconds: float, word: str, rule: str) -> None:
    now = snapshot(SERVER_2022, changes)
    decision = model.left_alone(now, model.boot(SERVER_2022, now), seconds)
    assert (decision.word, decision.rule) == (word, rule)


def test_time_adds_up_until_somebody_touches_it() -> None:
    now = snapshot(SERVER_2022, in_every_scheme(power.STANDBY_IDLE, 1800))
    state = model.left_alone(now, model.boot(SERVER_2022, now), 1000).state
    assert model.left_alone(now, state, 800).word == "sleep"
    state = model.lock(model.sign_in(now, state, AT_THE_SCREEN))
    assert state.console
    assert state.console.locked
    assert model.left_alone(now, state, 1000).word == ""


def test_it_sleeps_again_soon_after_the_host_has_woken_it() -> None:
    now = snapshot(SERVER_2022, in_every_scheme(power.UNATTENDED_SLEEP, 120), in_every_scheme(BUTTON, 1))
    asleep = model.press(now, model.boot(SERVER_2022, now))
    assert asleep.state.phase is Phase.ASLEEP
    assert model.left_alone(now, asleep.state, 1e6).word == ""
    awake = model.woken(asleep.state)
    assert (awake.phase, awake.display_on) == (Phase.UP, True)
    assert model.left_alone(now, awake, 119).word == ""
    assert model.left_alone(now, awake, 120).word == "sleep"
    used = model.press(now, awake).state
    assert model.left_alone(snapshot(), replace(used, phase=Phase.UP), 120).word == ""


# The guest as it comes, the scenarios, and how a decision is told.


@pytest.mark.parametrize(
    ("system", "rule"),
    [
        (SERVER_2012_R2, "without_logon"),
        (SERVER_2016, "without_logon"),
        (SERVER_2022, "without_logon"),
        (WINDOWS_10, "button_sleep"),
        (WINDOWS_11, "button_sleep"),
    ],
)
def test_a_new_system_does_not_obey(system: System, rule: str) -> None:
    now = stock(system)
    assert model.press(now, model.boot(system, now)).rule == rule


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_says_what_it_is(system: System) -> None:
    now = stock(system)
    assert now.text(rf"{keys.CONTROL}\ProductOptions", "ProductType") == ("ServerNT" if system.server else "WinNT")
    assert now.text(keys.WINDOWS_NT, "CurrentBuildNumber") == str(system.build)
    assert now.subkeys(power.SCHEMES_KEY) == sorted(power.SCHEMES)
    assert power.in_force(now).scheme == power.BALANCED
    assert now.number(keys.SYSTEM_POLICIES, "ShutdownWithoutLogon") == (0 if system.server else 1)
    assert now.exists(rf"{keys.SERVICES}\UsoSvc") == (system.build > 9600)
    assert {ALICE.sid, "S-1-5-18"} < set(now.subkeys(keys.PROFILES))


BEFORE = {
    "updates": ["off"],
    "event_tracker": ["event_tracker", "busy"],
    "logon": ["without_logon", "without_logon"],
    "applications": ["application", "busy"],
    "power_button": ["button_nothing", "button_nothing"],
    "sleep": ["display_off", "off"],
    "damage": ["damaged", "busy"],
    "all": ["display_off", "button_nothing"],
}
AFTER = {"updates": "update", "damage": "hang", "all": "update-hang"}


@pytest.mark.parametrize("system", [SERVER_2022, SERVER_2012_R2, WINDOWS_11])
@pytest.mark.parametrize("name", BLOCKERS)
def test_each_scenario_blocks_until_it_is_mended(name: str, system: System) -> None:
    blocker = BLOCKERS[name]
    wrong = Snapshot(with_changes(registry(system), blocker.registry))
    state = model.boot(system, wrong, blocker.situation)
    for rule in BEFORE[name]:
        decision = model.press(wrong, state)
        assert decision.rule == rule
        state = decision.state
    # Mended, with the next boot and nobody touching it since.
    markers: Changes = {key: {} for key in blocker.wrong if key in keys.SERVICING_MARKERS}
    right = Snapshot(with_changes(registry(system), merged(OBEDIENT, markers)))
    state = model.boot(system, right, replace(blocker.situation, idle=1e6))
    assert model.press(right, state).word == AFTER.get(name, "obey")


def test_a_shutdown_takes_its_time() -> None:
    now = snapshot()
    decision = model.press(now, model.boot(SERVER_2022, now, Situation(takes=30)))
    assert decision.words(time_scale=60) == "press=obey delay=500"


def test_updates_are_written_and_not_torn() -> None:
    blocker = SEVEN["updates"]
    decision = pressed(blocker.wrong, blocker.situation)
    assert (decision.word, decision.write, decision.torn, decision.state.serviced) == ("update", 600, False, True)
    assert pressed(NOTHING).state.serviced is False


@pytest.mark.parametrize("name", ["servicing stuck", "servicing cut off"])
def test_updates_are_torn(name: str) -> None:
    case = PRESSES[name]
    assert pressed(case.changes, case.situation).torn


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("obeys", "press=obey"),
        ("button 1", "press=sleep"),
        ("button 2", "press=hibernate"),
        ("veto", "press=hang"),
        ("box for milliseconds", "press=obey delay=1000"),
        ("servicing stuck", "press=update delay=15000 write=2500"),
        ("damaged while updating", "press=update-hang write=10000"),
    ],
)
def test_the_words_for_the_acpi_guest(name: str, words: str) -> None:
    case = PRESSES[name]
    assert pressed(case.changes, case.situation, case.system).words(time_scale=60) == words


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("obeys", [1074]),
        ("button 0", []),
        ("button 1", [42]),
        ("box for ever", []),
        ("veto", [1074, 10001]),
        ("hung", [1074]),
        ("hung, ended", [1074, 10002]),
        ("windowless", [1074, 10002]),
        ("preshutdown", [1074, 7043]),
        ("servicing cut off", [1074, 7043]),
    ],
)
def test_what_windows_logs(name: str, ids: list[int]) -> None:
    case = PRESSES[name]
    assert [event.id for event in pressed(case.changes, case.situation, case.system).events] == ids


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_damaged_system_logs_is_in_logs_that_it_has(system: System) -> None:
    damage = events.damage(system)
    assert {event.log for event in damage} <= set(events.logs(system))
    assert (events.DEFENDER_LOG in events.logs(system)) == any(event.id == 1119 for event in damage)


def test_who_asked_is_logged() -> None:
    (event,) = pressed(NOTHING).events
    assert dict(event.data)["param1"].endswith("winlogon.exe")
    (event,) = asked(NOTHING, request=Request(forced=True, comment="moving house")).events
    assert dict(event.data)["param1"].endswith("shutdown.exe")
    assert dict(event.data)["param6"] == "moving house"


@pytest.mark.parametrize(("name", "up"), [("veto", True), ("scripts for ever", True), ("damaged", False)])
def test_whether_services_survive_a_hang(name: str, up: bool) -> None:
    case = PRESSES[name]
    assert pressed(case.changes, case.situation).services_up is up


def test_every_rule_decides_somewhere() -> None:
    """A rule that no case reaches is either not tested or not in the model."""
    decisions = [pressed(case.changes, case.situation, case.system) for case in PRESSES.values()]
    used = {decision.rule for decision in decisions} | {step.rule for one in decisions for step in one.steps}
    elsewhere = {
        *("busy", "scheduled", "in_progress", "users_signed_in", "timer", "aborted", "nothing_to_abort"),
        *("fast_startup", "no_power_off", "standby_idle", "hibernate_idle", "awake"),
    }
    assert used | elsewhere == set(RULES)
    assert not used & elsewhere


def test_a_state_is_not_changed() -> None:
    now = snapshot(SERVER_2022, in_every_scheme(power.VIDEO_IDLE, 600))
    state: State = model.boot(SERVER_2022, now, Situation(idle=700))
    before = replace(state)
    model.press(now, state)
    model.left_alone(now, state, 1e6)
    assert state == before
