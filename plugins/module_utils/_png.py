# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""QEMU's screenshots (binary PPM) as PNG, with nothing but the standard library. Pure."""

from __future__ import annotations

import re
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PPM = re.compile(rb"P6\s+(?:#[^\n]*\n\s*)*([1-9]\d{0,4})\s+([1-9]\d{0,4})\s+255\s")


def png_from_ppm(ppm: bytes) -> bytes:
    """The picture as PNG. Raises ValueError for anything but an 8-bit binary PPM that is there in full."""
    header = _PPM.match(ppm)
    if header is None:
        raise ValueError("the screenshot is not a binary PPM with 8 bits a channel")
    width, height = int(header.group(1)), int(header.group(2))
    stride = width * 3
    pixels = memoryview(ppm)[header.end() :]
    if len(pixels) < stride * height:
        raise ValueError(f"the screenshot is cut short: {len(pixels)} of {stride * height} bytes of pixels")
    rows = b"".join(b"\0" + bytes(pixels[row * stride : (row + 1) * stride]) for row in range(height))
    return (
        SIGNATURE
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(rows, 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
