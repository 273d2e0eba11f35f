# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

r"""Registry text: what reg.exe would print is read back, and nothing that is cut off, made up or garbage is believed.

Every property is searched by hypothesis, and then tried on many inputs of a plain generator, which is faster:
WINGUEST_INPUTS says on how many.
"""

from __future__ import annotations

import random
import typing as t

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data, Value
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import (
    LONGEST_LIST,
    LONGEST_TEXT,
    RegistryTextError,
    format_data,
    long_key,
    parse_numbers,
    parse_subkeys,
    parse_value,
    printable,
    short_key,
    shown,
)
from hypothesis import given
from hypothesis import strategies as st
from unit.fuzz import INPUTS, LIMIT, PARTS

pytestmark = pytest.mark.timeout(LIMIT)

ROOT = r"HKLM\SYSTEM\CurrentControlSet\Services"
BLANKS = " " * 4
MARK = "#12ab34cd#"
IMITATIONS = (
    f"{BLANKS}Name{BLANKS}REG_DWORD{BLANKS}0x7",
    f"\r\n{BLANKS}Name{BLANKS}REG_SZ{BLANKS}",
    f"\n\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\forged\n{BLANKS}Name{BLANKS}REG_DWORD{BLANKS}0x7\n",
    "\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\forged\r\n",
    "HKEY_USERS\\.DEFAULT",
    f"\r\n{MARK}\r\n",
    f"{MARK}=1",
    "REG_SZ",
    BLANKS,
    "\\0",
    "\r\n",
    "\n",
    "\r",
    "\x00",
    "\x1b[2J\x1b]0;title\x07",
    "\u2028\x85\x0b\x0c",
    "0x10",
    "ERROR: The system was unable to find the specified registry key or value.",
    "ä\u00df\u0130\ufb01\U0001f4a5",
)


class Printed(t.NamedTuple):
    """What reg.exe prints of a value."""

    text: str
    name: str
    value: Value
    data: str
    """The data as it is printed."""


def printed(name: str, value: Value, end: str = "\r\n", closed: bool = True) -> Printed:
    """closed: whether an empty line comes after it, as reg.exe has it."""
    data = data_text(value)
    line = f"{BLANKS}{name}{BLANKS}{value.type}{BLANKS}{data}{end}"
    return Printed(f"{end}HKEY_LOCAL_MACHINE\\SOFTWARE\\A Key{end}{line}{end if closed else ''}", name, value, data)


def data_text(value: Value) -> str:
    if isinstance(value.data, int):
        return hex(value.data)
    if isinstance(value.data, bytes):
        return value.data.hex().upper()
    return value.data if isinstance(value.data, str) else "\\0".join(value.data)


def check_round_trip(name: str, value: Value, end: str, closed: bool) -> None:
    case = printed(name, value, end, closed)
    assert parse_value(case.text, name) == value
    assert parse_value(case.text, other_case(name)) == value


def other_case(name: str) -> str:
    """As Windows may have it in its registry: to Windows, a letter and its other case are one character each."""
    return "".join(
        other if len(other := char.swapcase()) == 1 and other.casefold() == char.casefold() else char for char in name
    )


def check_truncation(name: str, value: Value, end: str, cut: float) -> None:
    """Cut off anywhere, it is refused or, where a text had a line end there, a beginning of the text."""
    case = printed(name, value, end)
    text = case.text[: int(cut * len(case.text))]
    try:
        read = parse_value(text, name)
    except RegistryTextError:
        return
    assert read.type == value.type
    if isinstance(read.data, (int, bytes)):
        assert read == value
    else:
        assert case.data.startswith(data_text(read))


def check_garbage(text: str, name: str) -> None:
    for parse in (parse_value, lambda text, name: parse_numbers(text, ROOT, name)):
        try:
            parse(text, name)
        except RegistryTextError as error:
            assert str(error)
    parse_subkeys(text, ROOT)


def check_numbers(tree: dict[str, Value], name: str, end: str, cut: float) -> None:
    """All numbers, or none: no text among them can add a number, take one away or change one."""
    rows = [f"{end}{long_key(ROOT)}\\{key}{end}{line_of(name, value)}{end}" for key, value in tree.items()]
    text = "".join(rows) + f"{end}End of search: {len(rows)} match(es) found.{end}"
    true = {f"{ROOT}\\{key}": value.data for key, value in tree.items()}
    numbers = all(isinstance(data, int) for data in true.values())
    breaks = any(char in key for key in tree for char in "\r\n")
    whole = int(cut * len(text)) >= len(text)
    try:
        read = parse_numbers(text if whole else text[: int(cut * len(text))], ROOT, name)
    except RegistryTextError:
        assert not numbers or breaks or not whole
        return
    assert read == true or breaks
    for key, number in read.items():
        # A key whose name has a line end in it may lose the rest of its name.
        assert true.get(key, number) == number
        assert key in true or any(other.startswith((f"{key}\r", f"{key}\n")) for other in true)


