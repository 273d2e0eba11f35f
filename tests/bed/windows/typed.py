# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making registry values, and reading them by type: one of another type is taken for absent.

The types are those of the ADMX files and of Microsoft's pages. What Windows makes of a value of another type no source
says; a simulator that took it for good would hide a mistake.
"""

from __future__ import annotations

from bed.windows.snapshot import Snapshot, Value


def dword(number: int) -> Value:
    """A REG_DWORD."""
    return Value("REG_DWORD", number)


def string(text: str) -> Value:
    """A REG_SZ."""
    return Value("REG_SZ", text)


def expandable(text: str) -> Value:
    """A REG_EXPAND_SZ."""
    return Value("REG_EXPAND_SZ", text)


def strings(*texts: str) -> Value:
    """A REG_MULTI_SZ."""
    return Value("REG_MULTI_SZ", list(texts))


def read_dword(snapshot: Snapshot, key: str, name: str) -> int | None:
    """The number in a REG_DWORD."""
    value = snapshot.value(key, name)
    return value.data if value and value.type == "REG_DWORD" and isinstance(value.data, int) else None


def read_decimal(snapshot: Snapshot, key: str, name: str) -> int | None:
    """The decimal number in a REG_SZ."""
    value = snapshot.value(key, name)
    return snapshot.number(key, name) if value and value.type == "REG_SZ" else None
