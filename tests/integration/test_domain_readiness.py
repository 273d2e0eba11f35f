# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows about domains on real libvirt and QEMU: each is found, mended, and seen to matter at the next shutdown."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import libvirt
import pytest
from bed.ansible_run import Inventory, play
from bed.guests import AcpiGuest, AgentGuest
from bed.module import HYPERVISOR_PYTHON, Answer, call
from integration.conftest import Hypervisor
from integration.rows import (
    KEPT,
    LIVE,
    SAVED,
    about,
    found,
    look,
    mend,
    restart,
    shows,
    shut_down,
    wait_for_agent,
    wait_for_state,
)

WHOLE = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
HARD: dict[str, Any] = {"methods": [], "timeout": 0, "max_timeout": 0, "accept_timeout": 0, "on_timeout": "force"}

PATHS = {
    "domain_acpi": "features",
    "domain_on_poweroff": "on_poweroff",
    "domain_suspend_to_mem": "pm",
    "domain_agent_channel": "devices",
}


# ---- definitions: the finding, the cure, and the next shutdown


@shows("domain_acpi", "domain_definitions_differ")
def test_no_acpi(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("no-acpi", acpi=False, sleep_states=False))
    refused = shut_down(hypervisor, "no-acpi")["no-acpi"]
    assert refused["outcome"] == "refused" and "[domain_acpi]: add <acpi/> under <features>" in refused["reason"]
    domain = hypervisor.domain("no-acpi")
    before, number = domain.XMLDesc(WHOLE), domain.ID()

    planned = mend(hypervisor, "no-acpi", check_mode=True)
    assert planned.returned["changed"] and domain.XMLDesc(WHOLE) == before
    assert "+    <acpi/>" in diff_lines(planned) and about(planned["no-acpi"], "domain_acpi")[KEPT] == "differs"

    answer = mend(hypervisor, "no-acpi")
    mended = answer["no-acpi"]
    assert not answer.failed and (mended["holds"], mended["verdicts"]) == ("next_start", {"host": "ready_later"})
    assert about(mended, "domain_acpi") == {LIVE: "later", KEPT: "fixed"}
    assert about(mended, "domain_definitions_differ") == {"definitions": "differs"}
    assert mended["former_definition"] == before
    assert "+    <acpi/>" in diff_lines(answer)
    assert hypervisor.domain("no-acpi").ID() == number, "the guest was restarted"

    again = mend(hypervisor, "no-acpi")
    assert not again.returned["changed"] and again.returned["diff"] == []
    assert about(again["no-acpi"], "domain_acpi") == {LIVE: "later", KEPT: "ok"}
    restart(hypervisor, "no-acpi")
    looked = look(hypervisor, "no-acpi")["no-acpi"]
    assert looked["recommended_methods"] == ["acpi"]
    assert about(looked, "domain_definitions_differ") == {"definitions": "ok"}
    assert shut_down(hypervisor, "no-acpi").outcome("no-acpi") == "graceful"
    hypervisor.bed.connection.defineXML(mended["former_definition"])
    assert hypervisor.domain("no-acpi").XMLDesc(WHOLE) == before, "the former definition could not be put back"


def diff_lines(answer: Answer) -> list[str]:
    """The lines that were added in the definition of the only domain, each with a plus."""
    (diff,) = answer.returned["diff"]
    before = diff["before"].splitlines()
    return [f"+{line}" for line in diff["after"].splitlines() if line not in before]


@shows("domain_on_poweroff")
def test_a_power_off_that_restarts_is_mended_while_the_guest_runs(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("restarts", on_poweroff="restart", sleep_states=False))
    refused = shut_down(hypervisor, "restarts")["restarts"]
    assert refused["outcome"] == "refused" and "[domain_on_poweroff]" in refused["reason"]
    mended = mend(hypervisor, "restarts", rows=["domain_on_poweroff"])["restarts"]
    assert (mended["holds"], about(mended, "domain_on_poweroff")) == ("now", {LIVE: "fixed", KEPT: "fixed"})
    assert shut_down(hypervisor, "restarts").outcome("restarts") == "graceful"
    restart(hypervisor, "restarts")
    assert about(look(hypervisor, "restarts")["restarts"], "domain_on_poweroff") == {LIVE: "ok", KEPT: "ok"}


