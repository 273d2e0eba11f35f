# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit, remediation and the second look, from the options to the result, on a little guest."""

from __future__ import annotations

import collections
import itertools
import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    GUEST_SCENARIOS,
    POWER_POLICY,
    POWER_SCHEMES,
    PowerSetting,
    RegistryValue,
    UserValue,
    Value,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import STATES
from ansible_collections.winguest.shutdown.plugins.plugin_utils._guest_readiness import (
    HALF_WAY,
    ReadinessAction,
    RemediationAction,
)
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import Output, ShellError, WindowsShell
from unit.little_cmd import ALICE, BOB, CAROL, DENIED, SCHEMES, Machine, profile, windows

BUTTON = ("4f971e89-eebd-4455-a8de-9e59040e7347", "7648efa3-dd9c-4e3e-b566-50f929386280")
POLICY = f"{POWER_POLICY}\\{BUTTON[1].upper()}"
LOGON_KEY = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
DESKTOP = r"Control Panel\Desktop"
WRITING = ("reg add", "reg delete", "powercfg")


class Shell(WindowsShell):
    """On a little guest; fails from the command of this number on."""

    def __init__(self, machine: Machine, fails_at: int | None = None, error: Exception | None = None) -> None:
        super().__init__(t.cast("t.Any", None), 300.0)
        self.machine = machine
        self.fails_at = fails_at
        self.error = error or ShellError("the guest has not answered.")
        self.commands = 0

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        self.commands += 1
        if self.fails_at is not None and self.commands >= self.fails_at:
            raise self.error
        return self.machine.run(line)


def work(machine: Machine, shell: Shell | None = None, info: bool = False, **options: t.Any) -> dict[str, t.Any]:
    kind = ReadinessAction if info else RemediationAction
    check_mode, diff = options.pop("check_mode", False), options.pop("diff", False)
    task = t.cast("t.Any", types.SimpleNamespace(check_mode=check_mode, diff=diff))
    action = kind(task, *[t.cast("t.Any", None)] * 5)
    defaults = {name: option.get("default") for name, option in kind.argument_spec.items()}
    assert options.keys() <= defaults.keys()
    return action.work(shell or Shell(machine), {**defaults, **options})


def states(result: dict[str, t.Any], *idents: str) -> list[str]:
    return sorted({finding["state"] for finding in result["findings"] if finding["id"] in idents})


def written(machine: Machine) -> list[str]:
    return [line for line in machine.asked if line.startswith(WRITING)]


def spoil(machine: Machine) -> None:
    """Set everything wrong that is enforced by default."""
    for row in ROWS:
        place = row.location
        if not row.enforced:
            continue
        if isinstance(place, RegistryValue):
            machine.registry.set(place.key, place.name, 77777 if place.type == "REG_DWORD" else "77777777")
        elif isinstance(place, UserValue):
            for name in (ALICE, ".DEFAULT"):
                machine.registry.set(f"HKU\\{name}\\{place.key}", place.name, "77777777")
            for folder in ("Bob the Builder", "carol & co", "Default"):
                profile(machine, folder).set(f"HKU\\hive\\{place.key}", place.name, "77777777")
        else:
            assert isinstance(place, PowerSetting)
            for scheme in SCHEMES:
                for name in ("ACSettingIndex", "DCSettingIndex"):
                    machine.registry.set(f"{POWER_SCHEMES}\\{scheme}\\{place.subgroup}\\{place.setting}", name, 77777)


ENFORCED = [row.id for row in ROWS if row.enforced]


def test_all_that_is_wrong_is_mended_and_a_second_run_changes_nothing() -> None:
    machine = windows()
    spoil(machine)
    result = work(machine, diff=True)
    assert result["changed"] and "failed" not in result and "msg" not in result
    assert states(result, *ENFORCED) == ["fixed"]
    for finding in result["findings"]:
        if finding["id"] in ENFORCED:
            assert (finding["state_before"], finding["enforced"]) == ("differs", True)
            assert finding["actual"] == finding["desired"] != finding["actual_before"]
    counted = collections.Counter(finding["state"] for finding in result["findings"])
    assert result["totals"] == {state: counted[state] for state in STATES}
    assert set(result["verdicts"].values()) == {"ready", "ready_later"}
    assert result["system"] == {"product": "Windows Server 2022 Standard", "build": 20348, "server": True}
    assert machine.activations == 1 and len(machine.mounted) == 1 and machine.contents == {}

    machine.asked.clear()
    again = work(machine, diff=True)
    assert (again["changed"], states(again, *ENFORCED), written(machine)) == (False, ["ok"], [])
    assert "diff" not in again and "failed" not in again


