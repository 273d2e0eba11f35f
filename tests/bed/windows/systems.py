# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions of Windows that the simulated guest can play, and the registry that each starts with.

A registry is a mapping: key -> name of a value -> Value. It holds what tells the versions apart and what has to do with
a shutdown, with the defaults that have a source; a value without one says so, or is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bed.windows import power
from bed.windows.keys import (
    CONTROL,
    FAST_STARTUP,
    MEMORY_MANAGEMENT,
    NETWORK,
    PROFILES,
    SERVICES,
    SESSION_MANAGER,
    SETUP,
    SYSTEM_POLICIES,
    WINDOWS_NT,
    desktop,
)
from bed.windows.snapshot import Value
from bed.windows.typed import dword, expandable, string, strings

Registry = Mapping[str, Mapping[str, Value]]
Language = Literal["en-US", "de-DE"]


@dataclass(frozen=True)
class System:
    """One version of Windows; `language` is that of what it prints."""

    name: str
    build: int
    server: bool
    edition: str
    version: str = "6.3"
    language: Language = "en-US"


SERVER_2012_R2 = System("Windows Server 2012 R2 Standard", 9600, True, "ServerStandard")
SERVER_2016 = System("Windows Server 2016 Standard", 14393, True, "ServerStandard")
SERVER_2022 = System("Windows Server 2022 Standard", 20348, True, "ServerStandard")
WINDOWS_10 = System("Windows 10 Pro", 19045, False, "Professional")
WINDOWS_11 = System("Windows 11 Pro", 22631, False, "Professional")
SYSTEMS = (SERVER_2012_R2, SERVER_2016, SERVER_2022, WINDOWS_10, WINDOWS_11)


COMPUTER = "WINGUEST"


class Profile(NamedTuple):
    """A user of the guest. `loaded`: the hive is in HKU from the start, and not only the file NTUSER.DAT."""

    user: str
    sid: str
    folder: str
    loaded: bool = False


ADMINISTRATOR = Profile("Administrator", "S-1-5-21-0-0-0-1000", r"C:\Users\Administrator", loaded=True)
"""Who signs in by WinRM; Wine has its hive in HKU from the start to the end, and gives it this sid."""

ALICE = Profile("alice", "S-1-5-21-1004336348-1177238915-682003330-1001", r"C:\Users\alice", loaded=True)
BJOERN = Profile("Björn Åkesson", "S-1-5-21-1004336348-1177238915-682003330-1002", r"C:\Users\Björn Åkesson")
USERS = (ALICE, BJOERN)
NEW_USER = Profile("Default", "Default", r"C:\Users\Default")
"""The profile from which that of a new user is made. It has no sid; the word stands for one in HKU\\<sid>."""

SIGN_IN_DESKTOP = ".DEFAULT"
"""The hive in HKU of the desktop at which nobody is signed in."""

SERVICE_ACCOUNTS = {
    "S-1-5-18": r"%systemroot%\system32\config\systemprofile",
    "S-1-5-19": r"%systemroot%\ServiceProfiles\LocalService",
    "S-1-5-20": r"%systemroot%\ServiceProfiles\NetworkService",
}

# Milliseconds: a published default export of wuauserv's key, event 7043 seen for UsoSvc, Microsoft's KB2827854 for
# TrustedInstaller, and one published export for gpsvc.
PRESHUTDOWN_TIMEOUTS = {"wuauserv": 57_600_000, "UsoSvc": 57_600_000, "TrustedInstaller": 3_600_000, "gpsvc": 900_000}
UPDATE_ORCHESTRATOR_SINCE = 10240


def registry(system: System) -> Registry:
    """What HKLM and the sign-in desktop's hive in HKU hold on a new system. Users' hives are `profile_values`."""
    return {
        **_identity(system),
        **_power(system),
        **_services(system),
        **_profile_list(),
        SYSTEM_POLICIES: {"ShutdownWithoutLogon": dword(0 if system.server else 1)},  # the security option's default
        desktop(SIGN_IN_DESKTOP): profile_values()["Control Panel\\Desktop"],
    }


def profile_values() -> dict[str, dict[str, Value]]:
    """What a user's hive holds, by key below its root: applications' time limits are absent, which has a meaning."""
    return {
        "Control Panel\\Desktop": {"ScreenSaveActive": string("1"), "Wallpaper": string("")},
        "Software\\Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer": {},
    }