@shows("domain_transient")
def test_a_transient_domain(hypervisor: Hypervisor) -> None:
    guest = AcpiGuest("transient", on_poweroff="restart", acpi=True, sleep_states=False)
    xml = guest.xml(hypervisor.bed.directory, hypervisor.bed.cache)
    hypervisor.domains.append(hypervisor.bed.connection.createXML(xml))
    hypervisor.bed.wait_for("transient", "ready")
    answer = mend(hypervisor, "transient")
    mended = answer["transient"]
    assert not answer.failed and not mended["persistent"] and mended["former_definition"] is None
    assert about(mended, "domain_on_poweroff") == {LIVE: "fixed"}
    assert about(mended, "domain_agent_channel") == {LIVE: "differs"}
    assert about(mended, "domain_transient") == {"transient": "differs"}
    assert not mend(hypervisor, "transient").returned["changed"]
    refused = shut_down(hypervisor, "transient", on_timeout="save")["transient"]
    assert refused["outcome"] == "refused" and "[domain_transient]: define the domain" in refused["reason"]
    hypervisor.bed.connection.defineXML(hypervisor.domain("transient").XMLDesc(WHOLE))
    hypervisor.bed.tell("transient", "press=ignore")
    assert about(look(hypervisor, "transient")["transient"], "domain_transient") == {"transient": "ok"}
    clocks = {"timeout": 2, "accept_timeout": 2, "max_timeout": 2}
    assert shut_down(hypervisor, "transient", on_timeout="save", **clocks).outcome("transient") == "saved"


@shows("domain_on_reboot")
def test_other_actions_at_the_end_are_set_on_request(hypervisor: Hypervisor) -> None:
    """on_reboot=destroy is what an installation may have left behind."""
    guest = AcpiGuest("actions", "press=reboot", sleep_states=False)
    xml = guest.xml(hypervisor.bed.directory, hypervisor.bed.cache)
    xml = xml.replace("<on_poweroff>", "<on_reboot>destroy</on_reboot><on_poweroff>")
    domain = hypervisor.bed.connection.defineXML(xml)
    hypervisor.domains.append(domain)
    domain.create()
    hypervisor.bed.wait_for("actions", "ready")
    assert "domain_on_reboot" in {ident for ident, dummy in found(look(hypervisor, "actions")["actions"])}
    plain = mend(hypervisor, "actions", rows=["domain_acpi"])
    assert not plain.returned["changed"]
    mended = mend(hypervisor, "actions", rows=["domain_on_reboot"])["actions"]
    assert about(mended, "domain_on_reboot")[KEPT] == "fixed"
    restart(hypervisor, "actions")
    assert shut_down(hypervisor, "actions").outcome("actions") == "restarted", "a restart is one again"


@shows("domain_suspend_to_mem")
def test_sleep_is_cured_from_the_hosts_side_alone(hypervisor: Hypervisor) -> None:
    """S3: a guest that falls asleep by itself. The same guest, set as before, stays awake after its next start."""
    hypervisor.start(AcpiGuest("sleeper"))
    hypervisor.bed.tell("sleeper", "sleep=1")
    hypervisor.bed.wait_for("sleeper", "sleep")
    wait_for_state(hypervisor, "sleeper", libvirt.VIR_DOMAIN_PMSUSPENDED)
    refused = shut_down(hypervisor, "sleeper", wake=False)["sleeper"]
    assert refused["outcome"] == "refused" and "[domain_asleep]" in refused["reason"]
    mended = mend(hypervisor, "sleeper", rows=["domain_suspend_to_mem"])["sleeper"]
    assert about(mended, "domain_asleep") == {"asleep": "differs"}
    assert about(mended, "domain_suspend_to_mem") == {LIVE: "later", KEPT: "fixed"}
    restart(hypervisor, "sleeper")
    hypervisor.bed.tell("sleeper", "sleep=1")
    hypervisor.bed.wait_for("sleeper", "no S3")
    assert shut_down(hypervisor, "sleeper", wake=False).outcome("sleeper") == "graceful"


@shows("domain_suspend_to_disk")
def test_hibernation_is_cured_from_the_hosts_side_alone(hypervisor: Hypervisor) -> None:
    """S4: a button that hibernates, which libvirt cannot tell from a shutdown. QEMU offers it where nothing is said."""
    hypervisor.start(AcpiGuest("hibernates", "press=hibernate", sleep_states=False))
    looked = look(hypervisor, "hibernates")["hibernates"]
    assert about(looked, "domain_suspend_to_disk") == {LIVE: "differs", KEPT: "differs"}
    assert shut_down(hypervisor, "hibernates").outcome("hibernates") == "graceful", "it cannot be told"
    assert "hibernate" in hypervisor.bed.com1("hibernates")
    mended = mend(hypervisor, "hibernates", rows=["domain_suspend_to_disk"])["hibernates"]
    assert (about(mended, "domain_suspend_to_disk"), mended["verdicts"]["host"]) == ({KEPT: "fixed"}, "prolonged")
    restart(hypervisor, "hibernates")
    running = hypervisor.begin("hibernates", timeout=30)
    hypervisor.bed.wait_for("hibernates", "no S4")
    hypervisor.bed.tell("hibernates", "press=obey")
    assert running.answer().outcome("hibernates") == "graceful"
    assert "power off" in hypervisor.bed.com1("hibernates")