def test_what_check_mode_says_is_what_is_then_done() -> None:
    machine = windows()
    spoil(machine)
    planned = work(machine, check_mode=True, diff=True)
    assert planned["changed"] and written(machine) == [] and states(planned, *ENFORCED) == ["differs"]
    done = work(machine, diff=True)
    assert planned["diff"] == done["diff"]
    lines = done["diff"]["before"].splitlines()
    assert len(lines) == sum(finding["id"] in ENFORCED for finding in done["findings"]) > 50
    assert f"{LOGON_KEY}\\ShutdownWithoutLogon = 77777" in lines
    assert f"{LOGON_KEY}\\ShutdownWithoutLogon = 1" in done["diff"]["after"].splitlines()
    assert work(machine, check_mode=True)["changed"] is False


def test_the_audit_finds_the_same_and_changes_nothing() -> None:
    machine = windows()
    spoil(machine)
    audit = work(machine, info=True)
    assert written(machine) == [] and audit["changed"] is False
    planned = work(machine, check_mode=True)
    assert audit["findings"] == planned["findings"] and audit["verdicts"] == planned["verdicts"]
    assert audit["hints"] == planned["hints"] and len(machine.mounted) == 1


def test_a_clean_diff_of_what_is_absent() -> None:
    machine = windows()
    result = work(machine, diff=True, rows=["auto_end_tasks"])
    before, after = result["diff"]["before"].splitlines(), result["diff"]["after"].splitlines()
    assert len(before) == 5 and all(line.endswith("AutoEndTasks = (absent)") or "(absent)" in line for line in before)
    assert all(line.endswith("= 1") for line in after)


@pytest.mark.parametrize(
    ("options", "mended"),
    [
        ({}, ENFORCED),
        ({"scenarios": ["power_button"]}, ["power_button_action"]),
        ({"scenarios": ["damage"]}, []),
        ({"scenarios": []}, []),
        ({"rows": ["shutdown_without_logon"]}, ["shutdown_without_logon"]),
        ({"rows": []}, []),
        ({"rows": ["clear_page_file"]}, ["clear_page_file"]),
        ({"rows": ["clear_page_file", "shutdown_without_logon"], "scenarios": ["logon"]}, ["shutdown_without_logon"]),
        ({"enforce": ["clear_page_file"]}, [*ENFORCED, "clear_page_file"]),
        ({"waive": ["power_button_action"]}, [ident for ident in ENFORCED if ident != "power_button_action"]),
        ({"baseline": "cis"}, [ident for ident in ENFORCED if ident != "shutdown_without_logon"]),
        ({"baseline": "stig"}, [ident for ident in ENFORCED if ident != "shutdown_without_logon"]),
        ({"baseline": "cis", "enforce": ["shutdown_without_logon"]}, ENFORCED),
    ],
)
def test_what_is_mended(options: dict[str, t.Any], mended: list[str]) -> None:
    machine = windows()
    spoil(machine)
    machine.registry.set(
        r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management", "ClearPageFileAtShutdown", 1
    )
    result = work(machine, **options)
    assert {finding["id"] for finding in result["findings"] if finding["state"] == "fixed"} == set(mended)
    assert result["changed"] is bool(mended) and "failed" not in result
    assert {finding["id"] for finding in result["findings"]} >= set(ENFORCED)


