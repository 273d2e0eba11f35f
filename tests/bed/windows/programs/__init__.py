# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of the simulated Windows guest that run in Wine, in C; each says at its top what it is for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
COMPILE = ("x86_64-w64-mingw32-gcc", "-municode", "-std=c11", "-O2", "-s", "-Wall", "-Wextra", "-Werror")
MADE_OF = {
    "launcher.exe": ("launcher.c",),
    "registry.exe": ("registry.c",),
    "program.exe": ("program.c", "ask.c", "-lws2_32"),
    "ask.dll": ("-shared", "askdll.c", "ask.c", "askdll.def", "-lws2_32"),
}


class ProgramsError(RuntimeError):
    """The programs cannot be built."""


def sources() -> list[Path]:
    """All that they are built from."""
    return sorted(path for path in SOURCES.iterdir() if path.suffix in (".c", ".h", ".def"))


def build(directory: Path) -> None:
    """Build them all into a folder."""
    for name, inputs in MADE_OF.items():
        command = [*COMPILE, "-o", str(directory / name), *inputs]
        try:
            ended = subprocess.run(
                command, cwd=SOURCES, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
            )
        except FileNotFoundError as error:
            raise ProgramsError(
                f"{name} cannot be built, since there is no {COMPILE[0]} on this machine. Install Debian's package "
                "gcc-mingw-w64-x86-64-win32."
            ) from error
        if ended.returncode != 0:
            raise ProgramsError(f"{name} in {SOURCES} cannot be built, gcc says:\n{ended.stderr.strip()}")
