# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_readiness on folders with hives that the tests make: what it finds, mends, refuses and leaves alone.

What it has written is read by another reader than its own (bed.image).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    Data,
    Events,
    File,
    Process,
    RegistryKey,
    RegistryValue,
    Row,
    ServiceValues,
    TwoValues,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._image_readiness import ROWS
from ansible_collections.winguest.shutdown.plugins.modules import image_readiness, image_readiness_info
from bed import image, regf
from bed.acpi_guest import DiskState
from bed.guests import Bed
from bed.image import AUDIT, MEND
from bed.module import Answer
from bed.windows import keys, model, power
from bed.windows.blockers import Changes, merged
from bed.windows.guest import SimulatedWindows
from bed.windows.places import Contents, Place, changes, places, value, with_places
from bed.windows.situation import Situation
from bed.windows.snapshot import Snapshot
from bed.windows.systems import ALICE, BJOERN, NEW_USER, SERVER_2022, SIGN_IN_DESKTOP, WINDOWS_11
from bed.windows.typed import dword, expandable, string, strings
from integration.guests import off, press
from unit.plugins.modules.test_guest_readiness import compare

ROW = {row.id: row for row in ROWS}
OFFLINE = [row.id for row in ROWS if row.offline]
ENFORCED = [row.id for row in ROWS if row.enforced]
ONLY_READ = [row.id for row in ROWS if not row.writable]

WRONG: dict[str, Data] = {
    "automatic_updates": 0,
    "automatic_updates_option": 4,
    "updates_wait_for_users": 1,
    "event_tracker_policy": 1,
    "event_tracker_policy_ui": 1,
    "event_tracker_local": 1,
    "event_tracker_local_ui": 1,
    "event_tracker_state_data": 1,
    "shutdown_without_logon": 0,
    "other_users_warning": 0xFFFFFFFF,
    "inactivity_lock": 900,
    "auto_end_tasks": "0",
    "hung_app_timeout": "100",
    "wait_to_kill_timeout": "600000",
    "console_programs_may_block": 1,
    "quick_resolver_timeout": "1",
    "process_terminate_timeout": "1",
    "critical_app_timeout": "1",
    "critical_app_cleanup_timeout": "1",
    "hung_session_timeout": 15,
    "policy_script_wait": 0,
    "wait_to_kill_service": "600000",
    "clear_page_file": 1,
    "power_button_action": 0,
    "power_button_forced_shutdown": 0,
    "sleep_button_action": 1,
    "display_idle_timeout": 600,
    "display_idle_timeout_locked": 60,
    "sleep_idle_timeout": 1800,
    "hibernate_idle_timeout": 3600,
    "unattended_sleep_timeout": 120,
    "hybrid_sleep": 1,
    "standby_allowed": 1,
    "hibernation": 1,
    "fast_startup": 1,
    "fast_startup_policy": 1,
    "modern_standby_override": 1,
    "connected_standby": 1,
    "update_wakes_guest": 1,
    "shut_down_hidden_from_user": 1,
    "shut_down_hidden_from_all": 1,
    "sign_out_hidden": 1,
    "task_manager_forbidden": 1,
    "lock_forbidden": 1,
    "stays_on_after_shutdown": 1,
    "error_boxes_answered": 0,
    "status_messages": 0,
    "power_options_hidden": 1,
    "shut_down_hidden_by_device_policy": 1,
    "power_button_hidden_by_device_policy": 1,
}
"""A wrong value of each row that can be set offline. One that has none fails its test."""

