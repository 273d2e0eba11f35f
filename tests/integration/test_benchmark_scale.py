# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmarks of many domains and of many guests work on few of them, and their numbers make sense."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import checkout
import pytest
from bed.guests import Bed
from bed.windows.prefix import USER
from benchmark import _peer, domains_scale, guest_readiness
from benchmark._replayed import fleet
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
