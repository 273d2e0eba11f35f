# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulated programs of a simulated Windows guest answer, without Wine."""

from __future__ import annotations

import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace

import pytest
from bed.windows import events, power, systems
from bed.windows.commands import Answer, Invocation, Process, event_query, faults, line, server, wevtutil
from bed.windows.commands.types import Fault
from bed.windows.events import Event
from bed.windows.registry import RegistryError
from bed.windows.situation import Request
from bed.windows.snapshot import Data, Snapshot, Value
from hypothesis import given
from hypothesis import strategies as st

AC, DC = "ACSettingIndex", "DCSettingIndex"


class Keys:
    """A registry in memory."""

    def __init__(self) -> None:
        self.keys = {key: dict(values) for key, values in systems.registry(systems.SERVER_2022).items()}

    def snapshot(self, *dummy_roots: str) -> Snapshot:
        return Snapshot(self.keys)

    def set(self, key: str, name: str, kind: str, data: Data) -> None:
        self.keys.setdefault(key, {})[name] = Value(kind, data)

    def load(self, key: str, file: str) -> None:
        if "none" in file:
            raise RegistryError(file, 2)
        self.keys[key] = {}

    def unload(self, key: str) -> None:
        if self.keys.pop(key, None) is None:
            raise RegistryError(key, 87)


class Windows:
    """A guest that notes what is asked of it."""

    def __init__(self) -> None:
        self.system = systems.SERVER_2022
        self.registry = Keys()
        self.events: list[tuple[float, Event]] = []
        self.processes: Sequence[Process] = (Process("TiWorker.exe", 12, memory_kib=1234567), Process("svchost.exe", 3))
        self.faults: Sequence[Fault] = ()
        self.requests: list[Request] = []
        self.error = 0
        self.activated = 0

    def request_shutdown(self, request: Request) -> int:
        self.requests.append(request)
        return self.error

    def abort_shutdown(self) -> int:
        return self.error

    def power_scheme_activated(self) -> None:
        self.activated += 1

    def run(self, text: str) -> Answer:
        invocation = line.parse(text)
        answer = server.PROGRAMS[invocation.program](invocation, self)  # type: ignore[arg-type]
        assert answer is not None
        return answer

    def index(self, scheme: str, setting: power.Setting, name: str) -> int | None:
        return self.registry.snapshot().number(power.scheme_key(scheme, setting), name)


@pytest.fixture
def windows() -> Windows:
    return Windows()


def asked(windows: Windows, text: str) -> Answer | None:
    """What the server answers, in which the faults come first."""
    return server.answer(line.parse(text), windows, threading.Event())  # type: ignore[arg-type]


class TestLine:
    @given(st.lists(st.text(st.characters(exclude_characters="\0\n\r", codec="utf-8"))))
    def test_what_python_quotes_comes_apart_again(self, arguments: list[str]) -> None:
        assert line.arguments(subprocess.list2cmdline(arguments)) == arguments

    @pytest.mark.parametrize(
        ("text", "arguments"),
        [
            ("", []),
            ('""', [""]),
            (r'a\\"b c"', [r"a\b c"]),
            (r"a\b\\c", [r"a\b\\c"]),
            ('"a ""b"" c"', ['a "b" c']),
            ("/q:\"*[System[Provider[@Name='x y']]]\"", ["/q:*[System[Provider[@Name='x y']]]"]),
            ('"open to the end', ["open to the end"]),
            (" \t a \t b ", ["a", "b"]),
        ],
    )
    def test_quotation_marks_and_backslashes(self, text: str, arguments: list[str]) -> None:
        assert line.arguments(text) == arguments

    @pytest.mark.parametrize("program", ["reg", "REG.EXE", r"C:\Windows\System32\Reg.exe", r'"C:\My tools\reg.exe"'])
    def test_the_program_has_a_short_name(self, program: str) -> None:
        assert line.parse(f"{program} query HKU") == Invocation("reg", ("query", "HKU"))


