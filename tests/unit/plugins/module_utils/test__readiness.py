# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a reading says of a row: every kind of location, every state, what absence means, and the verdicts."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    GUEST_SCENARIOS,
    POWER_POLICY,
    POWER_SCHEMES,
    UNKNOWN,
    Absent,
    Data,
    Desired,
    Events,
    File,
    Location,
    PowerSetting,
    Process,
    RegistryKey,
    RegistryValue,
    Row,
    ServiceValues,
    TwoValues,
    UserValue,
    Value,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import (
    MODES,
    SERVICES,
    Finding,
    findings,
    verdicts,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import (
    CURRENT_VERSION,
    NOT_READ,
    PRODUCT_OPTIONS,
    Exists,
    Hive,
    Reading,
    Seen,
)

KEY = r"HKLM\SOFTWARE\Example"
NUMBER = RegistryValue(KEY, "Number", "REG_DWORD")
TEXT = RegistryValue(KEY, "Text", "REG_SZ")
USER = UserValue(r"Control Panel\Desktop", "AutoEndTasks", "REG_SZ")
BUTTON = PowerSetting("4f971e89-eebd-4455-a8de-9e59040e7347", "7648efa3-dd9c-4e3e-b566-50f929386280", "BUTTON")
ONE, OTHER = "381b4222-f694-41f0-9685-ff5bb260df2e", "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c"
ABSENT = Seen()

ROW = Row(
    id="example",
    scenario="other",
    effect="blocks",
    title="An example",
    location=NUMBER,
    desired=Desired(1),
    source="this test",
    grade="verified",
    enforced=True,
)


def row(location: Location = NUMBER, **fields: t.Any) -> Row:
    return dataclasses.replace(ROW, location=location, **fields)


def found(row: Row, reading: Reading, waiver: str = "") -> list[Finding]:
    return findings(Catalogue((row,), {row.id: waiver} if waiver else {}), reading)


def on(server: bool | None = True, build: int | None = 20348) -> Reading:
    reading = Reading()
    if server is not None:
        product = "ServerNT" if server else "WinNT"
        reading.put(PRODUCT_OPTIONS, "ProductType", Seen(Value("REG_SZ", product)))
    if build is not None:
        reading.put(CURRENT_VERSION, "CurrentBuildNumber", Seen(Value("REG_SZ", str(build))))
    return reading


def value_state(row: Row, seen: Seen, waiver: str = "", reading: Reading | None = None) -> tuple[str, t.Any, str]:
    reading = reading or on()
    place = row.location
    assert isinstance(place, RegistryValue)
    reading.put(place.key, place.name, seen)
    (finding,) = found(row, reading, waiver)
    assert finding.location == f"{place.key}\\{place.name}"
    return finding.state, finding.actual, finding.detail


def dword(number: int) -> Seen:
    return Seen(Value("REG_DWORD", number))


def text(data: str, kind: str = "REG_SZ") -> Seen:
    return Seen(Value(kind, data))


UNVERIFIED = {"enforced": False, "grade": "single_source"}
WORN = "reported and not enforced: single source"


@pytest.mark.parametrize(
    ("fields", "waiver", "seen", "state", "actual", "detail"),
    [
        ({}, "", dword(1), "ok", 1, ""),
        ({}, "", dword(0), "differs", 0, ""),
        ({}, "waived by the user", dword(1), "ok", 1, ""),
        ({}, "waived by the user", dword(0), "waived", 0, "waived by the user"),
        ({}, "waived by the user", Seen(trouble="no"), "unreadable", None, "no"),
        ({"enforced": False}, "", dword(0), "differs", 0, ""),
        (UNVERIFIED, "", dword(1), "ok", 1, ""),
        (UNVERIFIED, "", dword(0), "unverified", 0, WORN),
        (UNVERIFIED, "CIS 1 forbids it", dword(0), "waived", 0, "CIS 1 forbids it"),
        ({"grade": "contested"}, "", dword(0), "differs", 0, ""),  # enforced by the user's wish
        ({**UNVERIFIED, "only_read": True}, "", dword(0), "differs", 0, ""),  # a sign, and no setting
        ({}, "", Seen(trouble="access is denied"), "unreadable", None, "access is denied"),
        ({}, "", text("1"), "differs", "1", "it is a REG_SZ and must be a REG_DWORD"),
        ({}, "", Seen(Value("REG_QWORD", 1)), "differs", 1, "it is a REG_QWORD and must be a REG_DWORD"),
        (UNVERIFIED, "", text("1"), "unverified", "1", f"it is a REG_SZ and must be a REG_DWORD; {WORN}"),
        ({"location": TEXT, "desired": Desired("1")}, "", text("1"), "ok", "1", ""),
        ({"location": TEXT, "desired": Desired("1")}, "", text("1", "REG_EXPAND_SZ"), "ok", "1", ""),
        (
            {"location": TEXT, "desired": Desired("1")},
            "",
            dword(1),
            "differs",
            1,
            "it is a REG_DWORD and must be a REG_SZ",
        ),
        ({"location": TEXT, "desired": Desired("9", least=5)}, "", text("5"), "ok", "5", ""),
        ({"location": TEXT, "desired": Desired("9", least=5)}, "", text("4"), "differs", "4", ""),
        ({"desired": Desired(None)}, "", ABSENT, "ok", None, ""),
        ({"desired": Desired(None)}, "", dword(0), "differs", 0, ""),
        ({"desired": Desired(None, others=(0,))}, "", dword(0), "ok", 0, ""),
        ({"desired": Desired(None)}, "", text("x"), "differs", "x", ""),
    ],
)
def test_a_value(
    fields: dict[str, t.Any], waiver: str, seen: Seen, state: str, actual: Data | None, detail: str
) -> None:
    assert value_state(row(**fields), seen, waiver) == (state, actual, detail)


BY_KIND = Absent(client=1, server=0)
BY_BUILD = Absent(client=1, server=1, since_build=15063, before=0)


@pytest.mark.parametrize(
    ("absent", "server", "build", "state", "detail"),
    [
        (Absent(), True, 20348, "differs", "absent, and what Windows does then is not known for certain"),
        (Absent(client=1), True, 20348, "differs", "absent, and what Windows does then is not known for certain"),
        (Absent(client=1), False, 20348, "ok", "absent, which to Windows is 1"),
        (Absent(client=1), None, 20348, "differs", "absent, and what Windows does then is not known for certain"),
        (BY_KIND, True, 20348, "differs", "absent, which to Windows is 0"),
        (BY_KIND, False, 20348, "ok", "absent, which to Windows is 1"),
        (BY_KIND, None, 20348, "differs", "absent, which to Windows is 0 or 1"),
        (BY_BUILD, True, 9600, "differs", "absent, which to Windows is 0"),
        (BY_BUILD, True, 15062, "differs", "absent, which to Windows is 0"),
        (BY_BUILD, True, 15063, "ok", "absent, which to Windows is 1"),
        (BY_BUILD, True, None, "differs", "absent, which to Windows is 0"),
        (Absent(client=None, server=None), True, 20348, "differs", "absent"),
        (Absent(client=1, server=1), None, None, "ok", "absent, which to Windows is 1"),
    ],
)
def test_an_absent_value(absent: Absent, server: bool | None, build: int | None, state: str, detail: str) -> None:
    assert value_state(row(absent=absent), ABSENT, reading=on(server, build)) == (state, None, detail)


def test_a_range_takes_the_meaning_of_absence_as_a_number() -> None:
    within = row(TEXT, desired=Desired("20000", least=5000, most=60000), absent=Absent(client="5000", server="90000"))
    assert value_state(within, ABSENT, reading=on(server=False))[0] == "ok"
    assert value_state(within, ABSENT, reading=on(server=True))[0] == "differs"


# ---- the other kinds of location


def test_what_was_not_read_is_unreadable_wherever_it_is() -> None:
    """Never ok: an empty reading says nothing about any place."""
    places: list[Location] = [
        *(NUMBER, USER, BUTTON, RegistryKey(KEY), TwoValues(NUMBER, TEXT), ServiceValues("PreshutdownTimeout")),
        *(File("x"), Process("x.exe"), Events("System", "x", (1,))),
    ]
    for place, desired in itertools.product(places, (Desired(1), Desired(None))):
        states = [(finding.state, bool(finding.detail)) for finding in found(row(place, desired=desired), Reading())]
        assert states and set(states) == {("unreadable", True)}, place


@pytest.mark.parametrize(
    ("exists", "grade", "waiver", "state", "actual", "detail"),
    [
        (Exists(), "verified", "", "ok", None, ""),
        (Exists(), "verified", "waived by the user", "ok", None, ""),
        (Exists(True), "verified", "", "differs", "present", ""),
        (Exists(True, detail="event 41 at noon"), "verified", "", "differs", "event 41 at noon", ""),
        (Exists(True), "common_knowledge", "", "differs", "present", ""),
        (Exists(True), "verified", "waived by the user", "waived", "present", "waived by the user"),
        (Exists(trouble="access is denied"), "verified", "", "unreadable", None, "access is denied"),
        (None, "verified", "", "unreadable", None, "it was not read"),
    ],
)
@pytest.mark.parametrize(
    "place", [RegistryKey(KEY), File(r"%SystemRoot%\x.xml"), Process("x.exe"), Events("System", "Ntfs", (55,))]
)
def test_what_exists(
    place: t.Any, exists: Exists | None, grade: str, waiver: str, state: str, actual: str | None, detail: str
) -> None:
    reading = on()
    if exists:
        kinds: dict[type, tuple[dict[t.Any, Exists], t.Any]] = {
            RegistryKey: (reading.keys, KEY),
            File: (reading.files, getattr(place, "path", "")),
            Process: (reading.processes, getattr(place, "image", "")),
            Events: (reading.events, place),
        }
        kept, name = kinds[type(place)]
        kept[name] = exists
    (finding,) = found(row(place, desired=Desired(None), grade=grade, enforced=False), reading, waiver)
    assert (finding.state, finding.actual, finding.detail) == (state, actual, detail)
    assert finding.location


@pytest.mark.parametrize(
    ("one", "other", "state", "actual"),
    [
        (text("GUEST"), text("GUEST"), "ok", "GUEST"),
        (text("OLD"), text("NEW"), "differs", "OLD and NEW"),
        (ABSENT, ABSENT, "ok", None),
        (ABSENT, text("NEW"), "differs", "nothing and NEW"),
        (text("OLD"), Seen(trouble="no"), "unreadable", None),
        (Seen(trouble="no"), text("NEW"), "unreadable", None),
    ],
)
def test_two_values(one: Seen, other: Seen, state: str, actual: str | None) -> None:
    reading = on()
    reading.put(NUMBER.key, NUMBER.name, one)
    reading.put(TEXT.key, TEXT.name, other)
    (finding,) = found(row(TwoValues(NUMBER, TEXT), desired=Desired(None), enforced=False), reading)
    assert (finding.state, finding.actual) == (state, actual)


def test_services() -> None:
    services = row(ServiceValues("PreshutdownTimeout"), desired=Desired(None, most=300_000), enforced=False)
    reading = on()
    reading.begin_scan(SERVICES, "PreshutdownTimeout")
    assert found(services, reading) == []
    reading.put(rf"{SERVICES}\UsoSvc", "PreshutdownTimeout", dword(57_600_000))
    reading.put(rf"{SERVICES}\gpsvc", "PreshutdownTimeout", dword(300_000))
    assert [(finding.location, finding.state) for finding in found(services, reading)] == [
        (rf"{SERVICES}\gpsvc\PreshutdownTimeout", "ok"),
        (rf"{SERVICES}\usosvc\PreshutdownTimeout", "differs"),
    ]
    reading.begin_scan(SERVICES, "PreshutdownTimeout", "a text is among them")
    (finding,) = found(services, reading)
    assert (finding.state, finding.detail) == ("unreadable", "a text is among them")


def test_users() -> None:
    user = row(USER, desired=Desired("1"), absent=Absent(client="0", server="0"), takes_effect="logon")
    reading = on()
    reading.add_hives(
        [
            Hive("S-1-5-21-1", "loaded"),
            Hive("S-1-5-21-2", "stored"),
            Hive("S-1-5-21-3", "stored", "in use"),
            Hive("S-1-5-21-4", "loaded"),
            Hive("default", "default"),
        ]
    )
    reading.put(rf"HKU\S-1-5-21-1\{USER.key}", USER.name, text("1"))
    reading.put(rf"HKU\S-1-5-21-2\{USER.key}", USER.name, text("0"))
    reading.put(rf"HKU\S-1-5-21-3\{USER.key}", USER.name, text("1"))
    reading.put(rf"HKU\default\{USER.key}", USER.name, ABSENT)
    assert [(finding.location, finding.state, finding.detail) for finding in found(user, reading)] == [
        (r"HKU\S-1-5-21-1\Control Panel\Desktop\AutoEndTasks", "ok", ""),
        (r"HKU\S-1-5-21-2\Control Panel\Desktop\AutoEndTasks (stored)", "differs", ""),
        (r"HKU\S-1-5-21-3\Control Panel\Desktop\AutoEndTasks (stored)", "unreadable", "in use"),
        (r"HKU\S-1-5-21-4\Control Panel\Desktop\AutoEndTasks", "unreadable", NOT_READ),
        (r"HKU\default\Control Panel\Desktop\AutoEndTasks (default)", "differs", "absent, which to Windows is 0"),
        (r"HKU\.DEFAULT\Control Panel\Desktop\AutoEndTasks (system)", "unreadable", "it was not found"),
    ]


def power_reading(**values: int) -> Reading:
    """Keyword arguments: policy_AC, one_DC and so on."""
    reading = on()
    reading.schemes, reading.schemes_trouble = (ONE, OTHER), ""
    keys = {
        "policy": f"{POWER_POLICY}\\{BUTTON.setting.upper()}",
        "one": f"{POWER_SCHEMES}\\{ONE}\\{BUTTON.subgroup}\\{BUTTON.setting}",
        "other": f"{POWER_SCHEMES}\\{OTHER}\\{BUTTON.subgroup}\\{BUTTON.setting}",
    }
    for root, name in itertools.product((POWER_SCHEMES, POWER_POLICY), MODES.values()):
        reading.begin_scan(root, name)
    for place, number in values.items():
        where, mode = place.split("_")
        reading.put(keys[where], MODES[mode], dword(number))
    return reading


@pytest.mark.parametrize(
    ("values", "waiver", "states"),
    [
        (
            {"one_AC": 3, "one_DC": 0, "other_AC": 1},
            "",
            {"one AC": "ok", "one DC": "differs", "other AC": "differs", "other DC": "differs"},
        ),
        (
            {"policy_AC": 0, "one_AC": 3, "one_DC": 3, "other_AC": 3, "other_DC": 3},
            "",
            {"policy AC": "managed_by_policy", "one DC": "ok", "other DC": "ok"},
        ),
        ({"policy_AC": 3, "policy_DC": 3, "one_AC": 0}, "", {"policy AC": "ok", "policy DC": "ok"}),
        ({"policy_AC": 0, "policy_DC": 3}, "waived", {"policy AC": "waived", "policy DC": "ok"}),
    ],
)
def test_power_settings(values: dict[str, int], waiver: str, states: dict[str, str]) -> None:
    """A policy overrides its mode in every scheme, and only its mode."""
    seen = {}
    for finding in found(row(BUTTON, desired=Desired(3)), power_reading(**values), waiver):
        place = finding.location.replace(f"power scheme {ONE}", "one").replace(f"power scheme {OTHER}", "other")
        where, mode = place.removesuffix(": BUTTON").split(", ")
        seen[f"{where} {mode}"] = finding.state
    assert seen == states


def test_power_settings_that_could_not_be_read() -> None:
    setting = row(BUTTON, desired=Desired(3))
    reading = power_reading()
    reading.schemes_trouble = "no power scheme was found"
    (finding,) = found(setting, reading)
    assert (finding.state, finding.detail) == ("unreadable", "no power scheme was found")
    reading = power_reading(one_AC=3, one_DC=3, other_AC=3, other_DC=3)
    reading.begin_scan(POWER_POLICY, "ACSettingIndex", "a text is among them")
    states = [finding.state for finding in found(setting, reading)]
    assert states == ["unreadable", "ok", "ok", "ok", "ok"]


# ---- what users are told


def test_a_finding_as_it_is_told() -> None:
    written = Finding(row(cost="a cost"), "a place\x1b[31m", "fixed", 1, "a detail\x00", None)
    before = written.changed(state="differs", actual=0)
    told = written.told(before)
    assert told == {
        "id": "example",
        "scenario": "other",
        "effect": "blocks",
        "title": "An example",
        "location": "a place\\x1b[31m",
        "actual": 1,
        "desired": 1,
        "state": "fixed",
        "actual_before": 0,
        "state_before": "differs",
        "detail": "a detail\\x00",
        "enforced": True,
        "takes_effect": "now",
        "cost": "a cost",
        "cure": "",
        "grade": "verified",
        "source": "this test",
    }
    alone = Finding(row(Process("x.exe"), enforced=False), "x.exe", "differs", "present").told()
    assert (alone["takes_effect"], alone["actual_before"], alone["state_before"]) == (None, "present", "differs")


def one(state: str, effect: str = "blocks", takes_effect: str = "now", scenario: str = "other") -> Finding:
    return Finding(row(effect=effect, takes_effect=takes_effect, scenario=scenario), "here", state)


@pytest.mark.parametrize(
    ("members", "verdict"),
    [
        ([], "ready"),
        ([one("ok")], "ready"),
        ([one("differs")], "blocked"),
        ([one("differs", "swallows")], "blocked"),
        ([one("managed_by_policy", "swallows")], "blocked"),
        ([one("differs", "prolongs")], "prolonged"),
        ([one("managed_by_policy", "prolongs")], "prolonged"),
        ([one("differs", "informs"), one("unreadable", "informs"), one("waived", "informs")], "ready"),
        ([one("waived")], "waived"),
        ([one("unreadable")], "unknown"),
        ([one("unverified")], "ready"),
        ([one("fixed", takes_effect="now"), one("fixed", takes_effect="activation")], "ready"),
        ([one("fixed", takes_effect="next_shutdown")], "ready"),
        ([one("fixed", takes_effect="logon")], "ready_later"),
        ([one("fixed", takes_effect="boot")], "ready_later"),
        ([one("fixed", takes_effect="unknown")], "ready_later"),
        ([one("ok", takes_effect="boot")], "ready"),
        ([one("differs", "prolongs"), one("differs", "blocks")], "blocked"),
        ([one("differs", "prolongs"), one("waived"), one("unreadable")], "prolonged"),
        ([one("waived"), one("unreadable")], "waived"),
        ([one("unreadable"), one("fixed", takes_effect="boot")], "unknown"),
    ],
)
def test_verdicts(members: list[Finding], verdict: str) -> None:
    for order in itertools.permutations(members):
        told = verdicts(order)
        assert told["other"] == verdict
        assert list(told) == list(GUEST_SCENARIOS) and {told[name] for name in GUEST_SCENARIOS if name != "other"} == {
            "ready"
        }


def test_verdicts_are_of_their_own_scenario() -> None:
    told = verdicts([one("differs", scenario="sleep"), one("differs", "prolongs", scenario="updates"), one("ok")])
    assert {name: verdict for name, verdict in told.items() if verdict != "ready"} == {
        "sleep": "blocked",
        "updates": "prolonged",
    }


def test_the_order_is_that_of_the_catalogue() -> None:
    rows = tuple(row(RegistryValue(KEY, name, "REG_DWORD"), id=name) for name in ("c", "a", "b"))
    assert [finding.row.id for finding in findings(Catalogue(rows, {}), Reading())] == ["c", "a", "b"]


def test_unknown_is_never_a_value() -> None:
    assert not Desired(None).accepts(t.cast("t.Any", UNKNOWN)) and not Desired(1, least=0).accepts(
        t.cast("t.Any", UNKNOWN)
    )
