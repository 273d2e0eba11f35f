# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scale of a picture, and what is on its page."""

from __future__ import annotations

import pytest
from benchmark._chart import Scale, page, told


def test_a_scale_begins_at_zero_and_ends_at_the_longest_bar() -> None:
    scale = Scale.of([3.0, 60.0], log=False)
    assert list(scale.marks) == [0, 20, 40, 60]
    assert [scale.percent(value) for value in (0, 3, 60)] == ["0.00%", "5.00%", "100.00%"]


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([0.9, 1300.0], [1, 10, 100, 1000]),
        ([1.04, 3.2], [0.5, 1, 2]),
        ([1.6, 21.0], [1, 2, 5, 10, 20]),
        ([0.0, 0.003, 1.0], [0.001, 0.01, 0.1, 1]),
        ([0.02, 1e7], [0.01, 1, 100, 1e4, 1e6]),
    ],
)
def test_a_logarithmic_scale_has_powers_of_ten_or_if_too_few_numbers_between(
    values: list[float], marks: list[float]
) -> None:
    assert list(Scale.of(values, log=True).marks) == pytest.approx(marks)


def test_equal_steps_of_a_logarithmic_scale_are_equal_factors() -> None:
    scale = Scale.of([1.0, 500.0], log=True)
    assert scale.least == 0.5
    assert [scale.percent(value) for value in (0, 0.5, 5, 50, 500)] == ["0.00%", "0.00%", "33.33%", "66.67%", "100.00%"]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[], [0.0], [1.0], [1.0, 1.0], [0.07, 123.0]])
def test_every_bar_is_on_the_scale(values: list[float], log: bool) -> None:
    scale = Scale.of(values, log)
    assert 0 < len(scale.marks) <= 5
    for value in [*values, *scale.marks]:
        part = float(scale.percent(value).rstrip("%"))
        assert (0 < part <= 100) if value > scale.least else part == 0
    assert all(scale.percent(value) != "0.00%" for value in values if value)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_what_is_no_length_is_told(value: float) -> None:
    with pytest.raises(ValueError, match="must be numbers from 0 on"):
        Scale.of([1.0, value], log=False)


def test_the_page_has_names_values_and_what_they_are() -> None:
    groups = {"": {"a <b>": 1.0}, "60 guests": {"ours": 0.987, "a peer": 1234.5}}
    text = page("Down & out", "seconds", groups, log=True, ours=["ours"], note="median of 5")
    assert "<h1>Down &amp; out</h1>" in text and "<p>seconds; logarithmic scale; median of 5</p>" in text
    assert text.count("<h2>") == 1 and "<h2>60 guests</h2>" in text
    assert '<div class="name">a &lt;b&gt;</div>' in text
    assert text.count('class="name ours"') == 1 and '<div class="name ours">ours</div>' in text
    for value in ("1", "0.987", "1,234"):
        assert f'<span class="value">{value}</span>' in text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.06, "0.06"), (1.0, "1"), (1.0466, "1.05"), (60.25, "60.2"), (123456.0, "123,456")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert told(value) == text