READ_WRONG: dict[str, Data] = {
    "server_manager_restart_required": 1,
    "pending_file_renames": (r"\??\C:\old", r"\??\C:\new"),
    "pending_file_renames_2": (r"\??\C:\old", r"\??\C:\new"),
    "update_exe_volatile": 1,
    "media_features_reboot": "1",
    "unexplained_stop": 1,
    "power_button_suppression": 1,
    "power_scheme_policy": power.BALANCED,
    "volume_check_scheduled": ("autocheck autochk /r C:",),
    "setup_in_progress": 1,
    "first_run_in_progress": 1,
    "setup_scheduled": 1,
    "guest_agent_start": 3,
    "component_store_corrupt": 1,
    "component_store_unserviceable": 1,
    "defender_forbidden": 1,
    "defender_disabled": 1,
    "defender_not_in_real_time": 1,
}
"""The same for values that are only read."""

ALL_WRONG = merged(*(changes(ROW[ident], data) for ident, data in WRONG.items()))
POLICY = rf"{power.POLICY_KEY}\{power.POWER_BUTTON.guid}"


def found(answer: Answer, ident: str) -> dict[str, dict[str, Any]]:
    """What was found of a row, by place."""
    return {one["location"]: one for one in answer.returned["findings"] if one["id"] == ident}


def where(row: Row) -> dict[str, Place]:
    """The places of a row in an image, in which no user is signed in, as its findings call them."""
    named = {}
    for place in places(row):
        stored = place.key.startswith(r"HKU\S-") and not place.location.endswith(")")
        named[f"{place.location} (stored)" if stored else place.location] = place
    return named


def failure(answer: Answer) -> str:
    """Why it has failed."""
    assert answer.failed and answer.exit_status == 1, answer.returned
    return str(answer.returned["msg"])


# ---- every row that can be set offline


class Story:
    """One image in which all that can be set is wrong, from the audit to a second run."""

    def __init__(self, root: Path) -> None:
        image.make(root, SERVER_2022, ALL_WRONG)
        original = image.state(root)
        self.before = image.contents(root)
        self.audit = image.call(AUDIT, root=root)
        self.checked = image.call(MEND, True, True, root=root, rows=OFFLINE)
        assert image.state(root) == original
        self.mended = image.call(MEND, False, True, root=root, rows=OFFLINE)
        self.after = image.contents(root)
        mended = image.state(root)
        self.again = image.call(MEND, root=root, rows=OFFLINE)
        assert image.state(root) == mended
        assert mended.keys() == original.keys()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("image"))


@pytest.mark.xdist_group("image")
@pytest.mark.parametrize("ident", OFFLINE)
def test_a_row_is_found_and_mended_offline(story: Story, ident: str) -> None:
    assert ident in WRONG, f"say in WRONG what a wrong value of {ident} is"
    row, wrong = ROW[ident], WRONG[ident]
    assert not row.desired.accepts(wrong)
    state = "differs" if row.grade == "verified" else "unverified"
    for answer in (story.audit, story.checked, story.mended):
        assert found(answer, ident).keys() == where(row).keys()
        for finding in found(answer, ident).values():
            assert finding["desired"] == row.desired.data
            assert finding["actual_before"] == wrong
    assert {one["state"] for one in found(story.audit, ident).values()} == {state}
    assert {one["state"] for one in found(story.checked, ident).values()} == {"differs"}
    for finding in found(story.mended, ident).values():
        assert (finding["actual"], finding["state"]) == (row.desired.data, "fixed"), finding
    for place in where(row).values():
        wanted = None if row.desired.data is None else place.holding(row.desired.data)
        assert value(story.before, place) == place.holding(wrong)
        assert value(story.after, place) == wanted
    assert {one["state"] for one in found(story.again, ident).values()} == {"ok"}


def test_no_wrong_value_is_of_a_row_that_cannot_be_set() -> None:
    assert set(WRONG) == set(OFFLINE)
    assert set(READ_WRONG) == {row.id for row in ROWS if not row.writable and isinstance(row.location, RegistryValue)}


