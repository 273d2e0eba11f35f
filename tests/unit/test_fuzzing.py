# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever reads foreign text, on damaged samples of it.

A reader raises nothing but the error that it declares, takes little time and memory, and what it has read makes sense:
it can be told, it is bounded, what can be written is read back, and what could not be read is never told as fine.

    WINGUEST_INPUTS=1000000 tests/run unit -k fuzzing

tries a million inputs with each reader. What powercfg prints is read by nobody, only kept; WS-Management is read by
pywinrm, whose answers and errors are what is tried here. Hives are read by hivex: bed/hostile_hives.py damages them.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import math
import struct
import time
import tracemalloc
import types
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
import winrm.exceptions
import winrm.protocol
from ansible.errors import AnsibleConnectionFailure, AnsibleFilterError
from ansible_collections.winguest.shutdown.plugins.filter.shutdown_report_read import shutdown_report_read
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_reading as domain_reading
from ansible_collections.winguest.shutdown.plugins.module_utils import _errands as errands
from ansible_collections.winguest.shutdown.plugins.module_utils import _event_xml as event_xml
from ansible_collections.winguest.shutdown.plugins.module_utils import _hives as hives
from ansible_collections.winguest.shutdown.plugins.module_utils import _host_reading as host_reading
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_format as image_format
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_ntfs as image_ntfs
from ansible_collections.winguest.shutdown.plugins.module_utils import _preflight as preflight
from ansible_collections.winguest.shutdown.plugins.module_utils import _record as record
from ansible_collections.winguest.shutdown.plugins.module_utils import _registry_text as registry_text
from ansible_collections.winguest.shutdown.plugins.module_utils._background import MARK
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    DefinitionElement,
    Events,
    RegistryKey,
    UserValue,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import ROWS as HOST_ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_xml import DefinitionError, Document
from ansible_collections.winguest.shutdown.plugins.module_utils._png import png_from_ppm
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import Finding, findings
from ansible_collections.winguest.shutdown.plugins.module_utils._shutdown_history import history
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _guest_plan as plan
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _report_page as report_page
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _watch_command as watch_command
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _windows_os as windows_os
from ansible_collections.winguest.shutdown.plugins.plugin_utils._domain_address import MOST, Wanted, cards, told, usable
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_errands import GuestErrands
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_script import Line, fitting, lines
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
    Answers,
    DefaultHive,
    Files,
    Keys,
    LoadedHives,
    NotFound,
    Processes,
    RecentEvents,
    Scan,
    Schemes,
    Setting,
    Statement,
    StoredHives,
    Unload,
    Values,
    Write,
    WritePower,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_document import document, screens_wanted
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_facts import gather
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_screens import read_screens
from ansible_collections.winguest.shutdown.plugins.plugin_utils._watched_run import Shown
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import ShellError, WinrmShell
from bed import regf
from bed.report_sample import evening
from bed.windows.endpoint import errors, soap
from unit.fuzz import INPUTS, LIMIT, PARTS, Fuzz, Sample
from unit.little_cmd import SCHEMES, event_text, windows
from unit.plugins.libvirt_nodes import AGENT, card, domain
from unit.recorded_events import BEGIN, parameters, unnamed
from unit.recorded_events import event_xml as recorded

pytestmark = pytest.mark.timeout(LIMIT)

NONCE = "0123abcd"
QUICK = 5.0
"""Seconds of the processor that one input may take; all but a few take less than a thousandth of one."""

LARGE = 50_000
"""Characters of a long input."""

ROOM = 50_000_000
"""Bytes of memory that it may take."""


# ---- what a guest's programs print

SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
KEY = r"HKLM\SOFTWARE\Example"
KEY_LINE = f"\r\n{registry_text.long_key(KEY)}"
VALUE = (
    f"{KEY_LINE}\r\n    Name    REG_SZ    a text\r\n\r\n",
    f"{KEY_LINE}\r\n    Name    REG_DWORD    0x7\r\n\r\n",
    f"{KEY_LINE}\r\n    Name    REG_MULTI_SZ    a b\\0c\\0\r\n\r\n",
    f"{KEY_LINE}\r\n    Name    REG_BINARY    00FF\r\n\r\n",
    "".join(f"{KEY_LINE}\\{name}\r\n    Name    REG_QWORD    0x7\r\n" for name in "ab") + "\r\nFound: 2.\r\n",
    f"{KEY_LINE}\r\n    Name    REG_SZ    x\r\n{KEY_LINE}\\a\r\n",
)


