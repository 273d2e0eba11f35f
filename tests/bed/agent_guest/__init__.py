# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent guest: Debian's kernel, busybox and the real qemu-guest-agent, with an ext4 file system on its disk.

    guest = build(cache)
    make_disk(guest, disk)
    ... start QEMU or a libvirt domain of type qemu or kvm, machine pc, 128 MiB, one processor, with guest.kernel,
        guest.initramfs, command_line(agent="slow", delay=5), the disk as its first virtio disk (raw), a virtio-serial
        port named org.qemu.guest_agent.0, and a serial port ...
    filesystem_state(disk)

What the guest does when it is asked to shut down is set on its command line:

    agent=obey     stops the agent, unmounts and powers off (default)
    agent=slow     stops the agent at once, and powers off `delay` seconds later
    agent=deaf     takes the request and does nothing; the agent stays and answers everything else
    agent=absent   the agent is never started
    agent=hung     the agent is stopped with SIGSTOP `agent_after` seconds after its start: connected, but silent
    agent=dies     the agent is killed with SIGKILL `agent_after` seconds after its start
    agent=lies     none of the real ones: it says that all that it is asked for is done, and does nothing
    agent=late     none of the real ones: it answers everything `delay` seconds late, and obeys
    agent=floods   none of the real ones: it answers without an end, and was not asked
    blocked=C,C    the agent's settings have it refuse these commands (none unless given)
    button=obey    the same for the ACPI power button: powers off (default),
    button=slow    stops the agent at once, and powers off `delay` seconds later,
    button=ignore  does nothing
    writer=yes     appends a record to /synced, with fsync, and to /buffered, without, all the time
    delay=S        seconds, 10 unless given
    agent_after=S  seconds, 2 unless given

It says what it is doing on its first serial port (each line ends in carriage return and line feed):

    guest: agent up              the agent has opened its port
    guest: agent has no channel  the domain has no such port, so there is no agent
    guest: ready                 the disk is mounted, the agent started and the button heard
    guest: writing               the first ten records are on the disk
    guest: agent hung            as agent=hung says
    guest: agent died            as agent=dies says
    guest: asked by agent        guest-shutdown has arrived
    guest: asked by button       a press has arrived
    guest: freezing              the agent is about to freeze the file system
    guest: thawed                the agent has thawed it
    guest: shutting down         a request is being obeyed; further ones are no longer heard
    guest: agent stopped         the agent has ended, and its port is closed
    guest: does not know W=V     one of the words above has no such value; the guest powers off at once
    guest: off                   the file system is unmounted, power goes next

A shutdown of a guest that is frozen begins, and goes on only after the thaw, since its agent does not stop before.
QEMU reports the opening and closing of a port at most once a second, and the end of a guest at once: of an agent that
was up for less than a second when it was stopped, neither QMP nor libvirt may tell that it has gone.
Without ACPI (no <acpi/> in the domain) there is no button, and the guest that has said "off" halts but stays on.
"""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bed.agent_guest import recipe
from bed.agent_guest.filesystem import FilesystemState, filesystem_state, read_file
from bed.agent_guest.tools import ToolError, run

__all__ = [
    "AgentGuest",
    "FilesystemState",
    "ToolError",
    "build",
    "command_line",
    "filesystem_state",
    "make_disk",
    "read_file",
]

# quiet leaves the serial port to the guest's own lines; panic=-1 resets a broken guest, which would spin otherwise; the
# last two save a third of a second of self-tests and calibration.
KERNEL_WORDS = "console=ttyS0 quiet panic=-1 cryptomgr.notests tsc=reliable"


@dataclass(frozen=True)
class AgentGuest:
    """The files of the guest, which all guests share: only read them."""

    kernel: Path
    initramfs: Path
    empty_disk: Path


def build(cache: Path) -> AgentGuest:
    """Make the guest under `cache`, or find it there; it stays until the recipe changes, whatever Debian publishes.

    Several processes may do so at once: one makes it, all get it. A ToolError says what is missing.
    """
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"agent-guest-{recipe.fingerprint()}"
    scratch = cache / "agent-guest.partial"
    with (cache / "agent-guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            # A process that was killed has left it, and this one may be too: so the result appears whole or not at all.
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                (scratch / "result").mkdir(parents=True)
                recipe.make(scratch / "result", scratch)
                (scratch / "result").rename(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return AgentGuest(folder / "kernel", folder / "initramfs", folder / "data.img")


def make_disk(guest: AgentGuest, path: Path) -> None:
    """Put an empty data disk (16 MiB, raw, sparse) at `path`, in place of whatever was there."""
    run("cp", "--sparse=always", "--remove-destination", str(guest.empty_disk), str(path))


def command_line(
    *,
    agent: Literal["obey", "slow", "deaf", "absent", "hung", "dies", "lies", "late", "floods"] = "obey",
    button: Literal["obey", "slow", "ignore"] = "obey",
    writer: bool = False,
    delay: int = 10,
    agent_after: int = 2,
    blocked: str = "",
) -> str:
    """The kernel command line of a guest that behaves like this."""
    behaviour = f"agent={agent} button={button} delay={delay} agent_after={agent_after} blocked={blocked}"
    return f"{KERNEL_WORDS} {behaviour} writer={'yes' if writer else 'no'}"
