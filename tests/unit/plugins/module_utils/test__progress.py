# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a run is, from made-up cases."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._case import Case
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import (
    Asked,
    ControllerLost,
    Done,
    End,
    Event,
    Outcome,
    Started,
    StateSeen,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Definition, Facts
from ansible_collections.winguest.shutdown.plugins.module_utils._progress import at_most, document, doing, phase
from ansible_collections.winguest.shutdown.plugins.module_utils._timeline import Timeline

POLICY = Policy(methods=("acpi",))
PRESSED: list[Event] = [Asked("press"), Started("press"), Done("press", "ok")]
OFF = ("already_off", "graceful", "saved", "forced")


def case(*events: Event, name: str = "web01", policy: Policy = POLICY, outcome: Outcome | None = None) -> Case:
    """A case that began at 100.0, with these events at 101.0."""
    definition = Definition(True, "destroy", False, None, True, ())
    made = Case(Facts(name, name, "running", "booted", True, definition, 7), policy, Timeline(100.0, 0.0), 100.0)
    for event in events:
        made.fold(event, 101.0)
    if outcome:
        made.finish(End(outcome, "because"), 110.0)
    return made


@pytest.mark.parametrize(
    ("events", "expected", "words"),
    [
        ([], "not asked yet", "not asked yet"),
        (PRESSED, "waiting", "not accepted"),
        ([*PRESSED, StateSeen("paused", "ioerror")], "waiting", "paused"),
        ([*PRESSED, StateSeen("in_shutdown", "guest")], "shutting down", "powered off, its QEMU is still there"),
        ([*PRESSED, Asked("evidence")], "forcing", "forcing"),
        ([*PRESSED, Asked("destroy"), Started("destroy")], "forcing", "forcing"),
        ([*PRESSED, Asked("save"), Started("save")], "saving", "saving"),
    ],
)
def test_what_an_open_domain_does(events: list[Event], expected: str, words: str) -> None:
    assert (phase(case(*events)), doing(case(*events), 105.0)) == (expected, words)


def test_writing_is_told_for_as_long_as_it_is_seen() -> None:
    made = case(*PRESSED)
    made.seen = dataclasses.replace(made.seen, accepted_at=101.0, accepted_by="x", progress_at=120.0)
    assert doing(made, 130.0) == "accepted, writing"
    assert doing(made, 120.0 + POLICY.stall_timeout) == "accepted"


@pytest.mark.parametrize("outcome", t.get_args(Outcome))
def test_a_domain_that_is_done_with_is_off_or_counted_by_its_outcome(outcome: Outcome) -> None:
    assert phase(case(outcome=outcome)) == ("off" if outcome in OFF else outcome)


def test_how_long_it_may_still_take() -> None:
    assert at_most(case(*PRESSED), 111.0) == 3590.0
    assert at_most(case(*PRESSED, policy=dataclasses.replace(POLICY, on_timeout="save")), 111.0) == 3590.0 + 615.0
    assert at_most(case(*PRESSED, policy=dataclasses.replace(POLICY, on_timeout="force")), 111.0) == 3590.0 + 180.0
    saving = case(*PRESSED, Asked("save"), Started("save"), policy=dataclasses.replace(POLICY, on_timeout="save"))
    assert at_most(saving, 111.0) == 605.0
    assert at_most(case(*PRESSED), 1e6) == 0.0


def test_the_document() -> None:
    slow = dataclasses.replace(POLICY, max_timeout=9000.0)
    cases = [
        case(outcome="graceful"),
        case(outcome="forced"),
        case(outcome="saved"),
        case(outcome="refused"),
        case(*PRESSED),
        case(*PRESSED, name="sql01", policy=slow),
        case(name="new01"),
        *(case(*PRESSED, name=f"more{number}") for number in range(5)),
    ]
    told = document(cases, 161.2)
    assert told["domains"] == len(cases)
    assert told["counts"] == {"not asked yet": 1, "off": 3, "refused": 1, "waiting": 7}
    assert (told["saved"], told["forced"], told["alone"]) == (1, 1, "")
    assert told["slowest"][0] == {"name": "sql01", "doing": "not accepted", "seconds": 60, "more": 8940}
    assert len(told["slowest"]) == 3
    assert document([], 0.0)["slowest"] == [] and document([], 0.0)["counts"] == {}
    alone = document([case(*PRESSED, ControllerLost("nobody"))], 120.0)
    assert alone["alone"] == "nobody"
