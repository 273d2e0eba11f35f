# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypervisors of libvirt's test driver made up by files: every connection to such a URI has domains of its own.

The driver answers for addresses, whichever source is asked, with 192.168.0.NUMBER for the NUMBERth card in a bridge.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

LIBOSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
TAG = "urn:winguest:guest:1"
OFF = 5
AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


def uuid_of(name: str) -> str:
    """The UUID of the domain of this name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def domain(
    name: str, system: str = "", tag: str | None = None, more: str = "", devices: str = "", state: int = 1
) -> str:
    """A domain. system: the id that libosinfo's metadata tell; tag: the attribute os of our tag, empty for none."""
    metadata = ""
    if system:
        metadata += f"<l:libosinfo xmlns:l='{LIBOSINFO}'><l:os id={quoteattr(system)}/></l:libosinfo>"
    if tag is not None:
        metadata += f"<w:guest xmlns:w='{TAG}'{f' os={quoteattr(tag)}' if tag else ''}/>"
    return f"""
      <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
        <name>{escape(name)}</name><uuid>{uuid_of(name)}</uuid>{more}
        <metadata>{metadata}</metadata>
        <memory unit='MiB'>64</memory><vcpu>2</vcpu>
        <os><type>hvm</type></os>
        <devices>{devices}</devices>
        <test:runstate>{state}</test:runstate>
      </domain>
    """


def card(mac: str = "52:54:00:00:00:01", bridge: str = "br0") -> str:
    """A network card."""
    return f"<interface type='bridge'><mac address='{mac}'/><source bridge='{bridge}'/></interface>"


def node(path: Path, *domains: str) -> str:
    """Write a hypervisor with these domains to the file; its URI."""
    path.write_text(f"<node>{''.join(domains)}</node>", encoding="utf-8")
    return f"test://{path}"
