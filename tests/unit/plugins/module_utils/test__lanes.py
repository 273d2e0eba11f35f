# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lanes and time limits, with real threads."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import Lane, TimeLimit, within

SOON = 5.0


def waiting(release: threading.Event, then: Callable[[], None]) -> Callable[[], None]:
    """A job that waits until it is released, and then does that."""

    def job() -> None:
        release.wait(SOON)
        then()

    return job


def test_a_lane_is_as_wide_as_it_says_and_no_wider() -> None:
    lane, together, one_more = Lane("three", 3), threading.Barrier(4), threading.Event()
    release = threading.Event()

    def job() -> None:
        together.wait(SOON)  # for the two others and the test
        release.wait(SOON)

    for dummy in range(3):
        lane.submit(job)
    together.wait(SOON)
    lane.submit(one_more.set)
    assert not one_more.wait(0.1)
    release.set()
    assert one_more.wait(SOON)


def test_jobs_are_done_in_the_order_they_came() -> None:
    lane, done = Lane("narrow", 1), queue.SimpleQueue[int]()
    for number in range(100):
        lane.submit(functools.partial(done.put, number))
    assert [done.get(timeout=SOON) for dummy in range(100)] == list(range(100))


def test_a_blocked_job_holds_up_no_other_lane() -> None:
    blocked, free, release, done = Lane("blocked", 1), Lane("free", 1), threading.Event(), threading.Event()
    blocked.submit(waiting(release, lambda: None))
    free.submit(done.set)
    assert done.wait(SOON) and not release.is_set()
    release.set()


def test_threads_are_started_when_needed_and_kept() -> None:
    lane, threads = Lane("kept", 2), queue.SimpleQueue[threading.Thread]()
    for dummy in range(20):
        lane.submit(lambda: threads.put(threading.current_thread()))
    seen = {threads.get(timeout=SOON) for dummy in range(20)}
    assert 1 <= len(seen) <= 2
    assert all(thread.daemon and thread.name == "kept" for thread in seen)


def test_a_thread_that_is_free_is_used_again() -> None:
    lane = Lane("one at a time", 5)
    for dummy in range(5):
        lane.submit(lambda: None)
        lane.wait(SOON)
    assert [thread.name for thread in threading.enumerate()].count("one at a time") == 1


def test_waiting_for_a_lane_ends_with_its_jobs_or_its_time() -> None:
    lane, release, done = Lane("awaited", 2), threading.Event(), queue.SimpleQueue[int]()
    began = time.monotonic()
    lane.wait(SOON)  # nothing to wait for
    for number in range(3):
        lane.submit(waiting(release, functools.partial(done.put, number)))
    lane.wait(0.1)
    assert time.monotonic() - began >= 0.1 and done.empty()
    release.set()
    lane.wait(SOON)
    assert time.monotonic() - began < SOON
    assert {done.get_nowait() for dummy in range(3)} == {0, 1, 2}


def test_within_gives_the_result() -> None:
    assert within(SOON, lambda: 42) == 42
    assert within(SOON, lambda: None) is None
    assert within(SOON, lambda: threading.current_thread().daemon)  # it must not keep the module from ending


def test_within_raises_what_the_call_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        within(SOON, lambda: 1 // 0)


def test_within_does_not_wait_for_longer() -> None:
    release = threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeLimit, match=r"^no answer within 0\.1 s$"):
        within(0.1, lambda: release.wait(SOON))
    assert 0.1 <= time.monotonic() - began < SOON
    release.set()
