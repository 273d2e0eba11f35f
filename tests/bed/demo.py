# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demonstration: real guests on a private libvirt, each of another behaviour, shut down by the playbook."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import Any, NamedTuple

import checkout
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_names as names

from bed.guests import AcpiGuest, AgentGuest, Bed, Guest
from bed.module import HYPERVISOR_PYTHON

EVIDENCE = checkout.CACHE / "demo-evidence"
REPORT = checkout.CACHE / "demo-report"
CLOCKS = {"timeout": 20, "accept_timeout": 8, "press_interval": 4, "stall_timeout": 6, "poll_interval": 2}
"""Seconds. A demonstration should not take the hour that a real updating guest may take, so the clocks are short."""


class Shown(NamedTuple):
    """A guest, its own options, and libvirt's state and reason for it afterwards (None where it does not matter)."""

    guest: Guest
    options: dict[str, str]
    state: str
    reason: str | None


GUESTS = [
    Shown(AcpiGuest("obedient", "press=obey delay=1500"), {}, "shutoff", "shutdown"),
    Shown(AcpiGuest("display-off", "press=obey presses=2"), {}, "shutoff", "shutdown"),
    Shown(AcpiGuest("asleep", "press=obey sleep=200"), {}, "shutoff", "shutdown"),
    Shown(AcpiGuest("updating", "press=update write=35000"), {"on_timeout": "force"}, "shutoff", "shutdown"),
    Shown(AcpiGuest("hung-force", "press=hang"), {"on_timeout": "force"}, "shutoff", "destroyed"),
    Shown(AcpiGuest("hung-leave", "press=hang"), {}, "running", None),
    Shown(AcpiGuest("ignores-save", "press=ignore"), {"on_timeout": "save"}, "shutoff", "saved"),
    Shown(AgentGuest("with-agent", "agent=obey button=ignore"), {}, "shutoff", "shutdown"),
    Shown(AcpiGuest("restart-trap", on_poweroff="restart"), {}, "running", None),
]


def start(bed: Bed) -> None:
    """Start the guests and wait until each is as its name says."""
    bed.start(*(shown.guest for shown in GUESTS))
    for shown in GUESTS:
        ready = "guest: ready" if isinstance(shown.guest, AgentGuest) else "ready"
        bed.wait_for(shown.guest.name, ready, timeout=90)
    bed.wait_for("asleep", "sleep")


def inventory(bed: Bed) -> dict[str, object]:
    """This machine as the one hypervisor, with the role's variables."""
    variables = {
        "domain_shutdown_uri": bed.daemon.uri,
        "domain_shutdown_domains": [{"name": shown.guest.name, **shown.options} for shown in GUESTS],
        "domain_shutdown_evidence_dir": str(EVIDENCE),
        "shutdown_report_folder": str(REPORT),
        **{f"domain_shutdown_{name}": value for name, value in CLOCKS.items()},
    }
    host = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
    return {"hypervisors": {"hosts": {"this-machine": host}, "vars": variables}}


def shut_down(bed: Bed) -> None:
    """Run the playbook as a user would; what it says goes to the screen."""
    path = bed.directory / "inventory.json"
    path.write_text(json.dumps(inventory(bed)))
    command = [sys.executable, "-m", "ansible", "playbook", "--inventory", str(path), "winguest.shutdown.shutdown"]
    subprocess.run(command, env=checkout.ansible_environment(), check=False, stdin=subprocess.DEVNULL)


def differences(bed: Bed) -> list[str]:
    """Where libvirt, asked by itself, sees a guest otherwise than it should be by now."""
    wrong = []
    for guest, dummy, state, reason in GUESTS:
        found: Any = bed.connection.lookupByName(guest.name).state()
        seen = names.state_seen(found[0], found[1], -1)
        if seen.state != state or reason not in (None, seen.reason):
            wrong.append(f"{guest.name} is {seen.state} ({seen.reason}) and should be {state} ({reason or 'any'})")
    return wrong


def main() -> int:
    """Run the demonstration; 0 when every guest ended as it should."""
    began = time.monotonic()
    shutil.rmtree(EVIDENCE, ignore_errors=True)
    with Bed() as bed:
        print(f"Starting {len(GUESTS)} guests on a private libvirt in {bed.daemon.directory}", flush=True)
        start(bed)
        print(
            f"They are up after {time.monotonic() - began:.0f} s. Shutting them down; two are meant to fail.",
            flush=True,
        )
        shut_down(bed)
        wrong = differences(bed)
    print(f"Done after {time.monotonic() - began:.0f} s. The evidence of the forced guest is in {EVIDENCE}")
    print(f"The report is {REPORT}/shutdown-report.html")
    for line in wrong:
        print(f"NOT AS EXPECTED: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
