# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errands are told until they are answered, and an answer is whatever the controller has put into its file."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._errands import (
    LONGEST_DETAIL,
    RESULTS,
    Errands,
    read_answer,
    write_answer,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Done
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_shutdown import CUT, DONE, OUTCOMES

HOSTILE = "'; rm -rf / #\n$(reboot) \u2028 \x1b[2J ключ"


def test_an_errand_is_open_until_its_answer_is_there(tmp_path: Path) -> None:
    errands = Errands(str(tmp_path))
    errands.give("uuid-a", "web01")
    errands.give("uuid-b", "sql01")
    assert errands.tell() == [{"number": 1, "guest": "web01"}, {"number": 2, "guest": "sql01"}]
    assert errands.collect() == []
    (tmp_path / "answer-2").write_text(write_answer("accepted", "Windows has accepted the request"))
    assert errands.collect() == [("uuid-b", Done("guest_shutdown", "ok", "Windows has accepted the request"))]
    assert errands.collect() == [] and [errand["number"] for errand in errands.tell()] == [1]


def test_the_text_of_an_answer_has_nothing_in_it_that_a_shell_knows(tmp_path: Path) -> None:
    text = write_answer("refused", HOSTILE)
    assert re.fullmatch("[A-Za-z0-9+/=]+", text)
    (tmp_path / "answer").write_text(text)
    assert read_answer(str(tmp_path / "answer")) == Done("guest_shutdown", "failed", HOSTILE)


def test_a_long_answer_is_cut(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(write_answer("refused", "ж" * 100_000))
    done = read_answer(str(tmp_path / "answer"))
    assert done is not None and done.detail == "ж" * LONGEST_DETAIL


DEEP = base64.b64encode(b"[" * 6000).decode()


@pytest.mark.parametrize("text", ["", "no base64!", "e30=", write_answer("dreamt_of" * 100, ""), "W10=", DEEP])
def test_an_answer_that_is_none_is_a_failure_of_the_request(tmp_path: Path, text: str) -> None:
    (tmp_path / "answer").write_text(text)
    done = read_answer(str(tmp_path / "answer"))
    assert done is not None and done.result == "failed" and "cannot be read" in done.detail
    assert len(done.detail) <= LONGEST_DETAIL


def test_a_file_that_cannot_be_read_is_a_failure_of_the_request(tmp_path: Path) -> None:
    done = read_answer(str(tmp_path))
    assert done is not None and done.result == "failed"


def test_every_outcome_of_guest_shutdown_is_known_to_the_ladder() -> None:
    outcomes = {name for name, dummy in (*OUTCOMES.values(), CUT)}
    assert outcomes | {"unreachable"} == set(RESULTS)
    assert {name for name, result in RESULTS.items() if result in ("ok", "under_way")} == set(DONE)
