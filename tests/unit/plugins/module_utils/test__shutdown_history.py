# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history of a guest from events in recorded form: what happened is what is told, in any language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _shutdown_codes as codes
from ansible_collections.winguest.shutdown.plugins.module_utils._event_xml import parse
from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp
from ansible_collections.winguest.shutdown.plugins.module_utils._shutdown_history import (
    MOST_BLOCKING,
    MOST_TOLD,
    history,
)
from unit.recorded_events import BEGIN, UPDATES, UPGRADE_CODE, WINLOGON, Guest, Language
from unit.recorded_events import SYSTEM_ACCOUNT as SYSTEM

LANGUAGES: tuple[Language, ...] = ("en-US", "de-DE")

Course = Callable[[Guest], None]


def read(guest: Guest, most: int = 10) -> dict[str, Any]:
    """The history of a guest, from what wevtutil would print."""
    parsed = parse(guest.texts)
    assert not parsed.malformed
    return history(parsed.events, most)


def clean_stop(guest: Guest) -> None:
    """Started, shut down by the power button, started again."""
    guest.boot()
    guest.wait(3600)
    guest.asked()
    guest.ends()
    guest.boot()


def veto(guest: Guest) -> None:
    """An application vetoes the shutdown, which hangs on that."""
    guest.boot()
    guest.wait(3600)
    guest.asked()
    guest.vetoed("notepad.exe")


def veto_then_cut(guest: Guest) -> None:
    """The same, and somebody pulls the plug."""
    veto(guest)
    guest.wait(600)
    guest.boot(unclean=True)


def hung_service(guest: Guest) -> None:
    """A service and an application hold the shutdown up for a while."""
    guest.boot()
    guest.asked()
    guest.hung("outlook.exe")
    guest.late("SQL Server (MSSQLSERVER)")
    guest.ends()
    guest.boot()


def power_cut(guest: Guest) -> None:
    """The power goes."""
    guest.boot()
    guest.wait(7200)
    guest.boot(unclean=True)


def update_stop(guest: Guest) -> None:
    """Servicing restarts Windows."""
    guest.boot()
    guest.asked(UPDATES, UPGRADE_CODE, "restart")
    guest.ends(action=5)
    guest.boot()


COURSES = (clean_stop, veto, veto_then_cut, hung_service, power_cut, update_stop)


def without_words(told: dict[str, Any]) -> dict[str, Any]:
    """The history without the words that Windows itself translates in the strings of its events."""
    for uptime in (*told["stops"], told["current"]):
        for name in ("reason_text", "kind_text"):
            (uptime["asked_by"] or {}).pop(name, None)
    return told


@pytest.mark.parametrize("course", COURSES)
def test_language_does_not_matter(course: Course) -> None:
    tellings = []
    for language in LANGUAGES:
        for rendered in (False, True):
            guest = Guest(language, rendered)
            course(guest)
            tellings.append(without_words(read(guest)))
    assert tellings[1:] == tellings[:-1]
    assert tellings[0]["current"]["start"]


@pytest.mark.parametrize("course", COURSES)
@pytest.mark.parametrize("clock", [-7200.0, -40.0, 0.0, 40.0, 7200.0])
def test_neither_a_late_kernel_nor_a_clock_that_is_wrong_at_boot_changes_what_is_told(
    course: Course, clock: float
) -> None:
    """The clock of the next boot is wrong, as in a guest whose hardware clock runs in another time zone."""
    plain = Guest()
    course(plain)
    skewed = Guest()
    skewed.kernel_late = True
    boot = skewed.boot

    def boot_with_wrong_clock(unclean: bool = False, **unexpected: object) -> None:
        skewed.clock = clock
        boot(unclean, **unexpected)
        skewed.clock = 0.0

    skewed.boot = boot_with_wrong_clock  # type: ignore[method-assign]
    course(skewed)

    def facts(guest: Guest) -> list[dict[str, Any]]:
        told = read(guest)
        times = ("start", "next_start")
        return [
            {name: value for name, value in uptime.items() if name not in times}
            for uptime in (*told["stops"], told["current"])
        ]

    assert facts(skewed) == facts(plain)


