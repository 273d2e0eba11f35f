# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Before anything is asked of a domain: what its definition and state say about a soft shutdown. Pure.

What is in the way of one refuses the domain (a trap), what only changes the way is told (a note). Both are rows of the
catalogue, and have its ids and cures.
"""

from __future__ import annotations

import dataclasses
import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import AGENT_CHANNEL, BY_ID
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import RESUMABLE
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Record


@dataclasses.dataclass(frozen=True)
class Definition:
    """What a domain's live XML says that matters here. agent_connected is None where libvirt does not know.

    memory is in bytes, what the guest has now.
    """

    acpi: bool
    on_poweroff: str
    agent_channel: bool
    agent_connected: bool | None
    display: bool
    block_jobs: tuple[str, ...]
    memory: int = 0


@dataclasses.dataclass(frozen=True)
class Facts:
    """One domain as it was found. job is libvirt's name of the job under way, empty when there is none.

    trouble says why it could not be looked at, and is empty when it could.
    """

    name: str
    uuid: str
    state: str
    reason: str
    persistent: bool
    definition: Definition
    domain_id: int | None = None
    job: str = ""
    record: Record = dataclasses.field(default_factory=Record)
    record_error: str = ""
    trouble: str = ""

    @property
    def off(self) -> bool:
        """Whether there is no running guest. State in_shutdown is not off: QEMU may still be writing."""
        return self.state == "shutoff"


@dataclasses.dataclass(frozen=True)
class Trap:
    """A row of the catalogue as it applies to a domain: what is the matter, and what to do about it."""

    id: str
    what: str
    cure: str

    @property
    def told(self) -> str:
        """It in one sentence."""
        return f"{self.what} [{self.id}]: {self.cure}"


WAIVABLE = (
    *("domain_on_poweroff", "domain_job", "domain_block_job"),
    *("domain_agent_channel", "domain_agent", "domain_display"),
)
"""What a user may waive: traps, and notes. The other traps describe a state in which no request can reach the guest."""


def read_definition(xml: str) -> Definition:
    """The relevant parts of a domain's live XML, as libvirt gives it. Raises ValueError for what is none."""
    try:
        root = ET.fromstring(xml)
    except ET.ParseError as error:
        raise ValueError(f"its definition cannot be read: {error}") from None
    channel = root.find(f"./devices/channel/target[@name='{AGENT_CHANNEL}']")
    state = None if channel is None else channel.get("state")
    return Definition(
        acpi=root.find("./features/acpi") is not None,
        on_poweroff=root.findtext("./on_poweroff", default="destroy"),
        agent_channel=channel is not None,
        agent_connected=None if state is None else state == "connected",
        display=any(model.get("type") != "none" for model in root.findall("./devices/video/model")),
        block_jobs=tuple(
            disk.find("target").get("dev", "?")  # type: ignore[union-attr]
            for disk in root.findall("./devices/disk")
            if disk.find("mirror") is not None and disk.find("target") is not None
        ),
        memory=1024 * int(root.findtext("./currentMemory") or root.findtext("./memory") or 0),  # libvirt gives KiB
    )


def disks(xml: str) -> list[str]:
    """The disks of a domain's XML, by the names that block jobs have for them."""
    return [target.get("dev", "?") for target in ET.fromstring(xml).findall("./devices/disk/target")]


def fit(policy: Policy, facts: Facts) -> Policy:
    """The policy without the methods that this domain's definition, or what is known of its guest, cannot carry."""
    methods = policy.methods
    if not policy.guest:
        methods = tuple(method for method in methods if method != "guest_shutdown")
    if not facts.definition.agent_channel:
        methods = tuple(method for method in methods if method != "agent")
    if not facts.definition.acpi:
        methods = tuple(method for method in methods if method != "acpi")
    return dataclasses.replace(policy, methods=methods)


def traps(policy: Policy, facts: Facts) -> list[Trap]:
    """The traps for this domain that were not waived; none for a domain that is off."""
    if facts.off:
        return []
    return [trap for trap in _traps(policy, facts) if trap.id not in policy.waive]


