# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is claimed, what was seen, and whether it held. Pure.

A claim is a dictionary of texts: id, claimed, seen, verdict ("held", "not held" or "not tried") and why.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Row
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS

HELD, NOT_HELD, NOT_TRIED = "held", "not held", "not tried"
EVENT = re.compile(r"<Provider Name=(['\"])(.*?)\1.*?<EventID\b[^>]*>(\d+)</EventID>", re.DOTALL)
RECORD = re.compile(r"<EventRecordID>(\d+)</EventRecordID>")
WATCHED = (12, 13, 41, 42, 107, 109, 1073, 1074, 1075, 6005, 6006, 6008, 6009)
BUTTON = "winlogon.exe"
AFTER_FORCE = (("Microsoft-Windows-Kernel-Power", 41), ("EventLog", 6008))
AFTER_BUTTON = (("User32", 1074), ("EventLog", 6006))

Claim = dict[str, str]
Result = t.Mapping[str, t.Any]


def claim(ident: str, claimed: str, seen: str, verdict: str, why: str = "") -> Claim:
    """A claim."""
    return {"id": ident, "claimed": claimed, "seen": seen, "verdict": verdict, "why": why}


def judged(ident: str, claimed: str, seen: str, held: bool, why: str = "") -> Claim:
    """A claim that was tried; why is said where it was not held."""
    return claim(ident, claimed, seen, HELD if held else NOT_HELD, "" if held else why)


# Rows


def acceptance_row_claims(wrong: t.Mapping[str, t.Any], runs: t.Mapping[str, t.Any]) -> list[Claim]:
    """One claim for each row of the catalogue.

    wrong: what rows were set to. runs: the results of the audit and the remediations (first, mended, again) and what
    was read in other ways after rows were set wrong and after remediation (read_wrong, read_right).
    """
    return [_set_row(row, wrong[row.id], runs) if row.id in wrong else _read_row(row, runs) for row in ROWS]


def _read_row(row: Row, runs: t.Mapping[str, t.Any]) -> Claim:
    ident, claimed = f"row:{row.id}", "the audit can read it"
    found = _of(runs.get("first"), row.id)
    if not found:
        return claim(ident, claimed, "nothing", NOT_TRIED, "the audit has no such place on this Windows")
    unreadable = [finding for finding in found if finding["state"] == "unreadable"]
    seen = "; ".join(dict.fromkeys(f"{_shown(finding['actual'])} ({finding['state']})" for finding in found))
    return judged(ident, claimed, seen, not unreadable, unreadable[0]["detail"] if unreadable else "")


def _set_row(row: Row, wrong: t.Any, runs: t.Mapping[str, t.Any]) -> Claim:
    ident, right = f"row:{row.id}", row.desired.data
    claimed = f"set to {_shown(wrong)}, it is found; remediation sets it to {_shown(right)}, and then leaves it alone"
    mended = _of(runs.get("mended"), row.id)
    if not mended:
        return claim(ident, claimed, "nothing", NOT_TRIED, "the run ended before it, or the guest has no such place")
    policies = [finding for finding in mended if finding["state"] == "managed_by_policy"]
    if policies:
        return claim(ident, claimed, policies[0]["detail"], NOT_TRIED, "a policy overrides it")
    for why, seen in _failures(wrong, right, mended, runs, row.id):
        return claim(ident, claimed, seen, NOT_HELD, why)
    places = runs["read_right"].get(row.id, {})
    seen = f"in {len(mended)} places, {len(places)} of them read by Windows' own tools, one by one"
    return claim(ident, claimed, seen, HELD)


def _failures(
    wrong: t.Any, right: t.Any, mended: t.Sequence[Result], runs: t.Mapping[str, t.Any], ident: str
) -> t.Iterator[tuple[str, str]]:
    """What did not go as claimed: why, and what was seen."""
    for finding in _of(runs.get("first"), ident):
        if finding["state"] == "unreadable":
            yield "the audit could not read it", f"{finding['location']}: {finding['detail']}"
    for location, data in _read(runs, "read_wrong", ident):
        if data != wrong:
            yield f"it could not be set to {_shown(wrong)}", f"{location}: {_shown(data)}"
    for finding in mended:
        # Stored profiles are set by nobody, and are right or made so.
        was_set = finding["location"] in (runs.get("read_wrong") or {}).get(ident, {})
        if was_set and (finding["actual_before"], finding["state_before"]) != (wrong, "differs"):
            before = f"{_shown(finding['actual_before'])} ({finding['state_before']})"
            yield "the audit did not find it", f"{finding['location']}: {before}"
        if finding["state"] != "fixed" and (was_set or finding["state"] != "ok"):
            yield "remediation did not mend it", _told(finding)
    for location, data in _read(runs, "read_right", ident):
        if data != right:
            yield "remediation says that it is mended, and Windows' own tools say no", f"{location}: {_shown(data)}"
    for finding in _of(runs.get("again"), ident):
        if (finding["state_before"], finding["state"]) != ("ok", "ok"):
            yield "a second remediation found something to do", _told(finding)
    if not _of(runs.get("again"), ident):
        yield "a second remediation did not tell of it", "nothing"


def _read(runs: t.Mapping[str, t.Any], name: str, ident: str) -> t.Iterator[tuple[str, t.Any]]:
    places = (runs.get(name) or {}).get(ident, {})
    yield from places.items() if places else [("it was not read in another way", None)]


def _of(result: Result | None, ident: str) -> list[Result]:
    return [finding for finding in (result or {}).get("findings", []) if finding["id"] == ident]


