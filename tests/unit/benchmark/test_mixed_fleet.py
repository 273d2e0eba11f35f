# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runs of the mixed fleet amount to, and how its times are scaled."""

from __future__ import annotations

import re

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import FIELDS, Policy, make_policy
from benchmark.mixed_fleet import CLOCKS, OURS, SCALE, End, Guest, Run, cell, fleet, judge, options, tell


def run(torn: int = 0, down: float = 10.0, slowest: float = 9.0) -> Run:
    return Run(torn=torn, in_vain=2, down=down, wasted=5.0, slowest=slowest)


def test_the_numbers_of_a_run() -> None:
    guests = [
        Guest(pressed=101.0, end=End(103.5, by_force=False), torn=False),  # it powered off
        Guest(pressed=101.0, end=End(111.0, by_force=True), torn=True),  # its update was torn: that was no waste
        Guest(pressed=101.5, end=End(111.5, by_force=True), torn=False),  # these hung
        Guest(pressed=102.0, end=End(112.0, by_force=True), torn=False),
    ]
    assert tell(100.0, guests) == Run(torn=1, in_vain=2, down=12.0, wasted=20.0, slowest=2.5)
    assert tell(100.0, guests[1:]).slowest == 0


def test_ours_is_judged_by_the_fastest_clock_that_never_tore_anything() -> None:
    verdict = judge(
        {
            "fixed clock of 300 s": [run(down=1), run(torn=1, down=1), run(down=1)],
            "fixed clock of 3600 s": [run(down=100)],
            "fixed clock of 1200 s": [run(down=30), run(down=50), run(down=40)],
            OURS: [run(down=19, slowest=15), run(down=20, slowest=16), run(down=21, slowest=17)],
        }
    )
    assert verdict.torn == 0
    assert verdict.untorn == ["fixed clock of 1200 s", "fixed clock of 3600 s"]
    assert verdict.times_the_fastest == 0.5
    assert (verdict.least_clock, verdict.times_the_least) == (16, 1.25)
    assert "tore none" in verdict.told and "0.50 times as long" in verdict.told and "1.25 times" in verdict.told


def test_one_torn_guest_in_one_run_is_told() -> None:
    verdict = judge({"fixed clock of 60 s": [run(torn=3)], OURS: [run(), run(torn=1), run()]})
    assert verdict.torn == 1 and f"{OURS} tore 1;" in verdict.told
    assert verdict.times_the_fastest is None and "so did each of these fixed clocks" in verdict.told


def test_a_module_that_only_forces_is_not_measured() -> None:
    with pytest.raises(SystemExit, match="void"):
        judge({OURS: [run(slowest=0)]})


@pytest.mark.parametrize(
    ("values", "digits", "text"),
    [
        ([2], 0, "2"),
        ([2, 2, 2], 0, "2"),
        ([5, 4, 5], 0, "5 (4 to 5)"),
        ([1.01, 1.02], 1, "1.0"),
        ([1.0, 1.3, 1.1], 1, "1.1 (1.0 to 1.3)"),
    ],
)
def test_a_range_is_only_told_where_it_is_seen(values: list[float], digits: int, text: str) -> None:
    assert cell(values, digits) == text


@pytest.mark.parametrize("scale", [1, 5, SCALE, 100])
def test_the_clocks_are_the_defaults_at_that_scale_or_more_and_never_less(scale: int) -> None:
    given = options(scale)
    policy = make_policy({**dict.fromkeys(FIELDS), **given}, "here")
    assert policy.on_timeout == "force"
    longer = []
    for name in set(given) - {"on_timeout"}:
        assert getattr(policy, name) >= getattr(Policy, name) / scale
        if getattr(policy, name) > getattr(Policy, name) / scale:
            longer.append(name)
    assert not {"timeout", "accept_timeout", "max_timeout"} & set(longer)
    assert scale > 1 or not longer
    clocks = {name for name in FIELDS if name.endswith(("timeout", "interval", "_time")) and name != "on_timeout"}
    assert clocks - set(given) == {"save_timeout", "reconnect_timeout"}  # of what does not happen here


def test_the_guests_times_are_scaled_too() -> None:
    by_name = {guest.name: guest.behaviour for guest in fleet(10)}
    assert len(by_name) == len(fleet(10))
    lengths = [int(name.partition("-")[2]) for name in by_name if name.startswith("update-")]
    for length in lengths:
        assert f"write={100 * length}" in by_name[f"update-{length}"].split()
    for low, high in zip((0, *CLOCKS), CLOCKS, strict=False):
        assert any(low < length < high for length in lengths), f"no update is between {low} and {high} s"
    assert max(lengths) < max(CLOCKS)
    assert all(re.fullmatch(r"press=\w+( \w+=\d+)*", words) for words in by_name.values())
