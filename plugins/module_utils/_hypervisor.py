# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""libvirt: one connection for events and states, and others for the calls that may block.

Everything that acts on a domain waits for its turn in a lane, so that calls that block (an agent's may, for a minute)
hold up neither events, nor states, nor another kind of call. Whatever happens is posted to the inbox.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_names as names
from ansible_collections.winguest.shutdown.plugins.module_utils._connections import (
    OPEN_LIMIT,
    ThreadConnections,
    open_connection,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import (
    Act,
    AgentChannel,
    Changed,
    ConnectionBack,
    ConnectionLost,
    Done,
    Event,
    Rebooted,
    Started,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import Lane, TimeLimit, within
from ansible_collections.winguest.shutdown.plugins.module_utils._sampler import Sampler

try:
    import libvirt
except ImportError:
    LIBVIRT_IMPORT_ERROR: str | None = traceback.format_exc()
    LibvirtError: type[Exception] = OSError
else:
    LIBVIRT_IMPORT_ERROR = None
    LibvirtError = libvirt.libvirtError

Call = t.Callable[[t.Any, t.Any], t.Optional[Done]]
Wanted = t.Callable[[], bool]
Answer = t.Callable[[Event], None]


class Inbox(queue.SimpleQueue[tuple[t.Any, Event]]):
    """What happened, in order: (the domain's UUID, or None for all domains; the event)."""


RETRY_INTERVAL = 1.0
LANE_WIDTHS = {"act": 4, "agent": 6, "save": 3, "end": 4}
"""Calls at a time in each lane. Together they stay below the 20 workers that a libvirt daemon has by default."""


class HypervisorError(Exception):
    """libvirt cannot be used; the text says at which URI, why, and what to do."""


class Hypervisor:
    """The hypervisor behind one libvirt URI."""

    def __init__(self, uri: str, inbox: Inbox) -> None:
        self.uri = uri
        self._inbox = inbox
        self._lanes = {name: Lane(name, width) for name, width in LANE_WIDTHS.items()}
        self._connections = ThreadConnections(uri)
        self._closed = False
        self.connection: t.Any = None
        _start_event_loop()
        self._sampler = Sampler(uri, self._post, self._lost)
        try:
            self.connection = within(OPEN_LIMIT, self._open_main)
        except (libvirt.libvirtError, TimeLimit) as error:
            raise HypervisorError(
                f"cannot connect to libvirt at uri {uri!r}: {error}; check the uri, that libvirt runs there, and that "
                "this user may use it (root, the libvirt group, or polkit)"
            ) from error

    # ---- connections

    def _open_main(self) -> t.Any:
        connection = open_connection(self.uri)
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

    def close(self) -> None:
        """Close what can be closed, without waiting for calls that still block."""
        self._closed = True
        try:
            within(1.0, self.connection.close)
        except (libvirt.libvirtError, TimeLimit):
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
        """Look at these domains and post a StateSeen for each."""
        self._sampler.sample(self.connection, uuids)

    def _post(self, uuid: str, event: Event) -> None:
        self._inbox.put((uuid, event))

    def _lost(self, connection: t.Any, detail: str) -> None:
        if connection is self.connection and not self._closed:
            self._inbox.put((None, ConnectionLost(detail)))

    # ---- acts

    def act(self, lane: str, uuid: str, act: Act, call: Call, wanted: Wanted, answer: Answer | None = None) -> None:
        """Run call(connection, domain) when the lane has room, if it is wanted then.

        Started and the Done that the call returns, or that tells its failure, go to answer, or else to the inbox. When
        a call returns None, others are at work on it, and post its Done.
        """
        post: Answer = answer if answer is not None else lambda event: self._post(uuid, event)

        def job() -> None:
            started = False
            try:
                connection = self._connections.get()
                domain = connection.lookupByUUIDString(uuid)
                if wanted():
                    post(Started(act))
                    started = True
                    done = call(connection, domain)
                    if done is None:
                        return
                else:
                    done = Done(act, "dropped", "not wanted any more when its turn came")
            except libvirt.libvirtError as error:
                done = failed(act, error)
            except TimeLimit as error:
                done = Done(act, "failed", str(error))
            except Exception as error:  # a defect of ours must end this domain's act, not the whole run
                done = Done(act, "failed", f"{type(error).__name__}: {error}")
            if not started and done.result != "dropped" and wanted():
                post(Started(act))  # one that could not be begun has failed, and is not to be begun again at once
            post(done)

        self._lanes[lane].submit(job)

    def finish(self, lane: str, seconds: float) -> bool:
        """Wait, but no longer than that, for the calls of this lane, and tell whether all have ended."""
        return self._lanes[lane].wait(seconds)


def failed(act: Act, error: t.Any) -> Done:
    """The Done for a libvirt error."""
    if error.get_error_domain() == libvirt.VIR_FROM_RPC:
        return Done(act, "lost", str(error))
    code = error.get_error_code()
    denied = code in (
        libvirt.VIR_ERR_OPERATION_DENIED,
        libvirt.VIR_ERR_ACCESS_DENIED,
        libvirt.VIR_ERR_AUTH_UNAVAILABLE,
        libvirt.VIR_ERR_AUTH_FAILED,
        libvirt.VIR_ERR_AUTH_CANCELLED,
    )
    return Done(act, "denied" if denied else "failed", str(error))


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
