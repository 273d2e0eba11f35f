# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to shut many obedient guests down: domain_shutdown, the physical limit, and the peers.

The same real guests are shut down by turns by every side (_shutdown_sides.py), and started again in between:

* the limit, a bare libvirt client (_bare_client.py) that looks at nothing, keeps no record, and presses each once;
* domain_shutdown as it is, which first measures for 3 s what the guests write when idle, and without that;
* libvirt's own libvirt-guests, as its users configure it and with as many at a time as there are guests;
* through ansible-playbook, domain_shutdown with its defaults, and with baseline_time=0 and pipelining;
* through ansible-playbook, community.libvirt.virt in two loops as its users write it, and in its fastest form.

First press to answer: from when the first guest receives a press, as its own log tells (_shutdown_guests.py), until the
process that shuts the guests down has ended, with its results printed. What a side does before the first press, such as
starting, looking at the domains, and the baseline, is only in the whole. virt and libvirt-guests keep no record and
would not notice a guest that refuses, restarts or hangs; and virt takes a guest for off whose QEMU is still ending.

The guests take no time of their own to shut down, unless --delay says so: what is measured is what the sides add. It
is Ansible's way to a remote hypervisor that is left out, since the connection is local.

The table of parts is about the processes without Ansible. Nothing in the module is instrumented: its times are those of
its process, seen from outside, and those of the timelines that it returns. docs/performance.md says what they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import libvirt
from bed.guests import AcpiGuest, Bed
from benchmark import _peer
from benchmark._chart import chart, picture_option
from benchmark._measured import Machine, describe, medians, new_parser, positive
from benchmark._shutdown_guests import Guests, Listener, start_event_loop, versions
from benchmark._shutdown_sides import BARE, MODULE, SIDES, Marks, Taken

MANY, MOST_SLOW_RUNS = 60, 3
"""With more guests than that, sides that take minutes are run no more often than that."""

QUIET = 2.0
"""Seconds between the last guest's start and the next run."""

GOAL_LIMIT, GOAL_PEERS = 1.05, 3.0


@dataclass(frozen=True)
class Seconds:
    """What one run of any side took."""

    answer: float
    whole: float
    pressing: float
    slowest_guest: float


HEADLINES = {
    "answer": "first press to answer",
    "whole": "whole command",
    "pressing": "all pressed after",
    "slowest_guest": "slowest guest",
}


@dataclass(frozen=True)
class Parts:
    """Of what the whole of one run consists, for a process without Ansible."""

    start: float
    look: float
    baseline: float
    guests: float
    records: float
    exit: float


PARTS = {
    "start": "start, imports, connecting",
    "look": "look at domains",
    "baseline": "baseline",
    "guests": "press to last end",
    "records": "records, printing",
    "exit": "exit",
}

Runs = dict[str, list[Seconds]]
"""By the side's name."""


@dataclass(frozen=True)
class Results:
    """All runs with so many guests."""

    runs: Runs
    parts: dict[str, list[Parts]]

    @property
    def middle(self) -> dict[str, dict[str, float]]:
        """The medians."""
        return medians(self.runs)

    @property
    def ratios(self) -> dict[str, dict[str, float]]:
        """Times the limit's median, by side, where that is more than nothing: one guest alone is pressed at once."""
        limit = {name: value for name, value in self.middle[BARE].items() if value}
        return {side: {name: own[name] / value for name, value in limit.items()} for side, own in self.middle.items()}

    @property
    def peers(self) -> dict[str, float]:
        """How many times as long each peer takes from the first press to its answer as what of ours is like it."""
        middle = self.middle
        return {
            side: middle[side]["answer"] / middle[SIDES[side].like]["answer"]
            for side in middle
            if SIDES[side].like in middle
        }


def seconds(taken: Taken, guests: Guests) -> Seconds:
    """What was measured of one run, once all guests have ended."""
    ends = guests.ends()
    presses = {name: guests.pressed(name) for name in guests.names}
    first = min(presses.values())
    return Seconds(
        answer=taken.ended - first,
        whole=taken.ended - taken.began,
        pressing=max(presses.values()) - first,
        slowest_guest=max(stop.at - presses[name] for name, stop in ends.items()),
    )


def parts(taken: Taken, marks: Marks) -> Parts:
    """What the run's own times tell."""
    times = [taken.began, *marks, taken.ended]
    return Parts(*(later - earlier for earlier, later in zip(times, times[1:])))


def times_of(side: str, guests: int, runs: int) -> int:
    """How often a side is run."""
    return min(runs, MOST_SLOW_RUNS) if guests > MANY and SIDES[side].slow else runs


def measure(bed: Bed, listener: Listener, count: int, options: argparse.Namespace) -> Results:
    """All runs with so many guests: forwards and backwards by turns, so that no side is always first."""
    results = Results({side: [] for side in options.sides}, {})
    behaviour = f"press=obey delay={1000 * options.delay:.0f}"
    obedient = [AcpiGuest(f"guest-{number:03}", behaviour) for number in range(1, count + 1)]
    guests = Guests(bed, listener, obedient, QUIET)
    for run in range(options.runs):
        for side in options.sides[:: -1 if run % 2 else 1]:
            if run >= times_of(side, count, options.runs):
                continue
            guests.start()
            taken = SIDES[side].run(guests)
            took = seconds(taken, guests)
            results.runs[side].append(took)
            if taken.marks:
                results.parts.setdefault(side, []).append(parts(taken, taken.marks))
            print(f"{count} guests, run {run + 1}: {SIDES[side].label:<50} {took.answer:7.2f} s", flush=True)
    guests.forget()
    return results


