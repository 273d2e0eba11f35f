# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that looks at a run, run by real shells on real folders."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._background import MARK, make_folder
from ansible_collections.winguest.shutdown.plugins.plugin_utils._watch_command import (
    Answer,
    Ticket,
    look,
    read,
    remove,
    ticket_in,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def ticket(tmp_path: Path) -> Ticket:
    """A folder with a difficult name, and a process that is there: this one."""
    parent = tmp_path / 'it\'s "a" $(folder)'
    return Ticket(make_folder(str(parent)), os.getpid(), 5.0, 12.0)


def run(command: str) -> tuple[str, str]:
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout, done.stderr


def test_the_ticket_is_found_between_other_lines() -> None:
    told = {"folder": "/run/x", "pid": 7, "progress_interval": 5, "controller_timeout": 12, "more": 1}
    output = f"Welcome!\n\n{MARK} {json.dumps(told)}\nbye\n"
    assert ticket_in(output) == Ticket("/run/x", 7, 5.0, 12.0)
    assert ticket_in('\n{"failed": true}\n') is None and ticket_in("") is None
    for odd in (
        {"pid": "x"},
        {"pid": 0},
        {"controller_timeout": float("nan")},
        {"pid": float("inf")},
        {"folder": 1, "pid": None},
    ):
        assert ticket_in(f"{MARK} {json.dumps({**told, **odd})}\n") is None
    assert ticket_in(f"{MARK} {json.dumps(told)[:-9]}\n") is None and ticket_in(f"{MARK} {'[' * 5000}\n") is None


@pytest.mark.parametrize(
    ("interval", "timeout", "wait"), [(5, 12, 3), (2, 12, 2), (0.1, 12, 1), (0, 12, 3), (5, 4, 1), (60, 600, 60)]
)
def test_how_often_is_looked(interval: float, timeout: float, wait: int) -> None:
    assert Ticket("", 1, interval, timeout).wait == wait
    assert wait * 3 < timeout


def test_a_run_under_way(ticket: Ticket) -> None:
    folder = Path(ticket.folder)
    folder.joinpath("progress").write_text('{"domains": 3}')
    os.utime(folder / "alive", (5, 5))
    began = time.monotonic()
    assert read(run(look(ticket, 1))[0]) == Answer("running", {"domains": 3})
    assert time.monotonic() - began > 0.9
    assert (folder / "alive").stat().st_mtime > 1e9, "a look is a sign of life"
    folder.joinpath("progress").write_text("")
    assert read("motd\n" + run(look(ticket, 1))[0]) == Answer("running")


def test_a_run_that_has_ended(ticket: Ticket) -> None:
    folder = Path(ticket.folder)
    folder.joinpath("progress").write_text('{"domains": 3}')
    folder.joinpath("output").write_text(f"\n{MARK} gone\n" + '{"changed": true}\n')
    folder.joinpath("errors").write_text("something\n")
    folder.joinpath("ended").write_text("exit 1\n")
    began = time.monotonic()
    output, errors = run(look(ticket, 30))
    assert time.monotonic() - began < 20 and errors == "something\n"
    assert read(output) == Answer("ended", {"domains": 3}, "exit 1", f"\n{MARK} gone\n" + '{"changed": true}\n')
    run(remove(ticket))
    assert not folder.exists()
    assert read(run(look(ticket, 30))[0]) == Answer("gone")


def test_a_run_of_which_nothing_is_left(ticket: Ticket) -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    assert read(run(look(ticket._replace(pid=process.pid), 1))[0]) == Answer("lost")


def test_the_end_is_not_waited_for_longer_than_it_takes(ticket: Ticket) -> None:
    gate = os.open(f"{ticket.folder}/gate", os.O_RDWR)
    with subprocess.Popen(["/bin/sh", "-c", look(ticket, 30)], stdout=subprocess.PIPE, text=True) as looking:
        time.sleep(0.5)
        Path(ticket.folder, "ended").write_text("exit 0\n")
        began = time.monotonic()
        os.close(gate)
        output = looking.communicate(timeout=60)[0]
    assert time.monotonic() - began < 20
    assert read(output) == Answer("ended", {}, "exit 0", "")


@given(text=st.text() | st.text().map(lambda text: f"{MARK} ended\n{text}") | st.just(f"{MARK} running"))
def test_any_other_output(text: str) -> None:
    answer = read(text)
    assert answer is None or answer.state in ("running", "ended")


@pytest.mark.parametrize(
    ("ending", "status"), [("exit 0", 0), ("exit 17", 17), ("killed by signal 9", 1), ("exit x", 1)]
)
def test_the_exit_status(ending: str, status: int) -> None:
    assert Answer("ended", {}, ending).status == status


def test_an_answer_that_was_cut_off() -> None:
    assert read("") is None and read(f"\n{MARK} en") is None
    assert read(f"\n{MARK} ended\n") is None and read(f'\n{MARK} ended\n{{"a": 1}}\n') is None
