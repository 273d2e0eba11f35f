# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Samples of the domains of libvirt's test driver, which has states but no block statistics."""

from __future__ import annotations

import queue
import time
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Event, StateSeen
from ansible_collections.winguest.shutdown.plugins.module_utils._sampler import DOMAINS_A_CALL, Sampler
from unit.plugins.libvirt_test_driver import URI, Driver, domain_xml

SOON = 5.0
GONE = ("gone", "no such domain", None)

Found = tuple[str, str, "int | None"]


class Listener:
    """A sampler and what it says."""

    def __init__(self, uri: str = URI) -> None:
        self.posted = queue.SimpleQueue[tuple[str, Event]]()
        self.lost = queue.SimpleQueue[tuple[Any, str]]()
        self.sampler = Sampler(
            uri,
            lambda uuid, event: self.posted.put((uuid, event)),
            lambda connection, detail: self.lost.put((connection, detail)),
        )

    def sample(self, connection: Any, uuids: list[str]) -> dict[str, Found]:
        """The state, the reason and the id of each of these domains, one sample each."""
        began = time.monotonic()
        self.sampler.sample(connection, uuids)
        found = {}
        for dummy in uuids:
            uuid, event = self.posted.get(timeout=SOON)
            assert isinstance(event, StateSeen) and event.sampled and event.write_bytes is None
            assert event.taken_at is not None and began <= event.taken_at <= time.monotonic()
            found[uuid] = (event.state, event.reason, event.domain_id)
        assert found.keys() == set(uuids)
        return found


def test_running_and_ended_and_gone_domains(driver: Driver) -> None:
    listener, connection = Listener(), driver.connection
    running, ended, removed = (driver.start(f"sample-{name}") for name in ("running", "ended", "removed"))
    fleeting = connection.createXML(domain_xml("sample-fleeting"))
    domains = [running, ended, removed, fleeting]
    uuids = [domain.UUIDString() for domain in domains]
    expected: list[Found] = [("running", "booted", domain.ID()) for domain in domains]
    assert listener.sample(connection, uuids) == dict(zip(uuids, expected))
    ended.shutdown()
    removed.destroy()
    removed.undefine()
    fleeting.destroy()
    expected[1:] = [("shutoff", "shutdown", None), GONE, GONE]
    assert listener.sample(connection, uuids) == dict(zip(uuids, expected))


def test_a_domain_that_was_started_anew_has_another_id(driver: Driver) -> None:
    domain = driver.start("sample-anew")
    uuid, listener = domain.UUIDString(), Listener()
    before = listener.sample(driver.connection, [uuid])[uuid]
    domain.destroy()
    domain.create()
    after = listener.sample(driver.connection, [uuid])[uuid]
    assert before[2] != after[2] == domain.ID()


def test_more_domains_than_fit_into_one_call(driver: Driver) -> None:
    uuids = [f"00000000-0000-4000-8000-{number:012}" for number in range(2 * DOMAINS_A_CALL)]
    uuids.append(driver.start("sample-last").UUIDString())
    found = Listener().sample(driver.connection, uuids)
    assert [found[uuid] for uuid in uuids[:-1]] == [GONE] * 2 * DOMAINS_A_CALL
    assert found[uuids[-1]][0] == "running"


@pytest.mark.parametrize("names", [("unasked",), ("unasked-1", "unasked-2")])
def test_a_failure_of_the_statistics_leaves_the_states_and_is_no_hang(driver: Driver, names: tuple[str, ...]) -> None:
    listener = Listener("test:///no/such/node.xml")
    uuids = [driver.start(name).UUIDString() for name in names]
    for dummy in range(3):
        assert {state for state, *dummy2 in listener.sample(driver.connection, uuids).values()} == {"running"}
    assert not listener.sampler._hung


def test_a_connection_that_is_gone_is_told(driver: Driver) -> None:
    connection, listener = libvirt.open(URI), Listener()
    connection.close()
    listener.sampler.sample(connection, [driver.start("sample-lost").UUIDString()])
    lost, detail = listener.lost.get(timeout=SOON)
    assert lost is connection and detail
    assert listener.posted.empty()
