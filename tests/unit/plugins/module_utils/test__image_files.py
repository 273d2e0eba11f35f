# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How files of an image are looked up, read and replaced, without any way out of the image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_files as image_files
from ansible_collections.winguest.shutdown.plugins.module_utils._image_files import (
    NEW,
    Entry,
    HivesFiles,
    ImageFilesError,
    RootFiles,
    checked,
    hibernation,
    named,
)

SOFTWARE = "Windows/System32/config/SOFTWARE"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root" / "WINDOWS" / "system32" / "Config"
    path.mkdir(parents=True)
    (path / "SOFTWARE").write_bytes(b"old")
    return tmp_path / "root"


@pytest.fixture
def files(root: Path) -> Iterator[RootFiles]:
    opened = RootFiles(str(root), writing=True)
    yield opened
    opened.close()


def test_names_are_found_in_any_case(files: RootFiles) -> None:
    assert files.real(SOFTWARE) == "WINDOWS/system32/Config/SOFTWARE"
    folder = files.find("windows")
    assert folder and folder[:2] == ("WINDOWS", "folder")
    assert (files.size(SOFTWARE), files.size("Windows"), files.size("Windows/nothing")) == (3, None, None)
    assert files.exists(SOFTWARE) and not files.exists(f"{SOFTWARE}/below")
    assert files.find(f"{SOFTWARE}/below") is None
    assert [entry.name for entry in files.entries("WINDOWS")] == ["system32"]


def test_the_name_as_it_is_written_comes_first() -> None:
    entries = [Entry("a", "file", 1), Entry("A", "file", 2)]
    assert named(entries, "A") == entries[1]
    assert named(entries[:1], "A") == entries[0]
    assert named([], "A") is None
    with pytest.raises(ImageFilesError, match="Aa and aA differ in case only"):
        named([Entry("Aa", "file", 1), Entry("aA", "file", 2)], "aa")


@pytest.mark.parametrize("path", ["", "/", "a/../b", "..", "./a", "a\0b", "/".join("a" * 101)])
def test_paths_that_could_lead_elsewhere(path: str) -> None:
    with pytest.raises(ImageFilesError, match="is no path in an image"):
        checked(path)


def test_links_are_not_followed(root: Path, files: RootFiles, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"secret")
    (root / "link").symlink_to(outside)
    (root / "file link").symlink_to(outside / "file")
    assert files.exists("link") and files.exists("file link")
    with pytest.raises(ImageFilesError, match="is not followed"):
        files.find("link/file")
    with pytest.raises(ImageFilesError, match="is no plain file"):
        files.read("file link", 0, 10)
    for path in ("link/file", "file link"):
        with pytest.raises(ImageFilesError):
            files.replace(path, str(root / "WINDOWS/system32/Config/SOFTWARE"))
    assert (outside / "file").read_bytes() == b"secret"


def test_what_is_no_file_is_not_opened(root: Path, files: RootFiles) -> None:
    os.mkfifo(root / "pipe")
    for path, told in (
        ("pipe", "is no plain file"),
        ("Windows", "is no plain file"),
        ("nothing", "has no file nothing"),
    ):
        with pytest.raises(ImageFilesError, match=told):
            files.read(path, 0, 1)


def test_a_name_that_no_file_system_has(files: RootFiles) -> None:
    assert not files.exists("x" * 300) and not files.exists(f"{'x' * 300}/y")


