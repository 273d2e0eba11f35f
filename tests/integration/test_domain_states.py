# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows about the states of domains and their agents, on real libvirt and QEMU: found, cured, and seen to matter."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import libvirt
import libvirt_qemu
from ansible_collections.winguest.shutdown.plugins.module_utils import _acts
from bed.acpi_guest import DiskState, disk_state
from bed.guests import AcpiGuest, AgentGuest
from bed.served_disk import fails_once, new_image, on_served_disk, served
from integration.conftest import Hypervisor
from integration.faults import fault
from integration.rows import (
    KEPT,
    LIVE,
    about,
    is_off,
    look,
    mend,
    restart,
    shows,
    shut_down,
    the_finding,
    wait_for_agent,
    wait_for_state,
)

SHORT: dict[str, Any] = {"timeout": 3, "accept_timeout": 3, "max_timeout": 3}


@shows("domain_autostart")
def test_autostart(own_hypervisor: Hypervisor) -> None:
    """A guest that was shut down is up again after the hypervisor's own restart, unless it is told not to be."""
    hypervisor = own_hypervisor
    hypervisor.start(AcpiGuest("eager"))
    hypervisor.domain("eager").setAutostart(1)
    assert about(look(hypervisor, "eager")["eager"], "domain_autostart") == {"autostart": "differs"}
    assert shut_down(hypervisor, "eager").outcome("eager") == "graceful"
    start_libvirt_anew(hypervisor)
    wait_for_state(hypervisor, "eager", libvirt.VIR_DOMAIN_RUNNING)
    hypervisor.domain("eager").setAutostart(0)
    assert about(look(hypervisor, "eager")["eager"], "domain_autostart") == {"autostart": "ok"}
    assert shut_down(hypervisor, "eager").outcome("eager") == "graceful"
    start_libvirt_anew(hypervisor)
    time.sleep(1)
    assert not hypervisor.running("eager")


def start_libvirt_anew(hypervisor: Hypervisor) -> None:
    """As after the hypervisor's start, when /run, where libvirt notes that it has started its domains, is empty."""
    hypervisor.bed.daemon.stop_daemon()
    for note in (hypervisor.bed.daemon.directory / "run").rglob("autostarted"):
        note.unlink()
    hypervisor.bed.daemon.start_daemon()
    hypervisor.bed.reconnect()


@shows("domain_paused", "domain_request_outstanding")
def test_a_paused_guest_and_one_that_was_asked_already(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("told", "press=ignore"))
    domain = hypervisor.domain("told")
    domain.suspend()
    assert about(look(hypervisor, "told")["told"], "domain_paused") == {"paused": "differs"}
    refused = shut_down(hypervisor, "told")["told"]
    assert refused["outcome"] == "refused" and "[domain_paused]: resume it" in refused["reason"]
    domain.resume()
    assert about(look(hypervisor, "told")["told"], "domain_paused") == {"paused": "ok"}

    assert shut_down(hypervisor, "told", **SHORT).outcome("told") == "left_running"
    asked = look(hypervisor, "told")["told"]
    assert about(asked, "domain_request_outstanding") == {"request": "differs"}
    assert the_finding(asked, "domain_request_outstanding")["detail"] == "it ended as left_running"
    restart(hypervisor, "told")
    assert about(look(hypervisor, "told")["told"], "domain_request_outstanding") == {"request": "ok"}
    assert shut_down(hypervisor, "told", **SHORT).outcome("told") == "left_running"
    hypervisor.bed.tell("told", "press=obey")
    assert shut_down(hypervisor, "told").outcome("told") == "graceful"
    domain.create()
    assert about(look(hypervisor, "told")["told"], "domain_request_outstanding") == {"request": "ok"}


@shows("domain_asleep")
def test_a_guest_that_sleeps(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("dozes", "sleep=1"))
    wait_for_state(hypervisor, "dozes", libvirt.VIR_DOMAIN_PMSUSPENDED)
    assert about(look(hypervisor, "dozes")["dozes"], "domain_asleep") == {"asleep": "differs"}
    refused = shut_down(hypervisor, "dozes", wake=False)["dozes"]
    assert refused["outcome"] == "refused" and "[domain_asleep]: wake it (virsh dompmwakeup)" in refused["reason"]
    hypervisor.domain("dozes").pMWakeup()
    hypervisor.bed.wait_for("dozes", "awake")
    assert about(look(hypervisor, "dozes")["dozes"], "domain_asleep") == {"asleep": "ok"}
    assert shut_down(hypervisor, "dozes", wake=False).outcome("dozes") == "graceful"