def test_a_baseline_waives_a_row_and_the_hints_do_without_it() -> None:
    machine = windows()
    result = work(machine, baseline="cis")
    (finding,) = (finding for finding in result["findings"] if finding["id"] == "shutdown_without_logon")
    assert (finding["state"], finding["detail"]) == ("waived", "absent, which to Windows is 0; CIS 2.3.13.1 forbids it")
    assert result["verdicts"]["logon"] == "waived"
    assert result["hints"]["recommended_methods"] == ["guest_shutdown", "agent"]
    assert machine.registry.get(LOGON_KEY, "ShutdownWithoutLogon") is None
    assert work(machine)["hints"]["recommended_methods"] == ["acpi", "guest_shutdown", "agent"]


def test_a_users_own_rows_and_values() -> None:
    machine = windows()
    custom = {
        "id": "our_agent",
        "scenario": "applications",
        "title": "Our agent waits",
        "registry": {"key": r"HKLM\SOFTWARE\Our Agent", "name": "Wait & see", "type": "REG_SZ"},
        "desired": "no (never)",
    }
    result = work(machine, custom_rows=[custom], desired={"hung_session_timeout": 2})
    assert states(result, "our_agent", "hung_session_timeout") == ["fixed"]
    assert machine.registry.get(r"HKLM\SOFTWARE\Our Agent", "Wait & see") == Value("REG_SZ", "no (never)")
    assert machine.registry.get(LOGON_KEY, "ShutdownSessionTimeout") == Value("REG_DWORD", 2)


def test_many_rows_of_a_users_own() -> None:
    """More than a command line holds, for one key and for every user."""
    custom = [
        {
            "id": f"row_{kind}_{number}",
            "scenario": "other",
            "title": "A row",
            kind: {"key": f"{root}{'A long key ' * 9}x", "name": f"{'Name' * 25}{number}", "type": "REG_DWORD"},
            "desired": 7,
        }
        for kind, root in (("registry", "HKLM\\SOFTWARE\\"), ("user", "Software\\"))
        for number in range(40)
    ]
    machine = windows()
    result = work(machine, custom_rows=custom, rows=[row["id"] for row in custom])
    assert {finding["state"] for finding in result["findings"] if finding["id"].startswith("row_")} == {"fixed"}
    assert all(len(line) <= 8191 for line in machine.lines)


def test_only_some_rows_are_read() -> None:
    machine = windows()
    rows = ["volume_check_scheduled", "shutdown_without_logon"]
    result = work(machine, info=True, rows=rows)
    assert sorted({finding["id"] for finding in result["findings"]}) == sorted(rows)
    assert "verdicts" not in result and "hints" not in result
    assert not any("wevtutil" in line or "reg load" in line for line in machine.lines)
    with pytest.raises(AnsibleActionFail, match="rows names no_such, which the catalogue does not have"):
        work(machine, info=True, rows=["no_such"])


def test_problems_only() -> None:
    machine = windows()
    whole = work(machine, info=True)
    problems = work(machine, info=True, problems_only=True)
    in_the_way = [finding for finding in whole["findings"] if finding["effect"] != "informs"]
    assert problems["findings"] == [finding for finding in in_the_way if finding["state"] != "ok"] != []
    assert problems["totals"] == whole["totals"] and problems["verdicts"] == whole["verdicts"]
    fixed = work(machine, problems_only=True, enforce=["status_messages"])["findings"]
    assert {finding["state"] for finding in fixed if finding["id"] in ("status_messages", "auto_end_tasks")} == {
        "fixed"
    }


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"waive": ["no_such_row"]}, "no_such_row"),
        ({"rows": ["computer_rename"]}, "computer_rename can only be read"),
        ({"enforce": ["auto_end_tasks"], "waive": ["auto_end_tasks"]}, "both name auto_end_tasks"),
        ({"desired": {"auto_end_tasks": 1}}, "auto_end_tasks"),
        ({"custom_rows": [{"id": "x"}]}, "x"),
    ],
)
def test_a_catalogue_that_cannot_be_is_an_error_before_anything_is_asked(
    options: dict[str, t.Any], complaint: str
) -> None:
    machine = windows()
    with pytest.raises(AnsibleActionFail, match=complaint):
        work(machine, **options)
    assert machine.lines == []


# ---- policies


def managed(**indexes: int) -> Machine:
    machine = windows()
    for mode, index in indexes.items():
        machine.registry.set(POLICY, f"{mode}SettingIndex", index)
    return machine


