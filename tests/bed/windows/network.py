# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The WinRM endpoint of a guest that comes and goes: it is there only while the guest is up, on the same port."""

from __future__ import annotations

import socket
import threading
from typing import Any

from bed.windows.endpoint import Request, WinrmEndpoint
from bed.windows.endpoint.faults import OnRequest
from bed.windows.endpoint.shells import Start

HOST = "127.0.0.1"


class Network:
    """A port of its own until `close`, and an endpoint on it while it is `up`."""

    def __init__(self, start: Start, *, password: str, **options: Any) -> None:
        """`start`, the password and the options are those of WinrmEndpoint."""
        self._start, self._password, self._options = start, password, options
        self._past: list[Request] = []
        self._on_request: OnRequest | None = None
        self._endpoint: WinrmEndpoint | None = None
        self._lock = threading.Lock()
        # A socket that is bound and does not listen keeps others away, but not the endpoint, which shares the address.
        # Only once it has a port: a socket that shares may be given one that another such socket has.
        self._reservation = socket.socket()
        self._reservation.bind((HOST, 0))
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port: int = self._reservation.getsockname()[1]

    def set_up(self, up: bool) -> None:
        """Open the endpoint, or close it, which breaks all connections and ends what they have started."""
        with self._lock:
            if up and self._endpoint is None:
                self._endpoint = WinrmEndpoint(self._start, password=self._password, port=self.port, **self._options)
                self._endpoint.on_request = self._on_request
            elif not up and self._endpoint is not None:
                self._endpoint.close()
                self._past += self._endpoint.requests
                self._endpoint = None

    def close(self) -> None:
        """Close the endpoint and give the port away."""
        self.set_up(False)
        self._reservation.close()

    @property
    def endpoint(self) -> WinrmEndpoint:
        """The endpoint that is open."""
        if self._endpoint is None:
            raise RuntimeError("The simulated Windows guest is not up, so there is no endpoint.")
        return self._endpoint

    @property
    def requests(self) -> list[Request]:
        """All requests since the start, or the last `forget_requests`."""
        with self._lock:
            return [*self._past, *(self._endpoint.requests if self._endpoint else [])]

    def forget_requests(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._past = []
            if self._endpoint:
                self._endpoint.reset()
                self._endpoint.on_request = self._on_request

    def misbehave(self, on_request: OnRequest | None) -> None:
        """What goes wrong with requests from now on, also after the next boot; None: nothing."""
        with self._lock:
            self._on_request = on_request
            if self._endpoint:
                self._endpoint.on_request = on_request
