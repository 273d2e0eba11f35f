# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What guest_readiness asks of a guest's connection, next to the same settings as ansible.windows.win_regedit tasks.

Both are run by the same ansible-core over its own winrm connection (NTLM, encrypted messages) against the same WinRM
endpoint of the same simulated Windows guest, which counts. The guest is new for every run, and everything that the
catalogue enforces is wrong in it, in the registry, in every power scheme and in every profile. guest_readiness works
on that registry. win_regedit needs PowerShell, which the simulated guest does not have; see _peer.py for what answers
in its place. So its requests and bytes to the guest are real, and its seconds are those of Ansible and of the protocol
alone, while those of guest_readiness have all the work of the guest in them.

Then a fleet: many such guests in one ansible-playbook, each with an endpoint of its own, which give the answers that
one simulated guest has given before (see _replayed.py, which says why). Neither side's guests do any work here, so
these seconds are those of Ansible, of the protocol and of the endpoints, all on this machine. win_regedit sets a few
of the settings in each guest; what all of them would take is counted from that, each task being like the other, less
what ansible-playbook takes for nothing at all, which it takes once.

Where the time goes: the seconds of guest_readiness on one guest are nearly all the guest's programs (here Wine's), and
the start of ansible-playbook. What one more guest costs the controller is a worker that is forked and loads pywinrm,
and 30 ms to 40 ms of a processor in it: most of that are eight messages (XML, NTLM with its three round trips,
encryption; requests looks through all environment variables for proxies each time), and the rest is putting the
questions into two command lines, the reading of the answers and the findings. No module is packed or sent.
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
from bed.windows.endpoint import Limits, Settings, WinrmEndpoint
from bed.windows.guest import HIVE, SimulatedWindows
from bed.windows.places import STORED, Place, changes, places
from bed.windows.prefix import USER, WINE
from bed.windows.systems import SERVER_2022, USERS
from benchmark import _peer
from benchmark._measured import Machine, describe, medians, new_parser, positive, said_version, void
from benchmark._replayed import Answer, Host, Recorder, fleet

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

OURS, PEERS = (AUDIT, REMEDIATION, AGAIN), (TASKS, LOOP)
NOTHING = "ansible-playbook, which does nothing"
"""What the fleet is measured with besides, for it is in the seconds of every side."""

PATIENCE = 200
"""Seconds for which a request waits for the output of a command. If it ended sooner, and pywinrm asked again, counts
would depend on how busy this machine is."""

LIMIT = 1800.0
PASSWORD = "Sommer 2026 & mehr"
"""That of the guests of the fleet."""


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
    """A simulated Windows guest in which everything that is enforced is wrong. A recorder notes what it answers."""

    def __init__(self, bed: Bed, name: str, **options: Any) -> None:
        self._modules = 0
        self.recorder: Recorder | None = None
        wrong = merged(*(changes(row, not_wanted(row)) for row in ENFORCED))
        options = {"start_in": self._start, "limits": Limits(max_timeout=PATIENCE), **options}
        self.windows = SimulatedWindows(bed, name, SERVER_2022, registry=wrong, **options)

    def _start(self, line: str, dummy: Settings) -> subprocess.Popen[bytes]:
        if _peer.is_powershell(line):
            self._modules += 1
            return _peer.answer()
        return self.recorder.start(line) if self.recorder else self.windows.wine.start(line)

    def run(self, side: str, peer_settings: Sequence[Setting]) -> Result:
        """Let one of the sides do its work, and see that it did."""
        self._modules = 0
        network = self.windows.network
        network.forget_requests()
        began = time.monotonic()
        run = _play(self.windows.bed.directory, {"guest": self.variables}, _tasks(side, peer_settings))
        whole = time.monotonic() - began
        result = _result([network.endpoint], whole, run, side)
        _see_that_it_did(side, run, 1, len(peer_settings), self._modules)
        return result

    @property
    def variables(self) -> dict[str, Any]:
        """Ansible's for its host."""
        windows = self.windows
        patience = {"ansible_winrm_connection_timeout": PATIENCE}
        return {**windows.variables, "ansible_password": windows.password, **patience}


def _result(endpoints: Sequence[WinrmEndpoint], whole: float, run: Run, side: str) -> Result:
    """What was counted at these endpoints; what has failed makes the benchmark void."""
    requests = [request for endpoint in endpoints for request in endpoint.requests]
    failed = [f"{request.action} {request.status}" for request in requests if request.status != 200]
    open_shells = sum(endpoint.open_shells for endpoint in endpoints)
    if run.status or failed or open_shells:
        void(
            f"ansible-playbook ended with status {run.status} ({side}), {len(failed)} requests failed {failed[:20]}, "
            f"{open_shells} shells are open:\n{run.output}"
        )
    times = [request.time for request in requests] or [0.0]
    counted = Counted(
        requests=len(requests),
        round_trips=len(requests) + sum(endpoint.handshakes for endpoint in endpoints),
        to_guest=sum(request.received for request in requests),
        from_guest=sum(request.sent for request in requests),
        connected=max(times) - min(times),
        whole=whole,
    )
    return Result(counted, Counter(request.action for request in requests))


