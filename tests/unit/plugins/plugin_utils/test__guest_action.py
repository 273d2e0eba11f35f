# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions as Ansible runs them: options are checked first, and errors are the task's failure."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.winguest.shutdown.plugins.action import guest_readiness, guest_readiness_info, guest_shutdown
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_action import GuestAction
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import ShellError
from unit.little_cmd import Machine, windows

ACTIONS: dict[str, type[GuestAction]] = {
    "guest_readiness": guest_readiness.ActionModule,
    "guest_readiness_info": guest_readiness_info.ActionModule,
    "guest_shutdown": guest_shutdown.ActionModule,
}


class Connection:
    """To a little guest, with cmd.exe as its shell."""

    def __init__(self, machine: Machine) -> None:
        self.transport = "ssh"
        self._shell = types.SimpleNamespace(SHELL_FAMILY="cmd", tmpdir=None)
        self.become: t.Any = None
        self.machine = machine
        self.lines: list[str] = []
        self.errors: list[Exception] = []
        self.status = 0

    def _connect(self) -> None:
        pass

    def exec_command(self, line: str, in_data: t.Any = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        self.lines.append(line)
        for error in self.errors:
            raise error
        line = line.removeprefix("chcp 65001>nul&")
        if line.startswith("shutdown.exe"):
            return self.status, b"", b""
        output = self.machine.run(line)
        return output.status or 0, output.text.encode(), output.errors.encode()


def run(name: str, connection: Connection, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    task = types.SimpleNamespace(
        action=f"winguest.shutdown.{name}",
        args=options,
        async_val=0,
        check_mode=check_mode,
        diff=False,
        environment=None,
        no_log=False,
    )
    action = ACTIONS[name](t.cast("t.Any", task), t.cast("t.Any", connection), *[t.cast("t.Any", None)] * 4)
    action._load_name = task.action
    return action.run(task_vars={})


@pytest.fixture
def connection() -> Connection:
    return Connection(windows())


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_runs(name: str, connection: Connection) -> None:
    result = run(name, connection)
    assert not result.get("failed") and len(connection.lines) >= 1
    assert run(name, connection, check_mode=True)["changed"] in (True, False)


def test_check_mode_of_a_shutdown_asks_nothing(connection: Connection) -> None:
    assert run("guest_shutdown", connection, check_mode=True)["outcome"] == "planned" and connection.lines == []


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"no_such_option": 1}, "no_such_option"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": 0}, r"timeout is 0\.0; it must be a number of seconds above 0"),
        ({"timeout": -1}, r"timeout is -1\.0;"),
        ({"timeout": "nan"}, "timeout is nan;"),
        ({"timeout": "inf"}, "timeout is inf;"),
    ],
)
def test_options_are_checked_before_the_guest_is_asked(
    name: str, options: dict[str, t.Any], complaint: str, connection: Connection
) -> None:
    with pytest.raises(AnsibleActionFail, match=complaint):
        run(name, connection, **options)
    assert connection.lines == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"baseline": "bsi"}, "none, cis, stig"),
        ({"scenarios": ["updates", "misc"]}, "misc"),
        ({"waive": ["no_such_row"]}, "no_such_row"),
        ({"rows": ["auto_end_task"]}, "auto_end_tasks"),
        ({"custom_rows": ["x"]}, "custom_rows"),
    ],
)
def test_wrong_options_of_the_catalogue(options: dict[str, t.Any], complaint: str, connection: Connection) -> None:
    with pytest.raises(AnsibleActionFail, match=complaint):
        run("guest_readiness", connection, **options)
    assert connection.lines == []


@pytest.mark.parametrize("name", ACTIONS)
def test_become_is_refused(name: str, connection: Connection) -> None:
    connection.become = object()
    with pytest.raises(AnsibleActionFail, match=r"become is not supported here: connect as .* set become to false"):
        run(name, connection)
    assert connection.lines == []


@pytest.mark.parametrize("name", ACTIONS)
def test_a_guest_that_refuses_is_a_failed_task(name: str, connection: Connection) -> None:
    connection.errors = [ValueError("nonsense")]
    result = run(name, connection)
    assert result["failed"] and result["msg"] == "the guest did not run a command: ValueError: nonsense"


@pytest.mark.parametrize("name", ACTIONS)
def test_a_guest_that_cannot_be_reached_is_left_to_ansible(name: str, connection: Connection) -> None:
    connection.errors = [AnsibleConnectionFailure("no route")]
    with pytest.raises(AnsibleConnectionFailure, match="no route"):
        run(name, connection)


def test_a_message_is_in_no_result(connection: Connection) -> None:
    for status in (0, 5, 1, 1190):
        connection.status = status
        result = run("guest_shutdown", connection, message="a secret message")
        assert "secret" in connection.lines[-1] and "secret" not in repr(result)
    with pytest.raises(AnsibleActionFail) as raised:
        run("guest_shutdown", connection, message="a secret %message%")
    assert "secret" not in str(raised.value)


def test_an_action_without_work_is_none() -> None:
    action = GuestAction(*[t.cast("t.Any", None)] * 6)
    with pytest.raises(NotImplementedError):
        action.work(t.cast("t.Any", None), {})
    assert issubclass(ShellError, Exception)