def _told(finding: Result) -> str:
    return f"{finding['location']}: {_shown(finding['actual'])} ({finding['state']}) {finding['detail']}".strip()


def _shown(data: t.Any) -> str:
    return "nothing" if data is None else str(data)


# Scenarios


def acceptance_scenario_claims(scenario: t.Mapping[str, t.Any], seen: t.Mapping[str, t.Any]) -> list[Claim]:
    """What a scenario claims: without remediation the button is in vain, with it is obeyed, and the logs tell both.

    seen: not_tried (why, if so), and of both halves (before, after) the shutdown (domain), the history that the next
    boot tells (history), and the events that were logged meanwhile (events).
    """
    name = scenario["name"]
    if scenario.get("not_tried") or seen.get("not_tried"):
        why = scenario.get("not_tried") or seen["not_tried"]
        return [claim(f"scenario:{name}", scenario.get("claim", "it is found, and told"), "nothing", NOT_TRIED, why)]
    return [*_before(name, scenario["claim"], seen.get("before")), *_after(name, seen.get("after"))]


def acceptance_all_scenario_claims(
    scenarios: t.Iterable[t.Mapping[str, t.Any]], chosen: t.Container[str], seen: t.Mapping[str, t.Any]
) -> list[Claim]:
    """What all scenarios claim; those that were not chosen, or not come to, are not tried."""
    claims = []
    for scenario in scenarios:
        name = scenario["name"]
        left_out = {"not_tried": "it was left out" if name not in chosen else "the run ended before it"}
        claims += acceptance_scenario_claims(scenario, seen.get(name, left_out))
    return claims


def _before(name: str, claimed: str, half: t.Mapping[str, t.Any] | None) -> list[Claim]:
    ident = f"scenario:{name}:before"
    if not half:
        return [claim(ident, claimed, "nothing", NOT_TRIED, "the run ended before it")]
    domain = half["domain"]
    blocked = domain["outcome"] == "forced" or (domain["outcome"] == "refused" and bool(half.get("asleep")))
    claims = [judged(ident, claimed, _ended(domain), blocked, "the button was obeyed, or the guest could not be asked")]
    if domain["outcome"] == "forced":
        stop = _stop(half)
        told = f"clean: {_shown(stop.get('clean'))}"
        claims.append(
            judged(f"{ident}:history", "the next boot tells that it was not in order", told, stop.get("clean") is False)
        )
        claims.append(_logged(f"{ident}:events", AFTER_FORCE, half))
    return claims


def _after(name: str, half: t.Mapping[str, t.Any] | None) -> list[Claim]:
    ident, claimed = f"scenario:{name}:after", "after remediation, the button is obeyed"
    if not half:
        return [claim(ident, claimed, "nothing", NOT_TRIED, "the run ended before it")]
    domain = half["domain"]
    claims = [judged(ident, claimed, _ended(domain), domain["outcome"] == "graceful", domain.get("reason", ""))]
    if domain["outcome"] == "graceful":
        stop = _stop(half)
        program = str((stop.get("asked_by") or {}).get("program", "")).partition(" (")[0].rpartition("\\")[2]
        told = f"clean: {_shown(stop.get('clean'))}, asked for by {program or 'nobody'}"
        claims.append(
            judged(
                f"{ident}:history",
                f"the next boot tells that it was in order, and asked for by {BUTTON}",
                told,
                stop.get("clean") is True and program.casefold() == BUTTON,
            )
        )
        claims.append(_logged(f"{ident}:events", AFTER_BUTTON, half))
    return claims


def _ended(domain: Result) -> str:
    seconds = domain.get("finish_seconds")
    after = "" if seconds is None else f" after {seconds:.1f} s"
    return f"{domain['outcome']}{after}, {domain.get('presses', 0)} presses"


def _stop(half: t.Mapping[str, t.Any]) -> Result:
    stops = (half.get("history") or {}).get("stops") or [{}]
    newest: Result = stops[0]
    return newest


def _logged(ident: str, wanted: t.Sequence[tuple[str, int]], half: t.Mapping[str, t.Any]) -> Claim:
    logged = {(provider.casefold(), number): provider for provider, number in half.get("events") or []}
    claimed = f"{' and '.join(f'{provider} {number}' for provider, number in wanted)} are logged"
    seen = ", ".join(f"{provider} {number}" for (dummy, number), provider in sorted(logged.items(), key=_by_number))
    held = all((provider.casefold(), number) in logged for provider, number in wanted)
    return judged(ident, claimed, seen or "nothing", held)


def _by_number(entry: tuple[tuple[str, int], str]) -> int:
    return entry[0][1]


# Events, as wevtutil prints them


def acceptance_newest(text: str) -> int:
    """The highest number of a record in what was printed; 0: there is none."""
    return max(map(int, RECORD.findall(text)), default=0)


def acceptance_events_query(since: int) -> str:
    """The command line that prints what has to do with starts and stops since that record."""
    numbers = " or ".join(f"EventID={number}" for number in WATCHED)
    return f'wevtutil qe System /q:"*[System[({numbers}) and EventRecordID>{since:d}]]" /c:200 /f:xml'


def acceptance_events(text: str) -> list[tuple[str, int]]:
    """Provider and number of each event in what was printed."""
    return [(provider, int(number)) for dummy, provider, number in EVENT.findall(text)]


class FilterModule:
    """The filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {
            "acceptance_row_claims": acceptance_row_claims,
            "acceptance_all_scenario_claims": acceptance_all_scenario_claims,
            "acceptance_newest": acceptance_newest,
            "acceptance_events_query": acceptance_events_query,
            "acceptance_events": acceptance_events,
        }
