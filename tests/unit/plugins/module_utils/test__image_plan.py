# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written into which hive, and in which order the hives are replaced."""

from __future__ import annotations

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import POWER_POLICY, POWER_SCHEMES, Value
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build
from ansible_collections.winguest.shutdown.plugins.module_utils._hives import Setting
from ansible_collections.winguest.shutdown.plugins.module_utils._image_files import ImageFilesError
from ansible_collections.winguest.shutdown.plugins.module_utils._image_plan import plan
from ansible_collections.winguest.shutdown.plugins.module_utils._image_reading import (
    ImageHive,
    ImageReading,
    in_hive,
    in_image,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import MODES, Finding, findings
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import Hive, Seen

BUTTON = r"4f971e89-eebd-4455-a8de-9e59040e7347\7648efa3-dd9c-4e3e-b566-50f929386280"
POLICY = rf"{POWER_POLICY}\{BUTTON.rpartition(chr(92))[2]}"
ALICE = "S-1-5-21-1-2-3-1001"
ONE, TWO = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
CURRENT = "ControlSet001"


def image(policy: dict[str, int] | None = None, schemes: dict[tuple[str, str], Value] | None = None) -> ImageReading:
    """One with two power schemes and one user, in which nothing has been set."""
    found = ImageReading(control_set=CURRENT)
    reading = found.reading
    reading.schemes, reading.schemes_trouble = (ONE, TWO), ""
    for mode in MODES.values():
        reading.begin_scan(POWER_SCHEMES, mode)
        number = (policy or {}).get(mode)
        reading.put(POLICY, mode, Seen(None if number is None else Value("REG_DWORD", number)))
    for (scheme, mode), value in (schemes or {}).items():
        reading.put(rf"{POWER_SCHEMES}\{scheme}\{BUTTON}", mode, Seen(value))
    reading.add_hives([Hive(ALICE, "stored"), Hive("default", "default"), Hive(".DEFAULT", "system")])
    for name in (*(hive.name for hive in reading.hives), "SOFTWARE", "SYSTEM"):
        found.hives[name] = ImageHive(name, f"path of {name}")
    for hive in reading.hives:
        reading.put(hive.key("Control Panel\\Desktop"), "AutoEndTasks", Seen())
    return found


def wrong(found: ImageReading, *rows: str) -> list[Finding]:
    """What is to be mended of these rows."""
    catalogue = build([row for row in ROWS if row.id in rows])
    states = ("differs", "managed_by_policy")
    return [finding for finding in findings(catalogue, found.reading) if finding.state in states]


def written(scheme: str, mode: str, data: int | None = 3) -> Setting:
    key = rf"{CURRENT}\Control\Power\User\PowerSchemes\{scheme}\{BUTTON}"
    return Setting(key, mode, "REG_DWORD", data)


def test_every_scheme_on_ac_and_dc_where_it_is_not_as_wanted() -> None:
    right, other = Value("REG_DWORD", 3), Value("REG_QWORD", 3)
    found = image(schemes={(ONE, "ACSettingIndex"): right, (TWO, "ACSettingIndex"): other})
    assert plan(wrong(found, "power_button_action"), found) == {
        "path of SYSTEM": [written(TWO, "ACSettingIndex"), *(written(one, "DCSettingIndex") for one in (ONE, TWO))]
    }


def test_a_policy_that_stays_and_one_that_is_right_leave_the_schemes_alone() -> None:
    found = image(policy={"ACSettingIndex": 3})
    settings = [written(scheme, "DCSettingIndex") for scheme in (ONE, TWO)]
    assert plan(wrong(found, "power_button_action"), found) == {"path of SYSTEM": settings}
    found = image(policy={"ACSettingIndex": 0})
    differs = [finding for finding in wrong(found, "power_button_action") if finding.state == "differs"]
    assert plan(differs, found) == {"path of SYSTEM": settings}


def test_a_policy_goes_when_the_schemes_are_as_they_should_be() -> None:
    found = image(policy={"ACSettingIndex": 0, "DCSettingIndex": 3})
    hives = plan(wrong(found, "power_button_action"), found)
    assert list(hives) == ["path of SYSTEM", "path of SOFTWARE"]
    assert hives["path of SYSTEM"] == [written(scheme, "ACSettingIndex") for scheme in (ONE, TWO)]
    assert hives["path of SOFTWARE"] == [
        Setting(POLICY.partition("SOFTWARE\\")[2], "ACSettingIndex", "REG_DWORD", None)
    ]


def test_users_first_and_policies_last() -> None:
    found = image()
    for key, name in (
        (r"HKLM\SYSTEM\CurrentControlSet\Control\Power", "HibernateEnabled"),
        (r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT", "DontPowerOffAfterShutdown"),
    ):
        found.reading.put(key, name, Seen(Value("REG_DWORD", 1)))
    hives = plan(wrong(found, "auto_end_tasks", "hibernation", "stays_on_after_shutdown"), found)
    *users, system, software = hives
    assert sorted(users) == ["path of .DEFAULT", f"path of {ALICE}", "path of default"]
    assert (system, software) == ("path of SYSTEM", "path of SOFTWARE")
    assert hives[f"path of {ALICE}"] == [Setting("Control Panel\\Desktop", "AutoEndTasks", "REG_SZ", "1")]
    assert hives[system] == [Setting(rf"{CURRENT}\Control\Power", "HibernateEnabled", "REG_DWORD", 0)]
    assert hives[software] == [Setting(r"Policies\Microsoft\Windows NT", "DontPowerOffAfterShutdown", "REG_DWORD", 0)]


def test_users_who_share_a_hive_have_it_written_once() -> None:
    found = image()
    found.hives[ALICE].path = found.hives["default"].path
    hives = plan(wrong(found, "auto_end_tasks"), found)
    assert {path: len(settings) for path, settings in hives.items()} == {"path of default": 1, "path of .DEFAULT": 1}


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (r"HKLM\SOFTWARE\Microsoft", ("SOFTWARE", "Microsoft")),
        (r"HKLM\SYSTEM\CurrentControlSet\Control", ("SYSTEM", r"ControlSet001\Control")),
        (r"HKLM\System\CURRENTCONTROLSET\Control", ("SYSTEM", r"ControlSet001\Control")),
        (r"HKLM\SYSTEM\Setup", ("SYSTEM", "Setup")),
        (r"HKLM\COMPONENTS", ("COMPONENTS", "")),
    ],
)
def test_keys_in_hives(key: str, told: tuple[str, str]) -> None:
    assert in_hive(key, CURRENT) == told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (r"C:\Users\alice", "Users/alice"),
        (r"c:\Users\alice", "Users/alice"),
        ("C:/Users/alice", "Users/alice"),
        (r"%SystemDrive%\Users\a\b", "Users/a/b"),
        (r"%systemroot%\System32", "Windows/System32"),
        (r"%WINDIR%\System32", "Windows/System32"),
        (r"D:\Users", None),
        ("C:Users", None),
        (r"%ProgramData%\x", None),
        ("", None),
    ],
)
def test_paths_in_images(path: str, told: str | None) -> None:
    if told is None:
        with pytest.raises(ImageFilesError, match="is not on the drive C: of Windows"):
            in_image(path, "C:")
    else:
        assert in_image(path, "C:") == told
