# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that make a policy, and options that make none and say why."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy, PolicyError, make_policy

LEAST = {
    "accept_timeout": 0,
    "timeout": 0,
    "max_timeout": 0,
    "stall_timeout": 0,
    "press_interval": 1,
    "baseline_time": 0,
    "progress_min_rate": 1,
    "poll_interval": 1,
    "save_timeout": 1,
    "reconnect_timeout": 0,
}


def complaint(options: dict[str, Any]) -> str:
    with pytest.raises(PolicyError) as raised:
        make_policy(options, "domains[2] (web01)")
    return str(raised.value)


def test_without_options_it_is_the_default_policy() -> None:
    assert make_policy({}, "the task") == Policy()
    assert make_policy(dict.fromkeys(LEAST), "the task") == Policy()


@pytest.mark.parametrize(
    ("options", "accept_timeout", "max_timeout"),
    [
        ({"timeout": 300}, 60, 3600),
        ({"timeout": 60}, 60, 3600),
        ({"timeout": 30}, 30, 3600),
        ({"timeout": 0}, 0, 3600),
        ({"timeout": 3600}, 60, 3600),
        ({"timeout": 5000}, 60, 5000),
        ({"timeout": 5000, "max_timeout": 6000}, 60, 6000),
        ({"timeout": 30, "accept_timeout": 10, "max_timeout": 30}, 10, 30),
    ],
)
def test_default_clocks_fit_the_timeout(options: dict[str, Any], accept_timeout: float, max_timeout: float) -> None:
    policy = make_policy(options, "the task")
    assert (policy.accept_timeout, policy.max_timeout) == (accept_timeout, max_timeout)


def test_lists_become_tuples_and_other_options_are_left_alone() -> None:
    policy = make_policy({"methods": ["agent"], "waive": ["domain_job"], "uri": "qemu:///system"}, "the task")
    assert policy == Policy(methods=("agent",), waive=("domain_job",))


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", LEAST)
def test_a_number_out_of_range(name: str, value: float) -> None:
    expected = f"domains[2] (web01): {name} is {value:g}; it must be a number of at least {LEAST[name]}"
    assert complaint({name: value}) == expected


@pytest.mark.parametrize("name", LEAST)
def test_the_least_number(name: str) -> None:
    least = float(LEAST[name])
    options = {"timeout": 0, "accept_timeout": 0, "max_timeout": 0, name: least}
    assert getattr(make_policy(options, "the task"), name) == least
    assert f"{name} is" in complaint({**options, name: least - 0.001})


@pytest.mark.parametrize("name", sorted(LEAST.keys() - {"progress_min_rate"}))
def test_a_time_beyond_all_calendars(name: str) -> None:
    assert f"{name} is 1e+12;" in complaint({"max_timeout": 1e6, name: 1e12})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"methods": ["guest_shutdown"]},
            (
                "methods has only guest_shutdown, and guest is not given, so nobody could be asked; set guest to the "
                "inventory name of the domain's Windows host, or allow another method"
            ),
        ),
        ({"methods": ["agent", "acpi", "agent"]}, "methods names agent twice; name each method once"),
        (
            {"timeout": 301, "max_timeout": 300},
            "timeout (301 s) is later than max_timeout (300 s), the hard end; raise max_timeout or lower timeout",
        ),
        (
            {"timeout": 60, "accept_timeout": 61},
            (
                "accept_timeout (61 s) is longer than timeout (60 s), so no second method could ever be tried; "
                "lower accept_timeout or raise timeout"
            ),
        ),
        ({"baseline_time": 0.5}, "baseline_time is 0.5; use 0 (off) or at least 1 second"),
    ],
)
def test_a_contradiction(options: dict[str, Any], expected: str) -> None:
    assert complaint(options) == f"domains[2] (web01): {expected}"


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 300, "accept_timeout": 300, "max_timeout": 300},
        {"timeout": 0, "max_timeout": 0, "accept_timeout": 60, "methods": []},
        {"baseline_time": 0},
        {"baseline_time": 1},
    ],
)
def test_no_contradiction(options: dict[str, Any]) -> None:
    policy = make_policy(options, "the task")
    assert {name: getattr(policy, name) for name in options if name != "methods"} == {
        name: value for name, value in options.items() if name != "methods"
    }