def read_registry(text: str) -> None:
    """Each of the three forms, and data that is written as reg.exe takes it."""
    for key in registry_text.parse_subkeys(text, KEY):
        assert key in text and "\\" not in key
    try:
        numbers = registry_text.parse_numbers(text, KEY, "Name")
    except registry_text.RegistryTextError as error:
        assert str(error)
    else:
        assert all(f"{key}\\".casefold().startswith(f"{KEY}\\".casefold()) for key in numbers)
        assert all(0 <= number < 1 << 64 for number in numbers.values())
    value = registry_text.parse_value(text, "Name")
    assert len(registry_text.format_data(value.type, value.data)) <= len(text)
    json.dumps(registry_text.shown(value.data))


USER_VALUES = tuple(row.location for row in ROWS if isinstance(row.location, UserValue))[:3]
EVENTS = (Events("System", "Ntfs", (55, 98)), Events("System", "User32", (1074,)))
ASKED: dict[str, list[Statement]] = {
    "reg": [
        Values(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", ("ProductName", "CurrentBuildNumber")),
        Keys((RegistryKey(KEY), RegistryKey(SERVICES, subkeys=True))),
        Scan(SERVICES, "Start"),
        Schemes(),
        Write(KEY, ("A",), "REG_SZ", "x"),
    ],
    "hives": [
        Unload(),
        *(kind(USER_VALUES) for kind in (LoadedHives, StoredHives, DefaultHive)),
        DefaultHive(USER_VALUES, (Setting(USER_VALUES[0], "1"),)),
    ],
    "powercfg": [Schemes(), WritePower(SCHEMES, (("4f971e89-eebd-4455-a8de-9e59040e7347", SCHEMES[0], 3),))],
    "tasklist": [Processes(("msiexec.exe", "tiworker.exe")), Files((r"C:\none.xml",))],
    "wevtutil": [RecentEvents(EVENTS), RecentEvents((Events("No Such Log", "x", (1,)),))],
}


def asked_line(statements: Sequence[Statement]) -> tuple[Line, str]:
    """A command line, and what a guest answers to it."""
    machine = windows()
    machine.running.add("TiWorker.exe")
    machine.events["System"] = [("Ntfs", 55)]
    (line,) = lines([NotFound(NONCE), *statements], NONCE, 100_000)
    return line, machine.run(line.text).text


LINES = {name: asked_line(statements) for name, statements in ASKED.items()}


def read_answers(name: str, text: str) -> None:
    """What was read is known or has a trouble that can be shown, and a process runs only where the answer names it."""
    line, answers = LINES[name][0], Answers()
    left = line.take(text, answers)
    assert set(left) <= set(line.statements)
    reading = answers.reading
    for seen in reading.values.values():
        assert not (seen.value and seen.trouble) and len(seen.trouble) < 500
    for exists in (*reading.keys.values(), *reading.files.values(), *reading.processes.values()):
        assert not (exists.there and exists.trouble)
    for exists in reading.events.values():
        assert not (exists.there and exists.trouble) and len(exists.detail) < 200
    for image, exists in reading.processes.items():
        assert not exists.there or f'"{image}",'.casefold() in text.casefold()
    for hive in reading.hives:
        assert hive.name in (".DEFAULT", "default") or hive.name.upper().startswith("S-1-")
    assert sum(map(len, answers.notes)) <= len(text)


EVENT_TEXTS = (
    recorded("System", "User32", 1074, BEGIN, 5, parameters("a.exe", "PC", "why", "0x500ff", "power off", "", "me")),
    recorded("System", "EventLog", 6008, BEGIN + 9, 7, unnamed("8:00", "1.9.2026"))
    + recorded("System", "EventLog", 6005, BEGIN + 8, 6)
    + recorded("System", "Microsoft-Windows-Kernel-Power", 42, BEGIN + 20, 8, "<Data Name='Reason'>0</Data>")
    + recorded("Application", "Microsoft-Windows-Winsrv", 10001, BEGIN + 30, 9, unnamed("b.exe")),
    event_text("Ntfs", 55),
    "Failed to read events. Zugriff verweigert.\r\n",
)


def read_events(text: str) -> None:
    """Events, and the history that they make."""
    parsed = event_xml.parse(text)
    assert parsed.malformed <= event_xml.MOST_MALFORMED and len(parsed.said) <= event_xml.LONGEST_SAYING
    made = history(parsed.events, 3)
    assert len(made["stops"]) <= 3
    json.dumps(made, allow_nan=False)


# ---- WS-Management, as pywinrm reads it

_ASKED = soap.Message("urn:x", "uuid:1", "", None, {}, None, None, None)


def _body(name: str, *children: tuple[str, str, dict[str, str]]) -> bytes:
    body = soap.shell_element(name)
    for child, text, attributes in children:
        soap.element(body, soap.SHELL, child, text, **attributes)
    return soap.answer(_ASKED, body)


def _received() -> bytes:
    body = soap.shell_element("ReceiveResponse")
    for stream in ("stdout", "stderr"):
        soap.element(body, soap.SHELL, "Stream", base64.b64encode(b"a text").decode(), Name=stream, CommandId="C")
    state = soap.element(body, soap.SHELL, "CommandState", CommandId="C", State=f"{soap.SHELL}/CommandState/Done")
    soap.element(state, soap.SHELL, "ExitCode", "0")
    return soap.answer(_ASKED, body)


COMMAND, RECEIVED = _body("CommandResponse", ("CommandId", "C", {})), _received()
FAULTS = (
    *(errors.access_denied(), errors.too_many_operations(), errors.no_such_shell("x")),
    *(errors.timed_out(), errors.SoapFault("w:InternalError", 1359, "why")),
)
MESSAGES = tuple(
    message.decode()
    for message in (COMMAND, RECEIVED, _body("SignalResponse"), *(soap.fault(one, "uuid:1") for one in FAULTS))
)


class Transport:
    """Answers the second request, or both, with a damaged message."""

    def __init__(self, text: str) -> None:
        self.answers = [text, text] if len(text) % 2 else [COMMAND.decode(), text]
        self.status = (200, 500, 503, 401)[len(text) % 4]

    def send_message(self, dummy_message: bytes) -> bytes:
        text = self.answers.pop(0) if self.answers else RECEIVED.decode()
        if self.status != 200 and not self.answers:
            raise winrm.exceptions.WinRMTransportError("http", self.status, text)
        return text.encode("utf-8", "replace")


def read_messages(text: str) -> None:
    """A command over a connection whose answers are these."""
    protocol = winrm.protocol.Protocol.__new__(winrm.protocol.Protocol)
    protocol.transport = cast("Any", Transport(text))
    protocol.max_env_sz, protocol.locale, protocol.operation_timeout_sec = 153_600, "en-US", 20
    connection = types.SimpleNamespace(
        transport="winrm", protocol=protocol, shell_id="S", _connect=lambda: None, reset=lambda: None
    )
    output = WinrmShell(cast("Any", connection), 0.0).run("a command")
    assert output.status is None or isinstance(output.status, int)


# ---- libvirt's XML, records, and agents

DEFINITION = domain(
    "win", "http://microsoft.com/win/2k22", "win2k22",
    "<on_poweroff>restart</on_poweroff><features><acpi/></features><pm><suspend-to-mem enabled='yes'/></pm>",
    f"{card()}{AGENT}<video><model type='vga'/></video><disk><mirror/><target dev='vda'/></disk>",
)  # fmt: skip
PLACES = [row for row in HOST_ROWS if isinstance(row.location, DefinitionElement)]


def read_definition_document(text: str) -> None:
    """A definition is read, mended where a row wants it, and is then as wanted, with nothing lost."""
    definition = Document(text)
    assert definition.text == text
    for row in PLACES[:: 1 + len(text) % len(PLACES)]:
        place, data = cast(DefinitionElement, row.location), str(row.desired.data)
        definition.get(place)
        mended = definition.with_data(place, data)
        assert mended.get(place) == data
        assert mended.with_data(place, data).text == mended.text


def read_definition(text: str) -> None:
    """What counts for a shutdown, and for the inventory."""
    found = preflight.read_definition(text)
    assert found.memory >= 0 or "-" in text
    assert all(isinstance(name, str) for name in preflight.disks(text))
    root = ET.fromstring(text)
    known = windows_os.windows(root, "a name", ("win*",))
    assert known is None or known.short.startswith("win")
    assert all(isinstance(plug, str) for plug in cards(root).values())


REQUEST = record.Request("2026-11-23T10:12:03.204Z", 7, "2026-11-23T10:17:03.204Z", "2026-11-23T11:12:03.204Z", "leave")
PAST = record.Past("2026-11-23T10:12:03.204Z", "graceful", "acpi", 0.512, 24.803)
RECORDS = (record.to_xml(record.Record(REQUEST, (PAST, PAST))), record.to_xml(record.Record(REQUEST)))


def read_record(text: str) -> None:
    """What was read can be written, and is read again as the same."""
    found = record.from_xml(text)
    assert len(found.history) <= record.HISTORY_LENGTH
    for past in found.history:
        assert all(math.isfinite(seconds) for seconds in (past.finish_seconds, past.accept_seconds or 0.0))
    assert record.from_xml(record.to_xml(found)) == found


AGENT_INFO = json.dumps(
    {
        "return": {
            "version": "7.2.22",
            "supported_commands": [
                {"enabled": True, "name": "guest-fsfreeze-status", "success-response": True},
                {"enabled": False, "name": "guest-exec", "success-response": True},
            ],
        }
    }
)


def read_agent(text: str) -> None:
    """Commands that are there and those that are refused, or no sense."""
    agent = domain_reading.told(text)
    assert agent.answers and len(agent.version) <= 100 and set(agent.disabled) <= set(agent.commands)


NO_ADDRESSES = (ValueError, TypeError, AttributeError, OverflowError)
"""Errors upon which the inventory asks the next source."""

ADDRESSES = json.dumps(
    {"Ethernet": {"hwaddr": "52:54:00:00:00:01", "addrs": [{"addr": "10.0.0.1", "prefix": 24, "type": 0}]}}
)


def read_addresses(answer: Any) -> None:
    """Only addresses are addresses."""
    plugged = {"52:54:00:00:00:01": "front"}
    found = told(answer, plugged, "agent")
    assert len(found) <= MOST and set(usable(found, plugged, Wanted())) <= set(found)


# ---- the hypervisor's files, and the run there

SETTINGS = (
    "# comment\nexport ON_SHUTDOWN=shutdown\nPARALLEL_SHUTDOWN=5 # why\nSHUTDOWN_TIMEOUT='300'\nURIS=\"default a:///b\"\n",
    '#!/bin/sh\nON_BOOT=start\n  ON_SHUTDOWN=suspend\nf() {\n  X=1\n}\nTEXT="a b"\n',
    'auto_shutdown_try_save = "persistent"\nauto_shutdown_wait = 30 # s\nauto_shutdown_poweroff=\'none\'\nuser = "x"\n',
)


def read_settings(text: str) -> None:
    """Names and texts that are in the file."""
    for name, value in host_reading.daemon_settings(text).items():
        assert name.startswith("auto_shutdown_") and value in text
    for parse in (host_reading.script_settings, host_reading.shell_settings):
        for name, value in parse(text).items():
            assert f"{name}=" in text and len(value) <= host_reading.LONGEST_VALUE


PROGRESS = {
    "domains": 20,
    "counts": {"off": 12, "refused": 1, "saving": 1, "waiting": 5, "left_running": 1},
    "saved": 0,
    "forced": 2,
    "alone": "",
    "slowest": [{"name": "sql01", "doing": "accepted, writing", "seconds": 213, "more": 3387}],
    "errands": [{"number": 1, "guest": "web01"}],
    "news": [[1, "a"], [2, "b"]],
}
TICKET = {"folder": "/run/x", "pid": 7, "progress_interval": 5, "controller_timeout": 12}
RUNS = (
    f"\n{MARK} running\n{json.dumps(PROGRESS)}",
    f'\n{MARK} ended\n{json.dumps(PROGRESS)}\nexit 0\n{{"changed": true}}\n',
    f"motd\n{MARK} {json.dumps(TICKET)}\n",
    f"\n{MARK} lost\n",
)


class Quiet(Shown):
    """Shows nothing."""

    def _say(self, text: str) -> None:
        assert text.isprintable()


def read_run(text: str) -> None:
    """A ticket, or how the run is: shown, and its errands done."""
    ticket = watch_command.ticket_in(text)
    assert ticket is None or (ticket.wait >= 1 and watch_command.look(ticket, ticket.wait))
    answer = watch_command.read(text)
    if answer is not None:
        assert 0 <= answer.status < 1000
        show_progress(dict(answer.progress))


def show_progress(progress: Any) -> None:
    """Whatever the hypervisor tells, no guest is asked that the task does not name."""
    if not isinstance(progress, dict):
        return
    shown = Quiet("hv", watch_command.Ticket("/run/x", 7, 5.0, 12.0), silent=False)
    shown.progress(watch_command.Answer("running", progress))
    guests = GuestErrands(cast("Any", None), {}, ())
    guests.take(progress.get("errands"))
    for number, text in guests.answers():
        assert errands.understood(text.encode()).result == "not_delivered" and isinstance(number, int)


ERRAND = json.dumps({"outcome": "accepted", "detail": "Windows has accepted the request"})


def read_errand(text: str) -> None:
    """The document, and the file as it is."""
    for file in (base64.b64encode(text.encode("utf-8", "replace")), text.encode("utf-8", "replace")):
        done = errands.understood(file)
        assert done.result in {*errands.RESULTS.values()} and len(done.detail) < 2 * errands.LONGEST_DETAIL


# ---- the report

FLEET = evening()
FACTS = json.dumps({name: FLEET.hostvars[name] for name in ("hv-north", "web01", "files01")}, default=str)
MADE = {"title": "A run", "made_at": "2026-11-27T19:00:00Z", "check_mode": False}


def few(facts: str) -> str:
    """The facts with one domain whose timeline is short, and few findings, which is quicker."""
    found = json.loads(facts)
    found["hv-north"].pop("domain_readiness_result", None)
    result = found["hv-north"]["domain_shutdown_result"]
    result["domains"] = [domain for domain in result["domains"] if domain["outcome"] == "forced"]
    del result["domains"][0]["timeline"][3:-3]
    for guest in ("web01", "files01"):
        del found[guest]["guest_readiness_result"].get("findings", [])[2:]
    return json.dumps(found)


def read_facts(facts: Any) -> None:
    """A report with every guest in it, which can stand in a page."""
    facts = facts if isinstance(facts, dict) else {}
    variables = {name: value if isinstance(value, dict) else {} for name, value in facts.items()}
    hypervisors = gather(variables, ["hv-north"], None)
    screens_wanted({"hv-north": variables.get("hv-north", {})}, 10)
    report = document(hypervisors, gather(variables, ["web01", "files01"], ["web01", "files01"]), MADE)
    assert {guest["host"] for guest in report["guests"]} >= {"web01", "files01"}
    text = report_page.harmless(report)
    assert "<" not in text and json.loads(text)["totals"]["guests"] == len(report["guests"])


REPORT = json.dumps({"title": "A run", "totals": {"forced": [{"name": "web01"}]}, "guests": []})
SKELETON = "<title>$title</title>$policy<style>$style</style><script>$script</script>$document"


def read_report(text: str) -> None:
    """Read for a playbook, and as a page."""
    try:
        assert "</script><" not in report_page.page(text, SKELETON, [""], [""]).rpartition("</script>")[2]
    except report_page.PageError as error:
        assert str(error)
    shutdown_report_read(text)


SCREENS = json.dumps(
    [
        {"item": {"hypervisor": "hv", "path": "/e/screen.png"}, "stat": {"exists": True}, "skipped": False},
        {"item": {"item": {"hypervisor": "hv", "path": "/e/screen.png"}}, "content": "iVBORw0KGgo=", "msg": ""},
    ]
)


def fetch_screens(results: Any) -> None:
    """A picture, or why there is none."""
    results = [result for result in results if isinstance(result, dict)] if isinstance(results, list) else []
    for screen in read_screens(results, 1000).values():
        assert screen.get("missing") or screen["data"].startswith("data:image/png;base64,")


# ---- images

QCOW2 = (
    struct.pack(">4sIQIIQI", b"QFI\xfb", 3, 128, 12, 16, 1 << 30, 0).ljust(72, b"\0")
    + struct.pack(">QQQIIIIQ", 0, 0, 0, 4, 104, 0xE2792ACA, 5, 0)
    + bytes(8) + b"../base.qcow2"
)  # fmt: skip
VMDK = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, 2048, 128, 1, 1).ljust(512, b"\0") + (
    b'# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\ncreateType="monolithicSparse"\n'.ljust(512, b"\0")
)


