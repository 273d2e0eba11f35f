# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Headers of disk images, made byte by byte."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._image_format import (
    FormatError,
    Header,
    Read,
    guessed,
    header,
)
from hypothesis import given
from hypothesis import strategies as st


def reader(content: bytes) -> Read:
    """As a file is read."""
    return lambda offset, size: content[offset : offset + size]


def qcow2(
    version: int = 3, backing: bytes = b"", backing_format: bytes = b"", encryption: int = 0, features: int = 0
) -> bytes:
    """A header of qcow2, as its specification has it; what this says nothing about is zero."""
    length = 72 if version == 2 else 104
    extensions = b""
    if backing_format:
        padded = backing_format.ljust((len(backing_format) + 7) // 8 * 8, b"\0")
        # Another one is before it.
        extensions += struct.pack(">II", 0x6803F857, 3) + b"abc".ljust(8, b"\0")
        extensions += struct.pack(">II", 0xE2792ACA, len(backing_format)) + padded
    extensions += bytes(8)
    offset = length + len(extensions) if backing else 0
    start = struct.pack(">4sIQIIQI", b"QFI\xfb", version, offset, len(backing), 16, 1 << 30, encryption).ljust(
        72, b"\0"
    )
    if version > 2:
        start += struct.pack(">QQQII", features, 0, 0, 4, length)
    return start + extensions + backing


def vmdk(*lines: str) -> bytes:
    """A sparse vmdk with its descriptor in the second sector."""
    descriptor = "\n".join(["# Disk DescriptorFile", "version=1", *lines]).encode()
    start = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, 2048, 128, 1, 20)
    return start.ljust(512, b"\0") + descriptor.ljust(20 * 512, b"\0")


WHOLE_VMDK = vmdk("CID=1", "parentCID=ffffffff", 'createType="monolithicSparse"')


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (qcow2(), "qcow2"),
        (b"vhdxfile".ljust(64, b"\0"), "vhdx"),
        (WHOLE_VMDK, "vmdk"),
        (b"\xeb\x3c\x90", "raw"),
        (b"", "raw"),
    ],
)
def test_a_format_is_known_by_how_it_begins(content: bytes, kind: str) -> None:
    assert guessed(reader(content)) == kind
    assert header(reader(content), kind) == Header(kind)


@pytest.mark.parametrize("version", [2, 3])
def test_the_backing_file_of_a_qcow2_and_its_format(version: int) -> None:
    read = reader(qcow2(version, b"../base image.qcow2", b"qcow2"))
    assert header(read, "qcow2") == Header("qcow2", "../base image.qcow2", "qcow2")
    assert header(reader(qcow2(version, b"/dev/vg/base")), "qcow2") == Header("qcow2", "/dev/vg/base", "")


def test_what_is_raw_is_not_looked_into() -> None:
    """A guest may have written a header there, to have a file of the host read."""
    assert header(reader(qcow2(backing=b"/etc/shadow")), "raw") == Header("raw")


@pytest.mark.parametrize(
    ("content", "given_format", "kind", "words"),
    [
        (qcow2(encryption=2), "qcow2", "encrypted", "encrypted by qcow2"),
        (b"LUKS\xba\xbe".ljust(600, b"\0"), "raw", "encrypted", "LUKS"),
        (qcow2(features=4), "qcow2", "unsupported", "data is in another file"),
        (qcow2(features=2), "qcow2", "unsupported", "corrupt"),
        (qcow2(version=9), "qcow2", "unsupported", "version 9"),
        (qcow2(backing=b"x" * 2000), "qcow2", "unsupported", "damaged"),
        (bytes(64), "qcow2", "unsupported", "does not begin as qcow2"),
        (b"# Disk DescriptorFile\n", "vmdk", "unsupported", "names other files"),
        (vmdk("parentCID=ffffffff", 'createType="streamOptimized"'), "vmdk", "unsupported", "'streamOptimized'"),
        (vmdk("parentCID=12345678", 'createType="monolithicSparse"'), "vmdk", "unsupported", "another vmdk is below"),
        (vmdk(), "vmdk", "unsupported", "'unknown'"),
    ],
)
def test_what_must_not_be_opened(content: bytes, given_format: str, kind: str, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        header(reader(content), given_format)
    assert caught.value.kind == kind
    assert caught.value.cure


@given(
    st.binary(max_size=200), st.sampled_from([b"QFI\xfb\0\0\0\x03", b"QFI\xfb\0\0\0\x02", b"KDMV", b"vhdxfile", b""])
)
def test_whatever_is_there_is_read_or_refused(content: bytes, magic: bytes) -> None:
    read = reader(magic + content)
    try:
        found = header(read, guessed(read))
    except FormatError as error:
        assert error.kind in ("encrypted", "unsupported")
    else:
        assert found.format == guessed(read)
