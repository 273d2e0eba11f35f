# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may speak to the endpoint: one local account, by Basic (RFC 7617) or by Negotiate with NTLM ([MS-NLMP]).

Kerberos, CredSSP and client certificates are not offered, and channel bindings are not looked at.
"""

from __future__ import annotations

import base64
import hmac
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import spnego
from spnego.exceptions import SpnegoError

# pyspnego finds the accounts through the environment, which all threads share.
_environment = threading.Lock()


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, and what to put into WWW-Authenticate."""

    accepted: bool
    headers: tuple[str, ...] = ()


class Account:
    """The account, whose password is kept in memory only: in a nameless file, since pyspnego wants a file."""

    def __init__(self, user: str, password: str) -> None:
        for what, text in (("user", user), ("password", password)):
            if not text or ":" in text or len(text.splitlines()) != 1:
                raise ValueError(f"the {what} must be one line without a colon, for pyspnego's file of accounts")
        self.user = user
        self._password = password
        self._file = os.memfd_create("accounts")
        # Windows takes a local account with and without the domain that stands for "this machine".
        os.write(self._file, "".join(f"{domain}:{user}:{password}\n" for domain in ("", ".")).encode())

    def close(self) -> None:
        """Forget the account."""
        os.close(self._file)

    def is_basic(self, credentials: str) -> bool:
        """Whether these are the right credentials of HTTP's Basic."""
        try:
            user, dummy, password = base64.b64decode(credentials, validate=True).partition(b":")
        except ValueError:
            return False
        # RFC 7617 leaves the character set open: requests, for one, sends Latin-1 where it can.
        encodings = ("utf-8", "latin-1")
        same_user = user.decode("latin-1").removeprefix(".\\").lower() == self.user.lower()
        return same_user and any(
            hmac.compare_digest(password, self._password.encode(encoding, "replace")) for encoding in encodings
        )

    @contextmanager
    def for_spnego(self) -> Iterator[None]:
        """Have pyspnego find the account meanwhile."""
        with _environment:
            before = os.environ.get("NTLM_USER_FILE")
            os.environ["NTLM_USER_FILE"] = f"/proc/self/fd/{self._file}"
            try:
                yield
            finally:
                del os.environ["NTLM_USER_FILE"]
                if before is not None:
                    os.environ["NTLM_USER_FILE"] = before


class Authentication:
    """The state of one connection: NTLM authenticates a connection, and Basic each request."""

    def __init__(self, account: Account, *, basic: bool, negotiate: bool) -> None:
        self._account = account
        self._basic = basic
        self._negotiate = negotiate
        self._context: spnego.ContextProxy | None = None

    @property
    def context(self) -> spnego.ContextProxy | None:
        """What encrypts messages, once the connection is authenticated by NTLM."""
        return self._context if self._context is not None and self._context.complete else None

    def check(self, authorization: str) -> Verdict:
        """Judge a request by its Authorization, which is empty where there is none."""
        scheme, dummy, credentials = authorization.partition(" ")
        if not authorization and self.context is not None:
            return Verdict(True)
        if scheme.lower() == "basic" and self._basic and self._account.is_basic(credentials.strip()):
            return Verdict(True)
        if scheme.lower() == "negotiate" and self._negotiate:
            return self._step(credentials.strip())
        return self._refused()

    def _step(self, credentials: str) -> Verdict:
        try:
            with self._account.for_spnego():
                if self._context is None or self._context.complete:
                    options = spnego.NegotiateOptions.use_negotiate | spnego.NegotiateOptions.use_ntlm
                    self._context = spnego.server(protocol="negotiate", options=options)
                token = self._context.step(base64.b64decode(credentials, validate=True))
        except (SpnegoError, ValueError):
            return self._refused()
        headers = (f"Negotiate {base64.b64encode(token).decode()}",) if token else ()
        return Verdict(self._context.complete, headers)

    def _refused(self) -> Verdict:
        self._context = None
        offered = []
        if self._negotiate:
            offered.append("Negotiate")
        if self._basic:
            offered.append('Basic realm="WSMAN"')
        return Verdict(False, tuple(offered))
