# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Registry hives as files: looked at before anything is believed, read, and written anew, by the library hivex.

A hive may come from a stranger, and hivex is written in C. So whatever it does is done in a process of its own, with a
time limit; if that process ends badly, the hive is what is wrong.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import select
import signal
import struct
import time
import traceback
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import NUMBER_TYPES, TEXT_TYPES, Data, Value

try:
    import hivex
except ImportError:
    HIVEX_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    HIVEX_IMPORT_ERROR = None

HEAD = 4096
"""Bytes of a hive's first page, which tells whether the rest is whole."""

LIMIT = 120.0
"""Seconds that one hive may take; one of 100 MB takes a few."""

BIG_DATA = 16344
"""Bytes of a value beyond which Windows keeps it in pieces, which hivex cannot write."""

TYPES = (
    *("REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_LINK"),
    *("REG_MULTI_SZ", "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST"),
    "REG_QWORD",
)
"""By their numbers."""

SIZES = {"REG_DWORD": 4, "REG_QWORD": 8}

Result = t.TypeVar("Result")


class HiveError(Exception):
    """A hive cannot be used; the text says which, why, and what to do."""


class UnreplayedLogs(HiveError):
    """What Windows has written last is still in the hive's logs."""


class Setting(t.NamedTuple):
    """What is to be written into a hive; data None deletes the value."""

    key: str
    name: str
    type: str
    data: Data | None


def check_head(head: bytes, size: int, name: str) -> None:
    """Raise HiveError unless this first page is that of a whole hive of this size, to which no log is to be added."""
    if len(head) < HEAD or head[:4] != b"regf":
        raise HiveError(f"{name} is no registry hive, or its beginning is damaged; restore it from a backup")
    first, second = struct.unpack_from("<II", head, 4)
    if first != second or struct.unpack_from("<I", head, 508)[0] != _checksum(head):
        raise UnreplayedLogs(
            f"{name} was not closed by Windows: what was written last is in its logs (.LOG1, .LOG2), and would be lost "
            "or would damage it. Boot the image once, shut Windows down fully (shutdown /s /t 0), and try again"
        )
    major, minor, kind, form, dummy_root, length = struct.unpack_from("<IIIIII", head, 20)
    if major != 1 or not 3 <= minor <= 6 or kind != 0 or form != 1:
        raise HiveError(f"{name} is a hive of an unknown version ({major}.{minor}), and is left alone")
    if length % HEAD or length == 0 or HEAD + length > size:
        raise HiveError(
            f"{name} is cut off or damaged: it should have {HEAD + length} bytes and has {size}; restore it from a "
            "backup"
        )


class Hive:
    """An open hive. Keys are named by their path below its root, with backslashes, in whatever case."""

    def __init__(self, file: str, name: str, write: bool = False) -> None:
        self._name = name
        try:
            self._hive = hivex.Hivex(file, write=write)
            self._root = self._hive.root()
        except (OSError, RuntimeError) as error:
            raise HiveError(f"{name} is damaged: hivex cannot open it ({error}); restore it from a backup") from None

    def value(self, key: str, name: str) -> Value | None:
        """A value, None where it is absent."""
        with self._told(f"{key}\\{name}"):
            node = self._node(key)
            found = None if node is None else self._value(node, name)
            return None if found is None else _value(*self._hive.value_value(found))

    def exists(self, key: str) -> bool:
        """Whether there is such a key."""
        with self._told(key):
            return self._node(key) is not None

    def subkeys(self, key: str) -> list[str]:
        """The names of the keys in this key; none where it is not there.

        Those that no path can have in it are left out, such as what some programs hide from regedit by a zero.
        """
        with self._told(key):
            node = self._node(key)
            names = [] if node is None else [self._hive.node_name(child) for child in self._hive.node_children(node)]
            return [name for name in names if not set(name) & {"\0", "\\"}]

    def set(self, setting: Setting) -> None:
        """Set a value, whose key is created if need be, or delete it, if it is there."""
        with self._told(f"{setting.key}\\{setting.name}"):
            node = self._node(setting.key, create=setting.data is not None)
            if node is None:
                return
            values = [(self._hive.value_key(value), value) for value in self._hive.node_values(node)]
            big = [key for key, value in values if self._hive.value_type(value)[1] > BIG_DATA]
            if any(key.casefold() != setting.name.casefold() for key in big):
                raise HiveError(
                    f"{self._name} has a value of more than {BIG_DATA} bytes in {setting.key} ({big[0]}), which hivex "
                    "would damage when it writes there; set the row in the running guest, or waive it"
                )
            kept = [
                {"key": key, "t": kind, "value": data}
                for key, (kind, data) in ((key, self._hive.value_value(value)) for key, value in values)
                if key.casefold() != setting.name.casefold()
            ]
            if setting.data is not None:
                # In the spelling that is there already, if there is one.
                name = next((key for key, dummy in values if key.casefold() == setting.name.casefold()), setting.name)
                kept.append(
                    {"key": name, "t": TYPES.index(setting.type), "value": to_bytes(setting.type, setting.data)}
                )
            self._hive.node_set_values(node, kept)

    def commit(self, file: str) -> None:
        """Write all into a new file."""
        with self._told("the new hive"):
            self._hive.commit(file)

    def _node(self, key: str, create: bool = False) -> t.Any:
        node = self._root
        for name in key.split("\\") if key else ():
            child = self._hive.node_get_child(node, name)
            if child is None:
                child = next(
                    (one for one in self._others(node, name) if self._same(self._hive.node_name(one), name)), None
                )
            if child is None:
                if not create:
                    return None
                child = self._hive.node_add_child(node, name)
            node = child
        return node

    def _others(self, node: t.Any, name: str) -> t.Iterable[t.Any]:
        """Keys to look at one by one, where hivex knows nothing of case."""
        return () if name.isascii() else self._hive.node_children(node)

    def _value(self, node: t.Any, name: str) -> t.Any:
        return next((one for one in self._hive.node_values(node) if self._same(self._hive.value_key(one), name)), None)

    @staticmethod
    def _same(one: str, other: str) -> bool:
        return one.casefold() == other.casefold()

    @contextlib.contextmanager
    def _told(self, what: str) -> t.Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            raise HiveError(
                f"{self._name} is damaged at {what}: hivex says {error}; restore it from a backup"
            ) from None


