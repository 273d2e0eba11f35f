# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated Windows guest: a domain with the ACPI guest, its Wine, its endpoint, and the model that drives it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Any, Self

import libvirt

from bed.guests import AcpiGuest, Bed, file_of
from bed.windows.blockers import Changes, with_changes
from bed.windows.commands import CommandServer, Process
from bed.windows.commands.types import Fault
from bed.windows.control import Control
from bed.windows.events import Event
from bed.windows.keys import PROFILES
from bed.windows.model import Decision
from bed.windows.network import HOST, Network
from bed.windows.prefix import USER
from bed.windows.registry import Registry, RegistryError
from bed.windows.situation import NOTHING_SPECIAL, Request, Session, Situation, State
from bed.windows.snapshot import Value
from bed.windows.systems import NEW_USER, SERVER_2022, USERS, Language, Profile, System, profile_values, registry
from bed.windows.typed import expandable
from bed.windows.wine import WinePrefix

HIVE = "NTUSER.DAT"
NEW_HIVE = r"HKU\new hive"
NO_CHANGES: Changes = MappingProxyType({})
ALWAYS_RUN = ("wininit.exe", "services.exe", "lsass.exe", "svchost.exe", "winlogon.exe")
SHELL = "explorer.exe"
"""What runs for everybody who is signed in."""
WHEN_SERVICING = ("TrustedInstaller.exe", "TiWorker.exe")


