# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Runs domain_shutdown in the background, shows how far it is, and returns what it returned.

The module answers at once that it goes on in the background. To Ansible that is no answer: the command that started it
seems to take until the run has ended, and to print what the run has printed.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _progress_line, _watch_command
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_errands import GuestErrands
from ansible_collections.winguest.shutdown.plugins.plugin_utils._watch_command import Answer, Ticket

display = Display()

OUT_OF_REACH_LIMIT = 300.0
"""Seconds for which a hypervisor that cannot be reached is tried again."""

RETRY_INTERVAL = 2.0

SAY_AGAIN = 30.0
"""Seconds after which a line is shown though nothing has changed."""


def entries_of(options: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """The task's own options and those of each domain, which nobody has checked yet."""
    domains = options.get("domains")
    entries = [options, *(domains if isinstance(domains, list) else [])]
    return [entry for entry in entries if isinstance(entry, t.Mapping)]


def may_force(options: t.Mapping[str, t.Any]) -> bool:
    """Whether a guest may be forced under these options."""
    return any(entry.get("on_timeout") == "force" for entry in entries_of(options))


def guests_of(options: t.Mapping[str, t.Any]) -> set[str]:
    """The Windows hosts that these options name."""
    return {str(entry["guest"]) for entry in entries_of(options) if entry.get("guest")}


class WatchedRun(ActionBase):
    """The module in the background, watched from here; in check mode and with async as Ansible runs any module."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        options = dict(self._task.args)
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        if self._task.async_val:
            if may_force(options):
                raise AnsibleActionFail(
                    "with async nobody watches the run, and a run that nobody watches must not force a guest: leave "
                    "async out (the module runs in the background by itself), or use another on_timeout than force"
                )
        elif not self._task.check_mode:
            options["watched"] = True
        self._errands = GuestErrands(self, (task_vars or {}).get("hostvars") or {}, guests_of(options))
        self._host = str(self._task.delegate_to or (task_vars or {}).get("inventory_hostname", "the hypervisor"))
        result = merge_hash(
            result, self._execute_module(module_args=options, task_vars=task_vars, wrap_async=wrap_async)
        )
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _low_level_execute_command(self, cmd: str, *args: t.Any, **kwargs: t.Any) -> dict[str, t.Any]:
        """Run a command; one that has started a run in the background takes until that has ended."""
        result: dict[str, t.Any] = super()._low_level_execute_command(cmd, *args, **kwargs)
        ticket = _watch_command.ticket_in(result["stdout"])
        return result if ticket is None else self._watch(ticket)

    def _watch(self, ticket: Ticket) -> dict[str, t.Any]:
        """Look at the run until it has ended: what it has printed, as the result of a command."""
        shown = Shown(self._host, ticket, silent=bool(self._task.no_log))
        wait, reached_at, parent = 1, time.monotonic(), os.getppid()
        while True:
            if os.getppid() != parent:  # Ansible itself was killed, and this process of it goes on by itself
                raise AnsibleError("Ansible's main process is gone; the run on the hypervisor only watches from now on")
            answer, errors = self._look(ticket, wait)
            if answer is None:
                if time.monotonic() - reached_at > OUT_OF_REACH_LIMIT:
                    raise AnsibleConnectionFailure(
                        f"out of reach for {OUT_OF_REACH_LIMIT:g} s ({errors}). The run there goes on; since it has "
                        f"had no sign of life for {ticket.controller_timeout:g} s it only watches, neither asks nor "
                        "forces anything, and records what becomes of each domain (see domain_shutdown_info)"
                    )
                shown.out_of_reach(errors)
                time.sleep(RETRY_INTERVAL)
                continue
            reached_at = time.monotonic()
            shown.progress(answer)
            if answer.state != "running":
                return self._result(ticket, answer, errors)
            self._do_errands(ticket, answer)
            wait = 1 if self._errands.busy else min(wait + 1, ticket.wait)

    def _look(self, ticket: Ticket, wait: int) -> tuple[Answer | None, str]:
        """The run's answer and what was printed beside it, or no answer and why."""
        command = _watch_command.look(ticket, wait)
        try:
            result = super()._low_level_execute_command(command)
        except AnsibleConnectionFailure as error:
            self._reset()
            return None, _progress_line.words(error)
        answer = _watch_command.read(result["stdout"])
        if answer is None:
            return None, _progress_line.words(result["stderr"] or result["stdout"] or f"status {result['rc']}")
        return answer, str(result["stderr"])

    def _do_errands(self, ticket: Ticket, answer: Answer) -> None:
        """Begin what the run cannot do by itself, and tell it what came of what has ended."""
        self._errands.take(answer.progress.get("errands"))
        for number, text in self._errands.answers():
            try:
                super()._low_level_execute_command(_watch_command.answer(ticket, number, text))
            except AnsibleConnectionFailure as error:
                display.vvv(f"the answer of errand {number} could not be left: {error}", host=self._host)

    def _reset(self) -> None:
        try:
            self._connection.reset()
        except Exception as error:  # not every connection can, and the next look tells
            display.vvv(f"the connection could not be reset: {error}", host=self._host)

    def _result(self, ticket: Ticket, answer: Answer, errors: str) -> dict[str, t.Any]:
        if answer.state == "ended":
            super()._low_level_execute_command(_watch_command.remove(ticket))
        else:
            errors = (
                f"the run on the hypervisor has left no result ({ticket.folder} is {answer.state}): its processes were "
                "killed or the host was restarted; what is on record of each domain tells domain_shutdown_info"
            )
        if answer.ending.startswith("killed"):
            errors = f"the run on the hypervisor was {answer.ending}\n{errors}"
        output = answer.output
        return {
            "rc": answer.status,
            "stdout": output,
            "stdout_lines": output.splitlines(),
            "stderr": errors,
            "stderr_lines": errors.splitlines(),
        }


class Shown:
    """What the user has been shown of a run."""

    def __init__(self, host: str, ticket: Ticket, silent: bool) -> None:
        self._host = host
        self._silent = silent or not ticket.progress_interval
        self._last: tuple[str, t.Any] | None = None
        self._said_at = 0.0
        self._news = 0
        self._lost = False

    def progress(self, answer: Answer) -> None:
        """Show how far it is, if that is new."""
        if self._lost:
            self._lost = False
            self._say("in reach again")
        if self._silent or not answer.progress:
            return
        try:
            self._show(answer.progress)
        except Exception as error:  # whatever the file says, the run goes on
            display.vvv(f"progress cannot be shown: {error!r}", host=self._host)

    def _show(self, document: t.Mapping[str, t.Any]) -> None:
        self._news, news = _progress_line.fresh_news(document, self._news)
        for text in news:
            self._say(text)
        summary = (_progress_line.summary(document), document["alone"])
        if summary != self._last or time.monotonic() - self._said_at >= SAY_AGAIN:
            self._last, self._said_at = summary, time.monotonic()
            self._say(_progress_line.line(document))

    def out_of_reach(self, why: str) -> None:
        """Say once that it cannot be reached."""
        if not self._lost:
            self._lost = True
            self._say(f"out of reach: {why}; the run there goes on, and is tried for {OUT_OF_REACH_LIMIT:g} s")

    def _say(self, text: str) -> None:
        display.display(f"{self._host}: {text}")
