# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the documentation, as far as Ansible can judge them."""

from __future__ import annotations

import re

import yaml
from gates import sandbox


def test_playbooks_of_the_documentation() -> None:
    """Ansible knows all that they use, and each inventory and file of variables is read."""
    playbooks = []
    for name in sandbox.files("docs/examples/*.yml"):
        read = yaml.safe_load((sandbox.COPY / name).read_text(encoding="utf-8"))
        assert read, f"{name} is empty"
        if isinstance(read, list):
            playbooks.append(name)
    assert playbooks
    sandbox.run("ansible-playbook", "--syntax-check", "--inventory", "docs/examples/packer-inventory.yml", *playbooks)


def test_examples_are_all_told_of() -> None:
    """docs/images.md, or another example, names each of them."""
    told = "".join(
        (sandbox.COPY / name).read_text(encoding="utf-8")
        for name in ["docs/images.md", *sandbox.files("docs/examples/*")]
    )
    for name in sandbox.files("docs/examples/*"):
        assert re.search(rf"\b{re.escape(name.rpartition('/')[2])}", told), f"nothing tells of {name}"
