# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

r"""The questions that are put to a guest: pieces of a cmd.exe command line that know how to read their answers.

A statement's text is ours, but for names and data of the catalogue (checked when the catalogue is built) and for
security identifiers and GUIDs of the guest's that are nothing else (checked here). Where a path or a key that only the
guest knows is needed, cmd.exe takes it from the registry itself, into a for variable, which it does not parse again.

All output goes to a file (%e in the text; %o is another, for a statement's own use) and is read at once when it is
whole. Answers are told apart by marks with a random number in them (%m): what is written in the guest beforehand cannot
contain them. A mark's line is the mark, a letter and a word; what stands before it belongs to it. A redirection for a
whole group would be shorter, and Wine's cmd.exe has none.

The statements keep to what both Windows' cmd.exe and Wine's understand: no @ before a group, an `if` in a group of its
own. For variables are letters that no modifier uses: %~s would be a short name, %~k is not.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _registry_text as registry_text
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    POWER_SCHEMES,
    Data,
    Events,
    RegistryKey,
    UserValue,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._event_xml import parse
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import (
    GUID,
    PRODUCT_OPTIONS,
    PROFILES,
    USER_SID,
    Exists,
    Hive,
    Reading,
    Seen,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp

DEFAULT_PROFILE = r"%SystemDrive%\Users\Default"
FAILED = "f"
"""The letter of a mark after a command that has failed."""

MOUNT = "winguest-"
r"""Stored hives are loaded as HKU\winguest-SID, so that one that was left behind is known again."""

Asked = t.TypeVar("Asked")


TORN = re.compile("\ufffd{1,4}")
"""What becomes of a letter that is not whole, because what carries the output has cut it there."""

LONGEST_LETTER = 4
"""Characters that a letter which was torn may stand for."""

MOST_TORN = 20
"""Letters that may have been torn in a text that is to be known again."""

LONGEST_WORDS = 500
"""Characters of the words for what is not there, in which torn letters are looked for; real ones have a hundred."""


class Part(t.NamedTuple):
    """A mark of an answer, with what stands before it."""

    letter: str
    word: str
    text: str


@dataclasses.dataclass
class Answers:
    """What is being put together from the answers to all statements."""

    reading: Reading = dataclasses.field(default_factory=Reading)
    not_found: set[str] = dataclasses.field(default_factory=set)
    """What this guest's reg.exe says, in its language, about a key or a value that is not there."""
    notes: list[str] = dataclasses.field(default_factory=list)
    """What the programs that write have said; it is only shown where a value is not as it should be afterwards."""
    texts: dict[Statement, str] = dataclasses.field(default_factory=dict)
    """The answers that are kept as they are, for others to read."""

    def note(self, parts: t.Iterable[Part]) -> None:
        """Keep what programs that write have said, line by line."""
        self.notes += [line.strip() for part in parts for line in part.text.splitlines() if line.strip()]

    def absent(self, text: str) -> bool:
        """Whether these are the words for what is not there; a letter of theirs may have been torn on the way."""
        whole = TORN.split(text.strip())
        if len(whole) == 1:
            return whole[0] in self.not_found
        left = sum(map(len, whole))
        return any(left <= len(words) < left * 2 and _torn(words, whole) for words in self.not_found)

    def seen(self, text: str, name: str) -> Seen:
        """What an answer of `reg query KEY /v NAME` says."""
        if self.absent(text):
            return Seen()
        try:
            return Seen(registry_text.parse_value(text, name))
        except registry_text.RegistryTextError as error:
            said = text.strip()
            return Seen(trouble=said[:300] if said and not said.startswith("HKEY_") else str(error))

    def exists(self, text: str) -> Exists:
        """What an answer of `reg query KEY` says of the key."""
        said = text.strip()
        if self.absent(said):
            return Exists()
        # A key without values and keys of its own is answered with nothing at all.
        return Exists(True) if not said or said.startswith("HKEY_") else Exists(trouble=said[:300])


