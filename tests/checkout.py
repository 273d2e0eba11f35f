# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where this checkout is, and how Ansible and Python find the collection in it."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
TREE = CACHE / "tree"


def make_tree() -> Path:
    """Make the folder in which the checkout, wherever it lies, is ansible_collections/winguest/shutdown."""
    link = TREE / "ansible_collections" / "winguest" / "shutdown"
    link.parent.mkdir(parents=True, exist_ok=True)
    # It may be there from an earlier run, or from another worker of this one; being relative, it holds wherever we are.
    with contextlib.suppress(FileExistsError):
        link.symlink_to(os.path.relpath(ROOT, link.parent), target_is_directory=True)
    return TREE


def ansible_environment() -> dict[str, str]:
    """An environment in which Ansible uses this collection and keeps away from the user's own Ansible files."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment["ANSIBLE_CONFIG"] = str(ROOT / "tests" / "ansible.cfg")
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(make_tree())
    environment["ANSIBLE_REMOTE_TMP"] = str(CACHE / "ansible" / "remote")
    return environment


def use_this_collection() -> None:
    """Let this process and its children use the collection of this checkout."""
    environment = ansible_environment()
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, str(TREE))
