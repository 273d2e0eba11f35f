# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recorded answers, and to what they are given."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bed.windows.endpoint import Settings
from benchmark import _peer
from benchmark._replayed import Answer, Recorder, Replayed

ONE = Answer("echo #00000001# one", b"#00000001# one", b"no #00000001#", 7)


def ended(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, int]:
    output, errors = process.communicate()
    return output, errors, process.returncode


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("echo #12345678# one", (b"#12345678# one", b"no #12345678#", 7)),
        ("echo #12345678# two", None),
        ("echo one", None),
    ],
)
def test_only_what_was_recorded_is_answered(line: str, answer: tuple[bytes, bytes, int] | None, tmp_path: Path) -> None:
    guest = Replayed([ONE], tmp_path / "guest")
    said = ended(guest.start(line, Settings()))
    assert said == answer if answer else said[2] == 250 and b"not the command that was recorded" in said[1]
    assert ended(guest.start(line, Settings()))[2] == 250  # no second one was recorded


def test_powershell_is_the_peers(tmp_path: Path) -> None:
    guest = Replayed([ONE], tmp_path / "guest")
    assert ended(guest.start("PowerShell -NoProfile -EncodedCommand QQA=", Settings()))[0] == _peer.ANSWER.encode()
    assert guest.modules == 1
    assert ended(guest.start(ONE.line, Settings()))[0] == ONE.output  # it is none of the recorded ones


def test_what_is_recorded_is_told(tmp_path: Path) -> None:
    def start(line: str) -> subprocess.Popen[bytes]:
        command = ["/bin/sh", "-c", line]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    recorder = Recorder(start, tmp_path)
    assert ended(recorder.start("echo said; echo wrong >&2; exit 3")) == (b"said\n", b"wrong\n", 3)
    assert recorder.answers == [Answer("echo said; echo wrong >&2; exit 3", b"said\n", b"wrong\n", 3)]
