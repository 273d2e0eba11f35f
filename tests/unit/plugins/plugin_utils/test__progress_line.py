# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The line of progress, whatever the hypervisor says."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.plugin_utils._progress_line import fresh_news, line, summary, words
from hypothesis import given
from hypothesis import strategies as st

DOCUMENT: dict[str, t.Any] = {
    "domains": 20,
    "counts": {"off": 12, "refused": 1, "saving": 1, "waiting": 5, "left_running": 1},
    "saved": 0,
    "forced": 2,
    "alone": "",
    "slowest": [{"name": "sql01", "doing": "accepted, writing", "seconds": 213, "more": 3387}],
    "news": [],
}


def test_the_line() -> None:
    assert line(DOCUMENT) == (
        "12 of 20 off (2 forced), 1 saving, 5 waiting, 1 left running, 1 refused; "
        "slowest sql01: accepted, writing, 213 s, at most 3387 s more"
    )
    done = {**DOCUMENT, "counts": {"off": 20}, "saved": 3, "forced": 0, "slowest": []}
    assert line(done) == "20 of 20 off (3 saved)"
    assert line({**DOCUMENT, "alone": "nobody", "slowest": []}).endswith("1 refused; only watching")
    assert line({**DOCUMENT, "domains": 0, "counts": {}, "forced": 0, "slowest": []}) == "0 of 0 off"


def test_the_summary_does_not_change_with_time() -> None:
    later = {**DOCUMENT, "slowest": [{"name": "sql01", "doing": "accepted", "seconds": 214, "more": 3386}]}
    assert summary(later) == summary(DOCUMENT) and line(later) != line(DOCUMENT)


@given(name=st.text(), doing=st.text())
def test_nothing_in_it_steers_a_terminal(name: str, doing: str) -> None:
    shown = line({**DOCUMENT, "slowest": [{"name": name, "doing": doing, "seconds": 1, "more": 2}]})
    assert shown.isprintable() and len(shown) < 1300
    assert words("a\x1b[2Jb\r\nc") == "a\\x1b[2Jb\\r c"


def test_news_is_shown_once() -> None:
    document = {"news": [[1, "a"], [2, "b\x07"], [3, "c"]]}
    assert fresh_news(document, 0) == (3, ["a", "b\\x07", "c"])
    assert fresh_news(document, 2) == (3, ["c"])
    assert fresh_news(document, 3) == (3, [])
    assert fresh_news({"news": [[7, "x"]]}, 3) == (7, ["(3 lines left out)", "x"])
    assert fresh_news({"news": []}, 3) == (3, [])
