# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of real domains of libvirt's test driver, in real folders, with real trouble."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _evidence
from unit.plugins.libvirt_test_driver import URI, Driver

DOCUMENT = {"name": "web01", "time": "2026-11-23T10:12:03.204Z", "why": "hard end", "timeline": [{"text": "press"}]}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def domain(driver: Driver) -> Any:
    """A running domain, which the test driver gives a screen and statistics."""
    return driver.start("evidence")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of eight pages."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_evidence(driver: Driver, domain: Any, tmp_path: Path) -> None:
    screen, document = map(Path, _evidence.collect(driver.connection, domain, str(tmp_path), DOCUMENT))
    assert screen.read_bytes().startswith(PNG)
    written = json.loads(document.read_text(encoding="utf-8"))
    assert written == {**DOCUMENT, "screenshot": screen.name, "statistics": written["statistics"]}
    assert written["statistics"]["state.state"] == libvirt.VIR_DOMAIN_RUNNING
    assert screen.parent == document.parent and screen.parent.name.startswith("web01-20261123T101203204Z-")
    assert (mode(screen), mode(document), mode(screen.parent)) == (0o600, 0o600, 0o700)


def test_evidence_of_the_same_moment_does_not_overwrite(driver: Driver, domain: Any, tmp_path: Path) -> None:
    for dummy in range(2):
        _evidence.collect(driver.connection, domain, str(tmp_path), DOCUMENT)
    assert len(list(tmp_path.glob("*/evidence.json"))) == 2


@pytest.mark.parametrize(
    "name",
    ["../../etc/x", "a/b\0", "/etc/passwd", "..", ".", "", "-rf", "a\nb", "W\u00e9b \u202e", "x" * 300, "\ud800"],
)
def test_no_name_leads_out_of_the_folder(driver: Driver, domain: Any, tmp_path: Path, name: str) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    paths = _evidence.collect(driver.connection, domain, str(inner), {**DOCUMENT, "name": name})
    assert len({Path(path).resolve().parent for path in paths}) == 1
    assert all(Path(path).resolve().parent.parent == inner.resolve() for path in paths)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(map(Path, paths))
    assert json.loads(Path(paths[-1]).read_text(encoding="utf-8"))["name"] == name


def test_a_screen_that_libvirt_does_not_give_is_noted(domain: Any, tmp_path: Path) -> None:
    closed = libvirt.open(URI)
    closed.close()
    (document,) = map(Path, _evidence.collect(closed, domain, str(tmp_path), DOCUMENT))
    written = json.loads(document.read_text(encoding="utf-8"))
    assert written["screenshot"].startswith("none: libvirtError: ")
    assert written["statistics"]["state.state"] == libvirt.VIR_DOMAIN_RUNNING
    assert written["timeline"] == DOCUMENT["timeline"]
    assert list(document.parent.iterdir()) == [document]


def test_statistics_that_libvirt_does_not_give_are_noted(driver: Driver, tmp_path: Path) -> None:
    (document,) = map(Path, _evidence.collect(driver.connection, "no domain", str(tmp_path), DOCUMENT))
    assert json.loads(document.read_text(encoding="utf-8"))["statistics"].startswith("none: libvirtError: ")


def test_a_screen_that_is_too_large_is_noted(
    driver: Driver, domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_evidence, "SCREENSHOT_LIMIT", 1000)
    (document,) = map(Path, _evidence.collect(driver.connection, domain, str(tmp_path), DOCUMENT))
    reason = json.loads(document.read_text(encoding="utf-8"))["screenshot"]
    assert reason == "none: ValueError: the screenshot (image/png) is larger than 1000 bytes"


def test_a_screen_for_which_there_is_no_room_is_noted(driver: Driver, domain: Any, small: Path) -> None:
    (document,) = map(Path, _evidence.collect(driver.connection, domain, str(small), DOCUMENT))
    assert "No space left" in json.loads(document.read_text(encoding="utf-8"))["screenshot"]
    assert list(document.parent.iterdir()) == [document]


def test_no_room_at_all(driver: Driver, domain: Any, small: Path) -> None:
    with pytest.raises(OSError, match="No space left"), (small / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    with pytest.raises(OSError, match="No space left"):
        _evidence.collect(driver.connection, domain, str(small), DOCUMENT)
    assert [path for path in small.rglob("*") if path.is_file()] == [small / "filler"]


def test_the_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "evidence"
    for dummy in range(2):
        _evidence.prepare(str(folder))
        assert mode(folder) == 0o700 and list(folder.iterdir()) == []


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    _evidence.prepare(str(tmp_path))
    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("folder", ["", "file", "file/below", "a\0b", "/proc/no/such"])
def test_a_folder_that_cannot_be_used(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(_evidence.EvidenceError) as raised:
        _evidence.prepare(folder)
    assert f"evidence_dir {folder!r} cannot be written to (" in str(raised.value)


def test_a_read_only_file_system(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with pytest.raises(_evidence.EvidenceError, match="Read-only file system"):
        _evidence.prepare(str(small))
