# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One domain in a run: what is recorded of it and returned, next to what the module documents."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.module_utils._case import FAILED, MOST_NAMED, Case, failure, totals
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import (
    AgentChannel,
    Cancelled,
    ConnectionLost,
    End,
    Event,
    Outcome,
    Rebooted,
    Started,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy, PolicyError, make_policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Definition, Facts
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Past, Record, Request
from ansible_collections.winguest.shutdown.plugins.module_utils._timeline import Timeline
from ansible_collections.winguest.shutdown.plugins.modules.domain_shutdown import RETURN

RETURNED = yaml.safe_load(RETURN)
TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
START = 1_763_892_723.0  # 2025-11-23T10:12:03Z

FACTS = Facts(
    name="web01",
    uuid="6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11",
    state="running",
    reason="booted",
    persistent=True,
    definition=Definition(True, "destroy", True, True, True, ()),
    domain_id=7,
)
EARLIER = Request("2025-11-22T00:00:00.000Z", 7, "x", "y", "leave", "left_running", "z")


def taken_up(policy: Policy | None = None, **changes: t.Any) -> Case:
    return Case(dataclasses.replace(FACTS, **changes), policy or Policy(), Timeline(100.0, START), 100.0)


def ended(outcome: t.Any, *events: Event, policy: Policy | None = None, **changes: t.Any) -> Case:
    """A case with one event a second from 101.0 on, that ended 20 s after the first request."""
    case = taken_up(policy, **changes)
    for number, event in enumerate(events):
        case.fold(event, 101.0 + number)
    case.finish(End(outcome, f"because it is {outcome}"), 121.0)
    return case


def said(case: Case, kind: str) -> list[str]:
    return [entry["text"] for entry in case.timeline.entries() if entry["kind"] == kind]


# ---- results


def cases() -> dict[str, Case]:
    press = Started("press")
    made = {outcome: ended(outcome, press, AgentChannel(False)) for outcome in t.get_args(Outcome)}
    made["planned"] = taken_up()
    made["nothing asked"] = ended("already_off")
    made["repeated"] = ended("left_running")
    for at in (1.0, 2.0):
        made["repeated"].note(100.0 + at, "asked", "press")
    made["forced"].evidence.append("/srv/evidence/screen.png")
    return made


@pytest.mark.parametrize("name", cases())
def test_results_are_as_documented(name: str) -> None:
    result = cases()[name].result()
    documented = RETURNED["domains"]["contains"]
    assert result.keys() == documented.keys()
    nullable = {key for key, entry in documented.items() if "null " in str(entry["description"])}
    conform(result, documented, nullable)
    entries = documented["timeline"]["contains"]
    always = {key for key, entry in entries.items() if entry["returned"] == "always"}
    for entry in result["timeline"]:
        assert always <= entry.keys() <= entries.keys()
        assert ("count" in entry) == ("last_seconds" in entry)
        conform(entry, entries, set())
    assert any("count" in entry for entry in result["timeline"]) is (name == "repeated")


def conform(values: dict[str, t.Any], documented: dict[str, t.Any], nullable: set[str]) -> None:
    for key, value in values.items():
        expected = TYPES[documented[key]["type"]]
        exact = isinstance(value, expected) and isinstance(value, bool) == (expected is bool)
        assert exact or (value is None and key in nullable), f"{key}: {value!r}"


def test_every_outcome_is_documented() -> None:
    described = RETURNED["domains"]["contains"]["outcome"]["description"]
    assert re.findall(r"^C\((\w+)\)", "\n".join(described), re.MULTILINE) == [*t.get_args(Outcome), "planned"]


def test_a_graceful_one() -> None:
    case = ended("graceful", Started("press"), Started("press"), AgentChannel(False))
    result = case.result()
    assert (result["method"], result["presses"], result["accepted_by"]) == ("acpi", 2, "the guest agent stopped")
    assert (result["accept_seconds"], result["finish_seconds"]) == (2.0, 20.0)
    assert (result["forced"], result["permission"], result["request_outstanding"]) == (False, None, False)
    assert result["timeline"][-1] == {
        "time": "2025-11-23T10:12:24.000Z",
        "seconds": 21.0,
        "kind": "ended",
        "text": "graceful: because it is graceful",
    }


def test_a_forced_one_says_who_allowed_it() -> None:
    result = ended("forced", Started("press"), policy=Policy(on_timeout="force", timeout=60)).result()
    assert result["forced"] and result["method"] is None and result["accept_seconds"] is None
    assert result["permission"] == "on_timeout=force for this domain in this run, timeout=60 s, max_timeout=3600 s"


@pytest.mark.parametrize("outcome", t.get_args(Outcome))
def test_which_requests_are_outstanding(outcome: str) -> None:
    expected = outcome in ("left_running", "refused", "restarted", "cancelled", "error")
    assert ended(outcome, Started("press")).result()["request_outstanding"] is expected
    assert not ended(outcome).result()["request_outstanding"]


def test_one_that_was_asked_nothing_has_no_times() -> None:
    result = ended("vanished").result()
    assert result["finish_seconds"] is result["accept_seconds"] is result["method"] is None


def test_one_that_was_only_planned() -> None:
    result = taken_up().result()
    assert result["outcome"] == "planned" and result["plan"] and result["finish_seconds"] is None


# ---- how it was found


def test_one_that_is_off() -> None:
    case = taken_up(state="shutoff", reason="shutdown", domain_id=None)
    assert case.end == End("already_off", "it was off already (shutdown)")
    assert case.result()["plan"] == []


def test_one_in_traps() -> None:
    case = taken_up(state="paused", reason="user", job="backup")
    assert case.end is not None and case.end.outcome == "refused"
    assert "a backup job is under way on the domain [domain_job]: wait for it" in case.end.why
    assert "; the domain is paused (user) and a paused guest cannot hear a request [domain_paused]:" in case.end.why


def test_one_that_libvirt_does_not_tell_about() -> None:
    case = taken_up(state="nostate", reason="unknown", trouble="no answer")
    assert case.end == End("error", "no answer") and not case.to_be_recorded


def test_one_that_is_gone_is_not_planned_for() -> None:
    case = taken_up(state="gone", reason="no such domain", domain_id=None)
    assert (case.result()["outcome"], case.result()["plan"]) == ("vanished", [])


def test_a_method_without_a_carrier_is_left_out_and_noted() -> None:
    case = taken_up(definition=dataclasses.replace(FACTS.definition, agent_channel=False))
    assert case.policy.methods == ("acpi",)
    note = (
        "method agent left out: the domain's definition has nothing to carry it [domain_agent_channel]: add a channel "
        "org.qemu.guest_agent.0 to the domain's XML and start it anew, or do without the agent"
    )
    assert said(case, "found") == ["running (booted)", note]
    assert case.result()["plan"][0] == f"note: {note}"


def test_a_record_that_cannot_be_read_is_noted() -> None:
    assert said(taken_up(record_error="no record"), "found") == ["running (booted)", "no record"]


@pytest.mark.parametrize(
    ("request_", "domain_id", "text"),
    [
        (None, 7, ""),
        (dataclasses.replace(EARLIER, outcome="graceful"), 7, ""),
        (EARLIER, 7, "is outstanding (it ended as left_running): the guest may still obey it"),
        (dataclasses.replace(EARLIER, outcome=""), 7, "(its run was cut off, or is still under way)"),
        (EARLIER, 8, "was outstanding; the domain was started anew since, so it is void"),
    ],
)
def test_an_earlier_request_to_one_that_runs(request_: Request | None, domain_id: int, text: str) -> None:
    notes = said(taken_up(record=Record(request_), domain_id=domain_id), "found")[1:]
    assert len(notes) == bool(text)
    assert all(note.startswith("a request of 2025-11-22T00:00:00.000Z ") and text in note for note in notes)


@pytest.mark.parametrize(
    ("request_", "reason", "why"),
    [
        (None, "saved", "it was off already (saved)"),
        (dataclasses.replace(EARLIER, outcome="forced"), "destroyed", "it was off already (destroyed)"),
        (EARLIER, "shutdown", f"it went off late (shutdown): the request of {EARLIER.at} was left outstanding, and"),
        (
            EARLIER,
            "destroyed",
            f"the request of {EARLIER.at} was outstanding until someone powered the guest off by force",
        ),
    ],
)
def test_an_earlier_request_to_one_that_is_off(request_: Request | None, reason: str, why: str) -> None:
    case = taken_up(record=Record(request_), state="shutoff", reason=reason, domain_id=None)
    assert case.end is not None and case.end.outcome == "already_off"
    assert case.end.why.startswith(why)


# ---- the record


def test_the_request_is_recorded_with_its_deadlines() -> None:
    case = taken_up(Policy(timeout=300, max_timeout=3600, on_timeout="save"))
    case.fold(Started("press"), 101.0)
    request = Request(
        at="2025-11-23T10:12:04.000Z",
        domain_id=7,
        finish_by="2025-11-23T10:17:04.000Z",
        hard_end="2025-11-23T11:12:04.000Z",
        on_timeout="save",
    )
    assert case.record() == Record(request)
    case.finish(End("left_running", "why"), 401.0)
    late = dataclasses.replace(request, outcome="left_running", ended="2025-11-23T10:17:04.000Z")
    assert case.record() == Record(late)


@pytest.mark.parametrize("seconds", [1e6, 1e10, 1e12, 1e300])
def test_a_clock_that_is_allowed_can_be_recorded(seconds: float) -> None:
    try:
        policy = make_policy({"timeout": seconds, "max_timeout": seconds}, "the task")
    except PolicyError:
        return
    case = taken_up(policy)
    case.fold(Started("press"), 101.0)
    assert case.record().request is not None


@pytest.mark.parametrize("outcome", t.get_args(Outcome))
def test_only_real_shutdowns_become_history(outcome: str) -> None:
    old = Past("x", "graceful", "agent", 1.0, 2.0)
    case = ended(outcome, Started("press"), AgentChannel(False), record=Record(EARLIER, (old,)))
    new = Past("2025-11-23T10:12:04.000Z", outcome, "acpi", 1.0, 20.0)
    assert case.record().history == ((old, new) if outcome in ("graceful", "saved") else (old,))


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (taken_up(), False),
        (ended("graceful"), False),
        (ended("graceful", Started("press")), True),
        (ended("graceful", Started("press"), persistent=False), False),
        (ended("left_running", Started("press"), persistent=False), True),
        (ended("restarted", Started("press"), Rebooted()), True),
        (ended("error", Started("press"), ConnectionLost("gone")), False),
        (ended("cancelled", Started("press"), Cancelled("SIGTERM")), False),
        (ended("vanished", Started("press")), False),
        (ended("graceful", Started("press"), record_error="somebody else's"), False),
    ],
)
def test_what_is_to_be_recorded(case: Case, expected: bool) -> None:
    assert case.to_be_recorded is expected