def _at(data: bytes, offset: int, size: int) -> bytes:
    return data[offset : offset + size]


def read_header(data: bytes) -> None:
    """A format, and a backing file only where the header has one."""
    read = functools.partial(_at, data)
    kind = image_format.guessed(read)
    found = image_format.header(read, kind)
    assert found.format == kind and len(found.backing) <= image_format.LONGEST_NAME


BOOT = struct.pack("<3s8sHB", b"\xeb\x52\x90", b"NTFS    ", 512, 8).ljust(48, b"\0")
BOOT = (BOOT + struct.pack("<QQb", 0, 8, -10)).ljust(512, b"\0")


def _volume() -> bytes:
    """Its table is at the beginning, so that it is short; record 3 is that of the volume."""
    content = struct.pack("<IIBBHHHIH", 0x70, 40, 0, 0, 24, 0, 0, 12, 24).ljust(24, b"\0") + struct.pack(
        "<QBBH", 0, 3, 1, 1
    )
    head = struct.pack("<4sHHQHHH", b"FILE", 48, 3, 0, 1, 1, 56).ljust(48, b"\0") + struct.pack("<HHHH", 7, 0, 0, 0)
    whole = bytearray((head + content.ljust(40, b"\0") + struct.pack("<II", 0xFFFFFFFF, 0)).ljust(1024, b"\0"))
    whole[510:512] = whole[1022:1024] = struct.pack("<H", 7)
    return BOOT.ljust(3072, b"\0") + bytes(whole)


