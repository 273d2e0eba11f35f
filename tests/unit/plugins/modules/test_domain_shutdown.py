# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module: its options as documented, what it says to wrong ones, and whole runs on libvirt's test driver."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.module_utils import _acts, _run
from ansible_collections.winguest.shutdown.plugins.module_utils._acts import raw_record, read_record, write_record
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Act, Done
from ansible_collections.winguest.shutdown.plugins.module_utils._order import Wish
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import (
    FIELDS,
    Policy,
    PolicyError,
    make_policy,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._record import Past, Record
from ansible_collections.winguest.shutdown.plugins.modules import domain_shutdown
from ansible_collections.winguest.shutdown.plugins.modules.domain_shutdown import (
    DOCUMENTATION,
    DOMAIN_OPTIONS,
    EXAMPLES,
    OPTIONS,
    POLICY_OPTIONS,
    RETURN,
    WISHES,
    read_domains,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.older_core import patch_module_args
from unit.plugins.libvirt_test_driver import URI, Driver

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
NOWHERE = "00000000-0000-4000-8000-000000000000"

Run = Callable[..., dict[str, Any]]
WhenAsked = Callable[..., None]


# ---- the options


def test_the_options_are_those_that_are_documented() -> None:
    documented = yaml.safe_load(DOCUMENTATION)["options"]
    assert list(OPTIONS) == list(documented)
    for name, option in documented.items():
        assert {key: value for key, value in option.items() if key != "description"} == OPTIONS[name], name


def test_the_options_of_a_domain_are_those_of_the_task_without_defaults() -> None:
    assert list(POLICY_OPTIONS) == list(FIELDS)
    assert DOMAIN_OPTIONS.keys() == POLICY_OPTIONS.keys() | WISHES.keys() | {"name", "uuid"}
    assert WISHES.keys() == {field.name for field in dataclasses.fields(Wish)}
    for name, option in POLICY_OPTIONS.items():
        assert DOMAIN_OPTIONS[name] == {key: value for key, value in option.items() if key != "default"}


def test_the_defaults_are_those_of_the_policy() -> None:
    defaults = {name: option.get("default") for name, option in POLICY_OPTIONS.items()}
    assert make_policy(defaults, "the task") == Policy()


def test_the_examples_are_tasks_with_these_options() -> None:
    for task in yaml.safe_load(EXAMPLES):
        options = task["winguest.shutdown.domain_shutdown"]
        assert options.keys() <= OPTIONS.keys()
        read_domains(options.get("domains", []), options)


# ---- the entries of domains


def test_domains_in_all_spellings() -> None:
    defaults = {"timeout": 600.0, "methods": ["acpi"], "wake": True}
    entries = [
        "web01",
        {"name": "sql01", "timeout": "30", "wake": "no"},
        {"uuid": NOWHERE, "methods": [], "tier": "2", "expected_time": "7.5"},
    ]
    task = Policy(methods=("acpi",), timeout=600)
    assert [tuple(wanted) for wanted in read_domains(entries, defaults)] == [
        ("domains[0] (web01)", "web01", None, task, Wish()),
        (
            "domains[1] (sql01)",
            "sql01",
            None,
            Policy(methods=("acpi",), accept_timeout=30, timeout=30, wake=False),
            Wish(),
        ),
        (f"domains[2] ({NOWHERE})", None, NOWHERE, Policy(methods=(), timeout=600), Wish(2, 7.5)),
    ]


@pytest.mark.parametrize(
    ("entries", "complaints"),
    [
        ([5], ["domains[0] is 5; give a name, or a dictionary with name or uuid"]),
        (["web01", None, ["web02"]], ["domains[1] is None;", "; domains[2] is ['web02'];"]),
        ([{}], ["domains[0] (neither name nor uuid): one of the following is required: name, uuid"]),
        ([{"name": None}], ["domains[0] (neither name nor uuid): "]),
        ([{"name": "a", "colour": "red"}], ["domains[0] (a): ", "nsupported", "colour", "on_timeout"]),
        ([{"name": "a", "evidence_dir": "/x"}], ["domains[0] (a): ", "evidence_dir"]),
        ([{"name": "a", "timeout": "long"}], ["domains[0] (a): ", "timeout", "float"]),
        ([{"name": "a", "on_timeout": "kill"}], ["domains[0] (a): ", "on_timeout", "leave, save, force", "kill"]),
        ([{"name": "a", "tier": "first"}], ["domains[0] (a): ", "tier", "int"]),
        ([{"name": "a", "expected_time": -1}], ["domains[0] (a): expected_time is -1; it must be a number from 0"]),
        ([{"name": "a", "budget": 9}], ["domains[0] (a): ", "nsupported", "budget"]),
        ([{"name": "a", "methods": ["ssh"]}], ["domains[0] (a): ", "methods", "acpi, guest_shutdown, agent", "ssh"]),
        ([{"name": "a", "waive": ["domain_acpi"]}], ["domains[0] (a): ", "waive", "domain_acpi"]),
        ([{"name": "a", "wake": "perhaps"}], ["domains[0] (a): ", "wake", "perhaps"]),
        ([{"uuid": "x", "timeout": 7200}], ["domains[0] (x): timeout (7200 s) is later than max_timeout (3600 s)"]),
        (["a", {"name": "b", "timeout": 9e4}, 3], ["domains[1] (b): timeout", "; domains[2] is 3;"]),
    ],
)
def test_wrong_entries(entries: list[Any], complaints: list[str]) -> None:
    with pytest.raises(PolicyError) as raised:
        read_domains(entries, {"max_timeout": 3600.0})
    for complaint in complaints:
        assert complaint in str(raised.value)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
names = st.sampled_from([*DOMAIN_OPTIONS]) | st.text(max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


@settings(max_examples=50)
@given(entries=st.lists(values | st.dictionaries(names, values, max_size=4), max_size=2))
@example([{"name": ["web01"]}])
@example([{"name": "web01", "timeout": float("nan")}])
def test_any_other_entries(entries: list[Any]) -> None:
    try:
        wanted = read_domains(entries, {})
    except PolicyError as error:
        assert "domains[" in str(error)
    else:
        assert all(isinstance(entry.name if entry.uuid is None else entry.uuid, str) for entry in wanted)


# ---- whole runs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Run]:
    """Runs the module in this process, where the test driver's domains are, and returns what it printed."""

    def run(**options: Any) -> dict[str, Any]:
        options = {"uri": URI, "evidence_dir": str(tmp_path / "evidence"), "baseline_time": 0, **options}
        with patch_module_args(options), pytest.raises(SystemExit) as ended:
            domain_shutdown.main()
        result = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) is (ended.value.code != 0)
        return result

    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "give exactly one of domains, a list of the domains to shut down, and all=true"),
        ({"domains": []}, "domains is empty; name at least one domain, or use all=true"),
        ({"domains": [], "all": True}, "domains is empty"),
        ({"domains": ["a"], "name_pattern": "a*"}, "name_pattern chooses among all domains; it needs all=true"),
        ({"all": True, "timeout": 10, "max_timeout": 5}, "the task: timeout (10 s) is later than max_timeout (5 s)"),
        ({"domains": ["a", {"name": "b", "press_interval": 0}]}, "domains[1] (b): press_interval is 0; it must be"),
        ({"domains": ["a"], "controller_timeout": 3}, "controller_timeout is 3; it must be a number from 4 to 1e+08"),
        ({"domains": ["a"], "progress_interval": "nan"}, "progress_interval is nan; it must be a number from 0 to"),
        ({"domains": ["a"], "on_timeout": "force", "evidence_dir": "/proc/no/such"}, "evidence_dir '/proc/no/such'"),
        (
            {"domains": [{"name": "a", "on_timeout": "force"}], "evidence_dir": "/proc/no/such"},
            "evidence_dir '/proc/no/such' cannot be written to",
        ),
        ({"domains": ["a"], "on_timeout": "kill"}, "value of on_timeout must be one of: leave, save, force"),
        (
            {"domains": ["a"], "parallel": -1},
            "the task: parallel is -1; it must be 0 (no limit) or a number of domains",
        ),
        ({"domains": ["a"], "budget": 0}, "the task: budget is 0; it must be a number from 1"),
        ({"all": True, "save_rate": 0}, "the task: save_rate is 0; it must be a number from 1"),
        (
            {"domains": ["a"], "continue_after": ["graceful"]},
            "value of continue_after must be one or more of: left_run",
        ),
        ({"domains": ["a"], "tier": 1}, "Unsupported parameters for"),
        ({"domains": ["a"], "uri": "test:///no/such"}, "cannot connect to libvirt at uri 'test:///no/such'"),
        ({"domains": ["no such", {"uuid": NOWHERE}]}, "domains[0] (no such): there is no domain with name 'no such'"),
        ({"domains": ["test", {"name": "test"}]}, "domains[1] (test) and domains[0] (test) are the same domain test"),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_wrong_options(run: Run, options: dict[str, Any], complaint: str, check_mode: bool, driver: Driver) -> None:
    result = run(**options, _ansible_check_mode=check_mode)
    if check_mode and "evidence_dir" in options:  # check mode writes nothing, so it cannot know
        complaint = "domains[0] (a): there is no domain with name 'a'"
    assert result["failed"] and complaint in result["msg"]
    assert "domains" not in result and "exception" not in result
    assert driver.connection.lookupByName("test").isActive()


def test_without_libvirt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain_shutdown, "LIBVIRT_IMPORT_ERROR", "Traceback: no libvirt")
    result = run(domains=["test"])
    assert result["failed"] and "libvirt" in result["msg"] and "required Python library" in result["msg"]


