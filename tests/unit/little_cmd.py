# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

r"""A little cmd.exe over a registry in memory, so that command lines can be tried without Wine and in no time.

It stands in for a guest where only the decisions are tested; what real programs make of the command lines is tried on
the simulated Windows guest. It knows groups, `&`, `for`, `for /f`, `if`, `>`, `>>` and `2>&1`, and of the programs what
the collection asks of them. What it does not know is an error, and so is a line that is too long once its environment
variables are in it (learn.microsoft.com, "Command prompt line string limitation").
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Callable, Iterator

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import POWER_POLICY, POWER_SCHEMES, Value
from ansible_collections.winguest.shutdown.plugins.plugin_utils._windows_shell import Output

LONGEST_LINE = 8191
END = "\r\n"
BLANKS = "    "
ROOTS = {"HKLM": "HKEY_LOCAL_MACHINE", "HKU": "HKEY_USERS"}
ENVIRONMENT = {
    "TEMP": r"C:\Users\Administrator.LONG-NAME-OF-A\AppData\Local\Temp",
    "SYSTEMROOT": r"C:\Windows",
    "SYSTEMDRIVE": "C:",
}
MODES = {"ac": "ACSettingIndex", "dc": "DCSettingIndex"}

NOT_FOUND = "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden."
NOTHING_FOUND = "Suchende: 0 Übereinstimmung(en) gefunden."
DENIED = "FEHLER: Zugriff verweigert"
DONE = "Der Vorgang wurde erfolgreich beendet."


def data_text(value: Value) -> str:
    """The data as reg.exe prints it."""
    if isinstance(value.data, int):
        return hex(value.data)
    if isinstance(value.data, bytes):
        return value.data.hex().upper()
    return value.data if isinstance(value.data, str) else "\\0".join(value.data)


def long_name(key: str) -> str:
    """The key with its root's long name."""
    root, dummy, rest = key.partition("\\")
    return f"{ROOTS.get(root.upper(), root.upper())}\\{rest}" if rest else ROOTS.get(root.upper(), root.upper())


