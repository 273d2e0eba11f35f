# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry of a simulated Windows guest that runs: Wine's, by the same functions that Windows' programs use.

A resident program in Wine (programs/registry.c) does the work; a request takes well under a millisecond, and a snapshot
some microseconds for each key. Hives on the disk are in Wine's own text format, and not in Windows' binary one.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
import threading

from bed.windows.snapshot import Data, Snapshot, Value

TYPES = {
    "REG_NONE": 0,
    "REG_SZ": 1,
    "REG_EXPAND_SZ": 2,
    "REG_BINARY": 3,
    "REG_DWORD": 4,
    "REG_DWORD_BIG_ENDIAN": 5,
    "REG_LINK": 6,
    "REG_MULTI_SZ": 7,
    "REG_QWORD": 11,
}
NAMES = {number: name for name, number in TYPES.items()}
TEXTS = ("REG_SZ", "REG_EXPAND_SZ", "REG_LINK")
NUMBERS = {"REG_DWORD": 4, "REG_QWORD": 8}

ERROR_FILE_NOT_FOUND = 2
ERROR_ACCESS_DENIED = 5
ERROR_SHARING_VIOLATION = 32
ERROR_INVALID_PARAMETER = 87

CURRENT_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
CURRENT_VERSION_NT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
ROOTS = (
    r"HKLM\SYSTEM\CurrentControlSet\Control",
    r"HKLM\SYSTEM\CurrentControlSet\Services",
    r"HKLM\SYSTEM\Setup",
    rf"{CURRENT_VERSION}\Component Based Servicing",
    rf"{CURRENT_VERSION}\Policies",
    rf"{CURRENT_VERSION}\Reliability",
    rf"{CURRENT_VERSION}\WindowsUpdate",
    rf"{CURRENT_VERSION_NT}\ProfileList",
    rf"{CURRENT_VERSION_NT}\Windows",
    rf"{CURRENT_VERSION_NT}\Winlogon",
    r"HKLM\SOFTWARE\Policies",
    "HKU",
)
"""What a snapshot has unless told otherwise: all that decides what becomes of a shutdown."""


class RegistryError(Exception):
    """Windows' function has failed; `code` is its error number."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what}: Windows error {code}")
        self.code = code


class Registry:
    """Keys are named by their whole path with the short root, HKLM\\... or HKU\\..."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """`process` is the resident program with pipes to talk to it."""
        self._process = process
        self._lock = threading.RLock()
        self._hives: dict[str, str] = {}

    def snapshot(self, *roots: str) -> Snapshot:
        """What these keys and all below them hold now; those that do not exist are left out."""
        keys: dict[str, dict[str, Value]] = {}
        for root in roots or ROOTS:
            keys.update(_keys_of(self._do("R", root)))
        return Snapshot(keys)

    def set(self, key: str, name: str, type: str, data: Data) -> None:  # noqa: A002 - Windows' own word
        """Set a value, whose key is created if need be."""
        if type not in TYPES:
            raise ValueError(f'{key}: "{name}" cannot have the type "{type}"; there are: {", ".join(TYPES)}.')
        self._do("S", key, _text(name), struct.pack("<I", TYPES[type]), to_bytes(type, data))

    def delete(self, key: str, name: str) -> None:
        """Delete a value, if it is there."""
        self._do_if_there("D", key, _text(name))

    def create(self, key: str) -> None:
        """Create a key, unless it is there."""
        self._do("C", key)

    def delete_key(self, key: str) -> None:
        """Delete a key with all below it, if it is there."""
        if "\\" not in key.strip("\\"):
            raise ValueError(f"{key} is a root, which cannot be deleted.")
        self._do_if_there("T", key)

    def load(self, key: str, file: str) -> None:
        """Have a key show what a hive (a file of the guest, C:\\...) holds; it is locked until `unload`."""
        with self._lock:
            if _folded(file) in map(_folded, self._hives.values()):
                raise RegistryError(f"load {file}", ERROR_SHARING_VIOLATION)
            if self.snapshot(key).exists(key):
                raise RegistryError(f"load {key}", ERROR_ACCESS_DENIED)
            try:
                self._do("L", key, _text(file))
            except RegistryError:
                self.delete_key(key)  # Wine makes the key before it looks at the file
                raise
            self._hives[_folded(key)] = file

    def save(self, key: str, file: str) -> None:
        """Write a key with all below it into a hive, in place of what was there."""
        self._do("A", key, _text(file))

    def unload(self, key: str) -> None:
        """End what `load` has done, and write what was changed meanwhile into the hive."""
        with self._lock:
            file = self._hives.get(_folded(key))
            if file is None:
                raise RegistryError(f"unload {key}", ERROR_INVALID_PARAMETER)
            self.save(key, file)  # Wine leaves the file as it was
            self._do("U", key)
            del self._hives[_folded(key)]

    def close(self) -> None:
        """End the program, and with it, if nothing else runs, the guest's Wine."""
        assert self._process.stdin and self._process.stdout
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _do_if_there(self, what: str, key: str, *fields: bytes) -> None:
        try:
            self._do(what, key, *fields)
        except RegistryError as error:
            if error.code != ERROR_FILE_NOT_FOUND:
                raise

    def _do(self, what: str, key: str, *fields: bytes) -> bytes:
        request = [what.encode()]
        for field in [_text(key), *fields, b"", b"", b""][:4]:
            request += [struct.pack("<I", len(field)), field]
        assert self._process.stdin and self._process.stdout
        with self._lock:
            try:
                self._process.stdin.write(b"".join(request))
                self._process.stdin.flush()
                code, length = struct.unpack("<II", self._read(8))
                answer = self._read(length)
            except BrokenPipeError as error:
                raise RuntimeError("Wine's registry program has ended.") from error
        if code:
            raise RegistryError(key, code)
        return answer

    def _read(self, length: int) -> bytes:
        assert self._process.stdout
        answer = self._process.stdout.read(length)
        if len(answer) < length:
            raise BrokenPipeError
        return answer