class TestPowercfg:
    def test_a_value_is_written_into_one_scheme_for_one_supply(self, windows: Windows) -> None:
        assert windows.run("powercfg /setacvalueindex SCHEME_MIN SUB_BUTTONS PBUTTONACTION 2") == Answer()
        assert windows.index(power.HIGH_PERFORMANCE, power.POWER_BUTTON, AC) == 2
        assert windows.index(power.HIGH_PERFORMANCE, power.POWER_BUTTON, DC) is None
        assert windows.index(power.BALANCED, power.POWER_BUTTON, AC) is None
        assert windows.activated == 0

    @pytest.mark.parametrize("setting", power.SETTINGS, ids=lambda setting: setting.alias)
    def test_every_setting_by_alias_and_by_guid(self, windows: Windows, setting: power.Setting) -> None:
        subgroup = {power.BUTTONS: "sub_buttons", power.SLEEPING: "SUB_SLEEP", power.VIDEO: "SUB_VIDEO"}
        alias = f"{subgroup[setting.subgroup]} {setting.alias.lower()} 0x10"
        assert windows.run(f"powercfg /setdcvalueindex scheme_current {alias}").status == 0
        assert windows.index(power.BALANCED, setting, DC) == 16
        guid = f"{setting.subgroup.upper()} {setting.guid.upper()} 7"
        assert windows.run(f"powercfg -SETDCVALUEINDEX {power.BALANCED.upper()} {guid}").status == 0
        assert windows.index(power.BALANCED, setting, DC) == 7

    @pytest.mark.parametrize(
        "arguments",
        [
            "/setacvalueindex SCHEME_NONE SUB_BUTTONS PBUTTONACTION 3",
            "/setacvalueindex 00000000-0000-0000-0000-000000000000 SUB_BUTTONS PBUTTONACTION 3",
            "/setacvalueindex SCHEME_CURRENT SUB_NONE PBUTTONACTION 3",
            "/setacvalueindex SCHEME_CURRENT SUB_SLEEP PBUTTONACTION 3",
            "/setacvalueindex SCHEME_CURRENT SUB_BUTTONS NONE 3",
            "/setacvalueindex SCHEME_CURRENT SUB_BUTTONS PBUTTONACTION",
            "/setacvalueindex SCHEME_CURRENT SUB_BUTTONS PBUTTONACTION three",
            "/setacvalueindex SCHEME_CURRENT SUB_BUTTONS PBUTTONACTION -1",
            "/setacvalueindex SCHEME_CURRENT SUB_BUTTONS PBUTTONACTION 4294967296",
            "/setactive",
            "/setactive SCHEME_NONE",
            "/getactivescheme now",
            "/list all",
            "/query SCHEME_NONE",
            "/query SCHEME_CURRENT SUB_NONE",
            "/change monitor-timeout 5",
            "/change monitor-timeout-ac",
            "/change disk-timeout-xx 5",
            "/hibernate maybe",
            "/none",
            "none",
            "",
        ],
    )
    def test_what_it_does_not_understand_changes_nothing(self, windows: Windows, arguments: str) -> None:
        before = windows.registry.snapshot()
        failed = windows.run(f"powercfg {arguments}")
        assert failed.status == 1
        assert failed.errors
        after = windows.registry.snapshot()
        assert after.keys() == before.keys()
        assert all(after.values(key) == before.values(key) for key in after.keys())  # noqa: SIM118
        assert windows.activated == 0

    def test_a_policy_refuses_the_supply_that_it_names(self, windows: Windows) -> None:
        windows.registry.set(power.policy_key(power.POWER_BUTTON).upper(), AC, "REG_DWORD", 0)
        refused = windows.run("powercfg /setacvalueindex SCHEME_MAX SUB_BUTTONS PBUTTONACTION 3")
        assert (refused.status, "(0x4ec)" in str(refused.errors)) == (1, True)
        assert windows.index(power.POWER_SAVER, power.POWER_BUTTON, AC) is None
        assert windows.run("powercfg /setdcvalueindex SCHEME_MAX SUB_BUTTONS PBUTTONACTION 3").status == 0

    def test_the_active_scheme(self, windows: Windows) -> None:
        assert windows.run("powercfg /setactive SCHEME_MIN") == Answer()
        assert windows.activated == 1
        assert windows.run("powercfg /setactive scheme_current") == Answer()
        assert windows.activated == 2
        assert windows.run("powercfg /getactivescheme").output == (
            f"Power Scheme GUID: {power.HIGH_PERFORMANCE}  (High performance)\n"
        )
        listed = str(windows.run("powercfg /l").output).splitlines()
        assert [text for text in listed if text.endswith("*")] == [
            f"Power Scheme GUID: {power.HIGH_PERFORMANCE}  (High performance) *"
        ]
        assert len(listed) == 6

    def test_a_policy_that_names_the_active_scheme(self, windows: Windows) -> None:
        windows.registry.set(power.POLICY_KEY, "ActivePowerScheme", "REG_SZ", power.POWER_SAVER)
        assert windows.run("powercfg /setactive SCHEME_MIN").status == 1
        assert windows.run("powercfg /setactive SCHEME_CURRENT").status == 0
        assert power.POWER_SAVER in str(windows.run("powercfg /getactivescheme").output)

    def test_a_scheme_without_a_name(self, windows: Windows) -> None:
        own = "11111111-2222-3333-4444-555555555555"
        windows.registry.keys[rf"{power.SCHEMES_KEY}\{own}"] = {}
        windows.registry.set(power.scheme_key(own, power.VIDEO_IDLE), AC, "REG_DWORD", 77)
        assert windows.run(f"powercfg /setactive {own}").status == 0
        assert "0x0000004d" in str(windows.run("powercfg /q").output)

    @pytest.mark.parametrize(("option", "hidden"), [("/q", False), ("/query", False), ("/qh", True)])
    def test_a_query_shows_the_values_in_hex(self, windows: Windows, option: str, hidden: bool) -> None:
        windows.run("powercfg /setdcvalueindex SCHEME_MAX SUB_BUTTONS SBUTTONACTION 3")
        shown = str(windows.run(f"powercfg {option} SCHEME_MAX SUB_BUTTONS").output)
        assert ("PBUTTONACTION" in shown) is hidden
        assert shown.endswith(
            "      GUID Alias: SBUTTONACTION\n"
            "    Current AC Power Setting Index: 0x00000001\n"
            "    Current DC Power Setting Index: 0x00000003\n\n"
        )
        assert "VIDEOIDLE" not in shown
        one = str(windows.run(f"powercfg {option} SCHEME_MAX SUB_VIDEO VIDEOIDLE").output)
        assert one.count("0x00000258") == 2

    def test_change_takes_minutes_and_activates(self, windows: Windows) -> None:
        assert windows.run("powercfg /change monitor-timeout-ac 3") == Answer()
        assert windows.run("powercfg /x -standby-timeout-dc 0") == Answer()
        assert windows.index(power.BALANCED, power.VIDEO_IDLE, AC) == 180
        assert windows.index(power.BALANCED, power.STANDBY_IDLE, DC) == 0
        assert windows.activated == 2

    @pytest.mark.parametrize(("words", "number"), [("/hibernate off", 0), ("/h on", 1), ("-h", 1)])
    def test_hibernate(self, windows: Windows, words: str, number: int) -> None:
        assert windows.run(f"powercfg {words}") == Answer()
        assert windows.registry.snapshot().number(power.POWER, "HibernateEnabled") == number

    def test_aliases(self, windows: Windows) -> None:
        assert f"{power.POWER_BUTTON.guid}  PBUTTONACTION\n" in str(windows.run("powercfg /aliases").output)


