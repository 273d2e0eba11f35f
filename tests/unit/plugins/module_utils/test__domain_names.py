# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""libvirt's numbers: each is compared with the constant of the same name in libvirt's own bindings."""

from __future__ import annotations

import dataclasses

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_names import (
    CLOSE_REASONS,
    JOBS,
    REASONS,
    STATES,
    lifecycle,
    state_seen,
    with_writes,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import StateSeen

CONSTANTS = {
    "running": "RUNNING",
    "paused": "PAUSED",
    "in_shutdown": "SHUTDOWN",
    "shutoff": "SHUTOFF",
    "crashed": "CRASHED",
    "pmsuspended": "PMSUSPENDED",
}
UNKNOWN_NUMBERS = [-(2**31), -1, 99, 2**31 - 1]
LAST_STATE = 7


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (libvirt.VIR_DOMAIN_NOSTATE, "nostate"),
        (libvirt.VIR_DOMAIN_RUNNING, "running"),
        (libvirt.VIR_DOMAIN_BLOCKED, "running"),
        (libvirt.VIR_DOMAIN_PAUSED, "paused"),
        (libvirt.VIR_DOMAIN_SHUTDOWN, "in_shutdown"),
        (libvirt.VIR_DOMAIN_SHUTOFF, "shutoff"),
        (libvirt.VIR_DOMAIN_CRASHED, "crashed"),
        (libvirt.VIR_DOMAIN_PMSUSPENDED, "pmsuspended"),
        *((number, "nostate") for number in (*UNKNOWN_NUMBERS, LAST_STATE + 1)),
    ],
)
def test_states(number: int, state: str) -> None:
    assert state_seen(number, 0, 3) == StateSeen(state, "unknown", sampled=True, domain_id=3)


@pytest.mark.parametrize(("state", "reasons"), REASONS.items())
def test_reasons(state: str, reasons: tuple[str, ...]) -> None:
    number_of_state = getattr(libvirt, f"VIR_DOMAIN_{CONSTANTS[state]}")
    for number, reason in enumerate(reasons):
        constant = f"VIR_DOMAIN_{CONSTANTS[state]}_{reason.upper()}"
        assert getattr(libvirt, constant, number) == number, constant
        assert state_seen(number_of_state, number, 3).reason == reason
    for number in (*UNKNOWN_NUMBERS, len(reasons)):
        assert state_seen(number_of_state, number, 3).reason == "unknown"


def test_no_reason_of_these_bindings_is_missing() -> None:
    for state in ("running", "paused", "shutoff", "crashed"):
        prefix = f"VIR_DOMAIN_{CONSTANTS[state]}_"
        named = {name.removeprefix(prefix).lower() for name in dir(libvirt) if name.startswith(prefix)}
        assert named - {"last"} <= set(REASONS[state])
    assert len(STATES) == LAST_STATE + 1 == libvirt.VIR_DOMAIN_PMSUSPENDED + 1


@pytest.mark.parametrize("number", range(12))
def test_jobs(number: int) -> None:
    prefix = "VIR_DOMAIN_JOB_OPERATION_STR_"
    constants = {
        getattr(libvirt, name): name.removeprefix("VIR_DOMAIN_JOB_OPERATION_").lower().replace("_", " ")
        for name in dir(libvirt)
        if name.startswith("VIR_DOMAIN_JOB_OPERATION_") and not name.startswith(prefix)
    }
    ours = {"migration in": "migration", "migration out": "migration", "snapshot delete": "snapshot deletion"}
    libvirts = constants.get(number, "unknown")
    if libvirts not in ("unknown", "last"):
        assert JOBS[number] == ours.get(libvirts, libvirts)


def test_close_reasons() -> None:
    assert CLOSE_REASONS == {
        libvirt.VIR_CONNECT_CLOSE_REASON_ERROR: "error",
        libvirt.VIR_CONNECT_CLOSE_REASON_EOF: "libvirt closed it",
        libvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE: "libvirt did not answer keepalive messages",
        libvirt.VIR_CONNECT_CLOSE_REASON_CLIENT: "closed",
    }


@pytest.mark.parametrize(
    ("event", "detail", "state"),
    [
        (libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED, ("in_shutdown", "guest")),
        (libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST, ("in_shutdown", "guest")),
        (libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_HOST, ("in_shutdown", "host")),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, ("shutoff", "shutdown")),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED, ("shutoff", "destroyed")),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED, ("shutoff", "crashed")),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED, ("shutoff", "migrated")),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SAVED, ("shutoff", "saved")),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED, ("shutoff", "failed")),
        (
            libvirt.VIR_DOMAIN_EVENT_STOPPED,
            libvirt.VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT,
            ("shutoff", "from_snapshot"),
        ),
        (libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED, libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY, ("pmsuspended", "unknown")),
        (libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED, libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED_DISK, ("pmsuspended", "disk")),
        (libvirt.VIR_DOMAIN_EVENT_CRASHED, libvirt.VIR_DOMAIN_EVENT_CRASHED_PANICKED, ("crashed", "panicked")),
        *((libvirt.VIR_DOMAIN_EVENT_STOPPED, number, ("shutoff", "unknown")) for number in UNKNOWN_NUMBERS),
    ],
)
def test_events_that_tell_a_state(event: int, detail: int, state: tuple[str, str]) -> None:
    assert lifecycle(event, detail) == StateSeen(*state)


@pytest.mark.parametrize(
    "event",
    [
        libvirt.VIR_DOMAIN_EVENT_DEFINED,
        libvirt.VIR_DOMAIN_EVENT_UNDEFINED,
        libvirt.VIR_DOMAIN_EVENT_STARTED,
        libvirt.VIR_DOMAIN_EVENT_SUSPENDED,
        libvirt.VIR_DOMAIN_EVENT_RESUMED,
        *UNKNOWN_NUMBERS,
    ],
)
def test_events_that_only_tell_of_a_change(event: int) -> None:
    assert lifecycle(event, 0) is None


@pytest.mark.parametrize(
    ("stats", "write_bytes"),
    [
        (None, None),
        ({}, None),
        ({"state.state": 1, "block.count": 0}, None),
        ({"block.count": 1, "block.0.name": "sda", "block.0.wr.bytes": 0}, 0),
        (
            {
                "block.count": 2,
                "block.0.name": "sda",
                "block.0.rd.bytes": 1000,
                "block.0.wr.bytes": 3,
                "block.1.wr.bytes": 40,
                "block.1.wr.reqs": 500,
                "net.0.wr.bytes": 9000,
            },
            43,
        ),
    ],
)
def test_writes(stats: dict[str, object] | None, write_bytes: int | None) -> None:
    seen = StateSeen("running", "booted", sampled=True, domain_id=7)
    assert with_writes(seen, stats, 12.5) == dataclasses.replace(seen, write_bytes=write_bytes, taken_at=12.5)


@pytest.mark.parametrize(("number", "domain_id"), [(7, 7), (0, 0), (-1, None)])
def test_a_domain_that_is_off_has_no_id(number: int, domain_id: int | None) -> None:
    assert state_seen(libvirt.VIR_DOMAIN_RUNNING, 0, number).domain_id == domain_id
