# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data from whatever Ansible has wrapped around it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_facts import (
    DEEPEST,
    LONGEST_TEXT,
    gather,
    plain,
)
from unit.older_core import trust_as_template

EVERYTHING = {"a": [1, 2.5, True, None, "ä\u2028</script>"], "b": {"c": ("x",)}}


class Lazy(Mapping[str, Any]):
    """A mapping that is no dictionary, as hostvars is none."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values_ = values

    def __getitem__(self, key: str) -> Any:
        return self.values_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def test_plain_data_stays_as_it_is() -> None:
    assert plain(EVERYTHING) == {"a": [1, 2.5, True, None, "ä\u2028</script>"], "b": {"c": ["x"]}}


@pytest.mark.parametrize("wrapped", [wrap_var(EVERYTHING), Lazy(EVERYTHING)], ids=["unsafe", "lazy"])
def test_wrappings_are_taken_off(wrapped: Any) -> None:
    found = plain(wrapped)
    assert found == plain(EVERYTHING)
    assert exact(found)


def test_what_a_template_gave_is_plain_too() -> None:
    """From ansible-core 2.19 on, that is tagged, and templated only when it is looked at."""
    template = trust_as_template("{{ {'a': [text, 1]} }}")
    found = plain(Templar(DataLoader(), variables={"text": trust_as_template("{{ 'ä' }}")}).template(template))
    assert found == {"a": ["ä", 1]}
    assert exact(found)


def exact(value: Any) -> bool:
    """Whether it is of these types and of no class that is derived from them."""
    kind = value.__class__
    if kind is dict:
        return all(key.__class__ is str and exact(item) for key, item in value.items())
    return all(map(exact, value)) if kind is list else kind in (str, int, float, bool, type(None))


def test_all_of_it_can_be_said_in_json() -> None:
    odd = {"nan": float("nan"), "inf": float("inf"), 7: {1}, "object": object, "bytes": b"\xff", "half": "\ud800"}
    json.dumps(plain(odd), allow_nan=False)
    assert plain(odd)["nan"] == "nan"
    assert plain(odd)["7"] == [1]


def test_long_and_deep_things_are_cut() -> None:
    assert plain("x" * (LONGEST_TEXT + 5)).endswith("x (5 more characters)")
    assert plain("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    deep: Any = "end"
    for dummy in range(DEEPEST + 5):
        deep = [deep]
    assert "nested too deeply" in json.dumps(plain(deep))


def test_only_what_a_report_needs_is_gathered() -> None:
    hostvars = {"hv": {"domain_shutdown_result": {"domains": []}, "ansible_password": "secret", "winguest_uuid": "1"}}
    assert gather(hostvars, ["hv"], None) == {"hv": {"domain_shutdown_result": {"domains": []}, "winguest_uuid": "1"}}


def test_who_was_not_asked_and_has_no_result_is_left_out() -> None:
    hostvars: dict[str, Any] = {"a": {}, "b": {}, "c": {"guest_readiness_result": {}}}
    names = [*hostvars, "not in the inventory"]
    assert list(gather(hostvars, names, None)) == names
    assert list(gather(hostvars, names, {"b"})) == ["b", "c"]
