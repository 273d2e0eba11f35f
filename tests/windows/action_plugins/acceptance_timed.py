# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs another action on the guest, and adds to its result the seconds and the WinRM requests that it took.

action: its whole name. options: its options. Over another connection than winrm, the number of requests is null.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from unittest import mock

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The action."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run it."""
        super().run(tmp, task_vars)
        dummy, options = self.validate_argument_spec(
            argument_spec={"action": {"type": "str", "required": True}, "options": {"type": "dict", "default": {}}}
        )
        task = self._task.copy()
        task.action, task.args = options["action"], options["options"]
        action = self._shared_loader_obj.action_loader.get(
            task.action,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        began = time.monotonic()
        with _counted() as requests:
            result: dict[str, t.Any] = action.run(task_vars=task_vars)
            with contextlib.suppress(Exception):  # Ansible does not mind either
                self._connection.close()
        is_winrm = self._connection.transport == "winrm"
        return {
            **result,
            "seconds": round(time.monotonic() - began, 2),
            "winrm_requests": len(requests) if is_winrm else None,
        }


@contextlib.contextmanager
def _counted() -> t.Iterator[list[None]]:
    """Every message that pywinrm sends in the meantime; this process has no other task."""
    requests: list[None] = []
    try:
        from winrm.transport import Transport
    except ImportError:
        yield requests
        return
    send = Transport.send_message

    def counting(transport: t.Any, message: t.Any) -> t.Any:
        requests.append(None)
        return send(transport, message)

    with mock.patch.object(Transport, "send_message", counting):
        yield requests
