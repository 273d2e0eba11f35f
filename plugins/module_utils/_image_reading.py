# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Reads from an image what the rows of the catalogue name, into the form that a guest's answers have."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _hives as hives
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    POWER_POLICY,
    POWER_SCHEMES,
    Events,
    File,
    PowerSetting,
    Process,
    RegistryKey,
    RegistryValue,
    Row,
    ServiceValues,
    TwoValues,
    UserValue,
    as_number,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_places import SERVICES
from ansible_collections.winguest.shutdown.plugins.module_utils._image_files import CONFIG, ImageFiles, ImageFilesError
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import MODES
from ansible_collections.winguest.shutdown.plugins.module_utils._reading import (
    CURRENT_VERSION,
    GUID,
    PROFILES,
    SYSTEM_VALUES,
    USER_SID,
    Exists,
    Hive,
    Reading,
    Seen,
)

SOFTWARE, SYSTEM, COMPONENTS = "SOFTWARE", "SYSTEM", "COMPONENTS"
USER_HIVE = "NTUSER.DAT"
DEFAULT_PROFILE = r"%SystemDrive%\Users\Default"
DRIVE = "C:"
"""Where a Windows is that does not say it."""

MOST_PROFILES = 1000

NEEDS_GUEST = "it is seen in a running guest only"
NEEDS_FILES = "a folder of hives does not show it"
LEFT_OUT = (NEEDS_GUEST, NEEDS_FILES)

