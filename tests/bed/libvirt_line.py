# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A line to a libvirtd that can be cut at any call: it passes libvirt's messages on, and looks at their heads only.

    with LibvirtLine(bed.daemon.directory / "libvirt-sock", folder / "line") as line:
        line.cut_at(Procedure.DOMAIN_DESTROY_FLAGS, answered=True)
        call(line.uri, ...)

A cut ends all connections at once, as that of a network does; new ones are taken at once.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

HEAD = struct.Struct(">IIIiIIi")
"""length, program, version, procedure, type, serial, status: what each of libvirt's messages begins with."""

REMOTE_PROGRAM = 0x20008086
CALL, REPLY = 0, 1
LONGEST = 64 << 20


class Procedure(enum.IntEnum):
    """Some of the calls of libvirt's remote protocol, by their numbers, which never change."""

    DOMAIN_GET_XML_DESC = 14
    DOMAIN_MANAGED_SAVE = 182
    DOMAIN_DESTROY_FLAGS = 234
    DOMAIN_SHUTDOWN_FLAGS = 258
    DOMAIN_SET_METADATA = 264
    CONNECT_GET_ALL_DOMAIN_STATS = 344


class LibvirtLine:
    """The line; use it as a context manager. `cuts` counts how often it was cut."""

    def __init__(self, target: Path, path: Path) -> None:
        """`target`: libvirtd's socket; `path`: where the line's own is made."""
        self._target = target
        self._path = path
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._plan: tuple[Procedure, int, bool] | None = None
        self.cuts = 0

    @property
    def uri(self) -> str:
        """Libvirt's URI of the QEMU driver at the other end."""
        return f"qemu+unix:///system?socket={self._path}"

    def __enter__(self) -> LibvirtLine:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut_at(self, procedure: Procedure, count: int = 1, answered: bool = False) -> None:
        """Cut the line once, at the count-th call of this procedure from now on.

        Before the call arrives, or, when it is answered, instead of the answer.
        """
        with self._lock:
            self._plan = procedure, count, answered

    def cut(self) -> None:
        """Cut it now."""
        with self._lock:
            self._plan = None
            self.cuts += 1
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                try:
                    far.connect(str(self._target))
                except OSError:
                    near.close()
                    far.close()
                    continue
                with self._lock:
                    self._open |= {near, far}
                awaited: set[int] = set()
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink, awaited), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, awaited: set[int]) -> None:
        """Pass messages on; `awaited` are the serials of calls whose answers are to be cut off, of both directions."""
        with contextlib.suppress(OSError):
            for message in _messages(source):
                if self._is_cut(message, awaited):
                    self.cut()
                    break
                sink.sendall(message)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()

    def _is_cut(self, message: bytes, awaited: set[int]) -> bool:
        dummy_length, program, dummy_version, procedure, kind, serial, dummy_status = HEAD.unpack_from(message)
        if program != REMOTE_PROGRAM:
            return False
        if kind == REPLY:
            return serial in awaited
        with self._lock:
            if kind != CALL or self._plan is None or procedure != self._plan[0]:
                return False
            wanted, count, answered = self._plan
            if count > 1:
                self._plan = wanted, count - 1, answered
                return False
            self._plan = None
            if answered:
                awaited.add(serial)
            return not answered


def _messages(source: socket.socket) -> Iterator[bytes]:
    with source.makefile("rb") as stream:
        while len(length := stream.read(4)) == 4:
            size = int.from_bytes(length, "big")
            rest = stream.read(size - 4) if HEAD.size <= size <= LONGEST else b""
            if len(rest) != size - 4:
                return
            yield length + rest
