# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that goes into the background: what it answers, what it leaves, and who keeps it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._background import MARK, make_folder
from ansible_collections.winguest.shutdown.plugins.module_utils._places import PlaceError

PROGRAM = """
import os, sys, time
from ansible_collections.winguest.shutdown.plugins.module_utils import _background
{before}
folder = _background.make_folder(sys.argv[1])
_background.go_into_background(folder, {{"colour": "red"}})
{work}
"""


def start(parent: Path, work: str, before: str = "") -> dict[str, Any]:
    """Run the program until it has answered: what it told."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(work=work, before=before), str(parent)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.returncode == 0, process.stdout
    (line,) = [line for line in process.stdout.splitlines() if line]
    assert line.startswith(MARK)
    told: dict[str, Any] = json.loads(line.removeprefix(MARK))
    return told


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def gone(process: int) -> bool:
    """Whether it has ended; where nobody waits for it, it stays in the table."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_it_answers_and_goes_on(tmp_path: Path) -> None:
    told = start(tmp_path, "sys.stdin.read(); os.read(0, 1); print('done'); print('why', file=sys.stderr); sys.exit(3)")
    folder = Path(told["folder"])
    assert told == {"colour": "red", "folder": str(folder), "pid": told["pid"]} and folder.parent == tmp_path
    assert eventually((folder / "ended").exists)
    assert (folder / "ended").read_text() == "exit 3\n"
    assert (folder / "output").read_text() == "done\n" and (folder / "errors").read_text() == "why\n"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["alive", "ended", "errors", "gate", "output", "progress"]
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in folder.iterdir() if path.name != "ended")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    shutil.rmtree(folder)
    assert eventually(lambda: gone(told["pid"])), "who keeps the results ends when they were fetched"


def test_the_gate_is_open_until_the_end(tmp_path: Path) -> None:
    told = start(tmp_path, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(300)")
    folder = Path(told["folder"])
    assert eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    worker = int((tmp_path / "pid").read_text())
    with subprocess.Popen(["cat", str(folder / "gate")], stdin=subprocess.DEVNULL) as cat:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(told["pid"], number)
        with pytest.raises(subprocess.TimeoutExpired):
            cat.wait(0.5)
        assert os.getsid(worker) == os.getsid(told["pid"]) != os.getsid(0)
        os.kill(worker, signal.SIGKILL)
        assert cat.wait(60) == 0
    assert (folder / "ended").read_text() == "killed by signal 9\n"
    shutil.rmtree(folder)
    assert eventually(lambda: gone(told["pid"]))


def test_what_nobody_fetches_is_removed(tmp_path: Path) -> None:
    told = start(tmp_path, "print('done')", before="_background.KEEP = 0.5")
    assert eventually(lambda: not Path(told["folder"]).exists())
    assert eventually(lambda: gone(told["pid"]))


def test_a_folder_that_is_gone_before_the_end(tmp_path: Path) -> None:
    told = start(tmp_path, "time.sleep(1)")
    shutil.rmtree(told["folder"])
    assert eventually(lambda: gone(told["pid"])) and list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlaceError, match="cannot be made"):
        make_folder(str(tmp_path / "file"))
