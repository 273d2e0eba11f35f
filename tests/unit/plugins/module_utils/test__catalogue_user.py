# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue as users want it: what they can change, and what is said about what they cannot."""

from __future__ import annotations

import copy
import typing as t

import hypothesis
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    UNKNOWN,
    CatalogueError,
    Desired,
    PowerSetting,
    RegistryValue,
    UserValue,
    check,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue, build
from hypothesis import strategies as st

REGISTRY: dict[str, t.Any] = {"key": r"HKLM\SOFTWARE\Example", "name": "Limit", "type": "REG_DWORD"}
MINE: dict[str, t.Any] = {
    "id": "my_row",
    "scenario": "applications",
    "title": "Our own program takes its time",
    "registry": REGISTRY,
    "desired": 5,
}
POWER = {"subgroup": "4f971e89-eebd-4455-a8de-9e59040e7347", "setting": "5ca83367-6e45-459f-a27b-476b1d01c936"}


def with_row(**changes: t.Any) -> Catalogue:
    """The catalogue with MINE in it, changed; a change to ... takes a key out."""
    entry = {name: value for name, value in (MINE | changes).items() if value is not ...}
    return build(ROWS, custom=[entry])


def refusal(**options: t.Any) -> str:
    """What is said about these options."""
    with pytest.raises(CatalogueError) as error:
        build(ROWS, **options)
    return str(error.value)


def refusal_of_row(**changes: t.Any) -> str:
    """What is said about MINE with these changes."""
    with pytest.raises(CatalogueError) as error:
        with_row(**changes)
    return str(error.value)


def test_without_wishes_it_is_the_rows() -> None:
    catalogue = build(ROWS)
    assert catalogue == build(ROWS, custom=(), desired={}, waive=(), enforce=(), baseline="none")
    assert catalogue.by_id["auto_end_tasks"] is next(row for row in ROWS if row.id == "auto_end_tasks")


# Rows of the user's own


def test_own_row_in_the_registry() -> None:
    row = with_row(least=1, most=10, cost="time", source="our wiki", takes_effect="boot", effect="prolongs").rows[-1]
    assert row.location == RegistryValue(r"HKLM\SOFTWARE\Example", "Limit", "REG_DWORD")
    assert row.desired == Desired(5, 1, 10)
    assert (row.cost, row.source, row.takes_effect, row.effect) == ("time", "our wiki", "boot", "prolongs")
    assert row.enforced
    assert row.offline
    assert row.absent.on(True, 20348) is row.absent.on(False, 9600) is UNKNOWN
    check(row, "my_row")


def test_own_row_of_every_user() -> None:
    user = {"key": r"Control Panel\Desktop", "name": "LowLevelHooksTimeout", "type": "REG_SZ"}
    row = with_row(registry=..., user=user, desired="5000", least=1000, enforced=False).rows[-1]
    assert row.location == UserValue(r"Control Panel\Desktop", "LowLevelHooksTimeout", "REG_SZ")
    assert row.desired == Desired("5000", 1000)
    assert not row.enforced


def test_own_row_about_power() -> None:
    row = with_row(registry=..., power=POWER, desired=0).rows[-1]
    assert row.location == PowerSetting(POWER["subgroup"], POWER["setting"], f"{POWER['subgroup']} {POWER['setting']}")
    assert row.takes_effect == "activation"


@pytest.mark.parametrize(
    ("value_type", "desired", "data"),
    [
        ("REG_QWORD", 2**40, 2**40),
        ("REG_SZ", "a & b", "a & b"),
        ("REG_EXPAND_SZ", "", ""),
        ("REG_MULTI_SZ", ["a", "b"], ("a", "b")),
        ("REG_MULTI_SZ", [], ()),
        ("REG_BINARY", "00Ff", b"\x00\xff"),
        ("REG_DWORD", None, None),
    ],
)
def test_own_row_of_each_type(value_type: str, desired: t.Any, data: t.Any) -> None:
    row = with_row(registry=REGISTRY | {"type": value_type}, desired=desired).rows[-1]
    assert row.desired == Desired(data)


