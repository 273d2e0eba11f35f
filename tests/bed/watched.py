# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""domain_shutdown as ansible-playbook runs it, for tests that look at it while it runs or end its controller."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bed import ansible_run
from bed.guests import Bed
from bed.module import FAST, HYPERVISOR_PYTHON, Answer

ACTION = "winguest.shutdown.domain_shutdown"
RUNTIME = Path("/run/winguest")
NOTHING: Mapping[str, Any] = MappingProxyType({})

STAND_IN = """#!/bin/sh
# In place of ssh, over which a command comes to this machine; while the network is cut there is a file.
[ "$*" != "-o ControlPersist" ] || exit 0
[ ! -e {cut} ] || {{ echo "the network is cut" >&2; exit 255; }}
for command; do :; done
exec /bin/sh -c "$command"
"""


def over_ssh(folder: Path) -> tuple[dict[str, Any], Path]:
    """Variables of a host over Ansible's ssh connection, with another program for ssh; the file that cuts it off."""
    program, cut = folder / "ssh", folder / "cut"
    program.write_text(STAND_IN.format(cut=cut))
    program.chmod(0o700)
    variables = {
        "ansible_connection": "ssh",
        "ansible_host": "hypervisor.invalid",
        "ansible_ssh_executable": str(program),
        "ansible_ssh_transfer_method": "piped",
    }
    return variables, cut


def begin(
    bed: Bed,
    *domains: Any,
    arguments: tuple[str, ...] = (),
    variables: Mapping[str, Any] = NOTHING,
    keywords: Mapping[str, Any] = NOTHING,
    **options: Any,
) -> ansible_run.Playing:
    """Start a playbook with this one task for the bed's hypervisor, which is called "hv1"."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON, **variables}
    evidence = str(bed.directory / "evidence")
    given = {"uri": bed.daemon.uri, "domains": list(domains), "evidence_dir": evidence, **FAST, **options}
    return ansible_run.begin({"windows": {"hosts": {"hv1": host}}}, [{ACTION: given, **keywords}], *arguments)


def play(bed: Bed, *domains: Any, **more: Any) -> ansible_run.Run:
    """Run it to its end."""
    return begin(bed, *domains, **more).end(timeout=120)


def processes_of(playing: ansible_run.Playing) -> list[int]:
    """The controller's processes. Ansible gives each of its workers a session of its own."""
    found = [playing.process.pid]
    for process in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split())
    return found


def signal_controller(playing: ansible_run.Playing, number: signal.Signals) -> None:
    """Send it to all its processes, as if the machine failed or hung."""
    for process in processes_of(playing):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def end_controller(playing: ansible_run.Playing, worker_too: bool = True) -> None:
    """Kill the controller with all its processes, as a machine that fails would, or only its main process."""
    if worker_too:
        signal_controller(playing, signal.SIGKILL)
    else:
        playing.process.kill()
    playing.drop()


def clear(uuid: str) -> list[Answer]:
    """What runs with this domain have left that have ended and nobody has waited for; it is taken away."""
    found = []
    for ended in RUNTIME.glob("run-*/ended"):
        with contextlib.suppress(FileNotFoundError):  # another test's, which has just been fetched
            output = (ended.parent / "output").read_text(encoding="utf-8")
            if uuid in output:
                shutil.rmtree(ended.parent)
                found.append(Answer(json.loads(output), 0))
    return found


def left_behind(uuid: str, timeout: float = 60) -> Answer:
    """Wait for the end of a run with this domain that nobody waits for; what it has left, which is taken away."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for answer in clear(uuid):
            return answer
        time.sleep(0.1)
    raise TimeoutError(f"no run with the domain {uuid} has ended within {timeout:g} s")


def kill(process: int) -> None:
    """Kill the process of a run."""
    os.kill(process, signal.SIGKILL)


def forget(name: str) -> None:
    """Take the folder away through which the run is watched that shuts this domain down."""
    for progress in RUNTIME.glob("run-*/progress"):
        if f'"{name}"' in progress.read_text(encoding="utf-8"):
            shutil.rmtree(progress.parent)
