# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the numbers of many domains are put together."""

from __future__ import annotations

import io

import pytest
from benchmark import domains_scale


@pytest.mark.parametrize(("large", "expected"), [(11.0, 1.0), (101.0, 2.0), (1.0, None)])
def test_growth_is_that_of_what_comes_on_top(large: float, expected: float | None) -> None:
    own = {"side: 0": 1.0, "side: 10": 2.0, "side: 100": large}
    middle = {label: {"own_cpu": seconds} for label, seconds in own.items()}
    assert domains_scale.growth(middle, "side", [10, 100]) == (None if expected is None else pytest.approx(expected))
    assert domains_scale.growth(middle, "side", [10]) is None


@pytest.mark.parametrize("block", [2, 3, 4, 100])
def test_a_word_is_found_where_blocks_meet(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domains_scale, "BLOCK", block)
    assert domains_scale._count(io.BytesIO(b"abc ab cabc abcabc"), b"abc") == 4