# ---- crashes


def define_crashing(hypervisor: Hypervisor, name: str, on_crash: str) -> None:
    """A guest that crashes when it is pressed, and tells so through QEMU's panic device."""
    guest = AcpiGuest(name, "press=crash", sleep_states=False)
    xml = guest.xml(hypervisor.bed.directory, hypervisor.bed.cache)
    xml = xml.replace("<on_poweroff>", f"<on_crash>{on_crash}</on_crash><on_poweroff>")
    domain = hypervisor.bed.connection.defineXML(xml.replace("</devices>", "<panic model='isa'/></devices>"))
    hypervisor.domains.append(domain)
    restart(hypervisor, name)


@fault("guest_crashes")
@shows("domain_crashed")
def test_a_crash_that_is_kept(hypervisor: Hypervisor) -> None:
    define_crashing(hypervisor, "fallen", "preserve")
    assert about(look(hypervisor, "fallen")["fallen"], "domain_crashed") == {"crashed": "ok"}
    crashes = shut_down(hypervisor, "fallen", **SHORT)["fallen"]
    assert crashes["outcome"] == "left_running", crashes
    assert "state: crashed (panicked)" in [entry["text"] for entry in crashes["timeline"]]

    looked = look(hypervisor, "fallen")["fallen"]
    assert (about(looked, "domain_crashed"), looked["verdicts"]) == ({"crashed": "differs"}, {"host": "blocked"})
    assert (looked["state"], looked["reason"]) == ("crashed", "panicked")
    refused = shut_down(hypervisor, "fallen", on_timeout="force")["fallen"]
    cure = "[domain_crashed]: dump it if you want to know why (virsh dump), then virsh destroy"
    assert refused["outcome"] == "refused" and cure in refused["reason"]

    dump = hypervisor.bed.directory / "fallen.dump"
    hypervisor.domain("fallen").coreDump(str(dump), libvirt.VIR_DUMP_MEMORY_ONLY)
    assert dump.stat().st_size > 0
    restart(hypervisor, "fallen")
    hypervisor.bed.tell("fallen", "press=obey")
    assert about(look(hypervisor, "fallen")["fallen"], "domain_crashed") == {"crashed": "ok"}
    assert shut_down(hypervisor, "fallen").outcome("fallen") == "graceful"


@fault("guest_crashes")
@shows("domain_on_crash")
def test_a_crash_that_restarts(hypervisor: Hypervisor) -> None:
    """A guest that crashes at each shutdown can never be shut down, since it is started anew; then it stays off."""
    define_crashing(hypervisor, "phoenix", "restart")
    before = look(hypervisor, "phoenix")["phoenix"]
    assert about(before, "domain_on_crash") == {LIVE: "differs", KEPT: "differs"}
    assert not mend(hypervisor, "phoenix", rows=["domain_acpi"]).returned["changed"], "it is mended on request only"
    assert shut_down(hypervisor, "phoenix").outcome("phoenix") == "restarted"
    hypervisor.bed.wait_for("phoenix", "ready", since=hypervisor.bed.wait_for("phoenix", "crash"))
    assert hypervisor.running("phoenix")
    mended = mend(hypervisor, "phoenix", rows=["domain_on_crash"])["phoenix"]
    assert (about(mended, "domain_on_crash"), mended["holds"]) == ({LIVE: "fixed", KEPT: "fixed"}, "now")
    crashes = shut_down(hypervisor, "phoenix")["phoenix"]
    assert crashes["outcome"] == "error" and "shutoff, crashed" in crashes["reason"]
    assert is_off(hypervisor, "phoenix")


# ---- storage


