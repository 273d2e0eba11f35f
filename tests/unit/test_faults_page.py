# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about faults: that it is current and readable, and that every fault is shown by a test."""

from __future__ import annotations

import re

import faults_page
import pytest

PAGE = faults_page.page()
KNOWN = [fault.id for faults in faults_page.SIDES.values() for fault in faults]


def test_committed_page_is_current() -> None:
    assert faults_page.PAGE.read_text(encoding="utf-8") == PAGE, "run tests/run faults-page, and commit docs/faults.md"


@pytest.mark.parametrize("ident", KNOWN)
def test_a_fault_is_shown_by_a_test(ident: str) -> None:
    assert ident in faults_page.shown(), f"no test in tests/integration is marked with @fault({ident!r}): write one"
    for name in faults_page.shown()[ident]:
        assert name.partition("::")[2].startswith("test_"), f"{name} is no test"


def test_what_is_shown_are_faults_and_each_is_listed_once() -> None:
    assert set(faults_page.shown()) <= set(KNOWN)
    assert len(set(KNOWN)) == len(KNOWN)


def test_tables_are_well_formed() -> None:
    """Every line of a table has as many cells as its head, and none is empty, but for heads of empty tables."""
    for lines in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        for line in lines.splitlines():
            cells = line.strip("|").split("|")
            assert len(cells) == len(faults_page.COLUMNS) and all(cell.strip() for cell in cells), line
