# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Errands: requests that only the controller can make, because only it has a connection to the guest.

The run tells of an open errand in its progress; the controller puts the answer into a file next to that. Where there is
no controller, there is no answer, and the ladder goes on without it.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import threading
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Done

ANSWER_PREFIX = "answer-"

LONGEST_ANSWER = 8192
"""Bytes of an answer's file; what is longer is none of ours."""

LONGEST_DETAIL = 500
"""Characters of what the guest said that get into a timeline."""

RESULTS: dict[str, str] = {
    "accepted": "ok",
    "unanswered": "ok",
    "in_progress": "under_way",
    "scheduled": "failed",
    "refused": "failed",
    "unreachable": "not_delivered",
}
"""What guest_shutdown calls the outcomes of a request, and what they are to the ladder."""


@dataclasses.dataclass(frozen=True)
class Errand:
    """One request: its number in this run, the domain, and the inventory name of its Windows host."""

    number: int
    uuid: str
    guest: str


class Errands:
    """The errands of one run. Given by threads of the lanes, and told and collected by the run itself."""

    def __init__(self, folder: str) -> None:
        """folder: where the controller puts the answers; empty when there is no controller to do errands."""
        self.folder = folder
        self._lock = threading.Lock()
        self._given = 0
        self._open: dict[int, Errand] = {}

    def give(self, uuid: str, guest: str) -> None:
        """Have the controller ask this guest. Its answer comes with collect()."""
        with self._lock:
            self._given += 1
            self._open[self._given] = Errand(self._given, uuid, guest)

    def tell(self) -> list[dict[str, t.Any]]:
        """The open errands for the progress."""
        with self._lock:
            return [{"number": errand.number, "guest": errand.guest} for errand in self._open.values()]

    def collect(self) -> list[tuple[str, Done]]:
        """What has been answered since the last time, by the domain's UUID."""
        with self._lock:
            waiting = list(self._open.values())
        answered = []
        for errand in waiting:
            done = read_answer(os.path.join(self.folder, f"{ANSWER_PREFIX}{errand.number}"))
            if done is not None:
                with self._lock:
                    del self._open[errand.number]
                answered.append((errand.uuid, done))
        return answered


def write_answer(outcome: str, detail: str) -> str:
    """An answer as text without any character that a shell would take for its own."""
    document = {"outcome": outcome, "detail": detail[:LONGEST_DETAIL]}
    return base64.b64encode(json.dumps(document).encode()).decode("ascii")


def read_answer(path: str) -> Done | None:
    """The answer in this file; None when there is none."""
    try:
        with open(path, "rb") as file:
            text = file.read(LONGEST_ANSWER)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(error)
    return understood(text)


def understood(text: bytes) -> Done:
    """What such a file says; a failure of the request where it says nothing that makes sense."""
    try:
        document = json.loads(base64.b64decode(text, validate=True))
        result: t.Any = RESULTS[document["outcome"]]
        return Done("guest_shutdown", result, str(document["detail"])[:LONGEST_DETAIL])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return _unreadable(error)


def _unreadable(error: Exception) -> Done:
    why = f"the controller's answer cannot be read: {type(error).__name__}: {error}"
    return Done("guest_shutdown", "failed", why[:LONGEST_DETAIL])