def line_of(name: str, value: Value) -> str:
    return f"{BLANKS}{name}{BLANKS}{value.type}{BLANKS}{data_text(value)}"


def check_subkeys(names: list[str], value: Value, end: str, cut: float) -> None:
    """All subkeys in their order; a text of the key's own values can add names, and can take none away."""
    key = long_key(ROOT)
    head = f"{end}{key}{end}{line_of('A value', value)}{end}{end}"
    text = head + "".join(f"{key}\\{name}{end}" for name in names)
    read = parse_subkeys(text, ROOT)
    assert read[len(read) - len(names) :] == names
    assert len(read) == len(names) or "HKEY_" in data_text(value)
    fewer = parse_subkeys(text[: int(cut * len(text))], ROOT)
    assert fewer == read[: len(fewer)]


# ---- hypothesis

pieces = st.sampled_from(IMITATIONS) | st.text(max_size=8)
texts = st.lists(pieces, max_size=5).map("".join)
line_texts = texts.map(lambda text: text.replace("\r", "").replace("\n", "").strip())
names = line_texts.filter(bool).map(lambda text: text[:255])
numbers = st.builds(Value, st.just("REG_DWORD"), st.integers(0, 2**32 - 1)) | st.builds(
    Value, st.just("REG_QWORD"), st.integers(0, 2**64 - 1)
)
parts = texts.map(lambda text: text.replace("\\0", "")).filter(bool)
values = st.one_of(
    numbers,
    st.builds(Value, st.sampled_from(["REG_SZ", "REG_EXPAND_SZ"]), texts),
    st.builds(Value, st.just("REG_MULTI_SZ"), st.lists(parts, max_size=4).map(tuple)),
    st.builds(Value, st.sampled_from(["REG_BINARY", "REG_NONE", "REG_RESOURCE_LIST"]), st.binary(max_size=40)),
)
ends = st.sampled_from(["\r\n", "\n"])
cuts = st.floats(0, 1)
key_names = line_texts.filter(bool).map(lambda text: text.replace("\\", ""))
any_key_names = texts.map(lambda text: text.replace("\\", "")).filter(bool)
trees = st.dictionaries(
    st.one_of(key_names.filter(bool), key_names.filter(bool), any_key_names),
    st.one_of(numbers, numbers, values),
    max_size=5,
)


def is_plain(value: Value, end: str) -> bool:
    """Not so for what cannot be told apart: a backslash before \\0, or where lines end in LF, a CR before that."""
    text = data_text(value)
    divided = isinstance(value.data, tuple) and tuple(part for part in text.split("\\0") if part) != value.data
    return not divided and not (end == "\n" and text.endswith("\r"))


@given(name=names, value=values, end=ends, closed=st.booleans())
def test_what_is_printed_is_read_back(name: str, value: Value, end: str, closed: bool) -> None:
    text = data_text(value)
    if is_plain(value, end) and (closed or not text.endswith(("\r", "\n"))):
        check_round_trip(name, value, end, closed)


@given(name=names, value=values, end=ends, cut=cuts)
def test_what_is_cut_off_is_a_beginning_or_nothing(name: str, value: Value, end: str, cut: float) -> None:
    check_truncation(name, value, end, cut)


@given(text=texts | st.binary(max_size=200).map(lambda data: data.decode("utf-8", errors="replace")), name=names)
def test_garbage_raises_nothing_else(text: str, name: str) -> None:
    check_garbage(text, name)


@given(tree=trees, name=names, end=ends, cut=cuts | st.just(1.0))
def test_numbers_are_all_true_or_none_is_believed(tree: dict[str, Value], name: str, end: str, cut: float) -> None:
    check_numbers(tree, name, end, cut)


@given(names=st.lists(key_names.filter(bool), max_size=5), value=values, end=ends, cut=cuts)
def test_subkeys_are_all_there(names: list[str], value: Value, end: str, cut: float) -> None:
    check_subkeys(names, value, end, cut)


# ---- the plain generator


