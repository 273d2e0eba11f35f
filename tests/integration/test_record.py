# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record in the domain's metadata, second runs, and check mode."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._record import KEY, NAMESPACE, Record, from_xml
from bed.guests import AcpiGuest
from integration.conftest import Hypervisor


def record(hypervisor: Hypervisor, name: str) -> Record:
    return from_xml(hypervisor.domain(name).metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, 0))


def wait_until_off(hypervisor: Hypervisor, name: str) -> None:
    deadline = time.monotonic() + 60
    while hypervisor.running(name):
        assert time.monotonic() < deadline, f"{name} is still running"
        time.sleep(0.1)


def test_a_second_run_finds_it_off_and_changes_nothing(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("twice", "press=obey"))
    assert hypervisor.shut_down("twice").returned["changed"]
    before = hypervisor.domain("twice").XMLDesc(0)
    again = hypervisor.shut_down("twice")
    assert again.outcome("twice") == "already_off"
    assert not again.returned["changed"]
    assert not again.failed
    assert hypervisor.domain("twice").XMLDesc(0) == before


def test_a_guest_left_running_has_its_request_on_record_and_its_late_end_is_recognised(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("late", "press=obey delay=18000"))
    first = hypervisor.shut_down("late")
    assert first.outcome("late") == "left_running"
    request = record(hypervisor, "late").request
    assert request is not None
    assert request.outstanding
    assert request.outcome == "left_running"
    second = hypervisor.shut_down("late", timeout=1, accept_timeout=1)
    assert any("is outstanding" in text for text in second.texts("late"))
    wait_until_off(hypervisor, "late")
    third = hypervisor.shut_down("late")
    assert third.outcome("late") == "already_off"
    assert "went off late" in third["late"]["reason"]


def test_an_outstanding_request_is_void_after_a_new_start(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("anew", "press=ignore"))
    assert hypervisor.shut_down("anew").outcome("anew") == "left_running"
    hypervisor.domain("anew").destroy()
    off = hypervisor.shut_down("anew")
    assert "by force" in off["anew"]["reason"]
    hypervisor.domain("anew").create()
    answer = hypervisor.shut_down("anew", timeout=1, accept_timeout=1)
    assert any("it is void" in text for text in answer.texts("anew"))


def test_how_long_shutdowns_took_is_kept(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("history", "press=obey delay=1000"))
    for count in (1, 2):
        answer = hypervisor.shut_down("history")
        history = record(hypervisor, "history").history
        assert len(history) == count
        assert history[-1].finish_seconds == answer["history"]["finish_seconds"]
        assert history[-1].method == "acpi"
        if count == 1:
            hypervisor.domain("history").create()
            hypervisor.bed.wait_for(
                "history", "ready", since=len("ready") + hypervisor.bed.com1("history").find("power")
            )


def test_other_metadata_is_left_alone_and_foreign_text_in_ours_is_survived(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("foreign", "press=obey"))
    domain = hypervisor.domain("foreign")
    kinds = (libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_AFFECT_LIVE)
    domain.setMetadata(kinds[0], "<theirs><a b='c'>text</a></theirs>", "them", "urn:them", kinds[1])
    domain.setMetadata(kinds[0], "<shutdown><request at='now'/></shutdown>", KEY, NAMESPACE, kinds[1])
    answer = hypervisor.shut_down("foreign")
    assert answer.outcome("foreign") == "graceful"
    assert any("cannot be read" in text for text in answer.texts("foreign"))
    theirs = ET.fromstring(domain.metadata(kinds[0], "urn:them", 0))
    assert theirs.find("a") is not None
    ours = ET.fromstring(domain.metadata(kinds[0], NAMESPACE, 0))
    assert [dict(request.attrib) for request in ours] == [{"at": "now"}], "what is not ours was written over"


def test_check_mode_tells_the_plan_and_changes_nothing_at_all(hypervisor: Hypervisor) -> None:
    hypervisor.start(
        AcpiGuest("checked", "press=obey", agent_channel=True), AcpiGuest("trapped", on_poweroff="restart")
    )
    hypervisor.domains.append(hypervisor.bed.define(AcpiGuest("checked-off")))
    names = ("checked", "checked-off", "trapped")
    before = {name: hypervisor.domain(name).XMLDesc(0) for name in names}
    evidence = hypervisor.bed.directory / "not-made"
    answer = hypervisor.shut_down(*names, check_mode=True, on_timeout="force", evidence_dir=str(evidence))
    assert [answer.outcome(name) for name in names] == ["planned", "already_off", "refused"]
    assert answer.returned["changed"]
    plan = answer["checked"]["plan"]
    assert any("ACPI power button" in step for step in plan)
    assert any("guest agent" in step for step in plan)
    assert "power off by force" in plan[-1]
    assert {name: hypervisor.domain(name).XMLDesc(0) for name in names} == before
    assert "press" not in hypervisor.bed.com1("checked").replace("press=", "")
    assert not evidence.exists()


def test_all_with_a_pattern(own_hypervisor: Hypervisor) -> None:
    from bed.module import call

    hypervisor = own_hypervisor
    hypervisor.start(AcpiGuest("win-1"), AcpiGuest("win-2"), AcpiGuest("linux-1"))
    answer = call(hypervisor.uri, all=True, name_pattern="win-*")
    assert answer.returned["totals"] == {"domains": 2, "graceful": 2}
    assert hypervisor.running("linux-1")
    nothing = call(hypervisor.uri, all=True, name_pattern="mac-*")
    assert not nothing.failed
    assert nothing.returned["totals"] == {"domains": 0}
    rest = call(hypervisor.uri, all=True)
    assert rest.returned["totals"] == {"already_off": 2, "domains": 3, "graceful": 1}


@pytest.mark.parametrize("waive", [[], ["domain_on_poweroff"]])
def test_a_trap_is_refused_with_its_id_and_cure_unless_it_is_waived(hypervisor: Hypervisor, waive: list[str]) -> None:
    name = "trap-waived" if waive else "trap"
    hypervisor.start(AcpiGuest(name, on_poweroff="restart"))
    answer = hypervisor.shut_down(name, waive=waive)
    if waive:
        assert answer.outcome(name) == "restarted", answer.texts(name)
    else:
        assert answer.outcome(name) == "refused"
        assert "domain_on_poweroff" in answer[name]["reason"]
        assert "set it to destroy" in answer[name]["reason"]
        assert "press" not in hypervisor.bed.com1(name)


def test_a_guest_without_acpi_and_agent_is_refused(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("no-acpi", acpi=False))
    answer = hypervisor.shut_down("no-acpi")
    assert answer.outcome("no-acpi") == "refused"
    assert "domain_acpi" in answer["no-acpi"]["reason"]