def _torn(words: str, whole: t.Sequence[str]) -> bool:
    """Whether these are the pieces that tearing letters leaves of words.

    Both may be a hostile guest's, for which a regular expression could take for ever.
    """
    if len(words) > LONGEST_WORDS or len(whole) > MOST_TORN:
        return False
    ends = {len(whole[0])} if words.startswith(whole[0]) else set[int]()
    for piece in whole[1:]:
        begins = {end + gap for end in ends for gap in range(LONGEST_LETTER + 1)}
        ends = {begin + len(piece) for begin in begins if words.startswith(piece, begin)}
    return len(words) in ends


class Statement:
    """One question."""

    def text(self) -> str:
        """The piece of command line; %m is the mark, %e the file of the output, %o a file for its own use."""
        raise NotImplementedError

    def take(self, parts: list[Part], answers: Answers) -> None:
        """Read the answer. A part that is missing leaves what it is about unread."""
        raise NotImplementedError

    def lost(self, dummy_parts: list[Part]) -> bool:
        """Whether a program that always says something has said nothing, because it could not be started."""
        return False

    def pieces(self) -> list[Statement]:
        """The same in smaller ones, for where it or its answer is too long; none where it has no parts."""
        return []


class Query(Statement):
    """A question to reg.exe, which always says something: what is there, or that it is not."""

    def lost(self, parts: list[Part]) -> bool:
        """Whether one of its answers is empty."""
        return any(not part.letter and not part.text.strip() for part in parts)


def quoted(text: str) -> str:
    """In double quotes, as the C run-time library of the programs takes arguments apart."""
    backslashes = len(text) - len(text.rstrip("\\"))
    return f'"{text}{chr(92) * backslashes}"'


def said(command: str) -> str:
    """Run a command, and keep what it prints. The blank keeps a digit before it from naming a handle."""
    return f"{command} >>%e 2>&1"


def mark(tag: str = "") -> str:
    """The mark that ends an answer; tag: its letter and word."""
    return f"echo %m{tag} >>%e"


def answered(command: str, tag: str = "") -> str:
    """Run a command, and mark the end of what it prints."""
    return f"{said(command)}&{mark(tag)}"


def judged(command: str) -> str:
    """The same, with an f mark where the command has failed: for one whose silence or complaint could be an answer."""
    return f"{said(command)}&{choice(mark(FAILED), mark())}"


def failure(part: Part) -> str:
    """Why a command that was judged has told nothing; empty where it has."""
    if part.letter != FAILED:
        return ""
    return part.text.strip()[:300] or "the program that tells it has failed without a word"


def group(body: str) -> str:
    """Commands in parentheses. One that ends in another group makes Wine's cmd.exe misread the rest; `cd .` is idle."""
    return f"({body}&cd .)" if body.endswith(")") else f"({body})"


def loop(head: str, body: str) -> str:
    """A for loop."""
    return f"for {head} do {group(body)}"


def choice(failed: str, worked: str) -> str:
    """What follows a command that has failed, and one that has worked."""
    return f"if errorlevel 1 {group(failed)} else {group(worked)}"


def paired(asked: t.Sequence[Asked], parts: t.Sequence[Part]) -> t.Iterable[tuple[Asked, Part]]:
    """What was asked, each with its answer; nothing where a mark is missing or there twice, since no place is sure."""
    return zip(asked, parts) if len(asked) == len(parts) else ()


def items(names: t.Iterable[str]) -> str:
    """A set for `for`."""
    return " ".join(name if re.fullmatch(r"[A-Za-z0-9_.\-]+", name) else quoted(name) for name in names)


def queries(key: str, names: t.Sequence[str]) -> str:
    """A query for each of these values. The key is quoted already, since it may be a for variable's."""
    if len(names) == 1:
        return answered(f"reg query {key} /v {items(names)}")
    return loop(f"%v in ({items(names)})", answered(f"reg query {key} /v %v"))


@dataclasses.dataclass(frozen=True)
class NotFound(Query):
    """How this guest says that a key, a value, or a name in a whole tree is not there."""

    nonce: str

    def text(self) -> str:
        """Three queries for what cannot exist, and one for what must."""
        queries = (
            f'"HKLM\\SOFTWARE\\{self.nonce}" /v {self.nonce}',
            f'"{PRODUCT_OPTIONS}" /v {self.nonce}',
            f'"{PRODUCT_OPTIONS}" /s /v {self.nonce}',
            f'"{PRODUCT_OPTIONS}" /v ProductType',
        )
        return "&".join(answered(f"reg query {query}") for query in queries)

    def take(self, parts: list[Part], answers: Answers) -> None:
        """Keep the words, unless a guest that lets nobody use reg.exe has the same ones for everything."""
        *words, there = [part.text.strip() for part in parts] or [""]
        if len(words) == 3 and there.startswith("HKEY_"):
            answers.not_found.update(word for word in words if word)


