# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of the acceptance kit: what is in it, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from windows.filter_plugins.acceptance_report import LONGEST, acceptance_facts, acceptance_report, acceptance_table


def claim(seen: str, verdict: str = "held", why: str = "") -> dict[str, str]:
    return {"id": "row:power_button_action", "claimed": "it is read", "seen": seen, "verdict": verdict, "why": why}


@pytest.mark.parametrize(
    "secret",
    ["web01", "WEB01", "10.1.2.3", r"C:\Users\Erika Mustermann\NTUSER.DAT", "HKU\\S-1-5-21-1-22-333-1001\\Desktop"],
)
def test_it_does_not_say_whose_guest_it_is(secret: str) -> None:
    report = acceptance_report([claim(f"in {secret}: 3", "not held", secret)], {}, ["web01", "10.1.2.3", ""])
    told = json.dumps(report).casefold()
    for part in ("web01", "10.1.2.3", "mustermann", "1-22-333"):
        assert part not in told
    assert "in " in told and ": 3" in told


def test_a_name_within_a_word_is_left() -> None:
    assert acceptance_report([claim("winlogon.exe")], {}, ["win"])["claims"][0]["seen"] == "winlogon.exe"


def test_long_texts_are_cut() -> None:
    assert len(acceptance_report([claim("x" * 9999)], {}, [])["claims"][0]["seen"]) == LONGEST + 3


def test_verdicts_are_counted_and_facts_are_kept() -> None:
    claims = [claim("a"), claim("b", "not held", "why"), claim("c", "not tried")]
    report: dict[str, Any] = acceptance_report(claims, {"day": "2026-12-01"}, [])
    assert report["totals"] == {"held": 1, "not held": 1, "not tried": 1} and report["day"] == "2026-12-01"


def test_the_table_has_a_line_for_each_claim_and_says_loudly_what_was_not_held() -> None:
    lines = acceptance_table(acceptance_report([claim("a | b"), claim("c", "not held", "so")], {}, []))
    assert len({line.count("|") for line in lines[:-1]}) == 1
    assert lines[2].endswith("| a / b | held |") and lines[3].endswith("| NOT HELD: so |")
    assert lines[-1] == "held: 1, not held: 1, not tried: 0"


def test_facts_are_numbers_and_there_also_where_nothing_was_read() -> None:
    first = {
        "system": {"product": "Windows 11", "build": "22631", "server": False},
        "hints": {"pending_rows": ["cbs_reboot_pending"]},
        "seconds": 3.5,
        "winrm_requests": 8,
    }
    facts = acceptance_facts(first, {}, "\r\n    InstallLanguage    REG_SZ    0407\r\n")
    assert facts["windows"] == {"product": "Windows 11", "build": 22631, "server": False, "language": "0407"}
    assert facts["audit"] == {"seconds": 3.5, "winrm_requests": 8} and facts["pending"] == ["cbs_reboot_pending"]
    assert facts["remediation"] == {"seconds": None, "winrm_requests": None}
    assert acceptance_facts({}, {}, "")["windows"] == {"product": "", "build": 0, "server": False, "language": ""}
