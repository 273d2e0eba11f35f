# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The appliance of libguestfs, made of this machine's packages and a kernel that is not installed.

    environment = appliance.environment(cache)

It is made once, in seconds, and holds until the packages or the kernel are others. An installed kernel would be the one
that the machine boots next, so it is only unpacked.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from bed.agent_guest.recipe import fetch, fingerprint, kernel_package, make_kernel
from bed.agent_guest.tools import ToolError, run

SUPERMIN_RECIPE = Path("/usr/lib/x86_64-linux-gnu/guestfs/supermin.d")
LOOKS_AT_ALL = b"\nudevadm trigger\n"
LOOKS_AT_DISKS = b"\nudevadm trigger --subsystem-match=block --subsystem-match=virtio-ports\n"
"""In the appliance's first script, where udev is told of all devices: without KVM it takes four seconds for those that
are neither disks nor the way to libguestfs."""
PACKAGES = ("libguestfs0", "ntfs-3g", "supermin", "systemd", "udev", "libc6")
MODULES = Path("/lib/modules")


def environment(cache: Path) -> dict[str, str]:
    """What libguestfs has to find in its environment; all that it keeps is below `cache`."""
    kept = cache.resolve() / "guestfs"
    kept.mkdir(parents=True, exist_ok=True)
    return {
        "LIBGUESTFS_PATH": str(build(cache)),
        "LIBGUESTFS_CACHEDIR": str(kept),
        "LIBGUESTFS_BACKEND": "direct",
        "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg",  # that /dev/kvm exists does not mean that it works
    }


def build(cache: Path) -> Path:
    """Make the appliance under `cache`, or find it there; several processes may do so at once."""
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    made_from = run("dpkg-query", "--show", *PACKAGES) + fingerprint() + Path(__file__).read_text()
    folder = cache / f"appliance-{hashlib.sha256(made_from.encode()).hexdigest()[:16]}"
    scratch = cache / "appliance.partial"
    with (cache / "appliance.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                scratch.mkdir()
                make(scratch)
                (scratch / "result").rename(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def make(scratch: Path) -> None:
    """Fill the folder `result` in this one with kernel, initrd and root."""
    package = kernel_package()
    version = package.removeprefix("linux-image-")
    files = fetch(scratch / "packages", package)[package]
    run("depmod", "--basedir", str(files), version)
    kernel = scratch / f"vmlinuz-{version}"
    make_kernel(files, kernel)
    environment = {
        "SUPERMIN_KERNEL": str(kernel),
        "SUPERMIN_KERNEL_VERSION": version,  # that is not read from an unpacked one
        "SUPERMIN_MODULES": str(files / "lib" / "modules" / version),
    }
    words = [f"{name}={value}" for name, value in environment.items()]
    recipe, result = str(recipe_for_disks(scratch / "supermin.d")), str(scratch / "result")
    with folder_of_modules():
        build_it = ("supermin", "--build", "--format", "ext2", "--host-cpu", "x86_64", "--copy-kernel")
        run("env", *words, *build_it, "-o", result, recipe)
    Path(result, "README.fixed").touch()  # by which libguestfs knows that all is there


def recipe_for_disks(folder: Path) -> Path:
    """Make this folder a copy of Debian's recipe whose appliance looks at its disks only."""
    shutil.copytree(SUPERMIN_RECIPE, folder)
    with tarfile.open(SUPERMIN_RECIPE / "init.tar.gz") as old, tarfile.open(folder / "init.tar.gz", "w:gz") as new:
        member = old.getmember("init")
        script = old.extractfile(member)
        assert script is not None
        content = script.read()
        if content.count(LOOKS_AT_ALL) != 1:
            raise ToolError(
                "the appliance's first script is not that of Debian 12: if it has changed, mend appliance.py"
            )
        content = content.replace(LOOKS_AT_ALL, LOOKS_AT_DISKS)
        member.size = len(content)
        new.addfile(member, io.BytesIO(content))
    return folder


@contextlib.contextmanager
def folder_of_modules() -> Iterator[None]:
    """A machine without a kernel (a container) has none, and supermin wants to know its mode."""
    if MODULES.exists():
        yield
        return
    MODULES.mkdir()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(MODULES)
