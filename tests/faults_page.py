# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/faults.md, the page about what may go wrong, from the faults and the tests that show them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import checkout
from catalogue_page import table
from integration import faults_guest, faults_host
from integration.faults import Fault

PAGE = checkout.ROOT / "docs" / "faults.md"
TESTS = checkout.ROOT / "tests" / "integration"
SIDES: Mapping[str, Sequence[Fault]] = {
    "Hypervisors and domains": faults_host.FAULTS,
    "Guests and images": faults_guest.FAULTS,
}
COLUMNS = ("fault", "what happens", "what holds", "what to do", "shown by")

HEAD = """<!--
SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
SPDX-License-Identifier: GPL-3.0-or-later
Made from the faults in tests/integration by `tests/run faults-page`. Changes by hand are lost.
-->

# What may go wrong

Faults that were caused on purpose, on real libvirt, QEMU and connections, and what holds then: nothing is forced
without leave, nothing is lost, there is a named outcome, and a message that tells what to do. What stands in for
Windows there is a simulator. `tests/run faults` runs the tests of this page; the names in its last column are theirs,
in `tests/integration/`.
"""


@cache
def shown() -> Mapping[str, Sequence[str]]:
    """The tests that are marked with @fault, by the fault."""
    tests: dict[str, list[str]] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for ident in _faults_of(function):
                    tests.setdefault(ident, []).append(f"{path.name}::{function.name}")
    return tests


def _faults_of(function: ast.FunctionDef) -> list[str]:
    """What its decorator says."""
    calls = [call for call in function.decorator_list if isinstance(call, ast.Call)]
    marks = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "fault"]
    return [str(argument.value) for call in marks for argument in call.args if isinstance(argument, ast.Constant)]


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(f"## {title}\n\n" + table(COLUMNS, _lines(faults)) for title, faults in SIDES.items())])


def _lines(faults: Sequence[Fault]) -> Iterator[list[str]]:
    for fault in faults:
        tests = "<br>".join(f"`{test}`" for test in shown().get(fault.id, ()))
        yield [f"`{fault.id}`", fault.what, fault.holds, fault.todo, tests]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.relative_to(checkout.ROOT))


if __name__ == "__main__":
    main()
