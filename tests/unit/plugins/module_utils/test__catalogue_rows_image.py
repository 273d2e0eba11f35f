# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows that only an image has are sound, and stand for what no other row does."""

from __future__ import annotations

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import GUEST_SCENARIOS, Row, check
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_input import check_shown
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS as GUEST_ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_image import ROWS

EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)


@EACH_ROW
def test_a_row_is_sound(row: Row) -> None:
    assert check(row, row.id) is row
    assert row.scenario in GUEST_SCENARIOS
    assert not row.writable and not row.enforced and not row.offline
    # Neither was seen to keep anything from shutting down.
    assert row.effect == "informs"
    for text in (row.title, row.cure, row.source):
        assert check_shown(text, row.id, 300) == text and text
    assert row.title[0].isupper() and row.title[-1] != "." and row.cure[-1] == "."


@EACH_ROW
def test_no_guest_row_is_about_the_same(row: Row) -> None:
    assert row.id not in {other.id for other in GUEST_ROWS}
    assert row.location not in [other.location for other in GUEST_ROWS]
