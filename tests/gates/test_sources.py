# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places in the sources that must agree with each other, and that no program compares."""

from __future__ import annotations

import typing as t

import yaml
from gates import sandbox


def _load(name: str) -> t.Any:
    path = sandbox.COPY / name
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


def test_role_defaults_are_the_documented_ones() -> None:
    """A role's defaults/main.yml and its argument specification name the same defaults."""
    for tasks in sandbox.files("roles/*/tasks/main.yml"):
        role = tasks.removesuffix("/tasks/main.yml")
        options = _load(f"{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
        documented = {name: option["default"] for name, option in options.items() if "default" in option}
        assert documented == (_load(f"{role}/defaults/main.yml") or {}), role


def test_action_groups_have_the_modules_that_say_so() -> None:
    """The groups in meta/runtime.yml are the ones that the modules' documentation claims."""
    claim = "winguest.shutdown._attributes.action_group"
    claiming = {name for name in sandbox.files("plugins/modules/*.py") if claim in (sandbox.COPY / name).read_text()}
    listed = _load("meta/runtime.yml").get("action_groups", {}).get("domain", [])
    assert {f"plugins/modules/{name}.py" for name in listed} == claiming


def test_no_sanity_test_is_ignored() -> None:
    """What ansible-test finds is mended, not listed as an exception."""
    ignored = [path for path in (sandbox.COPY / "tests" / "sanity").glob("ignore*.txt") if path.read_text().strip()]
    assert not ignored