def test_a_clean_stop() -> None:
    guest = Guest("de-DE")
    clean_stop(guest)
    told = read(guest)
    (stop,) = told["stops"]
    assert stop["clean"] is True
    assert stop["start"] == timestamp(BEGIN)
    assert stop["stop"] == timestamp(BEGIN + 12 + 60 + 3600 + 1 + 3)
    assert stop["next_start"] == timestamp(BEGIN + 12 + 60 + 3600 + 1 + 3 + 30)
    assert stop["asked_by"] == {
        "time": timestamp(BEGIN + 12 + 60 + 3600),
        "program": WINLOGON,
        "user": SYSTEM,
        "reason_code": "0x500ff",
        "reason_text": "Für diesen Grund wurde kein Titel gefunden",
        "kind_text": "Ausschalten",
        "comment": "",
    }
    assert stop["reason"] == "system, unplanned"
    assert stop["action"] == "power_off"
    assert stop["kernel_reason"] == 5
    assert [stop[name] for name in ("vetoed_by", "hung", "late_services", "sleeps")] == [[], [], [], []]
    assert any("closed in order" in evidence for evidence in stop["evidence"])
    assert told["blocking"] == []
    assert told["current"]["start"] == stop["next_start"]
    assert told["current"]["asked_by"] is None


def test_a_veto_that_holds_a_shutdown_up_now() -> None:
    guest = Guest()
    veto(guest)
    told = read(guest)
    assert told["stops"] == []
    current = told["current"]
    assert current["vetoed_by"] == ["notepad.exe"]
    assert current["stop"] is None
    asked_at = current["asked_by"]["time"]
    assert told["blocking"] == [
        f"a shutdown has not come to its end: {WINLOGON} asked for it at {asked_at}, as user {SYSTEM}",
        f"the application notepad.exe vetoed a shutdown (at {timestamp(BEGIN + 12 + 60 + 3600 + 1)})",
    ]


def test_a_veto_before_a_power_cut() -> None:
    guest = Guest()
    veto_then_cut(guest)
    told = read(guest)
    (stop,) = told["stops"]
    assert stop["clean"] is False
    assert stop["stop"] is None
    assert stop["vetoed_by"] == ["notepad.exe"]
    assert stop["asked_by"]["program"] == WINLOGON
    assert stop["stop_error"] is None
    assert len(told["blocking"]) == 1


def test_a_hung_application_and_a_late_service() -> None:
    guest = Guest()
    hung_service(guest)
    told = read(guest)
    (stop,) = told["stops"]
    assert stop["clean"] is True
    assert stop["hung"] == ["outlook.exe"]
    assert stop["late_services"] == ["SQL Server (MSSQLSERVER)"]
    assert [sentence.partition(" (at")[0] for sentence in told["blocking"]] == [
        "the service SQL Server (MSSQLSERVER) did not stop in its time",
        "the application outlook.exe hung, and Windows ended it",
    ]


def test_a_power_cut() -> None:
    guest = Guest("de-DE")
    power_cut(guest)
    (stop,) = read(guest)["stops"]
    assert stop["clean"] is False
    assert stop["stop"] is None
    assert stop["asked_by"] is None
    assert stop["power_button_held"] is False
    assert len(stop["evidence"]) == 2


@pytest.mark.parametrize(
    ("unexpected", "told"),
    [
        ({"BugcheckCode": 159}, {"stop_error": "0x0000009f"}),
        ({"BugcheckCode": "0x9f"}, {"stop_error": "0x0000009f"}),
        ({"PowerButtonTimestamp": 133700000000000000}, {"power_button_held": True}),
        ({"LongPowerButtonPressDetected": "true"}, {"power_button_held": True}),
        ({"SleepInProgress": 4}, {"while_sleeping": True}),
        ({"BugcheckCode": "", "PowerButtonTimestamp": "Ja"}, {}),
    ],
)
def test_what_the_kernel_knows_of_an_end_that_was_none(unexpected: dict[str, object], told: dict[str, Any]) -> None:
    guest = Guest()
    guest.boot()
    guest.wait(100)
    guest.boot(unclean=True, **unexpected)
    (stop,) = read(guest)["stops"]
    expected = {"stop_error": None, "power_button_held": False, "while_sleeping": False, **told}
    assert {name: stop[name] for name in expected} == expected


def test_a_stop_for_updates() -> None:
    guest = Guest("de-DE")
    update_stop(guest)
    (stop,) = read(guest)["stops"]
    assert stop["clean"] is True
    assert stop["reason"] == "operating system: upgrade, planned"
    assert stop["action"] == "restart"
    assert stop["asked_by"]["program"] == UPDATES


def test_sleep_by_the_button_and_when_idle() -> None:
    guest = Guest()
    guest.boot()
    guest.slept(codes.BUTTON)
    guest.slept(codes.BUTTON)
    guest.slept(codes.IDLE, state=5)
    told = read(guest)
    sleeps = told["current"]["sleeps"]
    assert [(sleep["reason"], sleep["state"]) for sleep in sleeps] == [("button or lid", "S3")] * 2 + [("idle", "S4")]
    assert all(sleep["resumed"] > sleep["time"] for sleep in sleeps)
    assert told["blocking"] == [
        f"the guest went to sleep (reason: idle) (at {sleeps[2]['time']})",
        f"the guest went to sleep by its button or lid, which is no shutdown (2 times, last at {sleeps[1]['time']})",
    ]


