# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""shutdown.exe: /s, /r, /p and /a; what becomes of it the model says.

Options, their limits and defaults: Microsoft's page on the command "shutdown" (time-out 0 to 315360000 seconds, 30
unless told otherwise, more than 0 implies /f; comments of up to 512 characters; reasons [p:|u:]xx:yy with numbers below
256 and 65536). Errors end it with their number as the status, after their text and the number in brackets, as
published transcripts show. What it does not understand gets its help, with status 1.
"""

from __future__ import annotations

import re

from bed.windows.commands import texts
from bed.windows.commands.types import Answer, Invocation, Windows
from bed.windows.situation import Request
from bed.windows.systems import Language

LONGEST_TIMEOUT = 315360000
DEFAULT_TIMEOUT = 30
LONGEST_COMMENT = 512
ACTIONS = ("s", "sg", "r", "g", "p", "a")
FLAGS = ("f", "hybrid", "soft")
REASON = re.compile(r"(?:[pu]:)?(\d{1,3}):(\d{1,5})", re.IGNORECASE)


class UsageError(ValueError):
    """The arguments are not understood."""


def run(invocation: Invocation, windows: Windows) -> Answer:
    """Shut down, restart, or abort that."""
    language = windows.system.language
    try:
        options = parse(invocation.arguments)
        request = None if "a" in options else _request(options)
    except UsageError:
        return _usage(language)
    error = windows.abort_shutdown() if request is None else windows.request_shutdown(request)
    if error:
        return Answer(errors=f"{texts.message(error, language)}({error})\n", status=error)
    return Answer()


def parse(arguments: tuple[str, ...]) -> dict[str, str]:
    """The options with their values, by name; exactly one of them is an action."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name = word[1:].lower()
        if word[:1] not in ("/", "-") or name in options:
            raise UsageError(word)
        if name in ("t", "d", "c"):
            if not rest:
                raise UsageError(word)
            options[name] = rest.pop(0)
        elif name in ACTIONS or name in FLAGS:
            options[name] = ""
        else:
            raise UsageError(word)
    if sum(name in options for name in ACTIONS) != 1 or ("a" in options and len(options) > 1):
        raise UsageError("not one action")
    return options


def _request(options: dict[str, str]) -> Request:
    seconds = _timeout(options)
    comment = options.get("c", "")
    if len(comment) > LONGEST_COMMENT or not _is_reason(options.get("d", "0:0")):
        raise UsageError("comment or reason")
    if "hybrid" in options and "s" not in options:
        raise UsageError("hybrid")
    return Request(
        forced="f" in options or seconds > 0,
        seconds=float(seconds),
        restart="r" in options or "g" in options,
        hybrid="hybrid" in options,
        comment=comment,
    )


def _timeout(options: dict[str, str]) -> int:
    if "p" in options:
        if options.keys() - {"p", "d", "f"}:
            raise UsageError("p")
        return 0
    text = options.get("t", str(DEFAULT_TIMEOUT))
    if not (text.isascii() and text.isdigit()) or int(text) > LONGEST_TIMEOUT:
        raise UsageError(text)
    return int(text)


def _is_reason(text: str) -> bool:
    found = REASON.fullmatch(text)
    return found is not None and int(found[1]) < 256 and int(found[2]) < 65536


def _usage(language: Language) -> Answer:
    text = texts.translated(
        language,
        "Usage: shutdown [/i | /l | /s | /sg | /r | /g | /a | /p | /h | /e | /o] [/hybrid] [/soft] [/fw] [/f]\n"
        '    [/m \\\\computer][/t xxx][/d [p|u:]xx:yy [/c "comment"]]\n',
        "Syntax: shutdown [/i | /l | /s | /sg | /r | /g | /a | /p | /h | /e | /o] [/hybrid] [/soft] [/fw] [/f]\n"
        '    [/m \\\\Computer][/t xxx][/d [p|u:]xx:yy [/c "Kommentar"]]\n',
    )
    return Answer(text, status=1)