@fault("storage_error")
@shows("domain_ioerror")
def test_a_storage_error(hypervisor: Hypervisor) -> None:
    """QEMU stops the guest when its disk fails to write, here once; resumed, it writes what it could not."""
    folder = hypervisor.bed.directory
    image = new_image(folder, "stuck")
    with served(folder, "stuck", fails_once(image)) as (source, dummy_server):
        xml = AcpiGuest("stuck", sleep_states=False).xml(folder, hypervisor.bed.cache)
        stuck = hypervisor.bed.connection.defineXML(on_served_disk(xml, source))
        hypervisor.domains.append(stuck)
        stuck.create()
        wait_for_state(hypervisor, "stuck", libvirt.VIR_DOMAIN_PAUSED)
        looked = look(hypervisor, "stuck")["stuck"]
        assert about(looked, "domain_ioerror") == {"ioerror": "differs"}
        assert (about(looked, "domain_paused"), looked["verdicts"]) == ({"paused": "ok"}, {"host": "blocked"})
        refused = shut_down(hypervisor, "stuck", resume=True)["stuck"]
        assert refused["outcome"] == "refused" and "[domain_ioerror]: mend the storage" in refused["reason"]
        stuck.resume()
        hypervisor.bed.wait_for("stuck", "ready")
        assert about(look(hypervisor, "stuck")["stuck"], "domain_ioerror") == {"ioerror": "ok"}
        assert shut_down(hypervisor, "stuck").outcome("stuck") == "graceful"
        assert disk_state(Path(image["filename"])) is DiskState.CLEAN