class SimulatedWindows:
    """One guest; use it as a context manager around the starts of its domain, of which there may be any number.

        with SimulatedWindows(bed, "one", SERVER_2022, registry=OBEDIENT) as windows:
            domain = windows.start()

    `bed`: where its domain is; `registry`: what differs from a new system; `situation`: what each boot finds; `words`:
    further words for the ACPI guest; `endpoint`: options of WinrmEndpoint. HTTP with NTLM unless they say otherwise.
    """

    def __init__(
        self,
        bed: Bed,
        name: str,
        system: System = SERVER_2022,
        *,
        language: Language = "en-US",
        situation: Situation = NOTHING_SPECIAL,
        registry: Changes = NO_CHANGES,
        time_scale: float = 60.0,
        words: str = "",
        password: str = "Sommer 2026 & mehr",
        **endpoint: Any,
    ) -> None:
        self.bed, self.name = bed, name
        self.system = replace(system, language=language)
        self.guest = AcpiGuest(name, f"press=ask {words}".strip())
        self.user, self.password = USER, password
        self.faults: list[Fault] = []
        """What goes wrong with its programs; see commands/faults.py."""
        self._situation, self._changes, self._time_scale = situation, registry, time_scale
        self._endpoint_options = endpoint
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            self.wine = resources.enter_context(
                WinePrefix(self.bed.directory / f"{self.name}.wine", self.system.language, self.bed.cache)
            )
            self._fill()
            self.commands = resources.enter_context(CommandServer(self))
            self.wine.variables.update(self.commands.variables)
            self.network = Network(self.wine.start, user=self.user, password=self.password, **self._endpoint_options)
            resources.callback(self.network.close)
            self.bed.forget(self.name)
            com1, com2 = (file_of(self.name, kind, self.bed.directory) for kind in ("com1", "com2"))
            self.control = Control(
                com1,
                com2,
                self.system,
                self.registry,
                self._situation,
                self._time_scale,
                self.network.set_up,
                self._set_hives,
            )
            self.control.start()
            resources.callback(self.control.close)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def start(self, timeout: float = 60.0) -> libvirt.virDomain:
        """Start the domain, defined if need be, and wait until WinRM answers or the guest has fallen asleep."""
        self.control.wait_until(lambda: not self.control.reachable, timeout)
        boots = self.boots
        known = {domain.name(): domain for domain in self.bed.connection.listAllDomains()}
        domain = known.get(self.name) or self.bed.define(self.guest)
        domain.create()
        self.control.wait_until(lambda: self.control.reachable or (self.boots > boots and self.control.asleep), timeout)
        return domain

    # The guest to its programs (commands.Windows).

    @property
    def registry(self) -> Registry:
        """Its registry. Hives of users who are not signed in are files; `read_profile` reads them."""
        return self.wine.registry

    @property
    def events(self) -> Sequence[tuple[float, Event]]:
        """All that was logged, with its time in seconds since 1970, the oldest first."""
        return list(self.control.events)

    @property
    def processes(self) -> Sequence[Process]:
        """What runs, as far as somebody might look for it."""
        state = self.control.state
        images = [(image, 0) for image in ALWAYS_RUN]
        if state and state.situation.servicing_runs:
            images += [(image, 0) for image in WHEN_SERVICING]
        for number, session in enumerate(state.sessions if state else (), 1):
            if session.user:
                images.append((SHELL, number))
            images += [(one.name, number) for one in session.applications]
        return [
            Process(image, 400 + 4 * index, "Services" if number == 0 else "Console", number)
            for index, (image, number) in enumerate(images)
        ]

    def request_shutdown(self, request: Request) -> int:
        """Ask for a shutdown; 0, or the number of Windows' error."""
        return self.control.request_shutdown(request)

    def abort_shutdown(self) -> int:
        """Abort a shutdown whose timer runs; 0, or the number of Windows' error."""
        return self.control.abort_shutdown()

    def power_scheme_activated(self) -> None:
        """The active power scheme is activated with its values of now."""
        self.control.power_scheme_activated()

    # The guest to a test.

    @property
    def decisions(self) -> list[Decision]:
        """What the model has decided so far, in all boots."""
        return list(self.control.decisions)

    @property
    def state(self) -> State | None:
        """What the guest is in."""
        return self.control.state

    @property
    def boots(self) -> int:
        """How often it has started."""
        return self.control.boots

    @property
    def variables(self) -> dict[str, Any]:
        """Ansible's variables for its host, without the password."""
        tls, basic = (self._endpoint_options.get(name, False) for name in ("tls", "allow_basic"))
        return {
            "ansible_connection": "winrm",
            "ansible_host": HOST,
            "ansible_port": self.network.port,
            "ansible_user": self.user,
            "ansible_winrm_scheme": "https" if tls else "http",
            "ansible_winrm_transport": "basic" if basic else "ntlm",
            "ansible_winrm_server_cert_validation": "ignore",
        }

    def left_alone(self, seconds: float) -> None:
        """Let so many of Windows' seconds pass without anybody touching it."""
        self.control.left_alone(seconds)

    def sign_in(self, session: Session) -> None:
        """A user signs in, and the user's hive is loaded; a user without a profile gets a copy of that for new ones."""
        if session.user:
            self._load_hive(session)
        self.control.sign_in(session)

    def sign_out(self, user: str) -> None:
        """A user signs out, and the user's hive is unloaded unless it is one that is loaded from the start."""
        state = self.control.state
        sids = [session.sid for session in (state.sessions if state else ()) if session.user == user]
        self.control.sign_out(user)
        for sid in set(sids) - {one.sid for one in USERS if one.loaded}:
            self.registry.unload(rf"HKU\{sid}")

    def read_profile(self, profile: Profile, key: str, name: str) -> Value | None:
        """A value in a user's hive, whether it is loaded or a file."""
        root = rf"HKU\{profile.sid}"
        if self.registry.snapshot(root).exists(root):
            return self.registry.snapshot(root).value(rf"{root}\{key}", name)
        self.registry.load(NEW_HIVE, rf"{profile.folder}\{HIVE}")
        try:
            return self.registry.snapshot(NEW_HIVE).value(rf"{NEW_HIVE}\{key}", name)
        finally:
            self.registry.unload(NEW_HIVE)

    def change(self, changes: Changes) -> None:
        """Change the registry; keys of users whose hives are files are none of it."""
        _write(self.registry, changes)

    def _fill(self) -> None:
        """Make the registry and the hives of a new system with the changes."""
        profiles = {rf"HKU\{one.sid}": one for one in (*USERS, NEW_USER)}
        machine: dict[str, Any] = {}
        hives: dict[str, dict[str, Any]] = {root: dict(profile_values()) for root in profiles}
        for key, values in with_changes(registry(self.system), self._changes).items():
            root = "\\".join(key.split("\\")[:2])
            if root in hives:
                below = key[len(root) + 1 :]
                hives[root][below] = {**hives[root].get(below, {}), **values}
            else:
                machine[key] = values
        _write(self.registry, machine)
        for root, profile in profiles.items():
            self._make_hive(profile, hives[root])

    def _make_hive(self, profile: Profile, values: Changes) -> None:
        self.wine.path(profile.folder).mkdir(parents=True, exist_ok=True)
        _write(self.registry, {NEW_HIVE: {}, **{rf"{NEW_HIVE}\{key}": named for key, named in values.items()}})
        self.registry.save(NEW_HIVE, rf"{profile.folder}\{HIVE}")
        self.registry.delete_key(NEW_HIVE)

    def _set_hives(self) -> None:
        """Load the hives that are loaded after a boot, and no others."""
        for name in self.registry.snapshot("HKU").subkeys("HKU"):
            try:
                self.registry.unload(rf"HKU\{name}")
            except RegistryError:
                pass  # it is not a hive that was loaded
        for profile in USERS:
            if profile.loaded:
                self.registry.load(rf"HKU\{profile.sid}", rf"{profile.folder}\{HIVE}")
        for session in self.control.situation.sessions:
            if session.user:
                self._load_hive(session)

    def _load_hive(self, session: Session) -> None:
        root, entry = rf"HKU\{session.sid}", rf"{PROFILES}\{session.sid}"
        if self.registry.snapshot(root).exists(root):
            return
        folder = self.registry.snapshot(entry).text(entry, "ProfileImagePath")
        if folder is None:
            folder = rf"C:\Users\{session.user}"
            self.wine.path(folder).mkdir(parents=True)
            default = self.wine.path(rf"{NEW_USER.folder}\{HIVE}")
            self.wine.path(rf"{folder}\{HIVE}").write_bytes(default.read_bytes())
            _write(self.registry, {entry: {"ProfileImagePath": expandable(folder)}})
        self.registry.load(root, rf"{folder}\{HIVE}")


def _write(live: Registry, changes: Changes) -> None:
    for key, values in changes.items():
        live.create(key)
        for name, value in values.items():
            if value is None:
                live.delete(key, name)
            else:
                live.set(key, name, value.type, value.data)
