# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages that are encrypted with what NTLM has agreed upon, in a multipart body ([MS-WSMV] 2.2.9.1)."""

from __future__ import annotations

import re
import struct

import spnego
from spnego.exceptions import SpnegoError

PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
CONTENT_TYPE = f'multipart/encrypted;protocol="{PROTOCOL}";boundary="Encrypted Boundary"'

_BOUNDARY = b"--Encrypted Boundary"
_END = _BOUNDARY + b"--\r\n"
_HEAD = re.compile(
    rb"-- ?Encrypted Boundary\r\n"
    rb"[ \t]*Content-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
    rb"[ \t]*OriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d{1,9})\r\n"
    rb"-- ?Encrypted Boundary\r\n"
    rb"[ \t]*Content-Type: application/octet-stream\r\n"
)


class NotDecrypted(ValueError):
    """The body is not such a multipart, or not encrypted for this connection. Windows answers 400."""


def decrypt(body: bytes, context: spnego.ContextProxy) -> bytes:
    """The message in the body of a request."""
    head = _HEAD.match(body)
    if head is None or not body.endswith(_END):
        raise NotDecrypted("the body is not as [MS-WSMV] 2.2.9.1 wants it")
    payload = body[head.end() : -len(_END)]
    length = struct.unpack_from("<I", payload)[0] if len(payload) >= 4 else len(payload)
    if 4 + length > len(payload):
        raise NotDecrypted("the signature is longer than the body")
    try:
        message = context.unwrap_winrm(payload[4 : 4 + length], payload[4 + length :])
    except SpnegoError as error:
        raise NotDecrypted("the signature is wrong") from error
    if len(message) != int(head[1]):
        raise NotDecrypted("the message has another length than its head says")
    return message


def encrypt(message: bytes, context: spnego.ContextProxy) -> bytes:
    """The body of an answer with this message."""
    wrapped = context.wrap_winrm(message)
    head = (
        f"\tContent-Type: {PROTOCOL}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(message) + wrapped.padding_length}\r\n"
    )
    return b"".join(
        (
            _BOUNDARY + b"\r\n",
            head.encode(),
            _BOUNDARY + b"\r\n",
            b"\tContent-Type: application/octet-stream\r\n",
            struct.pack("<I", len(wrapped.header)),
            wrapped.header,
            wrapped.data,
            _END,
        )
    )
