# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Calls that may block, each kind on threads of its own, so that one of them never delays another domain's.

The threads are daemons: a call that libvirt does not answer must not keep the module from ending.
"""

from __future__ import annotations

import queue
import threading
import typing as t


class TimeLimit(Exception):
    """A call did not end within its time."""


class Lane:
    """Up to width threads that carry out jobs in the order they came; threads start when they are needed."""

    def __init__(self, name: str, width: int) -> None:
        self._name = name
        self._width = width
        self._jobs: queue.SimpleQueue[t.Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Condition()
        self._unfinished = 0
        self._threads = 0

    def submit(self, job: t.Callable[[], None]) -> None:
        """Carry out the job as soon as a thread is free. The job must not raise."""
        with self._lock:
            self._unfinished += 1
            needed = self._unfinished > self._threads and self._threads < self._width
            self._threads += needed
        self._jobs.put(job)
        if needed:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait until every job has ended, but no longer than that, and tell whether they have."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._unfinished, seconds)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            finally:
                with self._lock:
                    self._unfinished -= 1
                    self._lock.notify_all()


def within(seconds: float, call: t.Callable[[], t.Any]) -> t.Any:
    """The call's result; raises TimeLimit when it takes longer, and leaves it to end by itself."""
    box: queue.SimpleQueue[tuple[bool, t.Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put((True, call()))
        except Exception as error:  # handed to the caller's thread
            box.put((False, error))

    threading.Thread(target=run, name="within", daemon=True).start()
    try:
        fine, result = box.get(timeout=seconds)
    except queue.Empty:
        raise TimeLimit(f"no answer within {seconds:g} s") from None
    if not fine:
        raise result
    return result
