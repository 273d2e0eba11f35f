# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of others are never templates, whichever way this ansible-core tells them apart."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.winguest.shutdown.plugins.plugin_utils._trust import trusted, untrusted

EVIL = "{{ 7 * 7 }}"


def templated(value: Any) -> Any:
    """What becomes of a variable's value when a play uses it."""
    templar = Templar(loader=DataLoader(), variables={"it": value})
    return templar.template(trusted("{{ it }}"))


@pytest.mark.parametrize("value", [EVIL, {"a": [EVIL]}, {EVIL: 1}, "{% if 1 %}x{% endif %}", "a b", "word", 3, None])
def test_untrusted(value: Any) -> None:
    assert templated(untrusted(value)) == value
    assert untrusted(value) == value


def test_trusted() -> None:
    assert templated(trusted({"a": ["{{ 'x' ~ 'y' }}"]})) == {"a": ["xy"]}