@pytest.mark.xdist_group("image")
def test_nothing_else_is_changed_and_a_second_run_changes_nothing(story: Story) -> None:
    everywhere = [place for ident in OFFLINE for place in places(ROW[ident])]
    assert with_places(story.after, story.before, everywhere) == story.before
    assert [answer.returned["changed"] for answer in (story.audit, story.checked, story.mended, story.again)] == [
        *(False, True, True, False)
    ]
    assert story.again.returned["totals"]["fixed"] == 0
    assert all(hive["changed"] for hive in story.mended.returned["hives"])
    assert not any(hive["changed"] for hive in story.again.returned["hives"])
    assert story.mended.returned["verdicts"]["power_button"] == "ready"


@pytest.mark.xdist_group("image")
def test_the_diff_of_check_mode_is_that_of_the_run(story: Story) -> None:
    assert story.checked.returned["diff"] == story.mended.returned["diff"]
    assert r"HKU\default\Control Panel\Desktop\AutoEndTasks (default) = 0" in story.mended.returned["diff"]["before"]
    assert r"HKU\default\Control Panel\Desktop\AutoEndTasks (default) = 1" in story.mended.returned["diff"]["after"]
    assert "diff" not in story.again.returned


@pytest.mark.xdist_group("image")
def test_what_is_returned_is_what_is_documented(story: Story) -> None:
    for answer, module in ((story.mended, image_readiness), (story.audit, image_readiness_info)):
        documented = yaml.safe_load(module.RETURN)
        returned = {name: told for name, told in answer.returned.items() if name in documented}
        assert answer.returned.keys() - documented.keys() <= {"changed", "diff", "invocation"}
        compare(documented, returned, "")


@pytest.mark.parametrize("folder", ["root", "hives"])
def test_what_is_missing_is_created_with_the_right_type(tmp_path: Path, folder: str) -> None:
    make = image.make if folder == "root" else image.make_folder_of_hives
    gone: Changes = {keys.desktop(sid): {"Wallpaper": None} for sid in (SIGN_IN_DESKTOP, ALICE.sid)}
    make(tmp_path, WINDOWS_11, gone)
    source: dict[str, Any] = {folder: tmp_path}
    answer = image.call(MEND, **source)
    assert answer.returned["changed"], answer.returned
    hives = image.ROOTS if folder == "root" else image.COPIES
    after = image.contents(tmp_path, hives)
    for ident in ENFORCED:
        for location, place in where(ROW[ident]).items():
            # What is fine without a value, as a policy, stays without one.
            if found(answer, ident)[location]["state"] == "fixed":
                assert value(after, place) == place.holding(ROW[ident].desired.data), place
            else:
                assert value(after, place) is None or found(answer, ident)[location]["state"] == "ok"
    assert found(answer, "power_button_action")
    assert {one["state"] for one in found(answer, "power_button_action").values()} == {"fixed"}
    assert not image.call(MEND, **source).returned["changed"]


# ---- what is only read


def seen(row: Row) -> tuple[Changes, str]:
    """What makes an image show a row, in its registry or as a file."""
    place = row.location
    if isinstance(place, RegistryKey):
        return {rf"{place.key}\one" if place.subkeys else place.key: {}}, ""
    if isinstance(place, File):
        path = place.path.replace("%SystemRoot%", "Windows").replace("%SystemDrive%\\", "").replace("\\", "/")
        folder, dummy, name = path.rpartition("/")
        return {}, f"{folder}/{name.upper()}" if folder else name.upper()
    if isinstance(place, RegistryValue):
        data = READ_WRONG[row.id]
        held = Place("", place.key, place.name, place.type).holding(data)
        return {place.key: {place.name: held}}, ""
    if isinstance(place, TwoValues):
        return {place.one.key: {place.one.name: string("OTHER")}}, ""
    return {}, ""  # ServiceValues: every Windows has some


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """An image in which all is seen that can be, and one in which nothing is."""
    answers = {}
    for name in ("wrong", "sound"):
        root = tmp_path_factory.mktemp(name)
        marks = [seen(ROW[ident]) for ident in ONLY_READ] if name == "wrong" else []
        wrong = merged(*(change for change, dummy in marks), {rf"{keys.SERVICES}\QEMU-GA": {}})
        if name == "sound":
            wrong = merged(wrong, {rf"{keys.SERVICES}\QEMU-GA": {"Start": dword(2)}})
        image.make(root, SERVER_2022, wrong)
        image.add_components(root, wrong)
        for path in (path for dummy, path in marks if path):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        answers[name] = image.call(AUDIT, root=root)
    return answers


