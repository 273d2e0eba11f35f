# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a volume says of itself, on volumes made byte by byte. Those of mkntfs are in the integration tests."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._image_ntfs import Read, VolumeError, dirty, kind
from hypothesis import given
from hypothesis import strategies as st

CLUSTER, TABLE, RECORD = 4096, 4, 1024


def reader(content: bytes) -> Read:
    """As a volume is read."""
    return lambda offset, size: content[offset : offset + size]


def boot_sector(record_size: int = -10, cluster_sectors: int = 8) -> bytes:
    """An NTFS boot sector, as far as it is read."""
    start = struct.pack("<3s8sHB", b"\xeb\x52\x90", b"NTFS    ", 512, cluster_sectors).ljust(48, b"\0")
    return (start + struct.pack("<QQb", TABLE, 8, record_size)).ljust(512, b"\0")


def volume(flags: int, boot: bytes | None = None, torn: bool = False, record: bytes | None = None) -> bytes:
    """A volume whose $Volume has these flags. torn: its record was not written to its end."""
    if record is None:
        name = struct.pack("<IIBBHHHIH", 0x60, 32, 0, 0, 24, 0, 0, 8, 24).ljust(32, b"\0")
        content = struct.pack("<QBBH", 0, 3, 1, flags)
        information = (struct.pack("<IIBBHHHIH", 0x70, 40, 0, 0, 24, 0, 0, 12, 24).ljust(24, b"\0") + content).ljust(
            40, b"\0"
        )
        end = struct.pack("<II", 0xFFFFFFFF, 0)
        head = struct.pack("<4sHHQHHH", b"FILE", 48, 3, 0, 1, 1, 56).ljust(48, b"\0") + struct.pack("<HHHH", 7, 0, 0, 0)
        whole = bytearray((head + name + information + end).ljust(RECORD, b"\0"))
        whole[510:512] = whole[1022:1024] = struct.pack("<H", 7)
        if torn:
            whole[1022:1024] = struct.pack("<H", 6)
        record = bytes(whole)
    start = boot if boot is not None else boot_sector()
    return start.ljust(TABLE * CLUSTER + 3 * RECORD, b"\0") + record


def test_what_a_volume_is() -> None:
    assert kind(reader(boot_sector())) == "ntfs"
    assert kind(reader(b"\xeb\x58\x90-FVE-FS-".ljust(512, b"\0"))) == "bitlocker"
    assert kind(reader(b"LUKS\xba\xbe\0\x02".ljust(512, b"\0"))) == "luks"
    assert kind(reader(b"\xeb\x58\x90MSDOS5.0".ljust(512, b"\0"))) == kind(reader(b"")) == ""


@pytest.mark.parametrize(
    ("flags", "expected"), [(0, False), (1, True), (0x4000, True), (0x4001, True), (0x0002, False), (0x8000, False)]
)
def test_the_dirty_flag(flags: int, expected: bool) -> None:
    assert dirty(reader(volume(flags))) is expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (volume(0, torn=True), "not written to its end"),
        (volume(0)[:-1], "cannot be read"),
        (b"", "no NTFS boot sector"),
        (volume(0, boot=boot_sector(record_size=-40)), "damaged"),
        (volume(0, record=b"FILE".ljust(RECORD, b"\0")), "no information"),
        (volume(0, record=b"BAAD".ljust(RECORD, b"\0")), "cannot be read"),
    ],
)
def test_a_damaged_volume_is_told(content: bytes, words: str) -> None:
    with pytest.raises(VolumeError, match=words):
        dirty(reader(content))


@given(st.integers(0, 512 + RECORD - 1), st.binary(min_size=1, max_size=8))
def test_whatever_is_there_is_read_or_told(place: int, change: bytes) -> None:
    content = bytearray(volume(1))
    at = place if place < 512 else TABLE * CLUSTER + 3 * RECORD + place - 512
    content[at : at + len(change)] = change
    try:
        dirty(reader(bytes(content)))
    except VolumeError:
        pass
