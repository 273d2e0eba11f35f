# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: E402 - Ansible wants the documentation before the imports

"""Windows domains of libvirt hypervisors as inventory hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: domains
short_description: Windows domains of libvirt hypervisors as hosts
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Makes the Windows domains of any number of libvirt hypervisors hosts of the inventory, and the hypervisors too, so
    that the playbooks of this collection need no other inventory.
  - The configuration is a YAML file whose name is, or after a dot ends with, C(winguest.yml), C(winguest.yaml),
    C(domains.yml) or C(domains.yaml).
  - A domain is a Windows when libosinfo's metadata in its definition says so, which C(virt-install), virt-manager,
    Cockpit and others write; or when its name matches O(name_pattern); or when it has the collection's own tag.
  - The tag is the element C(guest) of the namespace C(urn:winguest:guest:1) in the domain's metadata, and it outweighs
    the other two. Its attribute C(os) has a short id of libosinfo, such as C(win2k22). Without it the tag says only
    that the domain is a Windows, and with anything that does not begin with C(win), that it is none.
  - "The tag is set by C(virsh metadata web01 urn:winguest:guest:1 --key guest --set '<guest os=\"win2k22\"/>' --config
    --live), without C(--live) for a domain that is off, and taken away by the same with C(--remove) in place of
    C(--key) and C(--set)."
  - Nothing is changed in libvirt, in domains or in guests. Guest agents are asked for their guests' addresses.
  - "Each guest has the variables C(winguest_domain), C(winguest_uuid), C(winguest_hypervisor) (its hypervisor's name in
    the inventory), C(winguest_uri) (libvirt's URI as seen from the hypervisor), and C(winguest_state), which is
    C(running), C(paused), C(in_shutdown), C(shutoff), C(crashed), C(pmsuspended) or C(nostate)."
  - "About its system: C(winguest_os) (libosinfo's short id, or C(windows)), C(winguest_os_id) (its long one, or empty)
    and C(winguest_known_by) (C(tag), C(libosinfo) or C(name_pattern))."
  - "About its network: C(winguest_address) and C(winguest_address_source), both null where there is none,
    C(winguest_addresses) (the usable ones, the best first, each with C(address), C(prefix), which is 0 where it is not
    told, C(mac), C(interface), C(network) and C(source)), and C(winguest_networks) (what its cards are plugged into)."
  - "About its domain: C(winguest_title), C(winguest_description), C(winguest_memory_mib), C(winguest_vcpus),
    C(winguest_persistent), C(winguest_autostart), and C(winguest_agent) (whether a guest agent has opened its channel,
    null where there is no channel)."
  - C(ansible_host) is the guest's address, where there is one that no other guest has. Otherwise Ansible takes the
    host's name for its address, as it always does.
  - "Groups are C(windows) (all guests), C(hypervisors), and for the guests C(state_STATE), C(hypervisor_NAME) and
    C(os_OS), with other characters than letters, digits and underscores replaced by underscores."
  - C(windows) has the variable C(ansible_connection) (see O(connection)), which yields to C(group_vars). Each
    hypervisor has C(winguest_uri) and what its URI tells of the connection to it, which like all variables of a host
    yields to C(host_vars), and a guest's also to O(compose). Credentials are not set.
  - No name or other text from libvirt or a guest is ever evaluated as a template. A name that means something else in
    the inventory (C(localhost), a group's, a hypervisor's) is never a guest's, see O(hostname).
requirements:
  - On the controller libvirt's Python bindings, C(libvirt-python) (the package C(python3-libvirt) of the distribution),
    for the Python that runs Ansible. Other plugins of this collection do not need them there.
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description:
      - The name of this plugin, for Ansible to know whose configuration it is.
    type: str
    required: true
    choices: [winguest.shutdown.domains]
  uris:
    description:
      - "The hypervisors: libvirt connection URIs, as seen from the controller, such as V(qemu:///system) or
        V(qemu+ssh://root@kvm01/system)."
      - An entry may be a dictionary instead. It has C(uri), and may have C(hypervisor), the hypervisor's name in the
        inventory, which is by default the URI's host, or V(localhost) for a URI without one; C(local_uri), the URI as
        seen from the hypervisor, which by default is made from C(uri); and these options of the plugin's, which then
        hold for that hypervisor, O(name_pattern), O(read_only), O(timeout), O(agent_timeout), O(address_sources),
        O(address_networks), O(address_ranges), O(address_family) and O(link_local).
      - Two hypervisors of one name, or whose names make the same group name, are an error.
      - A URI of C(ssh) gets libvirt's parameter C(no_tty=1), unless it has C(no_tty). C(ssh) then fails where it would
        have asked for a password or about a host key, and the inventory does not wait for somebody to answer.
      - A hypervisor that cannot be read is an error with O(strict=true), and otherwise a warning; its guests are
        missing then, it itself is not, and it is tried again at the next run even if a cache is used.
    type: list
    elements: raw
    required: true
    env:
      - name: WINGUEST_INVENTORY_URIS
    ini:
      - section: winguest_inventory
        key: uris
  name_pattern:
    description:
      - Domains whose names match one of these shell patterns (C(*), C(?), C([abc]), case-sensitive) are Windows, too.
    type: list
    elements: str
    default: []
    env:
      - name: WINGUEST_INVENTORY_NAME_PATTERN
    ini:
      - section: winguest_inventory
        key: name_pattern
  read_only:
    description:
      - Open read-only connections, which libvirt allows to more users. It then refuses to ask guest agents, so that the
        source V(agent) of O(address_sources) is left out.
    type: bool
    default: false
    env:
      - name: WINGUEST_INVENTORY_READ_ONLY
    ini:
      - section: winguest_inventory
        key: read_only
  timeout:
    description:
      - Seconds that one hypervisor may take in all. Up to 16 are read at a time.
      - Domains that were not read by then are missing, which is a warning, or with O(strict=true) an error.
    type: float
    default: 60
    env:
      - name: WINGUEST_INVENTORY_TIMEOUT
    ini:
      - section: winguest_inventory
        key: timeout
  agent_timeout:
    description:
      - Seconds that a guest agent may take to tell the addresses. libvirt itself gives an agent that does not answer at
        all up after 5. Four domains of a hypervisor are read at a time.
      - A guest whose agent is late is not missing; its address comes from the next source.
    type: float
    default: 6
    env:
      - name: WINGUEST_INVENTORY_AGENT_TIMEOUT
    ini:
      - section: winguest_inventory
        key: agent_timeout
  address_sources:
    description:
      - Where the address of a running guest is looked for. The first source with a usable address is taken.
      - V(agent) is the guest agent of a running guest, and as true as the guest. V(lease) are the DHCP leases that
        libvirt has given on networks of its own. V(arp) is what the hypervisor's neighbour table knows; it may be old,
        and does not have guests that the hypervisor has not heard of lately.
      - Without any, nothing is asked for addresses.
      - Two guests with the same address are a warning, and C(ansible_host) is set for neither, because a task for one
        of them must not meet the other.
    type: list
    elements: str
    choices: [agent, lease, arp]
    default: [agent, lease, arp]
  address_networks:
    description:
      - Only addresses of cards that are plugged into one of these. Each is the name of a libvirt network, or, for cards
        that are in none, of the bridge or device. An address in the first of them is preferred.
      - By default addresses of any card.
    type: list
    elements: str
    default: []
  address_ranges:
    description:
      - Only addresses in one of these ranges, such as V(10.1.0.0/16). An address in the first of them is preferred,
        among those of equal O(address_networks).
      - Worth setting where hypervisors have networks of their own behind NAT, whose addresses the controller cannot
        reach or, worse, are others' addresses there.
    type: list
    elements: str
    default: []
  address_family:
    description:
      - Which version of IP, among addresses that are otherwise equal, is preferred, or alone wanted.
    type: str
    choices: [prefer_ipv4, prefer_ipv6, ipv4, ipv6]
    default: prefer_ipv4
  link_local:
    description:
      - Whether link-local addresses (169.254.0.0/16, fe80::/10) are usable.
      - Loopback, multicast, reserved and IPv4-mapped addresses never are, nor, for a domain with network cards,
        addresses that are not on one of these (tunnels, VPNs, containers in the guest).
    type: bool
    default: false
  hostname:
    description:
      - The name of a guest in the inventory.
      - With V(name) it is the domain's. Where several guests have the same, or where the name means something else in
        the inventory, these guests get the name of V(qualified), and if need be their UUID, and a warning says so (an
        error with O(strict=true)).
      - With V(qualified) it is the hypervisor's name, an underscore, and the domain's name, such as V(kvm01_web01).
        This never changes because of another hypervisor.
      - With V(uuid) it is the domain's UUID.
      - The variables C(winguest_domain) and C(winguest_hypervisor) always have the real names.
    type: str
    choices: [name, qualified, uuid]
    default: name
  connection:
    description:
      - The variable C(ansible_connection) of the group C(windows), such as V(winrm), V(psrp) or V(ssh).
      - Empty, it is not set.
    type: str
    default: winrm
  add_hypervisors:
    description:
      - Whether the hypervisors become hosts, too, in the group C(hypervisors).
      - A URI without a host (and one of V(localhost) without C(ssh)) makes a host with C(ansible_connection=local) and
        the Python that runs Ansible, which has libvirt's bindings. Any other makes one with the URI's host as
        C(ansible_host); a URI over C(ssh) also tells C(ansible_user) and C(ansible_port).
    type: bool
    default: true
notes:
  - The cache has one entry for each hypervisor that could be read. An entry is not used once the configuration would
    have something else read of that hypervisor; names, groups and variables are made anew at each run.
  - Names of domains decide which hosts the inventory has, and whoever may name domains on a hypervisor can name one
    like a host of another inventory. Use O(hostname=qualified) where that is somebody whom you do not trust.
"""

