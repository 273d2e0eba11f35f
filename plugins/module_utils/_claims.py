# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Which run is at work on which domain: a lock for each domain, which the kernel releases when the run's process ends.

All locks are bytes of one file, so that thousands of domains cost one open file. A byte's place comes of the domain's
UUID and the hypervisor's: clones on two hypervisors may have the same UUID, and be shut down from one host.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.winguest.shutdown.plugins.module_utils._places import make_private
from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp

NAME = "claims"
_FLOCK = "hhqqi"
"""struct flock: l_type, l_whence, l_start, l_len, l_pid."""


class Claims:
    """The claims of this process on domains, by their UUIDs."""

    def __init__(self, folder: str, hypervisor: str = "") -> None:
        """Claims on this hypervisor's domains of runs that use the same folder; it is made with the first claim."""
        self._folder = folder
        self._hypervisor = hypervisor
        self._file: int | None = None
        self._held: set[str] = set()

    def take(self, uuid: str) -> str:
        """Claim the domain: empty, or who has it. Raises PlaceError where nothing can be claimed."""
        while uuid not in self._held:
            try:
                fcntl.lockf(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._place(uuid))
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
                holder = self.holder(uuid)
                if holder:
                    return holder
            else:
                self._held.add(uuid)
        return ""

    def holder(self, uuid: str) -> str:
        """Which other run has claimed the domain, in words; empty when none has."""
        if self._file is None and not os.path.exists(os.path.join(self._folder, NAME)):
            return ""
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, self._place(uuid), 1, 0)
        told = struct.unpack(_FLOCK, fcntl.fcntl(self._open(), fcntl.F_GETLK, asked))
        return "" if told[0] == fcntl.F_UNLCK else _who(told[4])

    def release(self, uuid: str) -> None:
        """Give the claim up, if there is one."""
        if uuid in self._held:
            self._held.discard(uuid)
            fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, self._place(uuid))

    def _place(self, uuid: str) -> int:
        """62 bits, which a file's offset can hold."""
        digest = hashlib.blake2b(f"{self._hypervisor} {uuid}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 2

    def _open(self) -> int:
        # Opened once: closing any other opening of the same file would release all of this process's locks.
        if self._file is None:
            path = os.path.join(make_private(self._folder), NAME)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file


class NoClaims(Claims):
    """For domains that no other process can have."""

    def __init__(self) -> None:
        super().__init__("")

    def take(self, uuid: str) -> str:
        """Claim nothing."""
        return ""

    def holder(self, uuid: str) -> str:
        """Nobody has it."""
        return ""


def claims_for(connection: t.Any, folder: str) -> Claims:
    """The claims on the domains of this libvirt connection.

    Those of libvirt's test driver are in this process, and every process has its own, with the same UUIDs.
    """
    if str(connection.getURI()).startswith("test:"):
        return NoClaims()
    return Claims(folder, ET.fromstring(connection.getCapabilities()).findtext("./host/uuid", default=""))


def _who(pid: int) -> str:
    if pid <= 0:
        return "another run, whose process cannot be seen from here"
    began = _began(pid)
    return f"another run (process {pid}, since {began})" if began else f"another run (process {pid})"


def _began(pid: int) -> str:
    """When the process was started, ISO 8601 in UTC; empty where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="ascii") as file:
            (boot,) = [int(line.split()[1]) for line in file if line.startswith("btime ")]
    except (OSError, ValueError, IndexError):
        return ""
    return timestamp(boot + ticks / os.sysconf("SC_CLK_TCK"))
