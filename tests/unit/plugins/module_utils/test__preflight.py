# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a domain's definition and state say: read from XML as libvirt gives it, and every trap."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import BY_ID
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import (
    WAIVABLE,
    Definition,
    Facts,
    disks,
    fit,
    notes,
    read_definition,
    traps,
)

WINDOWS = """
<domain type='kvm' id='7' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web01</name>
  <uuid>6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11</uuid>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://microsoft.com/win/2k22"/>
    </libosinfo:libosinfo>
    <other:features xmlns:other="urn:other"><other:acpi/><other:on_poweroff>restart</other:on_poweroff></other:features>
  </metadata>
  <memory unit='KiB'>8388608</memory>
  <vcpu placement='static'>4</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>
  </os>
  <features>
    <acpi/>
    <hyperv mode='custom'><relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='8191'/></hyperv>
    <smm state='on'/>
  </features>
  <clock offset='localtime'><timer name='hypervclock' present='yes'/></clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='/var/lib/libvirt/images/web01.qcow2' index='2'/>
      <backingStore/>
      <target dev='sda' bus='scsi'/>
      <alias name='scsi0-0-0-0'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='sdb' bus='sata'/>
      <readonly/>
    </disk>
    <channel type='spicevmc'>
      <target type='virtio' name='com.redhat.spice.0' state='connected'/>
    </channel>
    <channel type='unix'>
      <source mode='bind' path='/var/lib/libvirt/qemu/channel/target/domain-7-web01/org.qemu.guest_agent.0'/>
      <target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>
      <address type='virtio-serial' controller='0' bus='0' port='2'/>
    </channel>
    <graphics type='vnc' port='5900' autoport='yes' listen='127.0.0.1'/>
    <video><model type='qxl' ram='65536' vram='65536' heads='1' primary='yes'/></video>
  </devices>
</domain>
"""
MIRROR = (
    """<mirror type='file' file='/tmp/copy' format='qcow2' job='copy' ready='yes'><format type='qcow2'/></mirror>"""
)
AGENT_TARGET = "<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>"
FINE = Definition(
    acpi=True,
    on_poweroff="destroy",
    agent_channel=True,
    agent_connected=True,
    display=True,
    block_jobs=(),
    memory=8 << 30,
)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("", "", {}),
        ("<acpi/>\n", "\n", {"acpi": False}),
        ("<on_poweroff>destroy<", "<on_poweroff>restart<", {"on_poweroff": "restart"}),
        ("<on_poweroff>destroy</on_poweroff>", "", {}),
        (AGENT_TARGET, AGENT_TARGET.replace("'connected'", "'disconnected'"), {"agent_connected": False}),
        (AGENT_TARGET, AGENT_TARGET.replace(" state='connected'", ""), {"agent_connected": None}),
        ("org.qemu.guest_agent.0'", "org.example.0'", {"agent_channel": False, "agent_connected": None}),
        ("<video><model type='qxl' ram='65536' vram='65536' heads='1' primary='yes'/></video>", "", {"display": False}),
        ("model type='qxl'", "model type='none'", {"display": False}),
        ("<backingStore/>", MIRROR, {"block_jobs": ("sda",)}),
        ("<vcpu", "<currentMemory unit='KiB'>1024</currentMemory><vcpu", {"memory": 1 << 20}),
        ("<memory unit='KiB'>8388608</memory>", "", {"memory": 0}),
    ],
)
def test_definition(old: str, new: str, changes: dict[str, Any]) -> None:
    assert old in WINDOWS
    assert read_definition(WINDOWS.replace(old, new)) == dataclasses.replace(FINE, **changes)


def found(
    state: str = "running", reason: str = "booted", job: str = "", persistent: bool = True, **definition: Any
) -> Facts:
    return Facts(
        name="web01",
        uuid="6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11",
        state=state,
        reason=reason,
        persistent=persistent,
        definition=dataclasses.replace(FINE, **definition),
        domain_id=7,
        job=job,
    )


