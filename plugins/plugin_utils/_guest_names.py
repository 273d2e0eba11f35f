# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Names of inventory hosts for guests: each has one of its own, and none has one that means something else. Pure."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

STYLES = ("name", "qualified", "uuid")
OTHER_STYLES = ("qualified", "uuid")
"""For guests whose names cannot be used, one after the other."""

PATHS = (".", "..")
"""Names by which Ansible would take the inventory's own folder for the folder of the host's variables."""


@dataclasses.dataclass(frozen=True)
class Guest:
    """What a name is made of."""

    domain: str
    uuid: str
    hypervisor: str

    @property
    def told(self) -> str:
        """It in words."""
        return f"{self.domain!r} ({self.uuid}) of {self.hypervisor}"

    def styled(self, style: str) -> str:
        """The name in this style."""
        if style == "qualified":
            # In this order no name server knows it, so a guest without an address is never taken for another host.
            return f"{self.hypervisor}_{self.domain}"
        return self.uuid if style == "uuid" else self.domain


def choose(guests: t.Sequence[Guest], style: str, reserved: t.Collection[str]) -> tuple[list[str | None], list[str]]:
    """A name for each guest, None for one that cannot have any, and in words what is not as one would expect.

    reserved: names that mean something else (groups, hypervisors, this machine). Guests that would share a name are all
    named with their hypervisor.
    """
    reserved = {*reserved, *PATHS}
    names: list[str | None] = [guest.styled(style) for guest in guests]
    troubles = []
    for other_style in OTHER_STYLES:
        for name in _ambiguous(names, reserved):
            places = [place for place, other in enumerate(names) if other == name]
            why = f"{len(places)} guests have it" if len(places) > 1 else "it means something else in an inventory"
            for place in places:
                names[place] = guests[place].styled(other_style)
            told = "; ".join(f"{guests[place].told} is {names[place]!r} here" for place in places)
            troubles.append(f"the name {name!r} cannot be used, because {why}: {told}")
    for name in _ambiguous(names, reserved):
        places = [place for place, other in enumerate(names) if other == name]
        for place in places:
            names[place] = None
        told = ", ".join(guests[place].told for place in places)
        troubles.append(f"there is no name left for {told}, which are left out; rename their domains")
    return names, troubles


def _ambiguous(names: t.Sequence[str | None], reserved: t.Collection[str]) -> list[str]:
    """The names that more than one guest has, or that are reserved; sorted."""
    counts = collections.Counter(name for name in names if name is not None)
    return sorted(name for name, count in counts.items() if count > 1 or name in reserved)
