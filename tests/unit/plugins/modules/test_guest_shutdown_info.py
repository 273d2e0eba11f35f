# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of guest_shutdown_info says what its action takes and returns, and its options are checked."""

from __future__ import annotations

import types
from typing import Any, cast

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.winguest.shutdown.plugins.action.guest_shutdown_info import ActionModule
from ansible_collections.winguest.shutdown.plugins.modules import guest_shutdown_info
from unit.plugins.plugin_utils.test__guest_history import Shell, guest

KINDS: dict[str, type] = {"str": str, "bool": bool, "int": int, "dict": dict, "list": list}


def work(**options: Any) -> dict[str, Any]:
    """What it returns for a guest with some of everything."""
    course = guest()
    course.slept(0)
    course.refused()
    course.asked()
    course.aborted()
    course.ends()
    course.boot()
    action = ActionModule(cast("Any", types.SimpleNamespace(check_mode=False)), *[cast("Any", None)] * 5)
    defaults = {name: option["default"] for name, option in action.argument_spec.items()}
    result: dict[str, Any] = action.work(Shell(course), {**defaults, **options})
    return result


def compare(documented: dict[str, Any], returned: dict[str, Any], where: str) -> None:
    assert documented.keys() == returned.keys(), where
    for name, entry in documented.items():
        value = returned[name]
        assert value is None or isinstance(value, KINDS[entry["type"]]), (where, name, value)
        assert "sample" not in entry or isinstance(entry["sample"], KINDS[entry["type"]]), (where, name)
        members: list[Any] = value if isinstance(value, list) else [value]
        for one in members if "contains" in entry and value else []:
            compare(entry["contains"], one, f"{where}.{name}")


def test_the_options_are_those_that_are_documented() -> None:
    documented = yaml.safe_load(guest_shutdown_info.DOCUMENTATION)["options"]
    assert documented.keys() == ActionModule.argument_spec.keys()
    for name, option in documented.items():
        assert {key: value for key, value in option.items() if key != "description"} == ActionModule.argument_spec[name]


def test_what_is_returned_is_what_is_documented() -> None:
    result = work()
    del result["changed"]
    documented = yaml.safe_load(guest_shutdown_info.RETURN)
    compare(documented, result, "")
    of_a_stop = documented["stops"]["contains"]
    left_out = ("next_start", "clean", "evidence", "stop_error", "power_button_held", "while_sleeping")
    assert result["current"].keys() == of_a_stop.keys() - set(left_out)
    assert all(f"C({name})" in " ".join(documented["current"]["description"]) for name in left_out)
    stop = result["stops"][0]
    for name in ("sleeps", "failed_requests", "aborted_requests"):
        assert stop[name], "this is compared with its documentation only where there is one"


@pytest.mark.parametrize(("name", "value"), [("days", 0), ("days", 3651), ("stops", 0), ("stops", 101)])
def test_an_option_that_cannot_be(name: str, value: int) -> None:
    with pytest.raises(AnsibleActionFail, match=f"{name} is {value}; it must be a number from 1 to "):
        work(**{name: value})
