# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Shorthand that the rows of the catalogue share: keys that many of them name, and what many of them want."""

from __future__ import annotations

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    Absent,
    Data,
    Desired,
    PowerSetting,
    RegistryValue,
)

WINDOWS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
WINDOWS_NT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
SYSTEM_POLICIES = rf"{WINDOWS}\Policies\System"
POLICIES = r"HKLM\SOFTWARE\Policies\Microsoft"
CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"
SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"

DESKTOP = r"Control Panel\Desktop"
USER_POLICIES = r"Software\Microsoft\Windows\CurrentVersion\Policies"

GONE = Desired(None)
NEVER = 0xFFFFFFFF


def both(data: Data | None) -> Absent:
    """Clients and servers alike use this where the value is absent."""
    return Absent(client=data, server=data)


NOTHING = both(None)


def dword(key: str, name: str) -> RegistryValue:
    """A REG_DWORD."""
    return RegistryValue(key, name, "REG_DWORD")


def button(setting: str, alias: str) -> PowerSetting:
    """A power setting about buttons."""
    return PowerSetting("4f971e89-eebd-4455-a8de-9e59040e7347", setting, f"SUB_BUTTONS {alias}")


def sleep(setting: str, alias: str) -> PowerSetting:
    """A power setting about sleep."""
    return PowerSetting("238c9fa8-0aad-41ed-83f4-97be242c8f20", setting, f"SUB_SLEEP {alias}")


def video(setting: str, alias: str) -> PowerSetting:
    """A power setting about the display."""
    return PowerSetting("7516b95f-f776-4464-8c53-06167f40cc99", setting, f"SUB_VIDEO {alias}")
