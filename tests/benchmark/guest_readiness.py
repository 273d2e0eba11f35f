# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What guest_readiness asks of a guest's connection, next to the same settings as ansible.windows.win_regedit tasks.

Both are run by the same ansible-core over its own winrm connection (NTLM, encrypted messages) against the same WinRM
endpoint of the same simulated Windows guest, which counts. The guest is new for every run, and everything that the
catalogue enforces is wrong in it, in the registry, in every power scheme and in every profile. guest_readiness works
on that registry. win_regedit needs PowerShell, which the simulated guest does not have; see _peer.py for what answers
in its place. So its requests and bytes to the guest are real, and its seconds are those of Ansible and of the protocol
alone, while those of guest_readiness have all the work of the guest in them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import ansible.release
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data, Row
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from bed.ansible_run import Run, play
from bed.guests import Bed
from bed.windows import power
from bed.windows.blockers import merged
from bed.windows.endpoint import Limits, Settings
from bed.windows.guest import HIVE, SimulatedWindows
from bed.windows.places import STORED, Place, changes, places
from bed.windows.prefix import WINE
from bed.windows.systems import SERVER_2022, USERS
from benchmark import _peer
from benchmark._measured import Machine, describe, medians, new_parser, positive, said_version, void

ENFORCED = [row for row in ROWS if row.enforced]
NOT_WANTED: tuple[Data, ...] = (0, 1, 7200, "0", "1")
"""Of these, the first of the right type that a row does not want is what its value is set to beforehand."""

TYPES = {"REG_DWORD": "dword", "REG_SZ": "string"}
HIVES = {profile.sid: rf"{profile.folder}\{HIVE}" for profile in STORED}
LOADED_HIVE = r"HKLM:\ANSIBLE"
"""Where win_regedit loads a hive from a file."""

AUDIT, REMEDIATION, AGAIN = "guest_readiness_info", "guest_readiness", "guest_readiness again"
TASKS, LOOP = "win_regedit, one task each", "win_regedit, one task with a loop"
SIDES = {
    AUDIT: "the audit alone",
    REMEDIATION: "audit, remediation and read-back",
    AGAIN: "a second run, which changes nothing",
    TASKS: "the same settings, each written without a look at anything else",
    LOOP: "the same, all in one connection",
}
"""In the order in which a guest gets them: only the second changes anything."""

PEERS = (TASKS, LOOP)
PATIENCE = 200
"""Seconds for which a request waits for the output of a command. If it ended sooner, and pywinrm asked again, counts
would depend on how busy this machine is."""

LIMIT = 600.0


class Setting(NamedTuple):
    """One value that is enforced, in one place."""

    row: Row
    place: Place

    @property
    def parameters(self) -> dict[str, Any]:
        """It as win_regedit wants to be told."""
        place = self.place
        root, owner, rest = place.key.split("\\", 2)
        value = {"name": place.name, "type": TYPES[place.type], "data": self.row.desired.data}
        if root == "HKU" and owner in HIVES:
            return {"path": rf"{LOADED_HIVE}\{rest}", "hive": HIVES[owner], **value}
        return {"path": rf"{root}:\{owner}\{rest}", **value}


SETTINGS = [Setting(row, place) for row in ENFORCED for place in places(row)]


@dataclass(frozen=True)
class Counted:
    """What one side asked of the endpoint in one run. Bytes are those of the bodies of the messages."""

    requests: int
    round_trips: int
    to_guest: int
    from_guest: int
    connected: float
    whole: float


class Result(NamedTuple):
    """One run: what was counted, and the requests by action."""

    counted: Counted
    actions: Counter[str]


def not_wanted(row: Row) -> Data:
    """What a row does not want."""
    kind = type(row.desired.data)
    return next(data for data in NOT_WANTED if isinstance(data, kind) and not row.desired.accepts(data))


