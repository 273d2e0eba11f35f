# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of guest_readiness and guest_readiness_info says what their actions take and return."""

from __future__ import annotations

import types
import typing as t

import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.doc_fragments._readiness import ModuleDocFragment
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import BASELINES, GUEST_SCENARIOS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import STATES
from ansible_collections.winguest.shutdown.plugins.modules import guest_readiness, guest_readiness_info
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_readiness import (
    ReadinessAction,
    RemediationAction,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import Output, WindowsShell
from unit.little_cmd import Machine, windows

FRAGMENT = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
MODULES: list[tuple[types.ModuleType, t.Any]] = [
    (guest_readiness, RemediationAction),
    (guest_readiness_info, ReadinessAction),
]
both = pytest.mark.parametrize(("module", "action"), MODULES, ids=["guest_readiness", "guest_readiness_info"])


class Shell(WindowsShell):
    """On a little guest."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(t.cast("t.Any", None), 300.0)
        self.machine = machine

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        return self.machine.run(line)


def work(action: t.Any) -> dict[str, t.Any]:
    """What it returns when everything is there that it can return."""
    machine = windows()
    machine.running.add("TiWorker.exe")
    machine.registry.set(r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT", "DontPowerOffAfterShutdown", 1)
    made = action(t.cast("t.Any", types.SimpleNamespace(check_mode=False, diff=False)), *[t.cast("t.Any", None)] * 5)
    options = {name: option.get("default") for name, option in action.argument_spec.items()}
    result: dict[str, t.Any] = made.work(Shell(machine), options)
    return result


@both
def test_the_options_are_those_that_are_documented(module: types.ModuleType, action: t.Any) -> None:
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert "winguest.shutdown._readiness" in documentation["extends_documentation_fragment"]
    documented = {**documentation.get("options", {}), **FRAGMENT}
    assert documented.keys() == action.argument_spec.keys()
    for name, option in documented.items():
        said = {key: value for key, value in option.items() if key != "description"}
        if "choices" in said:
            said["choices"] = sorted(said["choices"])
        taken = dict(action.argument_spec[name])
        if "choices" in taken:
            taken["choices"] = sorted(taken["choices"])
        assert said == taken, name
        assert all(line.strip() for line in option["description"])


def test_the_choices() -> None:
    options = yaml.safe_load(guest_readiness.DOCUMENTATION)["options"]
    assert options["scenarios"]["choices"] == options["scenarios"]["default"] == list(GUEST_SCENARIOS)
    assert FRAGMENT["baseline"]["choices"] == ["none", *BASELINES]


@both
def test_the_examples_are_tasks_that_can_be(module: types.ModuleType, action: t.Any) -> None:
    for task in yaml.safe_load(module.EXAMPLES):
        for name, options in task.items():
            if not name.startswith("winguest."):
                continue
            assert name.rpartition(".")[2] in module.__name__
            options = options or {}
            assert options.keys() <= action.argument_spec.keys()
            build(
                ROWS,
                custom=options.get("custom_rows", ()),
                desired=options.get("desired"),
                waive=options.get("waive", ()),
                enforce=[*options.get("enforce", ()), *options.get("rows", ())],
                baseline=options.get("baseline", "none"),
            )


KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "dict": (dict,),
    "list": (list,),
    "raw": (int, str, list),
}


def compare(documented: dict[str, t.Any], returned: dict[str, t.Any], where: str) -> None:
    assert documented.keys() == returned.keys(), where
    for name, entry in documented.items():
        value = returned[name]
        assert value is None or isinstance(value, KINDS[entry["type"]]), (where, name, value)
        assert isinstance(entry.get("sample", value), KINDS[entry["type"]]), (where, name)
        if "contains" in entry:
            members: list[t.Any] = value if isinstance(value, list) else [value]
            for one in members:
                compare(entry["contains"], one, f"{where}.{name}")


@both
def test_what_is_returned_is_what_is_documented(module: types.ModuleType, action: t.Any) -> None:
    result = work(action)
    result.pop("changed")
    compare(yaml.safe_load(module.RETURN), result, "")


@both
def test_words_that_are_documented_are_those_that_are_returned(module: types.ModuleType, action: t.Any) -> None:
    documented = yaml.safe_load(module.RETURN)
    state = documented["findings"]["contains"]["state"]["description"]
    assert all(f"C({word})" in " ".join(state) for word in STATES)
    verdicts = " ".join(documented["verdicts"]["description"])
    words = ("blocked", "prolonged", "waived", "unknown", "ready_later", "ready")
    assert all(f"C({word})" in verdicts for word in (*GUEST_SCENARIOS, *words))
    result = work(action)
    assert set(result["verdicts"]) == set(GUEST_SCENARIOS) and set(result["verdicts"].values()) <= set(words)
    parts = " ".join(documented["hints"]["contains"]["timeout_parts"]["description"])
    assert all(f"C({part})" in parts for part in result["hints"]["timeout_parts"])


def test_both_return_the_same() -> None:
    assert yaml.safe_load(guest_readiness.RETURN) == yaml.safe_load(guest_readiness_info.RETURN)
