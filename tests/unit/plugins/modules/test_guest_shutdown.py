# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of guest_shutdown says what its action takes and returns."""

from __future__ import annotations

import types
import typing as t

import yaml
from ansible_collections.winguest.shutdown.plugins.modules.guest_shutdown import DOCUMENTATION, EXAMPLES, RETURN
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_shutdown import (
    CUT,
    LONGEST_MESSAGE,
    OUTCOMES,
    ShutdownAction,
    command,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import Output, WindowsShell

DEFAULTS = {name: option.get("default") for name, option in ShutdownAction.argument_spec.items()}


class Shell(WindowsShell):
    """On which every command works."""

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        return Output("", "", 0)


def test_the_options_are_those_that_are_documented() -> None:
    documented = yaml.safe_load(DOCUMENTATION)["options"]
    assert list(documented) == list(ShutdownAction.argument_spec)
    for name, option in documented.items():
        taken = {key: value for key, value in ShutdownAction.argument_spec[name].items() if key != "no_log"}
        assert {key: value for key, value in option.items() if key != "description"} == taken, name
    assert f"at most {LONGEST_MESSAGE} characters" in " ".join(documented["message"]["description"])


def test_the_examples_are_tasks_that_can_be() -> None:
    for task in yaml.safe_load(EXAMPLES):
        options = task["winguest.shutdown.guest_shutdown"] or {}
        assert options.keys() <= DEFAULTS.keys()
        assert command({**DEFAULTS, **options}).startswith("shutdown.exe /s ")


def test_what_is_returned_is_what_is_documented() -> None:
    documented = yaml.safe_load(RETURN)
    for check_mode in (False, True):
        task = t.cast("t.Any", types.SimpleNamespace(check_mode=check_mode))
        action = ShutdownAction(task, *[t.cast("t.Any", None)] * 5)
        result = action.work(Shell(t.cast("t.Any", None), 30.0), dict(DEFAULTS))
        always = {name for name, entry in documented.items() if entry["returned"] == "always"}
        assert result.keys() - {"changed", "failed"} == (always if check_mode else documented.keys())
    kinds = {"str": str, "int": int, "bool": bool}
    assert all(isinstance(entry["sample"], kinds[entry["type"]]) for entry in documented.values())


def test_every_outcome_is_documented() -> None:
    words = " ".join(yaml.safe_load(RETURN)["outcome"]["description"])
    for outcome in ("planned", CUT[0], *(name for name, dummy in OUTCOMES.values())):
        assert f"C({outcome})" in words
