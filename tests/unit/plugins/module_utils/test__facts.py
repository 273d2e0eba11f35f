# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which domains are meant and how they are found, on libvirt's test driver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _facts
from ansible_collections.winguest.shutdown.plugins.module_utils._facts import (
    SelectionError,
    all_domains,
    find,
    gather,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._record import KEY, NAMESPACE, Record, Request, to_xml
from unit.plugins.libvirt_test_driver import AGENT, Driver, domain_xml

UUIDS = {
    "web01": "6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11",
    "web02": "6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a12",
    "Web03": "6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a13",
    "sql[1]": "6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a14",
}
NOWHERE = "00000000-0000-4000-8000-000000000000"
OFF = "<test:runstate xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>5</test:runstate>"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, driver: Driver) -> Iterator[Any]:
    """A connection to a hypervisor with the domains above, of which one is off."""
    domains = [
        domain_xml(name, more=f"<uuid>{uuid}</uuid>{OFF if name == 'web02' else ''}") for name, uuid in UUIDS.items()
    ]
    path: Path = tmp_path_factory.mktemp("node") / "node.xml"
    path.write_text(f"<node>{''.join(domains)}</node>", encoding="utf-8")
    connection = libvirt.open(f"test://{path}")
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (None, ["Web03", "sql[1]", "web01", "web02"]),
        ("*", ["Web03", "sql[1]", "web01", "web02"]),
        ("web*", ["web01", "web02"]),
        ("?eb0[13]", ["Web03", "web01"]),
        ("web0[!1]", ["web02"]),
        ("sql[[]1]", ["sql[1]"]),
        ("web", []),
    ],
)
def test_all_domains(node: Any, pattern: str | None, names: list[str]) -> None:
    assert [domain.name() for domain in all_domains(node, pattern)] == names


@pytest.mark.parametrize(
    ("name", "uuid"),
    [
        ("web01", None),
        (None, UUIDS["web01"]),
        (None, UUIDS["web01"].upper()),
        (None, UUIDS["web01"].replace("-", "")),
        ("web01", UUIDS["web01"]),
    ],
)
def test_a_domain_is_found(node: Any, name: str | None, uuid: str | None) -> None:
    (domain,) = find(node, [("domains[0]", name, uuid)])
    assert (domain.name(), domain.UUIDString()) == ("web01", UUIDS["web01"])


def test_domains_are_found_in_the_order_of_the_task(node: Any) -> None:
    names = ["web02", "sql[1]", "web01"]
    assert [domain.name() for domain in find(node, [(name, name, None) for name in names])] == names


@pytest.mark.parametrize(
    ("wanted", "complaints"),
    [
        ([("d0", "web1", None)], ["d0: there is no domain with name 'web1' on this hypervisor"]),
        ([("d0", "", None)], ["d0: there is no domain with name ''"]),
        ([("d0", "web*", None)], ["d0: there is no domain with name 'web*'"]),
        ([("d0", None, NOWHERE)], [f"d0: there is no domain with uuid '{NOWHERE}'"]),
        ([("d0", None, "web01")], ["d0: 'web01' is not a UUID"]),
        ([("d0", None, "")], ["d0: '' is not a UUID"]),
        (
            [("d0", "web02", UUIDS["web01"])],
            [f"d0: the domain with uuid {UUIDS['web01']} is named 'web01', not 'web02'"],
        ),
        (
            [("d0", "web01", None), ("d1", "web02", None), ("d2", None, UUIDS["web01"])],
            [f"d2 and d0 are the same domain web01 ({UUIDS['web01']})"],
        ),
        ([("d0", "web01", None), ("d1", "web01", None)], ["d1 and d0 are the same domain"]),
        ([("d0", "x", None), ("d1", "web01", None), ("d2", None, "y")], ["d0: there is no", "; d2: 'y' is not a UUID"]),
    ],
)
def test_what_cannot_be_found(node: Any, wanted: list[Any], complaints: list[str]) -> None:
    with pytest.raises(SelectionError) as raised:
        find(node, wanted)
    for complaint in complaints:
        assert complaint in str(raised.value)


