# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the endpoint does with each message: the operations on shells of [MS-WSMV] 3.1.4, and Get of DSP0226.

Not known, and refused as an unknown action: Connect, Disconnect, Reconnect, Enumerate, Put, Subscribe, Identify.
"""

from __future__ import annotations

import base64
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable

from bed.windows.endpoint import errors, soap
from bed.windows.endpoint.commands import Command, Output
from bed.windows.endpoint.errors import SoapFault
from bed.windows.endpoint.shells import Limits, Settings, Shell, Shells, Start, StartIn
from bed.windows.endpoint.soap import ADDRESSING, CONFIG, SHELL, TRANSFER, WSMAN, Message, element, shell_element

CMD = f"{SHELL}/cmd"
SIGNAL = f"{SHELL}/signal/"
STATE = f"{SHELL}/CommandState/"
LONGEST = 2_147_483  # seconds of IdleTimeout, whose milliseconds have 31 bits
CODE_PAGES = (437, 65001)  # with others, what is written would have to be translated


class Service:
    """The actions by their URIs. `gather` is explained at WinrmEndpoint."""

    def __init__(self, start: Start, start_in: StartIn | None, limits: Limits, gather: float) -> None:
        self._start = start
        self._start_in = start_in
        self._limits = limits
        self._gather = gather
        self.shells = Shells(limits)
        self._actions: dict[str, Callable[[Message], bytes]] = {
            f"{TRANSFER}/Get": self._get,
            f"{TRANSFER}/Create": self._create,
            f"{TRANSFER}/Delete": self._delete,
            f"{SHELL}/Command": self._command,
            f"{SHELL}/Send": self._send,
            f"{SHELL}/Receive": self._receive,
            f"{SHELL}/Signal": self._signal,
        }

    def answer(self, message: Message) -> bytes:
        """Do what is asked for, and return the answer; a refusal is a SoapFault."""
        action = self._actions.get(message.action)
        if action is None:
            reason = f"The action {message.action} is not supported."
            raise SoapFault("a:ActionNotSupported", errors.INVALID_ACTION, reason)
        return action(message)

    def close(self) -> None:
        """End all shells."""
        self.shells.close()

    def _get(self, message: Message) -> bytes:
        if message.resource == CONFIG:
            config = ET.Element(f"{{{CONFIG}}}Config")
            element(config, CONFIG, "MaxEnvelopeSizekb", str(self._limits.max_envelope_size // 1024))
            element(config, CONFIG, "MaxTimeoutms", str(round(self._limits.max_timeout * 1000)))
            return soap.answer(message, config)
        if message.resource in (SHELL, CMD):
            with self.shells.using(message.shell_id) as shell:
                return soap.answer(message, _described(shell))
        raise _unknown_resource(message)

    def _create(self, message: Message) -> bytes:
        if message.resource != CMD:
            raise _unknown_resource(message)
        body = _body(message, "Shell")
        settings = self._settings(message, body)
        if (settings.environment or settings.working_directory) and self._start_in is None:
            reason = "This endpoint was not given the means to start a command with an environment or a folder."
            raise SoapFault("w:UnsupportedFeature", errors.UNSUPPORTED_FEATURE, reason)
        shell = self.shells.open(body.get("ShellId", ""), settings)
        created = ET.Element(f"{{{TRANSFER}}}ResourceCreated")
        element(created, ADDRESSING, "Address", soap.ANONYMOUS)
        reference = element(created, ADDRESSING, "ReferenceParameters")
        element(reference, WSMAN, "ResourceURI", CMD)
        element(element(reference, WSMAN, "SelectorSet"), WSMAN, "Selector", shell.id, Name="ShellId")
        return soap.answer(message, created, _described(shell))

    def _delete(self, message: Message) -> bytes:
        with self.shells.using(message.shell_id) as shell:
            self.shells.delete(shell.id)
        return soap.answer(message)

    def _command(self, message: Message) -> bytes:
        """[MS-WSMV] 3.1.4.11. WINRS_SKIP_CMD_SHELL changes nothing: since Server 2012 R2 it does not, says pypsrp."""
        body = _body(message, "CommandLine")
        line = " ".join([_text(body, "Command"), *_texts(body, "Arguments")])
        if not line.strip():
            raise errors.invalid("The command line is empty.")
        with self.shells.using(message.shell_id) as shell:
            command_id = shell.add(
                body.get("CommandId", ""),
                self._limits.max_processes_per_shell,
                lambda: Command(self._started(line, shell.settings), self._gather),
            )
        response = shell_element("CommandResponse")
        element(response, SHELL, "CommandId", command_id)
        return soap.answer(message, response)

    def _send(self, message: Message) -> bytes:
        deadline = time.monotonic() + self._timeout(message)
        with self.shells.using(message.shell_id) as shell:
            for stream in _body(message, "Send").findall(f"{{{SHELL}}}Stream"):
                if stream.get("Name") not in shell.settings.input_streams.split():
                    raise errors.invalid(f"The shell has no input stream {stream.get('Name')!r}.")
                try:
                    data = base64.b64decode("".join((stream.text or "").split()), validate=True)
                except ValueError:
                    raise errors.invalid("What a stream is sent is not base64.") from None
                command = shell.command(stream.get("CommandId", ""))
                command.send(data, _true(stream.get("End", "")), max(0.0, deadline - time.monotonic()))
        return soap.answer(message, shell_element("SendResponse"))

    def _receive(self, message: Message) -> bytes:
        """[MS-WSMV] 3.1.4.14."""
        desired = _body(message, "Receive").find(f"{{{SHELL}}}DesiredStream")
        if desired is None:
            raise errors.invalid("Receive needs a DesiredStream.")
        command_id = desired.get("CommandId", "")
        streams = (desired.text or "").split()
        with self.shells.using(message.shell_id) as shell:
            unknown = set(streams) - set(shell.settings.output_streams.split())
            if unknown or not streams:
                raise errors.invalid(f"The shell has no output stream {' '.join(sorted(unknown))!r}.")
            command = shell.command(command_id)
            largest = Output(dict.fromkeys(streams, b""), -1 << 31)
            room = self._envelope(message) - len(soap.answer(message, _received(command_id, largest)))
            # Base64 makes four characters of three bytes, and fills the last four of each stream.
            output = command.receive(streams, room // 4 * 3 - 3 * len(streams), self._timeout(message))
        return soap.answer(message, _received(command_id, output))

    def _signal(self, message: Message) -> bytes:
        body = _body(message, "Signal")
        command_id, code = body.get("CommandId", ""), _text(body, "Code")
        with self.shells.using(message.shell_id) as shell:
            # Both spellings are in use: [MS-WSMV] 2.2.4.38 has "terminate", others write "Terminate".
            if code.lower() == f"{SIGNAL}terminate":
                shell.terminate(command_id)
            elif code in (f"{SIGNAL}ctrl_c", f"{SIGNAL}ctrl_break"):
                shell.command(command_id).interrupt()
            else:
                raise errors.invalid(f"There is no signal {code!r}.")
        return soap.answer(message, shell_element("SignalResponse"))

    def _started(self, line: str, settings: Settings) -> subprocess.Popen[bytes]:
        try:
            return self._start_in(line, settings) if self._start_in else self._start(line)
        except OSError as error:
            reason = f"The command was not started: {error.strerror}."
            raise SoapFault("w:InternalError", errors.NOT_STARTED, reason, at="Receiver") from error

    def _settings(self, message: Message, body: ET.Element) -> Settings:
        options, idle_timeout = message.options, _text(body, "IdleTimeOut")
        code_page = options.get("WINRS_CODEPAGE", "437")
        if code_page not in map(str, CODE_PAGES):
            raise errors.invalid(f"The code page {code_page!r} is not one of {CODE_PAGES}.")
        variables = body.findall(f"{{{SHELL}}}Environment/{{{SHELL}}}Variable")
        return Settings(
            environment={one.get("Name", ""): one.text or "" for one in variables},
            working_directory=_text(body, "WorkingDirectory"),
            code_page=int(code_page),
            no_profile=_true(options.get("WINRS_NOPROFILE", "")),
            name=_text(body, "Name"),
            input_streams=_text(body, "InputStreams") or Settings.input_streams,
            output_streams=_text(body, "OutputStreams") or Settings.output_streams,
            idle_timeout=min(soap.seconds(idle_timeout), LONGEST) if idle_timeout else self._limits.idle_timeout,
        )

    def _timeout(self, message: Message) -> float:
        return min(message.timeout or self._limits.max_timeout, self._limits.max_timeout)

    def _envelope(self, message: Message) -> int:
        return min(message.max_envelope or self._limits.max_envelope_size, self._limits.max_envelope_size)


def _received(command_id: str, output: Output) -> ET.Element:
    response = shell_element("ReceiveResponse")
    done = output.exit_status is not None
    for name, data in output.data.items():
        if data:
            element(response, SHELL, "Stream", base64.b64encode(data).decode(), Name=name, CommandId=command_id)
        if done:
            element(response, SHELL, "Stream", Name=name, CommandId=command_id, End="true")
    state = element(
        response, SHELL, "CommandState", CommandId=command_id, State=STATE + ("Done" if done else "Running")
    )
    if output.exit_status is not None:
        # ExitCode is an xs:int, and Windows' exit statuses are unsigned.
        status = output.exit_status & 0xFFFFFFFF
        element(state, SHELL, "ExitCode", str(status - (1 << 32) if status >> 31 else status))
    return response


def _described(shell: Shell) -> ET.Element:
    description = shell_element("Shell")
    settings = shell.settings
    for name, text in (
        ("ShellId", shell.id),
        ("Name", settings.name),
        ("ResourceUri", CMD),
        ("ClientIP", "127.0.0.1"),
        ("IdleTimeOut", _duration(settings.idle_timeout)),
        ("InputStreams", settings.input_streams),
        ("OutputStreams", settings.output_streams),
        ("ShellRunTime", _duration(time.monotonic() - shell.opened)),
        ("ShellInactivity", _duration(shell.idle)),
    ):
        if text:
            element(description, SHELL, name, text)
    return description


def _duration(seconds: float) -> str:
    return f"PT{seconds:.3f}S"


def _body(message: Message, name: str) -> ET.Element:
    if message.body is None or message.body.tag != f"{{{SHELL}}}{name}":
        raise errors.invalid(f"The body of this request must be an element {name} of the shell's namespace.")
    return message.body


def _texts(parent: ET.Element, name: str) -> list[str]:
    return [found.text or "" for found in parent.findall(f"{{{SHELL}}}{name}")]


def _text(parent: ET.Element, name: str) -> str:
    return next(iter(_texts(parent, name)), "")


def _true(text: str) -> bool:
    return text.strip().lower() in ("true", "1")


def _unknown_resource(message: Message) -> SoapFault:
    reason = f"There is nothing at the resource URI {message.resource!r}."
    return SoapFault("a:DestinationUnreachable", errors.INVALID_RESOURCE, reason, detail="InvalidResourceURI")
