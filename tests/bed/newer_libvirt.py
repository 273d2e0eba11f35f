# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libvirtd of the next Debian. What it starts are the machine's own programs, QEMU among them.

with Bed(libvirtd=newer_libvirt.command(CACHE)) as bed:
    ...
"""

from __future__ import annotations

from pathlib import Path

from bed import newer_debian

PACKAGES = ("libvirt-daemon", "libvirt-daemon-driver-qemu")
DAEMON = "usr/sbin/libvirtd"
DRIVERS = f"{newer_debian.LIBRARIES}/libvirt/connection-driver"


def command(cache: Path) -> tuple[str, ...]:
    """The command that is this libvirtd; it is unpacked under `cache` where it is not there yet."""
    root = newer_debian.unpacked(cache, "libvirt", PACKAGES, set_up)
    return ("env", f"LIBVIRT_DRIVER_DIR={root / DRIVERS}", str(root / DAEMON))


def set_up(result: Path, root: Path) -> None:
    """Let the daemon use the libraries that came with it."""
    newer_debian.use_libraries(result / DAEMON, root)
