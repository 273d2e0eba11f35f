# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The rows about what is read in an image only: a guest that runs tells it in other ways, or hides it."""

from __future__ import annotations

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Desired, File, RegistryValue, Row
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import (
    GONE,
    NOTHING,
    POLICIES,
    dword,
)

_COMPONENTS = r"HKLM\COMPONENTS"
_DEFENDER = r"HKLM\SOFTWARE\Microsoft\Windows Defender"
_OFF = Desired(None, others=(0,))


def _mark(ident: str, title: str, location: RegistryValue, source: str, grade: str, cure: str) -> Row:
    return Row(
        id=ident,
        scenario="damage",
        effect="informs",
        title=title,
        location=location,
        desired=_OFF,
        absent=NOTHING,
        only_read=True,
        source=source,
        grade=grade,
        cure=cure,
    )


_SCRIPT = "a script of Microsoft's support, which collects it"
_REPAIR = "Boot the image and run DISM /Online /Cleanup-Image /RestoreHealth."

ROWS = (
    Row(
        id="hibernation_file",
        scenario="sleep",
        effect="informs",
        title="The image has a hibernation file, which a guest that cannot hibernate does not need",
        location=File(r"%SystemDrive%\hiberfil.sys"),
        desired=GONE,
        absent=NOTHING,
        source="none that could be read",
        grade="common_knowledge",
        cure="powercfg /hibernate off in the running guest deletes it.",
    ),
    _mark(
        "component_store_corrupt",
        "Servicing has found the component store damaged, so that updates may not come to an end",
        dword(_COMPONENTS, "CorruptionDetectedDuringAcr"),
        _SCRIPT,
        "single_source",
        _REPAIR,
    ),
    _mark(
        "component_store_unserviceable",
        "Servicing has given the component store up, so that updates may not come to an end",
        dword(_COMPONENTS, "Unserviceable"),
        _SCRIPT,
        "single_source",
        _REPAIR,
    ),
    _mark(
        "defender_forbidden",
        "A policy switches Defender off",
        dword(rf"{POLICIES}\Windows Defender", "DisableAntiSpyware"),
        "none that could be read",
        "common_knowledge",
        "Find out who set it: another virus scanner, or malware.",
    ),
    _mark(
        "defender_disabled",
        "Defender is switched off",
        dword(_DEFENDER, "DisableAntiSpyware"),
        "none that could be read",
        "common_knowledge",
        "Another virus scanner does it too. See whether there is one.",
    ),
    _mark(
        "defender_not_in_real_time",
        "Defender's protection in real time is switched off",
        dword(rf"{_DEFENDER}\Real-Time Protection", "DisableRealtimeMonitoring"),
        "none that could be read",
        "common_knowledge",
        "Another virus scanner does it too. See whether there is one.",
    ),
)
