# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Screenshots as PNG, decoded again by a reader written for the test from the PNG specification."""

from __future__ import annotations

import struct
import zlib

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._png import png_from_ppm
from hypothesis import given
from hypothesis import strategies as st


def decode(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and RGB pixels of a PNG of 8 bits a channel whose rows are not filtered."""
    assert png[:8] == bytes([0x89]) + b"PNG\r\n" + bytes([0x1A]) + b"\n"
    chunks, rest = {}, png[8:]
    while rest:
        length, kind = struct.unpack(">I4s", rest[:8])
        chunks[kind] = rest[8 : 8 + length]
        assert struct.unpack(">I", rest[8 + length : 12 + length])[0] == zlib.crc32(kind + chunks[kind])
        rest = rest[12 + length :]
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"] and chunks[b"IEND"] == b""
    width, height, *kind_of_picture = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert kind_of_picture == [8, 2, 0, 0, 0]
    assert width > 0 and height > 0
    data, stride = zlib.decompress(chunks[b"IDAT"]), 1 + 3 * width
    assert len(data) == height * stride and not any(data[::stride])
    return width, height, b"".join(data[row * stride + 1 : (row + 1) * stride] for row in range(height))


spaces = st.sampled_from([b" ", b"\n", b"\t \r\n", b"\n# drawn by QEMU\n", b" # one\n#two\n "])


@given(
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)), data=st.data(), space=spaces, more=st.binary(max_size=4)
)
def test_round_trip(sizes: tuple[int, int], data: st.DataObject, space: bytes, more: bytes) -> None:
    width, height = sizes
    pixels = data.draw(st.binary(min_size=width * height * 3, max_size=width * height * 3))
    ppm = b"P6%b%d %d\n255\n" % (space, width, height) + pixels + more
    assert decode(png_from_ppm(ppm)) == (width, height, pixels)


@given(garbage=st.binary(max_size=40))
def test_garbage(garbage: bytes) -> None:
    for ppm in (garbage, b"P6" + garbage, b"P6 1 1 255\n" + garbage, b"P6 " + garbage + b" 1 255\n" + bytes(300)):
        try:
            decode(png_from_ppm(ppm))
        except ValueError:
            pass


@pytest.mark.parametrize(
    ("ppm", "complaint"),
    [
        (b"", "not a binary PPM"),
        (b"P5 1 1 255\n" + bytes(3), "not a binary PPM"),
        (b"P3 1 1 255\n0 0 0", "not a binary PPM"),
        (b"P6 1 1 65535\n" + bytes(6), "not a binary PPM"),
        (b"P6 -1 1 255\n" + bytes(3), "not a binary PPM"),
        (b"P6 0 1 255\n", "not a binary PPM"),
        (b"P6 1 0 255\n", "not a binary PPM"),
        (b"P6 100000 100000 255\n", "not a binary PPM"),
        (b"P6 99999 99999 255\n" + bytes(3), "cut short: 3 of 29999400003 bytes"),
        (b"P6 2 2 255\n" + bytes(11), "cut short: 11 of 12 bytes"),
        (b"P6 2 2 255", "not a binary PPM"),
    ],
)
def test_no_picture(ppm: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        png_from_ppm(ppm)
