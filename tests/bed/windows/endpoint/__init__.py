# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The WinRM endpoint of the simulated Windows guest, for real clients: pywinrm, Ansible's winrm connection, pypsrp.

    with WinrmEndpoint(start, password="...", tls=True, allow_basic=True) as endpoint:
        ... a client connects to endpoint.url, and `start` starts what it runs ...
        [request.action for request in endpoint.requests]

It speaks the messages of remote shells ([MS-WSMV] over DSP0226, WS-Management) over HTTP or HTTPS, with Basic, or with
Negotiate and NTLM and its encryption of messages. There is no PowerShell remoting, no Kerberos, no CredSSP.

    errors.py          the SOAP faults, with Windows' codes
    soap.py            reading and writing messages
    commands.py        a running command: its process and its pipes
    shells.py          open shells, quotas, idle time-outs
    service.py         what is done for each message
    certificate.py     TLS
    authentication.py  Basic and NTLM
    encryption.py      the encryption of messages
    server.py          HTTP
    faults.py          what goes wrong when a test wants it
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bed.windows.endpoint import certificate, faults, soap
from bed.windows.endpoint.authentication import Account
from bed.windows.endpoint.errors import SoapFault
from bed.windows.endpoint.faults import Fault, OnRequest, Reply
from bed.windows.endpoint.server import PATH, Exchange, Server
from bed.windows.endpoint.service import Service
from bed.windows.endpoint.shells import Limits, Settings, Start, StartIn

__all__ = ["Fault", "Limits", "Request", "Settings", "SoapFault", "WinrmEndpoint", "faults"]

NO_FAULT = Fault()


@dataclass(frozen=True)
class Request:
    """A WS-Management request. Sizes are those of the HTTP bodies; `time` is that of its arrival, monotonic.

    `action` is the last part of the action's URI ("Create", "Receive"), and empty where the message had none; `status`
    is that of the answer, though it may have been lost on purpose, and then `sent` is less than it would have been.
    """

    action: str
    received: int
    sent: int
    shell_id: str | None
    status: int
    time: float


class WinrmEndpoint:
    """Listens from its construction to close().

    `requests` are the WS-Management requests since the last reset(); `handshakes` counts the HTTP round trips that only
    authenticated; `on_request` is asked what is to go wrong with a request (see faults.py).
    """

    def __init__(
        self,
        start: Start,
        *,
        password: str,
        user: str = "Administrator",
        tls: bool = False,
        allow_basic: bool = False,
        allow_negotiate: bool = True,
        allow_unencrypted: bool = False,
        port: int = 0,
        directory: Path | None = None,
        limits: Limits | None = None,
        start_in: StartIn | None = None,
        gather: float = 0.05,
    ) -> None:
        """Begin to listen on 127.0.0.1, on a free port unless one is given; what is allowed by default is Windows'.

        `start` starts a command line. `start_in` is taken in its place where it is given: it is also told what the
        shell was opened with. Without it, a shell with an environment or a working directory is refused.
        `allow_unencrypted`: over plain HTTP, also messages that are not encrypted, and Basic.
        `directory`: where the certificate is kept, so that the next endpoint there has the same; a temporary folder
        otherwise, which goes away with the endpoint.
        `gather`: how long a Receive that has output waits for the end of the command, in seconds. It is not Windows',
        but keeps the number of requests for a quick command from depending on the scheduler; 0 turns it off.
        """
        self.on_request: OnRequest | None = None
        self.requests: list[Request] = []
        self.handshakes = 0
        self._numbers: Counter[str] = Counter()
        self._lock = threading.Lock()
        limits = limits or Limits()
        unencrypted = tls or allow_unencrypted
        with ExitStack() as resources:
            account = Account(user, password)
            resources.callback(account.close)
            if tls and directory is None:
                directory = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="endpoint-")))
            context = certificate.server_context(directory) if tls and directory else None
            self._service = Service(start, start_in, limits, gather)
            resources.callback(self._service.close)
            server = Server(
                port,
                self,
                account,
                context,
                basic=allow_basic and unencrypted,
                negotiate=allow_negotiate,
                unencrypted=unencrypted,
                largest=limits.max_envelope_size,
            )
            # Before the threads of the connections can be waited for, the shells that keep them waiting have to end.
            resources.callback(server.close)
            resources.callback(self._service.close)
            resources.callback(server.ending.set)
            self._resources = resources.pop_all()
        self.user = user
        self.port: int = server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}{PATH}"
        self.certificate = directory / "certificate.pem" if tls and directory else None

    def __enter__(self) -> WinrmEndpoint:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.close()

    def close(self) -> None:
        """Break all connections and end all shells and commands, as a guest that goes down does."""
        self._resources.close()

    def reset(self) -> None:
        """Begin to count anew, without faults."""
        with self._lock:
            self.on_request = None
            self.requests = []
            self.handshakes = 0
            self._numbers.clear()

    @property
    def open_shells(self) -> int:
        """How many shells there are."""
        return len(self._service.shells)

    def exchange(self, envelope: bytes) -> Exchange:
        """Answer a message (for the server)."""
        message_id, action, shell_id, fault = "", "", None, NO_FAULT
        try:
            message = soap.read(envelope)
            message_id, shell_id = message.message_id, message.shell_id
            action = message.action.rpartition("/")[2]
            fault = self._fault(action)
            if fault.error is not None:
                raise fault.error
            reply = Reply(200, self._service.answer(message)) if fault.carried_out else Reply(500)
        except SoapFault as error:
            # WinRM answers every SOAP fault with 500, also those of the sender.
            reply = Reply(500, soap.fault(error, message_id))
        return Exchange(action, shell_id, fault.change(reply) if fault.change else reply, fault)

    def record(self, exchange: Exchange, received: int, sent: int, arrived: float) -> None:
        """Note a request (for the server)."""
        request = Request(exchange.action, received, sent, exchange.shell_id, exchange.reply.status, arrived)
        with self._lock:
            self.requests.append(request)

    def record_handshake(self) -> None:
        """Note a bare round trip (for the server)."""
        with self._lock:
            self.handshakes += 1

    def _fault(self, action: str) -> Fault:
        with self._lock:
            self._numbers[action] += 1
            number, on_request = self._numbers[action], self.on_request
        return (on_request(action, number) if on_request else None) or NO_FAULT
