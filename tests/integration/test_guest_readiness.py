# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit and remediation of a simulated Windows guest: what the options change, policies, and the profiles of users.

Each test asks only for the rows that it is about: every question is a program that Wine starts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Row
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _guest_audit
from bed.guest_action import act
from bed.guests import Bed
from bed.windows import keys, power
from bed.windows.blockers import OBEDIENT
from bed.windows.commands import Answer, Invocation, faults, reg
from bed.windows.commands.types import Windows
from bed.windows.guest import HIVE, SimulatedWindows
from bed.windows.places import Place, contents, loaded, places, put, put_value, value
from bed.windows.situation import Session
from bed.windows.snapshot import Value
from bed.windows.systems import ADMINISTRATOR, ALICE, BJOERN, NEW_USER
from bed.windows.typed import dword, string
from integration.faults import fault
from integration.guests import AUDIT, MEND

pytestmark = pytest.mark.xdist_group("readiness")  # so that they share the guest of this module

ROW = {row.id: row for row in ROWS}
LOGON, USERS, BUTTON = "shutdown_without_logon", "auto_end_tasks", "power_button_action"
POLICY = power.policy_key(power.POWER_BUTTON)
DESKTOP, TASKS = r"Control Panel\Desktop", "AutoEndTasks"
MOUNT = rf"HKU\winguest-{BJOERN.sid}"
BJOERNS_HIVE = rf"{BJOERN.folder}\{HIVE}"


@pytest.fixture(scope="module")
def shared_guest(shared_bed: Bed) -> Iterator[SimulatedWindows]:
    with SimulatedWindows(shared_bed, "readiness", registry=OBEDIENT) as windows:
        windows.start()
        yield windows


@pytest.fixture
def guest(shared_guest: SimulatedWindows) -> Iterator[SimulatedWindows]:
    """Obedient, and nothing goes wrong with it; afterwards nothing is loaded that was not before."""
    before = loaded(shared_guest)
    yield shared_guest
    shared_guest.faults = []
    shared_guest.network.misbehave(None)
    assert loaded(shared_guest) == before


def rows(*idents: str) -> list[Row]:
    """These rows of the catalogue."""
    return [ROW[ident] for ident in idents]


def states(result: dict[str, Any], ident: str) -> set[str]:
    """The states in which a row was found."""
    return {finding["state"] for finding in result["findings"] if finding["id"] == ident}


def by_place(result: dict[str, Any], ident: str) -> dict[str, str]:
    """The states of a row by place."""
    return {finding["location"]: finding["state"] for finding in result["findings"] if finding["id"] == ident}


def desktop_of(name: str, kind: str = "loaded") -> str:
    """How a finding calls a user's value."""
    return rf"HKU\{name}\{DESKTOP}\{TASKS}" + ("" if kind == "loaded" else f" ({kind})")


# ---- what is enforced


@pytest.mark.parametrize(("baseline", "rule"), [("none", ""), ("cis", "CIS 2.3.13.1"), ("stig", "STIG WN12-SO-000073")])
def test_a_baseline_waives_what_it_forbids_and_the_hints_do_without(
    guest: SimulatedWindows, baseline: str, rule: str
) -> None:
    put(guest, ROW[LOGON], 0)
    before = contents(guest)
    result = act(guest, MEND, catalogue=rows(LOGON, "inactivity_lock"), baseline=baseline)
    (finding,) = [one for one in result["findings"] if one["id"] == LOGON]
    if baseline == "none":
        assert (finding["state"], result["changed"]) == ("fixed", True)
        assert result["hints"]["recommended_methods"] == ["acpi", "guest_shutdown"]
        assert result["verdicts"]["logon"] == "ready"
        return
    assert (finding["state"], finding["detail"], result["changed"]) == ("waived", f"{rule} forbids it", False)
    assert result["hints"]["recommended_methods"] == ["guest_shutdown"]
    assert f"because of {LOGON}" in result["hints"]["methods_reason"][0]
    assert result["verdicts"]["logon"] == "waived"
    assert contents(guest) == before


def test_a_baseline_gives_way_to_a_row_that_is_named(guest: SimulatedWindows) -> None:
    put(guest, ROW[LOGON], 0)
    result = act(guest, MEND, catalogue=rows(LOGON), baseline="cis", enforce=[LOGON])
    assert states(result, LOGON) == {"fixed"}