@pytest.mark.xdist_group("image")
@pytest.mark.parametrize("ident", ONLY_READ)
def test_what_is_only_read_is_seen(audited: dict[str, Answer], ident: str) -> None:
    row = ROW[ident]
    wrong, sound = (found(audited[name], ident).values() for name in ("wrong", "sound"))
    if isinstance(row.location, (Events, Process)) or ident == "computer_rename":
        for finding in (*wrong, *sound):
            assert (finding["state"], finding["actual"]) == ("not_in_image", None)
            assert finding["detail"] == "it is seen in a running guest only"
    elif isinstance(row.location, ServiceValues):
        assert {finding["state"] for finding in wrong} == {"differs"}
    else:
        assert [finding["state"] for finding in wrong] == ["differs"], wrong
        assert [finding["state"] for finding in sound] == ["ok"], sound


@pytest.mark.xdist_group("image")
def test_hints_and_verdicts_are_of_what_an_image_shows(audited: dict[str, Answer]) -> None:
    wrong, sound = (audited[name].returned for name in ("wrong", "sound"))
    assert (wrong["hints"]["pending_servicing"], sound["hints"]["pending_servicing"]) == (True, False)
    assert (wrong["verdicts"]["updates"], sound["verdicts"]["updates"]) == ("prolonged", "ready")
    assert sound["hints"]["recommended_methods"] == ["guest_shutdown", "agent"]
    assert sound["system"] == {"product": SERVER_2022.name, "build": SERVER_2022.build, "server": True}
    assert sound["totals"]["not_in_image"] == sum(
        isinstance(row.location, (Events, Process)) or row.id == "computer_rename" for row in ROWS
    )


def test_a_folder_of_hives_shows_no_files(tmp_path: Path) -> None:
    image.make_folder_of_hives(tmp_path)
    answer = image.call(AUDIT, hives=tmp_path, problems_only=True)
    assert answer.returned["totals"]["unreadable"] == 2  # there is no COMPONENTS
    assert "not_in_image" not in {finding["state"] for finding in answer.returned["findings"]}
    (finding,) = found(image.call(AUDIT, hives=tmp_path, rows=["pending_transaction"]), "pending_transaction").values()
    assert (finding["state"], finding["detail"]) == ("not_in_image", "a folder of hives does not show it")


# ---- control sets, profiles, policies


def test_only_the_current_control_set_is_changed(tmp_path: Path) -> None:
    image.make(tmp_path)
    older = image.read(tmp_path / image.SYSTEM)[r"ControlSet001\Control"]
    image.call(MEND, root=tmp_path, rows=OFFLINE)
    hive = image.read(tmp_path / image.SYSTEM)
    assert hive[r"ControlSet001\Control"] == older
    assert r"ControlSet001\Control\Power" not in hive
    assert hive[r"ControlSet002\Control\Power"]["HibernateEnabled"] == dword(0)


def test_another_control_set_for_the_next_boot_is_told(tmp_path: Path) -> None:
    image.make(tmp_path, SERVER_2022, {r"HKLM\SYSTEM\Select": {"Default": dword(1)}})
    warning = str(image.call(AUDIT, root=tmp_path).returned["warnings"])
    assert "ControlSet002" in warning and "ControlSet001 for the next boot" in warning


@pytest.mark.parametrize("current", [None, dword(7), string("2")])
def test_without_a_current_control_set_nothing_is_told(tmp_path: Path, current: Any) -> None:
    image.make(tmp_path, SERVER_2022, {r"HKLM\SYSTEM\Select": {"Current": current}})
    answer = image.call(AUDIT, root=tmp_path)
    if current == string("2"):  # a number as text is one, as everywhere
        assert not answer.failed
    else:
        assert "which control set is the current one" in failure(answer)


