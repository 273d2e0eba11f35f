# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Which domains are meant, and how each of them was found: read from libvirt, changing nothing."""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t
import uuid as uuid_module

from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_names as names
from ansible_collections.winguest.shutdown.plugins.module_utils._acts import read_record
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import TimeLimit, within
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import (
    Definition,
    Facts,
    disks,
    read_definition,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Record, RecordError

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now

LOOK_LIMIT = 15.0
"""Seconds that libvirt may take to tell about one domain."""

JOB_LIMIT = 3.0
"""Seconds that libvirt may take to tell its job: it waits for whoever holds the domain, for one a QEMU that hangs."""

BACKUP = 5
"""VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP, which older bindings do not have."""

UNKNOWN_JOB = "libvirt (it does not tell which: its QEMU may hang)"

UNKNOWN = Definition(
    acpi=True, on_poweroff="destroy", agent_channel=False, agent_connected=None, display=False, block_jobs=()
)


class SelectionError(ValueError):
    """The domains named cannot be worked with; the text says which, where, and what to do."""


def all_domains(connection: t.Any, pattern: str | None) -> list[t.Any]:
    """Every domain of the hypervisor, running or not, whose name matches the shell pattern; sorted by name."""
    domains = connection.listAllDomains(0)
    if pattern:
        domains = [domain for domain in domains if fnmatch.fnmatchcase(domain.name(), pattern)]
    return sorted(domains, key=lambda domain: str(domain.name()))


def find(connection: t.Any, wanted: t.Sequence[tuple[str, str | None, str | None]]) -> list[t.Any]:
    """The domains for (where, name, uuid) each. Raises SelectionError for unknown ones and for one named twice."""
    domains = []
    errors = []
    named: dict[str, str] = {}
    for where, name, uuid in wanted:
        try:
            domain = _lookup(connection, where, name, uuid)
        except SelectionError as error:
            errors.append(str(error))
            continue
        first = named.setdefault(domain.UUIDString(), where)
        if first != where:
            errors.append(f"{where} and {first} are the same domain {domain.name()} ({domain.UUIDString()})")
        domains.append(domain)
    if errors:
        raise SelectionError("; ".join(errors))
    return domains


def _lookup(connection: t.Any, where: str, name: str | None, uuid: str | None) -> t.Any:
    try:
        if uuid is None:
            return connection.lookupByName(name)
        domain = connection.lookupByUUIDString(str(uuid_module.UUID(uuid)))
    except ValueError:
        raise SelectionError(f"{where}: {uuid!r} is not a UUID") from None
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        kind, value = ("name", name) if uuid is None else ("uuid", uuid)
        raise SelectionError(
            f"{where}: there is no domain with {kind} {value!r} on this hypervisor (virsh list --all shows them)"
        ) from None
    if name is not None and domain.name() != name:
        raise SelectionError(f"{where}: the domain with uuid {uuid} is named {domain.name()!r}, not {name!r}")
    return domain


def gather(domain: t.Any) -> Facts:
    """One domain as it is now; one that libvirt does not tell about has the trouble in its facts."""
    name, uuid = domain.name(), domain.UUIDString()
    try:
        return t.cast(Facts, within(LOOK_LIMIT, lambda: _gather(domain, name, uuid)))
    except (libvirt.libvirtError, TimeLimit, ValueError) as error:
        trouble = f"libvirt does not tell about it: {error}; nothing was asked of it: look after libvirt and run again"
        return Facts(name, uuid, "nostate", "unknown", True, UNKNOWN, trouble=trouble)


def _gather(domain: t.Any, name: str, uuid: str) -> Facts:
    try:
        state, reason = domain.state()
        seen = names.state_seen(state, reason, domain.ID())
        xml = domain.XMLDesc(0)
        definition = read_definition(xml)
        persistent = bool(domain.isPersistent())
        job = _job(domain) if seen.state != "shutoff" else ""
        if seen.state != "shutoff" and job != UNKNOWN_JOB:
            definition = dataclasses.replace(definition, block_jobs=_block_jobs(domain, xml, definition.block_jobs))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return Facts(name, uuid, "gone", "no such domain", False, UNKNOWN)
    record, record_error = Record(), ""
    try:
        record = read_record(domain)
    except RecordError as error:
        record_error = str(error)
    return Facts(name, uuid, seen.state, seen.reason, persistent, definition, seen.domain_id, job, record, record_error)


def _job(domain: t.Any) -> str:
    """libvirt's job on the domain, by name; empty when there is none or the driver has no jobs."""
    try:
        stats = within(JOB_LIMIT, domain.jobStats)
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_INVALID):
            return ""
        raise
    except TimeLimit:
        return UNKNOWN_JOB
    if stats.get("type", 0) == libvirt.VIR_DOMAIN_JOB_NONE:
        return ""
    return names.JOBS.get(stats.get("operation", 0), "libvirt")


def _block_jobs(domain: t.Any, xml: str, mirrored: tuple[str, ...]) -> tuple[str, ...]:
    """The disks with a block job. The definition has those that mirror; others are told by QEMU only.

    A backup has one on each of its disks, and counts as a job of the domain already.
    """

    def others() -> list[str]:
        return [disk for disk in disks(xml) if disk not in mirrored and _has_block_job(domain, disk)]

    try:
        return (*mirrored, *within(JOB_LIMIT, others))
    except TimeLimit:
        return mirrored


def _has_block_job(domain: t.Any, disk: str) -> bool:
    try:
        kind = domain.blockJobInfo(disk).get("type", 0)
    except libvirt.libvirtError:  # the driver has no block jobs, or there is nothing in the drive
        return False
    return kind not in (libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_UNKNOWN, BACKUP)
