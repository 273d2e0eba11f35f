# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Wine of a simulated Windows guest: commands, registry, hives, the programs that Wine lacks, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import checkout
import pytest
from bed.windows import events, power, systems
from bed.windows.commands import Answer, CommandServer, Process, faults
from bed.windows.commands.types import Fault
from bed.windows.events import Event
from bed.windows.registry import Registry, RegistryError
from bed.windows.situation import Request
from bed.windows.snapshot import Data, Value
from bed.windows.systems import Language
from bed.windows.wine import WinePrefix, WineProcess

pytestmark = pytest.mark.xdist_group("wine")  # so that they share the guests of this module

KEY = "HKLM\\SOFTWARE\\Größe ☃"
HIVE = "C:\\Users\\Björn Åkesson\\NTUSER.DAT"


class Ended(NamedTuple):
    """A command that has ended."""

    status: int | None
    output: str
    errors: str


class Windows:
    """A guest as the programs see it, without a machine; `shutdown_error` is what a request for a shutdown gets."""

    def __init__(self, wine: WinePrefix, language: Language) -> None:
        self.wine = wine
        self.registry: Registry = wine.registry
        self.system = replace(systems.SERVER_2022, language=language)
        self.events: list[tuple[float, Event]] = [(time.time() - 60, events.shutdown_failed("SYSTEM"))]
        self.processes: Sequence[Process] = (Process("TiWorker.exe", 4711),)
        self.faults: Sequence[Fault] = ()
        self.requests: list[Request] = []
        self.shutdown_error = 0

    def request_shutdown(self, request: Request) -> int:
        self.requests.append(request)
        return self.shutdown_error

    def abort_shutdown(self) -> int:
        return 1116

    def power_scheme_activated(self) -> None:
        pass

    def run(self, line: str, stdin: bytes = b"") -> Ended:
        with self.wine.start(line) as process:
            output, errors = process.communicate(stdin, timeout=60)
        return Ended(process.returncode, output.decode(), errors.decode())


def guest(directory: Path, language: Language) -> Iterator[Windows]:
    with WinePrefix(directory, language) as wine:
        windows = Windows(wine, language)
        for key, values in systems.registry(windows.system).items():
            wine.registry.create(key)
            for name, value in values.items():
                wine.registry.set(key, name, *value)
        with CommandServer(windows) as server:
            wine.variables.update(server.variables)
            yield windows


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    yield from guest(tmp_path_factory.mktemp("english") / "guest", "en-US")


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    yield from guest(tmp_path_factory.mktemp("german") / "guest", "de-DE")


@pytest.fixture
def windows(english: Windows) -> Iterator[Windows]:
    yield english
    english.faults, english.shutdown_error = (), 0
    english.requests.clear()
    for key in (KEY, power.POLICY_KEY):
        english.registry.delete_key(key)


def processes_of(directory: Path) -> list[str]:
    """The command lines of the processes that run in the Wine in this folder."""
    mark = os.fsencode(directory / "prefix")
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"WINEPREFIX=")[-1]:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            pass  # it has ended
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def waiting(wine: WinePrefix) -> WineProcess:
    """A command that has started two others, of which the last waits for its input."""
    process = wine.start("cmd.exe /c cmd.exe /c echo started&pause")
    assert process.stdout and process.stdout.readline() == b"started\r\n"
    return process


def wait_and_close(process: WineProcess) -> None:
    with process:
        process.wait(60)


