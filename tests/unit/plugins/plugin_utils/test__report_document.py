# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's document: nobody is left out, and the totals are those of the guests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_document import (
    SETTLED,
    document,
    screens_wanted,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_facts import gather
from bed.report_sample import KINDS, Fleet, domain_result, evening, readiness_result

MADE = {"title": "A run", "made_at": "2026-11-27T19:00:00Z", "check_mode": False}
DOMAIN_FINDING = {"id": "domain_on_poweroff", "state": "fixed", "effect": "blocks", "location": "persistent definition"}


def report(fleet: Fleet, **options: Any) -> dict[str, Any]:
    hypervisors = gather(fleet.hostvars, fleet.hypervisors, None)
    return document(hypervisors, gather(fleet.hostvars, fleet.guests, None), MADE, **options)


def small(*kinds: str) -> Fleet:
    fleet = Fleet()
    fleet.add_hypervisor("hv", {kind: kind for kind in kinds})
    return fleet


def only(told: dict[str, Any]) -> dict[str, Any]:
    assert len(told["guests"]) == 1
    guest: dict[str, Any] = told["guests"][0]
    return guest


def test_an_empty_fleet() -> None:
    told = report(Fleet())
    assert told["totals"]["guests"] == told["totals"]["look_after"] == told["totals"]["hypervisors"] == 0
    assert told["totals"]["findings"] == {"mended": 0, "left": 0, "waived": 0}
    assert told["totals"]["slowest"] is None
    assert told["run"] == {"began": None, "ended": None, "seconds": None}
    assert told["guests"] == told["hypervisors"] == []


def test_the_totals_are_those_of_the_guests() -> None:
    told = report(evening())
    totals = told["totals"]
    assert totals["guests"] == len(told["guests"]) == sum(totals["outcomes"].values())
    assert totals["outcomes"] == {
        "already_off": 1,
        "forced": 1,
        "graceful": 14,
        "left_running": 1,
        "refused": 1,
        "saved": 1,
        "unknown": 2,
    }
    assert totals["forced"] == [{"hypervisor": "hv-north", "name": "build07"}]
    assert totals["left_running"] == [{"hypervisor": "hv-south", "name": "term02"}]
    assert totals["look_after"] == sum(guest["outcome"] not in SETTLED for guest in told["guests"]) == 5
    assert totals["hypervisors_in_trouble"] == ["hv-east"]
    assert totals["unreachable_guests"] == [{"hypervisor": "hv-north", "name": "files01"}]
    assert totals["slowest"]["name"] == "term01"
    left = [place for g in told["guests"] for f in g["findings"] if f["group"] == "left" for place in f["places"]]
    assert totals["findings"]["left"] == len(left) == 4
    assert told["run"]["seconds"] == pytest.approx(totals["slowest"]["seconds"] + 7, abs=1)


def test_it_can_be_said_in_json_and_has_what_it_was_made_with() -> None:
    told = report(evening())
    assert json.loads(json.dumps(told)) == told
    assert {key: told[key] for key in MADE} == MADE


def test_a_guest_of_a_hypervisor_out_of_reach_is_unknown() -> None:
    guests = {guest["name"]: guest for guest in report(evening())["guests"]}
    assert guests["web06"]["outcome"] == "unknown"
    assert guests["web06"]["look_after"] is True
    assert guests["web06"]["reason"].startswith("hv-east: it could not be reached: Failed to connect")
    assert guests["web06"]["timeline"] == []
    assert guests["web06"]["drawing"] is None
    assert guests["web06"]["readiness"]["state"] == "ready"


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({}, "hv: no result of a shutdown"),
        ({"domain_shutdown_result": {"failed": True, "msg": "no such URI"}}, "hv: it failed: no such URI"),
        ({"domain_shutdown_result": {"unreachable": True}}, "hv: it could not be reached: no reason was given"),
        ({"domain_shutdown_result": {"skipped": True}}, "hv: it failed: no reason was given"),
        ({"domain_shutdown_result": "odd"}, "hv: it failed: no reason was given"),
        ({"domain_shutdown_result": {"domains": []}}, "hv was not asked about a domain web"),
    ],
)
def test_a_hypervisor_that_tells_nothing(variables: dict[str, Any], why: str) -> None:
    fleet = Fleet({"hv": variables}, ["hv"])
    fleet.add_guest("web", "hv")
    guest = only(report(fleet))
    assert guest["outcome"] == "unknown"
    assert why in guest["reason"]


