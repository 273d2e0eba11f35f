# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Screenshots as they were fetched."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_screens import PNG, read_screens

WHERE = {"hypervisor": "hv", "path": "/e/screen.png"}
PICTURE = base64.b64encode(PNG + b"rest").decode()
LOOKED = {"item": WHERE, "stat": {"exists": True, "size": 12}}
FETCHED = {"item": LOOKED, "content": PICTURE}


def one(*results: dict[str, Any]) -> dict[str, str]:
    return read_screens(results, 100)["hv", "/e/screen.png"]


def test_a_picture() -> None:
    assert one(LOOKED, FETCHED) == {"data": f"data:image/png;base64,{PICTURE}"}
    assert one({"item": WHERE, "content": PICTURE})["data"]


@pytest.mark.parametrize(
    ("results", "why"),
    [
        ([LOOKED, {"item": LOOKED, "skipped": True}], "it is larger than 100 bytes"),
        ([{"item": WHERE, "stat": {"exists": False}}], "it is not there any more"),
        ([{"item": WHERE, "unreachable": True, "msg": "no route"}], "it could not be fetched: no route"),
        ([LOOKED, {"item": LOOKED, "failed": True}], "it could not be fetched: no reason was given"),
        ([LOOKED, {"item": LOOKED, "content": "%%%"}], "what was fetched is not whole"),
        ([LOOKED, {"item": LOOKED, "content": base64.b64encode(b"<svg>").decode()}], "not a PNG picture"),
    ],
)
def test_why_there_is_none(results: list[dict[str, Any]], why: str) -> None:
    assert why in one(*results)["missing"]


def test_results_that_are_about_nothing() -> None:
    assert read_screens([{}, {"item": "x"}, {"skipped": True, "item": WHERE}], 100) == {}
