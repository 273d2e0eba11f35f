# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images with NTFS volumes, made by the tools of ntfs-3g, and what is in them read back by the same tools.

    disk = make(folder / "image.qcow2", [Volume(files={"Windows/System32/config/SOFTWARE": hive})])
    read(disk, "Windows/System32/config/SOFTWARE")

Nothing in them comes from a Windows.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bed.agent_guest.tools import run

SECTOR = 512
MIB = 1 << 20
CLUSTER = 4096
START = MIB
NTFS_TYPE = 7


@dataclass(frozen=True)
class Volume:
    """A volume of an image. files: path -> content; start: other bytes for its beginning, of which it is known then.

    dirty: it is marked for chkdsk; cut_off: its log is open, as after a power failure; formatted: it has a file system.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    mib: int = 24
    formatted: bool = True
    dirty: bool = False
    cut_off: bool = False
    start: bytes = b""


def make(path: Path, volumes: Sequence[Volume], kind: str | None = None, *options: str) -> Path:
    """Make an image of the format that its name ends in, or of another one, with these volumes. Returns its path."""
    kind = kind or path.suffix.removeprefix(".")
    with tempfile.TemporaryDirectory(prefix="winguest-image-") as folder:
        disk = Path(folder, "disk")
        table, offset = b"", START
        with disk.open("wb") as whole:
            for number, volume in enumerate(volumes):
                part = make_volume(Path(folder, f"volume{number}"), volume, offset // SECTOR)
                size = volume.mib * MIB
                table += struct.pack("<B3xB3xII", 0, NTFS_TYPE, offset // SECTOR, size // SECTOR)
                copy_data(part, whole.fileno(), offset)
                offset += size
            whole.truncate(offset + MIB)
            whole.seek(446)
            whole.write(table.ljust(64, b"\0") + b"\x55\xaa")
        run("qemu-img", "convert", "-q", "-f", "raw", "-O", kind, *options, str(disk), str(path))
    return path


def make_volume(part: Path, volume: Volume, sector: int) -> Path:
    """Make the volume as a file of its own."""
    with part.open("wb") as file:
        file.truncate(volume.mib * MIB)
    if volume.formatted:
        geometry = ("--partition-start", str(sector), "--heads", "255", "--sectors-per-track", "63")
        run("mkntfs", "--force", "--quiet", "--quick", *geometry, str(part))
        if volume.files:
            with mounted(part) as root:
                for path, content in volume.files.items():
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_bytes(content)
    if volume.dirty:
        run("ntfsfix", str(part))  # which marks it for chkdsk
    if volume.cut_off:
        open_log(part)
    if volume.start:
        with part.open("r+b") as file:
            file.write(volume.start)
    return part


@contextmanager
def mounted(part: Path, *options: str) -> Iterator[Path]:
    """The volume's files, by ntfs-3g on this machine; it takes root and /dev/fuse."""
    with tempfile.TemporaryDirectory(prefix="winguest-mount-") as folder:
        run("ntfs-3g", "-o", ",".join(["streams_interface=none", *options]), str(part), folder)
        try:
            # Where it is not clean, ntfs-3g falls back to reading.
            assert not os.statvfs(folder).f_flag & os.ST_RDONLY, f"{part} cannot be mounted for writing"
            yield Path(folder)
        finally:
            run("umount", folder)


def open_log(part: Path) -> None:
    """Write restart pages to the volume's log, by which a client has it open; ntfs-3g's logfile.h has the structure."""
    told = run("ntfsinfo", "--force", "--inode", "2", "--verbose", str(part))
    first_run = re.search(r"LCN\s+Length\s+0x0\s+0x([0-9a-f]+)", told)
    sizes = re.findall(r"Data size:\s+(\d+)", told)
    assert first_run and sizes, told
    size, where = int(sizes[-1]), int(first_run[1], 16) * CLUSTER
    page, usn, area_at, clients_at = 4096, 0x1E, 0x30, 0x30
    no_client, nobody = 0xFFFF, 0
    client = struct.pack("<qqHHH6xI128s", 0, 0, no_client, no_client, 0, 8, "NTFS".encode("utf-16-le"))
    counts = struct.pack(
        "<qHHHHIHH", 0, 1, no_client, nobody, 0, 67 - size.bit_length(), clients_at + len(client), clients_at
    )
    area = counts + struct.pack("<qIHHII", size, 0, 0x30, 0x40, 1, 0)
    head = struct.pack("<4sHHqIIHhH", b"RSTR", usn, 1 + page // SECTOR, 0, page, page, area_at, 1, 1)
    whole = bytearray((head.ljust(area_at, b"\0") + area + client).ljust(page, b"\0"))
    for end in (
        usn + 2,
        *range(SECTOR, page + 1, SECTOR),
    ):  # what a sector ends in says that it was written with the others
        whole[end - 2 : end] = b"\x01\x00"
    with part.open("r+b") as file:
        file.seek(where)
        file.write(bytes(whole) * 2)


def copy_data(source: Path, target: int, offset: int) -> None:
    """Copy what is not a hole."""
    with source.open("rb") as file:
        at, end = 0, os.fstat(file.fileno()).st_size
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            stop = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            os.pwrite(target, os.pread(file.fileno(), stop - at, at), offset + at)
            at = stop


def read(image: Path, path: str, kind: str | None = None, number: int = 0) -> bytes:
    """A file of a volume of an image, read by ntfs-3g; it is mounted for reading and writing, so it must be clean."""
    kind = kind or image.suffix.removeprefix(".")
    with tempfile.TemporaryDirectory(prefix="winguest-image-") as folder:
        disk = Path(folder, "disk")
        run("qemu-img", "convert", "-q", "-f", kind, "-O", "raw", str(image), str(disk))
        with disk.open("rb") as file:
            file.seek(446 + 16 * number)
            start, sectors = struct.unpack("<8xII", file.read(16))
            part = Path(folder, "part")
            with part.open("wb") as out:
                file.seek(start * SECTOR)
                while sectors:
                    piece = file.read(min(sectors, 2048) * SECTOR)
                    out.write(piece)
                    sectors -= len(piece) // SECTOR
        with mounted(part, "norecover") as root:
            return (root / path).read_bytes()


def digest(path: Path) -> str:
    """The file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