def test_a_policy_is_reported_and_left_alone() -> None:
    machine = managed(AC=0, DC=3)
    result = work(machine, rows=["power_button_action"], diff=True)
    assert (result["changed"], "failed" in result, "diff" in result) == (False, False, False)
    assert states(result, "power_button_action") == ["managed_by_policy", "ok"]
    assert result["verdicts"]["power_button"] == "blocked" and written(machine) == []


def test_the_other_mode_is_mended_in_the_schemes() -> None:
    machine = managed(AC=0)
    result = work(machine, rows=["power_button_action"])
    assert result["changed"] and "failed" not in result
    assert states(result, "power_button_action") == ["fixed", "managed_by_policy"]
    assert machine.registry.get(POLICY, "ACSettingIndex") == Value("REG_DWORD", 0)


def test_a_policy_is_overridden_when_that_is_asked_for() -> None:
    machine = managed(AC=0, DC=3)
    planned = work(machine, rows=["power_button_action"], override_policy=True, check_mode=True)
    assert planned["changed"] and written(machine) == []
    result = work(machine, rows=["power_button_action"], override_policy=True)
    assert result["changed"] and "failed" not in result
    assert machine.registry.get(POLICY, "ACSettingIndex") is None
    assert machine.registry.get(POLICY, "DCSettingIndex") == Value("REG_DWORD", 3)
    told = {
        finding["location"].split(":")[0]: (finding["state_before"], finding["actual_before"], finding["state"])
        for finding in result["findings"]
        if finding["id"] == "power_button_action"
    }
    schemes = {f"power scheme {scheme}, AC": ("managed_by_policy", 0, "fixed") for scheme in SCHEMES}
    assert told == {**schemes, "policy, DC": ("ok", 3, "ok")}
    assert work(machine, rows=["power_button_action"], override_policy=True)["changed"] is False


# ---- what goes wrong


def test_a_policy_that_cannot_be_removed_is_a_failure() -> None:
    machine = managed(AC=0)
    machine.read_only.add(POWER_POLICY)
    result = work(machine, rows=["power_button_action"], override_policy=True)
    assert result["failed"] and "power_button_action at policy, AC" in result["msg"] and DENIED in result["msg"]


def test_what_cannot_be_written_is_a_failure_with_the_programs_own_words() -> None:
    machine = windows()
    machine.read_only.add(LOGON_KEY)
    result = work(machine)
    assert result["changed"] and result["failed"]
    assert "shutdown_without_logon at " in result["msg"] and DENIED in result["msg"]
    assert states(result, "shutdown_without_logon") == ["differs"]
    assert states(result, "power_button_action", "auto_end_tasks") == ["fixed"]
    only = work(machine, rows=["shutdown_without_logon"])
    assert (only["changed"], only["failed"]) == (False, True)


def test_what_could_not_be_written_is_tried_once_more() -> None:
    machine = windows()
    machine.read_only.add(LOGON_KEY)
    run, commands = machine.run, itertools.count(1)

    def writable_after_two_commands(line: str) -> Output:
        if next(commands) > 2:
            machine.read_only.clear()
        return run(line)

    machine.run = writable_after_two_commands  # type: ignore[method-assign]
    result = work(machine)
    assert result["changed"] and "failed" not in result
    assert states(result, "shutdown_without_logon", "power_button_action", "auto_end_tasks") == ["fixed"]
    times = collections.Counter(written(machine))
    assert {line for line, count in times.items() if count > 1} == {
        line for line in times if "ShutdownWithoutLogon" in line or "ShutdownSessionTimeout" in line
    }


def test_a_profile_that_stayed_loaded_is_unloaded_before_it_is_tried_once_more() -> None:
    machine = windows()
    run, commands = machine.run, itertools.count(1)

    def busy_in_the_second_command(line: str) -> Output:
        number = next(commands)
        if number == 2:
            machine.busy.add(f"hku\\winguest-{BOB}".casefold())
        elif number == 3:
            machine.busy.clear()
        return run(line)

    machine.run = busy_in_the_second_command  # type: ignore[method-assign]
    result = work(machine, rows=["auto_end_tasks"])
    assert result["changed"] and "failed" not in result and len(machine.mounted) == 1


