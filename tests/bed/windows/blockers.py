# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The seven scenarios in which a guest does not obey, as a registry and a situation that bring each about.

Each is a guest that would obey but for the one scenario; `ALL` is a guest with all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bed.windows import keys, power
from bed.windows.situation import FOR_EVER, NOTHING_SPECIAL, Application, Service, Session, Situation
from bed.windows.snapshot import Value
from bed.windows.systems import ADMINISTRATOR, ALICE, BJOERN, NEW_USER, SIGN_IN_DESKTOP, USERS, Registry
from bed.windows.typed import dword, string

Changes = Mapping[str, Mapping[str, Value | None]]
"""Key -> name of a value -> the value; None: there is no such value. HKU\\<sid> also for users whose hive is a file."""


@dataclass(frozen=True)
class Blocker:
    """One scenario: what is wrong in the registry of a guest that is OBEDIENT otherwise, and what goes on in it."""

    wrong: Changes
    situation: Situation = NOTHING_SPECIAL

    @property
    def registry(self) -> Changes:
        """All that it changes in a new system's registry."""
        return merged(OBEDIENT, self.wrong)


def merged(*all_changes: Changes) -> dict[str, dict[str, Value | None]]:
    """All changes in one; what comes later wins."""
    result: dict[str, dict[str, Value | None]] = {}
    for changes in all_changes:
        for key, values in changes.items():
            result.setdefault(key, {}).update(values)
    return result


def with_changes(registry: Registry, changes: Changes) -> dict[str, dict[str, Value]]:
    """The registry after the changes."""
    both = merged(registry, changes)
    return {key: {name: value for name, value in values.items() if value is not None} for key, values in both.items()}


def in_every_scheme(setting: power.Setting, index: int) -> Registry:
    """A power setting in all schemes, for both supplies."""
    values = {f"{supply}SettingIndex": dword(index) for supply in power.SUPPLIES}
    return {power.scheme_key(scheme, setting): values for scheme in power.SCHEMES}


def for_every_user(name: str, value: Value) -> Registry:
    """A value of the desktop in the hive of every user and of new ones, and in that of the sign-in desktop."""
    users = (ADMINISTRATOR, *USERS, NEW_USER)
    return {keys.desktop(sid): {name: value} for sid in (SIGN_IN_DESKTOP, *(user.sid for user in users))}


_NEVER = (power.STANDBY_IDLE, power.HIBERNATE_IDLE, power.UNATTENDED_SLEEP, power.VIDEO_IDLE, power.VIDEO_LOCKED)

OBEDIENT: Changes = merged(
    in_every_scheme(power.POWER_BUTTON, 3),
    *(in_every_scheme(setting, 0) for setting in _NEVER),
    for_every_user("AutoEndTasks", string("1")),
    {
        keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": dword(1)},
        keys.WARNING_DIALOG: {"ShutdownWarningDialogTimeout": dword(1)},
        keys.FAST_STARTUP: {"HiberbootEnabled": dword(0)},
        keys.RELIABILITY_POLICY: {"ShutdownReasonOn": dword(0), "ShutdownReasonUI": dword(0)},
    },
)
"""What makes a guest obey a press, whoever is signed in."""

AT_THE_SCREEN = Session(ALICE.user, ALICE.sid)
ELSEWHERE = Session(BJOERN.user, BJOERN.sid, console=False)
BUSY = replace(
    AT_THE_SCREEN,
    applications=(Application("editor.exe", "veto"), Application("console.exe", "hang", window=False)),
)
HUNG_SERVICE = Service("HungService", FOR_EVER)

SEVEN: Mapping[str, Blocker] = {
    "updates": Blocker({keys.SERVICING_MARKERS[0]: {}}, Situation(servicing=600)),
    "event_tracker": Blocker(
        {keys.RELIABILITY_POLICY: {"ShutdownReasonOn": dword(1), "ShutdownReasonUI": dword(1)}},
        Situation(sessions=(AT_THE_SCREEN,)),
    ),
    "logon": Blocker(
        {
            keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": dword(0)},
            keys.WARNING_DIALOG: {"ShutdownWarningDialogTimeout": None},
        },
        Situation(sessions=(ELSEWHERE,)),
    ),
    "applications": Blocker(
        {
            **for_every_user("AutoEndTasks", string("0")),
            keys.BLOCKING_POLICY: {"AllowBlockingAppsAtShutdown": dword(1)},
        },
        Situation(sessions=(BUSY,), services=(HUNG_SERVICE,)),
    ),
    "power_button": Blocker(in_every_scheme(power.POWER_BUTTON, 0)),
    "sleep": Blocker(
        merged(
            in_every_scheme(power.STANDBY_IDLE, 1800),
            in_every_scheme(power.UNATTENDED_SLEEP, 120),
            in_every_scheme(power.VIDEO_IDLE, 600),
            in_every_scheme(power.VIDEO_LOCKED, 60),
        ),
        Situation(idle=900),
    ),
    "damage": Blocker({}, Situation(damaged=True)),
}

BLOCKERS: Mapping[str, Blocker] = {
    **SEVEN,
    "all": Blocker(
        merged(*(blocker.wrong for blocker in SEVEN.values())),
        Situation(sessions=(BUSY, ELSEWHERE), services=(HUNG_SERVICE,), idle=900, servicing=600, damaged=True),
    ),
}
"""The scenarios of the analysis, 1 to 7, and all of them at once.

For "sleep" the display is off from the start, and the guest sleeps as soon as it is left alone for 900 s more. What
"applications" needs takes effect at the next sign-in.
"""