def test_other_failures_of_libvirt_are_not_taken_for_a_missing_domain(driver: Driver) -> None:
    closed = libvirt.open("test:///default")
    closed.close()
    with pytest.raises(libvirt.libvirtError):
        find(closed, [("domains[0]", "test", None)])


# ---- gather


class Stuck:
    """A domain whose QEMU hangs, of which the test driver has none: the calls named do not return."""

    def __init__(self, domain: Any, *calls: str) -> None:
        self._domain, self._calls = domain, calls

    def __getattr__(self, name: str) -> Any:
        return (lambda *arguments: time.sleep(1)) if name in self._calls else getattr(self._domain, name)

    def jobStats(self) -> dict[str, int]:
        """A backup."""
        if "jobStats" in self._calls:
            time.sleep(1)
        return {"type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP}


def test_a_domain_that_libvirt_does_not_tell_about(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_facts, "LOOK_LIMIT", 0.1)
    facts = gather(Stuck(driver.start("stuck"), "XMLDesc"))
    assert (
        facts.name == "stuck" and "does not tell about it: no answer within 0.1 s; nothing was asked" in facts.trouble
    )


def test_a_job(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_facts, "JOB_LIMIT", 0.1)
    domain = driver.start("busy")
    assert gather(Stuck(domain)).job == "backup"
    facts = gather(Stuck(domain, "jobStats"))
    assert facts.job == _facts.UNKNOWN_JOB and facts.trouble == ""


def test_a_connection_that_may_only_read_is_enough(driver: Driver) -> None:
    driver.start("public")
    connection = libvirt.openReadOnly("test:///default")
    facts = gather(connection.lookupByName("public"))
    assert (facts.state, facts.trouble, facts.definition.acpi) == ("running", "", True)
    connection.close()


def test_a_running_domain(driver: Driver) -> None:
    domain = driver.start("found", devices=AGENT + "<video><model type='vga'/></video>")
    facts = gather(domain)
    assert (facts.name, facts.uuid, facts.domain_id) == ("found", domain.UUIDString(), domain.ID())
    assert (facts.state, facts.reason, facts.off, facts.job, facts.persistent) == ("running", "booted", False, "", True)
    definition = facts.definition
    assert definition.acpi and definition.agent_channel and definition.agent_connected is None and definition.display
    assert (facts.record, facts.record_error) == (Record(), "")


@pytest.mark.parametrize(
    ("act", "state", "reason"),
    [
        ("suspend", "paused", "user"),
        ("shutdown", "shutoff", "shutdown"),
        ("destroy", "shutoff", "destroyed"),
        ("managedSave", "shutoff", "saved"),
    ],
)
def test_the_state_of_a_domain(driver: Driver, act: str, state: str, reason: str) -> None:
    domain = driver.start(f"found-{act}", features="")
    getattr(domain, act)()
    facts = gather(domain)
    assert (facts.state, facts.reason, facts.off) == (state, reason, state == "shutoff")
    assert (facts.domain_id is None) is facts.off
    assert not facts.definition.acpi


def test_a_domain_that_is_off_in_the_node_file(node: Any) -> None:
    assert gather(node.lookupByName("web02")).off


def test_a_transient_domain(driver: Driver) -> None:
    domain = driver.connection.createXML(domain_xml("transient"))
    assert not gather(domain).persistent
    domain.destroy()


def test_a_domain_that_is_gone_meanwhile(driver: Driver) -> None:
    domain = driver.connection.createXML(domain_xml("fleeting"))
    domain.destroy()
    facts = gather(domain)
    assert (facts.name, facts.state, facts.domain_id, facts.persistent) == ("fleeting", "gone", None, False)


def test_a_record(driver: Driver) -> None:
    domain = driver.start("recorded-before")
    record = Record(Request("2026-11-23T10:12:03.204Z", 3, "x", "y", "leave", "left_running", "z"))
    both = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, to_xml(record), KEY, NAMESPACE, both)
    assert gather(domain).record == record
    domain.shutdown()
    assert gather(domain).record == record


def test_something_else_in_place_of_the_record(driver: Driver) -> None:
    domain = driver.start("recorded-otherwise")
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<other/>", KEY, NAMESPACE, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    facts = gather(domain)
    assert facts.record == Record() and "is not a shutdown record" in facts.record_error