def test_a_hypervisor_that_was_cut_off_after_its_domains_were_looked_at() -> None:
    looked = {"domains": [{"name": "web", "uuid": "1", "findings": [DOMAIN_FINDING], "verdicts": {"host": "ready"}}]}
    told = report(Fleet({"hv": {"domain_readiness_result": looked}}, ["hv"]))
    guest = only(told)
    assert (guest["name"], guest["outcome"], guest["hypervisor"]) == ("web", "unknown", "hv")
    assert "no result of a shutdown" in guest["reason"]
    assert told["totals"]["findings"]["mended"] == 1
    assert guest["readiness"]["state"] == "not_asked"


def test_findings_of_the_guest_and_of_its_domain_are_told_together() -> None:
    fleet = small("updates")
    domain = fleet.hostvars["hv"]["domain_shutdown_result"]["domains"][0]
    looked = {"name": domain["name"], "uuid": domain["uuid"], "findings": [DOMAIN_FINDING], "error": "busy"}
    host = {"findings": [{**DOMAIN_FINDING, "id": "host_acts"}], "acts": ["saves them"]}
    fleet.hostvars["hv"]["domain_readiness_result"] = {"domains": [looked], "host": host}
    told = report(fleet)
    guest = only(told)
    assert [(one["id"], one["group"]) for one in guest["findings"]] == [
        ("cbs_reboot_pending", "left"),
        ("domain_on_poweroff", "mended"),
    ]
    assert guest["readiness"]["domain_message"] == "busy"
    assert guest["readiness"]["hints"]["pending_servicing"] is True
    assert told["totals"]["findings"]["mended"] == 2
    assert told["hypervisors"][0]["acts"] == ["saves them"]


@pytest.mark.parametrize(
    "variables",
    [
        {"winguest_hypervisor": "hv", "winguest_domain": "web"},
        {"winguest_hypervisor": "hv", "winguest_uuid": domain_result("web", KINDS["web"])["uuid"]},
        {"winguest_uuid": domain_result("web", KINDS["web"])["uuid"], "winguest_domain": "another name"},
        {"winguest_domain": "web"},
    ],
)
def test_which_domain_a_guest_is(variables: dict[str, Any]) -> None:
    fleet = small("web")
    fleet.guests[:] = ["server.example.com"]
    fleet.hostvars["server.example.com"] = {**variables, "guest_readiness_result": readiness_result(KINDS["web"])}
    guest = only(report(fleet))
    assert (guest["name"], guest["host"], guest["domain"]) == ("server.example.com", "server.example.com", "web")
    assert guest["outcome"] == "graceful"
    assert guest["findings"]


def test_guests_that_cannot_be_told_apart_are_told() -> None:
    fleet = small("web")
    fleet.add_hypervisor("other", {"web": "web"})
    fleet.guests[:] = ["web"]
    fleet.hostvars["web"] = {}
    reasons = [guest["reason"] for guest in report(fleet)["guests"] if guest["outcome"] == "unknown"]
    assert reasons == [
        "several domains are called web (on hv, other): set winguest_hypervisor or winguest_uuid for this host"
    ]
    fleet = small("web")
    fleet.add_guest("twin", "hv", winguest_domain="web")
    reasons = [guest["reason"] for guest in report(fleet)["guests"] if guest["outcome"] == "unknown"]
    assert reasons == ["its domain web is that of the host web: set winguest_domain or winguest_uuid"]


