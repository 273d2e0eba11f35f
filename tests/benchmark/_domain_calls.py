# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What domains_scale runs as a process of its own: a module, or the least that makes the same calls of libvirt.

    _domain_calls.py module NAME < ARGUMENTS
    _domain_calls.py WHAT URI PREFIX

The second makes the calls that module WHAT makes for each domain whose name begins with PREFIX, one after the other on
one connection, and does nothing with what they return. Both end with a line of JSON on standard error: the seconds of
processors, and the MiB that the process had at most.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt

NAMESPACE = "https://winguest.example/"


def main(arguments: list[str]) -> None:
    """Do it, and tell what it took."""
    what, where, *rest = arguments
    del sys.argv[1:]  # a module takes its first argument for a file
    try:
        if what == "module":
            importlib.import_module(where).main()
        else:
            _bare(SIDES[what], where, *rest)
    finally:
        sys.stdout.flush()
        status = Path("/proc/self/status").read_text().splitlines()
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
        print(json.dumps({"cpu": time.process_time(), "memory": memory}), file=sys.stderr)


def _bare(calls: Callable[[libvirt.virConnect, libvirt.virDomain], Any], uri: str, prefix: str) -> None:
    libvirt.registerErrorHandler(lambda context, error: None, None)
    connection = libvirt.open(uri)
    for domain in connection.listAllDomains(0):
        if domain.name().startswith(prefix):
            domain.UUIDString()
            calls(connection, domain)


def _try(call: Callable[..., Any], *arguments: Any) -> None:
    """What the test driver, or this domain, does not have."""
    try:
        call(*arguments)
    except libvirt.libvirtError:
        pass


def _record(connection: libvirt.virConnect, domain: libvirt.virDomain) -> None:
    domain.state()
    domain.ID()
    _try(domain.metadata, libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, 0)


def _look(connection: libvirt.virConnect, domain: libvirt.virDomain) -> None:
    _record(connection, domain)
    definition = ET.fromstring(domain.XMLDesc(0))
    domain.isPersistent()
    _try(domain.jobStats)
    for target in definition.findall("./devices/disk/target"):
        _try(domain.blockJobInfo, target.get("dev"))


def _readiness(connection: libvirt.virConnect, domain: libvirt.virDomain) -> None:
    _look(connection, connection.lookupByUUIDString(domain.UUIDString()))
    domain.XMLDesc(0)
    domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    domain.autostart()
    domain.hasManagedSaveImage(0)


def _save(connection: libvirt.virConnect, domain: libvirt.virDomain) -> None:
    _look(connection, domain)
    connection.domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_STATE, 0)
    connection.lookupByUUIDString(domain.UUIDString())
    domain.state()
    domain.managedSave(0)


SIDES = {
    "domain_shutdown_info": _record,
    "domain_readiness_info": _readiness,
    "domain_shutdown --check": _look,
    "domain_shutdown": _save,
}


if __name__ == "__main__":
    main(sys.argv[1:])
