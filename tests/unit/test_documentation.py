# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module, plugin and role of a well-kept collection says of itself, and no linter asks for."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checkout
import pytest
import yaml

COLLECTION = "winguest.shutdown"
PLUGINS = checkout.ROOT / "plugins"
PACKAGE = f"ansible_collections.{COLLECTION}.plugins"

ASKED = {"check_mode", "diff_mode", "idempotent"}
"""The attributes that every module tells of."""

QUERIES = {"facts", "get", "info", "list", "query", "show", "status"}
"""What a module that changes things may not be told to do: that is what the _info modules are for."""

VERBS = {"action", "command", "operation", "state"}
"""Options that would tell a module that only reads to do something."""

KINDS = {"action", "doc_fragments", "filter", "inventory", "module_utils", "modules", "plugin_utils"}

OUTLINE = (
    *("Description", "Requirements", "Installation", "Use cases", "Testing", "Contributing", "Support"),
    *("Release notes", "Related information", "License"),
)
"""The sections that certification wants to see in README.md, in this order; there may be others in between."""

TAGS = {
    *("application", "cloud", "database", "infrastructure", "linux", "monitoring", "networking", "security", "storage"),
    *("tools", "windows"),
}
"""Galaxy wants at least one of these."""


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (PLUGINS / kind).glob("*.py") if path.stem != "__init__")


def load(path: str) -> Any:
    return yaml.safe_load((checkout.ROOT / path).read_text(encoding="utf-8"))


