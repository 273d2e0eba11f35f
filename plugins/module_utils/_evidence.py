# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What is kept of a guest before it is forced: its screen, its block and CPU statistics, and the timeline so far.

Each part is limited in time and size, and one that fails says so in the document instead of stopping the others.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import TimeLimit, within
from ansible_collections.winguest.shutdown.plugins.module_utils._png import SIGNATURE, png_from_ppm

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now

PART_LIMIT = 10.0
SCREENSHOT_LIMIT = 64 * 1024 * 1024
SCREENSHOT = "screen.png"
DOCUMENT = "evidence.json"

LONGEST_DOCUMENT = 4 * 1024 * 1024
MOST_FOUND = 20
"""How many folders of one guest's evidence are looked into, the newest ones."""


class EvidenceError(Exception):
    """The evidence folder cannot be used; the text says why and what to do."""


def prepare(folder: str) -> None:
    """Make the folder, readable by its owner only, and see that it can be written to."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvidenceError(
            f"evidence_dir {folder!r} cannot be written to ({reason}), and no guest is forced without "
            "evidence; name a folder that this user can write to"
        ) from error


def collect(connection: t.Any, domain: t.Any, parent: str, document: dict[str, t.Any]) -> list[str]:
    """Write the evidence into a new folder below parent; the files' paths. Raises OSError when it cannot."""
    stamp = re.sub(r"[^0-9TZ]", "", str(document["time"]))
    folder = tempfile.mkdtemp(prefix=f"{plain(document['name'])}-{stamp}-", dir=parent)
    paths = []
    document = dict(document, screenshot=SCREENSHOT)
    try:
        paths.append(write_new(folder, SCREENSHOT, within(PART_LIMIT, lambda: _screenshot(connection, domain))))
    except Exception as error:  # libvirt's, the picture's or the disk's: the reason is itself evidence
        document["screenshot"] = f"none: {_reason(error)}"
    try:
        document["statistics"] = within(PART_LIMIT, lambda: _statistics(connection, domain))
    except Exception as error:
        document["statistics"] = f"none: {_reason(error)}"
    paths.append(write_new(folder, DOCUMENT, json.dumps(document, indent=2, default=str).encode() + b"\n"))
    return paths


def found(parent: str, wanted: t.Iterable[tuple[str, str]]) -> dict[str, list[dict[str, t.Any]]]:
    """The evidence that is there of these (name, UUID): by UUID, the newest first. Raises EvidenceError.

    The folders' names say whose they may be, and the documents in them whose they are.
    """
    try:
        entries = os.listdir(parent)
    except FileNotFoundError:
        entries = []
    except OSError as error:
        raise EvidenceError(f"evidence_dir {parent!r} cannot be read ({error.strerror})") from error
    folders: dict[str, list[tuple[str, str]]] = {}
    for entry in entries:
        parts = re.fullmatch(r"(.+)-([0-9]{8}T[0-9]{6,9}Z)-[a-z0-9_]+", entry)
        if parts:
            folders.setdefault(parts[1], []).append((parts[2], os.path.join(parent, entry)))
    by_uuid = {}
    for name, uuid in wanted:
        newest = sorted(folders.get(plain(name), []), reverse=True)[:MOST_FOUND]
        by_uuid[uuid] = [told for told in (_told(folder, uuid) for dummy, folder in newest) if told]
    return by_uuid


def _told(folder: str, uuid: str) -> dict[str, t.Any] | None:
    """What a folder holds; None where it is not this guest's, or nobody can tell whose it is."""
    try:
        with open(os.path.join(folder, DOCUMENT), "rb") as file:
            document = json.loads(file.read(LONGEST_DOCUMENT))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("uuid") != uuid:
        return None
    paths = [os.path.join(folder, name) for name in (SCREENSHOT, DOCUMENT)]
    return {
        "folder": folder,
        "files": [path for path in paths if os.path.isfile(path)],
        "time": str(document.get("time", "")),
        "why": str(document.get("why", "")),
    }


def _screenshot(connection: t.Any, domain: t.Any) -> bytes:
    stream = connection.newStream(0)
    kind = domain.screenshot(stream, 0)
    picture = bytearray()
    try:
        while len(picture) <= SCREENSHOT_LIMIT:
            part = stream.recv(256 * 1024)
            if not part:
                stream.finish()
                return bytes(picture) if picture.startswith(SIGNATURE) else png_from_ppm(bytes(picture))
            picture += part
    except Exception:
        stream.abort()
        raise
    stream.abort()
    raise ValueError(f"the screenshot ({kind}) is larger than {SCREENSHOT_LIMIT} bytes")


def _statistics(connection: t.Any, domain: t.Any) -> dict[str, t.Any]:
    records = connection.domainListGetStats([domain], 0, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
    return dict(records[0][1]) if records else {}


def write_new(folder: str, name: str, content: bytes) -> str:
    """Write a new file that only its owner can read; its path."""
    path = os.path.join(folder, name)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.unlink(path)
        raise
    return path


def _reason(error: Exception) -> str:
    return f"{error}" if isinstance(error, TimeLimit) else f"{type(error).__name__}: {error}"


def plain(name: t.Any) -> str:
    """A guest's name as a part of a file name: letters, digits, dot and dash only."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", str(name)).strip(".")[:64] or "guest"
