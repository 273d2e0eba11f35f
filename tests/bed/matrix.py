# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The matrix: what becomes of a soft shutdown in each of the seven scenarios, before and after remediation.

Simulated Windows guests under real QEMU, each with what one scenario is about, and one with all of them, are shut down
by the playbooks twice. Before: as cloud hosts do it, one press of the power button, a fixed clock, and then force.
After: the guests are started again and mended over WinRM, started once more because some settings hold from the next
sign-in on, and shut down by the power button alone, with the clocks that their own hints name; force is allowed for
those that are damaged. Times are Windows' divided by SCALE.

The scenario of sleep is there twice: the second guest is not mended over WinRM, but its domain on the hypervisor. Both
are left alone before the second shutdown for as long as they took to fall asleep, and must not be woken by it.
"""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, NamedTuple

import libvirt
from ansible_collections.winguest.shutdown.plugins.module_utils import _record as record

from bed.acpi_guest import DiskState, disk_state
from bed.ansible_run import Inventory, Run, play
from bed.guests import Bed
from bed.module import HYPERVISOR_PYTHON
from bed.windows.blockers import BLOCKERS
from bed.windows.guest import SimulatedWindows
from bed.windows.systems import SERVER_2022

SCALE = 60
FIXED_CLOCK = 300 / SCALE
LONGEST_CLOCK = 20
PATIENCE = 60
"""Seconds. A fixed clock of five minutes, the longest that a guest's own may be here, and that of those that obey."""

AS_CLOUD_HOSTS_DO = {
    "methods": ["acpi"],
    "double_press": False,
    "press_interval": 600,
    "timeout": FIXED_CLOCK,
    "max_timeout": FIXED_CLOCK,
    "baseline_time": 1,
    "poll_interval": 1,
    "on_timeout": "force",
    "progress_interval": 1,
    "controller_timeout": 4,
}
BY_THE_BUTTON = {
    "methods": ["acpi"],
    "press_interval": 2,
    "stall_timeout": 5,
    "baseline_time": 1,
    "poll_interval": 1,
}
BY_THE_HOST = "sleep_by_the_host"
SLEEPY = ("sleep", BY_THE_HOST)
SCENARIOS = {
    name: blocker for scenario, blocker in BLOCKERS.items() for name in (SLEEPY if scenario == "sleep" else (scenario,))
}
SLEEP_STATES = ["domain_suspend_to_mem", "domain_suspend_to_disk"]
DAMAGED = ("damage", "all")
"""The scenarios that nobody can mend from outside."""


HERE = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}


class Shutdown(NamedTuple):
    """What became of one guest."""

    outcome: str
    seconds: float
    torn: bool

    @property
    def told(self) -> str:
        """It in words."""
        return f"{self.outcome}, update torn" if self.torn else self.outcome


class Row(NamedTuple):
    """One scenario."""

    scenario: str
    before: Shutdown
    mended: int
    left: str
    after: Shutdown

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return (
            self.scenario.replace("_", " "),
            *(self.before.told, f"{self.before.seconds:.1f}"),
            *(str(self.mended), self.left or "-"),
            *(self.after.told, f"{self.after.seconds:.1f}"),
        )


HEADINGS = ("scenario", "before", "seconds", "settings mended", "found and left", "after", "seconds")


