# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""A module that goes on in the background after it has answered, in a folder through which it is watched.

In the folder: `alive`, whose time the controller changes as a sign of life; `progress`; `answer-NUMBER`, what came of
an errand that the controller has done; `output` and `errors`, what the module printed; `ended`, which is there when it
has ended, and says how; and `gate`, a pipe without content that is open until then, so that whoever reads it waits for
the end.

A small process beside the module writes `ended`, keeps the folder until it is fetched and removed, and removes it when
the controller does not come back.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._places import PlaceError, make_private
from ansible_collections.winguest.shutdown.plugins.module_utils._sign_of_life import SignOfLife

MARK = "winguest-run:"
"""What the line begins with in which a module says that it goes on in the background."""

KEEP = 900.0
"""Seconds without a sign of life for which the results of a run that has ended are kept."""


def make_folder(parent: str) -> str:
    """A new folder to be watched through. Raises PlaceError."""
    try:
        folder = tempfile.mkdtemp(prefix="run-", dir=make_private(parent))
        os.mkfifo(os.path.join(folder, "gate"), 0o600)
        for name in ("alive", "progress", "output", "errors"):
            os.close(os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    except OSError as error:
        raise PlaceError(f"no folder to be watched through can be made in {parent!r}: {error}") from error
    return folder


def go_into_background(folder: str, told: t.Mapping[str, t.Any]) -> None:
    """Answer with what is to be told, and return in a process of its own, which no terminal or connection ends.

    The process that was started ends here, without cleaning up: that is now up to the one that goes on.
    """
    reader, writer = os.pipe()
    keeper = os.fork()
    if keeper:
        os.close(writer)
        if not os.read(reader, 1):
            raise PlaceError(f"the run could not go into the background; what it said is in {folder}/errors")
        sys.stdout.write(f"\n{MARK} {json.dumps({**told, 'folder': folder, 'pid': keeper})}\n")
        sys.stdout.flush()
        os._exit(0)
    try:
        os.close(reader)
        os.setsid()
        _redirect(folder)
        worker = os.fork()
        if not worker:
            os.close(writer)
            return
        _keep(folder, worker, writer)
    except BaseException as error:  # this process must never go on as the module
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def _redirect(folder: str) -> None:
    for number, path, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, os.path.join(folder, "output"), os.O_WRONLY),
        (2, os.path.join(folder, "errors"), os.O_WRONLY | os.O_APPEND),
    ):
        opened = os.open(path, how)
        os.dup2(opened, number)
        os.close(opened)


def _keep(folder: str, worker: int, ready: int) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # they end the work, and what came of it is still to be fetched
    gate = os.open(os.path.join(folder, "gate"), os.O_RDWR)
    os.write(ready, b"1")
    os.close(ready)
    status = os.waitpid(worker, 0)[1]
    how = f"killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
    life = SignOfLife(os.path.join(folder, "alive"), KEEP)
    fresh = os.path.join(folder, "ended.new")
    try:
        with open(fresh, "w", encoding="ascii") as file:
            file.write(f"{how}\n")
        os.rename(fresh, os.path.join(folder, "ended"))
    except FileNotFoundError:
        return  # nobody is interested any more
    os.close(gate)
    while os.path.isdir(folder) and not life.lost:
        time.sleep(1.0)
        life.look()
    shutil.rmtree(folder, ignore_errors=True)
