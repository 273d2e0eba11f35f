# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How timelines are drawn: those of the real ladder over made-up guests, and odd ones."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import LIMITS
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_drawing import PHASES, draw, moment
from bed.report_sample import KINDS, Kind, domain_result
from unit.made_up_guest import Guest

LOST = Kind(Guest(works_for=90, works_at=2e6, lost_at=30, lost_for=20))
SLOW = Kind(Guest(works_for=500, works_at=8e6), Policy(max_timeout=320, on_timeout="save"))
RETURNS = Kind(Guest(presses_needed=None, agent="obeys", works_for=5))
PLAIN = Kind(Guest(presses_needed=None, destroy="busy"), Policy(on_timeout="force"), agent=False)


def drawn(kind: Kind | str, **changes: Any) -> dict[str, Any]:
    result = domain_result("guest", KINDS[kind] if isinstance(kind, str) else kind)
    drawing = draw({**result, **changes})
    assert drawing is not None
    return drawing


def phases(drawing: dict[str, Any]) -> list[str]:
    return [phase["phase"] for phase in drawing["phases"]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("web", ["before", "asked_acpi", "working"]),
        ("app", ["before", "asked_acpi", "working"]),
        ("dc", ["before", "asked_acpi", "asked_agent", "working"]),
        ("files", ["before", "asleep", "before", "asked_acpi", "working"]),
        ("hung", ["before", "asked_acpi", "working", "stalled", "forcing"]),
        ("vetoed", ["before", "asked_acpi"]),
        (PLAIN, ["before", "asked_acpi", "forcing"]),
        ("trap", ["before"]),
        ("off", ["before"]),
        (LOST, ["before", "asked_acpi", "working", "disconnected", "working"]),
        (SLOW, ["before", "asked_acpi", "working", "saving"]),
    ],
)
def test_the_phases_of_real_timelines(kind: Kind | str, expected: list[str]) -> None:
    found = phases(drawn(kind))
    assert found == expected
    assert set(found) <= set(PHASES)


@pytest.mark.parametrize("kind", [*KINDS, LOST, SLOW, RETURNS, PLAIN])
def test_phases_follow_one_another_and_fill_the_whole(kind: Kind | str) -> None:
    drawing = drawn(kind)
    at = 0.0
    for phase in drawing["phases"]:
        assert phase["from"] == at <= phase["to"]
        at = phase["to"]
    assert at == drawing["seconds"]
    assert [mark["mark"] for mark in drawing["marks"]][-1] == "end"
    assert all(0 <= mark["at"] <= mark.get("until", mark["at"]) <= at for mark in drawing["marks"])


def test_presses_are_marked_with_how_often_and_until_when() -> None:
    presses = [mark for mark in drawn("vetoed")["marks"] if mark["mark"] == "press"]
    assert sum(mark.get("count", 1) for mark in presses) == domain_result("x", KINDS["vetoed"])["presses"]
    assert presses[-1]["until"] > presses[-1]["at"]


def test_since_when_it_had_stalled() -> None:
    drawing = drawn("hung")
    working, stalled = drawing["phases"][2:4]
    assert working["to"] - working["from"] > 70 > 60 > stalled["from"] - 80
    assert "last progress" in stalled["because"]


def test_one_that_accepted_and_never_showed_progress_has_stalled_all_the_time() -> None:
    silent = Kind(Guest(works_for=0, works_at=0.0, then="hang", agent="hung"), Policy(on_timeout="leave"))
    assert phases(drawn(silent)) == ["before", "asked_acpi", "stalled"]


def test_clocks_are_those_that_the_result_tells() -> None:
    forced = {clock["clock"]: clock for clock in drawn("hung")["clocks"]}
    assert {name: clock["seconds"] for name, clock in forced.items()} == {"timeout": 300.0, "max_timeout": 3600.0}
    first = next(mark["at"] for mark in drawn("hung")["marks"] if mark["mark"] == "press")
    assert forced["timeout"]["at"] == first + 300
    assert drawn("web")["clocks"] == []
    forecast = {"expected_seconds": 25.0, "timeout": 300.0, "max_timeout": None}
    assert [c["clock"] for c in drawn("web", forecast=forecast)["clocks"]] == ["forecast", "timeout"]
    assert drawn("trap", forecast=forecast)["clocks"] == []


def test_waiting_for_ones_turn() -> None:
    entries = [
        {"seconds": 0.0, "kind": "found", "text": "running (booted)"},
        {"seconds": 60.0, "kind": "found", "text": "its turn has come: tier 1"},
        {"seconds": 63.0, "kind": "asked", "text": "press the ACPI power button"},
        {"seconds": 70.0, "kind": "ended", "text": "graceful: off"},
    ]
    assert phases(drawn("web", timeline=entries)) == ["queued", "before", "asked_acpi"]


def test_a_save_without_a_request() -> None:
    entries = [
        {"seconds": 0.0, "kind": "found", "text": "running (booted)"},
        {"seconds": 1.0, "kind": "asked", "text": "managed save: it does not fit the budget"},
        {"seconds": 9.0, "kind": "ended", "text": "saved: managed save"},
    ]
    assert phases(drawn("web", timeline=entries)) == ["before", "saving"]