@fault("storage_slow")
@shows("domain_shutting_down")
def test_a_qemu_that_is_still_flushing(hypervisor: Hypervisor) -> None:
    """A guest that has powered off, and whose QEMU has to wait for its storage, here a second disk: nothing ends it."""
    folder = hypervisor.bed.directory
    with served(folder, "slow", {"driver": "raw", "file": new_image(folder, "slow")}) as (source, server):
        xml = AcpiGuest("flushes", sleep_states=False).xml(folder, hypervisor.bed.cache)
        slow = f"<disk type='network' device='disk'>{source}<target dev='hdb' bus='ide'/><alias name='ua-slow'/></disk>"
        domain = hypervisor.bed.connection.defineXML(xml.replace("</devices>", f"{slow}</devices>"))
        hypervisor.domains.append(domain)
        restart(hypervisor, "flushes")
        server.send_signal(signal.SIGSTOP)
        write = 'qemu-io -d ua-slow "aio_write 0 512"'
        libvirt_qemu.qemuMonitorCommand(domain, write, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
        running = hypervisor.begin("flushes", baseline_time=0, **{**SHORT, "max_timeout": 120}, on_timeout="force")
        wait_for_state(hypervisor, "flushes", libvirt.VIR_DOMAIN_SHUTDOWN)

        looked = look(hypervisor, "flushes")["flushes"]
        assert about(looked, "domain_shutting_down") == {"shutting down": "differs"}
        assert looked["recommended_methods"] == []
        second = shut_down(hypervisor, "flushes", **SHORT, on_timeout="save")["flushes"]
        assert second["outcome"] == "refused" and "is at work on it" in second["reason"], second["reason"]
        assert _acts.simple("save", domain).result == "dropped", "not even when nobody has told of the end"
        server.send_signal(signal.SIGCONT)
        answer = running.answer()
        assert answer.outcome("flushes") == "graceful", answer["flushes"]
        assert disk_state(hypervisor.bed.disk("flushes")) is DiskState.CLEAN


# ---- the guest agent


@shows("domain_agent", "domain_agent_commands")
def test_an_agent_that_is_missing_and_one_that_refuses(hypervisor: Hypervisor) -> None:
    """A guest that ignores its button: only an agent that may shut it down can help."""
    deaf = {"methods": ["agent"], **SHORT}
    hypervisor.start(AgentGuest("obeys", "agent=absent button=ignore"))
    missing = look(hypervisor, "obeys")["obeys"]
    assert about(missing, "domain_agent") == {"agent": "differs"}
    assert missing["recommended_methods"] == ["acpi"]
    asked = shut_down(hypervisor, "obeys", **deaf)
    assert asked.outcome("obeys") == "left_running"
    assert any("[domain_agent]" in text for text in asked.texts("obeys"))

    become(hypervisor, "agent=obey button=ignore blocked=guest-shutdown,guest-fsfreeze-freeze")
    refuses = look(hypervisor, "obeys")["obeys"]
    assert about(refuses, "domain_agent") == {"agent": "ok"}
    finding = the_finding(refuses, "domain_agent_commands")
    assert finding["state"] == "differs" and finding["detail"].startswith("version 7."), finding
    assert finding["actual"] == ["guest-fsfreeze-freeze", "guest-shutdown"]
    assert {"guest-fsfreeze-freeze", "guest-shutdown"} <= set(refuses["agent"]["disabled_commands"])
    assert finding["detail"] == f"version {refuses['agent']['version']}"
    assert finding["cure"].startswith("Take them out of block-rpcs")
    assert refuses["recommended_methods"] == ["acpi"]
    asked = shut_down(hypervisor, "obeys", **deaf)
    assert asked.outcome("obeys") == "left_running"
    assert any("guest-shutdown" in text and "disabled" in text for text in asked.texts("obeys")), asked.texts("obeys")

    become(hypervisor, "agent=obey button=ignore blocked=guest-info")
    mum = look(hypervisor, "obeys")["obeys"]
    assert mum["agent"] == {"connected": True, "answers": True, "version": None, "disabled_commands": ["guest-info"]}
    assert about(mum, "domain_agent_silent") == {"agent answer": "ok"}
    assert the_finding(mum, "domain_agent_commands")["actual"] == ["guest-info"]
    assert mum["recommended_methods"] == ["acpi", "agent"]

    become(hypervisor, "agent=obey button=ignore")
    cured = look(hypervisor, "obeys")["obeys"]
    assert about(cured, "domain_agent_commands") == {"agent commands": "ok"}
    assert cured["recommended_methods"] == ["acpi", "agent"]
    assert shut_down(hypervisor, "obeys", methods=["agent"], timeout=60).outcome("obeys") == "graceful"


def become(hypervisor: Hypervisor, behaviour: str) -> None:
    """Somebody sets the agent in the guest up anew, and starts the guest again."""
    hypervisor.bed.define(AgentGuest("obeys", behaviour))
    restart(hypervisor, "obeys", "guest: ready", 120)
    wait_for_agent(hypervisor, "obeys")


@shows("domain_agent_silent")
def test_agents_that_hang_or_are_missing_hold_up_nobody(hypervisor: Hypervisor) -> None:
    hypervisor.start(
        AgentGuest("hangs", "agent=hung agent_after=1"),
        AcpiGuest("nobody-home", agent_channel=True),
        AcpiGuest("beside"),
    )
    hypervisor.bed.wait_for("hangs", "agent hung", 60)
    wait_for_agent(hypervisor, "hangs")
    os.kill(hypervisor.bed.daemon.qemu_pid("beside"), signal.SIGSTOP)
    began = time.monotonic()
    answer = look(hypervisor, "hangs", "nobody-home", "beside")
    assert time.monotonic() - began < 45
    os.kill(hypervisor.bed.daemon.qemu_pid("beside"), signal.SIGCONT)
    assert about(answer["hangs"], "domain_agent_silent") == {"agent answer": "differs"}
    assert answer["hangs"]["recommended_methods"] == ["acpi"]
    assert about(answer["nobody-home"], "domain_agent") == {"agent": "differs"}
    assert answer["nobody-home"]["recommended_methods"] == ["acpi"]
    assert any("[domain_agent]" in text for text in shut_down(hypervisor, "nobody-home").texts("nobody-home"))
    assert answer["beside"]["state"] == "running"

    asked = shut_down(hypervisor, "hangs", methods=["agent"], **SHORT)
    assert asked.outcome("hangs") == "left_running"
    hypervisor.bed.define(AgentGuest("hangs", "agent=obey"))
    restart(hypervisor, "hangs", "guest: ready", 120)
    wait_for_agent(hypervisor, "hangs")
    assert about(look(hypervisor, "hangs")["hangs"], "domain_agent_silent") == {"agent answer": "ok"}
    assert shut_down(hypervisor, "hangs", methods=["agent"], timeout=60).outcome("hangs") == "graceful"
