# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Events of Windows' event logs, from the XML that `wevtutil qe LOG /f:xml` prints. Pure.

It prints one event after the other, without a root and not always with a line end between them. What is in an event may
be anybody's, megabytes of it included, so each event is taken apart from the others and parsed alone. In the XML of an
event the character < begins nothing but a tag, since wevtutil escapes it everywhere else; so the tags tell where an
event ends. An event may hold elements of the same name, and what looks like an event in another one is never taken for
one. Declarations, comments and processing instructions are in no event, and one that has them is refused: without them
XML has no entities that grow.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t
import xml.etree.ElementTree as ET

NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"

LONGEST_EVENT = 1 << 17
"""Characters; a record of a log has at most 64 KiB, the half of it if every character takes two bytes."""

MOST_MALFORMED = 20
"""After so many events that cannot be read, the rest is given up."""

LONGEST_SAYING = 300
"""Characters of what is printed besides events that are kept."""

LATEST = "9000"
"""The year from which on a time is no time, since what is calculated from it may be none."""

MOST_DATA = 100
"""Strings of one event that are kept."""

# One that closes an event, or one that opens one and is not closed in itself.
_TAG = re.compile(r"<(/?)Event(?=[\s>])[^<>]*(?<!/)>")
_FORBIDDEN = re.compile(r"<[!?]")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML does not allow. Windows prints them all the same, as they are or as references."""

_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_REPLACEMENT = "\ufffd"


class Event(t.NamedTuple):
    """One event. `time` is in seconds since 1970, `record` its number in its log; `data` are its names and strings."""

    log: str
    provider: str
    id: int
    time: float
    record: int
    data: tuple[tuple[str, str], ...] = ()

    def text(self, position: int) -> str:
        """The string at this position, from 1 on; empty where there is none."""
        return self.data[position - 1][1] if 0 < position <= len(self.data) else ""

    def named(self, name: str) -> str:
        """The string of this name; empty where there is none."""
        return next((text for known, text in self.data if known == name), "")

    def number(self, name: str) -> int | None:
        """The number that the string of this name is, decimal or hexadecimal; None where it is none."""
        return as_number(self.named(name))


@dataclasses.dataclass(frozen=True)
class Parsed:
    """What was printed: events, how many of them could not be read, and what else was said."""

    events: tuple[Event, ...] = ()
    malformed: int = 0
    said: str = ""


def parse(text: str) -> Parsed:
    """All events of a text, in its order."""
    events: list[Event] = []
    said: list[str] = []
    malformed, index, end = 0, 0, 0
    tags = list(_TAG.finditer(text))
    while index < len(tags) and malformed < MOST_MALFORMED:
        begin, closing = tags[index].start(), _closing(tags, index)
        said.append(text[end:begin])
        event = None if closing is None else _event(text[begin : tags[closing].end()])
        if event is None:
            malformed += 1
        else:
            events.append(event)
        # Without an end of its own, it may be only this one that is cut off.
        index = (index if closing is None else closing) + 1
        end = tags[index - 1].end()
    if malformed < MOST_MALFORMED:
        said.append(text[end:])
    return Parsed(tuple(events), malformed, "".join(said).strip()[:LONGEST_SAYING])


def as_number(text: str) -> int | None:
    """The number that a text is, decimal or hexadecimal with 0x; None where it is none."""
    if re.fullmatch(r"[0-9]{1,20}", text):
        return int(text)
    return int(text, 16) if re.fullmatch(r"0[xX][0-9A-Fa-f]{1,16}", text) else None


def _closing(tags: t.Sequence[re.Match[str]], begin: int) -> int | None:
    """The index of the tag that closes the one at begin; None where none does."""
    depth = 0
    for index in range(begin, len(tags)):
        depth += -1 if tags[index][1] else 1
        if depth <= 0:
            return index if index > begin else None
    return None


def _event(text: str) -> Event | None:
    """The event; None for what cannot be one."""
    if len(text) > LONGEST_EVENT or _FORBIDDEN.search(text):
        return None
    try:
        root = ET.fromstring(_REFERENCE.sub(_allowed, _NO_XML.sub(_REPLACEMENT, text)))
    except (ET.ParseError, ValueError):
        return None
    system = root.find(f"{NAMESPACE}System")
    if root.tag != f"{NAMESPACE}Event" or system is None:
        return None
    provider, created = system.find(f"{NAMESPACE}Provider"), system.find(f"{NAMESPACE}TimeCreated")
    number = as_number(system.findtext(f"{NAMESPACE}EventID", "").strip())
    record = as_number(system.findtext(f"{NAMESPACE}EventRecordID", "").strip())
    time = None if created is None else _time(created.get("SystemTime", ""))
    if provider is None or number is None or record is None or time is None:
        return None
    channel = system.findtext(f"{NAMESPACE}Channel", "").strip()
    return Event(channel, provider.get("Name", ""), number, time, record, tuple(_data(root))[:MOST_DATA])


def _allowed(reference: re.Match[str]) -> str:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return _REPLACEMENT if number > 0x10FFFF or _NO_XML.match(chr(number)) else reference[0]


def _time(text: str) -> float | None:
    found = _TIME.fullmatch(text)
    if found is None or found[1] >= LATEST:
        return None
    try:
        moment = datetime.datetime.fromisoformat(found[1]).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    return moment.timestamp() + float(f"0.{found[2] or 0}")


def _data(root: ET.Element) -> t.Iterator[tuple[str, str]]:
    """The strings of EventData in their order; where Windows has a structure of its own in their place, its leaves."""
    for element in root.findall(f"{NAMESPACE}EventData/{NAMESPACE}Data"):
        yield element.get("Name", ""), element.text or ""
    for element in root.iterfind(f"{NAMESPACE}UserData//*"):
        if not len(element):
            yield element.tag.rpartition("}")[2], element.text or ""