MUTE: dict[str, Any] = {"acpi": False, "agent_channel": False, "agent_connected": None}
TRAPS: list[tuple[str, Facts, Policy, str]] = [
    ("domain_acpi", found(**MUTE), Policy(), "neither <acpi/> nor a guest agent channel"),
    ("domain_acpi", found(acpi=False), Policy(methods=("acpi",)), "it has no <acpi/>, and methods is ['acpi']"),
    ("domain_acpi", found(agent_channel=False), Policy(methods=("agent",)), "it has no guest agent channel"),
    ("domain_on_poweroff", found(on_poweroff="restart"), Policy(), "<on_poweroff>restart</on_poweroff>"),
    ("domain_on_poweroff", found(on_poweroff="rename-restart"), Policy(), "rename-restart"),
    ("domain_transient", found(persistent=False), Policy(on_timeout="save"), "cannot save a transient domain"),
    ("domain_job", found(job="backup"), Policy(), "a backup job"),
    ("domain_block_job", found(block_jobs=("sda", "sdc")), Policy(), "on sda, sdc"),
    ("domain_crashed", found("crashed", "panicked"), Policy(), "has crashed"),
    ("domain_crashed", found("paused", "crashed"), Policy(resume=True), "has crashed"),
    ("domain_ioerror", found("paused", "ioerror"), Policy(resume=True), "storage error"),
    ("domain_ioerror", found("paused", "ioerror"), Policy(methods=()), "storage error"),
    ("domain_paused", found("paused", "user"), Policy(), "paused (user)"),
    ("domain_paused", found("paused", "watchdog"), Policy(), "paused (watchdog)"),
    ("domain_paused", found("paused", "migration"), Policy(resume=True), "paused (migration)"),
    ("domain_asleep", found("pmsuspended", "unknown"), Policy(wake=False), "sleeps (S3)"),
]
IDS = [f"{trap}-{number}" for number, (trap, *dummy) in enumerate(TRAPS)]


@pytest.mark.parametrize(("trap_id", "facts", "policy", "what"), TRAPS, ids=IDS)
def test_a_trap_is_seen_and_only_it(trap_id: str, facts: Facts, policy: Policy, what: str) -> None:
    (trap,) = traps(policy, facts)
    assert trap.id == trap_id and what in trap.what and trap.cure


@pytest.mark.parametrize(("trap_id", "facts", "policy", "what"), TRAPS, ids=IDS)
def test_a_trap_is_waived_by_its_own_name_only(trap_id: str, facts: Facts, policy: Policy, what: str) -> None:
    others = tuple(name for name in WAIVABLE if name != trap_id)
    assert [trap.id for trap in traps(dataclasses.replace(policy, waive=others), facts)] == [trap_id]
    if trap_id in WAIVABLE:
        assert traps(dataclasses.replace(policy, waive=(trap_id,)), facts) == []


@pytest.mark.parametrize(("trap_id", "facts", "policy", "what"), TRAPS, ids=IDS)
def test_a_domain_that_is_off_is_in_no_trap(trap_id: str, facts: Facts, policy: Policy, what: str) -> None:
    assert traps(policy, dataclasses.replace(facts, state="shutoff", reason="shutdown")) == []


@pytest.mark.parametrize("reason", ["user", "from_snapshot", "unknown", "watchdog", "migration", "save", "postcopy"])
def test_resume_is_offered_only_where_it_is_done(reason: str) -> None:
    (trap,) = traps(Policy(), found("paused", reason))
    offered = "resume=true" in trap.cure
    assert offered is (reason in ("user", "from_snapshot", "unknown"))
    assert (traps(Policy(resume=True), found("paused", reason)) == []) is offered


def test_all_traps_of_a_domain_are_named() -> None:
    facts = found("paused", "user", "save", on_poweroff="restart", block_jobs=("vda",), **MUTE)
    assert [trap.id for trap in traps(Policy(), facts)] == [
        "domain_acpi",
        "domain_on_poweroff",
        "domain_job",
        "domain_block_job",
        "domain_paused",
    ]


