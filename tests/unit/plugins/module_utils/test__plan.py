# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan that check mode prints, step by step."""

from __future__ import annotations

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._plan import plan
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Definition, Facts

MEASURE = "measure the idle block writes for 3 s"
PRESS = (
    "press the ACPI power button twice, 0.5 s apart, every 10 s until accepted, for up to 60 s without a sign of life"
)
PRESS_ONCE = "press the ACPI power button every 7.5 s until accepted, for up to 20 s without a sign of life"
AGENT = "ask the guest agent to shut down, for up to 60 s without a sign of life"
PERHAPS = "ask the guest agent to shut down, if it has connected by then, for up to 60 s without a sign of life"
WAIT = "wait until 300 s after the first request, and on to 3600 s for as long as no 60 s pass without progress"
NOT = "wait until 0 s after the first request, and on to 0 s for as long as no 60 s pass without progress"
THAW = "thaw file systems, should they be frozen"
THEN = "then, if it is still running: "
LEAVE = f"{THEN}leave the guest running, its request on record as outstanding"
SAVE = f"{THEN}managed save: the next start resumes the guest"
FORCE = f"{THEN}take evidence, freeze file systems where the agent answers, then power off by force"
WINDOWS = "ask Windows on win-web01 by shutdown.exe over its own connection, for up to 60 s without a sign of life"
NOTHING = "ask nothing of the guest: methods is empty"

HARD = Policy(methods=(), timeout=0, max_timeout=0, on_timeout="force")


def found(state: str = "running", agent: bool | None = True) -> Facts:
    definition = Definition(True, "destroy", agent is not None, agent, True, ())
    return Facts("web01", "6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11", state, "unknown", True, definition)


@pytest.mark.parametrize(
    ("policy", "facts", "steps"),
    [
        (Policy(("acpi", "agent")), found(), [THAW, MEASURE, PRESS, AGENT, WAIT, LEAVE]),
        (Policy(("acpi", "agent")), found(agent=False), [MEASURE, PRESS, PERHAPS, WAIT, LEAVE]),
        (Policy(guest="win-web01"), found(), [THAW, MEASURE, PRESS, WINDOWS, AGENT, WAIT, LEAVE]),
        (Policy(methods=("agent", "acpi"), thaw=False), found(), [MEASURE, AGENT, PRESS, WAIT, LEAVE]),
        (Policy(methods=("acpi",), on_timeout="save"), found(agent=None), [MEASURE, PRESS, WAIT, SAVE]),
        (
            Policy(methods=("acpi",), baseline_time=0, double_press=False, press_interval=7.5, accept_timeout=20),
            found(agent=None),
            [PRESS_ONCE, WAIT, LEAVE],
        ),
        (
            Policy(methods=("agent",)),
            found("pmsuspended"),
            ["wake the guest from S3", THAW, MEASURE, AGENT, WAIT, LEAVE],
        ),
        (
            Policy(methods=("agent",), resume=True),
            found("paused"),
            ["resume the paused domain", THAW, MEASURE, AGENT, WAIT, LEAVE],
        ),
        (Policy(methods=("agent",), resume=True), found(), [THAW, MEASURE, AGENT, WAIT, LEAVE]),
        (HARD, found(), [NOTHING, NOT, FORCE]),
    ],
)
def test_plan(policy: Policy, facts: Facts, steps: list[str]) -> None:
    assert plan(policy, facts) == steps


@pytest.mark.parametrize("state", ["pmsuspended", "paused"])
def test_a_guest_that_is_asked_nothing_is_neither_woken_nor_resumed(state: str) -> None:
    policy = Policy(methods=(), timeout=0, max_timeout=0, on_timeout="force", resume=True)
    assert plan(policy, found(state)) == [NOTHING, NOT, FORCE]
