# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Process 1 of a private libvirt: hides the machine's own libvirt, starts libvirtd when told to, and ends everything.

bed.private_libvirt runs it in new mount, PID and network namespaces; its arguments are the private folder and the
command that is libvirtd. It answers each line on its standard input by the process id (in its namespace) of the
libvirtd it has started. The end of that input means that the owner has stopped or died in whatever way: then nothing
survives, neither process nor folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
from pathlib import Path

# The folders compiled into libvirt, or through which it finds other daemons, and what takes their place.
HIDDEN = {
    "/run": "run",
    "/etc/libvirt": "etc",
    "/var/lib/libvirt": "lib",
    "/var/cache/libvirt": "cache",
    "/var/log/libvirt": "log",
}
# libvirt wants these before it reads that QEMU runs as root; it is libvirt-daemon-system that makes them on Debian.
ACCOUNTS = {
    "/etc/passwd": "libvirt-qemu:x:0:0::/nonexistent:/usr/sbin/nologin",
    "/etc/group": "libvirt-qemu:x:0:",
}
MS_BIND, MS_REC = 0x1000, 0x4000
MNT_DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str = "none", flags: int = 0, data: str = "") -> None:
    """Do what mount(2) does, and raise what it reports."""
    words = (os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    if libc.mount(*words):
        number = ctypes.get_errno()
        raise OSError(number, f"cannot mount {source}: {os.strerror(number)}", str(target))


def make_pliable(folder: Path) -> None:
    """Let folders be made in this folder that exist in this namespace only: a tmpfs that shows all it held before."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    entries = list(os.scandir(folder))
    mount("tmpfs", folder, "tmpfs", data="mode=755")
    for entry in entries:
        copy = folder / entry.name
        if entry.is_symlink():
            copy.symlink_to(os.readlink(f"/proc/self/fd/{handle}/{entry.name}"))
            continue
        if entry.is_dir():
            copy.mkdir()
        else:
            copy.touch()
        mount(f"/proc/self/fd/{handle}/{entry.name}", copy, flags=MS_BIND | MS_REC)
    os.close(handle)


def hide_the_machine(directory: Path) -> None:
    """Put the private folders over the machine's, and show neither its control groups nor its network."""
    for name, private in HIDDEN.items():
        target = Path(os.path.realpath(name))
        if not target.is_dir():
            make_pliable(target.parent)
            target.mkdir()
        mount(str(directory / private), target, flags=MS_BIND | MS_REC)
    for name, line in ACCOUNTS.items():
        copy = directory / Path(name).name
        copy.write_text(f"{Path(name).read_text().rstrip()}\n{line}\n")
        mount(str(copy), Path(name), flags=MS_BIND)
    # The new one shows no control groups, so libvirt makes none that could stay behind, and only our network's devices.
    libc.umount2(b"/sys", MNT_DETACH)
    mount("sysfs", Path("/sys"), "sysfs")


def start_libvirtd(directory: Path, command: list[str]) -> int:
    """Start libvirtd in the foreground, its messages appended to libvirtd.log, and return its process id."""
    log = str(directory / "libvirtd.log")
    return os.posix_spawnp(
        command[0],
        [*command, "--config", "/etc/libvirt/libvirtd.conf", "--pid-file", "/run/libvirtd.pid"],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsigdef=[signal.SIGCHLD],
    )


def end_everything(directory: Path) -> None:
    """Kill every process of this namespace, wait until they are gone, and remove the private folder."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(-1, signal.SIGKILL)
        os.waitpid(-1, 0)
    shutil.rmtree(directory, ignore_errors=True)


def main(directory: Path, command: list[str]) -> None:
    """Serve the owner until it is gone. If this fails, the owner still finds the reason in the private folder."""
    # Ignored children vanish by themselves when they end, and so do the orphans that process 1 is given: no zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    hide_the_machine(directory)
    with contextlib.suppress(BrokenPipeError):
        print("ready", flush=True)
        for dummy in sys.stdin:
            print(start_libvirtd(directory, command), flush=True)
    end_everything(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
