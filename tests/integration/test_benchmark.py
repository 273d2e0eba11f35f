# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmarks work and their numbers make sense. How fast anything has to be is not tested: machines differ.

What guest_readiness is compared with is fetched by the benchmark the first time, as it is by hand: some 55 MB, which is
less than what setting the tests up fetches.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import checkout
import pytest
from benchmark import _peer

PNG = b"\x89PNG\r\n\x1a\n"
GUESTS = 2
PEER_SETTINGS = 4
MOST_REQUESTS = 6
"""What one task of ours may ask of a guest in which all that is enforced is wrong, but for Receives: those that bring
nothing in their time are asked again, as often as a busy machine needs."""


def measured(folder: Path, name: str, *words: str, seconds: float) -> tuple[str, dict[str, Any]]:
    """Run a benchmark once: what it printed, and its numbers."""
    numbers = folder / "numbers.json"
    command = [str(checkout.ROOT / "tests" / "run"), "benchmark", name, "--runs", "1", "--json", str(numbers), *words]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"  # otherwise something did not do what is measured
    return ended.stdout, json.loads(numbers.read_text())


@pytest.mark.timeout(900)
def test_shutdown_many(tmp_path: Path) -> None:
    sides = ["bare", "module_fast", "script_fast", "playbook_fast", "virt", "virt_fast"]
    picture = tmp_path / "picture.png"
    few = ("--guests", str(GUESTS), "--sides", ",".join(sides[1:]), "--picture", str(picture))
    printed, document = measured(tmp_path, "shutdown_many", *few, seconds=880)
    assert f"{GUESTS} guests: seconds" in printed and "Goal, the best peer" in printed
    assert all(document["machine"][name] for name in ("cores", "memory_gib"))
    versions = document["machine"]["versions"]
    assert all(versions[name] for name in ("QEMU", "libvirt", "Python", "ansible-core", "community.libvirt"))
    (runs,), (ratios,), (peers,), (parts,) = (document[name].values() for name in ("runs", "ratios", "peers", "parts"))
    assert list(runs) == list(ratios) == sides
    took = {side: seconds for side, (seconds,) in runs.items()}
    assert document["medians"] == {str(GUESTS): took}
    answers = {side: seconds["answer"] for side, seconds in took.items()}
    for side, answer in answers.items():
        assert 0 < answer < took[side]["whole"]
        assert ratios[side]["answer"] == answer / answers["bare"]
        assert f"| {document['labels'][side]} | 1 | {answer:.2f} (" in printed
    assert peers == {"virt_fast": answers["virt_fast"] / answers["playbook_fast"]}
    assert list(parts) == ["bare", "module_fast"]
    for side, (taken,) in parts.items():
        assert abs(sum(taken.values()) - took[side]["whole"]) < 0.001
    assert picture.read_bytes().startswith(PNG)


@pytest.mark.timeout(900)
def test_guest_readiness(tmp_path: Path) -> None:
    few = ("--peer-settings", str(PEER_SETTINGS), "--no-ungathered", "--guests", "1")
    printed, document = measured(tmp_path, "guest_readiness", *few, seconds=880)
    versions = document["machine"]["versions"]
    assert all(versions[name] for name in ("ansible-core", "ansible.windows", "pywinrm", "Python", "Wine"))
    assert all(f"{name} {version}" in printed for name, version in versions.items())
    assert "POWERSHELL'S TIME COMES ON TOP" in printed

    info, mend, again, tasks, loop = document["runs"]
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert [row.partition(":")[0] for row in rows[2:]] == [f"| {side}" for side in document["runs"]]
    assert {row.count("|") for row in rows} == {10}
    for side, (counted,) in document["runs"].items():
        assert document["medians"][side] == counted
        assert sum(document["actions"][side].values()) == counted["requests"] < counted["round_trips"]
        assert counted["to_guest"] > 0 < counted["from_guest"]
        assert 0 < counted["connected"] < counted["whole"]
    for side in (info, mend, again):
        asked = document["actions"][side]
        assert sum(asked.values()) - asked["Receive"] <= MOST_REQUESTS, asked
    assert document["settings"][mend] > document["settings"][tasks] == PEER_SETTINGS
    assert document["ratios"][mend] == 1 < document["ratios"][loop] < document["ratios"][tasks]
    for action in ("Create", "Command", "Signal", "Delete"):
        assert document["actions"][tasks][action] == PEER_SETTINGS
        assert document["actions"][loop][action] == (1 if action in ("Create", "Delete") else PEER_SETTINGS)


def test_image_readiness(tmp_path: Path) -> None:
    printed, document = measured(tmp_path, "image_readiness", "--size", "2", seconds=240)
    assert all(document["machine"]["versions"][name] for name in ("Python", "ansible-core", "hivex"))
    assert 1 < document["size"] / 2**20 < 3
    assert f"SOFTWARE has {document['size'] / 2**20:.1f} MiB" in printed
    for side, (taken,) in document["runs"].items():
        assert f"| {side}: " in printed
        assert document["medians"][side] == taken
        assert taken["seconds"] > 0 < taken["cpu"] and taken["memory"] > 2


def test_a_peer_that_cannot_be_had_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_peer, "COLLECTIONS", tmp_path / "peer")
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(SystemExit, match=r"void: pip cannot fetch ansible==.*nothing to compare with"):
        _peer.fetch()
    assert not list(tmp_path.iterdir())
