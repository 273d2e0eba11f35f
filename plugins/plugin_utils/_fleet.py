# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Which domains a run over a fleet shuts down where, and how: from what is known of their guests. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy

OWN_WORDS = ("name", "uuid", "guest")
"""What winguest_shutdown may not say, because other variables do."""

STILL_RUNNING = ("left_running", "refused", "restarted", "cancelled", "error")
"""Outcomes after which the guest may still answer, and say what blocked it."""


class FleetError(ValueError):
    """A guest's variables contradict one another; the text says which guest, what, and what to do."""


def domain_entries(
    guests: t.Sequence[str],
    variables: t.Mapping[str, t.Mapping[str, t.Any]],
    hypervisors: t.Sequence[str],
    chosen: t.Sequence[str],
) -> dict[str, list[dict[str, t.Any]]]:
    """For each hypervisor that has guests, the entries of domain_shutdown's option domains.

    guests: inventory names of all Windows guests. variables: those of guests and hypervisors, by inventory name.
    chosen: the guests that the run is about; where none of a hypervisor's guests is, all of them are.

    Raises FleetError for variables that cannot be right.
    """
    wanted = set(chosen)
    clocks: dict[str, Clocks] = {}
    entries: dict[str, list[tuple[bool, dict[str, t.Any]]]] = {}
    for guest in guests:
        known = variables[guest]
        hypervisor = _hypervisor(guest, known, hypervisors)
        if hypervisor is not None:
            if hypervisor not in clocks:
                clocks[hypervisor] = _clocks(hypervisor, variables.get(hypervisor, {}))
            entry = _entry(guest, known, clocks[hypervisor])
            entries.setdefault(hypervisor, []).append((guest in wanted, entry))
    return {
        hypervisor: [entry for within, entry in found if within] or [entry for dummy, entry in found]
        for hypervisor, found in entries.items()
    }


class Clocks(t.NamedTuple):
    """A hypervisor's finish clock and hard end, which its guests have that have none of their own. Seconds."""

    timeout: float
    max_timeout: float | None


def _clocks(hypervisor: str, known: t.Mapping[str, t.Any]) -> Clocks:
    try:
        hard_end = known.get("domain_shutdown_max_timeout")
        return Clocks(
            float(known.get("domain_shutdown_timeout", Policy.timeout)), None if hard_end is None else float(hard_end)
        )
    except (TypeError, ValueError) as error:
        raise FleetError(
            f"hypervisor {hypervisor}: domain_shutdown_timeout and domain_shutdown_max_timeout must be seconds: {error}"
        ) from error


def _hypervisor(guest: str, known: t.Mapping[str, t.Any], hypervisors: t.Sequence[str]) -> str | None:
    """The guest's hypervisor; where there is only one, a guest need not name it. None for one of another run."""
    named = known.get("winguest_hypervisor")
    if named is None and len(hypervisors) == 1:
        return hypervisors[0]
    if named is None:
        raise FleetError(
            f"guest {guest}: the variable winguest_hypervisor is not set; set it to the inventory name of the "
            "hypervisor that has its domain, or use the inventory plugin winguest.shutdown.domains"
        )
    return str(named) if str(named) in hypervisors else None


def _entry(guest: str, known: t.Mapping[str, t.Any], clocks: Clocks) -> dict[str, t.Any]:
    own = known.get("winguest_shutdown") or {}
    if not isinstance(own, t.Mapping):
        raise FleetError(f"guest {guest}: winguest_shutdown is {own!r:.100}; it must be a dictionary of options")
    said_twice = [word for word in OWN_WORDS if word in own]
    if said_twice:
        raise FleetError(
            f"guest {guest}: winguest_shutdown has {said_twice[0]}, which the variables winguest_domain and "
            "winguest_uuid are for; take it out"
        )
    readiness = known.get("guest_readiness_result") or {}
    entry: dict[str, t.Any] = {"name": str(known.get("winguest_domain") or guest)}
    if known.get("winguest_uuid"):
        entry["uuid"] = str(known["winguest_uuid"])
    if not readiness.get("unreachable"):
        entry["guest"] = guest
    hard_end = own.get("max_timeout", clocks.max_timeout)
    return {**entry, **_hinted(readiness.get("hints") or {}, clocks.timeout, hard_end), **own}


def _hinted(hints: t.Mapping[str, t.Any], timeout: float, hard_end: float | None) -> dict[str, t.Any]:
    """What the guest's readiness says about how it is to be shut down. It moves no hard end that somebody has set."""
    options: dict[str, t.Any] = {}
    methods = hints.get("recommended_methods")
    if methods:
        options["methods"] = [str(method) for method in methods]
    longest = hints.get("recommended_timeout")
    if longest is not None and longest > timeout:
        options["timeout"] = longest if hard_end is None else min(longest, float(hard_end))
    if hints.get("pending_servicing") and longest is not None:
        options["expected_time"] = longest
    return options


def running_guests(
    entries: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]], results: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[str]:
    """The guests that may still run, by the entries of each hypervisor and what domain_shutdown said of its domains."""
    running = []
    for hypervisor, wanted in entries.items():
        ended = {domain["name"]: domain["outcome"] for domain in (results.get(hypervisor) or {}).get("domains") or []}
        running += [
            entry["guest"] for entry in wanted if entry.get("guest") and ended.get(entry["name"]) in STILL_RUNNING
        ]
    return running
