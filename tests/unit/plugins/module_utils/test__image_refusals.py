# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why an image is refused, from made-up circumstances."""

from __future__ import annotations

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_refusals as refusals
from ansible_collections.winguest.shutdown.plugins.module_utils._image_refusals import (
    KINDS,
    ImageFile,
    ImageRefused,
    Refusal,
    Use,
    Volume,
)

C = Volume("/dev/sda2", "ntfs", windows=True)
RESERVED = Volume("/dev/sda1", "ntfs")


def kinds(found: object) -> list[tuple[str, bool]]:
    """The refusals' kinds, and whether they forbid reading."""
    assert not isinstance(found, str)
    return [(refusal.kind, refusal.reading) for refusal in found]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("file", "in_place", "expected"),
    [
        (ImageFile("file", 1, True), True, []),
        (ImageFile("file", 1, False), True, [("read_only", False)]),
        (ImageFile("file", 2, True), True, [("unsupported", False)]),
        (ImageFile("device", 1, True), True, [("unsupported", False)]),
        (ImageFile("other", 1, True), False, [("unsupported", True)]),
        (ImageFile("device", 2, False), False, []),
    ],
)
def test_files(file: ImageFile, in_place: bool, expected: list[tuple[str, bool]]) -> None:
    assert kinds(refusals.of_file(file, in_place)) == expected


@pytest.mark.parametrize(
    ("use", "in_place", "expected"),
    [
        (Use("vm", "off", 0), True, []),
        (Use("vm", "running", 0), True, [("in_use", True)]),
        (Use("vm", "running", 0), False, [("in_use", True)]),
        (Use("vm", "saved", 0), False, [("in_use", False)]),
        (Use("vm", "off", 1), True, [("backing", False)]),
        (Use("vm", "running", 2), True, [("backing", False)]),
        (Use("vm", "running", 1), False, []),
    ],
)
def test_domains(use: Use, in_place: bool, expected: list[tuple[str, bool]]) -> None:
    assert kinds(refusals.of_uses([use], in_place)) == expected


def test_locks_and_overlays() -> None:
    assert kinds(refusals.of_locks("written", in_place=False)) == [("in_use", True)]
    assert kinds(refusals.of_locks("used", in_place=True)) == [("in_use", False)]
    assert kinds(refusals.of_locks("used", in_place=False)) == kinds(refusals.of_locks("", in_place=True)) == []
    assert kinds(refusals.of_overlays(["/a", "/b"], in_place=True)) == [("backing", False)] * 2
    assert kinds(refusals.of_overlays(["/a"], in_place=False)) == []
    assert kinds(refusals.of_dirt(True)) == [("dirty", False)]
    assert kinds(refusals.of_dirt(False)) == []


@pytest.mark.parametrize(
    ("volumes", "kind"),
    [
        ([], "no_windows"),
        ([RESERVED, Volume("/dev/sda", "")], "no_windows"),
        ([RESERVED, Volume("/dev/sda2", "bitlocker")], "encrypted"),
        ([RESERVED, Volume("/dev/sda2", "luks")], "encrypted"),
        ([C, Volume("/dev/sda3", "ntfs", windows=True)], "several_windows"),
    ],
)
def test_volumes_without_the_one_windows(volumes: list[Volume], kind: str) -> None:
    found = refusals.volume_of_windows(volumes)
    assert isinstance(found, Refusal)
    assert (found.kind, found.reading) == (kind, True)


def test_the_one_windows_is_found_beside_what_is_encrypted() -> None:
    assert refusals.volume_of_windows([RESERVED, C, Volume("/dev/sda3", "bitlocker")]) == "/dev/sda2"


def test_a_refusal_is_one_sentence_with_the_image_the_reason_and_the_cure() -> None:
    error = ImageRefused("/images/a.qcow2", Refusal("dirty", "it is dirty", "clean it"))
    assert str(error) == "/images/a.qcow2: it is dirty; clean it"
    assert error.kind in KINDS
