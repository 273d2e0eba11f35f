# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libvirtd of the next Debian, for what that of Debian 12 cannot do.

    with Bed(libvirtd=newer_libvirt.command(CACHE)) as bed:
        ...

It is unpacked and not installed, with all libraries that it needs down to the C library, from the mirror that this
machine's apt uses; apt checks the signatures by Debian's own keys. What it starts are the machine's own programs, QEMU
among them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

SUITE, OURS = "trixie", "bookworm"
PACKAGES = ("libvirt-daemon", "libvirt-daemon-driver-qemu")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
DAEMON = "usr/sbin/libvirtd"
TARGETS = "$(CODENAME) $(COMPONENT) $(REPO_URI)"


class NewerLibvirtError(RuntimeError):
    """The newer libvirt cannot be had; the text says why."""


def command(cache: Path) -> tuple[str, ...]:
    """The command that is this libvirtd; it is unpacked under `cache` where it is not there yet."""
    root = build(cache)
    libraries = root / LIBRARIES
    loader = (str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries))
    return ("env", f"LIBVIRT_DRIVER_DIR={libraries / 'libvirt' / 'connection-driver'}", *loader, str(root / DAEMON))


def build(cache: Path) -> Path:
    """Unpack it under `cache`, or find it there; several processes may do so at once."""
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"libvirt-{SUITE}"
    scratch = cache / f"libvirt-{SUITE}.partial"
    with (cache / f"libvirt-{SUITE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                scratch.mkdir()
                for package in download(scratch):
                    unpack(package, scratch / "result")
                (scratch / "result").rename(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def download(scratch: Path) -> list[Path]:
    """Download the packages and the libraries that they depend on, by an apt that knows of nothing installed."""
    for name in ("lists/partial", "cache/archives/partial", "packages"):
        (scratch / name).mkdir(parents=True)
    (scratch / "status").touch()
    (scratch / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror()} {SUITE} main\n")
    options = {
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": os.devnull,
        "Dir::Etc::preferences": os.devnull,
        "Dir::Etc::preferencesparts": os.devnull,
        "Dir::State::lists": scratch / "lists",
        "Dir::State::status": scratch / "status",
        "Dir::Cache": scratch / "cache",
        "APT::Architectures": "amd64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    apt = ["apt-get", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    run(*apt, "update")
    plan = run(*apt, "install", "--simulate", *PACKAGES)
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    # Everything else is there for QEMU, or for a system that starts the daemon.
    run(*apt, "download", *(name for name in names if name.startswith(("lib", "zlib"))), folder=scratch / "packages")
    return sorted((scratch / "packages").glob("*.deb"))


def mirror() -> str:
    """The address from which this machine's apt has its own release."""
    for line in run("apt-get", "indextargets", "--format", TARGETS, "Created-By: Packages").splitlines():
        codename, component, address = line.split(" ", 2)
        if (codename, component) == (OURS, "main"):
            return address
    raise NewerLibvirtError(f'apt has no source of "{OURS} main" that says where Debian\'s packages are.')


def unpack(package: Path, target: Path) -> None:
    """Take the libraries and the daemon out of the package."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as dpkg,
        tarfile.open(fileobj=dpkg.stdout, mode="r|") as files,
    ):
        for member in files:
            name = member.name.removeprefix("./")
            if name == DAEMON or name.startswith(f"{LIBRARIES}/"):
                files.extract(member, target)
    if dpkg.returncode:
        raise NewerLibvirtError(f"dpkg-deb could not read {package}: exit status {dpkg.returncode}.")


def run(*words: str, folder: Path | None = None) -> str:
    """Run a program, return what it prints, and say everything if it fails."""
    ended = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    if ended.returncode:
        raise NewerLibvirtError(
            f"The libvirt of Debian's {SUITE} cannot be had from the mirror of this machine's apt. "
            f"{' '.join(words)} ended with {ended.returncode} and said:\n{ended.stdout}{ended.stderr}"
        )
    return ended.stdout
