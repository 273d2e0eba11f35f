# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server that the simulated programs in Wine ask what to answer (programs/ask.c has what goes over the wire)."""

from __future__ import annotations

import secrets
import socket
import struct
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

from bed.windows.commands import powercfg, reg, shutdown, tasklist, wevtutil
from bed.windows.commands.line import parse
from bed.windows.commands.types import Answer, Invocation, Program, Windows

PROGRAMS: Mapping[str, Program] = {
    "powercfg": powercfg.run,
    "reg": reg.run,
    "shutdown": shutdown.run,
    "tasklist": tasklist.run,
    "wevtutil": wevtutil.run,
}
OWN_WORK = 0xFFFFFFFF
BROKEN = 31  # ERROR_GEN_FAILURE


class CommandServer:
    """Answers the programs of one guest; use it as a context manager. `invocations` are all that were started."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.invocations: list[Invocation] = []
        self._word = secrets.token_hex(16)
        self._thread = threading.Thread(target=self._listen, name="commands")
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._ends = threading.Event()

    def __enter__(self) -> CommandServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which the programs find it."""
        address, port = self._listener.getsockname()
        return {"WINGUEST_COMMANDS": f"{address}:{port}:{self._word}"}

    def close(self) -> None:
        """Answer nobody any more, and wait for what still works."""
        self._ends.set()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for thread in list(self._threads):
            thread.join()

    def _listen(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return  # it was closed
            thread = threading.Thread(target=self._serve, args=(connection,), name="command")
            with self._lock:
                if self._ends.is_set():
                    connection.close()
                    return
                self._open.add(connection)
                self._threads.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):
            question = connection.makefile("rb")
            if question.readline(100).strip() == self._word.encode():
                (length,) = struct.unpack("<I", _exactly(question.read(4), 4))
                line = _exactly(question.read(length), length).decode(errors="replace")
                connection.sendall(self._reply(parse(line)))
        with self._lock:
            self._open.discard(connection)
            self._threads.discard(threading.current_thread())

    def _reply(self, invocation: Invocation) -> bytes:
        self.invocations.append(invocation)
        try:
            reply = answer(invocation, self.windows, self._ends)
        except Exception:
            reply = Answer(errors=f"The simulator is broken:\n{traceback.format_exc()}", status=BROKEN)
        if reply is None:
            return struct.pack("<II", 0, OWN_WORK)
        output, errors = encode(reply.output), encode(reply.errors)
        return struct.pack("<III", reply.status, len(output), len(errors)) + output + errors


def answer(invocation: Invocation, windows: Windows, ends: threading.Event) -> Answer | None:
    """What a program does, with what it prints; None if Wine's own is to do it. `ends` is for the faults."""
    for fault in windows.faults:
        faulty = fault(invocation, windows, ends)
        if faulty is not None:
            return faulty
    if invocation.program not in PROGRAMS:
        return Answer(errors=f"{invocation.program} is not simulated.\n", status=BROKEN)
    return PROGRAMS[invocation.program](invocation, windows)


def encode(text: str | bytes) -> bytes:
    """As the programs print it in a shell of WinRM, whose code page is 65001."""
    return text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode(errors="replace")


def _exactly(data: bytes, length: int) -> bytes:
    if len(data) < length:
        raise EOFError
    return data