def profile_folder(path: str) -> Changes:
    return {rf"{keys.PROFILES}\{BJOERN.sid}": {"ProfileImagePath": expandable(path)}}


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (r"D:\Users\bjoern", "is not on the drive C: of Windows"),
        (r"\\server\profiles\bjoern", "is not on the drive C: of Windows"),
        (r"C:\Users\..\..\etc", "is no path in an image"),
        (r"C:\Users\link", "is not followed"),
        (r"C:\Users\linked hive", "is no plain file"),
        (r"C:\Users\nobody", "has no file Users/nobody/NTUSER.DAT"),
        (r"C:\Users\alice\NTUSER.DAT", "has no file"),
        ("", "is not on the drive C: of Windows"),
    ],
)
def test_a_profile_elsewhere_is_unreadable_and_left_alone(tmp_path: Path, path: str, told: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    image.make(root, SERVER_2022, profile_folder(path))
    outside.mkdir()
    shutil.copy(root / image.hive_of(BJOERN.sid), outside / "NTUSER.DAT")
    (root / "Users" / "link").symlink_to(outside)
    (root / "Users" / "linked hive").mkdir()
    (root / "Users" / "linked hive" / "NTUSER.DAT").symlink_to(outside / "NTUSER.DAT")
    before = image.state(outside)
    answer = image.call(MEND, root=root)
    states = {
        finding["state"]: finding["detail"]
        for location, finding in found(answer, "auto_end_tasks").items()
        if BJOERN.sid in location
    }
    assert list(states) == ["unreadable"] and told in states["unreadable"], states
    assert not answer.failed and answer.returned["changed"]
    assert image.state(outside) == before


def test_windows_may_be_on_another_drive_and_names_in_any_case(tmp_path: Path) -> None:
    drive: Changes = {keys.WINDOWS_NT: {"SystemRoot": string(r"E:\Windows")}}
    image.make(tmp_path, SERVER_2022, drive, profile_folder(r"e:\USERS\BJÖRN åkesson"))
    (tmp_path / "Windows").rename(tmp_path / "WINDOWS")
    answer = image.call(AUDIT, root=tmp_path, rows=["auto_end_tasks"])
    states = {location: finding["state"] for location, finding in found(answer, "auto_end_tasks").items()}
    assert {state for location, state in states.items() if BJOERN.sid in location} == {"differs"}
    # Those of the others are said to be on C:.
    assert {state for location, state in states.items() if ALICE.sid in location} == {"unreadable"}


def test_the_default_profile_is_where_the_registry_says(tmp_path: Path) -> None:
    moved: Changes = {keys.PROFILES: {"Default": expandable(r"%SystemDrive%\Profiles\New")}}
    image.make(tmp_path, SERVER_2022, moved)
    (tmp_path / "Profiles").mkdir()
    (tmp_path / "Users" / "Default").rename(tmp_path / "Profiles" / "New")
    assert image.call(MEND, root=tmp_path, rows=["auto_end_tasks"]).returned["changed"]
    hive = image.read(tmp_path / "Profiles" / "New" / "NTUSER.DAT")
    assert hive["Control Panel\\Desktop"]["AutoEndTasks"] == string("1")


def test_two_users_may_share_a_profile(tmp_path: Path) -> None:
    image.make(tmp_path, SERVER_2022, profile_folder(ALICE.folder))
    answer = image.call(MEND, root=tmp_path, rows=["auto_end_tasks"])
    assert {finding["state"] for finding in found(answer, "auto_end_tasks").values()} == {"fixed"}


def test_a_policy_overrides_the_schemes_unless_it_is_overridden(tmp_path: Path) -> None:
    image.make(tmp_path, SERVER_2022, {POLICY: {"ACSettingIndex": dword(0), "DCSettingIndex": dword(3)}})
    kept = image.call(MEND, root=tmp_path, rows=["power_button_action"])
    assert not kept.returned["changed"]
    assert [finding["state"] for finding in found(kept, "power_button_action").values()] == ["managed_by_policy", "ok"]
    checked = image.call(MEND, True, root=tmp_path, rows=["power_button_action"], override_policy=True)
    assert [hive["name"] for hive in checked.returned["hives"] if hive["changed"]] == ["SOFTWARE", "SYSTEM"]
    answer = image.call(MEND, root=tmp_path, rows=["power_button_action"], override_policy=True)
    told = found(answer, "power_button_action")
    assert len(told) == len(power.SCHEMES) + 1
    assert {finding["state"] for location, finding in told.items() if "AC:" in location} == {"fixed"}
    assert {finding["state_before"] for location, finding in told.items() if "AC:" in location} == {"managed_by_policy"}
    after = image.contents(tmp_path)
    assert after[POLICY] == {"DCSettingIndex": dword(3)}
    for scheme in power.SCHEMES:
        assert after[power.scheme_key(scheme, power.POWER_BUTTON)]["ACSettingIndex"] == dword(3)
    assert not image.call(MEND, root=tmp_path, rows=["power_button_action"], override_policy=True).returned["changed"]


def test_the_options_are_those_of_guest_readiness(tmp_path: Path) -> None:
    image.make(tmp_path, SERVER_2022, ALL_WRONG)
    row = {
        "id": "ours",
        "scenario": "applications",
        "title": "Ours",
        "user": {"key": "Software\\Ours", "name": "Name Ω", "type": "REG_MULTI_SZ"},
        "desired": ["ä", "b"],
    }
    answer = image.call(
        MEND,
        root=tmp_path,
        scenarios=["applications", "logon"],
        waive=["console_programs_may_block"],
        baseline="cis",
        desired={"hung_session_timeout": 2},
        enforce=["wait_to_kill_service"],
        custom_rows=[row],
    )
    states = {ident: {one["state"] for one in found(answer, ident).values()} for ident in OFFLINE}
    assert states["shutdown_without_logon"] == states["console_programs_may_block"] == {"waived"}
    assert states["hung_session_timeout"] == states["wait_to_kill_service"] == states["auto_end_tasks"] == {"fixed"}
    assert states["power_button_action"] == {"differs"}
    after = image.contents(tmp_path)
    assert after[keys.SYSTEM_POLICIES]["ShutdownSessionTimeout"] == dword(2)
    assert after[rf"HKU\{NEW_USER.sid}\Software\Ours"]["Name Ω"] == strings("ä", "b")


def test_a_wrong_type_is_mended(tmp_path: Path) -> None:
    wrong: Changes = {
        keys.desktop(NEW_USER.sid): {"autoendtasks": dword(1)},
        keys.SYSTEM_POLICIES: {"ShutdownWithoutLogon": string("1")},
    }
    image.make(tmp_path, SERVER_2022, wrong)
    image.call(MEND, root=tmp_path)
    after = image.contents(tmp_path)
    assert after[keys.desktop(NEW_USER.sid)]["autoendtasks"] == string("1")
    assert after[keys.SYSTEM_POLICIES]["ShutdownWithoutLogon"] == dword(1)


# ---- what is refused


def with_numbers(first: int, second: int) -> Callable[[bytes], bytes]:
    def damage(hive: bytes) -> bytes:
        page = bytearray(hive[: regf.PAGE])
        struct.pack_into("<II", page, 4, first, second)
        return regf.with_checksum(page) + hive[regf.PAGE :]

    return damage


DIRTY: dict[str, Callable[[bytes], bytes]] = {
    "sequence numbers": with_numbers(8, 7),
    "checksum": lambda hive: hive[:100] + b"x" + hive[101:],
}
DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda dummy: b"", "is no registry hive"),
    "no hive": (lambda hive: b"PK\3\4" + hive[4:], "is no registry hive"),
    "cut off": (lambda hive: hive[:-4096], "is cut off"),
    "version": (
        lambda hive: regf.with_checksum(hive[:20] + struct.pack("<II", 2, 0) + hive[28:4096]) + hive[4096:],
        "unknown version (2.0)",
    ),
    "bins": (lambda hive: hive[:4096] + bytes(len(hive) - 4096), "hivex cannot open it"),
    "root": (
        lambda hive: regf.with_checksum(hive[:36] + struct.pack("<I", 12) + hive[40:4096]) + hive[4096:],
        "is damaged",
    ),
}
HIVES = (*image.ROOTS.values(),)


