# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs molecule so that what it tests is this checkout, and reads from its output what it has really done.

    with Molecule() as molecule:
        run = molecule.run("test", "--all")

Three runs of molecule are green and have tested nothing: one that was not started in the root of the collection, and so
knows no hosts; one that finds a copy of the collection in the home folder; one whose plays match no host. Here molecule
is started in the root, with a home folder of its own, and whoever reads `Run.steps` sees the hosts and tasks of each.
The bed that its scenario "default" makes ends with the process that has entered the Molecule, in whatever way that is.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import checkout

from bed import molecule_bed

SCENARIOS = checkout.ROOT / "extensions" / "molecule"
PLAYBOOKS = ("converge", "idempotence", "verify", "cleanup")
"""The steps of a scenario, in their order."""

BEGINS = re.compile(r"^INFO +\[(?P<scenario>\S+) > (?P<action>\S+)\] Executing$")
ENDS = re.compile(r"^[A-Z]+ +\[(?P<scenario>\S+) > (?P<action>\S+)\] Executed: (?P<how>\w+)")
RECAP = re.compile(
    r"^(?P<host>\S+) +: ok=(?P<ok>\d+) +changed=(?P<changed>\d+)"
    r" +unreachable=(?P<unreachable>\d+) +failed=(?P<failed>\d+)"
)


class Host(NamedTuple):
    """How many tasks of a host ended how; ok: also those that changed something."""

    ok: int
    changed: int
    unreachable: int
    failed: int


class Step(NamedTuple):
    """A step of a scenario; how: molecule's own word for its end. No hosts: none was matched, or nothing was run."""

    scenario: str
    action: str
    how: str
    hosts: dict[str, Host]

    @property
    def worked(self) -> bool:
        """Whether tasks ran on a host, and all went well."""
        ran = bool(self.hosts) and all(
            host.ok and not (host.failed or host.unreachable) for host in self.hosts.values()
        )
        return ran and self.how == "Successful"


class Run(NamedTuple):
    """A run of molecule that has ended."""

    status: int
    output: str

    @property
    def steps(self) -> list[Step]:
        """What it has done."""
        return list(steps(self.output.splitlines()))


def steps(lines: Iterable[str]) -> Iterator[Step]:
    """The steps that molecule's output tells of."""
    begun: tuple[str, str] | None = None
    hosts: dict[str, Host] = {}
    for line in lines:
        if found := BEGINS.match(line):
            begun, hosts = (found["scenario"], found["action"]), {}
        elif found := RECAP.match(line):
            hosts[found["host"]] = Host(*(int(found[name]) for name in Host._fields))
        elif (found := ENDS.match(line)) and begun == (found["scenario"], found["action"]):
            yield Step(*begun, found["how"], hosts)
            begun = None


def scenarios() -> list[str]:
    """The scenarios that test a role, which have its name."""
    return sorted(path.parent.name for path in SCENARIOS.glob("*/converge.yml"))


def doubts(found: Iterable[Step], expected: Iterable[str]) -> list[str]:
    """Where a run has not done all steps of all these scenarios, each with tasks on hosts."""
    by_scenario: dict[str, list[Step]] = {name: [] for name in expected}
    told = []
    for step in found:
        if step.scenario in by_scenario:
            by_scenario[step.scenario].append(step)
    for name, done in by_scenario.items():
        if [step.action for step in done] != list(PLAYBOOKS):
            told.append(f"{name}: it did {[step.action for step in done]} and not {list(PLAYBOOKS)}")
        told += [f"{name}: {step.action} ended as {step.how} with {step.hosts}" for step in done if not step.worked]
    return told


class Molecule:
    """A folder for molecule to work in, and a bed that ends with it; use it as a context manager."""

    def __enter__(self) -> Molecule:
        self._folder = tempfile.TemporaryDirectory(prefix="winguest-molecule-")
        self.folder = Path(self._folder.name)
        self.home.mkdir()
        checkout.make_tree()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        molecule_bed.stop(self.folder)
        self._folder.cleanup()

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """What molecule and Ansible find in their environment."""
        strange = ("ANSIBLE_", "MOLECULE_", "PYTHON", "VIRTUAL_ENV", "COLUMNS", "FORCE_COLOR", "CLICOLOR", "PY_COLORS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOST_PATTERN_MISMATCH": "error",  # also where molecule does not read its config.yml
            "MOLECULE_EPHEMERAL_DIRECTORY": str(self.folder),
            molecule_bed.OWNER: str(os.getpid()),
        }

    def run(self, *arguments: str, folder: Path = checkout.ROOT, show: bool = False) -> Run:
        """Run it to its end. show: let its output be seen while it is read here."""
        return self._run(["molecule", *arguments], folder, {}, show)

    def play(self, *playbooks: Path, collections: Path) -> Run:
        """Run playbooks of scenarios as molecule does, but with the collection of another tree."""
        words = [f"--inventory={self.folder / 'inventory'}", f"--inventory={SCENARIOS / 'inventory.yml'}"]
        environment = {
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "MOLECULE_PROJECT_DIRECTORY": str(checkout.ROOT),
        }
        return self._run(["ansible-playbook", *words, *map(str, playbooks)], self.folder, environment)

    def _run(self, command: list[str], folder: Path, more: Mapping[str, str], show: bool = False) -> Run:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        output = []
        try:
            for line in process.stdout:
                output.append(line)
                if show:
                    print(line, end="", flush=True)
            return Run(process.wait(), "".join(output))
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise


def main() -> int:
    """Run molecule with the arguments of the command line, or all scenarios; 0 when nothing failed or is in doubt."""
    signal.signal(signal.SIGTERM, lambda *dummy: sys.exit(128 + signal.SIGTERM))  # leave nothing behind then, either
    arguments = sys.argv[1:] or ["test", "--all"]
    with Molecule() as molecule:
        run = molecule.run(*arguments, show=True)
    in_doubt = doubts(run.steps, scenarios()) if arguments == ["test", "--all"] else []
    for line in in_doubt:
        print(f"NOT TESTED: {line}", file=sys.stderr)
    return run.status or int(bool(in_doubt))


if __name__ == "__main__":
    sys.exit(main())
