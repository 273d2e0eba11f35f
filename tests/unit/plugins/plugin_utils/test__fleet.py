# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which domains are shut down on which hypervisor, and how."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils._fleet import (
    FleetError,
    domain_entries,
    running_guests,
)

HINTS = {
    "recommended_methods": ["guest_shutdown", "agent"],
    "recommended_timeout": 990,
    "pending_servicing": False,
}


def entries(
    variables: dict[str, dict[str, Any]], chosen: list[str] | None = None, hypervisors: tuple[str, ...] = ("hv1", "hv2")
) -> dict[str, list[dict[str, Any]]]:
    return domain_entries(list(variables), variables, hypervisors, list(variables) if chosen is None else chosen)


def entry(**variables: Any) -> dict[str, Any]:
    return entries({"web01": {"winguest_hypervisor": "hv1", **variables}})["hv1"][0]


def test_each_guest_is_an_entry_of_its_hypervisor() -> None:
    variables = {
        "web01": {"winguest_hypervisor": "hv1"},
        "sql01": {"winguest_hypervisor": "hv2", "winguest_domain": "sql", "winguest_uuid": "6f1c"},
        "elsewhere": {"winguest_hypervisor": "hv9"},
    }
    assert entries(variables) == {
        "hv1": [{"name": "web01", "guest": "web01"}],
        "hv2": [{"name": "sql", "uuid": "6f1c", "guest": "sql01"}],
    }


def test_only_those_are_taken_that_the_run_is_about_but_all_of_a_hypervisor_of_which_none_is() -> None:
    variables = {name: {"winguest_hypervisor": "hv1" if name < "c" else "hv2"} for name in "abcd"}
    taken = {hypervisor: [e["name"] for e in found] for hypervisor, found in entries(variables, ["a"]).items()}
    assert taken == {"hv1": ["a"], "hv2": ["c", "d"]}


def test_hints_are_heeded_and_the_guests_own_options_come_over_them() -> None:
    hinted = entry(guest_readiness_result={"hints": HINTS})
    assert (hinted["methods"], hinted["timeout"]) == (["guest_shutdown", "agent"], 990)
    assert "expected_time" not in hinted
    own = entry(guest_readiness_result={"hints": HINTS}, winguest_shutdown={"timeout": 60, "on_timeout": "save"})
    assert (own["timeout"], own["on_timeout"], own["methods"]) == (60, "save", ["guest_shutdown", "agent"])


def test_no_recommendation_is_later_than_a_hard_end_and_clocks_are_those_of_the_hypervisor() -> None:
    hinted: dict[str, Any] = {"guest_readiness_result": {"hints": HINTS}}
    variables: dict[str, dict[str, Any]] = {
        "web01": {"winguest_hypervisor": "hv1", **hinted},
        "web02": {"winguest_hypervisor": "hv2", **hinted},
        "own": {"winguest_hypervisor": "hv1", "winguest_shutdown": {"max_timeout": 400}, **hinted},
        "hv1": {"domain_shutdown_max_timeout": "600"},
        "hv2": {"domain_shutdown_timeout": 1200},
    }
    guests = ["web01", "web02", "own"]
    made = domain_entries(guests, variables, ["hv1", "hv2"], guests)
    assert [entry.get("timeout") for entry in made["hv1"]] == [600, 400]
    assert "timeout" not in made["hv2"][0]
    variables["hv1"]["domain_shutdown_timeout"] = "soon"
    with pytest.raises(FleetError, match="hypervisor hv1: domain_shutdown_timeout and"):
        domain_entries(guests, variables, ["hv1", "hv2"], guests)


def test_a_shorter_recommendation_shortens_no_clock() -> None:
    assert "timeout" not in entry(guest_readiness_result={"hints": {**HINTS, "recommended_timeout": 90}})


def test_pending_updates_are_expected_to_take_their_time() -> None:
    assert entry(guest_readiness_result={"hints": {**HINTS, "pending_servicing": True}})["expected_time"] == 990


def test_no_methods_at_all_are_no_recommendation() -> None:
    assert "methods" not in entry(guest_readiness_result={"hints": {**HINTS, "recommended_methods": []}})


def test_a_guest_that_could_not_be_reached_is_not_asked_over_its_connection() -> None:
    assert "guest" not in entry(guest_readiness_result={"unreachable": True, "msg": "no route"})
    assert entry(guest_readiness_result={"failed": True, "msg": "could not be mended"})["guest"] == "web01"


def test_a_single_hypervisor_needs_no_naming() -> None:
    assert list(entries({"web01": {}}, hypervisors=("hv1",))) == ["hv1"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "guest web01: the variable winguest_hypervisor is not set"),
        ({"winguest_hypervisor": "hv1", "winguest_shutdown": "save"}, "guest web01: winguest_shutdown is 'save'"),
        ({"winguest_hypervisor": "hv1", "winguest_shutdown": {"name": "x"}}, "guest web01: winguest_shutdown has name"),
    ],
)
def test_variables_that_cannot_be_right(variables: dict[str, Any], expected: str) -> None:
    with pytest.raises(FleetError, match=expected):
        entries({"web01": variables})


def test_those_are_asked_afterwards_that_may_still_run_and_have_a_connection() -> None:
    outcomes = {"a": "graceful", "b": "left_running", "c": "refused", "d": "forced", "e": "error", "f": "vanished"}
    made = {
        "hv1": [{"name": name, "guest": f"win-{name}"} for name in outcomes] + [{"name": "deaf"}],
        "hv2": [{"name": "x", "guest": "win-x"}],
    }
    domains = [{"name": name, "outcome": outcome} for name, outcome in {**outcomes, "deaf": "error"}.items()]
    assert running_guests(made, {"hv1": {"domains": domains}}) == ["win-b", "win-c", "win-e"]
    assert running_guests(made, {"hv1": {"unreachable": True}}) == []
