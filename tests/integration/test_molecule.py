# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The molecule scenarios: all of them hold, have really been run, and do not hold where the role does nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import checkout
import pytest
from bed import molecule_bed
from bed.molecule_run import SCENARIOS, Molecule, doubts, scenarios

pytestmark = [pytest.mark.xdist_group("molecule"), pytest.mark.timeout(1200)]

NAMES = scenarios()


def make_emptied(tree: Path) -> None:
    """Make a tree with the collection of this checkout, but for the tasks of its roles: there are none."""
    collection = tree / "ansible_collections" / "winguest" / "shutdown"
    collection.mkdir(parents=True)
    for part in ("galaxy.yml", "meta", "plugins"):
        (collection / part).symlink_to(checkout.ROOT / part)
    shutil.copytree(checkout.ROOT / "roles", collection / "roles")
    for tasks in collection.glob("roles/*/tasks/main.yml"):
        tasks.write_text("---\n[]\n")


def stale(molecule: Molecule) -> Path:
    """Where there would be an old copy of the collection."""
    return molecule.home / ".ansible" / "collections"


@pytest.fixture(scope="module")
def molecule() -> Iterator[Molecule]:
    """In its home folder there is a copy of the collection whose roles do nothing."""
    with Molecule() as molecule:
        make_emptied(stale(molecule))
        yield molecule


@pytest.fixture(scope="module")
def untouched(molecule: Molecule) -> Molecule:
    """With the guests as they are at first, and after the roles have done nothing to them."""
    created = molecule.run("create")
    assert created.status == 0, created.output
    converged = molecule.play(*(SCENARIOS / name / "converge.yml" for name in NAMES), collections=stale(molecule))
    assert converged.status == 0, converged.output
    return molecule


def test_there_is_a_scenario_for_each_role() -> None:
    assert sorted(path.name for path in (checkout.ROOT / "roles").iterdir()) == NAMES


@pytest.mark.parametrize("scenario", NAMES)
def test_what_is_verified_does_not_hold_where_the_role_does_nothing(untouched: Molecule, scenario: str) -> None:
    verified = untouched.play(SCENARIOS / scenario / "verify.yml", collections=stale(untouched))
    assert verified.status == 2, verified.output
    assert "unreachable=0    failed=1 " in verified.output


def test_all_scenarios(molecule: Molecule) -> None:
    """Each step of each has run tasks on hosts, and nothing is left of the bed."""
    run = molecule.run("test", "--all")
    assert run.status == 0, run.output
    assert doubts(run.steps, NAMES) == [], run.output
    assert not (molecule.folder / molecule_bed.FACTS).exists()


def test_elsewhere_than_in_the_root_it_fails(molecule: Molecule) -> None:
    """There molecule reads no configuration and knows no hosts, and would be content."""
    run = molecule.run("test", "--all", folder=SCENARIOS.parent)
    assert run.status != 0, run.output


def test_the_bed_ends_with_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when that is killed."""
    with subprocess.Popen(["sleep", "infinity"]) as owner:
        monkeypatch.setenv(molecule_bed.OWNER, str(owner.pid))
        try:
            molecule_bed.start(tmp_path, ["image_readiness"])
            image = Path(molecule_bed.read_facts(tmp_path)["image"])
            assert image.is_dir()
        finally:
            owner.kill()
    deadline = time.monotonic() + 60
    while image.exists() or (tmp_path / molecule_bed.FACTS).exists():
        assert time.monotonic() < deadline, os.listdir(tmp_path)
        time.sleep(0.1)
