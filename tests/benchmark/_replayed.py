# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many guests that answer as one simulated Windows guest has answered before, each at an endpoint of its own.

Fifty simulated Windows guests with Wine would take the machine for themselves: one needs some seconds of both cores
for a remediation, and what was measured would be Wine's. So the commands that one such guest gets are recorded with
their answers, and all guests of the fleet answer the same. All that goes over their connections is real. A command
line that is not the recorded one, but for the random mark that each run puts into it, is no answer's, and fails.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bed.windows.endpoint import Limits, Settings, WinrmEndpoint
from bed.windows.endpoint.shells import StartIn
from benchmark import _peer

MARK = re.compile("#([0-9a-f]{8})#")
"""How a line of ours has the mark of its run."""

SAY = ["/bin/sh", "-c", 'cat "$1"; cat "$2" >&2; exit "$3"', "replay"]
UNKNOWN = ["/bin/sh", "-c", "echo 'benchmark: this is not the command that was recorded' >&2; exit 250"]


class Answer(NamedTuple):
    """A command line, and what it has printed."""

    line: str
    output: bytes
    errors: bytes
    status: int

    @property
    def mark(self) -> str:
        """The mark in it; empty where there is none."""
        found = MARK.search(self.line)
        return found[1] if found else ""


class Recorder:
    """Starts command lines, and notes their answers: each is run to its end before its first output is told."""

    def __init__(self, start: Callable[[str], subprocess.Popen[bytes]], folder: Path) -> None:
        """`folder`: where the answers that are told lie meanwhile."""
        self._start, self._folder = start, folder
        self.answers: list[Answer] = []

    def start(self, line: str) -> subprocess.Popen[bytes]:
        """Run it, note it, and tell its answer."""
        process = self._start(line)
        output, errors = process.communicate()
        self.answers.append(Answer(line, output, errors, process.returncode))
        return say(self.answers[-1], self._folder / f"recorded-{len(self.answers)}")


def say(answer: Answer, path: Path) -> subprocess.Popen[bytes]:
    """A process that answers so; path: what the names of its files begin with."""
    files = [path.with_suffix(".out"), path.with_suffix(".err")]
    for file, data in zip(files, (answer.output, answer.errors), strict=True):
        file.write_bytes(data)
    return _popen([*SAY, *map(str, files), str(answer.status & 0xFF)])


def _popen(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Replayed:
    """A guest that gives the recorded answers, one after the other, and runs no PowerShell; see _peer.py."""

    def __init__(self, answers: Sequence[Answer], folder: Path) -> None:
        """`folder`: its own, which is made."""
        self._answers, self._folder = answers, folder
        self._next = 0
        self.modules = 0
        folder.mkdir()

    def start(self, line: str, dummy: Settings) -> subprocess.Popen[bytes]:
        """Answer a command line."""
        if _peer.is_powershell(line):
            self.modules += 1
            return _peer.answer()
        number, mark = self._next, MARK.search(line)
        self._next += 1
        known = self._answers[number] if number < len(self._answers) else None
        if known is None or mark is None or known.line.replace(known.mark, mark[1]) != line:
            return _popen(UNKNOWN)
        old, new = known.mark.encode(), mark[1].encode()
        answer = known._replace(output=known.output.replace(old, new), errors=known.errors.replace(old, new))
        return say(answer, self._folder / str(number))


class Host(NamedTuple):
    """One guest of the fleet."""

    guest: Replayed
    endpoint: WinrmEndpoint


@contextmanager
def fleet(
    count: int, answers: Sequence[Answer], folder: Path, user: str, password: str, patience: int
) -> Iterator[list[Host]]:
    """So many guests; patience: seconds for which a request waits for output."""
    with ExitStack() as resources:
        hosts = []
        for number in range(count):
            guest = Replayed(answers, folder / f"guest-{number}")
            start_in: StartIn = guest.start
            endpoint = WinrmEndpoint(
                lambda line: _popen(UNKNOWN),
                start_in=start_in,
                user=user,
                password=password,
                limits=Limits(max_timeout=patience),
            )
            hosts.append(Host(guest, resources.enter_context(endpoint)))
        yield hosts