def table(count: int, results: Results) -> str:
    """What a reader wants to know about so many guests, in Markdown."""
    middle, ratios, peers = results.middle, results.ratios, results.peers
    what = "seconds, medians (lowest to highest); times the limit; times what of ours is like a peer"
    lines = [
        f"{count} {'guest' if count == 1 else 'guests'}: {what}",
        "",
        f"| | runs | {' | '.join(HEADLINES.values())} | times the limit | times ours |",
        "|---|" + "---:|" * (len(HEADLINES) + 3),
    ]
    for side, runs in results.runs.items():
        answers = [run.answer for run in runs]
        cells = [SIDES[side].label, str(len(runs))]
        cells += [f"{middle[side]['answer']:.2f} ({min(answers):.2f} to {max(answers):.2f})"]
        cells += [f"{middle[side][name]:.2f}" for name in list(HEADLINES)[1:]]
        cells += [f"x{ratios[side]['answer']:.2f}", f"x{peers[side]:.1f}" if side in peers else ""]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| seconds, medians | {' | '.join(PARTS.values())} |", "|---|" + "---:|" * len(PARTS)]
    for side, own in medians(results.parts).items():
        lines.append(f"| {SIDES[side].label} | {' | '.join(f'{own[name]:.3f}' for name in PARTS)} |")
    return "\n".join([*lines, "", *goals(results)])


def goals(results: Results) -> list[str]:
    """How far the goals are reached."""
    lines = []
    if MODULE in results.runs:
        reached = results.ratios[MODULE]["answer"]
        lines.append(f"Goal, at most {GOAL_LIMIT:g} times the limit: {reached:.2f}.")
    if results.peers:
        best = min(results.peers, key=lambda side: results.peers[side])
        told = f"{results.peers[best]:.1f} ({SIDES[best].label})"
        lines.append(f"Goal, the best peer takes at least {GOAL_PEERS:g} times as long: {told}.")
    return lines


def document(machine: Machine, delay: float, every: Mapping[int, Results]) -> dict[str, Any]:
    """The same for programs, with all runs."""
    named = {str(count): results for count, results in every.items()}
    return {
        "machine": asdict(machine),
        "delay": delay,
        "labels": {side: one.label for side, one in SIDES.items()},
        "runs": {n: {side: [asdict(run) for run in runs] for side, runs in r.runs.items()} for n, r in named.items()},
        "parts": {n: {side: [asdict(run) for run in runs] for side, runs in r.parts.items()} for n, r in named.items()},
        "medians": {count: results.middle for count, results in named.items()},
        "ratios": {count: results.ratios for count, results in named.items()},
        "peers": {count: results.peers for count, results in named.items()},
    }


def draw(path: Path, every: Mapping[int, Results]) -> None:
    """The picture."""
    runs = sorted({len(runs) for results in every.values() for runs in results.runs.values()})
    chart(
        path,
        "Obedient guests, shut down by one command",
        "seconds from the first press to the answer",
        {
            f"{count} {'guest' if count == 1 else 'guests'}": {
                SIDES[side].label: own["answer"] for side, own in results.middle.items()
            }
            for count, results in every.items()
        },
        log=True,
        ours=[side.label for name, side in SIDES.items() if not side.like and name != BARE],
        note=f"median of {' or '.join(map(str, runs))}",
    )


def counts(text: str) -> list[int]:
    """Whole numbers of at least 1, separated by commas."""
    return [positive(word) for word in text.split(",")]


def sides(text: str) -> list[str]:
    """Names of sides, separated by commas, in their own order, with the limit."""
    wanted = {BARE, *text.split(",")}
    if unknown := wanted - SIDES.keys():
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))} is not among {', '.join(SIDES)}")
    return [side for side in SIDES if side in wanted]


def seconds_of_delay(text: str) -> float:
    """A number of seconds from 0 on."""
    if not 0 <= (number := float(text)) <= 600:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 600")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print what was measured."""
    parser = new_parser("shutdown_many", __doc__, runs=5)
    parser.add_argument("--guests", type=counts, default="1,10,60,200", help="how many, by turns (%(default)s)")
    parser.add_argument("--sides", type=sides, default=list(SIDES), help=f"only these; all are {', '.join(SIDES)}")
    parser.add_argument(
        "--delay", type=seconds_of_delay, default=0.0, help="seconds that a guest takes to shut down (%(default)s)"
    )
    picture_option(parser)
    options = parser.parse_args(arguments)
    every: dict[int, Results] = {}
    start_event_loop()
    with Bed() as bed, closing(bed.connection), closing(libvirt.open(bed.daemon.uri)) as ear:
        machine = describe({**versions(bed.connection), _peer.LIBVIRT: _peer.fetch(_peer.LIBVIRT)})
        listener = Listener(ear)
        for count in options.guests:
            every[count] = measure(bed, listener, count, options)
            if options.json:  # now, since a run that is broken off in its third hour must not have been for nothing
                written = json.dumps(document(machine, options.delay, every), indent=2)
                options.json.write_text(f"{written}\n", encoding="utf-8")
    print("\n".join(["", *machine.told, f"each guest takes {options.delay:g} s to shut down"]))
    for count, results in every.items():
        print(f"\n{table(count, results)}")
    if options.picture:
        draw(options.picture, every)
    return 0


if __name__ == "__main__":
    sys.exit(main())
