# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Execution environments: what the collection asks of them, and the example of one."""

from __future__ import annotations

from pathlib import Path

import yaml
from gates import sandbox


def test_ansible_builder_reads_what_the_collection_needs() -> None:
    """Every requirement in meta/ is found by ansible-builder, under the name of the collection."""
    found = yaml.safe_load(sandbox.run("ansible-builder", "introspect", str(sandbox.COLLECTIONS)))
    for kind, name in (("python", "meta/ee-requirements.txt"), ("system", "meta/ee-bindep.txt")):
        lines = (sandbox.COPY / name).read_text(encoding="utf-8").splitlines()
        wanted = [line for line in lines if line and not line.startswith("#")]
        assert wanted, f"{name} asks for nothing"
        assert found[kind] == [f"{line}  # from collection winguest.shutdown" for line in wanted]


def test_the_example_can_be_built(tmp_path: Path) -> None:
    """ansible-builder makes the build context of the example; without a container engine it gets no further."""
    (example,) = sandbox.files("extensions/awx/execution-environment.yml")
    context = tmp_path / "context"
    command = ("ansible-builder", "create", "--file", str(sandbox.COPY / example), "--context", str(context))
    sandbox.run(*command, "--output-filename", "Containerfile")
    assert "winguest.shutdown" in (context / "_build" / "requirements.yml").read_text(encoding="utf-8")
    assert "sshpass" in (context / "_build" / "bindep.txt").read_text(encoding="utf-8")
    assert (context / "Containerfile").is_file()
