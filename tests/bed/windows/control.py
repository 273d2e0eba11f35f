# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What drives the ACPI guest of a simulated Windows guest: a thread that tells it what the model decides.

What the guest says is read from the file of its first serial port, where nothing is lost, whoever starts it and however
often. It is answered on the second one, whose connection also tells whether the guest is there at all.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bed.windows import events as log
from bed.windows import keys, model
from bed.windows.events import Event
from bed.windows.model import Decision
from bed.windows.situation import NOTHING_SPECIAL, Phase, Request, Session, Situation, State
from bed.windows.snapshot import Snapshot
from bed.windows.systems import System

TICK = 0.02
NUDGES = 0.5
ERROR_NOT_READY = 21


class LiveRegistry(Protocol):
    """What is needed of the registry."""

    def snapshot(self, *roots: str) -> Snapshot:
        """What it holds now."""

    def delete_key(self, key: str) -> None:
        """Delete a key with all below it."""


class Control:
    """Drives one guest from `start` to `close`, through any number of boots.

    `decisions` are all that were made, `events` all that were logged, with their time; `state` is the guest's now, None
    before its first boot, of which `boots` is the number so far. `reachable` says whether the network of a real guest
    would answer.
    """

    def __init__(
        self,
        com1: Path,
        com2: Path,
        system: System,
        registry: LiveRegistry,
        situation: Situation = NOTHING_SPECIAL,
        time_scale: float = 60.0,
        on_reachable: Callable[[bool], None] | None = None,
        before_boot: Callable[[], None] | None = None,
    ) -> None:
        """`situation` is what each boot finds; `on_reachable` is called in the thread when it changes."""
        self._before_boot = before_boot
        self.system, self.registry, self.situation, self.time_scale = system, registry, situation, time_scale
        self.state: State | None = None
        self.decisions: list[Decision] = []
        self.events: list[tuple[float, Event]] = []
        self.clock = 0.0
        """Seconds that the guest's clock is ahead, as its events have it."""
        self.reachable = False
        self.boots = 0
        self._com1, self._com2 = com1, com2
        self._on_reachable = on_reachable
        self._changed = threading.Condition(threading.RLock())
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"control of {com1.stem}")
        self._socket: socket.socket | None = None
        self._read = 0
        self._booted = False
        self._heard_since_connected = False
        self._nudge = 0.0
        self._pressed = False
        self._order: str | None = None
        self._due: float | None = None
        self._clean = True
        self._hybrid = False
        self._services_up = True

    def start(self) -> None:
        """Begin; what the guest has said before is skipped."""
        self._read = self._com1.stat().st_size if self._com1.exists() else 0
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._thread.join()
        self._disconnect()

    # What Windows' programs and a test's people do.

    def request_shutdown(self, request: Request) -> int:
        """Ask for a shutdown, as shutdown.exe does; 0, or the number of Windows' error."""
        return self._decide(lambda now, state: model.request(now, state, request))

    def abort_shutdown(self) -> int:
        """Abort a shutdown whose timer runs; 0, or the number of Windows' error."""
        return self._decide(lambda dummy_now, state: model.abort(state))

    def left_alone(self, seconds: float) -> None:
        """Let so many of Windows' seconds pass without anybody touching it; it does not wait."""
        self._decide(lambda now, state: model.left_alone(now, state, seconds))

    def power_scheme_activated(self) -> None:
        """The active power scheme is activated with its values of now."""
        self._change(model.activate_power_scheme)

    def sign_in(self, session: Session) -> None:
        """A user signs in."""
        self._change(lambda now, state: model.sign_in(now, state, session))

    def sign_out(self, user: str) -> None:
        """A user signs out, with all applications."""
        self._change(lambda dummy_now, state: model.sign_out(state, user))

    def lock(self, locked: bool = True) -> None:
        """The session at the screen is locked or unlocked."""
        self._change(lambda dummy_now, state: model.lock(state, locked))

    def change_situation(self, **changes: object) -> None:
        """Something else goes on in the guest from now on, in this boot and later ones."""
        with self._changed:
            self.situation = replace(self.situation, **changes)  # type: ignore[arg-type]
            if self.state:
                self.state = replace(self.state, situation=replace(self.state.situation, **changes))  # type: ignore[arg-type]

    def turn_back(self, events: int, clean: bool) -> None:
        """The next boot is from a disk whose log ends after so many events, and which was left in order or not."""
        with self._changed:
            del self.events[events:]
            self._clean, self._hybrid = clean, False

    @property
    def left_in_order(self) -> bool:
        """Whether the last stop was in order."""
        return self._clean

    @property
    def asleep(self) -> bool:
        """Whether it sleeps."""
        return self.state is not None and self.state.phase is Phase.ASLEEP

    def wait_until(self, condition: Callable[[], bool], timeout: float = 30.0) -> None:
        """Wait until a condition on the attributes holds."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                rules = [decision.rule for decision in self.decisions]
                raise TimeoutError(f"{self._com1.stem}: waited {timeout:g} s in vain; decided so far: {rules}.")

    def wait_for_decision(self, rule: str, timeout: float = 30.0) -> Decision:
        """Wait until the latest decision is by this rule, and return it."""
        self.wait_until(lambda: bool(self.decisions) and self.decisions[-1].rule == rule, timeout)
        return self.decisions[-1]

    def _change(self, change: Callable[[Snapshot, State], State]) -> None:
        with self._changed:
            self.state = change(self.registry.snapshot(), self._running_state())
            self._changed.notify_all()

    def _running_state(self) -> State:
        if self.state is None or not self._booted:
            raise RuntimeError(f"{self._com1.stem} has not booted.")
        return self.state

    # The thread.

    def _run(self) -> None:
        while not self._closing.is_set():
            with self._changed:
                self._hear_all()
                self._keep_connected()
                self._nudge_if_silent()
                if self._due is not None and time.monotonic() >= self._due:
                    self._due = None
                    self._decide(model.timer_ran_out)
            self._note_reachable()
            self._wait()

    def _wait(self) -> None:
        if self._socket is None:
            self._closing.wait(TICK)
            return
        self._socket.settimeout(TICK)
        try:
            gone = not self._socket.recv(4096)
        except TimeoutError:
            gone = False
        except OSError:
            gone = True
        if gone:
            with self._changed:
                self._hear_all()
                self._disconnect()

    def _keep_connected(self) -> None:
        if self._socket is not None or not self._com2.exists():
            return
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self._com2))
        except OSError:
            connection.close()
            return
        self._socket = connection
        self._heard_since_connected, self._nudge = False, time.monotonic()

    def _nudge_if_silent(self) -> None:
        """A guest that was saved and restored says nothing by itself; to an empty line it says that it was told."""
        if self._socket is not None and not self._heard_since_connected and time.monotonic() >= self._nudge:
            self._tell("")
            self._nudge = time.monotonic() + NUDGES

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._order, self._due = None, None

    def _tell(self, words: str) -> None:
        try:
            if self._socket is not None:
                self._socket.sendall(f"{words}\n".encode())
        except OSError:
            pass  # it has gone; the next look at the connection shows it

    def _note_reachable(self) -> None:
        with self._changed:
            up = self.state is not None and self.state.phase is not Phase.ASLEEP and self._services_up
            reachable = self._socket is not None and self._heard_since_connected and self._booted and up
            if reachable == self.reachable:
                return
        # Not while others wait for the lock: what ends the network may wait for them.
        if self._on_reachable:
            self._on_reachable(reachable)
        with self._changed:
            self.reachable = reachable
            self._changed.notify_all()

    def _hear_all(self) -> None:
        try:
            with self._com1.open("rb") as file:
                file.seek(self._read)
                said = file.read()
        except FileNotFoundError:
            return
        lines, newline, dummy_rest = said.rpartition(b"\n")
        self._read += len(lines) + len(newline)
        for line in lines.splitlines():
            self._heard_since_connected = True
            self._heard(line.decode(errors="replace").strip().partition(" ")[2])

    def _heard(self, said: str) -> None:
        if said.startswith("press "):
            self._pressed = True
        elif said == "asking":
            self._asked()
        elif said == "ignored":
            self._pressed = False
            if self._order is not None:
                # It was busy with a press, whose answer makes it free.
                self._tell("ask=1")
        elif said == "booting":
            self._booted = False
        elif said == "ready":
            self._boot()
        elif said in ("awake", "no S3", "no S4"):
            self._woken(said)
        elif said == "hang":
            self._hung()
        elif said in ("power off", "reboot", "hibernate"):
            self._left(said)

    def _asked(self) -> None:
        if self._pressed:
            self._pressed = False
            self._decide(model.press, answers=True)
        elif self._order is not None:
            self._tell(self._order)
            self._order = None

    def _boot(self) -> None:
        if self._before_boot:
            self._before_boot()
        now = self.registry.snapshot()
        self._booted, self._services_up, self._pressed, self._order = True, True, False, None
        self.boots += 1
        kept = self.state.booted if self.state and self._hybrid else None
        self._hybrid = False
        self.state = model.boot(self.system, now, self.situation, kept)
        self._log(*log.starts(unclean=not self._clean, hybrid=kept is not None))
        if self.situation.damaged:
            self._log(*log.damage(self.system))
        self._clean = False
        if self.state.request:
            self._due = time.monotonic() + self.state.request.seconds / self.time_scale
        self._decide(lambda now, state: model.left_alone(now, state, 0), unless="awake")

    def _woken(self, said: str) -> None:
        if self.state and self.state.phase is Phase.ASLEEP:
            self.state = model.woken(self.state)
            if said == "awake":
                self._log(log.WOKE)
            self._changed.notify_all()

    def _hung(self) -> None:
        latest = self.decisions[-1]
        self._services_up = latest.services_up
        if latest.rule == "no_power_off":
            self._end_in_order()

    def _left(self, said: str) -> None:
        self._booted = False
        if said != "hibernate":
            self._end_in_order()
        self._clean = True

    def _end_in_order(self) -> None:
        self._log(*log.LEAVES)
        self._clean = True
        latest = self.decisions[-1]
        self._hybrid = latest.hybrid
        if latest.state.serviced and not latest.torn:
            for marker in keys.SERVICING_MARKERS:
                self.registry.delete_key(marker)
            self.situation = replace(self.situation, servicing_runs=False)

    def _decide(
        self, decide: Callable[[Snapshot, State], Decision], answers: bool = False, unless: str | None = None
    ) -> int:
        with self._changed:
            if self.state is None or not self._booted:
                return ERROR_NOT_READY
            decision = decide(self.registry.snapshot(), self.state)
            self.state = decision.state
            if decision.rule == unless:
                return decision.error
            self._log(*decision.events)
            if answers:
                self._tell(decision.words(self.time_scale))
            elif decision.word:
                self._order = decision.words(self.time_scale)
                self._tell("ask=1")
            elif decision.rule == "timer" and decision.state.request:
                self._due = time.monotonic() + decision.state.request.seconds / self.time_scale
            elif decision.rule == "aborted":
                self._due = None
            self.decisions.append(decision)
            self._changed.notify_all()
            return decision.error

    def _log(self, *events: Event) -> None:
        self.events.extend((time.time() + self.clock, event) for event in events)
