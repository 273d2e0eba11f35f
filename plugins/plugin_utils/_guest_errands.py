# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Does the errands of a run of domain_shutdown: asks guests to shut down over their own connections."""

from __future__ import annotations

import queue
import threading
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.winguest.shutdown.plugins.module_utils._errands import write_answer
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_connection import guest_connection
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_shutdown import ShutdownAction, ask, command
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import open_shell

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase
    from ansible.plugins.connection import ConnectionBase

AT_ONCE = 16
"""Guests that are asked at the same time; each may take its timeout when nothing answers there."""

OPTIONS: dict[str, t.Any] = {name: spec.get("default") for name, spec in ShutdownAction.argument_spec.items()}
"""How the guest is asked: as the module guest_shutdown does by default, with every application asked first."""


class GuestErrands:
    """The errands of one run; each is done once."""

    def __init__(self, action: ActionBase, hostvars: t.Mapping[str, t.Any], guests: t.Collection[str]) -> None:
        """guests: those that may be asked. What the hypervisor tells is never a reason to ask another hypervisor's."""
        self._action = action
        self._hostvars = hostvars
        self._guests = guests
        self._taken: set[int] = set()
        self._jobs: queue.SimpleQueue[tuple[int, ConnectionBase]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._threads = 0
        self._unanswered = 0

    @property
    def busy(self) -> bool:
        """Whether guests are being asked."""
        return self._unanswered > 0

    def take(self, errands: t.Any) -> None:
        """Begin those of the open errands that are new, as the hypervisor tells them; what is no errand is left."""
        for errand in errands if isinstance(errands, list) else ():
            number, guest = (errand.get(key) if isinstance(errand, dict) else None for key in ("number", "guest"))
            if not isinstance(number, int) or not isinstance(guest, str) or number in self._taken:
                continue
            self._taken.add(number)
            self._unanswered += 1
            try:
                if guest not in self._guests:
                    raise AnsibleError(f"the task names no guest {guest}")
                # Variables are looked up here: Ansible's templating is not made for threads.
                connection = guest_connection(self._action, self._hostvars, guest)
            except AnsibleError as error:
                self._answer(number, "unreachable", str(error))
                continue
            self._jobs.put((number, connection))
            if self._threads < AT_ONCE:
                self._threads += 1
                threading.Thread(target=self._work, name="errands", daemon=True).start()

    def answers(self) -> t.Iterator[tuple[int, str]]:
        """The answers that have come since the last time: an errand's number, and the text for its answer's file."""
        while True:
            try:
                answer = self._answers.get_nowait()
            except queue.Empty:
                return
            self._unanswered -= 1
            yield answer

    def _work(self) -> None:
        while True:
            number, connection = self._jobs.get()
            try:
                asked = ask(open_shell(connection, OPTIONS["timeout"]), command(OPTIONS), OPTIONS)
                self._answer(number, asked["outcome"], asked["msg"])
            except AnsibleConnectionFailure as error:
                self._answer(number, "unreachable", f"the guest cannot be reached: {error}")
            except Exception as error:  # whatever a connection raises is this guest's trouble, and not the run's
                self._answer(number, "refused", f"the guest could not be asked: {error}")
            finally:
                _close(connection)

    def _answer(self, number: int, outcome: str, detail: str) -> None:
        self._answers.put((number, write_answer(outcome, printable(detail))))


def _close(connection: ConnectionBase) -> None:
    try:
        connection.close()
    except Exception:  # a guest that has gone off answers no goodbye
        return