class TestCommands:
    def test_output_errors_and_status_come_apart(self, windows: Windows) -> None:
        assert windows.run("echo out&echo err 1>&2&exit 3") == Ended(3, "out\r\n", "err \r\n")

    @pytest.mark.parametrize("status", [0, 1, 255, 256, 1190, 0xFFFFFFFF])
    def test_all_32_bits_of_the_status_come_through(self, windows: Windows, status: int) -> None:
        assert windows.run(f"exit {status - (1 << 32) if status >> 31 else status}").status == status

    def test_an_unknown_program_is_an_error(self, windows: Windows) -> None:
        ended = windows.run("no-such-program")
        assert ended.status == 9009
        assert "no-such-program" in ended.errors

    def test_input_is_read(self, windows: Windows) -> None:
        assert windows.run("set /p it=&call echo %^it%", stdin="Größe ☃\r\n".encode()).output == "Größe ☃\r\n"

    def test_a_line_as_long_as_windows_takes_it(self, windows: Windows) -> None:
        text = "x" * (8191 - len("cmd.exe /c echo "))
        assert windows.run(f"echo {text}").output == f"{text}\r\n"

    def test_it_runs_in_the_folder_of_the_user(self, windows: Windows) -> None:
        assert windows.run("cd").output.lower() == "c:\\users\\administrator\r\n"
        assert windows.run('echo Größe ☃>"%TEMP%\\it.txt"').status == 0
        assert windows.run('type "%TEMP%\\it.txt"&del "%TEMP%\\it.txt"').output.strip() == "Größe ☃"

    def test_nothing_of_this_process_gets_in(self, windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WINGUEST_SECRET", "it")
        assert "SECRET" not in windows.run("set").output

    def test_text_of_all_languages_comes_through(self, windows: Windows) -> None:
        assert windows.run("echo Größe ☃ 日本").output == "Größe ☃ 日本\r\n"
        added = windows.run(f'reg add "{KEY}" /v "日 本" /d "ä ☃ ?" /f')
        assert added.status == 0
        assert "    日 本    REG_SZ    ä ☃ ?\r\n" in windows.run(f'reg query "{KEY}"').output
        loop = f'for /f "tokens=1,2,3,*" %a in (\'reg query "{KEY}"\') do @echo %a+%b+%c+%d'
        assert "日+本+REG_SZ+ä ☃ ?" in windows.run(loop).output
        assert windows.registry.snapshot(KEY).text(KEY, "日 本") == "ä ☃ ?"

    @pytest.mark.parametrize("end", [WineProcess.terminate, WineProcess.kill])
    def test_ending_a_command_ends_all_that_it_has_started(
        self, windows: Windows, end: Callable[[WineProcess], None]
    ) -> None:
        process = waiting(windows.wine)
        assert any("cmd.exe" in line for line in processes_of(windows.wine.directory))
        end(process)
        wait_and_close(process)
        wait_until(lambda: not any("cmd.exe" in line for line in processes_of(windows.wine.directory)))
        assert windows.run("echo still").output == "still\r\n"

    def test_what_a_command_leaves_running_ends_with_it(self, windows: Windows) -> None:
        assert windows.run("start /b cmd.exe /c pause").status == 0
        wait_until(lambda: not any("cmd.exe" in line for line in processes_of(windows.wine.directory)))


class TestEnd:
    def test_two_guests_see_nothing_of_each_other(self, windows: Windows, german: Windows) -> None:
        windows.registry.set(KEY, "it", "REG_DWORD", 1)
        windows.wine.path("C:\\it.txt").write_text("it")
        assert german.run(f'reg query "{KEY}"').status == 1
        assert german.run("type C:\\it.txt").status == 1
        assert windows.run("type C:\\it.txt&del C:\\it.txt").output == "it"

    def test_nothing_is_left_of_a_guest(self, tmp_path: Path) -> None:
        directory = tmp_path / "guest"
        with pytest.raises(RuntimeError, match="as planned"), WinePrefix(directory) as wine:
            process = waiting(wine)
            assert processes_of(directory)
            raise RuntimeError("as planned")
        assert process.returncode is not None
        wait_and_close(process)
        assert processes_of(directory) == []
        assert list(tmp_path.iterdir()) == []

    def test_a_guest_ends_with_the_process_that_owns_it(self, tmp_path: Path) -> None:
        directory = tmp_path / "guest"
        program = (
            "import pathlib, sys, time\n"
            "from bed.windows.wine import WinePrefix\n"
            "with WinePrefix(pathlib.Path(sys.argv[1])) as wine:\n"
            "    process = wine.start('cmd.exe /c echo started&pause')\n"
            "    process.stdout.readline()\n"
            "    print('started', flush=True)\n"
            "    time.sleep(600)\n"
        )
        owner = subprocess.Popen(
            [sys.executable, "-c", program, str(directory)],
            env={**os.environ, "PYTHONPATH": str(checkout.ROOT / "tests")},
            stdout=subprocess.PIPE,
        )
        with owner:
            assert owner.stdout and owner.stdout.readline() == b"started\n"
            assert any("cmd.exe" in line for line in processes_of(directory))
            owner.kill()
        wait_until(lambda: not processes_of(directory))

    def test_an_unknown_language_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match="fr-FR"):
            WinePrefix(tmp_path / "guest", "fr-FR")

    def test_a_guest_that_has_ended_runs_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match="does not run"):
            WinePrefix(tmp_path / "guest").start("ver")


