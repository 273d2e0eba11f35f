# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The report: from the facts of a fleet's hosts to one document. Pure.

Nobody is left out. A guest of the inventory whose domain no hypervisor has told of, a domain that was only looked at,
and a hypervisor that was out of reach are in it, as what they are.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.winguest.shutdown.plugins.plugin_utils import _report_findings
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_drawing import draw, moment
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_facts import plain

Facts = t.Mapping[str, t.Any]
Screens = t.Mapping[tuple[str, str], t.Mapping[str, str]]

UNKNOWN = "unknown"
"""The outcome of a guest that no hypervisor has told of."""

SETTLED = ("graceful", "saved", "already_off", "planned")
"""Outcomes that nobody needs to look after."""

SCREEN = "screen.png"

_KNOWN = (
    *("name", "uuid", "outcome", "reason", "method", "presses", "accepted_by", "accept_seconds", "finish_seconds"),
    *("forced", "permission", "request_outstanding", "evidence", "plan", "timeline", "forecast"),
)


def document(
    hypervisors: t.Mapping[str, Facts],
    guests: t.Mapping[str, Facts],
    made: t.Mapping[str, t.Any],
    screens: Screens | None = None,
    most_entries: int = 200,
) -> dict[str, t.Any]:
    """The report.

    hypervisors and guests: by inventory name, what _report_facts.gather() has found. made: what the report says of
    itself (title, time, check_mode). screens: by hypervisor and path, {"data": data URI} or {"missing": why}.
    """
    rows = _Rows(hypervisors)
    for name, facts in guests.items():
        rows.place(name, facts)
    hosts = [_hypervisor(name, facts) for name, facts in hypervisors.items()]
    told = [_guest(row, screens or {}, most_entries) for row in rows.all]
    told.sort(key=lambda guest: (guest["hypervisor"] or "", guest["name"]))
    return {
        **made,
        "run": _run(told),
        "totals": _totals(hosts, told),
        "hypervisors": hosts,
        "guests": told,
    }


def screens_wanted(hypervisors: t.Mapping[str, Facts], most: int) -> list[dict[str, str]]:
    """Where the screenshots of guests are that were forced, or could not be: a hypervisor and a path each.

    hypervisors: their variables as Ansible has them, because it takes long to make all of them plain.
    """
    found = [
        {"hypervisor": plain(name), "path": plain(path)}
        for name, facts in hypervisors.items()
        for domain in _dicts(_dict(facts.get("domain_shutdown_result")).get("domains"))
        for path in _list(domain.get("evidence"))
        if _is_screen(path)
    ]
    return found[: max(0, most)]


# ---- which domain a guest is


class _Row:
    """One guest: its domain, as far as a hypervisor told of it, and its host in the inventory, if it has one."""

    def __init__(self, hypervisor: str | None, name: str, uuid: str = "", why: str = "") -> None:
        self.hypervisor = hypervisor
        self.name = name
        self.uuid = uuid
        self.why = why
        self.shutdown: Facts | None = None
        self.readiness: Facts | None = None
        self.host: str | None = None
        self.facts: Facts = {}


