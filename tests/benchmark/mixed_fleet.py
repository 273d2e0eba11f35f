# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet of fast, double-press, updating and hanging guests, shut down by fixed clocks and by domain_shutdown.

A fixed clock is what the peers have: press the power button once, wait for so long, then cut the power. Cloud hosts do
that by themselves; with libvirt-guests.sh and a timeout it is the host's own end that cuts it, and with
community.libvirt.virt a task with `until` and one with `state: destroyed`. The model of them here (_fixed_clock.py) is
kinder than any: it presses all at once, has one clock for all of them, hears of each end at once, and has no Ansible
and no shell around it. It presses once, as most do; a few (Nova, KubeVirt, Ganeti) press again, which brings the
double-press guests down, and tears as much. 30 s are KubeVirt's, 60 s Nova's, 120 s CloudStack's and Ganeti's, 300 s
those of libvirt-guests, Azure and Tencent Cloud's SOFT_FIRST, and 1200 s XAPI's: the defaults in their sources or
documentation. The 3600 s of KubeVirt's templates for Windows are left out, since they only take longer.

domain_shutdown has on_timeout=force, and its defaults otherwise. All times are divided by the same scale: the clocks of
both, what the guests take to power off, and the lengths of their updates. Where the module takes no less than a second,
its time is longer than that, at its own cost; so is stall_timeout, lest a busy machine be mistaken for a hung guest,
from which no guest here gains anything, since updates write all the time. What one writes in a second is not scaled.

How long updates keep a Windows from powering off: nobody gives a distribution. 10 to 20 minutes are reported for one
(lf-edge/eve issue 498), KubeVirt's templates for Windows plan an hour, TrustedInstaller has 60 minutes (KB2827854), and
servicing gives up after 15 minutes without progress, but not while there is any (KB3064434). The longest here is the
10 minutes at the lower end of that, and the others lie between the clocks. An update that pauses beyond timeout, and
writes nothing for longer than stall_timeout, is not in the fleet: domain_shutdown would take that one for a hung guest.

Torn is what the guest itself has left: a disk that says that it is being serviced, and no word of the guest that it has
written everything. Waited for in vain is a guest that was powered off by force and not torn; wasted are the seconds
from the press that it received, as its own log tells, to its end. Ends are heard on another libvirt connection.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import libvirt
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from bed.acpi_guest import DiskState, disk_state
from bed.guests import AcpiGuest, Bed
from bed.module import HYPERVISOR_PYTHON, SHUTDOWN, ModuleCall
from benchmark._chart import chart, picture_option
from benchmark._measured import Machine, describe, medians, new_parser, positive, void
from benchmark._shutdown_guests import Guests, Listener, Stop, start_event_loop, versions

FIXED_CLOCK = Path(__file__).with_name("_fixed_clock.py")
CLOCKS = (30, 60, 120, 300, 1200)
OURS = "domain_shutdown"
SCALE = 30

FAST = (4, 8, 12, 15)
DOUBLE_PRESS = (5, 10, 15)
UPDATES = (15, 45, 90, 180, 420, 600)
HANGING = 2
"""The fleet: seconds of Windows for which these guests shut down, or write; and how many hang."""

RATE = 800
"""Sectors of 512 bytes that an updating guest writes in a second."""

CLOCKS_OF_OURS = {
    **dict.fromkeys(("timeout", "accept_timeout", "max_timeout"), 0.0),
    **dict.fromkeys(("press_interval", "baseline_time", "poll_interval"), 1.0),
    "stall_timeout": 5.0,
}
"""The options that are scaled, and what they are at least."""

BY_FORCE = {libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN: False, libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED: True}
"""By the detail of a guest's end."""

LIMIT = 900.0


@dataclass(frozen=True)
class Run:
    """What became of the fleet; times in seconds."""

    torn: int
    in_vain: int
    down: float
    wasted: float
    slowest: float
    """Of a guest that powered off by itself, from the press to its end."""


COLUMNS = {
    "torn": ("torn while writing", 0),
    "in_vain": ("waited for in vain", 0),
    "down": ("seconds until all were off", 1),
    "wasted": ("seconds wasted", 1),
}
"""By the name of a number, its heading and its digits."""


class End(NamedTuple):
    """How a guest ended, and when, as the time of day."""

    at: float
    by_force: bool


class Guest(NamedTuple):
    """What became of one guest."""

    pressed: float
    end: End
    torn: bool


