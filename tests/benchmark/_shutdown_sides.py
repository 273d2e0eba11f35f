# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who shuts the guests of shutdown_many down, and how.

Ours and the bare client are processes of their own, and so is libvirt-guests: nothing of Ansible is in their times. The
playbooks are run by the tests' ansible-playbook over a local connection, ours as well as the peer's.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import checkout
from ansible_collections.winguest.shutdown.plugins.modules.domain_shutdown import OPTIONS
from bed import libvirt_guests
from bed.module import FAST, HYPERVISOR_PYTHON, Call
from benchmark import _peer
from benchmark._measured import void
from benchmark._shutdown_guests import Guests

BARE_CLIENT = Path(__file__).with_name("_bare_client.py")
DEFAULTS = {name: OPTIONS[name].get("default") for name in FAST}
NO_BASELINE = {"baseline_time": 0}
AT_ONCE_BY_USERS = 10
"""What of PARALLEL_SHUTDOWN is found in its users' files: 5 to 40, and 10 more often than others."""

LIMIT = 1800.0

Tasks = Sequence[Mapping[str, Any]]


class Marks(NamedTuple):
    """When a process of ours or the bare client got how far, as the time of day."""

    connected: float
    looked: float
    pressed: float
    off: float
    answered: float


class Taken(NamedTuple):
    """When a side began and when it was done, as the time of day; marks where it tells them."""

    began: float
    ended: float
    marks: Marks | None = None


@dataclass(frozen=True)
class Side:
    """One way to shut guests down.

    `like`: the side of ours that it is to be compared with, empty for our own; `slow`: it takes minutes for many.
    """

    label: str
    run: Callable[[Guests], Taken]
    like: str = ""
    slow: bool = False


# ---- processes of their own


