# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong with a request when a test wants it: WinrmEndpoint.on_request says so for each request.

    endpoint.on_request = nth("Receive", 2, cut_after())        # the second Receive since the last reset()
    endpoint.on_request = lambda action, number: slow(3) if action == "Command" else None

A request is carried out, then the answer is changed, then it is late, then it is sent as far as `sent` says.
"""

from __future__ import annotations

import base64
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

from bed.windows.endpoint import errors
from bed.windows.endpoint.errors import SoapFault
from bed.windows.endpoint.soap import SHELL

SOAP_TYPE = "application/soap+xml;charset=UTF-8"


@dataclass(frozen=True)
class Reply:
    """An answer before it is encrypted. What is not SOAP never is."""

    status: int
    body: bytes = b""
    content_type: str = SOAP_TYPE


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    `carried_out`: whether it takes effect; `error`: is answered in place of carrying it out; `change`: makes another
    answer of the right one, which is an empty 500 where nothing was carried out; `delay`: seconds until the answer;
    `sent`: the share of the answer's body that is sent before the connection is closed, of which 0 leaves nothing of
    the answer at all, and 1 is as it should be.
    """

    carried_out: bool = True
    error: SoapFault | None = None
    change: Callable[[Reply], Reply] | None = None
    delay: float = 0
    sent: float = 1


OnRequest = Callable[[str, int], "Fault | None"]


def nth(action: str, numbers: int | tuple[int, ...], fault: Fault) -> OnRequest:
    """The fault at the requests of this action with these numbers; the first since the last reset() is 1."""
    wanted = (numbers,) if isinstance(numbers, int) else numbers
    return lambda asked, number: fault if asked == action and number in wanted else None


def every(action: str, fault: Fault) -> OnRequest:
    """The fault at each request of this action."""
    return lambda asked, dummy: fault if asked == action else None


def slow(seconds: float) -> Fault:
    """The right answer, but late."""
    return Fault(delay=seconds)


def hung() -> Fault:
    """Carried out, and never answered: until the endpoint is closed."""
    return Fault(delay=math.inf)


def cut_before() -> Fault:
    """The connection breaks before the request takes effect."""
    return Fault(carried_out=False, sent=0)


def cut_after() -> Fault:
    """The connection breaks after the request has taken effect, and the answer is lost."""
    return Fault(sent=0)


def truncated() -> Fault:
    """The connection breaks in the middle of the answer: fewer bytes than its Content-Length says."""
    return Fault(sent=0.5)


def half_xml() -> Fault:
    """The answer arrives whole by its Content-Length, but its XML is cut in two."""
    return Fault(change=lambda reply: Reply(reply.status, reply.body[: len(reply.body) // 2], reply.content_type))


def garbage(body: bytes = b"\x00\xff<not XML>\x1b[31m", status: int = 200) -> Fault:
    """Carried out, and answered with something that is not SOAP."""
    return Fault(change=lambda dummy: Reply(status, body, "text/html"))


def http_error(status: int = 500, body: bytes = b"") -> Fault:
    """Not carried out, and answered with a bare HTTP status, without a SOAP fault."""
    return Fault(carried_out=False, change=lambda dummy: Reply(status, body, "text/html"))


def soap_fault(error: SoapFault) -> Fault:
    """Not carried out, and answered with this fault and HTTP status 500."""
    return Fault(error=error)


def quota() -> Fault:
    """ERROR_WSMAN_QUOTA_MAX_OPERATIONS, upon which Ansible's winrm connection makes a new shell."""
    return soap_fault(errors.too_many_operations())


def access_denied() -> Fault:
    """ERROR_ACCESS_DENIED."""
    return soap_fault(errors.access_denied())


def shell_gone(shell_id: str = "00000000-0000-0000-0000-000000000000") -> Fault:
    """The fault for a shell that is not there, whatever there is."""
    return soap_fault(errors.no_such_shell(shell_id))


def timed_out() -> Fault:
    """The fault upon which clients send a Receive again."""
    return soap_fault(errors.timed_out())


def huge(size: int, byte: bytes = b"x", instead: bool = False) -> Fault:
    """A Receive whose answer has so many bytes of standard output in front, whatever envelope size was agreed upon.

    instead: they are all that it has, and the command never ends.
    """

    def grown(reply: Reply) -> Reply:
        root = ET.fromstring(reply.body)
        response = root.find(f".//{{{SHELL}}}ReceiveResponse")
        if response is None:
            return reply
        state = response.find(f"{{{SHELL}}}CommandState")
        command_id = "" if state is None else state.get("CommandId", "")
        if instead:
            response.clear()
        stream = ET.Element(f"{{{SHELL}}}Stream", Name="stdout", CommandId=command_id)
        stream.text = base64.b64encode(byte * size).decode()
        response.insert(0, stream)
        return Reply(reply.status, ET.tostring(root, encoding="utf-8"), reply.content_type)

    return Fault(change=grown)
