# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a row of the collection's catalogue is in a simulated Windows guest, to set it there and to look at it there.

This looks at the registry and at the files of hives itself, and not through anything of the collection's but the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    Data,
    PowerSetting,
    RegistryValue,
    Row,
    UserValue,
)

from bed.windows import power
from bed.windows.blockers import Changes, merged
from bed.windows.guest import HIVE, SimulatedWindows
from bed.windows.snapshot import Snapshot, Value
from bed.windows.systems import ADMINISTRATOR, NEW_USER, SIGN_IN_DESKTOP, USERS, Profile

STORED = (*(user for user in USERS if not user.loaded), NEW_USER)
"""The profiles whose hives are files, as long as nobody signs in."""

Contents = dict[str, dict[str, Value]]
"""Key -> name of a value -> the value."""

LOOK = r"HKU\look"


class Place(NamedTuple):
    """One place of a row; `location` is what a finding calls it, `key` its whole key, with HKU\\SID for every user."""

    location: str
    key: str
    name: str
    type: str

    def holding(self, data: Data | None) -> Value:
        """A value for it."""
        value: Any = list(data) if isinstance(data, tuple) else data
        return Value(self.type, value)


def places(row: Row) -> list[Place]:
    """All places of a row that can be written."""
    return list(_places(row))


def changes(row: Row, data: Data) -> Changes:
    """What sets a row to this, in all its places."""
    return merged(*({place.key: {place.name: place.holding(data)}} for place in places(row)))


def put(windows: SimulatedWindows, row: Row, data: Data | None) -> None:
    """Set a row in all its places of a guest that runs, or take it away (None)."""
    for place in places(row):
        put_value(windows, place.key, place.name, None if data is None else place.holding(data))


def put_value(windows: SimulatedWindows, key: str, name: str, value: Value | None) -> None:
    """Set a value or take it away, also in a hive that is a file now."""
    profile = next((one for one in STORED if key.startswith(f"HKU\\{one.sid}\\")), None)
    if profile and profile.sid not in loaded(windows):
        windows.registry.load(LOOK, rf"{profile.folder}\{HIVE}")
        try:
            windows.change({key.replace(rf"HKU\{profile.sid}", LOOK, 1): {name: value}})
        finally:
            windows.registry.unload(LOOK)
    else:
        windows.change({key: {name: value}})


def contents(windows: SimulatedWindows, *roots: str) -> Contents:
    """All that these keys hold, or all that decides about a shutdown; stored hives are under HKU\\SID as well."""
    found = _all(windows.registry.snapshot(*roots))
    for profile in STORED:
        if rf"HKU\{profile.sid}" not in found:
            found.update(_of_hive(windows, profile))
    return found


def loaded(windows: SimulatedWindows) -> list[str]:
    """The hives that are loaded now."""
    return windows.registry.snapshot("HKU").subkeys("HKU")


def value(found: Contents, place: Place) -> Value | None:
    """The value in a place; names in registries are the same in any case."""
    values = {key.casefold(): named for key, named in found.items()}.get(place.key.casefold(), {})
    return {name.casefold(): one for name, one in values.items()}.get(place.name.casefold())


def with_places(base: Contents, other: Contents, wanted: Iterable[Place]) -> Contents:
    """One registry but for some places, which are as they are in another."""
    result = {key: dict(values) for key, values in base.items()}
    keys = {key.casefold(): key for key in result}
    for place in wanted:
        key = keys.setdefault(place.key.casefold(), place.key)
        values = result.setdefault(key, {})
        for name in [name for name in values if name.casefold() == place.name.casefold()]:
            del values[name]
        there = value(other, place)
        if there is not None:
            values[place.name] = there
    return result


def _places(row: Row) -> Iterator[Place]:
    place = row.location
    if isinstance(place, RegistryValue):
        yield Place(rf"{place.key}\{place.name}", place.key, place.name, place.type)
    elif isinstance(place, PowerSetting):
        setting = power.Setting(place.alias, place.subgroup, place.setting)
        for scheme in power.SCHEMES:
            for supply in power.SUPPLIES:
                location = f"power scheme {scheme}, {supply}: {place.alias}"
                yield Place(location, power.scheme_key(scheme, setting), f"{supply}SettingIndex", "REG_DWORD")
    elif isinstance(place, UserValue):
        for profile in (ADMINISTRATOR, *USERS):
            key = rf"HKU\{profile.sid}\{place.key}"
            location = rf"{key}\{place.name}" + (" (stored)" if profile in STORED else "")
            yield Place(location, key, place.name, place.type)
        for name, kind in ((SIGN_IN_DESKTOP, "system"), (NEW_USER.sid, "default")):
            key = rf"HKU\{name}\{place.key}"
            called = key if kind == "system" else rf"HKU\default\{place.key}"
            yield Place(rf"{called}\{place.name} ({kind})", key, place.name, place.type)


def _all(snapshot: Snapshot) -> Contents:
    return {key: snapshot.values(key) for key in snapshot.keys()}  # noqa: SIM118 - it is no dictionary


def _of_hive(windows: SimulatedWindows, profile: Profile) -> Contents:
    windows.registry.load(LOOK, rf"{profile.folder}\{HIVE}")
    try:
        hive = _all(windows.registry.snapshot(LOOK))
        return {rf"HKU\{profile.sid}{key[len(LOOK) :]}": values for key, values in hive.items() if key != "HKU"}
    finally:
        windows.registry.unload(LOOK)
