# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events as `wevtutil qe LOG /f:xml` prints them, for tests that need some.

The form is that of the event schema (Microsoft Learn, "Event schema") and of published recordings of these events on
Windows 8.1 to 11: attributes in single quotes, a Qualifiers attribute and an EventSourceName with providers of the
older kind, strings without a name from the event log itself, a Binary after the strings of the service control manager,
no line end between two events. Names and order of the strings are those of the providers' message files as libyal's
winevt-kb lists them, and of these recordings.
"""

from __future__ import annotations

import datetime
from typing import Literal
from xml.sax.saxutils import escape

NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
COMPUTER = "WIN-ONE"
WINLOGON = rf"C:\Windows\system32\winlogon.exe ({COMPUTER})"
UPDATES = rf"C:\Windows\servicing\TrustedInstaller.exe ({COMPUTER})"
SYSTEM_ACCOUNT = r"NT AUTHORITY\SYSTEM"
BUTTON_CODE, UPGRADE_CODE = "0x500ff", "0x80020003"

Language = Literal["en-US", "de-DE"]

# Windows writes these in its own language, also into the strings of the event.
WORDS = {
    "en-US": {
        "power off": "power off",
        "restart": "restart",
        BUTTON_CODE: "No title for this reason could be found",
        UPGRADE_CODE: "Operating System: Upgrade (Planned)",
    },
    "de-DE": {
        "power off": "Ausschalten",
        "restart": "Neustart",
        BUTTON_CODE: "Für diesen Grund wurde kein Titel gefunden",
        UPGRADE_CODE: "Betriebssystem: Aktualisierung (Geplant)",
    },
}

GUIDS = {
    "User32": "{b0aa8734-56f7-41cc-b2f4-de228e98b946}",
    "Service Control Manager": "{555908d1-a6d7-4695-8e1e-26931d2012f4}",
    "Microsoft-Windows-Kernel-Power": "{331c3b3a-2005-44c2-ac5e-77220c37d6b4}",
    "Microsoft-Windows-Kernel-General": "{a68ca8b7-004f-d7b6-a698-07e2de0f1f5d}",
    "Microsoft-Windows-Winsrv": "{9d55b53d-449b-4824-a637-24f9d69aa02f}",
}
OLD_KIND = {"User32": 32768, "EventLog": 32768, "Service Control Manager": 49152}

BEGIN = datetime.datetime(2026, 9, 1, 8, tzinfo=datetime.timezone.utc).timestamp()


def event_xml(
    log: str,
    provider: str,
    number: int,
    at: float,
    record: int,
    data: str = "",
    after: str = "",
) -> str:
    """One event; `data`: what is in EventData; `after`: what follows it."""
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    guid = f" Guid='{GUIDS[provider]}'" if provider in GUIDS else ""
    old = provider in OLD_KIND
    source = f" EventSourceName='{provider}'" if old and guid else ""
    qualifiers = f" Qualifiers='{OLD_KIND[provider]}'" if old else ""
    return (
        f"<Event xmlns='{NAMESPACE}'><System><Provider Name='{provider}'{guid}{source}/>"
        f"<EventID{qualifiers}>{number}</EventID><Version>0</Version><Level>4</Level><Task>0</Task><Opcode>0</Opcode>"
        f"<Keywords>0x8080000000000000</Keywords><TimeCreated SystemTime='{moment}'/>"
        f"<EventRecordID>{record}</EventRecordID><Correlation/><Execution ProcessID='1620' ThreadID='5716'/>"
        f"<Channel>{log}</Channel><Computer>{COMPUTER}</Computer><Security UserID='S-1-5-18'/></System>"
        f"<EventData>{data}</EventData>{after}</Event>"
    )


def named(**strings: object) -> str:
    """Strings with names."""
    return "".join(f"<Data Name='{name}'>{escape(str(text))}</Data>" for name, text in strings.items())


def parameters(*strings: object) -> str:
    """Strings named param1 and so on."""
    return named(**{f"param{index}": text for index, text in enumerate(strings, 1)})


def unnamed(*strings: object) -> str:
    """Strings without names."""
    return "".join(f"<Data>{escape(str(text))}</Data>" for text in strings)


class Guest:
    """What one guest logs in its course. `now` is its time; `rendered` has each event end in a translated message."""

    def __init__(self, language: Language = "en-US", rendered: bool = False) -> None:
        self.language = language
        self.now = BEGIN
        self.rendered = rendered
        self.clock = 0.0
        """How wrong its clock is."""
        self.kernel_late = False
        """What the kernel says while the event log is not there gets into the log only after the next start of it."""
        self._records = {"System": 1000, "Application": 500}
        self._events: dict[str, list[str]] = {"System": [], "Application": []}
        self._late: list[tuple[str, int, float, str]] = []

    def text(self, log: str) -> str:
        """All that wevtutil prints of this log, the newest first."""
        return "".join(reversed(self._events[log]))

    @property
    def texts(self) -> str:
        """The same of both logs."""
        return self.text("System") + self.text("Application")

    def log(self, log: str, provider: str, number: int, data: str = "", at: float | None = None) -> None:
        """Log an event."""
        at = self.now + self.clock if at is None else at
        self._records[log] += 1
        after = ""
        if self.rendered:
            word = "Shutdown" if self.language == "en-US" else "Herunterfahren"
            after = f"<RenderingInfo Culture='{self.language}'><Message>{word} 1074 6008</Message></RenderingInfo>"
        self._events[log].append(event_xml(log, provider, number, at, self._records[log], data, after))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    # ---- a boot

    def boot(self, unclean: bool = False, **unexpected: object) -> None:
        """Windows starts; `unexpected`: strings of event 41."""
        booted = self.now + self.clock
        self.wait(12)
        if unclean:
            self.log("System", "EventLog", 6008, unnamed("10:10:10", "\u200e01.\u200e09.\u200e2026", "", "", "4711"))
        self.log("System", "EventLog", 6009, unnamed("10.00.", "20348", "", "Multiprocessor Free", "0"))
        self.log("System", "EventLog", 6005, "<Binary>EA070900</Binary>")
        for kind, number, at, data in self._late:
            self.log("System", kind, number, data, at)
        self._late = []
        self.log(
            "System",
            "Microsoft-Windows-Kernel-General",
            12,
            named(MajorVersion=10, MinorVersion=0, BuildVersion=20348, StartTime="2026-09-01T08:00:00.5000000Z"),
            booted,
        )
        if unclean:
            strings = {"BugcheckCode": 0, "SleepInProgress": 0, "PowerButtonTimestamp": 0, **unexpected}
            self.log("System", "Microsoft-Windows-Kernel-Power", 41, named(**strings), booted + 2)
        self.wait(60)

    # ---- a stop

    def asked(
        self, program: str = WINLOGON, code: str = BUTTON_CODE, kind: str = "power off", comment: str = ""
    ) -> None:
        """A program begins a shutdown."""
        words = WORDS[self.language]
        strings = (program, COMPUTER, words[code], code, words[kind], comment, SYSTEM_ACCOUNT)
        self.log("System", "User32", 1074, parameters(*strings))
        self.wait(1)

    def aborted(self) -> None:
        """A shutdown is aborted."""
        self.log("System", "User32", 1075, parameters(COMPUTER, SYSTEM_ACCOUNT))

    def refused(self) -> None:
        """An attempt to shut down fails."""
        self.log("System", "User32", 1073, parameters(COMPUTER, SYSTEM_ACCOUNT))

    def vetoed(self, name: str) -> None:
        """An application vetoes the shutdown."""
        self.log("Application", "Microsoft-Windows-Winsrv", 10001, named(param1=name))
        self.wait(5)

    def hung(self, name: str) -> None:
        """An application is ended since it is hung."""
        self.log("Application", "Microsoft-Windows-Winsrv", 10002, named(param1=name))

    def late(self, service: str) -> None:
        """A service does not stop in its time."""
        self.wait(180)
        self.log("System", "Service Control Manager", 7043, parameters(service) + "<Binary>57006900</Binary>")

    def slept(self, reason: int, seconds: float = 3600, state: int = 4) -> None:
        """It sleeps and wakes."""
        strings = {"TargetState": state, "EffectiveState": state, "Reason": reason, "Flags": 0, "TransitionsToOn": 1}
        self.log("System", "Microsoft-Windows-Kernel-Power", 42, named(**strings))
        self.wait(seconds)
        self.log("System", "Microsoft-Windows-Kernel-Power", 107, named(TargetState=state, EffectiveState=state))

    def ends(self, action: int = 6) -> None:
        """The end in order."""
        self.log("System", "EventLog", 6006, "<Binary>01000000</Binary>")
        self.wait(2)
        strings = named(ShutdownActionType=action, ShutdownEventCode=0, ShutdownReason=5)
        self._kernel("Microsoft-Windows-Kernel-Power", 109, strings)
        self.wait(1)
        self._kernel("Microsoft-Windows-Kernel-General", 13, named(StopTime="2026-09-01T09:00:00.5000000Z"))
        self.wait(30)

    def _kernel(self, provider: str, number: int, data: str) -> None:
        if self.kernel_late:
            self._late.append((provider, number, self.now + self.clock, data))
        else:
            self.log("System", provider, number, data)
