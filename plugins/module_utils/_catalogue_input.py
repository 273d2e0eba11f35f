# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Keys, names, GUIDs and data that a user wrote, checked. Pure.

They end up in double quotes in a command line of cmd.exe, so what cmd.exe would interpret there, or what could not be
told from the end of a line, is refused. Every text of an error begins with the place that it is about.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    NUMBER_TYPES,
    TEXT_TYPES,
    VALUE_TYPES,
    CatalogueError,
    Data,
)

LONGEST_KEY = 500
LONGEST_NAME = 255
LONGEST_DATA = 1000
"""In characters; together, and with the command around them, they are well below the 8,191 of a command line."""

USER_TYPES = tuple(name for name in VALUE_TYPES if name != "REG_NONE")
GREATEST = {"REG_DWORD": 2**32 - 1, "REG_QWORD": 2**64 - 1}

_ELSEWHERE = "leave it out, or set this value by other means"
_INTERPRETED = {
    '"': "cmd.exe would end the quotation there",
    "%": "cmd.exe would put a variable there",
    "!": "cmd.exe may put a variable there",
    "^": "cmd.exe may take it for its escape character",
    "*": "cmd.exe would take it for a pattern of file names",
    "?": "cmd.exe would take it for a pattern of file names",
}
_UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
"""Unicode's categories of what controls, formats, is private or unknown, is half a character, or ends a line."""

