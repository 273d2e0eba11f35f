# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark works and its numbers make sense. How fast anything has to be is not tested: machines differ."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import checkout

GUESTS = 4


def test_shutdown_many(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    words = ["benchmark", "shutdown_many", "--guests", str(GUESTS), "--runs", "1", "--json", str(numbers)]
    command = [str(checkout.ROOT / "tests" / "run"), *words]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"  # otherwise a guest did not power off by itself
    assert f"{GUESTS} guests in one call" in ended.stdout

    document = json.loads(numbers.read_text())
    assert document["guests"] == GUESTS
    assert all(document["machine"][name] for name in ("cores", "memory_gib", "qemu", "libvirt", "python"))
    assert list(document["runs"]) == ["bare client", "module", "baseline_time=0"]
    for side, (seconds,) in document["runs"].items():
        assert document["medians"][side] == seconds
        assert all(ratio > 0 for ratio in document["ratios"][side].values())
        parts = sum(seconds[name] for name in ("connected", "look", "baseline", "guests", "records", "exit"))
        assert abs(parts - seconds["whole"]) < 0.001
        assert seconds["first_press_to_result"] < seconds["whole"]
    assert document["runs"]["module"][0]["baseline"] >= 3
    assert set(document["ratios"]["bare client"].values()) == {1.0}
