# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries of wevtutil: a subset of the subset of XPath 1.0 that Windows' event log takes.

Microsoft Learn, "Consuming Events", names what that is. Here it is, with `and`, `or` and brackets anywhere:

    *[System[Provider[@Name='...'] and (EventID=1 or EventID=2) and TimeCreated[timediff(@SystemTime) <= 1000]]]

The time difference is in milliseconds. Whatever else is in a query makes it invalid, so that nobody relies on it here.
"""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bed.windows.events import Event

TOKEN = re.compile(r"\s*(?:(<=|>=|!=|[=<>()\[\]*@])|('[^']*'|\"[^\"]*\")|([A-Za-z]\w*)|(\d+))")
EQUALITIES: dict[str, Callable[[object, object], bool]] = {"=": operator.eq, "!=": operator.ne}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    **EQUALITIES,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Logged(NamedTuple):
    """An event with its time in seconds since 1970, and its number in its log."""

    time: float
    event: Event
    record: int


Test = Callable[[Logged], bool]


class QueryError(ValueError):
    """Windows, or this subset, does not take the query."""


def compile_query(query: str) -> Test:
    """What tells whether an event fits."""
    reader = _Reader(query)
    reader.expect("*")
    if not reader.ends():
        test = reader.bracketed(reader.system)
        if not reader.ends():
            raise QueryError(query)
        return test
    return lambda dummy_logged: True


class _Reader:
    """A parser that goes down the rules one by one."""

    def __init__(self, query: str) -> None:
        self._tokens: list[str] = []
        position, query = 0, query.rstrip()
        while position < len(query):
            found = TOKEN.match(query, position)
            if not found:
                raise QueryError(f"not understood from here: {query[position:]}")
            self._tokens.append(found[0].strip())
            position = found.end()

    def ends(self) -> bool:
        return not self._tokens

    def next(self) -> str:
        if not self._tokens:
            raise QueryError("the query ends too early")
        return self._tokens.pop(0)

    def expect(self, *tokens: str) -> None:
        for token in tokens:
            if (found := self.next()) != token:
                raise QueryError(f'"{token}" expected, and not "{found}"')

    def bracketed(self, rule: Callable[[], Test]) -> Test:
        self.expect("[")
        test = self.alternatives(rule)
        self.expect("]")
        return test

    def alternatives(self, rule: Callable[[], Test]) -> Test:
        tests = [self.conditions(rule)]
        while self._tokens[:1] == ["or"]:
            self.next()
            tests.append(self.conditions(rule))
        return lambda logged: any(test(logged) for test in tests)

    def conditions(self, rule: Callable[[], Test]) -> Test:
        tests = [self.condition(rule)]
        while self._tokens[:1] == ["and"]:
            self.next()
            tests.append(self.condition(rule))
        return lambda logged: all(test(logged) for test in tests)

    def condition(self, rule: Callable[[], Test]) -> Test:
        if self._tokens[:1] != ["("]:
            return rule()
        self.next()
        test = self.alternatives(rule)
        self.expect(")")
        return test

    def system(self) -> Test:
        self.expect("System")
        return self.bracketed(self.element)

    def element(self) -> Test:
        name = self.next()
        if name == "Provider":
            return self.bracketed(self.provider)
        if name == "TimeCreated":
            return self.bracketed(self.age)
        if name == "EventID":
            return self.number(lambda logged: logged.event.id)
        if name == "EventRecordID":
            return self.number(lambda logged: logged.record)
        raise QueryError(f'"{name}" is not known')

    def provider(self) -> Test:
        self.expect("@", "Name")
        compare, name = self.next(), self.next()
        if compare not in EQUALITIES or name[:1] not in "'\"":
            raise QueryError(f"a provider's name is not compared by {compare} {name}")
        return lambda logged: EQUALITIES[compare](logged.event.provider, name[1:-1])

    def age(self) -> Test:
        self.expect("timediff", "(", "@", "SystemTime", ")")
        now = time.time()
        return self.number(lambda logged: (now - logged.time) * 1000)

    def number(self, actual: Callable[[Logged], float]) -> Test:
        compare, limit = self.next(), self.next()
        if compare not in COMPARISONS or not limit.isdigit():
            raise QueryError(f"a number is not compared by {compare} {limit}")
        return lambda logged: COMPARISONS[compare](actual(logged), float(limit))


def select(events: Sequence[Logged], query: str) -> list[Logged]:
    """Those that fit."""
    test = compile_query(query)
    return [logged for logged in events if test(logged)]