def test_what_is_chosen_is_mended_and_all_is_told(guest: SimulatedWindows) -> None:
    """By scenario, by row, with further rows, without those that are waived."""
    stays, timeout, lock = "stays_on_after_shutdown", "hung_session_timeout", "inactivity_lock"
    wrong: dict[str, Any] = {LOGON: 0, stays: 1, timeout: 15, lock: 900}
    choices: list[tuple[dict[str, Any], set[str]]] = [
        ({"scenarios": ["logon", "power_button"]}, {LOGON}),
        ({"rows": [stays, lock], "scenarios": ["logon"]}, {lock}),
        ({"enforce": [lock], "waive": [timeout]}, {LOGON, stays, lock}),
        ({}, {LOGON, stays, timeout}),
    ]
    for options, mended in choices:
        for ident, data in wrong.items():
            put(guest, ROW[ident], data)
        result = act(guest, MEND, catalogue=rows(*wrong), **options)
        now = {finding["id"]: finding["state"] for finding in result["findings"]}
        assert {ident for ident, state in now.items() if state == "fixed"} == mended, options
        assert result["changed"]
        assert {now[ident] for ident in options.get("waive", [])} <= {"waived"}
        registry = contents(guest)
        for ident, data in wrong.items():
            (place,) = places(ROW[ident])
            expected = ROW[ident].desired.data if ident in mended else data
            assert value(registry, place) == place.holding(expected), (options, ident)


def test_a_row_that_is_not_enforced_is_set_in_every_scheme_when_it_is_named(guest: SimulatedWindows) -> None:
    forced = "power_button_forced_shutdown"
    put(guest, ROW[forced], 0)
    assert states(act(guest, AUDIT, catalogue=rows(forced)), forced) == {"differs"}
    result = act(guest, MEND, catalogue=rows(forced), enforce=[forced])
    assert states(result, forced) == {"fixed"}
    assert guest.state and guest.state.power.index(power.FORCED_BUTTON, "AC") == 1


def test_another_desired_value(guest: SimulatedWindows) -> None:
    put(guest, ROW["hung_session_timeout"], 3)
    result = act(guest, MEND, catalogue=rows("hung_session_timeout"), desired={"hung_session_timeout": 7})
    assert states(result, "hung_session_timeout") == {"fixed"}
    assert result["hints"]["timeout_parts"]["sessions"] == 7 * 60


def test_rows_of_a_users_own_of_every_kind_and_type(guest: SimulatedWindows) -> None:
    """But for REG_QWORD, which the reg.exe of Wine 8 cannot show."""
    key, user_key = r"HKLM\SOFTWARE\Example & Söhne (x86)\Größe 100", r"Software\Example, Inc.\It's; here"
    wanted: dict[str, tuple[str, Any, Any]] = {
        "own_dword": ("REG_DWORD", 4294967295, 4294967295),
        "own_text": ("REG_SZ", "Grüße, 1 & 2 | <3> (4) 'x'", "Grüße, 1 & 2 | <3> (4) 'x'"),
        "own_path": ("REG_EXPAND_SZ", "C:\\Program Files\\It\\", "C:\\Program Files\\It\\"),
        "own_list": ("REG_MULTI_SZ", ["eins", "two words"], ["eins", "two words"]),
        "own_bytes": ("REG_BINARY", "00ff10", b"\x00\xff\x10"),
    }

    def entry(ident: str, desired: Any, **place: Any) -> dict[str, Any]:
        return {"id": ident, "scenario": "other", "title": "Ours", "desired": desired, **place}

    custom = [
        *(
            entry(ident, desired, registry={"key": key, "name": f"Name of {ident}", "type": kind})
            for ident, (kind, desired, dummy) in wanted.items()
        ),
        entry("own_gone", None, registry={"key": key, "name": "Gone", "type": "REG_SZ"}),
        entry("own_user", 5, user={"key": user_key, "name": "Für alle", "type": "REG_DWORD"}),
        entry("own_power", 3, power={"subgroup": power.BUTTONS, "setting": power.SLEEP_BUTTON.guid}),
    ]
    put_value(guest, key, "Gone", string("still here"))
    result = act(guest, MEND, catalogue=(), custom_rows=custom)
    assert "failed" not in result, result["msg"]
    assert {finding["state"] for finding in result["findings"]} == {"fixed"}
    now = contents(guest, r"HKLM\SOFTWARE\Example & Söhne (x86)", "HKU", power.SCHEMES_KEY)
    assert now[key] == {f"Name of {ident}": Value(kind, data) for ident, (kind, dummy, data) in wanted.items()}
    for sid in (ADMINISTRATOR.sid, ALICE.sid, BJOERN.sid, NEW_USER.sid, ".DEFAULT"):
        assert value(now, Place("", rf"HKU\{sid}\{user_key}", "Für alle", "REG_DWORD")) == dword(5)
    for scheme in power.SCHEMES:
        assert now[power.scheme_key(scheme, power.SLEEP_BUTTON)] == {
            "ACSettingIndex": dword(3),
            "DCSettingIndex": dword(3),
        }
    assert act(guest, MEND, catalogue=(), custom_rows=custom)["changed"] is False


