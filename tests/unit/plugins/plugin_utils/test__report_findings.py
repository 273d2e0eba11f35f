# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings as a report tells them."""

from __future__ import annotations

from typing import Any

from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_findings import group


def found(ident: str, state: str, location: str = "", effect: str = "blocks") -> dict[str, Any]:
    return {"id": ident, "state": state, "location": location, "effect": effect, "title": f"about {ident}"}


def test_one_entry_for_each_row_and_state_with_its_places() -> None:
    findings = [found("a", "fixed", "1"), found("b", "differs", "2"), found("a", "fixed", "3"), found("a", "differs")]
    told = group(findings)
    assert [(one["id"], one["group"], [place["location"] for place in one["places"]]) for one in told] == [
        ("b", "left", ["2"]),
        ("a", "left", [""]),
        ("a", "mended", ["1", "3"]),
    ]


def test_states_and_what_becomes_of_them() -> None:
    states = ("ok", "differs", "fixed", "later", "waived", "unverified", "unreadable", "managed_by_policy")
    told = {one["state"]: one["group"] for one in group(found(state, state) for state in states)}
    assert told == {
        **dict.fromkeys(("differs", "unverified", "unreadable", "managed_by_policy"), "left"),
        **dict.fromkeys(("fixed", "later"), "mended"),
        "waived": "waived",
    }


def test_what_only_informs_is_told_when_it_was_mended() -> None:
    assert group([found("a", "differs", effect="informs"), found("b", "waived", effect="informs")]) == []
    assert len(group([found("a", "fixed", effect="informs")])) == 1


def test_a_finding_without_anything() -> None:
    assert [one["id"] for one in group([{}])] == [None]
