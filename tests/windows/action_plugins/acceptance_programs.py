# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs Windows' own programs on the guest, as many in one command line as fit, and returns what each has printed.

commands: the command lines. patience: seconds for which a guest that does not answer is asked again, as after a start.
timeout: seconds that one line may take.
"""

from __future__ import annotations

import secrets
import time
import typing as t

from ansible.errors import AnsibleError
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_action import GuestAction
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import WindowsShell

LONGEST_LINE = 7000
INTERVAL = 1.0


class ActionModule(GuestAction):
    """The action."""

    argument_spec: t.ClassVar[dict[str, t.Any]] = {
        "commands": {"type": "list", "elements": "str", "required": True},
        "patience": {"type": "float", "default": 0.0},
        "timeout": {"type": "float", "default": 300.0},
    }

    def work(self, shell: WindowsShell, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Wait until it answers, and run them all."""
        began = time.monotonic()
        while True:
            try:
                shell.run("echo here")
                break
            except AnsibleError:
                if time.monotonic() - began >= options["patience"]:
                    raise
                time.sleep(INTERVAL)
                shell.leave()
        waited = time.monotonic() - began
        outputs: dict[str, str] = {}
        for some in _fitting(options["commands"]):
            mark = f"#{secrets.token_hex(4)}#"
            text = shell.run("&".join(f"{command}&echo {mark}" for command in some)).text
            outputs.update(zip(some, text.split(mark)))
        return {"outputs": outputs, "waited": round(waited, 1)}


def _fitting(commands: t.Sequence[str]) -> t.Iterator[list[str]]:
    some: list[str] = []
    for command in commands:
        if some and sum(len(one) + 20 for one in [*some, command]) > LONGEST_LINE:
            yield some
            some = []
        some = [*some, command]
    if some:
        yield some