class TestShutdown:
    @pytest.mark.parametrize(
        ("arguments", "request_"),
        [
            ("/s", Request(forced=True, seconds=30)),
            ("/s /t 0", Request()),
            ("/s /t 1", Request(forced=True, seconds=1)),
            ("/s /f /t 0", Request(forced=True)),
            ("-R -T 0", Request(restart=True)),
            ("/r /t 315360000", Request(forced=True, seconds=315360000, restart=True)),
            ("/s /hybrid /t 0", Request(hybrid=True)),
            ("/p", Request()),
            ("/p /f", Request(forced=True)),
            ('/s /f /t 5 /d p:0:0 /c "bye & bye"', Request(forced=True, seconds=5, comment="bye & bye")),
            (f"/s /t 0 /d u:255:65535 /c {'x' * 512}", Request(comment="x" * 512)),
        ],
    )
    def test_requests(self, windows: Windows, arguments: str, request_: Request) -> None:
        assert windows.run(f"shutdown {arguments}") == Answer()
        assert windows.requests == [request_]

    @pytest.mark.parametrize(
        "arguments",
        [
            "",
            "/f",
            "/s /r",
            "/s /a",
            "/a /f",
            "/s /t",
            "/s /t -1",
            "/s /t 315360001",
            "/s /t ten",
            "/s /d x",
            "/s /d p:256:0",
            "/s /d p:0:65536",
            f"/s /c {'x' * 513}",
            "/p /t 5",
            "/r /hybrid",
            "/s /s",
            "/s /x",
            "s",
        ],
    )
    def test_what_it_does_not_understand_asks_for_nothing(self, windows: Windows, arguments: str) -> None:
        refused = windows.run(f"shutdown {arguments}")
        assert refused.status == 1
        assert str(refused.output).startswith("Usage:")
        assert windows.requests == []

    @pytest.mark.parametrize("error", [5, 21, 1115, 1116, 1190, 1234])
    @pytest.mark.parametrize("arguments", ["/s /t 5", "/a"])
    def test_an_error_is_the_status(self, windows: Windows, arguments: str, error: int) -> None:
        windows.error = error
        refused = windows.run(f"shutdown {arguments}")
        assert refused.status == error
        assert str(refused.errors).endswith(f"({error})\n")


