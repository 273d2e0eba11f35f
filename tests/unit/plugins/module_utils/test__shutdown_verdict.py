# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a guest's last stop, from what both sides have on record, or could not be asked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.winguest.shutdown.plugins.filter.shutdown_verdict import FilterModule
from ansible_collections.winguest.shutdown.plugins.module_utils._event_xml import parse
from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp
from ansible_collections.winguest.shutdown.plugins.module_utils._shutdown_history import history
from ansible_collections.winguest.shutdown.plugins.module_utils._shutdown_verdict import verdict
from unit.recorded_events import Guest

UNREACHABLE = {"unreachable": True, "changed": False, "msg": "no route to host"}
FOLDER = "/var/lib/winguest/evidence/web01-20260901T081000000Z-abc"


def guest(unclean: bool = False, unknown: bool = False, more_stops: int = 0) -> tuple[dict[str, Any], Guest]:
    """A guest that has stopped once, and then in order so many times more; the stop is 20 to 30 minutes after 8."""
    course = Guest()
    course.boot()
    course.wait(1200)
    course.asked()
    if not unclean and not unknown:
        course.ends()
    course.wait(600)
    course.boot(unclean=unclean)
    for dummy in range(more_stops):
        course.asked()
        course.ends()
        course.boot()
    return {"changed": False, **history(parse(course.texts).events, 10), "incomplete": []}, course


def domain(outcome: str | None = "graceful", at: str = "2026-09-01T08:21:00.000Z", **changes: Any) -> dict[str, Any]:
    """What its hypervisor has on record: a request in which the guest stopped."""
    request = {
        "at": at,
        "outcome": outcome,
        "ended": at[:-7] + "30.000Z",
        "finish_by": at,
        "hard_end": at,
        "on_timeout": "leave",
        "outstanding": False,
        "void": False,
        **changes,
    }
    evidence = [{"folder": FOLDER, "files": [f"{FOLDER}/evidence.json"], "time": at[:-7] + "29.000Z", "why": "hung"}]
    one = {
        "name": "web01",
        "uuid": "u",
        "state": "running",
        "state_reason": "booted",
        "request": None if outcome is None else request,
        "history": [],
        "evidence": evidence if outcome == "forced" else [],
        "trouble": "",
    }
    return {"changed": False, "domains": [one]}


def told(result: dict[str, Any]) -> str:
    return "\n".join(result["reasons"])


def test_clean_by_both_sides() -> None:
    result = verdict(guest()[0], domain())
    assert result["verdict"] == "clean"
    assert "the guest shut down and powered off by itself" in told(result)
    assert result["last_stop"]["clean"] is True
    assert (result["settled_request"], result["cleared_request"], result["volumes"]) == (None, None, [])


def test_only_the_guest_is_asked() -> None:
    for other in (None, {"skipped": True, "changed": False}):
        assert verdict(guest()[0], other)["verdict"] == "clean"
        assert verdict(guest(unclean=True)[0], other)["verdict"] == "unclean"
        assert verdict(guest(unknown=True)[0], other)["verdict"] == "unknown"


@pytest.mark.parametrize("outcome", ["graceful", "left_running", "error", None])
def test_unclean_by_the_guest_whatever_the_hypervisor_says(outcome: str | None) -> None:
    result = verdict(guest(unclean=True)[0], domain(outcome))
    assert result["verdict"] == "unclean"
    assert "Kernel-Power 41" in told(result)


@pytest.mark.parametrize("unclean", [True, False])
def test_a_guest_that_was_forced_is_named_with_its_evidence(unclean: bool) -> None:
    result = verdict(guest(unclean)[0], domain("forced"))
    assert result["verdict"] == "forced"
    assert "powered the guest off by force at 2026-09-01T08:21:30.000Z" in told(result)
    assert f"{FOLDER}/evidence.json" in told(result)
    assert [entry["folder"] for entry in result["evidence"]] == [FOLDER]


def test_a_stop_in_order_after_a_forced_one_is_clean_though_the_clock_was_wrong_at_the_start() -> None:
    """A guest that takes its hardware's clock for local time starts hours before it was forced, by its own clock."""
    told = guest(more_stops=1)[0]
    told["stops"][0]["start"] = "2026-09-01T00:30:00.000Z"
    assert told["stops"][0]["stop"] > "2026-09-01T08:21:30.000Z"
    result = verdict(told, domain("forced"))
    assert (result["verdict"], result["evidence"]) == ("clean", [])


def test_a_forced_stop_before_the_last_one_is_not_the_last_one() -> None:
    result = verdict(guest(unclean=True, more_stops=1)[0], domain("forced"))
    assert result["verdict"] == "clean"
    assert result["evidence"] == []


def test_evidence_of_an_earlier_request_is_not_named() -> None:
    records = domain("forced")
    old = {**records["domains"][0]["evidence"][0], "time": "2026-08-01T08:00:00.000Z", "folder": "old"}
    records["domains"][0]["evidence"].append(old)
    result = verdict(guest(unclean=True)[0], records)
    assert [entry["folder"] for entry in result["evidence"]] == [FOLDER]


def test_evidence_of_a_run_that_was_cut_off_is_named() -> None:
    records = domain("forced")
    records["domains"][0]["request"]["outcome"] = ""
    result = verdict(guest(unclean=True)[0], records)
    assert result["verdict"] == "unclean"
    assert [entry["folder"] for entry in result["evidence"]] == [FOLDER]