class Guest:
    """A simulated Windows guest in which everything that is enforced is wrong."""

    def __init__(self, bed: Bed, name: str, **options: Any) -> None:
        self._modules = 0
        wrong = merged(*(changes(row, not_wanted(row)) for row in ENFORCED))
        options = {"start_in": self._start, "limits": Limits(max_timeout=PATIENCE), **options}
        self.windows = SimulatedWindows(bed, name, SERVER_2022, registry=wrong, **options)

    def _start(self, line: str, dummy: Settings) -> subprocess.Popen[bytes]:
        if _peer.is_powershell(line):
            self._modules += 1
            return _peer.answer()
        return self.windows.wine.start(line)

    def run(self, side: str, peer_settings: Sequence[Setting]) -> Result:
        """Let one of the sides do its work, and see that it did."""
        self._modules = 0
        network = self.windows.network
        network.forget_requests()
        began = time.monotonic()
        run = self._play(_tasks(side, peer_settings))
        whole = time.monotonic() - began
        requests, handshakes = network.requests, network.endpoint.handshakes
        failed = [f"{request.action} {request.status}" for request in requests if request.status != 200]
        if run.status or failed or network.endpoint.open_shells:
            void(
                f"ansible-playbook ended with status {run.status} ({side}), {len(failed)} requests failed {failed}, "
                f"{network.endpoint.open_shells} shells are open:\n{run.output}"
            )
        _see_that_it_did(side, run, len(peer_settings), self._modules)
        counted = Counted(
            requests=len(requests),
            round_trips=len(requests) + handshakes,
            to_guest=sum(request.received for request in requests),
            from_guest=sum(request.sent for request in requests),
            connected=requests[-1].time - requests[0].time,
            whole=whole,
        )
        return Result(counted, Counter(request.action for request in requests))

    def _play(self, tasks: list[dict[str, Any]]) -> Run:
        variables = {
            **self.windows.variables,
            "ansible_password": self.windows.password,
            "ansible_winrm_connection_timeout": PATIENCE,
        }
        inventory = {"windows": {"hosts": {"guest": variables}}}
        with tempfile.TemporaryDirectory(dir=self.windows.bed.directory) as folder:
            Path(folder, "collections").symlink_to(_peer.COLLECTIONS, target_is_directory=True)
            playbook = Path(folder, "playbook.json")
            playbook.write_text(json.dumps([{"hosts": "windows", "gather_facts": False, "tasks": tasks}]))
            return play(inventory, str(playbook), timeout=LIMIT)


