# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What the hypervisor's files say about guests when the host goes down: libvirt-guests and libvirt's daemon.

Only files are read, so neither systemd nor any other program is needed.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import typing as t
import urllib.parse

SERVICE_FILES = ("etc/default/libvirt-guests", "etc/sysconfig/libvirt-guests")
SERVICE_SCRIPTS = ("usr/libexec/libvirt-guests.sh", "usr/lib/libvirt/libvirt-guests.sh")
DAEMON_FILE = "etc/libvirt/qemu.conf"
UNIT = "libvirt-guests.service"
UNIT_FOLDERS = (
    *("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system"),
    *("usr/lib/systemd/system", "lib/systemd/system"),
)
LONGEST_FILE = 1024 * 1024
LONGEST_VALUE = 4096
"""Characters of one setting; what is longer is none, and would take shlex long."""

_SHELL = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_DAEMON = re.compile(r"""\s*(auto_shutdown_[a-z_]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|(\d+))""")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What one of the files says. trouble says why it could not be read; a file that is not there says nothing."""

    path: str = ""
    values: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    trouble: str = ""


@dataclasses.dataclass(frozen=True)
class HostReading:
    """The hypervisor as its files tell. enabled: whether systemd starts, and so stops, libvirt-guests.

    trouble says why none of it could be read.
    """

    uri_path: str = "/system"
    enabled: bool = False
    masked: bool = False
    script: Settings = dataclasses.field(default_factory=Settings)
    """The defaults of libvirt-guests as it is installed: distributions have their own."""
    service: Settings = dataclasses.field(default_factory=Settings)
    daemon: Settings = dataclasses.field(default_factory=Settings)
    version: int = 0
    """libvirt's, as 11002000 for 11.2.0."""
    trouble: str = ""


def read(uri: str, version: int, root: str = "/", home: str | None = None) -> HostReading:
    """Read the files of the host on which this runs, below root. uri is the one that is connected to."""
    parts = urllib.parse.urlsplit(uri)
    path = parts.path or "/system"
    if parts.netloc:
        where = f"libvirt is on {parts.hostname or parts.netloc}, and its files cannot be read from here"
        return HostReading(path, version=version, trouble=where)
    enabled, masked = _unit(root)
    daemon = os.path.join(root, DAEMON_FILE)
    if path.startswith("/session"):
        own = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home or os.path.expanduser("~"), ".config")
        daemon = os.path.join(own, "libvirt", "qemu.conf")
    return HostReading(
        path,
        enabled,
        masked,
        _settings(_first(root, SERVICE_SCRIPTS), script_settings),
        _settings(_first(root, SERVICE_FILES), shell_settings),
        _settings(daemon, daemon_settings),
        version,
    )


def shell_settings(text: str) -> dict[str, str]:
    """The variables that a file of shell assignments sets; the last one counts. Raises ValueError for odd ones."""
    values = {}
    for line in _lines(text):
        match = _SHELL.fullmatch(line)
        if match:
            if len(match[2]) > LONGEST_VALUE:
                raise ValueError(f"{match[1][:40]} has {len(match[2])} characters")
            values[match[1]] = "".join(shlex.split(match[2], comments=True)[:1])
    return values


def script_settings(text: str) -> dict[str, str]:
    """The variables that a shell script sets at its outermost level, as this one does before it reads its settings."""
    return shell_settings("\n".join(line for line in _lines(text) if not line[:1].isspace()))


def daemon_settings(text: str) -> dict[str, str]:
    """The auto_shutdown_* settings of qemu.conf; the first one counts, as it does to libvirt."""
    values: dict[str, str] = {}
    for line in _lines(text):
        match = _DAEMON.match(line)
        if match:
            values.setdefault(match[1], match[2] or match[3] or match[4] or "")
    return values


def _lines(text: str) -> list[str]:
    """Its lines as a shell and libvirt see them, to which a form feed and the like end none."""
    return text.split("\n")


def _first(root: str, paths: t.Sequence[str]) -> str:
    """The first of these files that is there, or else the last one."""
    below = [os.path.join(root, path) for path in paths]
    return next((path for path in below if os.path.exists(path)), below[-1])


def _settings(path: str, parse: t.Callable[[str], dict[str, str]]) -> Settings:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return Settings(path, parse(file.read(LONGEST_FILE)))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        return Settings(path, trouble=f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")


def _unit(root: str) -> tuple[bool, bool]:
    """Whether libvirt-guests is enabled (something wants it), and whether it is masked."""
    enabled = False
    for folder in UNIT_FOLDERS:
        path = os.path.join(root, folder, UNIT)
        if os.path.islink(path) and os.readlink(path) == os.devnull:
            return False, True
        enabled = enabled or _wanted(os.path.join(root, folder))
    return enabled, False


def _wanted(folder: str) -> bool:
    try:
        names = [name for name in os.listdir(folder) if name.endswith((".wants", ".requires"))]
    except OSError:
        return False
    return any(os.path.lexists(os.path.join(folder, name, UNIT)) for name in names)
