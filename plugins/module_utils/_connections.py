# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Connections to libvirt: opened, shared, or one for each thread."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import TimeLimit, within

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now

KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 3
OPEN_LIMIT = 30.0
"""Seconds that libvirt may take to open a connection: one that has no file descriptor left lets its clients wait."""


def open_connection(uri: str) -> t.Any:
    """A new connection, which notices a libvirt that has gone silent."""
    connection = libvirt.open(uri)
    try:
        connection.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
    except libvirt.libvirtError:
        pass  # a driver inside this process has no connection that could go quiet
    return connection


def alive(connection: t.Any) -> bool:
    """Whether the connection is still there."""
    try:
        return bool(connection.isAlive())
    except libvirt.libvirtError:
        return False


class SharedConnection:
    """A connection that several calls use, opened anew when it has broken."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._connection: t.Any = None

    def get(self) -> t.Any:
        """The connection, for one call. Without a lock: opening may hang, and two opened at once do no harm."""
        connection = self._connection
        if connection is None or not alive(connection):
            connection = self._connection = open_connection(self._uri)
        return connection

    def forget(self) -> None:
        """Leave the connection to the call that hangs on it; the next call opens another."""
        self._connection = None


class ThreadConnections:
    """A connection for each thread: libvirt serves only five requests of one connection at a time, so that calls that
    hang would hold up those of other threads."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._local = threading.local()

    def get(self) -> t.Any:
        """This thread's connection. Raises TimeLimit when libvirt takes no new one."""
        connection = getattr(self._local, "connection", None)
        if connection is None or not alive(connection):
            try:
                connection = within(OPEN_LIMIT, lambda: open_connection(self._uri))
            except TimeLimit as error:
                raise TimeLimit(f"libvirt takes no new connection: {error}") from None
            self._local.connection = connection
        return connection
