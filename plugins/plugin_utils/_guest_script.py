# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Statements put together into as few command lines as will hold them, and their answers taken apart again. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
    Answers,
    Part,
    Statement,
    loop,
    mark,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import ShellError

LONGEST_LINE = 8191 - 200
"""cmd.exe's limit (learn.microsoft.com, "Command prompt line string limitation"), which holds once %TEMP% and the like
have become what they stand for, and room for that."""

ROOTS = {
    "b": r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion",
    "c": r"HKLM\SYSTEM\CurrentControlSet",
    "q": r"HKLM\SOFTWARE\Policies\Microsoft",
    "r": r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion",
    "u": r"HKLM\SOFTWARE\Microsoft",
}
"""For variables that stand for the beginnings of keys, so that a line holds more of them."""

USER_ROOTS = {"w": r"Software\Microsoft\Windows\CurrentVersion\Policies"}
"""The same for keys within the hives of users."""


class ScriptError(ShellError):
    """A statement that no command line can hold."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A command line, with the statements in it."""

    text: str
    mark: str
    files: tuple[str, ...]
    """Where the output is until it is whole, and a file for the statements; in quotes."""
    statements: tuple[Statement, ...]

    def take(self, output: str, answers: Answers) -> list[Statement]:
        """Read the output into the answers; returns the statements whose answer is missing or was cut off."""
        parts = _parts(output, self.mark)
        bounds = [index for index, part in enumerate(parts) if part.letter == "="]
        words = [parts[index].word for index in bounds]
        unanswered = []
        for index, statement in enumerate(self.statements):
            # The mark of the next statement shows that an answer is whole. A mark that is there twice shows nothing.
            begin, end = str(index), str(index + 1)
            at = words.index(begin) if words.count(begin) == words.count(end) == 1 else len(words)
            answer = parts[bounds[at] + 1 : bounds[at + 1]] if words[at + 1 : at + 2] == [end] else None
            if answer is None or statement.lost(answer):
                unanswered.append(statement)
            else:
                statement.take(answer, answers)
        return unanswered


def fitting(statements: t.Iterable[Statement], nonce: str, longest: int = LONGEST_LINE) -> list[Statement]:
    """The statements, those in pieces that no command line can hold."""
    made: list[Statement] = []
    for statement in statements:
        alone = _line([statement], [_shortened(statement.text())], nonce)
        pieces = statement.pieces() if len(alone.text) > longest else []
        made += fitting(pieces, nonce, longest) if pieces else [statement]
    return made


def lines(statements: t.Iterable[Statement], nonce: str, longest: int = LONGEST_LINE) -> t.Iterator[Line]:
    """Put the statements into command lines, in their order. nonce: a few random hexadecimal digits.

    The output goes to a file first, so that it arrives at once and not program by program.
    """
    made: Line | None = None
    texts: list[str] = []
    for statement in statements:
        texts.append(_shortened(statement.text()))
        longer = _line([*(made.statements if made else ()), statement], texts, nonce)
        if made and len(longer.text) > longest:
            yield made
            del texts[:-1]
            longer = _line([statement], texts, nonce)
        if len(longer.text) > longest:
            raise ScriptError(
                f"{type(statement).__name__} needs more than the {longest} characters that a command line may have: "
                f"{str(statement)[:300]}"
            )
        made = longer
    if made:
        yield made


def _line(statements: t.Sequence[Statement], texts: t.Sequence[str], nonce: str) -> Line:
    """The line of these statements; texts are their shortened ones, which are made once and not for each trial."""
    sign = f"#{nonce}#"
    pieces = [f"{mark(f'={index}')}&{text}" for index, text in enumerate(texts)]
    inner = "&".join([*pieces, mark(f"={len(pieces)}")])
    for letter, root in {**ROOTS, **USER_ROOTS}.items():
        if f"%~{letter}" in inner:
            inner = loop(f'%{letter} in ("{root}")', inner)
    files = tuple(f'"%TEMP%\\winguest-{nonce}.{kind}"' for kind in ("txt", "tmp"))
    if "%o" in inner:
        inner = loop(f"%o in ({files[1]})", f"{inner}&del %o")
    text = "echo off&" + loop(f"%e in ({files[0]})", loop(f"%m in ({sign})", f"echo.>%e&{inner}&type %e&del %e"))
    return Line(text, sign, files, tuple(statements))


def _shortened(text: str) -> str:
    for letter, root in ROOTS.items():
        text = text.replace(f'"{root}\\', f'"%~{letter}\\').replace(f'"{root}"', f'"%~{letter}"')
    for letter, root in USER_ROOTS.items():
        text = text.replace(f"\\{root}\\", f"\\%~{letter}\\")
    return text


def _parts(output: str, mark: str) -> list[Part]:
    """Cut the output at its marks. A mark is followed by a letter or nothing, a word or nothing, and the line's end."""
    parts = []
    before, *pieces = output.split(mark)
    for piece in pieces:
        line, dummy, after = piece.partition("\n")
        tag = line.strip()
        parts.append(Part(tag[:1], tag[1:], before))
        before = after
    return parts
