# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The catalogue as a user wants it: rows added, desired values changed, rows waived or enforced. Pure.

Everything a user can write is checked here, and a CatalogueError names the variable, the place in it, and what to do.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    BASELINES,
    GUEST_SCENARIOS,
    NUMBER_TYPES,
    TEXT_TYPES,
    UNKNOWN,
    Absent,
    CatalogueError,
    DefinitionElement,
    Desired,
    HostSetting,
    PowerSetting,
    RegistryValue,
    Row,
    UserValue,
    as_number,
    check,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_input import (
    USER_TYPES,
    check_data,
    check_guid,
    check_key,
    check_name,
    check_number,
    check_shown,
    check_user_key,
)

NO_BASELINE = "none"

_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LOCATIONS = {"registry": ("key", "name", "type"), "user": ("key", "name", "type"), "power": ("subgroup", "setting")}
_REQUIRED = ("id", "scenario", "title", "desired")
_TEXTS = {"effect": "blocks", "takes_effect": "unknown", "cost": "", "source": "the inventory"}
_SWITCHES = {"enforced": True, "absent_is_fine": False}
_KNOWN = (*_REQUIRED, *_LOCATIONS, "least", "most", *_TEXTS, *_SWITCHES)


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The rows in their order, and those that are waived, each with the reason."""

    rows: tuple[Row, ...]
    waived: t.Mapping[str, str]

    @functools.cached_property
    def by_id(self) -> dict[str, Row]:
        """The rows by their ids."""
        return {row.id: row for row in self.rows}


def build(
    rows: t.Iterable[Row],
    custom: t.Sequence[t.Mapping[str, t.Any]] = (),
    desired: t.Mapping[str, t.Any] | None = None,
    waive: t.Sequence[str] = (),
    enforce: t.Sequence[str] = (),
    baseline: str = NO_BASELINE,
) -> Catalogue:
    """These rows and the user's own (custom), as the user wants them.

    A security baseline waives the rows that it forbids, but for those whose desired value the user has changed, and
    those that the user enforces by name.
    """
    known = {row.id: row for row in rows}
    for index, entry in enumerate(_list(custom, "custom_rows")):
        row = _custom(entry, f"custom_rows[{index}]")
        where = f"custom_rows[{index}] ({row.id})"
        _check_new(row, known, where)
        known[row.id] = row
    desired = _dictionary({} if desired is None else desired, "desired")
    for ident, data in desired.items():
        row = known[_known_id(ident, known, "desired")]
        known[row.id] = _with_desired(row, data, f"desired[{row.id}]")
    waived_by_user = [_known_id(ident, known, "waive") for ident in _list(waive, "waive")]
    enforced = [_known_id(ident, known, "enforce") for ident in _list(enforce, "enforce")]
    for ident in enforced:
        if not known[ident].writable:
            raise CatalogueError(f"enforce: {ident} can only be read; take it out.{_cure(known[ident])}")
        if ident in waived_by_user:
            raise CatalogueError(f"enforce and waive both name {ident}; take it out of one of them")
        known[ident] = dataclasses.replace(known[ident], enforced=True)
    waived = _forbidden(known.values(), baseline, {*desired, *enforced})
    waived.update(dict.fromkeys(waived_by_user, "waived by the user"))
    return Catalogue(tuple(known.values()), waived)


def _forbidden(rows: t.Iterable[Row], baseline: str, chosen: set[str]) -> dict[str, str]:
    if baseline not in (NO_BASELINE, *BASELINES):
        choices = ", ".join((NO_BASELINE, *BASELINES))
        raise CatalogueError(f"baseline is {baseline!r}; it must be one of {choices}")
    return {
        row.id: f"{name.upper()} {rule} forbids it"
        for row in rows
        for name, rule in row.baselines
        if name == baseline and row.id not in chosen
    }


def _with_desired(row: Row, data: t.Any, where: str) -> Row:
    place = row.location
    if isinstance(place, PowerSetting):
        wanted: t.Any = check_number(data, where)
    elif isinstance(place, HostSetting):
        wanted = _seconds(data, where)
    elif isinstance(place, DefinitionElement) and place.choices:
        wanted = _choice(data, place.choices, where)
    elif isinstance(place, (RegistryValue, UserValue)):
        wanted = None if data is None else check_data(data, place.type, where, written=row.writable)
    else:
        raise CatalogueError(f"{where}: there is no value that could be another; take it out, or waive it.{_cure(row)}")
    return dataclasses.replace(row, desired=Desired(wanted))


def _seconds(data: t.Any, where: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or data < 0:
        raise CatalogueError(f"{where} is {data!r}; it takes a number of seconds, as 900: without quotes")
    return data


def _choice(data: t.Any, choices: tuple[str, ...], where: str) -> str:
    """One of libvirt's words. YAML makes booleans of yes and no."""
    if isinstance(data, bool):
        data = "yes" if data else "no"
    if data not in choices:
        raise CatalogueError(f"{where} is {data!r}; it must be one of {', '.join(choices)}")
    return str(data)