EXAMPLES = r"""
# domains.yml: this machine's guests. ansible-playbook -i domains.yml winguest.shutdown.audit --ask-pass
#
#   plugin: winguest.shutdown.domains
#   uris:
#     - qemu:///system

# quick.winguest.yml: names only, by read-only connections, and no other host is made of them.
#
#   plugin: winguest.shutdown.domains
#   uris:
#     - qemu:///system
#   read_only: true
#   address_sources: []
#   add_hypervisors: false

# fleet.winguest.yml: three hypervisors, addresses in two ranges only, some groups of one's own, and a cache.
plugin: winguest.shutdown.domains
uris:
  - qemu+ssh://root@kvm01.example.org/system
  - qemu+ssh://root@kvm02.example.org/system
  - uri: qemu+tls://10.1.0.3/system
    hypervisor: kvm03
    name_pattern: ["win-*"]
address_ranges:
  - 10.1.0.0/16
  - 2001:db8::/32
compose:
  ansible_port: 5986
  winguest_shutdown: "{'tier': 2, 'on_timeout': 'save'} if winguest_domain is match('sql') else {}"
groups:
  without_agent: winguest_agent is not true
keyed_groups:
  - key: winguest_networks
    prefix: network
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible/inventory
cache_timeout: 600
"""

