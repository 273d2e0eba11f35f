# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What a reading of a domain says of each row of the catalogue, and what of it is to be mended. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    HOST,
    UNKNOWN,
    Data,
    DefinitionElement,
    DomainState,
    Row,
    SavedImage,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import DEFINITION
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_reading import DomainReading
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import crashed, powered_off
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import Finding, state_of_wrong, verdict
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import shown

if t.TYPE_CHECKING:
    from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue

STATES = ("ok", "differs", "fixed", "later", "waived", "unverified", "unreadable")
LIVE = "running domain"
SAVED = "managed-save image"
KEPT = "persistent definition"

NEEDED_COMMANDS = ("guest-fsfreeze-freeze", "guest-fsfreeze-status", "guest-fsfreeze-thaw", "guest-shutdown")
"""What a shutdown, with a freeze before a forced one, asks of the agent."""

Told = t.Optional[tuple[t.Optional[Data], str]]
"""What there is of a state (None: nothing), and what is to be said about it. None: the row does not apply."""


@dataclasses.dataclass(frozen=True)
class DomainFinding(Finding):
    """A finding about a domain; side is the definition that it is about, LIVE, SAVED or KEPT."""

    side: str = ""


def findings(catalogue: Catalogue, reading: DomainReading) -> list[Finding]:
    """What was found of every row about a domain that applies to this one, in the order of the catalogue."""
    return [
        finding
        for row in catalogue.rows
        if isinstance(row.location, (DefinitionElement, SavedImage, DomainState))
        for finding in _of_row(row, catalogue.waived.get(row.id, ""), reading)
    ]


def verdicts(found: t.Iterable[Finding]) -> dict[str, str]:
    """The worst that is true of the domain, in the form that guests have."""
    return {HOST: verdict(found)}


def mendable(finding: Finding, rows: t.Sequence[str] | None) -> bool:
    """Whether remediation is to mend it: rows are those that were chosen.

    The running domain is changed where libvirt can do so; all else holds from the next start.
    """
    row = finding.row
    chosen = (rows is None or row.id in rows) and row.enforced and row.writable
    side = finding.side if isinstance(finding, DomainFinding) else ""
    here = side != SAVED and (side != LIVE or row.takes_effect == "now")
    return chosen and finding.state == "differs" and here


def methods(reading: DomainReading) -> list[str]:
    """The methods of domain_shutdown that this domain can carry now, politest first."""
    facts = reading.facts
    if reading.trouble or facts.off or crashed(facts) or powered_off(facts):
        return []
    definition, agent = facts.definition, reading.agent
    deaf = definition.agent_connected is False or agent.answers is False or "guest-shutdown" in agent.disabled
    carried = {"acpi": definition.acpi, "agent": definition.agent_channel and not deaf}
    return [method for method, there in carried.items() if there]


def _of_row(row: Row, waiver: str, reading: DomainReading) -> t.Iterator[Finding]:
    place = row.location
    if reading.trouble:
        yield DomainFinding(row, _name(place), "unreadable", detail=reading.trouble)
    elif isinstance(place, DefinitionElement):
        yield from _definition(row, place, waiver, reading)
    elif isinstance(place, SavedImage):
        if reading.kept:
            yield _state(row, waiver, ("present" if reading.has_image else None, reading.image_trouble))
    elif place == DomainState("request") and reading.facts.record_error:
        yield DomainFinding(row, _name(place), "unreadable", detail=reading.facts.record_error)
    elif isinstance(place, DomainState):
        told = _TOLD[place.name](reading)
        if told is not None:
            yield _state(row, waiver, told)


def _name(place: t.Any) -> str:
    if isinstance(place, DefinitionElement):
        return place.path
    return SAVED if isinstance(place, SavedImage) else place.name.replace("_", " ")


def _state(row: Row, waiver: str, told: tuple[Data | None, str]) -> Finding:
    actual, detail = told
    location = _name(row.location)
    if actual is None:
        return DomainFinding(row, location, "ok", detail=detail)
    state, why = state_of_wrong(row, waiver)
    return DomainFinding(row, location, state, actual, "; ".join(filter(None, (detail, why))))


# ---- definitions


def _definition(row: Row, place: DefinitionElement, waiver: str, reading: DomainReading) -> t.Iterator[Finding]:
    sides = ((LIVE, reading.live), (SAVED, reading.saved), (KEPT, reading.kept))
    for side, document in sides:
        if document is None or (place.machines and document.architecture not in place.machines):
            continue
        actual = document.get(place)
        location = f"{side}: {place.path}"
        fine, detail = _fine(row, actual)
        if fine:
            yield DomainFinding(row, location, "ok", actual, detail, side=side)
            continue
        state, why = state_of_wrong(row, waiver)
        if state == "differs" and side != KEPT and not (side == LIVE and row.takes_effect == "now"):
            if reading.kept is None:
                why = "a transient domain has no definition for its next start that could be mended"
            elif _fine(row, reading.kept.get(place))[0]:
                when = "the next start" if side == LIVE else "the start after the image is used up"
                state, why = "later", f"the persistent definition is as wanted, which holds from {when}"
        yield DomainFinding(row, location, state, actual, "; ".join(filter(None, (detail, why))), side=side)


