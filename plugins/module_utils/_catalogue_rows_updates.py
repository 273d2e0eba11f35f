# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The rows about Windows Update and servicing (scenario 1).

What is pending is only ever read: deleting a marker does not undo the work that it announces, and may tear it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    UNKNOWN,
    Absent,
    Desired,
    File,
    Process,
    RegistryKey,
    RegistryValue,
    Row,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import (
    CONTROL,
    GONE,
    NOTHING,
    POLICIES,
    SERVICES,
    WINDOWS,
    both,
    dword,
)

_SERVICING = rf"{WINDOWS}\Component Based Servicing"
_UPDATE = rf"{WINDOWS}\WindowsUpdate"
_SERVER_MANAGER = r"HKLM\SOFTWARE\Microsoft\ServerManager"
_AU = rf"{POLICIES}\Windows\WindowsUpdate\AU"

_RESTART = "Restart the guest when it may take long, or allow the shutdown the time."
_WAIT = "Wait until it has ended. Do not power the guest off."


class _Seen(t.NamedTuple):
    """Where a sign of work left is seen, and who says so."""

    location: RegistryKey | RegistryValue | File | Process
    source: str
    grade: str
    desired: Desired = GONE


def _work(ident: str, title: str, seen: _Seen, cure: str = _RESTART) -> Row:
    """Servicing has work left, which the next shutdown does."""
    return _sign(ident, title, seen, cure, effect="prolongs", pending=True)


def _sign(
    ident: str, title: str, seen: _Seen, cure: str = _RESTART, effect: str = "informs", pending: bool = False
) -> Row:
    """A reboot is owed, or something runs."""
    return Row(
        id=ident,
        scenario="updates",
        effect=effect,
        title=title,
        location=seen.location,
        desired=seen.desired,
        absent=NOTHING,
        only_read=True,
        source=seen.source,
        grade=seen.grade,
        cure=cure,
        pending=pending,
    )


def _key(key: str, source: str, grade: str, subkeys: bool = False) -> _Seen:
    return _Seen(RegistryKey(key, subkeys), source, grade)


def _process(image: str) -> _Seen:
    return _Seen(Process(image), "none that could be read", "common_knowledge")


def _file(path: str) -> _Seen:
    return _Seen(File(path), "none that could be read", "common_knowledge")


_SCRIPTS = "several independent scripts"

_MARKERS = (
    _work(
        "cbs_reboot_pending",
        "Servicing wants a reboot, and does its work at the next shutdown",
        _key(rf"{_SERVICING}\RebootPending", "ansible.windows; virt-v2v", "verified"),
    ),
    _work(
        "cbs_reboot_in_progress",
        "Servicing is in the middle of a reboot",
        _key(rf"{_SERVICING}\RebootInProgress", _SCRIPTS, "verified"),
        _WAIT,
    ),
    _work(
        "cbs_packages_pending",
        "Servicing is in the middle of installing packages",
        _key(rf"{_SERVICING}\PackagesPending", _SCRIPTS, "verified"),
        _WAIT,
    ),
    _work(
        "windows_update_reboot_required",
        "Windows Update has installed updates and owes a reboot",
        _key(rf"{_UPDATE}\Auto Update\RebootRequired", _SCRIPTS, "verified"),
    ),
    _sign(
        "windows_update_reboot_reporting",
        "Windows Update will report about a reboot, a weak sign that it owes one",
        _key(rf"{_UPDATE}\Auto Update\PostRebootReporting", "scripts", "single_source"),
    ),
    _sign(
        "windows_update_services_pending",
        "Windows Update has entries of pending services, a weak sign that a reboot is owed",
        _key(rf"{_UPDATE}\Services\Pending", "a script", "single_source", subkeys=True),
    ),
    _work(
        "server_manager_reboot_attempts",
        "Roles or features were installed, and a reboot is owed",
        _key(rf"{_SERVER_MANAGER}\CurrentRebootAttempts", _SCRIPTS, "verified"),
    ),
    _work(
        "server_manager_restart_required",
        "Roles or features were installed, and Server Manager wants a restart",
        _Seen(
            dword(rf"{_SERVER_MANAGER}\ServicingStorage\ServerComponentCache", "RestartRequired"),
            "ansible.windows; scripts",
            "verified",
            Desired(None, others=(0,)),
        ),
    ),
    _work(
        "pending_transaction",
        "Servicing has queued a transaction for the next boot",
        _file(r"%SystemRoot%\WinSxS\pending.xml"),
    ),
    _work(
        "pending_reboot_transaction",
        "Servicing has queued a transaction that wants a reboot",
        _file(r"%SystemRoot%\WinSxS\reboot.xml"),
    ),
    _sign(
        "pending_file_renames",
        "Files are to be renamed or deleted at the next boot",
        _Seen(
            RegistryValue(rf"{CONTROL}\Session Manager", "PendingFileRenameOperations", "REG_MULTI_SZ"),
            "ansible.windows; scripts",
            "verified",
            Desired(None, others=((),)),
        ),
        "None is needed: virus scanners and guest tools do it all the time, and the shutdown does not wait for it.",
    ),
    _sign(
        "pending_file_renames_2",
        "Files are to be renamed or deleted at the next boot, by the second list",
        _Seen(
            RegistryValue(rf"{CONTROL}\Session Manager", "PendingFileRenameOperations2", "REG_MULTI_SZ"),
            _SCRIPTS,
            "verified",
            Desired(None, others=((),)),
        ),
        "None is needed: the shutdown does not wait for it.",
    ),
    _sign(
        "update_exe_volatile",
        "An update in the form of Windows XP's owes a reboot",
        _Seen(
            dword(r"HKLM\SOFTWARE\Microsoft\Updates", "UpdateExeVolatile"),
            "scripts, which differ",
            "contested",
            Desired(None, others=(0,)),
        ),
    ),
    _sign(
        "installer_in_progress",
        "Windows Installer has a transaction that has not ended",
        _key(rf"{WINDOWS}\Installer\InProgress", _SCRIPTS, "verified"),
        "See which installation it is, and let it end.",
    ),
    _sign(
        "media_features_reboot",
        "The media features owe a reboot",
        _Seen(
            RegistryValue(rf"{WINDOWS}\RunOnce", "DVDRebootSignal", "REG_SZ"),
            _SCRIPTS,
            "verified",
        ),
    ),
    _sign(
        "config_manager_reboot",
        "Configuration Manager is about to reboot the guest",
        _key(r"HKLM\SOFTWARE\Microsoft\SMS\Mobile Client\Reboot Management\RebootData", _SCRIPTS, "verified"),
    ),
    _sign(
        "domain_join_pending",
        "The guest joins a domain at the next boot",
        _key(
            rf"{SERVICES}\Netlogon\JoinDomain", "scripts, which differ on whether it is a key or a value", "contested"
        ),
    ),
    _sign(
        "domain_join_spn_pending",
        "The guest has joined a domain and owes a reboot",
        _key(
            rf"{SERVICES}\Netlogon\AvoidSpnSet", "scripts, which differ on whether it is a key or a value", "contested"
        ),
    ),
)

