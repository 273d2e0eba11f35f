# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""guest_readiness and guest_readiness_info: an audit and, for the first, remediation and a second look."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    BASELINES,
    GUEST_SCENARIOS,
    CatalogueError,
    Data,
    Row,
    UserValue,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue, build
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import STATES, Finding, findings, verdicts
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness_hints import hints
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import Reading
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable, shown
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _guest_plan as plan
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_action import GuestAction
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_audit import Questioner
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import Unload
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import ShellError, WindowsShell

HALF_WAY = "Some of the settings may have been written already; running again goes on from there."

CATALOGUE_OPTIONS: dict[str, t.Any] = {
    "baseline": {"type": "str", "choices": ["none", *BASELINES], "default": "none"},
    "waive": {"type": "list", "elements": "str", "default": []},
    "desired": {"type": "dict", "default": {}},
    "custom_rows": {"type": "list", "elements": "dict", "default": []},
    "problems_only": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 300.0},
}
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


class ReadinessAction(GuestAction):
    """The audit, which changes nothing."""

    argument_spec: t.ClassVar[dict[str, t.Any]] = {**CATALOGUE_OPTIONS, "rows": {"type": "list", "elements": "str"}}

    def work(self, shell: WindowsShell, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read all, or the rows that were chosen, and tell what was found."""
        rows = options["rows"]
        catalogue = _catalogue({**options, "rows": None})
        if rows is not None:
            catalogue = _only(catalogue, rows)
        questioner = Questioner(shell)
        questioner.ask([*plan.preparation(questioner.nonce), *plan.audit(catalogue.rows)])
        found = findings(catalogue, questioner.answers.reading)
        told = _told(found, {}, questioner.answers.reading, options)
        # They would be about rows that were not read.
        without = () if rows is None else ("verdicts", "hints")
        return {name: value for name, value in told.items() if name not in without}


class RemediationAction(GuestAction):
    """The audit, remediation of what was chosen, and the audit of that once more."""

    argument_spec: t.ClassVar[dict[str, t.Any]] = {**CATALOGUE_OPTIONS, **REMEDIATION_OPTIONS}

    def work(self, shell: WindowsShell, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read what may have to be written, write what is wrong, and read that again with all the rest.

        What is only read is asked for together with the writes, because every command costs three requests.
        """
        catalogue = _catalogue(options)
        questioner = Questioner(shell)
        mendable = [row for row in catalogue.rows if _mendable(row, options)]
        # A profile that has to be loaded is loaded once for all that is read there.
        users = any(isinstance(row.location, UserValue) for row in mendable)
        first = [row for row in catalogue.rows if row in mendable or (users and isinstance(row.location, UserValue))]
        others = [row for row in catalogue.rows if row not in first]
        needed = [*plan.preparation(questioner.nonce), *plan.audit(first)]
        pending = questioner.ask([*needed, *plan.audit(others)], needed)
        reading = questioner.answers.reading
        before = findings(dataclasses.replace(catalogue, rows=tuple(mendable)), reading)
        wrong = [finding for finding in before if _to_be_mended(finding, options)]
        writes = [] if self._task.check_mode else plan.remediation(wrong, reading)
        try:
            questioner.ask([*writes, *pending])
            left = _left(wrong, findings(catalogue, reading)) if writes else []
            if left:
                # Once more, since a profile may have been in use for a moment, and may so have stayed loaded.
                questioner.answers.notes.clear()
                questioner.ask([Unload(), *plan.remediation(left, reading)])
        except ShellError as error:
            told = _told(findings(catalogue, reading), {}, reading, options)
            return {**told, "changed": bool(writes), "failed": True, "msg": f"{error} {HALF_WAY if writes else ''}"}
        after = findings(catalogue, reading)
        were = _before(before, after)
        if writes:
            after = _compared(after, were, wrong, questioner.answers.notes)
        return {
            **_told(after, were, reading, options),
            **(_outcome(wrong, after) if writes else {"changed": bool(wrong)}),
            **({"diff": _diff(wrong, after if writes else None)} if self._task.diff and wrong else {}),
        }


def _catalogue(options: t.Mapping[str, t.Any]) -> Catalogue:
    try:
        return build(
            ROWS,
            custom=options["custom_rows"],
            desired=options["desired"],
            waive=options["waive"],
            enforce=[*options.get("enforce", []), *(options.get("rows") or [])],
            baseline=options["baseline"],
        )
    except CatalogueError as error:
        raise AnsibleActionFail(str(error)) from None


def _only(catalogue: Catalogue, rows: t.Sequence[str]) -> Catalogue:
    """The catalogue with these rows only."""
    unknown = sorted(set(rows) - {row.id for row in catalogue.rows})
    if unknown:
        raise AnsibleActionFail(f"rows names {', '.join(unknown)}, which the catalogue does not have")
    return dataclasses.replace(catalogue, rows=tuple(row for row in catalogue.rows if row.id in rows))


def _mendable(row: Row, options: t.Mapping[str, t.Any]) -> bool:
    """Whether remediation is to set what this row is about."""
    chosen = options["rows"] is None or row.id in options["rows"]
    return chosen and row.enforced and row.writable and row.scenario in options["scenarios"]


def _to_be_mended(finding: Finding, options: t.Mapping[str, t.Any]) -> bool:
    return finding.state == "differs" or (finding.state == "managed_by_policy" and options["override_policy"])


def _before(before: list[Finding], after: list[Finding]) -> dict[tuple[str, str], Finding]:
    """For the place of each finding afterwards, what was found there before; of rows that are mended only.

    A power scheme may be new, because a policy overrode it before. Then that is what was found.
    """
    were = {finding.place: finding for finding in before}
    policies = {(one.row.id, _setting(one)): one for one in before if one.state == "managed_by_policy"}
    found = {one.place: were.get(one.place) or policies.get((one.row.id, _setting(one))) for one in after}
    return {place: finding for place, finding in found.items() if finding}


def _setting(finding: Finding) -> str:
    """Mode and name of a power setting, which are what its places in schemes and policies have in common."""
    return finding.location.rpartition(", ")[2]


def _compared(
    after: list[Finding], were: dict[tuple[str, str], Finding], wrong: list[Finding], notes: list[str]
) -> list[Finding]:
    """The findings afterwards: what was mended is fixed, and what is still wrong has the programs' own words."""
    left = _left(wrong, after)
    compared = []
    for finding in after:
        if finding.state == "ok" and were.get(finding.place) in wrong:
            finding = finding.changed(state="fixed")
        elif finding in left:
            finding = finding.changed(detail="; ".join(filter(None, [finding.detail, *_complaints(notes)])))
        compared.append(finding)
    return compared


def _complaints(notes: t.Iterable[str]) -> list[str]:
    """What the programs have said, each once; a success, in whatever language, is said more than once."""
    said = [line.strip()[:300] for note in notes for line in note.splitlines() if line.strip()]
    return sorted(set(said), key=said.count)[:3]


def _left(wrong: list[Finding], after: list[Finding]) -> list[Finding]:
    """What was to be mended and is not, or nobody knows whether it is."""
    rows = {finding.row.id for finding in wrong}
    were = {finding.place for finding in wrong}
    return [
        finding
        for finding in after
        if (finding.state == "differs" and finding.row.id in rows)
        or (finding.state in ("managed_by_policy", "unreadable") and finding.place in were)
    ]


def _outcome(wrong: list[Finding], after: list[Finding]) -> dict[str, t.Any]:
    """Whether it was changed, and whether that failed somewhere."""
    left = _left(wrong, after)
    # What was written and cannot be read may well have been changed.
    changed = {
        "changed": any(finding.state == "fixed" for finding in after)
        or any(finding.state == "unreadable" for finding in left)
    }
    if not left:
        return changed
    told = "; ".join(f"{finding.row.id} at {finding.location} ({finding.detail})" for finding in left[:3])
    return {**changed, "failed": True, "msg": printable(f"{len(left)} findings could not be mended: {told}")}


def _told(
    after: list[Finding], were: dict[tuple[str, str], Finding], reading: Reading, options: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """The result; were has what was found before remediation, by place."""
    told = [finding for finding in after if finding.worth_telling or not options["problems_only"]]
    product = reading.value(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "ProductName").data
    return {
        "changed": False,
        "findings": [finding.told(were.get(finding.place)) for finding in told],
        "verdicts": verdicts(after),
        "hints": hints(after, reading),
        "totals": {state: sum(finding.state == state for finding in after) for state in STATES},
        "system": {"product": shown(product), "build": reading.build, "server": reading.server},
    }


def _diff(wrong: list[Finding], after: list[Finding] | None) -> dict[str, str]:
    """One line for each place that was wrong, as it was and as it is or, in check mode, would be."""
    now = {finding.place: finding.actual for finding in after or ()}

    def line(finding: Finding, data: Data | None) -> str:
        return printable(f"{finding.location} = {'(absent)' if data is None else shown(data)}\n")

    return {
        "before_header": "guest",
        "after_header": "guest",
        "before": "".join(line(finding, finding.actual) for finding in wrong),
        "after": "".join(
            line(finding, finding.row.desired.data if after is None else now.get(finding.place)) for finding in wrong
        ),
    }
