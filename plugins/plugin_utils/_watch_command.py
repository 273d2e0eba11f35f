# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The command with which the controller looks at a run in the background, and what it answers. Pure.

One command is a sign of life, waits for the run's end, and tells how far it is, or what it printed.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._background import MARK
from ansible_collections.winguest.shutdown.plugins.module_utils._errands import ANSWER_PREFIX

NOTHING: t.Mapping[str, t.Any] = {}


class Ticket(t.NamedTuple):
    """A run in the background, as it told of itself."""

    folder: str
    pid: int
    progress_interval: float
    controller_timeout: float

    @property
    def wait(self) -> int:
        """Whole seconds between two looks."""
        needed = self.controller_timeout / 4
        return max(1, int(min(needed, self.progress_interval) if self.progress_interval else needed))


KINDS: t.Mapping[str, t.Callable[[t.Any], t.Any]] = {
    "folder": str,
    "pid": int,
    "progress_interval": float,
    "controller_timeout": float,
}


class Answer(t.NamedTuple):
    """How a run is: running, ended, gone (its folder is not there) or lost (nothing of it runs, and it has not ended).

    output is what the module printed, when it has ended, and ending says how: "exit 0" or "killed by signal 9".
    """

    state: str
    progress: t.Mapping[str, t.Any] = NOTHING
    ending: str = ""
    output: str = ""

    @property
    def status(self) -> int:
        """The exit status of a run that has ended by itself; 1 for all others."""
        exited = re.fullmatch(r"exit ([0-9]{1,3})", self.ending)
        return int(exited[1]) if exited else 1


def ticket_in(output: str) -> Ticket | None:
    """The ticket of a run that went into the background, if that is what a module's output says."""
    line = next((line for line in output.splitlines() if line.startswith(MARK)), "")
    told = _document(line[len(MARK) :])
    try:
        ticket = Ticket(**{name: kind(told[name]) for name, kind in KINDS.items()})
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    whole = ticket.pid > 0 and all(map(math.isfinite, (ticket.progress_interval, ticket.controller_timeout)))
    return ticket if whole else None


def look(ticket: Ticket, wait: int) -> str:
    """The shell command. It waits so many seconds for the end of the run."""
    folder = shlex.quote(ticket.folder)
    return (
        f"cd {folder} 2>/dev/null || {{ echo; echo '{MARK} gone'; exit 0; }}; "
        f"touch alive; [ -e ended ] || timeout {int(wait)} cat gate >/dev/null 2>&1; echo; "
        f"if [ -e ended ]; then echo '{MARK} ended'; cat progress; echo; cat ended; cat output; cat errors >&2; "
        f"elif kill -0 {int(ticket.pid)} 2>/dev/null; then echo '{MARK} running'; cat progress; "
        f"else echo '{MARK} lost'; fi"
    )


def answer(ticket: Ticket, number: int, text: str) -> str:
    """The shell command that leaves an errand's answer, whole or not at all."""
    folder, name = shlex.quote(ticket.folder), f"{ANSWER_PREFIX}{int(number)}"
    return f"cd {folder} && printf %s {shlex.quote(text)} > {name}.new && mv {name}.new {name}"


def remove(ticket: Ticket) -> str:
    """The shell command that takes the run's folder away."""
    return f"rm -rf {shlex.quote(ticket.folder)}"


def read(output: str) -> Answer | None:
    """What the command has answered; None when this is no answer of it, or only a part of one."""
    lines = iter(output.splitlines(keepends=True))
    state = next((line[len(MARK) :].strip() for line in lines if line.startswith(MARK)), "")
    if state in ("gone", "lost"):
        return Answer(state)
    if state not in ("running", "ended"):
        return None
    progress = _document(next(lines, ""))
    if state == "running":
        return Answer(state, progress)
    ending = next(lines, "").strip()
    return Answer(state, progress, ending, "".join(lines)) if ending else None


def _document(text: str) -> t.Mapping[str, t.Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return NOTHING
    return found if isinstance(found, dict) else NOTHING
