# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shells of the endpoint: what each was opened with, its commands, and its end when nobody asks for it any more."""

from __future__ import annotations

import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from bed.windows.endpoint import errors
from bed.windows.endpoint.commands import Command
from bed.windows.endpoint.errors import SoapFault
from bed.windows.endpoint.soap import SMALLEST_ENVELOPE


@dataclass(frozen=True)
class Limits:
    """What WinRM allows; these are the values of Server 2012 and later, from "Installation and configuration for
    Windows Remote Management" (Microsoft Learn). Times are in seconds, sizes in bytes."""

    max_envelope_size: int = 512_000  # MaxEnvelopeSizekb 500
    max_timeout: float = 60  # MaxTimeoutms
    idle_timeout: float = 7_200  # IdleTimeout, of a shell that asks for no other
    max_shells_per_user: int = 30
    max_processes_per_shell: int = 25

    def __post_init__(self) -> None:
        if self.max_envelope_size < SMALLEST_ENVELOPE:
            raise ValueError(f"max_envelope_size is {self.max_envelope_size} and must be at least {SMALLEST_ENVELOPE}")


@dataclass(frozen=True)
class Settings:
    """What a shell was opened with ([MS-WSMV] 2.2.4, Shell)."""

    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    code_page: int = 437
    no_profile: bool = False
    name: str = ""
    input_streams: str = "stdin"
    output_streams: str = "stdout stderr"
    idle_timeout: float = 7_200


Start = Callable[[str], subprocess.Popen[bytes]]
StartIn = Callable[[str, Settings], subprocess.Popen[bytes]]


class Shell:
    """An open shell and its commands by their ids."""

    def __init__(self, shell_id: str, settings: Settings) -> None:
        self.id = shell_id
        self.settings = settings
        self.opened = time.monotonic()
        self._used = self.opened
        self._users = 0
        self._commands: dict[str, Command] = {}
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Shell:
        """A request begins to work with it."""
        with self._lock:
            self._users += 1
        return self

    def __exit__(self, *dummy: object) -> None:
        """The request is done."""
        with self._lock:
            self._users -= 1
            self._used = time.monotonic()

    @property
    def idle(self) -> float:
        """The seconds since the last request."""
        with self._lock:
            return 0 if self._users else time.monotonic() - self._used

    def add(self, command_id: str, limit: int, start: Callable[[], Command]) -> str:
        """Start a command, whose id the client may have chosen; return its id."""
        command_id = command_id.upper() or new_id()
        with self._lock:
            if self._closed:
                raise errors.no_such_shell(self.id)
            if sum(command.running for command in self._commands.values()) >= limit:
                raise errors.too_many_processes(limit)
            if command_id in self._commands:
                raise errors.invalid(f"There is a command with the id {command_id} already.")
            self._commands[command_id] = start()
        return command_id

    def command(self, command_id: str) -> Command:
        """The command with this id."""
        with self._lock:
            command = self._commands.get(command_id.upper())
        if command is None:
            raise errors.no_such_command(command_id)
        return command

    def terminate(self, command_id: str) -> None:
        """End a command and forget it."""
        command = self.command(command_id)
        command.close()
        with self._lock:
            self._commands.pop(command_id.upper(), None)

    def close(self) -> None:
        """End all its commands. First all are told, so that the slow ones need not be waited for one by one."""
        with self._lock:
            self._closed = True
            commands = list(self._commands.values())
            self._commands.clear()
        for command in commands:
            command.abandon()
        for command in commands:
            command.close()


class Shells:
    """All open shells by their ids, and the thread that deletes the idle ones."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._shells: dict[str, Shell] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._sweeper = threading.Thread(target=self._sweep, name="idle shells")
        self._sweeper.start()

    def __len__(self) -> int:
        return len(self._shells)

    def open(self, shell_id: str, settings: Settings) -> Shell:
        """Open a shell, whose id the client may have chosen."""
        shell = Shell(shell_id.upper() or new_id(), settings)
        with self._changed:
            if self._closed:
                raise errors.aborted()
            if len(self._shells) >= self._limits.max_shells_per_user:
                raise errors.too_many_shells(self._limits.max_shells_per_user)
            if shell.id in self._shells:
                raise errors.invalid(f"There is a shell with the id {shell.id} already.")
            self._shells[shell.id] = shell
            self._changed.notify_all()
        return shell

    @contextmanager
    def using(self, shell_id: str | None) -> Iterator[Shell]:
        """The shell with this id, which is not idle meanwhile."""
        if not shell_id:
            reason = "The request needs the selector ShellId."
            raise SoapFault("w:InvalidSelectors", errors.INSUFFICIENT_SELECTORS, reason)
        with self._changed:
            shell = self._shells.get(shell_id.upper())
            if shell is None:
                raise errors.no_such_shell(shell_id)
            shell.__enter__()
        try:
            yield shell
        finally:
            shell.__exit__()

    def delete(self, shell_id: str) -> None:
        """Delete a shell with all that runs in it."""
        with self._changed:
            shell = self._shells.pop(shell_id.upper(), None)
        if shell is None:
            raise errors.no_such_shell(shell_id)
        shell.close()

    def close(self) -> None:
        """Delete all shells, and open no more."""
        with self._changed:
            self._closed = True
            shells = list(self._shells.values())
            self._shells.clear()
            self._changed.notify_all()
        for shell in shells:
            shell.close()
        self._sweeper.join()

    def _sweep(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                left = {shell: shell.settings.idle_timeout - shell.idle for shell in self._shells.values()}
                idle = [shell for shell in left if left[shell] <= 0]
                for shell in idle:
                    del self._shells[shell.id]
                if not idle:
                    self._changed.wait(min(left.values(), default=None))
            for shell in idle:
                shell.close()


def new_id() -> str:
    """An id for a shell or a command, spelled as Windows does."""
    return str(uuid.uuid4()).upper()
