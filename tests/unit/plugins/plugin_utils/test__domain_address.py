# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses are usable, which is the best, and what a hostile agent's answer comes to."""

from __future__ import annotations

import ipaddress
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils._domain_address import MOST, Wanted, cards, told, usable
from unit.plugins.libvirt_nodes import card, domain

MAC, OTHER, FOREIGN = "52:54:00:00:00:01", "52:54:00:00:00:02", "00:15:5d:00:00:01"
PLUGGED = {MAC: "front", OTHER: "back"}


def answer(**by_mac: list[str]) -> dict[str, Any]:
    """What libvirt's bindings return, with the MACs in short."""
    macs = {"mac": MAC, "other": OTHER, "foreign": FOREIGN}
    return {
        f"Ethernet {name}": {"hwaddr": macs[name].upper(), "addrs": [{"addr": text, "prefix": 24} for text in texts]}
        for name, texts in by_mac.items()
    }


def best(found: dict[str, Any], plugged: dict[str, str] | None = None, **options: Any) -> list[str]:
    plugged = PLUGGED if plugged is None else plugged
    options["ranges"] = tuple(ipaddress.ip_network(text) for text in options.get("ranges", ()))
    return [entry.address for entry in usable(told(found, plugged, "agent"), plugged, Wanted(**options))]


def test_cards() -> None:
    devices = (
        f"{card(MAC.upper())}<interface type='network'><mac address='{OTHER}'/><source network='lan' bridge='virbr0'/>"
        "</interface><interface type='direct'><mac address='52:54:00:00:00:03'/><source dev='eth0'/></interface>"
        "<interface type='user'><mac address='52:54:00:00:00:04'/></interface><interface type='user'/>"
    )
    assert list(cards(ET.fromstring(domain("a", devices=devices))).values()) == ["br0", "lan", "eth0", "user"]
    assert MAC in cards(ET.fromstring(domain("a", devices=devices)))


def test_an_address_has_its_card() -> None:
    (entry,) = told(answer(mac=["10.0.0.1"]), PLUGGED, "agent")
    assert (entry.address, entry.prefix, entry.mac) == ("10.0.0.1", 24, MAC)
    assert (entry.interface, entry.network, entry.source) == ("Ethernet mac", "front", "agent")


@pytest.mark.parametrize(
    "useless",
    [
        *("127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:10.0.0.1"),
        *("169.254.3.4", "fe80::1", "fe80::1%eth0"),
    ],
)
def test_never_usable(useless: str) -> None:
    assert best(answer(mac=[useless])) == []
    assert best(answer(mac=[useless, "10.0.0.1"])) == ["10.0.0.1"]


def test_link_local_when_wanted_and_without_its_zone() -> None:
    found = answer(mac=["fe80::1%{{ 7 * 7 }}", "169.254.3.4"])
    assert best(found, link_local=True) == ["169.254.3.4", "fe80::1"]


def test_addresses_of_other_cards_only_for_a_domain_without_any() -> None:
    found = answer(foreign=["10.9.0.1"], mac=["10.0.0.1"])
    assert best(found) == ["10.0.0.1"]
    assert best(answer(foreign=["10.9.0.1"])) == []
    assert best(answer(foreign=["10.9.0.1"]), plugged={}) == ["10.9.0.1"]


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("prefer_ipv4", ["10.0.0.1", "10.0.0.2", "2001:db8::1"]),
        ("prefer_ipv6", ["2001:db8::1", "10.0.0.1", "10.0.0.2"]),
        ("ipv4", ["10.0.0.1", "10.0.0.2"]),
        ("ipv6", ["2001:db8::1"]),
    ],
)
def test_families(family: str, expected: list[str]) -> None:
    assert best(answer(mac=["2001:db8::1", "10.0.0.1", "10.0.0.2"]), family=family) == expected


def test_networks_and_ranges_restrict_and_rank() -> None:
    found = answer(mac=["10.1.0.1", "10.2.0.1", "2001:db8::1"], other=["10.1.0.2"])
    assert best(found, networks=("back",)) == ["10.1.0.2"]
    assert best(found, networks=("back", "front")) == ["10.1.0.2", "10.1.0.1", "10.2.0.1", "2001:db8::1"]
    assert best(found, ranges=("10.2.0.0/16", "10.1.0.0/16")) == ["10.2.0.1", "10.1.0.1", "10.1.0.2"]
    assert best(found, ranges=("2001:db8::/32", "10.2.0.0/16")) == ["2001:db8::1", "10.2.0.1"]
    assert best(found, networks=("nowhere",)) == []


def test_what_is_no_address_is_left_out() -> None:
    words = ["", "10.0.0", "10.0.0.1/24", "{{ lookup('pipe', 'id') }}", "example.org", "010.0.0.1", None]
    assert told({"x": {"hwaddr": MAC, "addrs": [{"addr": word, "prefix": 1} for word in words]}}, {}, "agent") == []
    nothing: Any
    for nothing in (None, {}, {"lo": {"addrs": None, "hwaddr": None}}, {"lo": {}}):
        assert told(nothing, PLUGGED, "agent") == []


def test_a_guest_cannot_flood() -> None:
    found = {"x" * 5000: {"hwaddr": MAC * 9, "addrs": [{"addr": f"10.0.{i // 250}.{i % 250}"} for i in range(5000)]}}
    entries = told(found, PLUGGED, "agent")
    assert len(entries) == MOST
    assert len(entries[0].interface) == 100 and len(entries[0].mac) == 17 and entries[0].prefix == 0