@shows("domain_agent_channel", "domain_frozen")
def test_an_agent_channel_and_what_the_agent_says(hypervisor: Hypervisor) -> None:
    """A guest that ignores its button, and whose agent nobody could ask: first no channel, then one that is used."""
    hypervisor.start(AgentGuest("mute", "agent=obey button=ignore", agent_channel=False))
    planned = shut_down(hypervisor, "mute", check_mode=True)["mute"]
    (note,) = [step for step in planned["plan"] if "[domain_agent_channel]" in step]
    assert note.startswith("note: method agent left out")
    assert any("[domain_agent_channel]" in entry["text"] for entry in planned["timeline"])
    waived = shut_down(hypervisor, {"name": "mute", "waive": ["domain_agent_channel"]}, check_mode=True)["mute"]
    assert not [step for step in waived["plan"] if "note:" in step]
    assert look(hypervisor, "mute")["mute"]["recommended_methods"] == ["acpi"]
    mended = mend(hypervisor, "mute", rows=["domain_agent_channel"])["mute"]
    assert about(mended, "domain_agent_channel") == {LIVE: "later", KEPT: "fixed"}
    restart(hypervisor, "mute", "guest: ready", 120)

    wait_for_agent(hypervisor, "mute")
    asked = look(hypervisor, "mute")["mute"]
    assert asked["recommended_methods"] == ["acpi", "agent"]
    assert (asked["agent"]["connected"], asked["agent"]["answers"]) == (True, True)
    assert asked["agent"]["version"][0].isdigit() and "guest-shutdown" not in asked["agent"]["disabled_commands"]
    unasked = look(hypervisor, "mute", ask_agent=False)["mute"]
    assert unasked["agent"] == {"connected": True, "answers": None, "version": None, "disabled_commands": []}
    assert hypervisor.domain("mute").fsFreeze() == 1
    frozen = look(hypervisor, "mute")["mute"]
    assert about(frozen, "domain_frozen") == {"frozen": "differs"}
    assert about(frozen, "domain_agent_commands") == {}, "that it refuses all but a thaw is no setting"
    assert frozen["verdicts"] == {"host": "blocked"}
    answer = shut_down(hypervisor, "mute", timeout=60)
    assert (answer.outcome("mute"), answer["mute"]["method"]) == ("graceful", "agent"), answer.texts("mute")


@shows("domain_display")
def test_a_display_on_request(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("blind", display=False))
    assert not mend(hypervisor, "blind", rows=["domain_acpi"]).returned["changed"]
    blind = shut_down(hypervisor, "blind", **HARD)["blind"]
    assert len(blind["evidence"]) == 1
    assert any("[domain_display]" in entry["text"] for entry in blind["timeline"])
    mended = mend(hypervisor, "blind", rows=["domain_display"])["blind"]
    assert about(mended, "domain_display") == {KEPT: "fixed"}
    restart(hypervisor, "blind")
    seeing = shut_down(hypervisor, "blind", **HARD)["blind"]
    assert [Path(path).name for path in seeing["evidence"]] == ["screen.png", "evidence.json"]


@shows("domain_managed_save")
def test_a_managed_save_image(hypervisor: Hypervisor) -> None:
    """The next start goes on with the definition that was saved, whatever was mended meanwhile."""
    hypervisor.start(AcpiGuest("kept", on_poweroff="restart"))
    hypervisor.domain("kept").managedSave(0)
    rows = ["domain_on_poweroff"]
    mended = mend(hypervisor, "kept", rows=rows)["kept"]
    assert about(mended, "domain_on_poweroff") == {SAVED: "later", KEPT: "fixed"}
    assert about(mended, "domain_managed_save") == {SAVED: "differs"}
    assert mended["verdicts"]["host"] != "ready"
    assert hypervisor.domain("kept").hasManagedSaveImage(0)
    hypervisor.domain("kept").create()
    assert shut_down(hypervisor, "kept").outcome("kept") == "refused", "the image has the former definition"

    hypervisor.domain("kept").managedSave(0)
    removed = mend(hypervisor, "kept", rows=["domain_managed_save"])["kept"]
    assert (removed["holds"], about(removed, "domain_managed_save")) == ("now", {SAVED: "fixed"})
    restart(hypervisor, "kept")
    assert shut_down(hypervisor, "kept").outcome("kept") == "graceful"


