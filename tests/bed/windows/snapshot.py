# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a simulated Windows guest's registry held at one moment, to be read without the guest.

Keys are named by their whole path with the short root, HKLM\\... or HKU\\..., and CurrentControlSet is a key like any
other. Names of keys and values are found whatever their case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Data = int | str | list[str] | bytes
"""REG_DWORD and REG_QWORD: int; REG_SZ, REG_EXPAND_SZ and REG_LINK: str; REG_MULTI_SZ: list[str]; all others: bytes."""


class Value(NamedTuple):
    """One value of a key."""

    type: str
    data: Data


class Snapshot:
    """Some keys with their values, read only."""

    def __init__(self, keys: Mapping[str, Mapping[str, Value]]) -> None:
        """`keys`: the values, by name, of each key, by whole path. The keys above those named exist too."""
        self._values: dict[str, dict[str, tuple[str, Value]]] = {}
        self._subkeys: dict[str, dict[str, str]] = {}
        for path, values in keys.items():
            self._add(path.strip("\\"))
            entries = self._values.setdefault(_path(path), {})
            entries.update({_folded(name): (name, value) for name, value in values.items()})

    def value(self, key: str, name: str) -> Value | None:
        """The value of this name; "" is the key's default value."""
        entry = self._values.get(_path(key), {}).get(_folded(name))
        return entry[1] if entry else None

    def number(self, key: str, name: str) -> int | None:
        """The value as a number: a REG_DWORD, a REG_QWORD, or a REG_SZ that holds a decimal number; else None."""
        value = self.value(key, name)
        if value is None:
            return None
        if isinstance(value.data, int):
            return value.data
        if isinstance(value.data, str):
            digits = value.data.strip()
            return int(digits) if digits.isascii() and digits.isdigit() else None
        return None

    def text(self, key: str, name: str) -> str | None:
        """The value if it is text, a REG_SZ or REG_EXPAND_SZ; else None."""
        value = self.value(key, name)
        return value.data if value is not None and isinstance(value.data, str) else None

    def exists(self, key: str) -> bool:
        """Whether there is such a key."""
        return _path(key) in self._values

    def subkeys(self, key: str) -> list[str]:
        """The names of the keys right under this one, sorted without regard to case; none if it does not exist."""
        return [name for dummy_folded, name in sorted(self._subkeys.get(_path(key), {}).items())]

    def values(self, key: str) -> dict[str, Value]:
        """The values of the key by name; none if it does not exist."""
        return dict(self._values.get(_path(key), {}).values())

    def keys(self) -> list[str]:
        """The whole paths of all keys, sorted without regard to case."""
        paths: list[str] = []

        def add(parent: str) -> None:
            for name in self.subkeys(parent):
                path = f"{parent}\\{name}" if parent else name
                paths.append(path)
                add(path)

        add("")
        return paths

    def _add(self, path: str) -> None:
        parent, dummy_backslash, name = path.rpartition("\\")
        siblings = self._subkeys.setdefault(_path(parent), {})
        if _folded(name) not in siblings:
            siblings[_folded(name)] = name
            self._values.setdefault(_path(path), {})
            if parent:
                self._add(parent)


def _path(key: str) -> str:
    return _folded(key.strip("\\"))


def _folded(name: str) -> str:
    """The name as it is compared: character by character, as Windows does, so that "ß" is not "SS"."""
    return "".join(upper if len(upper := character.upper()) == 1 else character for character in name)
