# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How registry values become bytes and come back, without Wine."""

from __future__ import annotations

import pytest
from bed.windows.registry import from_bytes, to_bytes
from bed.windows.snapshot import Data
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@given(st.sampled_from(["REG_SZ", "REG_EXPAND_SZ"]), TEXTS)
def test_texts(kind: str, text: str) -> None:
    assert from_bytes(kind, to_bytes(kind, text)) == text


@given(st.lists(TEXTS.filter(bool)))
def test_lines(lines: list[str]) -> None:
    assert from_bytes("REG_MULTI_SZ", to_bytes("REG_MULTI_SZ", lines)) == lines


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary())
def test_numbers_and_bytes(dword: int, qword: int, data: bytes) -> None:
    assert from_bytes("REG_DWORD", to_bytes("REG_DWORD", dword)) == dword
    assert from_bytes("REG_QWORD", to_bytes("REG_QWORD", qword)) == qword
    assert from_bytes("REG_BINARY", to_bytes("REG_BINARY", data)) == data


@given(st.sampled_from(["REG_SZ", "REG_MULTI_SZ", "REG_DWORD", "REG_QWORD", "REG_BINARY", "0x15"]), st.binary())
def test_any_bytes_can_be_read(kind: str, data: bytes) -> None:
    assert isinstance(from_bytes(kind, data), (int, str, list, bytes))


@pytest.mark.parametrize(
    ("kind", "data", "read"),
    [
        ("REG_SZ", "a\0".encode("utf-16-le"), "a"),
        ("REG_SZ", "a".encode("utf-16-le"), "a"),
        ("REG_SZ", b"", ""),
        ("REG_SZ", b"abc", b"abc"),
        ("REG_SZ", b"\0\xd8", "\ud800"),
        ("REG_MULTI_SZ", b"", []),
        ("REG_MULTI_SZ", b"\0\0", []),
        ("REG_MULTI_SZ", "a\0b\0".encode("utf-16-le"), ["a", "b"]),
        ("REG_MULTI_SZ", "a\0\0b\0\0".encode("utf-16-le"), ["a", "", "b"]),
        ("REG_DWORD", b"\1", b"\1"),
    ],
)
def test_what_others_have_written(kind: str, data: bytes, read: Data) -> None:
    assert from_bytes(kind, data) == read


@pytest.mark.parametrize(
    ("kind", "data"), [("REG_DWORD", "1"), ("REG_SZ", 1), ("REG_SZ", ["a"]), ("REG_MULTI_SZ", "a"), ("REG_BINARY", "a")]
)
def test_data_of_another_type_is_refused(kind: str, data: Data) -> None:
    with pytest.raises(ValueError, match=kind):
        to_bytes(kind, data)


@pytest.mark.parametrize(("kind", "number"), [("REG_DWORD", 2**32), ("REG_DWORD", -1), ("REG_QWORD", 2**64)])
def test_a_number_that_is_too_large_is_refused(kind: str, number: int) -> None:
    with pytest.raises(OverflowError):
        to_bytes(kind, number)