def _cure(row: Row) -> str:
    """What else can be done about it, as further sentences."""
    return f" What a person can do: {row.cure}" if row.cure else ""


def _check_new(row: Row, known: t.Mapping[str, Row], where: str) -> None:
    if row.id in known:
        raise CatalogueError(
            f"{where}: there is a row with the id {row.id} already; choose another id, or use desired to "
            "change what that row wants"
        )
    same = next((other.id for other in known.values() if _place(other) == _place(row)), "")
    if same:
        raise CatalogueError(
            f"{where}: the row {same} is about the same value; use desired to change what that row wants"
        )


def _place(row: Row) -> tuple[t.Any, ...]:
    """What tells a location from others, to Windows."""
    place = row.location
    if isinstance(place, (RegistryValue, UserValue)):
        return type(place), place.key.casefold(), place.name.casefold()
    if isinstance(place, PowerSetting):
        return type(place), place.subgroup, place.setting
    return (place,)


def _custom(entry: t.Any, where: str) -> Row:
    """A user's own row. For whether it is right the user answers, so it counts as verified."""
    entry = _dictionary(entry, where)
    ident = entry.get("id")
    if not isinstance(ident, str) or not _ID.fullmatch(ident):
        raise CatalogueError(
            f"{where}: id is {ident!r}; it must be small letters, digits and underscores, and begin with a letter"
        )
    where = f"{where} ({ident})"
    _check_keys(entry, _KNOWN, _REQUIRED, where)
    scenario = check_shown(entry["scenario"], f"{where}: scenario")
    if scenario not in GUEST_SCENARIOS:
        raise CatalogueError(f"{where}: scenario is {scenario!r}; it must be one of {', '.join(GUEST_SCENARIOS)}")
    location = _location(entry, where)
    texts = {name: check_shown(entry.get(name, default), f"{where}: {name}") for name, default in _TEXTS.items()}
    if isinstance(location, PowerSetting) and "takes_effect" not in entry:
        texts["takes_effect"] = "activation"
    switches = {name: _switch(entry.get(name, default), f"{where}: {name}") for name, default in _SWITCHES.items()}
    title = check_shown(entry["title"], f"{where}: title")
    if not title.strip():
        raise CatalogueError(f"{where}: title is empty; say in a sentence what this does to a shutdown")
    desired = _desired(entry, location, where)
    absence = desired.data if switches["absent_is_fine"] else UNKNOWN
    row = Row(
        id=str(ident),
        scenario=scenario,
        title=title,
        location=location,
        desired=desired,
        absent=Absent(client=absence, server=absence),
        enforced=switches["enforced"],
        effect=texts["effect"],
        takes_effect=texts["takes_effect"],
        cost=texts["cost"],
        source=texts["source"],
        offline=True,
        grade="verified",
    )
    return check(row, where)


