# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmarks of many domains and of many guests work on few of them, and their numbers make sense."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import checkout
import pytest
from bed.guests import Bed
from bed.windows.endpoint import Settings
from bed.windows.prefix import USER
from benchmark import _peer, domains_scale, guest_readiness
from benchmark._replayed import Answer, Replayed, fleet
from benchmark.guest_readiness import AUDIT, NOTHING, PASSWORD, PATIENCE, TASKS

DOMAINS = 8
GUESTS = 2


def test_domains_scale(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    command = [str(checkout.ROOT / "tests" / "run"), "benchmark", "domains_scale", "--runs", "1"]
    command += ["--domains", str(DOMAINS), "--json", str(numbers)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    document = json.loads(numbers.read_text())
    rows = [line for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == [f"| {side}" for side in domains_scale.SIDES]
    for side in domains_scale.SIDES:
        (one,) = document["runs"][f"{side}: {DOMAINS}"]
        assert one["seconds"] > 0 < one["bare"] and 0 <= one["own"] < one["seconds"]
        assert one["memory"] > 10 and document["ratios"][f"{side}: {DOMAINS}"] > 0
        assert document["growth"][side] is None  # of one number of domains


@pytest.mark.parametrize(("large", "expected"), [(11.0, 1.0), (101.0, 2.0), (1.0, None)])
def test_growth_is_that_of_what_comes_on_top(large: float, expected: float | None) -> None:
    own = {"side: 0": 1.0, "side: 10": 2.0, "side: 100": large}
    growth = domains_scale.growth({label: {"own_cpu": seconds} for label, seconds in own.items()}, "side", [10, 100])
    assert growth == (None if expected is None else pytest.approx(expected))


@pytest.mark.timeout(900)
def test_a_fleet_of_guests(tmp_path: Path) -> None:
    _peer.fetch()
    settings = guest_readiness.some_settings(1)
    with Bed() as bed:
        answers = guest_readiness.record(bed, [AUDIT])
    with fleet(GUESTS, answers, tmp_path, USER, PASSWORD, PATIENCE) as hosts:
        results = {
            side: guest_readiness.run_fleet(tmp_path, hosts, side, settings, GUESTS) for side in (NOTHING, AUDIT, TASKS)
        }
    assert results[NOTHING].counted.requests == 0
    assert results[AUDIT].actions["Command"] == GUESTS * len(answers)
    assert results[TASKS].actions["Command"] == GUESTS
    assert all(results[side].counted.connected < results[side].counted.whole for side in (AUDIT, TASKS))


def test_a_command_that_was_not_recorded_has_no_answer(tmp_path: Path) -> None:
    recorded = Answer("echo #00000001# one", b"#00000001# one", b"", 0)
    shell = Settings()
    for line, said, status in (
        ("echo #12345678# one", b"#12345678# one", 0),
        ("echo #12345678# two", b"", 250),
        ("echo one", b"", 250),
    ):
        guest = Replayed([recorded], tmp_path / os.urandom(4).hex())
        process = guest.start(line, shell)
        assert process.communicate()[0] == said and process.returncode == status
        again = guest.start(line, shell)
        assert again.communicate()[0] == b"" and again.returncode == 250  # no second one was recorded