def test_whether_the_controller_is_gone() -> None:
    saved, (reader, writer) = os.dup(1), os.pipe()
    try:
        os.dup2(writer, 1)
        os.close(writer)
        assert not domain_shutdown.controller_gone()
        os.close(reader)
        assert domain_shutdown.controller_gone()
    finally:
        os.dup2(saved, 1)
        os.close(saved)
    assert not domain_shutdown.controller_gone()


def test_check_mode_plans_and_changes_nothing(run: Run, driver: Driver, tmp_path: Path) -> None:
    domain = driver.start("planned")
    before = domain.XMLDesc(0)
    result = run(domains=["planned"], on_timeout="force", _ansible_check_mode=True)
    (planned,) = result["domains"]
    assert (result["changed"], planned["outcome"], planned["name"]) == (True, "planned", "planned")
    assert [step.split(" ")[0] for step in planned["plan"]] == ["note:", "note:", "press", "wait", "then,"]
    assert "[domain_agent_channel]" in planned["plan"][0] and "[domain_display]" in planned["plan"][1]
    assert result["totals"] == {"planned": 1, "domains": 1}
    assert domain.XMLDesc(0) == before and domain.isActive()
    assert list(tmp_path.iterdir()) == []


def test_a_guest_that_goes_off(run: Run, driver: Driver) -> None:
    """The test driver knows no buttons, so somebody else shuts the guest down."""
    domain = driver.start("going")
    threading.Timer(0.5, domain.shutdown).start()
    result = run(domains=["going"], methods=["acpi"])
    (going,) = result["domains"]
    assert (result["changed"], going["outcome"], going["method"]) == (True, "graceful", "acpi")
    assert going["presses"] >= 1 and 0.1 < going["finish_seconds"] < 5
    kinds = [entry["kind"] for entry in going["timeline"]]
    assert (kinds[0], kinds[-1]) == ("found", "ended") and "asked" in kinds
    record = read_record(domain)
    assert record.request is not None and not record.request.outstanding
    assert [(past.outcome, past.finish_seconds) for past in record.history] == [("graceful", going["finish_seconds"])]

    again = run(domains=["going"])
    assert (again["changed"], again["totals"]) == (False, {"already_off": 1, "domains": 1})