def refused(root: Path, **options: Any) -> str:
    """Why it is refused; it is as it was."""
    before = image.state(root)
    said = failure(image.call(MEND, root=root, **options))
    assert image.state(root) == before
    return said


@pytest.mark.parametrize("path", HIVES)
def test_a_hive_with_unreplayed_logs_is_refused(tmp_path: Path, path: str) -> None:
    image.make(tmp_path)
    (tmp_path / path).write_bytes(DIRTY["sequence numbers"]((tmp_path / path).read_bytes()))
    said = refused(tmp_path)
    assert path in said and ".LOG1" in said and "shut Windows down fully" in said
    audit = image.call(AUDIT, root=tmp_path)
    if path in (image.SOFTWARE, image.SYSTEM):
        assert failure(audit) in said
    else:
        assert audit.returned["obstacles"] == [said.removesuffix(".")]


def test_a_hive_with_a_wrong_checksum_is_one_with_unreplayed_logs(tmp_path: Path) -> None:
    image.make(tmp_path)
    (tmp_path / image.SYSTEM).write_bytes(DIRTY["checksum"]((tmp_path / image.SYSTEM).read_bytes()))
    assert ".LOG1" in refused(tmp_path)


@pytest.mark.parametrize("path", [image.SOFTWARE, image.hive_of(ALICE.sid)])
@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_hive_is_refused(tmp_path: Path, path: str, kind: str) -> None:
    damage, told = DAMAGED[kind]
    image.make(tmp_path)
    (tmp_path / path).write_bytes(damage((tmp_path / path).read_bytes()))
    said = refused(tmp_path)
    assert path in said and told in said, said
    audit = image.call(AUDIT, root=tmp_path)
    if path != image.SOFTWARE:
        (finding,) = [one for place, one in found(audit, "auto_end_tasks").items() if ALICE.sid in place]
        assert finding["state"] == "unreadable" and told in finding["detail"]


