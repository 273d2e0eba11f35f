# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Windows acceptance kit (tests/windows), run against a simulated Windows guest.

python -m bed.acceptance            the whole kit; fails unless every claim that can be tried is held
python -m bed.acceptance --page     only writes tests/windows/SEEN.md anew
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import checkout
import libvirt
from windows import seen_page

from bed.ansible_run import Inventory, Run, play
from bed.guests import Bed
from bed.module import HYPERVISOR_PYTHON
from bed.windows.blockers import OBEDIENT
from bed.windows.disk_bound import DiskBoundWindows
from bed.windows.places import contents
from bed.windows.situation import Application, Session, Situation
from bed.windows.systems import ALICE, SERVER_2022

KIT = checkout.ROOT / "tests" / "windows"
PLAYBOOK, GIVE_BACK = str(KIT / "acceptance.yml"), str(KIT / "give_back.yml")
SIMULATED_DAMAGE = ("scenario:updates", "scenario:damage")
"""What nobody tries."""

CLOCKS = {"press_interval": 2, "stall_timeout": 3, "baseline_time": 1, "poll_interval": 1, "progress_interval": 1}
QUICK = {
    "acceptance_simulated": True,
    "acceptance_settle_seconds": 0,
    "acceptance_boot_seconds": 120,
    "acceptance_blocked_seconds": 6,
    "acceptance_finish_seconds": 60,
    "acceptance_room": 0,
    "acceptance_clocks": CLOCKS,
}
HOST = "lost-one"
NOTHING: Mapping[str, Any] = MappingProxyType({})
SOMEBODY = Session(ALICE.user, ALICE.sid, applications=(Application("editor.exe", "veto"),))
IDLE = 180.0
"""Windows' seconds."""

ASK = """
import socket, sys
asked = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
asked.sendall(sys.argv[2].encode())
asked.recv(1)
"""


class Person:
    """Whoever is in front of the guest's screen: signs in, or does not touch it, when the kit asks for it."""

    def __init__(self, windows: DiskBoundWindows) -> None:
        self._windows = windows
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name=f"person at {windows.name}")

    def __enter__(self) -> Person:
        self._thread.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    @property
    def variables(self) -> dict[str, Any]:
        """The kit's variables that name the commands which ask."""
        port = str(self._listener.getsockname()[1])
        return {
            "acceptance_sign_in": [sys.executable, "-c", ASK, port, "s"],
            "acceptance_leave_alone": [sys.executable, "-c", ASK, port, "l"],
        }

    def _serve(self) -> None:
        while True:
            try:
                asker = self._listener.accept()[0]
            except OSError:
                return
            with asker:
                if asker.recv(1) == b"s":
                    self._windows.sign_in(SOMEBODY)
                else:
                    self._windows.left_alone(IDLE)


class Before(NamedTuple):
    """What is to be given back."""

    registry: str
    disk: str
    definition: str
    running: bool


class Kit:
    """A simulated guest that the kit may break, and the kit."""

    def __init__(self, bed: Bed, windows: DiskBoundWindows, person: Person) -> None:
        self.bed, self.windows, self.person = bed, windows, person

    def inventory(self, variables: Mapping[str, Any] = NOTHING) -> Inventory:
        """As docs/fleet.md describes it."""
        here = {
            "ansible_connection": "local",
            "ansible_python_interpreter": HYPERVISOR_PYTHON,
            "domain_shutdown_uri": self.bed.daemon.uri,
            "domain_shutdown_evidence_dir": str(self.bed.directory / "evidence"),
        }
        guest = {
            **self.windows.variables,
            "ansible_password": self.windows.password,
            "ansible_winrm_connection_timeout": 200,
            "winguest_domain": self.windows.name,
            "acceptance_images": str(self.bed.directory),
            **QUICK,
            **self.person.variables,
            **variables,
        }
        return {"hypervisors": {"hosts": {"here": here}}, "windows": {"hosts": {HOST: guest}}}

    @property
    def kept(self) -> list[Path]:
        """The folders in which domains are kept now."""
        return list(self.bed.directory.glob("winguest-acceptance-*"))

    def before(self) -> Before:
        """What the guest is like; its network must be up."""
        registry = sorted((key, sorted(values.items())) for key, values in contents(self.windows).items())
        domain = self.bed.connection.lookupByName(self.windows.name)
        definition = ET.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        for record in definition.findall("metadata"):
            definition.remove(record)  # a shutdown that the kit asked for is on record
        return Before(
            hashlib.sha256(repr(registry).encode()).hexdigest(),
            hashlib.sha256(self.bed.disk(self.windows.name).read_bytes()).hexdigest(),
            ET.tostring(definition, encoding="unicode"),
            bool(domain.isActive()),
        )

    def is_up(self) -> None:
        """Wait until the guest answers from its own disk."""
        self.windows.control.wait_until(lambda: self.windows.control.reachable, 60)

    def run(self, folder: Path, show: bool = False, **variables: Any) -> tuple[Run, dict[str, Any]]:
        """The whole kit, and its report."""
        inventory = self.inventory({"acceptance_report_folder": str(folder), **variables})
        leave = ("-e", f"acceptance_guest_may_be_lost={HOST}")
        run = play(inventory, PLAYBOOK, *leave, show=show, timeout=None)
        report = folder / "acceptance-report.json"
        return run, json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}


@contextlib.contextmanager
def kit(bed: Bed, name: str) -> Iterator[Kit]:
    """A guest that runs, as nobody has mended it, and the kit."""
    guest = DiskBoundWindows(bed, name, SERVER_2022, registry=OBEDIENT, situation=Situation(takes=10))
    with guest as windows, Person(windows) as person:
        domain = windows.start()
        try:
            yield Kit(bed, windows, person)
        finally:
            with contextlib.suppress(Exception):
                domain.destroy()


def wrong(report: dict[str, Any]) -> list[str]:
    """Claims that should have been held by the simulated guest, and were not."""
    return [
        f"{claim['id']}: {claim['verdict']}: {claim['why']} ({claim['seen']})"
        for claim in report["claims"]
        if claim["verdict"] == "not held" or (claim["verdict"] == "not tried") != (claim["id"] in SIMULATED_DAMAGE)
    ]


def main() -> int:
    """Run the kit; 0 when all is as claimed and the guest was given back."""
    if sys.argv[1:] == ["--page"]:
        seen_page.PAGE.write_text(seen_page.page(seen_page.reports()), encoding="utf-8")
        return 0
    began = time.monotonic()
    with Bed() as bed, kit(bed, "acceptance") as one, tempfile.TemporaryDirectory(prefix="winguest-kit-") as folder:
        before = one.before()
        run, report = one.run(Path(folder), show=True)
        one.is_up()
        after = one.before()
    told = [*wrong(report)] if report else ["there is no report"]
    if before != after:
        told.append(f"the guest was not given back as it was: {before} {after}")
    if run.status != 0:
        told.append(f"the playbook ended with status {run.status}")
    print(f"It took {time.monotonic() - began:.0f} s.")
    for line in told:
        print(f"NOT AS EXPECTED: {line}", file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
