# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""tasklist.exe: the list as CSV, filtered by the image's name or the number of the process.

Microsoft's page on the command "tasklist": /fo, /nh, /fi with imagename and pid, eq and ne, a star at a name's end.
When nothing fits, it says so on its standard output and ends with status 0, as published transcripts show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bed.windows.commands import texts
from bed.windows.commands.types import Answer, Invocation, Process, Windows
from bed.windows.systems import Language

HEADERS = {
    "en-US": ("Image Name", "PID", "Session Name", "Session#", "Mem Usage"),
    "de-DE": ("Abbildname", "PID", "Sitzungsname", "Sitz.-Nr.", "Speichernutzung"),
}
FILTER = re.compile(r"\s*(imagename|pid)\s+(eq|ne)\s+(.+?)\s*", re.IGNORECASE)


def run(invocation: Invocation, windows: Windows) -> Answer:
    """List the processes."""
    language = windows.system.language
    keep: list[Callable[[Process], bool]] = []
    header, csv = True, False
    rest = list(invocation.arguments)
    while rest:
        word = rest.pop(0)
        option = word.lower().replace("-", "/", 1)
        value = rest.pop(0) if option in ("/fo", "/fi") and rest else ""
        if option == "/nh":
            header = False
        elif option == "/fo" and value.lower() == "csv":
            csv = True
        elif option == "/fi" and (parsed := FILTER.fullmatch(value)):
            keep.append(_filter(*parsed.groups()))
        else:
            return _invalid(value or word, language)
    if not csv:
        return _invalid("/fo", language)
    found = [process for process in windows.processes if all(fits(process) for fits in keep)]
    if not found:
        nothing = (
            "INFO: No tasks are running which match the specified criteria.",
            "INFORMATION: Es werden keine Aufgaben mit den angegebenen Kriterien ausgeführt.",
        )
        return Answer(texts.translated(language, *nothing) + "\n")
    rows: list[Sequence[str]] = [HEADERS[language]] if header else []
    rows += [_row(process, language) for process in found]
    return Answer("".join(_line(row) for row in rows))


def _filter(what: str, operator: str, value: str) -> Callable[[Process], bool]:
    wanted = value.lower()

    def fits(process: Process) -> bool:
        actual = str(process.pid) if what.lower() == "pid" else process.image.lower()
        same = actual.startswith(wanted[:-1]) if wanted.endswith("*") else actual == wanted
        return same == (operator.lower() == "eq")

    return fits


def _row(process: Process, language: Language) -> tuple[str, ...]:
    memory = f"{process.memory_kib:,} K"
    if language == "de-DE":
        memory = memory.replace(",", ".")
    return process.image, str(process.pid), process.session, str(process.session_number), memory


def _line(fields: Sequence[str]) -> str:
    return ",".join(f'"{field}"' for field in fields) + "\n"


def _invalid(what: str, language: Language) -> Answer:
    wrong = (
        f"ERROR: Invalid argument/option - '{what}'.\nType \"TASKLIST /?\" for usage.\n",
        f"FEHLER: Ungültiges Argument/Option - '{what}'.\nGeben Sie \"TASKLIST /?\" ein, um die Syntax anzuzeigen.\n",
    )
    return Answer(errors=texts.translated(language, *wrong), status=1)
