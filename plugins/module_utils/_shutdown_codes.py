# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Windows' numbers for why it shuts down and sleeps, in words. Pure."""

from __future__ import annotations

# Reason codes: SHTDN_REASON_* in the Windows SDK's reason.h.
PLANNED = 0x80000000
DEFINED_BY_USER = 0x40000000
MAJORS = {
    0: "other",
    1: "hardware",
    2: "operating system",
    3: "software",
    4: "application",
    5: "system",
    6: "power",
    7: "old programming interface",
}
MINORS = {
    0x00: "other",
    0x01: "maintenance",
    0x02: "installation",
    0x03: "upgrade",
    0x04: "reconfiguration",
    0x05: "hung",
    0x06: "unstable",
    0x07: "disk",
    0x08: "processor",
    0x09: "network card",
    0x0A: "power supply",
    0x0B: "cord unplugged",
    0x0C: "environment",
    0x0D: "hardware driver",
    0x0E: "other driver",
    0x0F: "blue screen",
    0x10: "service pack",
    0x11: "hotfix",
    0x12: "security fix",
    0x13: "security",
    0x14: "network connectivity",
    0x15: "WMI",
    0x16: "service pack removed",
    0x17: "hotfix removed",
    0x18: "security fix removed",
    0x19: "MMC",
    0x1A: "system restore",
    0x20: "terminal services",
    0x21: "domain controller promoted",
    0x22: "domain controller demoted",
    0xFF: "",
}

# POWER_ACTION in winnt.h, as Kernel-Power 109 has it in ShutdownActionType.
ACTIONS = {4: "shutdown", 5: "restart", 6: "power_off"}

# SYSTEM_POWER_STATE in winnt.h, as Kernel-Power 42 has it in TargetState.
SLEEP_STATES = {2: "S1", 3: "S2", 4: "S3", 5: "S4"}

BUTTON, BATTERY, PROGRAM, FROM_SLEEP, IDLE = 0, 2, 4, 6, 7
# Kernel-Power 42, Reason, as Windows shows it in English and two published readers of the log have its numbers.
SLEEP_REASONS = {
    BUTTON: "button or lid",
    BATTERY: "battery",
    PROGRAM: "a program",
    FROM_SLEEP: "asleep for long enough to hibernate",
    IDLE: "idle",
}


def reason(code: int) -> str:
    """A reason code in words, as "operating system: service pack, planned"."""
    major, minor = code >> 16 & 0xFF, code & 0xFFFF
    parts = [MAJORS.get(major, f"major reason {major}"), MINORS.get(minor, f"minor reason {minor}")]
    told = ": ".join(dict.fromkeys(part for part in parts if part))
    own = ", defined on the guest" if code & DEFINED_BY_USER else ""
    return f"{told}{own}, {'planned' if code & PLANNED else 'unplanned'}"


def sleep_reason(number: int | None) -> str:
    """Why it fell asleep, in words."""
    if number is None:
        return "unknown"
    return SLEEP_REASONS.get(number, f"reason {number}")
