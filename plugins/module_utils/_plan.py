# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What a run would do with a domain, in words, for check mode. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import DOUBLE_PRESS_GAP
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Facts

_FINAL = {
    "leave": "leave the guest running, its request on record as outstanding",
    "save": "managed save: the next start resumes the guest",
    "force": "take evidence, freeze file systems where the agent answers, then power off by force",
}


def plan(policy: Policy, facts: Facts) -> list[str]:
    """The steps in order. policy is the one fitted to the domain."""
    return [*_preparation(policy, facts), *_requests(policy, facts), *_clocks(policy)]


def _preparation(policy: Policy, facts: Facts) -> t.Iterator[str]:
    if not policy.methods:
        return
    if facts.state == "pmsuspended" and policy.wake:
        yield "wake the guest from S3"
    if facts.state == "paused" and policy.resume:
        yield "resume the paused domain"
    if policy.thaw and facts.definition.agent_connected:
        yield "thaw file systems, should they be frozen"
    if policy.baseline_time:
        yield f"measure the idle block writes for {policy.baseline_time:g} s"


def _requests(policy: Policy, facts: Facts) -> t.Iterator[str]:
    if not policy.methods:
        yield "ask nothing of the guest: methods is empty"
    again = f"for up to {policy.accept_timeout:g} s without a sign of life"
    for method in policy.methods:
        if method == "acpi":
            pair = f"twice, {DOUBLE_PRESS_GAP:g} s apart, " if policy.double_press else ""
            yield f"press the ACPI power button {pair}every {policy.press_interval:g} s until accepted, {again}"
        elif method == "guest_shutdown":
            yield f"ask Windows on {policy.guest} by shutdown.exe over its own connection, {again}"
        else:
            missing = "" if facts.definition.agent_connected else ", if it has connected by then"
            yield f"ask the guest agent to shut down{missing}, {again}"


def _clocks(policy: Policy) -> t.Iterator[str]:
    yield (
        f"wait until {policy.timeout:g} s after the first request, and on to {policy.max_timeout:g} s "
        f"for as long as no {policy.stall_timeout:g} s pass without progress"
    )
    yield f"then, if it is still running: {_FINAL[policy.on_timeout]}"
