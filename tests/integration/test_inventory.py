# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory of a real libvirt with real guests, by Ansible's own commands.

libvirt 9.0 does not read the last piece of the kernel's neighbour table on Linux 6.9 and later, which is all of a short
one, so the table is given some length.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checkout
import libvirt
import pytest
from bed import networked_guest
from bed.guests import AcpiGuest, AgentGuest, Bed
from bed.networked_guest import BRIDGE, NETWORK, NetworkedGuest, mac_of, plug

pytestmark = pytest.mark.xdist_group("inventory")

ARP = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP
EVIL = "{{ 7 * 7 }} a&b"
TALKS, LEASED, HEARD, HANGS = (f"10.77.0.{number}" for number in (11, 12, 13, 14))
TAG = ("urn:winguest:guest:1", "--key", "guest", "--set", '<guest os="win2k22"/>')


def define(bed: Bed, guest: AcpiGuest | AgentGuest, address: str) -> Any:
    """A guest with a card in the network; its kernel has no driver for it, so the address is only claimed for it."""
    return bed.connection.defineXML(plug(guest.xml(bed.directory, bed.cache), mac_of(address)))


def virsh(bed: Bed, *arguments: str) -> None:
    subprocess.run(["virsh", "--connect", bed.daemon.uri, *arguments], check=True, capture_output=True, timeout=60)


def fill_neighbour_table(bed: Bed, guests: dict[str, str]) -> None:
    """Let the hypervisor's neighbour table have these guests, and so many others that libvirt tells of all of them.

    libvirt leaves out the neighbours that the kernel is just asking whether they are still there, so those that have
    spoken are entered, too. And it loses the end of the table, where chance has put some.
    """
    enter(bed, [f"{address} lladdr {mac_of(address)} nud reachable" for address in guests.values()])
    for part in range(20):
        others = [f"10.78.{part}.{number} lladdr 52:54:00:99:{part:02x}:{number:02x}" for number in range(1, 41)]
        enter(bed, [f"{other} nud permanent" for other in others])
        if all(bed.connection.lookupByName(name).interfaceAddresses(ARP) for name in guests):
            return
    raise AssertionError("libvirt does not tell of all neighbours")


def enter(bed: Bed, neighbours: list[str]) -> None:
    """Enter neighbours into the table of the private libvirt's network namespace."""
    pid = str(bed.daemon.qemu_pid("heard"))
    command = ["nsenter", "--target", pid, "--net", "ip", "-batch", "-"]
    commands = "\n".join(f"neighbour replace {neighbour} dev {BRIDGE}" for neighbour in neighbours)
    subprocess.run(command, input=commands, text=True, check=True, timeout=60)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with Bed() as bed:
        networked_guest.start_network(bed)
        talks = bed.define(NetworkedGuest("talks", address=TALKS, windows=True))
        hangs = define(bed, AgentGuest("hangs", "agent=hung agent_after=0", windows=True), HANGS)
        heard, leased = define(bed, AcpiGuest("heard"), HEARD), define(bed, AcpiGuest("leased"), LEASED)
        for domain in (talks, hangs, heard, leased):
            domain.create()
        bed.define(AcpiGuest(EVIL))
        bed.define(AcpiGuest("localhost"))
        bed.define(AcpiGuest("tux", windows=False))
        bed.define(AcpiGuest("tagged", windows=False))
        virsh(bed, "metadata", "tagged", *TAG, "--config")
        networked_guest.lease(bed, {mac_of(LEASED): LEASED, mac_of(HANGS): HANGS})
        bed.wait_for("hangs", "guest: agent hung", timeout=120)
        for words in ("guest: ready", "guest: heard the hypervisor"):
            bed.wait_for("talks", words, timeout=120)
        fill_neighbour_table(bed, {"heard": HEARD, "talks": TALKS})
        yield bed


