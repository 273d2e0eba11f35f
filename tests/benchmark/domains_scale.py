# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What thousands of domains on one connection cost the modules that work with libvirt, and how that grows.

The domains are those of libvirt's test driver in a private libvirtd, running, with a disk, a network interface and an
agent's channel. They have no guests: what is waited for is libvirt. Next to each module stands a bare client
(_domain_calls.py) that makes the same calls of libvirt one after the other and does nothing else. Own time is what the
module takes on top of that. Whoever goes by processors' seconds sees the module's process alone, and not the daemon,
which is another one; memory is the most that the module's process had.

Growth is the exponent with which the processors' own seconds grow from the smallest number of domains to the largest,
less those for no domain at all: 1 is linear, 2 is square.

Where the time goes: a look at a domain is six calls of libvirt, and each of them wakes libvirt's event loop, which is a
thread of the module's process, some four times; that is a third of what the plan of a shutdown takes. The rest is the
XML, the timeline, and what ansible-core does with each value of a result (it looks for secrets, copies and writes it).
That last part is the larger one of domain_readiness_info with all its findings, which are 28 of 17 values for each
domain; problems_only leaves most of it. A domain that waits is looked at every poll_interval, at 0.15 ms a look, so
that of many domains which are saved three at a time the last one costs more than the first.

What starts each of the modules, once, is ansible-core's part, libvirt's bindings, and the compilation of what is in the
payload: 290 KiB, of which 85 KiB are this collection's.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import ansible.release
import libvirt
from bed.module import HYPERVISOR_PYTHON, MODULES, environment
from bed.private_libvirt import PrivateLibvirt
from benchmark._measured import Machine, describe, dotted, medians, new_parser, positive, said_version, void

CLIENT = Path(__file__).with_name("_domain_calls.py")
PREFIX = "win-"
SIZES = (500, 1000, 5000)
LIMIT = 1800.0
BLOCK = 2**20

DOMAIN = """
  <domain type='test'>
    <name>{name}</name>
    <memory unit='MiB'>16</memory>
    <os><type>hvm</type></os>
    <features><acpi/></features>
    <devices>
      <disk type='file' device='disk'><source file='/images/{name}.qcow2'/><target dev='vda' bus='virtio'/></disk>
      <interface type='network'><source network='default'/></interface>
      <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    </devices>
  </domain>
"""


@dataclass(frozen=True)
class Side:
    """A module with its options, the calls that a bare client makes instead, and what is in a domain's result."""

    module: str
    calls: str
    proof: str
    options: Mapping[str, Any] = field(default_factory=dict)


SAVE = {"methods": [], "timeout": 0, "max_timeout": 0, "on_timeout": "save"}
SIDES = {
    "domain_shutdown_info": Side("domain_shutdown_info", "domain_shutdown_info", '"state_reason": "booted"'),
    "domain_readiness_info, problems_only": Side(
        "domain_readiness_info", "domain_readiness_info", '"recommended_methods": ', {"problems_only": True}
    ),
    "domain_readiness_info, all findings": Side(
        "domain_readiness_info", "domain_readiness_info", '"recommended_methods": '
    ),
    "domain_shutdown in check mode": Side(
        "domain_shutdown", "domain_shutdown --check", '"outcome": "planned"', {"_ansible_check_mode": True}
    ),
    "domain_shutdown, which saves all": Side("domain_shutdown", "domain_shutdown", '"outcome": "saved"', SAVE),
    "domain_shutdown, 20 at a time": Side(
        "domain_shutdown", "domain_shutdown", '"outcome": "saved"', {**SAVE, "parallel": 20}
    ),
}


@dataclass(frozen=True)
class Taken:
    """What one process took: seconds, seconds of processors, MiB, and MiB of its answer."""

    seconds: float
    cpu: float
    memory: float
    answer: float


@dataclass(frozen=True)
class Compared:
    """What a module took, and what of it is its own: less what the bare client takes."""

    seconds: float
    bare: float
    own: float
    own_cpu: float
    memory: float
    answer: float


class Key(NamedTuple):
    """A side, and how many domains."""

    side: str
    domains: int


def start(connection: libvirt.virConnect, count: int) -> None:
    """Have so many domains, all running."""
    known = {domain.name(): domain for domain in connection.listAllDomains()}
    for number in range(count):
        name = f"{PREFIX}{number:05}"
        domain = known.get(name) or connection.defineXML(DOMAIN.format(name=name))
        if not domain.isActive():
            domain.create()


def run_module(uri: str, side: Side, pattern: str, expected: int) -> Taken:
    """The module on the domains of this pattern, which are so many."""
    options = {"uri": uri, "all": True, "name_pattern": pattern, **side.options}
    command = [HYPERVISOR_PYTHON, str(CLIENT), "module", f"{MODULES}.{side.module}"]
    return _run(command, json.dumps({"ANSIBLE_MODULE_ARGS": options}), side.proof, expected)


def run_bare(uri: str, side: Side, prefix: str) -> Taken:
    """The bare client on the domains whose names begin so."""
    return _run([HYPERVISOR_PYTHON, str(CLIENT), side.calls, uri, prefix], "", "", 0)


