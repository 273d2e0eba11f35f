# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row about domains and hypervisors is shown by a test on real libvirt: the finding, the cure, their effect."""

from __future__ import annotations

import ast

import checkout
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import ROWS

FOLDER = checkout.ROOT / "tests" / "integration"


def shown() -> dict[str, list[ast.FunctionDef]]:
    """The tests that say which rows they show (integration.rows.shows), by the row."""
    tests: dict[str, list[ast.FunctionDef]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for row in rows_of(function):
                    tests.setdefault(row, []).append(function)
    return tests


def rows_of(function: ast.FunctionDef) -> list[str]:
    """What its decorator says."""
    calls = [call for call in function.decorator_list if isinstance(call, ast.Call)]
    names = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "shows"]
    return [str(argument.value) for call in names for argument in call.args if isinstance(argument, ast.Constant)]


SHOWN = shown()


@pytest.mark.parametrize("row", [row.id for row in ROWS])
def test_a_row_is_shown_on_real_libvirt(row: str) -> None:
    """By a test that is one, and that names the row in what it asserts."""
    assert row in SHOWN, f"no test in tests/integration is marked with @shows({row!r}): write one"
    for function in SHOWN[row]:
        assert function.name.startswith("test_"), f"{function.name} is no test"
        assert row in names_in(function), f"{function.name} says that it shows {row}, and does not look for it"


def names_in(function: ast.FunctionDef) -> set[str]:
    """The texts in its body, also in what it hands to others."""
    texts = [node.value for part in function.body for node in ast.walk(part) if isinstance(node, ast.Constant)]
    return {text for text in texts if isinstance(text, str)}


def test_what_is_shown_are_rows() -> None:
    known = {row.id for row in ROWS}
    assert set(SHOWN) <= known