@pytest.mark.parametrize(
    ("signature", "hibernated"), [(b"HIBR", True), (b"rstr", True), (b"wake", False), (b"", False)]
)
def test_a_hibernated_windows_is_refused(tmp_path: Path, signature: bytes, hibernated: bool) -> None:
    image.make(tmp_path)
    (tmp_path / "hiberfil.sys").write_bytes(signature + bytes(4096) if signature else b"")
    obstacles = image.call(AUDIT, root=tmp_path).returned["obstacles"]
    if hibernated:
        assert "is hibernated" in refused(tmp_path) and "is hibernated" in refused(tmp_path, waive=OFFLINE)
        assert "shutdown /s /t 0" in obstacles[0]
    else:
        assert not image.call(MEND, root=tmp_path).failed and not obstacles


def test_a_root_that_another_run_works_on_is_refused(tmp_path: Path) -> None:
    image.make(tmp_path)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_SH)
        assert "is in use by another run" in refused(tmp_path)
        assert not image.call(AUDIT, root=tmp_path).failed
    finally:
        os.close(folder)


def test_what_hivex_cannot_write_is_refused(tmp_path: Path) -> None:
    """A value of more than 16 KB is kept in pieces, and what writes its key anew writes it in one."""
    big: Changes = {keys.SYSTEM_POLICIES: {"Big": regf.Value("REG_BINARY", bytes(20000))}}
    image.make(tmp_path, SERVER_2022, big)
    assert "more than 16344 bytes" in refused(tmp_path) and "(Big)" in refused(tmp_path)
    waived = ["shutdown_without_logon", "hung_session_timeout", "policy_script_wait"]
    assert image.call(MEND, root=tmp_path, waive=waived).returned["changed"]
    assert image.contents(tmp_path)[keys.SYSTEM_POLICIES]["Big"].data == bytes(20000)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "one of the following is required: image, root, hives"),
        ({"root": "/", "hives": "/"}, "mutually exclusive"),
        ({"root": "/no such folder"}, "cannot be opened as a folder"),
        ({"root": "/etc"}, "/etc has no hive SOFTWARE, which every Windows has; name the folder that is the drive of"),
        ({"hives": "/etc"}, "/etc has no hive SOFTWARE, which every Windows has; name a folder in which it is"),
        ({"root": "/", "format": "raw"}, "missing parameter(s) required by 'format': image"),
        ({"root": "/", "waive": ["no_such"]}, "there is no row 'no_such'"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], told: str) -> None:
    for module in (AUDIT, MEND):
        assert told in failure(image.call(module, **options))


