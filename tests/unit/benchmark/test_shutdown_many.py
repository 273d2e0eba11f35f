# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How shutdown_many tells what it has measured."""

from __future__ import annotations

from benchmark.shutdown_many import Results, Seconds, table


def test_one_guest_is_pressed_at_once() -> None:
    """Nothing passes between its first press and its last, and no side can be told as so many times that."""
    limit, ours = Seconds(0.2, 0.3, 0.0, 0.1), Seconds(0.3, 1.8, 0.0, 0.1)
    results = Results({"bare": [limit] * 5, "module": [ours] * 5}, {})
    ratios = results.ratios["module"]
    assert ratios.keys() == {"answer", "whole", "slowest_guest"}
    assert round(ratios["answer"], 6) == 1.5
    assert "| domain_shutdown | 5 | 0.30 (0.30 to 0.30) | 1.80 | 0.00 | 0.10 | x1.50 |" in table(1, results)