_GUID = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?", re.IGNORECASE)
_HIVE = re.compile(r"(?:HKLM:?|HKEY_LOCAL_MACHINE)\\(SOFTWARE|SYSTEM)\\(.*)", re.IGNORECASE | re.DOTALL)
_CONTROL_SET = re.compile(r"ControlSet\d+(?:\\|$)", re.IGNORECASE)
_ROOT = re.compile(r"(?:HKLM|HKCU|HKU|HKCR|HKCC|HKEY_[A-Z_]+):?(?:\\|$)", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


def check_text(text: t.Any, where: str, longest: int = LONGEST_DATA) -> str:
    """A text that can be carried in a command line."""
    text = check_shown(text, where, longest)
    for char in text:
        if char in _INTERPRETED:
            raise CatalogueError(f"{where} has the character {char} in it: {_INTERPRETED[char]}; {_ELSEWHERE}")
    return text


def check_shown(text: t.Any, where: str, longest: int = LONGEST_DATA) -> str:
    """A text that is only shown to people."""
    if not isinstance(text, str):
        raise CatalogueError(f"{where} is {_told(text)}; it must be a text: write it in quotes")
    if len(text) > longest:
        raise CatalogueError(f"{where} has {len(text)} characters; at most {longest} can be carried: shorten it")
    for char in text:
        if unicodedata.category(char) in _UNSEEN or ord(char) > 0xFFFF:
            raise CatalogueError(
                f"{where} has the character U+{ord(char):04X} in it, which is a control character, cannot be seen, or "
                f"is not carried by every tool; {_ELSEWHERE}"
            )
    return str(text)


def check_key(key: t.Any, where: str) -> str:
    r"""A key of the machine, as HKLM\SOFTWARE\... or HKLM\SYSTEM\..."""
    match = _HIVE.fullmatch(check_text(key, where, LONGEST_KEY))
    if match is None:
        raise CatalogueError(
            rf"{where} is {key!r}; it must begin with HKLM\SOFTWARE\ or HKLM\SYSTEM\ and name a key in it "
            "(for a value of every user, use user instead of registry)"
        )
    hive, path = match[1].upper(), _path(match[2], key, where)
    if hive == "SYSTEM" and _CONTROL_SET.match(path):
        raise CatalogueError(f"{where} is {key!r}; write CurrentControlSet, since Windows chooses which set that is")
    return f"HKLM\\{hive}\\{path}"


def check_user_key(key: t.Any, where: str) -> str:
    """A key of every user, below the user's hive."""
    if _ROOT.match(check_text(key, where, LONGEST_KEY)):
        raise CatalogueError(
            rf"{where} is {key!r}; give it without a root, as in Control Panel\Desktop: it is set for every user"
        )
    return _path(key, key, where)


def check_name(name: t.Any, where: str) -> str:
    """The name of a value. The unnamed value of a key cannot be asked for by name."""
    text = check_text(name, where, LONGEST_NAME)
    if not text or text != text.strip():
        raise CatalogueError(f"{where} is {name!r}; it must be a name without blanks before and after it")
    if text[0] in "/-":
        raise CatalogueError(f"{where} is {name!r}; reg.exe may take it for an option: set this value by other means")
    return text


def check_guid(guid: t.Any, where: str) -> str:
    """A GUID, in small letters and without braces."""
    match = _GUID.fullmatch(check_text(guid, where))
    if match is None:
        raise CatalogueError(f"{where} is {guid!r}; it must be a GUID, as 7648efa3-dd9c-4e3e-b566-50f929386280")
    return match[1].lower()


def check_number(number: t.Any, where: str, value_type: str = "REG_DWORD") -> int:
    """A number that this type can hold."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise CatalogueError(
            f"{where} is {_told(number)}; a {value_type} takes a number, as 1: without quotes, in a template with | int"
        )
    if not 0 <= number <= GREATEST[value_type]:
        raise CatalogueError(f"{where} is {number}; a {value_type} takes a number from 0 to {GREATEST[value_type]}")
    return int(number)


def check_data(data: t.Any, value_type: str, where: str, written: bool = True) -> Data:
    """Data of a type; written tells that it will be set, and must be carried in a command line."""
    check = check_text if written else check_shown
    if value_type in NUMBER_TYPES:
        return check_number(data, where, value_type)
    if value_type in TEXT_TYPES:
        return check(data, where)
    if value_type == "REG_MULTI_SZ":
        return _parts(data, where, check)
    if not isinstance(data, str) or not _HEX.fullmatch(data) or len(data) > LONGEST_DATA:
        raise CatalogueError(
            f"{where} is {_told(data)}; a {value_type} takes pairs of hexadecimal digits, at most "
            f"{LONGEST_DATA // 2} of them: write them in quotes, as '00ff10'"
        )
    return bytes.fromhex(data)


def _parts(data: t.Any, where: str, check: t.Callable[[t.Any, str], str]) -> tuple[str, ...]:
    if not isinstance(data, (list, tuple)):
        raise CatalogueError(f"{where} is {_told(data)}; a REG_MULTI_SZ takes a list of texts")
    parts = tuple(check(part, f"{where}[{index}]") for index, part in enumerate(data))
    for index, part in enumerate(parts):
        if not part or "\\0" in part:
            raise CatalogueError(rf"{where}[{index}] is {part!r}; a part must not be empty, and \0 would divide it")
    if sum(map(len, parts)) + 2 * len(parts) > LONGEST_DATA:
        raise CatalogueError(f"{where} is longer than the {LONGEST_DATA} characters that can be carried: shorten it")
    return parts


def _path(path: str, key: t.Any, where: str) -> str:
    """The names of keys, one in the other."""
    for name in path.split("\\"):
        if not name or name != name.strip() or len(name) > LONGEST_NAME:
            raise CatalogueError(
                rf"{where} is {key!r}; between its backslashes must be names of at most {LONGEST_NAME} characters, "
                "without blanks before and after them"
            )
    return path


def _told(data: t.Any) -> str:
    """What data is, for an error, and briefly."""
    if isinstance(data, bool):
        return f"the boolean {str(data).lower()}"
    if data is None:
        return "nothing"
    kinds = {int: "the number", float: "the number", str: "the text", dict: "the dictionary", list: "the list"}
    kind = next((words for known, words in kinds.items() if isinstance(data, known)), "")
    brief = ascii(data) if len(ascii(data)) <= 60 else f"{ascii(data)[:57]}..."
    return f"{kind} {brief}".strip()
