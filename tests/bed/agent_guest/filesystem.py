# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a guest that has ended left on its ext4 data disk.

ext4 raises the flag `needs_recovery` when it is mounted for writing, and lowers it when it is unmounted or frozen. A
forced stop therefore always leaves it raised, even on a guest that wrote nothing, unless the file system was frozen at
that moment. With the flag raised the journal is replayed at the next mount, which brings back everything that had been
synced; what the guest had only in its memory is gone. A freeze writes that out first, so after it nothing is missing.
Whether QEMU was ended by SIGTERM or SIGKILL makes no difference, since the host still has what the guest has flushed.
"""

from __future__ import annotations

import enum
import re
import shutil
import tempfile
from pathlib import Path

from bed.agent_guest.tools import attempt, run


class FilesystemState(enum.Enum):
    """In which state a file system was left."""

    CLEAN = "clean"
    """Unmounted or frozen: there is nothing to replay."""
    NEEDS_RECOVERY = "needs_recovery"
    """In use when its guest ended. Replaying the journal mends it."""
    DAMAGED = "damaged"
    """e2fsck finds something, after the replay, that it does not mend by itself; or there is no ext4."""


def filesystem_state(image: Path) -> FilesystemState:
    """Read the data disk of a guest that has ended. The image is not changed."""
    if not image.is_file():
        raise FileNotFoundError(f"there is no disk image {image}")
    header = attempt("dumpe2fs", "-h", str(image))
    if header.returncode != 0 or not mends(image):
        return FilesystemState.DAMAGED
    features = re.search(r"^Filesystem features:(.*)$", header.stdout, re.MULTILINE)
    if features and "needs_recovery" in features[1].split():
        return FilesystemState.NEEDS_RECOVERY
    return FilesystemState.CLEAN


def mends(image: Path) -> bool:
    """Whether e2fsck is content after it has replayed the journal of a copy.

    `e2fsck -n` on the image itself would not do: it never replays, and so reports as errors what the journal holds.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copy(image, scratch))
        return attempt("e2fsck", "-f", "-p", str(copy)).returncode in (0, 1)


def read_file(image: Path, name: str) -> str:
    """What a file on the data disk of a guest that has ended holds once the journal is replayed ("" without a file)."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copy(image, scratch))
        attempt("e2fsck", "-p", str(copy))
        return run("debugfs", "-R", f"cat /{name}", str(copy))