import collections
import sys
import typing as t

from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _domain_inventory, _guest_names
from ansible_collections.winguest.shutdown.plugins.plugin_utils._domain_inventory import Reading, ReadingError
from ansible_collections.winguest.shutdown.plugins.plugin_utils._inventory_sources import (
    OWN_OPTIONS,
    Source,
    read_sources,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._trust import trusted, untrusted
from ansible_collections.winguest.shutdown.plugins.plugin_utils._wording import several

GUESTS = "windows"
HYPERVISORS = "hypervisors"
ENDINGS = tuple(f"{name}.{ending}" for name in ("winguest", "domains") for ending in ("yml", "yaml"))
TOLD = ("uuid", "state", "os", "os_id", "known_by", "title", "description", "memory_mib", "vcpus", "persistent")
TOLD_TOO = ("autostart", "agent", "networks", "addresses")

Domain = t.Mapping[str, t.Any]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The plugin."""

    NAME = "winguest.shutdown.domains"
    inventory: t.Any

    def verify_file(self, path: str) -> bool:
        """Whether the file may be one of ours, by its name."""
        name = path.replace("\\", "/").rpartition("/")[2]
        ours = name in ENDINGS or name.endswith(tuple(f".{ending}" for ending in ENDINGS))
        return ours and bool(super().verify_file(path))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Add all that the configuration in the file asks for. cache is false when the user wants none of it read."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            options = {name: self.get_option(name) for name in ("uris", *OWN_OPTIONS)}
            sources = read_sources(options, self._sanitize_group_name)
        except ValueError as error:
            raise AnsibleParserError(f"{path}: {error}") from error
        readings = self._readings(sources, path, cache)
        self._complain([f"{source.told}: {trouble}" for source, trouble in _troubles(sources, readings)])
        found = [
            (source, domain)
            for source, reading in zip(sources, readings)
            if isinstance(reading, Reading)
            for domain in reading.domains
        ]
        self._add_groups(sources)
        self._add_guests(found, {source.hypervisor for source in sources})

    def _complain(self, troubles: t.Sequence[str]) -> None:
        """What is not as it should be: an error or warnings, as the user wants."""
        if troubles and self.get_option("strict"):
            raise AnsibleParserError("; ".join(troubles))
        for trouble in troubles:
            self.display.warning(f"{self.NAME}: {trouble}")

    # ---- reading, and the cache

    def _readings(self, sources: t.Sequence[Source], path: str, cache: bool) -> list[Reading | ReadingError]:
        """What is known of each: what was cached, or else is read now."""
        cached = bool(self.get_option("cache"))
        keys = [f"{self.get_cache_key(path)}_{source.digest}" for source in sources]
        known: dict[str, Reading | ReadingError] = {}
        if cached and cache:
            for key in keys:
                try:
                    known[key] = Reading(**self._cache[key])
                except (KeyError, TypeError):
                    pass
        # Two of another name may be one and the same to libvirt.
        missing = {key: source for source, key in zip(sources, keys) if key not in known}
        if missing and _domain_inventory.LIBVIRT_IMPORT_ERROR:
            raise AnsibleParserError(
                f"{self.NAME} needs libvirt's Python bindings on the controller, for {sys.executable}: "
                f"{_domain_inventory.LIBVIRT_IMPORT_ERROR}; install the package python3-libvirt of the distribution, "
                "or libvirt-python with pip"
            )
        for key, reading in zip(missing, _domain_inventory.read_all(list(missing.values())) if missing else ()):
            known[key] = reading
            if cached and isinstance(reading, Reading):
                self._cache[key] = {"domains": reading.domains, "troubles": reading.troubles}
        return [known[key] for key in keys]

    # ---- what becomes of it

    def _add_groups(self, sources: t.Sequence[Source]) -> None:
        """The groups that are always there, and the hypervisors."""
        self.inventory.add_group(GUESTS)
        if self.get_option("connection"):
            self.inventory.set_variable(GUESTS, "ansible_connection", trusted(self.get_option("connection")))
        for source in sources:
            self.inventory.add_group(self._group("hypervisor", source.hypervisor))
        if not self.get_option("add_hypervisors"):
            return
        self.inventory.add_group(HYPERVISORS)
        for source in sources:
            name = source.hypervisor
            if name in self.inventory.groups:
                raise AnsibleParserError(
                    f"{source.told}: the hypervisor cannot be named {name!r}, because there is a group of that name; "
                    "give it another name with hypervisor"
                )
            self.inventory.add_host(name, HYPERVISORS)
            variables = {"winguest_uri": source.local_uri, **source.uri.connection}
            if source.uri.local:
                variables["ansible_python_interpreter"] = sys.executable
            for variable, value in variables.items():
                self.inventory.set_variable(name, variable, trusted(value))

    def _add_guests(self, found: t.Sequence[tuple[Source, Domain]], hypervisors: t.Collection[str]) -> None:
        """The guests with their variables, then what the user composes, then groups.

        In that order for all of them: Ansible takes a host's name for a group's where there is a group of that name.
        """
        groups = [self._groups(source, domain) for source, domain in found]
        own = {self._sanitize_group_name(name) for name in self.get_option("groups") or {}}
        reserved = {*self.inventory.groups, *hypervisors, *constants.LOCALHOST, *own}.union(*groups)
        guests = [_guest_names.Guest(domain["name"], domain["uuid"], source.hypervisor) for source, domain in found]
        names, troubles = _guest_names.choose(guests, self.get_option("hostname"), reserved)
        shared = _shared_addresses(found)
        self._complain([*troubles, *shared.values()])
        hosts = []
        for name, (source, domain), its_groups in zip(names, found, groups):
            if name is not None:
                host = self.inventory.add_host(untrusted(name), GUESTS)
                hosts.append((host, its_groups))
                known = trusted({"winguest_hypervisor": source.hypervisor, "winguest_uri": source.local_uri})
                for variable, value in {**known, **untrusted(_variables(domain, shared))}.items():
                    self.inventory.set_variable(host, variable, value)
        strict = self.get_option("strict")
        for host, dummy in hosts:
            self._set_composite_vars(self.get_option("compose"), self._known(host), host, strict=strict)
        for host, its_groups in hosts:
            for group in its_groups:
                self.inventory.add_host(host, self.inventory.add_group(group))
        for host, dummy in hosts:
            self._add_host_to_composed_groups(self.get_option("groups"), self._known(host), host, strict, False)
        for host, dummy in hosts:
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), self._known(host), host, strict, False)

    def _known(self, host: str) -> dict[str, t.Any]:
        return dict(self.inventory.get_host(host).get_vars())

    def _groups(self, source: Source, domain: Domain) -> list[str]:
        return [
            self._group("state", domain["state"]),
            self._group("hypervisor", source.hypervisor),
            self._group("os", domain["os"]),
        ]

    def _group(self, kind: str, name: str) -> str:
        return str(self._sanitize_group_name(f"{kind}_{name}"))


def _troubles(
    sources: t.Sequence[Source], readings: t.Sequence[Reading | ReadingError]
) -> t.Iterator[tuple[Source, str]]:
    """What could not be read."""
    for source, reading in zip(sources, readings):
        for trouble in [str(reading)] if isinstance(reading, ReadingError) else reading.troubles:
            yield source, trouble


def _shared_addresses(found: t.Sequence[tuple[Source, Domain]]) -> dict[str, str]:
    """The addresses that more than one guest has, with what is the matter, in words."""
    owners: dict[str, list[str]] = collections.defaultdict(list)
    for source, domain in found:
        if domain["addresses"]:
            owners[domain["addresses"][0]["address"]].append(f"{domain['name']!r} of {source.hypervisor}")
    return {
        address: f"{several(guests)} have the same address {address}, so ansible_host is set for none of them; "
        "choose among their addresses with address_ranges or address_networks"
        for address, guests in owners.items()
        if len(guests) > 1
    }


def _variables(domain: Domain, shared: t.Collection[str]) -> dict[str, t.Any]:
    """What libvirt has told of a guest, as variables."""
    best = domain["addresses"][0] if domain["addresses"] else {}
    variables = {
        "winguest_domain": domain["name"],
        "winguest_address": best.get("address"),
        "winguest_address_source": best.get("source"),
        **{f"winguest_{name}": domain[name] for name in (*TOLD, *TOLD_TOO)},
    }
    if best and best["address"] not in shared:
        variables["ansible_host"] = best["address"]
    return variables