class TestRegistry:
    VALUES: Sequence[tuple[str, str, Data]] = (
        ("", "REG_SZ", "default"),
        ("Größe ☃", "REG_SZ", "dä\ntä ☃"),
        ("empty", "REG_SZ", ""),
        ("path", "REG_EXPAND_SZ", "%TEMP%"),
        ("dword", "REG_DWORD", 0xFFFFFFFF),
        ("qword", "REG_QWORD", 1 << 63),
        ("lines", "REG_MULTI_SZ", ["one", "zwei ☃"]),
        ("no lines", "REG_MULTI_SZ", []),
        ("bytes", "REG_BINARY", bytes(range(256)) * 100),
        ("none", "REG_NONE", b""),
        ("back\\slash", "REG_SZ", "it"),
    )

    def test_what_is_set_is_there(self, windows: Windows) -> None:
        for name, kind, data in self.VALUES:
            windows.registry.set(KEY, name, kind, data)
        assert windows.registry.snapshot(KEY).values(KEY) == {
            name: Value(kind, data) for name, kind, data in self.VALUES
        }

    def test_reg_exe_sees_and_changes_the_same(self, windows: Windows) -> None:
        windows.registry.set(f"{KEY}\\below", "lines", "REG_MULTI_SZ", ["one", "two"])
        assert "    lines    REG_MULTI_SZ    one\\0two\r\n" in windows.run(f'reg query "{KEY}" /s /v lines').output
        assert windows.run(f'reg add "{KEY}\\below" /v n /t REG_DWORD /d 7 /f /reg:64').status == 0
        assert windows.run(f'reg delete "{KEY}\\below" /v lines /f').status == 0
        assert windows.registry.snapshot(KEY).values(f"{KEY}\\below") == {"n": Value("REG_DWORD", 7)}

    def test_values_and_keys_are_deleted_and_may_be_absent(self, windows: Windows) -> None:
        windows.registry.set(f"{KEY}\\a\\b", "it", "REG_DWORD", 1)
        windows.registry.delete(f"{KEY}\\a\\b", "it")
        windows.registry.delete(f"{KEY}\\a\\b", "it")
        windows.registry.delete(f"{KEY}\\none", "it")
        assert windows.registry.snapshot(KEY).keys()[-1] == f"{KEY}\\a\\b"
        assert windows.registry.snapshot(KEY).values(f"{KEY}\\a\\b") == {}
        windows.registry.delete_key(f"{KEY}\\a")
        windows.registry.delete_key(f"{KEY}\\a")
        assert windows.registry.snapshot(KEY).subkeys(KEY) == []

    def test_several_keys_in_one_snapshot(self, windows: Windows) -> None:
        snapshot = windows.registry.snapshot(power.SCHEMES_KEY, systems.SETUP, f"{KEY}\\none")
        assert snapshot.number(systems.SETUP, "SetupType") == 0
        assert snapshot.text(power.SCHEMES_KEY, "ActivePowerScheme") == power.BALANCED
        assert not snapshot.exists(KEY)
        assert not snapshot.exists(systems.SYSTEM_POLICIES)
        assert windows.registry.snapshot().exists(systems.SYSTEM_POLICIES)

    def test_what_cannot_be_is_refused(self, windows: Windows) -> None:
        with pytest.raises(ValueError, match="REG_DWORT"):
            windows.registry.set(KEY, "it", "REG_DWORT", 1)
        with pytest.raises(ValueError, match="REG_DWORD"):
            windows.registry.set(KEY, "it", "REG_DWORD", "1")
        with pytest.raises(ValueError, match="root"):
            windows.registry.delete_key("HKLM\\")
        with pytest.raises(RegistryError):
            windows.registry.snapshot("HKXX\\SOFTWARE")


