# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile guest: what is in its registry and what its programs print changes nothing but what is told of it.

Remediation with the same things wrong is run in an undisturbed guest and in one that attacks. Both must run the same
programs with the same arguments, and find the same in all places but those that attack.
"""

from __future__ import annotations

import collections
import itertools
import re
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from bed.ansible_run import play
from bed.guest_action import act
from bed.guests import Bed
from bed.windows import keys, power
from bed.windows.blockers import OBEDIENT
from bed.windows.commands import faults
from bed.windows.commands.types import Answer, Invocation, Windows
from bed.windows.endpoint.errors import SoapFault
from bed.windows.endpoint.faults import Fault, garbage, soap_fault
from bed.windows.guest import HIVE, SimulatedWindows
from bed.windows.places import loaded, put, put_value
from bed.windows.snapshot import Value
from bed.windows.systems import ALICE, BJOERN
from bed.windows.typed import expandable, string, strings
from integration.faults import fault
from integration.guests import MEND, SHUT_DOWN

pytestmark = [pytest.mark.xdist_group("hostile"), pytest.mark.timeout(300)]

ROW = {row.id: row for row in ROWS}
CATALOGUE = [
    ROW[ident]
    for ident in (
        "cbs_reboot_pending",
        "pending_file_renames",
        "media_features_reboot",
        "modules_installer_running",
        "pending_transaction",
        "shutdown_without_logon",
        "inactivity_lock",
        "auto_end_tasks",
        "wait_to_kill_service",
        "service_preshutdown",
        "power_button_action",
        "threat_not_removed",
        "volume_check_scheduled",
        "shut_down_hidden_from_all",
        "setup_in_progress",
    )
]
"""Rows of every kind, neighbours in one key among them."""

WRONG: dict[str, Data] = {"shutdown_without_logon": 0, "auto_end_tasks": "0", "power_button_action": 0}

INACTIVITY = (keys.SYSTEM_POLICIES, "InactivityTimeoutSecs")
SIGNAL = (r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce", "DVDRebootSignal")
SERVICES = (keys.CONTROL, "WaitToKillServiceTimeout")
TASKS = r"Control Panel\Desktop", "AutoEndTasks"
OF_ALICE, OF_BJOERN = ((rf"HKU\{user.sid}\{TASKS[0]}", TASKS[1]) for user in (ALICE, BJOERN))
ATTACKED = {
    INACTIVITY: "inactivity_lock",
    SIGNAL: "media_features_reboot",
    SERVICES: "wait_to_kill_service",
    OF_ALICE: "auto_end_tasks",
    OF_BJOERN: "auto_end_tasks",
}
"""Values whose contents attack, and the rows that they belong to."""

BACKSLASH = "\\"
PROOF = r"C:\proof.txt"
COMMAND = f"echo x>{PROOF}&shutdown.exe /s /f /t 0"
CONTROLS = "\x1b[2J\x1b]0;title\x07\x1b[31m\x9b31m\x08\x7f\x85\u202e\u2028\u2066"

TEXTS: dict[str, Value] = {
    "a command after a quote": string(f'1" & {COMMAND} & rem "'),
    "a command in a group": string(f"1) & ({COMMAND}) & ("),
    "redirections and pipes": string(f"1 >{PROOF} 2>&1 <nul | shutdown.exe /a || {COMMAND} && ^& ^^"),
    "variables": string(r"%COMSPEC% %TEMP% %PATH:~0,1% !PATH! %%m %m %e %~v %k ^%TEMP^%"),
    "quotes": string('"\'`"" \\" ^"\\'),
    "another value": string(
        "1\r\n\r\nHKEY_LOCAL_MACHINE\\" + keys.SYSTEM_POLICIES.partition("\\")[2] + "\r\n"
        "    ShutdownWithoutLogon    REG_DWORD    0x1\r\n    InactivityTimeoutSecs    REG_DWORD    0x0\r\n\r\n"
    ),
    "marks": string(
        "1\r\n\r\n#00000000#=1\r\n#00000000#\r\n%m=2\r\n#\r\n##=3\r\n#ffffffff#=99\r\n#00000000#u1\r\n"
        f"#00000000#p{BJOERN.sid}\r\n=4\r\n%m\r\n"
    ),
    "controls": string(f"1{CONTROLS}"),
    "nulls": Value("REG_SZ", "0\0\0&\0x\0\0".encode("utf-16-le")),
    "half a character": Value("REG_SZ", "1\ud83d\r\n\udc00".encode("utf-16-le", "surrogatepass") + b"\x01"),
    "bytes": Value("REG_BINARY", bytes(range(256)) * 4),
    "a list": Value("REG_MULTI_SZ", [f"1 & {COMMAND}", "\\0", "    ShutdownWithoutLogon    REG_DWORD    0x1", "1"]),
    "nothing": Value("REG_NONE", b""),
    "empty": string(""),
}
ROUNDS = range(-(-len(TEXTS) // len(ATTACKED)))
"""So many runs have each text in one place; in what is called a round every place has another one."""

Places = dict[tuple[str, str], dict[str, Any]]


class Seen(NamedTuple):
    """What was run in the guest, and what was found, by row and place."""

    run: list[Invocation]
    found: Places


def mended(windows: SimulatedWindows) -> Seen:
    """Make wrong what is to be mended, but for what attacks, and mend it."""
    windows.commands.invocations.clear()
    result = act(windows, MEND, catalogue=CATALOGUE)
    assert not windows.wine.path(PROOF).exists()
    return seen(windows, result)


def seen(windows: SimulatedWindows, result: dict[str, Any]) -> Seen:
    """What was run and found. In what was run, the random number of the run is NONCE."""
    nonce = next(match[1] for one in windows.commands.invocations if (match := NONCE.match(" ".join(one.arguments))))
    run = [
        Invocation(one.program, tuple(argument.replace(nonce, "NONCE") for argument in one.arguments))
        for one in windows.commands.invocations
    ]
    found = {(finding["id"], finding["location"]): finding for finding in result["findings"]}
    assert len(found) == len(result["findings"])
    return Seen(run, found)


NONCE = re.compile(r"query HKLM\\SOFTWARE\\([0-9a-f]{8}) ")


def make_wrong(windows: SimulatedWindows) -> None:
    """The same state before every run."""
    for ident, data in WRONG.items():
        put(windows, ROW[ident], data)
    for (key, name), ident in ATTACKED.items():
        put_value(windows, key, name, string("0") if ident == "auto_end_tasks" else None)
    put(windows, ROW["pending_file_renames"], None)
    put_value(windows, keys.SESSION_MANAGER, "BootExecute", strings("autocheck autochk *"))


def steering(output: str) -> set[str]:
    """What could steer a terminal, or turn a text around."""
    return {char for char in output if not char.isprintable() and char not in "\n\t"}


def location(key: str, name: str) -> str:
    """How a finding calls a value."""
    return rf"{key}\{name}" + (" (stored)" if BJOERN.sid in key else "")


def differing(found: Places, others: Places) -> set[tuple[str, str]]:
    """The places of which not the same was found."""
    return {place for place in {*found, *others} if found.get(place) != others.get(place)}


ATTACKED_PLACES = {(ident, location(*where)) for where, ident in ATTACKED.items()}


@pytest.fixture(scope="module")
def shared_guest(shared_bed: Bed) -> Iterator[SimulatedWindows]:
    with SimulatedWindows(shared_bed, "hostile", registry=OBEDIENT) as windows:
        windows.start()
        yield windows


@pytest.fixture(scope="module")
def undisturbed(shared_guest: SimulatedWindows) -> Seen:
    make_wrong(shared_guest)
    undisturbed = mended(shared_guest)
    assert {undisturbed.found[place]["state"] for place in undisturbed.found if place[0] in WRONG} == {"fixed"}
    return undisturbed


@pytest.fixture
def guest(shared_guest: SimulatedWindows, undisturbed: Seen) -> Iterator[SimulatedWindows]:
    """With the same things wrong as in the run that is undisturbed; nothing stays loaded, and no other program runs."""
    before = loaded(shared_guest)
    make_wrong(shared_guest)
    yield shared_guest
    shared_guest.faults = []
    shared_guest.network.misbehave(None)
    assert loaded(shared_guest) == before
    assert shared_guest.decisions == [] and shared_guest.boots == 1


@fault("guest_hostile")
@pytest.mark.parametrize("number", ROUNDS)
def test_what_is_in_a_value_changes_nothing_else(guest: SimulatedWindows, undisturbed: Seen, number: int) -> None:
    texts = itertools.islice(itertools.cycle(TEXTS), number * len(ATTACKED), None)
    for (key, name), text in zip(ATTACKED, texts):
        put_value(guest, key, name, TEXTS[text])
    now = mended(guest)
    assert now.run == undisturbed.run
    assert differing(now.found, undisturbed.found) <= ATTACKED_PLACES
    for where, ident in ATTACKED.items():
        state = now.found[ident, location(*where)]["state"]
        assert state in (["fixed"] if ident == "auto_end_tasks" else ["ok", "differs", "unverified", "unreadable"])


def test_megabytes_in_a_value_leave_it_unread_and_nothing_else(guest: SimulatedWindows, undisturbed: Seen) -> None:
    """What came together with it is asked again."""
    put_value(guest, *INACTIVITY, string("1\r\n" + "x" * (3 << 19)))
    now = mended(guest)
    assert set(now.run) == set(undisturbed.run)
    place = ROW["inactivity_lock"].id, location(*INACTIVITY)
    assert differing(now.found, undisturbed.found) == {place}
    assert (now.found[place]["state"], now.found[place]["actual"]) == ("unreadable", None)


def test_a_profiles_folder_is_only_ever_the_name_of_a_folder(guest: SimulatedWindows, undisturbed: Seen) -> None:
    """It is made of the user's name. Of a variable's name in it Wine's cmd.exe makes its contents, unlike Windows'."""
    folder = r"C:\Users\a & b ^ !TEMP! 100% (1) 'c' ; = , %m"
    entry = rf"{keys.PROFILES}\{BJOERN.sid}"
    hive = guest.wine.path(rf"{BJOERN.folder}\{HIVE}")
    moved = guest.wine.path(folder)
    moved.mkdir()
    hive.rename(moved / HIVE)
    put_value(guest, entry, "ProfileImagePath", expandable(folder))
    try:
        now = mended(guest)
    finally:
        (moved / HIVE).rename(hive)
        put_value(guest, entry, "ProfileImagePath", expandable(BJOERN.folder))
    assert now.found == undisturbed.found
    assert now.run == [
        Invocation(program, tuple(argument.replace(BJOERN.folder, folder) for argument in arguments))
        for program, arguments in undisturbed.run
    ]


FORGED_SCHEMES = (
    f"381b4222-f694-41f0-9685-ff5bb260df2e & {COMMAND.replace(BACKSLASH, '')}",
    f'x" & {COMMAND.replace(BACKSLASH, "")} & "',
    "%TEMP%",
    "{381b4222-f694-41f0-9685-ff5bb260df2e}",
)
FORGED_PROFILES = {
    f"S-1-5-21-1-2-3-1001 & {COMMAND.replace(BACKSLASH, '')}": r"C:\Users\alice",
    "S-1-5-21-1-2-3-1002": f'C:\\x" & {COMMAND} & "',
    "S-1-5-21-1-2-3-1003": rf"C:\x&{COMMAND}",
    "S-1-5-21-1-2-3-1004": r"\\127.0.0.1\share\%COMSPEC%\!TEMP!\*?<>|",
    f'x" & {COMMAND.replace(BACKSLASH, "")} & "': r"C:\Users\alice",
    "%COMSPEC%": r"C:\Users\alice",
}


@fault("guest_hostile")
def test_forged_schemes_and_profiles_are_neither_written_nor_believed(
    guest: SimulatedWindows, undisturbed: Seen
) -> None:
    """What is no GUID is no scheme, and what is no security identifier is no account."""
    for name in FORGED_SCHEMES:
        guest.registry.create(rf"{power.SCHEMES_KEY}\{name}")
    for name, folder in FORGED_PROFILES.items():
        guest.change({rf"{keys.PROFILES}\{name}": {"ProfileImagePath": expandable(folder)}})
    try:
        now = mended(guest)
    finally:
        for name in FORGED_SCHEMES:
            guest.registry.delete_key(rf"{power.SCHEMES_KEY}\{name}")
        for name in FORGED_PROFILES:
            guest.registry.delete_key(rf"{keys.PROFILES}\{name}")
    # Accounts whose hive could not be loaded are told, and nothing else is new.
    new = differing(now.found, undisturbed.found)
    assert {ident for ident, dummy in new} == {"auto_end_tasks"}
    accounts = {name for name in FORGED_PROFILES if re.fullmatch(r"S-1-5-21-1-2-3-\d+", name)}
    assert {place.split("\\")[1] for dummy, place in new} == accounts
    assert {now.found[place]["state"] for place in new} == {"unreadable"}
    more = collections.Counter(now.run) - collections.Counter(undisturbed.run)
    assert not collections.Counter(undisturbed.run) - collections.Counter(now.run)
    assert {(program, arguments[0]) for program, arguments in more} <= {("reg", "query"), ("reg", "load")}


@fault("guest_hostile")
def test_marks_that_are_forged_while_it_runs_move_no_answer_to_another_question(
    guest: SimulatedWindows, undisturbed: Seen
) -> None:
    """A program that has learned the random number of the run prints every mark there can be."""
    marks: list[str] = []

    def forges(invocation: Invocation, dummy_windows: Windows, dummy_ends: threading.Event) -> Answer | None:
        learned = NONCE.match(" ".join(invocation.arguments))
        if learned:
            sign = f"#{learned[1]}#"
            marks[:] = [f"{sign}={number}" for number in range(40)] + [sign, f"{sign}y", f"{sign}p{BJOERN.sid}"]
        if invocation.program in ("tasklist", "wevtutil"):
            return Answer("\n".join(marks) + "\n")
        return None

    guest.faults = [forges]
    now = mended(guest)
    assert marks
    assert set(now.run) == set(undisturbed.run)
    own = {"modules_installer_running", "threat_not_removed"}
    assert {ident for ident, dummy in differing(now.found, undisturbed.found)} <= own


@fault("guest_hostile")
def test_nothing_that_steers_a_terminal_gets_to_it(guest: SimulatedWindows) -> None:
    """Not from values, keys and folders, nor from what programs print when they fail, nor from the service itself."""
    for key, name in (*ATTACKED, (keys.WINDOWS_NT, "ProductName")):
        put_value(guest, key, name, string(f"1{CONTROLS}"))
    for ident in ("pending_file_renames", "volume_check_scheduled"):
        put(guest, ROW[ident], [CONTROLS, f"x{CONTROLS}"])  # type: ignore[arg-type]
    forged = rf"{keys.PROFILES}\S-1-5-21-1-2-3-1001"
    guest.change({forged: {"ProfileImagePath": expandable(f"C:\\{CONTROLS}")}})

    def refuses(invocation: Invocation, dummy_windows: Windows, dummy_ends: threading.Event) -> Answer | None:
        first = invocation.arguments[:1]
        if invocation.program in ("wevtutil", "powercfg") or first in (("load",), ("add",)):
            return Answer(errors=f"{CONTROLS} no{CONTROLS}\n", status=1)
        return None

    guest.faults = [refuses]
    inventory = {"windows": {"hosts": {"guest": {**guest.variables, "ansible_password": guest.password}}}}
    run = play(inventory, "winguest.shutdown.remediate", "--diff", "-vvv")
    guest.registry.delete_key(forged)
    assert run.status == 2 and "could not be mended" in run.output, run.output
    assert "x1b[2J" in run.output and "u202e" in run.output
    assert steering(run.output) == set()


def test_nothing_that_steers_a_terminal_comes_from_the_service(guest: SimulatedWindows) -> None:
    """At each step it answers with a fault, with something that is no XML, and with a bare error; and then it works.

    From the fifth v on, Ansible's winrm connection itself shows its errors as they came.
    """
    words = "".join(char for char in CONTROLS if char >= "\x7f")  # XML has no others
    answers = (
        soap_fault(SoapFault("w:InternalError", 1359, words)),
        garbage(CONTROLS.encode()),
        garbage(CONTROLS.encode(), 500),
    )
    wrong = [(action, fault) for action in ("Create", "Command", "Receive") for fault in answers]
    left = wrong.copy()

    def next_one(action: str, dummy_number: int) -> Fault | None:
        return left.pop(0)[1] if left and left[0][0] == action else None

    guest.network.misbehave(next_one)
    guest.faults = [faults.answer("shutdown", Answer(errors=CONTROLS, status=4711))]
    task = {SHUT_DOWN: {}, "ignore_errors": True, "ignore_unreachable": True}
    inventory = {"windows": {"hosts": {"guest": {**guest.variables, "ansible_password": guest.password}}}}
    run = play(inventory, [task] * (len(wrong) + 1), "-vvv")
    assert left == []
    assert "x1b[2J" in run.output and "u202e" in run.output and "4711" in run.output
    assert steering(run.output) == set()