def bare_client(guests: Guests) -> Taken:
    """The limit."""
    began = time.time()
    process = subprocess.Popen(
        [HYPERVISOR_PYTHON, "-I", str(BARE_CLIENT), guests.bed.daemon.uri, *guests.names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    answered, ended, reached = finish(process)
    return Taken(began, ended, Marks(answered=answered, **reached))


def module(options: Mapping[str, Any]) -> Callable[[Guests], Taken]:
    """Our module, as a hypervisor runs it."""

    def run(guests: Guests) -> Taken:
        uri = guests.bed.daemon.uri
        began = time.time()
        answered, ended, returned = finish(Call(uri, domains=guests.names, **{**DEFAULTS, **options}).process)
        for result in returned["domains"]:
            if result["outcome"] != "graceful":
                void(f"{result['name']} ended as {result['outcome']}: {result['reason']}")
        entries = [entry for result in returned["domains"] for entry in result["timeline"]]
        clock_start = datetime.fromisoformat(entries[0]["time"]).timestamp() - entries[0]["seconds"]
        at = {
            kind: [clock_start + entry["seconds"] for entry in entries if entry["kind"] == kind]
            for kind in ("found", "asked", "ended")
        }
        marks = Marks(
            connected=clock_start,
            looked=max(at["found"]),
            pressed=min(at["asked"]),
            off=max(at["ended"]),
            answered=answered,
        )
        return Taken(began, ended, marks)

    return run


def finish(process: subprocess.Popen[str]) -> tuple[float, float, dict[str, Any]]:
    """When the process answered, when it ended, and its answer."""
    assert process.stdout
    try:
        select.select([process.stdout], [], [], LIMIT)
        answered = time.time()
        out, err = process.communicate(timeout=LIMIT)
        ended = time.time()
    finally:
        process.kill()
    if process.returncode or err:
        void(f"{process.args!r} ended with status {process.returncode}:\n{out}{err}")
    return answered, ended, json.loads(out)


def script(parallel: int | None) -> Callable[[Guests], Taken]:
    """libvirt's own script with the packaged settings but PARALLEL_SHUTDOWN; None: as many as there are guests."""

    def run(guests: Guests) -> Taken:
        daemon = guests.bed.daemon
        with tempfile.TemporaryDirectory(prefix="winguest-benchmark-") as defaults:
            settings = f"URIS='{daemon.uri}'\nPARALLEL_SHUTDOWN={parallel or len(guests.names)}\n"
            Path(defaults, libvirt_guests.SETTINGS).write_text(settings, encoding="utf-8")
            began = time.time()
            said = libvirt_guests.stop(daemon, guests.names[0], Path(defaults), timeout=LIMIT)
            ended = time.time()
        if said.count("complete.") != len(guests.names):
            void(f"libvirt-guests did not shut all guests down:\n{said}")
        return Taken(began, ended)

    return run


# ---- playbooks


def play(guests: Guests, plays: Sequence[Mapping[str, Any]], names: Sequence[str], fast: bool) -> Taken:
    """Run ansible-playbook for these hosts; `fast`: with pipelining, and eight forks for each processor."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": HYPERVISOR_PYTHON,
        "ansible_pipelining": fast,
        "uri": guests.bed.daemon.uri,
        "guests": guests.names,
    }
    inventory = {"all": {"hosts": {name: {} for name in names}, "vars": variables}}
    forks = 8 * len(os.sched_getaffinity(0)) if fast else 5
    environment = checkout.ansible_environment()
    environment["ANSIBLE_COLLECTIONS_PATH"] += f"{os.pathsep}{_peer.COLLECTIONS}"
    with tempfile.TemporaryDirectory(prefix="winguest-benchmark-") as folder:
        hosts, playbook = Path(folder, "hosts.json"), Path(folder, "playbook.json")
        hosts.write_text(json.dumps(inventory), encoding="utf-8")
        playbook.write_text(json.dumps([{"gather_facts": False, **one} for one in plays]), encoding="utf-8")
        command = [sys.executable, "-m", "ansible", "playbook", "--inventory", str(hosts), "--forks", str(forks)]
        began = time.time()
        ended = subprocess.run(
            [*command, str(playbook)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        taken = Taken(began, time.time())
    if ended.returncode:
        void(f"ansible-playbook ended with status {ended.returncode}:\n{ended.stdout[-3000:]}")
    return taken


def our_playbook(options: Mapping[str, Any], fast: bool) -> Callable[[Guests], Taken]:
    """One task."""
    task = {"winguest.shutdown.domain_shutdown": {"uri": "{{ uri }}", "domains": "{{ guests }}", **options}}
    return lambda guests: play(guests, [{"hosts": "hypervisor", "tasks": [task]}], ["hypervisor"], fast)


def virt(**parameters: str) -> dict[str, Any]:
    """A task's call of the peer's module."""
    return {f"{_peer.LIBVIRT}.virt": {"uri": "{{ uri }}", **parameters}}


IN_LOOPS: Tasks = [
    {**virt(name="{{ item }}", command="shutdown"), "loop": "{{ guests }}"},
    {
        **virt(name="{{ item }}", command="status"),
        "loop": "{{ guests }}",
        "register": "found",
        "until": "found.status == 'shutdown'",
        "retries": 30,
        "delay": 10,
    },
]
"""As its users write it: a loop that asks, and one that looks at each guest until it is off."""

PRESS: Tasks = [virt(name="{{ inventory_hostname }}", command="shutdown")]
LOOK: Tasks = [
    {
        **virt(command="list_vms", state="running"),
        "register": "found",
        "until": "not found.list_vms",
        "retries": 10000,
        "delay": 0,
        "run_once": True,
    }
]


def virt_in_loops(guests: Guests) -> Taken:
    """The peer as its users write it."""
    return play(guests, [{"hosts": "hypervisor", "tasks": IN_LOOPS}], ["hypervisor"], fast=False)


def virt_at_once(guests: Guests) -> Taken:
    """The fastest form of the peer that we have found, among loops, loops with async, and hosts with fewer forks.

    Each guest is a host, so that several are asked at a time; who still runs is looked at for all together, by one call
    after the other without a pause.
    """
    plays = [{"hosts": "all", "strategy": "free", "tasks": PRESS}, {"hosts": "all", "tasks": LOOK}]
    return play(guests, plays, guests.names, fast=True)


BARE, MODULE, PLAYBOOK, FAST_PLAYBOOK = "bare", "module", "playbook", "playbook_fast"
SIDES = {
    BARE: Side("bare libvirt client", bare_client),
    MODULE: Side("domain_shutdown", module({})),
    "module_fast": Side("domain_shutdown, baseline_time=0", module(NO_BASELINE)),
    "script": Side(
        f"libvirt-guests, PARALLEL_SHUTDOWN={AT_ONCE_BY_USERS}", script(AT_ONCE_BY_USERS), like=MODULE, slow=True
    ),
    "script_fast": Side("libvirt-guests, all in parallel", script(None), like=MODULE),
    PLAYBOOK: Side("playbook: domain_shutdown", our_playbook({}, fast=False)),
    FAST_PLAYBOOK: Side("playbook: domain_shutdown, baseline_time=0, pipelining", our_playbook(NO_BASELINE, fast=True)),
    "virt": Side("playbook: virt in loops with until", virt_in_loops, like=PLAYBOOK, slow=True),
    "virt_fast": Side("playbook: virt, fastest form", virt_at_once, like=FAST_PLAYBOOK, slow=True),
}
"""By their names in the JSON; the first is the limit."""