class _Rows:
    """All guests."""

    def __init__(self, hypervisors: t.Mapping[str, Facts]) -> None:
        self._hypervisors = hypervisors
        self.all: list[_Row] = []
        self._by: dict[tuple[str, str], list[_Row]] = {}
        for hypervisor, facts in hypervisors.items():
            for result in ("domain_shutdown_result", "domain_readiness_result"):
                for domain in _dicts(_dict(facts.get(result)).get("domains")):
                    row = self._row(hypervisor, str(domain.get("name", "")), str(domain.get("uuid") or ""))
                    if result == "domain_shutdown_result":
                        row.shutdown = domain
                    else:
                        row.readiness = domain

    def place(self, host: str, facts: Facts) -> None:
        """Give a host of the inventory its row."""
        name = str(facts.get("winguest_domain") or host)
        uuid = str(facts.get("winguest_uuid") or "")
        hypervisor = None if facts.get("winguest_hypervisor") is None else str(facts["winguest_hypervisor"])
        found = self._find("uuid", uuid, hypervisor) if uuid else []
        found = found or self._find("name", name, hypervisor)
        if len(found) == 1 and found[0].host is None:
            row = found[0]
        else:
            row = _Row(hypervisor, name, uuid, self._why(found, name, hypervisor))
            self.all.append(row)
        row.host, row.facts = host, facts

    def _find(self, key: str, value: str, hypervisor: str | None) -> list[_Row]:
        return [row for row in self._by.get((key, value), []) if hypervisor in (None, row.hypervisor)]

    def _row(self, hypervisor: str, name: str, uuid: str) -> _Row:
        for row in self._find("name", name, hypervisor):
            if row.uuid == uuid:
                return row
        row = _Row(hypervisor, name, uuid, trouble(self._hypervisors[hypervisor]))
        self.all.append(row)
        for key, value in (("name", name), ("uuid", uuid)):
            self._by.setdefault((key, value), []).append(row)
        return row

    def _why(self, found: t.Sequence[_Row], name: str, hypervisor: str | None) -> str:
        """Why a host of the inventory has no domain of its own."""
        if len(found) > 1:
            at = ", ".join(sorted(str(row.hypervisor) for row in found))
            return (
                f"several domains are called {name} (on {at}): set winguest_hypervisor or winguest_uuid for this host"
            )
        if found:
            return f"its domain {name} is that of the host {found[0].host}: set winguest_domain or winguest_uuid"
        if hypervisor is None:
            return f"no hypervisor has told of a domain {name}: set winguest_hypervisor, and winguest_domain if need be"
        if hypervisor not in self._hypervisors:
            return f"its hypervisor {hypervisor} had no part in the run"
        why = trouble(self._hypervisors[hypervisor])
        return f"{hypervisor}: {why}" if why else f"{hypervisor} was not asked about a domain {name}"


def trouble(facts: Facts) -> str:
    """Why a hypervisor tells nothing of its domains; empty if it does."""
    if "domain_shutdown_result" not in facts:
        return "no result of a shutdown: it could not be reached, failed early, or was not asked"
    result = _dict(facts["domain_shutdown_result"])
    if isinstance(result.get("domains"), list):
        return ""
    message = str(result.get("msg") or "no reason was given")
    return f"{'it could not be reached' if result.get('unreachable') else 'it failed'}: {message}"


# ---- what is told


def _guest(row: _Row, screens: Screens, most_entries: int) -> dict[str, t.Any]:
    domain = row.shutdown or {}
    outcome = str(domain.get("outcome") or UNKNOWN)
    readiness = _dict(row.facts.get("guest_readiness_result"))
    in_guest = _dict(row.facts.get("guest_shutdown_result"))
    findings = [*_dicts(readiness.get("findings")), *_dicts((row.readiness or {}).get("findings"))]
    return {
        "name": row.host or row.name,
        "host": row.host,
        "hypervisor": row.hypervisor,
        "domain": row.name,
        "uuid": row.uuid or None,
        "outcome": outcome,
        "look_after": outcome not in SETTLED,
        "reason": str(domain.get("reason") or row.why or "no reason was given"),
        "seconds": domain.get("finish_seconds"),
        **{key: domain.get(key) for key in ("method", "presses", "accepted_by", "accept_seconds", "permission")},
        "forced": bool(domain.get("forced")),
        "request_outstanding": bool(domain.get("request_outstanding")),
        "forecast": _dict(domain.get("forecast")) or None,
        "more": {key: value for key, value in domain.items() if key not in _KNOWN and value not in (None, [], {}, "")},
        "evidence": _list(domain.get("evidence")),
        "screen": _screen(row, screens),
        "plan": _list(domain.get("plan")),
        "timeline": _shortened(_dicts(domain.get("timeline")), most_entries),
        "drawing": draw(domain, in_guest),
        "findings": _report_findings.group(findings),
        "readiness": _readiness(row, readiness),
        "in_guest": _asked(in_guest),
        "blocking": _list(_dict(row.facts.get("guest_shutdown_info_result")).get("blocking")),
        "verify": _verdict(_dict(row.facts.get("shutdown_verify_result"))),
    }


def _readiness(row: _Row, result: Facts) -> dict[str, t.Any] | None:
    """What is known of the guest's readiness besides the findings; None where nobody asked."""
    domain = row.readiness or {}
    if not result and not domain:
        return None
    state = "ready" if "findings" in result else "unreachable" if result.get("unreachable") else "failed"
    return {
        "state": state if result else "not_asked",
        "message": result.get("msg"),
        "domain_message": domain.get("error"),
        "verdicts": {**_dict(domain.get("verdicts")), **_dict(result.get("verdicts"))},
        "hints": _dict(result.get("hints")) or None,
    }