def notes(policy: Policy, facts: Facts) -> list[Trap]:
    """What changes the way of this domain's shutdown, and was not waived; nothing for one that is off or not known."""
    if facts.off or facts.trouble:
        return []
    return [note for note in _notes(policy, facts) if note.id not in policy.waive]


def _notes(policy: Policy, facts: Facts) -> t.Iterator[Trap]:
    definition = facts.definition
    left_out = "left out: the domain's definition has nothing to carry it"
    if "acpi" in policy.methods and not definition.acpi:
        yield _trap("domain_acpi", f"method acpi {left_out}")
    if "agent" in policy.methods:
        if not definition.agent_channel:
            yield _trap("domain_agent_channel", f"method agent {left_out}")
        elif definition.agent_connected is False:
            yield _trap("domain_agent", "no guest agent has opened its channel, so method agent may find nobody")
    if policy.on_timeout == "force" and not definition.display:
        yield _trap("domain_display", "no display: if it has to be forced, the evidence has no screenshot")


def _trap(ident: str, what: str, cure: str = "") -> Trap:
    """The row's trap; its cure is the row's, unless there is a better one here."""
    row_cure = BY_ID[ident].cure
    return Trap(ident, what, cure or row_cure[0].lower() + row_cure[1:].rstrip("."))


def _traps(policy: Policy, facts: Facts) -> t.Iterator[Trap]:
    definition = facts.definition
    if policy.methods and not fit(policy, facts).methods:
        missing = "it has no <acpi/>" if "acpi" in policy.methods else "it has no guest agent channel"
        if {"acpi", "agent"} <= set(policy.methods):
            missing = "it has neither <acpi/> nor a guest agent channel"
        elif policy.methods == ("guest_shutdown",):
            missing = "nobody is there to ask Windows over its own connection"
        yield _trap(
            "domain_acpi",
            f"no request can reach the guest: {missing}, and methods is {list(policy.methods)}",
            "add <acpi/> under <features> in the domain's XML and start it anew, or allow another method",
        )
    if definition.on_poweroff in ("restart", "rename-restart"):
        yield _trap(
            "domain_on_poweroff",
            f"<on_poweroff>{definition.on_poweroff}</on_poweroff> turns every shutdown into a restart",
        )
    if policy.on_timeout == "save" and not facts.persistent:
        yield _trap("domain_transient", "on_timeout=save was asked for, and libvirt cannot save a transient domain")
    under_way = not powered_off(facts)  # nothing but the end of QEMU is waited for, and nothing would be asked of it
    if facts.job and under_way:
        yield _trap("domain_job", f"a {facts.job} job is under way on the domain")
    if definition.block_jobs and under_way:
        yield _trap("domain_block_job", f"a block job is under way on {', '.join(definition.block_jobs)}")
    yield from _state_traps(policy, facts)


def _state_traps(policy: Policy, facts: Facts) -> t.Iterator[Trap]:
    if crashed(facts):
        yield _trap("domain_crashed", "the guest has crashed and its memory is kept")
    elif (facts.state, facts.reason) == ("paused", "ioerror"):
        yield _trap(
            "domain_ioerror", "a storage error has paused the guest; stopping it now would lose what it is writing"
        )
    elif facts.state == "paused" and facts.reason != "shutting_down" and policy.methods:
        may_resume = facts.reason in RESUMABLE
        if not (policy.resume and may_resume):
            yield _trap(
                "domain_paused",
                f"the domain is paused ({facts.reason}) and a paused guest cannot hear a request",
                "resume it (virsh resume), or allow it with resume=true"
                if may_resume
                else "wait until what has paused it is over, and run again",
            )
    elif facts.state == "pmsuspended" and not policy.wake and policy.methods:
        yield _trap("domain_asleep", "the guest sleeps (S3) and a sleeping guest cannot hear a request")


def powered_off(facts: Facts) -> bool:
    """Whether the guest has powered off, and only its QEMU is still there."""
    return facts.state == "in_shutdown" or (facts.state, facts.reason) == ("paused", "shutting_down")


def crashed(facts: Facts) -> bool:
    """Whether the guest has crashed and is kept as it was then."""
    return facts.state == "crashed" or (facts.state, facts.reason) == ("paused", "crashed")
