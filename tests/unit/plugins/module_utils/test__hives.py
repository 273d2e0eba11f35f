# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a hive before hivex opens it, how values look in it, and what its work is done in."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _hives as hives
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data, Value
from ansible_collections.winguest.shutdown.plugins.module_utils._hives import HiveError, UnreplayedLogs
from bed import regf
from bed.windows.registry import TYPES
from hypothesis import given
from hypothesis import strategies as st

HIVE = regf.hive({"Key": {"Name": regf.Value("REG_SZ", "text")}})


def check(hive: bytes) -> None:
    hives.check_head(hive[: hives.HEAD], len(hive), "the hive")


def with_word(place: int, word: int) -> bytes:
    """The hive with another word in its first page, whose checksum is right."""
    return regf.with_checksum(HIVE[:place] + struct.pack("<I", word) + HIVE[place + 4 : 4096]) + HIVE[4096:]


def test_a_whole_hive_is_one() -> None:
    check(HIVE)
    for minor in range(3, 7):
        check(regf.hive({}, minor=minor))
    check(HIVE + bytes(4096))  # Windows makes files longer than their bins


@pytest.mark.parametrize(
    ("hive", "told"),
    [
        (b"", "no registry hive"),
        (HIVE[:4095], "no registry hive"),
        (b"x" + HIVE[1:], "no registry hive"),
        (HIVE[:4096], "cut off or damaged"),
        (HIVE[:-1], f"should have {len(HIVE)} bytes and has {len(HIVE) - 1}"),
        (with_word(20, 2), r"unknown version \(2.5\)"),
        (with_word(24, 2), r"unknown version \(1.2\)"),
        (with_word(24, 7), r"unknown version \(1.7\)"),
        (with_word(28, 1), "unknown version"),
        (with_word(32, 0), "unknown version"),
        (with_word(40, 0), "cut off or damaged"),
        (with_word(40, 1), "cut off or damaged"),
        (with_word(40, 0xFFFFF000), "cut off or damaged"),
    ],
)
def test_what_is_no_whole_hive(hive: bytes, told: str) -> None:
    with pytest.raises(HiveError, match=told) as error:
        check(hive)
    assert not isinstance(error.value, UnreplayedLogs) and str(error.value).startswith("the hive")


@pytest.mark.parametrize("hive", [regf.hive({}, 8, 7), regf.hive({}, 7, 8), HIVE[:508] + bytes(4) + HIVE[512:]])
def test_unreplayed_logs(hive: bytes) -> None:
    with pytest.raises(UnreplayedLogs, match=r"\.LOG1.*shut Windows down fully"):
        check(hive)


def test_the_numbers_of_types() -> None:
    assert {name: hives.TYPES.index(name) for name in TYPES} == TYPES


@pytest.mark.parametrize(
    ("kind", "data", "raw"),
    [
        ("REG_DWORD", 0xFFFFFFFF, b"\xff\xff\xff\xff"),
        ("REG_QWORD", 1, b"\1" + bytes(7)),
        ("REG_SZ", "a€", b"a\0\xac\x20\0\0"),
        ("REG_EXPAND_SZ", "", b"\0\0"),
        ("REG_MULTI_SZ", ("a", "b"), b"a\0\0\0b\0\0\0\0\0"),
        ("REG_MULTI_SZ", (), b"\0\0"),
        ("REG_BINARY", b"\0\1", b"\0\1"),
    ],
)
def test_values_there_and_back(kind: str, data: Data, raw: bytes) -> None:
    assert hives.to_bytes(kind, data) == raw
    assert hives._value(hives.TYPES.index(kind), raw) == Value(kind, data)


@pytest.mark.parametrize(
    ("kind", "raw", "data"),
    [
        ("REG_DWORD", b"\1", b"\1"),
        ("REG_SZ", b"a\0b", "a"),
        ("REG_SZ", b"a\0\0\0b\0", "a"),
        ("REG_SZ", b"", ""),
        ("REG_MULTI_SZ", b"a\0\0\0\0\0b\0", ("a", "", "b")),
        ("REG_DWORD_BIG_ENDIAN", b"\0\0\0\1", b"\0\0\0\1"),
    ],
)
def test_values_that_do_not_fit_their_type(kind: str, raw: bytes, data: Data) -> None:
    assert hives._value(hives.TYPES.index(kind), raw) == Value(kind, data)


@given(st.integers(-1, 2**32), st.binary(max_size=20))
def test_any_value_is_one(number: int, raw: bytes) -> None:
    assert hives._value(number, raw).type.startswith("REG_")


def test_a_process_of_its_own() -> None:
    assert hives.guarded(os.getpid, "hive") != os.getpid()
    assert len(hives.guarded(lambda: bytes(10_000_000), "hive")) == 10_000_000

    def raises() -> None:
        raise UnreplayedLogs("why")

    with pytest.raises(UnreplayedLogs, match="why"):
        hives.guarded(raises, "hive")


def test_a_process_that_ends_badly() -> None:
    for work, told in (
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
        (lambda: 1 // 0, "status 1"),
        (lambda: os._exit(3), "status 3"),
        (lambda: os._exit(0), "status 0"),
    ):
        with pytest.raises(HiveError, match=rf"hive is damaged: hivex has broken down on it \({told}\)"):
            hives.guarded(work, "hive")


def test_a_process_without_end_is_ended() -> None:
    began, before = time.monotonic(), children()
    with pytest.raises(HiveError, match=r"has not come to an end with it in 0\.2 s"):
        hives.guarded(lambda: time.sleep(60), "hive", 0.2)
    assert time.monotonic() - began < 30
    assert children() <= before


def children() -> set[str]:
    """The processes that this one has started and not seen the end of; other tests may have theirs."""
    return {child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()}


def test_without_hivex_the_module_says_what_to_install() -> None:
    """This Python has none, as one that is not the distribution's."""
    assert hives.HIVEX_IMPORT_ERROR and "hivex" in hives.HIVEX_IMPORT_ERROR
    module = "ansible_collections.winguest.shutdown.plugins.modules.image_readiness_info"
    given = '{"ANSIBLE_MODULE_ARGS": {"root": "/"}}'
    run = subprocess.run(
        [sys.executable, "-m", module], input=given, capture_output=True, text=True, env=environment(), check=False
    )
    assert run.returncode == 1 and "(hivex) on" in run.stdout


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
