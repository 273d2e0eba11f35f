# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""wevtutil.exe: qe, the query of a log, as XML.

Options: Microsoft's page on the command "wevtutil". It prints one event after the other, each in a line of its own,
without a root element unless /e names one. A log that does not exist ends it with status 15007, and a query that it
does not take with 15001, the numbers of Windows' errors (winerror.h).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from xml.sax.saxutils import escape, quoteattr

from bed.windows.commands import texts
from bed.windows.commands.event_query import Logged, QueryError, select
from bed.windows.commands.types import Answer, Invocation, Windows
from bed.windows.events import logs
from bed.windows.systems import COMPUTER, Language

NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
OPTIONS = {
    "q": "query",
    "f": "format",
    "c": "count",
    "rd": "reversedirection",
    "e": "element",
}


def run(invocation: Invocation, windows: Windows) -> Answer:
    """Query a log."""
    language = windows.system.language
    command, *rest = invocation.arguments or ("",)
    if command.lower() not in ("qe", "query-events") or not rest:
        return _failure(texts.ERROR_INVALID_PARAMETER, language)
    log, *words = rest
    options = _options(words)
    if options is None or options["format"].lower() != "xml" or not options["count"].isdigit():
        return _failure(texts.ERROR_INVALID_PARAMETER, language)
    named = next((name for name in logs(windows.system) if name.lower() == log.lower()), None)
    if named is None:
        return _failure(texts.ERROR_EVT_CHANNEL_NOT_FOUND, language)
    logged = [(when, event) for when, event in windows.events if event.log == named]
    try:
        found = select(
            [Logged(when, event, number) for number, (when, event) in enumerate(logged, 1)], options["query"]
        )
    except QueryError:
        return _failure(texts.ERROR_EVT_INVALID_QUERY, language)
    if options["reversedirection"].lower() == "true":
        found.reverse()
    return Answer(_rooted(options["element"], (to_xml(event) for event in found[: int(options["count"])])))


def to_xml(logged: Logged) -> str:
    """An event as wevtutil prints it."""
    event = logged.event
    when = datetime.fromtimestamp(logged.time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    data = "".join(f"<Data Name={_attribute(name)}>{escape(text)}</Data>" for name, text in event.data)
    system = (
        f"<Provider Name={_attribute(event.provider)}/><EventID>{event.id}</EventID><Version>0</Version>"
        f"<Level>4</Level><Task>0</Task><Opcode>0</Opcode><Keywords>0x80000000000000</Keywords>"
        f"<TimeCreated SystemTime='{when}'/><EventRecordID>{logged.record}</EventRecordID><Correlation/>"
        f"<Execution ProcessID='0' ThreadID='0'/><Channel>{event.log}</Channel><Computer>{COMPUTER}</Computer>"
        "<Security/>"
    )
    return f"<Event xmlns='{NAMESPACE}'><System>{system}</System><EventData>{data}</EventData></Event>"


def _options(words: Iterable[str]) -> dict[str, str] | None:
    options = {"query": "*", "format": "xml", "count": str(2**31), "reversedirection": "false", "element": ""}
    for word in words:
        name, colon, value = word[1:].partition(":")
        name = OPTIONS.get(name.lower(), name.lower())
        if word[:1] not in ("/", "-") or not colon or name not in options:
            return None
        options[name] = value
    return options


def _rooted(root: str, events: Iterable[str]) -> str:
    lines = "".join(f"{event}\n" for event in events)
    return f"<{root}>\n{lines}</{root}>\n" if root else lines


def _attribute(text: str) -> str:
    return "'" + quoteattr(text, {"'": "&apos;"})[1:-1].replace("&quot;", '"') + "'"


def _failure(code: int, language: Language) -> Answer:
    failed = "Failed to read events. ", "Fehler beim Lesen von Ereignissen. "
    return Answer(errors=f"{texts.translated(language, *failed)}{texts.message(code, language)}\n", status=code)
