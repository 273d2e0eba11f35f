# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What audits and remediations of a Windows have in common, whether it runs or is an image: options and results. Pure.

An audit's result is that of a remediation which has changed nothing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    BASELINES,
    GUEST_SCENARIOS,
    CatalogueError,
    Data,
    Row,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue, build
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import STATES, Finding, verdicts
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness_hints import hints
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import CURRENT_VERSION, Reading
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable, shown

CATALOGUE_OPTIONS: dict[str, t.Any] = {
    "baseline": {"type": "str", "choices": ["none", *BASELINES], "default": "none"},
    "waive": {"type": "list", "elements": "str", "default": []},
    "desired": {"type": "dict", "default": {}},
    "custom_rows": {"type": "list", "elements": "dict", "default": []},
    "problems_only": {"type": "bool", "default": False},
}
AUDIT_OPTIONS: dict[str, t.Any] = {"rows": {"type": "list", "elements": "str"}}
REMEDIATION_OPTIONS: dict[str, t.Any] = {
    "scenarios": {
        "type": "list",
        "elements": "str",
        "choices": list(GUEST_SCENARIOS),
        "default": list(GUEST_SCENARIOS),
    },
    "rows": {"type": "list", "elements": "str"},
    "enforce": {"type": "list", "elements": "str", "default": []},
    "override_policy": {"type": "bool", "default": False},
}


def audited(rows: t.Iterable[Row], options: t.Mapping[str, t.Any]) -> Catalogue:
    """The catalogue of an audit, with the rows that were chosen only. Raises CatalogueError."""
    catalogue = remediated(rows, {**options, "rows": None})
    chosen = options["rows"]
    if chosen is None:
        return catalogue
    unknown = sorted(set(chosen) - {row.id for row in catalogue.rows})
    if unknown:
        raise CatalogueError(f"rows names {', '.join(unknown)}, which the catalogue does not have")
    return dataclasses.replace(catalogue, rows=tuple(row for row in catalogue.rows if row.id in chosen))


def remediated(rows: t.Iterable[Row], options: t.Mapping[str, t.Any]) -> Catalogue:
    """The catalogue of a remediation, in which the rows that were chosen are enforced. Raises CatalogueError."""
    return build(
        rows,
        custom=options["custom_rows"],
        desired=options["desired"],
        waive=options["waive"],
        enforce=[*options.get("enforce", []), *(options.get("rows") or [])],
        baseline=options["baseline"],
    )


def mendable(row: Row, options: t.Mapping[str, t.Any]) -> bool:
    """Whether remediation is to set what this row is about."""
    chosen = options["rows"] is None or row.id in options["rows"]
    return chosen and row.enforced and row.writable and row.scenario in options["scenarios"]


def to_be_mended(finding: Finding, options: t.Mapping[str, t.Any]) -> bool:
    """Whether remediation is to mend what was found, of a row that it is to set."""
    return finding.state == "differs" or (finding.state == "managed_by_policy" and options["override_policy"])


def before(found: list[Finding], after: list[Finding]) -> dict[tuple[str, str], Finding]:
    """For the place of each finding afterwards, what was found there before; of rows that are mended only.

    A power scheme may be new, because a policy overrode it before. Then that is what was found.
    """
    were = {finding.place: finding for finding in found}
    policies = {(one.row.id, _setting(one)): one for one in found if one.state == "managed_by_policy"}
    now = {one.place: were.get(one.place) or policies.get((one.row.id, _setting(one))) for one in after}
    return {place: finding for place, finding in now.items() if finding}


def _setting(finding: Finding) -> str:
    """Mode and name of a power setting, which are what its places in schemes and policies have in common."""
    return finding.location.rpartition(", ")[2]


def compared(
    after: list[Finding],
    were: t.Mapping[tuple[str, str], Finding],
    wrong: list[Finding],
    complaints: t.Sequence[str] = (),
) -> list[Finding]:
    """The findings afterwards: what was mended is fixed, and what is still wrong has the words of what has failed."""
    still = left(wrong, after)
    told = []
    for finding in after:
        if finding.state == "ok" and were.get(finding.place) in wrong:
            finding = finding.changed(state="fixed")
        elif finding in still:
            finding = finding.changed(detail="; ".join(filter(None, [finding.detail, *complaints])))
        told.append(finding)
    return told


def left(wrong: list[Finding], after: list[Finding]) -> list[Finding]:
    """What was to be mended and is not, or nobody knows whether it is."""
    rows = {finding.row.id for finding in wrong}
    were = {finding.place for finding in wrong}
    return [
        finding
        for finding in after
        if (finding.state == "differs" and finding.row.id in rows)
        or (finding.state in ("managed_by_policy", "unreadable") and finding.place in were)
    ]


def outcome(wrong: list[Finding], after: list[Finding]) -> dict[str, t.Any]:
    """Whether it was changed, and whether that failed somewhere."""
    still = left(wrong, after)
    # What was written and cannot be read may well have been changed.
    changed = {
        "changed": any(finding.state == "fixed" for finding in after)
        or any(finding.state == "unreadable" for finding in still)
    }
    if not still:
        return changed
    told = "; ".join(f"{finding.row.id} at {finding.location} ({finding.detail})" for finding in still[:3])
    return {**changed, "failed": True, "msg": printable(f"{len(still)} findings could not be mended: {told}")}


def result(
    after: list[Finding],
    were: t.Mapping[tuple[str, str], Finding],
    reading: Reading,
    options: t.Mapping[str, t.Any],
    states: t.Sequence[str] = STATES,
) -> dict[str, t.Any]:
    """The result; were has what was found before remediation, by place."""
    told = [finding for finding in after if finding.worth_telling or not options["problems_only"]]
    product = reading.value(CURRENT_VERSION, "ProductName").data
    return {
        "changed": False,
        "findings": [finding.told(were.get(finding.place)) for finding in told],
        "verdicts": verdicts(after),
        "hints": hints(after, reading),
        "totals": {state: sum(finding.state == state for finding in after) for state in states},
        "system": {"product": shown(product), "build": reading.build, "server": reading.server},
    }


def without_summary(told: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The result of an audit; where rows were chosen, without what would be about rows that were not read."""
    left_out = () if options["rows"] is None else ("verdicts", "hints")
    return {name: value for name, value in told.items() if name not in left_out}


def diff(wrong: list[Finding], after: list[Finding] | None, header: str) -> dict[str, str]:
    """One line for each place that was wrong, as it was and as it is or, in check mode, would be."""
    now = {finding.place: finding.actual for finding in after or ()}

    def line(finding: Finding, data: Data | None) -> str:
        return printable(f"{finding.location} = {'(absent)' if data is None else shown(data)}\n")

    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(line(finding, finding.actual) for finding in wrong),
        "after": "".join(
            line(finding, finding.row.desired.data if after is None else now.get(finding.place)) for finding in wrong
        ),
    }