def _run(command: Sequence[str], given: str, proof: str, expected: int) -> Taken:
    """Its answer is never in this process: what that has in memory would have to be taken off elsewhere."""
    with tempfile.TemporaryFile() as answer:
        began = time.monotonic()
        ended = subprocess.run(
            command,
            input=given,
            stdout=answer,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=LIMIT,
            check=False,
        )
        seconds = time.monotonic() - began
        size = answer.tell()
        found = _count(answer, proof.encode()) if proof else 0
    if ended.returncode or found != expected:
        void(f"{command!r} ended with status {ended.returncode}, for {found} of {expected} domains:\n{ended.stderr}")
    return Taken(seconds, answer=size / 2**20, **json.loads(ended.stderr.splitlines()[-1]))


def _count(file: Any, word: bytes) -> int:
    """How often the word is in the file."""
    file.seek(0)
    found, rest = 0, b""
    while block := file.read(BLOCK):
        found += (rest + block).count(word)
        rest = block[-(len(word) - 1) :]
    return found


def compare(connection: libvirt.virConnect, uri: str, side: Side, domains: int) -> Compared:
    """One side and the bare client, on so many domains that run."""
    start(connection, domains)
    prefix = PREFIX if domains else "none-"
    bare = run_bare(uri, side, prefix)
    start(connection, domains)
    taken = run_module(uri, side, f"{prefix}*", domains)
    return Compared(
        taken.seconds,
        bare.seconds,
        max(0.0, taken.seconds - bare.seconds),
        max(0.0, taken.cpu - bare.cpu),
        taken.memory,
        taken.answer,
    )


def measure(sizes: Sequence[int], runs: int) -> dict[Key, list[Compared]]:
    """All sides with no domains, and with each number of them, the smallest first: none is taken away again."""
    results: dict[Key, list[Compared]] = {Key(side, size): [] for side in SIDES for size in (0, *sizes)}
    with PrivateLibvirt() as daemon:
        connection = libvirt.open(daemon.test_uri)
        for size in (0, *sizes):
            for dummy in range(runs):
                for name, side in SIDES.items():
                    one = compare(connection, daemon.test_uri, side, size)
                    results[Key(name, size)].append(one)
                    told = f"{one.seconds:6.1f} s, own {one.own:6.1f} s, of processors {one.own_cpu:6.1f} s"
                    print(f"{size:5} domains: {name:<40}{told}, {one.memory:4.0f} MiB", flush=True)
        connection.close()
    return results


def growth(middle: Mapping[str, Mapping[str, float]], side: str, sizes: Sequence[int]) -> float | None:
    """The exponent; None where there is only one size, or less than can be told from nothing."""
    nothing = middle[_label(Key(side, 0))]["own_cpu"]
    small, large = (middle[_label(Key(side, size))]["own_cpu"] - nothing for size in (sizes[0], sizes[-1]))
    if len(sizes) < 2 or min(small, large) <= 0:
        return None
    return math.log(large / small) / math.log(sizes[-1] / sizes[0])


def _label(key: Key) -> str:
    return f"{key.side}: {key.domains}"


def document(machine: Machine, sizes: Sequence[int], results: Mapping[Key, list[Compared]]) -> dict[str, Any]:
    """All numbers."""
    labelled = {_label(key): runs for key, runs in results.items()}
    middle = medians(labelled)
    return {
        "machine": asdict(machine),
        "sizes": list(sizes),
        "runs": {label: [asdict(one) for one in runs] for label, runs in labelled.items()},
        "medians": middle,
        "ratios": {label: one["seconds"] / one["bare"] for label, one in middle.items()},
        "growth": {side: growth(middle, side, sizes) for side in SIDES},
    }


HEADINGS = (
    *("", "domains", "seconds", "bare client", "times", "own", "own, of processors", "ms a domain"),
    *("MiB", "MiB of answer", "growth"),
)


def lines(machine: Machine, numbers: Mapping[str, Any]) -> Iterator[str]:
    """What a reader wants to know."""
    yield from machine.told
    first, *dummy_others = numbers["runs"].values()
    yield f"medians of {len(first)}"
    yield ""
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"| {' | '.join('---' for dummy in HEADINGS)} |"
    for side in SIDES:
        nothing = numbers["medians"][_label(Key(side, 0))]
        for size in numbers["sizes"]:
            label = _label(Key(side, size))
            one = numbers["medians"][label]
            power = numbers["growth"][side] if size == numbers["sizes"][-1] else None
            cells = (
                *(side, str(size), f"{one['seconds']:.1f}", f"{one['bare']:.1f}", f"{numbers['ratios'][label]:.1f}"),
                *(f"{one['own']:.1f}", f"{one['own_cpu']:.1f}"),
                f"{1000 * (one['own_cpu'] - nothing['own_cpu']) / size:.2f}",
                *(f"{one['memory']:.0f}", f"{one['answer']:.1f}", "" if power is None else f"{power:.2f}"),
            )
            yield f"| {' | '.join(cells)} |"


def main() -> int:
    """Measure, and print what was measured."""
    parser = new_parser("domains_scale", __doc__, runs=3)
    told = ", ".join(map(str, SIZES))
    parser.add_argument("--domains", type=positive, nargs="+", default=list(SIZES), help=f"how many ({told})")
    arguments = parser.parse_args()
    versions = {
        "libvirt": dotted(libvirt.getVersion()),
        "ansible-core": ansible.release.__version__,
        "Python": said_version(HYPERVISOR_PYTHON),
    }
    machine = describe(versions)
    sizes = sorted(arguments.domains)
    numbers = document(machine, sizes, measure(sizes, arguments.runs))
    print("\n" + "\n".join(lines(machine, numbers)))
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