def test_a_complaint_is_found_among_many_successes() -> None:
    custom = [
        {
            "id": f"row_{number}",
            "scenario": "other",
            "title": "A row",
            "registry": {"key": r"HKLM\SOFTWARE\Example", "name": f"Name {number}", "type": "REG_DWORD"},
            "desired": 7,
        }
        for number in range(20)
    ]
    machine = windows()
    machine.denied_names.add("Name 13")
    result = work(machine, custom_rows=custom, rows=[str(row["id"]) for row in custom])
    assert "1 findings could not be mended: row_13" in result["msg"] and DENIED in result["msg"]


def test_what_was_written_and_cannot_be_read_is_a_failure_and_a_change() -> None:
    machine = windows()
    busy = f"hku\\winguest-{BOB}".casefold()
    run, counted = machine.run, collections.Counter[str]()

    def then_busy(line: str) -> Output:
        counted["lines"] += 1
        if counted["lines"] == 2:
            machine.busy.add(busy)
        return run(line)

    t.cast("t.Any", machine).run = then_busy
    result = work(machine, rows=["auto_end_tasks"])
    assert result["changed"] and result["failed"] and "could not be mended: auto_end_tasks" in result["msg"]
    assert BOB in result["msg"] and CAROL not in result["msg"]


def test_hostile_words_in_a_failure_steer_no_terminal() -> None:
    machine = windows()
    machine.read_only.add(LOGON_KEY)
    machine.registry.set(LOGON_KEY, "ShutdownWithoutLogon", "\x1b[31mred\x00")
    result = work(machine)
    assert "\x1b" not in repr(result).replace("\\x1b", "") and "\x1b" not in result["msg"]


def test_a_guest_that_falls_silent_before_the_writes_is_an_error() -> None:
    machine = windows()
    with pytest.raises(ShellError):
        work(machine, Shell(machine, fails_at=1))


def test_a_guest_that_falls_silent_during_the_writes_is_told_half_way() -> None:
    machine = windows()
    result = work(machine, Shell(machine, fails_at=2))
    assert result["failed"] and result["changed"] and result["msg"] == f"the guest has not answered. {HALF_WAY}"
    assert states(result, "shutdown_without_logon") == ["differs"] and list(result["verdicts"]) == list(GUEST_SCENARIOS)
    quiet = work(machine, Shell(machine, fails_at=2), check_mode=True)
    assert quiet["failed"] and not quiet["changed"] and quiet["msg"].strip() == "the guest has not answered."


def test_a_guest_that_cannot_be_reached_is_left_to_ansible() -> None:
    machine = windows()
    with pytest.raises(AnsibleConnectionFailure):
        work(machine, Shell(machine, fails_at=2, error=AnsibleConnectionFailure("no route")))


def test_a_guest_on_which_nobody_may_use_reg_is_not_taken_for_ready() -> None:
    machine = windows()
    machine.disabled = "FEHLER: Das Bearbeiten der Registrierung wurde vom Administrator deaktiviert."
    result = work(machine)
    registry = [finding for finding in result["findings"] if "HK" in finding["location"] or ":" in finding["location"]]
    assert registry and {finding["state"] for finding in registry} == {"unreadable"}
    assert {result["verdicts"][name] for name in ("power_button", "logon", "applications", "sleep")} == {"unknown"}
    assert result["changed"] is False and written(machine) == []


# ---- how much is asked


@pytest.mark.parametrize("info", [True, False])
def test_two_commands_are_enough_for_an_audit(info: bool) -> None:
    machine = windows()
    work(machine)
    shell = Shell(machine)
    work(machine, shell, info=info)
    assert shell.commands == 2


def test_a_client_and_an_old_server_are_asked_the_same() -> None:
    for server, build in ((False, 22631), (True, 9600)):
        machine = windows(server, build)
        result = work(machine)
        assert "failed" not in result and result["system"]["server"] is server and result["system"]["build"] == build
        assert states(result, *ENFORCED) in (["fixed"], ["fixed", "ok"])
