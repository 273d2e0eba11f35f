# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row that is enforced: wrong in a simulated Windows guest, found, mended by the playbook, and of effect.

Everything is wrong at once in one guest of each kind. What each row does by itself is asked of the model, with the
guest's own registry, in which that row alone is as it was before remediation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import checkout
import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from bed.acpi_guest import DiskState
from bed.ansible_run import Run, play
from bed.guest_action import act
from bed.guests import Bed
from bed.windows import model, power
from bed.windows.blockers import AT_THE_SCREEN, ELSEWHERE, OBEDIENT, merged
from bed.windows.guest import SimulatedWindows
from bed.windows.model import Decision
from bed.windows.places import Contents, changes, contents, places, value, with_places
from bed.windows.situation import FOR_EVER, NOTHING_SPECIAL, Application, Request, Session, Situation, State
from bed.windows.snapshot import Snapshot
from bed.windows.systems import ALICE, SERVER_2012_R2, WINDOWS_11, System
from integration.guests import AUDIT, MEND, off, press

pytestmark = pytest.mark.timeout(600)

WRONG: dict[str, Data] = yaml.safe_load((checkout.ROOT / "tests/windows/wrong.yml").read_text())["acceptance_wrong"]
ENFORCED = [row.id for row in ROWS if row.enforced]
ROW = {row.id: row for row in ROWS}
MOST_REQUESTS = 10
"""What one task may ask of a guest with two profiles and three power schemes."""

Happens = Callable[[Snapshot, State], Decision]
"""What is asked of the model after the guest has booted."""


def the_rule(decision: Decision) -> object:
    """Which rule has decided."""
    return decision.rule


def seconds_of(rule: str) -> Callable[[Decision], object]:
    """How long a shutdown waits by this rule."""
    return lambda decision: sum(step.seconds for step in decision.steps if step.rule == rule)


def is_left_alone(seconds: float) -> Happens:
    """Nobody touches the guest for so long."""
    return lambda now, state: model.left_alone(now, state, seconds)


def is_woken(now: Snapshot, state: State) -> Decision:
    """Its host wakes the guest, and nobody comes."""
    return model.left_alone(now, model.woken(state), 120)


def is_asked(now: Snapshot, state: State) -> Decision:
    """A program asks for a shutdown."""
    return model.request(now, state, Request(forced=True))


@dataclass(frozen=True)
class Effect:
    """What comes of a row's wrong value (in WRONG), and of the right one.

    happens: what is asked of the model, in this situation. tells: what of its decision. others: rows that are wrong
    before and after, and without: rows whose value is not there, so that it is this row that decides. systems: where
    it does anything at all.
    """

    before: object
    after: object = "off"
    happens: Happens = model.press
    situation: Situation = NOTHING_SPECIAL
    tells: Callable[[Decision], object] = the_rule
    others: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    systems: tuple[System, ...] = (WINDOWS_11, SERVER_2012_R2)


def busy(*applications: Application, **more: Any) -> Situation:
    """Somebody is signed in at the screen and has these programs open."""
    return Situation(sessions=(Session(ALICE.user, ALICE.sid, applications=applications, **more),))


EFFECTS = {
    "event_tracker_policy": Effect("event_tracker", situation=busy(), without=("event_tracker_policy_ui",)),
    "event_tracker_policy_ui": Effect("event_tracker", situation=busy()),
    "shutdown_without_logon": Effect("without_logon"),
    "other_users_warning": Effect("other_users", situation=Situation(sessions=(ELSEWHERE,))),
    "auto_end_tasks": Effect("application", situation=busy(Application("editor.exe", "veto"))),
    "console_programs_may_block": Effect(
        "application",
        situation=busy(Application("console.exe", "hang", window=False)),
        others=("auto_end_tasks",),
    ),
    "hung_session_timeout": Effect(900, 180, situation=busy(hung=True), tells=seconds_of("hung_session")),
    "policy_script_wait": Effect("scripts", situation=Situation(scripts=FOR_EVER)),
    "power_button_action": Effect("button_nothing"),
    "display_idle_timeout": Effect("display_off", situation=Situation(sessions=(AT_THE_SCREEN,), idle=900)),
    "display_idle_timeout_locked": Effect("display_off", situation=Situation(idle=100)),
    "sleep_idle_timeout": Effect("standby_idle", "awake", is_left_alone(1800)),
    "hibernate_idle_timeout": Effect("hibernate_idle", "awake", is_left_alone(3600), others=("hibernation",)),
    "unattended_sleep_timeout": Effect("standby_idle", "awake", is_woken),
    "hibernation": Effect("hibernate_idle", "hibernation_off", is_left_alone(3600), others=("hibernate_idle_timeout",)),
    "fast_startup": Effect(
        True, False, tells=lambda decision: decision.hybrid, others=("hibernation",), systems=(WINDOWS_11,)
    ),
    "stays_on_after_shutdown": Effect("no_power_off", happens=is_asked),
}
"""By the id of the row. A row that is enforced and has none fails its tests."""

