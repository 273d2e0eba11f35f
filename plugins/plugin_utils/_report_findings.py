# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Findings for a report: those that say something, one for each row and state, with all its places. Pure."""

from __future__ import annotations

import typing as t

Finding = t.Mapping[str, t.Any]

MENDED = ("fixed", "later")
WAIVED = "waived"

_OF_THE_ROW = ("id", "scenario", "effect", "title", "state", "cure", "cost", "takes_effect", "grade")
_OF_THE_PLACE = ("location", "actual_before", "actual", "desired", "detail")


def group(findings: t.Iterable[Finding]) -> list[dict[str, t.Any]]:
    """What was mended, is left, or is waived ("group" says which), each row once; left first, then mended, then waived.

    What is as wanted is left out, and so is what only informs, unless it was mended.
    """
    found: dict[tuple[str, str], dict[str, t.Any]] = {}
    for finding in findings:
        state = str(finding.get("state"))
        if state == "ok" or (finding.get("effect") == "informs" and state not in MENDED):
            continue
        told = {key: finding.get(key) for key in _OF_THE_ROW}
        kind = "mended" if state in MENDED else "waived" if state == WAIVED else "left"
        same = found.setdefault((str(finding.get("id")), state), {**told, "group": kind, "places": []})
        same["places"].append({key: finding.get(key) for key in _OF_THE_PLACE})
    order = {"left": 0, "mended": 1, "waived": 2}
    return sorted(found.values(), key=lambda finding: order[finding["group"]])
