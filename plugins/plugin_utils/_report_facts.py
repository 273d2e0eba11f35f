# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What a report needs of each host's variables, as plain data: whatever Ansible has wrapped around it is taken off."""

from __future__ import annotations

import math
import typing as t

RESULTS = (
    *("domain_shutdown_result", "domain_readiness_result"),
    *("guest_readiness_result", "guest_shutdown_result", "guest_shutdown_info_result", "shutdown_verify_result"),
)
"""The variables in which the roles leave their results."""

NAMES = ("winguest_domain", "winguest_hypervisor", "winguest_uuid")
"""The variables that say which domain a guest is."""

LONGEST_TEXT = 4000
"""Characters of one text; what is longer was made long by someone who wants to be a nuisance."""

DEEPEST = 30

LARGEST = 1 << 64
"""The largest number that is one."""

Facts = dict[str, t.Any]


def gather(hostvars: t.Mapping[str, t.Any], names: t.Iterable[str], asked: t.Container[str] | None) -> dict[str, Facts]:
    """The facts of these hosts; asked: those that the run was for, None for all of them.

    A host that the run was not for and that has no result is left out. One that the run was for is always there: that
    it has no result is what the report has to say of it.
    """
    found = {}
    for name in names:
        variables = hostvars.get(name, {})
        facts = {fact: plain(variables[fact]) for fact in (*RESULTS, *NAMES) if fact in variables}
        if asked is None or name in asked or any(fact in facts for fact in RESULTS):
            found[str(name)] = facts
    return found


def plain(value: t.Any, depth: int = 0) -> t.Any:
    """The value as nothing but dict, list, str, int, float, bool and None, all of which JSON can say."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return int(value) if abs(value) <= LARGEST else "(a number too large)"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if depth >= DEEPEST:
        return "(nested too deeply)"
    if isinstance(value, t.Mapping):
        return {_text(str(key)): plain(value[key], depth + 1) for key in value}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth + 1) for item in value]
    return _text(str(value))


def _text(value: str) -> str:
    text = str.__str__(value)
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]} ({len(text) - LONGEST_TEXT} more characters)"