def test_a_request_that_was_recorded_and_needless_before_it_was_made_is_settled_on_record() -> None:
    case = ended("already_off")
    case.on_record = EARLIER
    request = case.record().request
    assert case.to_be_recorded and request is not None and not request.outstanding


# ---- evidence, totals, failure


def test_the_document_of_the_evidence() -> None:
    case = taken_up(Policy(on_timeout="force"))
    assert case.document("hard end", 160.0) == {
        "name": "web01",
        "uuid": FACTS.uuid,
        "time": "2025-11-23T10:13:03.000Z",
        "why": "hard end",
        "permission": "on_timeout=force for this domain in this run, timeout=300 s, max_timeout=3600 s",
        "timeline": case.timeline.entries(),
    }


def test_totals() -> None:
    assert totals([]) == {"domains": 0}
    results = [{"outcome": outcome} for outcome in ("saved", "graceful", "error", "graceful")]
    assert totals(results) == {"error": 1, "graceful": 2, "saved": 1, "domains": 4}


def test_failure() -> None:
    results = [{"name": o, "outcome": o, "reason": f"why {o}"} for o in (*t.get_args(Outcome), "planned")]
    message = failure(results)
    assert message.startswith("5 of 11 domains did not shut down as asked. ")
    assert [part.split(":")[0] for part in message.split("asked. ")[1].split(" | ")] == [
        "left_running",
        "refused",
        "restarted",
        "cancelled",
        "error",
    ]
    assert message.endswith("error: error: why error")
    assert failure([result for result in results if result["outcome"] not in FAILED]) == ""


def test_a_failure_of_thousands_names_some() -> None:
    results = [{"name": f"web{number}", "outcome": "error", "reason": "why"} for number in range(2000)]
    message = failure(results)
    assert message.startswith("2000 of 2000 domains did not shut down as asked. web0: error: why | web1: ")
    assert message.endswith(f" | and {2000 - MOST_NAMED} more") and len(message) < 1000
