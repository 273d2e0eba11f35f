# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guest agent: asked, absent, hung, deaf, dying, frozen; and what a forced stop does to a file system."""

from __future__ import annotations

from bed.agent_guest import FilesystemState, filesystem_state
from bed.guests import AcpiGuest, AgentGuest
from integration.conftest import Hypervisor
from integration.faults import fault


def test_the_agent_is_asked_when_the_button_brings_nothing(hypervisor: Hypervisor) -> None:
    hypervisor.start(AgentGuest("by-agent", "agent=obey button=ignore"))
    answer = hypervisor.shut_down("by-agent", timeout=60)
    assert answer.outcome("by-agent") == "graceful", answer.texts("by-agent")
    assert answer["by-agent"]["method"] == "agent"
    assert filesystem_state(hypervisor.bed.disk("by-agent")) == FilesystemState.CLEAN


def test_a_stopping_agent_is_acceptance_and_ends_the_presses(hypervisor: Hypervisor) -> None:
    hypervisor.start(AgentGuest("slow-button", "agent=obey button=slow delay=8"))
    answer = hypervisor.shut_down("slow-button", timeout=60, accept_timeout=30)
    assert answer.outcome("slow-button") == "graceful"
    assert answer["slow-button"]["accepted_by"] == "the guest agent stopped"
    assert answer["slow-button"]["presses"] <= 4


@fault("agent_absent")
def test_an_absent_agent_gives_way_to_the_button(hypervisor: Hypervisor) -> None:
    hypervisor.start(AgentGuest("no-agent", "agent=absent"))
    answer = hypervisor.shut_down("no-agent", methods=["agent", "acpi"], timeout=60)
    assert answer.outcome("no-agent") == "graceful"
    assert answer["no-agent"]["method"] == "acpi"


@fault("agent_absent")
def test_a_hung_agent_gives_way_to_the_button(hypervisor: Hypervisor) -> None:
    hypervisor.start(AgentGuest("hung-agent", "agent=hung agent_after=1"))
    hypervisor.bed.wait_for("hung-agent", "agent hung")
    answer = hypervisor.shut_down("hung-agent", methods=["agent", "acpi"], timeout=60, thaw=False)
    assert answer.outcome("hung-agent") == "graceful", answer.texts("hung-agent")
    assert answer["hung-agent"]["method"] == "acpi"


@fault("agent_absent")
def test_an_agent_that_died_gives_way_to_the_button(hypervisor: Hypervisor) -> None:
    hypervisor.start(AgentGuest("dead-agent", "agent=dies agent_after=1"))
    hypervisor.bed.wait_for("dead-agent", "agent died")
    answer = hypervisor.shut_down("dead-agent", methods=["agent", "acpi"], timeout=60)
    assert answer.outcome("dead-agent") == "graceful"
    assert answer["dead-agent"]["method"] == "acpi"


@fault("agent_blocks")
def test_agents_that_block_for_a_minute_delay_nobody(own_hypervisor: Hypervisor) -> None:
    """libvirt's agent call blocks for 60 s when a guest takes the request and does nothing."""
    hypervisor = own_hypervisor
    deaf = [f"deaf-{number}" for number in range(3)]
    hypervisor.start(
        *(AgentGuest(name, "agent=deaf button=ignore") for name in deaf), AcpiGuest("quick", "press=obey presses=3")
    )
    entries = [{"name": name, "methods": ["agent"]} for name in deaf]
    answer = hypervisor.shut_down(*entries, {"name": "quick", "methods": ["acpi"]}, timeout=12, accept_timeout=12)
    assert answer.outcome("quick") == "graceful"
    assert answer["quick"]["finish_seconds"] < 6
    for name in deaf:
        assert answer.outcome(name) == "left_running"
        assert answer[name]["finish_seconds"] < 20, "the ladder waited for the agent's call"


def test_frozen_file_systems_are_thawed_first(hypervisor: Hypervisor) -> None:
    hypervisor.start(AgentGuest("frozen", "agent=obey"))
    assert hypervisor.domain("frozen").fsFreeze() > 0
    answer = hypervisor.shut_down("frozen", timeout=60, accept_timeout=30)
    assert answer.outcome("frozen") == "graceful", answer.texts("frozen")
    assert any(text.startswith("thaw: ok: 1 ") for text in answer.texts("frozen"))
    assert filesystem_state(hypervisor.bed.disk("frozen")) == FilesystemState.CLEAN


def test_a_forced_stop_freezes_where_the_agent_answers(hypervisor: Hypervisor) -> None:
    """The journal need not be replayed after a stop with a freeze, and must be after one without."""
    writing = "button=ignore writer=yes"
    hypervisor.start(AgentGuest("with", f"agent=deaf {writing}"), AgentGuest("without", f"agent=absent {writing}"))
    for name in ("with", "without"):
        hypervisor.bed.wait_for(name, "writing")
    answer = hypervisor.shut_down("with", "without", methods=["acpi"], on_timeout="force", max_timeout=10)
    assert [answer.outcome(name) for name in ("with", "without")] == ["forced", "forced"], answer.returned
    assert any("1 file systems frozen" in text for text in answer.texts("with"))
    assert filesystem_state(hypervisor.bed.disk("with")) == FilesystemState.CLEAN
    assert filesystem_state(hypervisor.bed.disk("without")) == FilesystemState.NEEDS_RECOVERY
