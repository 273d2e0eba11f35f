# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The hypervisors that an inventory is made from, and what is to be read of each: the options, checked. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import json
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _libvirt_uri
from ansible_collections.winguest.shutdown.plugins.plugin_utils._domain_address import FAMILIES, IpNetwork, Wanted

AGENT, LEASE, ARP = "agent", "lease", "arp"

FORM = 1
"""Of what is read; another one makes what was cached before worthless."""

OWN_OPTIONS: dict[str, dict[str, t.Any]] = {
    "name_pattern": {"type": "list", "elements": "str"},
    "read_only": {"type": "bool"},
    "timeout": {"type": "float"},
    "agent_timeout": {"type": "float"},
    "address_sources": {"type": "list", "elements": "str", "choices": [AGENT, LEASE, ARP]},
    "address_networks": {"type": "list", "elements": "str"},
    "address_ranges": {"type": "list", "elements": "str"},
    "address_family": {"type": "str", "choices": list(FAMILIES)},
    "link_local": {"type": "bool"},
}
"""The options that an entry of uris may have of its own."""

_ENTRY_OPTIONS: dict[str, dict[str, t.Any]] = {
    "uri": {"type": "str", "required": True},
    "hypervisor": {"type": "str"},
    "local_uri": {"type": "str"},
    **OWN_OPTIONS,
}


@dataclasses.dataclass(frozen=True)
class Source:
    """One hypervisor: where it is, its name in the inventory, and what is to be read. Times are seconds."""

    where: str
    uri: _libvirt_uri.Uri
    hypervisor: str
    local_uri: str
    name_pattern: tuple[str, ...]
    read_only: bool
    timeout: float
    agent_timeout: float
    address_sources: tuple[str, ...]
    wanted: Wanted

    @property
    def told(self) -> str:
        """It in words."""
        return f"{self.where} ({self.uri.text})"

    @property
    def digest(self) -> str:
        """A short word that is another one as soon as something else would be read."""
        limits = (self.timeout, self.agent_timeout)
        read = (self.uri.text, self.name_pattern, self.read_only, limits, self.address_sources, self.wanted)
        text = json.dumps([FORM, *read], default=lambda value: repr(dataclasses.asdict(value)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_sources(options: t.Mapping[str, t.Any], group_name: t.Callable[[str], str]) -> list[Source]:
    """The sources in uris. group_name: makes a name fit for a group. Raises ValueError with all that is wrong."""
    entries = options["uris"]
    if not entries:
        raise ValueError("uris is empty; name at least one libvirt URI, such as qemu:///system")
    sources, errors = [], []
    for index, entry in enumerate(entries):
        where = f"uris[{index}]"
        try:
            sources.append(_source(where, entry, options))
        except ValueError as error:
            errors.append(f"{where}: {error}")
    first: dict[str, Source] = {}
    for source in sources:
        other = first.setdefault(group_name(source.hypervisor), source)
        if other is not source:
            errors.append(
                f"{source.where}: the hypervisor would be named {source.hypervisor!r}, like that of {other.where}; "
                "give one of them another name with hypervisor"
            )
    if errors:
        raise ValueError("; ".join(errors))
    return sources


def _source(where: str, entry: t.Any, options: t.Mapping[str, t.Any]) -> Source:
    if isinstance(entry, str):
        entry = {"uri": entry}
    if not isinstance(entry, dict):
        raise ValueError(f"it is {entry!r}; give a URI, or a dictionary with uri")
    unknown = sorted(str(name) for name in entry.keys() - _ENTRY_OPTIONS.keys())
    if unknown:
        raise ValueError(f"unsupported {', '.join(unknown)}; supported are {', '.join(_ENTRY_OPTIONS)}")
    checked = ArgumentSpecValidator(_ENTRY_OPTIONS).validate(
        {name: value for name, value in entry.items() if value is not None}
    )
    if checked.error_messages:
        raise ValueError("; ".join(checked.error_messages))
    own = {name: value for name, value in checked.validated_parameters.items() if value is not None}
    values = {**options, **own}
    uri = _libvirt_uri.parse(values["uri"])
    for name in ("timeout", "agent_timeout"):
        if not 0 < values[name] <= 3600:
            raise ValueError(f"{name} is {values[name]:g}; it must be more than 0, and 3600 at most")
    return Source(
        where=where,
        uri=uri,
        hypervisor=own.get("hypervisor") or uri.host or _libvirt_uri.HERE,
        local_uri=own.get("local_uri") or uri.there,
        name_pattern=_texts(values["name_pattern"]),
        read_only=values["read_only"],
        timeout=values["timeout"],
        agent_timeout=values["agent_timeout"],
        address_sources=_texts(values["address_sources"]),
        wanted=Wanted(
            networks=_texts(values["address_networks"]),
            ranges=tuple(_range(text) for text in values["address_ranges"] or ()),
            family=values["address_family"],
            link_local=values["link_local"],
        ),
    )


def _texts(values: t.Sequence[str] | None) -> tuple[str, ...]:
    return tuple(str(value) for value in values or ())


def _range(text: str) -> IpNetwork:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"address_ranges: {error}; a range is 10.1.0.0/16, or 2001:db8::/32") from None