def to_bytes(kind: str, data: Data) -> bytes:
    """A value as the registry keeps it; raises ValueError if this data cannot have this type."""
    if kind in NUMBERS and isinstance(data, int):
        return data.to_bytes(NUMBERS[kind], "little")
    if kind in TEXTS and isinstance(data, str):
        return _text(data) + b"\0\0"
    if kind == "REG_MULTI_SZ" and isinstance(data, list):
        return b"".join(_text(line) + b"\0\0" for line in data) + b"\0\0"
    if isinstance(data, bytes):
        return data
    raise ValueError(f"a {kind} cannot hold {data!r}")


def from_bytes(kind: str, data: bytes) -> Data:
    """What `to_bytes` was made of; data that does not fit its type is left as it is."""
    if kind in NUMBERS and len(data) == NUMBERS[kind]:
        return int.from_bytes(data, "little")
    if len(data) % 2 == 0:
        text = data.decode("utf-16-le", "surrogatepass")
        if kind in TEXTS:
            return text.removesuffix("\0")
        if kind == "REG_MULTI_SZ":
            return text.removesuffix("\0").removesuffix("\0").split("\0") if text.strip("\0") else []
    return data


def _text(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _folded(path: str) -> str:
    return path.strip("\\").casefold()


def _keys_of(snapshot: bytes) -> dict[str, dict[str, Value]]:
    """Take an answer of registry.c apart."""
    keys: dict[str, dict[str, Value]] = {}
    values: dict[str, Value] = {}
    position = 0

    def field() -> bytes:
        nonlocal position
        (length,) = struct.unpack_from("<I", snapshot, position)
        position += 4 + length
        return snapshot[position - length : position]

    while position < len(snapshot):
        mark = snapshot[position : position + 1]
        position += 1
        if mark == b"K":
            values = keys[field().decode("utf-16-le", "surrogatepass")] = {}
        else:
            name = field().decode("utf-16-le", "surrogatepass")
            number = int.from_bytes(field(), "little")
            kind = NAMES.get(number, f"0x{number:x}")
            values[name] = Value(kind, from_bytes(kind, field()))
    return keys
