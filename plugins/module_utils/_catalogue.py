# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What a row of the catalogue is: one blocker, where it lives, what is wanted there, and how sure we are.

The rows themselves are in _catalogue_rows, those that a user adds or changes are checked in _catalogue_user. Everything
here is plain data, so that the readers (a live guest, an offline image, a domain, the documentation) share it.
"""

from __future__ import annotations

import dataclasses
import typing as t

GUEST_SCENARIOS: dict[str, str] = {
    "updates": "1. Windows Update or servicing works on during the shutdown",
    "event_tracker": "2. The Shutdown Event Tracker waits for a reason",
    "logon": "3. Windows is set not to shut down without a logon, or asks those who are logged on",
    "applications": "4. Applications or services do not answer",
    "power_button": "5. The power button is set to do something else",
    "sleep": "6. The guest sleeps, or its display is off",
    "damage": "7. The system is damaged or infected",
    "other": "Other settings that a shutdown depends on",
}

HOST = "host"
SCENARIOS: dict[str, str] = {**GUEST_SCENARIOS, HOST: "The domain and its hypervisor"}

EFFECTS: dict[str, str] = {
    "blocks": "the shutdown does not go on",
    "swallows": "the request is lost",
    "prolongs": "the shutdown takes longer",
    "informs": "worth knowing, and in the way of no shutdown",
}

TAKES_EFFECT: dict[str, str] = {
    "now": "at once",
    "activation": "when the power scheme is activated, which remediation does",
    "logon": "at the next sign-in of the user",
    "boot": "at the next boot",
    "next_shutdown": "at the next shutdown",
    "next_start": "at the next start of the domain",
    "unknown": "at an unknown time; a reboot makes certain",
}

GRADES: dict[str, str] = {
    "verified": "at least two independent sources",
    "single_source": "one source",
    "common_knowledge": "general knowledge without a source that could be read",
    "contested": "sources contradict one another, or it could not be verified",
}

BASELINES: dict[str, str] = {"cis": "CIS Microsoft Windows Server Benchmark", "stig": "DISA STIG"}

NUMBER_TYPES = ("REG_DWORD", "REG_QWORD")
TEXT_TYPES = ("REG_SZ", "REG_EXPAND_SZ")
VALUE_TYPES = (*NUMBER_TYPES, *TEXT_TYPES, "REG_MULTI_SZ", "REG_BINARY", "REG_NONE")

Data = t.Union[int, str, tuple[str, ...], bytes]
"""REG_DWORD, REG_QWORD: int. REG_SZ, REG_EXPAND_SZ: str. REG_MULTI_SZ: a tuple. All other types: bytes."""

POWER_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Power\PowerSettings"
POWER_SCHEMES = r"HKLM\SYSTEM\CurrentControlSet\Control\Power\User\PowerSchemes"


@dataclasses.dataclass(frozen=True)
class Value:
    """A registry value's type and data."""

    type: str
    data: Data


# Where a blocker lives in a guest. The first three can be written, the others are only read.


@dataclasses.dataclass(frozen=True)
class RegistryValue:
    r"""One value; key begins with HKLM\SOFTWARE or HKLM\SYSTEM, and has CurrentControlSet where Windows has it.

    Rows that only an image has may also be about HKLM\COMPONENTS, which Windows loads when it needs it.
    """

    key: str
    name: str
    type: str


@dataclasses.dataclass(frozen=True)
class UserValue:
    """A value in every profile: loaded and stored users, the default profile, .DEFAULT. key is relative to the hive."""

    key: str
    name: str
    type: str


@dataclasses.dataclass(frozen=True)
class PowerSetting:
    """The index of a power setting in every power scheme, on AC and on DC, and the policy that overrides it."""

    subgroup: str
    setting: str
    alias: str
    """The names that powercfg has for them, as "SUB_BUTTONS PBUTTONACTION"; only for people to read."""


@dataclasses.dataclass(frozen=True)
class RegistryKey:
    """The existence of a key or, with subkeys, of keys in it."""

    key: str
    subkeys: bool = False


@dataclasses.dataclass(frozen=True)
class TwoValues:
    """Two values that are the same unless something is pending."""

    one: RegistryValue
    other: RegistryValue


@dataclasses.dataclass(frozen=True)
class ServiceValues:
    r"""A REG_DWORD of this name in every service under HKLM\SYSTEM\CurrentControlSet\Services."""

    name: str


@dataclasses.dataclass(frozen=True)
class File:
    """The existence of a file; the path may begin with %SystemRoot% or %SystemDrive%."""

    path: str


@dataclasses.dataclass(frozen=True)
class Process:
    """Whether programs of this image name run."""

    image: str


@dataclasses.dataclass(frozen=True)
class Events:
    """Events of the last days in a log, by provider and id; never by text."""

    log: str
    provider: str
    ids: tuple[int, ...]
    days: int = 30


# Where it lives in a domain or its hypervisor. The first two can be changed, the others are only read.


@dataclasses.dataclass(frozen=True)
class Step:
    """An element on the way from <domain> to the one that is meant.

    where has the attributes that tell it from others of its name, new those that one that is added gets besides.
    """

    name: str
    where: tuple[tuple[str, str], ...] = ()
    new: tuple[tuple[str, str], ...] = ()


PRESENT: t.Final = "present"


