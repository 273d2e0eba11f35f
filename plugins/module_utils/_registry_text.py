# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

r"""What reg.exe prints, read without a word that Windows translates, and without trusting what is in the values.

`reg query KEY /v NAME` prints an empty line, the key, and one line of four blanks, the name, four blanks, the type,
four blanks and the data. Nothing is escaped: a name may have blanks in it, and a text may go on over many lines, any of
which may look like another value. So a value is only ever read from the answer to a query for its own name, in which
all that follows the type is its data; and in a query over many keys (`/s /v NAME`) only numbers are believed, which
have one line.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import NUMBER_TYPES, TEXT_TYPES, Data, Value

ROOTS = {"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_USERS": "HKU"}
BLANKS = "    "
LONGEST_TEXT = 1000
LONGEST_LIST = 100
"""How much of a value a finding shows: characters of a text, parts of a list."""

_TYPE = re.compile(r"(REG_[A-Z_]{1,40})(?:$| {4}| {0,3}(?=\r?\n|$))")
_KEY_LINE = re.compile(r"HKEY_[^\r\n]*")
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}")


class RegistryTextError(ValueError):
    """This is not what reg.exe prints, or it is cut off, or it may be meant to mislead."""


def parse_value(text: str, name: str) -> Value:
    """The value that `reg query KEY /v NAME` found.

    Raises RegistryTextError where the text is not such an answer.
    """
    body = text.lstrip("\r\n")
    key = _KEY_LINE.match(body)
    if key is None:
        raise RegistryTextError("the answer does not begin with a key")
    line = _after_line_end(body, key.end())
    if not line.endswith("\n"):
        raise RegistryTextError("the answer is cut off")
    head = f"{BLANKS}{name}{BLANKS}"
    if line[: len(head)].casefold() != head.casefold():
        raise RegistryTextError("the answer is not about the value that was asked for")
    kind = _TYPE.match(line, len(head))
    if kind is None:
        raise RegistryTextError("the answer has no type")
    return Value(kind[1], _data(kind[1], _without_end(line[kind.end() :])))


def parse_numbers(text: str, root: str, name: str) -> dict[str, int]:
    r"""The numbers that `reg query ROOT /s /v NAME` found: by key, which begins with HKLM\ or HKU\.

    Raises RegistryTextError if anything else is among them, since then no line can be told from one that only looks
    like it. The last line is the only one that is neither key nor value. It tells, in the guest's language, how many
    were found; another line there is a complaint, and what comes before it is not all.
    """
    numbers: dict[str, int] = {}
    key = ""
    *lines, rest = re.split(r"\r?\n", text)
    if rest:
        raise RegistryTextError("the answer is cut off")
    *lines, last = [line for line in lines if line.strip()] or [""]
    for line in lines:
        if _KEY_LINE.fullmatch(line):
            key = short_key(line)
            # The name of a key may have line ends in it and pass for more than one line, but has no backslash.
            if not f"{key}\\".casefold().startswith(f"{root}\\".casefold()):
                raise RegistryTextError("the answer has a key that was not asked for")
        elif line.startswith(BLANKS) and key:
            value = parse_value(f"HKEY_\n{line}\n", name)
            if value.type not in NUMBER_TYPES or not isinstance(value.data, int):
                raise RegistryTextError(f"{key} has a {value.type} {name}, and not a number")
            if key in numbers:
                raise RegistryTextError(f"{key} is there twice")
            numbers[key] = value.data
        else:
            raise RegistryTextError("the answer has a line that is neither a key nor a value")
    if last.startswith((BLANKS, "HKEY_")) or re.findall("[0-9]+", last) != [str(len(numbers))]:
        raise RegistryTextError(f"the answer is not all that there is: it ends with {last[:200]!r}")
    return numbers


def parse_subkeys(text: str, key: str) -> list[str]:
    """The names of the keys in this key, from `reg query KEY`, in their order.

    A text in a value of the key's own can add names that are not there, and take none away.
    """
    prefix = f"{long_key(key)}\\".casefold()
    lines = (line for line in re.split(r"\r?\n", text)[:-1] if line.casefold().startswith(prefix))
    return [name for name in (line[len(prefix) :] for line in lines) if name and "\\" not in name]


def short_key(key: str) -> str:
    """The key with HKLM and HKU for the roots' long names."""
    root, dummy, rest = key.partition("\\")
    return f"{ROOTS.get(root.upper(), root)}\\{rest}" if rest else ROOTS.get(root.upper(), root)


def long_key(key: str) -> str:
    """The key as reg.exe prints it, with the roots' long names."""
    root, dummy, rest = key.partition("\\")
    return f"{next((long for long, short in ROOTS.items() if short == root), root)}\\{rest}"


def format_data(value_type: str, data: Data) -> str:
    r"""The data as `reg add /d` takes it: decimal numbers, \0 between the parts of a REG_MULTI_SZ, bytes in hex."""
    if isinstance(data, tuple):
        return "\\0".join(data)
    if isinstance(data, bytes):
        return data.hex()
    return str(data)


def _after_line_end(text: str, position: int) -> str:
    end = re.compile(r"\r?\n").match(text, position)
    if end is None:
        raise RegistryTextError("the answer ends after the key")
    return text[end.end() :]


def _without_end(data: str) -> str:
    """Without the line's own end and the empty line that closes the answer."""
    for dummy in range(2):
        data = data[:-1] if data.endswith("\n") else data
        data = data[:-1] if data.endswith("\r") else data
    return data


def _data(value_type: str, text: str) -> Data:
    if value_type in NUMBER_TYPES:
        number = text.strip()
        if not _NUMBER.fullmatch(number):
            raise RegistryTextError(f"{number[:40]!r} is no number")
        return int(number, 16)
    if value_type in TEXT_TYPES:
        return text
    if value_type == "REG_MULTI_SZ":
        # The last part may or may not be followed by a separator, depending on the version of reg.exe.
        parts = text.split("\\0")
        while parts and not parts[-1]:
            parts.pop()
        return tuple(parts)
    try:
        return bytes.fromhex(text.strip())
    except ValueError as error:
        raise RegistryTextError(f"{text.strip()[:40]!r} are no bytes in hexadecimal") from error


def shown(data: Data | None) -> t.Any:
    """The data as a finding shows it: None where absent, bytes in hexadecimal, long texts cut."""
    if isinstance(data, tuple):
        return [_cut(part) for part in data[:LONGEST_LIST]]
    if isinstance(data, bytes):
        return _cut(data.hex())
    return _cut(data) if isinstance(data, str) else data


def _cut(text: str) -> str:
    cut = printable(text[:LONGEST_TEXT])
    return cut if len(text) <= LONGEST_TEXT else f"{cut}… ({len(text)} characters)"


def printable(text: str) -> str:
    """The text without what could steer a terminal: control characters as escapes, but for line ends and tabs."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode() for char in text
    )
