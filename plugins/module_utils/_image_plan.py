# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What is to be written into which hive of an image, from what was found. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    POWER_POLICY,
    POWER_SCHEMES,
    PowerSetting,
    RegistryValue,
    Row,
    UserValue,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._hives import Setting
from ansible_collections.winguest.shutdown.plugins.module_utils._image_reading import (
    SOFTWARE,
    SYSTEM,
    ImageReading,
    in_hive,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import MODES, Finding
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import Seen

LAST = (SYSTEM, SOFTWARE)
"""The hives that are replaced last, in this order: policies, which are in SOFTWARE, override what is in SYSTEM, and go
only when that is as it should be."""


def plan(wrong: t.Sequence[Finding], image: ImageReading) -> dict[str, list[Setting]]:
    """For each hive, by its path, what is to be set in it, in the order in which hives are to be replaced."""
    by_hive: dict[str, dict[Setting, None]] = {}
    for name, setting in _settings(wrong, image):
        by_hive.setdefault(name, {})[setting] = None
    by_path: dict[str, dict[Setting, None]] = {}
    for name in sorted(by_hive, key=lambda name: LAST.index(name) if name in LAST else -1):
        # Two users may share a profile, which is one file.
        by_path.setdefault(image.hives[name].path, {}).update(by_hive[name])
    return {path: list(settings) for path, settings in by_path.items()}


def _settings(wrong: t.Sequence[Finding], image: ImageReading) -> t.Iterator[tuple[str, Setting]]:
    rows = {finding.row.id: finding.row for finding in wrong if isinstance(finding.row.location, PowerSetting)}
    overriding = {finding.row.id for finding in wrong if finding.state == "managed_by_policy"}
    for row in rows.values():
        yield from _power(row, t.cast(PowerSetting, row.location), row.id in overriding, image)
    for finding in wrong:
        place, data = finding.row.location, finding.row.desired.data
        if isinstance(place, RegistryValue):
            yield _in_machine(place.key, place.name, place.type, data, image)
        elif isinstance(place, UserValue) and finding.hive:
            yield finding.hive.name, Setting(place.key, place.name, place.type, data)


def _power(row: Row, place: PowerSetting, overriding: bool, image: ImageReading) -> t.Iterator[tuple[str, Setting]]:
    """The setting in every scheme and, where it is to be overridden, the policy away."""
    for mode in MODES.values():
        policy = f"{POWER_POLICY}\\{place.setting}"
        seen = image.reading.value(policy, mode)
        if seen.value and (not overriding or row.desired.accepts(seen.data)):
            continue
        if seen.value:
            yield _in_machine(policy, mode, "REG_DWORD", None, image)
        for scheme in image.reading.schemes:
            key = f"{POWER_SCHEMES}\\{scheme}\\{place.subgroup}\\{place.setting}"
            if not _as_wanted(row, image.reading.value(key, mode)):
                yield _in_machine(key, mode, "REG_DWORD", row.desired.data, image)


def _as_wanted(row: Row, seen: Seen) -> bool:
    """Whether it is there and as wanted: what a default says now, another Windows may not."""
    return seen.value is not None and seen.value.type == "REG_DWORD" and row.desired.accepts(seen.data)


def _in_machine(key: str, name: str, kind: str, data: t.Any, image: ImageReading) -> tuple[str, Setting]:
    hive, path = in_hive(key, image.control_set)
    return hive, Setting(path, name, kind, data)
