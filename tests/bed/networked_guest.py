# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent guest with a network card, and a libvirt network of the private libvirt for it and for others.

The guest's kernel and initramfs are the agent guest's, with the driver of the card and a script put on top of them. It
gives its card its address, and asks the hypervisor for an echo, so that the two have heard of each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import libvirt

from bed import agent_guest
from bed.agent_guest import recipe
from bed.agent_guest.tools import lines, run
from bed.guests import AgentGuest, Bed, add

NETWORK = "lab"
BRIDGE = "winguest0"
HYPERVISOR = "10.77.0.1"
DRIVER = ("failover", "net_failover", "virtio_net")

# The kernel starts it in place of /init, and becomes it once the card is being waited for.
SCRIPT = f"""\
#!/bin/sh
mknod /dev/null c 1 3
(
  until [ -e /sys/class/net/eth0 ]; do
    usleep 20000
  done
  ip link set lo up
  ip link set eth0 up
  ip address add "$address/24" dev eth0
  until ping -c 1 -W 1 {HYPERVISOR} >/dev/null; do
    usleep 100000
  done
  echo 'guest: heard the hypervisor' >/dev/console
) &
exec /init
"""


@dataclass(frozen=True)
class NetworkedGuest(AgentGuest):
    """The agent guest with this address in the network."""

    address: str = "10.77.0.11"

    def xml(self, directory: Path, cache: Path) -> str:
        """The domain's XML; the files it names are made where missing."""
        files = build(cache)
        domain = ET.fromstring(super().xml(directory, cache))
        for place, text in (
            ("os/kernel", str(files / "kernel")),
            ("os/initrd", str(files / "initramfs")),
            ("os/cmdline", f"{domain.findtext('os/cmdline')} rdinit=/with-network address={self.address}"),
        ):
            element = domain.find(place)
            assert element is not None
            element.text = text
        return plug(ET.tostring(domain, encoding="unicode"), mac_of(self.address))


def mac_of(address: str) -> str:
    """A MAC that goes with the address."""
    return "52:54:00:" + ":".join(f"{int(part):02x}" for part in address.split(".")[1:])


def plug(xml: str, mac: str) -> str:
    """The domain with a card of this MAC in the network."""
    domain = ET.fromstring(xml)
    devices = domain.find("devices")
    assert devices is not None
    card = add(devices, "interface", type="network")
    add(card, "mac", address=mac)
    add(card, "source", network=NETWORK)
    add(card, "model", type="virtio")
    return ET.tostring(domain, encoding="unicode")


def build(cache: Path) -> Path:
    """The folder of kernel and initramfs; made under `cache`, or found there."""
    base = agent_guest.build(cache)
    cache = cache.resolve()
    made_from = hashlib.sha256(f"{base.kernel.parent.name} {SCRIPT}".encode()).hexdigest()[:16]
    folder = cache / f"networked-guest-{made_from}"
    scratch = cache / "networked-guest.partial"
    with (cache / "networked-guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                (scratch / "result").mkdir(parents=True)
                make(base.initramfs, scratch / "result", scratch)
                (scratch / "result").rename(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def make(initramfs: Path, result: Path, scratch: Path) -> None:
    """Fill the folder `result` with kernel and initramfs. All modules come from the kernel's own package."""
    kernel = recipe.kernel_package()
    files = recipe.fetch(scratch / "packages", kernel)[kernel]
    recipe.make_kernel(files, result / "kernel")
    guest = scratch / "guest"
    modules = guest / "lib" / "modules"
    modules.mkdir(parents=True)
    order = (*recipe.MODULES, *DRIVER)
    for module in order:
        shutil.copy(recipe.one_file(files, f"{module}.ko"), modules)
    (modules / "order").write_text(lines(order))
    (guest / "with-network").write_text(SCRIPT)
    (guest / "with-network").chmod(0o755)
    names = lines(sorted(path.relative_to(guest) for path in guest.rglob("*")))
    archive = scratch / "on-top"
    run("cpio", "--create", "--format=newc", "--owner=+0:+0", f"--file={archive}", folder=guest, stdin=names)
    # Of two archives one after the other the kernel unpacks both, and the later one's files replace the earlier one's.
    (result / "initramfs").write_bytes(initramfs.read_bytes() + archive.read_bytes())


def start_network(bed: Bed) -> libvirt.virNetwork:
    """A network of libvirt's without a DHCP server and without firewall rules, in the private libvirt's namespace."""
    network = ET.Element("network")
    add(network, "name", NETWORK)
    add(network, "forward", mode="open")
    add(network, "bridge", name=BRIDGE)
    add(network, "dns", enable="no")
    add(network, "ip", address=HYPERVISOR, netmask="255.255.255.0")
    state_folder(bed).mkdir()
    return bed.connection.networkCreateXML(ET.tostring(network, encoding="unicode"))


def lease(bed: Bed, addresses: dict[str, str]) -> None:
    """Let libvirt know of these leases, addresses by MACs, in the file that its DHCP server's helper writes."""
    entries = [
        {"ip-address": address, "mac-address": mac, "client-id": "", "expiry-time": 4_000_000_000}
        for mac, address in addresses.items()
    ]
    (state_folder(bed) / f"{BRIDGE}.status").write_text(json.dumps(entries))


def state_folder(bed: Bed) -> Path:
    """Where libvirt and its DHCP server keep what they know of networks; an installation would have made it."""
    return bed.daemon.directory / "lib" / "dnsmasq"