class Registry:
    """Keys and values, looked up without regard to case."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[str, dict[str, tuple[str, Value]]]] = {}

    def create(self, key: str) -> dict[str, tuple[str, Value]]:
        """The values of a key, which is made with those above it where it is not there."""
        key = long_name(key)
        parts = key.split("\\")
        for end in range(1, len(parts) + 1):
            name = "\\".join(parts[:end])
            self.keys.setdefault(name.casefold(), (name, {}))
        return self.keys[key.casefold()][1]

    def set(self, key: str, name: str, value: Value | int | str) -> None:
        """Set a value; a number is a REG_DWORD, and a text a REG_SZ."""
        if not isinstance(value, Value):
            value = Value("REG_DWORD" if isinstance(value, int) else "REG_SZ", value)
        self.create(key)[name.casefold()] = (name, value)

    def get(self, key: str, name: str) -> Value | None:
        """A value, or None."""
        dummy, values = self.keys.get(long_name(key).casefold(), ("", {}))
        return values[name.casefold()][1] if name.casefold() in values else None

    def remove(self, key: str) -> dict[str, tuple[str, dict[str, tuple[str, Value]]]]:
        """Take a key and all in it out."""
        top = long_name(key).casefold()
        taken = {name: self.keys[name] for name in self.keys if f"{name}\\".startswith(f"{top}\\")}
        for name in taken:
            del self.keys[name]
        return taken

    def below(self, key: str) -> list[str]:
        """The keys right in this one."""
        top = f"{long_name(key).casefold()}\\"
        return [shown for name, (shown, dummy) in self.keys.items() if re.fullmatch(re.escape(top) + r"[^\\]+", name)]


@dataclasses.dataclass
class Simple:
    """A command with its redirections."""

    text: str
    file: str
    append: bool


Command = Callable[[dict[str, str]], None]


class Machine:
    """A guest."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.profiles: dict[str, Registry] = {}
        """The hives on the disk, by their path; their keys begin with HKEY_USERS\\hive."""
        self.mounted: dict[str, str] = {}
        self.contents: dict[str, str] = {}
        self.existing: set[str] = set()
        self.running: set[str] = set()
        self.events: dict[str, list[tuple[str, int]]] = {}
        self.environment = dict(ENVIRONMENT)
        self.read_only: set[str] = set()
        self.denied_names: set[str] = set()
        """Keys, and names of values, that cannot be written."""
        self.busy: set[str] = set()
        """Hives that cannot be unloaded."""
        self.disabled = ""
        """What reg.exe says instead of doing anything."""
        self.failing: dict[str, str] = {}
        """What other programs say instead of doing anything."""
        self.activations = 0
        self.lines: list[str] = []
        self.asked: list[str] = []
        """Every program that was run, with its arguments."""
        self.status = 0
        self._output = ""

    # ---- cmd.exe

    def run(self, line: str) -> Output:
        """Run a command line."""
        self.lines.append(line)
        line = re.sub(r"%(\w+)%", lambda name: self.environment.get(name[1].upper(), name[0]), line)
        if len(line) > LONGEST_LINE:
            return Output("", f"Die Eingabezeile ist zu lang.{END}", 1)
        self._output = ""
        Parser(line, self).parse()({})
        return Output(self._output, "", self.status)

    def simple(self, command: Simple, variables: dict[str, str]) -> None:
        """Run a command, and put what it prints where it belongs."""
        text = substitute(command.text, variables).lstrip(" ")
        printed = self.execute(text)
        if not command.file:
            self._output += printed
            return
        file = substitute(command.file, variables).strip('"').casefold()
        self.contents[file] = (self.contents.get(file, "") if command.append else "") + printed

    def captured(self, text: str) -> list[str]:
        """The lines that a command prints, for `for /f`."""
        kept, self._output, status = self._output, "", self.status
        Parser(text, self).parse()({})
        lines, self._output, self.status = self._output.split(END), kept, status
        return [line for line in lines if line]

    def execute(self, text: str) -> str:
        """Run a program or a command of cmd.exe's own; returns what it prints."""
        word, dummy, rest = text.partition(" ")
        if word == "echo.":
            return END
        if word == "echo":
            return "" if rest.strip() == "off" else f"{rest}{END}"
        if word == "cd":
            return ""
        if word in ("type", "del"):
            file = rest.strip(' "').casefold()
            if file not in self.contents:
                return f"Das System kann die angegebene Datei nicht finden.{END}"
            return self.contents[file] if word == "type" else self.contents.pop(file)[:0]
        self.asked.append(text)
        name = word.removesuffix(".exe")
        program = getattr(self, f"_{name}", None)
        if program is None:
            raise AssertionError(f"the little cmd.exe does not know {word!r}, of {text!r}")
        said = self.failing.get(name)
        self.status, printed = program(arguments(rest)) if said is None else (1, f"{said}{END}" if said else "")
        return str(printed)

    # ---- the programs

    def _reg(self, words: list[str]) -> tuple[int, str]:
        if self.disabled:
            return 1, f"{self.disabled}{END}{END}"
        verb, key, *options = words
        given = {
            option: options[index + 1] if option in ("/v", "/t", "/d") else ""
            for index, option in enumerate(options)
            if option.startswith("/")
        }
        if verb == "query":
            return self._query(key, given)
        if verb == "load":
            return self._load(key, options[0])
        if verb == "unload":
            return self._unload(key)
        denied = any(long_name(key).casefold().startswith(long_name(top).casefold()) for top in self.read_only)
        if denied or given["/v"] in self.denied_names:
            return 1, f"{DENIED}{END}"
        if verb == "delete":
            values = self.registry.keys.get(long_name(key).casefold(), ("", {}))[1]
            return (0, f"{DONE}{END}") if values.pop(given["/v"].casefold(), None) else (1, f"{NOT_FOUND}{END}")
        self.registry.set(key, given["/v"], parsed(given["/t"], given["/d"]))
        return 0, f"{DONE}{END}"

    def _query(self, key: str, given: dict[str, str]) -> tuple[int, str]:
        key = long_name(key)
        if key.casefold() not in self.registry.keys:
            return 1, f"{END}{END}{NOT_FOUND}{END}"
        key, values = self.registry.keys[key.casefold()]
        if "/s" in given:
            return self._search(key, given["/v"])
        wanted = [given["/v"].casefold()] if "/v" in given else [*values]
        if "/v" in given and wanted[0] not in values:
            return 1, f"{END}{END}{NOT_FOUND}{END}"
        lines = [f"{BLANKS}{values[name][0]}{BLANKS}{self._typed(values[name][1])}" for name in wanted]
        text = "".join(f"{line}{END}" for line in [key, *lines, ""]) if lines else ""
        below = [] if "/v" in given else self.registry.below(key)
        return 0, END + text + "".join(f"{name}{END}" for name in below)

    def _search(self, key: str, name: str) -> tuple[int, str]:
        found = [
            f"{END}{shown}{END}{BLANKS}{values[name.casefold()][0]}{BLANKS}{self._typed(values[name.casefold()][1])}{END}"
            for path, (shown, values) in self.registry.keys.items()
            if name.casefold() in values and f"{path}\\".startswith(f"{key.casefold()}\\")
        ]
        summary = NOTHING_FOUND.replace("0", str(len(found)))
        return int(not found), "".join(found) + f"{END}{summary}{END}"

    @staticmethod
    def _typed(value: Value) -> str:
        return f"{value.type}{BLANKS}{data_text(value)}"

    def _load(self, key: str, path: str) -> tuple[int, str]:
        hive = self.profiles.get(path.casefold())
        if hive is None or path.casefold() in self.mounted.values():
            return 1, f"FEHLER: Die Datei wird von einem anderen Prozess verwendet.{END}"
        self.mounted[key.casefold()] = path.casefold()
        for shown, values in hive.keys.values():
            for name, value in values.values():
                self.registry.set(shown.replace("HKEY_USERS\\hive", long_name(key), 1), name, value)
        self.registry.create(key)
        return 0, f"{DONE}{END}"

    def _unload(self, key: str) -> tuple[int, str]:
        if key.casefold() not in self.mounted or key.casefold() in self.busy:
            return 1, f"{DENIED}{END}"
        hive = Registry()
        for shown, values in self.registry.remove(key).values():
            for name, value in values.values():
                hive.set("HKU\\hive" + shown[len(long_name(key)) :], name, value)
        self.profiles[self.mounted.pop(key.casefold())] = hive
        return 0, f"{DONE}{END}"

    def _powercfg(self, words: list[str]) -> tuple[int, str]:
        if words[0] == "/setactive":
            self.activations += 1
            return 0, ""
        scheme, subgroup, setting, index = words[1:]
        name = MODES[words[0][4:6]]
        if self.registry.get(f"{POWER_POLICY}\\{setting}", name):
            return 1, f"Dieses Programm wurde durch eine Gruppenrichtlinie geblockt.{END}"
        self.registry.set(f"{POWER_SCHEMES}\\{scheme}\\{subgroup}\\{setting}", name, int(index))
        return 0, ""

    def _tasklist(self, words: list[str]) -> tuple[int, str]:
        image = words[-1].removeprefix("imagename eq ")
        if image.casefold() not in {name.casefold() for name in self.running}:
            return 0, f"INFORMATION: Es werden keine Aufgaben mit den angegebenen Kriterien ausgeführt.{END}"
        return 0, f'"{image}","4321","Services","0","12.345 K"{END}'

    def _wevtutil(self, words: list[str]) -> tuple[int, str]:
        log, query = words[1], words[2]
        if log not in self.events:
            return 15007, f"Der angegebene Kanal konnte nicht gefunden werden.{END}"
        provider = t.cast("re.Match[str]", re.search(r"@Name='([^']*)'", query))[1]
        wanted = {int(number) for number in re.findall(r"EventID=(\d+)", query)}
        for name, number in reversed(self.events[log]):
            if name == provider and number in wanted:
                return 0, event_text(name, number)
        return 0, ""