class TestTasklist:
    def test_a_name_is_found_whatever_its_case(self, windows: Windows) -> None:
        found = windows.run('tasklist /fo csv /nh /fi "imagename eq tiworker.EXE"')
        assert found == Answer('"TiWorker.exe","12","Services","0","1,234,567 K"\n')

    def test_no_such_process_is_no_error(self, windows: Windows) -> None:
        found = windows.run('tasklist /FO CSV /NH /FI "IMAGENAME eq none.exe"')
        assert found == Answer("INFO: No tasks are running which match the specified criteria.\n")

    def test_all_with_a_header(self, windows: Windows) -> None:
        lines = str(windows.run("tasklist /fo csv").output).splitlines()
        assert lines[0] == '"Image Name","PID","Session Name","Session#","Mem Usage"'
        assert len(lines) == 3

    @pytest.mark.parametrize(
        ("condition", "count"),
        [("imagename ne svchost.exe", 1), ("imagename eq *", 2), ("imagename eq ti*", 1), ("pid eq 3", 1)],
    )
    def test_filters(self, windows: Windows, condition: str, count: int) -> None:
        assert str(windows.run(f'tasklist /fo csv /nh /fi "{condition}"').output).count("\n") == count

    @pytest.mark.parametrize(
        "arguments", ["", "/fo list", "/fo", "/fo csv /fi", '/fo csv /fi "status eq x"', "/fo csv /x", "csv"]
    )
    def test_what_it_does_not_understand(self, windows: Windows, arguments: str) -> None:
        assert windows.run(f"tasklist {arguments}").status == 1


