# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of an errand for a guest that nobody can reach: an answer all the same, and one for each errand."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader
from ansible.template import Templar
from ansible_collections.winguest.shutdown.plugins.action.domain_shutdown import ActionModule
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_errands import GuestErrands

NOBODY = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "x", "ansible_password": "y"}


def action() -> ActionModule:
    task, context, reader = Task(), PlayContext(), DataLoader()
    task.action, task.args, task.async_val = "winguest.shutdown.domain_shutdown", {}, 0
    connection = loader.connection_loader.get("local", context)
    return ActionModule(task, connection, context, reader, Templar(loader=reader), loader)


def answers(errands: GuestErrands, count: int) -> dict[int, dict[str, Any]]:
    """The answers of so many errands."""
    found: dict[int, dict[str, Any]] = {}
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        found.update({number: json.loads(base64.b64decode(text)) for number, text in errands.answers()})
        time.sleep(0.05)
    return found


def test_a_host_that_is_not_there_is_unreachable() -> None:
    errands = GuestErrands(action(), {}, ["nobody"])
    odd: Any
    for odd in (None, 7, "x", {"number": 1}, [None, [], {}, {"number": "x", "guest": "web01"}, {"number": 1}]):
        errands.take(odd)
    assert not errands.busy
    errands.take([{"number": 7, "guest": "nobody"}])
    assert answers(errands, 1) == {7: {"outcome": "unreachable", "detail": "the inventory has no host nobody"}}
    assert not errands.busy


def test_a_guest_that_the_task_does_not_name_is_not_asked() -> None:
    """Whatever the hypervisor says: it may be in somebody else's hands."""
    errands = GuestErrands(action(), {"mine": NOBODY, "another": NOBODY}, ["mine"])
    errands.take([{"number": 1, "guest": "another"}])
    assert answers(errands, 1) == {1: {"outcome": "unreachable", "detail": "the task names no guest another"}}


def test_guests_that_do_not_answer_are_unreachable_and_each_is_asked_once() -> None:
    errands = GuestErrands(
        action(), {"one": NOBODY, "two": {**NOBODY, "ansible_winrm_transport": "ntlm"}}, ["one", "two"]
    )
    told = [{"number": number, "guest": name} for number, name in enumerate(("one", "two"))]
    errands.take(told)
    errands.take(told)
    assert bool(errands.busy)
    found = answers(errands, 2)
    assert {answer["outcome"] for answer in found.values()} == {"unreachable"}, found
    assert all("cannot be reached" in answer["detail"] for answer in found.values())
    assert not errands.busy and list(errands.answers()) == []


@pytest.mark.parametrize("name", ["no-such-connection", "winguest.shutdown.neither"])
def test_a_connection_plugin_that_is_not_there(name: str) -> None:
    errands = GuestErrands(action(), {"odd": {"ansible_connection": name}}, ["odd"])
    errands.take([{"number": 1, "guest": "odd"}])
    answer = answers(errands, 1)[1]
    assert answer["outcome"] == "unreachable" and name in answer["detail"]
