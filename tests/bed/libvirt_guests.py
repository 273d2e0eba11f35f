# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine's own libvirt-guests, run for a private libvirt as systemd runs it when the host goes down."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bed.private_libvirt import PrivateLibvirt

SCRIPT = Path("/usr/lib/libvirt/libvirt-guests.sh")
SETTINGS = "libvirt-guests"
"""The name of the file of settings, which is in /etc/default on Debian."""

STOP = 'unshare --mount sh -c \'mount --bind "$1" /etc/default && mkdir -p /run/lock && exec "$2" stop\' - "$1" "$2"'


def stop(daemon: PrivateLibvirt, guest: str, defaults: Path, timeout: float = 120) -> str:
    """Let it stop the guests, one of which has this name, and return what it has said.

    `defaults`: the folder that is /etc/default to it, with its settings, URIS among them.
    """
    namespace = ["nsenter", "--mount", "--target", str(daemon.qemu_pid(guest))]
    command = [*namespace, "sh", "-c", STOP, "-", str(defaults), str(SCRIPT)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    (daemon.directory / "lib" / "libvirt-guests").unlink(missing_ok=True)  # its list of guests, for the next start
    return ended.stdout + ended.stderr