def test_windows_itself_is_asked() -> None:
    entries = [
        {"seconds": 0.0, "kind": "found", "text": "running (booted)"},
        {"seconds": 1.0, "kind": "asked", "text": "ask Windows itself over the guest's own connection (shutdown.exe)"},
        {"seconds": 4.0, "kind": "seen", "text": "guest_shutdown: not_delivered: the guest cannot be reached"},
        {
            "seconds": 9.0,
            "kind": "asked",
            "text": "hard end of 8 s has run out, and the guest never accepted; on_timeout=save",
        },
        {"seconds": 9.0, "kind": "seen", "text": "before the save, a new sign of life of the controller is waited for"},
        {"seconds": 12.0, "kind": "seen", "text": "save: ok"},
        {"seconds": 12.0, "kind": "ended", "text": "saved: managed save"},
    ]
    drawing = drawn("web", timeline=entries)
    assert phases(drawing) == ["before", "asked_guest", "saving"]
    assert [mark["mark"] for mark in drawing["marks"]] == ["in_guest", "trouble", "save", "end"]
    assert drawing["clocks"] == [{"clock": "max_timeout", "seconds": 8.0, "at": 9.0}]


def test_a_controller_that_is_gone() -> None:
    entries = [
        {"seconds": 0.0, "kind": "asked", "text": "press the ACPI power button"},
        {"seconds": 4.0, "kind": "seen", "text": "the controller disappeared; from now on this run only watches"},
        {"seconds": 9.0, "kind": "ended", "text": "cancelled: the controller disappeared"},
    ]
    assert phases(drawn("web", timeline=entries)) == ["asked_acpi", "watched"]


def test_a_tier_that_never_started() -> None:
    entries = [
        {"seconds": 0.0, "kind": "found", "text": "running (booted)"},
        {"seconds": 9.0, "kind": "ended", "text": "refused: its tier never started: tier 1 was held up"},
    ]
    assert phases(drawn("web", timeline=entries)) == ["queued"]


def test_an_agent_that_came_back_has_not_accepted() -> None:
    entries = [
        {"seconds": 0.0, "kind": "asked", "text": "press the ACPI power button"},
        {"seconds": 1.0, "kind": "seen", "text": "accepted: the guest agent stopped"},
        {"seconds": 4.0, "kind": "seen", "text": "the guest agent came back: not taken as accepted any longer"},
        {"seconds": 9.0, "kind": "seen", "text": "agent: not_delivered: nobody"},
        {"seconds": 20.0, "kind": "ended", "text": "left_running: why"},
    ]
    drawing = drawn("web", timeline=entries)
    assert phases(drawing) == ["asked_acpi", "working", "asked_acpi"]
    assert [mark["mark"] for mark in drawing["marks"]] == ["press", "sign", "trouble", "trouble", "end"]


def test_a_request_inside_the_guest_is_marked_where_its_time_is_told() -> None:
    result = domain_result("guest", KINDS["web"], began=1000.0)
    at = "1970-01-01T00:16:50.000Z"  # 1010 seconds
    drawing = draw(result, {"outcome": "accepted", "time": at})
    assert drawing is not None
    assert [mark["at"] for mark in drawing["marks"] if mark["mark"] == "in_guest"] == [10.0]
    drawing = draw(result, {"outcome": "accepted"})
    assert drawing is not None
    assert not [mark for mark in drawing["marks"] if mark["mark"] == "in_guest"]


@pytest.mark.parametrize(
    "timeline",
    [
        *(None, [], [{"kind": "seen", "text": "no time"}], [{"seconds": "soon"}], [["seconds"]], {"seconds": 1}, "x"),
        *([{"seconds": "nan"}], [{"seconds": float("inf")}], [{"seconds": 10**400}]),
    ],
)
def test_nothing_to_draw(timeline: Any) -> None:
    assert draw({"timeline": timeline}) is None


def test_lines_that_are_not_known_begin_no_phase() -> None:
    entries = [{"seconds": 1, "kind": kind, "text": "of sheep"} for kind in ("found", "asked", "seen", "dreamt")]
    assert phases(drawn("web", timeline=[*entries, {"seconds": 4}])) == ["before"]


def test_moments() -> None:
    found = moment("2026-11-23T10:12:03.204Z")
    assert found is not None
    assert found.isoformat() == "2026-11-23T10:12:03.204000+00:00"
    assert moment("2026-11-23T10:12:03") is not None
    assert moment("soon") is None
    assert moment(None) is None


def test_every_act_whose_failure_is_trouble_is_one_of_the_ladders() -> None:
    for act in LIMITS:
        entries = [{"seconds": 0, "kind": "seen", "text": f"{act}: failed: why"}]
        if act != "abort_save":
            assert [mark["mark"] for mark in drawn("web", timeline=entries)["marks"]] == ["trouble"]