@dataclasses.dataclass(frozen=True)
class Values(Query):
    """Values of one key."""

    key: str
    names: tuple[str, ...]

    def text(self) -> str:
        """One query for each, so that no value can pass for another."""
        return queries(quoted(self.key), self.names)

    def take(self, parts: list[Part], answers: Answers) -> None:
        """In the order of the names."""
        for name, part in paired(self.names, parts):
            answers.reading.put(self.key, name, answers.seen(part.text, name))

    def pieces(self) -> list[Statement]:
        """One for each value."""
        return [Values(self.key, (name,)) for name in self.names] if len(self.names) > 1 else []


@dataclasses.dataclass(frozen=True)
class Keys(Statement):
    """The existence of keys, or of keys in them."""

    keys: tuple[RegistryKey, ...]

    def text(self) -> str:
        """One query for each."""
        return "&".join(answered(f"reg query {quoted(key.key)}") for key in self.keys)

    def take(self, parts: list[Part], answers: Answers) -> None:
        """In the order of the keys."""
        for key, part in paired(self.keys, parts):
            exists = answers.exists(part.text)
            if exists.there and key.subkeys:
                exists = Exists(bool(registry_text.parse_subkeys(part.text, key.key)))
            answers.reading.keys[key.key] = exists

    def pieces(self) -> list[Statement]:
        """One for each key."""
        return [Keys((key,)) for key in self.keys] if len(self.keys) > 1 else []


@dataclasses.dataclass(frozen=True)
class Scan(Query):
    """All values of a name in a tree, where they are numbers."""

    root: str
    name: str

    def text(self) -> str:
        """One query for the tree."""
        return answered(f"reg query {quoted(self.root)} /s /v {items([self.name])}")

    def take(self, parts: list[Part], answers: Answers) -> None:
        """Where anything but numbers was found, nothing is believed."""
        for root, part in paired([self.root], parts):
            answers.reading.begin_scan(root, self.name)
            if answers.absent(part.text):
                continue
            try:
                numbers = registry_text.parse_numbers(part.text, root, self.name)
            except registry_text.RegistryTextError as error:
                answers.reading.begin_scan(root, self.name, str(error))
                continue
            for key, number in numbers.items():
                value = registry_text.Value("REG_DWORD", number)
                answers.reading.put(key, self.name, Seen(value))


@dataclasses.dataclass(frozen=True)
class Schemes(Query):
    """Which power schemes there are, and which of them is active."""

    def text(self) -> str:
        """The keys, and the value that names the active one."""
        key = quoted(POWER_SCHEMES)
        return f"{answered(f'reg query {key}')}&{answered(f'reg query {key} /v ActivePowerScheme')}"

    def take(self, parts: list[Part], answers: Answers) -> None:
        """Only GUIDs are schemes."""
        if len(parts) != 2:
            return
        names = registry_text.parse_subkeys(parts[0].text, POWER_SCHEMES)
        schemes = tuple(dict.fromkeys(name.lower() for name in names if GUID.fullmatch(name)))
        active = answers.seen(parts[1].text, "ActivePowerScheme").data
        answers.reading.schemes = schemes
        answers.reading.schemes_trouble = "" if schemes else f"no power scheme was found: {parts[0].text.strip()[:200]}"
        if isinstance(active, str) and GUID.fullmatch(active):
            answers.reading.active_scheme = active.lower()


class Setting(t.NamedTuple):
    """What is to be written into a key of a user's hive; data None deletes the value."""

    value: UserValue
    data: Data | None


def write(key: str, name: str, value_type: str, data: Data | None) -> str:
    """The command that sets a value, or deletes it. The key is quoted already, since it may be a for variable's."""
    if data is None:
        return f"reg delete {key} /v {quoted(name)} /f"
    return (
        f"reg add {key} /v {quoted(name)} /t {value_type} /d {quoted(registry_text.format_data(value_type, data))} /f"
    )


