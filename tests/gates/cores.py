# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions of ansible-core that are supported, each in an environment of its own under .cache/cores.

What they do not run on with Debian 12's Python runs on the next Debian's.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bed import newer_python
from checkout import CACHE, ROOT

OURS = "3.11"
PYTHONS = {"2.16": OURS, "2.18": OURS, "2.19": OURS, "2.20": newer_python.VERSION, "2.21": newer_python.VERSION}
"""Which Python each version is tested with."""

GATES = {
    *("ansible-core", "ansible-builder", "ansible-lint", "antsibull-changelog", "antsibull-docs", "galaxy-importer"),
    *("molecule", "mypy", "myst-parser", "reuse", "ruff", "sphinx", "sphinx-ansible-theme"),
    *("types-PyYAML", "types-jsonschema", "yamllint"),
}
"""What the unit tests can do without, of tests/requirements.txt."""


def environment(version: str) -> Path:
    """The environment with this version, and with what the unit tests need; it is made where there is none yet."""
    newer = PYTHONS[version] != OURS
    python = newer_python.program(CACHE) if newer else Path(getattr(sys, "_base_executable", sys.executable))
    wanted = [f"ansible-core~={version}.0", *_requirements(newer)]
    folder = CACHE / "cores" / version
    stamp = hashlib.sha256("\n".join([str(folder), _say(str(python), "-VV"), *wanted]).encode()).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(f"{folder.suffix}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        noted = folder / "stamp"
        if not noted.is_file() or noted.read_text() != stamp:
            shutil.rmtree(folder, ignore_errors=True)
            # What comes with the newer Python is its libvirt, which could not be compiled for it here.
            theirs = ["--system-site-packages"] if newer else []
            _say(str(python), "-m", "venv", "--without-pip", *theirs, str(folder))
            quiet = ("--disable-pip-version-check", "--no-input")
            _say(str(folder / "bin" / "python"), str(ROOT / "tests" / "get_pip_standin.py"), *quiet, "pip")
            _say(str(folder / "bin" / "pip"), "install", *quiet, "--no-compile", *wanted)
            noted.write_text(stamp)
    return folder


def _requirements(newer: bool) -> list[str]:
    lines = (ROOT / "tests" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [line.partition("#")[0].strip() for line in lines]
    without = GATES | ({"libvirt-python"} if newer else set())
    names = {line: re.split(r"[^\w.-]", line)[0] for line in found if line}
    unknown = GATES - set(names.values())
    assert not unknown, f"tests/requirements.txt no longer has {unknown}"
    return [line for line, name in names.items() if name not in without]


def _say(*words: str) -> str:
    ended = subprocess.run(words, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ended.returncode:
        pytest.fail(f"{' '.join(words)}\nended with {ended.returncode}:\n{ended.stdout}{ended.stderr}", False)
    return ended.stdout
