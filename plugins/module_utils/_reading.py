# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What was read of a Windows, whoever read it: a guest over its connection, or an image's hives."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data, Value, as_number

NOT_READ = "it was not read: the answer is missing, or too long"


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was seen of one value: its value, or its absence (both empty), or why it could not be read."""

    value: Value | None = None
    trouble: str = ""

    @property
    def data(self) -> Data | None:
        """Its data, None where it is absent or could not be read."""
        return self.value.data if self.value else None


@dataclasses.dataclass(frozen=True)
class Exists:
    """Whether something is there, or why that could not be found out."""

    there: bool = False
    trouble: str = ""
    detail: str = ""
    """What it is, where that is worth telling."""


@dataclasses.dataclass(frozen=True)
class Hive:
    r"""A user's part of the registry.

    kind: loaded (a user who is signed in, or a service account), stored (a profile that is on the disk only), default
    (the template of new profiles) or system (HKU\.DEFAULT). trouble: why it could not be opened.
    """

    name: str
    kind: str
    trouble: str = ""

    def key(self, key: str) -> str:
        r"""The full name of a key in it. One of a stored hive begins with HKU\ too, under which it is read."""
        return f"HKU\\{self.name}\\{key}"


@dataclasses.dataclass
class Reading:
    """All that was read. Keys and names are looked up without regard to case."""

    values: dict[tuple[str, str], Seen] = dataclasses.field(default_factory=dict)
    scans: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    """The trees that were searched for all values of a name, each with the trouble it had ("": none)."""
    keys: dict[str, Exists] = dataclasses.field(default_factory=dict)
    files: dict[str, Exists] = dataclasses.field(default_factory=dict)
    processes: dict[str, Exists] = dataclasses.field(default_factory=dict)
    events: dict[t.Hashable, Exists] = dataclasses.field(default_factory=dict)
    schemes: tuple[str, ...] = ()
    active_scheme: str = ""
    schemes_trouble: str = NOT_READ
    hives: tuple[Hive, ...] = ()

    def put(self, key: str, name: str, seen: Seen) -> None:
        """Keep what was seen of a value."""
        self.values[key.casefold(), name.casefold()] = seen

    def value(self, key: str, name: str) -> Seen:
        """What was seen of a value. In a tree that was searched for the name, what was not found is absent."""
        key, name = key.casefold(), name.casefold()
        if (key, name) in self.values:
            return self.values[key, name]
        for (root, scanned), trouble in self.scans.items():
            if name == scanned and key.startswith(f"{root}\\"):
                return Seen(trouble=trouble)
        return Seen(trouble=NOT_READ)

    def begin_scan(self, root: str, name: str, trouble: str = "") -> None:
        """A tree was searched for all values of a name: what an earlier search has found holds no more."""
        for key in self.found(root, name):
            del self.values[f"{root}\\{key}".casefold(), name.casefold()]
        self.scans[root.casefold(), name.casefold()] = trouble

    def add_hives(self, hives: t.Iterable[Hive]) -> None:
        """Keep these hives, in place of what was known of them."""
        known = {hive.name.casefold(): hive for hive in self.hives}
        known.update((hive.name.casefold(), hive) for hive in hives)
        self.hives = tuple(known.values())

    def found(self, root: str, name: str) -> dict[str, Seen]:
        """All values of a name that a search of the tree has found, by the rest of their key."""
        prefix, name = f"{root}\\".casefold(), name.casefold()
        return {
            key[len(prefix) :]: seen
            for (key, scanned), seen in self.values.items()
            if scanned == name and key.startswith(prefix)
        }

    def number(self, key: str, name: str) -> int | None:
        """The number that a value is, None where it is absent, unreadable or something else."""
        return as_number(self.value(key, name).data)

    @property
    def build(self) -> int | None:
        """The build of Windows, such as 20348."""
        return self.number(CURRENT_VERSION, "CurrentBuildNumber")

    @property
    def server(self) -> bool | None:
        """Whether it is a server (also one that is a domain controller) and not a client."""
        product = self.value(PRODUCT_OPTIONS, "ProductType").data
        return product.casefold() != "winnt" if isinstance(product, str) else None


GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
USER_SID = re.compile(r"S-1-(?:5-21|12-1)(?:-[0-9]{1,10}){1,8}")
"""Accounts of people and of services with a profile of their own; of this machine, of a domain, of Entra ID."""

PROFILES = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList"
CURRENT_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
PRODUCT_OPTIONS = r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions"
SYSTEM_VALUES = (
    (CURRENT_VERSION, "ProductName"),
    (CURRENT_VERSION, "CurrentBuildNumber"),
    (PRODUCT_OPTIONS, "ProductType"),
)
"""What tells which Windows it is."""
