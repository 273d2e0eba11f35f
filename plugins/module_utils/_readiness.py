# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What a reading says of each row of the catalogue: findings, and a verdict for each scenario. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    GUEST_SCENARIOS,
    POWER_POLICY,
    POWER_SCHEMES,
    TEXT_TYPES,
    UNKNOWN,
    Data,
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
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import SERVICES
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import Exists, Hive, Reading, Seen
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable, shown

if t.TYPE_CHECKING:
    from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue

STATES = ("ok", "differs", "fixed", "waived", "unverified", "unreadable", "managed_by_policy")
NOT_IN_IMAGE = "not_in_image"
"""The state of what an image does not show and a running guest would. It says nothing, good or bad."""
MODES = {"AC": "ACSettingIndex", "DC": "DCSettingIndex"}
LATER = ("logon", "boot", "unknown")
"""What takes effect then does not help a shutdown before."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """A row of the catalogue as it was found in one place."""

    row: Row
    location: str
    state: str
    actual: Data | None = None
    detail: str = ""
    hive: Hive | None = None
    """The hive that it is in, where the row is about every user."""

    @property
    def place(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.row.id, self.location

    def changed(self, **fields: t.Any) -> Finding:
        """It with other fields."""
        return dataclasses.replace(self, **fields)

    @property
    def worth_telling(self) -> bool:
        """Whether a shutdown suffers from it, or would have."""
        return self.state == "fixed" or (self.row.effect != "informs" and self.state not in ("ok", NOT_IN_IMAGE))

    def told(self, before: Finding | None = None) -> dict[str, t.Any]:
        """It as a dictionary for users; before is the same place before remediation."""
        before = before or self
        row = self.row
        return {
            "id": row.id,
            "scenario": row.scenario,
            "effect": row.effect,
            "title": row.title,
            "location": printable(self.location),
            "actual": shown(self.actual),
            "desired": shown(row.desired.data),
            "state": self.state,
            "actual_before": shown(before.actual),
            "state_before": before.state,
            "detail": printable(self.detail),
            "enforced": row.enforced,
            "takes_effect": row.takes_effect if row.writable else None,
            "cost": row.cost,
            "cure": row.cure,
            "grade": row.grade,
            "source": row.source,
        }


def findings(catalogue: Catalogue, reading: Reading) -> list[Finding]:
    """What was found of every row, in the order of the catalogue."""
    return [finding for row in catalogue.rows for finding in _of_row(row, catalogue.waived.get(row.id, ""), reading)]


def verdicts(found: t.Iterable[Finding]) -> dict[str, str]:
    """For each scenario, the worst that is true of it.

    blocked: a shutdown would be lost or would not end; prolonged: it would take longer; waived: it would suffer from
    what was waived; unknown: something could not be read; ready_later: it is mended, and that holds from the next
    sign-in or boot on; ready.
    """
    by_scenario: dict[str, list[Finding]] = {scenario: [] for scenario in GUEST_SCENARIOS}
    for finding in found:
        by_scenario[finding.row.scenario].append(finding)
    return {scenario: verdict(members) for scenario, members in by_scenario.items()}


def verdict(members: t.Iterable[Finding]) -> str:
    """The worst that is true of these findings, in the words of verdicts."""
    relevant = [finding for finding in members if finding.row.effect != "informs"]
    wrong = [finding for finding in relevant if finding.state in ("differs", "managed_by_policy")]
    states = {finding.state for finding in relevant}
    if any(finding.row.effect in ("blocks", "swallows") for finding in wrong):
        return "blocked"
    if wrong:
        return "prolonged"
    for state, told in (("waived", "waived"), ("unreadable", "unknown")):
        if state in states:
            return told
    if "later" in states or any(f.state == "fixed" and f.row.takes_effect in LATER for f in relevant):
        return "ready_later"
    return "ready"


def _of_row(row: Row, waiver: str, reading: Reading) -> t.Iterator[Finding]:
    place = row.location
    if isinstance(place, RegistryValue):
        yield _value(row, waiver, reading, f"{place.key}\\{place.name}", reading.value(place.key, place.name))
    elif isinstance(place, UserValue):
        yield from _users(row, place, waiver, reading)
    elif isinstance(place, PowerSetting):
        yield from _power(row, place, waiver, reading)
    elif isinstance(place, RegistryKey):
        yield _exists(row, waiver, place.key, reading.keys.get(place.key))
    elif isinstance(place, TwoValues):
        yield _two(row, place, waiver, reading)
    elif isinstance(place, ServiceValues):
        yield from _services(row, place, waiver, reading)
    elif isinstance(place, File):
        yield _exists(row, waiver, place.path, reading.files.get(place.path))
    elif isinstance(place, Process):
        yield _exists(row, waiver, place.image, reading.processes.get(place.image))
    elif isinstance(place, Events):
        yield _exists(row, waiver, f"events {place.provider} in {place.log}", reading.events.get(place))


def state_of_wrong(row: Row, waiver: str) -> tuple[str, str]:
    """The state of a place that is not as wanted, and why it is that state and not "differs"."""
    if waiver:
        return "waived", waiver
    if row.writable and row.grade != "verified" and not row.enforced:
        return "unverified", "reported and not enforced: " + row.grade.replace("_", " ")
    return "differs", ""


def _value(row: Row, waiver: str, reading: Reading, location: str, seen: Seen, hive: Hive | None = None) -> Finding:
    if seen.trouble:
        return Finding(row, location, "unreadable", detail=seen.trouble, hive=hive)
    fine, detail = _fine(row, seen, reading)
    if fine:
        return Finding(row, location, "ok", seen.data, detail, hive)
    state, why = state_of_wrong(row, waiver)
    return Finding(row, location, state, seen.data, "; ".join(filter(None, (detail, why))), hive)


def _fine(row: Row, seen: Seen, reading: Reading) -> tuple[bool, str]:
    """Whether a value is as wanted, and what is to be said about it."""
    if seen.value is None:
        return _absence_is_fine(row, reading)
    wanted = getattr(row.location, "type", seen.value.type)
    same = seen.value.type == wanted or {seen.value.type, wanted} <= set(TEXT_TYPES)
    if not same and row.desired.data is not None:
        return False, f"it is a {seen.value.type} and must be a {wanted}"
    return row.desired.accepts(seen.value.data), ""


def _absence_is_fine(row: Row, reading: Reading) -> tuple[bool, str]:
    if row.desired.data is None:
        return True, ""
    servers = (True, False) if reading.server is None else (reading.server,)
    meanings = [row.absent.on(server, reading.build or 0) for server in servers]
    known = [t.cast("Data | None", meaning) for meaning in meanings if meaning is not UNKNOWN]
    if len(known) < len(meanings):
        return False, "absent, and what Windows does then is not known for certain"
    fine = all(row.desired.accepts(meaning) for meaning in known)
    told = " or ".join(str(shown(meaning)) for meaning in dict.fromkeys(known) if meaning is not None)
    return fine, f"absent, which to Windows is {told}" if told else "absent"


def _users(row: Row, place: UserValue, waiver: str, reading: Reading) -> t.Iterator[Finding]:
    kinds = {hive.kind for hive in reading.hives}
    for hive in reading.hives:
        key = hive.key(place.key)
        location = f"{key}\\{place.name}" + ("" if hive.kind == "loaded" else f" ({hive.kind})")
        seen = Seen(trouble=hive.trouble) if hive.trouble else reading.value(key, place.name)
        yield _value(row, waiver, reading, location, seen, hive)
    for name, kind in ((".DEFAULT", "system"), ("default", "default")):
        if kind not in kinds:
            hive = Hive(name, kind)
            yield Finding(row, f"{hive.key(place.key)}\\{place.name} ({kind})", "unreadable", detail="it was not found")


def _power(row: Row, place: PowerSetting, waiver: str, reading: Reading) -> t.Iterator[Finding]:
    if reading.schemes_trouble:
        yield Finding(row, place.alias, "unreadable", detail=reading.schemes_trouble)
        return
    for mode, name in MODES.items():
        policy = reading.value(f"{POWER_POLICY}\\{place.setting}", name)
        if policy.value or policy.trouble:
            finding = _value(row, waiver, reading, f"policy, {mode}: {place.alias}", policy)
            if finding.state == "differs":
                finding = dataclasses.replace(
                    finding, state="managed_by_policy", detail="a policy overrides the power schemes"
                )
            yield finding
            if policy.value:
                continue
        for scheme in reading.schemes:
            key = f"{POWER_SCHEMES}\\{scheme}\\{place.subgroup}\\{place.setting}"
            yield _value(
                row, waiver, reading, f"power scheme {scheme}, {mode}: {place.alias}", reading.value(key, name)
            )


def _exists(row: Row, waiver: str, location: str, exists: Exists | None) -> Finding:
    if exists is None or exists.trouble:
        return Finding(row, location, "unreadable", detail=exists.trouble if exists else "it was not read")
    if not exists.there:
        return Finding(row, location, "ok")
    state, why = state_of_wrong(row, waiver)
    return Finding(row, location, state, exists.detail or "present", why)


def _two(row: Row, place: TwoValues, waiver: str, reading: Reading) -> Finding:
    one, other = (reading.value(value.key, value.name) for value in (place.one, place.other))
    location = f"{place.one.key}\\{place.one.name} and {place.other.key}\\{place.other.name}"
    if one.trouble or other.trouble:
        return Finding(row, location, "unreadable", detail=one.trouble or other.trouble)
    if one.data == other.data:
        return Finding(row, location, "ok", one.data)
    state, why = state_of_wrong(row, waiver)
    told = " and ".join("nothing" if seen.data is None else str(shown(seen.data)) for seen in (one, other))
    return Finding(row, location, state, told, why)


def _services(row: Row, place: ServiceValues, waiver: str, reading: Reading) -> t.Iterator[Finding]:
    trouble = reading.scans.get((SERVICES.casefold(), place.name.casefold()), "it was not read")
    if trouble:
        yield Finding(row, f"{SERVICES}\\*\\{place.name}", "unreadable", detail=trouble)
        return
    for service, seen in sorted(reading.found(SERVICES, place.name).items()):
        yield _value(row, waiver, reading, f"{SERVICES}\\{service}\\{place.name}", seen)
