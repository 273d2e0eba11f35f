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

pytestmark = [pytest.mark.xdist_group("molecule"), pytest.mark.timeout(900)]

NAMES = scenarios()


def emptied(tree: Path) -> Path:
    """A tree with the collection of this checkout, but for the tasks of its roles: there are none."""
    collection = tree / "ansible_collections" / "winguest" / "shutdown"
    collection.mkdir(parents=True)
    for part in ("galaxy.yml", "meta", "plugins"):
        (collection / part).symlink_to(checkout.ROOT / part)
    shutil.copytree(checkout.ROOT / "roles", collection / "roles")
    for tasks in collection.glob("roles/*/tasks/main.yml"):
        tasks.write_text("---\n[]\n")
    return tree


@pytest.fixture(scope="module")
def molecule() -> Iterator[Molecule]:
    """In its home folder there is a copy of the collection whose roles do nothing."""
    with Molecule() as molecule:
        emptied(molecule.home / ".ansible" / "collections")
        yield molecule


@pytest.fixture
def bed(molecule: Molecule) -> Molecule:
    """With the guests, as they are at first."""
    if not (molecule.folder / molecule_bed.FACTS).exists():
        run = molecule.run("create")
        assert run.status == 0, run.output
    return molecule


def test_there_is_a_scenario_for_each_role() -> None:
    assert sorted(path.name for path in (checkout.ROOT / "roles").iterdir()) == NAMES


@pytest.mark.parametrize("scenario", NAMES)
def test_what_is_verified_does_not_hold_where_the_role_does_nothing(bed: Molecule, scenario: str) -> None:
    tree = bed.home / ".ansible" / "collections"
    converged = bed.play(SCENARIOS / scenario / "converge.yml", tree)
    assert converged.status == 0, converged.output
    verified = bed.play(SCENARIOS / scenario / "verify.yml", tree)
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