def read_volume(data: bytes) -> None:
    """What it is, and whether it is to be checked."""
    read = functools.partial(_at, data)
    assert image_ntfs.kind(read) in ("ntfs", "bitlocker", "luks", "")
    assert isinstance(image_ntfs.dirty(read), bool)


HIVE = regf.hive({"Key": {"Name": regf.Value("REG_SZ", "text")}})


def read_hive_head(data: bytes) -> None:
    """A whole hive; a head that is none, and values of it."""
    value = hives._value(data[40] if len(data) > 40 else 1, data[-64:])
    if value.type in hives.SIZES and isinstance(value.data, int):
        assert hives.to_bytes(value.type, value.data) == data[-64:]
    hives.check_head(data, len(data), "the hive")


PPM = b"P6\n# QEMU\n2 2\n255\n" + bytes(12)


def read_picture(data: bytes) -> None:
    """A PNG."""
    assert png_from_ppm(data).startswith(b"\x89PNG")


# ---- all of them


@dataclasses.dataclass(frozen=True)
class Reader:
    """One of them. The samples are texts or bytes or, with `of_document`, the JSON of what is read."""

    read: Callable[[Any], None]
    samples: Sequence[Sample]
    error: type[Exception] | tuple[type[Exception], ...] = ()
    of_document: bool = False

    def made(self, fuzz: Fuzz) -> Any:
        """An input."""
        return fuzz.document(str(self.samples[0])) if self.of_document else fuzz.damaged(self.samples)

    def tried(self, given: Any) -> None:
        """Read it."""
        began = time.thread_time()
        try:
            self.read(given)
        except self.error as error:
            assert str(error) or type(error).__name__
        except Exception as error:
            raise AssertionError(f"not a declared error, with the input {given!r:.3000}") from error
        assert time.thread_time() - began < QUICK, f"it takes too long with {given!r:.3000}"


