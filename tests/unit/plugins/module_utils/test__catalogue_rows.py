# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of the catalogue: sound one by one, consistent with each other, and free of well-known mistakes."""

from __future__ import annotations

import collections
import re

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _catalogue_input as catalogue_input
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    GUEST_SCENARIOS,
    UNKNOWN,
    Data,
    Desired,
    Events,
    File,
    PowerSetting,
    Process,
    RegistryKey,
    RegistryValue,
    Row,
    ServiceValues,
    TwoValues,
    UserValue,
    check,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import NEVER, NOTHING
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build

BY_ID = {row.id: row for row in ROWS}
EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])


def values(row: Row) -> list[RegistryValue | UserValue]:
    """The values that a row is about."""
    place = row.location
    if isinstance(place, TwoValues):
        return [place.one, place.other]
    return [place] if isinstance(place, (RegistryValue, UserValue)) else []


def named(name: str) -> list[Row]:
    """The rows about values of this name."""
    return [row for row in ROWS if any(value.name.casefold() == name.casefold() for value in values(row))]


def setting(alias: str) -> Row:
    """The row about this power setting."""
    (row,) = [row for row in ROWS if isinstance(row.location, PowerSetting) and row.location.alias.split()[1] == alias]
    return row


# One by one


@EACH_ROW
def test_row_is_sound(row: Row) -> None:
    check(row, row.id)
    assert re.fullmatch(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[a-z]+", row.id)


@EACH_ROW
def test_place_is_sound(row: Row) -> None:
    """Keys, names and GUIDs are in the form that is asked of users, too, so all of them can be carried."""
    place = row.location
    for value in values(row):
        check_key = catalogue_input.check_user_key if isinstance(value, UserValue) else catalogue_input.check_key
        assert check_key(value.key, row.id) == value.key
        assert catalogue_input.check_name(value.name, row.id) == value.name
        assert value.type in catalogue_input.USER_TYPES
    if isinstance(place, PowerSetting):
        assert catalogue_input.check_guid(place.subgroup, row.id) == place.subgroup
        assert catalogue_input.check_guid(place.setting, row.id) == place.setting
        assert re.fullmatch(r"SUB_[A-Z]+ [A-Z]+", place.alias)
    if isinstance(place, RegistryKey):
        assert catalogue_input.check_key(place.key, row.id) == place.key
    if isinstance(place, File):
        assert re.fullmatch(r"%System(?:Root|Drive)%(?:\\[A-Za-z0-9.]+)+", place.path)
    if isinstance(place, Process):
        assert re.fullmatch(r"[A-Za-z]+\.exe", place.image)
    if isinstance(place, Events):
        assert place.ids
        assert re.fullmatch(r"[A-Za-z0-9 /-]+", place.log + place.provider)


@EACH_ROW
def test_data_is_of_the_type(row: Row) -> None:
    place, desired, absent = row.location, row.desired, row.absent
    if isinstance(place, (RegistryValue, UserValue)):
        value_type = place.type
    elif isinstance(place, (PowerSetting, ServiceValues)):
        value_type = "REG_DWORD"
    else:
        assert desired == Desired(None)
        return
    known = (desired.data, *desired.others, absent.client, absent.server, absent.before)
    for data in (data for data in known if data is not None and data is not UNKNOWN):
        given = list(data) if isinstance(data, tuple) else data
        assert catalogue_input.check_data(given, value_type, row.id, written=row.writable) == data
    if desired.data is not None:
        assert desired.accepts(desired.data), "what remediation sets is not what an audit wants"


@EACH_ROW
def test_absence_is_fine_where_absence_is_wanted(row: Row) -> None:
    if row.desired.data is None and not isinstance(row.location, ServiceValues):
        assert row.absent == NOTHING


@EACH_ROW
def test_enforced_rows_are_verified_and_matter(row: Row) -> None:
    if row.enforced:
        assert row.writable
        assert row.grade == "verified"
        assert row.effect != "informs"
        assert row.desired.data is not None


@EACH_ROW
def test_what_is_pending_is_never_written(row: Row) -> None:
    if row.pending:
        assert not row.writable
        assert row.scenario == "updates"
        assert row.effect == "prolongs"
        assert row.cure


@EACH_ROW
def test_when_it_takes_effect_and_offline(row: Row) -> None:
    if isinstance(row.location, PowerSetting):
        assert row.takes_effect == "activation"
    if isinstance(row.location, UserValue):
        assert row.takes_effect == "logon"
    assert row.offline == row.writable


@EACH_ROW
def test_words(row: Row) -> None:
    """A title is a sentence without its full stop, a cost a part of one, and a cure whole sentences."""
    for text in (row.title, row.cost, row.cure, row.source):
        assert catalogue_input.check_shown(text, row.id, 300) == text
        assert text.isascii()
        assert text == " ".join(text.split())
    assert row.title[0].isupper()
    assert row.title[-1] not in ".!"
    assert row.source
    assert not row.cost or (row.cost[0].islower() and row.cost[-1] != ".")
    assert not row.cure or row.cure[-1] == "."


@EACH_ROW
def test_what_only_people_can_mend_says_how(row: Row) -> None:
    assert row.writable or row.cure


# With each other


def test_no_two_rows_are_the_same() -> None:
    assert len(BY_ID) == len(ROWS)
    places = collections.Counter(str(row.location).casefold() for row in ROWS)
    assert [place for place, count in places.items() if count > 1] == []


def test_every_scenario_has_rows_in_order() -> None:
    order = [row.scenario for row in ROWS]
    assert list(dict.fromkeys(order)) == list(GUEST_SCENARIOS)
    assert order == sorted(order, key=list(GUEST_SCENARIOS).index)


def test_rows_are_a_catalogue() -> None:
    catalogue = build(ROWS)
    assert catalogue.rows == ROWS
    assert catalogue.waived == {}


def test_enforced_rows() -> None:
    """A row that comes to this list changes guests by itself: think of what it would do to a fleet."""
    assert {row.id for row in ROWS if row.enforced} == {
        *("event_tracker_policy", "event_tracker_policy_ui"),
        *("shutdown_without_logon", "other_users_warning"),
        *("auto_end_tasks", "console_programs_may_block", "hung_session_timeout", "policy_script_wait"),
        "power_button_action",
        *("display_idle_timeout", "display_idle_timeout_locked", "sleep_idle_timeout", "hibernate_idle_timeout"),
        *("unattended_sleep_timeout", "hibernation", "fast_startup"),
        "stays_on_after_shutdown",
    }


def test_what_ends_programs_or_sessions_says_so() -> None:
    for name in ("auto_end_tasks", "other_users_warning", "hung_session_timeout", "power_button_forced_shutdown"):
        assert re.search("unsaved data", BY_ID[name].cost)
    for name in ("wait_to_kill_service", "clear_page_file", "standby_allowed", "automatic_updates"):
        assert BY_ID[name].cost
        assert not BY_ID[name].enforced


@pytest.mark.parametrize(
    ("baseline", "waived"),
    [
        ("cis", {"automatic_updates", "shutdown_without_logon", "inactivity_lock"}),
        ("stig", {"shutdown_without_logon", "inactivity_lock"}),
    ],
)
def test_baselines(baseline: str, waived: set[str]) -> None:
    assert set(build(ROWS, baseline=baseline).waived) == waived


@pytest.mark.parametrize(
    ("name", "client", "server", "fine"),
    [
        ("shutdown_without_logon", 1, 0, (True, False)),
        ("other_users_warning", NEVER, NEVER, (False, False)),
        ("hung_session_timeout", 3, 15, (True, False)),
        ("policy_script_wait", 600, 600, (True, True)),
        ("event_tracker_policy", 0, 1, (True, False)),
        ("auto_end_tasks", "0", "0", (False, False)),
        ("console_programs_may_block", 0, 0, (True, True)),
        ("stays_on_after_shutdown", 0, 0, (True, True)),
        ("fast_startup", 0, 0, (True, True)),
        ("hibernation", 1, 1, (False, False)),
        ("wait_to_kill_service", "20000", "20000", (True, True)),
        ("display_idle_timeout_locked", 60, 60, (False, False)),
    ],
)
def test_absence(name: str, client: Data, server: Data, fine: tuple[bool, bool]) -> None:
    row = BY_ID[name]
    assert (row.absent.on(False, 20348), row.absent.on(True, 20348)) == (client, server)
    assert (row.desired.accepts(client), row.desired.accepts(server)) == fine


@pytest.mark.parametrize("alias", ["PBUTTONACTION", "VIDEOIDLE", "STANDBYIDLE", "HIBERNATEIDLE", "UNATTENDSLEEP"])
def test_what_a_scheme_without_the_setting_does_is_not_guessed(alias: str) -> None:
    assert setting(alias).absent.on(True, 20348) is UNKNOWN


# What is often written, and wrong


def test_folklore_1_wait_to_kill_app_timeout() -> None:
    """Vista was the last to read WaitToKillAppTimeout. The name since is WaitToKillTimeout, and it is well as it is."""
    assert named("WaitToKillAppTimeout") == []
    (row,) = named("WaitToKillTimeout")
    assert not row.enforced
    assert row.absent.on(True, 20348) == "5000"


def test_folklore_2_one_profile_is_not_the_machine() -> None:
    """AutoEndTasks is each user's, as text, and holds from the next sign-in on."""
    (row,) = named("AutoEndTasks")
    assert row.location == UserValue(r"Control Panel\Desktop", "AutoEndTasks", "REG_SZ")
    assert (row.desired, row.takes_effect) == (Desired("1"), "logon")


def test_folklore_3_allow_blocking_apps_reads_backwards() -> None:
    (row,) = named("AllowBlockingAppsAtShutdown")
    assert row.desired == Desired(0)


def test_folklore_4_shutdown_reason_ui_has_four_values() -> None:
    for row in named("ShutdownReasonUI"):
        assert [number for number in range(4) if row.desired.accepts(number)] == [0]


def test_folklore_5_hidden_commands_stop_nothing() -> None:
    for name in ("NoClose", "HidePowerOptions", "StartMenuLogOff", "DisableTaskMgr", "DisableLockWorkstation"):
        assert named(name)
    hidden = [row for row in ROWS if "Hide" in str(row.location) or "NoClose" in str(row.location)]
    assert {(row.effect, row.enforced) for row in hidden} == {("informs", False)}
    assert named("NoAUShutdownOption") == named("NoAUAsDefaultShutdownOption") == []


def test_folklore_6_and_10_shutdown_without_logon_needs_company() -> None:
    for row in (*named("ShutdownWarningDialogTimeout"), setting("VIDEOIDLE"), setting("VIDEOCONLOCK")):
        assert row.enforced


def test_folklore_7_the_warning_is_in_milliseconds() -> None:
    (row,) = named("ShutdownWarningDialogTimeout")
    assert row.desired.data == 1
    assert [number for number in (0, 1, 5, 5000, 60_000, NEVER) if row.desired.accepts(number)] == [1, 5, 5000]


def test_folklore_8_a_policy_of_0_does_not_disable_fast_startup() -> None:
    local, policy = BY_ID["fast_startup"], BY_ID["fast_startup_policy"]
    assert values(local)[0].key.endswith(r"\Session Manager\Power")
    assert local.enforced
    assert policy.desired.accepts(policy.absent.on(False, 20348)), "the absent policy is as good as 0"  # type: ignore[arg-type]
    assert not policy.enforced


def test_folklore_9_power_settings_are_in_every_scheme() -> None:
    """No row writes a scheme by its key, which would be one scheme, without activating it."""
    assert not [row for row in ROWS for value in values(row) if r"\PowerSchemes" in value.key]


def test_folklore_11_the_index_is_stored() -> None:
    row = setting("PBUTTONACTION")
    assert row.desired == Desired(3)
    assert not row.desired.accepts(6)


def test_folklore_12_preshutdown_times() -> None:
    row = BY_ID["service_preshutdown"]
    assert [row.absent.on(True, build) for build in (9600, 14393, 17763)] == [180_000, 180_000, 10_000]
    assert not row.desired.accepts(57_600_000)
    assert not row.writable


def test_folklore_14_the_key_is_spelled_attempts() -> None:
    keys = [row.location.key for row in ROWS if isinstance(row.location, RegistryKey)]
    assert r"HKLM\SOFTWARE\Microsoft\ServerManager\CurrentRebootAttempts" in keys
    assert not [key for key in keys if key.endswith("Attemps")]


def test_folklore_16_the_guid_of_the_sleep_timeout() -> None:
    place = setting("STANDBYIDLE").location
    assert isinstance(place, PowerSetting)
    assert place.setting == "29f6c1db-86da-48c5-9fdb-f2b67b1f44da"


def test_folklore_17_renames_do_not_prolong() -> None:
    for name in ("PendingFileRenameOperations", "PendingFileRenameOperations2"):
        (row,) = named(name)
        assert (row.effect, row.pending, row.writable) == ("informs", False, False)


def test_folklore_18_no_event_proves_a_press() -> None:
    assert not [row for row in ROWS if isinstance(row.location, Events) and 109 in row.location.ids]


def test_folklore_19_winlogon_is_not_asked() -> None:
    (row,) = named("ShutdownWithoutLogon")
    assert row.location == RegistryValue(
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System", "ShutdownWithoutLogon", "REG_DWORD"
    )
    assert not [row for row in ROWS for value in values(row) if value.key.endswith(r"\Winlogon")]


def test_folklore_20_the_size_of_the_hibernation_file() -> None:
    assert named("HibernateFileSizePercent") == named("HiberFileSizePercent") == []
    assert named("HibernateEnabled")[0].enforced