VOLATILE = (r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName",)
"""Keys that Windows makes anew at every boot, and keeps in memory only."""

Named = t.TypeVar("Named")


@dataclasses.dataclass
class ImageHive:
    """A hive of an image. name: that of a machine's hive, or of a user's as a Hive has it; path: in the image."""

    name: str
    path: str = ""
    local: str = ""
    """A copy of it, which may be read."""
    unsound: str = ""
    """Why it is there and cannot be used."""


@dataclasses.dataclass
class ImageReading:
    """All that was read."""

    reading: Reading = dataclasses.field(default_factory=Reading)
    hives: dict[str, ImageHive] = dataclasses.field(default_factory=dict)
    control_set: str = ""
    """The key that is CurrentControlSet when this Windows runs."""
    other_control_set: str = ""
    """The one that the next boot will use, if that is another."""
    profiles: dict[str, str] = dataclasses.field(default_factory=dict)
    """The folders of users, by their security identifiers, as Windows names them."""
    default_profile: str = DEFAULT_PROFILE
    drive: str = DRIVE


class ImageReader:
    """Reads an image, again and again; a hive is fetched once, until it is forgotten."""

    def __init__(self, files: ImageFiles, scratch: str) -> None:
        """scratch: an empty folder for copies of hives."""
        self.files = files
        self._scratch = scratch
        self._copies: dict[str, str] = {}
        self._number = 0

    def new_file(self) -> str:
        """The name of a file in the scratch folder, which does not exist yet."""
        self._number += 1
        return os.path.join(self._scratch, f"hive-{self._number}")

    def forget(self, path: str) -> None:
        """The next reading fetches this hive again."""
        os.unlink(self._copies.pop(path))

    def read(self, rows: t.Sequence[Row]) -> ImageReading:
        """Everything that these rows name. Raises HiveError where nothing can be said without a hive."""
        places = [row.location for row in rows]
        image = ImageReading()
        for name, read in ((SOFTWARE, _read_software), (SYSTEM, _read_system)):
            if not self.files.exists(f"{CONFIG}/{name}"):
                raise ImageFilesError(
                    f"{self.files.description} has no hive {name}, which every Windows has; {self.files.expected}"
                )
            hive = self._hive(image, name, f"{CONFIG}/{name}")
            image = _guarded(hive, read, image, places)
        if any(isinstance(place, RegistryValue) and _hive_of(place.key) == COMPONENTS for place in places):
            self._read_components(image, places)
        self._read_users(image, _of(places, UserValue))
        self._read_files(image.reading, places)
        for process in _of(places, Process):
            image.reading.processes[process.image] = Exists(trouble=NEEDS_GUEST)
        for events in _of(places, Events):
            image.reading.events[events] = Exists(trouble=NEEDS_GUEST)
        return image

    def _hive(self, image: ImageReading, name: str, path: str) -> ImageHive:
        """Fetch a hive. Raises ImageFilesError where it is not there, and HiveError where it cannot be used."""
        real = self.files.real(path)
        hive = image.hives[name] = ImageHive(name, real)
        try:
            size = self.files.size(path) or 0
            hives.check_head(self.files.read(path, 0, hives.HEAD), size, real)
        except hives.HiveError as error:
            hive.unsound = str(error)
            raise
        if real not in self._copies:
            local = self.new_file()
            self.files.fetch(path, local)
            self._copies[real] = local
        hive.local = self._copies[real]
        return hive

    def _read_components(self, image: ImageReading, places: t.Sequence[t.Any]) -> None:
        """What is wrong with this hive is no obstacle to anything, for it is never written."""
        try:
            hive = self._hive(image, COMPONENTS, f"{CONFIG}/{COMPONENTS}")
            image.reading = _guarded(hive, _read_values, image, places).reading
        except (ImageFilesError, hives.HiveError) as error:
            for place in _of(places, RegistryValue):
                if _hive_of(place.key) == COMPONENTS:
                    image.reading.put(place.key, place.name, Seen(trouble=str(error)))
        image.hives.pop(COMPONENTS, None)

    def _read_users(self, image: ImageReading, values: t.Sequence[UserValue]) -> None:
        if not values:
            return
        users: dict[Hive, str | None] = {Hive(sid, "stored"): folder for sid, folder in image.profiles.items()}
        users[Hive("default", "default")] = image.default_profile
        users[Hive(".DEFAULT", "system")] = None  # it is no profile's
        for user, folder in users.items():
            try:
                path = f"{CONFIG}/DEFAULT" if folder is None else f"{in_image(folder, image.drive)}/{USER_HIVE}"
                hive = self._hive(image, user.name, path)
                image.reading = _guarded(hive, _read_user, image, values, user).reading
            except (ImageFilesError, hives.HiveError) as error:
                user = dataclasses.replace(user, trouble=str(error))
            image.reading.add_hives([user])

    def _read_files(self, reading: Reading, places: t.Sequence[t.Any]) -> None:
        for file in _of(places, File):
            if not self.files.complete:
                reading.files[file.path] = Exists(trouble=NEEDS_FILES)
                continue
            try:
                reading.files[file.path] = Exists(self.files.exists(in_image(file.path, DRIVE)))
            except ImageFilesError as error:
                reading.files[file.path] = Exists(trouble=str(error))


def in_image(path: str, drive: str) -> str:
    """The path in an image of one that Windows has. Raises ImageFilesError where it is on another drive."""
    whole = re.sub(r"%(SystemRoot|windir)%", lambda dummy: rf"{drive}\Windows", path, flags=re.IGNORECASE)
    whole = re.sub(r"%SystemDrive%", lambda dummy: drive, whole, flags=re.IGNORECASE).replace("\\", "/")
    if whole[:3].casefold() != f"{drive}/".casefold():
        raise ImageFilesError(f"{path} is not on the drive {drive} of Windows, and the image has no other")
    return whole[3:]


def in_hive(key: str, control_set: str) -> tuple[str, str]:
    r"""The machine's hive that a key of HKLM is in, and its path there."""
    hive, dummy, path = key.partition("\\")[2].partition("\\")
    first, dummy, rest = path.partition("\\")
    if hive.upper() == SYSTEM and first.casefold() == "currentcontrolset":
        path = f"{control_set}\\{rest}"
    return hive.upper(), path


# ---- in a process of its own


def _guarded(hive: ImageHive, read: t.Callable[..., None], image: ImageReading, *more: t.Any) -> ImageReading:
    """The reading, with what this function has added to it from a hive."""

    def work() -> ImageReading:
        read(hives.Hive(hive.local, hive.path), image, *more)
        return image

    try:
        return hives.guarded(work, hive.path)
    except hives.HiveError as error:
        hive.unsound = str(error)
        raise


def _read_software(hive: hives.Hive, image: ImageReading, places: t.Sequence[t.Any]) -> None:
    _read_machine(hive, image, SOFTWARE, places)
    folder = hive.value(in_hive(CURRENT_VERSION, "")[1], "SystemRoot")
    if folder and isinstance(folder.data, str) and re.match(r"[A-Za-z]:\\", folder.data):
        image.drive = folder.data[:2]
    profiles = in_hive(PROFILES, "")[1]
    default = hive.value(profiles, "Default")
    if default and isinstance(default.data, str) and default.data:
        image.default_profile = default.data
    names = hive.subkeys(profiles)
    if len(names) > MOST_PROFILES:
        raise hives.HiveError(
            f"SOFTWARE names {len(names)} profiles of users, of which {MOST_PROFILES} can be looked at"
        )
    for sid in names:
        path = hive.value(f"{profiles}\\{sid}", "ProfileImagePath") if USER_SID.fullmatch(sid) else None
        if path and isinstance(path.data, str):
            image.profiles[sid] = path.data


def _read_system(hive: hives.Hive, image: ImageReading, places: t.Sequence[t.Any]) -> None:
    current, following = (_control_set(hive, name) for name in ("Current", "Default"))
    if not current:
        raise hives.HiveError(
            "SYSTEM does not say which control set is the current one (Select, Current), so that nothing in it can be "
            "told; restore it from a backup"
        )
    image.control_set = current
    image.other_control_set = following if following != current else ""
    _read_machine(hive, image, SYSTEM, places)
    for service in _of(places, ServiceValues):
        image.reading.begin_scan(SERVICES, service.name)
        services = in_hive(SERVICES, current)[1]
        for name in hive.subkeys(services):
            value = hive.value(f"{services}\\{name}", service.name)
            if value:
                image.reading.put(f"{SERVICES}\\{name}", service.name, Seen(value))
    if _of(places, PowerSetting):
        _read_schemes(hive, image, _of(places, PowerSetting))


def _control_set(hive: hives.Hive, name: str) -> str:
    value = hive.value("Select", name)
    number = as_number(value.data) if value else None
    control_set = f"ControlSet{number:03}" if number is not None and 0 < number < 1000 else ""
    return control_set if control_set and hive.exists(control_set) else ""


def _read_schemes(hive: hives.Hive, image: ImageReading, settings: t.Sequence[PowerSetting]) -> None:
    """Every scheme's own values; what is not there is in Windows' defaults, of which an image tells nothing."""
    reading = image.reading
    schemes = in_hive(POWER_SCHEMES, image.control_set)[1]
    names = [name.lower() for name in hive.subkeys(schemes) if GUID.fullmatch(name)]
    reading.schemes = tuple(dict.fromkeys(names))
    reading.schemes_trouble = "" if names else f"no power scheme was found in {schemes} of SYSTEM"
    active = hive.value(schemes, "ActivePowerScheme")
    if active and isinstance(active.data, str) and GUID.fullmatch(active.data):
        reading.active_scheme = active.data.lower()
    for mode in MODES.values():
        reading.begin_scan(POWER_SCHEMES, mode)
        for scheme in reading.schemes:
            for setting in settings:
                place = f"{scheme}\\{setting.subgroup}\\{setting.setting}"
                value = hive.value(f"{schemes}\\{place}", mode)
                if value:
                    reading.put(f"{POWER_SCHEMES}\\{place}", mode, Seen(value))


def _read_machine(hive: hives.Hive, image: ImageReading, name: str, places: t.Sequence[t.Any]) -> None:
    """Values and keys of HKLM that are in this hive."""
    values = [*SYSTEM_VALUES, *((one.key, one.name) for place in places for one in _values(place))]
    for key, value in values:
        of, path = in_hive(key, image.control_set)
        if of == name:
            trouble = NEEDS_GUEST if key in VOLATILE else ""
            image.reading.put(key, value, Seen(None if trouble else hive.value(path, value), trouble))
    for place in _of(places, RegistryKey):
        of, path = in_hive(place.key, image.control_set)
        if of == name:
            there = bool(hive.subkeys(path)) if place.subkeys else hive.exists(path)
            image.reading.keys[place.key] = Exists(there)


def _read_values(hive: hives.Hive, image: ImageReading, places: t.Sequence[t.Any]) -> None:
    _read_machine(hive, image, COMPONENTS, places)


def _read_user(hive: hives.Hive, image: ImageReading, values: t.Sequence[UserValue], user: Hive) -> None:
    for value in values:
        image.reading.put(user.key(value.key), value.name, Seen(hive.value(value.key, value.name)))


def _values(place: t.Any) -> list[RegistryValue]:
    """The values of HKLM that a row is about."""
    if isinstance(place, RegistryValue):
        return [place]
    if isinstance(place, TwoValues):
        return [place.one, place.other]
    if isinstance(place, PowerSetting):
        return [RegistryValue(f"{POWER_POLICY}\\{place.setting}", mode, "REG_DWORD") for mode in MODES.values()]
    return []


def _hive_of(key: str) -> str:
    return in_hive(key, "")[0]


def _of(places: t.Iterable[t.Any], kind: type[Named]) -> list[Named]:
    return [place for place in places if isinstance(place, kind)]
