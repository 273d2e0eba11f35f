# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Order and budget on real guests, and the forecast next to what then happened."""

from __future__ import annotations

from typing import Any

from bed.guests import AcpiGuest
from bed.module import Answer
from integration.conftest import Hypervisor

TOLERANCE = 6.0
"""Seconds that a busy machine may add to a forecast: the end of a QEMU alone takes up to two."""


def acted(answer: Answer, name: str) -> list[float]:
    """When something was asked of it, in seconds since the run began."""
    return [
        at
        for entry in answer[name]["timeline"]
        if entry["kind"] == "asked"
        for at in (entry["seconds"], entry.get("last_seconds", entry["seconds"]))
    ]


def begun(answer: Answer, name: str) -> float:
    """When its turn came."""
    (at,) = (e["seconds"] for e in answer[name]["timeline"] if e["text"].startswith("its turn has come"))
    return float(at)


def ended(answer: Answer, name: str) -> float:
    return float(answer[name]["timeline"][-1]["seconds"])


def planned(answer: Answer, name: str) -> dict[str, Any]:
    return dict(answer[name]["forecast"])


def test_tiers_and_a_cap(hypervisor: Hypervisor) -> None:
    """Front ends before applications before the database, and never more than two at once."""
    tiers = {"front-1": 0, "front-2": 0, "front-3": 0, "app-1": 1, "app-2": 1, "data": 2}
    hypervisor.start(*(AcpiGuest(name, "press=obey delay=1000") for name in tiers))
    shuffled = sorted(tiers, reverse=True)
    answer = hypervisor.shut_down(*({"name": name, "tier": tiers[name]} for name in shuffled), parallel=2)
    assert not answer.failed, answer.returned
    times = {name: (begun(answer, name), ended(answer, name)) for name in tiers}
    for name, tier in tiers.items():
        assert answer.outcome(name) == "graceful"
        assert min(acted(answer, name)) >= times[name][0]
        assert answer[name]["finish_seconds"] < 10
        for other in tiers:
            assert tier >= tiers[other] or times[name][1] <= times[other][0]
        assert sum(begin <= times[name][0] < end for begin, end in times.values()) <= 2
    assert times["front-3"][0] == times["front-2"][0] < times["front-1"][0]


def test_a_tier_that_is_held_up(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("stubborn", "press=hang"), AcpiGuest("goes"), AcpiGuest("behind"))
    entries = ["stubborn", "goes", {"name": "behind", "tier": 5}]
    options = {"timeout": 5, "max_timeout": 5}
    answer = hypervisor.shut_down(*entries, **options)
    assert (answer.outcome("stubborn"), answer.outcome("goes")) == ("left_running", "graceful")
    assert answer.outcome("behind") == "refused"
    assert "tier 0 was held up by stubborn (left_running)" in answer["behind"]["reason"]
    assert not acted(answer, "behind") and "press" not in hypervisor.bed.com1("behind")
    answer = hypervisor.shut_down(*entries, **options, continue_after=["left_running"])
    assert answer.outcome("behind") == "graceful"
    assert begun(answer, "behind") >= ended(answer, "stubborn") >= 5


