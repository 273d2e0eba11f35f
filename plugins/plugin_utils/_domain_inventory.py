# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What an inventory needs to know of a hypervisor's Windows domains, read from libvirt; nothing is changed there.

Everything that libvirt is asked has a limit, and the whole of one hypervisor too: a libvirt, a QEMU or a guest agent
that hangs costs no more than that. What was read is plain data, fit for a cache.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_names as names
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import Lane, TimeLimit, within
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _domain_address, _windows_os
from ansible_collections.winguest.shutdown.plugins.plugin_utils._inventory_sources import AGENT, ARP, LEASE, Source
from ansible_collections.winguest.shutdown.plugins.plugin_utils._wording import several

try:
    import libvirt
except ImportError as error:
    LIBVIRT_IMPORT_ERROR: str | None = str(error)
else:
    LIBVIRT_IMPORT_ERROR = None

AGENT_CHANNEL = "org.qemu.guest_agent.0"

HYPERVISORS_AT_ONCE = 16

DOMAINS_AT_ONCE = 4
"""Domains of one hypervisor at a time: libvirt serves five requests of one connection, and the others have to wait."""

CALL_LIMIT = 15.0
"""Seconds that libvirt may take to answer about one domain."""

CLOSE_LIMIT = 1.0
LONGEST_TEXT = 1000

ADDRESS_SOURCES = {LEASE: 0, AGENT: 1, ARP: 2}
"""virDomainInterfaceAddressesSource."""


class ReadingError(Exception):
    """Nothing could be read of a hypervisor; the text says why, and what to do."""


@dataclasses.dataclass
class Reading:
    """What was read of one hypervisor: its Windows domains, and in words what is missing."""

    domains: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    troubles: list[str] = dataclasses.field(default_factory=list)


def read_all(sources: t.Sequence[Source]) -> list[Reading | ReadingError]:
    """Read hypervisors, several at a time."""
    results: list[Reading | ReadingError] = [ReadingError("it was not read")] * len(sources)
    lane = Lane("hypervisor", HYPERVISORS_AT_ONCE)

    def job(place: int, source: Source) -> t.Callable[[], None]:
        def run() -> None:
            results[place] = _read(source)

        return run

    libvirt.registerErrorHandler(_swallow, None)
    for place, source in enumerate(sources):
        lane.submit(job(place, source))
    lane.wait(sum(source.timeout + 2 * CLOSE_LIMIT for source in sources))
    return results


def _swallow(context: t.Any, error: t.Any) -> None:
    """libvirt would print every error to stderr, also the expected ones; each is handled where it is raised."""


def _read(source: Source) -> Reading | ReadingError:
    reader = _Reader(source)
    try:
        return reader.read()
    except (libvirt.libvirtError, TimeLimit) as error:
        advice = (
            "check the URI, that libvirt runs there and that this user may use it (root, the libvirt group, or polkit)"
        )
        return ReadingError(f"libvirt cannot be asked: {printable(str(error))}; {advice}")
    except Exception as error:  # a defect of ours must not take the other hypervisors with it
        return ReadingError(f"{type(error).__name__}: {printable(str(error))}")
    finally:
        reader.close()


