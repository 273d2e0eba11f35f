# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""powercfg.exe: power schemes, their values, and hibernation.

Options and aliases: Microsoft's page "Powercfg command-line options", and powercfg's own list of aliases. Where it
writes: umpo.dll, decompiled, and for hibernation a published trace of the process. What it writes into the active
scheme is in force only after /setactive (sdk-api, PowerWriteACValueIndex); /change sets and activates. A policy makes
writes fail with Windows' error 1260 (win32 docs, "Administrator overrides"). Every failure ends it with status 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bed.windows import power
from bed.windows.commands import texts
from bed.windows.commands.types import Answer, Invocation, Windows
from bed.windows.power import Setting, Supply
from bed.windows.snapshot import Snapshot
from bed.windows.systems import Language


class Scheme(NamedTuple):
    """A scheme that every Windows has. SCHEME_MIN is the one that saves the least power."""

    alias: str
    english: str
    german: str


SCHEMES: Mapping[str, Scheme] = {
    power.BALANCED: Scheme("SCHEME_BALANCED", "Balanced", "Ausbalanciert"),
    power.HIGH_PERFORMANCE: Scheme("SCHEME_MIN", "High performance", "Höchstleistung"),
    power.POWER_SAVER: Scheme("SCHEME_MAX", "Power saver", "Energiesparmodus"),
}
SUBGROUPS: Mapping[str, Scheme] = {
    power.BUTTONS: Scheme("SUB_BUTTONS", "Power buttons and lid", "Netzschalter und Zuklappen"),
    power.SLEEPING: Scheme("SUB_SLEEP", "Sleep", "Energie sparen"),
    power.VIDEO: Scheme("SUB_VIDEO", "Display", "Bildschirm"),
}
HIDDEN = (power.POWER_BUTTON, power.FORCED_BUTTON, power.UNATTENDED_SLEEP, power.ALLOW_STANDBY, power.VIDEO_LOCKED)
"""/query does not show these, as Microsoft's pages about the first two and the ADMX files have it, and /qh does."""

CHANGES: Mapping[str, Setting] = {
    "monitor-timeout": power.VIDEO_IDLE,
    "standby-timeout": power.STANDBY_IDLE,
    "hibernate-timeout": power.HIBERNATE_IDLE,
}
ABBREVIATIONS = {"l": "list", "q": "query", "x": "change", "h": "hibernate", "s": "setactive"}
LARGEST = 0xFFFFFFFF


class PowercfgError(Exception):
    """It fails; the text is what it prints."""


def run(invocation: Invocation, windows: Windows) -> Answer:
    """Do what the first argument says."""
    language = windows.system.language
    word, *operands = invocation.arguments or ("",)
    name = word[1:].lower()
    action = ACTIONS.get(ABBREVIATIONS.get(name, name)) if word[:1] in ("/", "-") else None
    try:
        if action is None:
            raise PowercfgError(_invalid(language))
        return Answer(action(operands, windows))
    except PowercfgError as error:
        return Answer(errors=f"{error}\n", status=1)


def _set_value(supply: Supply, operands: Sequence[str], windows: Windows) -> str:
    language = windows.system.language
    if len(operands) != 4:
        raise PowercfgError(_invalid(language))
    snapshot = _snapshot(windows)
    scheme = _scheme(operands[0], snapshot, language)
    setting = _setting(operands[1], operands[2], language)
    _write(windows, snapshot, scheme, setting, supply, _number(operands[3], language))
    return ""


def _set_active(operands: Sequence[str], windows: Windows) -> str:
    language = windows.system.language
    if len(operands) != 1:
        raise PowercfgError(_invalid(language))
    snapshot = _snapshot(windows)
    scheme = _scheme(operands[0], snapshot, language)
    if snapshot.value(power.POLICY_KEY, "ActivePowerScheme") and scheme != power.active_scheme(snapshot):
        raise PowercfgError(_unexpected(texts.ERROR_ACCESS_DISABLED_BY_POLICY, language))
    windows.registry.set(power.SCHEMES_KEY, "ActivePowerScheme", "REG_SZ", scheme)
    windows.power_scheme_activated()
    return ""