def test_the_forecast_and_what_then_happened(hypervisor: Hypervisor) -> None:
    """A budget in which some fit, and each of the others is settled by its own policy; within it, all has ended."""
    hypervisor.start(
        AcpiGuest("quick", "press=obey"),
        AcpiGuest("known", "press=obey delay=2000"),
        AcpiGuest("long-saved", "press=obey"),
        AcpiGuest("long-left", "press=obey"),
        AcpiGuest("long-forced", "press=hang"),
        AcpiGuest("hangs", "press=hang"),
        AcpiGuest("last", "press=obey delay=1000"),
    )
    entries: list[dict[str, Any]] = [
        {"name": "quick", "expected_time": 3},
        {"name": "known"},
        {"name": "long-saved", "expected_time": 600, "on_timeout": "save"},
        {"name": "long-left", "expected_time": 600},
        {"name": "long-forced", "expected_time": 600, "on_timeout": "force"},
        {"name": "hangs", "expected_time": 3, "on_timeout": "save"},
        {"name": "last", "tier": 1, "expected_time": 4},
    ]
    # What is expected of one guest comes from an earlier run.
    assert hypervisor.shut_down("known").outcome("known") == "graceful"
    took = hypervisor.domain("known")
    took.create()
    hypervisor.bed.wait_for("known", "ready", since=hypervisor.bed.com1("known").index("power off"))

    options = {"budget": 40, "timeout": 600, "max_timeout": 1200, "continue_after": ["left_running"]}
    plan = hypervisor.shut_down(*entries, **options, check_mode=True)
    assert not plan.failed and plan.returned["changed"]
    names = [entry["name"] for entry in entries]
    assert {name: planned(plan, name)["becomes"] for name in names} == {
        "quick": "graceful",
        "known": "graceful",
        "long-saved": "saved",
        "long-left": "left_running",
        "long-forced": "forced",
        "hangs": "graceful",
        "last": "graceful",
    }
    whole = plan.returned["forecast"]
    assert whole["fits"] == ["quick", "known", "hangs", "last"] and whole["expected_seconds"] <= 40
    assert [one["name"] for one in whole["does_not_fit"]] == ["long-saved", "long-left", "long-forced"]
    assert planned(plan, "known")["source"] == "record" and 2 < planned(plan, "known")["expected_seconds"] < 15
    assert "within the budget of 40 s" in " ".join(plan["quick"]["plan"])
    assert plan["long-saved"]["plan"][-1].startswith("save it straight away, without a request, 0.")
    assert plan["long-left"]["plan"][-1].startswith("leave it, ask nothing, 0.")
    assert all(hypervisor.running(name) for name in names)

    answer = hypervisor.shut_down(*entries, **options)
    assert max(ended(answer, name) for name in names) < 40
    for name in names:
        foretold = planned(answer, name)
        assert foretold["becomes"] == planned(plan, name)["becomes"]
        assert abs(foretold["start_seconds"] - planned(plan, name)["start_seconds"]) < 1
        expected = "saved" if name == "hangs" else foretold["becomes"]
        assert answer.outcome(name) == expected, answer.texts(name)
        if name not in ("hangs", "last"):
            assert begun(answer, name) <= foretold["start_seconds"] + 1
            assert ended(answer, name) <= foretold["end_seconds"] + TOLERANCE
    # The last one's turn came when the hung ones were off, which was later than foretold, and still in time.
    assert begun(answer, "last") >= max(ended(answer, name) for name in names if name != "last")

    assert (answer["long-saved"]["presses"], "press" in hypervisor.bed.com1("long-saved")) == (0, False)
    assert "saved straight away, without a request" in answer["long-saved"]["reason"]
    assert hypervisor.domain("long-saved").hasManagedSaveImage()
    assert (answer["long-left"]["presses"], answer["long-left"]["request_outstanding"]) == (0, False)
    assert "asked nothing" in answer["long-left"]["reason"] and "press" not in hypervisor.bed.com1("long-left")
    assert hypervisor.running("long-left")
    forced = answer["long-forced"]
    assert forced["presses"] > 0 and "fitted to the budget" in forced["permission"]
    hard_end = planned(answer, "long-forced")["max_timeout"]
    assert hard_end - 1 <= forced["finish_seconds"] and "hard end of" in " ".join(answer.texts("long-forced"))


def test_an_impossible_budget_touches_nothing(hypervisor: Hypervisor) -> None:
    hypervisor.start(AcpiGuest("big", memory_mib=64), AcpiGuest("small"))
    entries = [{"name": "big", "on_timeout": "save"}, {"name": "small", "on_timeout": "force"}]
    before = [hypervisor.domain(name).XMLDesc() for name in ("big", "small")]
    for check_mode in (True, False):
        answer = hypervisor.shut_down(*entries, budget=60, save_rate=1, check_mode=check_mode)
        assert answer.failed and "domains" not in answer.returned
        assert "budget is 60 s, and at least " in answer.returned["msg"]
        assert "saving 1 domains takes 65.0 s" in answer.returned["msg"]
        assert "save_rate" in answer.returned["msg"] and "nothing was asked of any domain" in answer.returned["msg"]
    answer = hypervisor.shut_down("big", "small", budget=9, timeout=60)
    assert answer.failed and "no domain would be off within it" in answer.returned["msg"]
    assert before == [hypervisor.domain(name).XMLDesc() for name in ("big", "small")]
    assert "press" not in hypervisor.bed.com1("big") + hypervisor.bed.com1("small")
