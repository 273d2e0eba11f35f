# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is a Windows: the tag, libosinfo and patterns, and which of them outweighs which."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_os import windows
from unit.plugins.libvirt_nodes import domain

LINUX = "http://debian.org/debian/12"


@pytest.mark.parametrize(
    ("system", "tag", "patterns", "expected"),
    [
        ("http://microsoft.com/win/11", None, [], ("win11", "libosinfo")),
        ("http://microsoft.com/win/2k12r2", None, [], ("win2k12r2", "libosinfo")),
        ("http://microsoft.com/win/8.1", None, [], ("win8.1", "libosinfo")),
        ("http://microsoft.com/winnt/4.0", None, [], ("winnt4.0", "libosinfo")),
        ("https://microsoft.com/win/2K22", None, [], ("win2k22", "libosinfo")),
        ("http://microsoft.com/win/{{ 1 }}", None, [], ("windows", "libosinfo")),
        ("http://microsoft.com/win/10\n", None, [], ("windows", "libosinfo")),
        ("http://microsoft.com/msdos/6.22", None, [], None),
        (LINUX, None, [], None),
        ("", None, [], None),
        ("", None, ["db*", "web*"], ("windows", "name_pattern")),
        ("", None, ["WEB*"], None),
        (LINUX, None, ["web*"], ("windows", "name_pattern")),
        ("", "", [], ("windows", "tag")),
        ("", "win2k19", [], ("win2k19", "tag")),
        ("", "Windows Server 2019", [], ("windows", "tag")),
        ("http://microsoft.com/win/10", "", [], ("win10", "tag")),
        ("http://microsoft.com/win/10", "win11", [], ("win11", "tag")),
        ("http://microsoft.com/win/10", "none", ["web*"], None),
        (LINUX, "win11", [], ("win11", "tag")),
    ],
)
def test_windows(system: str, tag: str | None, patterns: list[str], expected: tuple[str, str] | None) -> None:
    found = windows(ET.fromstring(domain("web01", system, tag)), "web01", patterns)
    assert (found and (found.short, found.known_by)) == expected


def test_the_long_id_is_that_of_a_windows() -> None:
    assert windows(ET.fromstring(domain("a", LINUX, "win11")), "a", []).identifier == ""  # type: ignore[union-attr]
    found = windows(ET.fromstring(domain("a", "http://microsoft.com/win/11")), "a", [])
    assert found and found.identifier == "http://microsoft.com/win/11"


def test_elements_of_other_namespaces_say_nothing() -> None:
    text = "<domain><metadata><guest os='win11'/><os xmlns='x' id='http://microsoft.com/win/11'/></metadata></domain>"
    assert windows(ET.fromstring(text), "a", []) is None