_RUNNING = (
    _work("update_worker_running", "Updates are being installed", _process("TiWorker.exe"), _WAIT),
    _work("update_installer_running", "An update is being installed by hand", _process("wusa.exe"), _WAIT),
    _work("upgrade_running", "Windows is being upgraded", _process("setuphost.exe"), _WAIT),
    _work("pending_operations_running", "Queued servicing operations run", _process("poqexec.exe"), _WAIT),
    _sign(
        "modules_installer_running",
        "Windows Modules Installer runs, which it also does with nothing to install",
        _process("TrustedInstaller.exe"),
        "None is needed, unless another row says that updates are being installed.",
    ),
    _sign(
        "installer_running",
        "Windows Installer runs, which it also does for some minutes after an installation",
        _process("msiexec.exe"),
        "See which installation it is, and let it end.",
    ),
)


def _policy(ident: str, title: str, name: str, desired: Desired, absent: Absent, **more: t.Any) -> Row:
    return Row(
        id=ident,
        scenario="updates",
        effect="informs",
        title=title,
        location=dword(_AU, name),
        desired=desired,
        absent=absent,
        takes_effect="unknown",
        offline=True,
        grade="verified",
        **more,
    )


_POLICIES = (
    _policy(
        "automatic_updates",
        "Updates are installed automatically, so that any shutdown may meet some",
        "NoAutoUpdate",
        Desired(1),
        both(0),
        cost="the guest stays without security updates",
        baselines=(("cis", "18.10.93.2.1"),),
        source="WindowsUpdate.admx; CIS roles",
        cure="Rather install updates on a schedule, in a maintenance window, than not at all.",
    ),
    _policy(
        "automatic_updates_option",
        "Updates are installed when Windows decides, and not when an administrator does (3, or 7 from Server 2016)",
        "AUOptions",
        Desired(3, others=(7,)),
        Absent(client=UNKNOWN, server=UNKNOWN),
        cost="somebody must install the updates",
        source="WindowsUpdate.admx and its texts",
    ),
    _policy(
        "updates_wait_for_users",
        "No automatic restart while users are signed in, so that updates stay pending",
        "NoAutoRebootWithLoggedOnUsers",
        Desired(0),
        both(0),
        cost="users who are signed in may be surprised by a restart",
        source="WindowsUpdate.admx; CIS roles",
    ),
)

ROWS = (*_MARKERS, *_RUNNING, *_POLICIES)
