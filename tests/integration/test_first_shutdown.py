# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/first_shutdown.md, followed by the letter: its files written, its commands run, in its order.

Only where the two hosts are is ours: files in host_vars/ beside the inventory, and a folder of commands in PATH.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checkout
import pytest
from bed import guide
from bed.guests import Bed
from bed.module import HYPERVISOR_PYTHON
from bed.windows.blockers import BLOCKERS, merged
from bed.windows.guest import SimulatedWindows

GUIDE = checkout.ROOT / "docs" / "first_shutdown.md"
HYPERVISOR, GUEST = "kvm01.example.org", "web01"
WRONG = ("event_tracker", "logon", "power_button")
# What somebody would type on the hypervisor, run here.
SSH = '#!/bin/sh\nshift\nexec "$@"\n'


@pytest.fixture(scope="module")
def windows() -> Iterator[SimulatedWindows]:
    registry = merged(*(BLOCKERS[blocker].registry for blocker in WRONG), *(BLOCKERS[one].wrong for one in WRONG))
    with Bed() as bed, SimulatedWindows(bed, GUEST, registry=registry) as windows:
        windows.start()
        yield windows


class Walk:
    """Somebody who follows the guide in a folder of their own."""

    def __init__(self, folder: Path, windows: SimulatedWindows) -> None:
        self.folder, self.windows = folder, windows
        bed = windows.bed
        backup, evidence = str(bed.directory / "backup"), str(bed.directory / "evidence")
        own = {"domain_readiness_backup_dir": backup, "domain_shutdown_evidence_dir": evidence}
        local = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
        self.place(HYPERVISOR, {**local, **own, "winguest_uri": bed.daemon.uri})
        self.place(GUEST, {name: value for name, value in windows.variables.items() if name != "ansible_password"})
        commands = folder / "commands"
        commands.mkdir()
        (commands / "ssh").write_text(SSH)
        (commands / "ssh").chmod(0o755)
        path = [str(commands), str(Path(sys.executable).parent), os.environ["PATH"]]
        self.environment = {
            **checkout.ansible_environment(),
            "ANSIBLE_NOCOLOR": "1",
            "LIBVIRT_DEFAULT_URI": bed.daemon.uri,
            "PATH": os.pathsep.join(path),
            "WINGUEST_PASSWORD": windows.password,
        }

    def place(self, host: str, variables: dict[str, Any]) -> None:
        """Say where a host is."""
        file = self.folder / "host_vars" / f"{host}.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(variables), encoding="utf-8")

    def follow(self, block: guide.Block) -> str:
        """Do what this block says; what a command printed."""
        if block.file:
            (self.folder / block.file).write_text(block.text, encoding="utf-8")
        if block.commands is None:
            return ""
        if self.running:
            self.windows.control.wait_until(lambda: self.windows.control.reachable, 60)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.commands],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
            check=False,
        )
        print(f"$ {block.commands}\n{done.stdout}")
        assert done.returncode == 0, f"line {block.line}:\n{done.stdout}"
        return done.stdout

    @property
    def running(self) -> bool:
        return bool(self.windows.bed.connection.lookupByName(GUEST).isActive())


def matching(text: str) -> str:
    """Text as a guide shows it: not as JSON, and without what differs from run to run.

    That is times, spaces, and whether a guest was fast enough to be off before a second press was due.
    """
    shown = re.sub(r" \(\d+ presses\)", "", text.replace("\\\\", "\\"))
    return re.sub(r" +", " ", re.sub(r"\d+(\.\d+)?", "0", shown))


@pytest.mark.timeout(900)
def test_the_guide(windows: SimulatedWindows, tmp_path: Path) -> None:
    """What it promises comes to pass, and what it shows is what is printed."""
    walk = Walk(tmp_path, windows)
    running: list[bool] = []
    printed = ""
    for block in guide.section(GUIDE, "## Name them"):
        if block.language == "text":
            for line in block.text.splitlines():
                assert matching(line.removesuffix("...")) in matching(printed), line
        if block.commands:
            printed = walk.follow(block)
            running.append(walk.running)
        else:
            walk.follow(block)
    #                  audit, plan, remediate, shutdown, start, verify
    assert running == [True, True, True, False, True, True]
    report = json.loads((tmp_path / "shutdown-report.json").read_text(encoding="utf-8"))
    assert report["totals"]["outcomes"] == {"graceful": 1}
    assert "<html" in (tmp_path / "shutdown-report.html").read_text(encoding="utf-8")
