# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What a volume says of itself before it is mounted: what it is, and whether NTFS is to be checked first. Pure.

The layout is that of libfsntfs' documentation of NTFS. Windows sets the dirty flag when it has found damage, and leaves
its log open when it was cut off, which is not the same: the log is for the one who mounts it to judge.
"""

from __future__ import annotations

import struct
import typing as t

Read = t.Callable[[int, int], bytes]
"""A piece of a volume: (offset, size)."""

SECTOR = 512
VOLUME_RECORD = 3  # of the master file table: $Volume
VOLUME_INFORMATION = 0x70
END = 0xFFFFFFFF
FLAGS_OFFSET = 10
DIRTY, CHECKING = 0x0001, 0x4000


class VolumeError(ValueError):
    """The volume is not as NTFS describes itself; the text says what is wrong."""


def kind(read: Read) -> str:
    """What a volume's first sector says it is: ntfs, bitlocker, luks, or empty for everything else."""
    start = read(0, SECTOR)
    if start[3:11] == b"NTFS    ":
        return "ntfs"
    if start[3:11] == b"-FVE-FS-":
        return "bitlocker"
    return "luks" if start.startswith(b"LUKS\xba\xbe") else ""


def dirty(read: Read) -> bool:
    """Whether NTFS is marked as to be checked, or as being checked. Raises VolumeError."""
    record = _volume_record(read)
    (offset,) = struct.unpack_from("<H", record, 20)
    while offset + 8 <= len(record):
        attribute, length = struct.unpack_from("<II", record, offset)
        if attribute == END or length < 24:
            break
        if attribute == VOLUME_INFORMATION and offset + length <= len(record):
            (content,) = struct.unpack_from("<H", record, offset + 20)
            if content + FLAGS_OFFSET + 2 <= length:
                (flags,) = struct.unpack_from("<H", record, offset + content + FLAGS_OFFSET)
                return bool(flags & (DIRTY | CHECKING))
        offset += length
    raise VolumeError("its $Volume has no information about the volume")


def _volume_record(read: Read) -> bytes:
    boot = read(0, SECTOR)
    if len(boot) < SECTOR or boot[3:11] != b"NTFS    ":
        raise VolumeError("it has no NTFS boot sector")
    (sector_size,) = struct.unpack_from("<H", boot, 11)
    cluster_sectors = boot[13] if boot[13] <= 128 else 1 << (256 - boot[13])
    (table,) = struct.unpack_from("<Q", boot, 48)
    (clusters,) = struct.unpack_from("<b", boot, 64)
    cluster = sector_size * cluster_sectors
    size = clusters * cluster if clusters > 0 else 1 << -clusters
    if not SECTOR <= sector_size <= 4096 or not SECTOR <= size <= 65536:
        raise VolumeError("its NTFS boot sector is damaged")
    record = read(table * cluster + VOLUME_RECORD * size, size)
    if len(record) < size or not record.startswith(b"FILE"):
        raise VolumeError("its $Volume cannot be read")
    return _with_sector_ends(record)


def _with_sector_ends(record: bytes) -> bytes:
    """The record with the last two bytes of each sector, which are kept elsewhere in it, put back."""
    fixed = bytearray(record)
    offset, count = struct.unpack_from("<HH", record, 4)
    for number in range(1, count):
        end = number * SECTOR
        if end > len(fixed) or offset + 2 * number + 2 > len(fixed):
            raise VolumeError("its $Volume is damaged")
        if fixed[end - 2 : end] != record[offset : offset + 2]:
            raise VolumeError("its $Volume was not written to its end")
        fixed[end - 2 : end] = record[offset + 2 * number : offset + 2 * number + 2]
    return bytes(fixed)
