# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark of the mixed fleet works, on short times, and tells a torn guest from one that hangs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import checkout
from benchmark.mixed_fleet import DOUBLE_PRESS, HANGING, OURS

CLOCK = "fixed clock of 30 s"
PNG = b"\x89PNG\r\n\x1a\n"


def test_mixed_fleet(tmp_path: Path) -> None:
    numbers, picture = tmp_path / "numbers.json", tmp_path / "picture.png"
    command = [str(checkout.ROOT / "tests" / "run"), "benchmark", "mixed_fleet", "--runs", "1", "--scale", "100"]
    command += ["--clocks", "30", "--json", str(numbers), "--picture", str(picture)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    document = json.loads(numbers.read_text())
    assert all(document["machine"]["versions"][name] for name in ("QEMU", "libvirt", "Python", "ansible-core"))
    (fixed,), (ours,) = document["runs"][CLOCK], document["runs"][OURS]

    # An update of six seconds cannot be over when the clock of 0.3 s is, and nobody but ours presses twice.
    assert fixed["torn"] >= 1
    assert fixed["in_vain"] >= len(DOUBLE_PRESS) + HANGING
    assert ours["torn"] == 0
    assert ours["in_vain"] >= HANGING
    assert ours["slowest"] >= 6
    for run in (fixed, ours):
        assert run["slowest"] < run["down"]
        assert 0 < run["wasted"] < run["in_vain"] * run["down"]

    verdict = document["verdict"]
    assert verdict["torn"] == 0 and verdict["untorn"] == [] and verdict["times_the_fastest"] is None
    assert verdict["least_clock"] == ours["slowest"] and verdict["times_the_least"] > 1
    assert document["ratios"] == {CLOCK: fixed["down"] / ours["down"], OURS: 1.0}
    rows = [line for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == [f"| {CLOCK}", f"| {OURS}"]
    assert picture.read_bytes().startswith(PNG)