@pytest.mark.parametrize(
    ("facts", "policy"),
    [
        (found(), Policy()),
        (found(acpi=False), Policy()),
        (found(agent_channel=False), Policy()),
        (found(**MUTE), Policy(methods=())),
        (found(on_poweroff="preserve"), Policy()),
        (found(persistent=False), Policy(on_timeout="force")),
        (found("paused", "user"), Policy(resume=True)),
        (found("paused", "user"), Policy(methods=())),
        (found("paused", "shutting_down"), Policy()),
        (found("pmsuspended", "unknown"), Policy()),
        (found("pmsuspended", "unknown"), Policy(wake=False, methods=())),
        (found("in_shutdown", "user"), Policy()),
        (found("in_shutdown", job="backup", block_jobs=("sda",)), Policy(on_timeout="force")),
        (found("paused", "shutting_down", job="backup"), Policy()),
    ],
)
def test_no_trap(facts: Facts, policy: Policy) -> None:
    assert traps(policy, facts) == []


@pytest.mark.parametrize("state", ["running", "paused", "in_shutdown", "crashed", "pmsuspended", "nostate", "gone"])
def test_only_shutoff_is_off(state: str) -> None:
    assert not found(state).off and found("shutoff").off


@pytest.mark.parametrize(
    ("methods", "definition", "fitting"),
    [
        (("acpi", "agent"), {}, ("acpi", "agent")),
        (("agent", "acpi"), {}, ("agent", "acpi")),
        (("acpi", "agent"), {"agent_channel": False}, ("acpi",)),
        (("acpi", "agent"), {"acpi": False}, ("agent",)),
        (("acpi", "agent"), {"agent_connected": False}, ("acpi", "agent")),
        (("acpi", "agent"), MUTE, ()),
        (("acpi", "guest_shutdown", "agent"), {}, ("acpi", "agent")),
        ((), {}, ()),
    ],
)
def test_fit(methods: tuple[str, ...], definition: dict[str, Any], fitting: tuple[str, ...]) -> None:
    policy = Policy(methods=methods, timeout=42)
    assert fit(policy, found(**definition)) == dataclasses.replace(policy, methods=fitting)


NOTES: list[tuple[str, Facts, Policy, str]] = [
    ("domain_acpi", found(acpi=False), Policy(), "method acpi left out: the domain's definition"),
    (
        "domain_agent_channel",
        found(agent_channel=False, agent_connected=None),
        Policy(),
        "method agent left out: the domain's definition",
    ),
    ("domain_agent", found(agent_connected=False), Policy(), "no guest agent has opened its channel"),
    ("domain_display", found(display=False), Policy(on_timeout="force"), "the evidence has no screenshot"),
]


@pytest.mark.parametrize(("ident", "facts", "policy", "what"), NOTES, ids=[note[0] for note in NOTES])
def test_what_changes_the_way_is_noted_and_refuses_nothing(ident: str, facts: Facts, policy: Policy, what: str) -> None:
    (note,) = notes(policy, facts)
    assert note.id == ident and what in note.what and note.cure
    assert note.told == f"{note.what} [{ident}]: {note.cure}"
    assert traps(policy, facts) == []
    assert notes(policy, dataclasses.replace(facts, state="shutoff")) == []
    if ident in WAIVABLE:
        assert notes(dataclasses.replace(policy, waive=(ident,)), facts) == []


@pytest.mark.parametrize(
    ("facts", "policy"),
    [
        (found(), Policy(on_timeout="force")),
        (found(display=False), Policy()),
        (found(acpi=False), Policy(methods=("agent",))),
        (found(agent_channel=False, agent_connected=None), Policy(methods=("acpi",))),
        (found(agent_connected=None), Policy()),
        (found(agent_connected=False), Policy(methods=("acpi",))),
    ],
)
def test_no_note(facts: Facts, policy: Policy) -> None:
    assert notes(policy, facts) == []


@pytest.mark.parametrize(("trap_id", "facts", "policy", "what"), TRAPS, ids=IDS)
def test_a_trap_is_a_row_of_the_catalogue(trap_id: str, facts: Facts, policy: Policy, what: str) -> None:
    """What refuses a domain here is what an audit says blocks or swallows its shutdown, or is asked of it."""
    row = BY_ID[trap_id]
    assert row.effect in ("blocks", "swallows") or trap_id == "domain_transient"


def test_disks() -> None:
    assert disks(WINDOWS) == ["sda", "sdb"]
