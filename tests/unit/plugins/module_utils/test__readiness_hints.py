# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What findings mean for the host: the methods that a guest would obey, and the time that it may take."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    RegistryKey,
    RegistryValue,
    ServiceValues,
    Value,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import SERVICES, Finding
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness_hints import (
    AGENT,
    CONTROL,
    POWER_OFF_POLICY,
    SHUTDOWN_SCRIPTS,
    SYSTEM_POLICIES,
    hints,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import (
    CURRENT_VERSION,
    PRODUCT_OPTIONS,
    Exists,
    Reading,
    Seen,
)

BY_ID = {row.id: row for row in ROWS}
MEMORY = rf"{CONTROL}\Session Manager\Memory Management"


def guest(server: bool = True, build: int = 20348, **values: t.Any) -> Reading:
    """With its agent. Keyword arguments are values by name, of which those named here are known."""
    keys = {
        "ShutdownSessionTimeout": SYSTEM_POLICIES,
        "MaxGPOScriptWait": SYSTEM_POLICIES,
        "WaitToKillServiceTimeout": CONTROL,
        "ClearPageFileAtShutdown": MEMORY,
        "DontPowerOffAfterShutdown": POWER_OFF_POLICY,
        "Start": AGENT,
    }
    reading = Reading()
    reading.put(PRODUCT_OPTIONS, "ProductType", Seen(Value("REG_SZ", "ServerNT" if server else "WinNT")))
    reading.put(CURRENT_VERSION, "CurrentBuildNumber", Seen(Value("REG_SZ", str(build))))
    reading.begin_scan(SERVICES, "PreshutdownTimeout")
    for name, key in keys.items():
        data = {"Start": 2, **values}.get(name)
        kind = "REG_SZ" if isinstance(data, str) else "REG_DWORD"
        reading.put(key, name, Seen() if data is None else Seen(Value(kind, data)))
    reading.keys[SHUTDOWN_SCRIPTS] = Exists(bool(values.get("scripts")))
    return reading


def preshutdown(reading: Reading, **milliseconds: int) -> Reading:
    for service, number in milliseconds.items():
        reading.put(rf"{SERVICES}\{service}", "PreshutdownTimeout", Seen(Value("REG_DWORD", number)))
    return reading


def state_of(ident: str, state: str) -> list[Finding]:
    return [Finding(BY_ID[ident], "here", state)]


ALL = ["acpi", "guest_shutdown", "agent"]


@pytest.mark.parametrize(
    ("found", "values", "methods", "reasons"),
    [
        ([], {}, ALL, []),
        (state_of("shutdown_without_logon", "ok"), {}, ALL, []),
        (state_of("shutdown_without_logon", "fixed"), {}, ALL, []),
        (state_of("shutdown_without_logon", "unreadable"), {}, ALL, []),
        (state_of("shutdown_without_logon", "differs"), {}, ALL[1:], ["because of shutdown_without_logon"]),
        (state_of("shutdown_without_logon", "waived"), {}, ALL[1:], ["because of shutdown_without_logon"]),
        (state_of("power_button_action", "managed_by_policy"), {}, ALL[1:], ["because of power_button_action"]),
        (state_of("event_tracker_policy", "differs"), {}, ALL[1:], ["because of event_tracker_policy"]),
        (state_of("power_button_suppression", "unverified"), {}, ALL, []),
        (state_of("fast_startup", "differs"), {}, ALL, []),  # it prolongs, and swallows nothing
        (state_of("auto_end_tasks", "differs"), {}, ALL, []),  # in the way of every request alike
        (state_of("inactivity_lock", "differs"), {}, ALL, []),
        ([], {"Start": None}, ALL[:2], ["QEMU-GA is missing or disabled"]),
        ([], {"Start": 4}, ALL[:2], ["QEMU-GA is missing or disabled"]),
        ([], {"Start": 3}, ALL, []),
        ([], {"DontPowerOffAfterShutdown": 1}, ["acpi"], ["DontPowerOffAfterShutdown"]),
        ([], {"DontPowerOffAfterShutdown": 0}, ALL, []),
        (
            state_of("display_idle_timeout", "waived") + state_of("sleep_idle_timeout", "differs"),
            {"DontPowerOffAfterShutdown": 1},
            [],
            ["because of display_idle_timeout, sleep_idle_timeout", "DontPowerOffAfterShutdown"],
        ),
    ],
)
def test_methods(found: list[Finding], values: dict[str, t.Any], methods: list[str], reasons: list[str]) -> None:
    told = hints(found, guest(**values))
    assert told["recommended_methods"] == methods
    assert len(told["methods_reason"]) == len(reasons)
    assert all(reason in whole for reason, whole in zip(reasons, told["methods_reason"], strict=True))


def test_a_waived_row_is_named_once_however_many_places_it_has() -> None:
    (reason,) = hints(state_of("power_button_action", "waived") * 3, guest())["methods_reason"]
    assert reason.count("power_button_action") == 1


@pytest.mark.parametrize(
    ("reading", "parts"),
    [
        (guest(), {"base": 60, "sessions": 900, "services": 20 + 10}),
        (guest(server=False), {"base": 60, "sessions": 180, "services": 30}),
        (guest(build=9600), {"base": 60, "sessions": 900, "services": 20 + 180}),
        (guest(build=14393), {"base": 60, "sessions": 900, "services": 20 + 180}),
        (guest(build=15063), {"base": 60, "sessions": 900, "services": 30}),
        (guest(ShutdownSessionTimeout=3), {"base": 60, "sessions": 180, "services": 30}),
        (guest(ShutdownSessionTimeout=0), {"base": 60, "sessions": 900, "services": 30}),
        (guest(WaitToKillServiceTimeout="60000"), {"base": 60, "sessions": 900, "services": 70}),
        (guest(WaitToKillServiceTimeout="5001"), {"base": 60, "sessions": 900, "services": 16}),
        (guest(WaitToKillServiceTimeout="soon"), {"base": 60, "sessions": 900, "services": 30}),
        (guest(MaxGPOScriptWait=1200), {"base": 60, "sessions": 900, "services": 30}),
        (guest(scripts=True), {"base": 60, "sessions": 900, "services": 30, "scripts": 600}),
        (guest(scripts=True, MaxGPOScriptWait=1200), {"base": 60, "sessions": 900, "services": 30, "scripts": 1200}),
        (guest(scripts=True, MaxGPOScriptWait=0), {"base": 60, "sessions": 900, "services": 30, "scripts": 600}),
        (guest(ClearPageFileAtShutdown=1), {"base": 60, "sessions": 900, "services": 30, "page_file": 1800}),
        (guest(ClearPageFileAtShutdown=0), {"base": 60, "sessions": 900, "services": 30}),
        (preshutdown(guest(), gpsvc=900_000, other=1), {"base": 60, "sessions": 900, "services": 20 + 900}),
        (preshutdown(guest(), UsoSvc=57_600_000), {"base": 60, "sessions": 900, "services": 30}),
        (preshutdown(guest(), wuauserv=57_600_000, vmms=2_940_000), {"base": 60, "sessions": 900, "services": 2960}),
    ],
)
def test_the_time_that_a_shutdown_may_take(reading: Reading, parts: dict[str, int]) -> None:
    told = hints([], reading)
    assert told["timeout_parts"] == parts
    assert told["recommended_timeout"] == sum(parts.values())


def test_a_guest_that_says_nothing_is_given_the_time_of_a_server() -> None:
    assert hints([], Reading())["timeout_parts"] == {"base": 60, "sessions": 900, "services": 30}


@pytest.mark.parametrize(
    ("ident", "state", "pending"),
    [
        ("cbs_reboot_pending", "differs", True),
        ("cbs_reboot_pending", "waived", True),  # waived or not, the work is done at the shutdown
        ("pending_transaction", "unverified", True),
        ("update_worker_running", "differs", True),
        ("cbs_reboot_pending", "ok", False),
        ("cbs_reboot_pending", "unreadable", False),
        ("pending_file_renames", "differs", False),
        ("computer_rename", "differs", False),
    ],
)
def test_servicing_that_is_pending(ident: str, state: str, pending: bool) -> None:
    told = hints(state_of(ident, state) * 2, guest())
    assert told["pending_servicing"] is pending
    assert told["pending_rows"] == ([ident] if pending else [])
    assert told["timeout_parts"].get("servicing") == (3600 if pending else None)


def test_what_the_hints_look_at_is_in_the_catalogue() -> None:
    """Otherwise nobody would read it."""
    places = [row.location for row in ROWS]
    values = {(place.key, place.name) for place in places if isinstance(place, RegistryValue)}
    keys = {place.key for place in places if isinstance(place, RegistryKey)}
    services = {place.name for place in places if isinstance(place, ServiceValues)}
    assert SHUTDOWN_SCRIPTS in keys and "PreshutdownTimeout" in services
    wanted = {
        (AGENT, "Start"),
        (POWER_OFF_POLICY, "DontPowerOffAfterShutdown"),
        (SYSTEM_POLICIES, "ShutdownSessionTimeout"),
        (SYSTEM_POLICIES, "MaxGPOScriptWait"),
        (CONTROL, "WaitToKillServiceTimeout"),
        (MEMORY, "ClearPageFileAtShutdown"),
    }
    assert wanted <= values
