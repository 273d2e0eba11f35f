# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of hypervisors: defaults, own ones, what is refused, and when what was cached is still good."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils._inventory_sources import Source, read_sources

DEFAULTS: dict[str, Any] = {
    "name_pattern": ["win*"],
    "read_only": False,
    "timeout": 60.0,
    "agent_timeout": 6.0,
    "address_sources": ["agent", "lease", "arp"],
    "address_networks": [],
    "address_ranges": [],
    "address_family": "prefer_ipv4",
    "link_local": False,
}


def read(*uris: Any, **options: Any) -> list[Source]:
    return read_sources({**DEFAULTS, **options, "uris": list(uris)}, lambda name: name.replace("-", "_"))


def test_entries() -> None:
    here, there, named = read(
        "qemu:///system",
        {"uri": "qemu+ssh://kvm01/system"},
        {"uri": "qemu+tls://10.0.0.3/system", "hypervisor": "kvm03", "local_uri": "qemu:///session", "timeout": 5}
        | {"name_pattern": "db*", "address_ranges": ["10.0.0.0/8"], "read_only": "yes", "address_sources": ["arp"]},
    )
    assert [source.hypervisor for source in (here, there, named)] == ["localhost", "kvm01", "kvm03"]
    assert [source.local_uri for source in (here, there, named)] == [
        "qemu:///system",
        "qemu:///system",
        "qemu:///session",
    ]
    assert (here.name_pattern, here.timeout, here.read_only) == (("win*",), 60, False)
    assert (named.name_pattern, named.timeout, named.read_only) == (("db*",), 5, True)
    assert named.address_sources == ("arp",) and named.wanted.ranges == (ipaddress.ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("entries", "options", "told"),
    [
        ([], {}, "uris is empty"),
        (["qemu:///system", "kvm01"], {}, r"uris\[1\]: 'kvm01' is no libvirt URI"),
        ([7], {}, r"uris\[0\]: it is 7; give a URI, or a dictionary with uri"),
        ([{"hypervisor": "a"}], {}, "missing required arguments: uri"),
        ([{"uri": "qemu:///system", "name": "a"}], {}, r"uris\[0\]: unsupported name; supported are uri, hypervisor"),
        ([{"uri": "qemu:///system", "address_sources": ["dns"]}], {}, "address_sources must be one or more of"),
        ([{"uri": "qemu:///system", "timeout": 0}], {}, "timeout is 0; it must be more than 0"),
        (["qemu:///system"], {"agent_timeout": float("nan")}, "agent_timeout is nan"),
        (["qemu:///system"], {"address_ranges": ["10.1.2.3/8"]}, "host bits set; a range is"),
        (["qemu:///system", "qemu:///session"], {}, r"uris\[1\]: .* named 'localhost', like that of uris\[0\]"),
        (["qemu://a-b/system", "qemu://a_b/system"], {}, r"uris\[1\]: .* give one of them another name"),
    ],
)
def test_errors(entries: list[Any], options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(*entries, **options)


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"uris\[0\]: .*; uris\[2\]: "):
        read("x", "qemu:///system", "y")


def test_the_digest_tells_what_is_read() -> None:
    (source,) = read("qemu:///system")
    assert source.digest == read("qemu:///system")[0].digest
    assert source.digest == read({"uri": "qemu:///system", "hypervisor": "other"})[0].digest
    others = [
        read("qemu:///session"),
        *[
            read("qemu:///system", **{name: value})
            for name, value in (
                ("name_pattern", ["w*"]),
                ("read_only", True),
                ("agent_timeout", 9.0),
                ("address_sources", ["arp"]),
                ("address_networks", ["x"]),
                ("address_ranges", ["10.0.0.0/8"]),
                ("address_family", "ipv6"),
                ("link_local", True),
            )
        ],
    ]
    digests = {other.digest for (other,) in others}
    assert len(digests) == len(others) and source.digest not in digests