def documentation(module: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options and the attributes of a module, with those of the fragments that it extends."""
    own = yaml.safe_load(importlib.import_module(f"{PACKAGE}.modules.{module}").DOCUMENTATION)
    options: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for fragment in own["extends_documentation_fragment"]:
        file, dummy, part = fragment.removeprefix(f"{COLLECTION}.").partition(".")
        texts = importlib.import_module(f"{PACKAGE}.doc_fragments.{file}").ModuleDocFragment
        read = yaml.safe_load(getattr(texts, part.upper() or "DOCUMENTATION"))
        options |= read.get("options", {})
        for name, attribute in read.get("attributes", {}).items():
            attributes[name] = attributes.get(name, {}) | attribute
    for name, attribute in own.get("attributes", {}).items():
        attributes[name] = attributes.get(name, {}) | attribute
    return options | own.get("options", {}), attributes


def all_options(options: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in options.items():
        yield name, option
        yield from all_options(option.get("suboptions") or option.get("options") or {})


def all_values(values: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in values.items():
        yield name, value
        yield from all_values(value.get("contains", {}))


def members() -> dict[str, list[str]]:
    """What the modules say of the action groups that they are in."""
    claimed: dict[str, list[str]] = {}
    for module in names("modules"):
        for group in documentation(module)[1].get("action_group", {}).get("membership", []):
            claimed.setdefault(group.removeprefix(f"{COLLECTION}."), []).append(module)
    return claimed


@pytest.mark.parametrize("module", names("modules"))
def test_a_module_says_what_it_supports(module: str) -> None:
    dummy, attributes = documentation(module)
    assert attributes.keys() >= ASKED
    for name in ASKED:
        assert attributes[name]["support"] in ("full", "partial", "none", "N/A") and attributes[name]["description"]
        assert attributes[name]["support"] in ("full", "N/A") or attributes[name]["details"], f"{name}: and what not?"
    if (PLUGINS / "action" / f"{module}.py").is_file() and module.startswith("guest_"):
        assert attributes["platform"]["platforms"] == "windows"


@pytest.mark.parametrize("module", names("modules"))
def test_reading_and_changing_are_modules_of_their_own(module: str) -> None:
    options, attributes = documentation(module)
    if module.endswith("_info"):
        assert attributes["check_mode"]["support"] == attributes["idempotent"]["support"] == "full"
        assert not VERBS & options.keys()
    else:
        for name in VERBS & options.keys():
            assert not QUERIES & set(options[name].get("choices", [])), f"that is what {module}_info would be for"


@pytest.mark.parametrize("module", names("modules"))
def test_all_is_described(module: str) -> None:
    source = importlib.import_module(f"{PACKAGE}.modules.{module}")
    assert re.fullmatch(r"\d+\.\d+\.\d+", yaml.safe_load(source.DOCUMENTATION)["version_added"])
    for name, option in all_options(documentation(module)[0]):
        assert option["description"] and option["type"], name
    for name, value in all_values(yaml.safe_load(source.RETURN)):
        assert value["description"] and value["type"] and value["returned"], name
        assert "sample" in value or "contains" in value, f"{name} has no sample"
    for task in yaml.safe_load(source.EXAMPLES):
        assert any(key.startswith((f"{COLLECTION}.", "ansible.builtin.")) for key in task), f"no full name: {task}"


@pytest.mark.parametrize("kind", ["filter", "inventory"])
def test_a_plugin_says_since_when_it_is_there(kind: str) -> None:
    for name in names(kind):
        own = yaml.safe_load(importlib.import_module(f"{PACKAGE}.{kind}.{name}").DOCUMENTATION)
        assert own["version_added"] and own["author"], name


@pytest.mark.parametrize("kind", ["filter", "inventory"])
def test_a_plugins_examples_are_one_document(kind: str) -> None:
    """ansible-test of ansible-core 2.16 takes no more."""
    for name in names(kind):
        assert yaml.safe_load(importlib.import_module(f"{PACKAGE}.{kind}.{name}").EXAMPLES), name


def test_a_role_says_since_when_it_is_there() -> None:
    for specification in sorted(checkout.ROOT.glob("roles/*/meta/argument_specs.yml")):
        for entry in load(str(specification.relative_to(checkout.ROOT)))["argument_specs"].values():
            assert entry["version_added"] and entry["author"] and entry["short_description"]
            for name, option in all_options(entry["options"]):
                assert option["description"] and option["type"], f"{specification}: {name}"


def test_action_groups_have_the_modules_that_say_so() -> None:
    """Those that work with libvirt take their options from one place, and no other module does."""
    groups = load("meta/runtime.yml")["action_groups"]
    assert {name: sorted(modules) for name, modules in groups.items()} == members()
    assert groups["domain"] == [module for module in names("modules") if module.startswith("domain_")]


def test_only_plugins_of_these_kinds() -> None:
    assert {path.name for path in PLUGINS.iterdir() if path.is_dir() and any(path.rglob("*.py"))} == KINDS


@pytest.mark.parametrize("kind", ["module_utils", "plugin_utils", "doc_fragments"])
def test_what_is_shared_is_private_and_says_so(kind: str) -> None:
    for file in sorted((PLUGINS / kind).rglob("*.py")):
        assert file.name.startswith("_")
        if file.stem != "__init__":
            assert re.search(r"^# private to the collection", file.read_text(encoding="utf-8"), re.I | re.M), file


def test_galaxy_takes_the_description() -> None:
    galaxy = load("galaxy.yml")
    assert re.fullmatch(r"\d+\.\d+\.\d+", galaxy["version"])
    assert TAGS & set(galaxy["tags"]) and len(galaxy["tags"]) <= 20
    assert galaxy["license"] == ["GPL-3.0-or-later"] and "license_file" not in galaxy
    assert all(galaxy[name].startswith("https://") for name in ("repository", "documentation", "homepage", "issues"))
    assert re.fullmatch(r">=2\.\d+\.\d+", load("meta/runtime.yml")["requires_ansible"])


def test_requirements_of_an_execution_environment_have_no_upper_bound() -> None:
    lines = Path(checkout.ROOT, "meta", "ee-requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    for line in wanted:
        assert re.fullmatch(r"[\w.-]+>=[\d.]+", line), line
    assert not {"ansible", "ansible-core"} & {line.partition(">")[0] for line in wanted}


def test_the_readme_has_what_certification_asks_for() -> None:
    text = Path(checkout.ROOT, "README.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [section for section in sections if section in OUTLINE] == list(OUTLINE)
    links = re.findall(r"\]\(([^)\s]+)", text)
    assert links
    for link in links:
        assert link.startswith("https://"), f"a reader of Galaxy's page gets nowhere by {link}"
