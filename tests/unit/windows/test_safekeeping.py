# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of a domain besides its disks; the rest is tested on a real libvirt."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from windows import safekeeping

DISKS = """
<domain><devices>
  <disk type='file' device='disk'><target dev='vda'/></disk>
  <disk type='block' device='lun'><target dev='sdb'/></disk>
  <disk type='file'><target dev='vdc'/></disk>
  <disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>
  <disk type='file' device='disk'><target dev='vdd'/><readonly/></disk>
</devices></domain>
"""


def test_only_what_a_guest_writes_to_is_kept() -> None:
    written = safekeeping._written(ET.fromstring(DISKS))
    assert [safekeeping._target(disk) for disk in written] == ["vda", "sdb", "vdc"]


def test_a_file_is_put_back_as_it_was(tmp_path: Path) -> None:
    variables, kept = tmp_path / "nvram.fd", tmp_path / "kept"
    variables.write_bytes(b"before")
    variables.chmod(0o640)
    safekeeping._copy(variables, kept)
    variables.write_bytes(b"after")
    variables.chmod(0o600)
    safekeeping._replace(kept, variables)
    assert variables.read_bytes() == b"before" and variables.stat().st_mode & 0o777 == 0o640


def test_a_folder_is_put_back_as_it_was(tmp_path: Path) -> None:
    state, kept = tmp_path / "tpm", tmp_path / "kept"
    (state / "tpm2").mkdir(parents=True)
    (state / "tpm2" / "permall").write_bytes(b"before")
    safekeeping._copy(state, kept)
    (state / "tpm2" / "permall").write_bytes(b"after")
    (state / "tpm2" / "new").touch()
    safekeeping._replace(kept, state)
    assert [path.name for path in (state / "tpm2").iterdir()] == ["permall"]
    assert (state / "tpm2" / "permall").read_bytes() == b"before"


def test_what_was_not_there_is_taken_away(tmp_path: Path) -> None:
    made = tmp_path / "nvram.fd"
    made.touch()
    safekeeping._replace(tmp_path / "never kept", made)
    assert not made.exists()


def test_a_note_is_for_nobody_else(tmp_path: Path) -> None:
    safekeeping._write(tmp_path / "domain.xml", "<domain passwd='x'/>")
    assert (tmp_path / "domain.xml").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["domain.xml"]