@dataclasses.dataclass(frozen=True)
class Hives(Query):
    """What the hives have in common: values to be written, and then values to be read, in each of them."""

    values: tuple[UserValue, ...]
    settings: tuple[Setting, ...] = ()
    only: tuple[str, ...] = ()
    """The names of these hives alone."""

    def body(self, hive: str) -> str:
        """The commands for one hive; the answers to the writes end in w marks."""
        commands = []
        for value, data in self.settings:
            key = f'"{hive}\\{value.key}"'
            commands.append(said(write(key, value.name, value.type, data)))
        if commands:
            commands.append(mark("w"))
        for user_key, names in self._by_key().items():
            commands.append(queries(f'"{hive}\\{user_key}"', names))
        return "&".join(commands)

    def read(self, hive: Hive, parts: list[Part], answers: Answers) -> None:
        """Take the answers that body() asked for."""
        wanted = [(key, name) for key, names in self._by_key().items() for name in names]
        answers.note(part for part in parts if part.letter == "w")
        for (key, name), part in paired(wanted, [part for part in parts if not part.letter]):
            answers.reading.put(hive.key(key), name, answers.seen(part.text, name))

    def pieces(self) -> list[Statement]:
        """Some of the hives, or one for each value; what has been written is written again, which does no harm."""
        if len(self.only) > 1:
            half = len(self.only) // 2
            return [dataclasses.replace(self, only=only) for only in (self.only[:half], self.only[half:])]
        if len(self.values) < 2:
            return []
        return [
            dataclasses.replace(
                self, values=(value,), settings=tuple(setting for setting in self.settings if setting.value == value)
            )
            for value in self.values
        ]

    def _by_key(self) -> dict[str, list[str]]:
        by_key: dict[str, list[str]] = {}
        for value in self.values:
            by_key.setdefault(value.key, []).append(value.name)
        return by_key


def groups(parts: list[Part], letters: str) -> t.Iterator[tuple[Part, list[Part]]]:
    """Cut the parts before each that has one of these letters."""
    head: Part | None = None
    rest: list[Part] = []
    for part in parts:
        if part.letter and part.letter in letters:
            if head:
                yield head, rest
            head, rest = part, []
        else:
            rest.append(part)
    if head:
        yield head, rest


@dataclasses.dataclass(frozen=True)
class LoadedHives(Hives):
    r"""The hives of users who are signed in, of service accounts, and HKU\.DEFAULT: all that HKU has, or these."""

    def text(self) -> str:
        """All but the hives of classes, whose names end in _Classes: HKEY_USERS has an underscore of its own."""
        if self.only:
            body = self.body("HKU\\%k")
            head = mark("hUSERS\\%k")
            return loop(f"%k in ({items(self.only)})", f"{head}&{body}")
        body = self.body("HKEY_%k")
        each = 'if "%l"=="" ' + group(f"{mark('h%k')}&{body}")
        return loop("/f \"tokens=2,3 delims=_\" %k in ('reg query HKU')", each)

    def take(self, parts: list[Part], answers: Answers) -> None:
        """One hive after the other."""
        hives = []
        for head, rest in groups(parts, "h"):
            name = head.word.partition("\\")[2]
            if name.casefold() == ".default":
                hives.append(Hive(".DEFAULT", "system"))
            elif USER_SID.fullmatch(name):
                hives.append(Hive(name, "loaded"))
            else:
                continue
            self.read(hives[-1], rest, answers)
        answers.reading.add_hives(hives)


