# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""libvirt's built-in test driver: a hypervisor within this process that every connection to its URI shares.

It has real domains, states, events, metadata, screenshots and managed saves. It has no buttons, agents, jobs or block
statistics, and it refuses the explicit shutdown flags.
"""

from __future__ import annotations

from typing import Any

import libvirt
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import Hypervisor, Inbox

URI = "test:///default"

AGENT = """
    <channel type='unix'>
      <source mode='bind'/>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
"""


def domain_xml(name: str, features: str = "<acpi/>", devices: str = "", more: str = "") -> str:
    """A small domain in libvirt's words."""
    return f"""
      <domain type='test'>
        <name>{name}</name>
        <memory unit='MiB'>16</memory>
        <os><type>hvm</type></os>
        <features>{features}</features>
        {more}
        <devices>{devices}</devices>
      </domain>
    """


class Driver:
    """A connection to the test driver that takes away what was defined through it."""

    def __init__(self) -> None:
        self.connection = Hypervisor(URI, Inbox()).connection
        self._defined: list[Any] = []

    def start(self, name: str, **parts: str) -> Any:
        """A new domain, defined and running."""
        domain = self.connection.defineXML(domain_xml(name, **parts))
        self._defined.append(domain)
        domain.create()
        return domain

    def clear(self) -> None:
        """Leave the hypervisor as it was."""
        left = {domain.UUIDString() for domain in self.connection.listAllDomains()}
        for domain in self._defined:
            if domain.UUIDString() in left:
                if domain.isActive():
                    domain.destroy()
                domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
