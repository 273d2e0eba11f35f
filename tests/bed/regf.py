# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes registry hives in Windows' binary format ("regf"), from nothing: keys, values, and one security descriptor.

The format is as Maxim Suhanov's "Windows registry file format specification" and hivex's sources describe it. Nothing
in a hive made here comes from a Windows.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from bed.windows.registry import TYPES, to_bytes
from bed.windows.snapshot import Value

PAGE = 4096
NONE = 0xFFFFFFFF
BIG_DATA = 16344
"""What a value has at most in one piece; more is divided into pieces of this size."""

LONGEST_LIST = 500
"""How many keys a list of keys has; a key with more has a list of lists."""

ROOT_FLAGS, PLAIN_NAME = 0x0C, 0x20
FILETIME = 133_000_000_000_000_000
"""Some day in 2022, in Windows' units."""

DESCRIPTOR = struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0)
"""A security descriptor in one piece, with neither owner nor lists."""

Keys = Mapping[str, Mapping[str, Value]]
"""Path below the root ("" is the root itself) -> name of a value -> the value."""


@dataclass
class _Key:
    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    keys: dict[str, _Key] = field(default_factory=dict)


def hive(keys: Keys, first: int = 7, second: int = 7, minor: int = 5) -> bytes:
    """A hive with these keys, and those above them.

    first, second: its sequence numbers, which differ in one whose logs are still to be replayed.
    """
    root = _Key("ROOT")
    for path, values in keys.items():
        key = root
        for name in path.split("\\") if path else ():
            key = key.keys.setdefault(name.casefold(), _Key(name))
        key.values = {**key.values, **values}
    cells = _Cells(minor >= 5)
    (offset,) = _add(cells, {"": root}, 0, ROOT_FLAGS)
    body = cells.bins()
    return base_block(offset, len(body), first, second, minor) + body


def base_block(root: int, size: int, first: int, second: int, minor: int) -> bytes:
    """The first page of a hive."""
    block = bytearray(PAGE)
    struct.pack_into("<4sIIQIIIIIII", block, 0, b"regf", first, second, FILETIME, 1, minor, 0, 1, root, size, 1)
    return with_checksum(block)


def with_checksum(block: bytes | bytearray) -> bytes:
    """The first page with the checksum that belongs to it."""
    checksum = 0
    for (word,) in struct.iter_unpack("<I", bytes(block[:508])):
        checksum ^= word
    checksum = {0: 1, NONE: NONE - 1}.get(checksum, checksum)
    return bytes(block[:508]) + struct.pack("<I", checksum) + bytes(block[512:])


class _Cells:
    """Bins that are being filled. An offset is that of a cell's contents less four, as cells refer to each other."""

    def __init__(self, hashed: bool) -> None:
        self._body = bytearray()
        self._end = 0
        self.hashed = hashed
        """Whether lists of keys have hashes of names, as since version 1.5, and not their first four letters."""
        self._secured = 0
        self._security = 0

    def add(self, contents: bytes) -> int:
        size = (4 + len(contents) + 7) & ~7
        if self._end + size > len(self._body):
            self._close()
            length = (32 + size + PAGE - 1) & ~(PAGE - 1)
            head = struct.pack("<4sIIQQI", b"hbin", len(self._body), length, 0, FILETIME, 0)
            self._end = len(self._body) + len(head)
            self._body += head + bytes(length - len(head))
        offset = self._end
        struct.pack_into("<i", self._body, offset, -size)
        self._body[offset + 4 : offset + 4 + len(contents)] = contents
        self._end += size
        return offset

    def patch(self, offset: int, contents: bytes) -> None:
        """Write into a cell; offset counts from its size on, four bytes further than contents do."""
        self._body[offset + 4 : offset + 4 + len(contents)] = contents

    def secure(self, key: int) -> None:
        """Give a key the security descriptor, which all keys share."""
        if not self._security:
            head = struct.pack("<2sHIIII", b"sk", 0, 0, 0, 0, len(DESCRIPTOR))
            self._security = self.add(head + DESCRIPTOR)
            self.patch(self._security + 4, struct.pack("<II", self._security, self._security))
        self._secured += 1
        self.patch(key + 44, struct.pack("<I", self._security))

    def bins(self) -> bytes:
        """All bins, when everything is in them."""
        self.patch(self._security + 12, struct.pack("<I", self._secured))
        self._close()
        return bytes(self._body)

    def _close(self) -> None:
        """What is left of the last bin is one free cell."""
        left = len(self._body) - self._end
        if left:
            struct.pack_into("<i", self._body, self._end, left)
            self._end = len(self._body)


