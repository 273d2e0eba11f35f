# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a command line apart as Microsoft's C run-time library does (Microsoft Learn: "main function and command-line
arguments (C++)", "Parsing C command-line arguments")."""

from __future__ import annotations

import re

from bed.windows.commands.types import Invocation

BACKSLASHES_AND_QUOTE = re.compile(r'(\\*)"|\\+|[^\\"]')


def parse(line: str) -> Invocation:
    """The program's name and its arguments."""
    first, rest = _program(line)
    name = first.replace("/", "\\").rpartition("\\")[2].lower().removesuffix(".exe")
    return Invocation(name, tuple(arguments(rest)))


def arguments(line: str) -> list[str]:
    """The arguments after the program's name."""
    found: list[str] = []
    current: str | None = None
    quoted = False
    position = 0
    while position < len(line):
        character = line[position]
        if character in " \t" and not quoted:
            if current is not None:
                found.append(current)
            current = None
            position += 1
            continue
        match = BACKSLASHES_AND_QUOTE.match(line, position)
        assert match
        position = match.end()
        current = current or ""
        if match[1] is None:
            current += match[0]
        else:
            current += "\\" * (len(match[1]) // 2)
            if len(match[1]) % 2:
                current += '"'
            elif quoted and line.startswith('"', position):
                current += '"'  # two in a quoted part are one, and the part goes on
                position += 1
            else:
                quoted = not quoted
    if current is not None:
        found.append(current)
    return found


def _program(line: str) -> tuple[str, str]:
    """The program's name, in which backslashes are nothing special, and what follows."""
    if line.startswith('"'):
        name, dummy_quote, rest = line[1:].partition('"')
    else:
        name, dummy_space, rest = re.sub(r"\s", " ", line, count=1).partition(" ")
    return name, rest
