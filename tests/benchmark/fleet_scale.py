# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook over a fleet costs the controller, next to a bare ping of the same hosts.

Each hypervisor is a host with a local connection and ten running domains of its own in libvirt's test driver, which are
saved without a request: nothing of the time is that of guests. What it takes is therefore Ansible's and ours, on the
controller and on the hypervisors together, since all of them are this machine, and have one libvirtd between them.
Memory is the controller's alone: the largest sum of what ansible-playbook and its workers have for themselves (PSS),
looked at twice a second.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import ansible.release
import checkout
import libvirt
from bed.module import HYPERVISOR_PYTHON
from bed.private_libvirt import PrivateLibvirt
from benchmark._measured import describe, dotted, medians, new_parser, positive, void

STAGES = {
    "ping": ("a bare ping", None),
    "shutdown": ("the playbook, only its shutdown", "shutdown"),
    "whole": ("the playbook, all stages", "domain_readiness,shutdown,verify,report"),
}
DOMAINS = 10
DOMAIN = """
  <domain type='test'>
    <name>{name}</name>
    <memory unit='MiB'>16</memory>
    <os><type>hvm</type></os>
    <features><acpi/></features>
  </domain>
"""


@dataclass(frozen=True)
class Measured:
    """Seconds that it took, and MiB that the controller had at most."""

    seconds: float
    memory: float


class Memory:
    """Looks at how much memory a process and its children of the same program have for themselves."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self.most = 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            self.most = max(self.most, sum(map(_pss, [self._pid, *_workers(self._pid)])))


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def _workers(pid: int) -> list[int]:
    """The children that run the same program: Ansible's workers, and not what they start."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        program = Path(f"/proc/{pid}/cmdline").read_bytes()
        return [int(child) for child in children if Path(f"/proc/{child}/cmdline").read_bytes() == program]
    except OSError:
        return []


def domains_of(number: int) -> list[str]:
    """The names of a hypervisor's domains."""
    return [f"win-{number}-{index}" for index in range(DOMAINS)]


def start(connection: libvirt.virConnect, count: int) -> None:
    """Start the domains of all hypervisors, and define those that are not there."""
    known = {domain.name(): domain for domain in connection.listAllDomains()}
    for number in range(count):
        for name in domains_of(number):
            domain = known.get(name) or connection.defineXML(DOMAIN.format(name=name))
            if not domain.isActive():
                domain.create()


def inventory(folder: Path, uri: str, count: int) -> Path:
    """The inventory."""
    shared = {
        "ansible_connection": "local",
        "ansible_python_interpreter": HYPERVISOR_PYTHON,
        "domain_shutdown_uri": uri,
        "domain_readiness_uri": uri,
        "domain_shutdown_methods": [],
        "domain_shutdown_timeout": 0,
        "domain_shutdown_max_timeout": 0,
        "domain_shutdown_on_timeout": "save",
        "domain_readiness_backup_dir": str(folder / "backup"),
        "shutdown_report_folder": str(folder / "report"),
    }
    hosts = {
        f"hv{number:04d}": {
            "domain_shutdown_domains": domains_of(number),
            "domain_readiness_domains": domains_of(number),
        }
        for number in range(count)
    }
    path = folder / "inventory.json"
    path.write_text(json.dumps({"hypervisors": {"hosts": hosts, "vars": shared}}))
    return path


def measure(folder: Path, hosts: Path, side: str, forks: int) -> Measured:
    """Run one side."""
    tags = STAGES[side][1]
    if tags is None:
        playbook = folder / "ping.json"
        playbook.write_text(
            json.dumps([{"hosts": "hypervisors", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}])
        )
        what = [str(playbook)]
    else:
        what = ["winguest.shutdown.shutdown", "--tags", tags]
    command = [sys.executable, "-m", "ansible", "playbook", "--inventory", str(hosts), "--forks", str(forks), *what]
    with (folder / f"{side}.log").open("w+") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=checkout.ansible_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        memory = Memory(process.pid)
        status = process.wait()
        seconds = time.monotonic() - began
        memory.end()
        log.seek(0)
        output = log.read()
    if status != 0:
        void(f"{STAGES[side][0]} ended with status {status}:\n{output[-3000:]}")
    if tags is not None and output.count(f"saved {DOMAINS}") != len(
        json.loads(hosts.read_text())["hypervisors"]["hosts"]
    ):
        void(f"not every hypervisor has saved its {DOMAINS} domains:\n{output[-3000:]}")
    return Measured(seconds, memory.most)


def main() -> None:
    """Measure, and print."""
    parser = new_parser("fleet_scale", __doc__, runs=1)
    parser.add_argument("--hypervisors", type=positive, default=500, help="how many (%(default)s)")
    parser.add_argument("--forks", type=positive, default=20, help="Ansible's (%(default)s)")
    options = parser.parse_args()
    machine = describe(
        {
            "ansible-core": ansible.release.__version__,
            "libvirt": dotted(libvirt.getVersion()),
            "Python": sys.version.partition(" ")[0],
        }
    )
    runs: dict[str, list[Measured]] = {side: [] for side in STAGES}
    with PrivateLibvirt() as daemon, tempfile.TemporaryDirectory(prefix="winguest-scale-") as name:
        connection = libvirt.open(daemon.test_uri)
        folder = Path(name)
        hosts = inventory(folder, daemon.test_uri, options.hypervisors)
        for dummy in range(options.runs):
            for side in STAGES:
                start(connection, options.hypervisors)
                runs[side].append(measure(folder, hosts, side, options.forks))
    middle = medians(runs)
    print(f"{options.hypervisors} hypervisors with {DOMAINS} domains each, {options.forks} forks")
    print("\n".join(machine.told) + "\n")
    print(f"| median of {options.runs} | seconds | times the ping | controller's memory, MiB | times the ping |")
    print("| --- | --- | --- | --- | --- |")
    for side, (title, dummy_tags) in STAGES.items():
        seconds, memory = middle[side]["seconds"], middle[side]["memory"]
        ratios = seconds / middle["ping"]["seconds"], memory / middle["ping"]["memory"]
        print(f"| {title} | {seconds:.0f} | {ratios[0]:.1f} | {memory:.0f} | {ratios[1]:.1f} |")
    if options.json:
        document = {
            "machine": asdict(machine),
            "hypervisors": options.hypervisors,
            "runs": {side: [asdict(one) for one in measured] for side, measured in runs.items()},
            "medians": middle,
        }
        options.json.write_text(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
