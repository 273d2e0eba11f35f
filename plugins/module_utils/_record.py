# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What is kept about shutdowns in a domain's own metadata: the last request, and how long earlier ones took.

Pure: text in, text out. The element lives in a namespace of ours and is the only one that is ever touched.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import xml.etree.ElementTree as ET

NAMESPACE = "urn:winguest:shutdown:1"
KEY = "winguest"
HISTORY_LENGTH = 10

SETTLED = ("already_off", "graceful", "saved", "forced", "vanished")
"""Outcomes after which nothing is left of a request; after any other one it may still be obeyed."""


class RecordError(ValueError):
    """The element in the domain's metadata is not one of ours."""


@dataclasses.dataclass(frozen=True)
class Request:
    """A request to shut down. Times are ISO 8601 in UTC; outcome is empty while the run is under way or was cut off.

    reason says why it ended so, where nobody was left to be told.
    """

    at: str
    domain_id: int
    finish_by: str
    hard_end: str
    on_timeout: str
    outcome: str = ""
    ended: str = ""
    reason: str = ""

    @property
    def outstanding(self) -> bool:
        """Whether the guest may still obey it."""
        return self.outcome not in SETTLED


@dataclasses.dataclass(frozen=True)
class Past:
    """How one earlier shutdown went: seconds from the first request; save_seconds are those of a save by itself."""

    at: str
    outcome: str
    method: str
    accept_seconds: float | None
    finish_seconds: float
    save_seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Record:
    """The whole element."""

    request: Request | None = None
    history: tuple[Past, ...] = ()

    def with_past(self, past: Past) -> Record:
        """The record with one more shutdown in its history, the oldest dropped."""
        return dataclasses.replace(self, history=(*self.history, past)[-HISTORY_LENGTH:])


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_xml(record: Record) -> str:
    """The element as libvirt stores it; libvirt adds the namespace itself."""
    root = ET.Element("shutdown")
    if record.request is not None:
        ET.SubElement(root, "request", _attributes(record.request))
    for past in record.history:
        ET.SubElement(root, "past", _attributes(past))
    return ET.tostring(root, encoding="unicode")


def from_xml(text: str) -> Record:
    """The record in such an element. Raises RecordError for anything else."""
    try:
        root = ET.fromstring(text)
        requests = [_request(element) for element in root if _tag(element) == "request"]
        history = tuple(_past(element) for element in root if _tag(element) == "past")
    except (ET.ParseError, KeyError, ValueError) as error:
        raise RecordError(f"the metadata element of namespace {NAMESPACE} cannot be read: {error}") from error
    if _tag(root) != "shutdown" or len(requests) > 1:
        raise RecordError(f"the metadata element of namespace {NAMESPACE} is not a shutdown record")
    return Record(requests[0] if requests else None, history[-HISTORY_LENGTH:])


def _attributes(entry: Request | Past) -> dict[str, str]:
    return {name: str(value) for name, value in dataclasses.asdict(entry).items() if value not in (None, "")}


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _request(element: ET.Element) -> Request:
    get = element.attrib
    return Request(
        at=get["at"],
        domain_id=int(get["domain_id"]),
        finish_by=get["finish_by"],
        hard_end=get["hard_end"],
        on_timeout=get["on_timeout"],
        outcome=get.get("outcome", ""),
        ended=get.get("ended", ""),
        reason=get.get("reason", ""),
    )


def _past(element: ET.Element) -> Past:
    get = element.attrib
    accept, save = get.get("accept_seconds"), get.get("save_seconds")
    return Past(
        at=get["at"],
        outcome=get["outcome"],
        method=get.get("method", ""),
        accept_seconds=None if accept is None else _seconds(accept),
        finish_seconds=_seconds(get["finish_seconds"]),
        save_seconds=None if save is None else _seconds(save),
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not math.isfinite(seconds):
        raise ValueError(f"{text[:20]!r} are no seconds")
    return seconds