def _add(cells: _Cells, keys: Mapping[str, _Key], parent: int, flags: int = 0) -> list[int]:
    """Add keys, with all below them, in the order in which they are looked up."""
    offsets = []
    for key in sorted(keys.values(), key=lambda key: key.name.upper()):
        plain, name = _name(key.name)
        below = [one.name for one in key.keys.values()]
        offset = cells.add(
            struct.pack("<2sHQIIIIIIII", b"nk", flags | plain * PLAIN_NAME, FILETIME, 0, parent, len(below), 0, NONE,
                        NONE, len(key.values), NONE)
            + struct.pack("<IIIIIIIHH", 0, NONE, max(map(_width, below), default=0), 0,
                          max(map(_width, key.values), default=0), 0, 0, len(name), 0)
            + name
        )  # fmt: skip
        cells.secure(offset)
        offsets.append(offset)
        if key.values:
            added = [_value(cells, name, value) for name, value in key.values.items()]
            cells.patch(offset + 40, struct.pack("<I", cells.add(struct.pack(f"<{len(added)}I", *added))))
        if key.keys:
            children = sorted(key.keys.values(), key=lambda child: child.name.upper())
            places = _add(cells, key.keys, offset)
            cells.patch(offset + 28, struct.pack("<I", _list(cells, [one.name for one in children], places)))
    return offsets


def _list(cells: _Cells, names: list[str], offsets: list[int]) -> int:
    lists = []
    for start in range(0, len(names), LONGEST_LIST):
        part = slice(start, start + LONGEST_LIST)
        entries = b"".join(
            struct.pack("<I", offset) + (_hash(name) if cells.hashed else _hint(name))
            for name, offset in zip(names[part], offsets[part], strict=True)
        )
        lists.append(cells.add(struct.pack("<2sH", b"lh" if cells.hashed else b"lf", len(entries) // 8) + entries))
    if len(lists) == 1:
        return lists[0]
    return cells.add(struct.pack(f"<2sH{len(lists)}I", b"ri", len(lists), *lists))


def _value(cells: _Cells, name: str, value: Value) -> int:
    plain, raw = _name(name)
    data = to_bytes(value.type, value.data)
    length = len(data)
    if length <= 4:
        place, length = int.from_bytes(data.ljust(4, b"\0"), "little"), length | 0x80000000
    elif length <= BIG_DATA:
        place = cells.add(data)
    else:
        pieces = [cells.add(data[start : start + BIG_DATA]) for start in range(0, length, BIG_DATA)]
        pointers = cells.add(struct.pack(f"<{len(pieces)}I", *pieces))
        place = cells.add(struct.pack("<2sHII", b"db", len(pieces), pointers, 0))
    kind = TYPES[value.type] if value.type in TYPES else int(value.type, 16)
    return cells.add(struct.pack("<2sHIIIHH", b"vk", len(raw), length, place, kind, plain, 0) + raw)


def _name(name: str) -> tuple[bool, bytes]:
    """A name as it is kept: one byte for each letter where that is possible."""
    try:
        return True, name.encode("latin-1")
    except UnicodeEncodeError:
        return False, name.encode("utf-16-le")


def _width(name: str) -> int:
    return 2 * len(name)


def _hash(name: str) -> bytes:
    result = 0
    for character in name.upper():
        result = (result * 37 + ord(character)) & 0xFFFFFFFF
    return struct.pack("<I", result)


def _hint(name: str) -> bytes:
    return name[:4].encode("latin-1", "replace").ljust(4, b"\0")
