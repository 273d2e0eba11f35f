# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the host's own programs for the agent guest, with an error that says what to do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# An ordinary user's PATH often lacks the folders in which e2fsprogs has its programs.
ENVIRONMENT = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"}


class ToolError(RuntimeError):
    """A program of the host is missing or has failed."""


def attempt(*command: str, folder: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever that is."""
    try:
        return subprocess.run(
            command, cwd=folder, input=stdin, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ToolError(
            f"this machine has no program {command[0]}: install the Debian packages apt, dpkg, cpio, lz4 and e2fsprogs"
        ) from error


def run(*command: str, folder: Path | None = None, stdin: str = "", advice: str = "") -> str:
    """Run a program that must succeed, and give back what it printed."""
    ended = attempt(*command, folder=folder, stdin=stdin)
    if ended.returncode != 0:
        raise ToolError(
            f"{' '.join(command)} failed with exit status {ended.returncode}: {ended.stderr.strip()} {advice}".strip()
        )
    return ended.stdout


def lines(items: Sequence[object]) -> str:
    """One item per line."""
    return "".join(f"{item}\n" for item in items)