def guarded(work: t.Callable[[], Result], name: str, limit: float = LIMIT) -> Result:
    """What this work with a hive returns, done in a process of its own. Raises HiveError where that ends badly."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _work(work, theirs)
    os.close(theirs)
    try:
        told = _all(ours, time.monotonic() + limit)
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        told = None
    finally:
        os.close(ours)
        status = os.waitpid(child, 0)[1]
    if told is None:
        raise HiveError(f"{name} is damaged: hivex has not come to an end with it in {limit:g} s") from None
    if status != 0 or not told:
        end = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
        raise HiveError(f"{name} is damaged: hivex has broken down on it ({end}); restore it from a backup")
    worked, result = pickle.loads(told)
    if worked:
        return t.cast(Result, result)
    raise result


def write(source: str, target: str, settings: t.Sequence[Setting], name: str) -> None:
    """Make a hive that is another one with these settings, in a new file, and look whether it is."""

    def work() -> None:
        hive = Hive(source, name, write=True)
        for setting in settings:
            hive.set(setting)
        hive.commit(target)
        with open(target, "rb") as file:
            check_head(file.read(HEAD), os.stat(target).st_size, name)
        new = Hive(target, name)
        for setting in settings:
            value = new.value(setting.key, setting.name)
            if (value.data if value else None) != setting.data or (value and value.type != setting.type):
                raise HiveError(f"{name}: hivex has not written {setting.key}\\{setting.name}, so nothing was changed")

    guarded(work, name)


def to_bytes(value_type: str, data: Data) -> bytes:
    """Data as a hive keeps it."""
    if isinstance(data, int):
        return data.to_bytes(SIZES[value_type], "little")
    if isinstance(data, str):
        return _text(data)
    return b"".join(map(_text, data)) + _text("") if isinstance(data, tuple) else data


def _value(number: int, data: bytes) -> Value:
    """A value from its type's number and its bytes; those that do not fit the type are left as they are."""
    name = TYPES[number] if 0 <= number < len(TYPES) else f"REG_0x{number:x}"
    if name in NUMBER_TYPES and len(data) == SIZES[name]:
        return Value(name, int.from_bytes(data, "little"))
    if name in (*TEXT_TYPES, "REG_MULTI_SZ"):
        text = data[: len(data) // 2 * 2].decode("utf-16-le", "replace")
        if name in TEXT_TYPES:
            return Value(name, text.partition("\0")[0])
        return Value(name, tuple(text.rstrip("\0").split("\0")) if text.rstrip("\0") else ())
    return Value(name, data)


def _text(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le", "surrogatepass")


def _checksum(head: bytes) -> int:
    """Of the first page, as Windows does it."""
    checksum = 0
    for (word,) in struct.iter_unpack("<I", head[:508]):
        checksum ^= word
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(checksum, checksum)


def _work(work: t.Callable[[], t.Any], told: int) -> t.NoReturn:
    """In the process of its own: do it, tell the result, and end without anything that is the parent's to do."""
    status = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            result: tuple[bool, t.Any] = (True, work())
        except HiveError as error:
            result = (False, error)
        with os.fdopen(told, "wb") as file:
            pickle.dump(result, file)
        status = 0
    finally:
        os._exit(status)


def _all(pipe: int, deadline: float) -> bytes:
    """All that comes out of a pipe until its end. Raises TimeoutError after the deadline."""
    pieces: list[bytes] = []
    while True:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        piece = os.read(pipe, 1 << 16)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
