# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""guest_shutdown_info: asks a guest for the events of its starts and stops, and tells what they mean."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.winguest.shutdown.plugins.module_utils._event_xml import Event, parse
from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable
from ansible_collections.winguest.shutdown.plugins.module_utils._shutdown_history import QUERIES, Query, history
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_action import GuestAction
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_audit import Questioner
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_statements import (
    FAILED,
    Answers,
    Part,
    Statement,
    items,
    judged,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import ShellError, WindowsShell

MOST_DAYS = 3650
MOST_STOPS = 100


@dataclasses.dataclass(frozen=True)
class NewestEvents(Statement):
    """The newest events of one provider, not more than so many and not older than so many days."""

    query: Query
    days: int
    most: int

    def text(self) -> str:
        """As XML, the newest first. In double quotes, cmd.exe leaves < alone."""
        ids = " or ".join(f"EventID={number}" for number in self.query.ids)
        since = f"TimeCreated[timediff(@SystemTime)<={self.days * 86_400_000}]"
        wanted = f"*[System[Provider[@Name='{self.query.provider}'] and ({ids}) and {since}]]"
        return judged(f'wevtutil qe {items([self.query.log])} /q:"{wanted}" /c:{self.most} /rd:true /f:xml')

    def take(self, parts: list[Part], answers: Answers) -> None:
        """As it is; what is in it is for others to say. Silence means no events only where wevtutil has not failed."""
        if len(parts) == 1:
            silent = parts[0].letter == FAILED and not parts[0].text.strip()
            answers.texts[self] = "(nothing, and failed)" if silent else parts[0].text

    def pieces(self) -> list[Statement]:
        """The newer half."""
        return [dataclasses.replace(self, most=self.most // 2)] if self.most > 1 else []


class HistoryAction(GuestAction):
    """The history, which changes nothing."""

    argument_spec: t.ClassVar[dict[str, t.Any]] = {
        "days": {"type": "int", "default": 30},
        "stops": {"type": "int", "default": 10},
        "timeout": {"type": "float", "default": 120.0},
    }

    def work(self, shell: WindowsShell, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Ask for all events in as few commands as will hold the answers, and put them together."""
        for name, most in (("days", MOST_DAYS), ("stops", MOST_STOPS)):
            if not 1 <= options[name] <= most:
                raise AnsibleActionFail(f"{name} is {options[name]}; it must be a number from 1 to {most}")
        questioner = Questioner(shell)
        questioner.ask(questions(options["days"], options["stops"]))
        return told(questioner.answers, options["stops"])


def questions(days: int, stops: int) -> list[NewestEvents]:
    """What to ask for so many stops; and the events of one more, for the time since the last start."""
    return [NewestEvents(query, days, query.each * (stops + 1)) for query in QUERIES]


def told(answers: Answers, stops: int) -> dict[str, t.Any]:
    """The result; raises ShellError where nothing at all could be read."""
    texts = {statement.query: (statement, text) for statement, text in _newest_events(answers)}
    read = [_read(query, *texts.get(query, (None, ""))) for query in QUERIES]
    if not any(one.answered for one in read):
        raise ShellError(f"no event could be read: {read[0].troubles[0]}")
    result = history((event for one in read for event in one.events), stops)
    oldest = (result["stops"] or [result["current"]])[-1]["start"]
    troubles = [trouble for one in read for trouble in (*one.troubles, *one.left_out(oldest))]
    return {"changed": False, **result, "incomplete": troubles}


@dataclasses.dataclass(frozen=True)
class _Read:
    """What was read of the events of one query."""

    query: Query
    answered: bool
    events: tuple[Event, ...] = ()
    troubles: tuple[str, ...] = ()
    full: bool = False

    def left_out(self, oldest: str | None) -> t.Iterator[str]:
        """Whether older events are missing of the time that is told, which begins then."""
        first = min((event.time for event in self.events), default=0.0)
        if self.full and (oldest is None or timestamp(first) > oldest):
            yield f"{_name(self.query)}: older ones than those of {timestamp(first)} were not read"


def _newest_events(answers: Answers) -> t.Iterator[tuple[NewestEvents, str]]:
    for statement, text in answers.texts.items():
        if isinstance(statement, NewestEvents):
            yield statement, text


def _read(query: Query, statement: NewestEvents | None, text: str) -> _Read:
    name = _name(query)
    if statement is None:
        return _Read(query, False, troubles=(f"{name}: they could not be read, since the answer is too long",))
    parsed = parse(text)
    events = tuple(event for event in parsed.events if _asked_for(query, event))
    unread = parsed.malformed + len(parsed.events) - len(events)
    said = printable(" ".join(parsed.said.split()))
    if said and not parsed.events and not unread:
        return _Read(query, False, troubles=(f"{name}: they could not be read; wevtutil said: {said}",))
    troubles = []
    if unread:
        troubles.append(f"{name}: {unread} could not be understood, or are others")
    if said:
        troubles.append(f"{name}: among them was what is no event: {said}")
    return _Read(query, True, events, tuple(troubles), len(parsed.events) + parsed.malformed >= statement.most)


def _asked_for(query: Query, event: Event) -> bool:
    """Whether it is what the query was about."""
    same = event.log.casefold() == query.log.casefold() and event.provider.casefold() == query.provider.casefold()
    return same and event.id in query.ids


def _name(query: Query) -> str:
    return f"events {', '.join(map(str, query.ids))} of {query.provider}"