class Benchmark:
    """The fleet, which is shut down again and again."""

    def __init__(self, bed: Bed, listener: Listener, scale: int) -> None:
        self.bed, self.scale = bed, scale
        self.guests = Guests(bed, listener, fleet(scale))

    def run(self, clock: int | None) -> Run:
        """Start the guests, and let them be shut down by this clock, or by ours."""
        self.guests.start()
        began = time.time()
        if clock is None:
            self._ours()
        else:
            self._fixed(clock / self.scale)
        return tell(began, [self._became(name, stop) for name, stop in self.guests.ends(BY_FORCE).items()])

    def _fixed(self, seconds: float) -> None:
        words = [HYPERVISOR_PYTHON, "-I", str(FIXED_CLOCK), self.bed.daemon.uri, f"{seconds:g}", *self.guests.names]
        ended = subprocess.run(
            words, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT
        )
        if ended.returncode:
            void(f"{words} ended with status {ended.returncode}:\n{ended.stdout}{ended.stderr}")

    def _ours(self) -> None:
        given = {"uri": self.bed.daemon.uri, "domains": self.guests.names, **options(self.scale)}
        answer = ModuleCall(SHUTDOWN, {**given, "evidence_dir": str(self.bed.directory / "evidence")}).answer(LIMIT)
        if answer.failed:
            void(f"domain_shutdown failed: {answer.returned}")

    def _became(self, name: str, stop: Stop) -> Guest:
        """What the guest's own log and disk say."""
        torn = disk_state(self.bed.disk(name)) is DiskState.SERVICING and "written" not in self.guests.said(name)
        return Guest(self.guests.pressed(name), End(stop.at, BY_FORCE[stop.detail]), torn)


def fleet(scale: int) -> list[AcpiGuest]:
    """The guests, whose times are those of Windows divided by this."""

    def behaviour(words: str, **seconds: float) -> str:
        return " ".join([words, *(f"{name}={1000 * value / scale:.0f}" for name, value in seconds.items())])

    return [
        *(AcpiGuest(f"fast-{seconds}", behaviour("press=obey", delay=seconds)) for seconds in FAST),
        *(AcpiGuest(f"double-{seconds}", behaviour("press=obey presses=2", delay=seconds)) for seconds in DOUBLE_PRESS),
        *(AcpiGuest(f"update-{length}", behaviour(f"press=update rate={RATE}", write=length)) for length in UPDATES),
        *(AcpiGuest(f"hang-{number}", behaviour("press=hang")) for number in range(1, HANGING + 1)),
    ]


def options(scale: int) -> dict[str, Any]:
    """Those of domain_shutdown: force, and the defaults divided by this where they may be."""
    clocks = {name: max(getattr(Policy, name) / scale, least) for name, least in CLOCKS_OF_OURS.items()}
    return {**clocks, "on_timeout": "force"}


def tell(began: float, guests: Sequence[Guest]) -> Run:
    """The numbers of one run that began then."""
    vain = [guest.end.at - guest.pressed for guest in guests if guest.end.by_force and not guest.torn]
    by_themselves = [guest.end.at - guest.pressed for guest in guests if not guest.end.by_force]
    return Run(
        torn=sum(guest.torn for guest in guests),
        in_vain=len(vain),
        down=max(guest.end.at for guest in guests) - began,
        wasted=sum(vain),
        slowest=max(by_themselves, default=0.0),
    )


def label(clock: int | None) -> str:
    """What a side is called."""
    return OURS if clock is None else f"fixed clock of {clock} s"


def measure(clocks: Sequence[int], runs: int, scale: int) -> tuple[Machine, dict[str, list[Run]]]:
    """The machine, and all runs of each side: forwards and backwards by turns, so that none is always first."""
    sides: list[int | None] = [*clocks, None]
    results: dict[str, list[Run]] = {label(side): [] for side in sides}
    start_event_loop()
    with Bed() as bed, closing(bed.connection), closing(libvirt.open(bed.daemon.uri)) as ear:
        machine = describe(versions(bed.connection))
        benchmark = Benchmark(bed, Listener(ear), scale)
        for number in range(runs):
            for side in sides[:: -1 if number % 2 else 1]:
                run = benchmark.run(side)
                results[label(side)].append(run)
                print(
                    f"run {number + 1} of {runs}: {label(side):<22} {run.down:6.1f} s, {run.torn} torn, "
                    f"{run.in_vain} waited for in vain",
                    flush=True,
                )
    return machine, results


@dataclass(frozen=True)
class Verdict:
    """Ours next to the fixed clocks that never tore anything."""

    torn: int
    """The most in a run of ours."""
    untorn: list[str]
    """The fixed clocks that never tore anything, the fastest first."""
    times_the_fastest: float | None
    """Our time until all were off, next to the fastest of those."""
    least_clock: float
    """Seconds that the slowest guest took under ours: about the shortest fixed clock that could have torn nothing."""
    times_the_least: float
    """Our time next to that clock, which nobody knows beforehand."""

    @property
    def told(self) -> str:
        """It in words."""
        fastest = (
            f"it took {self.times_the_fastest:.2f} times as long as the fastest fixed clock that never did "
            f"({self.untorn[0]})"
            if self.times_the_fastest is not None
            else "so did each of these fixed clocks"
            if self.torn
            else "each of these fixed clocks tore some"
        )
        return (
            f"{OURS} tore {self.torn or 'none'}; {fastest}. The slowest guest took {self.least_clock:.1f} s: a fixed "
            f"clock that tears none must be about as long, which nobody knows beforehand, and {OURS} took "
            f"{self.times_the_least:.2f} times that."
        )


