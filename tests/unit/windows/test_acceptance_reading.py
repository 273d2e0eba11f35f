# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading and setting the catalogue's values by Windows' own programs, one by one."""

from __future__ import annotations

from typing import Any

import pytest
from windows.filter_plugins import acceptance_reading as reading

SCHEME = "381b4222-f694-41f0-9685-ff5bb260df2e"
SID = "S-1-5-21-1-2-3-1001"
BUTTON = "SUB_BUTTONS PBUTTONACTION"
DESKTOP = r"Control Panel\Desktop"
POWERCFG = """
Power Scheme GUID: 381b4222-f694-41f0-9685-ff5bb260df2e  (Balanced)
    Power Setting GUID: 7648efa3-dd9c-4e3e-b566-50f929386280  (Power button action)
      Possible Setting Index: 000
    Minimum Possible Setting: 0x00000000
    Maximum Possible Setting: 0xffffffff
    Index der aktuellen Wechselstromeinstellung: 0x00000003
    Index du parametre \uff1a0x0000000a
"""


def finding(ident: str, location: str) -> dict[str, Any]:
    return {"id": ident, "location": location}


LOGON = finding(
    "shutdown_without_logon",
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\ShutdownWithoutLogon",
)
AC, DC = (finding("power_button_action", f"power scheme {SCHEME}, {supply}: {BUTTON}") for supply in ("AC", "DC"))
LOADED = finding("auto_end_tasks", rf"HKU\{SID}\{DESKTOP}\AutoEndTasks")
STORED = finding("auto_end_tasks", rf"HKU\{SID}\{DESKTOP}\AutoEndTasks (stored)")
SIGN_IN = finding("auto_end_tasks", rf"HKU\.DEFAULT\{DESKTOP}\AutoEndTasks (system)")
NEW = finding("auto_end_tasks", rf"HKU\default\{DESKTOP}\AutoEndTasks (default)")
ALL = [LOGON, AC, DC, LOADED, STORED, SIGN_IN, NEW]
IDS = ["shutdown_without_logon", "power_button_action", "auto_end_tasks"]


def test_each_place_is_asked_for_once() -> None:
    commands = reading.acceptance_commands(ALL, IDS)
    assert len(commands) == 5  # AC and DC in one, and stored profiles not at all
    assert commands[0].startswith(r'reg query "HKLM\SOFTWARE\Microsoft\Windows')
    assert commands[1] == (
        f"powercfg /qh {SCHEME} 4f971e89-eebd-4455-a8de-9e59040e7347 7648efa3-dd9c-4e3e-b566-50f929386280"
    )
    assert commands[2] == rf'reg query "HKU\{SID}\Control Panel\Desktop" /v AutoEndTasks'
    assert "reg load" in commands[4] and commands[4].endswith(r"reg unload HKU\winguest-acceptance")
    assert reading.acceptance_commands(ALL, []) == []


@pytest.mark.parametrize(
    "location", [rf"HKU\S-1-5-21&calc\{DESKTOP}\AutoEndTasks", f'power scheme {SCHEME}"&calc, AC: {BUTTON}', "", "HKU"]
)
def test_what_is_no_name_is_in_no_command(location: str) -> None:
    for ident in ("auto_end_tasks", "power_button_action"):
        assert reading.acceptance_commands([finding(ident, location)], [ident]) == []
        assert reading.acceptance_settings([finding(ident, location)], {ident: 0}) == [
            "powercfg /setactive SCHEME_CURRENT"
        ]


def test_values_are_set_where_they_were_found_and_put_in_force() -> None:
    commands = reading.acceptance_settings(ALL, {"power_button_action": 0, "auto_end_tasks": "0"})
    assert commands[0].startswith(f"powercfg /setACvalueindex {SCHEME} ") and commands[0].endswith(" 0")
    assert commands[1].startswith("powercfg /setDCvalueindex ")
    assert commands[2] == rf'reg add "HKU\{SID}\Control Panel\Desktop" /v AutoEndTasks /t REG_SZ /d "0" /f'
    assert len(commands) == 6 and commands[-1] == "powercfg /setactive SCHEME_CURRENT"


def test_what_was_printed_is_read_in_any_language() -> None:
    commands = reading.acceptance_commands(ALL, IDS)
    value = "\r\nHKEY\r\n    {}    {}    {}\r\n\r\n"
    outputs = {
        commands[0]: value.format("shutdownwithoutlogon", "REG_DWORD", "0x1"),
        commands[1]: POWERCFG,
        commands[2]: value.format("AutoEndTasks", "REG_SZ", "1"),
        commands[3]: "FEHLER: nicht gefunden",
    }
    read = reading.acceptance_readings(ALL, IDS, outputs)
    assert read["shutdown_without_logon"] == {LOGON["location"]: 1}
    assert read["power_button_action"] == {AC["location"]: 3, DC["location"]: 10}
    assert read["auto_end_tasks"] == {LOADED["location"]: "1", SIGN_IN["location"]: None, NEW["location"]: None}
