# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private libvirt for the tests of one worker. Guests have names of their own, so they share it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libvirt
import pytest
from bed.guests import AcpiGuest, AgentGuest, Bed
from bed.module import Answer, Call, call


@pytest.fixture(scope="session")
def shared_bed() -> Iterator[Bed]:
    with Bed() as bed:
        yield bed


class Hypervisor:
    """A private libvirt in a test, and the module run against it."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.uri = bed.daemon.uri
        self.domains: list[libvirt.virDomain] = []

    def start(self, *guests: AcpiGuest | AgentGuest) -> None:
        """Start the guests and wait until they hear requests, or as far as they will ever get."""
        self.domains += self.bed.start(*guests)
        for guest in guests:
            if isinstance(guest, AgentGuest):
                self.bed.wait_for(guest.name, "guest: ready", timeout=120)
            elif "boot=" not in guest.behaviour:
                self.bed.wait_for(guest.name, "ready", timeout=60)

    def domain(self, name: str) -> libvirt.virDomain:
        """The domain as it is now."""
        return self.bed.connection.lookupByName(name)

    def running(self, name: str) -> bool:
        """Whether QEMU still runs it."""
        return bool(self.domain(name).isActive())

    def shut_down(self, *domains: Any, **options: Any) -> Answer:
        """Run the module for these domains to its end."""
        options.setdefault("evidence_dir", str(self.bed.directory / "evidence"))
        return call(self.uri, domains=list(domains), **options)

    def begin(self, *domains: Any, **options: Any) -> Call:
        """Run the module for these domains, and do not wait."""
        options.setdefault("evidence_dir", str(self.bed.directory / "evidence"))
        return Call(self.uri, domains=list(domains), **options)


def remove(hypervisor: Hypervisor) -> None:
    """Take the test's guests away."""
    for domain in hypervisor.domains:
        try:
            if domain.isActive():
                domain.destroy()
            if domain.isPersistent():
                domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
        except libvirt.libvirtError:
            pass


@pytest.fixture
def hypervisor(shared_bed: Bed) -> Iterator[Hypervisor]:
    """The worker's private libvirt."""
    hypervisor = Hypervisor(shared_bed)
    yield hypervisor
    remove(hypervisor)


@pytest.fixture
def own_hypervisor() -> Iterator[Hypervisor]:
    """A private libvirt for one test, which may do to it what it likes."""
    with Bed() as bed:
        yield Hypervisor(bed)
