# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""A domain's addresses: which of those that libvirt tells are usable, and which is the best. Pure.

What a guest agent tells is the guest's own words, so an address is taken for one only when it is one.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t
import xml.etree.ElementTree as ET

IpNetwork = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
IpAddress = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

FAMILIES: dict[str, tuple[int, ...]] = {
    "prefer_ipv4": (4, 6),
    "prefer_ipv6": (6, 4),
    "ipv4": (4,),
    "ipv6": (6,),
}
"""The versions of IP that are wanted, the best first."""

MOST = 64
"""Addresses that are looked at; a guest may claim any number."""

LONGEST_NAME = 100


@dataclasses.dataclass(frozen=True)
class Address:
    """One address. interface: the card's name, in the guest or on the hypervisor; network: what it is plugged into."""

    address: str
    prefix: int
    mac: str
    interface: str
    network: str
    source: str


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which addresses are wanted. Networks and ranges restrict only where there are any, and the first is the best."""

    networks: tuple[str, ...] = ()
    ranges: tuple[IpNetwork, ...] = ()
    family: str = "prefer_ipv4"
    link_local: bool = False


def cards(definition: ET.Element) -> dict[str, str]:
    """The domain's network cards: what each is plugged into (a libvirt network, a bridge, a device), by its MAC."""
    found = {}
    for card in definition.findall("./devices/interface"):
        mac, source = card.find("mac"), card.find("source")
        if mac is None:
            continue
        plugs = source.attrib if source is not None else {}
        network = next((plugs[name] for name in ("network", "bridge", "dev") if name in plugs), card.get("type", ""))
        found[mac.get("address", "").lower()] = network
    return found


def told(answer: t.Any, plugged: t.Mapping[str, str], source: str) -> list[Address]:
    """The addresses in libvirt's answer, as far as they are any. plugged: the domain's cards."""
    found: list[Address] = []
    for interface, told_of in (answer or {}).items():
        mac = str(told_of.get("hwaddr") or "").lower()
        for entry in told_of.get("addrs") or ():
            address = _parsed(entry.get("addr"))
            if address is not None and len(found) < MOST:
                network = plugged.get(mac, "")
                name = str(interface)[:LONGEST_NAME]
                found.append(Address(str(address), int(entry.get("prefix") or 0), mac[:17], name, network, source))
    return found


def _parsed(text: t.Any) -> IpAddress | None:
    """The address without its zone, which may be any text; None for what is none."""
    try:
        return ipaddress.ip_address(str(text).partition("%")[0])
    except ValueError:
        return None


def usable(found: t.Sequence[Address], plugged: t.Mapping[str, str], wanted: Wanted) -> list[Address]:
    """Those that are wanted, the best first.

    Never wanted are loopback and the like, and, of a domain with cards, addresses of others: tunnels, containers, VPNs.
    """
    ranked: list[tuple[tuple[int, int, int], Address]] = []
    for entry in found:
        rank = _rank(entry, wanted)
        if rank is not None and (not plugged or entry.mac in plugged):
            ranked.append((rank, entry))
    return [entry for dummy, entry in sorted(ranked, key=lambda one: one[0])]


def _rank(entry: Address, wanted: Wanted) -> tuple[int, int, int] | None:
    """How good an address is, the best having the lowest rank; None for one that is not wanted."""
    address = ipaddress.ip_address(entry.address)
    network = _place([name == entry.network for name in wanted.networks])
    within = _place([address in network for network in wanted.ranges])
    version = _place([address.version == version for version in FAMILIES[wanted.family]])
    if network is None or within is None or version is None:
        return None
    if _useless(address) or (address.is_link_local and not wanted.link_local):
        return None
    return network, within, version


def _useless(address: IpAddress) -> bool:
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    return mapped or address.is_loopback or address.is_multicast or address.is_unspecified or address.is_reserved


def _place(choices: t.Sequence[bool]) -> int | None:
    """The place of the first choice that holds; 0 where there is no choice, None where none holds."""
    if not choices:
        return 0
    return choices.index(True) if True in choices else None