def _get_active(operands: Sequence[str], windows: Windows) -> str:
    if operands:
        raise PowercfgError(_invalid(windows.system.language))
    return _scheme_line(power.active_scheme(_snapshot(windows)), windows.system.language) + "\n"


def _list(operands: Sequence[str], windows: Windows) -> str:
    language = windows.system.language
    if operands:
        raise PowercfgError(_invalid(language))
    snapshot = _snapshot(windows)
    header = texts.translated(language, "Existing Power Schemes (* Active)", "Bestehende Energieschemen (* Aktiv)")
    lines = ["", header, "-" * 35]
    for scheme in _schemes(snapshot):
        star = " *" if scheme == power.active_scheme(snapshot) else ""
        lines.append(_scheme_line(scheme, language) + star)
    return "\n".join(lines) + "\n"


def _query(hidden: bool, operands: Sequence[str], windows: Windows) -> str:
    language = windows.system.language
    if len(operands) > 3:
        raise PowercfgError(_invalid(language))
    snapshot = _snapshot(windows)
    scheme = _scheme(operands[0], snapshot, language) if operands else power.active_scheme(snapshot)
    subgroup = _subgroup(operands[1], language) if len(operands) > 1 else None
    only = _setting(operands[1], operands[2], language) if len(operands) > 2 else None
    lines = [_scheme_line(scheme, language), *_alias(SCHEMES.get(scheme), 2, language)]
    for guid, names in SUBGROUPS.items():
        if subgroup not in (None, guid):
            continue
        label = texts.translated(language, "Subgroup GUID", "GUID der Untergruppe")
        lines.append(f"  {label}: {guid}  ({texts.translated(language, names.english, names.german)})")
        lines += _alias(names, 4, language)
        for setting in power.SETTINGS:
            if setting.subgroup == guid and only in (None, setting) and (hidden or setting not in HIDDEN):
                lines += _setting_lines(setting, scheme, snapshot, language)
    return "\n".join(lines) + "\n"


def _change(operands: Sequence[str], windows: Windows) -> str:
    language = windows.system.language
    if len(operands) != 2:
        raise PowercfgError(_invalid(language))
    name, dummy_dash, supply = operands[0].lower().lstrip("/-").rpartition("-")
    if name not in CHANGES or supply not in ("ac", "dc"):
        raise PowercfgError(_invalid(language))
    snapshot = _snapshot(windows)
    minutes = _number(operands[1], language)
    scheme = power.active_scheme(snapshot)
    _write(windows, snapshot, scheme, CHANGES[name], "AC" if supply == "ac" else "DC", minutes * 60)
    windows.power_scheme_activated()
    return ""


def _hibernate(operands: Sequence[str], windows: Windows) -> str:
    words = [word.lower() for word in operands] or ["on"]
    if words not in (["on"], ["off"]):
        raise PowercfgError(_invalid(windows.system.language))
    windows.registry.set(power.POWER, "HibernateEnabled", "REG_DWORD", int(words == ["on"]))
    return ""


def _aliases(operands: Sequence[str], windows: Windows) -> str:
    if operands:
        raise PowercfgError(_invalid(windows.system.language))
    table = {**{guid: names.alias for guid, names in {**SCHEMES, **SUBGROUPS}.items()}}
    table.update({setting.guid: setting.alias for setting in power.SETTINGS})
    return "".join(f"{guid}  {alias}\n" for guid, alias in table.items())


ACTIONS: Mapping[str, Callable[[Sequence[str], Windows], str]] = {
    "setacvalueindex": lambda operands, windows: _set_value("AC", operands, windows),
    "setdcvalueindex": lambda operands, windows: _set_value("DC", operands, windows),
    "setactive": _set_active,
    "getactivescheme": _get_active,
    "list": _list,
    "query": lambda operands, windows: _query(False, operands, windows),
    "qh": lambda operands, windows: _query(True, operands, windows),
    "change": _change,
    "hibernate": _hibernate,
    "aliases": _aliases,
}


def _snapshot(windows: Windows) -> Snapshot:
    return windows.registry.snapshot(power.POWER, power.POLICY_KEY)