@dataclasses.dataclass(frozen=True)
class StoredHives(Hives):
    """The hives of profiles that are on the disk only; each is loaded, used, and unloaded again."""

    def text(self) -> str:
        """Of all profiles, or of these; a profile that is loaded already cannot be loaded, and says so."""
        profiles, key, name = f"/f \"tokens=*\" %k in ('reg query {quoted(PROFILES)}')", "%k", "%~nxk"
        if self.only:
            # Not their keys: what looks like a path loses its folder in Wine's sets.
            profiles, key, name = f"%k in ({items(self.only)})", f"{PROFILES}\\%k", "%k"
        used = self.loaded(f"HKU\\{MOUNT}{name}", "%i", name)
        path = loop("/f \"tokens=1,2*\" %g in ('type %o')", f'if "%g"=="ProfileImagePath" {group(used)}')
        # Not in the set of the loop: that is a command line of its own, and what %k stands for would be parsed in it.
        return loop(profiles, f"reg query {quoted(key)} /v ProfileImagePath >%o 2>&1&{path}")

    def loaded(self, mount: str, profile: str, name: str) -> str:
        """Load the hive of a profile and, where that worked, use it and unload it again."""
        hive = quoted(f"{profile}\\NTUSER.DAT")
        load, unload = said(f"reg load {quoted(mount)} {hive}"), said(f"reg unload {quoted(mount)}")
        used = f"{mark('p' + name)}&{self.body(mount)}&{unload}&{choice(mark('u1'), mark('u0'))}"
        return f"{load}&{choice(mark('f' + name), used)}"

    def take(self, parts: list[Part], answers: Answers) -> None:
        """One profile after the other; that of a user who is signed in is among the loaded hives already."""
        signed_in = {hive.name.casefold() for hive in answers.reading.hives if hive.kind == "loaded"}
        for head, rest in groups(parts, "fp"):
            if not self.known(head.word) or head.word.casefold() in signed_in:
                continue
            trouble = head.text.strip()[:300] or "its NTUSER.DAT could not be loaded" if head.letter == "f" else ""
            hive = Hive(head.word, self.kind(), trouble)
            if not trouble:
                self.read(hive, rest, answers)
                if not any(part.letter == "u" and part.word == "0" for part in rest):
                    hive = dataclasses.replace(hive, trouble="its NTUSER.DAT was loaded and could not be unloaded")
            answers.reading.add_hives([hive])

    def known(self, name: str) -> bool:
        """Whether this is a profile's name."""
        return bool(USER_SID.fullmatch(name))

    def kind(self) -> str:
        """The kind of these hives."""
        return "stored"


@dataclasses.dataclass(frozen=True)
class DefaultHive(StoredHives):
    """The template of new profiles, where Windows has it unless someone has moved it."""

    def text(self) -> str:
        """As a stored profile, from a path that is known."""
        return self.loaded(f"HKU\\{MOUNT}default", DEFAULT_PROFILE, "default")

    def known(self, name: str) -> bool:
        """Its name."""
        return name == "default"

    def kind(self) -> str:
        """The kind."""
        return "default"


@dataclasses.dataclass(frozen=True)
class Unload(Statement):
    """Unload what an earlier run had to leave loaded, because its connection broke."""

    def text(self) -> str:
        """Every hive whose name begins with ours."""
        root, dummy = f"HKEY_USERS\\{MOUNT}".split("-")
        mount = quoted(f"HKU\\{MOUNT}%l")
        unload = answered(f"reg unload {mount}", "u%l")
        return loop("/f \"tokens=1* delims=-\" %k in ('reg query HKU')", f'if /i "%k"=="{root}" {group(unload)}')

    def take(self, parts: list[Part], answers: Answers) -> None:
        """Nothing is read."""


@dataclasses.dataclass(frozen=True)
class Files(Statement):
    """The existence of files."""

    paths: tuple[str, ...]

    def text(self) -> str:
        """One `if exist` for each."""
        return "&".join(f"if exist {quoted(path)} ({mark('y')}) else ({mark('n')})" for path in self.paths)

    def take(self, parts: list[Part], answers: Answers) -> None:
        """In the order of the paths."""
        for path, part in paired(self.paths, parts):
            answers.reading.files[path] = Exists(part.letter == "y")


@dataclasses.dataclass(frozen=True)
class Processes(Query):
    """Whether programs run."""

    images: tuple[str, ...]

    def text(self) -> str:
        """A list of processes in comma-separated values; without any it is a sentence in the guest's language."""
        query = judged('tasklist /fo csv /nh /fi "imagename eq %~v"')
        return loop(f"%v in ({items(self.images)})", query)

    def take(self, parts: list[Part], answers: Answers) -> None:
        """In the order of the images."""
        for image, part in paired(self.images, parts):
            there = any(line.casefold().startswith(f'"{image}",'.casefold()) for line in part.text.splitlines())
            exists = Exists(True, detail="running") if there else Exists(trouble=failure(part))
            answers.reading.processes[image] = exists

    def pieces(self) -> list[Statement]:
        """One for each image."""
        return [Processes((image,)) for image in self.images] if len(self.images) > 1 else []


