# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the function of a simulated program gets, and what it returns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bed.windows.events import Event
from bed.windows.registry import Registry
from bed.windows.situation import Request
from bed.windows.systems import System


class Invocation(NamedTuple):
    """A program that was started: its name in small letters without ".exe", and its arguments."""

    program: str
    arguments: tuple[str, ...]


class Answer(NamedTuple):
    """What the program prints and the status it ends with. Text gets Windows' line ends, bytes go as they are."""

    output: str | bytes = ""
    status: int = 0
    errors: str | bytes = ""


@dataclass(frozen=True)
class Process:
    """A process of the guest, for tasklist."""

    image: str
    pid: int
    session: str = "Services"
    session_number: int = 0
    memory_kib: int = 8192


class Windows(Protocol):
    """The guest that a program runs in."""

    @property
    def system(self) -> System:
        """Which Windows it plays."""

    @property
    def registry(self) -> Registry:
        """Its registry."""

    @property
    def events(self) -> Sequence[tuple[float, Event]]:
        """All that was logged, with its time in seconds since 1970, the oldest first."""

    @property
    def processes(self) -> Sequence[Process]:
        """What runs."""

    @property
    def faults(self) -> Sequence[Fault]:
        """What goes wrong; see faults.py."""

    def request_shutdown(self, request: Request) -> int:
        """Ask for a shutdown; 0, or the number of Windows' error."""

    def abort_shutdown(self) -> int:
        """Abort a shutdown whose timer runs; 0, or the number of Windows' error."""

    def power_scheme_activated(self) -> None:
        """The active power scheme is activated with its values of now."""


Program = Callable[[Invocation, Windows], "Answer | None"]
"""None: let Wine's program of this name do it."""

Fault = Callable[[Invocation, Windows, threading.Event], "Answer | None"]
"""What is to happen in place of the program's own work; None: nothing. The event is set when the guest ends."""