def judge(results: Mapping[str, Sequence[Run]]) -> Verdict:
    """What the runs amount to."""
    down = {side: statistics.median(run.down for run in runs) for side, runs in results.items()}
    untorn = sorted(
        (side for side, runs in results.items() if side != OURS and not any(run.torn for run in runs)),
        key=down.__getitem__,
    )
    least = statistics.median(run.slowest for run in results[OURS])
    if not least:
        void(f"{OURS} had every guest powered off by force")
    return Verdict(
        torn=max(run.torn for run in results[OURS]),
        untorn=untorn,
        times_the_fastest=down[OURS] / down[untorn[0]] if untorn else None,
        least_clock=least,
        times_the_least=down[OURS] / least,
    )


def cell(values: Sequence[float], digits: int) -> str:
    """The median, and the lowest and the highest where they differ."""
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def tables(machine: Machine, scale: int, results: Mapping[str, Sequence[Run]]) -> str:
    """What a reader wants to know."""
    clocks = ", ".join(f"{name} {value:g}" for name, value in options(scale).items() if name != "on_timeout")
    rows = [
        ["", *(heading for heading, dummy in COLUMNS.values())],
        ["---" for dummy in range(len(COLUMNS) + 1)],
        *(
            [side, *(cell([getattr(run, name) for run in runs], digits) for name, (dummy, digits) in COLUMNS.items())]
            for side, runs in results.items()
        ),
    ]
    guests = [
        f"{len(FAST)} fast ({_spread(FAST)})",
        f"{len(DOUBLE_PRESS)} that need a second press ({_spread(DOUBLE_PRESS)})",
        f"{len(UPDATES)} that update ({_spread(UPDATES)})",
        f"{HANGING} that hang",
    ]
    lines = [
        *machine.told,
        f"The fleet, in seconds of Windows: {', '.join(guests)}",
        f"All times divided by {scale}, the clocks in the names of the rows, too; those of {OURS}: {clocks}",
        "",
        f"Medians (lowest to highest where they differ); runs: {len(results[OURS])}",
        "",
        *(f"| {' | '.join(cells)} |" for cells in rows),
        "",
        judge(results).told,
    ]
    return "\n".join(lines)


def _spread(seconds: Sequence[int]) -> str:
    return ", ".join(map(str, seconds))


def document(machine: Machine, scale: int, results: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """The same for programs, with all runs."""
    middle = medians(results)
    return {
        "machine": asdict(machine),
        "scale": scale,
        "fleet": {guest.name: guest.behaviour for guest in fleet(scale)},
        "options": options(scale),
        "runs": {side: [asdict(run) for run in runs] for side, runs in results.items()},
        "medians": middle,
        "ratios": {side: values["down"] / middle[OURS]["down"] for side, values in middle.items()},
        "verdict": asdict(judge(results)),
    }


def draw(path: Path, scale: int, results: Mapping[str, Sequence[Run]]) -> None:
    """The picture."""
    middle = medians(results)
    torn = {side: max(run.torn for run in runs) for side, runs in results.items()}
    names = {side: f"{side}: {torn[side] or 'none'} torn" for side in results}
    chart(
        path,
        f"A mixed fleet of {len(fleet(scale))} guests, {len(UPDATES)} of them updating",
        f"seconds until all were off, Windows' divided by {scale}",
        {"": {names[side]: values["down"] for side, values in middle.items()}},
        ours=[names[OURS]],
        bad=[names[side] for side in results if torn[side]],
        note=f"median of {len(results[OURS])}",
    )


def main() -> int:
    """Measure, and print what was measured."""
    parser = new_parser("mixed_fleet", __doc__, runs=5)
    parser.add_argument("--scale", type=positive, default=SCALE, help="by what all times are divided (%(default)s)")
    parser.add_argument(
        "--clocks",
        type=positive,
        nargs="+",
        default=CLOCKS,
        metavar="SECONDS",
        help=f"the fixed clocks, in seconds of Windows ({_spread(CLOCKS)})",
    )
    picture_option(parser)
    arguments = parser.parse_args()
    machine, results = measure(arguments.clocks, arguments.runs, arguments.scale)
    print(f"\n{tables(machine, arguments.scale, results)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(document(machine, arguments.scale, results), indent=2) + "\n")
    if arguments.picture:
        draw(arguments.picture, arguments.scale, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
