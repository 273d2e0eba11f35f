# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event XML: what wevtutil would print is read back, and hostile text in an event changes nothing but that event.

Every property is searched by hypothesis, and then tried on many inputs of a plain generator, which is faster:
WINGUEST_INPUTS says on how many.
"""

from __future__ import annotations

import random
import time

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._event_xml import (
    LONGEST_EVENT,
    LONGEST_SAYING,
    MOST_DATA,
    MOST_MALFORMED,
    Event,
    Parsed,
    as_number,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st
from unit.fuzz import INPUTS, LIMIT, PARTS
from unit.recorded_events import BEGIN, NAMESPACE, event_xml, named, parameters, unnamed

pytestmark = pytest.mark.timeout(LIMIT)

FORGED = event_xml("System", "EventLog", 6008, BEGIN, 1)
IMITATIONS = (
    FORGED,
    "</Data></EventData></Event>",
    f"</Event>{FORGED}<Event>",
    "<![CDATA[",
    "]]>",
    "<!-- ",
    "-->",
    "<!DOCTYPE x [<!ENTITY a 'aaaa'>]>",
    "&a;",
    "&#27;",
    "&#x0;",
    "&amp;lt;Event>",
    "\x1b[2J\x1b]0;title\x07",
    "\x00",
    "\r\n",
    "\u2028\x85\x0b\x0c",
    "\ufffe\uffff",
    "<?xml version='1.0'?>",
    "\u202e",
    "😀",
    "'",
    '"',
)


def as_read(text: str) -> str:
    """A string of an event after XML has carried it: no characters that it does not allow, and one kind of line end."""
    allowed = "".join(
        char
        if char in "\t\n\r" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff"
        else "\ufffd"
        for char in text
    )
    return allowed.replace("\r\n", "\n").replace("\r", "\n")


def hostile(generator: random.Random) -> str:
    """A text that somebody has written into an event."""
    parts = [generator.choice(IMITATIONS) for dummy in range(generator.randrange(4))]
    parts += ["".join(map(chr, generator.choices(range(0x250), k=generator.randrange(10))))]
    generator.shuffle(parts)
    return "".join(parts)


texts = st.text(st.characters(codec="utf-8")) | st.lists(st.sampled_from(IMITATIONS)).map("".join)


def check(strings: list[str], between: str) -> None:
    """Events with these strings are read back one by one, with all else as it was logged."""
    text = between.join(
        event_xml("System", "User32", 1074, BEGIN + index, index, parameters(string, "last"))
        for index, string in enumerate(strings)
    )
    parsed = parse(text)
    assert parsed.malformed == 0
    assert parsed.said == ""
    assert [event.record for event in parsed.events] == list(range(len(strings)))
    for index, (string, event) in enumerate(zip(strings, parsed.events)):
        assert (event.log, event.provider, event.id, event.time) == ("System", "User32", 1074, BEGIN + index)
        assert event.data == (("param1", as_read(string)), ("param2", "last"))


@given(st.lists(texts, max_size=4), st.sampled_from(["", "\r\n", "\n\n"]))
def test_what_is_in_an_event_changes_no_other(strings: list[str], between: str) -> None:
    check(strings, between)


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_in_an_event_changes_no_other_on_many_inputs(part: int) -> None:
    generator = random.Random(part)
    for dummy in range(part, INPUTS, PARTS):
        strings = [hostile(generator) for dummy in range(generator.randrange(1, 4))]
        check(strings, generator.choice(["", "\r\n"]))


def mangled(generator: random.Random, text: str) -> str:
    """The text with something cut out, doubled, or put into it."""
    for dummy in range(generator.randrange(1, 4)):
        begin, end = sorted(generator.randrange(len(text) + 1) for dummy in range(2))
        kind = generator.randrange(4)
        if kind == 0:
            text = text[:begin] + text[end:]
        elif kind == 1:
            text = text[:begin] + text[begin:end] * 2 + text[end:]
        elif kind == 2:
            text = text[:begin] + generator.choice((*IMITATIONS, "<Event ", "<Event>", "</Event>", "<")) + text[begin:]
        else:
            text = text[:end]
    return text


def check_mangled(text: str) -> None:
    """Whatever comes, the answer is bounded, and no string of it is more than was there."""
    parsed = parse(text)
    assert parsed.malformed <= MOST_MALFORMED
    assert len(parsed.said) <= LONGEST_SAYING
    assert len(parsed.events) <= text.count("<Event")
    for event in parsed.events:
        assert len(event.data) <= MOST_DATA
        assert event.time == event.time
        assert sum(len(string) for dummy, string in event.data) <= len(text)


@given(st.text() | st.lists(st.sampled_from([*IMITATIONS, "<Event>", "</Event>", "<Event ", "<Event/>"])).map("".join))
def test_garbage_is_survived(text: str) -> None:
    check_mangled(text)


def test_mangled_answers_are_survived() -> None:
    generator = random.Random(7)
    whole = "".join(event_xml("System", "User32", 1074, BEGIN, number, parameters("x")) for number in range(3))
    for dummy in range(INPUTS):
        check_mangled(mangled(generator, whole))


# ---- one by one

ONE = event_xml("System", "User32", 1074, BEGIN, 1, parameters("one"))
TWO = event_xml("System", "User32", 1075, BEGIN + 1, 2, parameters("two"))


def numbers(parsed: Parsed) -> list[int]:
    return [event.id for event in parsed.events]


def test_nothing_is_nothing() -> None:
    assert parse("") == Parsed()
    assert parse("\r\n \r\n") == Parsed()


def test_an_error_in_words_is_what_was_said() -> None:
    said = "Failed to read events. Zugriff verweigert."
    assert parse(f"{said}\r\n") == Parsed((), 0, said)
    assert parse(f"{ONE}{said}").said == said
    assert len(parse("x" * 5000).said) == LONGEST_SAYING


def test_strings_with_and_without_names() -> None:
    data = unnamed("first", "") + named(Reason=7) + "<Binary>00FF</Binary>"
    (event,) = parse(event_xml("System", "EventLog", 6008, BEGIN + 0.5, 5, data)).events
    assert event == Event("System", "EventLog", 6008, BEGIN + 0.5, 5, (("", "first"), ("", ""), ("Reason", "7")))
    assert (event.text(1), event.text(3), event.text(0), event.text(4)) == ("first", "7", "", "")
    assert (event.number("Reason"), event.number("Other"), event.named("Other")) == (7, None, "")


def test_a_structure_of_its_own_in_place_of_strings() -> None:
    inner = "<UserData><Stop xmlns='urn:x'><Reason>7</Reason><More><Name>a</Name></More></Stop></UserData>"
    (event,) = parse(event_xml("System", "Other", 1, BEGIN, 5, after=inner)).events
    assert event.data == (("Reason", "7"), ("Name", "a"))


def test_an_event_in_an_event_is_not_taken_for_one() -> None:
    outer = event_xml("System", "Other", 1, BEGIN, 5, after=f"<UserData>{FORGED}{FORGED}</UserData>")
    assert numbers(parse(f"{ONE}{outer}{TWO}")) == [1074, 1, 1075]


def test_an_event_in_one_that_cannot_be_read_is_not_taken_for_one() -> None:
    outer = event_xml("System", "Other", 1, BEGIN, 5, after=f"<UserData><!-- x -->{FORGED}</UserData>")
    parsed = parse(f"{ONE}{outer}{TWO}")
    assert numbers(parsed) == [1074, 1075]
    assert parsed.malformed == 1


@pytest.mark.parametrize(
    "data",
    [
        "<Data>&undefined;</Data>",
        "<Data><Wrong></Data>",
        "<Data>\x01</Wrong></Data>",
        "<!DOCTYPE x><Data/>",
        "<!ENTITY a 'a'><Data/>",
        "<![CDATA[x]]>",
        "<?php x ?>",
        f"<Data>{'x' * LONGEST_EVENT}</Data>",
    ],
)
def test_one_that_cannot_be_read_is_counted_and_hides_no_other(data: str) -> None:
    parsed = parse(f"{ONE}{event_xml('System', 'User32', 1074, BEGIN, 9, data)}{TWO}")
    assert numbers(parsed) == [1074, 1075]
    assert parsed.malformed == 1
    assert parsed.said == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (NAMESPACE, "urn:other"),
        ("2026-09-01T08:00:00.000000", "2026-13-01T08:00:00.000000"),
        ("2026-09-01T08:00:00.000000", "9999-12-31T23:59:59.999999"),
        ("2026-09-01T08:00:00.0000000Z", "1. September 2026"),
        (">1074<", ">one<"),
        ("<EventRecordID>1</EventRecordID>", ""),
        ("<TimeCreated ", "<Time "),
        ("<Provider ", "<Other "),
        ("System>", "Systems>"),
    ],
)
def test_an_event_without_what_every_event_has_is_counted(before: str, after: str) -> None:
    assert before in ONE
    assert parse(ONE.replace(before, after) + TWO).malformed == 1
    assert numbers(parse(ONE.replace(before, after) + TWO)) == [1075]


def test_one_that_is_cut_off_hides_no_other() -> None:
    parsed = parse(f"{ONE[:-8]}{TWO}{ONE}")
    assert numbers(parsed) == [1075, 1074]
    assert parsed.malformed == 1


def test_too_many_that_cannot_be_read_end_it() -> None:
    parsed = parse("<Event></Event>" * 1000 + ONE)
    assert parsed == Parsed((), MOST_MALFORMED, "")


def test_megabytes_take_no_time() -> None:
    began = time.process_time()
    for text in (
        "<Event>" * 150_000,
        "<Event>\n</Event>\n" * 60_000,
        "</Event>" * 130_000,
        "<Event " * 150_000,
        f"<Event x{' ' * 1_000_000}",
        f"<Event xmlns='{NAMESPACE}'>{'<a>' * 40_000}{'</a>' * 40_000}</Event>",
        event_xml("System", "User32", 1, BEGIN, 1, "&#1;" * 250_000),
    ):
        parse(text)
    # Of the processor, whatever else the machine does; anything quadratic would take minutes.
    assert time.process_time() - began < 20


def test_numbers() -> None:
    assert [as_number(text) for text in ("0", "12", "0x500ff", "0X0a")] == [0, 12, 0x500FF, 10]
    assert [as_number(text) for text in ("", "-1", "x", "0x", "1 ", "٣", "9" * 21, "0x" + "f" * 17)] == [None] * 8
