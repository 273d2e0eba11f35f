# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a reading of a domain says of each row, what of it is to be mended, and what libvirt is asked to do about it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import libvirt
import libvirt_qemu
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_reading as domain_reading
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import DOMAIN, ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_readiness import (
    KEPT,
    LIVE,
    SAVED,
    findings,
    mendable,
    methods,
    verdicts,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_reading import Agent, DomainReading
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_xml import Document
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Facts, read_definition
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import Finding
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Record, Request

FINE = """<domain type='kvm'><os><type arch='x86_64'>hvm</type></os><features><acpi/></features>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>
  <devices><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>
  <video><model type='vga'/></video></devices></domain>"""
NO_ACPI = FINE.replace("<acpi/>", "")
RESTARTS = FINE.replace("<on_poweroff>destroy", "<on_poweroff>restart")
SLEEPS = FINE.replace("mem enabled='no'", "mem enabled='yes'")
PLAIN = build(ROWS)
ANSWERS = Agent(asked=True, version="8.2", commands=("guest-fsfreeze-freeze", "guest-fsfreeze-status",
                "guest-fsfreeze-thaw", "guest-shutdown"), frozen=False)  # fmt: skip


def reading(
    live: str | None = FINE,
    kept: str | None = FINE,
    state: str = "running",
    reason: str = "booted",
    agent: Agent = ANSWERS,
    saved: str | None = None,
    job: str = "",
    record: Record | None = None,
    **others: Any,
) -> DomainReading:
    """One domain; live is None for one that is off, kept for one that is transient."""
    definition = read_definition(live or kept or FINE)
    facts = Facts("web01", "6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11", state, reason, kept is not None, definition,
                  7 if live else None, job, record or Record())  # fmt: skip
    documents = {
        name: Document(text) if text else None for name, text in (("live", live), ("kept", kept), ("saved", saved))
    }
    autostart = None if kept is None else False
    return DomainReading(
        facts, **{"autostart": autostart, "agent": agent, "has_image": saved is not None, **documents, **others}
    )


OFF: dict[str, Any] = {"live": None, "state": "shutoff", "reason": "shutdown", "agent": Agent()}


def seen(ident: str, domain: DomainReading, **options: Any) -> list[tuple[Any, ...]]:
    """Where the row was found in which state, and what is there."""
    return [(f.location.partition(":")[0], f.state, f.actual)
            for f in findings(build(ROWS, **options), domain) if f.row.id == ident]  # fmt: skip


# ---- definitions


def test_a_domain_that_is_fine() -> None:
    for domain in (reading(), reading(**OFF), reading(kept=None)):
        wrong = {f.row.id for f in findings(PLAIN, domain) if f.state != "ok"}
        assert wrong <= {"domain_transient"}
        assert verdicts(findings(PLAIN, domain)) == {"host": "ready"}


@pytest.mark.parametrize(
    ("ident", "old", "new", "actual"),
    [
        ("domain_acpi", "<acpi/>", "", None),
        ("domain_on_poweroff", "<on_poweroff>destroy", "<on_poweroff>restart", "restart"),
        ("domain_on_poweroff", "<on_poweroff>destroy", "<on_poweroff>rename-restart", "rename-restart"),
        ("domain_suspend_to_mem", "<suspend-to-mem enabled='no'/>", "<suspend-to-mem enabled='yes'/>", "yes"),
        ("domain_suspend_to_mem", "<suspend-to-mem enabled='no'/>", "", None),
        ("domain_suspend_to_disk", "<suspend-to-disk enabled='no'/>", "", None),
        ("domain_agent_channel", "org.qemu.guest_agent.0", "com.redhat.spice.0", None),
        ("domain_display", "vga", "none", "none"),
        ("domain_display", "<video><model type='vga'/></video>", "", None),
    ],
)
def test_what_is_wrong_in_both_definitions(ident: str, old: str, new: str, actual: str | None) -> None:
    assert old in FINE
    wrong = FINE.replace(old, new)
    assert seen(ident, reading(wrong, wrong)) == [(LIVE, "differs", actual), (KEPT, "differs", actual)]
    assert seen(ident, reading(**{**OFF, "kept": wrong})) == [(KEPT, "differs", actual)]
    assert seen(ident, reading(wrong, wrong), waive=[ident]) == [(LIVE, "waived", actual), (KEPT, "waived", actual)]


@pytest.mark.parametrize(
    ("ident", "old", "new"),
    [
        ("domain_on_reboot", "<on_reboot>restart", "<on_reboot>destroy"),
        ("domain_on_crash", "<on_crash>destroy", "<on_crash>restart"),
    ],
)
def test_what_is_only_told(ident: str, old: str, new: str) -> None:
    """It does not count against the domain; a row that nobody has verified says so."""
    wrong = reading(FINE.replace(old, new), FINE.replace(old, new))
    assert [state for dummy, state, dummy_actual in seen(ident, wrong)] == ["differs"] * 2
    assert verdicts(findings(PLAIN, wrong)) == {"host": "ready"}
    rows = [dataclasses.replace(row, grade="single_source") if row.id == ident else row for row in ROWS]
    told = {f.state for f in findings(build(rows), wrong) if f.row.id == ident}
    assert told == {"unverified"}
    told = {f.state for f in findings(build(rows, enforce=[ident]), wrong) if f.row.id == ident}
    assert told == {"differs"}


@pytest.mark.parametrize(
    ("ident", "inner"),
    [
        ("domain_on_poweroff", "<on_poweroff>preserve</on_poweroff>"),
        ("domain_on_poweroff", ""),
        ("domain_on_crash", ""),
        ("domain_on_crash", "<on_crash>coredump-destroy</on_crash>"),
        ("domain_display", "<devices><video><model type='qxl'/></video></devices>"),
    ],
)
def test_what_is_as_good(ident: str, inner: str) -> None:
    domain = reading(**{**OFF, "kept": f"<domain>{inner}</domain>"})
    assert [state for dummy, state, dummy_actual in seen(ident, domain)] == ["ok"]


def test_sleep_states_are_a_matter_of_pcs() -> None:
    arm = SLEEPS.replace("x86_64", "aarch64")
    assert seen("domain_suspend_to_mem", reading(arm, arm)) == []
    assert len(seen("domain_acpi", reading(arm, arm))) == 2


def test_a_mended_definition_holds_from_the_next_start() -> None:
    domain = reading(NO_ACPI, FINE)
    assert seen("domain_acpi", domain) == [(LIVE, "later", None), (KEPT, "ok", "present")]
    assert verdicts(findings(PLAIN, domain)) == {"host": "ready_later"}
    assert seen("domain_definitions_differ", domain) == [("definitions", "differs", ("features/acpi",))]


def test_what_can_be_changed_now_is_not_put_off() -> None:
    assert seen("domain_on_poweroff", reading(RESTARTS, FINE)) == [
        (LIVE, "differs", "restart"),
        (KEPT, "ok", "destroy"),
    ]


def test_what_is_wrong_only_from_the_next_start() -> None:
    domain = reading(FINE, SLEEPS)
    assert seen("domain_suspend_to_mem", domain) == [(LIVE, "ok", "no"), (KEPT, "differs", "yes")]
    assert verdicts(findings(PLAIN, domain)) == {"host": "blocked"}


def test_a_saved_image_has_the_definition_of_the_next_start() -> None:
    domain = reading(**{**OFF, "saved": RESTARTS})
    assert seen("domain_on_poweroff", domain) == [(SAVED, "later", "restart"), (KEPT, "ok", "destroy")]
    assert seen("domain_managed_save", domain) == [(SAVED, "differs", "present")]
    assert verdicts(findings(PLAIN, domain)) == {"host": "ready_later"}


def test_a_saved_image_whose_definition_cannot_be_read() -> None:
    domain = reading(**OFF, has_image=True, image_trouble="its definition cannot be read: x")
    (found,) = [f for f in findings(PLAIN, domain) if f.row.id == "domain_managed_save"]
    assert (found.state, found.detail) == ("differs", "its definition cannot be read: x")


# ---- states


REQUEST = Request("2026-11-23T10:00:00.000Z", 7, "", "", "leave", "left_running")
STATES: list[tuple[str, DomainReading, Any]] = [
    ("domain_crashed", reading(state="crashed", reason="panicked"), "crashed"),
    ("domain_crashed", reading(state="paused", reason="crashed"), "paused"),
    ("domain_ioerror", reading(state="paused", reason="ioerror"), "paused"),
    ("domain_paused", reading(state="paused", reason="user"), "user"),
    ("domain_paused", reading(state="paused", reason="migration"), "migration"),
    ("domain_asleep", reading(state="pmsuspended", reason="unknown"), "S3"),
    ("domain_shutting_down", reading(state="in_shutdown", reason="user"), "in_shutdown"),
    ("domain_shutting_down", reading(state="paused", reason="shutting_down"), "paused"),
    ("domain_job", reading(job="backup"), "backup"),
    ("domain_block_job", reading(FINE.replace(
        "<video>", "<disk><target dev='sda'/><mirror/></disk><video>")), ("sda",)),
    ("domain_frozen", reading(agent=dataclasses.replace(ANSWERS, frozen=True, disabled=("guest-shutdown",))), "frozen"),
    ("domain_agent", reading(FINE.replace("'connected'", "'disconnected'"), agent=Agent()), "disconnected"),
    ("domain_agent_silent", reading(agent=Agent(asked=True, trouble="no answer")), "silent"),
    ("domain_agent_commands", reading(agent=dataclasses.replace(ANSWERS, disabled=("guest-exec", "guest-shutdown"))),
     ("guest-shutdown",)),
    ("domain_agent_commands", reading(agent=Agent(asked=True, disabled=("guest-info",))), ("guest-info",)),
    ("domain_agent_commands", reading(agent=dataclasses.replace(ANSWERS, commands=("guest-shutdown",))),
     ("guest-fsfreeze-freeze", "guest-fsfreeze-status", "guest-fsfreeze-thaw")),
    ("domain_request_outstanding", reading(record=Record(REQUEST)), REQUEST.at),
    ("domain_autostart", reading(autostart=True), "on"),
    ("domain_transient", reading(kept=None), "transient"),
]  # fmt: skip


@pytest.mark.parametrize(("ident", "domain", "actual"), STATES, ids=[f"{i}-{s[0]}" for i, s in enumerate(STATES)])
def test_a_state_is_seen_and_only_it(ident: str, domain: DomainReading, actual: Any) -> None:
    found = {f.row.id: (f.state, f.actual) for f in findings(PLAIN, domain) if f.state != "ok"}
    assert found == {ident: ("differs", actual)}


def test_every_state_has_a_test_and_all_that_is_there_is_told() -> None:
    told = {f.row.id for f in findings(PLAIN, reading())} | {"domain_agent_silent"}
    assert told == {row.id for row in DOMAIN}


@pytest.mark.parametrize(
    ("domain", "ident"),
    [
        (reading(agent=Agent()), "domain_agent_silent"),
        (reading(agent=Agent()), "domain_frozen"),
        (reading(agent=Agent(asked=True, trouble="x")), "domain_agent_commands"),
        (reading(**OFF), "domain_paused"),
        (reading(**OFF), "domain_agent"),
        (reading(**OFF), "domain_definitions_differ"),
        (reading(FINE.replace("org.qemu", "x")), "domain_agent"),
        (reading(FINE.replace(" state='connected'", "")), "domain_agent"),
        (reading(kept=None), "domain_managed_save"),
        (reading(kept=None), "domain_autostart"),
    ],
)
def test_what_does_not_apply_is_not_told(domain: DomainReading, ident: str) -> None:
    assert seen(ident, domain) == []


@pytest.mark.parametrize("outcome", ["graceful", "forced", "already_off", "saved", "vanished"])
def test_a_request_that_is_settled(outcome: str) -> None:
    record = Record(dataclasses.replace(REQUEST, outcome=outcome))
    assert seen("domain_request_outstanding", reading(record=record)) == [("request", "ok", None)]


def test_a_request_to_an_earlier_start_is_void() -> None:
    record = Record(dataclasses.replace(REQUEST, domain_id=6))
    assert seen("domain_request_outstanding", reading(record=record)) == [("request", "ok", None)]


def test_a_record_that_cannot_be_read() -> None:
    domain = reading()
    domain = dataclasses.replace(domain, facts=dataclasses.replace(domain.facts, record_error="no record"))
    assert seen("domain_request_outstanding", domain) == [("request", "unreadable", None)]
    assert verdicts(findings(PLAIN, domain)) == {"host": "ready"}, "it only informs"


def test_a_domain_that_cannot_be_read() -> None:
    found = findings(PLAIN, reading(trouble="no answer"))
    assert {(f.row.id, f.state, f.detail) for f in found} == {(row.id, "unreadable", "no answer") for row in DOMAIN}
    assert verdicts(found) == {"host": "unknown"}


# ---- what is mended


def mended(domain: DomainReading, rows: list[str] | None = None, **options: Any) -> list[str]:
    found = findings(build(ROWS, enforce=rows or [], **options), domain)
    return [f"{f.row.id} {f.location.partition(':')[0]}" for f in found if mendable(f, rows)]


def test_what_is_enforced_is_mended_where_it_can_be() -> None:
    wrong = RESTARTS.replace("<acpi/>", "").replace("mem enabled='no'", "mem enabled='yes'")
    kept = [f"domain_{name} {KEPT}" for name in ("acpi", "on_poweroff", "suspend_to_mem")]
    assert mended(reading(wrong, wrong)) == [kept[0], f"domain_on_poweroff {LIVE}", *kept[1:]]
    assert mended(reading(**{**OFF, "kept": wrong})) == kept
    assert mended(reading(wrong, None)) == [f"domain_on_poweroff {LIVE}"]
    assert mended(reading(wrong, FINE)) == [f"domain_on_poweroff {LIVE}"]
    assert mended(reading(**{**OFF, "saved": wrong})) == []
    assert mended(reading(wrong, wrong), waive=["domain_acpi", "domain_on_poweroff"]) == [kept[2]]
    assert mended(reading(wrong, wrong), rows=["domain_acpi"]) == [kept[0]]
    assert mended(reading(FINE, FINE)) == []


def test_what_is_on_request_is_mended_by_name() -> None:
    domain = reading(**{**OFF, "kept": FINE.replace("vga", "none"), "saved": FINE})
    assert mended(domain) == []
    assert mended(domain, rows=["domain_display", "domain_managed_save"]) == [
        f"domain_display {KEPT}", f"domain_managed_save {SAVED}"]  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "carried"),
    [
        (reading(), ["acpi", "agent"]),
        (reading(NO_ACPI), ["agent"]),
        (reading(FINE.replace("'connected'", "'disconnected'"), agent=Agent()), ["acpi"]),
        (reading(agent=Agent()), ["acpi", "agent"]),
        (reading(agent=Agent(asked=True, trouble="x")), ["acpi"]),
        (reading(agent=dataclasses.replace(ANSWERS, disabled=("guest-shutdown",))), ["acpi"]),
        (reading(agent=Agent(asked=True, disabled=("guest-info",))), ["acpi", "agent"]),
        (reading(**OFF), []),
        (reading(state="in_shutdown"), []),
        (reading(state="paused", reason="shutting_down"), []),
        (reading(state="crashed"), []),
        (reading(trouble="x"), []),
    ],
)
def test_methods(domain: DomainReading, carried: list[str]) -> None:
    assert methods(domain) == carried