class TestWevtutil:
    @pytest.fixture(autouse=True)
    def logged(self, windows: Windows) -> None:
        now = time.time()
        windows.events = [
            (now - 7200, Event("System", "A", 1)),
            (now - 60, Event("System", "A & 'B'", 2, (("p<1>", "x > y & \"z\" 'w'"),))),
            (now - 30, events.application_vetoed("edit.exe")),
            (now - 10, Event("System", "A", 3)),
        ]

    def ids(self, windows: Windows, arguments: str) -> list[str | None]:
        answer = windows.run(f"wevtutil qe {arguments}")
        assert answer.status == 0
        parsed = [ET.fromstring(text) for text in str(answer.output).splitlines()]
        return [event.findtext(f"{{*}}System/{{{wevtutil.NAMESPACE}}}EventID") for event in parsed]

    @pytest.mark.parametrize(
        ("arguments", "ids"),
        [
            ("System", ["1", "2", "3"]),
            ("system /f:xml", ["1", "2", "3"]),
            ("Application", ["10001"]),
            ("Security", []),
            ("System /rd:true", ["3", "2", "1"]),
            ("System /c:2", ["1", "2"]),
            ("System /count:2 /reversedirection:TRUE", ["3", "2"]),
            ('System /q:"*"', ["1", "2", "3"]),
            ('System /q:"*[System[EventID=2]]"', ["2"]),
            ('System /q:"*[System[(EventID = 2 or EventID=3)]]"', ["2", "3"]),
            ("System /q:\"*[System[Provider[@Name='A'] and (EventID=1 or EventID=2)]]\"", ["1"]),
            ('System /q:"*[System[TimeCreated[timediff(@SystemTime) <= 3600000]]]"', ["2", "3"]),
            ('System /q:"*[System[TimeCreated[timediff(@SystemTime) > 3600000]]]"', ["1"]),
            ('System /q:"*[System[EventID=1 and EventID=2 or EventID=3]]"', ["3"]),
            ('System /q:"*[System[EventID!=2]] "', ["1", "3"]),
            ('System /q:"*[System[EventID=1] or System[EventID>2]]"', ["1", "3"]),
            ('System /q:"*[System[EventRecordID>=2]]"', ["2", "3"]),
            ("System /q:\"*[System[Provider[@Name='A' or @Name='C']]]\" /c:1 /rd:true", ["3"]),
        ],
    )
    def test_queries(self, windows: Windows, arguments: str, ids: list[str]) -> None:
        assert self.ids(windows, arguments) == ids

    def test_an_event_has_what_was_logged(self, windows: Windows) -> None:
        output = str(windows.run('wevtutil qe System /q:"*[System[EventID=2]]"').output)
        event = ET.fromstring(output)
        namespace = {"e": wevtutil.NAMESPACE}
        provider = event.find("e:System/e:Provider", namespace)
        data = event.find("e:EventData/e:Data", namespace)
        assert provider is not None
        assert data is not None
        assert provider.get("Name") == "A & 'B'"
        assert (data.get("Name"), data.text) == ("p<1>", "x > y & \"z\" 'w'")
        assert event.findtext("e:System/e:Channel", namespaces=namespace) == "System"
        assert output.startswith(f"<Event xmlns='{wevtutil.NAMESPACE}'>")

    def test_a_root_element_if_it_is_asked_for(self, windows: Windows) -> None:
        output = str(windows.run("wevtutil qe System /e:all").output)
        assert len(ET.fromstring(output)) == 3

    @pytest.mark.parametrize(
        ("arguments", "status"),
        [
            ("qe None", 15007),
            ('qe None /q:"nonsense"', 15007),
            *(
                (f'qe System /q:"{query}"', 15001)
                for query in (
                    "",
                    "System",
                    "*[",
                    "*[System]",
                    "*[System[EventID=1]",
                    "*[System[EventID=1]]]",
                    "*[System[EventID]]",
                    "*[System[None=1]]",
                    "*[EventData[Data='x']]",
                    "*[System[TimeCreated[timediff(@SystemTime) &lt;= 1]]]",
                    "*[System[TimeCreated[timediff(@SystemTime) = x]]]",
                    "*[System[Provider[Name='A']]]",
                    "*[System[EventID<x]]",
                    "*[System[Provider[@Name<'A']]]",
                )
            ),
            ("", 87),
            ("qe", 87),
            ("el", 87),
            ("qe System /f:text", 87),
            ("qe System /c:x", 87),
            ("qe System /none:1", 87),
            ("qe System xml", 87),
        ],
    )
    def test_errors(self, windows: Windows, arguments: str, status: int) -> None:
        answer = windows.run(f"wevtutil {arguments}")
        assert (answer.status, answer.output) == (status, "")
        assert answer.errors

    @given(st.text("*[]()@=<>'& 10orandSystemEventIDProvider"))
    def test_any_text_is_a_query_or_an_error(self, text: str) -> None:
        try:
            event_query.select([event_query.Logged(0.0, Event("System", "A", 1), 1)], text)
        except event_query.QueryError:
            pass


