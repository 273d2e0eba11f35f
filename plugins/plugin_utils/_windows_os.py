# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Whether a domain is a Windows, and which: by our tag, by libosinfo's metadata, or by its name. Pure."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
import typing as t
import xml.etree.ElementTree as ET

TAG = "urn:winguest:guest:1"
"""The namespace of our tag, <guest os="win2k22"/>, in a domain's metadata."""

LIBOSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
UNKNOWN_WINDOWS = "windows"

_IDENTIFIER = re.compile(
    r"https?://microsoft\.com/(?P<family>win[a-z]*)(?:/(?P<version>[a-z0-9.]{1,20})\Z)?", re.IGNORECASE
)
_SHORT = re.compile(r"win[a-z0-9.]{0,20}")


@dataclasses.dataclass(frozen=True)
class Windows:
    """short: libosinfo's short id (win11, win2k22), or "windows"; identifier: its long one, empty where it is not told.

    known_by: tag, libosinfo or name_pattern.
    """

    short: str
    identifier: str
    known_by: str


def windows(definition: ET.Element, name: str, patterns: t.Sequence[str]) -> Windows | None:
    """Which Windows a domain is; None when nothing says that it is one.

    Our tag outweighs all else, also when it names another system. Otherwise libosinfo or a pattern is enough.
    """
    system = definition.find(f"./metadata/{{{LIBOSINFO}}}libosinfo/{{{LIBOSINFO}}}os")
    identifier = system.get("id", "") if system is not None else ""
    by_libosinfo = _IDENTIFIER.match(identifier)
    tag = definition.find(f"./metadata/{{{TAG}}}guest")
    known_by = ""
    if tag is not None:
        if not _names_windows(tag):
            return None
        known_by = "tag"
    elif by_libosinfo:
        known_by = "libosinfo"
    elif any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
        known_by = "name_pattern"
    if not known_by:
        return None
    short = _tagged(tag) or (_short(by_libosinfo) if by_libosinfo else "") or UNKNOWN_WINDOWS
    return Windows(short, identifier if by_libosinfo else "", known_by)


def _names_windows(tag: ET.Element) -> bool:
    """Whether the tag says that it is a Windows: it does not say which system, or one of that name."""
    return tag.get("os", "win").strip().lower().startswith("win")


def _tagged(tag: ET.Element | None) -> str:
    """The short id in a tag; empty where it has none that could be one."""
    written = tag.get("os", "").strip().lower() if tag is not None else ""
    return written if _SHORT.fullmatch(written) else ""


def _short(identifier: re.Match[str]) -> str:
    """The short id for a long one: http://microsoft.com/win/2k22 is win2k22."""
    return f"{identifier['family']}{identifier['version']}".lower() if identifier["version"] else ""
