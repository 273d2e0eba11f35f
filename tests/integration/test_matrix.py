# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The matrix of the seven scenarios, as its command prints it."""

from __future__ import annotations

import os
import subprocess
import sys

import checkout
import pytest

SECONDS = 900


@pytest.mark.timeout(SECONDS)
def test_every_scenario_fails_before_and_is_mended_after() -> None:
    """The program itself compares what libvirt and the disks say with what the analysis says, and so fails or not."""
    search = os.pathsep.join([str(checkout.ROOT / "tests"), str(checkout.TREE)])
    ended = subprocess.run(
        [sys.executable, "-m", "bed.matrix"],
        env={**os.environ, "PYTHONPATH": search},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS - 20,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [line for line in ended.stdout.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == [
        *("updates", "event tracker", "logon", "applications", "power button"),
        *("sleep", "sleep by the host", "damage", "all"),
    ]