def test_a_value_of_another_type_is_not_as_wanted(guest: SimulatedWindows) -> None:
    (place,) = places(ROW[LOGON])
    put_value(guest, place.key, place.name, string("1"))
    put_value(guest, keys.desktop(ALICE.sid), TASKS, dword(1))
    result = act(guest, MEND, catalogue=rows(LOGON, USERS))
    assert states(result, LOGON) == {"fixed"} and by_place(result, USERS)[desktop_of(ALICE.sid)] == "fixed"
    now = contents(guest)
    assert value(now, place) == dword(1)
    assert now[keys.desktop(ALICE.sid)][TASKS] == string("1")


def test_only_problems_are_told_when_that_is_wanted(guest: SimulatedWindows) -> None:
    put(guest, ROW[LOGON], 0)
    put(guest, ROW["stays_on_after_shutdown"], 0)
    for action, state in ((AUDIT, "differs"), (MEND, "fixed")):
        result = act(guest, action, catalogue=rows(LOGON, "stays_on_after_shutdown"), problems_only=True)
        assert [(finding["id"], finding["state"]) for finding in result["findings"]] == [(LOGON, state)]
        assert sum(result["totals"].values()) == 2


def test_check_mode_and_diff_mode_change_nothing_and_say_what_would_be(guest: SimulatedWindows) -> None:
    put(guest, ROW[LOGON], 0)
    put(guest, ROW[USERS], None)
    (place,) = places(ROW[LOGON])
    before = contents(guest)
    checked = act(guest, MEND, catalogue=rows(LOGON, USERS), check_mode=True, diff=True)
    assert contents(guest) == before and checked["changed"] is True
    assert states(checked, LOGON) == states(checked, USERS) == {"differs"}
    users = sorted(place.location for place in places(ROW[USERS]))
    was = {f"{place.location} = 0", *(f"{user} = (absent)" for user in users)}
    will_be = {f"{place.location} = 1", *(f"{user} = 1" for user in users)}
    assert set(checked["diff"]["before"].splitlines()) == was
    assert set(checked["diff"]["after"].splitlines()) == will_be
    done = act(guest, MEND, catalogue=rows(LOGON, USERS), diff=True)
    assert done["diff"] == checked["diff"]
    assert contents(guest) != before
    again = act(guest, MEND, catalogue=rows(LOGON, USERS), check_mode=True, diff=True)
    assert again["changed"] is False and "diff" not in again


