# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The events about starting, sleeping and shutting down that Windows logs, without their time.

Providers, numbers and the order of the data: the message files of user32.dll, winsrv.dll and others as libyal's
winevt-kb lists them, and published samples.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from bed.windows.systems import COMPUTER, SERVER_2012_R2, System

DEFENDER_LOG: Final = "Microsoft-Windows-Windows Defender/Operational"
Log = Literal["Application", "Security", "Setup", "System", "Microsoft-Windows-Windows Defender/Operational"]

KERNEL_POWER = "Microsoft-Windows-Kernel-Power"
KERNEL_BOOT = "Microsoft-Windows-Kernel-Boot"
KERNEL_GENERAL = "Microsoft-Windows-Kernel-General"
WINSRV = "Microsoft-Windows-Winsrv"
USER32 = "User32"
EVENT_LOG = "EventLog"
DEFENDER = "Microsoft-Windows-Windows Defender"
SERVICES = "Service Control Manager"

PLANNED = "0x80000000"
BUTTON_REASON = "0x500ff"


class Event(NamedTuple):
    """One event; `data` are its strings, each with a name."""

    log: Log
    provider: str
    id: int
    data: tuple[tuple[str, str], ...] = ()


def _parameters(*texts: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"param{number}", text) for number, text in enumerate(texts, 1))


def shutdown_asked(program: str, code: str, restart: bool, comment: str, user: str) -> Event:
    """A program has begun a shutdown. Windows translates the reason and the kind; this does not."""
    kind = "restart" if restart else "power off"
    reason = "Other (Planned)" if code == PLANNED else "Other (Unplanned)"
    return Event("System", USER32, 1074, _parameters(program, COMPUTER, reason, code, kind, comment, user))


def shutdown_failed(user: str) -> Event:
    """An attempt to shut down has failed."""
    return Event("System", USER32, 1073, _parameters(COMPUTER, user))


def shutdown_aborted(user: str) -> Event:
    """A shutdown whose timer ran was aborted."""
    return Event("System", USER32, 1075, _parameters(COMPUTER, user))


def application_vetoed(name: str) -> Event:
    """An application has tried to stop a shutdown."""
    return Event("Application", WINSRV, 10001, _parameters(name))


def application_ended(name: str) -> Event:
    """An application was ended since it was hung."""
    return Event("Application", WINSRV, 10002, _parameters(name))


def preshutdown_late(service: str) -> Event:
    """A service has not stopped in its preshutdown time."""
    return Event("System", SERVICES, 7043, _parameters(service))


def falls_asleep(button: bool, hibernates: bool) -> Event:
    """The system goes to sleep, with the state it goes to (S3 is 4 and S4 is 5) and the reason (button 0, idle 7)."""
    data = (("TargetState", "5" if hibernates else "4"), ("Reason", "0" if button else "7"))
    return Event("System", KERNEL_POWER, 42, data)


WOKE = Event("System", KERNEL_POWER, 107)
LEAVES = (
    Event(
        "System",
        KERNEL_POWER,
        109,
        (("ShutdownActionType", "6"), ("ShutdownEventCode", "0"), ("ShutdownReason", "5")),
    ),
    Event("System", EVENT_LOG, 6006),
    Event("System", KERNEL_GENERAL, 13),
)
"""What a shutdown in order logs at its end."""

UNCLEAN = (
    Event("System", KERNEL_POWER, 41, (("BugcheckCode", "0"), ("SleepInProgress", "0"), ("PowerButtonTimestamp", "0"))),
    Event("System", EVENT_LOG, 6008),
)
"""What the next boot logs after an end that was none."""


def logs(system: System) -> tuple[Log, ...]:
    """The logs that there are; Server 2012 R2 has no Defender."""
    own: tuple[Log, ...] = ("Application", "Security", "Setup", "System")
    return own if system.build <= SERVER_2012_R2.build else (*own, DEFENDER_LOG)


def damage(system: System) -> tuple[Event, ...]:
    """What a damaged and infected system logs: NTFS finds damage, Defender a threat that it cannot remove."""
    old = system.build <= SERVER_2012_R2.build
    found = Event("System", "Ntfs" if old else "Microsoft-Windows-Ntfs", 55, (("DriveName", "C:"),))
    threats = tuple(Event(DEFENDER_LOG, DEFENDER, number) for number in (1116, 1119))
    return (found,) if old else (found, *threats)


def starts(unclean: bool, hybrid: bool) -> tuple[Event, ...]:
    """What a boot logs."""
    first = Event("System", KERNEL_GENERAL, 12)
    kind = Event("System", KERNEL_BOOT, 27, (("BootType", "1" if hybrid else "0"),))
    return (
        first,
        kind,
        *(UNCLEAN if unclean else ()),
        Event("System", EVENT_LOG, 6009),
        Event("System", EVENT_LOG, 6005),
    )