def _asked(result: Facts) -> dict[str, t.Any] | None:
    """What Windows answered to a request inside the guest."""
    if not result or result.get("skipped"):
        return None
    outcome = "unreachable" if result.get("unreachable") else result.get("outcome") or "failed"
    return {"outcome": outcome, "message": result.get("msg")}


def _verdict(result: Facts) -> dict[str, t.Any] | None:
    """What was verified after the next boot."""
    if "verdict" not in result:
        return None
    return {key: result.get(key) for key in ("verdict", "reasons", "blocking")}


def _screen(row: _Row, screens: Screens) -> t.Mapping[str, str] | None:
    """The screenshot of a guest's evidence, or why it is not here; None where none was taken."""
    for path in _list((row.shutdown or {}).get("evidence")):
        if _is_screen(path):
            told = screens.get((str(row.hypervisor), str(path)), {"missing": "it was not fetched from the hypervisor"})
            return {**told, "path": str(path)}
    return None


def _is_screen(path: t.Any) -> bool:
    return str(path).rpartition("/")[2] == SCREEN


def _shortened(entries: t.Sequence[Facts], most: int) -> list[t.Any]:
    """The entries, without the middle of too many."""
    if len(entries) <= most:
        return [dict(entry) for entry in entries]
    head, tail = (most + 1) // 2, most // 2
    gap = {**{key: entries[head - 1].get(key) for key in ("time", "seconds")}, "kind": "seen"}
    gap["text"] = f"{len(entries) - head - tail} entries left out here"
    return [*map(dict, entries[:head]), gap, *map(dict, entries[len(entries) - tail :])]


def _hypervisor(name: str, facts: Facts) -> dict[str, t.Any]:
    readiness = _dict(facts.get("domain_readiness_result"))
    host = _dict(readiness.get("host"))
    result = _dict(facts.get("domain_shutdown_result"))
    return {
        "name": name,
        "trouble": trouble(facts) or None,
        "readiness_trouble": None if "domains" in readiness else readiness.get("msg"),
        "totals": _dict(result.get("totals")),
        "acts": _list(host.get("acts")),
        "findings": _report_findings.group(_dicts(host.get("findings"))),
        "forecast": _dict(result.get("forecast")) or None,
    }


def _run(guests: t.Sequence[Facts]) -> dict[str, t.Any]:
    """From the first to the last thing that is on a timeline."""
    times = sorted(
        entry["time"] for guest in guests for entry in guest["timeline"] if moment(entry.get("time")) is not None
    )
    if not times:
        return {"began": None, "ended": None, "seconds": None}
    first, last = moment(times[0]), moment(times[-1])
    seconds = (last - first).total_seconds() if first and last else None
    return {"began": times[0], "ended": times[-1], "seconds": seconds}


def _totals(hypervisors: t.Sequence[Facts], guests: t.Sequence[Facts]) -> dict[str, t.Any]:
    def called(*outcomes: str) -> list[dict[str, t.Any]]:
        return [{key: g[key] for key in ("hypervisor", "name")} for g in guests if g["outcome"] in outcomes]

    findings = [finding for part in (guests, hypervisors) for one in part for finding in one["findings"]]
    count = collections.Counter({"mended": 0, "left": 0, "waived": 0})
    for finding in findings:
        count[finding["group"]] += len(finding["places"])
    return {
        "guests": len(guests),
        "outcomes": dict(sorted(collections.Counter(g["outcome"] for g in guests).items())),
        "look_after": sum(g["look_after"] for g in guests),
        "forced": called("forced"),
        "left_running": called("left_running"),
        "hypervisors": len(hypervisors),
        "hypervisors_in_trouble": [host["name"] for host in hypervisors if host["trouble"]],
        "unreachable_guests": [
            {key: g[key] for key in ("hypervisor", "name")}
            for g in guests
            if g["readiness"] and g["readiness"]["state"] in ("unreachable", "failed")
        ],
        "findings": dict(count),
        "slowest": _slowest(guests),
    }


def _slowest(guests: t.Sequence[Facts]) -> dict[str, t.Any] | None:
    timed = [g for g in guests if isinstance(g["seconds"], (int, float))]
    if not timed:
        return None
    slowest = max(timed, key=lambda g: float(g["seconds"]))
    return {key: slowest[key] for key in ("hypervisor", "name", "seconds")}


# ---- results of other versions, or of a run that was cut off


def _dict(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def _dicts(value: t.Any) -> list[dict[str, t.Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]
