# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What is read of a domain for its readiness: its facts, both definitions, and what its guest agent says."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _facts
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_xml import DefinitionError, Document
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import TimeLimit, within
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Facts

try:
    import libvirt_qemu
except ImportError:
    CAN_ASK = False
else:
    CAN_ASK = True

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now
else:
    SILENCE = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, getattr(libvirt, "VIR_ERR_AGENT_COMMAND_TIMEOUT", None))

AGENT_TIMEOUT = 3
"""Seconds that an agent may take for an answer. libvirt waits 5 before them for one that has hung."""

AGENT_LIMIT = 12.0
"""Seconds for all that an agent is asked."""

READ_LIMIT = 15.0
"""Seconds that libvirt may take for the definitions of a domain."""

LONGEST_ANSWER = 1024 * 1024
FREEZE_STATUS = "guest-fsfreeze-status"
NONSENSE = (ValueError, LookupError, TypeError, RecursionError)


@dataclasses.dataclass(frozen=True)
class Agent:
    """What the guest agent said. disabled: commands that it has and refuses; commands: all that it has.

    One that refuses guest-info does not tell them, nor its version.
    """

    asked: bool = False
    trouble: str = ""
    version: str = ""
    commands: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    frozen: bool | None = None

    @property
    def answers(self) -> bool | None:
        """Whether it answers; None where it was not asked."""
        return not self.trouble if self.asked else None


@dataclasses.dataclass(frozen=True)
class DomainReading:
    """One domain as it was read. live is the running domain's definition, kept the persistent one.

    saved is the definition in a managed-save image, which is that of the next start. trouble says why the definitions
    could not be read.
    """

    facts: Facts
    live: Document | None = None
    kept: Document | None = None
    kept_text: str = ""
    """The kept definition without passwords and the like, as it may be shown."""
    autostart: bool | None = None
    has_image: bool = False
    saved: Document | None = None
    image_trouble: str = ""
    """Why the definition in the image could not be read."""
    agent: Agent = dataclasses.field(default_factory=Agent)
    trouble: str = ""


def read(domain: t.Any, ask: bool) -> DomainReading:
    """Read a domain; ask tells whether its agent is to be asked, too."""
    facts = _facts.gather(domain)
    if facts.trouble or facts.state == "gone":
        return DomainReading(facts, trouble=facts.trouble or "the domain went away while it was looked at")
    try:
        reading = t.cast(DomainReading, within(READ_LIMIT, lambda: _read(domain, facts)))
    except (libvirt.libvirtError, TimeLimit, DefinitionError) as error:
        return DomainReading(facts, trouble=str(error))
    if ask and facts.state == "running" and facts.definition.agent_channel and facts.definition.agent_connected:
        return dataclasses.replace(reading, agent=ask_agent(domain))
    return reading


def _read(domain: t.Any, facts: Facts) -> DomainReading:
    live = None if facts.off else Document(domain.XMLDesc(0))
    if not facts.persistent:
        return DomainReading(facts, live)
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    reading = DomainReading(facts, live, Document(text), text, bool(domain.autostart()))
    if not domain.hasManagedSaveImage(0):
        return reading
    try:
        return dataclasses.replace(reading, has_image=True, saved=Document(domain.managedSaveGetXMLDesc(0)))
    except (libvirt.libvirtError, DefinitionError) as error:
        return dataclasses.replace(reading, has_image=True, image_trouble=f"its definition cannot be read: {error}")


class AnswerError(ValueError):
    """What an agent has answered makes no sense; the text says what it looks like."""


def ask_agent(domain: t.Any) -> Agent:
    """Ask an agent that has opened its channel who it is. libvirt notes in the running domain that it was asked so."""
    if not CAN_ASK:
        return Agent(trouble="libvirt's Python bindings on the hypervisor lack the module libvirt_qemu")
    try:
        return t.cast(Agent, within(AGENT_LIMIT, lambda: _ask(domain)))
    except (libvirt.libvirtError, TimeLimit) as error:
        return Agent(asked=True, trouble=str(error))
    except AnswerError as error:
        return Agent(asked=True, trouble=f"its answer makes no sense: {error}")


def _ask(domain: t.Any) -> Agent:
    try:
        text = _command(domain, "guest-info")
    except libvirt.libvirtError as error:
        if error.get_error_code() in SILENCE:
            raise
        _command(domain, "guest-ping")
        return Agent(asked=True, disabled=("guest-info",))
    agent = told(text)
    if FREEZE_STATUS not in agent.commands or FREEZE_STATUS in agent.disabled:
        return agent
    return dataclasses.replace(agent, frozen=_returned(_command(domain, FREEZE_STATUS)) == "frozen")


def told(text: str) -> Agent:
    """What an answer to guest-info says. Raises AnswerError, since a guest may answer anything."""
    info = _returned(text)
    try:
        commands = {str(command["name"]): bool(command["enabled"]) for command in info["supported_commands"]}
        version = str(info["version"])[:100]
    except NONSENSE as error:
        raise AnswerError(type(error).__name__) from None
    return Agent(
        asked=True,
        version=version,
        commands=tuple(sorted(commands)),
        disabled=tuple(sorted(name for name, enabled in commands.items() if not enabled)),
    )


def _returned(text: str) -> t.Any:
    """What is in an answer. Raises AnswerError."""
    if len(text) > LONGEST_ANSWER:
        raise AnswerError("too long")
    try:
        return json.loads(text)["return"]
    except NONSENSE as error:
        raise AnswerError(type(error).__name__) from None


def _command(domain: t.Any, name: str) -> str:
    return str(libvirt_qemu.qemuAgentCommand(domain, json.dumps({"execute": name}), AGENT_TIMEOUT, 0))