def _fine(row: Row, actual: Data | None) -> tuple[bool, str]:
    """Whether this is as wanted, and what is to be said about it."""
    if actual is not None:
        return row.desired.accepts(actual), ""
    if row.absent.client is UNKNOWN:
        return False, "absent, which leaves it to the hypervisor, and QEMU offers it"
    meaning = t.cast("Data | None", row.absent.client)
    fine = row.desired.accepts(meaning)
    return fine, f"absent, which to libvirt is {shown(meaning)}" if meaning is not None else "absent"


# ---- states


def _definitions(reading: DomainReading) -> Told:
    if not (reading.live and reading.kept):
        return None
    places = [row.location for row in DEFINITION if isinstance(row.location, DefinitionElement)]
    differing = tuple(place.path for place in places if reading.live.get(place) != reading.kept.get(place))
    return differing or None, ""


def _autostart(reading: DomainReading) -> Told:
    return None if reading.autostart is None else ("on" if reading.autostart else None, "")


def _transient(reading: DomainReading) -> Told:
    return (None if reading.facts.persistent else "transient"), ""


def _running(told: t.Callable[[DomainReading], Told]) -> t.Callable[[DomainReading], Told]:
    """For a state that only a domain that is not off can have."""
    return lambda reading: None if reading.facts.off else told(reading)


def _crashed(reading: DomainReading) -> Told:
    return (reading.facts.state if crashed(reading.facts) else None), ""


def _ioerror(reading: DomainReading) -> Told:
    stopped = (reading.facts.state, reading.facts.reason) == ("paused", "ioerror")
    return ("paused" if stopped else None), ""


def _paused(reading: DomainReading) -> Told:
    elsewhere = ("ioerror", "crashed", "shutting_down")
    paused = reading.facts.state == "paused" and reading.facts.reason not in elsewhere
    return (reading.facts.reason if paused else None), ""


def _asleep(reading: DomainReading) -> Told:
    return ("S3" if reading.facts.state == "pmsuspended" else None), ""


def _shutting_down(reading: DomainReading) -> Told:
    return (reading.facts.state if powered_off(reading.facts) else None), ""


def _job(reading: DomainReading) -> Told:
    return reading.facts.job or None, ""


def _block_jobs(reading: DomainReading) -> Told:
    return reading.facts.definition.block_jobs or None, ""


def _agent(reading: DomainReading) -> Told:
    definition = reading.facts.definition
    if not definition.agent_channel or definition.agent_connected is None:
        return None
    return (None if definition.agent_connected else "disconnected"), reading.agent.version


def _agent_answer(reading: DomainReading) -> Told:
    answers = reading.agent.answers
    return None if answers is None else (None if answers else "silent", reading.agent.trouble)


def _agent_commands(reading: DomainReading) -> Told:
    agent = reading.agent
    if not agent.answers or agent.frozen:  # one that is frozen refuses nearly all for as long
        return None
    if "guest-info" in agent.disabled:
        return ("guest-info",), "it does not tell its version, nor which others it refuses"
    refused = tuple(name for name in NEEDED_COMMANDS if name in agent.disabled or name not in agent.commands)
    return refused or None, f"version {agent.version}"


def _frozen(reading: DomainReading) -> Told:
    frozen = reading.agent.frozen
    return None if frozen is None else ("frozen" if frozen else None, "")


def _request(reading: DomainReading) -> Told:
    facts = reading.facts
    request = facts.record.request
    if request is None or not request.outstanding or request.domain_id != facts.domain_id:
        return None, ""
    how = f"it ended as {request.outcome}" if request.outcome else "its run was cut off, or is still under way"
    return request.at, how


_TOLD: dict[str, t.Callable[[DomainReading], Told]] = {
    "definitions": _definitions,
    "autostart": _autostart,
    "transient": _transient,
    "crashed": _running(_crashed),
    "ioerror": _running(_ioerror),
    "paused": _running(_paused),
    "asleep": _running(_asleep),
    "shutting_down": _running(_shutting_down),
    "job": _running(_job),
    "block_jobs": _running(_block_jobs),
    "agent": _running(_agent),
    "agent_answer": _running(_agent_answer),
    "agent_commands": _running(_agent_commands),
    "frozen": _running(_frozen),
    "request": _running(_request),
}
"""How each DomainState is told."""
