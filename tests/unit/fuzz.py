# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inputs for whatever reads foreign text: real samples, and what is left of them once they were damaged.

    fuzz = Fuzz(seed)
    fuzz.damaged(samples)  # a text, bytes, or, of the JSON of a document, the document

The same seed makes the same inputs. WINGUEST_INPUTS says how many of them every test tries.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Sequence
from typing import Any, Union


def inputs(by_default: int) -> int:
    """How many inputs a test tries."""
    return int(os.environ.get("WINGUEST_INPUTS", by_default))


INPUTS = inputs(2000)
"""A million take some minutes for most readers."""

PARTS = 4
"""In how many parts, for as many workers."""

LIMIT = 300 + INPUTS // 100
"""Seconds that a part may take."""

LONGEST = 20_000
"""Characters of an input; longer ones have a test of their own."""

BRICKS = (
    *("<", ">", "</", "/>", "&", "&amp;", "&#1;", "&#x110000;", "&a;", "<a>", "</a>", "<!--", "-->", "<?x ?>"),
    *("<![CDATA[", "]]>", "<!DOCTYPE a [<!ENTITY a 'aa'>]>", "<Event>", "</Event>", "xmlns='urn:x'", "x:", "{urn:x}"),
    *("{", "}", "[", "]", ",", ":", '"', "'", "\\", "\\0", "\\ud800", "null", "true", "NaN", "-Infinity"),
    *("=", "#", ";"),
    *("\0", "\r", "\n", "\r\n", "\n\n", "\t", " ", "    ", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\x1b[2J", "\x7f"),
    *("\ufffd", "\ufffe", "\u202e", "\u0130", "\u00e9", "\u4e2d", "\U0001f4a5"),
    *("a", "$(", "`", "%", "(", ")", "*", "+"),
    *("HKEY_", "HKEY_USERS\\x", "    REG_DWORD    0x7", "REG_SZ", "P6 1 1 255\n"),
)
NUMBERS = (
    *("", "0", "-1", "1", "255", "256", "65536", "2147483648", "4294967296", "18446744073709551616", "0.5", "1e999"),
    *("-1e999", "nan", "inf", "0x10", "0x", "1_0", " 1 ", "\u0663", "\u00b2", "9" * 30, "9" * 400, "9" * 5000),
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**64, 10**400, 0.5, -1e308, float("nan"), float("inf"), float("-inf")),
    *("", " ", "nan", "inf", "1e999", "9" * 400, "\x1b[2J", "\ud800", "\u2028", "</script><!--", "x" * 5000),
    *([], {}, [[]], [{}], {"": None}, {"a": {}}, [None], ["x"], [0, "x", None]),
)
ENCODINGS = (("utf-16-le", "utf-8"), ("utf-16-le", "latin-1"), ("utf-8", "latin-1"), ("cp850", "utf-8"))
WORDS = (0, 1, 0x7F, 0x80, 0xFF)

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")

Sample = Union[str, bytes]


class Fuzz:
    """Damages samples."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def damaged(self, samples: Sequence[Sample]) -> Sample:
        """One of the samples, a little or very much damaged."""
        sample = self.random.choice(samples)
        if isinstance(sample, bytes):
            return self.data(sample)
        return self.text(sample, str(self.random.choice(samples)))

    def text(self, text: str, other: str = "") -> str:
        """A text after one or more of the things that may happen to one. other: what may get into it."""
        for dummy in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            text = self._once(text, other)[:LONGEST]
        return text

    def _once(self, text: str, other: str) -> str:
        chance = self.random
        kind = chance.randrange(9)
        begin, end = self._slice(text, short=chance.random() < 0.7)
        if kind == 0:
            return text[:begin] + text[end:]
        if kind == 1:
            return text[:begin] + text[begin:end] * chance.choice((2, 2, 3, 50)) + text[end:]
        if kind == 2:
            return text[:begin]
        if kind == 3:
            return text[:begin] + chance.choice(BRICKS) + text[begin:]
        if kind == 4:
            return text[:begin] + chr(chance.randrange(0x250)) + text[begin + 1 :]
        if kind == 5:
            found = _NUMBER.search(text, begin) or _NUMBER.search(text)
            return text if found is None else text[: found.start()] + chance.choice(NUMBERS) + text[found.end() :]
        if kind == 6:
            first, last = self._slice(other, short=chance.random() < 0.5)
            return text[:begin] + other[first:last] + text[end:]
        if kind == 7:
            brick = chance.choice(BRICKS)
            return text[:begin] + brick * chance.choice((2, 10, 300, 2000)) + text[begin:]
        if chance.random() < 0.9:
            return text[:begin] + text[begin:end].swapcase() + text[end:]
        written, read = chance.choice(ENCODINGS)
        return text.encode(written, "replace").decode(read, "replace")

    def _slice(self, text: Sample | bytearray, short: bool) -> tuple[int, int]:
        begin = self.random.randrange(len(text) + 1)
        length = 8 if short else len(text)
        return begin, min(len(text), begin + self.random.randrange(length + 1))

    def data(self, data: bytes) -> bytes:
        """Bytes after one or more of the things that may happen to some."""
        chance, changed = self.random, bytearray(data)
        for dummy in range(chance.choice((1, 1, 2, 5, 20))):
            kind = chance.randrange(6)
            begin, end = self._slice(changed, short=kind != 4)
            if kind == 0:
                del changed[begin:end]
            elif kind == 1:
                changed[begin:begin] = changed[begin:end]
            elif kind == 2 and begin < len(changed):
                changed[begin] = chance.randrange(256)
            elif kind == 3:
                width = chance.choice((1, 2, 4, 8))
                changed[begin : begin + width] = bytes([chance.choice(WORDS)]) * width
            elif kind == 4 and chance.random() < 0.3:
                del changed[end:]
            else:
                number = chance.getrandbits(chance.choice((8, 16, 32, 63)))
                changed[begin : begin + 8] = number.to_bytes(8, chance.choice(("little", "big")))
        return bytes(changed)

    def document(self, sample: str) -> Any:
        """What the JSON says, with something else in one or more of its places."""
        document = [json.loads(sample)]
        grown = False
        for dummy in range(self.random.choice((1, 1, 2, 4, 12))):
            inner: Any = document
            while True:
                key = self.random.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
                if not isinstance(inner[key], (dict, list)) or not inner[key] or self.random.random() < 0.15:
                    break
                inner = inner[key]
            # Once is enough: what is twenty times as long twelve times over is longer than anything that is ever read.
            grown = self._replace(inner, key, may_grow=not grown) or grown
        return document[0]

    def _replace(self, inner: Any, key: Any, may_grow: bool) -> bool:
        """Put something else there; returns whether it is many times what was there."""
        rolled = self.random.random()
        if rolled < 0.15 and isinstance(inner, dict):
            del inner[key]
            inner[self.random.choice(("", "x", key))] = None
        elif rolled < 0.3 and isinstance(inner[key], str):
            inner[key] = self.text(inner[key], "")
        elif rolled < 0.4:
            for dummy in range(self.random.choice((1, 10, 50))):
                inner[key] = [inner[key]]
        elif rolled < 0.5 and may_grow and isinstance(inner[key], (list, str)):
            inner[key] = inner[key][:100] * self.random.choice((2, 20))
            return True
        else:
            # Anew each time, since it may be changed next.
            odd = self.random.choice(ODD)
            inner[key] = json.loads(json.dumps(odd)) if isinstance(odd, (dict, list)) else odd
        return False
