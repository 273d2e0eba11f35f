# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ACPI guest: a freestanding kernel of a few KB that obeys, or disobeys, a real ACPI power button.

    kernel = build(cache)
    make_disk(disk)
    ... start QEMU or a libvirt domain of type qemu or kvm, machine pc, 16 MiB, with this kernel, the words below as its
        command line, the disk (which it can do without) as its first IDE disk (raw), and two serial ports ...
    disk_state(disk)

It is a simulator of how a guest behaves, and not Windows. The words on its command line say how it behaves, and the
same words in a line to COM2 change that at any time. All times are in milliseconds.

    press=obey         what it does with a press of the power button: power off after `delay` (default),
    press=reboot       reset after `delay`,
    press=ignore       nothing,
    press=hang         accept it and do nothing for ever,
    press=update       write to the disk for `write`, then power off after `delay`,
    press=update-hang  write to the disk for `write`, then do nothing for ever,
    press=sleep        go to S3, from which it can be woken,
    press=hibernate    go to S4, which is off, and nothing resumes it: the next start is a boot,
    press=crash        crash: tell the hypervisor through its panic device (pvpanic), if it has one, and stop for good,
    press=ask          ask on COM2, and do what a line with another of these words says; delay=, write= and rate= there
                       hold for this press only
    presses=N  only the Nth press, counted since the boot or the waking, and later ones are taken that seriously; those
               before it turn the display on (1)
    delay=MS   (0)
    write=MS   (5000)
    rate=N     how many sectors of 512 bytes it writes per second of `write` (400)
    boot=MS    the button is not heard for so long after the start, or after it was told so while booting (0)
    noise=MS   write one sector every so often, whatever else it does (0: never)
    sleep=MS   go to S3 by itself, once, so long after it was ready or was told to (0: never)
    ask=1      ask on COM2 what to do, as at a press, but at once; in a line to COM2 and alone there

It says what happens on COM1 and COM2, one line per event, which ends in a line feed. A line starts with the
milliseconds since the boot, time asleep not counted, and a space. It does not wait for whoever does not read: what he
misses is lost, and an empty line or a torn one is where.

    booting       it has read its words
    ready         the boot is over, the button is heard
    press N       the button was pressed; what follows says what became of it:
    display on      ... only that, since `presses` is more
    ignored         ... nothing, since `press=ignore`, or since it is busy with an earlier press; so is `ask=1`
    asking          ... it waits for an answer
    accepted        ... it does as told
    writing       the update begins
    written       the update has written all its sectors
    hang          nothing more will happen
    sleep         it goes to S3
    awake         it is back from S3, the button is heard
    hibernate     it goes to S4
    crash         it stops for good, as press=crash says
    power off     the disk is clean, power goes next
    reboot        the disk is clean, the reset comes next
    told          it has taken a line from COM2
    unknown WORD  it does not know this word, from its command line or from COM2
    no ACPI       this machine has no ACPI, so there is no button
    no S3         this machine does not offer S3, so it stays awake
    no S4         ... nor S4
    no disk       there is no disk to write to, so it only pretends
    disk error    the disk has failed, and is not used again
    panic ...     an exception of the processor; it has stopped for good

A press while it boots or sleeps is lost without a word, as on any machine that does not hear its button.
"""

from __future__ import annotations

import enum
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

__all__ = ["AcpiGuestError", "DiskState", "build", "disk_state", "make_disk"]

SOURCES = Path(__file__).resolve().parent
SECTOR = 512
MIB = 1 << 20

# General registers only: interrupts and the real-mode way back from S3 save no others.
# fmt: off
COMPILE = [
    "gcc", "-m32", "-march=i686", "-std=c11", "-Os", "-Wall", "-Wextra",
    "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables",
    "-mgeneral-regs-only", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none",
]
# fmt: on


class AcpiGuestError(RuntimeError):
    """The guest cannot be built, or its disk cannot be read."""


class DiskState(enum.Enum):
    """What the guest has left on its disk."""

    UNUSED = ""
    """No guest has run with this disk."""

    RUNNING = "RUNNING"
    """It was up, and has not shut down."""

    SERVICING = "SERVICING"
    """It was updating, and has not finished."""

    CLEAN = "CLEAN"
    """It has powered off or reset itself in order."""


def build(cache: Path) -> Path:
    """Make the kernel under `cache`, or find it there. Several processes may do so at once."""
    sources = sorted(path for path in SOURCES.iterdir() if path.suffix in (".c", ".h", ".S", ".ld"))
    digest = hashlib.sha256("\0".join(COMPILE).encode())
    for source in sources:
        digest.update(b"\0".join([b"", source.name.encode(), source.read_bytes()]))
    kernel = cache.resolve() / f"acpi-guest-{digest.hexdigest()[:16]}"
    if not kernel.exists():
        kernel.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kernel.parent) as scratch:
            made = Path(scratch, "kernel")
            _compile(sources, made)
            # Whole or not at all, whoever else is building it.
            os.replace(made, kernel)
    return kernel


def _compile(sources: list[Path], kernel: Path) -> None:
    inputs = [str(path) for path in sources if path.suffix in (".c", ".S")]
    command = [*COMPILE, f"-Wl,-T,{SOURCES / 'kernel.ld'}", "-o", str(kernel), *inputs]
    try:
        ended = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise AcpiGuestError(
            "The ACPI guest cannot be built, since there is no gcc on this machine. Install Debian's package gcc."
        ) from error
    if ended.returncode != 0:
        raise AcpiGuestError(f"The ACPI guest in {SOURCES} cannot be built, gcc says:\n{ended.stderr.strip()}")


def make_disk(path: Path, mib: int = 1) -> None:
    """Put an unused disk (raw, sparse) at `path`, in place of whatever was there."""
    with path.open("wb") as image:
        image.truncate(mib * MIB)


def disk_state(image: Path) -> DiskState:
    """Read from a raw disk what the guest has left there."""
    try:
        with image.open("rb") as file:
            sector = file.read(SECTOR)
    except FileNotFoundError as error:
        raise AcpiGuestError(f"There is no disk of an ACPI guest at {image}.") from error
    mark = sector.rstrip(b"\0\n").decode(errors="replace")
    try:
        return DiskState(mark)
    except ValueError as error:
        raise AcpiGuestError(f"{image} is no disk of an ACPI guest: it begins with {mark[:40]!r}.") from error
