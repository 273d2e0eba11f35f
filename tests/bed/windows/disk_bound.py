# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated Windows guest whose registry and event log follow its disk, as a real guest's are on it.

One that boots from another disk image than before finds what was there when it last ran from that one. An image that
is new is taken for an overlay of the one before, and begins with what that had.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any, NamedTuple

from bed.windows.guest import SimulatedWindows
from bed.windows.places import STORED, Contents, contents, put_value


class OnDisk(NamedTuple):
    """What a disk image holds of a guest that does not run from it now."""

    registry: Contents
    events: int
    left_in_order: bool


class DiskBoundWindows(SimulatedWindows):
    """The guest; all else is as with SimulatedWindows."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._image = ""
        self._others: dict[str, OnDisk] = {}

    def _set_hives(self) -> None:
        image = self._image_now()
        if self._image and image != self._image:
            log = self.control.events, self.control.left_in_order
            self._others[self._image] = OnDisk(contents(self), len(log[0]), log[1])
            found = self._others.pop(image, None)
            if found:
                self._put_back(found.registry)
                self.control.turn_back(found.events, found.left_in_order)
        self._image = image
        super()._set_hives()

    def _image_now(self) -> str:
        source = ET.fromstring(self.bed.connection.lookupByName(self.name).XMLDesc()).find("devices/disk/source")
        return source.get("file", "") if source is not None else ""

    def _put_back(self, then: Contents) -> None:
        now = contents(self)
        stored = tuple(rf"HKU\{profile.sid}" for profile in STORED)
        for key in now.keys() - then.keys():
            if not key.startswith(stored):
                self.registry.delete_key(key)
        for key, values in then.items():
            has = now.get(key, {})
            for name in has.keys() | values.keys():
                if has.get(name) != values.get(name):
                    put_value(self, key, name, values.get(name))
