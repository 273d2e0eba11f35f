# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Wine of one simulated Windows guest: its drive C, its registry, and its running commands.

    with WinePrefix(folder, language="de-DE") as wine:
        with wine.start("cmd.exe /c ver") as process:
            ...
        wine.registry.set(r"HKLM\\SOFTWARE\\Policies", "name", "REG_DWORD", 1)

Everything of it is in that folder and in processes that end with it, also if this process is killed. Neither ~/.wine
nor another guest is touched. Wine 8.0 of Debian 12 is needed, and no display.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import subprocess
import threading
from pathlib import Path, PureWindowsPath
from types import TracebackType
from typing import Any, NamedTuple

from bed.windows import prefix
from bed.windows.registry import Registry

CACHE = Path(__file__).resolve().parents[3] / ".cache" / "bed"
PROGRAMS = r"C:\winguest"


class WineError(RuntimeError):
    """Wine does not run, or not as expected."""


class Command(NamedTuple):
    """How to start a program; its whole status is in the file `status` when it has ended."""

    arguments: list[str]
    environment: dict[str, str]
    folder: Path
    status: Path


class WineProcess(subprocess.Popen[bytes]):
    """A command in Wine. `returncode` is the whole status of 32 bits; ending this process ends all that it started."""

    def __init__(self, status: Path, *arguments: Any, **options: Any) -> None:
        self._status = status
        self._returncode: int | None = None
        super().__init__(*arguments, **options)

    @property
    def returncode(self) -> int | None:
        """The status, negative if it was ended by a signal, None as long as it runs."""
        return self._returncode

    @returncode.setter
    def returncode(self, linux_status: int | None) -> None:
        # Popen sets it as soon as it knows it, in whichever of its methods that is.
        self._returncode = linux_status
        if linux_status is not None:
            with contextlib.suppress(FileNotFoundError):
                report = self._status.read_bytes()
                self._status.unlink()
                if linux_status >= 0 and len(report) == 4:
                    self._returncode = int.from_bytes(report, "little")


class WinePrefix:
    """A guest's Wine; use it as a context manager."""

    def __init__(self, directory: Path, language: str = "en-US", cache: Path = CACHE) -> None:
        """Nothing is made yet. `directory` is made, and removed at the end; `language` is that of Wine's programs."""
        if language not in prefix.LANGUAGES:
            raise WineError(f'There is no language "{language}"; there are: {", ".join(prefix.LANGUAGES)}.')
        self.directory = directory.absolute()
        self.variables: dict[str, str] = {}
        """Further environment variables of all commands that are started from now on."""
        self._language, self._cache = language, cache
        # Every program of Wine's talks to its server all the time, and waits for it: on one processor they take a fifth
        # less of it than on two.
        processor = random.choice(sorted(os.sched_getaffinity(0)))
        self._beginning = ("taskset", "--cpu-list", str(processor), *prefix.UNSHIFTED)
        self._numbers = itertools.count()
        self._registry: Registry | None = None
        self._processes: list[WineProcess] = []
        self._lock = threading.Lock()

    def __enter__(self) -> WinePrefix:
        try:
            prepared = prefix.prepare(self._cache)
            self._prefix = self.directory / "prefix"
            self._scratch = self.directory / "scratch"
            prefix.copy(prepared, self._prefix)
            self._scratch.mkdir()
            (self.drive_c / "winguest" / "status").mkdir()
            self._environment = prefix.environment(prepared, self._prefix, self._scratch, self._language)
            self._start_server()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def drive_c(self) -> Path:
        """The folder that is the guest's drive C."""
        return self.directory / "prefix" / "drive_c"

    @property
    def registry(self) -> Registry:
        """The guest's registry, while it runs."""
        if self._registry is None:
            raise WineError(f"The Wine in {self.directory} does not run: use it in a with statement.")
        return self._registry

    def path(self, windows_path: str) -> Path:
        """Where a file of drive C is on this machine; Windows' environment variables are not replaced.

        Parts that exist are found whatever their case.
        """
        where = PureWindowsPath(windows_path)
        if where.drive.upper() != "C:":
            raise WineError(f"{windows_path} is not on drive C.")
        found = self.drive_c
        for part in where.parts[1:]:
            found = next((path for path in _entries(found) if path.name.lower() == part.lower()), found / part)
        return found

    def start(self, command_line: str) -> WineProcess:
        """Run a line as a shell of WinRM does: in cmd.exe, in the user's folder, with UTF-8 in and out."""
        return self.start_program(f"cmd.exe /c {command_line}")

    def start_program(self, command_line: str) -> WineProcess:
        """Run a program with exactly this command line."""
        command = self.command(command_line)
        process = WineProcess(
            command.status,
            command.arguments,
            env=command.environment,
            cwd=command.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with self._lock:
            self._processes = [other for other in self._processes if other.returncode is None]
            self._processes.append(process)
        return process

    def command(self, command_line: str) -> Command:
        """What runs a program with this command line, for whoever starts it in another way."""
        if self._registry is None:
            raise WineError(f"The Wine in {self.directory} does not run: use it in a with statement.")
        number = next(self._numbers)
        return Command(
            [*self._beginning, str(prefix.WINE), rf"{PROGRAMS}\launcher.exe"],
            {
                **self._environment,
                **self.variables,
                "WINGUEST_COMMAND_LINE": command_line,
                "WINGUEST_STATUS": rf"{PROGRAMS}\status\{number}",
            },
            self.drive_c / "users" / prefix.USER,
            self.drive_c / "winguest" / "status" / str(number),
        )

    def close(self) -> None:
        """End everything that runs in it, and remove its folder."""
        prefix.end_all(self.directory / "prefix")
        with self._lock:
            for process in self._processes:
                process.wait()  # its pipes are for whoever started it
            self._processes.clear()
        if self._registry is not None:
            self._registry.close()
            self._registry = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_server(self) -> None:
        # It returns when the server is ready, which then ends by itself as soon as no program runs: when the registry
        # program has ended, which it does when its standard input ends.
        subprocess.run(
            [*self._beginning, str(prefix.WINESERVER), "-p0"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=prefix.START_TIMEOUT,
            check=True,
        )
        process = subprocess.Popen(
            [*self._beginning, str(prefix.WINE), rf"{PROGRAMS}\registry.exe"],
            env=self._environment,
            cwd=self.drive_c,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is for the owner alone
        )
        self._registry = Registry(process)
        self._registry.create(r"HKLM\SYSTEM")  # returns when Wine is up


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
