# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the guides in docs/ as somebody who follows them: the files that they have one write, and the commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`(?P<name>[\w./-]+)`:\n\n$")
"""What stands right above a block that is a file."""


@dataclass(frozen=True)
class Block:
    """One block of a guide; `file` is the name of the file that it is, where the line above ends with it."""

    language: str
    text: str
    file: str | None
    line: int

    @property
    def commands(self) -> str | None:
        """The commands, where these are any."""
        return self.text if self.language == "bash" else None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in BLOCK.finditer(text):
        named = NAMED.search(text, 0, block.start())
        line = text.count("\n", 0, block.start()) + 1
        found.append(Block(block["language"], block["text"], named["name"] if named else None, line))
    return found


def section(page: Path, first: str, last: str | None = None) -> list[Block]:
    """The blocks from the heading `first` on, up to the heading `last`."""
    lines = page.read_text(encoding="utf-8").splitlines()
    began = lines.index(first) + 1
    ended = lines.index(last) + 1 if last else len(lines) + 1
    return [block for block in blocks(page) if began < block.line < ended]
