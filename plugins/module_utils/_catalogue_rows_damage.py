# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The rows about a damaged or infected system (scenario 7): it is found and told, and mended by people."""

from __future__ import annotations

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    UNKNOWN,
    Absent,
    Desired,
    Events,
    RegistryValue,
    Row,
    UserValue,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import (
    CONTROL,
    GONE,
    NOTHING,
    USER_POLICIES,
    WINDOWS,
    both,
    dword,
)

_DEFENDER = ("Microsoft-Windows-Windows Defender/Operational", "Microsoft-Windows-Windows Defender")


def _event(
    ident: str, title: str, location: Events, source: str, grade: str, cure: str, effect: str = "informs"
) -> Row:
    return Row(
        id=ident,
        scenario="damage",
        effect=effect,
        title=title,
        location=location,
        desired=GONE,
        absent=NOTHING,
        source=source,
        grade=grade,
        cure=cure,
    )


def _fingerprint(ident: str, title: str, location: RegistryValue | UserValue) -> Row:
    """A restriction of the user interface that is no blocker, and that malware likes to set."""
    return Row(
        id=ident,
        scenario="damage",
        effect="informs",
        title=f"{title}, which stops no shutdown, but malware sets it too",
        location=location,
        desired=Desired(0),
        absent=both(0),
        takes_effect="logon",
        offline=True,
        cost="a restriction that an administrator may have meant is lifted",
        source="StartMenu.admx; descriptions of malware",
        grade="verified",
        cure="Look for malware, unless a policy of your own sets it.",
    )


ROWS = (
    _event(
        "threat_found",
        "Defender has found a threat lately",
        Events(*_DEFENDER, (1116,)),
        "none that could be read",
        "common_knowledge",
        "See in Defender what became of it.",
    ),
    _event(
        "threat_not_removed",
        "Defender has failed to remove a threat lately, and what runs there may hold the shutdown up",
        Events(*_DEFENDER, (1118, 1119)),
        "none that could be read",
        "common_knowledge",
        "Take the guest off the network and clean it, or bring it back from a backup.",
        effect="blocks",
    ),
    _event(
        "threat_protection_off",
        "Defender's protection in real time was switched off lately",
        Events(*_DEFENDER, (5001,)),
        "none that could be read",
        "common_knowledge",
        "Find out who did it. Another virus scanner does it too.",
    ),
    Row(
        id="volume_check_scheduled",
        scenario="damage",
        effect="informs",
        title="A check of a volume, or another program, is set to run at the next boot, which then takes longer",
        location=RegistryValue(rf"{CONTROL}\Session Manager", "BootExecute", "REG_MULTI_SZ"),
        # Both are found on guests for which nobody has scheduled anything.
        desired=Desired(("autocheck autochk *",), others=(("autocheck autochk /q /v *",),)),
        absent=Absent(client=UNKNOWN, server=UNKNOWN),
        only_read=True,
        source="none that could be read",
        grade="common_knowledge",
        cure="Let the check run at a boot that may take long.",
    ),
    _event(
        "volume_damaged",
        "NTFS has found damage on a volume lately, and writing to it may fail or take long",
        Events("System", "Microsoft-Windows-Ntfs", (55,)),
        "none that could be read",
        "common_knowledge",
        "Take a backup, and check the volume with chkdsk.",
        effect="prolongs",
    ),
    _event(
        "volume_damaged_old",
        "NTFS has found damage on a volume lately, by the older name of its messages",
        Events("System", "Ntfs", (55,)),
        "none that could be read",
        "common_knowledge",
        "Take a backup, and check the volume with chkdsk.",
        effect="prolongs",
    ),
    _event(
        "stopped_without_shutdown",
        "The guest has booted lately without having been shut down before",
        Events("System", "Microsoft-Windows-Kernel-Power", (41,)),
        "the provider's messages and field reports",
        "verified",
        "A stop error, a power failure or a forced end; the event's BugcheckCode tells them apart.",
    ),
    _event(
        "unexpected_shutdown",
        "The event log was not closed before a boot lately",
        Events("System", "EventLog", (6008,)),
        "the provider's messages and field reports",
        "verified",
        "See what ended the guest; the time in the event may be early.",
    ),
    _event(
        "error_box_shown",
        "Windows has shown a box about an error lately, which may have waited for an answer",
        Events("System", "Application Popup", (26,)),
        "the provider's messages and field reports",
        "verified",
        "The event has the text of the box.",
    ),
    _fingerprint(
        "shut_down_hidden_from_user",
        "A user has no Shut Down in the Start menu",
        UserValue(rf"{USER_POLICIES}\Explorer", "NoClose", "REG_DWORD"),
    ),
    _fingerprint(
        "shut_down_hidden_from_all",
        "No user has Shut Down in the Start menu",
        dword(rf"{WINDOWS}\Policies\Explorer", "NoClose"),
    ),
    _fingerprint(
        "sign_out_hidden",
        "A user has no Sign out in the Start menu",
        UserValue(rf"{USER_POLICIES}\Explorer", "StartMenuLogOff", "REG_DWORD"),
    ),
    _fingerprint(
        "task_manager_forbidden",
        "A user may not start Task Manager",
        UserValue(rf"{USER_POLICIES}\System", "DisableTaskMgr", "REG_DWORD"),
    ),
    _fingerprint(
        "lock_forbidden",
        "A user may not lock the screen",
        UserValue(rf"{USER_POLICIES}\System", "DisableLockWorkstation", "REG_DWORD"),
    ),
)
