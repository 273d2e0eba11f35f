# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long domain_shutdown takes for many real guests at once, next to the guests themselves and to a bare client.

The same guests are shut down by turns by a bare libvirt client (_bare_client.py), by the module as it is, and by the
module with baseline_time=0; what Ansible does to bring a module to a hypervisor is left out. Nothing in the module is
instrumented: its times are those of its process, seen from outside, and those of the timelines it returns. What a guest
itself took is seen by a third party: from the press it received, as its own log and the time of that file tell, to its
end, as told to another libvirt connection. Everything goes by the time of day, as timelines and files do.
"""

from __future__ import annotations

import json
import queue
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import ansible.release
import libvirt
from ansible_collections.winguest.shutdown.plugins.modules.domain_shutdown import OPTIONS
from bed.guests import AcpiGuest, Bed, file_of
from bed.module import FAST, HYPERVISOR_PYTHON, Call
from benchmark._measured import Machine, describe, medians, new_parser, positive, said_version, void

BARE_CLIENT = Path(__file__).with_name("_bare_client.py")
DEFAULTS = {name: OPTIONS[name].get("default") for name in FAST}
SIDES: dict[str, dict[str, Any] | None] = {
    "bare client": None,
    "module": DEFAULTS,
    "baseline_time=0": {**DEFAULTS, "baseline_time": 0},
}
"""Who shuts the guests down: the bare client, or the module with these options."""

BARE = next(iter(SIDES))
LIMIT = 600.0
STARTING_AT_ONCE = 2
QUIET = 2.0
"""Seconds between the last guest's start and the next run."""


@dataclass(frozen=True)
class Marks:
    """When a run got how far, as the time of day."""

    began: float
    imported: float
    connected: float
    looked: float
    pressed: float
    off: float
    answered: float
    ended: float


@dataclass(frozen=True)
class Seconds:
    """What one run took."""

    whole: float
    whole_without_baseline: float
    first_press_to_result: float
    slowest_guest: float
    connected: float
    start: float
    look: float
    baseline: float
    guests: float
    last_press: float
    records: float
    exit: float


HEADLINES = {
    "whole": "whole: process start to result",
    "whole_without_baseline": "whole, less the baseline",
    "first_press_to_result": "first press to result",
    "slowest_guest": "slowest guest, press to end",
}
PARTS = {
    "connected": "until connected to libvirt",
    "start": "  of it process start, imports",
    "look": "looking at the domains",
    "baseline": "first sample and baseline",
    "guests": "first press to last end",
    "last_press": "  of it until all are pressed",
    "records": "last records, printing",
    "exit": "exit",
}


class Listener:
    """Hears on a libvirt connection when guests end."""

    def __init__(self, connection: libvirt.virConnect) -> None:
        self._ends: queue.SimpleQueue[tuple[str, float, int]] = queue.SimpleQueue()
        connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._hear, None)

    def _hear(
        self, connection: libvirt.virConnect, domain: libvirt.virDomain, event: int, detail: int, *_rest: Any
    ) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            self._ends.put((domain.name(), time.time(), detail))

    def ends(self, names: Sequence[str]) -> dict[str, float]:
        """When each of these guests ended. Whatever did not power off by itself makes the benchmark void."""
        ends: dict[str, float] = {}
        while len(ends) < len(names):
            try:
                name, at, detail = self._ends.get(timeout=10)
            except queue.Empty:
                void(f"no event told the end of {', '.join(sorted(set(names) - set(ends)))}")
            if detail != libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
                void(f"{name} did not power off: it stopped with detail {detail}")
            ends[name] = at
        return ends