@dataclasses.dataclass(frozen=True)
class RecentEvents(Statement):
    """The newest event of each of some rows, which are about the same log and the same number of days."""

    rows: tuple[Events, ...]

    def text(self) -> str:
        """One event for each row, as XML. In double quotes, cmd.exe leaves < alone."""
        wanted = " ".join(f'"{_provider_and_ids(row)}"' for row in self.rows)
        since = f"TimeCreated[timediff(@SystemTime)<={self.rows[0].days * 86_400_000}]"
        query = f'/q:"*[System[Provider[@Name=\'%~v and {since}]]" /c:1 /rd:true /f:xml'
        return loop(f"%v in ({wanted})", judged(f"wevtutil qe {items([self.rows[0].log])} {query}"))

    def take(self, parts: list[Part], answers: Answers) -> None:
        """For each nothing, an event, or an error in the guest's language."""
        for row, part in paired(self.rows, parts):
            answers.reading.events[row] = _newest(row, part.text.strip(), failure(part))

    def pieces(self) -> list[Statement]:
        """One for each row."""
        return [RecentEvents((row,)) for row in self.rows] if len(self.rows) > 1 else []


def _provider_and_ids(row: Events) -> str:
    """What follows upon a provider's name in the query, and the name before it."""
    ids = " or ".join(f"EventID={number}" for number in row.ids)
    return f"{row.provider}'] and {ids if len(row.ids) == 1 else f'({ids})'}"


def _newest(row: Events, text: str, trouble: str) -> Exists:
    if not text:
        return Exists(trouble=trouble)
    parsed = parse(text)
    if parsed.said or parsed.malformed or len(parsed.events) != 1:
        return Exists(trouble=parsed.said or "the answer cannot be understood")
    (event,) = parsed.events
    if event.provider.casefold() != row.provider.casefold() or event.id not in row.ids:
        return Exists(trouble="the answer is not the event that was asked for")
    return Exists(True, detail=f"event {event.id} at {timestamp(event.time)}")


@dataclasses.dataclass(frozen=True)
class Write(Statement):
    """Set values of one key that get the same data, or delete them (data None)."""

    key: str
    names: tuple[str, ...]
    type: str
    data: Data | None

    def text(self) -> str:
        """One command for each."""
        writes = [said(write(quoted(self.key), name, self.type, self.data)) for name in self.names]
        return "&".join([*writes, mark("w")])

    def take(self, parts: list[Part], answers: Answers) -> None:
        """Keep what was said."""
        answers.note(parts)

    def pieces(self) -> list[Statement]:
        """One for each value."""
        return [dataclasses.replace(self, names=(name,)) for name in self.names] if len(self.names) > 1 else []


@dataclasses.dataclass(frozen=True)
class WritePower(Statement):
    """Set power settings in every scheme, on AC and DC, and activate the active scheme again."""

    schemes: tuple[str, ...]
    settings: tuple[tuple[str, str, int], ...]
    """Subgroup, setting, index."""

    def text(self) -> str:
        """powercfg, since the keys are not for administrators to write."""
        for guid in (*self.schemes, *(guid for setting in self.settings for guid in setting[:2])):
            if not GUID.fullmatch(guid):
                raise ValueError(f"{guid!r} is no GUID")
        sets = "&".join(
            said(f"powercfg /set%gvalueindex %k {subgroup} {setting} {index}")
            for subgroup, setting, index in self.settings
        )
        every = loop(f"%k in ({' '.join(self.schemes)})", loop("%g in (ac dc)", sets))
        return f"{every}&{answered('powercfg /setactive SCHEME_CURRENT', 'w')}"

    def take(self, parts: list[Part], answers: Answers) -> None:
        """Keep what was said."""
        answers.note(parts)

    def pieces(self) -> list[Statement]:
        """One for each setting, or for each scheme."""
        if len(self.settings) > 1:
            return [dataclasses.replace(self, settings=(setting,)) for setting in self.settings]
        return (
            [dataclasses.replace(self, schemes=(scheme,)) for scheme in self.schemes] if len(self.schemes) > 1 else []
        )