def test_a_finding_is_told_as_a_guests_is() -> None:
    found: Finding = findings(PLAIN, reading(RESTARTS))[2]
    told = found.told()
    assert (told["id"], told["scenario"], told["takes_effect"]) == ("domain_on_poweroff", "host", "now")
    assert json.loads(json.dumps(told)) == told


# ---- the agent


def answered(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> Agent:
    """What is made of these answers of an agent, by the commands."""

    def command(domain: Any, text: str, timeout: int, flags: int) -> str:
        answer = answers[json.loads(text)["execute"].replace("-", "_")]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, str) else json.dumps({"return": answer})

    monkeypatch.setattr(libvirt_qemu, "qemuAgentCommand", command)
    return domain_reading.ask_agent(None)


def libvirt_error(code: int) -> libvirt.libvirtError:
    error = libvirt.libvirtError("no")
    error.err = (code, 0, "no", 2, "", "", "", 0, 0)
    return error


def test_an_agent_that_does_not_say_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)
    agent = answered(monkeypatch, guest_info=refused, guest_ping={})
    assert (agent.answers, agent.version, agent.disabled) == (True, "", ("guest-info",))
    assert answered(monkeypatch, guest_info=refused, guest_ping=refused).answers is False
    silent = libvirt_error(libvirt.VIR_ERR_AGENT_UNRESPONSIVE)
    assert answered(monkeypatch, guest_info=silent).answers is False, "one that is silent is not asked twice"


