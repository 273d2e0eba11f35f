# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""guest_shutdown: asks Windows itself, with shutdown.exe, and does not wait for what comes of it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_action import GuestAction
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import quoted
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import (
    BrokenConnection,
    Output,
    WindowsShell,
)

LONGEST_DELAY = 315360000
LONGEST_MESSAGE = 512
"""shutdown.exe's own limits (Microsoft's documentation of the command): seconds, characters."""

UNSAFE = '"%'

CANCEL = "shutdown.exe /a"

# Exit statuses of shutdown.exe, which are Win32 error codes, and what they mean for the request.
OUTCOMES = {
    0: ("accepted", "Windows has accepted the request"),
    1115: ("in_progress", "a shutdown is in progress already"),
    1190: ("scheduled", "another shutdown is scheduled, which blocks this one"),
    5: ("refused", "access is denied: the user needs the right to shut the system down (SeRemoteShutdownPrivilege)"),
    1314: ("refused", "the user lacks the right to shut the system down"),
    21: ("refused", "Windows is not ready, because it is still starting"),
    1191: ("refused", "other users are logged on; set force to true to shut down all the same"),
}
DONE = ("accepted", "in_progress", "unanswered")
CUT = ("unanswered", "the connection was cut after the guest had taken the command, as a fast shutdown does")


class ShutdownAction(GuestAction):
    """One request."""

    argument_spec: t.ClassVar[dict[str, t.Any]] = {
        "message": {"type": "str", "no_log": True},
        "delay": {"type": "int", "default": 0},
        "force": {"type": "bool", "default": False},
        "cancel_scheduled": {"type": "bool", "default": False},
        "timeout": {"type": "float", "default": 30.0},
    }

    def work(self, shell: WindowsShell, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Ask, unless in check mode."""
        line = command(options)
        if self._task.check_mode:
            return {"changed": True, "outcome": "planned", "msg": "the guest would be asked to shut down"}
        return ask(shell, line, options)


def ask(shell: WindowsShell, line: str, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Ask, once more after cancelling what is scheduled if that is wanted, and leave."""
    cancelled = False
    outcome, status = _request(shell, line, options["message"])
    if outcome[0] == "scheduled" and options["cancel_scheduled"]:
        cancelled = shell.run(CANCEL).status == 0
        outcome, status = _request(shell, line, options["message"])
    name, text = outcome
    if name in DONE:
        shell.leave()
    return {
        "changed": cancelled or name in ("accepted", "unanswered"),
        "failed": name not in DONE,
        "outcome": name,
        "status": status,
        "cancelled_scheduled": cancelled,
        "msg": text,
    }


def command(options: t.Mapping[str, t.Any]) -> str:
    """The command line; raises AnsibleActionFail for options that Windows would not take, or would take otherwise."""
    delay, message = options["delay"], options["message"]
    if not 0 <= delay <= LONGEST_DELAY:
        raise AnsibleActionFail(f"delay is {delay}; it must be a number of seconds from 0 to {LONGEST_DELAY}")
    if delay and not options["force"]:
        raise AnsibleActionFail(
            "delay is above 0 and force is false, but Windows closes applications by force after any delay; "
            "set delay to 0, or force to true"
        )
    words = ["shutdown.exe", "/s", *(["/f"] if options["force"] else []), "/t", str(delay), "/d", "p:0:0"]
    if message:
        if len(message) > LONGEST_MESSAGE:
            raise AnsibleActionFail(f"message has {len(message)} characters; Windows takes {LONGEST_MESSAGE}")
        if any(char in UNSAFE or not char.isprintable() for char in message):
            raise AnsibleActionFail(
                "message has a character that cmd.exe does not carry (a double quote, a percent sign, or one that "
                "is not printable); leave it out"
            )
        words += ["/c", quoted(message)]
    return " ".join(words)


def _request(shell: WindowsShell, line: str, message: str | None) -> tuple[tuple[str, str], int | None]:
    try:
        # Once it has answered, a guest that shuts down may be gone without closing the connection.
        output = shell.run(line, clean_up=False)
    except BrokenConnection as error:
        if not error.started:
            raise
        return CUT, None
    return _outcome(output, message), output.status


def _outcome(output: Output, message: str | None) -> tuple[str, str]:
    status = output.status
    for code, outcome in OUTCOMES.items():
        # An OpenSSH client keeps the lowest eight bits of an exit status; 0 is what none of the codes leaves of itself.
        if status == code or (status is not None and status == code & 0xFF):
            return outcome
    said = printable((output.errors or output.text).strip()[:300])
    if message:
        # PowerShell, for one, has the command line among its complaints.
        said = "(left out, since the message may be in it)"
    return "refused", f"shutdown.exe ended with status {status} and said: {said}"