GUESTS: dict[str, tuple[System, dict[str, Any]]] = {
    "client": (WINDOWS_11, {"language": "de-DE", "tls": True, "allow_basic": True}),
    "server": (SERVER_2012_R2, {}),
}
"""German, by Basic over HTTPS; English, by NTLM with encrypted messages over HTTP."""


@dataclass
class Story:
    """One guest, from wrong to obedient."""

    system: System
    before: Contents
    audit: Run
    audited: Contents
    mended: Run
    after: Contents
    again: Run
    afterwards: Contents
    requests: dict[str, list[str]] = field(default_factory=dict)
    button: list[int] = field(default_factory=list)
    pressed_before: Decision | None = None
    pressed: Decision | None = None
    disk: DiskState | None = None

    def findings(self, run: Run, ident: str) -> dict[str, dict[str, Any]]:
        """What was found of a row, by place."""
        action = AUDIT if run is self.audit else MEND
        found = run.result("guest", action)["findings"]
        return {finding["location"]: finding for finding in found if finding["id"] == ident}


def told(bed: Bed, name: str) -> Story:
    """Run through it."""
    system, options = GUESTS[name]
    wrong = merged(*(changes(ROW[ident], wrong) for ident, wrong in WRONG.items()))
    with SimulatedWindows(
        bed, f"rows-{name}", system, registry=wrong, situation=Situation(takes=10), **options
    ) as windows:
        domain = windows.start()
        # Nor is it asked for again, as pywinrm does every 20 seconds.
        variables = {**windows.variables, "ansible_password": windows.password, "ansible_winrm_connection_timeout": 200}
        inventory = {"windows": {"hosts": {"guest": variables}}}
        requests: dict[str, list[str]] = {}
        runs: list[Run] = []
        registries: list[Contents] = [contents(windows)]
        pressed_before = press(windows, domain)
        for what, playbook in (("audit", "audit"), ("remediation", "remediate"), ("second run", "remediate")):
            windows.network.forget_requests()
            runs.append(play(inventory, f"winguest.shutdown.{playbook}"))
            # A Receive that brings nothing in its time is answered by a fault, and asked again.
            requests[what] = [request.action for request in windows.network.requests if request.status == 200]
            registries.append(contents(windows))
        story = Story(
            windows.system, registries[0], runs[0], registries[1], runs[1], registries[2], runs[2], registries[3]
        )
        story.requests = requests
        story.pressed_before = pressed_before
        assert windows.state
        story.button = [windows.state.power.index(power.POWER_BUTTON, supply) for supply in power.SUPPLIES]
        windows.sign_in(Session(ALICE.user, ALICE.sid, applications=(Application("editor.exe", "veto"),)))
        windows.sign_in(ELSEWHERE)
        windows.left_alone(3000)
        story.pressed = press(windows, domain)
        story.disk = off(windows, domain)
        return story


# All tests of one guest run in one worker, so that they share it.
@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in GUESTS])
def story(request: pytest.FixtureRequest, shared_bed: Bed) -> Iterator[Story]:
    yield told(shared_bed, request.param)


@pytest.mark.parametrize("ident", ENFORCED)
def test_a_row_is_found_and_mended_and_of_effect(story: Story, ident: str) -> None:
    assert ident in EFFECTS, f"say in EFFECTS what a wrong value of {ident} does"
    row, effect = ROW[ident], EFFECTS[ident]
    assert not row.desired.accepts(WRONG[ident])
    where = places(row)

    for run in (story.audit, story.mended):
        found = story.findings(run, ident)
        assert found.keys() == {place.location for place in where}
        for finding in found.values():
            assert finding["scenario"] == row.scenario and finding["enforced"]
            assert (finding["actual_before"], finding["state_before"]) == (WRONG[ident], "differs")
            assert finding["desired"] == row.desired.data
            now = (WRONG[ident], "differs") if run is story.audit else (row.desired.data, "fixed")
            assert (finding["actual"], finding["state"]) == now, finding

    for place in where:
        assert value(story.before, place) == place.holding(WRONG[ident])
        assert value(story.audited, place) == place.holding(WRONG[ident])
        assert value(story.after, place) == place.holding(row.desired.data)
    assert {finding["state"] for finding in story.findings(story.again, ident).values()} == {"ok"}

    if story.system.build in [system.build for system in effect.systems]:
        others = [place for other in effect.others for place in places(ROW[other])]
        gone = [place for other in effect.without for place in places(ROW[other])]
        right = with_places(with_places(story.after, story.before, others), {}, gone)
        wrong = with_places(right, story.before, where)
        assert _decision(story.system, wrong, effect) == effect.before
        assert _decision(story.system, right, effect) == effect.after