class _Reader:
    """One hypervisor while it is read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ends = time.monotonic() + source.timeout
        self._lock = threading.Lock()
        self._connection: t.Any = None

    # ---- calls with a limit

    def _ask(self, seconds: float, call: t.Callable[[t.Any], t.Any]) -> t.Any:
        """What the call, with a connection, gives. Raises TimeLimit, and leaves the connection to the call then."""
        seconds = min(seconds, self._ends - time.monotonic())
        if seconds <= 0:
            raise TimeLimit(f"the {self._source.timeout:g} s for this hypervisor are over")
        used: list[t.Any] = []

        def run() -> t.Any:
            used.append(self._open())
            return call(used[0])

        try:
            return within(seconds, run)
        except TimeLimit:
            with_it = used[0] if used else None
            if self._connection is with_it:
                self._connection = None
            raise

    def _open(self) -> t.Any:
        with self._lock:
            connection = self._connection
            if connection is None:
                open_it = libvirt.openReadOnly if self._source.read_only else libvirt.open
                connection = self._connection = open_it(self._source.uri.unattended)
            return connection

    def close(self) -> None:
        """Close the connection, and wait no longer for calls that hang."""
        try:
            if self._connection is not None:
                within(CLOSE_LIMIT, self._connection.close)
        except (libvirt.libvirtError, TimeLimit):
            pass

    # ---- reading

    def read(self) -> Reading:
        """All of it. Raises libvirtError or TimeLimit when libvirt cannot be asked at all."""
        listed = self._ask(self._source.timeout, lambda connection: connection.listAllDomains(0))
        found = sorted((str(domain.name()), str(domain.UUIDString())) for domain in listed)
        del listed
        told: dict[str, dict[str, t.Any] | None] = {}
        failed: dict[str, str] = {}
        lane = Lane("domain", DOMAINS_AT_ONCE)

        def job(name: str, uuid: str) -> t.Callable[[], None]:
            def run() -> None:
                try:
                    told[uuid] = self._domain(uuid)
                except (libvirt.libvirtError, TimeLimit, ET.ParseError) as error:
                    failed[uuid] = printable(f"{name!r}: {error}")
                except Exception as error:  # a domain may be anything, and must not take the others with it
                    failed[uuid] = printable(f"{name!r}: {type(error).__name__}: {error}")

            return run

        for name, uuid in found:
            lane.submit(job(name, uuid))
        lane.wait(self._ends - time.monotonic() + CLOSE_LIMIT)
        # What a call that hangs may still bring is not waited for.
        told, failed = dict(told), dict(failed)
        for name, uuid in found:
            if uuid not in told:
                failed.setdefault(uuid, f"{name!r}: no answer within {self._source.timeout:g} s")
        domains = [domain for dummy, uuid in found if (domain := told.get(uuid)) is not None]
        return Reading(domains, _troubles(list(failed.values())))

    def _domain(self, uuid: str) -> dict[str, t.Any] | None:
        """One domain; None for one that is no Windows or that has gone."""
        try:
            seen, xml, persistent, autostart = self._ask(CALL_LIMIT, lambda connection: _look(connection, uuid))
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise
        definition = ET.fromstring(xml)
        name = definition.findtext("./name", default="")
        windows = _windows_os.windows(definition, name, self._source.name_pattern)
        if windows is None:
            return None
        plugged = _domain_address.cards(definition)
        channel = definition.find(f"./devices/channel/target[@name='{AGENT_CHANNEL}']")
        agent = None if channel is None else channel.get("state", "connected") == "connected"
        addresses = []
        if seen.domain_id is not None:
            addresses = self._addresses(uuid, plugged, ask_agent=seen.state == "running" and bool(agent))
        return {
            "name": name,
            "uuid": uuid,
            "state": seen.state,
            "os": windows.short,
            "os_id": windows.identifier[:LONGEST_TEXT],
            "known_by": windows.known_by,
            "title": definition.findtext("./title", default="")[:LONGEST_TEXT],
            "description": definition.findtext("./description", default="").strip()[:LONGEST_TEXT],
            "memory_mib": _memory(definition),
            "vcpus": int(definition.findtext("./vcpu", default="1")),
            "persistent": persistent,
            "autostart": autostart,
            "agent": agent,
            "networks": sorted(set(plugged.values())),
            "addresses": [dataclasses.asdict(address) for address in addresses],
        }

    def _addresses(self, uuid: str, plugged: t.Mapping[str, str], ask_agent: bool) -> list[_domain_address.Address]:
        """The usable addresses, the best first, of the first source that has any."""
        for source in self._source.address_sources:
            if source == AGENT and (self._source.read_only or not ask_agent):
                continue
            limit = self._source.agent_timeout if source == AGENT else CALL_LIMIT
            try:
                answer = self._ask(limit, _interface_addresses(uuid, ADDRESS_SOURCES[source]))
                told = _domain_address.told(answer, plugged, source)
            except (libvirt.libvirtError, TimeLimit):
                continue  # an agent that hangs, a driver without that source: the next one may know
            except (ValueError, TypeError, AttributeError, OverflowError):
                continue  # a guest may answer anything
            usable = _domain_address.usable(told, plugged, self._source.wanted)
            if usable:
                return usable
        return []


def _look(connection: t.Any, uuid: str) -> tuple[t.Any, str, bool, bool]:
    domain = connection.lookupByUUIDString(uuid)
    state, reason = domain.state()
    persistent = bool(domain.isPersistent())
    autostart = persistent and bool(domain.autostart())
    return names.state_seen(state, reason, domain.ID()), domain.XMLDesc(0), persistent, autostart


def _interface_addresses(uuid: str, source: int) -> t.Callable[[t.Any], t.Any]:
    return lambda connection: connection.lookupByUUIDString(uuid).interfaceAddresses(source)


def _memory(definition: ET.Element) -> int:
    """The domain's memory, which libvirt tells in KiB, in MiB."""
    return int(definition.findtext("./memory", default="0")) // 1024


def _troubles(failed: t.Sequence[str]) -> list[str]:
    if not failed:
        return []
    return [f"{len(failed)} domains could not be read, and are left out: {several(failed, '; ')}"]
