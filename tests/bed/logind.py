# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulator of systemd-logind, on a D-Bus system bus of its own: it hands out inhibitors and announces shutdowns.

A private libvirt sees the bus where it looks for the machine's, if the bus is started before the daemon is. Of logind
there is what libvirt's daemon uses: the method Inhibit and the signal PrepareForShutdown.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from xml.sax.saxutils import escape

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

NAME = "org.freedesktop.login1"
MANAGER = DBusAddress("/org/freedesktop/login1", NAME, "org.freedesktop.login1.Manager")
TIMEOUT = 20.0

# libvirt asks for an inhibitor only where the bus could start logind.
SERVICE = f"[D-BUS Service]\nName={NAME}\nExec=/bin/false\nUser=root\n"
CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <servicedir>{folder}</servicedir>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_requested_reply="true"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"""


class LogindError(RuntimeError):
    """The bus could not be started or did not do what it was told; the text says why."""


class Logind:
    """The bus and the simulator of logind on it; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        """`folder` becomes /run/dbus of the private libvirt: `PrivateLibvirt.directory / "run" / "dbus"`."""
        self._folder = folder
        self._socket = folder / "system_bus_socket"
        self._inhibitors: dict[int, tuple[str, ...]] = {}
        self._ended = threading.Event()

    def __enter__(self) -> Logind:
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "bus.conf"
        configuration.write_text(
            CONFIGURATION.format(folder=escape(str(self._folder)), socket=escape(str(self._socket)))
        )
        (self._folder / f"{NAME}.service").write_text(SERVICE)
        # It ends with the thread that has started it, in whatever way that ends.
        command = ["setpriv", "--pdeathsig", "KILL", "dbus-daemon", "--nofork", "--nopidfile", "--nosyslog"]
        with (self._folder / "log").open("wb") as log:
            self._bus = subprocess.Popen([*command, f"--config-file={configuration}"], stderr=log)
        try:
            self._connection = self._connect()
            self._connection.send_and_get_reply(message_bus.RequestName(NAME), timeout=TIMEOUT)
        except BaseException:
            self._bus.kill()
            self._bus.wait()
            raise
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()
        self._bus.kill()
        self._bus.wait()
        for descriptor in self._inhibitors:
            os.close(descriptor)

    def inhibitors(self) -> list[tuple[str, ...]]:
        """What is held now, each as what, who, why and mode."""
        held = []
        for descriptor, words in list(self._inhibitors.items()):
            poll = select.poll()
            poll.register(descriptor, 0)
            if not poll.poll(0):  # the other end is open
                held.append(words)
        return held

    def announce_shutdown(self) -> None:
        """Tell all that listen that the host is about to go down."""
        self._connection.send(new_signal(MANAGER, "PrepareForShutdown", "b", (True,)))

    def _connect(self) -> DBusConnection:
        deadline = time.monotonic() + TIMEOUT
        while True:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return open_dbus_connection(f"unix:path={self._socket}", enable_fds=True)
            if self._bus.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "log").read_text(errors="replace")
                raise LogindError(f"dbus-daemon did not listen on {self._socket}. It said:\n{said}")
            time.sleep(0.02)

    def _serve(self) -> None:
        """Answer the calls until the end."""
        while not self._ended.is_set():
            try:
                call = self._connection.receive(timeout=0.1)
            except TimeoutError:
                continue
            if call.header.message_type is not MessageType.method_call:
                continue
            if call.header.fields.get(HeaderFields.member) != "Inhibit":
                self._connection.send(new_error(call, "org.freedesktop.DBus.Error.UnknownMethod"))
                continue
            ours, theirs = os.pipe()
            self._inhibitors[ours] = call.body
            self._connection.send(new_method_return(call, "h", (theirs,)))
            os.close(theirs)