@dataclasses.dataclass(frozen=True)
class DefinitionElement:
    """An element of a domain's definition, in the running domain and in what is kept for the next start.

    What counts is its text (content is "text"), an attribute (content is its name), or that it is there (content is
    empty; its data is PRESENT).
    """

    steps: tuple[Step, ...]
    content: str = ""
    choices: tuple[str, ...] = ()
    """What libvirt has for it; nothing else can be wanted."""
    machines: tuple[str, ...] = ()
    """The architectures on which it means something; none: on all."""

    @property
    def path(self) -> str:
        """Its place, for people to read."""
        path = "/".join(step.name + "".join(f"[@{name}='{text}']" for name, text in step.where) for step in self.steps)
        return path if self.content in ("", "text") else f"{path}/@{self.content}"


@dataclasses.dataclass(frozen=True)
class SavedImage:
    """The image of a domain's memory that a managed save has left, from which its next start goes on."""


@dataclasses.dataclass(frozen=True)
class DomainState:
    """Something about a domain that is no part of its definition: its state, a job, its agent, its record."""

    name: str


@dataclasses.dataclass(frozen=True)
class HostSetting:
    """A number in one of the hypervisor's files: libvirt-guests (of the service) or qemu.conf (of the daemon)."""

    file: str
    name: str


@dataclasses.dataclass(frozen=True)
class HostState:
    """What several settings of the hypervisor together mean."""

    name: str


Location = t.Union[
    RegistryValue,
    UserValue,
    PowerSetting,
    RegistryKey,
    TwoValues,
    ServiceValues,
    File,
    Process,
    Events,
    DefinitionElement,
    SavedImage,
    DomainState,
    HostSetting,
    HostState,
]
WRITABLE = (RegistryValue, UserValue, PowerSetting, DefinitionElement, SavedImage)


class _Unknown:
    """Nobody could find out what Windows does when the value is absent, so absence never counts as fine."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: t.Final = _Unknown()


@dataclasses.dataclass(frozen=True)
class Absent:
    """What Windows uses where the value is absent: on a client, on a server, and before a build where that changed.

    None: the absence itself is what Windows has (nothing happens, nothing is configured). For a part of a domain's
    definition, what libvirt uses is in both.
    """

    client: Data | _Unknown | None = UNKNOWN
    server: Data | _Unknown | None = UNKNOWN
    since_build: int = 0
    """The two above hold since this build; before it, `before` does, on both."""
    before: Data | _Unknown | None = UNKNOWN

    def on(self, server: bool, build: int) -> Data | _Unknown | None:
        """What holds on this Windows."""
        if build < self.since_build:
            return self.before
        return self.server if server else self.client


@dataclasses.dataclass(frozen=True)
class Desired:
    """What is wanted: a value, or nothing (data is None: the value is to be absent, or the state not to be there).

    least and most widen it to a range of numbers, which are compared as numbers also where they are kept as text, and
    others names further accepted data. A range never matches an absent value by itself: that is Absent's part.
    """

    data: Data | None
    least: int | None = None
    most: int | None = None
    others: tuple[Data, ...] = ()

    def accepts(self, data: Data | None) -> bool:
        """Whether this data is as wanted; None is the absence."""
        if data == self.data or (data is not None and data in self.others):
            return True
        if self.least is None and self.most is None:
            return False
        number = as_number(data)
        if number is None:
            return False
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


def as_number(data: Data | None) -> int | None:
    """The number that registry data is or, as text, says in decimal; None where it is none."""
    if isinstance(data, int):
        return data
    if isinstance(data, str) and data.isascii() and data.strip().isdigit() and len(data) < 20:
        return int(data)
    return None


@dataclasses.dataclass(frozen=True)
class Row:
    """One blocker."""

    id: str
    scenario: str
    effect: str
    title: str
    """What it does to a shutdown, in one sentence."""
    location: Location
    desired: Desired
    source: str
    grade: str
    absent: Absent = dataclasses.field(default_factory=Absent)
    takes_effect: str = "now"
    enforced: bool = False
    """Whether remediation sets it without being asked for this row by name."""
    offline: bool = False
    """Whether it can be set in an image that does not run."""
    cost: str = ""
    """What setting it costs, such as unsaved data."""
    baselines: tuple[tuple[str, str], ...] = ()
    """Security baselines that forbid the desired value, each with the number of its rule."""
    cure: str = ""
    """What a person can do where remediation cannot."""
    pending: bool = False
    """Whether a finding means that servicing has work left, which a shutdown will do."""
    only_read: bool = False
    """Whether nobody may set it, for it is a sign of something and not its cause, or setting it does damage."""

    @property
    def writable(self) -> bool:
        """Whether remediation could set it."""
        return isinstance(self.location, WRITABLE) and not self.only_read


class CatalogueError(ValueError):
    """A row, a desired value or a waiver that cannot be; the text says which, where, and what to do."""


def check(row: Row, where: str) -> Row:
    """The row, if it is sound; raises CatalogueError, whose text begins with where, if not."""
    for name, table in (
        ("scenario", SCENARIOS),
        ("effect", EFFECTS),
        ("takes_effect", TAKES_EFFECT),
        ("grade", GRADES),
    ):
        if getattr(row, name) not in table:
            raise CatalogueError(f"{where}: {name} is {getattr(row, name)!r}; it must be one of {', '.join(table)}")
    for name, dummy in row.baselines:
        if name not in BASELINES:
            raise CatalogueError(f"{where}: baselines names {name!r}; it must be one of {', '.join(BASELINES)}")
    if row.enforced and not row.writable:
        raise CatalogueError(f"{where}: enforced is true, but this {type(row.location).__name__} can only be read")
    return row
