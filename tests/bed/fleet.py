# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet: three hypervisors, each a private libvirt, with 24 real guests, and one hypervisor that nobody can reach.

Eight of the guests, all on the first hypervisor, are simulated Windows guests with a blocker each; one of those has no
WinRM, and the remediation of another one fails. The second hypervisor has its guests in tiers. The third is to be
killed in the middle of a run: its guests have begun to shut down, and would take long.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import checkout

from bed.ansible_run import Inventory, Run, begin
from bed.guests import AcpiGuest, Bed, Guest
from bed.module import HYPERVISOR_PYTHON
from bed.windows.blockers import BLOCKERS, Blocker
from bed.windows.guest import SimulatedWindows

PLAYBOOK = "winguest.shutdown.shutdown"
MODULE = "winguest.shutdown.domain_shutdown"

CLOCKS = {
    "timeout": 12,
    "max_timeout": 40,
    "accept_timeout": 6,
    "press_interval": 2,
    "stall_timeout": 5,
    "baseline_time": 1,
    "poll_interval": 1,
    "reconnect_timeout": 5,
}
"""Seconds: short, but far apart compared with what a busy machine adds."""

TIME_SCALE = 120.0
"""How many times faster than Windows the simulated guests are."""


class Planned(NamedTuple):
    """One guest: its own options, and the outcome that it has to have."""

    name: str
    outcome: str
    options: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    registry: str = ""
    guest: Guest | None = None


WINDOWS = [
    Planned("updates", "graceful", {"on_timeout": "force"}, "updates"),
    Planned("event-tracker", "graceful", {}, "event_tracker"),
    Planned("logon", "graceful", {}, "logon"),
    Planned("applications", "saved", {"on_timeout": "save"}, "applications"),
    Planned("power-button", "graceful", {"timeout": 30}, "power_button"),
    Planned("sleep", "graceful", {}, "sleep"),
    Planned("damage", "forced", {"on_timeout": "force", "max_timeout": 14}, "damage"),
    Planned("no-winrm", "graceful", {}, "obedient"),
]
TIERED = [
    Planned("app-1", "graceful", {"tier": 0}, guest=AcpiGuest("app-1", "press=obey delay=1500")),
    Planned("app-2", "graceful", {"tier": 0}, guest=AcpiGuest("app-2", "press=obey presses=2")),
    Planned("app-3", "graceful", {"tier": 0}, guest=AcpiGuest("app-3", "press=update write=8000")),
    Planned("db-1", "graceful", {"tier": 1}, guest=AcpiGuest("db-1")),
    Planned("db-hangs", "left_running", {"tier": 1}, guest=AcpiGuest("db-hangs", "press=hang")),
    Planned("never-asked", "refused", {"tier": 2}, guest=AcpiGuest("never-asked")),
    Planned("restart-trap", "graceful", {"tier": 1}, guest=AcpiGuest("restart-trap", on_poweroff="restart")),
    Planned("off-already", "already_off", {"tier": 0}, guest=AcpiGuest("off-already")),
]
DOOMED = [
    Planned(f"doomed-{number}", "error", {}, guest=AcpiGuest(f"doomed-{number}", "press=update write=60000"))
    for number in range(1, 9)
]
PLANS = {"hv2": TIERED, "hv3": DOOMED}
"""What hypervisors whose guests are no hosts of the inventory are to shut down."""

OFF = ("off-already",)

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
NOWHERE = {
    "ansible_connection": "ssh",
    "ansible_host": "127.0.0.1",
    "ansible_port": 1,
    "ansible_ssh_retries": 0,
    "ansible_python_interpreter": "/usr/bin/python3",
}
"""Where nothing listens."""


