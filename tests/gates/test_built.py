# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection as users get it: built into a file, installed from it, with nothing of the checkout around it."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest
from gates import sandbox
from unit.plugins import libvirt_nodes

pytestmark = pytest.mark.xdist_group("built")

# What a collection consists of, and no more: nothing of the development belongs into it.
FOLDERS = {"LICENSES", "changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "roles"}
FILES = {
    *("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "MAINTAINERS.md", "README.md", "REUSE.toml"),
    *("FILES.json", "MANIFEST.json"),
}
# What is needed where it is used.
ESSENTIAL = ("meta", "playbooks", "plugins", "roles")
LARGEST = 20 * 1024 * 1024
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


def test_galaxy_imports_it(built: Path, tmp_path: Path) -> None:
    """By the importer of Galaxy and of the automation hub, with nothing to say against it.

    ansible-lint and ansible-test are gates of their own. REQUIRE_V1_OR_GREATER is for the day of version 1.0.0.
    """
    output = sandbox.run(
        *("python", "-m", "galaxy_importer.main", str(built)),
        cwd=tmp_path,
        GALAXY_IMPORTER_CHECK_REQUIRED_TAGS="true",
        GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false",
        GALAXY_IMPORTER_RUN_ANSIBLE_TEST="false",
    )
    assert "Importer processing completed successfully" in output, output
    assert not re.search(r"^(?:WARNING|ERROR|FATAL)", output, re.MULTILINE), output
    assert "Loading module domain_shutdown" in output and "Loading role domain_shutdown" in output, output
    assert built.stat().st_size < LARGEST, "Galaxy takes no larger file"


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
    names = [f"winguest.shutdown.{Path(name).stem}" for name in sandbox.files("playbooks/*.yml")]
    _ansible(installed, "ansible-playbook", "--inventory", "hypervisors,", "--syntax-check", *names)


def _hypervisor(folder: Path, uri: str, domain: str) -> Path:
    """An inventory whose one hypervisor is libvirt's test driver, in each module's own process."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "/usr/bin/python3",
        "domain_readiness_uri": uri,
        "domain_readiness_all": True,
        "domain_readiness_host_root": str(folder),
        "domain_readiness_backup_dir": str(folder / "definitions"),
        "domain_shutdown_uri": uri,
        "domain_shutdown_domains": [domain],
        "domain_shutdown_evidence_dir": str(folder / "evidence"),
        "shutdown_remediate": True,
    }
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"hypervisors": {"hosts": {"here": variables}}}), encoding="utf-8")
    return inventory


def _shut_down(collections: Path, inventory: Path, *arguments: str) -> str:
    command = ("ansible-playbook", "--inventory", str(inventory), "winguest.shutdown.shutdown", *arguments)
    return sandbox.run(*command, cwd=inventory.parent, ANSIBLE_COLLECTIONS_PATH=str(collections))


def test_the_installed_playbook_runs_in_check_mode(installed: Path, tmp_path: Path) -> None:
    """It shows what it would do, and the difference that it would make."""
    domain = libvirt_nodes.domain("web01", more="<features><acpi/></features>")
    inventory = _hypervisor(tmp_path, libvirt_nodes.node(tmp_path / "node.xml", domain), "web01")
    output = _shut_down(installed, inventory, "--check", "--diff")
    assert re.search(r"^\+ +<suspend-to-mem enabled='no'/>$", output, re.MULTILINE), f"no definition differs:\n{output}"
    assert "plan: press the ACPI power button" in output, output
    assert not (tmp_path / "definitions").exists() and not (tmp_path / "evidence").exists()


def test_nothing_but_the_collection_is_needed(installed: Path, tmp_path: Path) -> None:
    """It still works with all else deleted: a domain is mended and saved, and the report of it is written."""
    bare = tmp_path / "bare"
    for folder in ESSENTIAL:
        place = Path("ansible_collections", "winguest", "shutdown", folder)
        shutil.copytree(installed / place, bare / place)
    options = {"methods": [], "timeout": 0, "max_timeout": 0, "on_timeout": "save"}
    given = {f"domain_shutdown_{name}": value for name, value in options.items()}
    inventory = _hypervisor(tmp_path, "test:///default", "test")
    output = _shut_down(bare, inventory, "--extra-vars", json.dumps(given))
    assert re.search(r"test +saved ", output), output
    (report,) = tmp_path.glob("*shutdown*.json")
    assert json.loads(report.read_text(encoding="utf-8"))["totals"]["outcomes"] == {"saved": 1}
    assert (report.with_suffix(".html")).is_file()
