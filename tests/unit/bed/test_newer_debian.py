# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mirror without the next Debian is an error that says so, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from bed import newer_debian, newer_libvirt


def test_a_mirror_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newer_debian, "mirror", lambda: f"file://{tmp_path}/nowhere")
    with pytest.raises(newer_debian.NewerDebianError, match="cannot be had from the mirror of this machine's apt"):
        newer_libvirt.command(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["trixie-libvirt.lock"]


def test_the_mirror_is_the_one_that_apt_uses() -> None:
    assert "://" in newer_debian.mirror()
