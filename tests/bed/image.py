# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Windows that does not run: the registry of a simulated Windows guest as hives in a folder, which is like drive C.

Only the hives are there, as files in Windows' binary format, and whatever a test adds. They are read by regipy, which
has nothing in common with what the collection reads and writes them with.
"""

from __future__ import annotations

import atexit
import functools
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from checkout import CACHE
from regipy.registry import NKRecord, RegistryHive

from bed import regf
from bed.module import Answer, ModuleCall, Modules
from bed.windows.blockers import Changes, merged, with_changes
from bed.windows.keys import CONTROL
from bed.windows.places import Contents
from bed.windows.snapshot import Value
from bed.windows.systems import (
    ADMINISTRATOR,
    NEW_USER,
    SERVER_2022,
    SIGN_IN_DESKTOP,
    USERS,
    System,
    profile_values,
    registry,
)
from bed.windows.typed import dword, string

REMOTE = CACHE / "ansible" / "remote"
"""Where the modules have their temporary files."""

MEND, AUDIT = "image_readiness", "image_readiness_info"

PROFILES = (ADMINISTRATOR, *USERS, NEW_USER)
CONFIG = "Windows/System32/config"
SOFTWARE, SYSTEM, DEFAULT = (f"{CONFIG}/{name}" for name in ("SOFTWARE", "SYSTEM", "DEFAULT"))

COMPONENTS = r"HKLM\COMPONENTS"
CURRENT, CONTROL_SET = r"HKLM\SYSTEM\CurrentControlSet", r"HKLM\SYSTEM\ControlSet002"
"""What is CurrentControlSet in a guest that runs has a number in its hive."""

IN_MEMORY = rf"{CONTROL}\ComputerName\ActiveComputerName"
"""A key that no hive has."""

SELECT = {name: dword(number) for name, number in {"Current": 2, "Default": 2, "Failed": 0, "LastKnownGood": 1}.items()}
OTHERS: Changes = {
    r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion": {"SystemRoot": string(r"C:\Windows")},
    r"HKLM\SYSTEM\Select": SELECT,
    r"HKLM\SYSTEM\ControlSet001\Control": {"WaitToKillServiceTimeout": string("an older set")},
}


def hive_of(sid: str) -> str:
    """The path of a user's hive; of Default, it is that of new users."""
    (profile,) = [one for one in PROFILES if one.sid == sid]
    return "/".join((*PureWindowsPath(profile.folder).parts[1:], "NTUSER.DAT"))


ROOTS = {
    r"HKLM\SOFTWARE": SOFTWARE,
    r"HKLM\SYSTEM": SYSTEM,
    rf"HKU\{SIGN_IN_DESKTOP}": DEFAULT,
    **{rf"HKU\{profile.sid}": hive_of(profile.sid) for profile in PROFILES},
}
"""The hives, by the key that each has the contents of."""


COPIES = {
    key: "NTUSER.DAT" if path == hive_of(NEW_USER.sid) else path if key.startswith(r"HKU\S-") else Path(path).name
    for key, path in ROOTS.items()
}
"""The same where they are copies in one folder."""


def hives(system: System = SERVER_2022, *changes: Changes) -> dict[str, bytes]:
    """All hives of a Windows with these changes, by path."""
    profiles = {rf"HKU\{profile.sid}\{key}": values for profile in PROFILES for key, values in profile_values().items()}
    keys = with_changes({**registry(system), **profiles}, merged(OTHERS, *changes))
    keys.pop(IN_MEMORY, None)
    # Windows has kept the older version for users.
    minors = {root: 3 if root.startswith("HKU") else 5 for root in ROOTS}
    return {path: regf.hive(_below(root, keys), minor=minors[root]) for root, path in ROOTS.items()}


def make(root: Path, system: System = SERVER_2022, *changes: Changes) -> Path:
    """A folder with all hives of a Windows with these changes where Windows has them."""
    for path, contents in hives(system, *changes).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(contents)
    return root


def make_folder_of_hives(folder: Path, system: System = SERVER_2022, *changes: Changes) -> Path:
    """The same hives as copies in one folder, but for those of users."""
    made = hives(system, *changes)
    for key, path in COPIES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(made[ROOTS[key]])
    return folder


def add_components(root: Path, changes: Changes) -> None:
    """Add the hive of the component store, with what changes has for it."""
    keys = with_changes({COMPONENTS: {}}, changes)
    (root / CONFIG / "COMPONENTS").write_bytes(regf.hive(_below(COMPONENTS, keys)))


def contents(root: Path, roots: Mapping[str, str] | None = None) -> Contents:
    """All that the hives hold, as a guest that runs would have it."""
    found: Contents = {}
    for key, path in (ROOTS if roots is None else roots).items():
        found.update(read(root / path, key))
    return {_as_current(key): values for key, values in found.items() if not _is_older(key)}


def read(hive: Path, key: str = "") -> Contents:
    """All that a hive holds, with this key for its root."""
    found: Contents = {}
    _walk(RegistryHive(str(hive)).root, key, found)
    return found


def state(root: Path) -> dict[str, bytes]:
    """Every file below a folder, byte for byte."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@functools.cache
def _modules() -> Modules:
    modules = Modules()
    atexit.register(modules.close)
    return modules


def call(module: str, check_mode: bool = False, diff: bool = False, **options: Any) -> Answer:
    """Run one of the modules to its end, by the Python that has hivex."""
    return _modules().call(module, _arguments(options), check_mode, diff)


def begin(module: str, **options: Any) -> ModuleCall:
    """Run one of the modules as Ansible does, and do not wait."""
    return ModuleCall(module, _arguments(options))


def _arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    return {"_ansible_remote_tmp": str(REMOTE), **plain}


def _below(root: str, keys: Contents) -> regf.Keys:
    """What is below a key, by path below it."""
    numbered = {key.replace(CURRENT, CONTROL_SET, 1): values for key, values in keys.items()}
    return {key[len(root) + 1 :]: values for key, values in numbered.items() if f"{key}\\".startswith(f"{root}\\")}


def _as_current(key: str) -> str:
    return key.replace(CONTROL_SET, CURRENT, 1)


def _is_older(key: str) -> bool:
    return key.startswith(r"HKLM\SYSTEM\ControlSet001")


def _walk(node: NKRecord, key: str, found: Contents) -> None:
    found[key] = {value.name: Value(str(value.value_type), _data(value)) for value in node.iter_values()}
    for child in node.iter_subkeys():
        _walk(child, rf"{key}\{child.name}" if key else child.name, found)


def _data(value: Any) -> Any:
    if value.value_type == "REG_MULTI_SZ":
        return [text for text in value.value if text]
    return value.value
