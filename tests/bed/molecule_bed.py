# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guests of the molecule scenarios, in a process that goes on while molecule runs one playbook after the other.

    python -m bed.molecule_bed start FOLDER            molecule's create: returns when all guests are up
    python -m bed.molecule_bed reset FOLDER SCENARIO   molecule's cleanup: gives a scenario its guests back as they were
    python -m bed.molecule_bed stop FOLDER             molecule's destroy: returns when nothing is left

FOLDER is where molecule keeps what belongs to a run. What a playbook has to know of the bed is in its bed.json. The
process that WINGUEST_BED_OWNER names is the run: when that ends, in whatever way, the bed does.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import checkout
import libvirt

from bed import image
from bed.guests import AcpiGuest, Bed
from bed.module import call
from bed.windows.blockers import BLOCKERS, OBEDIENT, Changes, merged
from bed.windows.guest import SimulatedWindows
from bed.windows.systems import SERVER_2022

OWNER = "WINGUEST_BED_OWNER"
FACTS, SOCKET, LOG = "bed.json", "bed.socket", "bed.log"
START_TIMEOUT = 240.0

DEAF = BLOCKERS["power_button"].wrong
CURIOUS = BLOCKERS["event_tracker"].wrong
AT_ONCE = {
    "methods": ["acpi"],
    "accept_timeout": 1,
    "timeout": 1,
    "max_timeout": 1,
    "baseline_time": 0,
    "poll_interval": 1,
}
"""Clocks for a guest that will not obey however long it is waited for."""


class BedError(RuntimeError):
    """The bed of the scenarios cannot be had; the text says why and what to do."""


class MoleculeBed:
    """The guests; use it as a context manager. `facts` is what the playbooks have to know."""

    def __init__(self, only: Sequence[str] = ()) -> None:
        """`only`: the scenarios whose guests are wanted; all, if none is named."""
        self._only = only
        self.scenarios: dict[str, Callable[[], None]] = {
            "domain_readiness": self._domain_readiness,
            "domain_shutdown": self._domain_shutdown,
            "guest_readiness": self._guest_readiness,
            "image_readiness": self._image_readiness,
            "shutdown_report": self._shutdown_report,
            "shutdown_verify": self._shutdown_verify,
        }
        """What puts the guests of each into the state in which it begins."""
        self._resources = ExitStack()
        self._windows: dict[str, SimulatedWindows] = {}

    def __enter__(self) -> MoleculeBed:
        try:
            self._bed = self._resources.enter_context(Bed())
            self._folder.mkdir()
            for name in self._only or self.scenarios:
                self.scenarios[name]()
        except BaseException:
            self._resources.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    @property
    def facts(self) -> dict[str, Any]:
        """Where everything is."""
        return {
            "uri": self._bed.daemon.uri,
            "folder": str(self._folder),
            "image": str(self._image),
            "windows": {
                name: {**windows.variables, "ansible_password": windows.password}
                for name, windows in self._windows.items()
            },
        }

    @property
    def _folder(self) -> Path:
        """Where the roles write: backups, evidence and reports."""
        return self._bed.directory / "written"

    @property
    def _image(self) -> Path:
        return self._bed.directory / "image"

    def _domain_readiness(self) -> None:
        """A running domain that would start again instead of going off, and that can fall asleep."""
        self._start_anew(AcpiGuest("restarts", on_poweroff="restart"))
        self._forget("backup")

    def _domain_shutdown(self) -> None:
        """One that obeys, one that has to be forced, and one that nobody may touch."""
        for name, behaviour in (("obeys", "press=obey"), ("hangs", "press=hang"), ("bystander", "press=obey")):
            self._start_anew(AcpiGuest(name, behaviour))
        self._forget("evidence")

    def _guest_readiness(self) -> None:
        """A guest that asks for a reason, and whose power button means nothing."""
        wrong = merged(CURIOUS, DEAF)
        if "asks-why" in self._windows:
            self._windows["asks-why"].change(wrong)
        else:
            self._simulated("asks-why", wrong).start()

    def _image_readiness(self) -> None:
        """The hives of a system that asks for a reason, as they lie on a mounted disk."""
        shutil.rmtree(self._image, ignore_errors=True)
        image.make(self._image, SERVER_2022, CURIOUS)

    def _shutdown_report(self) -> None:
        """A domain that is off, and one that has no ACPI and no agent to be asked by."""
        self._bed.define(AcpiGuest("off"))
        self._start_anew(AcpiGuest("no-way-in", acpi=False, sleep_states=False))
        self._forget("report")

    def _shutdown_verify(self) -> None:
        """A guest that did not obey, had its plug pulled and was started again; libvirt still has the request."""
        windows = self._windows.get("cut-off") or self._simulated("cut-off", DEAF)
        domain = self._domain("cut-off")
        if domain is None or not domain.isActive():
            domain = windows.start()
        evidence = str(self._folder / "evidence")
        outcome = call(self._bed.daemon.uri, domains=["cut-off"], evidence_dir=evidence, **AT_ONCE).outcome("cut-off")
        if outcome != "left_running":
            raise BedError(f'The guest "cut-off" was to be left running by a request, and is {outcome}.')
        domain.destroy()
        windows.start()

    def _simulated(self, name: str, wrong: Changes) -> SimulatedWindows:
        windows = SimulatedWindows(self._bed, name, registry=merged(OBEDIENT, wrong))
        self._windows[name] = self._resources.enter_context(windows)
        return windows

    def _start_anew(self, guest: AcpiGuest) -> None:
        domain = self._domain(guest.name)
        if domain is not None and domain.isActive():
            domain.destroy()
        domain = self._bed.define(guest)
        said = len(self._bed.com1(guest.name))
        domain.create()
        self._bed.wait_for(guest.name, "ready" if guest.acpi else "booting", timeout=60, since=said)

    def _domain(self, name: str) -> libvirt.virDomain | None:
        return next((one for one in self._bed.connection.listAllDomains() if one.name() == name), None)

    def _forget(self, name: str) -> None:
        shutil.rmtree(self._folder / name, ignore_errors=True)