def _tasks(side: str, peer_settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """The tasks of a side."""
    if side not in PEERS:
        return [{f"winguest.shutdown.{AUDIT if side == AUDIT else REMEDIATION}": {}}]
    parameters = [setting.parameters for setting in peer_settings]
    if side == TASKS:
        return [{"ansible.windows.win_regedit": one} for one in parameters]
    looped = {name: f"{{{{ item.{name} }}}}" for name in ("path", "name", "type", "data")}
    looped["hive"] = "{{ item.hive | default(omit) }}"
    return [{"ansible.windows.win_regedit": looped, "loop": parameters}]


def _see_that_it_did(side: str, run: Run, peer_settings: int, modules: int) -> None:
    """A side that did not do its work makes the benchmark void."""
    if side in PEERS:
        if modules != peer_settings:
            void(f"{side} ran {modules} modules in PowerShell, for {peer_settings} settings")
        return
    (task,) = run.tasks
    found = [(one["id"], one["location"]) for one in task.result["findings"] if one["state"] in ("fixed", "differs")]
    enforced = {row.id for row in ENFORCED}
    found = sorted(one for one in found if one[0] in enforced)
    expected = [] if side == AGAIN else sorted((row.id, place.location) for row, place in SETTINGS)
    if found != expected or task.result["changed"] != (side == REMEDIATION):
        void(f"{side} has not found or mended what it should have; it found {found}, and not {expected}")


@contextmanager
def new_guest(bed: Bed, name: str, **options: Any) -> Iterator[Guest]:
    """Such a guest, started, and taken away afterwards."""
    guest = Guest(bed, name, **options)
    with guest.windows:
        domain = guest.windows.start()
        try:
            yield guest
        finally:
            domain.destroy()


@dataclass(frozen=True)
class Measurement:
    """All that was measured."""

    machine: Machine
    peer_settings: int
    runs: Mapping[str, Sequence[Result]]
    ungathered: Mapping[str, Result]
    """One more run, with an endpoint that does not gather output; empty where that was not asked for."""


def measure(runs: int, peer_settings: Sequence[Setting], ungathered: bool) -> Measurement:
    """All sides, on a new guest in each run."""
    machine = describe(versions(_peer.fetch()))
    results: dict[str, list[Result]] = {side: [] for side in SIDES}
    with Bed() as bed:
        for run in range(runs):
            with new_guest(bed, f"run-{run + 1}") as guest:
                for side, result in _all_sides(guest, peer_settings, f"run {run + 1} of {runs}"):
                    results[side].append(result)
        once_more: dict[str, Result] = {}
        if ungathered:
            with new_guest(bed, "ungathered", gather=0.0) as guest:
                once_more.update(_all_sides(guest, peer_settings, "without gather"))
    return Measurement(machine, len(peer_settings), results, once_more)


def _all_sides(guest: Guest, peer_settings: Sequence[Setting], told: str) -> Iterator[tuple[str, Result]]:
    for side in SIDES:
        result = guest.run(side, peer_settings)
        print(f"{told}: {side:<35}{result.counted.requests:5} requests {result.counted.whole:7.1f} s", flush=True)
        yield side, result


def some_settings(count: int) -> list[Setting]:
    """So many of them, of all kinds."""
    count = min(count, len(SETTINGS))
    return [SETTINGS[index * len(SETTINGS) // count] for index in range(count)]


def versions(collection: str) -> dict[str, str]:
    """Those of what takes part."""
    return {
        "ansible-core": ansible.release.__version__,
        "ansible.windows": collection,
        "pywinrm": metadata.version("pywinrm"),
        "Python": said_version(sys.executable),
        "Wine": said_version(WINE),
    }


def document(measured: Measurement) -> dict[str, Any]:
    """What was measured, for programs."""
    counted = {side: [result.counted for result in results] for side, results in measured.runs.items()}
    middle = medians(counted)
    settings = {side: measured.peer_settings if side in PEERS else len(SETTINGS) for side in SIDES}
    per_setting = {side: middle[side]["requests"] / settings[side] for side in SIDES}
    return {
        "machine": asdict(measured.machine),
        "settings": settings,
        "runs": {side: [asdict(one) for one in runs] for side, runs in counted.items()},
        "medians": middle,
        "ratios": {side: per_setting[side] / per_setting[REMEDIATION] for side in SIDES},
        "actions": {side: dict(results[0].actions) for side, results in measured.runs.items()},
        "without gather": {side: asdict(result.counted) for side, result in measured.ungathered.items()},
    }


POWERSHELL = " + PowerShell"
HEADINGS = ("", "settings", "requests", "x", "round trips", "KiB to guest", "KiB from guest", "connected", "whole")

NOTES = """\
settings: values that are wrong and enforced, in all their places. requests: those of WS-Management that the endpoint
has answered. x: requests per setting, times those of guest_readiness. round trips: requests, and HTTP round trips that
only authenticate. KiB: bodies of the messages, encrypted. connected: first to last request. whole: ansible-playbook
from start to end.

win_regedit: {per_task} requests a task ({actions}), which are those that
ansible-core sends for the real module of ansible.windows. Its answers are made up, and PowerShell does not run: ON A
REAL GUEST POWERSHELL'S TIME COMES ON TOP of its seconds, once for each setting. In those of guest_readiness is all the
work of the guest's programs, as Wine does it. guest_readiness also reads the rest of the catalogue, sets power settings
through powercfg and activates them, and reads again what it has set; win_regedit sets values, and that is all.

pywinrm waits up to {timeout} s for the output of a command here. Unless it is told to, it asks again every 20 s, which
is one more request for each 20 s that a command takes, on either side."""

GATHER = """
gather: the endpoint keeps a Receive that has output for up to 0.05 s, in case the command ends meanwhile. It is not
known of Windows, and keeps the counts from depending on this machine's scheduler. Without it, in one more run:
"""


def tables(measured: Measurement) -> str:
    """What a reader wants to know."""
    numbers = document(measured)
    rows: list[tuple[str, ...]] = [HEADINGS, ("---",) * len(HEADINGS)]
    for side, told in SIDES.items():
        middle = numbers["medians"][side]
        rows.append(
            (
                f"{side}: {told}",
                str(numbers["settings"][side]),
                _range([one["requests"] for one in numbers["runs"][side]], middle["requests"]),
                f"{numbers['ratios'][side]:.1f}",
                f"{middle['round_trips']:g}",
                *(f"{middle[name] / 1024:.0f}" for name in ("to_guest", "from_guest")),
                *(f"{middle[name]:.1f} s{POWERSHELL if side in PEERS else ''}" for name in ("connected", "whole")),
            )
        )
    tasks = measured.peer_settings
    actions = [f"{count / tasks:g} {action}" for action, count in numbers["actions"][TASKS].items()]
    notes = NOTES.format(
        per_task=f"{numbers['medians'][TASKS]['requests'] / tasks:g}",
        actions=", ".join(actions),
        timeout=PATIENCE,
    )
    ungathered = [f"{side}: {counted['requests']}" for side, counted in numbers["without gather"].items()]
    if ungathered:
        notes += f"\n{GATHER}{'; '.join(ungathered)}"
    guest = (
        f"Simulated {SERVER_2022.name} with {len(power.SCHEMES)} power schemes, and the profiles of {len(USERS)} users,"
        " of the administrator who connects, of new users and of the sign-in screen"
    )
    medians_of = f"Medians (lowest to highest where they differ); runs: {len(numbers['runs'][REMEDIATION])}"
    table = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([*measured.machine.told, guest, "", medians_of, "", *table, "", notes])


def _range(values: Sequence[int], middle: float) -> str:
    return f"{middle:g}" if min(values) == max(values) else f"{middle:g} ({min(values)} to {max(values)})"


def main() -> int:
    """Measure, and print what was measured."""
    parser = new_parser("guest_readiness", __doc__, runs=3)
    parser.add_argument(
        "--peer-settings",
        type=positive,
        default=len(SETTINGS),
        help="how many of the settings win_regedit is to set (%(default)s)",
    )
    parser.add_argument(
        "--ungathered",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run once more with an endpoint that does not gather output (yes)",
    )
    arguments = parser.parse_args()
    measured = measure(arguments.runs, some_settings(arguments.peer_settings), arguments.ungathered)
    print(f"\n{tables(measured)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(document(measured), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
