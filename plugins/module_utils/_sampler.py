# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Samples: the state of each domain and how much it has written.

libvirt knows a state by itself, but has to ask a guest's QEMU for its block statistics, and a QEMU that hangs does not
answer. Domains are sampled many in a call; where a call has hung, each of its domains is looked at by itself from then
on, and one that hangs by itself is sampled without block statistics until its QEMU answers again.
"""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_names as names
from ansible_collections.winguest.shutdown.plugins.module_utils._connections import SharedConnection, alive
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Event, StateSeen
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import TimeLimit, within

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now

CALL_LIMIT = 2.0
"""Seconds that libvirt may take to tell the states of some domains, and again to tell their block statistics."""

DOMAINS_A_CALL = 50

Counts = dict[str, t.Mapping[str, t.Any]]


class Known:
    """The domains of a connection, each of which is looked up once: a look-up costs as much as a look."""

    def __init__(self) -> None:
        self._of: tuple[t.Any, dict[str, t.Any]] = (None, {})

    def get(self, connection: t.Any, uuid: str) -> t.Any:
        """The domain; None where there is none. Safe to call from several threads."""
        if self._of[0] is not connection:
            self._of = (connection, {})
        owner, domains = self._of
        if uuid in domains:
            return domains[uuid]
        domain = _look_up(connection, uuid)
        if domain is not None and owner is connection:
            domains[uuid] = domain
        return domain


class Sampler:
    """Takes samples in threads of its own and posts a StateSeen for each domain."""

    def __init__(self, uri: str, post: t.Callable[[str, Event], None], lost: t.Callable[[t.Any, str], None]) -> None:
        self._shared = SharedConnection(uri)
        self._known, self._asked = Known(), Known()
        self._post = post
        self._lost = lost
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._alone: set[str] = set()
        self._hung: set[str] = set()

    def sample(self, connection: t.Any, uuids: t.Sequence[str]) -> None:
        """Sample these domains, except those whose sample is still under way."""
        with self._lock:
            wanted = [uuid for uuid in uuids if uuid not in self._under_way]
            self._under_way.update(wanted)
            together = [uuid for uuid in wanted if uuid not in self._alone]
            parts = [together[at : at + DOMAINS_A_CALL] for at in range(0, len(together), DOMAINS_A_CALL)]
            parts += [[uuid] for uuid in wanted if uuid in self._alone]
        for part in parts:
            threading.Thread(target=self._sample, args=(connection, part), name="sample", daemon=True).start()

    def _sample(self, connection: t.Any, uuids: list[str]) -> None:
        events: dict[str, Event] = {}
        try:
            taken_at = time.monotonic()
            states = within(CALL_LIMIT, lambda: self._states(connection, uuids))
            counts = self._counts([uuid for uuid, event in states.items() if event.state != "shutoff"])
            events.update((u, names.with_writes(event, counts.get(u), taken_at)) for u, event in states.items())
        except TimeLimit:
            self._look_alone(uuids)
        except libvirt.libvirtError as error:
            if alive(connection):
                self._look_alone(uuids)  # one that libvirt refuses to tell about must not cost the others theirs
            else:
                self._lost(connection, str(error))
        finally:
            with self._lock:
                self._under_way.difference_update(uuids)
        for uuid, event in events.items():
            self._post(uuid, event)

    def _states(self, connection: t.Any, uuids: list[str]) -> dict[str, StateSeen]:
        """The states, for which libvirt asks no QEMU."""
        domains = list(filter(None, (self._known.get(connection, uuid) for uuid in uuids)))
        told = connection.domainListGetStats(domains, libvirt.VIR_DOMAIN_STATS_STATE, 0) if domains else ()
        states = {
            domain.UUIDString(): names.state_seen(stats["state.state"], stats["state.reason"], domain.ID())
            for domain, stats in told
        }
        return {uuid: states.get(uuid) or _state(connection, uuid) for uuid in uuids}

    def _counts(self, uuids: list[str]) -> Counts:
        """The block statistics of those whose QEMU answers in time."""
        with self._lock:
            uuids = [uuid for uuid in uuids if uuid not in self._hung]
            if len(uuids) == 1:
                self._hung.update(uuids)  # until the answer, however late that is
        if not uuids:
            return {}
        try:
            return dict(within(CALL_LIMIT, lambda: self._ask(uuids)))
        except TimeLimit:
            self._shared.forget()
            self._look_alone(uuids)
        except libvirt.libvirtError:
            self._look_alone(uuids)
        return {}

    def _look_alone(self, uuids: list[str]) -> None:
        with self._lock:
            self._alone.update(uuids)

    def _ask(self, uuids: list[str]) -> Counts:
        """Ask the QEMUs; may hang, and then it clears the domain that hung whenever it comes back."""
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        try:
            connection = self._shared.get()
            domains = list(filter(None, (self._asked.get(connection, uuid) for uuid in uuids)))
            if not domains:
                return {}
            records = connection.domainListGetStats(domains, libvirt.VIR_DOMAIN_STATS_BLOCK, flags)
            return {domain.UUIDString(): stats for domain, stats in records}
        finally:
            with self._lock:
                self._hung.difference_update(uuids)


def _look_up(connection: t.Any, uuid: str) -> t.Any:
    try:
        return connection.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return None


def _state(connection: t.Any, uuid: str) -> StateSeen:
    """The state of a domain that was not among those told: it has gone, unless it has come back meanwhile."""
    domain = _look_up(connection, uuid)
    try:
        if domain is not None:
            state, reason = t.cast("tuple[int, int]", domain.state())
            return names.state_seen(state, reason, domain.ID())
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
    return StateSeen("gone", "no such domain", sampled=True)
