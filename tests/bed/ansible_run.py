# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible-playbook as a user does, and reads what became of each task.

    run = play(inventory, "winguest.shutdown.remediate", folder=tmp_path)
    assert run.status == 0, run.output
    run.result("guest", "winguest.shutdown.guest_readiness")["changed"]

Everything is of this checkout's collection and of no file outside of it, except what an inventory names.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import checkout

CALLBACKS = Path(__file__).with_name("callback")
PATIENCE = 240.0

Inventory = Mapping[str, Any]
"""Group -> its hosts and vars, as a YAML inventory has them."""

Tasks = Sequence[Mapping[str, Any]]


class Task(NamedTuple):
    """What became of a task on a host; state: ok, failed, ignored, unreachable or skipped."""

    state: str
    host: str
    task: str
    action: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run that has ended: its status, all that it has printed, and its tasks in the order in which they ended."""

    status: int
    output: str
    tasks: list[Task] = field(repr=False)

    def task(self, host: str, action: str) -> Task:
        """The only task of this host with this action that was not skipped."""
        found = [task for task in self.tasks if (task.host, task.action) == (host, action) and task.state != "skipped"]
        assert len(found) == 1, f"{len(found)} tasks of {host} are {action}; it printed:\n{self.output}"
        return found[0]

    def result(self, host: str, action: str) -> dict[str, Any]:
        """The result of that task."""
        return self.task(host, action).result


class Playing:
    """A run; `process` has its output in a pipe."""

    def __init__(self, process: subprocess.Popen[str], folder: tempfile.TemporaryDirectory[str]) -> None:
        self.process = process
        self._folder = folder

    def end(self, timeout: float | None = PATIENCE) -> Run:
        """Wait for its end, at most so many seconds."""
        with self._folder as folder:
            try:
                output = self.process.communicate(timeout=timeout)[0]
            except subprocess.TimeoutExpired:
                self.process.kill()
                output = self.process.communicate()[0]
                raise AssertionError(f"ansible-playbook did not end within {timeout:g} s:\n{output}") from None
            results = Path(folder, "results")
            lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
            return Run(self.process.returncode, output or "", [Task(**json.loads(line)) for line in lines])

    def drop(self) -> None:
        """Forget about one that was killed."""
        self.process.communicate()
        self._folder.cleanup()


def begin(inventory: Inventory, playbook: str | Tasks, *arguments: str, show: bool = False) -> Playing:
    """Start ansible-playbook with a playbook of the collection, one in a file, or tasks for the group "windows".

    show: let it print here, as a program for people does, and not into a pipe.
    """
    folder = tempfile.TemporaryDirectory(prefix="winguest-run-")
    path = Path(folder.name)
    inventory_file = path / "inventory.json"
    inventory_file.touch(mode=0o600)
    inventory_file.write_text(json.dumps(inventory), encoding="utf-8")
    if not isinstance(playbook, str):
        plays = [{"hosts": "windows", "gather_facts": False, "tasks": list(playbook)}]
        tasks_file = path / "tasks.json"
        tasks_file.write_text(json.dumps(plays), encoding="utf-8")
        playbook = str(tasks_file)
    environment = {
        **checkout.ansible_environment(),
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "winguest_results",
        "WINGUEST_RESULTS": str(path / "results"),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "--inventory", str(inventory_file), playbook, *arguments]
    process = subprocess.Popen(
        command,
        cwd=path,  # where a report goes that nobody has asked for
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=None if show else subprocess.PIPE,
        stderr=None if show else subprocess.STDOUT,
        text=True,
        start_new_session=not show,  # whoever sees it may end it with Ctrl-C
    )
    return Playing(process, folder)


def play(
    inventory: Inventory, playbook: str | Tasks, *arguments: str, show: bool = False, timeout: float | None = PATIENCE
) -> Run:
    """Run it to its end."""
    return begin(inventory, playbook, *arguments, show=show).end(timeout)
