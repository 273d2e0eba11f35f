# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Samples of the domains of libvirt's test driver, which has states but no block statistics."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections import Counter
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _sampler
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Event, StateSeen
from ansible_collections.winguest.shutdown.plugins.module_utils._sampler import DOMAINS_A_CALL, Sampler
from unit.plugins.libvirt_test_driver import URI, Driver, domain_xml

SOON = 10.0
GONE = ("gone", "no such domain", None)

Found = tuple[str, str, "int | None"]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no QEMU that hangs."""
    monkeypatch.setattr(_sampler, "CALL_LIMIT", SOON / 2)


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
        return {uuid: (e.state, e.reason, e.domain_id) for uuid, e in self._samples(connection, uuids).items()}

    def writes(self, connection: Any, uuids: list[str]) -> list[int | None]:
        """How much each of these domains has written."""
        samples = self._samples(connection, uuids)
        return [samples[uuid].write_bytes for uuid in uuids]

    def _samples(self, connection: Any, uuids: list[str]) -> dict[str, StateSeen]:
        while self.sampler._under_way:  # what was posted last may not have been put away yet
            time.sleep(0.001)
        began = time.monotonic()
        self.sampler.sample(connection, uuids)
        found = {}
        for dummy in uuids:
            uuid, event = self.posted.get(timeout=SOON)
            assert isinstance(event, StateSeen) and event.sampled
            assert event.taken_at is not None and began <= event.taken_at <= time.monotonic()
            found[uuid] = event
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


class Counting:
    """A connection that counts the calls of libvirt, and may keep silent about a domain."""

    def __init__(self, connection: Any, silent: str = "") -> None:
        self.calls: Counter[str] = Counter()
        self._connection, self._silent = connection, silent

    def lookupByUUIDString(self, uuid: str) -> Any:
        self.calls["look-up"] += 1
        return self._connection.lookupByUUIDString(uuid)

    def domainListGetStats(self, *arguments: Any) -> list[Any]:
        self.calls["states"] += 1
        told = self._connection.domainListGetStats(*arguments)
        return [one for one in told if one[0].UUIDString() != self._silent]


def test_each_domain_is_looked_up_once_and_many_are_asked_for_in_a_call(driver: Driver) -> None:
    uuids = [driver.start(f"counted-{number}").UUIDString() for number in range(4)]
    listener, connection = Listener(), Counting(driver.connection)
    for dummy in range(3):
        assert {found[0] for found in listener.sample(connection, uuids).values()} == {"running"}
    assert connection.calls == {"look-up": 4, "states": 3}
    assert listener.sample(Counting(driver.connection), uuids).keys() == set(uuids)  # another one knows none of them


def test_one_that_is_not_told_is_looked_at_by_itself(driver: Driver) -> None:
    uuids = [driver.start(f"untold-{number}").UUIDString() for number in range(2)]
    connection = Counting(driver.connection, silent=uuids[0])
    found = Listener().sample(connection, uuids)
    assert [found[uuid][0] for uuid in uuids] == ["running", "running"]


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
        assert {found[0] for found in listener.sample(driver.connection, uuids).values()} == {"running"}
        assert listener.writes(driver.connection, uuids) == [None] * len(uuids)
    assert not listener.sampler._hung


class Statistics:
    """A connection to QEMUs, of which the test driver has none; those that hang do so until they are let go."""

    def __init__(self, *hanging: str, let_go_when_forgotten: bool = False) -> None:
        self.asked: list[list[str]] = []
        self._hanging, self._let_go_when_forgotten = set(hanging), let_go_when_forgotten
        self.let_go = threading.Event()

    def get(self) -> Statistics:
        return self

    def forget(self) -> None:
        if self._let_go_when_forgotten:
            self.let_go.set()
            time.sleep(0.1)

    def lookupByUUIDString(self, uuid: str) -> Named:
        return Named(uuid)

    def domainListGetStats(self, domains: list[Named], stats: int, flags: int) -> list[Any]:
        self.asked.append([domain.uuid for domain in domains])
        if self._hanging & {domain.uuid for domain in domains}:
            self.let_go.wait(SOON)
        return [(domain, {"block.0.wr.bytes": 5}) for domain in domains]


@dataclasses.dataclass(frozen=True)
class Named:
    """A domain."""

    uuid: str

    def UUIDString(self) -> str:
        return self.uuid


def test_one_that_hangs_costs_the_others_no_more_than_a_sample(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sampler, "CALL_LIMIT", 0.7)
    uuids = [driver.start(f"hanging-{name}").UUIDString() for name in "abc"]
    listener, statistics = Listener(), Statistics(uuids[1])
    monkeypatch.setattr(listener.sampler, "_shared", statistics)
    assert listener.writes(driver.connection, uuids) == [None, None, None]
    assert listener.writes(driver.connection, uuids) == [5, None, 5]
    del statistics.asked[:]
    assert listener.writes(driver.connection, uuids) == [5, None, 5]
    assert sorted(statistics.asked) == sorted([[uuids[0]], [uuids[2]]])  # the one that hangs is left alone
    statistics.let_go.set()
    give_up_at = time.monotonic() + SOON
    while listener.writes(driver.connection, uuids) != [5, 5, 5]:
        assert time.monotonic() < give_up_at


def test_one_that_answers_just_too_late_is_asked_again(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sampler, "CALL_LIMIT", 0.7)
    uuid = driver.start("late").UUIDString()
    listener = Listener()
    monkeypatch.setattr(listener.sampler, "_shared", Statistics(uuid, let_go_when_forgotten=True))
    assert listener.writes(driver.connection, [uuid]) == [None]
    assert listener.writes(driver.connection, [uuid]) == [5]


def test_one_that_cannot_be_told_about_costs_the_others_no_more_than_a_sample(driver: Driver) -> None:
    """libvirt refuses the lookup of what is no UUID, with an error that is not about a missing domain."""
    uuid, listener = driver.start("beside-refused").UUIDString(), Listener()
    sampler = listener.sampler
    sampler.sample(driver.connection, [uuid, "refused"])
    give_up_at = time.monotonic() + SOON
    while uuid not in sampler._alone:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    while listener.posted.empty():
        assert time.monotonic() < give_up_at
        sampler.sample(driver.connection, [uuid, "refused"])
        time.sleep(0.05)
    assert listener.posted.get()[0] == uuid


def test_a_connection_that_is_gone_is_told(driver: Driver) -> None:
    connection, listener = libvirt.open(URI), Listener()
    connection.close()
    listener.sampler.sample(connection, [driver.start("sample-lost").UUIDString()])
    lost, detail = listener.lost.get(timeout=SOON)
    assert lost is connection and detail
    assert listener.posted.empty()
