# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""guest_readiness and guest_readiness_info: an audit and, for the first, remediation and a second look."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.winguest.shutdown.plugins.module_utils import _remediation as remediation
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import CatalogueError, Row, UserValue
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import findings
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _guest_plan as plan
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_action import GuestAction
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_audit import Questioner
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import Unload
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import ShellError, WindowsShell

HALF_WAY = "Some of the settings may have been written already; running again goes on from there."

CATALOGUE_OPTIONS: dict[str, t.Any] = {
    **remediation.CATALOGUE_OPTIONS,
    "timeout": {"type": "float", "default": 300.0},
}


class ReadinessAction(GuestAction):
    """The audit, which changes nothing."""

    argument_spec: t.ClassVar[dict[str, t.Any]] = {**CATALOGUE_OPTIONS, **remediation.AUDIT_OPTIONS}

    def work(self, shell: WindowsShell, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read all, or the rows that were chosen, and tell what was found."""
        catalogue = _catalogue(remediation.audited, options)
        questioner = Questioner(shell)
        questioner.ask([*plan.preparation(questioner.nonce), *plan.audit(catalogue.rows)])
        found = findings(catalogue, questioner.answers.reading)
        told = remediation.result(found, {}, questioner.answers.reading, options)
        return remediation.without_summary(told, options)


class RemediationAction(GuestAction):
    """The audit, remediation of what was chosen, and the audit of that once more."""

    argument_spec: t.ClassVar[dict[str, t.Any]] = {**CATALOGUE_OPTIONS, **remediation.REMEDIATION_OPTIONS}

    def work(self, shell: WindowsShell, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read what may have to be written, write what is wrong, and read that again with all the rest.

        What is only read is asked for together with the writes, because every command costs three requests.
        """
        catalogue = _catalogue(remediation.remediated, options)
        questioner = Questioner(shell)
        mendable = [row for row in catalogue.rows if remediation.mendable(row, options)]
        # A profile that has to be loaded is loaded once for all that is read there.
        users = any(isinstance(row.location, UserValue) for row in mendable)
        first = [row for row in catalogue.rows if row in mendable or (users and isinstance(row.location, UserValue))]
        others = [row for row in catalogue.rows if row not in first]
        needed = [*plan.preparation(questioner.nonce), *plan.audit(first)]
        pending = questioner.ask([*needed, *plan.audit(others)], needed)
        reading = questioner.answers.reading
        before = findings(dataclasses.replace(catalogue, rows=tuple(mendable)), reading)
        wrong = [finding for finding in before if remediation.to_be_mended(finding, options)]
        writes = [] if self._task.check_mode else plan.remediation(wrong, reading)
        try:
            questioner.ask([*writes, *pending])
            left = remediation.left(wrong, findings(catalogue, reading)) if writes else []
            if left:
                # Once more, since a profile may have been in use for a moment, and may so have stayed loaded.
                questioner.answers.notes.clear()
                questioner.ask([Unload(), *plan.remediation(left, reading)])
        except ShellError as error:
            told = remediation.result(findings(catalogue, reading), {}, reading, options)
            return {**told, "changed": bool(writes), "failed": True, "msg": f"{error} {HALF_WAY if writes else ''}"}
        after = findings(catalogue, reading)
        were = remediation.before(before, after)
        if writes:
            after = remediation.compared(after, were, wrong, _complaints(questioner.answers.notes))
        diff = remediation.diff(wrong, after if writes else None, "guest")
        return {
            **remediation.result(after, were, reading, options),
            **(remediation.outcome(wrong, after) if writes else {"changed": bool(wrong)}),
            **({"diff": diff} if self._task.diff and wrong else {}),
        }


def _catalogue(
    make: t.Callable[[t.Iterable[Row], t.Mapping[str, t.Any]], Catalogue], options: t.Mapping[str, t.Any]
) -> Catalogue:
    try:
        return make(ROWS, options)
    except CatalogueError as error:
        raise AnsibleActionFail(str(error)) from None


def _complaints(notes: t.Iterable[str]) -> list[str]:
    """What the programs have said, each once; a success, in whatever language, is said more than once."""
    said = [line.strip()[:300] for note in notes for line in note.splitlines() if line.strip()]
    return sorted(set(said), key=said.count)[:3]
