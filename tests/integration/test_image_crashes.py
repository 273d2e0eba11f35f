# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_readiness on hives that are meant to do harm, and killed while it writes."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import checkout
import pytest
from bed import image, module, regf
from bed.image import AUDIT, MEND
from bed.windows.blockers import Changes
from bed.windows.keys import SERVICES
from bed.windows.systems import ALICE, SERVER_2022
from bed.windows.typed import dword
from integration.faults import fault
from integration.test_image_readiness import ALL_WRONG, found
from unit.fuzz import inputs

pytestmark = pytest.mark.timeout(600)

MOMENTS = 20
HOSTILE = {image.hive_of(ALICE.sid): 300, image.SYSTEM: 100}
"""How many damaged copies of a hive are looked at."""


def hives_of(root: Path) -> dict[str, bytes]:
    """Each hive as it is."""
    return {path: (root / path).read_bytes() for path in image.ROOTS.values()}


def is_whole(hive: Path) -> bool:
    """Whether it is one that the other reader can read from end to end."""
    head = hive.read_bytes()[: regf.PAGE]
    return head == regf.with_checksum(head) and head[4:8] == head[8:12] and bool(image.read(hive))


@fault("image_killed")
def test_killed_at_20_random_moments_it_leaves_whole_hives(tmp_path: Path) -> None:
    """Every second time at a moment of the run, and else when it has replaced some of the hives, or is about to."""
    pristine, temporary = tmp_path / "pristine", tmp_path / "temporary"
    temporary.mkdir()
    image.make(pristine, SERVER_2022, ALL_WRONG)
    old = hives_of(pristine)
    inodes = {}

    def begin(number: int) -> tuple[Path, module.ModuleCall]:
        root = tmp_path / f"root-{number}"
        shutil.copytree(pristine, root)
        inodes.update({path: (root / path).stat().st_ino for path in old})
        return root, image.begin(MEND, root=root, _ansible_remote_tmp=temporary)

    def replaced(root: Path) -> int:
        return sum((root / path).stat().st_ino != inode for path, inode in inodes.items())

    began = time.monotonic()
    root, call = begin(0)
    assert call.answer().returned["changed"]
    whole = time.monotonic() - began
    new = hives_of(root)
    assert all(old[path] != new[path] and is_whole(root / path) for path in old)

    chance, seen, killed = random.Random(), set(), 0
    for number in range(1, MOMENTS + 1):
        root, call = begin(number)
        if number % 2:
            time.sleep(chance.uniform(0, whole))
        else:
            wanted = chance.randrange(len(old))
            while call.process.poll() is None and replaced(root) < wanted:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.01))
        call.process.kill()
        call.process.communicate()
        killed += call.process.returncode < 0
        now = hives_of(root)
        assert all(now[path] in (old[path], new[path]) for path in old)
        seen.add(sum(now[path] == new[path] for path in old))
        if number % 5 == 0:
            assert not image.call(MEND, root=root).failed
            assert hives_of(root) == new
            assert image.state(root).keys() == image.state(pristine).keys()
        shutil.rmtree(root)
    # Some of them in the middle, or this would say nothing.
    assert killed >= MOMENTS // 2 and len(seen) > 2, (killed, seen)


@fault("image_damaged")
@pytest.mark.timeout(600 + inputs(0) // 10)
def test_a_damaged_hive_is_an_error_and_no_crash_and_no_end_without_end(tmp_path: Path) -> None:
    image.make(tmp_path / "root")
    seed = random.randrange(1 << 32)
    for path, count in HOSTILE.items():
        hive, count = tmp_path / "root" / path, inputs(count)
        command = [module.HYPERVISOR_PYTHON, "-m", "bed.hostile_hives", str(hive), str(tmp_path), str(count), str(seed)]
        variables = module.environment()
        variables["PYTHONPATH"] += f"{os.pathsep}{checkout.ROOT / 'tests'}"
        run = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{run.stderr}\nseed {seed}"
        told = json.loads(run.stdout)
        print(path, told)
        assert sum(told["outcomes"].values()) == count
        assert told["outcomes"].keys() > {"written"}
        assert told["slowest"] < 10, f"seed {seed}"
        assert not [outcome for outcome in told["outcomes"] if "status" in outcome], f"{told}, seed {seed}"


@fault("image_damaged")
def test_a_process_that_hivex_ends_is_a_damaged_hive() -> None:
    """hivex has not been seen to crash, so the crash is made here."""
    program = (
        "import os, signal, sys, time\n"
        "from ansible_collections.winguest.shutdown.plugins.module_utils import _hives as hives\n"
        "for work in (lambda: os.kill(os.getpid(), signal.SIGSEGV), lambda: time.sleep(60), lambda: 1 / 0):\n"
        "    try:\n"
        "        hives.guarded(work, 'SOFTWARE', 1)\n"
        "    except hives.HiveError as error:\n"
        "        print(error)\n"
        "print(hives.guarded(lambda: 'alive', 'SOFTWARE', 1))\n"
    )
    run = subprocess.run(
        [module.HYPERVISOR_PYTHON, "-c", program], env=module.environment(), capture_output=True, text=True, check=False
    )
    crashed, endless, failed, alive = run.stdout.splitlines()
    assert "SOFTWARE is damaged: hivex has broken down on it (SIGSEGV)" in crashed
    assert "has not come to an end with it in 1 s" in endless
    assert "(status 1)" in failed and alive == "alive"


def test_names_that_no_path_can_have_are_passed_over(tmp_path: Path) -> None:
    hidden: Changes = {rf"{SERVICES}\hid{chr(0)}den": {"PreshutdownTimeout": dword(900_000)}}
    image.make(tmp_path, SERVER_2022, hidden)
    audit = image.call(AUDIT, root=tmp_path)
    assert found(audit, "service_preshutdown")
    assert image.call(MEND, root=tmp_path).returned["changed"]
    assert "hid\0den" in {key.rpartition("\\")[2] for key in image.read(tmp_path / image.SYSTEM)}