def event_text(provider: str, number: int) -> str:
    """An event as XML."""
    return (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
        f"<Provider Name='{provider}'/><EventID Qualifiers='0'>{number}</EventID>"
        "<TimeCreated SystemTime='2026-01-02T03:04:05.678Z'/><EventRecordID>1</EventRecordID></System>"
        "<EventData><Data>&lt;System&gt;</Data></EventData></Event>"
    )


def parsed(kind: str, text: str) -> Value:
    """Data as `reg add /d` takes it."""
    if kind in ("REG_DWORD", "REG_QWORD"):
        return Value(kind, int(text, 0))
    if kind == "REG_MULTI_SZ":
        return Value(kind, tuple(filter(None, text.split("\\0"))))
    return Value(kind, text if kind in ("REG_SZ", "REG_EXPAND_SZ") else bytes.fromhex(text))


def arguments(text: str) -> list[str]:
    """As Microsoft's C run-time library takes a command line apart."""
    words: list[str] = []
    word, quoted, position = "", False, 0
    begun = False
    while position < len(text):
        run = re.compile(r"\\*").match(text, position)
        backslashes = len(run[0]) if run else 0
        position += backslashes
        char = text[position : position + 1]
        if char == '"':
            word += "\\" * (backslashes // 2)
            begun = True
            if backslashes % 2:
                word += '"'
            else:
                quoted = not quoted
        else:
            word += "\\" * backslashes
            begun = begun or bool(backslashes)
            if char in (" ", "\t") and not quoted:
                words += [word] if begun else []
                word, begun = "", False
            elif char:
                word, begun = word + char, True
        position += 1
    assert not quoted, f"a quotation is not closed: {text}"
    return [*words, word] if begun else words


def substitute(text: str, variables: dict[str, str]) -> str:
    """For variables, with %~ and the modifiers n and x."""

    def value(match: re.Match[str]) -> str:
        modifiers, letter = match[1], match[2]
        if letter not in variables:
            return match[0]
        if modifiers is None:
            return variables[letter]
        bare = variables[letter].removeprefix('"').removesuffix('"')
        assert modifiers in ("", "nx"), f"the little cmd.exe does not know the modifiers {modifiers}"
        return bare.rpartition("\\")[2] if modifiers else bare

    return re.sub(r"%(?:~([fdpnxsatz]*))?([a-zA-Z])", value, text)


def split_set(text: str) -> list[str]:
    """The members of a set for `for`."""
    members = re.findall(r'(?:"[^"]*"|[^\s,;="])+', text)
    assert not re.search(r"[*?]", text), f"a pattern of file names: {text}"
    return members


def split_tokens(line: str, options: str) -> list[str] | None:
    """What `for /f` makes of a line; None where it skips it."""
    given = dict(option.split("=", 1) for option in options.split(" "))
    delimiters = given.get("delims", " \t")
    numbers, rest = given["tokens"].rstrip("*").split(","), given["tokens"].endswith("*")
    found: list[str] = []
    left = line.lstrip(delimiters)
    last = max((int(number) for number in numbers if number), default=0)
    for dummy in range(last):
        match = re.match(f"[^{re.escape(delimiters)}]*", left)
        found.append(match[0] if match else "")
        left = left[len(found[-1]) :].lstrip(delimiters)
    chosen = [found[int(number) - 1] for number in numbers if number] + ([left] if rest else [])
    return chosen if chosen and chosen[0] else None


class Parser:
    """Takes a command line apart, and makes it a function that runs it."""

    def __init__(self, text: str, machine: Machine) -> None:
        self.text = text
        self.at = 0
        self.machine = machine

    def parse(self) -> Command:
        """The whole text."""
        command = self._sequence()
        assert self.at == len(self.text), f"a parenthesis too many: {self.text[self.at :][:80]}"
        return command

    def _skip(self) -> None:
        while self.text.startswith(" ", self.at):
            self.at += 1

    def _take(self, words: str) -> bool:
        """Whether these words come next; they are skipped."""
        self._skip()
        found = self.text.startswith(words, self.at)
        self.at += len(words) if found else 0
        return found

    def _until(self, end: str) -> str:
        position = self.text.index(end, self.at)
        taken, self.at = self.text[self.at : position], position + len(end)
        return taken

    def _sequence(self) -> Command:
        commands = []
        while True:
            self._skip()
            commands.append(self._command())
            if not self._take("&"):
                break

        def run(variables: dict[str, str]) -> None:
            for command in commands:
                command(variables)

        return run

    def _command(self) -> Command:
        if self._take("("):
            inner = self._sequence()
            assert self._take(")"), f"a parenthesis is not closed: {self.text[self.at :][:80]}"
            return inner
        if self._take("for "):
            return self._for()
        return self._if() if self._take("if ") else self._simple()

    def _for(self) -> Command:
        options = ""
        if self._take("/f "):
            assert self._take('"')
            options = self._until('"')
        assert self._take("%")
        letter = self.text[self.at]
        self.at += 1
        assert self._take("in (")
        if options:
            assert self._take("'")
            text = self._until("')")
        else:
            text = self._set()
        assert self._take("do ")
        body, machine = self._command(), self.machine

        def each(variables: dict[str, str]) -> Iterator[list[str]]:
            inner = substitute(text, variables)
            if not options:
                yield from ([member] for member in split_set(inner))
                return
            for line in machine.captured(inner):
                tokens = split_tokens(line, options)
                if tokens:
                    yield tokens

        def run(variables: dict[str, str]) -> None:
            for tokens in each(variables):
                body({**variables, **{chr(ord(letter) + index): token for index, token in enumerate(tokens)}})

        return run

    def _set(self) -> str:
        begin, quoted = self.at, False
        while quoted or self.text[self.at] != ")":
            quoted ^= self.text[self.at] == '"'
            self.at += 1
        self.at += 1
        return self.text[begin : self.at - 1]

    def _if(self) -> Command:
        machine = self.machine
        holds: Callable[[dict[str, str]], bool]
        if self._take("errorlevel "):
            least = int(self._until(" "))

            def holds(variables: dict[str, str]) -> bool:
                return machine.status >= least

        elif self._take("exist "):
            assert self._take('"')
            path = self._until('"')

            def holds(variables: dict[str, str]) -> bool:
                return substitute(path, variables).casefold() in {name.casefold() for name in machine.existing}

        else:
            fold = self._take("/i ")
            assert self._take('"')
            one = self._until('"==')
            assert self._take('"')
            other = self._until('"')

            def holds(variables: dict[str, str]) -> bool:
                left, right = substitute(one, variables), substitute(other, variables)
                return left == right or (fold and left.casefold() == right.casefold())

        self._skip()
        then = self._command()
        otherwise = self._command() if self._take("else ") else None

        def run(variables: dict[str, str]) -> None:
            if holds(variables):
                then(variables)
            elif otherwise:
                otherwise(variables)

        return run

    def _simple(self) -> Command:
        text, command, quoted = self.text, Simple("", "", False), False
        while self.at < len(text) and (quoted or text[self.at] not in "&)"):
            if text[self.at] == ">" and not quoted:
                self._redirection(command)
                continue
            quoted ^= text[self.at] == '"'
            command.text += text[self.at]
            self.at += 1
        assert not quoted, f"a quotation is not closed: {command.text}"
        assert command.text.strip(), f"there is no command: {text[self.at - 40 : self.at + 40]}"
        machine = self.machine
        return lambda variables: machine.simple(command, variables)

    def _redirection(self, command: Simple) -> None:
        self.at += 1
        if command.text.endswith(" 2") and self._take("&1"):
            command.text = command.text[:-1]
            return
        assert not command.text[-1:].isdigit(), f"the digit names a handle: {command.text}>"
        command.append = self._take(">")
        match = re.compile(r'"[^"]*"|[^\s&)]+').match(self.text, self.at)
        assert match, f"a redirection to nowhere: {self.text[self.at :][:40]}"
        command.file, self.at = match[0], match.end()


# ---- a guest with everything that an audit meets

SCHEMES = (
    "381b4222-f694-41f0-9685-ff5bb260df2e",
    "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c",
    "a1841308-3541-4fab-bc81-f71556f20b4a",
)
ALICE = "S-1-5-21-1004336348-1177238915-682003330-1001"
BOB = "S-1-5-21-1004336348-1177238915-682003330-1002"
CAROL = "S-1-12-1-1004336348-1177238915-682003330-1003"
PROFILES = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList"


def windows(server: bool = True, build: int = 20348) -> Machine:
    """Alice is signed in; Bob and Carol have profiles on the disk."""
    machine = Machine()
    registry = machine.registry
    version = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    registry.set(version, "ProductName", "Windows Server 2022 Standard" if server else "Windows 10 Pro")
    registry.set(version, "CurrentBuildNumber", str(build))
    options = r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions"
    registry.set(options, "ProductType", "ServerNT" if server else "WinNT")
    registry.set(POWER_SCHEMES, "ActivePowerScheme", SCHEMES[0])
    for scheme in SCHEMES:
        registry.set(f"{POWER_SCHEMES}\\{scheme}", "FriendlyName", "Ein Energiesparplan")
    registry.create(POWER_POLICY)
    registry.create(r"HKLM\SYSTEM\CurrentControlSet\Services")
    registry.set(r"HKLM\SYSTEM\CurrentControlSet\Services\QEMU-GA", "Start", 2)
    for name in (".DEFAULT", "S-1-5-18", "S-1-5-19", ALICE, f"{ALICE}_Classes"):
        registry.set(f"HKU\\{name}\\Control Panel\\Desktop", "Wallpaper", "")
    registry.set(f"{PROFILES}\\S-1-5-18", "ProfileImagePath", r"%systemroot%\system32\config\systemprofile")
    for sid, folder in ((ALICE, "alice"), (BOB, "Bob the Builder"), (CAROL, "carol & co")):
        path = rf"C:\Users\{folder}"
        registry.set(f"{PROFILES}\\{sid}", "ProfileImagePath", Value("REG_EXPAND_SZ", path))
        store(machine, path)
    machine.mounted[f"hku\\{ALICE}".casefold()] = r"c:\users\alice\ntuser.dat"
    store(machine, r"C:\Users\Default")
    machine.events = {"System": [], "Application": [], "Microsoft-Windows-Windows Defender/Operational": []}
    return machine


def store(machine: Machine, path: str) -> Registry:
    """A profile on the disk."""
    hive = machine.profiles[f"{path}\\NTUSER.DAT".casefold()] = Registry()
    hive.set(r"HKU\hive\Control Panel\Desktop", "Wallpaper", "")
    return hive


def profile(machine: Machine, folder: str) -> Registry:
    """The hive of a user who is not signed in."""
    return machine.profiles[rf"C:\Users\{folder}\NTUSER.DAT".casefold()]
