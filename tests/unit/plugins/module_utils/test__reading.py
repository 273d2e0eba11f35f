# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was read of a Windows: what is absent, what was not read, and what a later search changes."""

from __future__ import annotations

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data, Value
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import (
    CURRENT_VERSION,
    NOT_READ,
    PRODUCT_OPTIONS,
    Hive,
    Reading,
    Seen,
)

ROOT = r"HKLM\SYSTEM\Tree"
SEVEN = Seen(Value("REG_DWORD", 7))


def test_values_are_found_in_any_case_and_only_where_they_were_put() -> None:
    reading = Reading()
    reading.put(r"HKLM\SOFTWARE\Key", "Name", SEVEN)
    assert reading.value(r"hklm\software\KEY", "NAME") == SEVEN
    for key, name in ((r"HKLM\SOFTWARE\Key", "Other"), (r"HKLM\SOFTWARE\Key\Sub", "Name"), (r"HKLM\SOFTWARE", "Name")):
        assert reading.value(key, name) == Seen(trouble=NOT_READ)


def test_what_a_search_has_not_found_is_absent_in_its_tree_and_by_its_name() -> None:
    reading = Reading()
    reading.begin_scan(ROOT, "Name")
    reading.put(rf"{ROOT}\a", "Name", SEVEN)
    assert reading.value(rf"{ROOT}\A", "name") == SEVEN
    assert reading.value(rf"{ROOT}\b\c", "NAME") == Seen()
    assert reading.value(rf"{ROOT}\b", "Other").trouble and reading.value(rf"{ROOT}s\b", "Name").trouble
    assert reading.found(ROOT.upper(), "NAME") == {"a": SEVEN}


def test_a_search_with_trouble_leaves_nothing_of_an_earlier_one() -> None:
    reading = Reading()
    reading.begin_scan(ROOT, "Name")
    reading.put(rf"{ROOT}\a", "Name", SEVEN)
    reading.put(rf"{ROOT}\a", "Other", SEVEN)
    reading.begin_scan(ROOT.upper(), "NAME", "a reason")
    assert reading.value(rf"{ROOT}\a", "Name") == reading.value(rf"{ROOT}\b", "Name") == Seen(trouble="a reason")
    assert reading.value(rf"{ROOT}\a", "Other") == SEVEN and reading.found(ROOT, "Name") == {}


def test_a_hive_takes_the_place_of_what_was_known_of_it() -> None:
    reading = Reading()
    reading.add_hives([Hive("S-1-5-21-1", "stored", "in use"), Hive(".DEFAULT", "system")])
    reading.add_hives([Hive("s-1-5-21-1", "loaded"), Hive("S-1-5-21-2", "loaded")])
    assert [(hive.name, hive.kind, hive.trouble) for hive in reading.hives] == [
        ("s-1-5-21-1", "loaded", ""),
        (".DEFAULT", "system", ""),
        ("S-1-5-21-2", "loaded", ""),
    ]
    assert Hive("x", "stored").key(r"Control Panel\Desktop") == r"HKU\x\Control Panel\Desktop"


@pytest.mark.parametrize(
    ("data", "number"), [(7, 7), ("20348", 20348), ("20348.1", None), (b"\x07", None), (("7",), None)]
)
def test_numbers(data: Data, number: int | None) -> None:
    reading = Reading()
    assert reading.number(ROOT, "Name") is None
    reading.put(ROOT, "Name", Seen(Value("REG_SZ", data)))
    assert reading.number(ROOT, "Name") == number


def test_the_build() -> None:
    reading = Reading()
    reading.put(CURRENT_VERSION, "CurrentBuildNumber", Seen(Value("REG_SZ", "9600")))
    assert (Reading().build, reading.build) == (None, 9600)


@pytest.mark.parametrize(
    ("product", "server"),
    [("WinNT", False), ("winnt", False), ("ServerNT", True), ("LanmanNT", True), (None, None), (7, None)],
)
def test_which_windows_it_is(product: Data | None, server: bool | None) -> None:
    reading = Reading()
    if product is not None:
        reading.put(PRODUCT_OPTIONS, "ProductType", Seen(Value("REG_SZ", product)))
    assert reading.server is server
