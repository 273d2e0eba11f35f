# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong with the programs of a guest, for tests to choose from. A fault is a function of what was started.

    windows.faults = [faults.refuse_writes(r"HKLM\\SOFTWARE\\Policies"), faults.slow("powercfg", 5)]

They are asked in this order, before the program does its work, and the first answer is the one that counts.
"""

from __future__ import annotations

from threading import Event

from bed.windows.commands import reg, texts
from bed.windows.commands.types import Answer, Fault, Invocation, Windows

READS = ("query", "export", "compare")


def answer(program: str, what: Answer) -> Fault:
    """The program always answers this: garbage, megabytes, an error."""

    def fault(invocation: Invocation, dummy_windows: Windows, dummy_ends: Event) -> Answer | None:
        return what if invocation.program == program else None

    return fault


def slow(program: str, seconds: float) -> Fault:
    """The program takes so much longer."""

    def fault(invocation: Invocation, dummy_windows: Windows, ends: Event) -> Answer | None:
        if invocation.program == program:
            ends.wait(seconds)
        return None

    return fault


def refuse_writes(key: str) -> Fault:
    """The user has no right to change this key or those below it with reg.exe."""
    return _refuse(key, reads=False)


def refuse_all(key: str) -> Fault:
    """The user has no right to read or change this key or those below it with reg.exe."""
    return _refuse(key, reads=True)


def refuse_load(code: int = texts.ERROR_PRIVILEGE_NOT_HELD) -> Fault:
    """Loading a hive fails with this error; the user has no right to do it unless told otherwise."""

    def fault(invocation: Invocation, windows: Windows, dummy_ends: Event) -> Answer | None:
        refused = invocation.program == "reg" and reg.verb(invocation) == "load"
        return reg.failure(code, windows.system.language) if refused else None

    return fault


def _refuse(key: str, reads: bool) -> Fault:
    refused = reg.full_path(key).casefold()

    def fault(invocation: Invocation, windows: Windows, dummy_ends: Event) -> Answer | None:
        if invocation.program != "reg" or len(invocation.arguments) < 2:
            return None
        path = reg.full_path(invocation.arguments[1]).casefold()
        if f"{path}\\".startswith(f"{refused}\\") and (reads or reg.verb(invocation) not in READS):
            return reg.failure(texts.ERROR_ACCESS_DENIED, windows.system.language)
        return None

    return fault
