# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The folder on the hypervisor in which runs find one another and are watched: private to one user."""

from __future__ import annotations

import os
import stat
import tempfile


class PlaceError(Exception):
    """The folder cannot be used; the text says which, why, and what to do."""


def runtime_folder() -> str:
    """Where it is: the same for every run of this user, and gone after a restart of the host."""
    user = os.geteuid()
    if user == 0:
        return "/run/winguest"
    session = f"/run/user/{user}"
    if os.path.isdir(session):
        return os.path.join(session, "winguest")
    return os.path.join(tempfile.gettempdir(), f"winguest-{user}")


def make_private(folder: str) -> str:
    """The folder, made when it is missing; nobody else may write to it. Raises PlaceError."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.lstat(folder)
    except OSError as error:
        raise PlaceError(f"the folder {folder!r}, in which runs find one another, cannot be made: {error}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PlaceError(
            f"{folder!r}, in which runs find one another, must be a folder of this user's that nobody else may write "
            "to; remove it, or mend its owner and mode"
        )
    return folder
