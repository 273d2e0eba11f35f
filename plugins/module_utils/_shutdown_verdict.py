# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""How a guest's last stop went, by its own records and by its hypervisor's. Pure.

The two clocks may differ, and the guest's may be wrong by hours at its boots. So the hypervisor's times are compared
with each other, and with the guest's only to tell whether a forced stop was its last one: not if the guest had started
after that and stopped once more.
"""

from __future__ import annotations

import dataclasses
import typing as t

Result = t.Mapping[str, t.Any]

WENT_OFF = {
    "graceful": "the guest shut down and powered off by itself",
    "saved": "the guest was saved with its memory",
    "restarted": "the guest started anew after the request",
}


@dataclasses.dataclass(frozen=True)
class Domain:
    """What the hypervisor has on record; nothing if it was not to be asked. trouble: why it could not be."""

    trouble: str = ""
    request: Result | None = None
    evidence: tuple[Result, ...] = ()


def verdict(
    guest: Result, domain: Result | None = None, readiness: Result | None = None, cleared: Result | None = None
) -> dict[str, t.Any]:
    """The verdict on the last stop, from the results of the modules; None for one that was not asked.

    guest: guest_shutdown_info. domain: domain_shutdown_info of one domain. readiness: guest_readiness_info. cleared:
    domain_shutdown_record for the request that is settled.
    """
    side = _domain(domain)
    history = "stops" in guest
    stop: Result | None = guest["stops"][0] if history and guest["stops"] else None
    forced_at = _forced_at(side, stop)
    evidence = _evidence(side, stop, forced_at)
    told, reasons = _judge(guest, stop, side, forced_at)
    for entry in evidence:
        reasons.append(f"evidence of {entry['time']}: {', '.join(entry['files']) or entry['folder']}")
    volumes, volume_reasons = _volumes(readiness)
    request = side.request
    settled = request["at"] if request and history and _settled(request) else None
    clearing = cleared is not None and not cleared.get("skipped")
    return {
        "verdict": told,
        "reasons": [
            *reasons,
            *_request_reasons(request),
            *([f"the record was to be cleared: {_message(cleared)}"] if cleared and clearing else []),
            *volume_reasons,
        ],
        "last_stop": stop,
        "request": request,
        "evidence": evidence,
        "volumes": volumes,
        "blocking": list(guest.get("blocking", [])),
        "settled_request": settled,
        "cleared_request": settled if cleared and cleared.get("changed") else None,
    }


def _judge(guest: Result, stop: Result | None, side: Domain, forced_at: str) -> tuple[str, list[str]]:
    """The verdict, and why."""
    reasons = []
    if forced_at:
        reasons.append(f"the hypervisor has on record that it powered the guest off by force at {forced_at}")
    if "stops" not in guest:
        reasons.append(f"the guest could not be asked: {_message(guest)}")
    elif stop is None:
        reasons.append("the guest's logs know of no stop")
    else:
        reasons += stop["evidence"] or ["the guest's logs do not say whether it stopped in order"]
    reasons += [f"not read in the guest: {missing}" for missing in guest.get("incomplete", [])]
    if side.trouble:
        reasons.append(f"the hypervisor could not be asked: {side.trouble}")
    if forced_at:
        return "forced", reasons
    if stop is None or stop["clean"] is None:
        return "unknown", reasons
    if not stop["clean"]:
        return "unclean", reasons
    return "unknown" if side.trouble else "clean", reasons


def _domain(result: Result | None) -> Domain:
    if result is None or result.get("skipped"):
        return Domain()
    domains = result.get("domains") or []
    if not domains:
        return Domain(_message(result))
    one = domains[0]
    return Domain(one["trouble"], one["request"], tuple(one["evidence"]))


def _message(result: Result) -> str:
    return str(result.get("msg") or "no reason was given")


def _forced_at(side: Domain, stop: Result | None) -> str:
    """When the hypervisor forced the guest's last stop; empty if it did not."""
    request = side.request
    if request is None or request["outcome"] != "forced":
        return ""
    at = str(request["ended"] or request["at"])
    return "" if stop and _is_later(stop, at) else at


def _is_later(stop: Result, at: str) -> bool:
    """Whether Windows stopped after the domain had been powered off: it had started after that, or it left in order.

    Its clock may be wrong by hours when it starts, and is right when it leaves.
    """
    if stop["start"] and stop["start"] > at:
        return True
    return bool(stop["clean"] and stop["stop"] and stop["stop"] > at)


def _evidence(side: Domain, stop: Result | None, forced_at: str) -> list[Result]:
    """The evidence that was taken in the last request, or since the guest's last start but one."""
    request = side.request
    if forced_at and request:
        since = request["at"]
    elif stop and stop["start"]:
        earlier = (request["ended"] or request["at"]) if request and request["outcome"] == "forced" else ""
        since = max(stop["start"], earlier)
    else:
        return []
    return [entry for entry in side.evidence if entry["time"] >= since]


def _settled(request: Result) -> bool:
    """Whether a request that was left outstanding has come to its end, by what the hypervisor saw itself."""
    return bool(request["void"]) or (request["outstanding"] and request["outcome"] == "restarted")


def _request_reasons(request: Result | None) -> t.Iterator[str]:
    if request is None:
        return
    if _settled(request):
        yield f"the request of {request['at']} was left outstanding, and the domain was stopped or started since"
    elif request["outstanding"]:
        yield f"the request of {request['at']} is outstanding: the guest may still obey it"
    elif request["outcome"] in WENT_OFF:
        yield f"to the request of {request['at']}, the hypervisor has on record: {WENT_OFF[request['outcome']]}"


def _volumes(readiness: Result | None) -> tuple[list[Result], list[str]]:
    """What is the matter with volumes, and a sentence for each."""
    if readiness is None or readiness.get("skipped"):
        return [], []
    if "findings" not in readiness:
        return [], [f"the guest's volumes could not be looked at: {_message(readiness)}"]
    found: list[Result] = [
        {name: finding[name] for name in ("id", "state", "title", "location", "actual", "detail", "cure")}
        for finding in readiness["findings"]
        if finding["id"].startswith("volume_") and _matters(finding)
    ]
    return found, [_sentence(finding) for finding in found]


def _matters(finding: Result) -> bool:
    """Whether it says something of a volume, which a value that is absent does not."""
    if finding["state"] == "unreadable":
        return True
    return finding["state"] not in ("ok", "waived") and finding["actual"] is not None


def _sentence(finding: Result) -> str:
    if finding["state"] == "unreadable":
        return f"{finding['location']} could not be read: {finding['detail']}"
    return f"{finding['title']} ({finding['actual']})"
