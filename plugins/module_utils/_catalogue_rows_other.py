# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The rows about other settings and states that a shutdown depends on."""

from __future__ import annotations

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    Desired,
    Events,
    RegistryValue,
    Row,
    TwoValues,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import (
    CONTROL,
    GONE,
    NOTHING,
    POLICIES,
    SERVICES,
    SYSTEM_POLICIES,
    WINDOWS,
    both,
    dword,
)

_SETUP = r"HKLM\SYSTEM\Setup"
_START_MENU = r"HKLM\SOFTWARE\Microsoft\PolicyManager\default\Start"


def _setup(ident: str, title: str, name: str, grade: str) -> Row:
    return Row(
        id=ident,
        scenario="other",
        effect="swallows",
        title=f"{title}, and may not react to the power button or not take it well",
        location=dword(_SETUP, name),
        desired=Desired(0),
        absent=both(0),
        only_read=True,
        source="a script" if grade == "single_source" else "none that could be read",
        grade=grade,
        cure="Let it end first.",
    )


def _hidden(ident: str, title: str, key: str, name: str, source: str, grade: str) -> Row:
    return Row(
        id=ident,
        scenario="other",
        effect="informs",
        title=f"{title}, which no request from outside needs",
        location=dword(key, name),
        desired=Desired(0),
        absent=both(0),
        takes_effect="logon",
        offline=True,
        source=source,
        grade=grade,
    )


ROWS = (
    Row(
        id="stays_on_after_shutdown",
        scenario="other",
        effect="blocks",
        title="A policy leaves the guest running after a shutdown that a program asked for, agent and WinRM included",
        location=dword(rf"{POLICIES}\Windows NT", "DontPowerOffAfterShutdown"),
        desired=Desired(0),
        absent=both(0),
        takes_effect="next_shutdown",
        enforced=True,
        offline=True,
        source="Power.admx and its texts; Microsoft's page about ExitWindowsEx",
        grade="verified",
    ),
    _setup("setup_in_progress", "Windows is being set up", "SystemSetupInProgress", "single_source"),
    _setup(
        "first_run_in_progress", "Windows asks the questions of its first run", "OOBEInProgress", "common_knowledge"
    ),
    _setup("setup_scheduled", "Windows runs its setup at the next boot", "SetupType", "common_knowledge"),
    Row(
        id="computer_rename",
        scenario="other",
        effect="informs",
        title="The guest has been renamed and owes a reboot",
        location=TwoValues(
            RegistryValue(rf"{CONTROL}\ComputerName\ActiveComputerName", "ComputerName", "REG_SZ"),
            RegistryValue(rf"{CONTROL}\ComputerName\ComputerName", "ComputerName", "REG_SZ"),
        ),
        desired=GONE,
        absent=NOTHING,
        source="several independent scripts",
        grade="verified",
        cure="Restart the guest.",
    ),
    Row(
        id="host_name_change",
        scenario="other",
        effect="informs",
        title="The guest's name in the network has been changed and owes a reboot",
        location=TwoValues(
            RegistryValue(rf"{SERVICES}\Tcpip\Parameters", "Hostname", "REG_SZ"),
            RegistryValue(rf"{SERVICES}\Tcpip\Parameters", "NV Hostname", "REG_SZ"),
        ),
        desired=GONE,
        absent=NOTHING,
        source="several independent scripts",
        grade="verified",
        cure="Restart the guest.",
    ),
    Row(
        id="guest_agent_start",
        scenario="other",
        effect="informs",
        title="The QEMU guest agent is not there or does not start with Windows (2), so that it cannot be asked",
        location=dword(rf"{SERVICES}\QEMU-GA", "Start"),
        desired=Desired(2),
        absent=NOTHING,
        only_read=True,
        source="the QEMU guest agent; virtio-win",
        grade="verified",
        cure="Install the agent of virtio-win, or let its service QEMU-GA start automatically.",
    ),
    Row(
        id="error_boxes_answered",
        scenario="other",
        effect="informs",
        title="A box about a severe error waits for somebody to answer it",
        location=dword(rf"{CONTROL}\Error Message Instrument", "EnableDefaultReply"),
        desired=Desired(1),
        absent=both(0),
        takes_effect="boot",
        offline=True,
        cost="nobody sees the box",
        source="advice for another hypervisor",
        grade="single_source",
    ),
    Row(
        id="status_messages",
        scenario="other",
        effect="informs",
        title="The screen does not say in detail what a shutdown is doing, which a picture of a late guest would show",
        location=dword(SYSTEM_POLICIES, "VerboseStatus"),
        desired=Desired(1),
        absent=both(0),
        takes_effect="boot",
        offline=True,
        source="Logon.admx and its texts",
        grade="verified",
        cure="It has no effect while DisableStatusMessages in the same key is 1.",
    ),
    Row(
        id="shutdown_cancelled",
        scenario="other",
        effect="informs",
        title="A user or a program has cancelled a shutdown lately",
        location=Events("System", "User32", (1075,)),
        desired=GONE,
        absent=NOTHING,
        source="user32.dll's messages",
        grade="verified",
        cure="The event names the user. A scheduled task that runs shutdown /a does it too.",
    ),
    _hidden(
        "power_options_hidden",
        "The Start menu and the sign-in screen have no power button",
        rf"{WINDOWS}\Policies\Explorer",
        "HidePowerOptions",
        "StartMenu.admx and its texts",
        "verified",
    ),
    _hidden(
        "shut_down_hidden_by_device_policy",
        "The power menu has no Shut down",
        rf"{_START_MENU}\HideShutDown",
        "value",
        "two lists of settings",
        "single_source",
    ),
    _hidden(
        "power_button_hidden_by_device_policy",
        "The Start menu has no power button",
        rf"{_START_MENU}\HidePowerButton",
        "value",
        "two lists of settings",
        "single_source",
    ),
)