def test_own_row_whose_absence_is_fine() -> None:
    row = with_row(absent_is_fine=True, most=9).rows[-1]
    absence = row.absent.on(True, 20348)
    assert row.desired.accepts(absence)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"titel": "x"}, "there is no key 'titel' (did you mean title?); the keys are "),
        ({"title": ..., "desired": ...}, "title and desired is missing; add it"),
        ({"title": " "}, "title is empty; say in a sentence"),
        ({"title": "a\nb"}, "title has the character U+000A in it"),
        ({"scenario": "mine"}, "scenario is 'mine'; it must be one of updates, "),
        ({"scenario": ["other"]}, "scenario is the list ['other']; it must be a text"),
        ({"effect": "hurts"}, "effect is 'hurts'; it must be one of blocks, "),
        ({"takes_effect": "soon"}, "takes_effect is 'soon'; it must be one of now, "),
        ({"enforced": "yes"}, "enforced is 'yes'; it must be true or false"),
        ({"absent_is_fine": 1}, "absent_is_fine is 1; it must be true or false"),
        ({"cost": 5}, "cost is the number 5; it must be a text"),
        ({"registry": ...}, "give exactly one of registry, user, power; there is none"),
        ({"power": POWER}, "give exactly one of registry, user, power; there is registry and power"),
        ({"registry": "HKLM"}, "registry is a str; it must be a dictionary"),
        ({"registry": {"key": "x"}}, "registry: name and type is missing; add it"),
        ({"registry": REGISTRY | {"value": 1}}, "registry: there is no key 'value'"),
        (
            {"registry": REGISTRY | {"type": "DWORD"}},
            "registry.type is 'DWORD'; it must be one of REG_DWORD, REG_QWORD, REG_SZ, ",
        ),
        (
            {"registry": REGISTRY | {"key": r"HKCU\Software"}},
            r"registry.key is 'HKCU\\Software'; it must begin with HKLM\SOFTWARE\ or",
        ),
        ({"registry": REGISTRY | {"name": "a%b"}}, "registry.name has the character % in it"),
        (
            {"registry": ..., "power": POWER | {"setting": "LIDACTION"}},
            "power.setting is 'LIDACTION'; it must be a GUID",
        ),
        ({"registry": ..., "power": POWER, "desired": None}, "desired is nothing, which would"),
        ({"desired": None, "least": 1}, "desired is nothing, which would have the value deleted"),
        ({"desired": "5"}, "desired is the text '5'; a REG_DWORD takes a number"),
        ({"desired": True}, "desired is the boolean true; a REG_DWORD takes a number"),
        ({"least": "1"}, "least is the text '1'; a REG_QWORD takes a number"),
        ({"least": 6}, "desired is 5, which is not from least to most; mend one of the three"),
        ({"most": 4}, "desired is 5, which is not from least to most; mend one of the three"),
        (
            {"registry": REGISTRY | {"type": "REG_SZ"}, "desired": "much", "most": 9},
            "desired is no number, so least and most mean nothing; leave them out",
        ),
        (
            {"registry": REGISTRY | {"type": "REG_BINARY"}, "desired": "05", "most": 9},
            "desired is no number, so least and most mean nothing; leave them out",
        ),
        (
            {
                "registry": {
                    "key": r"hklm\software\microsoft\windows nt\currentversion\windows",
                    "name": "SHUTDOWNWARNINGDIALOGTIMEOUT",
                    "type": "REG_DWORD",
                }
            },
            "the row other_users_warning is about the same value; use desired",
        ),
    ],
)
def test_own_row_that_cannot_be(changes: dict[str, t.Any], complaint: str) -> None:
    assert refusal_of_row(**changes).startswith(f"custom_rows[0] (my_row): {complaint}")


@pytest.mark.parametrize("ident", [..., None, 5, "", "My-Row", "1st", "x" * 64, "my row", "my_row\n", "ü"])
def test_own_row_with_an_id_of_another_form(ident: t.Any) -> None:
    given = None if ident is ... else ident
    assert refusal_of_row(id=ident) == (
        f"custom_rows[0]: id is {given!r}; it must be small letters, digits and underscores, and begin with a letter"
    )


