# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks behind qemu-nbd, which can be made to fail or to hang."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def served(folder: Path, name: str, options: dict[str, Any]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An image behind qemu-nbd, as the <source> of a disk, and the server."""
    path = folder / f"{name}.nbd"
    server = subprocess.Popen(["qemu-nbd", "--persistent", "--socket", str(path), f"json:{json.dumps(options)}"])
    try:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline and server.poll() is None, "qemu-nbd did not start"
            time.sleep(0.05)
        yield f"<source protocol='nbd'><host transport='unix' socket='{path}'/></source>", server
    finally:
        server.send_signal(signal.SIGCONT)
        server.terminate()
        server.wait(20)


def new_image(folder: Path, name: str) -> dict[str, Any]:
    """An empty image, for QEMU."""
    image = folder / f"{name}.img"
    image.write_bytes(bytes(1 << 20))
    return {"driver": "file", "filename": str(image)}


def fails_once(image: dict[str, Any], **where: int) -> dict[str, Any]:
    """The image, a write to which fails once for want of room: the first one, or that to the sector given."""
    error = {"event": "none", "iotype": "write", "errno": 28, "once": True, **where}
    return {"driver": "raw", "file": {"driver": "blkdebug", "image": image, "inject-error": [error]}}


def on_served_disk(xml: str, source: str) -> str:
    """The definition of a guest, with this <source> for its disk; QEMU stops the guest when that fails to write."""
    definition = ET.fromstring(xml)
    disk = definition.find("./devices/disk")
    assert disk is not None
    disk.set("type", "network")
    old, driver = disk.find("source"), disk.find("driver")
    assert old is not None and driver is not None
    disk.remove(old)
    disk.append(ET.fromstring(source))
    driver.set("error_policy", "stop")
    return ET.tostring(definition, encoding="unicode")