def test_read_and_fetch(files: RootFiles, tmp_path: Path) -> None:
    assert files.read(SOFTWARE, 1, 100) == b"ld"
    files.fetch(SOFTWARE, str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == b"old"
    with pytest.raises(ImageFilesError, match="cannot be copied: File exists"):
        files.fetch(SOFTWARE, str(tmp_path / "copy"))


def test_replace_is_at_once(root: Path, files: RootFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the new file has the old one's name, on the disk, the old one is there."""
    hive, new = root / "WINDOWS/system32/Config/SOFTWARE", tmp_path / "new"
    new.write_bytes(b"new and longer")
    hive.chmod(0o604)
    steps: list[tuple[str, bytes]] = []

    def seen(name: str, function: Callable[..., None]) -> None:
        def step(*arguments: Any, **more: Any) -> None:
            steps.append((name, hive.read_bytes()))
            function(*arguments, **more)

        monkeypatch.setattr(image_files.os, name, step)

    seen("fsync", os.fsync)
    seen("rename", os.rename)
    files.replace(SOFTWARE, str(new))
    assert steps == [("fsync", b"old"), ("rename", b"old"), ("fsync", b"new and longer")]
    assert hive.stat().st_mode & 0o777 == 0o604
    assert os.listdir(hive.parent) == ["SOFTWARE"]


def test_a_write_that_fails_leaves_the_old_one(root: Path, files: RootFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    hive = root / "WINDOWS/system32/Config/SOFTWARE"

    def full(dummy: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_files.os, "fsync", full)
    with pytest.raises(ImageFilesError, match="cannot be written: No space left"):
        files.replace(SOFTWARE, str(hive))
    assert hive.read_bytes() == b"old" and os.listdir(hive.parent) == ["SOFTWARE"]


def test_what_a_run_that_was_killed_has_left_is_removed(root: Path, files: RootFiles, tmp_path: Path) -> None:
    hive = root / "WINDOWS/system32/Config/SOFTWARE"
    left = hive.with_name(f"SOFTWARE{NEW}")
    left.write_bytes(b"half")
    files.tidy(SOFTWARE)
    files.tidy(SOFTWARE)
    assert os.listdir(hive.parent) == ["SOFTWARE"]
    # Something else of this name, such as a link, is replaced and not written through.
    left.symlink_to(tmp_path / "elsewhere")
    files.replace(SOFTWARE, str(hive))
    assert not (tmp_path / "elsewhere").exists() and hive.read_bytes() == b"old"


def test_one_run_at_a_time(root: Path, files: RootFiles) -> None:
    for writing in (True, False):
        with pytest.raises(ImageFilesError, match="is in use by another run"):
            RootFiles(str(root), writing)
    files.close()
    files.close()
    readers = [RootFiles(str(root), writing=False) for dummy in range(2)]
    with pytest.raises(ImageFilesError, match="is in use"):
        RootFiles(str(root), writing=True)
    for reader in readers:
        reader.close()


def test_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, told in (("file", "Not a directory"), ("nothing", "No such file")):
        with pytest.raises(ImageFilesError, match=rf"cannot be opened as a folder: {told}"):
            RootFiles(str(tmp_path / name), writing=False)


def test_a_folder_of_hives(tmp_path: Path) -> None:
    (tmp_path / "Users" / "alice").mkdir(parents=True)
    for name in ("software", "NTUSER.DAT", "Users/alice/NTUSER.DAT"):
        (tmp_path / name).write_bytes(name.encode())
    files = HivesFiles(str(tmp_path), writing=False)
    assert not files.complete and RootFiles.complete
    assert files.read(SOFTWARE, 0, 100) == b"software"
    assert files.read("Users/Default/NTUSER.DAT", 0, 100) == b"NTUSER.DAT"
    assert files.read("users/ALICE/ntuser.dat", 0, 100) == b"Users/alice/NTUSER.DAT"
    assert not files.exists("Windows/System32/config/systemprofile/NTUSER.DAT")
    (tmp_path / "Users" / "Default").mkdir()
    (tmp_path / "Users" / "Default" / "NTUSER.DAT").write_bytes(b"in its place")
    assert files.read("Users/Default/NTUSER.DAT", 0, 100) == b"in its place"
    files.close()


@pytest.mark.parametrize(("begins", "told"), [(b"HIBR", True), (b"hibr", True), (b"RSTR", True), (b"wake", False)])
def test_hibernation(root: Path, files: RootFiles, begins: bytes, told: bool) -> None:
    assert hibernation(files) == ""
    (root / "HIBERFIL.SYS").write_bytes(begins + bytes(100))
    assert ("is hibernated" in hibernation(files)) == told
