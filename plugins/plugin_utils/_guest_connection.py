# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""A connection to another host of the inventory than the task's own, with the variables and the password that Ansible
itself would give to it."""

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.errors import AnsibleError

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase
    from ansible.plugins.connection import ConnectionBase

DEFAULT_CONNECTION = "winrm"


def guest_connection(action: ActionBase, hostvars: t.Mapping[str, t.Any], guest: str) -> ConnectionBase:
    """The connection to this guest, not yet connected.

    The password that was prompted for belongs to the whole run, and goes with it as with every other connection.

    Raises AnsibleError when the inventory has no such host, or has nothing that could connect to it.
    """
    if guest not in hostvars:
        raise AnsibleError(f"the inventory has no host {guest}")
    variables = hostvars[guest]
    name = str(variables.get("ansible_connection") or DEFAULT_CONNECTION)
    context = action._play_context.copy()
    context.connection = name
    context.remote_addr = str(variables.get("ansible_host") or guest)
    context.port = None
    context.become = False
    connection = action._shared_loader_obj.connection_loader.get(name, context, None)
    if connection is None:
        raise AnsibleError(f"the connection plugin {name} of host {guest} was not found")
    keys = {"timeout": context.timeout, "remote_user": action._task.remote_user}
    if context.password:
        keys["password"] = context.password
    connection.set_options(task_keys=keys, var_options=_options("connection", connection, variables))
    connection._shell.set_options(task_keys=keys, var_options=_options("shell", connection._shell, variables))
    return connection


def _options(kind: str, plugin: t.Any, variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The host's variables that this plugin takes."""
    options = {
        name: variables[name] for name in constants.config.get_plugin_vars(kind, plugin._load_name) if name in variables
    }
    if getattr(plugin, "allow_extras", False):
        prefix = f"ansible_{plugin.extras_prefix}_"
        extras = {name: variables[name] for name in variables if name.startswith(prefix) and name not in options}
        options["_extras"] = extras
    return options