class Lab:
    """A folder with a configuration, and Ansible's commands on the inventory that it makes."""

    def __init__(self, folder: Path, bed: Bed) -> None:
        self.folder = folder
        self.kvm = {"uri": bed.daemon.uri, "hypervisor": "kvm01.example.org"}
        self.environment = {**checkout.ansible_environment(), "ANSIBLE_NOCOLOR": "1"}

    def configure(self, *uris: Any, **more: Any) -> None:
        """Write the configuration; a cache is there for whoever wants it."""
        cache = {"cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(self.folder / "cache")}
        configuration = {"plugin": "winguest.shutdown.domains", "uris": list(uris), **cache, **more}
        (self.folder / "lab.winguest.yml").write_text(json.dumps(configuration), encoding="utf-8")

    def run(self, program: str, *arguments: str) -> tuple[str, str]:
        """What a program of Ansible's said, to its users and of its troubles."""
        command = [sys.executable, "-m", "ansible", program, "--inventory", str(self.folder / "lab.winguest.yml")]
        done = subprocess.run(
            [*command, *arguments], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, " ".join(done.stderr.split())

    def list(self, *arguments: str) -> dict[str, Any]:
        """The inventory."""
        listed: dict[str, Any] = json.loads(self.run("inventory", "--list", *arguments)[0])
        return listed

    def hosts(self, *arguments: str) -> dict[str, Any]:
        """The variables of its hosts."""
        variables: dict[str, Any] = self.list(*arguments)["_meta"]["hostvars"]
        return variables


@pytest.fixture
def lab(tmp_path: Path, bed: Bed) -> Lab:
    return Lab(tmp_path, bed)


def test_three_hypervisors_of_which_one_is_dead(lab: Lab, bed: Bed) -> None:
    dead = {"uri": f"qemu+unix:///system?socket={lab.folder}/none", "hypervisor": "dead"}
    other = {"uri": bed.daemon.test_uri, "hypervisor": "kvm02", "name_pattern": "test", "address_sources": []}
    lab.configure(
        lab.kvm,
        dead,
        other,
        compose={"ansible_port": 5986, "winguest_shutdown": "{'tier': 2} if winguest_domain is match('t') else {}"},
        groups={"without_agent": "winguest_agent is not true"},
        keyed_groups=[{"key": "winguest_address_source", "prefix": "by"}],
    )
    began = time.monotonic()
    out, troubles = lab.run("inventory", "--list")
    assert time.monotonic() - began < 60
    assert f"uris[1] ({dead['uri']}): libvirt cannot be asked" in troubles and "No such file" in troubles
    assert "the name 'localhost' cannot be used" in troubles
    listed = json.loads(out)
    hosts = listed["_meta"]["hostvars"]
    found = {
        name: (known.get("ansible_host"), known["winguest_address_source"])
        for name, known in hosts.items()
        if "winguest_domain" in known
    }
    assert found == {
        "talks": (TALKS, "agent"),
        "hangs": (HANGS, "lease"),
        "leased": (LEASED, "lease"),
        "heard": (HEARD, "arp"),
        EVIL: (None, None),
        "kvm01.example.org_localhost": (None, None),
        "tagged": (None, None),
        "test": (None, None),
    }
    groups = {name: sorted(group["hosts"]) for name, group in listed.items() if "hosts" in group}
    assert groups["windows"] == sorted(found)
    assert groups["hypervisors"] == ["dead", "kvm01.example.org", "kvm02"]
    assert groups["hypervisor_kvm02"] == ["test"] and "tagged" in groups["hypervisor_kvm01_example_org"]
    assert groups["state_running"] == ["hangs", "heard", "leased", "talks", "test"]
    assert groups["os_win2k22"] == ["tagged"] and "talks" in groups["os_win10"]
    assert groups["by_arp"] == ["heard"] and groups["by_lease"] == ["hangs", "leased"]
    assert "talks" not in groups["without_agent"] and "heard" in groups["without_agent"]
    talks = hosts["talks"]
    assert (talks["ansible_connection"], talks["winguest_shutdown"], talks["winguest_networks"]) == (
        "winrm",
        {"tier": 2},
        [NETWORK],
    )
    assert talks["winguest_uuid"] == bed.connection.lookupByName("talks").UUIDString()
    assert {entry["mac"] for entry in talks["winguest_addresses"]} == {mac_of(TALKS)}


def test_another_order_of_sources_and_read_only(lab: Lab, bed: Bed) -> None:
    lab.configure({**lab.kvm, "uri": bed.daemon.readonly_uri}, read_only=True)
    known = lab.hosts()
    assert known["talks"]["winguest_address_source"] == "arp" and known["talks"]["ansible_host"] == TALKS
    assert known["hangs"]["ansible_host"] == HANGS
    lab.configure(lab.kvm, address_ranges=["fe80::/10", f"{LEASED}/32"], link_local=True)
    known = lab.hosts()
    assert known["talks"]["ansible_host"].startswith("fe80::") and known["leased"]["ansible_host"] == LEASED
    assert "ansible_host" not in known["heard"]


def test_the_cache(lab: Lab, bed: Bed) -> None:
    lab.configure(lab.kvm, cache=True, address_sources=[])
    assert "late" not in lab.hosts()
    late = bed.define(AcpiGuest("late"))
    try:
        assert "late" not in lab.hosts(), "the cache was not used"
        assert "late" in lab.hosts("--flush-cache")
        assert "@windows" in (graph := lab.run("inventory", "--graph")[0]) and "--late" in graph and EVIL in graph
    finally:
        late.undefine()


def test_plays_on_this_inventory_alone(lab: Lab) -> None:
    lab.configure(lab.kvm, address_sources=[], hostname="qualified")
    texts = "{{ inventory_hostname }} is {{ winguest_domain }}"
    out = lab.run("adhoc", "windows", "--module-name", "debug", "--args", f"msg='{texts}'")[0]
    assert f"kvm01.example.org_{EVIL} is {EVIL}" in out and "49" not in out
    out = lab.run(
        *("adhoc", "hypervisors", "--module-name", "winguest.shutdown.domain_shutdown_info"),
        *("--args", "uri={{ winguest_uri }} all=true"),
    )[0]
    assert "kvm01.example.org | SUCCESS" in out and '"name": "talks"' in out