def serve(folder: Path, owner: int, only: Sequence[str]) -> None:
    """Be the bed, until told to stop or the owner has ended."""
    signal.signal(signal.SIGTERM, lambda *dummy: sys.exit(1))
    path = folder / SOCKET
    # Open before the guests are started, lest the number be another process's by then.
    run = os.pidfd_open(owner)
    with ExitStack() as until_the_end, socket.socket(socket.AF_UNIX) as listener, MoleculeBed(only) as bed:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen()
        write_facts(folder, bed.facts)
        try:
            while True:
                if run in select.select([run, listener.fileno()], [], [])[0]:
                    return
                client = listener.accept()[0]
                words = client.makefile().readline().split()
                if words == ["stop"]:
                    until_the_end.enter_context(client)  # by whose end whoever has asked knows that nothing is left
                    return
                with client:
                    client.sendall(f"{answer(bed, words)}\n".encode())
        finally:
            for name in FACTS, SOCKET:
                (folder / name).unlink(missing_ok=True)


def answer(bed: MoleculeBed, words: list[str]) -> str:
    """Do what a client asks for; empty, or what went wrong."""
    begin = bed.scenarios.get(words[1]) if len(words) == 2 and words[0] == "reset" else None
    if begin is None:
        return f"There is nothing to do for {words}; there are the scenarios {', '.join(bed.scenarios)}."
    try:
        begin()
    except Exception as error:
        traceback.print_exc()
        return f"{words[1]}: {error}".replace("\n", " ")
    return ""


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write them so that nobody reads the half of them, nor anybody else the passwords."""
    new = folder / f"{FACTS}.new"
    new.touch(mode=0o600)
    new.write_text(json.dumps(facts), encoding="utf-8")
    new.rename(folder / FACTS)


def read_facts(folder: Path) -> dict[str, Any]:
    """What was written."""
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return facts


def start(folder: Path, only: Sequence[str] = ()) -> None:
    """Start the bed in a process of its own, and wait until all its guests are up, or those of the named scenarios."""
    owner = os.environ.get(OWNER, "")
    if not owner.isdigit():
        raise BedError(f"{OWNER} does not name the process with which the bed is to end: use tests/run molecule.")
    if (folder / FACTS).exists():
        raise BedError(f"There is a bed in {folder} already: stop it first.")
    with (folder / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bed.molecule_bed", "serve", str(folder), *only, "--owner", owner],
            cwd="/",
            env={**os.environ, "PYTHONPATH": f"{checkout.ROOT / 'tests'}{os.pathsep}{checkout.make_tree()}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT
    while not (folder / FACTS).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            said = (folder / LOG).read_text(encoding="utf-8")
            raise BedError(f"The bed did not start within {START_TIMEOUT:g} s. It said:\n{said}")
        time.sleep(0.1)


def ask(folder: Path, *words: str) -> None:
    """Have the bed do something, and wait until it has been done, or until the bed has ended."""
    with socket.socket(socket.AF_UNIX) as bed:
        bed.connect(str(folder / SOCKET))
        bed.sendall(f"{' '.join(words)}\n".encode())
        if trouble := bed.makefile().read().strip():
            raise BedError(trouble)


def stop(folder: Path) -> None:
    """End the bed; that there is none is no error."""
    with suppress(FileNotFoundError, ConnectionRefusedError):
        ask(folder, "stop")


def main() -> int:
    """What the module's text says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("start", "reset", "stop", "serve"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("scenarios", nargs="*")
    parser.add_argument("--owner", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    checkout.use_this_collection()
    try:
        if options.what == "start":
            start(options.folder, options.scenarios)
        elif options.what == "reset":
            ask(options.folder, "reset", *options.scenarios)
        elif options.what == "stop":
            stop(options.folder)
        else:
            serve(options.folder, options.owner, options.scenarios)
    except (BedError, OSError) as error:
        print(f"molecule's bed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
