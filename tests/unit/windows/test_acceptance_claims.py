# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdicts of the acceptance kit."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from windows.filter_plugins import acceptance_claims as claims

ROW, PLACE = "power_button_action", "power scheme x, AC: y"
WRONG = {ROW: 0}
SCENARIO = {"name": "power_button", "claim": "it does nothing", "wrong": {ROW: 0}}


def finding(**more: Any) -> dict[str, Any]:
    return {
        "id": ROW,
        "location": PLACE,
        "detail": "",
        "actual": 3,
        "state": "ok",
        "actual_before": 3,
        "state_before": "ok",
        **more,
    }


def runs() -> dict[str, Any]:
    """All went as claimed."""
    return {
        "first": {
            "findings": [finding(), {**finding(state="unreadable", detail="no right"), "id": "sleep_button_action"}]
        },
        "mended": {"findings": [finding(state="fixed", actual_before=0, state_before="differs")]},
        "again": {"findings": [finding()]},
        "read_wrong": {ROW: {PLACE: 0}},
        "read_right": {ROW: {PLACE: 3}},
    }


def verdict(wrong: dict[str, Any], seen: dict[str, Any], ident: str = ROW) -> tuple[str, str]:
    (found,) = (one for one in claims.acceptance_row_claims(wrong, seen) if one["id"] == f"row:{ident}")
    return found["verdict"], found["why"]


def test_there_is_one_claim_for_each_row() -> None:
    made = claims.acceptance_row_claims(WRONG, runs())
    assert [one["id"] for one in made] == [f"row:{row.id}" for row in claims.ROWS]
    assert verdict(WRONG, runs()) == ("held", "")


def test_rows_that_are_not_set_must_be_readable() -> None:
    assert verdict({}, runs()) == ("held", "")
    assert verdict({}, runs(), "sleep_button_action") == ("not held", "no right")
    assert verdict({}, runs(), "hybrid_sleep")[0] == "not tried"


def _change(name: str, **more: Any) -> Callable[[dict[str, Any]], None]:
    return lambda seen: seen[name]["findings"][0].update(more)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_change("first", state="unreadable"), "the audit could not read it"),
        (lambda seen: seen["read_wrong"][ROW].update({PLACE: 3}), "it could not be set to 0"),
        (lambda seen: seen.pop("read_wrong"), "it could not be set to 0"),
        (_change("mended", actual_before=3, state_before="ok"), "the audit did not find it"),
        (_change("mended", state="differs", actual=0), "remediation did not mend it"),
        (lambda seen: seen["read_right"][ROW].update({PLACE: 0}), "remediation says that it is mended, and"),
        (_change("again", state_before="differs", state="fixed"), "a second remediation found something to do"),
        (lambda seen: seen.update(again={}), "a second remediation did not tell of it"),
    ],
)
def test_what_does_not_go_as_claimed_is_not_held(change: Callable[[dict[str, Any]], Any], why: str) -> None:
    seen = deepcopy(runs())
    change(seen)
    found = verdict(WRONG, seen)
    assert found[0] == "not held" and found[1].startswith(why), found


def test_places_that_nobody_has_set_must_be_right_afterwards() -> None:
    seen = runs()
    seen["mended"]["findings"].append(finding(location="stored"))
    assert verdict(WRONG, seen) == ("held", "")
    seen["mended"]["findings"].append(finding(location="also stored", state="differs"))
    assert verdict(WRONG, seen)[0] == "not held"


def test_what_could_not_be_tried_says_why() -> None:
    assert verdict(WRONG, {})[0] == "not tried"
    seen = runs()
    seen["mended"]["findings"][0]["state"] = "managed_by_policy"
    assert verdict(WRONG, seen) == ("not tried", "a policy overrides it")


def half(outcome: str, **more: Any) -> dict[str, Any]:
    asked = {"program": r"C:\Windows\system32\winlogon.exe (WEB01)"}
    events = [["Microsoft-Windows-Kernel-Power", 41], ["EventLog", 6008]]
    if outcome == "graceful":
        events = [["USER32", 1074], ["EventLog", 6006]]
    return {
        "domain": {"outcome": outcome, "finish_seconds": 6.04, "presses": 2, "reason": "so"},
        "history": {"stops": [{"clean": outcome == "graceful", "asked_by": asked}]},
        "events": events,
        **more,
    }


def of(seen: dict[str, Any]) -> dict[str, str]:
    made = claims.acceptance_scenario_claims(SCENARIO, seen)
    return {one["id"].removeprefix("scenario:"): one["verdict"] for one in made}


def test_a_scenario_that_is_as_claimed() -> None:
    found = of({"before": half("forced"), "after": half("graceful")})
    assert set(found.values()) == {"held"}
    parts = ("", ":history", ":events")
    assert list(found) == [f"power_button:{name}{part}" for name in ("before", "after") for part in parts]


def test_a_scenario_that_is_not() -> None:
    found = of({"before": half("graceful"), "after": half("forced")})
    assert found == {"power_button:before": "not held", "power_button:after": "not held"}


@pytest.mark.parametrize(
    "wrong", [{"history": {"stops": []}}, {"history": {"stops": [{"clean": True, "asked_by": {"program": "x.exe"}}]}}]
)
def test_another_story_than_the_one_that_happened(wrong: dict[str, Any]) -> None:
    assert (
        of({"before": half("forced"), "after": half("graceful", **wrong)})["power_button:after:history"] == "not held"
    )
    assert of({"before": half("forced", events=[["EventLog", 6008]])})["power_button:before:events"] == "not held"


def test_a_guest_that_sleeps_does_not_hear() -> None:
    assert of({"before": half("refused", asleep=True)}) == {
        "power_button:before": "held",
        "power_button:after": "not tried",
    }
    assert of({"before": half("refused", asleep=False)})["power_button:before"] == "not held"


def test_scenarios_that_were_left_out_or_not_come_to() -> None:
    scenarios: list[dict[str, Any]] = [
        SCENARIO,
        {"name": "damage", "not_tried": "with harm"},
        {**SCENARIO, "name": "sleep"},
    ]
    made = claims.acceptance_all_scenario_claims(scenarios, ["power_button", "damage"], {})
    assert [(one["verdict"], one["why"]) for one in made] == [
        ("not tried", "the run ended before it"),
        ("not tried", "with harm"),
        ("not tried", "it was left out"),
    ]


def test_events_are_read_by_provider_and_number() -> None:
    event = "<Event><System><Provider Name='{}' Guid='{{x}}'/><EventID Qualifiers='1'>{}</EventID>{}</System></Event>"
    record = "<EventRecordID>{}</EventRecordID>"
    text = event.format("User32", 1074, record.format(7)) + event.format("EventLog", 6006, record.format(12))
    assert claims.acceptance_events(text) == [("User32", 1074), ("EventLog", 6006)]
    assert (claims.acceptance_newest(text), claims.acceptance_newest("")) == (12, 0)
    assert "EventID=6008" in claims.acceptance_events_query(
        12
    ) and "EventRecordID>12]" in claims.acceptance_events_query(12)