def test_guests_without_a_hypervisor_in_the_run() -> None:
    fleet = Fleet()
    fleet.add_guest("lost", "elsewhere")
    assert only(report(fleet))["reason"] == "its hypervisor elsewhere had no part in the run"
    fleet.hostvars["lost"] = {}
    assert "no hypervisor has told of a domain lost" in only(report(fleet))["reason"]


def test_what_was_asked_inside_and_what_was_verified() -> None:
    guests = {guest["name"]: guest for guest in report(evening())["guests"]}
    assert guests["dc01"]["in_guest"]["outcome"] == "refused"
    assert guests["build07"]["verify"]["verdict"] == "forced"
    assert guests["web01"]["in_guest"] is guests["web01"]["verify"] is None
    assert guests["files01"]["readiness"]["state"] == "unreachable"
    assert guests["dc01"]["blocking"] == [
        "the application mmc.exe vetoed a shutdown (2 times, last at 2026-11-27T17:58:51.000Z)"
    ]
    assert guests["web01"]["blocking"] == []
    fleet = small("web")
    fleet.hostvars["web"]["guest_shutdown_result"] = {"unreachable": True, "msg": "no route"}
    assert only(report(fleet))["in_guest"] == {"outcome": "unreachable", "message": "no route"}
    fleet.hostvars["web"]["guest_shutdown_result"] = {"skipped": True}
    assert only(report(fleet))["in_guest"] is None


def test_screenshots_are_those_of_their_guests() -> None:
    fleet = evening()
    hypervisors = gather(fleet.hostvars, fleet.hypervisors, None)
    wanted = screens_wanted(hypervisors, 10)
    assert [screen["hypervisor"] for screen in wanted] == ["hv-north"]
    assert wanted[0]["path"].endswith("/screen.png")
    assert screens_wanted(hypervisors, 0) == []
    where = (wanted[0]["hypervisor"], wanted[0]["path"])
    told = report(fleet, screens={where: {"data": "data:image/png;base64,"}})
    with_one = [guest for guest in told["guests"] if guest["screen"]]
    assert [guest["name"] for guest in with_one] == ["build07"]
    assert with_one[0]["screen"] == {"data": "data:image/png;base64,", "path": wanted[0]["path"]}
    with_none = [guest["screen"] for guest in report(fleet)["guests"] if guest["screen"]]
    assert with_none[0]["missing"] == "it was not fetched from the hypervisor"


@pytest.mark.parametrize("most", [2, 3, 7])
def test_the_middle_of_a_long_timeline_is_left_out(most: int) -> None:
    fleet = small("hung")
    whole = fleet.hostvars["hv"]["domain_shutdown_result"]["domains"][0]["timeline"]
    guest = only(report(fleet, most_entries=most))
    assert len(guest["timeline"]) == most + 1
    assert guest["timeline"][0] == whole[0]
    assert guest["timeline"][-1] == whole[-1]
    assert guest["timeline"][(most + 1) // 2]["text"] == f"{len(whole) - most} entries left out here"
    assert guest["drawing"] == only(report(fleet))["drawing"]  # which is of all of them


def test_keys_of_another_version_are_kept_and_missing_ones_missed_by_nobody() -> None:
    fleet = small("web")
    fleet.hostvars["hv"]["domain_shutdown_result"]["domains"] = [
        {"name": "web", "outcome": "teleported", "flavour": "sweet", "nothing": None, "forecast": {"tier": 1}},
        {},
        "odd",
    ]
    told = report(fleet)
    by_name = {guest["name"]: guest for guest in told["guests"]}
    assert by_name["web"]["more"] == {"flavour": "sweet"}
    assert by_name["web"]["forecast"] == {"tier": 1}
    assert by_name["web"]["reason"] == "no reason was given"
    assert by_name["web"]["look_after"] is True
    assert by_name[""]["outcome"] == "unknown"
