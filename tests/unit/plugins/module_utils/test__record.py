# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record in a domain's metadata: what is written can be read again, and nothing else can."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._acts import read_record, write_record
from ansible_collections.winguest.shutdown.plugins.module_utils._record import (
    NAMESPACE,
    Past,
    Record,
    RecordError,
    Request,
    from_xml,
    timestamp,
    to_xml,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.plugins.libvirt_test_driver import Driver, domain_xml

# What XML 1.0, and so libvirt, can hold.
characters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from(
    "\t\n\r"
)
words = st.text(characters, min_size=1, max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
requests = st.builds(
    Request,
    at=words,
    domain_id=st.integers(),
    finish_by=words,
    hard_end=words,
    on_timeout=words,
    outcome=st.just("") | words,
    ended=st.just("") | words,
)
pasts = st.builds(
    Past,
    at=words,
    outcome=words,
    method=st.just("") | words,
    accept_seconds=st.none() | numbers,
    finish_seconds=numbers,
    save_seconds=st.none() | numbers,
)
records = st.builds(Record, request=st.none() | requests, history=st.lists(pasts, max_size=10).map(tuple))

REQUEST = Request("2026-11-23T10:12:03.204Z", 7, "2026-11-23T10:17:03.204Z", "2026-11-23T11:12:03.204Z", "leave")
PAST = Past("2026-11-23T10:12:03.204Z", "graceful", "acpi", 0.512, 24.803)
TEXT = to_xml(Record(REQUEST, (PAST,)))


@given(record=records)
def test_what_is_written_can_be_read(record: Record) -> None:
    assert from_xml(to_xml(record)) == record


@settings(max_examples=30)
@given(record=records)
def test_what_libvirt_stores_can_be_read(recorded_domain: Any, record: Record) -> None:
    write_record(recorded_domain, record)
    assert read_record(recorded_domain) == record


def test_a_record_finds_its_place_where_it_was_guessed_wrong(driver: Driver) -> None:
    off, transient = driver.start("guessed-off"), driver.connection.createXML(domain_xml("guessed-transient"))
    off.destroy()
    for domain in (off, transient, driver.start("guessed-right")):
        write_record(domain, Record(REQUEST), guess=True)
        assert read_record(domain).request == REQUEST
    transient.destroy()


@pytest.fixture(scope="module")
def recorded_domain(driver: Driver) -> Any:
    """A domain that has a record."""
    return driver.start("recorded")


@settings(max_examples=50)
@given(text=st.text())
@example("")
@example("\0")
@example("\ud800")
@example("<shutdown>")
@example("<a>" * 2000 + "</a>" * 2000)
@example("<!DOCTYPE a [<!ENTITY b 'bbbbbbbb'>]><shutdown>&b;</shutdown>")
@example(f"<shutdown><request domain_id='{'9' * 5000}'/></shutdown>")
def test_garbage(text: str) -> None:
    read_or_refuse(text)


@given(start=st.integers(0, len(TEXT)), length=st.integers(0, 30), instead=st.text(max_size=10))
def test_a_damaged_record(start: int, length: int, instead: str) -> None:
    read_or_refuse(TEXT[:start] + instead + TEXT[start + length :])


def read_or_refuse(text: str) -> None:
    try:
        assert isinstance(from_xml(text), Record)
    except RecordError as error:
        assert NAMESPACE in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<other/>",
        TEXT.replace("shutdown>", "other>"),
        TEXT.replace("<past", to_xml(Record(REQUEST)).removeprefix("<shutdown>").removesuffix("</shutdown>") + "<past"),
        *(TEXT.replace(f" {name}=", " x=") for name in ("at", "domain_id", "hard_end", "on_timeout", "finish_seconds")),
        TEXT.replace('"7"', '"seven"'),
        TEXT.replace("24.803", "long"),
        TEXT.replace("24.803", "nan"),
        TEXT.replace("0.512", "-inf"),
        TEXT.replace("0.512", ""),
    ],
)
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(RecordError, match=NAMESPACE):
        from_xml(text)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("<shutdown", f"<shutdown xmlns='{NAMESPACE}'"),
        TEXT.replace("<", "<w:").replace("<w:/", "</w:").replace("<w:shutdown", f"<w:shutdown xmlns:w='{NAMESPACE}'"),
        TEXT.replace("<past", "<!-- a later version's --><more/>some text<past"),
    ],
)
def test_the_same_record_in_other_words(text: str) -> None:
    assert from_xml(text) == Record(REQUEST, (PAST,))


def test_the_history_keeps_the_last_ten() -> None:
    pasts = [dataclasses.replace(PAST, finish_seconds=float(number)) for number in range(12)]
    record = Record(REQUEST)
    for past in pasts:
        record = record.with_past(past)
    assert record == Record(REQUEST, tuple(pasts[2:]))
    assert from_xml(to_xml(Record(REQUEST, tuple(pasts)))) == record


@pytest.mark.parametrize(
    ("outcome", "outstanding"),
    [
        ("already_off", False),
        ("graceful", False),
        ("saved", False),
        ("forced", False),
        ("vanished", False),
        ("", True),
        ("left_running", True),
        ("restarted", True),
        ("cancelled", True),
        ("error", True),
    ],
)
def test_what_may_still_be_obeyed(outcome: str, outstanding: bool) -> None:
    assert dataclasses.replace(REQUEST, outcome=outcome).outstanding is outstanding


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (951782400.5, "2000-02-29T00:00:00.500Z"),
        (4102444799.25, "2099-12-31T23:59:59.250Z"),
    ],
)
def test_timestamp(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text
