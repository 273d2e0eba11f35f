# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules by which the model decides, each with its source; "taken" marks what no source says and was chosen here."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """What it says, and where that comes from."""

    says: str
    source: str


RULES = {
    # A press of the power button.
    "display_off": Rule(
        "A press while the display is off only turns it on.",
        "Field reports: Nutanix AHV (infraapp.blogspot.com, 2023), vm-bhyve #350, University of Glasgow; no word of "
        "Microsoft's. Timeouts: VIDEOIDLE, Power.admx, and VIDEOCONLOCK while locked, Microsoft KB2835052. Taken: the "
        "sign-in screen counts as locked, and a display that is off stays off when its timeout is set to 0.",
    ),
    "button_nothing": Rule("The button's action is 0: nothing.", "winnt.h, Power.admx ACPowerButtonAction_2"),
    "button_display": Rule("The button's action is 4: the display is turned off.", "winnt.h"),
    "button_sleep": Rule("The button's action is 1: sleep.", "winnt.h, Power.admx ACPowerButtonAction_2"),
    "button_hibernate": Rule("The button's action is 2: hibernate.", "winnt.h, Power.admx ACPowerButtonAction_2"),
    "standby_forbidden": Rule(
        "Sleep is asked for while the sleep states S1 to S3 are forbidden: nothing.",
        "ALLOWSTANDBY, Power.admx AllowStandbyStatesAC_2",
    ),
    "hibernation_off": Rule(
        "Hibernation is asked for while it is off: nothing.",
        "HibernateEnabled, as powercfg /hibernate off writes it (traced; answer files of packer-windows), and the "
        "kernel's HibernateEnabledDefault where it is absent",
    ),
    "setup": Rule("The button is not heard while Windows is being set up.", r"General knowledge: HKLM\SYSTEM\Setup"),
    "busy": Rule(
        "A press while a box waits, a shutdown is scheduled or in progress is lost.",
        "InitiateSystemShutdownEx, Microsoft's page: no other shutdown may be initiated. Taken: that holds for a press "
        "as for a call, and for a box that waits.",
    ),
    "without_logon": Rule(
        "With nobody signed in at the screen, or a locked session there, the system must be allowed to shut down "
        "without logon; absent, a client is and a server is not.",
        'Security option "Shutdown: Allow system to be shut down without having to log on" with its defaults; '
        "set by cloudbase windows-imaging-tools",
    ),
    "other_users": Rule(
        "A box warns of other users' sessions, and waits for ShutdownWarningDialogTimeout milliseconds; absent or "
        "0xFFFFFFFF for ever. Then it goes on.",
        "user32!DisplayExitWindowsWarnings, decompiled; set by cloudbase windows-imaging-tools. Taken: the forced "
        "button does not suppress it, and a locked session counts.",
    ),
    "event_tracker": Rule(
        "Whoever is signed in at the screen is asked for a reason: ShutdownReasonUI 0 never, 1 always, 2 on a "
        "workstation, 3 on a server; else ShutdownReasonOn; else the local key's; else on a server.",
        "Reliability.admx ShutdownReason, reason.h POLICY_SHOWREASONUI_*; the local key: regstr.h. Taken: a press of "
        "the button leads to this dialog as the Start menu does, and On=1 alone means always.",
    ),
    # A program's request.
    "scheduled": Rule("A shutdown is scheduled already: error 1190.", "winerror.h ERROR_SHUTDOWN_IS_SCHEDULED"),
    "in_progress": Rule(
        "A shutdown is in progress already: error 1115.",
        "InitiateSystemShutdownEx, Microsoft's page; winerror.h ERROR_SHUTDOWN_IN_PROGRESS",
    ),
    "users_signed_in": Rule(
        "A request that is not forced fails while others are signed in: error 1191.",
        "InitiateShutdown, Microsoft's page: SHUTDOWN_FORCE_OTHERS; winerror.h ERROR_SHUTDOWN_USERS_LOGGED_ON",
    ),
    "timer": Rule("The shutdown begins, forced, when its timer has run out.", "shutdown.exe, Microsoft's page: /t, /f"),
    "aborted": Rule("A shutdown whose timer runs is aborted.", "shutdown.exe, Microsoft's page: /a"),
    "nothing_to_abort": Rule("No timer runs: error 1116.", "winerror.h ERROR_NO_SHUTDOWN_IN_PROGRESS"),
    # A shutdown that has begun.
    "forced": Rule(
        "Applications are ended without being asked.",
        'ExitWindowsEx EWX_FORCE; the button: setting 833a6b62, Microsoft\'s page "Power button forced shutdown"',
    ),
    "application": Rule(
        "An application that vetoes or hangs stops the shutdown for ever, unless the session's AutoEndTasks is 1: then "
        "it is ended, a hung one after HungAppTimeout. The session has read both at the sign-in.",
        "Windows Internals, 6th edition; string tables of winsrv.dll and win32k.sys (libyal winevt-kb)",
    ),
    "windowless": Rule(
        "An application without a visible window is killed after WaitToKillTimeout, unless AllowBlockingAppsAtShutdown "
        "is 1.",
        "Winsrv.admx; Microsoft's page on shutdown changes for Windows Vista",
    ),
    "scripts": Rule(
        "Logoff and shutdown scripts have MaxGPOScriptWait seconds; absent 600, and 0 means for ever.", "Scripts.admx"
    ),
    "hung_session": Rule(
        "A hung session is waited for ShutdownSessionTimeout minutes; absent 3 on a client and 15 on a server.",
        "WinInit.admx",
    ),
    "preshutdown": Rule(
        "A service that wants to be told first has its PreshutdownTimeout, as it was at boot; absent 10 s since build "
        "15063, and 180 s before.",
        "SERVICE_PRESHUTDOWN_INFO, Microsoft's page",
    ),
    "service": Rule(
        "The other services have WaitToKillServiceTimeout together, as it was at boot; absent 20 s.",
        "Microsoft's page on the service control handler; general knowledge",
    ),
    "servicing": Rule(
        "A shutdown works on updates that are pending or running for as long as they make progress, within "
        "TrustedInstaller's PreshutdownTimeout; without progress for 900 s.",
        "Microsoft KB3064434 and KB2827854; Component Based Servicing's keys as ansible.windows and virt-v2v read them",
    ),
    "page_file": Rule(
        "With ClearPageFileAtShutdown=1 the page file is overwritten, 30 minutes for 2 GB.",
        'Security option "Shutdown: Clear virtual memory pagefile", Microsoft\'s page',
    ),
    "damaged": Rule("A damaged system begins to shut down and never ends.", "The analysis of the seven scenarios"),
    "no_power_off": Rule(
        "With DontPowerOffAfterShutdown=1 a shutdown that a program has asked for ends with the power still on.",
        "Power.admx Dont_PowerOff_AfterShutdown",
    ),
    "fast_startup": Rule(
        "With HiberbootEnabled=1 and hibernation on, a client keeps its kernel for the next start, which is no boot.",
        "WinInit.admx and the kernel's PopReadHiberbootPolicy, decompiled: a policy only forces it; shutdown.exe, "
        "Microsoft's page: only with /hybrid. Taken: the button does as the Start menu does.",
    ),
    "off": Rule("The system shuts down and powers off.", "The ACPI specification: S5"),
    # Time without anybody.
    "standby_idle": Rule(
        "The system sleeps when it is idle for STANDBYIDLE, or after an unattended waking for UNATTENDSLEEP.",
        "Power.admx ACStandbyTimeOut_2 and UnattendedSleepTimeOutAC",
    ),
    "hibernate_idle": Rule("The system hibernates after HIBERNATEIDLE.", "Power.admx ACHibernateTimeOut_2"),
    "awake": Rule("Nothing comes of it that the machine would notice.", "The same settings, at 0 or not reached"),
}
