# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""libvirt: one connection for events and samples, and side connections for the calls that may block.

A libvirt daemon serves only five requests of one connection at a time (max_client_requests), and an agent call may
block for a minute. So samples stay alone on the main connection, and everything that acts on a domain goes through a
lane with a connection of its own. Whatever happens is posted to the inbox.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_names as names
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import (
    Act,
    AgentChannel,
    Cancelled,
    Changed,
    ConnectionBack,
    ConnectionLost,
    Done,
    Event,
    Rebooted,
    StateSeen,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import Lane

try:
    import libvirt
except ImportError:
    LIBVIRT_IMPORT_ERROR: str | None = traceback.format_exc()
    LibvirtError: type[Exception] = OSError
else:
    LIBVIRT_IMPORT_ERROR = None
    LibvirtError = libvirt.libvirtError

Call = t.Callable[[t.Any, t.Any], Done]
Answer = t.Callable[[Done], None]


class Inbox(queue.SimpleQueue[tuple[t.Any, Event]]):
    """What happened, in order: (the domain's UUID, or None for all domains; the event)."""


KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 3
RETRY_INTERVAL = 1.0
LANE_WIDTHS = {"act": 4, "agent": 8, "final": 4}
"""Threads a lane. Together they stay below the 20 workers that a libvirt daemon has by default."""

THREADS_A_CONNECTION = 4
SAMPLE_SIZE = 50
"""Domains a call: a QEMU that does not answer its monitor holds up only those that are sampled with it."""


class HypervisorError(Exception):
    """libvirt cannot be used; the text says at which URI, why, and what to do."""


class Hypervisor:
    """The hypervisor behind one libvirt URI."""

    def __init__(self, uri: str, inbox: Inbox) -> None:
        self.uri = uri
        self._inbox = inbox
        self._lock = threading.Lock()
        self._lanes = {name: Lane(name, width) for name, width in LANE_WIDTHS.items()}
        self._samplers = Lane("sample", 3)
        self._side: dict[tuple[str, int], t.Any] = {}
        self._turn: dict[str, int] = {}
        self._domains: dict[tuple[int, str], t.Any] = {}
        self._closed = False
        self.connection: t.Any = None
        _start_event_loop()
        try:
            self.connection = self._open_main()
        except libvirt.libvirtError as error:
            raise HypervisorError(
                f"cannot connect to libvirt at uri {uri!r}: {error}; check the uri, that libvirt runs there, and that "
                "this user may use it (root, the libvirt group, or polkit)"
            ) from error

    # ---- connections

    def _open_main(self) -> t.Any:
        connection = _open(self.uri)
        connection.registerCloseCallback(self._on_close, None)
        for kind, callback in (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_lifecycle),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._on_reboot),
            (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, self._on_agent),
        ):
            try:
                connection.domainEventRegisterAny(None, kind, callback, None)
            except libvirt.libvirtError:
                if kind == libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE:
                    raise
                # A driver without that event (the test driver): the samples still tell the states.
        return connection

    def _on_close(self, connection: t.Any, reason: int, opaque: t.Any) -> None:
        if not self._closed and connection is self.connection:
            self._inbox.put((None, ConnectionLost(names.CLOSE_REASONS.get(reason, "closed"))))

    def reconnect(self, give_up_at: float) -> None:
        """Try in the background, until that time.monotonic(), to come back; then post ConnectionBack."""

        def attempt() -> None:
            while time.monotonic() < give_up_at and not self._closed:
                time.sleep(RETRY_INTERVAL)
                try:
                    self.connection = self._open_main()
                except libvirt.libvirtError:
                    continue
                self._inbox.put((None, ConnectionBack()))
                return

        threading.Thread(target=attempt, name="reconnect", daemon=True).start()

    def _side_connection(self, lane: str) -> t.Any:
        """A connection for one call of this lane: the lane's connections take turns."""
        with self._lock:
            count = -(-LANE_WIDTHS[lane] // THREADS_A_CONNECTION)
            turn = self._turn[lane] = (self._turn.get(lane, -1) + 1) % count
            connection = self._side.get((lane, turn))
            if connection is None or not _alive(connection):
                connection = self._side[lane, turn] = _open(self.uri)
            return connection

    def close(self) -> None:
        """Close what can be closed without waiting for a call that still blocks."""
        self._closed = True
        try:
            self.connection.close()
        except libvirt.libvirtError:
            pass

    # ---- events, called in libvirt's event loop

    def _on_lifecycle(self, connection: t.Any, domain: t.Any, event: int, detail: int, opaque: t.Any) -> None:
        self._inbox.put((domain.UUIDString(), names.lifecycle(event, detail) or Changed()))

    def _on_reboot(self, connection: t.Any, domain: t.Any, opaque: t.Any) -> None:
        self._inbox.put((domain.UUIDString(), Rebooted()))

    def _on_agent(self, connection: t.Any, domain: t.Any, state: int, reason: int, opaque: t.Any) -> None:
        connected = state == libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
        self._inbox.put((domain.UUIDString(), AgentChannel(connected)))

    # ---- samples

    def sample(self, uuids: t.Sequence[str]) -> None:
        """Look at these domains, many in one call, and post a StateSeen for each."""
        for start in range(0, len(uuids), SAMPLE_SIZE):
            part = list(uuids[start : start + SAMPLE_SIZE])
            self._samplers.submit(lambda part=part: self._sample(part))  # type: ignore[misc]

    def _sample(self, uuids: list[str]) -> None:
        connection = self.connection
        try:
            found = self._stats(connection, uuids)
            for uuid in uuids:
                event = found.get(uuid)
                self._inbox.put((uuid, event if event is not None else self._missing(connection, uuid)))
        except libvirt.libvirtError as error:
            if not _alive(connection):
                self._lost(connection, str(error))

    def _stats(self, connection: t.Any, uuids: list[str]) -> dict[str, StateSeen]:
        domains = [domain for domain in (self._known(connection, uuid) for uuid in uuids) if domain is not None]
        if not domains:
            return {}
        wanted = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BLOCK
        records = connection.domainListGetStats(domains, wanted, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
        return {domain.UUIDString(): names.sampled(stats, domain.ID()) for domain, stats in records}

    def _known(self, connection: t.Any, uuid: str) -> t.Any:
        """The domain as this connection knows it, looked up once; None when there is no such domain."""
        key = (id(connection), uuid)
        if key not in self._domains:
            try:
                self._domains[key] = connection.lookupByUUIDString(uuid)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
                return None
        return self._domains[key]

    @staticmethod
    def _missing(connection: t.Any, uuid: str) -> Event:
        """A domain that the sample left out: gone, or gone off between two calls."""
        try:
            domain = connection.lookupByUUIDString(uuid)
            state, reason = domain.state()
            return names.state_seen(state, reason, domain.ID())
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return StateSeen("gone", "no such domain", sampled=True)
            raise

    def _lost(self, connection: t.Any, detail: str) -> None:
        if connection is self.connection and not self._closed:
            self._inbox.put((None, ConnectionLost(detail)))

    # ---- acts

    def act(self, lane: str, uuid: str, act: Act, call: Call, answer: Answer | None = None) -> None:
        """Run call(connection, domain) in a lane; the Done it returns, or its failure, goes to answer or the inbox."""

        def job() -> None:
            try:
                connection = self._side_connection(lane)
                done = call(connection, connection.lookupByUUIDString(uuid))
            except libvirt.libvirtError as error:
                done = failed(act, error)
            except Exception as error:  # a defect of ours must end this domain's act, not the whole run
                done = Done(act, "failed", f"{type(error).__name__}: {error}")
            if answer is None:
                self._inbox.put((uuid, done))
            else:
                answer(done)

        self._lanes[lane].submit(job)

    def cancel(self, why: str) -> None:
        """Post to all domains that the run was told to stop."""
        self._inbox.put((None, Cancelled(why)))


def failed(act: Act, error: t.Any) -> Done:
    """The Done for a libvirt error."""
    code = error.get_error_code()
    denied = code in (libvirt.VIR_ERR_OPERATION_DENIED, libvirt.VIR_ERR_ACCESS_DENIED, libvirt.VIR_ERR_AUTH_UNAVAILABLE)
    return Done(act, "denied" if denied else "failed", str(error))


def _open(uri: str) -> t.Any:
    connection = libvirt.open(uri)
    try:
        connection.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
    except libvirt.libvirtError:
        pass  # a driver inside this process has no connection that could go quiet
    return connection


def _alive(connection: t.Any) -> bool:
    try:
        return bool(connection.isAlive())
    except libvirt.libvirtError:
        return False


_event_loop_lock = threading.Lock()
_event_loop: threading.Thread | None = None


def _start_event_loop() -> None:
    """libvirt's own event loop in a thread; it must be there before the first connection."""
    global _event_loop
    with _event_loop_lock:
        if _event_loop is not None:
            return
        libvirt.registerErrorHandler(_swallow, None)
        libvirt.virEventRegisterDefaultImpl()
        _event_loop = threading.Thread(target=_run_event_loop, name="libvirt events", daemon=True)
        _event_loop.start()


def _swallow(context: t.Any, error: t.Any) -> None:
    """libvirt would print every error to stderr, also the expected ones; each is handled where it is raised."""


def _run_event_loop() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
