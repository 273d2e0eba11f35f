# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows about domains and their hypervisor, one by one, and as a catalogue that users change."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    HOST,
    CatalogueError,
    DefinitionElement,
    DomainState,
    HostSetting,
    HostState,
    Row,
    SavedImage,
    check,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS as GUEST_ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import BY_ID, ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import WAIVABLE

EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)


@EACH_ROW
def test_row_is_sound(row: Row) -> None:
    check(row, row.id)
    about_domain = isinstance(row.location, (DefinitionElement, SavedImage, DomainState))
    assert about_domain or isinstance(row.location, (HostSetting, HostState))
    assert re.fullmatch(r"(?:domain|host)_[a-z_]+", row.id)
    assert row.id.startswith("domain_") is about_domain
    assert row.scenario == HOST
    assert row.takes_effect in ("now", "next_start")
    assert not row.offline


@EACH_ROW
def test_words(row: Row) -> None:
    for text in (row.title, row.cost, row.cure, row.source):
        assert text.isascii() and text == " ".join(text.split())
    assert row.title[0].isalpha() and row.title[-1] not in ".!"
    assert row.source and row.cure[-1] == "."
    assert not row.cost or (row.cost[0].islower() and row.cost[-1] != ".")


@EACH_ROW
def test_what_is_set_is_what_is_wanted(row: Row) -> None:
    place, desired = row.location, row.desired
    assert desired.accepts(desired.data)
    if isinstance(place, DefinitionElement) and place.choices:
        assert {desired.data, *desired.others} <= set(place.choices)
        assert row.absent.client is None or row.absent.client == row.absent.server


def test_ids_are_of_one_catalogue() -> None:
    ids = [row.id for row in (*GUEST_ROWS, *ROWS)]
    assert len(set(ids)) == len(ids)
    assert not [row for row in GUEST_ROWS if row.scenario == HOST]


def test_enforced_rows() -> None:
    """A row that comes to this list changes domains by itself: think of what it would do to a fleet."""
    enforced = {row.id for row in ROWS if row.enforced}
    assert enforced == {
        *("domain_acpi", "domain_on_poweroff", "domain_agent_channel"),
        *("domain_suspend_to_mem", "domain_suspend_to_disk"),
    }
    assert all(BY_ID[name].grade == "verified" and BY_ID[name].effect != "informs" for name in enforced)
    assert {row.id for row in ROWS if row.writable} - enforced == {
        *("domain_on_reboot", "domain_on_crash", "domain_display", "domain_managed_save"),
    }


def test_what_takes_data_away_says_so() -> None:
    assert "memory in the image is lost" in BY_ID["domain_managed_save"].cost


def test_traps_are_rows() -> None:
    assert set(WAIVABLE) <= set(BY_ID)


@pytest.mark.parametrize(
    ("ident", "data", "wanted"),
    [
        ("domain_on_poweroff", "preserve", "preserve"),
        ("domain_on_crash", "coredump-restart", "coredump-restart"),
        ("domain_suspend_to_mem", True, "yes"),
        ("domain_suspend_to_disk", False, "no"),
        ("domain_suspend_to_disk", "yes", "yes"),
        ("domain_display", "virtio", "virtio"),
        ("host_daemon_wait", 900, 900),
    ],
)
def test_other_desired_values(ident: str, data: Any, wanted: Any) -> None:
    desired = build(ROWS, desired={ident: data}).by_id[ident].desired
    assert desired.data == wanted
    assert not desired.accepts("no such")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"desired": {"domain_on_poweroff": "reboot"}},
            "desired[domain_on_poweroff] is 'reboot'; it must be one of destroy",
        ),
        ({"desired": {"domain_on_poweroff": ["destroy"]}}, "is ['destroy']; it must be one of"),
        ({"desired": {"domain_on_poweroff": None}}, "is None; it must be one of"),
        ({"desired": {"domain_suspend_to_mem": 0}}, "is 0; it must be one of yes, no"),
        ({"desired": {"domain_acpi": True}}, "there is no value that could be another; take it out, or waive it"),
        ({"desired": {"domain_job": None}}, "there is no value that could be another"),
        ({"desired": {"host_daemon_wait": "long"}}, "is 'long'; it takes a number of seconds"),
        ({"waive": ["power_button_action"]}, "there is no row 'power_button_action'"),
        (
            {"enforce": ["domain_paused"]},
            "domain_paused can only be read; take it out. What a person can do: Resume it",
        ),
        ({"enforce": ["domain_acpi"], "waive": ["domain_acpi"]}, "enforce and waive both name domain_acpi"),
    ],
)
def test_what_cannot_be_wanted(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CatalogueError) as raised:
        build(ROWS, **options)
    assert complaint in str(raised.value)


def test_guests_take_no_rows_of_the_host() -> None:
    row = {"id": "x", "scenario": HOST, "title": "X", "desired": 1}
    place = {"registry": {"key": r"HKLM\SOFTWARE\X", "name": "x", "type": "REG_DWORD"}}
    with pytest.raises(CatalogueError, match="scenario is 'host'; it must be one of updates"):
        build(GUEST_ROWS, custom=[row | place])