class Benchmark:
    """Guests that are shut down again and again."""

    def __init__(self, bed: Bed, listener: Listener, guests: int) -> None:
        self.bed = bed
        self.uri = bed.daemon.uri
        self.names = [f"guest-{number:03}" for number in range(1, guests + 1)]
        self.domains = [bed.define(AcpiGuest(name)) for name in self.names]
        self.listener = listener

    def run(self, side: str) -> Seconds:
        """Start the guests, and let one of the sides shut them down."""
        said = self._start()
        options = SIDES[side]
        marks = self._bare_client() if options is None else self._module(options)
        ends = self.listener.ends(self.names)
        presses = {name: self._pressed(name, since) for name, since in said.items()}
        return Seconds(
            whole=marks.ended - marks.began,
            whole_without_baseline=marks.ended - marks.began - (marks.pressed - marks.looked),
            first_press_to_result=marks.ended - marks.pressed,
            slowest_guest=max(ends[name] - presses[name] for name in self.names),
            connected=marks.connected - marks.began,
            start=marks.imported - marks.began,
            look=marks.looked - marks.connected,
            baseline=marks.pressed - marks.looked,
            guests=marks.off - marks.pressed,
            last_press=max(presses.values()) - marks.pressed,
            records=marks.answered - marks.off,
            exit=marks.ended - marks.answered,
        )

    def _start(self) -> dict[str, int]:
        """Start the guests; returns how much each had said before."""
        said = {name: len(self.bed.com1(name)) for name in self.names}
        with ThreadPoolExecutor(STARTING_AT_ONCE) as pool:
            list(pool.map(libvirt.virDomain.create, self.domains))
        for name, since in said.items():
            self.bed.wait_for(name, "ready", timeout=60, since=since)
        time.sleep(QUIET)
        return said

    def _bare_client(self) -> Marks:
        began = time.time()
        process = subprocess.Popen(
            [HYPERVISOR_PYTHON, "-I", str(BARE_CLIENT), self.uri, *self.names],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        answered, ended, reached = finish(process)
        return Marks(began=began, answered=answered, ended=ended, **reached)

    def _module(self, options: Mapping[str, Any]) -> Marks:
        began = time.time()
        answered, ended, returned = finish(Call(self.uri, domains=self.names, **options).process)
        for result in returned["domains"]:
            if result["outcome"] != "graceful":
                void(f"{result['name']} ended as {result['outcome']}: {result['reason']}")
        entries = [entry for result in returned["domains"] for entry in result["timeline"]]
        clock_start = datetime.fromisoformat(entries[0]["time"]).timestamp() - entries[0]["seconds"]
        at = {
            kind: [clock_start + entry["seconds"] for entry in entries if entry["kind"] == kind]
            for kind in ("found", "asked", "ended")
        }
        return Marks(
            began=began,
            imported=began + self._start_of_the_module(),
            connected=clock_start,
            looked=max(at["found"]),
            pressed=min(at["asked"]),
            off=max(at["ended"]),
            answered=answered,
            ended=ended,
        )

    def _start_of_the_module(self) -> float:
        """How long start and imports take: a call that is refused before it connects takes nothing else."""
        began = time.time()
        return finish(Call(self.uri, domains=[]).process, status=1)[0] - began

    def _pressed(self, name: str, since: int) -> float:
        """When the guest received the press: its last word has the file's time, and its own clock leads back."""
        said = re.findall(r"^(\d+) (press 1|power off)$", self.bed.com1(name)[since:], re.MULTILINE)
        at = {words: int(milliseconds) / 1000 for milliseconds, words in said}
        last_word = file_of(name, "com1", self.bed.directory).stat().st_mtime
        return last_word - (at["power off"] - at["press 1"])


def finish(process: subprocess.Popen[str], status: int = 0) -> tuple[float, float, dict[str, Any]]:
    """When the process answered, when it ended, and its answer."""
    assert process.stdout
    try:
        select.select([process.stdout], [], [], LIMIT)
        answered = time.time()
        out, err = process.communicate(timeout=LIMIT)
        ended = time.time()
    finally:
        process.kill()
    if process.returncode != status or err:
        void(f"{process.args!r} ended with status {process.returncode}:\n{out}{err}")
    return answered, ended, json.loads(out)


def start_event_loop() -> None:
    """libvirt's event loop, which must be there before the first connection that wants events."""

    def loop() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=loop, name="libvirt events", daemon=True).start()


def measure(guests: int, runs: int) -> tuple[Machine, dict[str, list[Seconds]]]:
    """The machine, and all runs of each side: forwards and backwards by turns, so that none is always first."""
    results: dict[str, list[Seconds]] = {side: [] for side in SIDES}
    start_event_loop()
    with Bed() as bed, closing(bed.connection), closing(libvirt.open(bed.daemon.uri)) as ear:
        machine = describe(versions(bed.connection))
        benchmark = Benchmark(bed, Listener(ear), guests)
        for run in range(runs):
            for side in list(SIDES)[:: -1 if run % 2 else 1]:
                seconds = benchmark.run(side)
                results[side].append(seconds)
                print(f"run {run + 1} of {runs}: {side:<16} {seconds.whole:6.2f} s", flush=True)
    return machine, results


def versions(connection: libvirt.virConnect) -> dict[str, str]:
    """Those of what takes part."""
    return {
        "QEMU": f"{version(connection.getVersion())} (TCG)",
        "libvirt": version(connection.getLibVersion()),
        "Python": said_version(HYPERVISOR_PYTHON),
        "ansible-core": ansible.release.__version__,
    }


def version(number: int) -> str:
    """libvirt's way to write a version into a number, undone."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def tables(machine: Machine, guests: int, results: Mapping[str, Sequence[Seconds]]) -> str:
    """What a reader wants to know."""
    middle = medians(results)
    runs = len(results[BARE])
    lines = [
        *machine.told,
        "",
        f"{guests} guests in one call: seconds, median of {runs} (lowest to highest), and times the bare client's",
        "",
        f"{'':30}" + "".join(f"{side:^31}" for side in SIDES),
    ]
    for name, label in HEADLINES.items():
        line = f"{label:<30}"
        for side in SIDES:
            values = [getattr(seconds, name) for seconds in results[side]]
            ratio = middle[side][name] / middle[BARE][name]
            line += f"{middle[side][name]:8.2f} ({min(values):.2f} to {max(values):.2f})".ljust(24) + f"x{ratio:<6.2f}"
        lines.append(line)
    lines += ["", "The parts of the whole (medians, so their sum is not exactly the whole's median)", ""]
    for name, label in PARTS.items():
        lines.append(f"{label:<30}" + "".join(f"{middle[side][name]:8.2f}{'':23}" for side in SIDES))
    return "\n".join(line.rstrip() for line in lines)


def document(machine: Machine, guests: int, results: Mapping[str, Sequence[Seconds]]) -> dict[str, Any]:
    """The same for programs, with all runs."""
    middle = medians(results)
    ratios = {side: {name: values[name] / middle[BARE][name] for name in HEADLINES} for side, values in middle.items()}
    every = {side: [asdict(seconds) for seconds in runs] for side, runs in results.items()}
    return {"machine": asdict(machine), "guests": guests, "runs": every, "medians": middle, "ratios": ratios}


def main() -> int:
    """Measure, and print what was measured."""
    parser = new_parser("shutdown_many", __doc__, runs=5)
    parser.add_argument("--guests", type=positive, default=60, help="how many (%(default)s)")
    arguments = parser.parse_args()
    machine, results = measure(arguments.guests, arguments.runs)
    print(f"\n{tables(machine, arguments.guests, results)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(document(machine, arguments.guests, results), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
