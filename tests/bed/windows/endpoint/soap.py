# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading and writing the SOAP messages of WS-Management (DSP0226; [MS-WSMV] 2.2.4 for what shells add)."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from bed.windows.endpoint import errors
from bed.windows.endpoint.errors import SoapFault

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
WSMAN_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
WMI_ERROR = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"

ANONYMOUS = f"{ADDRESSING}/role/anonymous"
FAULT_DETAIL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail"
FAULT_ACTIONS = {"w": "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", "a": f"{ADDRESSING}/fault"}
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
PREFIXES = {"s": SOAP, "a": ADDRESSING, "x": TRANSFER, "w": WSMAN, "rsp": SHELL, "cfg": CONFIG}

SMALLEST_ENVELOPE = 8192  # DSP0226: a client may not ask for less
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")

for _prefix, _uri in PREFIXES.items():
    ET.register_namespace(_prefix, _uri)


class _NoDoctype(ET.TreeBuilder):
    """Refuses a document type declaration before any entity of it is defined: SOAP 1.2 has none (part 1, 5)."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise errors.invalid("A message may not have a document type declaration.")


@dataclass(frozen=True)
class Message:
    """A request: what of its header counts, and the first element of its body."""

    action: str
    message_id: str
    resource: str
    shell_id: str | None
    options: dict[str, str]
    timeout: float | None
    max_envelope: int | None
    body: ET.Element | None


def read(envelope: bytes) -> Message:
    """Read a request; what is wrong with it is a SoapFault."""
    try:
        root = ET.fromstring(envelope, parser=ET.XMLParser(target=_NoDoctype()))
    except (ET.ParseError, LookupError, ValueError) as error:  # the last two are about its encoding
        raise errors.invalid(f"The message is not well-formed XML: {error}.") from None
    header, body = root.find(f"{{{SOAP}}}Header"), root.find(f"{{{SOAP}}}Body")
    if root.tag != f"{{{SOAP}}}Envelope" or header is None or body is None:
        raise errors.invalid("The message is not a SOAP envelope with a header and a body.")

    def text(namespace: str, name: str) -> str:
        return (header.findtext(f"{{{namespace}}}{name}") or "").strip()

    action = text(ADDRESSING, "Action")
    if not action:
        raise SoapFault("a:MessageInformationHeaderRequired", errors.HEADER_REQUIRED, "The header has no Action.")
    selectors = _named(header, "SelectorSet", "Selector")
    timeout, size = text(WSMAN, "OperationTimeout"), text(WSMAN, "MaxEnvelopeSize")
    return Message(
        action=action,
        message_id=text(ADDRESSING, "MessageID"),
        resource=text(WSMAN, "ResourceURI"),
        shell_id=next((value for name, value in selectors.items() if name.lower() == "shellid"), None),
        options=_named(header, "OptionSet", "Option"),
        timeout=seconds(timeout) if timeout else None,
        max_envelope=_envelope_size(size) if size else None,
        body=body[0] if len(body) else None,
    )


def seconds(duration: str) -> float:
    """The seconds of an xs:duration without years and months."""
    match = _DURATION.fullmatch(duration)
    if match is None or not any(match.groups()):
        raise errors.invalid(f"Not a duration: {duration!r}.")
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def element(parent: ET.Element, namespace: str, name: str, text: str = "", **attributes: str) -> ET.Element:
    """Add an element."""
    added = ET.SubElement(parent, f"{{{namespace}}}{name}", attributes)
    if text:
        added.text = text
    return added


def shell_element(name: str) -> ET.Element:
    """An element of the shell's namespace, for a body."""
    return ET.Element(f"{{{SHELL}}}{name}")


def answer(request: Message, *body: ET.Element) -> bytes:
    """The answer to a request: its action is that of the request with "Response" at its end."""
    return _envelope(f"{request.action}Response", request.message_id, *body)


def fault(error: SoapFault, message_id: str) -> bytes:
    """The answer to a refused request (SOAP 1.2 part 1, 5.4; the WSManFault is Windows')."""
    body = ET.Element(f"{{{SOAP}}}Fault")
    code = element(body, SOAP, "Code")
    _qualified(element(code, SOAP, "Value"), f"s:{error.at}")
    _qualified(element(element(code, SOAP, "Subcode"), SOAP, "Value"), error.subcode)
    reason = element(element(body, SOAP, "Reason"), SOAP, "Text", error.reason)
    reason.set(XML_LANG, "en-US")
    detail = element(body, SOAP, "Detail")
    if error.detail:
        element(detail, WSMAN, "FaultDetail", f"{FAULT_DETAIL}/{error.detail}")
    if error.wmi:
        wmi = element(detail, WMI_ERROR, "MSFT_WmiError")
        element(wmi, WMI_ERROR, "Message", error.reason)
        element(wmi, WMI_ERROR, "MessageID", f"HRESULT 0x{error.code:08x}")
        element(wmi, WMI_ERROR, "error_Code", str(error.code))
        element(wmi, WMI_ERROR, "error_Type", "HRESULT")
    else:
        wsman = element(detail, WSMAN_FAULT, "WSManFault", Code=str(error.code), Machine="simulated-guest")
        element(wsman, WSMAN_FAULT, "Message", error.reason)
    return _envelope(FAULT_ACTIONS[error.subcode[0]], message_id, body)


def _envelope(action: str, relates_to: str, *content: ET.Element) -> bytes:
    envelope = ET.Element(f"{{{SOAP}}}Envelope", {XML_LANG: "en-US"})
    header = element(envelope, SOAP, "Header")
    element(header, ADDRESSING, "Action", action)
    element(header, ADDRESSING, "MessageID", f"uuid:{uuid.uuid4()}".upper().replace("UUID", "uuid"))
    element(header, ADDRESSING, "To", ANONYMOUS)
    if relates_to:
        element(header, ADDRESSING, "RelatesTo", relates_to)
    element(envelope, SOAP, "Body").extend(content)
    return ET.tostring(envelope, encoding="utf-8")


def _qualified(value: ET.Element, name: str) -> None:
    # ElementTree declares no prefix for the sake of a text.
    prefix = name.partition(":")[0]
    value.set(f"xmlns:{prefix}", PREFIXES[prefix])
    value.text = name


def _named(header: ET.Element, set_name: str, name: str) -> dict[str, str]:
    found = header.findall(f"{{{WSMAN}}}{set_name}/{{{WSMAN}}}{name}")
    return {one.get("Name", ""): (one.text or "").strip() for one in found}


def _envelope_size(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise errors.invalid(f"Not a MaxEnvelopeSize: {text!r}.")
    if int(text) < SMALLEST_ENVELOPE:
        reason = f"A MaxEnvelopeSize of {text} is too small: {SMALLEST_ENVELOPE} is the smallest."
        raise SoapFault("w:EncodingLimit", errors.ENVELOPE_TOO_SMALL, reason, detail="MinimumEnvelopeLimit")
    return int(text)