class TestReg:
    def test_all_but_hives_is_left_to_wine(self, windows: Windows) -> None:
        for text in ("reg query HKU", "reg", "reg add HKLM\\X /f", "reg /?"):
            invocation = line.parse(text)
            assert server.PROGRAMS["reg"](invocation, windows) is None  # type: ignore[arg-type]

    def test_hives(self, windows: Windows) -> None:
        assert windows.run("reg load HKU\\x C:\\it.dat").status == 0
        assert windows.run("REG UNLOAD HKEY_USERS\\x") == Answer("The operation completed successfully.\n")
        assert windows.run("reg unload HKU\\x").errors == "ERROR: The parameter is incorrect.\n"
        assert windows.run("reg load HKU\\x C:\\none.dat").status == 1

    def test_german(self, windows: Windows) -> None:
        windows.system = replace(windows.system, language="de-DE")
        assert windows.run("reg unload HKU\\x").errors == "FEHLER: Falscher Parameter.\n"


class TestFaults:
    def test_the_first_that_answers_counts(self, windows: Windows) -> None:
        windows.faults = [
            faults.slow("reg", 0),
            faults.answer("powercfg", Answer("x")),
            faults.answer("reg", Answer("1")),
            faults.answer("reg", Answer("2")),
        ]
        assert asked(windows, "reg query HKU") == Answer("1")
        assert asked(windows, "powercfg /list") == Answer("x")
        assert asked(windows, "tasklist /x") == windows.run("tasklist /x")

    @pytest.mark.parametrize(
        ("text", "refused"),
        [
            ("reg add HKLM\\A\\B /f", True),
            ("reg add hkey_local_machine\\a\\b\\ /f", True),
            ("reg delete HKLM\\A\\B\\C /f", True),
            ("reg add HKLM\\A\\BC /f", False),
            ("reg add HKLM\\A /f", False),
            ("reg query HKLM\\A\\B", False),
            ("reg", False),
            ("reg load HKLM\\A C:\\it.dat", False),
        ],
    )
    def test_keys_that_may_not_be_changed(self, windows: Windows, text: str, refused: bool) -> None:
        windows.faults = [faults.refuse_writes("HKLM\\A\\B")]
        answer = asked(windows, text)
        assert (answer == Answer(errors="ERROR: Access is denied.\n", status=1)) is refused

    def test_hives_that_may_not_be_loaded(self, windows: Windows) -> None:
        windows.faults = [faults.refuse_load()]
        answer = asked(windows, "reg load HKU\\x C:\\it.dat")
        assert answer == Answer(errors="ERROR: A required privilege is not held by the client.\n", status=1)
        assert asked(windows, "reg query HKU") is None

    def test_a_slow_program_ends_with_its_guest(self) -> None:
        ends = threading.Event()
        ends.set()
        windows = Windows()
        fault = faults.slow("reg", 600)
        assert fault(Invocation("reg", ()), windows, ends) is None  # type: ignore[arg-type]


class TestServer:
    def test_a_program_that_it_does_not_know(self, windows: Windows) -> None:
        answer = asked(windows, "none.exe")
        assert answer is not None
        assert answer.status == server.BROKEN

    @pytest.mark.parametrize(("text", "data"), [("a\nä\n", "a\r\nä\r\n".encode()), (b"a\n\0", b"a\n\0")])
    def test_text_has_the_line_ends_of_windows(self, text: str | bytes, data: bytes) -> None:
        assert server.encode(text) == data
