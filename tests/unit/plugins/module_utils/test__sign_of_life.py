# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs of life, by a clock of the test's own."""

from __future__ import annotations

import os
import queue
from pathlib import Path

from ansible_collections.winguest.shutdown.plugins.module_utils._sign_of_life import Proofs, SignOfLife


class Controller:
    """Its file, and the time."""

    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self.file = folder / "alive"
        self.file.touch()
        self.life = SignOfLife(str(self.file), 12.0, lambda: self.now)

    def sign(self, at: float) -> None:
        os.utime(self.file, (at, at))

    def lost_after(self, seconds: float) -> bool:
        self.now += seconds
        self.life.look()
        return bool(self.life.lost)


def test_a_change_of_the_time_is_a_sign_whatever_the_time_is(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    for time_of_day in (1e9, 2e9, 1e9, 5.0, 6.0):  # the host's time of day may jump
        controller.sign(time_of_day)
        assert not controller.lost_after(11.0)
    assert not controller.lost_after(11.0)
    assert controller.life.look() == 5
    assert controller.lost_after(1.0)
    assert controller.life.lost == "the controller disappeared: no sign of life for 12 s (controller_timeout)"
    controller.sign(7.0)
    assert controller.lost_after(0.0) and controller.life.look() == 5, "it is gone for good"


def test_a_file_that_is_gone_is_no_sign(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    controller.file.unlink()
    assert not controller.lost_after(11.9) and controller.lost_after(0.1)


def test_it_is_told_once(tmp_path: Path) -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    (tmp_path / "alive").touch()
    SignOfLife(str(tmp_path / "alive"), 0.1).watch(told.put)
    assert told.get(timeout=30).startswith("the controller disappeared: no sign of life for 0.1 s")


def test_a_proof_is_a_sign_from_after_the_decision(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    proofs = Proofs(controller.life)
    controller.sign(1.0)
    assert proofs.missing("a") and proofs.missing("a") and "a" in proofs and "b" not in proofs
    controller.sign(2.0)
    assert not proofs.missing("a") and "a" not in proofs
    assert proofs.missing("b") and proofs.missing("a"), "each decision needs a sign of its own"
    proofs.forget("a")
    controller.sign(3.0)
    assert proofs.missing("a") and not proofs.missing("b")
    assert controller.lost_after(13.0) and proofs.missing("a"), "after the end there are no more proofs"


def test_without_a_watch_nothing_has_to_be_proved() -> None:
    proofs = Proofs(None)
    assert not proofs.missing("a") and "a" not in proofs
