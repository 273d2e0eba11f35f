# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs modules as a hypervisor would: by Debian's Python, with python3-libvirt and nothing else installed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible.release
import checkout

HYPERVISOR_PYTHON = os.environ.get("WINGUEST_HYPERVISOR_PYTHON", "/usr/bin/python3")
"""Debian's own. Another one, which must have libvirt's bindings, shows that the module runs on that version, too."""

MODULES = "ansible_collections.winguest.shutdown.plugins.modules"
SHUTDOWN = "domain_shutdown"

FAST: dict[str, Any] = {
    "timeout": 8,
    "accept_timeout": 4,
    "press_interval": 2,
    "stall_timeout": 4,
    "baseline_time": 1,
    "poll_interval": 1,
    "reconnect_timeout": 10,
}
"""Clocks for tests of domain_shutdown: short, but far apart compared with what a busy machine adds."""


@dataclass
class Answer:
    """What the module returned."""

    returned: dict[str, Any]
    exit_status: int

    @property
    def failed(self) -> bool:
        """Whether the task failed."""
        return bool(self.returned.get("failed", False))

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The result of the domain of this name."""
        (found,) = [result for result in self.returned["domains"] if result["name"] == name]
        return dict(found)

    def outcome(self, name: str) -> str:
        """The outcome of the domain of this name."""
        return str(self[name]["outcome"])

    def texts(self, name: str) -> list[str]:
        """The lines of its timeline."""
        return [entry["text"] for entry in self[name]["timeline"]]


class ModuleCall:
    """A module, running, with these options."""

    def __init__(self, module: str, options: Mapping[str, Any], check_mode: bool = False, diff: bool = False) -> None:
        arguments = {"_ansible_check_mode": check_mode, "_ansible_diff": diff, **options}
        self.process = subprocess.Popen(
            [HYPERVISOR_PYTHON, "-m", f"{MODULES}.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        self.process.stdin.close()
        self.process.stdin = None

    def answer(self, timeout: float = 120) -> Answer:
        """Wait for it to end."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"the module did not end within {timeout:g} s: {out}\n{err}") from None
        assert not err, f"the module wrote to stderr: {err}\n{out}"
        return Answer(json.loads(out), self.process.returncode)


class Modules:
    """Many runs of modules, one after the other, by one Python that is started once. Close it."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [HYPERVISOR_PYTHON, str(Path(__file__).with_name("module_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def call(self, module: str, options: Mapping[str, Any], check_mode: bool = False, diff: bool = False) -> Answer:
        """Run one to its end."""
        arguments = {"_ansible_check_mode": check_mode, "_ansible_diff": diff, **options}
        request = {"module": f"{MODULES}.{module}", "arguments": arguments}
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(f"{json.dumps(request)}\n")
        self._server.stdin.flush()
        told = json.loads(self._server.stdout.readline())
        assert not told["err"], f"the module wrote to stderr: {told['err']}\n{told['out']}"
        return Answer(json.loads(told["out"]), told["status"])

    def close(self) -> None:
        """End it."""
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()


class Call(ModuleCall):
    """A module that works with libvirt, running: domain_shutdown, unless another one is named."""

    def __init__(
        self, uri: str, check_mode: bool = False, diff: bool = False, module: str = SHUTDOWN, **options: Any
    ) -> None:
        fast = FAST if module == SHUTDOWN else {}
        super().__init__(module, {"uri": uri, **fast, **options}, check_mode, diff)


def call(uri: str, **options: Any) -> Answer:
    """Run the module to its end."""
    return Call(uri, **options).answer()


def environment() -> dict[str, str]:
    """Python finds the collection, and of Ansible's environment only ansible itself (its modules need no more)."""
    folder = checkout.CACHE / "hypervisor-python" / ansible.release.__version__
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "ansible"
    if not link.exists():
        try:
            link.symlink_to(Path(ansible.__file__).parent, target_is_directory=True)
        except FileExistsError:
            pass
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**clean, "PYTHONPATH": f"{folder}{os.pathsep}{checkout.TREE}", "PYTHONDONTWRITEBYTECODE": "1"}
