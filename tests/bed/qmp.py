# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""QMP, QEMU's own control protocol, for tests that start QEMU without libvirt."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any


class QmpError(RuntimeError):
    """QEMU has refused a command, or has ended."""


class Qmp:
    """A QMP connection: one command at a time, and the events in the order in which they came."""

    def __init__(self, path: Path, timeout: float = 60) -> None:
        """Connect to the socket that QEMU listens on; `timeout` is how long to wait for anything."""
        self._timeout = timeout
        self._events: list[dict[str, Any]] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile()
        self._read()
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def execute(self, command: str, **arguments: Any) -> Any:
        """Give a command, and return what QEMU answers."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            message = self._read()
            if "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            self._events.append(message)

    def wait(self, name: str) -> float:
        """Wait for the next event of this name, taking it and those before it away; return the time that it bears."""
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            event = self._events.pop(0) if self._events else self._read()
            if event["event"] == name:
                return float(event["timestamp"]["seconds"]) + float(event["timestamp"]["microseconds"]) / 1e6
        raise QmpError(f"no event {name} within {self._timeout:g} s")

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise QmpError("QEMU has closed the connection")
        message: dict[str, Any] = json.loads(line)
        return message