def info(**commands: bool) -> dict[str, Any]:
    supported = [{"name": name.replace("_", "-"), "enabled": enabled} for name, enabled in commands.items()]
    return {"version": "8.2", "supported_commands": supported}


def test_an_agent_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = answered(
        monkeypatch,
        guest_info=info(guest_fsfreeze_status=True, guest_exec=False),
        guest_fsfreeze_status='{"return": "frozen"}',
    )
    assert agent == Agent(True, "", "8.2", ("guest-exec", "guest-fsfreeze-status"), ("guest-exec",), True)
    assert agent.answers
    assert answered(monkeypatch, guest_info=info(guest_fsfreeze_status=False)).frozen is None


@pytest.mark.parametrize(
    "answer",
    [
        *("", "{}", "[]", "1", '{"return": 5}', '{"return": {"version": 1}}', "nonsense", "[" * 100_000),
        '{"return": {"version": "1", "supported_commands": [5]}}',
        '{"return": {"supported_commands": []}}',
        '{"return": "' + "x" * 2_000_000 + '"}',
    ],
    ids=lambda answer: answer[:20],
)
def test_an_agent_that_answers_nonsense(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    agent = answered(monkeypatch, guest_info=answer)
    assert agent.answers is False and agent.trouble.startswith("its answer makes no sense")


def test_an_agent_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    # A libvirtError without a code takes that of the last error in this process, which another test may have left.
    agent = answered(monkeypatch, guest_info=libvirt_error(libvirt.VIR_ERR_AGENT_UNRESPONSIVE))
    assert (agent.answers, agent.asked) == (False, True)
    monkeypatch.setattr(domain_reading, "CAN_ASK", False)
    agent = domain_reading.ask_agent(None)
    assert agent.answers is None and "lack the module libvirt_qemu" in agent.trouble
