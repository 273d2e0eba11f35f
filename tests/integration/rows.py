# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of the rows about domains and hypervisors on real libvirt share, and which row each of them is about."""

from __future__ import annotations

import contextlib
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any, TypeVar

import libvirt
from bed.module import Answer, call
from integration.conftest import Hypervisor

LIVE, SAVED, KEPT = "running domain", "managed-save image", "persistent definition"

Test = TypeVar("Test", bound=Callable[..., None])


def shows(*dummy_rows: str) -> Callable[[Test], Test]:
    """The test shows these rows: what finds it, what cures it, and what comes of both at the next shutdown.

    tests/unit/test_rows_shown.py finds this in the sources, and sees that every row has such a test.
    """
    return lambda test: test


def nowhere(hypervisor: Hypervisor) -> str:
    """A root without any of a hypervisor's files."""
    return str(hypervisor.bed.directory / "nowhere")


def look(hypervisor: Hypervisor, *domains: Any, **options: Any) -> Answer:
    """The audit."""
    options.setdefault("host_root", nowhere(hypervisor))
    return call(hypervisor.uri, module="domain_readiness_info", domains=list(domains), **options)


def mend(hypervisor: Hypervisor, *domains: Any, **options: Any) -> Answer:
    """Remediation."""
    options.setdefault("host_root", nowhere(hypervisor))
    options.setdefault("diff", True)
    return call(hypervisor.uri, module="domain_readiness", domains=list(domains), **options)


def shut_down(hypervisor: Hypervisor, *domains: Any, **options: Any) -> Answer:
    """The shutdown, without a second for the baseline."""
    return hypervisor.shut_down(*domains, **{"baseline_time": 0, **options})


def found(result: dict[str, Any]) -> dict[tuple[str, str], str]:
    """What is not as wanted: the state by the row and where it is."""
    return {
        (finding["id"], finding["location"].partition(":")[0]): finding["state"]
        for finding in result["findings"]
        if finding["state"] != "ok"
    }


def about(result: dict[str, Any], ident: str) -> dict[str, str]:
    """The states of one row, by where it is."""
    return {
        finding["location"].partition(":")[0]: finding["state"]
        for finding in result["findings"]
        if finding["id"] == ident
    }


def the_finding(result: dict[str, Any], ident: str) -> dict[str, Any]:
    """The only finding of this row."""
    (finding,) = [finding for finding in result["findings"] if finding["id"] == ident]
    return dict(finding)


def restart(hypervisor: Hypervisor, name: str, ready: str = "ready", timeout: float = 60) -> None:
    """What an operator does later: off, and on again."""
    domain = hypervisor.domain(name)
    if domain.isActive():
        with contextlib.suppress(libvirt.libvirtError):  # a daemon that has just started may have found it off by now
            domain.destroy()
    assert is_off(hypervisor, name)
    position = len(hypervisor.bed.com1(name))
    domain.create()
    hypervisor.bed.wait_for(name, ready, timeout, since=position)


def wait_for_state(hypervisor: Hypervisor, name: str, state: int) -> None:
    """Wait until libvirt says that the domain is in this state."""
    deadline = time.monotonic() + 30
    domain: Any = hypervisor.domain(name)
    while domain.state()[0] != state:
        assert time.monotonic() < deadline, domain.state()
        time.sleep(0.05)


def wait_for_agent(hypervisor: Hypervisor, name: str) -> None:
    """Wait until libvirt knows that the agent has opened its channel; QEMU tells it at most once a second."""
    deadline = time.monotonic() + 30
    path = "./devices/channel/target[@state='connected']"
    while ET.fromstring(hypervisor.domain(name).XMLDesc(0)).find(path) is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_off(hypervisor: Hypervisor, name: str) -> bool:
    """Whether QEMU has ended, waited for."""
    wait_for_state(hypervisor, name, libvirt.VIR_DOMAIN_SHUTOFF)
    return True