def test_own_row_with_an_id_of_ours() -> None:
    assert refusal_of_row(id="auto_end_tasks") == (
        "custom_rows[0] (auto_end_tasks): there is a row with the id auto_end_tasks already; choose another id, or "
        "use desired to change what that row wants"
    )


def test_two_rows_of_the_users_own() -> None:
    other = MINE | {"id": "my_other_row"}
    assert refusal(custom=[MINE, MINE]).startswith("custom_rows[1] (my_row): there is a row with the id my_row already")
    assert refusal(custom=[MINE, other]).startswith(
        "custom_rows[1] (my_other_row): the row my_row is about the same value"
    )
    elsewhere = other | {"registry": REGISTRY | {"name": "OtherLimit"}}
    assert [row.id for row in build(ROWS, custom=[MINE, elsewhere]).rows[-2:]] == ["my_row", "my_other_row"]


@pytest.mark.parametrize(
    ("custom", "complaint"),
    [
        ({}, "custom_rows is a dict; it must be a list, even of one"),
        ("my_row", "custom_rows is a str; it must be a list, even of one"),
        (["my_row"], "custom_rows[0] is a str; it must be a dictionary"),
        ([MINE, None], "custom_rows[1] is a NoneType; it must be a dictionary"),
    ],
)
def test_what_is_no_list_of_rows(custom: t.Any, complaint: str) -> None:
    assert refusal(custom=custom) == complaint


# Desired values


@pytest.mark.parametrize(
    ("ident", "given", "data"),
    [
        ("policy_script_wait", 120, 120),
        ("wait_to_kill_service", "5000", "5000"),
        ("power_button_action", 2, 2),
        ("event_tracker_policy_ui", None, None),
        ("volume_check_scheduled", ["autocheck autochk *", "mine"], ("autocheck autochk *", "mine")),
        ("my_row", 7, 7),
    ],
)
def test_desired_value_replaces_data_and_range(ident: str, given: t.Any, data: t.Any) -> None:
    catalogue = build(ROWS, custom=[MINE | {"most": 9}], desired={ident: given})
    assert catalogue.by_id[ident].desired == Desired(data)
    assert len(catalogue.rows) == len(ROWS) + 1


def test_desired_value_does_not_enforce() -> None:
    assert not build(ROWS, desired={"wait_to_kill_service": "5000"}).by_id["wait_to_kill_service"].enforced


@pytest.mark.parametrize(
    ("desired", "complaint"),
    [
        (["policy_script_wait"], " is a list; it must be a dictionary"),
        ({"policy_script_wai": 1}, ": there is no row 'policy_script_wai' (did you mean policy_script_wait"),
        ({5: 1}, ": there is no row 5; the page about the catalogue has all ids"),
        ({"policy_script_wait": "120"}, "[policy_script_wait] is the text '120'; a REG_DWORD takes a number"),
        ({"auto_end_tasks": 1}, "[auto_end_tasks] is the number 1; it must be a text: write it in quotes"),
        ({"auto_end_tasks": "1&%"}, "[auto_end_tasks] has the character % in it"),
        ({"power_button_action": None}, "[power_button_action] is nothing; a REG_DWORD takes a number"),
        ({"cbs_reboot_pending": 1}, "[cbs_reboot_pending]: there is no value that could be another; take it out"),
        ({"service_preshutdown": 1}, "[service_preshutdown]: there is no value that could be another; take it out"),
    ],
)
def test_desired_value_that_cannot_be(desired: t.Any, complaint: str) -> None:
    assert refusal(desired=desired).startswith(f"desired{complaint}")


# Waiving and enforcing


def test_waived_rows_stay_and_say_why() -> None:
    catalogue = build(ROWS, custom=[MINE], waive=["auto_end_tasks", "my_row", "auto_end_tasks"])
    assert catalogue.waived == {"auto_end_tasks": "waived by the user", "my_row": "waived by the user"}
    assert catalogue.by_id["auto_end_tasks"].enforced


