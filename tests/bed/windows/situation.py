# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes on in a simulated Windows guest besides what its registry says. All times are Windows' seconds."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bed.windows.power import PowerValues, Supply
from bed.windows.snapshot import Snapshot
from bed.windows.systems import System

FOR_EVER = math.inf


@dataclass(frozen=True)
class Application:
    """A program of a session that does not simply end when it is asked to.

    `does`: "veto", it answers that the session must not end; "hang", it does not answer. `window`: it has a visible
    top-level window.
    """

    name: str
    does: Literal["veto", "hang"]
    window: bool = True


@dataclass(frozen=True)
class Session:
    """The session of a user who is signed in, or (with user "" and the sid ".DEFAULT") the sign-in desktop.

    `console`: at the guest's own screen; the others are remote or disconnected. `hung`: it does not end by itself.
    """

    user: str
    sid: str
    console: bool = True
    locked: bool = False
    hung: bool = False
    applications: tuple[Application, ...] = ()


@dataclass(frozen=True)
class Service:
    """A service that needs so long to stop; FOR_EVER: it hangs. `preshutdown`: it is told before the others."""

    name: str
    seconds: float = FOR_EVER
    preshutdown: bool = True


@dataclass(frozen=True)
class Situation:
    """What a guest is in when it starts; it can be anything that the registry does not say."""

    sessions: tuple[Session, ...] = ()
    services: tuple[Service, ...] = ()
    takes: float = 20.0
    """How long a shutdown takes that nothing prolongs; no source says."""
    idle: float = 0.0
    """Nobody has touched it for so long."""
    servicing: float = 600.0
    """How long a shutdown works on updates, if the registry says that some are pending, or if they run."""
    servicing_runs: bool = False
    """Updates are being installed, whatever the registry says."""
    servicing_stuck: bool = False
    """That work stops half-way, without progress."""
    scripts: float = 0.0
    """How long its logoff and shutdown scripts take."""
    page_file_mib: int = 2048
    damaged: bool = False
    """A shutdown begins and never ends, and each boot logs why."""
    scheduled: float | None = None
    """Somebody has left a forced shutdown with a timer that has so long to run."""
    supply: Supply = "AC"


NOTHING_SPECIAL = Situation()


class Phase(enum.Enum):
    """How far the guest is with leaving."""

    UP = "up"
    ASLEEP = "asleep"
    BOX = "a box on the screen waits for an answer"
    SCHEDULED = "a shutdown is scheduled"
    LEAVING = "a shutdown is in progress"


class Desktop(NamedTuple):
    """How much time a session gives its applications, as it was at the sign-in."""

    end_tasks: bool
    hung_after: float
    killed_after: float


class Request(NamedTuple):
    """A shutdown that a program has asked for, in the words of shutdown.exe; the agent asks forced and without timer.

    `program` is what the event log calls the one who asks.
    """

    forced: bool = False
    seconds: float = 0.0
    restart: bool = False
    hybrid: bool = False
    comment: str = ""
    program: str = r"C:\Windows\system32\shutdown.exe"


@dataclass(frozen=True)
class State:
    """The guest at one moment. Make one with model.boot.

    `booted` is what the registry held at boot, for what takes effect only then, `power` the power values since they
    were last activated, `desktops` the limits of each session by its sid.
    """

    system: System
    situation: Situation
    booted: Snapshot
    power: PowerValues
    desktops: Mapping[str, Desktop]
    sessions: tuple[Session, ...]
    phase: Phase = Phase.UP
    display_on: bool = True
    idle: float = 0.0
    idle_when_locked: float = 0.0
    woken_unattended: bool = False
    request: Request | None = None
    serviced: bool = False

    @property
    def console(self) -> Session | None:
        """The session of whoever is signed in at the screen."""
        return next((session for session in self.signed_in if session.console), None)

    @property
    def signed_in(self) -> tuple[Session, ...]:
        """The sessions of users."""
        return tuple(session for session in self.sessions if session.user)
