# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action, with a connection that runs what it is given on this machine, or fails."""

from __future__ import annotations

import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible_collections.winguest.shutdown.plugins.action.domain_shutdown import ActionModule
from ansible_collections.winguest.shutdown.plugins.module_utils import _background
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _watched_run
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_errands import GuestErrands
from ansible_collections.winguest.shutdown.plugins.plugin_utils._watch_command import Answer, Ticket
from ansible_collections.winguest.shutdown.plugins.plugin_utils._watched_run import Shown, WatchedRun, may_force

PROGRESS = {
    "domains": 1,
    "counts": {"waiting": 1},
    "saved": 0,
    "forced": 0,
    "alone": "",
    "slowest": [],
    "news": [[1, "a"]],
}
TICKET = Ticket("/nowhere", 1, 5.0, 12.0)


@pytest.mark.parametrize(
    ("options", "may"),
    [
        ({}, False),
        ({"on_timeout": "save", "domains": ["a", {"name": "b"}]}, False),
        ({"on_timeout": "force"}, True),
        ({"domains": ["a", {"name": "b", "on_timeout": "force"}]}, True),
        ({"domains": "force"}, False),
        ({"domains": [{"name": "force"}], "on_timeout": ["force"]}, False),
    ],
)
def test_whether_it_may_force(options: dict[str, t.Any], may: bool) -> None:
    assert may_force(options) is may


