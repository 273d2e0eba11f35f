# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection as users get it: built into a file, installed from it, with nothing of the checkout around it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from gates import sandbox

pytestmark = pytest.mark.xdist_group("built")

# What a collection consists of, and no more: nothing of the development belongs into it.
FOLDERS = {"LICENSES", "changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "roles"}
FILES = {
    *("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "MAINTAINERS.md", "README.md", "REUSE.toml"),
    *("FILES.json", "MANIFEST.json"),
}
# Plugins without documentation of their own: an action plugin's is that of the module of its name.
SILENT = {"action", "doc_fragments", "module_utils", "plugin_utils"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that ansible-galaxy builds."""
    folder = tmp_path_factory.mktemp("built")
    sandbox.run("ansible-galaxy", "collection", "build", "--output-path", str(folder))
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection path that holds what was installed from the file."""
    folder = tmp_path_factory.mktemp("installed")
    command = ("ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(folder), str(built))
    sandbox.run(*command, ANSIBLE_COLLECTIONS_PATH=str(folder))
    return folder


def _ansible(installed: Path, *command: str) -> str:
    return sandbox.run(*command, cwd=installed, ANSIBLE_COLLECTIONS_PATH=str(installed))


def test_build_holds_the_collection_and_nothing_else(built: Path) -> None:
    """All plugins, roles and playbooks are in the file, and no test, cache or setting of the development."""
    with tarfile.open(built) as archive:
        names = {member.name for member in archive if not member.isdir()}
    strangers = {name for name in names if name not in FILES and name.split("/")[0] not in FOLDERS}
    assert not strangers, "these do not belong into the built file; see build_ignore in galaxy.yml"
    assert [name for name in names if name.startswith("docs/")] == ["docs/docsite/links.yml"]
    expected = {name for part in ("plugins", "roles", "playbooks", "meta") for name in sandbox.files(f"{part}/**/*")}
    assert expected | {"README.md", "LICENSE"} <= names


def test_installed_plugins_are_documented(installed: Path) -> None:
    """ansible-doc shows every plugin, with its options, its examples and what it returns."""
    for folder in sorted((sandbox.COPY / "plugins").iterdir()):
        kind = folder.name.removesuffix("s") if folder.name == "modules" else folder.name
        plugins = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
        if kind in SILENT or not plugins:
            continue
        names = [f"winguest.shutdown.{plugin}" for plugin in plugins]
        shown = json.loads(_ansible(installed, "ansible-doc", "--json", "--type", kind, *names))
        for name in names:
            assert shown[name]["doc"]["short_description"]
            assert shown[name]["examples"], f"{name} has no examples"
            assert shown[name]["return"] or kind != "module", f"{name} does not say what it returns"


def test_installed_roles_are_documented(installed: Path) -> None:
    """ansible-doc shows every role's entry points and options."""
    names = [f"winguest.shutdown.{name.split('/')[1]}" for name in sandbox.files("roles/*/tasks/main.yml")]
    shown = json.loads(_ansible(installed, "ansible-doc", "--json", "--type", "role", *names))
    for name in names:
        assert shown[name]["entry_points"]["main"]["options"], f"{name} documents no options"


def test_installed_playbooks_parse(installed: Path) -> None:
    """Every playbook, called by its full name, finds the roles and modules it uses."""
    for name in sandbox.files("playbooks/*.yml"):
        command = ("ansible-playbook", "--inventory", "hypervisors,", "--syntax-check")
        _ansible(installed, *command, f"winguest.shutdown.{Path(name).stem}")
