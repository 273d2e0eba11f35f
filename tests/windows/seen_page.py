# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was seen on a real Windows so far: the reports in seen/, checked, and SEEN.md, which is made from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS

KIT = Path(__file__).resolve().parent
PAGE = KIT / "SEEN.md"
SEEN = KIT / "seen"
SCHEMA = json.loads((KIT / "report.schema.json").read_text(encoding="utf-8"))
SCENARIOS = yaml.safe_load((KIT / "scenarios.yml").read_text(encoding="utf-8"))["acceptance_scenarios_known"]

Report = Mapping[str, Any]

HEAD = """<!--
SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
SPDX-License-Identifier: GPL-3.0-or-later
Made from the reports in seen/ by `tests/run acceptance --page`. Changes by hand are lost.
-->

# What was seen on a real Windows

"""


class ReportError(ValueError):
    """A report that cannot be among those that were seen; the text says which, and why."""


def check(report: Any, name: str) -> Report:
    """The report, if it has the form of one; raises ReportError if not."""
    try:
        jsonschema.validate(report, SCHEMA)
    except jsonschema.ValidationError as error:
        raise ReportError(f"{name}: {error.json_path}: {error.message}") from None
    known = {f"row:{row.id}" for row in ROWS} | {f"scenario:{scenario['name']}" for scenario in SCENARIOS}
    for claim in report["claims"]:
        if ":".join(claim["id"].split(":")[:2]) not in known:
            raise ReportError(f"{name}: {claim['id']} is claimed nowhere; it may be of another version")
    counted = {verdict: sum(one["verdict"] == verdict for one in report["claims"]) for verdict in report["totals"]}
    if counted != report["totals"]:
        raise ReportError(f"{name}: its totals are not those of its claims")
    checked: Report = report
    return checked


def reports(folder: Path = SEEN) -> list[Report]:
    """All reports of this folder, checked; a simulated guest's is none that was seen."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            report = check(json.loads(path.read_text(encoding="utf-8")), path.name)
        except json.JSONDecodeError as error:
            raise ReportError(f"{path.name} is no JSON: {error}") from None
        if report["simulated"]:
            raise ReportError(f"{path.name} is about a simulated guest, and nothing of it was seen on Windows")
        found.append(report)
    return found


def page(seen: Sequence[Report]) -> str:
    """The whole page."""
    verdicts: dict[str, list[tuple[str, str]]] = {}
    for report in seen:
        for claim in report["claims"]:
            if claim["verdict"] != "not tried":
                ident = ":".join(claim["id"].split(":")[:2])
                verdicts.setdefault(ident, []).append((_windows(report), claim["verdict"]))
    rows = [f"row:{row.id}" for row in ROWS]
    scenarios = [f"scenario:{scenario['name']}" for scenario in SCENARIOS]
    parts = [HEAD, f"{len(seen)} reports.\n"]
    for title, idents in (("Rows of the catalogue", rows), ("Scenarios", scenarios)):
        never = [ident for ident in idents if ident not in verdicts]
        parts.append(f"\n## {title}\n\n{_never(never, len(idents))}\n")
        if len(never) < len(idents):
            parts.append("\n| what | held on | not held on |\n| --- | --- | --- |\n")
            parts += [_line(ident, verdicts[ident]) for ident in idents if ident in verdicts]
    return "".join(parts)


def _never(never: Sequence[str], of: int) -> str:
    if not never:
        return f"Each of the {of} was seen by somebody."
    names = ", ".join(f"`{ident.partition(':')[2]}`" for ident in never)
    return f"Nobody has yet seen {len(never)} of {of} on a real Windows: {names}."


def _line(ident: str, verdicts: Sequence[tuple[str, str]]) -> str:
    """A guest on which one part of a claim was not held is not among those on which it was."""
    false = {windows for windows, verdict in verdicts if verdict == "not held"}
    true = {windows for windows, dummy in verdicts} - false
    cells = (", ".join(sorted(some)) or "-" for some in (true, false))
    return f"| `{ident.partition(':')[2]}` | {' | '.join(cells)} |\n"


def _windows(report: Report) -> str:
    product = str(report["windows"]["product"]).replace("|", "/").replace("<", "(")
    return f"{product or 'Windows'} {report['windows']['build']} ({report['day']})"
