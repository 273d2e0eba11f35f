# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python of the next Debian, with libvirt's binding and its own pip, for what Debian 12's is too old for."""

from __future__ import annotations

from pathlib import Path

from bed import newer_debian

VERSION = "3.13"
PROGRAM = f"usr/bin/python{VERSION}"
PACKAGES = (
    *(f"python{VERSION}", f"python{VERSION}-minimal", f"python{VERSION}-venv"),
    *("python3-pip-whl", "python3-libvirt"),
)
WHEELS = "usr/share/python-wheels"
"""Where this Python's ensurepip has its pip from, in a folder that its settings name."""
SETTINGS = f"usr/lib/python{VERSION}/_sysconfigdata_*.py"


def program(cache: Path) -> Path:
    """The Python; it is unpacked under `cache` where it is not there yet."""
    return newer_debian.unpacked(cache, "python", PACKAGES, set_up) / PROGRAM


def set_up(result: Path, root: Path) -> None:
    """Let it use the libraries and the pip that came with it, so that it can make environments."""
    newer_debian.use_libraries(result / PROGRAM, root)
    for settings in result.glob(SETTINGS):
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace(f"'/{WHEELS}/'", f"'{root / WHEELS}/'"), encoding="utf-8")