def _identity(system: System) -> Registry:
    name = {"ComputerName": string(COMPUTER)}
    return {
        rf"{CONTROL}\ProductOptions": {"ProductType": string("ServerNT" if system.server else "WinNT")},
        rf"{CONTROL}\ComputerName\ComputerName": name,
        rf"{CONTROL}\ComputerName\ActiveComputerName": name,
        WINDOWS_NT: {
            "CurrentVersion": string(system.version),
            "CurrentBuild": string(str(system.build)),
            "CurrentBuildNumber": string(str(system.build)),
            "InstallationType": string("Server" if system.server else "Client"),
            "EditionID": string(system.edition),
            # Windows 11 has kept the name of Windows 10 here, which is general knowledge.
            "ProductName": string(system.name.replace("Windows 11", "Windows 10")),
        },
        SETUP: {"SystemSetupInProgress": dword(0), "OOBEInProgress": dword(0), "SetupType": dword(0)},
        NETWORK: {"Hostname": string(COMPUTER), "NV Hostname": string(COMPUTER)},
        SESSION_MANAGER: {"BootExecute": strings("autocheck autochk *")},
        MEMORY_MANAGEMENT: {"ClearPageFileAtShutdown": dword(0)},
        FAST_STARTUP: {} if system.server else {"HiberbootEnabled": dword(1)},
    }


def _power(system: System) -> Registry:
    # The buttons: Policy CSP names sleep as a client's default; a server's is general knowledge, and so is STANDBYIDLE
    # (30 minutes on a client, never on a server). VIDEOIDLE: 10 minutes, on a server too (Nutanix's field notes).
    # VIDEOCONLOCK: 1 minute (Microsoft's KB2835052). The others: the ADMX texts and general knowledge.
    defaults = {
        power.POWER_BUTTON: 3 if system.server else 1,
        power.FORCED_BUTTON: 0,
        power.SLEEP_BUTTON: 1,
        power.STANDBY_IDLE: 0 if system.server else 1800,
        power.HIBERNATE_IDLE: 0,
        power.UNATTENDED_SLEEP: 120,
        power.HYBRID_SLEEP: 0 if system.server else 1,
        power.ALLOW_STANDBY: 1,
        power.VIDEO_IDLE: 600,
        power.VIDEO_LOCKED: 60,
    }
    keys: dict[str, Mapping[str, Value]] = {
        power.POWER: {"HibernateEnabledDefault": dword(1), **({} if system.server else {"HibernateEnabled": dword(1)})},
        power.SCHEMES_KEY: {"ActivePowerScheme": string(power.BALANCED)},
    }
    personality = power.Setting("PERSONALITY", power.NO_SUBGROUP, power.PERSONALITY)
    for number, scheme in power.SCHEMES_BY_PERSONALITY.items():
        keys[rf"{power.SCHEMES_KEY}\{scheme}"] = {}
        keys[power.scheme_key(scheme, personality)] = _both(number)
        for setting, index in defaults.items():
            keys[power.defaults_key(scheme, setting)] = _both(index)
    return keys


def _both(index: int) -> Mapping[str, Value]:
    return {f"{supply}SettingIndex": dword(index) for supply in power.SUPPLIES}


def _services(system: System) -> Registry:
    timeouts = dict(PRESHUTDOWN_TIMEOUTS)
    if system.build < UPDATE_ORCHESTRATOR_SINCE:
        del timeouts["UsoSvc"]
    return {
        # Windows 11 ships "5000"; for the others only the documented 20 s is known. Of PreshutdownOrder no content is.
        CONTROL: {
            "WaitToKillServiceTimeout": string("5000" if system.build >= WINDOWS_11.build else "20000"),
            "PreshutdownOrder": strings(*timeouts),
        },
        **{rf"{SERVICES}\{name}": {"PreshutdownTimeout": dword(ms)} for name, ms in timeouts.items()},
    }


def _profile_list() -> Registry:
    return {
        PROFILES: {"Default": expandable(r"%SystemDrive%\Users\Default")},
        **{rf"{PROFILES}\{sid}": {"ProfileImagePath": expandable(path)} for sid, path in SERVICE_ACCOUNTS.items()},
        **{
            rf"{PROFILES}\{user.sid}": {"ProfileImagePath": expandable(user.folder)} for user in (ADMINISTRATOR, *USERS)
        },
    }