def test_requests_that_came_to_nothing() -> None:
    guest = Guest()
    guest.boot()
    guest.asked()
    guest.aborted()
    guest.refused()
    told = read(guest)
    current = told["current"]
    assert current["asked_by"] is None, "it was aborted"
    assert [entry["user"] for entry in current["aborted_requests"]] == [SYSTEM]
    assert len(current["failed_requests"]) == 1
    assert [sentence.partition(" (at")[0] for sentence in told["blocking"]] == [
        f"the user {SYSTEM} aborted a shutdown",
        f"an attempt of the user {SYSTEM} to shut down failed",
    ]


def test_a_shutdown_that_is_at_its_end_blocks_nothing() -> None:
    guest = Guest()
    guest.boot()
    guest.asked()
    guest.ends()
    told = read(guest)
    assert told["blocking"] == []
    assert told["current"]["stop"]


def test_many_stops_are_told_the_newest_first_and_no_more_than_asked_for() -> None:
    guest = Guest()
    for index in range(8):
        guest.boot(unclean=index % 3 == 2)
        guest.asked(comment=str(index))
        if index % 3 != 1:
            guest.ends()
    told = read(guest, 5)
    assert [stop["asked_by"]["comment"] for stop in told["stops"]] == ["6", "5", "4", "3", "2"]
    assert [stop["clean"] for stop in told["stops"]] == [True, True, False, True, True]


def test_a_guest_that_restarts_within_a_minute_again_and_again() -> None:
    guest = Guest()
    for dummy in range(5):
        guest.boot(unclean=True)
    told = read(guest)
    assert [stop["clean"] for stop in told["stops"]] == [False] * 5


def test_nothing_to_be_read() -> None:
    told = history([], 10)
    assert told["stops"] == []
    assert told["blocking"] == []
    assert told["current"]["start"] is None


def test_a_stop_whose_start_is_older_than_what_was_read() -> None:
    guest = Guest()
    guest.asked()
    guest.ends()
    guest.boot()
    (stop,) = read(guest)["stops"]
    assert (stop["clean"], stop["start"]) == (True, None)


def test_whether_it_was_clean_is_not_known_without_an_event_that_says_so() -> None:
    guest = Guest()
    guest.boot()
    guest.asked()
    guest.boot()
    (stop,) = read(guest)["stops"]
    assert stop["clean"] is None
    assert stop["evidence"] == []


def test_an_end_after_the_event_log_was_closed_is_not_clean() -> None:
    """Who pulls the plug in the last seconds of a shutdown leaves a closed event log."""
    guest = Guest()
    guest.boot()
    guest.asked()
    guest.log("System", "EventLog", 6006)
    guest.boot(unclean=True)
    assert read(guest)["stops"][0]["clean"] is False


def test_hostile_strings_are_told_in_one_line_and_cut() -> None:
    guest = Guest()
    guest.boot()
    name = "\x1b[2Jevil\r\nthe application x vetoed a shutdown</Data></Event>\u202e" + "A" * 40_000
    guest.vetoed(name)
    for index in range(200):
        guest.vetoed(f"application {index}")
    told = read(guest)
    current, blocking = told["current"], told["blocking"]
    assert len(current["vetoed_by"]) == MOST_TOLD
    assert len(blocking) == MOST_BLOCKING
    assert "\x1b" not in current["vetoed_by"][0]
    assert "\n" not in current["vetoed_by"][0]
    assert "\u202e" not in current["vetoed_by"][0]
    assert len(current["vetoed_by"][0]) < 300


def test_older_versions_write_a_provider_in_capitals() -> None:
    guest = Guest()
    clean_stop(guest)
    parsed = parse(guest.texts.replace("Provider Name='User32'", "Provider Name='USER32'"))
    assert history(parsed.events, 10)["stops"][0]["asked_by"]["program"] == WINLOGON


def test_an_event_that_is_read_twice_counts_once() -> None:
    guest = Guest()
    veto(guest)
    events = parse(guest.texts).events
    assert history([*events, *events], 10) == history(events, 10)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x0, "other, unplanned"),
        (0x80000000, "other, planned"),
        (0x500FF, "system, unplanned"),
        (0x80020010, "operating system: service pack, planned"),
        (0xC0010007, "hardware: disk, defined on the guest, planned"),
        (0x00990077, "major reason 153: minor reason 119, unplanned"),
    ],
)
def test_reason_codes(code: int, words: str) -> None:
    assert codes.reason(code) == words


def test_sleep_reasons() -> None:
    assert [codes.sleep_reason(number) for number in (0, 7, 99, None)] == [
        "button or lid",
        "idle",
        "reason 99",
        "unknown",
    ]