def _play(folder: Path, hosts: Mapping[str, Mapping[str, Any]], tasks: list[dict[str, Any]], *arguments: str) -> Run:
    """Run the tasks on these hosts, with the peer's collection at hand."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        Path(name, "collections").symlink_to(_peer.COLLECTIONS, target_is_directory=True)
        playbook = Path(name, "playbook.json")
        playbook.write_text(json.dumps([{"hosts": "windows", "gather_facts": False, "tasks": tasks}]))
        return play({"windows": {"hosts": hosts}}, str(playbook), *arguments, timeout=LIMIT)


def run_fleet(folder: Path, hosts: Sequence[Host], side: str, peer_settings: Sequence[Setting], forks: int) -> Result:
    """Let one of the sides do its work on all of a fleet's guests at once."""
    for host in hosts:
        host.guest.modules = 0
        host.endpoint.reset()
    variables = {
        f"guest-{number}": {
            "ansible_connection": "winrm",
            "ansible_host": "127.0.0.1",
            "ansible_port": host.endpoint.port,
            "ansible_user": host.endpoint.user,
            "ansible_password": PASSWORD,
            "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": "ntlm",
            "ansible_winrm_connection_timeout": PATIENCE,
        }
        for number, host in enumerate(hosts)
    }
    began = time.monotonic()
    run = _play(folder, variables, _tasks(side, peer_settings), "--forks", str(forks))
    whole = time.monotonic() - began
    result = _result([host.endpoint for host in hosts], whole, run, side)
    _see_that_it_did(side, run, len(hosts), len(peer_settings), sum(host.guest.modules for host in hosts))
    return result


def _tasks(side: str, peer_settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """The tasks of a side."""
    if side == NOTHING:
        return [{"ansible.builtin.meta": "noop"}]
    if side not in PEERS:
        return [{f"winguest.shutdown.{AUDIT if side == AUDIT else REMEDIATION}": {}}]
    parameters = [setting.parameters for setting in peer_settings]
    if side == TASKS:
        return [{"ansible.windows.win_regedit": one} for one in parameters]
    looped = {name: f"{{{{ item.{name} }}}}" for name in ("path", "name", "type", "data")}
    looped["hive"] = "{{ item.hive | default(omit) }}"
    return [{"ansible.windows.win_regedit": looped, "loop": parameters}]


def _see_that_it_did(side: str, run: Run, guests: int, peer_settings: int, modules: int) -> None:
    """A side that did not do its work in each of the guests makes the benchmark void."""
    if side == NOTHING:
        return
    if side in PEERS:
        if modules != guests * peer_settings:
            void(f"{side} ran {modules} modules in PowerShell, for {peer_settings} settings in {guests} guests")
        return
    if len(run.tasks) != guests:
        void(f"{side} ended on {len(run.tasks)} of {guests} guests:\n{run.output}")
    for task in run.tasks:
        told = [one for one in task.result.get("findings", []) if one["state"] in ("fixed", "differs")]
        enforced = {row.id for row in ENFORCED}
        found = sorted((one["id"], one["location"]) for one in told if one["id"] in enforced)
        expected = [] if side == AGAIN else sorted((row.id, place.location) for row, place in SETTINGS)
        if found != expected or task.result["changed"] != (side == REMEDIATION):
            void(
                f"{side} has not found or mended what it should have in {task.host}; it found {found}, and not "
                f"{expected}:\n{run.output}"
            )


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
class Fleet:
    """Guests at once; peer_settings: those that win_regedit sets in each. One guest is no fleet."""

    guests: int
    forks: int
    peer_settings: int


@dataclass(frozen=True)
class Measurement:
    """All that was measured."""

    machine: Machine
    peer_settings: int
    runs: Mapping[str, Sequence[Result]]
    ungathered: Mapping[str, Result]
    """One more run, with an endpoint that does not gather output; empty where that was not asked for."""
    fleet: Fleet
    fleet_runs: Mapping[str, Sequence[Result]]
    """The same sides on the guests of the fleet; empty where there is none."""


def measure(runs: int, peer_settings: Sequence[Setting], ungathered: bool, many: Fleet) -> Measurement:
    """All sides, on a new guest in each run, and then on a fleet."""
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
        fleet_results = _measure_fleet(bed, runs, many) if many.guests > 1 else {}
    return Measurement(machine, len(peer_settings), results, once_more, many, fleet_results)


def _measure_fleet(bed: Bed, runs: int, many: Fleet) -> dict[str, list[Result]]:
    """All sides on a fleet, which is a new one in each run."""
    answers = record(bed)
    results: dict[str, list[Result]] = {side: [] for side in (NOTHING, *SIDES)}
    peer_settings = some_settings(many.peer_settings)
    for run in range(runs):
        with (
            tempfile.TemporaryDirectory(dir=bed.directory) as name,
            fleet(many.guests, answers, Path(name), USER, PASSWORD, PATIENCE) as hosts,
        ):
            for side in results:
                result = run_fleet(Path(name), hosts, side, peer_settings, many.forks)
                results[side].append(result)
                _say(f"run {run + 1} of {runs}, {many.guests} guests", side, result)
    return results


def record(bed: Bed, sides: Sequence[str] = OURS) -> list[Answer]:
    """What a new guest is asked by these sides, one after the other, and what it answers."""
    with new_guest(bed, "recorded") as guest, tempfile.TemporaryDirectory(dir=bed.directory) as folder:
        guest.recorder = Recorder(guest.windows.wine.start, Path(folder))
        for side in sides:
            guest.run(side, ())
        return guest.recorder.answers


def _all_sides(guest: Guest, peer_settings: Sequence[Setting], told: str) -> Iterator[tuple[str, Result]]:
    for side in SIDES:
        result = guest.run(side, peer_settings)
        _say(told, side, result)
        yield side, result


def _say(told: str, side: str, result: Result) -> None:
    print(f"{told}: {side:<35}{result.counted.requests:6} requests {result.counted.whole:7.1f} s", flush=True)


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
        "fleet": _fleet_document(measured) if measured.fleet_runs else None,
    }


