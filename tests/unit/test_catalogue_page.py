# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about the catalogue: that it is current, whole and readable."""

from __future__ import annotations

import re

import catalogue_page
import yaml
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build

PAGE = catalogue_page.page()


def test_committed_page_is_current() -> None:
    """Whoever changes a row also changes the page."""
    assert catalogue_page.PAGE.read_text(encoding="utf-8") == PAGE, (
        "run tests/run catalogue, and commit docs/catalogue.md"
    )


def test_every_row_is_once_in_the_tables_of_its_scenario() -> None:
    """No row is lost, and none is under the wrong heading."""
    for row in catalogue_page.ROWS:
        heading = catalogue_page.catalogue.SCENARIOS[row.scenario]
        section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        assert section.count(f"\n| `{row.id}` ") == 1, row.id


def test_tables_are_well_formed() -> None:
    """Every line of a table has as many cells as its head, so no text in it has broken it."""
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table
        assert "{" not in table
        assert "_Unknown" not in table
        assert "None" not in table.replace("None is needed", "")


def test_guids_are_in_no_table_of_a_scenario() -> None:
    """GUIDs have a table of their own."""
    before, dummy, after = PAGE.partition("## Power settings\n")
    guid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE)
    assert not guid.search(before)
    assert len(guid.findall(after)) >= 2 * sum(
        "power setting" in line for line in before.splitlines() if line[0:1] == "|"
    )


def test_page_says_how_sure_it_is() -> None:
    """That nothing was seen on a live Windows, and every row that is not verified."""
    assert "Nothing in here was seen on a live Windows." in PAGE
    listed = PAGE.partition("## Rows that nobody verified\n")[2].partition("\n## ")[0]
    for row in catalogue_page.ROWS:
        assert (f"`{row.id}`" in listed) == (row.grade != "verified"), row.id


def test_example_works() -> None:
    """What the page shows as an example is accepted, and does what it says."""
    variables = yaml.safe_load(catalogue_page.EXAMPLE)
    options = {name.removeprefix("guest_readiness_"): value for name, value in variables.items()}
    catalogue = build(catalogue_page.GUEST_ROWS, custom=options.pop("custom_rows"), **options)
    assert catalogue.by_id["spooler_timeout"].enforced
    assert catalogue.by_id["policy_script_wait"].desired.data == 120
    assert {"hibernation", "shutdown_without_logon"} <= set(catalogue.waived)
    assert f"```yaml{catalogue_page.EXAMPLE}```" in PAGE
