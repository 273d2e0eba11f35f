# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP server: connections, authentication, encryption. What it is sent goes to `Exchanges`, and back.

A connection stays open for further requests, and each has a thread. The statuses are those of WinRM and http.sys: 401
with what is offered, 400 for what cannot be decrypted, 413 for what is larger than an envelope may be, 500 without a
body for a message in clear text where that is not allowed, 404 and 405 for another path and another method.
"""

from __future__ import annotations

import http.server
import re
import socket
import socketserver
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

import spnego

from bed.windows.endpoint import encryption
from bed.windows.endpoint.authentication import Account, Authentication
from bed.windows.endpoint.faults import SOAP_TYPE, Fault, Reply

PATH = "/wsman"
ENCRYPTED_OVERHEAD = 4096  # what encrypting may add to an envelope
DISCARD = 1 << 26  # how much of a too large request is read, so that its sender sees the answer


@dataclass(frozen=True)
class Exchange:
    """A request that was understood, and what to answer. `fault` says how to send it."""

    action: str
    shell_id: str | None
    reply: Reply
    fault: Fault


class Exchanges(Protocol):
    """What the server needs of the endpoint."""

    def exchange(self, envelope: bytes) -> Exchange:
        """Answer a message."""

    def record(self, exchange: Exchange, received: int, sent: int, arrived: float) -> None:
        """Note a request before its answer is sent; sizes are those of the HTTP bodies."""

    def record_handshake(self) -> None:
        """Note an HTTP round trip that carried no message that was looked at."""


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens on 127.0.0.1, and knows its connections, so that it can end them."""

    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 64

    def __init__(
        self,
        port: int,
        exchanges: Exchanges,
        account: Account,
        context: ssl.SSLContext | None,
        *,
        basic: bool,
        negotiate: bool,
        unencrypted: bool,
        largest: int,
    ) -> None:
        self.exchanges = exchanges
        self.account = account
        self.basic = basic
        self.negotiate = negotiate
        self.unencrypted = unencrypted
        self.largest = largest
        self.ending = threading.Event()
        self._context = context
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="endpoint")
        self._thread.start()

    def close(self) -> None:
        """Stop listening, break all connections, and wait until none is left."""
        self.ending.set()
        self.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                try:
                    # The method of SSLSocket would pull TLS from under the thread that reads.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
                except OSError:
                    pass
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take a connection; the handshake of TLS is left to its thread."""
        connection, address = super().get_request()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may hang up at any time; everything else is a mistake here, and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "simulated-guest"
    sys_version = ""
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Begin TLS where it is wanted."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        server = self.server
        self._authentication = Authentication(server.account, basic=server.basic, negotiate=server.negotiate)
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        """Only POST is allowed."""
        self._send(Reply(405), close=True)

    do_PUT = do_HEAD = do_DELETE = do_OPTIONS = do_GET

    def do_POST(self) -> None:
        """A message, or a step of the authentication."""
        arrived = time.monotonic()
        body = self._read()
        if body is None:
            return
        verdict = self._authentication.check(self.headers.get("Authorization", ""))
        if not verdict.accepted or not body:
            # Clients begin with an empty request where they are to encrypt all others.
            self.server.exchanges.record_handshake()
            self._send(Reply(200 if verdict.accepted else 401), verdict.headers)
            return
        # Only a body that says so is encrypted, and is answered likewise.
        context = self._authentication.context if self._says_encrypted() else None
        if self._says_encrypted():
            try:
                if context is None:
                    raise encryption.NotDecrypted("the connection has no key")
                message = encryption.decrypt(body, context)
            except encryption.NotDecrypted:
                self._send(Reply(400), close=True)
                return
        elif self.server.unencrypted:
            message = body
        else:
            self._send(Reply(500), close=True)
            return
        if len(message) > self.server.largest:
            self._send(Reply(413), close=True)
            return
        self._answer(self.server.exchanges.exchange(message), context, verdict.headers, len(body), arrived)

    def _says_encrypted(self) -> bool:
        return self.headers.get("Content-Type", "").startswith("multipart/encrypted")

    def _answer(
        self,
        exchange: Exchange,
        context: spnego.ContextProxy | None,
        offered: tuple[str, ...],
        received: int,
        arrived: float,
    ) -> None:
        reply, fault = exchange.reply, exchange.fault
        if context is not None and reply.content_type == SOAP_TYPE:
            reply = Reply(reply.status, encryption.encrypt(reply.body, context), encryption.CONTENT_TYPE)
        sent = int(len(reply.body) * fault.sent)
        self.server.exchanges.record(exchange, received, sent, arrived)
        if fault.delay:
            self.server.ending.wait(min(fault.delay, threading.TIMEOUT_MAX))
        if self.server.ending.is_set() or not fault.sent:
            self.close_connection = True
            return
        self._send(reply, offered, sent=sent, close=sent < len(reply.body))

    def _read(self) -> bytes | None:
        """The body, or None if the request was refused for it."""
        length = self.headers.get("Content-Length", "")
        if self.path != PATH:
            self._send(Reply(404), close=True)
        elif not re.fullmatch(r"[0-9]{1,12}", length):
            self._send(Reply(411), close=True)
        elif int(length) > self.server.largest + ENCRYPTED_OVERHEAD:
            left = min(int(length), DISCARD)
            while left and (data := self.rfile.read(min(left, 65536))):
                left -= len(data)
            self._send(Reply(413), close=True)
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                return body
            self.close_connection = True
        return None

    def _send(
        self, reply: Reply, offered: tuple[str, ...] = (), *, sent: int | None = None, close: bool = False
    ) -> None:
        self.send_response(reply.status)
        for header in offered:
            self.send_header("WWW-Authenticate", header)
        if reply.body:
            self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(reply.body[:sent])
