# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power settings that have to do with a shutdown, and how Windows finds the value of one of them.

Names, GUIDs and meanings of the numbers: winnt.h, Power.admx and Microsoft's pages about the power settings. The order
in which a value is looked for: umpo.dll, decompiled (UmpoReadFromUserPowerKey and UmpoReadFromSystemPowerKey).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bed.windows.snapshot import Snapshot
from bed.windows.typed import read_dword

POWER = r"HKLM\SYSTEM\CurrentControlSet\Control\Power"
SCHEMES_KEY = rf"{POWER}\User\PowerSchemes"
DEFAULTS_KEY = rf"{POWER}\PowerSettings"
POLICY_KEY = r"HKLM\SOFTWARE\Policies\Microsoft\Power\PowerSettings"

BALANCED = "381b4222-f694-41f0-9685-ff5bb260df2e"
HIGH_PERFORMANCE = "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c"
POWER_SAVER = "a1841308-3541-4fab-bc81-f71556f20b4a"
SCHEMES = (BALANCED, HIGH_PERFORMANCE, POWER_SAVER)

BUTTONS = "4f971e89-eebd-4455-a8de-9e59040e7347"
SLEEPING = "238c9fa8-0aad-41ed-83f4-97be242c8f20"
VIDEO = "7516b95f-f776-4464-8c53-06167f40cc99"
NO_SUBGROUP = ""

PERSONALITY = "245d8541-3943-4422-b025-13a784f679b7"
SCHEMES_BY_PERSONALITY = {0: POWER_SAVER, 1: HIGH_PERFORMANCE, 2: BALANCED}

Supply = Literal["AC", "DC"]
SUPPLIES: tuple[Supply, ...] = ("AC", "DC")


class Setting(NamedTuple):
    """One power setting; `alias` is powercfg's name for it. Timeouts are in seconds."""

    alias: str
    subgroup: str
    guid: str


POWER_BUTTON = Setting("PBUTTONACTION", BUTTONS, "7648efa3-dd9c-4e3e-b566-50f929386280")
FORCED_BUTTON = Setting("SHUTDOWN", BUTTONS, "833a6b62-dfa4-46d1-82f8-e09e34d029d6")
SLEEP_BUTTON = Setting("SBUTTONACTION", BUTTONS, "96996bc0-ad50-47ec-923b-6f41874dd9eb")
STANDBY_IDLE = Setting("STANDBYIDLE", SLEEPING, "29f6c1db-86da-48c5-9fdb-f2b67b1f44da")
HIBERNATE_IDLE = Setting("HIBERNATEIDLE", SLEEPING, "9d7815a6-7ee4-497e-8888-515a05f02364")
UNATTENDED_SLEEP = Setting("UNATTENDSLEEP", SLEEPING, "7bc4a2f9-d8fc-4469-b07b-33eb785aaca0")
HYBRID_SLEEP = Setting("HYBRIDSLEEP", SLEEPING, "94ac6d29-73ce-41a6-809f-6363ba21b47e")
ALLOW_STANDBY = Setting("ALLOWSTANDBY", SLEEPING, "abfc2519-3608-4c2a-94ea-171b0ed546ab")
VIDEO_IDLE = Setting("VIDEOIDLE", VIDEO, "3c0bc021-c8a8-4e07-a973-6b14cbcb2b7e")
VIDEO_LOCKED = Setting("VIDEOCONLOCK", VIDEO, "8ec4b3a5-6868-48c2-be75-4f3044be88a7")
SETTINGS = (
    POWER_BUTTON,
    FORCED_BUTTON,
    SLEEP_BUTTON,
    STANDBY_IDLE,
    HIBERNATE_IDLE,
    UNATTENDED_SLEEP,
    HYBRID_SLEEP,
    ALLOW_STANDBY,
    VIDEO_IDLE,
    VIDEO_LOCKED,
)


@dataclass(frozen=True)
class PowerValues:
    """The scheme in force and its values, as they were when it was activated."""

    scheme: str
    indexes: Mapping[tuple[str, Supply], int]

    def index(self, setting: Setting, supply: Supply) -> int:
        """The value in force."""
        return self.indexes[setting.guid, supply]


def in_force(snapshot: Snapshot) -> PowerValues:
    """What holds once the active scheme is activated, as at boot or by powercfg /setactive."""
    scheme = active_scheme(snapshot)
    indexes = {
        (setting.guid, supply): resolve(snapshot, setting, supply, scheme)
        for setting in SETTINGS
        for supply in SUPPLIES
    }
    return PowerValues(scheme, indexes)


def active_scheme(snapshot: Snapshot) -> str:
    """The scheme that a policy names, or the chosen one (Power.admx: CustomActiveSchemeOverride_2)."""
    chosen = snapshot.text(POLICY_KEY, "ActivePowerScheme") or snapshot.text(SCHEMES_KEY, "ActivePowerScheme")
    return (chosen or BALANCED).lower()


def resolve(snapshot: Snapshot, setting: Setting, supply: Supply, scheme: str) -> int:
    """The value of a setting in a scheme: the first that there is. A setting without any is 0."""
    return next((index for index in _candidates(snapshot, setting, supply, scheme) if index is not None), 0)


def scheme_key(scheme: str, setting: Setting) -> str:
    """Where a scheme keeps its own value of a setting."""
    return "\\".join(filter(None, (SCHEMES_KEY, scheme, setting.subgroup, setting.guid)))


def defaults_key(scheme: str, setting: Setting) -> str:
    """Where the value of a setting is that a scheme has unless it has one of its own."""
    path = filter(None, (DEFAULTS_KEY, setting.subgroup, setting.guid, "DefaultPowerSchemeValues", scheme))
    return "\\".join(path)


def policy_key(setting: Setting) -> str:
    """Where a policy overrides a setting in every scheme."""
    return rf"{POLICY_KEY}\{setting.guid}"


def _candidates(snapshot: Snapshot, setting: Setting, supply: Supply, scheme: str) -> Iterator[int | None]:
    name = f"{supply}SettingIndex"
    yield read_dword(snapshot, policy_key(setting), name)
    yield read_dword(snapshot, scheme_key(scheme, setting), name)
    for base in _bases(snapshot, setting, scheme):
        key = defaults_key(base, setting)
        yield read_dword(snapshot, key, f"Override{name}")
        yield read_dword(snapshot, key, f"Prov{supply.capitalize()}SettingIndex")
        yield read_dword(snapshot, key, name)


def _bases(snapshot: Snapshot, setting: Setting, scheme: str) -> Iterator[str]:
    """The scheme whose defaults count: its own, else those of its personality's scheme, else Balanced's."""
    personality = read_dword(snapshot, scheme_key(scheme, Setting("", NO_SUBGROUP, PERSONALITY)), "ACSettingIndex")
    for base in (scheme, SCHEMES_BY_PERSONALITY.get(-1 if personality is None else personality), BALANCED):
        if base and snapshot.exists(defaults_key(base, setting)):
            yield base
            return
