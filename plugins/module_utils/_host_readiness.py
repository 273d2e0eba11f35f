# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What happens to the guests when the hypervisor goes down, and what is wrong with that. Pure.

libvirt's daemon acts when systemd-logind announces the shutdown, which is before systemd stops the first service;
libvirt-guests acts when systemd stops it, which is before the daemon is stopped.
"""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data, HostSetting, HostState, Row
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import DAEMON, GUESTS_SERVICE
from ansible_collections.winguest.shutdown.plugins.module_utils._host_reading import HostReading, Settings
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import Finding, state_of_wrong

if t.TYPE_CHECKING:
    from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue

AUTO_SHUTDOWN_SINCE = 11_002_000
STAGES = ("try_save", "try_shutdown", "poweroff")
DAEMON_DEFAULTS = {"auto_shutdown_wait": "30"}
# Those of libvirt itself, for where its script cannot be read.
SERVICE_DEFAULTS = {"URIS": "default", "ON_SHUTDOWN": "suspend", "SHUTDOWN_TIMEOUT": "300", "PARALLEL_SHUTDOWN": "0"}
NOBODY, SERVICE, LIBVIRT = "nobody", "libvirt-guests", "daemon"


class Host:
    """What the settings of a hypervisor mean."""

    def __init__(self, reading: HostReading) -> None:
        self.reading = reading
        script = _known(reading.script, SERVICE_DEFAULTS)
        self.service = {**SERVICE_DEFAULTS, **script, **_known(reading.service, SERVICE_DEFAULTS)}
        session = {"auto_shutdown_try_save": "persistent"} if reading.uri_path.startswith("/session") else {}
        none = {f"auto_shutdown_{stage}": "none" for stage in STAGES}
        self.daemon = {**none, **session, **DAEMON_DEFAULTS, **reading.daemon.values}
        if self.daemon["auto_shutdown_wait"] == "0":
            self.daemon["auto_shutdown_wait"] = DAEMON_DEFAULTS["auto_shutdown_wait"]

    @property
    def stages(self) -> dict[str, str]:
        """What the daemon does, stage by stage, and to which domains."""
        told = {stage: self.daemon[f"auto_shutdown_{stage}"] for stage in STAGES}
        known = self.reading.version >= AUTO_SHUTDOWN_SINCE
        return {stage: which for stage, which in told.items() if which != "none"} if known else {}

    @property
    def service_acts(self) -> bool:
        """Whether libvirt-guests acts on the domains of this libvirt."""
        kind = self.reading.uri_path
        uris = self.service["URIS"].split()
        named = any(uri.partition("?")[0].endswith(kind) and uri.startswith("qemu") for uri in uris)
        return self.reading.enabled and (named or ("default" in uris and kind == "/system"))

    @property
    def suspends(self) -> bool:
        """Whether libvirt-guests saves the guests: it does so with any other word than shutdown."""
        return self.service_acts and self.service["ON_SHUTDOWN"] != "shutdown"

    @property
    def acts_first(self) -> str:
        """Who acts first when the host goes down."""
        return LIBVIRT if self.stages else SERVICE if self.service_acts else NOBODY

    def acts(self) -> list[str]:
        """What is done to the guests when the host goes down, in this order."""
        if self.reading.trouble:
            return []
        acts = []
        if self.stages:
            acts.append(f"libvirt's daemon, when the shutdown is announced: {', then '.join(self._daemon_acts())}")
        if self.service_acts:
            what = "saves the running guests (managed save)" if self.suspends else self._service_shuts_down()
            acts.append(f"libvirt-guests, when systemd stops it: {what}")
        return acts or ["nobody asks the guests: their QEMU processes end with the host"]

    def _daemon_acts(self) -> t.Iterator[str]:
        wait = self.daemon["auto_shutdown_wait"]
        words = {
            "try_save": "saves {} domains",
            "try_shutdown": f"asks {{}} domains to shut down, and waits {wait} s for them together",
            "poweroff": "powers {} domains off by force",
        }
        for stage, which in self.stages.items():
            yield words[stage].format(which)

    def _service_shuts_down(self) -> str:
        seconds, parallel = self.service["SHUTDOWN_TIMEOUT"], self.service["PARALLEL_SHUTDOWN"]
        wait = "for ever" if seconds in ("0", "") else f"{seconds} s"
        one_by_one = not (parallel.isdigit() and int(parallel) > 1)
        how = "one after the other, and waits for each" if one_by_one else f"{parallel} at a time, and waits for all"
        return f"asks the running guests to shut down, {how} {wait}; what still runs then ends with the host"

    # ---- findings

    def findings(self, catalogue: Catalogue) -> list[Finding]:
        """What was found of every row about the hypervisor, in the order of the catalogue."""
        rows = [row for row in catalogue.rows if isinstance(row.location, (HostSetting, HostState))]
        return [self._finding(row, catalogue.waived.get(row.id, "")) for row in rows]

    def _finding(self, row: Row, waiver: str) -> Finding:
        place = row.location
        actual: Data | None
        trouble = self.reading.trouble or self._trouble(place)
        if trouble:
            return Finding(row, _name(place), "unreadable", detail=trouble)
        if isinstance(place, HostSetting):
            number, applies = self._setting(place)
            fine = not applies or row.desired.accepts(number)
            actual, detail = number, "" if applies else "it is not used"
        else:
            actual, detail = self._state(t.cast(HostState, place).name)
            fine = actual is None
        if fine:
            return Finding(row, _name(place), "ok", actual, detail)
        state, why = state_of_wrong(row, waiver)
        return Finding(row, _name(place), state, actual, "; ".join(filter(None, (detail, why))))

    def _trouble(self, place: t.Any) -> str:
        """Why what a row is about could not be read."""
        service = self.reading.service.trouble if self.reading.enabled else ""
        if isinstance(place, HostSetting):
            return service if place.file == GUESTS_SERVICE else self.reading.daemon.trouble
        about_service = place.name in ("both", "nobody", "suspends")
        about_daemon = place.name in ("both", "nobody", "daemon_poweroff", "daemon_ignored")
        return (service if about_service else "") or (self.reading.daemon.trouble if about_daemon else "")

    def _setting(self, place: HostSetting) -> tuple[int | str, bool]:
        """A number in the settings, and whether anything comes of it."""
        if place.file == GUESTS_SERVICE:
            text, applies = self.service[place.name], self.service_acts and not self.suspends
        else:
            text, applies = self.daemon[place.name], "try_shutdown" in self.stages
        return int(text) if text.isascii() and text.isdigit() else text, applies

    def _state(self, name: str) -> tuple[Data | None, str]:
        if name == "both":
            both = bool(self.stages) and self.service_acts
            return (tuple(self.acts()) if both else None), ""
        if name == "nobody":
            return (None if self.stages or self.service_acts else NOBODY), "masked" if self.reading.masked else ""
        if name == "suspends":
            return (self.service["ON_SHUTDOWN"] if self.suspends else None), ""
        if name == "daemon_poweroff":
            return self.stages.get("poweroff"), ""
        configured = [key for key, text in self.reading.daemon.values.items() if text not in ("none", "0")]
        ignored = configured if self.reading.version < AUTO_SHUTDOWN_SINCE else []
        return tuple(ignored) or None, ""


def _name(place: t.Any) -> str:
    if isinstance(place, HostSetting):
        return f"{place.file}: {place.name}"
    return {
        "both": f"{GUESTS_SERVICE} and {DAEMON}",
        "nobody": f"{GUESTS_SERVICE} and {DAEMON}",
        "suspends": f"{GUESTS_SERVICE}: ON_SHUTDOWN",
        "daemon_poweroff": f"{DAEMON}: auto_shutdown_poweroff",
        "daemon_ignored": f"{DAEMON}: auto_shutdown_*",
    }[place.name]


def _known(settings: Settings, names: t.Container[str]) -> dict[str, str]:
    """Those that libvirt-guests knows; one that is set to nothing is nothing, whatever its default is."""
    return {name: text for name, text in settings.values.items() if name in names}