class TestHives:
    @pytest.fixture(autouse=True)
    def hive(self, windows: Windows) -> Iterator[None]:
        windows.wine.path(HIVE).parent.mkdir(exist_ok=True)
        windows.registry.set("HKU\\made\\Control Panel\\Größe ☃", "it", "REG_SZ", "old")
        windows.registry.save("HKU\\made", HIVE)
        windows.registry.delete_key("HKU\\made")
        yield
        for key in ("HKU\\one", "HKU\\two"):
            if windows.registry.snapshot(key).exists(key):
                windows.registry.unload(key)

    def test_what_is_changed_in_a_loaded_hive_is_in_its_file(self, windows: Windows) -> None:
        key = "HKU\\one\\Control Panel\\Größe ☃"
        assert windows.run(f'reg load HKU\\one "{HIVE}"').status == 0
        assert "old" in windows.run(f'reg query "{key}"').output
        assert windows.run(f'reg add "{key}" /v it /d "neu ☃" /f').status == 0
        unloaded = windows.run("reg unload HKEY_USERS\\one")
        assert unloaded == Ended(0, "The operation completed successfully.\r\n", "")
        assert not windows.registry.snapshot("HKU").exists("HKU\\one")
        windows.registry.load("HKU\\two", HIVE)
        assert windows.registry.snapshot("HKU\\two").text("HKU\\two\\Control Panel\\Größe ☃", "it") == "neu ☃"
        assert [path.name for path in windows.wine.path(HIVE).parent.iterdir()] == ["NTUSER.DAT"]

    def test_a_command_that_is_cut_off_leaves_the_hive_loaded(self, windows: Windows) -> None:
        process = windows.wine.start(f'reg load HKU\\one "{HIVE}"&echo started&pause')
        assert process.stdout
        while process.stdout.readline() != b"started\r\n":
            pass
        process.kill()
        wait_and_close(process)
        assert windows.registry.snapshot("HKU").exists("HKU\\one")
        assert windows.run("reg unload HKU\\one").status == 0

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            (f'reg load HKU\\two "{HIVE}"', "used by another process"),
            ("reg load HKU\\two C:\\none.dat", "cannot find the file"),
            ("reg load HKU\\.DEFAULT C:\\none.dat", "Access is denied"),
            ("reg unload HKU\\.DEFAULT", "parameter is incorrect"),
            ("reg unload HKU\\none", "parameter is incorrect"),
            ("reg load HKU\\two", "Invalid syntax"),
            ("reg load HKCU\\two C:\\none.dat", "Invalid syntax"),
            ("reg load HKU\\two\\below C:\\none.dat", "Invalid syntax"),
        ],
    )
    def test_errors(self, windows: Windows, line: str, error: str) -> None:
        windows.registry.load("HKU\\one", HIVE)
        ended = windows.run(line)
        assert ended.status == 1
        assert ended.errors.startswith("ERROR: ")
        assert error in ended.errors
        keys = windows.registry.snapshot("HKU").subkeys("HKU")
        assert "one" in keys
        assert "two" not in keys

    def test_a_file_that_is_no_hive_is_not_loaded(self, windows: Windows) -> None:
        windows.wine.path(HIVE).write_bytes(b"regf" + bytes(4096))
        assert windows.run(f'reg load HKU\\one "{HIVE}"').status == 1
        assert not windows.registry.snapshot("HKU").exists("HKU\\one")


class TestPrograms:
    def test_powercfg_works_on_the_registry(self, windows: Windows) -> None:
        for supply in ("ac", "dc"):
            line = f"powercfg.exe /set{supply}valueindex SCHEME_MIN SUB_BUTTONS PBUTTONACTION 0x2"
            assert windows.run(line) == Ended(0, "", "")
        key = power.scheme_key(power.HIGH_PERFORMANCE, power.POWER_BUTTON)
        assert "    ACSettingIndex    REG_DWORD    0x2\r\n" in windows.run(f"reg query {key}").output
        assert windows.registry.snapshot(key).number(key, "DCSettingIndex") == 2

    def test_a_policy_makes_powercfg_fail(self, windows: Windows) -> None:
        policy = power.policy_key(power.POWER_BUTTON)
        assert windows.run(f"reg add {policy} /v ACSettingIndex /t REG_DWORD /d 0 /f").status == 0
        refused = windows.run("powercfg /setacvalueindex SCHEME_CURRENT SUB_BUTTONS PBUTTONACTION 3")
        assert refused.status == 1
        assert "0x4ec" in refused.errors

    def test_shutdown_ends_with_the_number_of_the_error(self, windows: Windows) -> None:
        line = 'shutdown.exe /s /f /t 5 /d p:0:0 /c "Größe ☃"'
        assert windows.run(line) == Ended(0, "", "")
        assert windows.requests == [Request(forced=True, seconds=5, comment="Größe ☃")]
        windows.shutdown_error = 1190
        refused = windows.run(line)
        assert refused == Ended(1190, "", "A system shutdown has already been scheduled.(1190)\r\n")
        assert windows.run("shutdown /a").status == 1116
        assert windows.run("shutdown /s /t 5&if errorlevel 1190 echo late").output == "late\r\n"

    def test_wevtutil_takes_its_query_out_of_quotation_marks(self, windows: Windows) -> None:
        query = (
            "*[System[Provider[@Name='User32'] and (EventID=1073 or EventID=2) and "
            "TimeCreated[timediff(@SystemTime) <= 86400000]]]"
        )
        found = windows.run(f'wevtutil qe System /q:"{query}" /f:xml /c:9 /rd:true')
        assert found.status == 0
        assert found.output.count("<EventID>1073</EventID>") == 1
        assert windows.run("wevtutil qe None").status == 15007

    def test_tasklist(self, windows: Windows) -> None:
        ask = 'tasklist /fo csv /nh /fi "imagename eq {}"'.format
        assert windows.run(ask("tiworker.exe")).output == '"TiWorker.exe","4711","Services","0","8,192 K"\r\n'
        assert windows.run(ask("none.exe")).status == 0

    def test_they_are_programs_for_any_loop(self, windows: Windows) -> None:
        line = "for /f \"tokens=2 delims=:\" %a in ('powercfg /getactivescheme') do @echo %a"
        assert power.BALANCED in windows.run(line).output

    def test_the_whole_path_is_the_same_program(self, windows: Windows) -> None:
        assert power.BALANCED in windows.run("%SystemRoot%\\system32\\powercfg.exe -getactivescheme").output
        assert windows.run("%windir%\\System32\\reg.exe unload HKU\\none").status == 1

    def test_a_stranger_gets_no_answer(self, windows: Windows) -> None:
        address, port, dummy_word = windows.wine.variables["WINGUEST_COMMANDS"].split(":")
        line = f"set WINGUEST_COMMANDS={address}:{port}:none&powercfg /list"
        ended = windows.run(line)
        assert ended.output == ""
        assert ended.status != 0


