# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the guest_* actions in this process, over Ansible's own connection, without a start of Ansible for each.

    result = act(windows, "winguest.shutdown.guest_readiness", catalogue=SOME_ROWS, waive=["auto_end_tasks"])

What ansible-playbook adds to that, ansible_run.py runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from unittest import mock

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible_collections.winguest.shutdown.plugins.action import (
    guest_readiness,
    guest_readiness_info,
    guest_shutdown,
    guest_shutdown_info,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Row
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _guest_readiness

from bed.windows.guest import SimulatedWindows

ACTIONS = {
    f"winguest.shutdown.{module.__name__.rpartition('.')[2]}": module.ActionModule
    for module in (guest_readiness, guest_readiness_info, guest_shutdown, guest_shutdown_info)
}
NOTHING: Mapping[str, Any] = MappingProxyType({})


def act(
    windows: SimulatedWindows,
    action: str,
    *,
    catalogue: Iterable[Row] | None = None,
    variables: Mapping[str, Any] = NOTHING,
    check_mode: bool = False,
    diff: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Run the action on the guest: its result. Raises what Ansible makes "unreachable" or "failed" of.

    catalogue: a smaller one, since every question takes the guest some hundredths of a second. variables: further ones
    of the host.
    """
    host = {**windows.variables, "ansible_password": windows.password, **variables}
    task, context, loader = Task(), PlayContext(), DataLoader()
    task.action, task.args, task.check_mode, task.diff, task.async_val = action, dict(options), check_mode, diff, 0
    connection = connection_loader.get(host["ansible_connection"], context)
    extras = {name: value for name, value in host.items() if name.startswith("ansible_winrm_")}
    connection.set_options(var_options={**host, "_extras": extras})
    plugin = ACTIONS[action](
        task=task,
        connection=connection,
        play_context=context,
        loader=loader,
        templar=Templar(loader=loader),
        shared_loader_obj=None,
    )
    rows = _guest_readiness.ROWS if catalogue is None else tuple(catalogue)
    try:
        with mock.patch.object(_guest_readiness, "ROWS", rows):
            result: dict[str, Any] = plugin.run(task_vars=host)
        return result
    finally:
        with contextlib.suppress(Exception):  # Ansible does not mind either
            connection.close()
