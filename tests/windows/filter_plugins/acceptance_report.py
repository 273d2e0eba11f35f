# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report: a document to send back, which does not say whose guest it is about, and a table for people. Pure."""

from __future__ import annotations

import re
import typing as t

SCHEMA = 1
VERDICTS = ("held", "not held", "not tried")
HEADINGS = ("row", "claimed", "seen", "verdict")
SID = re.compile(r"S-1-5-21(?:-\d+)+")
PROFILE = re.compile(r"(?i)(\\Users\\)[^\\\"']+")
LANGUAGE = re.compile(r"REG_SZ\s+([0-9A-Fa-f]{4})\s")
COSTS = ("seconds", "winrm_requests")
LONGEST = 300

Report = dict[str, t.Any]
Result = t.Mapping[str, t.Any]


def acceptance_facts(first: Result, mended: Result, language: str) -> dict[str, t.Any]:
    """Which Windows it is, what is pending there, and what an audit and a remediation have cost.

    language: what reg query has printed of the language that it was installed in.
    """
    system, found = first.get("system") or {}, LANGUAGE.search(language)
    return {
        "windows": {
            "product": str(system.get("product") or ""),
            "build": int(system.get("build") or 0),
            "server": bool(system.get("server")),
            "language": found[1] if found else "",
        },
        "audit": {name: first.get(name) for name in COSTS},
        "remediation": {name: mended.get(name) for name in COSTS},
        "pending": list((first.get("hints") or {}).get("pending_rows") or []),
    }


def acceptance_report(
    claims: t.Sequence[t.Mapping[str, str]], facts: t.Mapping[str, t.Any], names: t.Iterable[str]
) -> Report:
    """The document. names: what is not to be in it, such as the names of the guest and its hypervisor."""
    hidden = sorted({name for name in names if name}, key=len, reverse=True)
    told = [{key: _impersonal(text, hidden) for key, text in claim.items()} for claim in claims]
    totals = {verdict: sum(claim["verdict"] == verdict for claim in told) for verdict in VERDICTS}
    return {"schema": SCHEMA, **facts, "totals": totals, "claims": told}


def _impersonal(text: str, names: t.Sequence[str]) -> str:
    """Without security identifiers, names of users' folders, and these names."""
    text = PROFILE.sub(r"\1USER", SID.sub("S-1-5-21-USER", str(text)))
    for name in names:
        text = re.sub(rf"(?i)(?<!\w){re.escape(name)}(?!\w)", "NAME", text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def acceptance_table(report: Report) -> list[str]:
    """The table, line by line; the verdicts are counted in the last line."""
    rows = [HEADINGS, *(_cells(claim) for claim in report["claims"])]
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    lines.insert(1, f"|{' --- |' * len(HEADINGS)}")
    return [*lines, ", ".join(f"{verdict}: {report['totals'][verdict]}" for verdict in VERDICTS)]


def _cells(claim: t.Mapping[str, str]) -> tuple[str, ...]:
    verdict = claim["verdict"].upper() if claim["verdict"] == "not held" else claim["verdict"]
    return claim["id"], claim["claimed"], claim["seen"], f"{verdict}: {claim['why']}" if claim["why"] else verdict


class FilterModule:
    """The filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {
            "acceptance_facts": acceptance_facts,
            "acceptance_report": acceptance_report,
            "acceptance_table": acceptance_table,
        }