def test_enforced_by_name() -> None:
    catalogue = build(ROWS, custom=[MINE | {"enforced": False}], enforce=["my_row", "power_button_forced_shutdown"])
    changed = [row.id for row in catalogue.rows if row.enforced and row not in ROWS]
    assert changed == ["power_button_forced_shutdown", "my_row"]


def test_baseline_waives_what_it_forbids() -> None:
    assert build(ROWS, baseline="cis").waived["shutdown_without_logon"] == "CIS 2.3.13.1 forbids it"
    assert build(ROWS, baseline="stig").waived["shutdown_without_logon"] == "STIG WN12-SO-000073 forbids it"
    assert build(ROWS, baseline="none").waived == {}


def test_what_the_user_says_of_a_row_comes_before_the_baseline() -> None:
    ident = "shutdown_without_logon"
    assert ident not in build(ROWS, baseline="cis", enforce=[ident]).waived
    assert ident not in build(ROWS, baseline="cis", desired={ident: 0}).waived
    assert build(ROWS, baseline="cis", waive=[ident]).waived[ident] == "waived by the user"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"waive": "hibernation"}, "waive is a str; it must be a list, even of one"),
        ({"waive": ["hibernate"]}, "waive: there is no row 'hibernate' (did you mean hibernation"),
        ({"waive": [["a"]]}, "waive: there is no row ['a']; the page about the catalogue has all ids"),
        ({"enforce": {"hibernation": True}}, "enforce is a dict; it must be a list, even of one"),
        ({"enforce": ["qwertz"]}, "enforce: there is no row 'qwertz'; the page about the catalogue has"),
        ({"enforce": ["cbs_reboot_pending"]}, "enforce: cbs_reboot_pending can only be read; take it out."),
        ({"enforce": ["unexplained_stop"]}, "enforce: unexplained_stop can only be read; take it out. What"),
        (
            {"enforce": ["hibernation"], "waive": ["hibernation"]},
            "enforce and waive both name hibernation; take it out of one of them",
        ),
        ({"baseline": "CIS"}, "baseline is 'CIS'; it must be one of none, cis, stig"),
        ({"baseline": None}, "baseline is None; it must be one of none, cis, stig"),
    ],
)
def test_wishes_that_cannot_be(options: dict[str, t.Any], complaint: str) -> None:
    assert refusal(**options).startswith(complaint)


# Anything at all

ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
NAMES = ["id", "scenario", "title", "desired", "least", "most", "effect", "takes_effect", "cost", "source"]
NAMES += ["enforced", "absent_is_fine"]
KINDS = ["registry", "user", "power", "more"]
PLACES: list[tuple[str, ...]] = [(name,) for name in (*NAMES, *KINDS)]
PLACES += [("registry", name) for name in ("key", "name", "type", "more")]


@hypothesis.given(st.lists(st.tuples(st.sampled_from(PLACES), ANYTHING), min_size=1, max_size=3))
def test_any_own_row_is_taken_or_refused_with_its_place(changes: list[tuple[tuple[str, ...], t.Any]]) -> None:
    """Nothing but a CatalogueError ever comes of it, and what is taken is sound."""
    entry = copy.deepcopy(MINE)
    for (*parents, name), value in changes:
        target = entry
        for parent in parents:
            target = target[parent] if isinstance(target.get(parent), dict) else {}
        target[name] = value
    try:
        catalogue = build(ROWS, custom=[entry])
    except CatalogueError as error:
        assert str(error).startswith("custom_rows[0]")
        assert str(error).isprintable()
    else:
        check(catalogue.rows[-1], "the row")


@hypothesis.given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_any_wishes_are_taken_or_refused(
    custom: t.Any, desired: t.Any, waive: t.Any, enforce: t.Any, baseline: t.Any
) -> None:
    try:
        build(ROWS, custom, desired, waive, enforce, baseline)
    except CatalogueError as error:
        assert str(error).startswith(("custom_rows", "desired", "waive", "enforce", "baseline "))
        assert str(error).isprintable()