def _fleet_document(measured: Measurement) -> dict[str, Any]:
    """The same of the fleet. all_settings: the seconds for all settings, of the peer counted from those that it set."""
    counted = {side: [result.counted for result in results] for side, results in measured.fleet_runs.items()}
    middle = medians(counted)
    nothing, times = middle[NOTHING]["whole"], len(SETTINGS) / measured.fleet.peer_settings

    def all_settings(side: str, name: str, once: float) -> float:
        return once + (middle[side][name] - once) * (times if side in PEERS else 1)

    whole = {side: all_settings(side, "whole", nothing) for side in SIDES}
    asked = {side: all_settings(side, "requests", 0.0) for side in SIDES}
    return {
        **asdict(measured.fleet),
        "runs": {side: [asdict(one) for one in runs] for side, runs in counted.items()},
        "medians": middle,
        "all_settings": whole,
        "ratios": {side: whole[side] / whole[REMEDIATION] for side in SIDES},
        "request_ratios": {side: asked[side] / asked[REMEDIATION] for side in SIDES},
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

FLEET_HEADINGS = (
    *("", "settings", "requests", "round trips", "MiB to guests", "MiB from guests", "seconds"),
    *("seconds for all settings", "x requests", "x seconds"),
)
FLEET = """
{guests} guests in one ansible-playbook with {forks} forks. They give recorded answers, and none of them does any work.
settings: those that were set in each. seconds: ansible-playbook from start to end, of which it takes {nothing:.1f} s
for nothing at all. Where win_regedit set fewer than {settings}, the seconds for all of them are counted from those.
x: times guest_readiness, for all settings.
"""

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
    return "\n".join(
        [*measured.machine.told, guest, "", medians_of, "", *_table(rows), "", notes, *_fleet_lines(numbers["fleet"])]
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in rows]


def _fleet_lines(numbers: Mapping[str, Any] | None) -> Iterator[str]:
    """What a reader wants to know of the fleet."""
    if numbers is None:
        return
    rows: list[tuple[str, ...]] = [FLEET_HEADINGS, ("---",) * len(FLEET_HEADINGS)]
    nothing = numbers["medians"][NOTHING]["whole"]
    for side in SIDES:
        middle = numbers["medians"][side]
        counted = "about " if side in PEERS and numbers["peer_settings"] < len(SETTINGS) else ""
        rows.append(
            (
                side,
                str(numbers["peer_settings"] if side in PEERS else len(SETTINGS)),
                *(f"{middle[name]:g}" for name in ("requests", "round_trips")),
                *(f"{middle[name] / 2**20:.1f}" for name in ("to_guest", "from_guest")),
                f"{middle['whole']:.1f}",
                f"{counted}{numbers['all_settings'][side]:.0f}",
                f"{numbers['request_ratios'][side]:.1f}",
                f"{numbers['ratios'][side]:.1f}",
            )
        )
    yield FLEET.format(guests=numbers["guests"], forks=numbers["forks"], settings=len(SETTINGS), nothing=nothing)
    yield from _table(rows)


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
    parser.add_argument("--guests", type=positive, default=50, help="in the fleet; 1: no fleet (%(default)s)")
    parser.add_argument("--forks", type=positive, default=20, help="Ansible's for the fleet (%(default)s)")
    parser.add_argument(
        "--fleet-settings",
        type=positive,
        default=3,
        help="how many of the settings win_regedit is to set in each guest of the fleet (%(default)s)",
    )
    arguments = parser.parse_args()
    many = Fleet(arguments.guests, arguments.forks, min(arguments.fleet_settings, len(SETTINGS)))
    measured = measure(arguments.runs, some_settings(arguments.peer_settings), arguments.ungathered, many)
    print(f"\n{tables(measured)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(document(measured), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
