# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of hypervisors of libvirt's test driver, and of one that never answers."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _domain_inventory
from ansible_collections.winguest.shutdown.plugins.plugin_utils._domain_inventory import Reading, ReadingError, read_all
from ansible_collections.winguest.shutdown.plugins.plugin_utils._inventory_sources import Source
from unit.plugins.libvirt_nodes import AGENT, OFF, card, domain, node, uuid_of
from unit.plugins.plugin_utils.test__inventory_sources import read

WINDOWS = "http://microsoft.com/win/2k22"


def reading(source: Source) -> Reading:
    """What was read of one hypervisor that can be."""
    (result,) = read_all([source])
    assert isinstance(result, Reading), result
    return result


def by_name(source: Source) -> dict[str, dict[str, Any]]:
    return {found["name"]: found for found in reading(source).domains}


def test_windows_domains_as_plain_data(tmp_path: Path) -> None:
    title = "<title>{{ 7 * 7 }}</title><description> a &lt; b </description>"
    uri = node(
        tmp_path / "node.xml",
        domain("web01", WINDOWS, more=title, devices=AGENT + card()),
        domain("off01", tag="", state=OFF, devices=card()),
        domain("win-by-name"),
        domain("linux", "http://debian.org/debian/12"),
    )
    (source,) = read(uri)
    found = by_name(source)
    assert sorted(found) == ["off01", "web01", "win-by-name"]
    address = {"address": "192.168.0.1", "prefix": 24, "mac": "52:54:00:00:00:01", "interface": "testnet0"}
    address |= {"network": "br0", "source": "agent"}
    assert found["web01"] == {
        "name": "web01",
        "uuid": uuid_of("web01"),
        "state": "running",
        "os": "win2k22",
        "os_id": WINDOWS,
        "known_by": "libosinfo",
        "title": "{{ 7 * 7 }}",
        "description": "a < b",
        "memory_mib": 64,
        "vcpus": 2,
        "persistent": True,
        "autostart": False,
        "agent": True,
        "networks": ["br0"],
        "addresses": [address],
    }
    off = found["off01"]
    assert (off["state"], off["known_by"], off["addresses"], off["agent"]) == ("shutoff", "tag", [], None)
    assert json.loads(json.dumps(reading(source).domains)) == reading(source).domains


def test_sources_of_addresses_in_their_order(tmp_path: Path) -> None:
    uri = node(
        tmp_path / "node.xml", domain("with", WINDOWS, devices=AGENT + card()), domain("w", WINDOWS, devices=card())
    )

    def sources(**options: Any) -> dict[str, str]:
        (source,) = read({"uri": uri, **options})
        return {name: found["addresses"][0]["source"] for name, found in by_name(source).items() if found["addresses"]}

    assert sources() == {"with": "agent", "w": "lease"}
    assert sources(address_sources=["arp", "agent"]) == {"with": "arp", "w": "arp"}
    assert sources(address_sources=["agent"]) == {"with": "agent"}
    assert sources(read_only=True) == {"with": "lease", "w": "lease"}
    assert sources(address_sources=[]) == {} == sources(address_ranges=["10.0.0.0/8"])


def test_a_hypervisor_that_fails_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    uri = node(tmp_path / "node.xml", domain("web01", WINDOWS))
    dead, bad, good = read_all(
        read(f"test+unix:///default?socket={tmp_path}/none", {"uri": "test://nowhere", "hypervisor": "b"})
        + read({"uri": uri, "hypervisor": "c"})
    )
    assert isinstance(dead, ReadingError) and "No such file" in str(dead) and "check the URI" in str(dead)
    assert isinstance(bad, ReadingError)
    assert isinstance(good, Reading) and not good.troubles and [found["name"] for found in good.domains] == ["web01"]


