# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and writes many damaged copies of a hive, as image_readiness does, and prints what came of it as JSON.

    python -m bed.hostile_hives HIVE SCRATCH COUNT SEED

It is run by the Python that has hivex.
"""

from __future__ import annotations

import collections
import json
import os
import random
import re
import sys
import time

from ansible_collections.winguest.shutdown.plugins.module_utils import _hives as hives

WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x20\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\1\0\0\x80")
DESKTOP = r"Control Panel\Desktop"
SETTINGS = [
    hives.Setting(DESKTOP, "AutoEndTasks", "REG_SZ", "1"),
    hives.Setting(r"Software\Microsoft\Windows\CurrentVersion\Policies\Explorer", "NoClose", "REG_DWORD", 0),
    hives.Setting(DESKTOP, "WaitToKillTimeout", "REG_SZ", None),
]
LIMIT = 10.0


def damaged(hive: bytes, chance: random.Random) -> bytes:
    """A copy with some bytes or words changed after the first page, or shorter."""
    copy = bytearray(hive)
    for dummy in range(chance.choice((1, 2, 5, 20, 100))):
        place = chance.randrange(hives.HEAD, len(copy) - 4)
        if chance.random() < 0.5:
            copy[place] = chance.randrange(256)
        else:
            place -= place % 4
            copy[place : place + 4] = chance.choice(WORDS)
    return bytes(copy[: chance.randrange(len(copy))] if chance.random() < 0.1 else copy)


def outcome(source: str, target: str) -> str:
    """What becomes of one: read, written, or why not."""
    try:
        with open(source, "rb") as file:
            hives.check_head(file.read(hives.HEAD), os.stat(source).st_size, "hive")
        hives.guarded(lambda: read(hives.Hive(source, "hive")), "hive", LIMIT)
        hives.write(source, target, SETTINGS, "hive")
    except hives.HiveError as error:
        return re.sub(r"\d+", "N", re.sub(r"(hive is damaged) at.*: hivex says.*", r"\1 somewhere", str(error)))[:70]
    return "written"


def read(hive: hives.Hive, key: str = "", depth: int = 0) -> None:
    """Every key and value, as far as they go."""
    for setting in SETTINGS:
        hive.value(setting.key, setting.name)
    for name in hive.subkeys(key) if depth < 8 else ():
        read(hive, f"{key}\\{name}" if key else name, depth + 1)


def main() -> None:
    """See above."""
    path, scratch, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with open(path, "rb") as file:
        hive = file.read()
    outcomes: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    for number in range(count):
        source, target = (os.path.join(scratch, name) for name in ("source", "target"))
        with open(source, "wb") as file:
            file.write(damaged(hive, random.Random(f"{seed} {number}")))
        began = time.monotonic()
        outcomes[outcome(source, target)] += 1
        slowest = max(slowest, time.monotonic() - began)
        if os.path.exists(target):
            os.unlink(target)
    print(json.dumps({"outcomes": outcomes, "slowest": slowest}))


if __name__ == "__main__":
    main()