def test_a_guest_that_cannot_be_reached() -> None:
    result = verdict(UNREACHABLE, domain())
    assert result["verdict"] == "unknown"
    assert "the guest could not be asked: no route to host" in result["reasons"]
    assert result["last_stop"] is None
    forced = verdict(UNREACHABLE, domain("forced"))
    assert forced["verdict"] == "forced"
    assert [entry["folder"] for entry in forced["evidence"]] == [FOLDER]


@pytest.mark.parametrize("other", [UNREACHABLE, {"changed": False, "msg": "no route to host"}])
def test_a_hypervisor_that_cannot_be_reached(other: dict[str, Any]) -> None:
    result = verdict(guest()[0], other)
    assert result["verdict"] == "unknown"
    assert "the hypervisor could not be asked: no route to host" in result["reasons"]
    assert verdict(guest(unclean=True)[0], other)["verdict"] == "unclean"
    assert verdict(UNREACHABLE, other)["verdict"] == "unknown"


def test_a_record_that_cannot_be_read_is_told() -> None:
    records = domain(None)
    records["domains"][0]["trouble"] = "not a shutdown record"
    result = verdict(guest()[0], records)
    assert result["verdict"] == "unknown"
    assert "not a shutdown record" in told(result)


def test_a_guest_without_a_stop() -> None:
    course = Guest()
    course.boot()
    result = verdict(history(parse(course.texts).events, 10), domain())
    assert result["verdict"] == "unknown"
    assert "the guest's logs know of no stop" in result["reasons"]


AT = "2026-09-01T08:21:00.000Z"


@pytest.mark.parametrize(
    ("outcome", "outstanding", "void", "settled"),
    [
        ("left_running", True, False, None),
        ("left_running", False, True, AT),
        ("restarted", True, False, AT),
        ("", False, True, AT),
        ("graceful", False, False, None),
    ],
)
def test_which_request_is_settled(outcome: str, outstanding: bool, void: bool, settled: str | None) -> None:
    records = domain(outcome, outstanding=outstanding, void=void)
    result = verdict(guest()[0], records)
    assert result["settled_request"] == settled
    assert ("left outstanding, and the domain was stopped or started since" in told(result)) is bool(settled)
    assert ("may still obey it" in told(result)) is (outstanding and not settled)
    assert verdict(UNREACHABLE, records)["settled_request"] is None, "nobody has looked at the guest"


def test_what_became_of_clearing_it() -> None:
    records = domain("left_running", void=True)
    done = verdict(guest()[0], records, None, {"changed": True, "msg": "settled"})
    assert done["cleared_request"] == AT
    for failed in ({"changed": False, "msg": "denied"}, {"unreachable": True, "msg": "denied"}):
        result = verdict(guest()[0], records, None, failed)
        assert result["cleared_request"] is None
        assert "the record was to be cleared: denied" in result["reasons"]
    assert "cleared" not in told(verdict(guest()[0], records, None, {"skipped": True, "changed": False}))


def test_volumes() -> None:
    common = {"effect": "prolongs", "location": "System", "detail": "", "cure": "chkdsk", "actual": "event 55"}
    findings = [
        {**common, "id": "volume_damaged", "state": "differs", "title": "NTFS has found damage"},
        {**common, "id": "volume_damaged_old", "state": "ok", "title": "the same"},
        {**common, "id": "volume_check_scheduled", "state": "unreadable", "title": "check", "detail": "denied"},
        {**common, "id": "volume_check_scheduled", "state": "differs", "title": "absent", "actual": None},
        {**common, "id": "update_pending", "state": "differs", "title": "updates"},
    ]
    result = verdict(guest()[0], domain(), {"findings": findings})
    assert [finding["id"] for finding in result["volumes"]] == ["volume_damaged", "volume_check_scheduled"]
    assert "NTFS has found damage (event 55)" in result["reasons"]
    assert "System could not be read: denied" in result["reasons"]
    assert result["verdict"] == "clean"
    broken = verdict(guest()[0], domain(), {"failed": True, "msg": "timed out"})
    assert "the guest's volumes could not be looked at: timed out" in broken["reasons"]


def test_what_could_not_be_read_is_told() -> None:
    incomplete = {**guest()[0], "incomplete": ["events 41 of Kernel-Power: denied"]}
    assert "not read in the guest: events 41 of Kernel-Power: denied" in verdict(incomplete)["reasons"]


def test_what_blocks_is_handed_on() -> None:
    course = Guest()
    course.boot()
    course.asked()
    course.vetoed("notepad.exe")
    result = verdict(history(parse(course.texts).events, 10))
    assert any("notepad.exe" in sentence for sentence in result["blocking"])


@pytest.mark.parametrize("clock", [-7200.0, 7200.0])
def test_a_clock_that_is_wrong_never_makes_a_clean_stop_of_an_unclean_one(clock: float) -> None:
    course = Guest()
    course.clock = clock
    course.boot()
    course.wait(1200)
    course.boot(unclean=True)
    told = history(parse(course.texts).events, 10)
    at = timestamp(course.now - 60)
    assert verdict(told, domain("forced", at))["verdict"] in ("forced", "unclean")


def test_the_filter() -> None:
    shutdown_verdict = FilterModule().filters()["shutdown_verdict"]
    assert shutdown_verdict(guest()[0], domain()) == verdict(guest()[0], domain())
    assert shutdown_verdict(guest()[0], None, None, None)["verdict"] == "clean"


@pytest.mark.parametrize(
    "given", [(None,), ("x",), ({}, []), ({}, None, "x"), ({"stops": [{}]},), ({}, {"domains": [1]})]
)
def test_the_filter_with_what_is_no_result(given: tuple[Any, ...]) -> None:
    with pytest.raises(AnsibleFilterError, match="shutdown_verdict: "):
        FilterModule().filters()["shutdown_verdict"](*given)
