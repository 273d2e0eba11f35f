# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmarks have in common: their options, the machine that they ran on, medians, and how they give up."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn


@dataclass(frozen=True)
class Machine:
    """On what it was measured."""

    processor: str
    cores: int
    memory_gib: float
    load: float
    system: str
    versions: dict[str, str]
    """By name, those of the programs that take part."""

    @property
    def told(self) -> list[str]:
        """It in lines."""
        return [
            f"{self.processor}, {self.cores} cores, {self.memory_gib:g} GiB, load {self.load:g} beforehand",
            self.system,
            ", ".join(f"{name} {version}" for name, version in self.versions.items()),
        ]


def describe(versions: dict[str, str]) -> Machine:
    """This machine."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in cpuinfo if line.startswith("model name")]
    return Machine(
        processor=names[0] if names else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        load=round(os.getloadavg()[0], 2),
        system=f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        versions=versions,
    )


def said_version(program: str | Path) -> str:
    """What a program says its version is: all but its name."""
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return told.partition("\n")[0].replace("-", " ", 1).partition(" ")[2]


def dotted(number: int) -> str:
    """libvirt's way to write a version into a number, undone."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def medians(results: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, float]]:
    """By side and name, the median of the runs, which are dataclasses of numbers."""
    return {
        side: {field.name: statistics.median(getattr(run, field.name) for run in runs) for field in fields(runs[0])}
        for side, runs in results.items()
    }


def void(why: str) -> NoReturn:
    """End without numbers."""
    raise SystemExit(f"The benchmark is void: {why}")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def new_parser(name: str, documentation: str | None, runs: int) -> argparse.ArgumentParser:
    """The options that all benchmarks have; `runs`: how many unless told otherwise."""
    about = (documentation or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog=f"tests/run benchmark {name}", description=about)
    parser.add_argument("--runs", type=positive, default=runs, help="how often for each side (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    return parser
