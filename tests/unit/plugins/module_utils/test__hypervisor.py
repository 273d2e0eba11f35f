# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection, events and acts, on libvirt's test driver."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _connections, _hypervisor
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import (
    LANE_WIDTHS,
    Hypervisor,
    HypervisorError,
    Inbox,
    failed,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import (
    Changed,
    ConnectionBack,
    ConnectionLost,
    Done,
    Event,
    Started,
    StateSeen,
)
from unit.plugins.libvirt_test_driver import URI, Driver

SOON = 5.0
NOWHERE = "00000000-0000-4000-8000-000000000000"
PRESSED = Done("press", "ok")


@pytest.fixture(scope="module")
def inbox() -> Inbox:
    """Where everything that happens arrives."""
    return Inbox()


@pytest.fixture(scope="module")
def hypervisor(inbox: Inbox) -> Iterator[Hypervisor]:
    """An open connection."""
    hypervisor = Hypervisor(URI, inbox)
    yield hypervisor
    hypervisor.close()


@pytest.fixture(scope="module")
def domain(driver: Driver) -> Any:
    """A domain to act on."""
    return driver.start("acted-on")


def events_of(inbox: Inbox, uuid: str | None, last: Event) -> list[Event]:
    """What happened to this domain until now, and what happens until the last of these events has arrived."""
    events: list[Event] = []
    while last not in events:
        of, event = inbox.get(timeout=SOON)
        if of == uuid:
            events.append(event)
    return events


def always() -> bool:
    return True


def test_it_opens(hypervisor: Hypervisor) -> None:
    assert hypervisor.connection.isAlive() and hypervisor.connection.getURI() == URI


@pytest.mark.parametrize(
    "uri", ["nonsense:///system", "test:///no/such/node.xml", "qemu+unix:///system?socket=/no/such"]
)
def test_a_uri_that_leads_nowhere(uri: str) -> None:
    with pytest.raises(HypervisorError) as raised:
        Hypervisor(uri, Inbox())
    assert str(raised.value).startswith(f"cannot connect to libvirt at uri {uri!r}: ")
    assert "check the uri" in str(raised.value)


# ---- events


@pytest.mark.parametrize(
    ("act", "event"),
    [
        ("shutdown", StateSeen("shutoff", "shutdown")),
        ("destroy", StateSeen("shutoff", "destroyed")),
        ("managedSave", StateSeen("shutoff", "saved")),
    ],
)
def test_events_that_tell_a_state(driver: Driver, hypervisor: Hypervisor, inbox: Inbox, act: str, event: Event) -> None:
    domain = driver.start(f"event-{act}")
    getattr(domain, act)()
    assert events_of(inbox, domain.UUIDString(), event) == [Changed(), Changed(), event]  # defined, started, ended


def test_events_that_only_tell_of_a_change(driver: Driver, hypervisor: Hypervisor, inbox: Inbox) -> None:
    domain = driver.start("event-others")
    domain.suspend()
    domain.resume()
    domain.destroy()
    end = StateSeen("shutoff", "destroyed")
    assert events_of(inbox, domain.UUIDString(), end) == [Changed()] * 4 + [end]


# ---- acts


@pytest.mark.parametrize("lane", LANE_WIDTHS)
def test_what_an_act_returns_is_posted(domain: Any, hypervisor: Hypervisor, inbox: Inbox, lane: str) -> None:
    done = Done("thaw", "ok", f"acted-on in {lane}")
    hypervisor.act(lane, domain.UUIDString(), "thaw", lambda c, d: Done("thaw", "ok", f"{d.name()} in {lane}"), always)
    events = events_of(inbox, domain.UUIDString(), done)
    assert [event for event in events if event != Changed()] == [Started("thaw"), done]


@pytest.mark.parametrize(
    ("uuid", "call", "detail"),
    [
        (None, lambda connection, domain: domain.pMWakeup(0), "not supported by the connection driver"),
        (None, lambda connection, domain: 1 // 0, "ZeroDivisionError: integer"),
        (NOWHERE, lambda connection, domain: None, "Domain not found"),
    ],
)
def test_an_act_that_fails(domain: Any, hypervisor: Hypervisor, uuid: str | None, call: Any, detail: str) -> None:
    answers = queue.SimpleQueue[Event]()
    hypervisor.act("act", uuid or domain.UUIDString(), "wake", call, always, answers.put)
    assert answers.get(timeout=SOON) == Started("wake"), "one that cannot be begun would be begun again and again"
    done = answers.get(timeout=SOON)
    assert isinstance(done, Done)
    assert (done.act, done.result) == ("wake", "failed") and detail in done.detail


def test_a_libvirt_that_takes_no_connection_fails_the_act(
    driver: Driver, hypervisor: Hypervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that has no file descriptor left: its clients wait for ever."""
    monkeypatch.setattr(_connections, "OPEN_LIMIT", 0.2)
    answers = queue.SimpleQueue[Event]()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "socket"))
        silent.listen()
        connections = _connections.ThreadConnections(f"test+unix:///default?socket={tmp_path}/socket")
        monkeypatch.setattr(hypervisor, "_connections", connections)
        hypervisor.act("end", NOWHERE, "destroy", lambda connection, domain: None, always, answers.put)
        assert answers.get(timeout=SOON) == Started("destroy")
        done = answers.get(timeout=SOON)
    assert done == Done("destroy", "failed", "libvirt takes no new connection: no answer within 0.2 s")


def test_an_act_whose_connection_is_broken_is_lost(hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = queue.SimpleQueue[Event]()
    connections = _connections.ThreadConnections("test+unix:///default?socket=/no/such")
    monkeypatch.setattr(hypervisor, "_connections", connections)
    hypervisor.act("act", NOWHERE, "press", lambda connection, domain: None, always, answers.put)
    assert answers.get(timeout=SOON) == Started("press")
    done = answers.get(timeout=SOON)
    assert isinstance(done, Done) and (done.act, done.result) == ("press", "lost")


def test_an_act_that_is_not_wanted_any_more_is_dropped(domain: Any, hypervisor: Hypervisor) -> None:
    answers = queue.SimpleQueue[Event]()

    def destroy(connection: Any, domain: Any) -> Done:
        domain.destroy()
        return Done("destroy", "ok")

    hypervisor.act("end", domain.UUIDString(), "destroy", destroy, lambda: False, answers.put)
    done = answers.get(timeout=SOON)
    assert isinstance(done, Done) and (done.act, done.result) == ("destroy", "dropped")
    assert answers.empty() and domain.isActive()


def test_whether_an_act_is_wanted_is_asked_when_its_turn_comes(domain: Any, hypervisor: Hypervisor) -> None:
    answers, release, width = queue.SimpleQueue[Event](), threading.Event(), LANE_WIDTHS["end"]

    def block(connection: Any, domain: Any) -> Done:
        release.wait(SOON)
        return PRESSED

    wanted = threading.Event()
    wanted.set()
    for dummy in range(width + 1):
        hypervisor.act("end", domain.UUIDString(), "press", block, wanted.is_set, answers.put)
    assert [answers.get(timeout=SOON) for dummy in range(width)] == [Started("press")] * width
    wanted.clear()
    release.set()
    rest = [answers.get(timeout=SOON) for dummy in range(width + 1)]
    assert sorted(event.result for event in rest if isinstance(event, Done)) == ["dropped", *["ok"] * width]


def test_blocked_acts_hold_up_no_other_lane_and_no_samples(driver: Driver) -> None:
    inbox = Inbox()
    hypervisor = Hypervisor(URI, inbox)
    uuid, release, answers = driver.start("held-up").UUIDString(), threading.Event(), queue.SimpleQueue[Event]()

    def block(connection: Any, domain: Any) -> Done:
        release.wait(SOON)
        return Done("agent", "ok")

    for dummy in range(10):
        hypervisor.act("agent", uuid, "agent", block, always)
    for lane in ("act", "save", "end"):
        hypervisor.act(lane, uuid, "press", lambda connection, domain: PRESSED, always, answers.put)
    assert sum(answers.get(timeout=SOON) == PRESSED for dummy in range(6)) == 3
    hypervisor.sample([uuid])
    while True:
        event = inbox.get(timeout=SOON)[1]
        if isinstance(event, StateSeen) and event.sampled:
            break
    release.set()
    hypervisor.close()


def test_finish_waits_for_what_has_begun_but_not_for_ever(domain: Any, hypervisor: Hypervisor) -> None:
    release = threading.Event()
    uuid, began = domain.UUIDString(), time.monotonic()
    hypervisor.act("save", uuid, "save", lambda c, d: Done("save", "ok", str(release.wait(SOON))), always)
    hypervisor.finish("save", 0.1)
    assert 0.1 <= time.monotonic() - began < SOON
    release.set()
    hypervisor.finish("save", SOON)
    assert time.monotonic() - began < SOON


def test_what_a_connection_may_not_do_is_told_apart(domain: Any) -> None:
    connection = libvirt.openReadOnly(URI)
    with pytest.raises(libvirt.libvirtError) as raised:
        connection.lookupByUUIDString(domain.UUIDString()).destroy()
    assert failed("destroy", raised.value).result == "denied"
    connection.close()


# ---- coming back


def test_a_connection_that_is_back_sees_events_and_samples_again(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_hypervisor, "RETRY_INTERVAL", 0.05)
    inbox = Inbox()
    hypervisor = Hypervisor(URI, inbox)
    hypervisor.connection.close()
    hypervisor.reconnect(time.monotonic() + SOON)
    events_of(inbox, None, ConnectionBack())
    domain = driver.start("after-reconnect")
    hypervisor.sample([domain.UUIDString()])
    sampled = False
    while not sampled:
        event = inbox.get(timeout=SOON)[1]
        sampled = isinstance(event, StateSeen) and event.sampled and event.domain_id == domain.ID()
    domain.destroy()
    events_of(inbox, domain.UUIDString(), StateSeen("shutoff", "destroyed"))
    hypervisor.close()


def test_it_gives_up_coming_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hypervisor, "RETRY_INTERVAL", 0.05)
    inbox = Inbox()
    hypervisor = Hypervisor(URI, inbox)
    hypervisor.uri = "test:///no/such/node.xml"
    hypervisor.reconnect(time.monotonic() + 0.2)
    (attempt,) = (thread for thread in threading.enumerate() if thread.name == "reconnect")
    attempt.join(SOON)
    assert not attempt.is_alive() and inbox.empty()
    hypervisor.close()


def test_a_lost_connection_is_told_until_it_is_closed(driver: Driver) -> None:
    inbox = Inbox()
    hypervisor = Hypervisor(URI, inbox)
    uuid = driver.start("lost").UUIDString()
    for dummy in ("defined", "started"):
        assert inbox.get(timeout=SOON) == (uuid, Changed())
    hypervisor.connection.close()
    hypervisor.sample([uuid])
    of, lost = inbox.get(timeout=SOON)
    assert of is None and isinstance(lost, ConnectionLost) and lost.detail
    hypervisor.close()
    hypervisor.sample([uuid])
    with pytest.raises(queue.Empty):
        inbox.get(timeout=0.2)
