# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Windows' own programs, run over the connection that Ansible has to a guest, without PowerShell where it can be.

Over `winrm`, command lines go into the shell that the connection has open, by pywinrm's public calls. Every other
connection gets them through its exec_command, in the words of the shell that answers there.
"""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t
from xml.etree.ElementTree import ParseError

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable

if t.TYPE_CHECKING:
    from ansible.plugins.connection import ConnectionBase

LONGEST_OUTPUT = 1 << 20
"""Bytes of one command's output that are read; a guest with two users needs about a twentieth of it."""

BAD_GATEWAYS = (400, 502, 503)
LOST_SHELL = (2150858843, 2150858770, 2150859174)
"""WS-Management's fault codes for a shell that is gone, a service that is shutting down, and a full quota."""


class ShellError(AnsibleError):
    """A command could not be run, or its answer did not come; the text says which and why."""


class BrokenConnection(ShellError):
    """The connection broke; started says whether the guest had taken the command, whose fate is not known then."""

    started = False


@dataclasses.dataclass(frozen=True)
class Output:
    """What a command printed, and how it ended; status is None where it was cut off because it printed too much."""

    text: str
    errors: str
    status: int | None


class WindowsShell:
    """Runs command lines for cmd.exe on one guest, one after the other."""

    def __init__(self, connection: ConnectionBase, timeout: float) -> None:
        """timeout: seconds that one command may take."""
        self.connection = connection
        self.timeout = timeout

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        """Run a command line to its end.

        clean_up: tell the guest afterwards that the command is done with; if not, the end of the connection does.

        Raises AnsibleConnectionFailure where the guest cannot be reached, BrokenConnection where it no longer can, and
        ShellError where it refuses or takes longer than the timeout.
        """
        raise NotImplementedError

    def reconnect(self) -> None:
        """Give up what is left of the connection, and connect anew."""
        raise NotImplementedError

    def leave(self) -> None:
        """Give the connection up without a word to the guest, which may be about to cut it."""


class WinrmShell(WindowsShell):
    """The shell of Ansible's winrm connection."""

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        """In the open shell, whose code page is UTF-8."""
        self.connection._connect()
        connection: t.Any = self.connection
        protocol, shell = connection.protocol, connection.shell_id
        with _Told():
            command = protocol.run_command(shell, line)
        try:
            with _Told():
                output = self._output(protocol, shell, command)
        except BrokenConnection as error:
            error.started = True
            raise
        except ShellError:
            _clean_up(protocol, shell, command)
            raise
        if clean_up:
            _clean_up(protocol, shell, command)
        return output

    def reconnect(self) -> None:
        """In a new shell."""
        self.connection.reset()

    def leave(self) -> None:
        """Close the TCP connection; with no shell to delete, Ansible has nothing to say at the end either."""
        connection: t.Any = self.connection
        if connection.protocol:
            connection.protocol.transport.close_session()
        connection.protocol = connection.shell_id = None

    def _output(self, protocol: t.Any, shell: str, command: str) -> Output:
        """Read to the end of the command, or until it has printed too much."""
        from winrm.exceptions import WinRMOperationTimeoutError

        # Public since pywinrm 0.5.0.
        receive = getattr(protocol, "get_command_output_raw", None) or protocol._raw_get_command_output
        deadline = time.monotonic() + self.timeout
        output, errors, size = [], [], 0
        while size <= LONGEST_OUTPUT:
            try:
                out, err, status, done = receive(shell, command)
            except WinRMOperationTimeoutError:
                done = False
            else:
                output.append(out)
                errors.append(err)
                size += len(out) + len(err)
                if done:
                    return Output(_text(output), _text(errors), status)
            if time.monotonic() > deadline:
                raise ShellError(f"the guest has not answered within {self.timeout:g} s (option timeout)")
        return Output(_text(output), _text(errors), None)


def _clean_up(protocol: t.Any, shell: str, command: str) -> None:
    """End the command, and with it what it may have left running; where that fails, the shell's end will do it."""
    try:
        protocol.cleanup_command(shell, command)
    except Exception:
        pass


class ExecShell(WindowsShell):
    """Any other connection's exec_command."""

    def run(self, line: str, *, clean_up: bool = True) -> Output:
        """By cmd.exe, also where PowerShell is what answers."""
        self.connection._connect()
        line = f"chcp 65001>nul&{line}"
        family = getattr(self.connection._shell, "SHELL_FAMILY", "")
        if family == "powershell":
            # cmd.exe takes the outer quotes away (/s), and PowerShell hands over what is between single ones as it is,
            # but for those themselves, to which PowerShell counts the typographic ones.
            escaped = re.sub("['\u2018-\u201b]", r"\g<0>\g<0>", line)
            line = f"cmd.exe /d /s /c '{escaped}'"
        elif family != "cmd":
            raise ShellError(
                f"the connection {self.connection.transport} has a shell of the kind {family!r}; "
                "set ansible_shell_type to cmd or powershell, whichever answers on the guest"
            )
        with _Told():
            status, output, errors = self.connection.exec_command(line, in_data=None, sudoable=False)
        text = _text([output])
        if len(text) > LONGEST_OUTPUT:
            return Output(text[:LONGEST_OUTPUT], "", None)
        return Output(text, _text([errors]), status)

    def reconnect(self) -> None:
        """As far as the connection can."""
        reset = getattr(self.connection, "reset", None)
        if reset:
            reset()


def open_shell(connection: ConnectionBase, timeout: float) -> WindowsShell:
    """The way to run commands over this connection."""
    if connection.transport == "winrm":
        return WinrmShell(connection, timeout)
    return ExecShell(connection, timeout)


class _Told:
    """Turns what the clients raise into errors that say what happened."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: t.Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, (ShellError, AnsibleConnectionFailure)):
            return
        # Without the error for its cause: Ansible would show that too, with all the guest has put into it.
        text = f"{type(error).__name__}: {printable(str(error)[:500])}"
        client = type(error).__module__.partition(".")[0]
        if client in ("requests", "urllib3", "http") or isinstance(error, (OSError, EOFError, ParseError)):
            raise BrokenConnection(f"the connection to the guest broke: {text}") from None
        if getattr(error, "wsman_fault_code", None) in LOST_SHELL or getattr(error, "code", 0) in BAD_GATEWAYS:
            raise BrokenConnection(f"the guest's WinRM service gave up the shell: {text}") from None
        raise ShellError(f"the guest did not run a command: {text}") from None


def _text(pieces: t.Sequence[bytes]) -> str:
    return b"".join(pieces).decode("utf-8", errors="replace")
