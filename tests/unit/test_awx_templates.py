# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The importable job templates, next to what the playbooks and roles really have, and to what AWX takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import checkout
import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_document import document

AWX = checkout.ROOT / "extensions" / "awx"
TYPES = {"str": "text", "int": "integer", "float": "integer", "list": "multiselect"}
"""The type of question for an option without choices, by the type of the option. Nobody waits half a second more."""

PLAYBOOK = re.compile(r"^\s*?-?\s*?(?:hosts|include|import_playbook):\s*?.*?$")
"""A line with which AWX takes a file of a project for a playbook."""

SWITCH = re.compile(r"\b(shutdown_\w+) \| default\((true|false)\) \| bool")
"""A variable of a playbook itself that is true or false, also as a word, since that is what a survey answers with."""

# Options of the modules of awx.awx that the data may use.
OPTIONS = {
    "controller_projects": {"name", "description", "organization", "scm_type", "scm_url", "scm_update_on_launch"},
    "controller_inventories": {"name", "description", "organization"},
    "controller_inventory_sources": {
        *("name", "description", "organization", "inventory", "source", "source_project", "source_path"),
        *("update_on_launch", "overwrite"),
    },
    "controller_credentials": {"name", "description", "organization", "credential_type", "inputs"},
    "controller_templates": {
        *("name", "description", "organization", "project", "playbook", "job_type", "inventory", "credentials"),
        *("forks", "survey_enabled", "survey_spec"),
        *("ask_job_type_on_launch", "ask_limit_on_launch", "ask_verbosity_on_launch"),
    },
}
QUESTION = {
    *("question_name", "question_description", "variable", "type", "required", "choices", "default", "min", "max"),
}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


CONTROLLER = load(AWX / "controller.yml")
TEMPLATES = {template["name"]: template for template in CONTROLLER["controller_templates"]}
EACH = pytest.mark.parametrize("name", TEMPLATES)


def playbooks(template: dict[str, Any]) -> list[str]:
    """The playbooks of the collection that it comes to."""
    plays = load(AWX / "project" / template["playbook"])
    names = [play["import_playbook"] for play in plays]
    assert all(name.startswith("winguest.shutdown.") for name in names)
    return [name.removeprefix("winguest.shutdown.") for name in names]


def text(playbook: str) -> str:
    return (checkout.ROOT / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8")


def options(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The variables of the roles that it runs, and of the playbook itself, with their specifications."""
    found: dict[str, dict[str, Any]] = {}
    for playbook in playbooks(template):
        for role in re.findall(r"(?:role|name): winguest\.shutdown\.(\w+)$", text(playbook), re.MULTILINE):
            specification = load(checkout.ROOT / "roles" / role / "meta" / "argument_specs.yml")
            found |= specification["argument_specs"]["main"]["options"]
        for variable, default in SWITCH.findall(text(playbook)):
            found[variable] = {"type": "str", "choices": ["false", "true"], "default": default}
    return found


def test_nothing_that_awx_does_not_know() -> None:
    assert CONTROLLER.keys() == OPTIONS.keys()
    for kind, known in OPTIONS.items():
        for item in CONTROLLER[kind]:
            assert item.keys() <= known, f"{kind}: {item['name']}"


def test_there_is_a_template_for_each_thing_to_do() -> None:
    assert {name: template["job_type"] for name, template in TEMPLATES.items()} == {
        "winguest audit": "run",
        "winguest remediate": "run",
        "winguest shutdown (dry run)": "check",
        "winguest shutdown": "run",
    }
    dry, wet = TEMPLATES["winguest shutdown (dry run)"], TEMPLATES["winguest shutdown"]
    differing = {key for key in dry.keys() | wet.keys() if dry.get(key) != wet.get(key)}
    assert differing == {"name", "description", "job_type"}, "the dry run is not that of the shutdown"


def test_what_they_refer_to_exists() -> None:
    named = {kind: {item["name"] for item in CONTROLLER[kind]} for kind in OPTIONS}
    for template in TEMPLATES.values():
        assert template["project"] in named["controller_projects"]
        assert template["inventory"] in named["controller_inventories"]
        assert set(template["credentials"]) <= named["controller_credentials"]
    for source in CONTROLLER["controller_inventory_sources"]:
        assert source["inventory"] in named["controller_inventories"]
        assert source["source_project"] in named["controller_projects"]
        assert load(AWX / "project" / source["source_path"])["plugin"] == "winguest.shutdown.domains"


def test_no_secret_is_in_it() -> None:
    for credential in CONTROLLER["controller_credentials"]:
        assert credential["credential_type"] == "Machine"
        assert credential["inputs"].keys() == {"username", "password"}
        assert credential["inputs"]["password"] == "ASK"


@EACH
def test_the_playbook_is_one_that_awx_finds(name: str) -> None:
    file = AWX / "project" / TEMPLATES[name]["playbook"]
    assert any(PLAYBOOK.match(line) for line in file.read_text(encoding="utf-8").splitlines())
    assert all(text(playbook) for playbook in playbooks(TEMPLATES[name]))


@EACH
def test_the_survey_asks_for_variables_that_there_are(name: str) -> None:
    """A question has the variable, the type and the choices of an option, and any answer is one that it takes."""
    survey, roles = TEMPLATES[name]["survey_spec"], options(TEMPLATES[name])
    assert survey.keys() == {"name", "description", "spec"} and TEMPLATES[name]["survey_enabled"]
    variables = [question["variable"] for question in survey["spec"]]
    assert variables and len(variables) == len(set(variables))
    for question in survey["spec"]:
        option = roles[question["variable"]]
        assert question.keys() <= QUESTION and isinstance(question["required"], bool)
        chosen = "choices" in option and option["type"] != "list"
        assert question["type"] == ("multiplechoice" if chosen else TYPES[option["type"]])
        assert question.get("choices") == option.get("choices")
        if question["type"] == "integer":
            assert question["min"] < question["max"]


@EACH
def test_what_nobody_answers_is_the_default_or_left_to_the_inventory(name: str) -> None:
    """A question with a default always has an answer, so that it has to be the role's own default."""
    roles = options(TEMPLATES[name])
    for question in TEMPLATES[name]["survey_spec"]["spec"]:
        assert ("default" in question) is question["required"], question["variable"]
        if "default" in question:
            default = roles[question["variable"]]["default"]
            assert question["default"] == ("\n".join(default) if isinstance(default, list) else default)


def test_the_page_describes_what_is_handed_on_and_parses() -> None:
    page = (checkout.ROOT / "docs" / "awx.md").read_text(encoding="utf-8")
    section = page.partition("hands `winguest_shutdown` on")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert told == list(document({}, {}, {})["totals"])
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        assert yaml.safe_load(block)
    for template in TEMPLATES:
        assert f"\n| {template} |" in page
    imported = re.findall(r"loop: \"{{ (\w+) }}\"", page)
    assert imported == list(CONTROLLER)