class Inputs:
    """Makes up the same inputs as the strategies above, many times as fast."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, longest: int = 4) -> str:
        return "".join(self._piece() for dummy in range(self.random.randrange(longest + 1)))

    def _piece(self) -> str:
        rolled = self.random.random()
        if rolled < 0.5:
            return self.random.choice(IMITATIONS)
        if rolled < 0.9:
            return "".join(
                self.random.choices(" \tabcdefXYZ0123456789_-\\/.,;:()[]{}#'\"!%&|<>^~*?=", k=self._length())
            )
        return "".join(chr(self.random.choice((self.random.randrange(0xD800), 0xFFFD))) for dummy in range(3))

    def _length(self) -> int:
        return 2000 if self.random.random() < 0.001 else self.random.randrange(12)

    def line(self) -> str:
        text = self.text(2).replace("\r", "").replace("\n", "").strip()
        return text[:255].strip() or f"n{self.random.randrange(1000)}"

    def key(self) -> str:
        return self.line().replace("\\", "") or "k"

    def number(self) -> Value:
        kind, bits = self.random.choice((("REG_DWORD", 32), ("REG_QWORD", 64)))
        return Value(kind, self.random.getrandbits(self.random.randrange(bits + 1)))

    def value(self) -> Value:
        rolled = self.random.randrange(4)
        if rolled == 0:
            return self.number()
        if rolled == 1:
            data: Data = tuple(
                filter(None, (self.text().replace("\\0", "") for dummy in range(self.random.randrange(4))))
            )
            return Value("REG_MULTI_SZ", data)
        if rolled == 2:
            return Value(self.random.choice(("REG_BINARY", "REG_NONE")), self.random.randbytes(self._length()))
        return Value(self.random.choice(("REG_SZ", "REG_EXPAND_SZ")), self.text())

    def end(self) -> str:
        return self.random.choice(("\r\n", "\n"))

    def tree(self) -> dict[str, Value]:
        text = self.random.random() < 0.3
        return {self.key(): self.value() if text else self.number() for dummy in range(self.random.randrange(5))}

    def key_with_lines(self) -> str:
        return self.text(3).replace("\\", "") or "k"


@pytest.mark.parametrize("part", range(PARTS))
def test_many_inputs(part: int) -> None:
    inputs = Inputs(part)
    for index in range(part, INPUTS, PARTS):
        value, end, cut = inputs.value(), inputs.end(), inputs.random.random()
        turn = index // PARTS % 5
        if turn == 0 and is_plain(value, end):
            check_round_trip(inputs.line(), value, end, closed=True)
        elif turn == 1:
            check_truncation(inputs.line(), value, end, cut)
        elif turn == 2:
            check_garbage(inputs.text(8), inputs.line())
        elif turn == 3:
            tree = inputs.tree()
            if inputs.random.random() < 0.2:
                tree[inputs.key_with_lines()] = inputs.number()
            check_numbers(tree, inputs.line(), end, min(1.0, cut * 2))
        else:
            check_subkeys([inputs.key() for dummy in range(inputs.random.randrange(5))], value, end, cut)


# ---- cases


def test_numbers_in_names_of_keys_are_not_believed() -> None:
    """The name of a key may have line ends in it, and no backslash: a foreign root gives the forgery away."""
    forged = f"a\n{BLANKS}Name{BLANKS}REG_DWORD{BLANKS}0x7\nHKEY_x"
    with pytest.raises(RegistryTextError):
        parse_numbers(f"\n{long_key(ROOT)}\\{forged}\n{BLANKS}Name{BLANKS}REG_DWORD{BLANKS}0x1\n\n", ROOT, "Name")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "does not begin with a key"),
        ("ERROR: no such key\r\n\r\n", "does not begin with a key"),
        ("HKEY_USERS\\x", "ends after the key"),
        (f"HKEY_USERS\\x\r\n{BLANKS}Other{BLANKS}REG_SZ{BLANKS}x\r\n\r\n", "is not about the value"),
        (f"HKEY_USERS\\x\r\n{BLANKS}Name{BLANKS}x\r\n\r\n", "has no type"),
        (f"HKEY_USERS\\x\r\n{BLANKS}Name{BLANKS}REG_DWORD{BLANKS}seven\r\n\r\n", "'seven' is no number"),
        (f"HKEY_USERS\\x\r\n{BLANKS}Name{BLANKS}REG_DWORD{BLANKS}0x7\n{BLANKS}0x8\r\n\r\n", "is no number"),
        (f"HKEY_USERS\\x\r\n{BLANKS}Name{BLANKS}REG_BINARY{BLANKS}0g\r\n\r\n", "'0g' are no bytes"),
        (f"HKEY_USERS\\x\r\n{BLANKS}Name{BLANKS}REG_DWORD{BLANKS}0x1", "is cut off"),
    ],
)
def test_what_is_wrong_with_an_answer(text: str, complaint: str) -> None:
    with pytest.raises(RegistryTextError, match=complaint):
        parse_value(text, "Name")


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([("a", f"{BLANKS}N{BLANKS}REG_SZ{BLANKS}7")], r"a has a REG_SZ N, and not a number"),
        ([("a", f"{BLANKS}N{BLANKS}REG_DWORD{BLANKS}0x7")] * 2, r"a is there twice"),
        ([("a", "something"), ("b", f"{BLANKS}N{BLANKS}REG_DWORD{BLANKS}0x7")], "neither a key nor a value"),
        ([("a", f"{BLANKS}M{BLANKS}REG_DWORD{BLANKS}0x7")], "not about the value"),
    ],
)
def test_what_is_wrong_with_a_search(rows: list[tuple[str, str]], complaint: str) -> None:
    text = "".join(f"\r\n{long_key(ROOT)}\\{key}\r\n{line}\r\n" for key, line in rows) + f"\r\n{SUMMARY}\r\n"
    with pytest.raises(RegistryTextError, match=complaint):
        parse_numbers(text, ROOT, "N")


SUMMARY = "Suchende: 1 Übereinstimmung(en) gefunden."


def test_a_search_that_finds_nothing() -> None:
    assert parse_numbers(f"\r\n{SUMMARY.replace('1', '0')}\r\n", ROOT, "N") == {}


@pytest.mark.parametrize("found", [0, 1, 2])
@pytest.mark.parametrize(
    "last",
    ["", SUMMARY, SUMMARY.replace("1", "12"), "ERROR: Access is denied.", "HKEY_LOCAL_MACHINE\\x1", f"{BLANKS}1"],
)
def test_a_search_that_does_not_say_how_many_it_has_found(found: int, last: str) -> None:
    rows = [f"\r\n{long_key(ROOT)}\\{key}\r\n{line_of('N', Value('REG_DWORD', 7))}\r\n" for key in "ab"[:found]]
    text = "".join(rows) + f"\r\n{last}\r\n"
    if found == 1 and last == SUMMARY:
        assert parse_numbers(text, ROOT, "N") == {rf"{ROOT}\a": 7}
        return
    with pytest.raises(RegistryTextError):
        parse_numbers(text, ROOT, "N")


def test_a_list_may_end_in_a_separator() -> None:
    for data in ("a b\\0c\\0", "a b\\0c", "a b\\0c\\0\\0"):
        text = f"HKEY_USERS\\x\r\n{BLANKS}N{BLANKS}REG_MULTI_SZ{BLANKS}{data}\r\n\r\n"
        assert parse_value(text, "n") == Value("REG_MULTI_SZ", ("a b", "c"))


@pytest.mark.parametrize("kind", ["REG_SZ", "REG_MULTI_SZ", "REG_BINARY", "REG_NONE"])
@pytest.mark.parametrize("blanks", ["", " ", BLANKS])
def test_an_empty_value_with_or_without_blanks_at_its_end(kind: str, blanks: str) -> None:
    empty: dict[str, Data] = {"REG_SZ": "", "REG_MULTI_SZ": ()}
    data = empty.get(kind, b"")
    assert parse_value(f"\r\nHKEY_USERS\\x\r\n{BLANKS}N{BLANKS}{kind}{blanks}\r\n\r\n", "N") == Value(kind, data)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("HKLM\\SOFTWARE\\A b", "HKEY_LOCAL_MACHINE\\SOFTWARE\\A b"),
        ("HKU\\.DEFAULT", "HKEY_USERS\\.DEFAULT"),
        ("HKCR\\x", "HKCR\\x"),
    ],
)
def test_keys(short: str, long: str) -> None:
    assert (long_key(short), short_key(long), short_key(short)) == (long, short, short)
    assert short_key("HKEY_USERS") == "HKU"


@pytest.mark.parametrize(
    ("data", "text"),
    [(4294967295, "4294967295"), ("a b", "a b"), (("a", "b c"), "a\\0b c"), ((), ""), (b"\x00\xff", "00ff")],
)
def test_data_for_reg_add(data: Data, text: str) -> None:
    assert format_data("", data) == text


def test_what_is_shown_is_bounded_and_steers_no_terminal() -> None:
    assert shown(None) is None and shown(7) == 7 and shown(b"\x01\xfe") == "01fe"
    assert shown("a\x1b[31m\x00\u202eb\r\n\t") == "a\\x1b[31m\\x00\\u202eb\\r\n\t"
    assert shown("x" * 5000) == "x" * LONGEST_TEXT + "… (5000 characters)"
    assert shown(("y",) * 5000) == ["y"] * LONGEST_LIST
    assert len(shown(b"z" * 5000)) < LONGEST_TEXT + 40


@given(texts)
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    safe = printable(text)
    assert all(char.isprintable() or char in "\n\t" for char in safe) and printable(safe) == safe