READERS = {
    "registry": Reader(read_registry, VALUE, registry_text.RegistryTextError),
    **{
        f"answers_{name}": Reader(functools.partial(read_answers, name), (text,))
        for name, (dummy_line, text) in LINES.items()
    },
    "events": Reader(read_events, EVENT_TEXTS),
    "ws_management": Reader(read_messages, MESSAGES, (ShellError, AnsibleConnectionFailure)),
    "domain_document": Reader(read_definition_document, (DEFINITION,), DefinitionError),
    "domain_definition": Reader(read_definition, (DEFINITION,), ValueError),
    "record": Reader(read_record, RECORDS, record.RecordError),
    "agent_text": Reader(read_agent, (AGENT_INFO,), domain_reading.AnswerError),
    "agent_document": Reader(
        lambda found: read_agent(json.dumps(found)), (AGENT_INFO,), domain_reading.AnswerError, of_document=True
    ),
    "addresses": Reader(read_addresses, (ADDRESSES,), NO_ADDRESSES, of_document=True),
    "host_settings": Reader(read_settings, SETTINGS, ValueError),
    "run": Reader(read_run, RUNS),
    "progress": Reader(show_progress, (json.dumps(PROGRESS),), of_document=True),
    "errand": Reader(read_errand, (ERRAND,)),
    "report_facts": Reader(read_facts, (few(FACTS),), of_document=True),
    "report_text": Reader(read_report, (REPORT,), AnsibleFilterError),
    "screens": Reader(fetch_screens, (SCREENS,), of_document=True),
    "image_header": Reader(read_header, (QCOW2, VMDK, b"vhdxfile", b"LUKS\xba\xbe"), image_format.FormatError),
    "ntfs_volume": Reader(read_volume, (_volume(),), image_ntfs.VolumeError),
    "hive_head": Reader(read_hive_head, (HIVE,), hives.HiveError),
    "picture": Reader(read_picture, (PPM,), ValueError),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_the_samples_are_read(name: str) -> None:
    """Without an error, or the damaged ones would say little."""
    reader = READERS[name]
    for sample in reader.samples:
        given = json.loads(sample) if reader.of_document else sample
        try:
            reader.read(given)
        except reader.error:
            assert name in ("registry", "ws_management", "report_text", "image_header")


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", READERS)
def test_damaged_inputs(name: str, part: int) -> None:
    reader, fuzz = READERS[name], Fuzz(f"{name} {part}")
    for dummy in range(part, INPUTS, PARTS):
        reader.tried(reader.made(fuzz))


BRICKS = (
    "<",
    "<a>",
    "&#1;",
    "[",
    '{"a":',
    "\\0",
    "\n",
    " ",
    "\ufffd",
    "a",
    "9",
    "'",
    "#",
    "<Event>",
    "a\ufffd",
    "P6 #\n",
)


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if not reader.of_document])
def test_long_inputs_take_little(name: str) -> None:
    """Of the processor and of memory; what grows faster than the input would take minutes and gigabytes."""
    reader = READERS[name]
    tracemalloc.start()
    try:
        sample: Any = reader.samples[0]
        for brick in (*BRICKS, sample):
            data = brick.encode() if isinstance(sample, bytes) and isinstance(brick, str) else brick
            half = len(sample) // 2
            tracemalloc.reset_peak()
            reader.tried(sample[:half] + data * (LARGE // len(data)) + sample[half:])
            assert tracemalloc.get_traced_memory()[1] < ROOM, f"it takes too much with many of {data!r:.100}"
    finally:
        tracemalloc.stop()


# ---- what is cut off


def audited(line_texts: Sequence[tuple[Line, str]]) -> dict[tuple[str, str], Finding]:
    answers = Answers()
    for line, text in line_texts:
        line.take(text, answers)
    return {finding.place: finding for finding in findings(Catalogue(ROWS, {}), answers.reading)}


def test_what_an_answer_that_is_cut_off_does_not_tell_is_unreadable() -> None:
    """Wherever it is cut, each finding is the true one or is unreadable."""
    machine = windows()
    machine.running.add("TiWorker.exe")
    made = list(lines(fitting([*plan.preparation(NONCE), *plan.audit(ROWS)], NONCE), NONCE))
    whole = [(line, machine.run(line.text).text) for line in made]
    true = audited(whole)
    assert {"ok", "differs"} < {finding.state for finding in true.values()}
    fuzz = Fuzz("cut")
    for dummy in range(max(20, INPUTS // 50)):
        number = fuzz.random.randrange(len(whole))
        line, text = whole[number]
        cut = (line, text[: fuzz.random.randrange(len(text))])
        for place, finding in audited([*whole[:number], cut, *whole[number + 1 :]]).items():
            assert finding.state == "unreadable" or (place in true and finding.state == true[place].state), place
