# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What the guest_* actions have in common: their options are checked, and they have a shell on the guest."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import (
    ShellError,
    WindowsShell,
    open_shell,
)


class GuestAction(ActionBase):
    """An action that runs on the controller and talks to a Windows host over the host's own connection."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    argument_spec: t.ClassVar[dict[str, t.Any]] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check the options, do the work, and tell errors as the task's failure."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        dummy, options = self.validate_argument_spec(argument_spec=self.argument_spec)
        if self._connection.become is not None:
            raise AnsibleActionFail(
                "become is not supported here: connect as a user who is an administrator of the guest, "
                "and set become to false for this task"
            )
        if not 0 < options["timeout"] < float("inf"):
            raise AnsibleActionFail(f"timeout is {options['timeout']}; it must be a number of seconds above 0")
        shell = open_shell(self._connection, options["timeout"])
        try:
            result.update(self.work(shell, options))
        except ShellError as error:
            result.update(failed=True, msg=str(error))
        except AnsibleConnectionFailure as error:
            # Ansible's connections tell what the guest has answered as it was.
            raise AnsibleConnectionFailure(printable(str(error))) from None
        return result

    def work(self, shell: WindowsShell, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the action does; returns what is to be added to the result."""
        raise NotImplementedError
