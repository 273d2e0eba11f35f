# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""libvirt's numbers as names: domain states, their reasons, lifecycle events. Pure.

The numbers are part of libvirt's ABI (virDomainState and its siblings) and written here once, because Python bindings
of different ages know different subsets of the constants.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import StateSeen

# A guest that waits for a resource (state 2, blocked) is a running one.
STATES = ("nostate", "running", "running", "paused", "in_shutdown", "shutoff", "crashed", "pmsuspended")

REASONS: dict[str, tuple[str, ...]] = {
    "running": (
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from_snapshot",
        "unpaused",
        "migration_canceled",
        "save_canceled",
        "wakeup",
        "crashed",
        "postcopy",
        "postcopy_failed",
    ),
    "paused": (
        "unknown",
        "user",
        "migration",
        "save",
        "dump",
        "ioerror",
        "watchdog",
        "from_snapshot",
        "shutting_down",
        "snapshot",
        "crashed",
        "starting_up",
        "postcopy",
        "postcopy_failed",
        "api_error",
    ),
    "in_shutdown": ("unknown", "user"),
    "shutoff": (
        "unknown",
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from_snapshot",
        "daemon",
    ),
    "crashed": ("unknown", "panicked"),
}

_SHUTDOWN, _STOPPED, _PMSUSPENDED, _CRASHED = 6, 5, 7, 8
_SHUTDOWN_HOST = 2
_PMSUSPENDED_DISK = 1
_STOPPED_REASONS = ("shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from_snapshot")

CLOSE_REASONS = {0: "error", 1: "libvirt closed it", 2: "libvirt did not answer keepalive messages", 3: "closed"}

JOBS = {
    1: "start",
    2: "save",
    3: "restore",
    4: "migration",
    5: "migration",
    6: "snapshot",
    7: "snapshot revert",
    8: "dump",
    9: "backup",
    10: "snapshot deletion",
}
"""virDomainJobOperation; 0 is unknown."""


def state_seen(state: int, reason: int, domain_id: int) -> StateSeen:
    """A sampled state. domain_id is -1 for a domain that is off."""
    name = STATES[state] if 0 <= state < len(STATES) else "nostate"
    reasons = REASONS.get(name, ())
    return StateSeen(
        name,
        reasons[reason] if 0 <= reason < len(reasons) else "unknown",
        sampled=True,
        domain_id=domain_id if domain_id >= 0 else None,
    )


def with_writes(seen: StateSeen, stats: t.Mapping[str, t.Any] | None, taken_at: float) -> StateSeen:
    """The sampled state with the time of the sample and, from libvirt's block statistics, the bytes written so far."""
    written = ((name, value) for name, value in (stats or {}).items() if name.endswith(".wr.bytes"))
    counts = [value for name, value in written if name.startswith("block.")]
    return dataclasses.replace(seen, write_bytes=sum(counts) if counts else None, taken_at=taken_at)


def lifecycle(event: int, detail: int) -> StateSeen | None:
    """The state that a lifecycle event tells for sure; None for events that only say that something changed."""
    if event == _SHUTDOWN:
        return StateSeen("in_shutdown", "host" if detail == _SHUTDOWN_HOST else "guest")
    if event == _STOPPED:
        return StateSeen("shutoff", _STOPPED_REASONS[detail] if 0 <= detail < len(_STOPPED_REASONS) else "unknown")
    if event == _PMSUSPENDED:
        return StateSeen("pmsuspended", "disk" if detail == _PMSUSPENDED_DISK else "unknown")
    if event == _CRASHED:
        return StateSeen("crashed", "panicked")
    return None
