# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""How far a run is, in one line for people. Pure.

What comes from the hypervisor is taken for untrusted: names of domains, and anything else that is in the document.
"""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable

ORDER = ("saving", "forcing", "shutting down", "waiting", "not asked yet")
"""States of domains that are not done with, as they are told, before the outcomes."""

LONGEST_NAME = 80


def words(value: object, longest: int = 1000) -> str:
    """Text from a hypervisor in one line and safe for a terminal."""
    text = " ".join(printable(str(value)).split())
    return text if len(text) <= longest else text[:longest] + "..."


def summary(document: t.Mapping[str, t.Any]) -> str:
    """How many domains are in which state: what a line is shown anew for."""
    counts = dict(document["counts"])
    off = counts.pop("off", 0)
    how = [f"{document[what]} {what}" for what in ("saved", "forced") if document[what]]
    parts = [f"{off} of {document['domains']} off" + (f" ({', '.join(how)})" if how else "")]
    names = [*(name for name in ORDER if name in counts), *sorted(name for name in counts if name not in ORDER)]
    parts += [f"{counts[name]} {words(name).replace('_', ' ')}" for name in names]
    return ", ".join(parts)


def slowest(document: t.Mapping[str, t.Any]) -> str:
    """What the domain does that may take longest; empty when all are done with."""
    for one in document["slowest"]:
        return (
            f"slowest {words(one['name'], LONGEST_NAME)}: {words(one['doing'])}, "
            f"{one['seconds']} s, at most {one['more']} s more"
        )
    return ""


def line(document: t.Mapping[str, t.Any]) -> str:
    """The whole line."""
    alone = "only watching" if document["alone"] else ""
    return "; ".join(filter(None, (summary(document), alone, slowest(document))))


def fresh_news(document: t.Mapping[str, t.Any], seen: int) -> tuple[int, list[str]]:
    """The news after the one of this number: the number of the latest, and the lines."""
    news = [(int(number), words(text)) for number, text in document["news"] if int(number) > seen]
    if not news:
        return seen, []
    missed = news[0][0] - seen - 1
    return news[-1][0], [*([f"({missed} lines left out)"] if missed else []), *(text for dummy, text in news)]