class Shell:
    """A connection to this machine."""

    transport = "local"
    become = None
    allow_executable = True
    has_native_async = False

    def __init__(self) -> None:
        self._shell = types.SimpleNamespace(
            SHELL_FAMILY="sh", tmpdir=None, append_command=lambda command, more: f"{command} && {more}"
        )
        self.lines: list[str] = []
        self.failures = 0
        self.resets = 0

    def exec_command(self, line: str, in_data: t.Any = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        self.lines.append(line)
        if self.failures:
            self.failures -= 1
            raise AnsibleConnectionFailure("no route\x1b[2J")
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def reset(self) -> None:
        self.resets += 1
        raise NotImplementedError("this connection cannot")


class Started(WatchedRun):
    """The action, which starts a program instead of a module."""

    command = ""

    def _execute_module(self, *args: t.Any, **given: t.Any) -> dict[str, t.Any]:
        self.given = given
        return self._low_level_execute_command(self.command)

    def _get_remote_user(self) -> None:
        """There is none here."""

    def _remove_tmp_path(self, tmp_path: t.Any, force: bool = False) -> None:
        self.removed = tmp_path


def action(connection: Shell, **keywords: t.Any) -> Started:
    task = types.SimpleNamespace(
        **{
            "action": "winguest.shutdown.domain_shutdown",
            "args": {"domains": ["a"]},
            "async_val": 0,
            "check_mode": False,
            "diff": False,
            "environment": None,
            "no_log": False,
            "delegate_to": None,
            **keywords,
        }
    )
    context = types.SimpleNamespace(executable="/bin/sh", remote_user=None)
    loader = types.SimpleNamespace(get_basedir=lambda: "/")
    return Started(*[t.cast("t.Any", part) for part in (task, connection, context, loader, None, None)])


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is displayed."""
    lines: list[str] = []
    monkeypatch.setattr(_watched_run.display, "display", lines.append)
    monkeypatch.setattr(_watched_run, "RETRY_INTERVAL", 0.05)
    return lines


def program(folder: Path, work: str) -> str:
    """A command that goes into the background and then does this."""
    path = folder / "program.py"
    path.write_text(
        f"import sys\nsys.path[:0] = {sys.path!r}\n"
        f"from {_background.__name__} import *\n"
        f"folder = make_folder({str(folder / 'runs')!r})\n"
        "go_into_background(folder, {'progress_interval': 5, 'controller_timeout': 12})\n"
        f"{work}\n"
    )
    return f"{sys.executable} {path}"


def test_a_run_in_the_background_is_like_a_command(tmp_path: Path, said: list[str]) -> None:
    connection = Shell()
    run = action(connection)
    work = f"open(folder + '/progress', 'w').write({str(PROGRESS)!r}.replace(chr(39), chr(34)))\n"
    run.command = program(tmp_path, work + "time.sleep(0.5); print('{}'); print('why', file=sys.stderr); sys.exit(1)")
    result = run.run(task_vars={"inventory_hostname": "hv1"})
    assert run.given["module_args"] == {"domains": ["a"], "watched": True} and run.given["wrap_async"] is False
    assert {key: result[key] for key in ("rc", "stdout", "stderr")} == {"rc": 1, "stdout": "{}\n", "stderr": "why\n"}
    assert said == ["hv1: a", "hv1: 0 of 1 off, 1 waiting"]
    assert list((tmp_path / "runs").iterdir()) == []
    assert len(connection.lines) == 3, "start, one look, clearing up"


def test_a_connection_that_breaks_and_comes_back(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Shell()
    run = action(connection, delegate_to="hv2")
    run.command = program(tmp_path, "time.sleep(3); print('{}')")
    low = WatchedRun._look

    def look(self: t.Any, ticket: Ticket, wait: int) -> t.Any:
        connection.failures = 1 if len(connection.lines) in (2, 3, 4) else 0
        return low(self, ticket, wait)

    monkeypatch.setattr(run, "_look", types.MethodType(look, run))
    result = run.run(task_vars={"inventory_hostname": "hv1"})
    assert result["rc"] == 0 and result["stdout"] == "{}\n"
    assert said == [
        "hv2: out of reach: no route\\x1b[2J; the run there goes on, and is tried for 300 s",
        "hv2: in reach again",
    ]
    assert connection.resets == 3


def test_a_hypervisor_that_stays_out_of_reach(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_watched_run, "OUT_OF_REACH_LIMIT", 0.2)
    connection = Shell()
    run = action(connection)
    run._host, run._errands = "hv1", GuestErrands(run, {}, ())
    connection.failures = 10**6
    with pytest.raises(AnsibleConnectionFailure, match=r"no route.*no sign of life for 12 s it only watches"):
        run._watch(TICKET)
    assert len(said) == 1


@pytest.mark.parametrize("state", ["gone", "lost"])
def test_a_run_that_has_left_nothing(state: str, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run = action(Shell())
    run._host, run._errands = "hv1", GuestErrands(run, {}, ())
    monkeypatch.setattr(run, "_look", lambda ticket, wait: (Answer(state), ""))
    result = run._watch(TICKET)
    assert (result["rc"], result["stdout"]) == (1, "") and "has left no result" in result["stderr"]


def test_a_process_whose_ansible_was_killed_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([100, 100, 1])
    monkeypatch.setattr(_watched_run.os, "getppid", lambda: next(parents))
    run = action(Shell())
    run._host, run._errands = "hv1", GuestErrands(run, {}, ())
    monkeypatch.setattr(run, "_look", lambda ticket, wait: (Answer("running"), ""))
    with pytest.raises(AnsibleError, match="main process is gone"):
        run._watch(TICKET)


def test_check_mode_and_async_are_left_to_ansible() -> None:
    for keywords, wrapped in (({"check_mode": True}, False), ({"async_val": 60}, True)):
        run = action(Shell(), **keywords)
        run.command = "echo '{}'"
        assert run.run()["stdout"] == "{}\n"
        assert run.given["module_args"] == {"domains": ["a"]} and run.given["wrap_async"] is wrapped
    run = action(Shell(), async_val=60, args={"domains": ["a"], "on_timeout": "force"})
    with pytest.raises(AnsibleActionFail, match="with async nobody watches the run"):
        run.run()


def test_what_is_shown(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(_watched_run, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    shown = Shown("hv1", TICKET, silent=False)
    for seconds in (0.0, 5.0, 29.9, 0.2):
        now[0] = now[0] + seconds if seconds < 20 else 129.9
        shown.progress(Answer("running", PROGRESS))
    line = "hv1: 0 of 1 off, 1 waiting"
    assert said == ["hv1: a", line, line], "again after 30 s, and not before"
    shown.progress(Answer("running", {**PROGRESS, "alone": "nobody"}))
    assert said[3:] == [f"{line}; only watching"]
    for document in ({}, {"counts": 5}, {**PROGRESS, "news": [["x"]]}, {**PROGRESS, "slowest": [{}]}):
        shown.progress(Answer("running", document))
    assert len(said) == 4
    for silent in (Shown("hv1", TICKET, silent=True), Shown("hv1", TICKET._replace(progress_interval=0.0), False)):
        silent.progress(Answer("running", PROGRESS))
    assert len(said) == 4


def test_the_action_is_this_one() -> None:
    assert ActionModule is WatchedRun
