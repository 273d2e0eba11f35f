# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue's values read and set by Windows' own reg and powercfg, one by one: another way than ours. Pure.

Stored profiles are left out. Security identifiers and GUIDs of the guest's go into a command line only if they are
nothing else.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    Data,
    PowerSetting,
    RegistryValue,
    Row,
    UserValue,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS

KNOWN = {row.id: row for row in ROWS}
SCHEME = re.compile(r"power scheme ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}), (AC|DC): .*")
HIVE = re.compile(r"HKU\\(S-1(?:-\d+)+|\.DEFAULT|default)\\.*?(?: \((\w+)\))?")
VALUE = re.compile(r"^\s+(\S+)\s+(REG_\w+)(?:\s+(.*?))?\s*$", re.MULTILINE)
INDEX = re.compile(r"0x([0-9a-fA-F]{8})\s*$", re.MULTILINE)  # not every language has the same colon
SUPPLIES = ("AC", "DC")
MOUNT = r"HKU\winguest-acceptance"

Finding = t.Mapping[str, t.Any]


def reading(row: Row, location: str) -> str:
    """What prints the value that the audit calls so; empty where it is not asked for."""
    scheme = SCHEME.fullmatch(location)
    if isinstance(row.location, PowerSetting) and scheme:
        return f"powercfg /qh {scheme[1]} {row.location.subgroup} {row.location.setting}"
    return _with_reg(row, location, "query", "")


def setting(row: Row, location: str, data: int | str) -> str:
    """What sets the value that the audit calls so; empty where it is not set."""
    place, scheme = row.location, SCHEME.fullmatch(location)
    if isinstance(place, PowerSetting) and scheme:
        return f"powercfg /set{scheme[2]}valueindex {scheme[1]} {place.subgroup} {place.setting} {data}"
    if not isinstance(place, (RegistryValue, UserValue)):
        return ""
    return _with_reg(row, location, "add", f' /t {place.type} /d "{data}" /f')


def _with_reg(row: Row, location: str, verb: str, more: str) -> str:
    place = row.location
    if isinstance(place, RegistryValue):
        return f'reg {verb} "{place.key}" /v {place.name}{more}'
    hive = HIVE.fullmatch(location) if isinstance(place, UserValue) else None
    if not hive or not isinstance(place, UserValue) or hive[2] == "stored":
        return ""
    if hive[1] != "default":
        return rf'reg {verb} "HKU\{hive[1]}\{place.key}" /v {place.name}{more}'
    load = rf'reg load {MOUNT} "%SystemDrive%\Users\Default\NTUSER.DAT"'
    return rf'{load}&reg {verb} "{MOUNT}\{place.key}" /v {place.name}{more}&reg unload {MOUNT}'


def value(row: Row, location: str, output: str) -> Data | None:
    """The value in what was printed; None: there is none. In every language, the AC index comes before the DC index."""
    place = row.location
    if isinstance(place, PowerSetting):
        scheme, indexes = SCHEME.fullmatch(location), INDEX.findall(output)[-2:]
        return int(indexes[SUPPLIES.index(scheme[2])], 16) if scheme and len(indexes) == len(SUPPLIES) else None
    if not isinstance(place, (RegistryValue, UserValue)):
        return None
    for name, kind, data in VALUE.findall(output):
        if name.casefold() == place.name.casefold():
            return int(data, 16) if kind in ("REG_DWORD", "REG_QWORD") else str(data)
    return None


def _asked(findings: t.Iterable[Finding], ids: t.Container[str]) -> t.Iterator[tuple[Row, str, str]]:
    for finding in findings:
        if finding["id"] in ids:
            row = KNOWN[finding["id"]]
            asked = reading(row, finding["location"])
            if asked:
                yield row, finding["location"], asked


def acceptance_commands(findings: t.Iterable[Finding], ids: t.Container[str]) -> list[str]:
    """The command lines that read these rows where an audit has found them, each once."""
    return list(dict.fromkeys(asked for dummy_row, dummy_location, asked in _asked(findings, ids)))


def acceptance_settings(findings: t.Iterable[Finding], wrong: t.Mapping[str, int | str]) -> list[str]:
    """The command lines that set these rows to these values where an audit has found them, and put them in force."""
    commands = []
    for finding in findings:
        if finding["id"] in wrong:
            commands.append(setting(KNOWN[finding["id"]], finding["location"], wrong[finding["id"]]))
    return [*filter(None, dict.fromkeys(commands)), "powercfg /setactive SCHEME_CURRENT"]


def acceptance_readings(
    findings: t.Iterable[Finding], ids: t.Container[str], outputs: t.Mapping[str, str]
) -> dict[str, dict[str, Data | None]]:
    """What they have printed: for each row the value in each place."""
    read: dict[str, dict[str, Data | None]] = {}
    for row, location, asked in _asked(findings, ids):
        read.setdefault(row.id, {})[location] = value(row, location, outputs.get(asked, ""))
    return read


class FilterModule:
    """The filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {
            "acceptance_commands": acceptance_commands,
            "acceptance_settings": acceptance_settings,
            "acceptance_readings": acceptance_readings,
        }
