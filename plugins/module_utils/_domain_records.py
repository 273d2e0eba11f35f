# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What domains keep of their shutdowns: which domains are meant, what is on record, and what may be cleared of it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_names as names
from ansible_collections.winguest.shutdown.plugins.module_utils import _facts
from ansible_collections.winguest.shutdown.plugins.module_utils import _selection as selection
from ansible_collections.winguest.shutdown.plugins.module_utils._acts import read_record
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import TimeLimit, within
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Record, RecordError, Request

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now


@dataclasses.dataclass(frozen=True)
class Kept:
    """A domain with its record. record_error says why that cannot be read, trouble why nothing can be."""

    name: str
    uuid: str
    state: str = "nostate"
    reason: str = "unknown"
    domain_id: int | None = None
    record: Record = dataclasses.field(default_factory=Record)
    record_error: str = ""
    trouble: str = ""

    @property
    def request(self) -> Request | None:
        """The latest request."""
        return self.record.request

    @property
    def void(self) -> bool:
        """Whether a request was left outstanding that cannot be obeyed any more: the domain is off, or started anew."""
        if self.trouble or self.request is None or not self.request.outstanding:
            return False
        return self.state == "shutoff" or self.request.domain_id != self.domain_id

    @property
    def outstanding(self) -> bool:
        """Whether there is a request that the guest may still obey."""
        return self.request is not None and self.request.outstanding and not self.void

    def told(self) -> dict[str, t.Any]:
        """It as a dictionary for users, without its evidence."""
        request = None
        if self.request is not None:
            request = dataclasses.asdict(self.request)
            del request["domain_id"]
            request = {**request, "outstanding": self.outstanding, "void": self.void}
        return {
            "name": self.name,
            "uuid": self.uuid,
            "state": self.state,
            "state_reason": self.reason,
            "request": request,
            "history": [dataclasses.asdict(past) for past in self.record.history],
            "trouble": self.trouble or self.record_error,
        }


def wanted(params: t.Mapping[str, t.Any]) -> list[tuple[str, str | None, str | None]]:
    """The domains that the options name; none with all=true. Raises ValueError for what cannot be meant."""
    selection.check_selection(params, "look at")
    return selection.read_entries(
        params["domains"] or [], selection.entry_options({}), lambda entry: (entry.where, entry.name, entry.uuid)
    )


def look(domain: t.Any) -> Kept:
    """A domain with its record, as it is now."""
    name, uuid = domain.name(), domain.UUIDString()
    try:
        return t.cast(Kept, within(_facts.LOOK_LIMIT, lambda: _look(domain, name, uuid)))
    except (libvirt.libvirtError, TimeLimit) as error:
        return Kept(name, uuid, trouble=f"libvirt does not tell about it: {error}")


def _look(domain: t.Any, name: str, uuid: str) -> Kept:
    state, reason = domain.state()
    seen = names.state_seen(state, reason, domain.ID())
    kept = Kept(name, uuid, seen.state, seen.reason, seen.domain_id)
    try:
        return dataclasses.replace(kept, record=read_record(domain))
    except RecordError as error:
        return dataclasses.replace(kept, record_error=str(error))


class StillOutstanding(ValueError):
    """A request that must not be cleared; the text says why, and what to do."""


def settled(kept: Kept, requested_at: str | None, now: str) -> tuple[Record, str]:
    """The record without the outstanding request, and in words what was found.

    requested_at: the time of the request that somebody knows to be settled. now: the time, in the record's form. Raises
    StillOutstanding for one that may be obeyed yet.
    """
    request = kept.request
    if request is None or not request.outstanding:
        return kept.record, "no request is outstanding"
    if requested_at not in (None, request.at):
        return kept.record, f"the request that is outstanding is another one, of {request.at}"
    if not request.outcome and request.hard_end > now and not kept.void:
        raise StillOutstanding(
            f"the run that made the request of {request.at} may still be under way; wait for its end, or until "
            f"{request.hard_end}"
        )
    if requested_at is None and not kept.void:
        raise StillOutstanding(
            f"the guest may still obey the request of {request.at}; wait until the domain is off or was started anew, "
            "or name the request in requested_at if you know that it is settled"
        )
    return dataclasses.replace(kept.record, request=None), f"the request of {request.at} is settled"
