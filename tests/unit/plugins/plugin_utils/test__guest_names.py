# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of hosts: never two of one, never one with a meaning of its own, whatever domains are called."""

from __future__ import annotations

from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_names import Guest, choose
from hypothesis import given
from hypothesis import strategies as st

RESERVED = {"localhost", "windows", "kvm01", "kvm02"}


def guest(domain: str, hypervisor: str = "kvm01", uuid: str = "") -> Guest:
    return Guest(domain, uuid or f"uuid of {domain} of {hypervisor}", hypervisor)


def test_styles() -> None:
    guests = [guest("web01"), guest("web02", "kvm02", "u")]
    assert choose(guests, "name", RESERVED) == (["web01", "web02"], [])
    assert choose(guests, "qualified", RESERVED) == (["kvm01_web01", "kvm02_web02"], [])
    assert choose(guests, "uuid", RESERVED) == (["uuid of web01 of kvm01", "u"], [])


def test_guests_of_one_name_are_told_apart_and_told() -> None:
    names, (trouble,) = choose([guest("web"), guest("db"), guest("web", "kvm02")], "name", RESERVED)
    assert names == ["kvm01_web", "db", "kvm02_web"]
    assert "'web'" in trouble and "2 guests have it" in trouble and "of kvm02 is 'kvm02_web' here" in trouble


def test_a_name_that_means_something_else_is_no_guest() -> None:
    taken = ["localhost", "windows", "kvm02", ".", ".."]
    names, troubles = choose([guest(name) for name in taken], "name", RESERVED)
    assert names == [f"kvm01_{name}" for name in taken]
    assert len(troubles) == len(taken) and all("means something else" in trouble for trouble in troubles)


def test_a_domain_named_like_another_ones_way_out() -> None:
    names, troubles = choose([guest("kvm01_web"), guest("web"), guest("web", "kvm02")], "name", RESERVED)
    assert names == ["kvm01_kvm01_web", "uuid of web of kvm01", "kvm02_web"] or len(set(names)) == 3
    assert None not in names and troubles


def test_the_same_domain_twice_has_no_name_left() -> None:
    names, troubles = choose([guest("kvm01_x", uuid="u"), guest("x", uuid="u")], "uuid", RESERVED)
    assert len({name for name in names if name}) == len([name for name in names if name]) and troubles
    names, troubles = choose([guest("x", uuid="u"), guest("x", uuid="u")], "name", RESERVED)
    assert names == [None, None] and "left out" in troubles[-1]


words = st.sampled_from(["web", "kvm01", "kvm01_web", "kvm01_kvm01_web", "localhost", "..", "u1", "kvm02_web"])
guests_of_all_kinds = st.builds(Guest, words, st.sampled_from(["u1", "u2", "web"]), st.sampled_from(["kvm01", "kvm02"]))


@given(st.lists(guests_of_all_kinds, max_size=8), st.sampled_from(["name", "qualified", "uuid"]))
def test_names_are_unique_and_free(guests: list[Guest], style: str) -> None:
    names, troubles = choose(guests, style, RESERVED)
    given_names = [name for name in names if name is not None]
    assert len(names) == len(guests) and len(set(given_names)) == len(given_names)
    assert not {*RESERVED, ".", ".."} & set(given_names)
    assert troubles or names == [one.styled(style) for one in guests]
