# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What a guest is to be asked for an audit, and what is to be written and read again for remediation. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    POWER_POLICY,
    POWER_SCHEMES,
    Events,
    File,
    PowerSetting,
    Process,
    RegistryKey,
    RegistryValue,
    Row,
    ServiceValues,
    TwoValues,
    UserValue,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import MODES, SERVICES, Finding
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import SYSTEM_VALUES, Hive, Reading
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
    DefaultHive,
    Files,
    Hives,
    Keys,
    LoadedHives,
    NotFound,
    Processes,
    RecentEvents,
    Scan,
    Schemes,
    Setting,
    Statement,
    StoredHives,
    Unload,
    Values,
    Write,
    WritePower,
)

Named = t.TypeVar("Named")

HIVES: dict[str, type[Hives]] = {
    "loaded": LoadedHives,
    "system": LoadedHives,
    "stored": StoredHives,
    "default": DefaultHive,
}


def preparation(nonce: str) -> list[Statement]:
    """What comes before all else: how this guest says that something is not there, and tidying up."""
    return [NotFound(nonce), Unload(), *_values(SYSTEM_VALUES)]


def audit(rows: t.Iterable[Row]) -> list[Statement]:
    """Everything that these rows name."""
    places = [row.location for row in rows]
    values = [
        *_of(places, RegistryValue),
        *(value for pair in _of(places, TwoValues) for value in (pair.one, pair.other)),
    ]
    users = tuple(_of(places, UserValue))
    statements = _values((value.key, value.name) for value in values)
    if _of(places, PowerSetting):
        statements += [Schemes(), *_power_scans(POWER_SCHEMES, POWER_POLICY)]
    statements += [Scan(SERVICES, place.name) for place in _of(places, ServiceValues)]
    if users:
        # The default profile's own place is not read here: where it is not the usual one, its hive is not found.
        statements += [LoadedHives(users), StoredHives(users), DefaultHive(users)]
    for kind, statement in (
        (RegistryKey, lambda found: Keys(tuple(found))),
        (File, lambda found: Files(tuple(file.path for file in found))),
        (Process, lambda found: Processes(tuple(process.image for process in found))),
    ):
        found = _of(places, kind)
        if found:
            statements.append(statement(found))
    logs: dict[tuple[str, int], list[Events]] = {}
    for events in _of(places, Events):
        logs.setdefault((events.log, events.days), []).append(events)
    return [*statements, *(RecentEvents(tuple(of_log)) for of_log in logs.values())]


def remediation(wrong: t.Sequence[Finding], reading: Reading) -> list[Statement]:
    """Writes for these findings, and then the queries that read what was written."""
    writes: dict[tuple[str, str, t.Any], dict[str, None]] = {}
    for finding in wrong:
        if isinstance(finding.row.location, RegistryValue):
            place, data = finding.row.location, finding.row.desired.data
            writes.setdefault((place.key, place.type, data), {})[place.name] = None
    statements: list[Statement] = [
        Write(key, tuple(names), value_type, data) for (key, value_type, data), names in writes.items()
    ]
    statements += [*_power_writes(wrong, reading), *_hives(wrong)]
    statements += _values((key, name) for (key, dummy, dummy_data), names in writes.items() for name in names)
    power = [finding for finding in wrong if isinstance(finding.row.location, PowerSetting)]
    if power:
        statements += _power_scans(POWER_SCHEMES)
    if any(finding.state == "managed_by_policy" for finding in power):
        statements += _power_scans(POWER_POLICY)
    return statements


def _values(values: t.Iterable[tuple[str, str]]) -> list[Statement]:
    keys: dict[str, dict[str, None]] = {}
    for key, name in values:
        keys.setdefault(key, {})[name] = None
    return [Values(key, tuple(names)) for key, names in keys.items()]


def _power_scans(*roots: str) -> list[Statement]:
    return [Scan(root, name) for root in roots for name in MODES.values()]


def _power_writes(wrong: t.Sequence[Finding], reading: Reading) -> t.Iterator[Statement]:
    """A policy that overrides a setting is removed first, because powercfg fails under it."""
    settings: dict[tuple[str, str, int], None] = {}
    policies: dict[Write, None] = {}
    for finding in wrong:
        place, data = finding.row.location, finding.row.desired.data
        if isinstance(place, PowerSetting) and isinstance(data, int):
            settings[place.subgroup, place.setting, data] = None
            if finding.state == "managed_by_policy":
                key = f"{POWER_POLICY}\\{place.setting}"
                policies[Write(key, _overriding(reading, key, finding.row), "REG_DWORD", None)] = None
    yield from policies
    if settings:
        yield WritePower(reading.schemes, tuple(settings))


def _overriding(reading: Reading, key: str, row: Row) -> tuple[str, ...]:
    """The values of a policy that are not as wanted; one that is may stay."""
    values = ((name, reading.value(key, name).value) for name in MODES.values())
    return tuple(name for name, value in values if value and not row.desired.accepts(value.data))


def _hives(wrong: t.Sequence[Finding]) -> t.Iterator[Statement]:
    """Every hive gets what is wrong in it and no more; those with the same wrong values are written together."""
    by_hive: dict[Hive, list[Setting]] = {}
    for finding in wrong:
        if finding.hive and isinstance(finding.row.location, UserValue):
            by_hive.setdefault(finding.hive, []).append(Setting(finding.row.location, finding.row.desired.data))
    together: dict[tuple[type[Hives], tuple[Setting, ...]], list[str]] = {}
    for hive, settings in by_hive.items():
        together.setdefault((HIVES[hive.kind], tuple(settings)), []).append(hive.name)
    for (statement, settings_of_all), names in together.items():
        values = tuple(setting.value for setting in settings_of_all)
        # There is one default profile, whose name is not that of an account.
        only = () if statement is DefaultHive else tuple(names)
        yield statement(values, settings_of_all, only)


def _of(places: t.Iterable[t.Any], kind: type[Named]) -> list[Named]:
    return [place for place in places if isinstance(place, kind)]
