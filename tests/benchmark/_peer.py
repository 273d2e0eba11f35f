# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collections with the peers' modules, fetched when they are needed, and what answers win_regedit.

There is no PowerShell in the simulated Windows guest. What Ansible sends is read to its end, as PowerShell would, and
answered with what the module returns where it has changed a value, so that all that goes over the connection is real
but the answer, which is shorter than the module's own by the parameters that it repeats.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import checkout
from benchmark._measured import void

PACKAGE = "ansible==12.3.0"
"""The package on PyPI that has the collections; this one goes with ansible-core 2.19, which is in the tests' venv."""

WINDOWS, LIBVIRT = "ansible.windows", "community.libvirt"
NAMES = (WINDOWS, LIBVIRT)
"""The collections; all that is in the package would be some hundred megabytes."""

COLLECTIONS = checkout.CACHE / "peers" / PACKAGE
"""A folder that Ansible takes for the collections of the playbooks beside which it is found as "collections"."""

LIMIT = 600.0

ANSWER = json.dumps({"changed": True, "data_changed": True, "data_type_changed": False})
ANSWERING = ["/bin/sh", "-c", 'cat >/dev/null && printf %s "$1"', "powershell", ANSWER]


def fetch(collection: str = WINDOWS) -> str:
    """Have the collections in COLLECTIONS, whole or not at all; returns the version of this one."""
    if not COLLECTIONS.exists():
        folders = tuple(f"{_folder(name)}/" for name in NAMES)
        COLLECTIONS.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=COLLECTIONS.parent) as folder:
            made = Path(folder, "made")
            with zipfile.ZipFile(_download(folder)) as wheel:
                wheel.extractall(made, [name for name in wheel.namelist() if name.startswith(folders)])
            try:
                os.replace(made, COLLECTIONS)
            except OSError:
                if not COLLECTIONS.exists():  # another run may have been faster
                    raise
    manifest = json.loads((COLLECTIONS / _folder(collection) / "MANIFEST.json").read_text())
    return str(manifest["collection_info"]["version"])


def _folder(collection: str) -> str:
    return f"ansible_collections/{collection.replace('.', '/')}"


def _download(folder: str) -> Path:
    print(f"fetching {PACKAGE}, about 55 MB, for the collections {' and '.join(NAMES)}", flush=True)
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", folder, PACKAGE]
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        void(f"pip has not fetched {PACKAGE} within {LIMIT:g} s, and without it there is nothing to compare with.")
    wheels = list(Path(folder).glob("*.whl"))
    if ended.returncode or len(wheels) != 1:
        void(
            f"pip cannot fetch {PACKAGE}, and without it there is nothing to compare with. See that "
            f"`{' '.join(command)}` works; pip said:\n{ended.stdout}"
        )
    return wheels[0]


def is_powershell(line: str) -> bool:
    """Whether a command line is how Ansible starts PowerShell."""
    return line.split(" ", 1)[0].lower() == "powershell" and "-EncodedCommand" in line.split()


def answer() -> subprocess.Popen[bytes]:
    """What stands in for PowerShell with the module."""
    return subprocess.Popen(ANSWERING, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
