# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""reg.exe: load and unload, which Wine's lacks; all else Wine's does.

From Microsoft's pages on "reg load" and "reg unload", and from reg.exe's way to print an error, which is one word and
the text of Windows' error, with status 1. The files are hives in Wine's format, see registry.py.
"""

from __future__ import annotations

from bed.windows.commands import texts
from bed.windows.commands.types import Answer, Invocation, Windows
from bed.windows.registry import RegistryError
from bed.windows.systems import Language

SHORT = {"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_USERS": "HKU"}


def run(invocation: Invocation, windows: Windows) -> Answer | None:
    """Load or unload a hive."""
    language = windows.system.language
    what = verb(invocation)
    if what not in ("load", "unload"):
        return None
    operands = invocation.arguments[1:]
    if len(operands) != (2 if what == "load" else 1) or not _is_hive_key(operands[0]):
        return syntax_error(what, language)
    key = full_path(operands[0])
    try:
        if what == "load":
            windows.registry.load(key, operands[1])
        else:
            windows.registry.unload(key)
    except RegistryError as error:
        return failure(error.code, language)
    done = "The operation completed successfully.", "Der Vorgang wurde erfolgreich beendet."
    return Answer(texts.translated(language, *done) + "\n")


def verb(invocation: Invocation) -> str:
    """The first argument, which says what to do."""
    return invocation.arguments[0].lower() if invocation.arguments else ""


def full_path(key: str) -> str:
    """The key with the short name of its root."""
    root, backslash, rest = key.strip("\\").partition("\\")
    return SHORT.get(root.upper(), root.upper()) + backslash + rest


def failure(code: int, language: Language) -> Answer:
    """What reg.exe prints for an error."""
    return Answer(errors=f"{_error(language)}: {texts.message(code, language)}\n", status=1)


def syntax_error(what: str, language: Language) -> Answer:
    """What reg.exe prints for arguments that it does not understand."""
    wrong = "Invalid syntax.", "Ungültige Syntax."
    hint = f'Type "REG {what.upper()} /?" for usage.', f'Geben Sie "REG {what.upper()} /?" ein, um Hilfe zu erhalten.'
    text = f"{_error(language)}: {texts.translated(language, *wrong)}\n{texts.translated(language, *hint)}\n"
    return Answer(errors=text, status=1)


def _error(language: Language) -> str:
    return texts.translated(language, "ERROR", "FEHLER")


def _is_hive_key(key: str) -> bool:
    """Hives are loaded right below HKLM or HKU only."""
    root, dummy_backslash, name = full_path(key).partition("\\")
    return root in ("HKLM", "HKU") and bool(name) and "\\" not in name
