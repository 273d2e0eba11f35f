# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A callback plugin of Ansible's that writes what became of every task into a file, for ansible_run.py to read."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: winguest_results
type: notification
short_description: Write the results of all tasks into the file that WINGUEST_RESULTS names
description:
  - Adds a line of JSON for each.
"""


class CallbackModule(CallbackBase):
    """Adds to what is shown, and changes nothing of it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "winguest_results"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, state: str, result: Any) -> None:
        task = result._task
        line = {
            "state": state,
            "host": result._host.get_name(),
            "task": task.get_name().rpartition(" : ")[2],
            "action": task.action,
            "result": result._result,
        }
        with open(os.environ["WINGUEST_RESULTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task has ended well."""
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task has failed."""
        self._write("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        self._write("unreachable", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was left out."""
        self._write("skipped", result)