class Matrix:
    """The guests, and what is done to them."""

    def __init__(self, bed: Bed, guests: dict[str, SimulatedWindows]) -> None:
        self.bed, self.guests = bed, guests

    def start(self) -> None:
        """Start all guests, and those that run already from scratch."""
        running = {domain.name(): domain for domain in self.bed.connection.listAllDomains() if domain.isActive()}
        for name, windows in self.guests.items():
            if name in running:
                running[name].destroy()
            windows.start()

    def shut_down(self, options: dict[str, Any], by_guest: dict[str, dict[str, Any]]) -> dict[str, Shutdown]:
        """Run the playbook on the hypervisor; every guest ends, or the program does."""
        domains = [{"name": name, **by_guest.get(name, {})} for name in self.guests]
        evidence = str(self.bed.directory / "evidence")
        given = {"uri": self.bed.daemon.uri, "domains": domains, "evidence_dir": evidence, **options}
        variables = {f"domain_shutdown_{name}": value for name, value in given.items()}
        self._play({"hypervisors": {"hosts": {"here": HERE}, "vars": variables}}, "winguest.shutdown.shutdown")
        return {name: self._ended(name) for name in self.guests}

    def mend(self) -> dict[str, dict[str, Any]]:
        """Run the playbooks on the guests, and on the hypervisor for one of them: the result for each."""
        hosts = {
            name: {**windows.variables, "ansible_password": windows.password}
            for name, windows in self.guests.items()
            if name != BY_THE_HOST
        }
        run = self._play({"windows": {"hosts": hosts}}, "winguest.shutdown.remediate")
        results = {name: run.result(name, "winguest.shutdown.guest_readiness") for name in hosts}
        return {**results, BY_THE_HOST: self._mend_by_the_host()}

    def _mend_by_the_host(self) -> dict[str, Any]:
        given = {"uri": self.bed.daemon.uri, "domains": [BY_THE_HOST], "rows": SLEEP_STATES}
        variables = {f"domain_readiness_{name}": value for name, value in given.items()}
        run = self._play(
            {"hypervisors": {"hosts": {"here": HERE}, "vars": variables}}, "winguest.shutdown.remediate_domains"
        )
        (result,) = run.result("here", "winguest.shutdown.domain_readiness")["domains"]
        return dict(result)

    def leave_alone(self) -> None:
        """Let those that may sleep do so; one that wants to, and cannot, says so."""
        for name in SLEEPY:
            said = len(self.bed.com1(name))
            self.guests[name].left_alone(BLOCKERS["sleep"].situation.idle)
            if name == BY_THE_HOST:
                self.bed.wait_for(name, "no S3", since=said)

    def _ended(self, name: str) -> Shutdown:
        """What the domain's record and its disk say, and not what the playbook has shown."""
        domain = self.bed.connection.lookupByName(name)
        if domain.isActive():
            raise RuntimeError(f"{name} still runs")
        request = record.from_xml(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, record.NAMESPACE)).request
        if request is None:
            raise RuntimeError(f"{name} has no record of a request")
        began, ended = (datetime.datetime.fromisoformat(moment) for moment in (request.at, request.ended))
        last_boot = self.bed.com1(name).rpartition(" booting\n")[2]
        torn = disk_state(self.bed.disk(name)) is DiskState.SERVICING and " written\n" not in last_boot
        return Shutdown(request.outcome, (ended - began).total_seconds(), torn)

    def _play(self, inventory: Inventory, playbook: str) -> Run:
        run = play(inventory, playbook, "--forks", "8", show=True, timeout=None)
        if run.status != 0:
            raise RuntimeError(f"{playbook} ended with status {run.status}")
        return run


def run(matrix: Matrix) -> list[Row]:
    """The whole of it: two shutdowns, and remediation between them."""
    matrix.start()
    before = matrix.shut_down(AS_CLOUD_HOSTS_DO, {})
    matrix.start()
    results = matrix.mend()
    matrix.start()
    matrix.leave_alone()
    after = matrix.shut_down(
        BY_THE_BUTTON, {name: _options(name, results[name].get("hints")) for name in matrix.guests}
    )
    return [Row(name, before[name], *_found(results[name]["findings"]), after[name]) for name in matrix.guests]


def _options(name: str, hints: dict[str, Any] | None) -> dict[str, Any]:
    """For those that cannot be mended, the clock of their own hints, at this scale; all others end by themselves."""
    clock = min(hints["recommended_timeout"] / SCALE, LONGEST_CLOCK) if hints and name in DAMAGED else PATIENCE
    on_timeout = "force" if name in DAMAGED else "leave"
    return {"timeout": clock, "accept_timeout": clock, "on_timeout": on_timeout, "wake": name not in SLEEPY}


def _found(findings: list[dict[str, Any]]) -> tuple[int, str]:
    """How many settings were mended, and which blockers are left: what can only be told and not set."""
    mended = sum(finding["state"] == "fixed" for finding in findings)
    left = {
        finding["id"]: None
        for finding in findings
        if finding["state"] in ("differs", "managed_by_policy") and finding["effect"] != "informs"
    }
    return mended, ", ".join(left)


def wrong(rows: Iterable[Row]) -> list[str]:
    """Where it is not as the analysis says."""
    told = []
    for row in rows:
        expected = "forced" if row.scenario in DAMAGED else "graceful"
        if row.before.outcome != "forced":
            told.append(f"{row.scenario}: before, it was {row.before.outcome} and should have been forced")
        if row.before.torn != (row.scenario == "updates"):
            told.append(f"{row.scenario}: before, an update was {'' if row.before.torn else 'not '}torn")
        if row.after.outcome != expected:
            told.append(f"{row.scenario}: after, it was {row.after.outcome} and should have been {expected}")
        if row.after.torn:
            told.append(f"{row.scenario}: after, an update was torn")
    return told


def table(rows: Iterable[Row]) -> str:
    """The rows as they are in the README."""
    lines = [HEADINGS, tuple("---" for dummy in HEADINGS), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> int:
    """Print the matrix; 0 when everything is as the analysis says."""
    began = time.monotonic()
    with Bed() as bed, ExitStack() as resources:
        guests = {
            name: resources.enter_context(
                SimulatedWindows(
                    bed,
                    name,
                    SERVER_2022,
                    registry=blocker.registry,
                    situation=blocker.situation,
                    time_scale=SCALE,
                )
            )
            for name, blocker in SCENARIOS.items()
        }
        rows = run(Matrix(bed, guests))
    print(f"\nSimulated Windows guests ({SERVER_2022.name}), Windows' times divided by {SCALE}:\n\n{table(rows)}\n")
    print(f"It took {time.monotonic() - began:.0f} s.")
    for line in wrong(rows):
        print(f"NOT AS EXPECTED: {line}", file=sys.stderr)
    return 1 if wrong(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