def _decision(system: System, registry: Contents, effect: Effect) -> object:
    snapshot = Snapshot(registry)
    return effect.tells(effect.happens(snapshot, model.boot(system, snapshot, effect.situation)))


def test_no_effect_is_of_a_row_that_is_not_enforced() -> None:
    assert set(EFFECTS) == set(WRONG) == set(ENFORCED)


def test_nothing_but_what_was_wrong_is_changed(story: Story) -> None:
    where = [place for ident in ENFORCED for place in places(ROW[ident])]
    assert story.audited == story.before
    assert with_places(story.after, story.before, where) == story.before


def test_a_second_run_changes_nothing(story: Story) -> None:
    assert story.afterwards == story.after
    result = story.again.result("guest", MEND)
    assert (result["changed"], result["totals"]["fixed"]) == (False, 0)
    assert "changed=0" in story.again.output and story.again.status == 0


def test_the_playbooks_show_it(story: Story) -> None:
    for run in (story.audit, story.mended):
        assert run.status == 0 and "failed=0" in run.output, run.output
    assert "changed=0" in story.audit.output and "changed=1" in story.mended.output
    for ident in ENFORCED:
        line = rf"{ROW[ident].scenario}\s+{{}}\s+{ident}\s".format
        assert re.search(line("differs"), story.audit.output)
        assert re.search(line("fixed"), story.mended.output)
        assert not re.search(rf"\s{ident}\s", story.again.output)


def test_the_verdicts_and_the_hints_follow(story: Story) -> None:
    before, after = story.audit.result("guest", AUDIT), story.mended.result("guest", MEND)
    assert {before["verdicts"][name] for name in ("logon", "power_button", "sleep", "event_tracker", "other")} == {
        "blocked"
    }
    # Nothing is known of threats where Defender has no log.
    assert {state for name, state in after["verdicts"].items() if name != "damage"} == {"ready", "ready_later"}
    assert before["hints"]["recommended_methods"] == []
    assert after["hints"]["recommended_methods"] == ["acpi", "guest_shutdown"]
    assert after["system"] == {
        "product": story.system.name.replace("Windows 11", "Windows 10"),
        "build": story.system.build,
        "server": story.system.server,
    }


@pytest.mark.parametrize("what", ["audit", "remediation", "second run"])
def test_few_requests_are_enough(story: Story, what: str) -> None:
    """All that is enforced is wrong, in three schemes, in two users' profiles and in the three that every guest has."""
    actions = story.requests[what]
    assert len(actions) <= MOST_REQUESTS, actions
    assert (actions[0], actions[-1]) == ("Create", "Delete")
    assert actions.count("Create") == actions.count("Delete") == 1


def test_a_press_ends_it_with_a_program_that_vetoes_and_another_user_and_a_display_that_was_idle(story: Story) -> None:
    assert story.pressed_before and story.pressed_before.rule == "button_nothing"
    assert story.button == [3, 3]
    assert story.pressed and story.pressed.rule == "off", story.pressed
    assert story.disk is DiskState.CLEAN


def test_a_shutdown_that_a_program_asked_for_ends_with_the_power_off(shared_bed: Bed) -> None:
    """The other test presses the button, which this row is not about."""
    row = ROW["stays_on_after_shutdown"]
    registry = merged(OBEDIENT, changes(row, 1))
    with SimulatedWindows(shared_bed, "rows-on", registry=registry, situation=Situation(takes=10)) as windows:
        domain = windows.start()
        assert windows.request_shutdown(Request(forced=True)) == 0
        windows.control.wait_for_decision("no_power_off")
        shared_bed.wait_for(windows.name, "hang")
        assert domain.isActive()
        domain.destroy()
        domain = windows.start()
        assert act(windows, MEND, catalogue=[row])["totals"]["fixed"] == 1
        assert windows.request_shutdown(Request(forced=True)) == 0
        assert off(windows, domain) is DiskState.CLEAN
