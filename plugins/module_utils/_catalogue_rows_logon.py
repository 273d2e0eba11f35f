# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The rows about the Shutdown Event Tracker (scenario 2), and about logons and other users (scenario 3)."""

from __future__ import annotations

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import UNKNOWN, Absent, Desired, Row
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import (
    GONE,
    NEVER,
    NOTHING,
    POLICIES,
    SYSTEM_POLICIES,
    WINDOWS,
    WINDOWS_NT,
    both,
    dword,
)

# Where nothing is configured, servers show the tracker and clients do not.
_SHOWN_ON_SERVERS = Absent(client=0, server=1)

EVENT_TRACKER = (
    Row(
        id="event_tracker_policy",
        scenario="event_tracker",
        effect="blocks",
        title="The Shutdown Event Tracker is on, and a shutdown that somebody begins waits for a reason",
        location=dword(rf"{POLICIES}\Windows NT\Reliability", "ShutdownReasonOn"),
        desired=Desired(0),
        absent=_SHOWN_ON_SERVERS,
        enforced=True,
        offline=True,
        cost="nobody is asked any more why a server is shut down",
        source="Reliability.admx; Microsoft's page about the policy",
        grade="verified",
    ),
    Row(
        id="event_tracker_policy_ui",
        scenario="event_tracker",
        effect="blocks",
        title="The Shutdown Event Tracker asks for a reason: 1 always, 2 on clients, 3 on servers",
        location=dword(rf"{POLICIES}\Windows NT\Reliability", "ShutdownReasonUI"),
        desired=Desired(0),
        absent=_SHOWN_ON_SERVERS,
        enforced=True,
        offline=True,
        cost="nobody is asked any more why a server is shut down",
        source="Reliability.admx; reason.h",
        grade="verified",
    ),
    Row(
        id="event_tracker_local",
        scenario="event_tracker",
        effect="informs",
        title="The Shutdown Event Tracker is on by the guest's own setting, which a policy overrides",
        location=dword(rf"{WINDOWS}\Reliability", "ShutdownReasonOn"),
        desired=Desired(0),
        absent=Absent(client=0, server=UNKNOWN),
        takes_effect="unknown",
        offline=True,
        source="regstr.h",
        grade="single_source",
    ),
    Row(
        id="event_tracker_local_ui",
        scenario="event_tracker",
        effect="informs",
        title="The Shutdown Event Tracker asks for a reason by the guest's own setting, which a policy overrides",
        location=dword(rf"{WINDOWS}\Reliability", "ShutdownReasonUI"),
        desired=Desired(0),
        absent=Absent(client=0, server=UNKNOWN),
        takes_effect="unknown",
        offline=True,
        source="regstr.h",
        grade="single_source",
    ),
    Row(
        id="event_tracker_state_data",
        scenario="event_tracker",
        effect="informs",
        title="Windows Server 2003 writes a file about the system's state at an unplanned shutdown; later ones do not",
        location=dword(rf"{POLICIES}\Windows NT\Reliability", "SnapShot"),
        desired=Desired(0),
        absent=both(0),
        offline=True,
        source="Reliability.admx; Microsoft's page about InitiateSystemShutdownEx",
        grade="verified",
    ),
    Row(
        id="unexplained_stop",
        scenario="event_tracker",
        effect="informs",
        title="The guest stopped without a shutdown, and will ask the next administrator who signs in for the reason",
        location=dword(rf"{WINDOWS}\Reliability", "DirtyShutdown"),
        desired=GONE,
        absent=NOTHING,
        only_read=True,
        source="a support page of Microsoft's",
        grade="single_source",
        cure="Sign in and give a reason. The value is evidence; deleting it only hides the question.",
    ),
)

LOGON = (
    Row(
        id="shutdown_without_logon",
        scenario="logon",
        effect="swallows",
        title="The guest is not shut down while nobody is signed in, or while the screen is locked",
        location=dword(SYSTEM_POLICIES, "ShutdownWithoutLogon"),
        desired=Desired(1),
        absent=Absent(client=1, server=0),
        enforced=True,
        offline=True,
        cost="whoever sees the sign-in screen can shut the guest down",
        baselines=(("cis", "2.3.13.1"), ("stig", "WN12-SO-000073")),
        source="Microsoft's page about the security option; windows-imaging-tools",
        grade="verified",
    ),
    Row(
        id="other_users_warning",
        scenario="logon",
        effect="blocks",
        # Milliseconds. Up to five seconds are fine: the box is gone before the button is pressed again, and whoever
        # prefers a box that one can read keeps it. 0 is not: nobody could say what it does.
        title="A box that says that other users are signed in waits for an answer, for ever",
        location=dword(rf"{WINDOWS_NT}\Windows", "ShutdownWarningDialogTimeout"),
        desired=Desired(1, least=1, most=5000),
        absent=both(NEVER),
        enforced=True,
        offline=True,
        cost="nobody can say no to the shutdown, and other users who are signed in lose unsaved data",
        source="user32!DisplayExitWindowsWarnings, decompiled; windows-imaging-tools",
        grade="verified",
    ),
    Row(
        id="inactivity_lock",
        scenario="logon",
        effect="informs",
        title="The screen is locked after some seconds, so that the settings for a locked screen count",
        location=dword(SYSTEM_POLICIES, "InactivityTimeoutSecs"),
        desired=Desired(0),
        absent=both(0),
        takes_effect="unknown",
        offline=True,
        cost="the screen of a user who went away stays open",
        baselines=(("cis", "2.3.7.3"), ("stig", "WN22-SO-000120")),
        source="windows-imaging-tools; STIG roles",
        grade="verified",
        cure="None is needed: display_idle_timeout_locked and shutdown_without_logon are for the locked screen.",
    ),
)
