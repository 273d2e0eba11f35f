# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places in the sources that must agree with each other, and that no program compares."""

from __future__ import annotations

import re
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


def test_no_sanity_test_is_ignored() -> None:
    """What ansible-test finds is mended, not listed as an exception."""
    ignored = [path for path in (sandbox.COPY / "tests" / "sanity").glob("ignore*.txt") if path.read_text().strip()]
    assert not ignored


def test_each_role_has_an_example_that_it_takes() -> None:
    """In its README.md, which Galaxy shows: only variables that the role has, and all that it requires."""
    for specification in sandbox.files("roles/*/meta/argument_specs.yml"):
        role = specification.removesuffix("/meta/argument_specs.yml")
        options = _load(specification)["argument_specs"]["main"]["options"]
        (example,) = re.findall(r"```yaml\n(.*?)```", (sandbox.COPY / role / "README.md").read_text(), re.DOTALL)
        ((given,),) = [play["roles"] for play in yaml.safe_load(example)]
        assert given["role"] == f"winguest.shutdown.{role.removeprefix('roles/')}"
        required = {name for name, option in options.items() if option.get("required")}
        assert required <= given["vars"].keys() <= options.keys(), role
