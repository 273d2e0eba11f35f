# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of the registry that both the systems and the model name; the power settings' are in power.py."""

from __future__ import annotations

CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"
SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
SETUP = r"HKLM\SYSTEM\Setup"
SESSION_MANAGER = rf"{CONTROL}\Session Manager"
MEMORY_MANAGEMENT = rf"{SESSION_MANAGER}\Memory Management"
FAST_STARTUP = rf"{SESSION_MANAGER}\Power"
NETWORK = rf"{SERVICES}\Tcpip\Parameters"

WINDOWS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
WINDOWS_NT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
SYSTEM_POLICIES = rf"{WINDOWS}\Policies\System"
SERVICING = rf"{WINDOWS}\Component Based Servicing"
SERVICING_MARKERS = tuple(rf"{SERVICING}\{name}" for name in ("RebootPending", "RebootInProgress", "PackagesPending"))
RELIABILITY = rf"{WINDOWS}\Reliability"
PROFILES = rf"{WINDOWS_NT}\ProfileList"
WARNING_DIALOG = rf"{WINDOWS_NT}\Windows"

POLICIES = r"HKLM\SOFTWARE\Policies\Microsoft"
RELIABILITY_POLICY = rf"{POLICIES}\Windows NT\Reliability"
SHUTDOWN_POLICY = rf"{POLICIES}\Windows NT"
FAST_STARTUP_POLICY = rf"{POLICIES}\Windows\System"
BLOCKING_POLICY = rf"{POLICIES}\Windows\System"


def desktop(sid: str) -> str:
    """Where a user's applications have their time limits."""
    return rf"HKU\{sid}\Control Panel\Desktop"
