# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the next Debian, for what those of Debian 12 cannot do.

    root = newer_debian.unpacked(CACHE, "libvirt", ["libvirt-daemon"], set_up)

They are unpacked and not installed, with all libraries that they need down to the C library, from the mirror that this
machine's apt uses; apt checks the signatures by Debian's own keys. A program that was told to use those libraries runs
as it is, and starts the machine's own programs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

SUITE, OURS = "trixie", "bookworm"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
TARGETS = "$(CODENAME) $(COMPONENT) $(REPO_URI)"


class NewerDebianError(RuntimeError):
    """A program of the next Debian cannot be had; the text says why."""


def unpacked(cache: Path, name: str, packages: Sequence[str], set_up: Callable[[Path, Path], None]) -> Path:
    """The root folder of these packages; they are unpacked under `cache` where they are not there yet.

    Several processes may do so at once. set_up makes them ready in the first folder it is given, for their life in the
    second.
    """
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{SUITE}-{name}"
    scratch = cache / f"{SUITE}-{name}.partial"
    with (cache / f"{SUITE}-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                scratch.mkdir()
                for package in download(scratch, packages):
                    run("dpkg-deb", "--extract", str(package), str(scratch / "result"))
                set_up(scratch / "result", folder)
                (scratch / "result").rename(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def download(scratch: Path, packages: Sequence[str]) -> list[Path]:
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
    plan = run(*apt, "install", "--simulate", *packages)
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    # Everything else is there for a system that is set up, or for programs that are the machine's own.
    wanted = [name for name in names if name in packages or name.startswith(("lib", "zlib"))]
    run(*apt, "download", *wanted, folder=scratch / "packages")
    return sorted((scratch / "packages").glob("*.deb"))


def mirror() -> str:
    """The address from which this machine's apt has its own release."""
    for line in run("apt-get", "indextargets", "--format", TARGETS, "Created-By: Packages").splitlines():
        codename, component, address = line.split(" ", 2)
        if (codename, component) == (OURS, "main"):
            return address
    raise NewerDebianError(f'apt has no source of "{OURS} main" that says where Debian\'s packages are.')


def use_libraries(program: Path, root: Path) -> None:
    """Let the program be loaded by the loader of this root folder, and use the libraries there."""
    libraries = root / LIBRARIES
    loader = libraries / "ld-linux-x86-64.so.2"
    # --force-rpath: it then holds for the libraries of its libraries, too.
    run("patchelf", "--set-interpreter", str(loader), "--force-rpath", "--set-rpath", str(libraries), str(program))


def run(*words: str, folder: Path | None = None) -> str:
    """Run a program, return what it prints, and say everything if it fails."""
    try:
        ended = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
    except FileNotFoundError:
        raise NewerDebianError(f'The program "{words[0]}" is missing. Run tests/run setup.') from None
    if ended.returncode:
        raise NewerDebianError(
            f"What is needed of Debian's {SUITE} cannot be had from the mirror of this machine's apt. "
            f"{' '.join(words)} ended with {ended.returncode} and said:\n{ended.stdout}{ended.stderr}"
        )
    return ended.stdout