CUSTOM = {"id": "own", "scenario": "other", "title": "Ours", "desired": 1}
PLACE = {"key": r"HKLM\SOFTWARE\Example", "name": "N", "type": "REG_DWORD"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baseline": "nist"}, ["baseline", "none, cis, stig"]),
        ({"scenarios": ["logout"]}, ["scenarios", "logon"]),
        ({"waive": ["shutdown_without_login"]}, ["waive", "did you mean shutdown_without_logon"]),
        ({"rows": ["cbs_reboot_pending"]}, ["cbs_reboot_pending", "can only be read"]),
        ({"enforce": [LOGON], "waive": [LOGON]}, ["enforce and waive both name", LOGON]),
        ({"desired": {LOGON: "yes"}}, [f"desired[{LOGON}]", "takes a number"]),
        ({"custom_rows": [CUSTOM]}, ["custom_rows[0] (own)", "registry, user, power"]),
        (
            {"custom_rows": [{**CUSTOM, "registry": {**PLACE, "key": r"HKCU\Software\Example"}}]},
            ["custom_rows[0] (own): registry.key", "HKLM"],
        ),
        (
            {"custom_rows": [{**CUSTOM, "registry": {**PLACE, "name": "%TEMP%"}}]},
            ["custom_rows[0] (own): registry.name", "%"],
        ),
        ({"timeout": 0}, ["timeout", "above 0"]),
        ({"waived": []}, ["waived"]),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_bad_options_are_told_with_their_place_and_nothing_is_asked(
    guest: SimulatedWindows, options: dict[str, Any], words: list[str]
) -> None:
    guest.network.forget_requests()
    with pytest.raises(AnsibleActionFail) as raised:
        act(guest, MEND, **options)
    for word in words:
        assert word in str(raised.value)
    assert guest.network.requests == []


# ---- policies


def test_a_policy_is_told_and_left_alone_and_removed_only_when_that_is_asked_for(guest: SimulatedWindows) -> None:
    put(guest, ROW[BUTTON], 0)
    guest.change({POLICY: {"ACSettingIndex": dword(0), "DCSettingIndex": dword(3)}})
    schemes = {place.location: place for place in places(ROW[BUTTON])}
    direct = [location for location in schemes if ", AC:" in location]

    left = act(guest, MEND, catalogue=rows(BUTTON))
    assert by_place(left, BUTTON) == {
        "policy, AC: SUB_BUTTONS PBUTTONACTION": "managed_by_policy",
        "policy, DC: SUB_BUTTONS PBUTTONACTION": "ok",
    }
    assert (left["changed"], left["verdicts"]["power_button"]) == (False, "blocked")
    assert contents(guest)[POLICY] == {"ACSettingIndex": dword(0), "DCSettingIndex": dword(3)}

    removed = act(guest, MEND, catalogue=rows(BUTTON), override_policy=True)
    assert by_place(removed, BUTTON) == {
        **dict.fromkeys(direct, "fixed"),
        "policy, DC: SUB_BUTTONS PBUTTONACTION": "ok",
    }
    now = contents(guest)
    assert now[POLICY] == {"DCSettingIndex": dword(3)}
    assert {value(now, schemes[location]) for location in direct} == {dword(3)}
    assert guest.state and guest.state.power.index(power.POWER_BUTTON, "AC") == 3
    assert act(guest, MEND, catalogue=rows(BUTTON), override_policy=True)["changed"] is False
    guest.registry.delete_key(POLICY)


# ---- profiles


def test_hives_are_loaded_and_stored_and_those_of_nobody_yet(guest: SimulatedWindows) -> None:
    """The names of stored ones are not of ASCII; who signs in is then among the loaded."""
    put(guest, ROW[USERS], "0")
    stored = {desktop_of(BJOERN.sid, "stored"), desktop_of("default", "default")}
    live = {desktop_of(sid) for sid in (ALICE.sid, ADMINISTRATOR.sid)} | {desktop_of(".DEFAULT", "system")}
    assert by_place(act(guest, AUDIT, catalogue=rows(USERS)), USERS).keys() == stored | live
    guest.sign_in(Session(BJOERN.user, BJOERN.sid))
    try:
        result = act(guest, MEND, catalogue=rows(USERS))
    finally:
        guest.sign_out(BJOERN.user)
    signed_in = {desktop_of(BJOERN.sid), desktop_of("default", "default")} | live
    assert by_place(result, USERS) == dict.fromkeys(signed_in, "fixed")
    assert guest.read_profile(BJOERN, DESKTOP, TASKS) == guest.read_profile(NEW_USER, DESKTOP, TASKS) == string("1")


@fault("hive_interrupted")
def test_what_an_earlier_run_has_left_loaded_is_unloaded(guest: SimulatedWindows) -> None:
    put(guest, ROW[USERS], "0")
    guest.registry.load(MOUNT, BJOERNS_HIVE)
    result = act(guest, AUDIT, catalogue=rows(USERS))
    assert by_place(result, USERS)[desktop_of(BJOERN.sid, "stored")] == "differs"
    assert MOUNT.partition("\\")[2] not in loaded(guest)


@fault("hive_refused")
def test_a_hive_that_is_no_hive_is_unreadable_and_all_else_is_mended(guest: SimulatedWindows) -> None:
    put(guest, ROW[USERS], "0")
    put(guest, ROW[LOGON], 0)
    file = guest.wine.path(BJOERNS_HIVE)
    hive = file.read_bytes()
    file.write_bytes(b"regf" + bytes(4096))
    try:
        result = act(guest, MEND, catalogue=rows(LOGON, USERS))
    finally:
        file.write_bytes(hive)
    found = by_place(result, USERS)
    assert found.pop(desktop_of(BJOERN.sid, "stored")) == "unreadable"
    assert set(found.values()) == states(result, LOGON) == {"fixed"}
    assert result["changed"] and "failed" not in result
    assert result["verdicts"]["applications"] == "unknown"
    assert guest.read_profile(BJOERN, DESKTOP, TASKS) == string("0")


@fault("hive_refused")
def test_without_the_right_to_load_hives_stored_ones_are_unreadable_with_the_programs_words(
    guest: SimulatedWindows,
) -> None:
    put(guest, ROW[USERS], "0")
    guest.faults = [faults.refuse_load()]
    result = act(guest, MEND, catalogue=rows(USERS))
    found = {finding["location"]: finding for finding in result["findings"]}
    for location in (desktop_of(BJOERN.sid, "stored"), desktop_of("default", "default")):
        assert found[location]["state"] == "unreadable" and "privilege" in found[location]["detail"]
    assert found[desktop_of(ALICE.sid)]["state"] == "fixed"


@fault("hive_refused")
def test_after_a_refusal_in_the_middle_a_hive_is_unloaded_and_the_others_are_mended(guest: SimulatedWindows) -> None:
    put(guest, ROW[USERS], "0")
    guest.faults = [faults.refuse_writes(MOUNT)]
    # Unloading is a change of HKU, and not of the hive.
    guest.faults.insert(0, lambda invocation, dummy, dummy_ends: _unloads(invocation, guest))
    result = act(guest, MEND, catalogue=rows(USERS))
    found = by_place(result, USERS)
    assert found.pop(desktop_of(BJOERN.sid, "stored")) == "differs"
    assert set(found.values()) == {"fixed"}
    assert result["failed"] and result["changed"]
    assert "1 findings could not be mended: auto_end_tasks at " in result["msg"] and "denied" in result["msg"]
    assert guest.read_profile(BJOERN, DESKTOP, TASKS) == string("0")


def _unloads(invocation: Invocation, windows: Windows) -> Answer | None:
    verbs = ("load", "unload")
    return reg.run(invocation, windows) if invocation.program == "reg" and reg.verb(invocation) in verbs else None


class Interruption:
    """A fault: when the hive is loaded, the guest's WinRM service stops, and comes back unless it is to stay away."""

    def __init__(self, windows: SimulatedWindows, comes_back: bool = True) -> None:
        self.windows, self.comes_back = windows, comes_back
        self.thread: threading.Thread | None = None

    def __call__(self, invocation: Invocation, dummy_windows: Windows, ends: threading.Event) -> Answer | None:
        arguments = " ".join(invocation.arguments)
        if self.thread is None and invocation.program == "reg" and arguments.startswith(f"query {MOUNT}\\"):
            self.thread = threading.Thread(target=self._restart)
            self.thread.start()
            self.thread.join(60)
        return None

    def _restart(self) -> None:
        self.windows.network.set_up(False)
        if self.comes_back:
            self.windows.network.set_up(True)


@fault("hive_interrupted")
def test_a_connection_that_breaks_while_a_hive_is_loaded_comes_back_and_the_hive_is_unloaded(
    guest: SimulatedWindows,
) -> None:
    put(guest, ROW[USERS], "0")
    interruption = Interruption(guest)
    guest.faults = [interruption]
    result = act(guest, MEND, catalogue=rows(USERS))
    assert interruption.thread is not None
    assert states(result, USERS) == {"fixed"} and "failed" not in result
    assert guest.read_profile(BJOERN, DESKTOP, TASKS) == string("1")


@fault("hive_interrupted")
def test_a_connection_that_does_not_come_back_leaves_a_hive_that_the_next_run_unloads(
    guest: SimulatedWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(guest, ROW[USERS], "0")
    monkeypatch.setattr(_guest_audit, "RECONNECT_TIMEOUT", 0.5)
    guest.faults = [Interruption(guest, comes_back=False)]
    try:
        with pytest.raises(
            AnsibleConnectionFailure, match=r"winguest-SID: run this again when the guest can be reached"
        ):
            act(guest, MEND, catalogue=rows(USERS))
    finally:
        guest.network.set_up(True)
    assert MOUNT.partition("\\")[2] in loaded(guest)
    result = act(guest, MEND, catalogue=rows(USERS))
    assert states(result, USERS) == {"fixed"}
