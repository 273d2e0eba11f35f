# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Puts statements to a guest until each has its answer, whatever becomes of the connection."""

from __future__ import annotations

import secrets
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_script import Line, fitting, lines
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
    MOUNT,
    Answers,
    Statement,
    Unload,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import (
    BrokenConnection,
    Output,
    ShellError,
    WindowsShell,
)

RECONNECT_TIMEOUT = 30
"""Seconds for which a connection that broke is opened anew."""

ATTEMPTS = 3
"""How often a statement is put whose answer is lost, as when a virus scanner holds the file that it is in."""

LEFT_LOADED = (
    f"a profile that was being read may still be loaded as HKU\\{MOUNT}SID: run this again when the guest can be "
    "reached, which unloads it"
)


class Questioner:
    """Asks one guest, and keeps what it has answered."""

    def __init__(self, shell: WindowsShell) -> None:
        self.shell = shell
        # Chosen now, so that nothing that is written in the guest already can look like a mark.
        self.nonce = secrets.token_hex(4)
        self.answers = Answers()
        self._answered = False

    def ask(self, statements: t.Sequence[Statement], needed: t.Sequence[Statement] | None = None) -> list[Statement]:
        """Have all statements answered or, if only some are needed now, those; returns what has not been asked yet.

        A statement that prints too much is taken apart and, where it cannot be, left unread; the others are asked on.
        One whose answer was lost is asked again, and left unread after the last of its ATTEMPTS.
        """
        # What is asked for twice is asked once, where it comes first: all that is written comes before.
        pending = fitting(dict.fromkeys(statements), self.nonce)
        waiting = set(pending if needed is None else fitting(needed, self.nonce))
        attempts: dict[Statement, int] = {}
        while waiting:
            line, output = self._run(pending)
            left = line.take(output.text, self.answers)
            self._answered = self._answered or len(left) < len(line.statements)
            if left or output.status is None:
                self._remove(line)
            if output.status is None and len(left) == len(line.statements):
                pieces = left[0].pieces()
                waiting.discard(left[0])
                waiting.update(pieces)
                left = [*pieces, *left[1:]]
            elif left and output.status is not None:
                # Something else may hold the file of the output, so the next one has another name.
                self.nonce = secrets.token_hex(4)
                attempts.update((statement, attempts.get(statement, 0) + 1) for statement in left)
                left = [statement for statement in left if attempts[statement] < ATTEMPTS]
                if not left and not self._answered:
                    raise ShellError(_nothing(output))
            pending = [*left, *pending[len(line.statements) :]]
            waiting.intersection_update(pending)
        return pending

    def _run(self, pending: t.Sequence[Statement]) -> tuple[Line, Output]:
        """Run as many statements as a command line holds, in a new connection where it breaks."""
        broken_before = False
        while True:
            line = next(lines(pending, self.nonce))
            try:
                return line, self.shell.run(line.text)
            except BrokenConnection as broken:
                if broken_before:
                    raise ShellError(f"{broken} So it did before, with the same command; {LEFT_LOADED}") from None
                broken_before = True
                self._reconnect(broken)
                # The guest may still be at it, so nothing of that may be taken for an answer of what comes next.
                self.nonce = secrets.token_hex(4)
                self._tidy_up(line)
            except ShellError:
                self._tidy_up(line)
                raise

    def _reconnect(self, broken: BrokenConnection) -> None:
        deadline = time.monotonic() + RECONNECT_TIMEOUT
        while True:
            try:
                self.shell.reconnect()
                return
            except Exception as error:
                if time.monotonic() > deadline:
                    said = printable(str(error)[:500])
                    raise AnsibleConnectionFailure(
                        f"{broken} It could not be opened again within {RECONNECT_TIMEOUT} s: {said}; {LEFT_LOADED}"
                    ) from None
            time.sleep(2)

    def _tidy_up(self, line: Line) -> None:
        """Leave nothing loaded and no file, after a command line that did not come to its end."""
        self._try(next(lines([Unload()], self.nonce)).text)
        self._remove(line)

    def _remove(self, line: Line) -> None:
        """The files that a command line may have left."""
        self._try("&".join(f"del {file}" for file in line.files))

    def _try(self, line: str) -> None:
        try:
            self.shell.run(line)
        except (ShellError, AnsibleConnectionFailure):
            pass


def _nothing(output: Output) -> str:
    said = (output.errors or output.text).strip()[:300]
    return f"the guest's cmd.exe did not answer as expected; it ended with status {output.status} and said: {said!r}"
