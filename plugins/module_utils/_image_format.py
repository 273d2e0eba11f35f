# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What the first bytes of a disk image say: its format, and which other files belong to it. Pure.

An image may come from strangers. So its header is read here before any program opens it, because some formats can name
other files of the host, and programs that are not told a format guess one from what the guest may have written.
"""

from __future__ import annotations

import re
import struct
import typing as t

Read = t.Callable[[int, int], bytes]
"""A piece of an image: (offset, size)."""

FORMATS = ("qcow2", "raw", "vhdx", "vmdk")
MAGICS = {b"QFI\xfb": "qcow2", b"vhdxfile": "vhdx", b"KDMV": "vmdk", b"# Disk DescriptorFile": "vmdk"}

# Of qcow2's specification, as are the offsets below.
CORRUPT, DATA_FILE = 1 << 1, 1 << 2
BACKING_FORMAT, END = 0xE2792ACA, 0
V2_LENGTH = 72
LONGEST_NAME = 1023
LONGEST_EXTENSION = 4096
MOST_EXTENSIONS = 32
LONGEST_DESCRIPTOR = 64 << 10
NO_PARENT = "ffffffff"

_VMDK_LINE = re.compile(r"^\s*(createType|parentCID)\s*=\s*\"?([^\"\r\n]*)", re.MULTILINE)


class FormatError(ValueError):
    """The image cannot be used as it is; the text says why. kind: encrypted, or unsupported; cure: what to do."""

    def __init__(self, kind: str, text: str, cure: str) -> None:
        super().__init__(text)
        self.kind, self.cure = kind, cure


class Header(t.NamedTuple):
    """What a header says. backing: the file below, as it is written there, or empty."""

    format: str
    backing: str = ""
    backing_format: str = ""


def guessed(read: Read) -> str:
    """The format that the first bytes look like."""
    start = read(0, 32)
    return next((name for magic, name in MAGICS.items() if start.startswith(magic)), "raw")


def header(read: Read, kind: str) -> Header:
    """The header of an image of this format. Raises FormatError for one that must not be opened."""
    start = read(0, 8)
    if kind == "raw":
        if start.startswith(b"LUKS\xba\xbe"):
            raise FormatError("encrypted", "it is encrypted with LUKS", "decrypt it with cryptsetup into another image")
        return Header("raw")
    if guessed(read) != kind:
        raise FormatError(
            "unsupported", f"it does not begin as {kind} does", "name its true format in the option format"
        )
    if kind == "qcow2":
        return _qcow2(read)
    return _vmdk(read) if kind == "vmdk" else Header(kind)


def _qcow2(read: Read) -> Header:
    start = read(0, 104).ljust(104, b"\0")
    version, backing_offset, backing_size = struct.unpack_from(">IQI", start, 4)
    (encryption,) = struct.unpack_from(">I", start, 32)
    if version not in (2, 3):
        raise FormatError("unsupported", f"it is of version {version} of qcow2", "convert it with qemu-img convert")
    if encryption:
        raise FormatError("encrypted", "its content is encrypted by qcow2", "decrypt it with qemu-img convert")
    features, length = 0, V2_LENGTH
    if version > 2:
        (features,), (length,) = struct.unpack_from(">Q", start, 72), struct.unpack_from(">I", start, 100)
    if features & DATA_FILE:
        raise FormatError(
            "unsupported",
            "its data is in another file, which its header names",
            "make one file of it with qemu-img convert, if you trust where it comes from",
        )
    if features & CORRUPT:
        raise FormatError("unsupported", "qcow2 has marked it as corrupt", "repair it with qemu-img check -r all")
    if not backing_offset:
        return Header("qcow2")
    if not 0 < backing_size <= LONGEST_NAME:
        raise FormatError("unsupported", "its header is damaged", "look at it with qemu-img check")
    backing = read(backing_offset, backing_size)
    return Header("qcow2", _text(backing), _backing_format(read, length))


def _backing_format(read: Read, offset: int) -> str:
    for dummy in range(MOST_EXTENSIONS):
        found = read(offset, 8)
        if len(found) < 8:
            break
        kind, size = struct.unpack(">II", found)
        if kind == END or size > LONGEST_EXTENSION:
            break
        if kind == BACKING_FORMAT:
            return _text(read(offset + 8, size))
        offset += 8 + (size + 7) // 8 * 8
    return ""


def _vmdk(read: Read) -> Header:
    start = read(0, 64)
    if not start.startswith(b"KDMV"):
        raise FormatError(
            "unsupported", "it is a descriptor that names other files", "make one file of it with qemu-img convert"
        )
    offset, size = struct.unpack_from("<QQ", start.ljust(64, b"\0"), 28)
    descriptor = _text(read(offset * 512, min(size * 512, LONGEST_DESCRIPTOR)).partition(b"\0")[0])
    found = dict(_VMDK_LINE.findall(descriptor))
    kind = found.get("createType", "")
    if found.get("parentCID", NO_PARENT).casefold() != NO_PARENT:
        raise FormatError("unsupported", "another vmdk is below it", "make one image of them with qemu-img convert")
    if kind != "monolithicSparse":
        raise FormatError(
            "unsupported",
            f"it is a vmdk of the type {kind or 'unknown'!r}, which cannot be written by itself",
            "convert it with qemu-img convert, to vmdk (which becomes monolithicSparse) or qcow2",
        )
    return Header("vmdk")


def _text(name: bytes) -> str:
    """As a file's name is given to Python."""
    return name.decode("utf-8", "surrogateescape")
