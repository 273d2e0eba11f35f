# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that says how far a run is: seldom, as a whole, and never a reason for the run to end."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _progress_file
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import End
from ansible_collections.winguest.shutdown.plugins.module_utils._progress_file import MOST_NEWS, ProgressFile
from unit.plugins.module_utils.test__progress import case


class Clock:
    """In place of the module time."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_progress_file, "time", clock)
    return clock


def content(path: Path) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(path.read_text(encoding="utf-8")))


def test_at_most_once_a_second_but_the_last_time(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "progress"
    file, cases = ProgressFile(str(path), 0), [case(name="a"), case(name="b")]
    file.tell(lambda: cases)
    assert content(path)["counts"] == {"not asked yet": 2} and content(path)["news"] == []
    cases[0].finish(End("graceful", "x"), 1.0)
    clock.now += 0.9
    file.tell(lambda: cases)
    assert content(path)["counts"] == {"not asked yet": 2}
    clock.now += 0.1
    file.tell(lambda: cases)
    assert content(path)["counts"] == {"not asked yet": 1, "off": 1}
    cases[1].finish(End("error", "x"), 1.0)
    file.tell(lambda: cases, last=True)
    assert content(path)["counts"] == {"error": 1, "off": 1}
    before = path.stat().st_ino
    clock.now += 5
    file.tell(lambda: cases)
    assert path.stat().st_ino == before, "nothing has changed, so nothing is written"
    assert [entry.name for entry in tmp_path.iterdir()] == ["progress"]


def test_news_of_domains_that_have_changed(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "progress"
    file, cases = ProgressFile(str(path), 1), [case(name="a"), case(name="b")]
    file.entry("a", "asked", "is for a higher verbosity")
    file.tell(lambda: cases)
    assert content(path)["news"] == [[1, "a: not asked yet"], [2, "b: not asked yet"]]
    cases[0].finish(End("saved", "because"), 1.0)
    clock.now += 1
    file.tell(lambda: cases)
    assert content(path)["news"][2:] == [[3, "a: off (saved: because)"]]


def test_news_of_all_that_happens_is_limited(tmp_path: Path, clock: Clock) -> None:
    file = ProgressFile(str(tmp_path / "progress"), 2)
    for number in range(MOST_NEWS + 5):
        file.entry("a", "seen", f"event {number}")
    file.tell(list)
    news = content(tmp_path / "progress")["news"]
    assert len(news) == MOST_NEWS
    assert news[0] == [6, "a: seen: event 5"] and news[-1] == [MOST_NEWS + 5, f"a: seen: event {MOST_NEWS + 4}"]


def test_a_folder_that_is_gone_does_not_matter(tmp_path: Path) -> None:
    ProgressFile(str(tmp_path / "gone" / "progress"), 0).tell(list)