def test_a_file_system_that_cannot_be_written_leaves_whole_hives(tmp_path: Path) -> None:
    image.make(tmp_path)
    blocked = tmp_path / f"{image.SYSTEM}.winguest-new"
    blocked.mkdir()
    said = failure(image.call(MEND, root=tmp_path))
    assert "cannot be written" in said
    blocked.rmdir()
    assert not image.call(MEND, root=tmp_path).failed


@pytest.mark.parametrize("rest", [bytes(8192), b"what was there before" * 300])
def test_a_file_may_be_longer_than_its_hive(tmp_path: Path, rest: bytes) -> None:
    image.make(tmp_path, SERVER_2022, ALL_WRONG)
    for path in image.ROOTS.values():
        (tmp_path / path).write_bytes((tmp_path / path).read_bytes() + rest)
    assert image.call(MEND, root=tmp_path).returned["totals"]["fixed"]
    after = image.contents(tmp_path)
    for ident in ENFORCED:
        assert all(value(after, place) == place.holding(ROW[ident].desired.data) for place in places(ROW[ident]))


def test_owner_and_mode_are_kept_and_nothing_is_left_behind(tmp_path: Path) -> None:
    image.make(tmp_path)
    os.chmod(tmp_path / image.SYSTEM, 0o640)
    os.chown(tmp_path / image.SYSTEM, 1234, 4321)
    left = tmp_path / f"{image.SOFTWARE}.winguest-new"
    left.write_bytes(b"half of a hive, of a run that was killed")
    before = set(image.state(tmp_path))
    assert image.call(MEND, root=tmp_path).returned["changed"]
    assert set(image.state(tmp_path)) == before - {f"{image.SOFTWARE}.winguest-new"}
    found = (tmp_path / image.SYSTEM).stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, 1234, 4321)


# ---- what comes of it


def test_a_guest_with_the_mended_hives_obeys(tmp_path: Path, shared_bed: Bed) -> None:
    """The hives' contents, as the other reader has them, are the registry of a simulated Windows guest."""
    image.make(tmp_path, SERVER_2022, ALL_WRONG)
    state = model.boot(SERVER_2022, Snapshot(image.contents(tmp_path)), Situation())
    assert model.press(Snapshot(image.contents(tmp_path)), state).rule == "button_nothing"
    assert image.call(MEND, root=tmp_path).returned["changed"]
    # Long idle, so that it would be asleep, or its display off, with any other wrong value.
    situation = Situation(takes=10, idle=3000)
    registry: Contents = image.contents(tmp_path)
    with SimulatedWindows(shared_bed, "image", registry=registry, situation=situation) as windows:
        domain = windows.start()
        assert press(windows, domain).rule == "off"
        assert off(windows, domain) is DiskState.CLEAN
