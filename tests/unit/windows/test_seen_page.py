# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of what was seen on a real Windows, and the reports that it is made from."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from windows import seen_page
from windows.seen_page import ReportError

REPORT: dict[str, Any] = {
    "schema": 1,
    "simulated": False,
    "collection": "0.1.0",
    "day": "2026-12-01",
    "windows": {"product": "Windows Server 2022 Standard", "build": 20348, "server": True, "language": "0407"},
    "hypervisor": {"libvirt": "9.0.0", "qemu": "7.2.22"},
    "audit": {"seconds": 3.5, "winrm_requests": 8},
    "remediation": {"seconds": None, "winrm_requests": None},
    "pending": [],
    "given_back": True,
    "totals": {"held": 2, "not held": 1, "not tried": 1},
    "claims": [
        {"id": ident, "claimed": "c", "seen": "s", "verdict": verdict, "why": ""}
        for ident, verdict in (
            ("row:power_button_action", "held"),
            ("row:hibernation", "not tried"),
            ("scenario:logon:before", "held"),
            ("scenario:logon:before:events", "not held"),
        )
    ],
}


def test_the_committed_page_is_current_and_the_reports_are_sound() -> None:
    """Whoever adds a report, a row or a scenario also makes the page anew."""
    current = seen_page.page(seen_page.reports())
    assert seen_page.PAGE.read_text(encoding="utf-8") == current, "run tests/run acceptance --page, and commit SEEN.md"


def test_without_reports_nobody_has_seen_anything() -> None:
    page = seen_page.page([])
    for row in seen_page.ROWS:
        assert f"`{row.id}`" in page
    assert "Nobody has yet seen 7 of 7" in page and "| held on |" not in page


def test_what_was_tried_is_in_the_table_and_no_longer_among_the_others() -> None:
    page = seen_page.page([REPORT])
    never, dummy, table = page.partition("| what | held on | not held on |")
    assert "`power_button_action`" not in never and "`hibernation`" in never
    assert "| `power_button_action` | Windows Server 2022 Standard 20348 (2026-12-01) | - |" in table
    assert "| `logon` | - | Windows Server 2022 Standard 20348 (2026-12-01) |" in table


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    report = deepcopy(REPORT)
    target: Any = report
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return report


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (["schema"], 2, r"\$.schema"),
        (["host"], "web01", "unexpected"),
        (["claims", 0, "verdict"], "maybe", r"\$.claims\[0\].verdict"),
        (["claims", 0, "id"], "row:of_another_version", "of another version"),
        (["claims", 0, "id"], "row:<b>", r"\$.claims\[0\].id"),
        (["totals", "held"], 3, "totals"),
        (["simulated"], True, "simulated guest"),
    ],
)
def test_reports_that_cannot_be(path: list[Any], value: Any, why: str, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(changed(path, value)), encoding="utf-8")
    with pytest.raises(ReportError, match=f"one.json.*{why}"):
        seen_page.reports(tmp_path)


def test_no_json(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReportError, match=r"one\.json is no JSON"):
        seen_page.reports(tmp_path)