@shows("domain_job", "domain_block_job")
def test_jobs(hypervisor: Hypervisor) -> None:
    """A backup, a copy and a pull: each is found, refuses a shutdown, and does so no more when it has ended."""
    guest = AcpiGuest("busy")
    domain: Any = hypervisor.bed.define(guest)
    disk = hypervisor.bed.disk("busy")
    with disk.open("r+b") as file:
        file.write(os.urandom(16 << 20))
    hypervisor.domains.append(domain)
    domain.create()
    hypervisor.bed.wait_for("busy", "ready")
    folder = hypervisor.bed.directory
    domain.backupBegin(
        f"<domainbackup mode='pull'><server transport='unix' socket='{folder}/busy.nbd'/>"
        f"<disks><disk name='hda' type='file'><scratch file='{folder}/busy.scratch'/></disk></disks></domainbackup>",
        None,
    )
    assert_refused(hypervisor, "domain_job")
    domain.abortJob()

    copy = f"<disk type='file'><driver type='raw'/><source file='{folder}/busy.copy'/></disk>"
    domain.blockCopy("hda", copy, {"bandwidth": 1 << 20}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
    assert_refused(hypervisor, "domain_block_job")
    domain.blockJobAbort("hda")

    overlay = f"<disk name='hda'><source file='{folder}/busy.overlay'/></disk>"
    only_disks = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    domain.snapshotCreateXML(f"<domainsnapshot><disks>{overlay}</disks></domainsnapshot>", only_disks)
    domain.blockPull("hda", 1)
    assert_refused(hypervisor, "domain_block_job")
    domain.blockJobAbort("hda")
    assert shut_down(hypervisor, "busy").outcome("busy") == "graceful"


def assert_refused(hypervisor: Hypervisor, ident: str) -> None:
    """The audit finds it, and it alone, and a shutdown is refused because of it unless it is waived."""
    wrong = {row for row, dummy in found(look(hypervisor, "busy")["busy"]) if row in ("domain_job", "domain_block_job")}
    assert wrong == {ident}
    refused = shut_down(hypervisor, "busy", check_mode=True)["busy"]
    assert refused["outcome"] == "refused" and f"[{ident}]" in refused["reason"]
    waived = shut_down(hypervisor, {"name": "busy", "waive": [ident]}, check_mode=True)
    assert waived.outcome("busy") == "planned"


# ---- definitions that are odd


ODD_NAME = "gäst 日本 'x' & <y> 😀"
METADATA = """
  <a:b xmlns:a="urn:a" a:tab="&#9;&#10;&quot;"><![CDATA[<on_poweroff>x</on_poweroff> & ]]>é&amp;<a:acpi/> <!-- c -->
  <?pi <features/>?><features><acpi/></features> &#13;x</a:b>
  <other xmlns="urn:other"><on_poweroff>restart</on_poweroff><pm><suspend-to-mem enabled="yes"/></pm></other>
"""
PASSTHROUGH = """
  <qemu:commandline xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
    <qemu:arg value="-name"/><qemu:arg value="&lt;on_poweroff&gt;'restart'&quot;"/>
    <qemu:env name="X" value="a &amp; b"/>
  </qemu:commandline>
"""


def test_hostile_and_odd_definitions_survive(hypervisor: Hypervisor) -> None:
    """All that is in a definition of more than a megabyte is the same afterwards, but for what was mended."""
    guest = AcpiGuest("odd", on_poweroff="restart", acpi=False)
    xml = guest.xml(hypervisor.bed.directory, hypervisor.bed.cache)
    root = ET.fromstring(xml)
    name, metadata = root.find("name"), root.find("metadata")
    assert name is not None and metadata is not None
    name.text = ODD_NAME
    xml = ET.tostring(root, encoding="unicode")
    secret = "<graphics type='vnc' passwd='sesame'><listen type='none'/></graphics>"
    description = f"<description>{'ü&lt;on_poweroff&gt;' * 60_000}</description>"
    xml = xml.replace("</metadata>", f"{METADATA}</metadata>{description}").replace(
        "</domain>", f"{PASSTHROUGH}</domain>"
    )
    xml = xml.replace('<graphics type="vnc"><listen type="none" /></graphics>', secret)
    domain = hypervisor.bed.connection.defineXML(xml)
    hypervisor.domains.append(domain)
    before = domain.XMLDesc(WHOLE)
    assert len(before.encode()) > 1 << 20 and "sesame" in before and "<![CDATA[" in before

    answer = mend(hypervisor, {"uuid": domain.UUIDString()}, backup_dir=str(hypervisor.bed.directory / "backup"))
    mended = answer[ODD_NAME]
    assert not answer.failed, answer.returned["msg"]
    fixed = {ident for (ident, dummy), state in found(mended).items() if state == "fixed"}
    assert fixed == {*PATHS, "domain_suspend_to_disk"}
    after = domain.XMLDesc(WHOLE)
    assert without_edited(after) == without_edited(before)
    for part in (METADATA.strip().splitlines()[0], "<?pi <features/>?>", "value='a &amp; b'", "sesame"):
        assert part in after
    assert mended["former_is_whole"] is False and "sesame" not in json.dumps(answer.returned)
    assert Path(mended["backup"]).read_text(encoding="utf-8") == before
    assert Path(mended["backup"]).stat().st_mode & 0o777 == 0o600
    assert not mend(hypervisor, {"uuid": domain.UUIDString()}).returned["changed"]


def without_edited(xml: str) -> str:
    """The definition in canonical form without what remediation is about, and what libvirt adds to a new channel."""
    root = ET.fromstring(xml, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True, insert_pis=True)))
    for tag in ("features", "on_poweroff", "pm"):
        for child in root.findall(tag):
            root.remove(child)
    devices = root.find("devices")
    assert devices is not None
    for device in (*devices.findall("channel"), *devices.findall("controller[@type='virtio-serial']")):
        devices.remove(device)
    return ET.canonicalize(ET.tostring(root, encoding="unicode"), with_comments=True, strip_text=True)