def test_a_hypervisor_that_never_answers_has_its_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        began = time.monotonic()
        (source,) = read({"uri": f"test+unix:///default?socket={tmp_path}/s", "timeout": 0.3})
        (result,) = read_all([source])
        assert isinstance(result, ReadingError) and "no answer within" in str(result)
        assert time.monotonic() - began < 20


class Hang:
    """The first call of this name on the domain "hangs", which hangs until release; the test driver's own never do."""

    def __init__(self, call: str) -> None:
        self._call = call
        self._begun = False
        self._released = threading.Event()
        self.release = self._released.set
        self.connections = 0

    def connection(self, connection: Any) -> Any:
        """The connection with such a domain."""
        self.connections += 1
        return Proxy(connection, "lookupByUUIDString", lambda uuid: self._domain(connection.lookupByUUIDString(uuid)))

    def _domain(self, domain: Any) -> Any:
        if domain.name() != "hangs":
            return domain

        def call(*arguments: Any) -> Any:
            if not self._begun:
                self._begun = True
                self._released.wait(60)
            return getattr(domain, self._call)(*arguments)

        return Proxy(domain, self._call, call)


class Proxy:
    """An object of libvirt's with another method of that name."""

    def __init__(self, real: Any, name: str, method: Any) -> None:
        self._real = real
        setattr(self, name, method)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(("call", "missing"), [("interfaceAddresses", False), ("XMLDesc", True)])
def test_a_domain_that_hangs_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, missing: bool
) -> None:
    names = ["a", "b", "c", "d", "e", "hangs", "z"]
    uri = node(tmp_path / "node.xml", *[domain(name, WINDOWS, devices=AGENT + card()) for name in names])
    hang = Hang(call)
    really_open = libvirt.open
    monkeypatch.setattr(libvirt, "open", lambda text: hang.connection(really_open(text)))
    monkeypatch.setattr(_domain_inventory, "CALL_LIMIT", 1.0)
    try:
        (source,) = read({"uri": uri, "agent_timeout": 1.0})
        result = reading(source)
    finally:
        hang.release()
    told = {found["name"]: found["addresses"][0]["source"] for found in result.domains}
    hanging = told.pop("hangs", None)
    assert told == dict.fromkeys([name for name in names if name != "hangs"], "agent")
    if missing:
        assert hanging is None and "1 domains could not be read" in result.troubles[0]
        assert "'hangs': no answer within 1 s" in result.troubles[0]
    else:
        assert hanging == "lease" and not result.troubles
        assert hang.connections == 2, "a connection is used that a call hangs on"


def test_a_hypervisor_whose_time_is_over_tells_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_domain_inventory, "_look", lambda *dummy: time.sleep(0.2))
    uri = node(tmp_path / "node.xml", *[domain(f"w{number}", WINDOWS) for number in range(40)])
    (source,) = read({"uri": uri, "timeout": 0.5})
    result = reading(source)
    assert not result.domains
    assert "40 domains could not be read" in result.troubles[0] and "; and others" in result.troubles[0]


def test_an_answer_without_sense_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = node(tmp_path / "node.xml", domain("w", WINDOWS, devices=AGENT + card()))
    for nonsense in (
        7,
        {"lo": 7},
        {"lo": {"addrs": 7}},
        {"lo": {"addrs": [7]}},
        {"lo": {"addrs": [{"addr": "::2", "prefix": "x"}]}},
    ):
        monkeypatch.setattr(
            _domain_inventory, "_interface_addresses", lambda *dummy, nonsense=nonsense: lambda *dummy: nonsense
        )
        (source,) = read(uri)
        assert by_name(source)["w"]["addresses"] == []


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*dummy: Any) -> None:
        raise ValueError("\x1b[2J")

    monkeypatch.setattr(_domain_inventory, "_look", fail)
    (source,) = read(node(tmp_path / "node.xml", domain("w", WINDOWS)))
    (trouble,) = reading(dataclasses.replace(source)).troubles
    assert "\x1b" not in trouble and "[2J" in trouble