def test_a_request_is_on_record_before_it_is_made(run: Run, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    domains = [driver.start(f"due-{number}") for number in range(6)]
    make = _acts.simple
    found: dict[str, bool] = {}

    def simple(act: Act, domain: Any) -> Done:
        request = read_record(domain).request
        found.setdefault(domain.name(), request is not None and request.outstanding and not request.outcome)
        return make(act, domain)

    monkeypatch.setattr(_acts, "simple", simple)
    run(domains=[domain.name() for domain in domains], timeout=0.5, max_timeout=0.5, accept_timeout=0.5)
    assert found == {domain.name(): True for domain in domains}


def test_a_request_that_was_recorded_and_is_not_made_is_taken_off_the_record(
    run: Run, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is told to stop just when the first of them is on record, and not asked yet."""
    fresh, known = driver.start("fresh"), driver.start("known")
    earlier = Record(None, (Past("2026-11-23T10:12:03.204Z", "graceful", "acpi", 0.5, 24.8),))
    write_record(known, earlier)
    stopped, stop, write = threading.Event(), _run.Run.stop, _acts.write_record

    def stopping(self: _run.Run, why: str) -> None:
        stop(self, why)
        stopped.set()

    def writing(domain: Any, record: Record, guess: bool = False) -> None:
        write(domain, record, guess)
        if record.request is not None:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopped.wait(60)

    monkeypatch.setattr(_run.Run, "stop", stopping)
    monkeypatch.setattr(_acts, "write_record", writing)
    result = run(domains=["fresh", "known"])
    assert result["totals"] == {"cancelled": 2, "domains": 2}
    assert raw_record(fresh) == "" and read_record(known) == earlier
    assert fresh.isActive() and known.isActive()


def test_a_guest_that_stays(run: Run, driver: Driver) -> None:
    domain = driver.start("staying")
    result = run(domains=["staying"], timeout=0.5, max_timeout=0.5, accept_timeout=0.5)
    (staying,) = result["domains"]
    assert result["failed"] and result["changed"] and "staying: left_running: " in result["msg"]
    assert (staying["outcome"], staying["request_outstanding"], staying["forced"]) == ("left_running", True, False)
    assert domain.isActive()
    request = read_record(domain).request
    assert request is not None and request.outstanding and request.outcome == "left_running"

    (planned,) = run(domains=["staying"], _ansible_check_mode=True)["domains"]
    assert f"a request of {request.at} is outstanding" in planned["timeline"][-1]["text"]
    domain.shutdown()
    (late,) = run(domains=["staying"])["domains"]
    assert late["outcome"] == "already_off" and late["reason"].startswith("it went off late (shutdown)")


def test_force_and_save_at_once(run: Run, driver: Driver) -> None:
    forced, saved, off = (driver.start(name) for name in ("hard-1", "hard-2", "hard-3"))
    off.destroy()
    entries = ["hard-1", {"uuid": saved.UUIDString(), "on_timeout": "save"}, "hard-3"]
    result = run(domains=entries, methods=[], timeout=0, max_timeout=0, on_timeout="force")
    assert [(domain["name"], domain["outcome"]) for domain in result["domains"]] == [
        ("hard-1", "forced"),
        ("hard-2", "saved"),
        ("hard-3", "already_off"),
    ]
    assert (result["changed"], result.get("failed", False)) == (True, False)
    assert result["totals"] == {"already_off": 1, "forced": 1, "saved": 1, "domains": 3}
    assert not forced.isActive() and saved.hasManagedSaveImage()
    screen, document = map(Path, result["domains"][0]["evidence"])
    assert screen.read_bytes().startswith(b"\x89PNG")
    assert json.loads(document.read_text(encoding="utf-8"))["permission"] == result["domains"][0]["permission"]


def test_all_of_them_and_some_in_their_own_way(run: Run, driver: Driver) -> None:
    for name in ("own-way", "mixed-1", "mixed-2"):
        driver.start(name)
    entries = [{"name": "own-way", "on_timeout": "save"}, {"name": "mixed-1", "on_timeout": "save"}]
    result = run(all=True, name_pattern="mixed-*", domains=entries, methods=[], timeout=0, max_timeout=0)
    outcomes = {domain["name"]: domain["outcome"] for domain in result["domains"]}
    assert outcomes == {"own-way": "saved", "mixed-1": "saved", "mixed-2": "left_running"}


def test_a_trap(run: Run, driver: Driver) -> None:
    domain = driver.start("trapped", more="<on_poweroff>restart</on_poweroff>")
    result = run(domains=["trapped"], timeout=0.5, max_timeout=0.5, on_timeout="force")
    (trapped,) = result["domains"]
    assert result["failed"] and not result["changed"] and trapped["outcome"] == "refused"
    assert "[domain_on_poweroff]" in trapped["reason"]
    assert domain.isActive() and read_record(domain).request is None
    options = {"methods": [], "timeout": 0, "max_timeout": 0, "on_timeout": "save", "waive": ["domain_on_poweroff"]}
    assert run(domains=["trapped"], **options)["totals"] == {"saved": 1, "domains": 1}


def test_all_domains_whose_names_match(run: Run, driver: Driver) -> None:
    for name in ("all-b", "all-a", "All-c"):
        driver.start(name).destroy()
    result = run(all=True, name_pattern="all-?")
    assert [domain["name"] for domain in result["domains"]] == ["all-a", "all-b"]
    nobody = run(all=True, name_pattern="nobody*")
    assert (nobody["changed"], nobody["domains"], nobody["totals"]) == (False, [], {"domains": 0})


def test_nothing_is_forced_without_evidence(run: Run, driver: Driver, tmp_path: Path) -> None:
    domain = driver.start("no-evidence")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=2", "none", str(folder)], check=True)
    try:
        result = run(
            domains=["no-evidence"], methods=[], timeout=0, max_timeout=0, on_timeout="force", evidence_dir=str(folder)
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    (left,) = result["domains"]
    assert left["outcome"] == "error" and "No space left" in left["reason"] and domain.isActive()


def test_a_connection_that_may_only_read(run: Run, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = driver.start("read-only")
    monkeypatch.setattr(libvirt, "open", libvirt.openReadOnly)
    result = run(domains=["read-only"], on_timeout="force", timeout=1, max_timeout=1)
    (untouched,) = result["domains"]
    assert untouched["outcome"] == "error" and "does not allow it on this connection" in untouched["reason"]
    assert untouched["presses"] <= 1 and domain.isActive()


# ---- order and budget


@pytest.fixture
def when_asked(monkeypatch: pytest.MonkeyPatch) -> WhenAsked:
    """Gives a domain a button, which the test driver's have not: when it is pressed, these go off one after another."""
    wired: dict[str, tuple[Any, ...]] = {}

    def press(domain: Any, dummy_flags: int) -> None:
        for each in wired.pop(domain.name(), ()):
            each.shutdown()

    def when_asked(asked: Any, *going: Any) -> None:
        wired[asked.name()] = going

    monkeypatch.setattr(libvirt.virDomain, "shutdownFlags", press)
    return when_asked


def test_the_forecast_is_as_documented(run: Run, driver: Driver) -> None:
    for name in ("one", "two"):
        driver.start(name)
    entries = ["one", {"name": "two", "expected_time": 900, "on_timeout": "save"}]
    result = run(domains=entries, timeout=9, accept_timeout=5, budget=60, _ansible_check_mode=True)
    documented = yaml.safe_load(RETURN)
    assert result.keys() >= documented.keys()
    assert result["forecast"].keys() == documented["forecast"]["contains"].keys()
    assert result["forecast"]["fits"] == ["one"]
    (other,) = result["forecast"]["does_not_fit"]
    assert other.keys() == documented["forecast"]["contains"]["does_not_fit"]["contains"].keys()
    assert (other["name"], other["becomes"]) == ("two", "saved")
    contains = documented["domains"]["contains"]["forecast"]["contains"]
    for domain in result["domains"]:
        assert domain["forecast"].keys() == contains.keys()


def test_check_mode_says_in_which_order(run: Run, driver: Driver) -> None:
    for name in ("data", "app"):
        driver.start(name)
    result = run(domains=[{"name": "data", "tier": 3}, "app"], timeout=9, accept_timeout=5, _ansible_check_mode=True)
    data, app = (domain["forecast"] for domain in result["domains"])
    assert (app["tier"], data["tier"]) == (0, 3)
    assert app["start_seconds"] < 1 and data["start_seconds"] == app["end_seconds"]
    assert any(step.startswith("take it up 10.") and "(tier 3)" in step for step in result["domains"][0]["plan"])
    assert result["forecast"]["budget"] is None and result["forecast"]["fits"] == ["app", "data"]


def test_tiers_and_a_cap(run: Run, driver: Driver, when_asked: WhenAsked) -> None:
    names = ["order-1", "order-2", "order-3", "order-0"]
    for name in names:
        domain = driver.start(name)
        when_asked(domain, domain)
    entries = [{"name": name, "tier": 0 if name == "order-0" else 1} for name in names]
    result = run(domains=entries, parallel=2)
    assert result["totals"] == {"graceful": 4, "domains": 4}
    turns = {}
    for domain in result["domains"]:
        found = [entry["seconds"] for entry in domain["timeline"] if entry["text"].startswith("its turn has come")]
        turns[domain["name"]] = (found[0], domain["timeline"][-1]["seconds"])
    assert turns["order-0"][1] <= turns["order-1"][0] == turns["order-2"][0] < turns["order-3"][0]
    assert turns["order-3"][0] >= min(turns["order-1"][1], turns["order-2"][1])


def test_a_tier_that_is_held_up_is_refused(run: Run, driver: Driver) -> None:
    driver.start("trap", more="<on_poweroff>restart</on_poweroff>")
    behind = driver.start("behind")
    entries = ["trap", {"name": "behind", "tier": 1}]
    planned = run(domains=entries, _ansible_check_mode=True)["domains"][1]
    assert planned["outcome"] == "planned" and planned["forecast"]["becomes"] == "refused"
    assert planned["plan"][-1].startswith("refuse it: its tier never started: tier 0 was held up by trap (refused)")
    result = run(domains=entries)
    assert result["totals"] == {"refused": 2, "domains": 2} and not result["changed"]
    assert "held up by trap (refused)" in result["domains"][1]["reason"] and read_record(behind).request is None
    options = {"methods": [], "timeout": 0, "max_timeout": 0, "on_timeout": "save", "continue_after": ["refused"]}
    assert run(domains=entries, **options)["totals"] == {"refused": 1, "saved": 1, "domains": 2}


def test_what_waits_when_the_run_is_cancelled(run: Run, driver: Driver) -> None:
    for name in ("first", "second"):
        driver.start(name)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    result = run(domains=["first", "second"], parallel=1)
    assert result["totals"] == {"cancelled": 2, "domains": 2}
    assert not any(entry["kind"] == "asked" for entry in result["domains"][1]["timeline"])


def test_one_that_goes_off_while_it_waits(run: Run, driver: Driver, when_asked: WhenAsked) -> None:
    first, second = (driver.start(name) for name in ("goes-last", "goes-first"))
    when_asked(first, second, first)
    other = run(domains=["goes-last", "goes-first"], parallel=1)["domains"][1]
    assert other["outcome"] == "already_off" and not any(entry["kind"] == "asked" for entry in other["timeline"])


def test_a_save_straight_away_and_one_that_is_left(run: Run, driver: Driver, when_asked: WhenAsked) -> None:
    short, saved_one, left_one = (driver.start(name) for name in ("short", "saved", "left"))
    when_asked(short, short)
    entries = [
        {"name": "short", "expected_time": 5},
        {"name": "saved", "expected_time": 500, "on_timeout": "save"},
        {"name": "left", "expected_time": 500},
    ]
    result = run(domains=entries, budget=30, timeout=600)
    assert [domain["outcome"] for domain in result["domains"]] == ["graceful", "saved", "left_running"]
    saved, left = result["domains"][1:]
    assert "saved straight away, without a request" in saved["reason"]
    assert (saved["presses"], saved["request_outstanding"], saved["finish_seconds"]) == (0, False, None)
    record = read_record(saved_one)
    assert record.request is None and [past.outcome for past in record.history] == ["saved"]
    assert (left["presses"], left["request_outstanding"]) == (0, False)
    assert not any(entry["kind"] == "asked" for entry in left["timeline"])
    assert left_one.isActive() and read_record(left_one).request is None


@pytest.mark.parametrize("check_mode", [False, True])
def test_an_impossible_budget(run: Run, driver: Driver, check_mode: bool) -> None:
    name = f"big-{check_mode}"
    domain = driver.start(name)
    before = domain.XMLDesc(0)
    result = run(domains=[name], on_timeout="save", budget=10, save_rate=1, _ansible_check_mode=check_mode)
    assert result["failed"] and result["msg"].startswith("budget is 10 s, and at least 2")
    assert "domains" not in result and domain.XMLDesc(0) == before