# ---- the role, and bad input


def test_the_playbooks(hypervisor: Hypervisor) -> None:
    """The audit and remediation, as a user runs them; a wrong option fails, and then nothing is done."""
    hypervisor.bed.define(AcpiGuest("played-with", acpi=False))
    hypervisor.domains.append(hypervisor.domain("played-with"))
    looked = play(inventory(hypervisor), "winguest.shutdown.audit_domains")
    assert looked.status == 0 and "changed=0" in looked.output, looked.output
    table = looked.output.index("domain               state       blocker")
    assert "domain_acpi" in looked.output[table:] and "nobody asks the guests" in looked.output[table:]
    assert "features/acpi = (absent)" in looked.output[table:]
    assert looked.output.count("Add <acpi/> under <features> in the domain's XML and start it anew.") == 1
    planned = play(inventory(hypervisor), "winguest.shutdown.remediate_domains", "--check")
    assert "what would be changed would hold from the next start" in planned.output, planned.output
    mended = play(inventory(hypervisor), "winguest.shutdown.remediate_domains")
    assert mended.status == 0 and "changed=1" in mended.output, mended.output
    assert "fixed       domain_acpi" in mended.output
    assert "ready, what was changed holds from the next start" in mended.output
    failed = play(inventory(hypervisor, enforce=["domain_job"]), "winguest.shutdown.remediate_domains")
    assert failed.status == 2 and "enforce: domain_job can only be read" in failed.output


def inventory(hypervisor: Hypervisor, **variables: Any) -> Inventory:
    """This machine as the only hypervisor, with the role's variables."""
    nowhere = str(hypervisor.bed.directory / "nowhere")
    given = {"uri": hypervisor.uri, "domains": ["played-with"], "host_root": nowhere, **variables}
    host = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
    named = {f"domain_readiness_{name}": value for name, value in given.items()}
    return {"hypervisors": {"hosts": {"here": host}, "vars": named}}


@pytest.mark.parametrize("module", ["domain_readiness", "domain_readiness_info"])
def test_no_domain_is_touched_when_one_is_unknown(hypervisor: Hypervisor, module: str) -> None:
    hypervisor.bed.define(AcpiGuest("known", acpi=False))
    hypervisor.domains.append(hypervisor.domain("known"))
    before = hypervisor.domain("known").XMLDesc(WHOLE)
    answer = call(hypervisor.uri, module=module, domains=["known", "unknown"])
    assert answer.failed and "domains[1] (unknown): there is no domain" in answer.returned["msg"]
    assert hypervisor.domain("known").XMLDesc(WHOLE) == before