def _write(windows: Windows, snapshot: Snapshot, scheme: str, setting: Setting, supply: Supply, index: int) -> None:
    name = f"{supply}SettingIndex"
    if snapshot.value(power.policy_key(setting), name) is not None:
        raise PowercfgError(_unexpected(texts.ERROR_ACCESS_DISABLED_BY_POLICY, windows.system.language))
    windows.registry.set(power.scheme_key(scheme, setting), name, "REG_DWORD", index)


def _schemes(snapshot: Snapshot) -> list[str]:
    return [name.lower() for name in snapshot.subkeys(power.SCHEMES_KEY)]


def _scheme(word: str, snapshot: Snapshot, language: Language) -> str:
    aliases = {names.alias: guid for guid, names in SCHEMES.items()}
    aliases["SCHEME_CURRENT"] = power.active_scheme(snapshot)
    scheme = aliases.get(word.upper(), word.lower())
    if scheme not in _schemes(snapshot):
        raise PowercfgError(_does_not_exist(language))
    return scheme


def _subgroup(word: str, language: Language) -> str:
    subgroup = {names.alias: guid for guid, names in SUBGROUPS.items()}.get(word.upper(), word.lower())
    if subgroup not in SUBGROUPS:
        raise PowercfgError(_does_not_exist(language))
    return subgroup


def _setting(subgroup_word: str, word: str, language: Language) -> Setting:
    subgroup = _subgroup(subgroup_word, language)
    for setting in power.SETTINGS:
        if setting.subgroup == subgroup and word.lower() in (setting.alias.lower(), setting.guid):
            return setting
    raise PowercfgError(_does_not_exist(language))


def _number(word: str, language: Language) -> int:
    try:
        number = int(word, 16 if word.lower().startswith("0x") else 10)
    except ValueError:
        number = -1
    if not 0 <= number <= LARGEST:
        raise PowercfgError(_invalid(language))
    return number


def _scheme_line(scheme: str, language: Language) -> str:
    label = texts.translated(language, "Power Scheme GUID", "GUID des Energieschemas")
    names = SCHEMES.get(scheme)
    return f"{label}: {scheme}" + (f"  ({texts.translated(language, names.english, names.german)})" if names else "")


def _alias(names: Scheme | Setting | None, indent: int, language: Language) -> list[str]:
    label = texts.translated(language, "GUID Alias", "GUID-Alias")
    return [f"{' ' * indent}{label}: {names.alias}"] if names else []


def _setting_lines(setting: Setting, scheme: str, snapshot: Snapshot, language: Language) -> list[str]:
    label = texts.translated(language, "Power Setting GUID", "GUID der Energieeinstellung")
    current = {
        "AC": texts.translated(
            language, "Current AC Power Setting Index", "Index der aktuellen Wechselstromeinstellung"
        ),
        "DC": texts.translated(
            language, "Current DC Power Setting Index", "Index der aktuellen Gleichstromeinstellung"
        ),
    }
    values = [
        f"    {current[supply]}: 0x{power.resolve(snapshot, setting, supply, scheme):08x}" for supply in power.SUPPLIES
    ]
    return [f"    {label}: {setting.guid}", *_alias(setting, 6, language), *values, ""]


def _invalid(language: Language) -> str:
    return texts.translated(
        language,
        'Invalid Parameters -- try "/?" for help',
        'Ungültige Parameter - geben Sie "/?" ein, um Hilfe zu erhalten',
    )


def _does_not_exist(language: Language) -> str:
    return texts.translated(
        language,
        "The power scheme, subgroup or setting specified does not exist.",
        "Das angegebene Energieschema, die Untergruppe oder die Einstellung ist nicht vorhanden.",
    )


def _unexpected(code: int, language: Language) -> str:
    begin = (
        f"Unable to perform operation. An unexpected error (0x{code:x}) has occurred: ",
        f"Der Vorgang konnte nicht durchgeführt werden. Unerwarteter Fehler (0x{code:x}): ",
    )
    return texts.translated(language, *begin) + texts.message(code, language)
