# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What findings mean for whoever shuts the guest down from outside: which method, and how long it may take. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import (
    CONTROL,
    SERVICES,
    SYSTEM_POLICIES,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import NOT_IN_IMAGE, Finding
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import Reading

POWER_OFF_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT"
SHUTDOWN_SCRIPTS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Group Policy\Scripts\Shutdown"
AGENT = f"{SERVICES}\\QEMU-GA"
DISABLED = 4
"""A service's Start."""

BUTTON_SCENARIOS = ("power_button", "sleep", "logon", "event_tracker")
"""What can swallow or hold up a press of the power button, and no other request."""

SERVICING = ("wuauserv", "usosvc", "trustedinstaller")
"""Services whose preshutdown times are ceilings for updates, and say nothing of a shutdown without any."""

# Seconds, each with its source in the catalogue's row of the same matter.
BASE = 60
SESSIONS = {True: 15 * 60, False: 3 * 60}  # WinInit.admx: a server, a client
SCRIPTS = 600  # Scripts.admx
SERVICES_STOP = 20  # Microsoft's documentation of service control handlers
PRESHUTDOWN = {True: 10, False: 180}  # SERVICE_PRESHUTDOWN_INFO: since build 15063, before
PRESHUTDOWN_CHANGED = 15063
SERVICING_TIME = 3600  # KB2827854: TrustedInstaller
PAGE_FILE = 1800  # "Shutdown: Clear virtual memory pagefile"


def hints(found: t.Sequence[Finding], reading: Reading) -> dict[str, t.Any]:
    """recommended_methods, recommended_timeout with its parts (seconds), and pending_servicing."""
    pending = sorted(
        {
            finding.row.id
            for finding in found
            if finding.row.pending and finding.state not in ("ok", "unreadable", NOT_IN_IMAGE)
        }
    )
    parts = _timeout_parts(reading, bool(pending))
    methods, why = _methods(found, reading)
    return {
        "recommended_methods": methods,
        "methods_reason": why,
        "recommended_timeout": sum(parts.values()),
        "timeout_parts": parts,
        "pending_servicing": bool(pending),
        "pending_rows": pending,
    }


def _methods(found: t.Sequence[Finding], reading: Reading) -> tuple[list[str], list[str]]:
    """Politest first. What needs a setting that is not as it should be is left out."""
    why = []
    deaf = sorted(
        {
            finding.row.id
            for finding in found
            if finding.row.scenario in BUTTON_SCENARIOS
            and finding.row.effect in ("blocks", "swallows")
            and finding.state in ("differs", "managed_by_policy", "waived")
        }
    )
    methods = [] if deaf else ["acpi"]
    if deaf:
        why.append(f"not acpi: the power button may not be obeyed because of {', '.join(deaf)}")
    stays_on = reading.number(POWER_OFF_POLICY, "DontPowerOffAfterShutdown") == 1
    if stays_on:
        why.append("neither guest_shutdown nor agent: DontPowerOffAfterShutdown keeps the machine on after them")
        return methods, why
    methods.append("guest_shutdown")
    start = reading.number(AGENT, "Start")
    if start is None or start == DISABLED:
        why.append("not agent: the service QEMU-GA is missing or disabled")
    else:
        methods.append("agent")
    return methods, why


def _timeout_parts(reading: Reading, pending: bool) -> dict[str, int]:
    """What a shutdown may take at most, in seconds, by what takes it, as this guest is set."""
    server = reading.server is not False
    minutes = reading.number(SYSTEM_POLICIES, "ShutdownSessionTimeout")
    parts = {
        "base": BASE,
        "sessions": minutes * 60 if minutes else SESSIONS[server],
        "services": (_milliseconds(reading, CONTROL, "WaitToKillServiceTimeout") or SERVICES_STOP)
        + _preshutdown(reading),
    }
    scripts = reading.keys.get(SHUTDOWN_SCRIPTS)
    if scripts and scripts.there:
        seconds = reading.number(SYSTEM_POLICIES, "MaxGPOScriptWait")
        # 0 is for ever, which no timeout can be; a script that ends by itself is given what Windows gives it.
        parts["scripts"] = seconds or SCRIPTS
    if reading.number(rf"{CONTROL}\Session Manager\Memory Management", "ClearPageFileAtShutdown") == 1:
        parts["page_file"] = PAGE_FILE
    if pending:
        parts["servicing"] = SERVICING_TIME
    return parts


def _preshutdown(reading: Reading) -> int:
    """The longest of the services', which run side by side."""
    longest = PRESHUTDOWN[(reading.build or PRESHUTDOWN_CHANGED) >= PRESHUTDOWN_CHANGED]
    for service, seen in reading.found(SERVICES, "PreshutdownTimeout").items():
        if service not in SERVICING and isinstance(seen.data, int):
            longest = max(longest, -(-seen.data // 1000))
    return longest


def _milliseconds(reading: Reading, key: str, name: str) -> int | None:
    number = reading.number(key, name)
    return None if number is None else -(-number // 1000)