def _location(entry: t.Mapping[str, t.Any], where: str) -> RegistryValue | UserValue | PowerSetting:
    kinds = [kind for kind in _LOCATIONS if kind in entry]
    if len(kinds) != 1:
        given = " and ".join(kinds) or "none"
        raise CatalogueError(f"{where}: give exactly one of {', '.join(_LOCATIONS)}; there is {given}")
    (kind,) = kinds
    place = f"{where}: {kind}"
    parts = _dictionary(entry[kind], place)
    _check_keys(parts, _LOCATIONS[kind], _LOCATIONS[kind], place)
    if kind == "power":
        subgroup, setting = (check_guid(parts[name], f"{place}.{name}") for name in _LOCATIONS[kind])
        return PowerSetting(subgroup, setting, f"{subgroup} {setting}")
    if parts["type"] not in USER_TYPES:
        raise CatalogueError(f"{place}.type is {parts['type']!r}; it must be one of {', '.join(USER_TYPES)}")
    name, value_type = check_name(parts["name"], f"{place}.name"), str(parts["type"])
    if kind == "user":
        return UserValue(check_user_key(parts["key"], f"{place}.key"), name, value_type)
    return RegistryValue(check_key(parts["key"], f"{place}.key"), name, value_type)


def _desired(entry: t.Mapping[str, t.Any], location: RegistryValue | UserValue | PowerSetting, where: str) -> Desired:
    value_type = "REG_DWORD" if isinstance(location, PowerSetting) else location.type
    place = f"{where}: desired"
    limits = {
        name: check_number(entry[name], f"{where}: {name}", "REG_QWORD")
        for name in ("least", "most")
        if entry.get(name) is not None
    }
    if entry["desired"] is None:
        if limits or isinstance(location, PowerSetting):
            raise CatalogueError(
                f"{place} is nothing, which would have the value deleted; that goes neither with least and most nor "
                "with a power setting: give the data that is wanted"
            )
        return Desired(None)
    data = check_data(entry["desired"], value_type, place)
    if limits:
        number = as_number(data)
        if value_type not in (*NUMBER_TYPES, *TEXT_TYPES) or number is None:
            raise CatalogueError(f"{place} is no number, so least and most mean nothing; leave them out")
        if not limits.get("least", number) <= number <= limits.get("most", number):
            raise CatalogueError(f"{place} is {number}, which is not from least to most; mend one of the three")
    return Desired(data, limits.get("least"), limits.get("most"))


def _check_keys(entry: t.Mapping[str, t.Any], known: t.Sequence[str], required: t.Sequence[str], where: str) -> None:
    for name in entry:
        if name not in known:
            raise CatalogueError(
                f"{where}: there is no key {name!r}{_near(name, known)}; the keys are {', '.join(known)}"
            )
    missing = [name for name in required if name not in entry]
    if missing:
        raise CatalogueError(f"{where}: {' and '.join(missing)} is missing; add it")


def _known_id(ident: t.Any, known: t.Mapping[str, Row], where: str) -> str:
    if not isinstance(ident, str) or ident not in known:
        raise CatalogueError(
            f"{where}: there is no row {ident!r}{_near(ident, tuple(known))}; the page about the catalogue has all ids"
        )
    return known[ident].id


def _near(word: t.Any, known: t.Sequence[str]) -> str:
    near = difflib.get_close_matches(str(word), known, n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _list(value: t.Any, where: str) -> t.Sequence[t.Any]:
    if isinstance(value, (list, tuple)):
        return value
    raise CatalogueError(f"{where} is a {type(value).__name__}; it must be a list, even of one")


def _dictionary(value: t.Any, where: str) -> t.Mapping[str, t.Any]:
    if isinstance(value, dict):
        return value
    raise CatalogueError(f"{where} is a {type(value).__name__}; it must be a dictionary")


def _switch(value: t.Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise CatalogueError(f"{where} is {value!r}; it must be true or false")
