# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A time of day that jumps, for the processes that are started with it. A mock: the kernel's own is the machine's."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("wrong_clock.c")


class WrongClock:
    """The clock; `environment` is for the processes that are to go by it."""

    def __init__(self, folder: Path) -> None:
        """Its files are made in the folder."""
        library = folder / "wrong-clock.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", str(library), str(SOURCE)], check=True)
        self._file = folder / "wrong-clock"
        self.environment = {"LD_PRELOAD": str(library), "WINGUEST_WRONG_CLOCK": str(self._file)}
        self.jump(days=0)

    def jump(self, days: int) -> None:
        """Let it be so many days ahead of the machine's."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{days * 86_400}\n", encoding="ascii")
        fresh.rename(self._file)
