# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of qemu-guest-agent on the Unix socket of its channel, for tests that run without libvirt."""

from __future__ import annotations

import itertools
import json
import socket
from pathlib import Path
from typing import Any

DELIMITER = b"\xff"


class AgentError(Exception):
    """The agent has answered that it refuses or has failed."""


class AgentChannel:
    """One connection to the host's end of the channel. A silent agent shows itself as TimeoutError."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.received = b""
        self.numbers = itertools.count(1)

    def close(self) -> None:
        """Hang up; the agent does not notice."""
        self.socket.close()

    def synchronise(self, timeout: float = 60) -> None:
        """Ask for a sign of life, and drop every earlier answer that nobody has read."""
        number = next(self.numbers)
        self.socket.sendall(DELIMITER)
        self.send("guest-sync-delimited", id=number)
        answer = None
        while answer != {"return": number}:
            self.read_until(DELIMITER, timeout)
            answer = json.loads(self.read_until(b"\n", timeout))

    def execute(self, command: str, timeout: float = 60, **arguments: object) -> Any:
        """Give a command and wait for what it returns."""
        self.send(command, **arguments)
        answer = json.loads(self.read_until(b"\n", timeout))
        if "error" in answer:
            raise AgentError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def send(self, command: str, **arguments: object) -> None:
        """Give a command and wait for nothing: guest-shutdown has no answer unless it fails."""
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def read_until(self, end: bytes, timeout: float) -> bytes:
        """What came before the next `end`."""
        self.socket.settimeout(timeout)
        while end not in self.received:
            chunk = self.socket.recv(4096)
            if not chunk:
                raise ConnectionError("QEMU has closed the agent's channel")
            self.received += chunk
        wanted, dummy, self.received = self.received.partition(end)
        return wanted
