# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of runs is one's own, or it is not used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _places
from ansible_collections.winguest.shutdown.plugins.module_utils._places import PlaceError, make_private, runtime_folder


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime_folder() == "/run/winguest"
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(_places.tempfile, "gettempdir", lambda: "/tmp")
    assert runtime_folder() == "/tmp/winguest-4711"
    monkeypatch.setattr(os.path, "isdir", lambda path: path == "/run/user/4711")
    assert runtime_folder() == "/run/user/4711/winguest"


def test_it_is_made_and_found_again(tmp_path: Path) -> None:
    folder = str(tmp_path / "a" / "b")
    assert make_private(folder) == make_private(folder) == folder
    assert os.stat(folder).st_mode & 0o777 == 0o700


def test_what_is_not_private_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o770)
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 4711, 4711)
    for name, complaint in (
        ("file", "cannot be made"),
        ("link", "must be"),
        ("open", "must be"),
        ("theirs", "must be"),
    ):
        with pytest.raises(PlaceError, match=complaint) as raised:
            make_private(str(tmp_path / name))
        assert str(tmp_path / name) in str(raised.value)
