# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else uses an image, by real locks and libvirt's test driver. QEMU's own locks are in the integration tests."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._image_refusals import Use
from ansible_collections.winguest.shutdown.plugins.module_utils._image_users import (
    Lock,
    UsersError,
    below,
    identity,
    located,
    overlays,
    uses,
)


def overlay(path: Path, backing: str) -> Path:
    """A header of qcow2 that names a backing file, and nothing else."""
    name = os.fsencode(backing)
    path.write_bytes(struct.pack(">4sIQI", b"QFI\xfb", 2, 72, len(name)).ljust(72, b"\0") + name)
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image without anything in it."""
    path = tmp_path / "base.raw"
    path.write_bytes(bytes(4096))
    return path


@pytest.mark.parametrize(
    ("kind", "place", "expected"),
    [
        (fcntl.LOCK_SH, 101, "written"),  # QEMU writes
        (fcntl.LOCK_SH, 201, "used"),  # QEMU lets nobody write
        (fcntl.LOCK_SH, 100, "used"),  # QEMU reads
        (fcntl.LOCK_EX, 0, "written"),  # virtlockd
    ],
)
def test_locks_of_others(image: Path, kind: int, place: int, expected: str) -> None:
    lock = Lock(str(image))
    assert lock.of_others() == ""
    with image.open("r+b") as holder:
        wanted = fcntl.F_WRLCK if kind == fcntl.LOCK_EX else fcntl.F_RDLCK
        fcntl.fcntl(holder, fcntl.F_OFD_SETLK, struct.pack("hhqqi0q", wanted, os.SEEK_SET, place, 1, 0))
        assert lock.of_others() == expected
    assert lock.of_others() == ""
    lock.close()
    lock.close()


def test_our_lock_is_seen_by_others_and_goes_with_us(image: Path) -> None:
    ours, other = Lock(str(image)), Lock(str(image))
    ours.forbid_writing()
    assert other.of_others() == "used" and ours.of_others() == ""
    ours.close()
    assert other.of_others() == ""
    assert other.read(0, 4) == bytes(4)
    assert other.read(1 << 70, 4) == other.read(-1, 4) == b""
    other.close()


@pytest.mark.parametrize(
    ("backing", "expected"),
    [
        ("base.raw", "base.raw"),
        ("sub/../base.raw", "sub/../base.raw"),
        ("file:base.raw", "base.raw"),
        ("nbd://127.0.0.1/x", ""),
        ('json:{"file.filename":"/etc/shadow"}', ""),
        ("", ""),
        ("a\0b", ""),
    ],
)
def test_where_a_backing_file_is(tmp_path: Path, backing: str, expected: str) -> None:
    wanted = str(tmp_path / expected) if expected else ""
    assert located(str(tmp_path / "overlay"), backing) == wanted
    assert located(str(tmp_path / "overlay"), "/a/b") == "/a/b"


def test_overlays_in_the_same_folder(image: Path) -> None:
    folder = image.parent
    assert overlays(str(image)) == []
    by_name = overlay(folder / "b.qcow2", "base.raw")
    by_path = overlay(folder / "a.qcow2", str(image))
    overlay(folder / "other.qcow2", "/nonexistent")
    overlay(folder / "not-quite.qcow2", "b.qcow2")
    (folder / "link").symlink_to(by_name)
    (folder / "noise").write_bytes(b"QFI\xfb")
    os.mkfifo(folder / "pipe")
    assert overlays(str(image)) == [str(by_path), str(by_name)]
    assert below(str(by_name)) == str(image)


def node(tmp_path: Path, *disks: tuple[str, str]) -> str:
    """The URI of a test driver with a running domain for each (name, file of its disk)."""
    domains = "".join(
        f"<domain type='test'><name>{name}</name><memory>8192</memory><os><type>hvm</type></os><devices>"
        f"<disk type='file'><source file='{file}'/><target dev='vda'/></disk></devices></domain>"
        for name, file in disks
    )
    path = tmp_path / "node.xml"
    path.write_text(f"<node>{domains}</node>")
    return f"test://{path}"


def test_domains_with_the_image_and_with_an_overlay_of_it(image: Path, tmp_path: Path) -> None:
    first = overlay(tmp_path / "first.qcow2", "base.raw")
    second = overlay(tmp_path / "second.qcow2", str(first))
    link = tmp_path / "link.raw"
    link.symlink_to(image)
    other = tmp_path / "other.raw"
    other.touch()
    uri = node(tmp_path, ("direct", str(link)), ("above", str(second)), ("other", str(other)), ("gone", "/nonexistent"))
    assert sorted(uses(str(image), uri)) == [Use("above", "running", 2), Use("direct", "running", 0)]
    assert uses(str(second), uri) == [Use("above", "running", 0)]


def test_a_chain_that_has_no_end(tmp_path: Path) -> None:
    first = overlay(tmp_path / "first.qcow2", "second.qcow2")
    overlay(tmp_path / "second.qcow2", "first.qcow2")
    assert uses(str(first), node(tmp_path, ("loop", str(first)))) == [Use("loop", "running", 0)]


def test_a_libvirt_that_does_not_answer(image: Path) -> None:
    with pytest.raises(UsersError, match="cannot be asked"):
        uses(str(image), "qemu+unix:///system?socket=/nonexistent")


def test_identity(image: Path) -> None:
    assert identity(str(image)) == identity(f"{image.parent}/./{image.name}")
    assert identity("/nonexistent") is None