class TestLanguages:
    LINES = (
        "reg query HKLM\\SOFTWARE\\none",
        "reg query HKLM\\SOFTWARE /v none",
        "reg load HKU\\one C:\\none.dat",
        "reg unload HKU\\none",
        "powercfg /setactive none",
        "powercfg /getactivescheme",
        'tasklist /fo csv /nh /fi "imagename eq none.exe"',
        "shutdown /a",
        "shutdown /x",
        "wevtutil qe None",
        "none",
    )

    @pytest.mark.parametrize("line", LINES)
    def test_the_text_is_another_and_the_status_is_not(self, windows: Windows, german: Windows, line: str) -> None:
        english, deutsch = windows.run(line), german.run(line)
        assert english.output + english.errors != deutsch.output + deutsch.errors
        assert english.status == deutsch.status

    def test_what_is_no_text_is_the_same(self, windows: Windows, german: Windows) -> None:
        windows.registry.set(KEY, "it", "REG_DWORD", 1)
        german.registry.set(KEY, "it", "REG_DWORD", 1)
        line = f'reg query "{KEY}" /v it'
        assert windows.run(line) == german.run(line)


class TestFaults:
    def test_a_key_that_may_not_be_changed(self, windows: Windows) -> None:
        windows.registry.set(f"{KEY}\\below", "it", "REG_DWORD", 1)
        windows.faults = [faults.refuse_writes(KEY)]
        long = KEY.replace("HKLM", "HKEY_LOCAL_MACHINE").upper()
        for line in (f'reg add "{long}\\Below" /v it /t REG_DWORD /d 2 /f', f'reg delete "{KEY}" /f'):
            assert windows.run(line) == Ended(1, "", "ERROR: Access is denied.\r\n")
        assert windows.run(f'reg query "{KEY}\\below"').status == 0
        assert windows.run(f'reg add "{KEY} 2" /f').status == 0
        windows.registry.delete_key(f"{KEY} 2")
        assert windows.registry.snapshot(KEY).number(f"{KEY}\\below", "it") == 1

    def test_a_key_that_may_not_be_read(self, windows: Windows) -> None:
        windows.registry.create(KEY)
        windows.faults = [faults.refuse_all(KEY)]
        assert windows.run(f'reg query "{KEY}"') == Ended(1, "", "ERROR: Access is denied.\r\n")

    def test_hives_that_may_not_be_loaded(self, windows: Windows) -> None:
        windows.faults = [faults.refuse_load()]
        assert "privilege" in windows.run("reg load HKU\\one C:\\none.dat").errors

    def test_a_flood_of_output(self, windows: Windows) -> None:
        flood = b"\0\x1b[2J" + b"x" * 3_000_000
        windows.faults = [faults.answer("wevtutil", Answer(flood, 7))]
        with windows.wine.start("wevtutil qe System") as process:
            assert process.communicate(timeout=60) == (flood, b"")
        assert process.returncode == 7

    def test_a_slow_program_is_waited_for_and_can_be_killed(self, windows: Windows) -> None:
        windows.faults = [faults.slow("powercfg", 0.2)]
        began = time.monotonic()
        assert windows.run("powercfg /getactivescheme").status == 0
        assert time.monotonic() - began >= 0.2
        windows.faults = [faults.slow("reg", 600)]
        process = windows.wine.start("reg query HKU")
        wait_until(lambda: any("reg" in line for line in processes_of(windows.wine.directory)))
        process.kill()
        wait_and_close(process)