class Fleet:
    """The fleet; use it as a context manager. All guests are up when it has been entered."""

    def __init__(self) -> None:
        self._resources = ExitStack()
        self.hypervisors: dict[str, Bed] = {}
        self.windows: dict[str, SimulatedWindows] = {}

    def __enter__(self) -> Fleet:
        with ExitStack() as resources:
            for name in ("hv1", "hv2", "hv3"):
                self.hypervisors[name] = resources.enter_context(Bed())
            for planned in WINDOWS:
                self.windows[planned.name] = resources.enter_context(self._simulated(planned))
            self._resources = resources.pop_all()
        for windows in self.windows.values():
            windows.start()
        for hypervisor, plan in PLANS.items():
            self._start(self.hypervisors[hypervisor], plan)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def _simulated(self, planned: Planned) -> SimulatedWindows:
        blocker = BLOCKERS.get(planned.registry, Blocker({}))
        return SimulatedWindows(
            self.hypervisors["hv1"],
            planned.name,
            registry=blocker.registry,
            situation=blocker.situation,
            time_scale=TIME_SCALE,
        )

    def _start(self, bed: Bed, plan: list[Planned]) -> None:
        guests = [planned.guest for planned in plan if planned.guest is not None]
        for guest in guests:
            domain = bed.define(guest)
            if guest.name not in OFF:
                domain.create()
        for guest in guests:
            if guest.name not in OFF:
                bed.wait_for(guest.name, "ready", timeout=60)

    def kill(self, hypervisor: str) -> None:
        """Pull its plug: libvirtd and every QEMU are gone at once."""
        self.hypervisors[hypervisor].daemon.stop()

    def inventory(self) -> Inventory:
        """The inventory."""
        clocks = {f"domain_shutdown_{name}": value for name, value in CLOCKS.items()}
        beds: dict[str, dict[str, Any]] = {
            name: {
                **LOCAL,
                "domain_shutdown_uri": bed.daemon.uri,
                "domain_readiness_uri": bed.daemon.uri,
                "domain_shutdown_evidence_dir": str(bed.directory / "evidence"),
                "domain_readiness_backup_dir": str(bed.directory / "backup"),
            }
            for name, bed in self.hypervisors.items()
        }
        guests: dict[str, dict[str, Any]] = {}
        for planned in WINDOWS:
            guests[f"win-{planned.name}"] = {
                **self.windows[planned.name].variables,
                "ansible_password": self.windows[planned.name].password,
                "winguest_domain": planned.name,
                "winguest_hypervisor": "hv1",
                "winguest_shutdown": planned.options,
            }
        guests["win-no-winrm"]["ansible_port"] = 1
        guests["win-power-button"]["guest_readiness_enforce"] = ["no_such_row"]
        guests["win-elsewhere"] = {"winguest_hypervisor": "hv4", "ansible_connection": "winrm", "ansible_port": 1}
        for hypervisor, plan in PLANS.items():
            beds[hypervisor]["domain_shutdown_domains"] = [{"name": one.name, **one.options} for one in plan]
            beds[hypervisor]["domain_readiness_all"] = True
        return {
            "hypervisors": {"hosts": {**beds, "hv4": NOWHERE}, "vars": clocks},
            "windows": {"hosts": guests},
        }

    def run(self, *arguments: str, show: bool = False, **variables: Any) -> Run:
        """Run the playbook with these variables for all hosts.

        The third hypervisor's plug is pulled when its guests have begun to shut down.
        """
        extra = ["--extra-vars", json.dumps(variables)]
        playing = begin(self.inventory(), PLAYBOOK, "--forks", "10", *extra, *arguments, show=show)
        while playing.process.poll() is None and not self._begun("hv3"):
            time.sleep(0.2)
        self.kill("hv3")
        return playing.end(timeout=300)

    def _begun(self, hypervisor: str) -> bool:
        """Whether all its guests have begun to shut down."""
        return all("writing" in self.hypervisors[hypervisor].com1(planned.name) for planned in DOOMED)

    def expected(self) -> dict[str, dict[str, str]]:
        """The outcome that each domain has to have, by hypervisor."""
        plans = {"hv1": WINDOWS, **PLANS}
        return {hypervisor: {one.name: one.outcome for one in plan} for hypervisor, plan in plans.items()}


def take_picture(page: Path, picture: Path) -> None:
    """The picture of the report in the README, with what is told of the guest that was forced."""
    from bed.browser import Browser  # the fleet itself needs no browser

    with Browser(width=1200, height=1600) as browser:
        browser.open(page)
        browser.click("[aria-label='Details of hv1 / win-damage']")
        browser.run("scrollTo(0, 0)")
        picture.write_bytes(browser.picture())


def main() -> int:
    """Shut the fleet down, and say where the report is; 0 when every domain ended as it has to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--picture", type=Path, metavar="FILE", help="take a picture of the report")
    options = parser.parse_args()
    folder = checkout.CACHE / "fleet-report"
    with Fleet() as fleet:
        run = fleet.run(show=True, shutdown_remediate=True, shutdown_report_folder=str(folder))
        found = {
            host: {domain["name"]: domain["outcome"] for domain in run.result(host, MODULE)["domains"]}
            for host in fleet.hypervisors
        }
        wrong = [host for host, expected in fleet.expected().items() if found[host] != expected]
    page = folder / "shutdown-report.html"
    if options.picture:
        take_picture(page, options.picture)
    print(f"The report is {page}")
    for host in wrong:
        print(f"NOT AS EXPECTED: {host}: {found[host]}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
