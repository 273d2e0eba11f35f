# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The WinRM endpoint serves real clients over real sockets. Its commands run in /bin/sh here, in place of Wine."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import winrm
import xmltodict  # type: ignore[import-untyped]
from ansible.errors import AnsibleConnectionFailure
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from bed.windows.endpoint import Fault, Limits, Request, Settings, WinrmEndpoint, commands, errors, faults
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError
from winrm.exceptions import WSManFaultError as PywinrmFault

PASSWORD = "Correct horse, 7 staples"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
NAMES = {"s": "http://www.w3.org/2003/05/soap-envelope", "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"}

# TLS and the way of authentication; over HTTP, NTLM encrypts the messages.
WAYS = pytest.mark.parametrize(("tls", "transport"), [(True, "basic"), (True, "ntlm"), (False, "ntlm")])


class Starter:
    """Starts commands in /bin/sh, and remembers them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, line: str) -> subprocess.Popen[bytes]:
        """Start one."""
        return self.start(line)

    def start(self, line: str, kind: type[subprocess.Popen[bytes]] = subprocess.Popen, **options: Any) -> Any:
        """Start one with further options of Popen."""
        self.lines.append(line)
        pipe = subprocess.PIPE
        process = kind(["/bin/sh", "-c", line], stdin=pipe, stdout=pipe, stderr=pipe, **options)
        self.processes.append(process)
        return process


Open = Callable[..., WinrmEndpoint]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def starter() -> Starter:
    return Starter()


@pytest.fixture
def endpoint(starter: Starter) -> Iterator[Open]:
    """Opens endpoints. Afterwards nothing may be left of them."""
    opened: list[WinrmEndpoint] = []
    before = set(threading.enumerate())

    def open_endpoint(start: Any = starter, **options: Any) -> WinrmEndpoint:
        opened.append(WinrmEndpoint(start, **{"password": PASSWORD, "allow_basic": True, **options}))
        return opened[-1]

    yield open_endpoint
    for one in opened:
        one.close()
    assert all(process.returncode is not None for process in starter.processes), "a command is still running"
    assert set(threading.enumerate()) <= before, "a thread is still running"


def pywinrm(endpoint: WinrmEndpoint, transport: Any = "basic", **options: Any) -> winrm.Protocol:
    """A client that looks at the certificate, and encrypts what TLS does not."""
    trust: Any = str(endpoint.certificate) if endpoint.certificate else None
    return winrm.Protocol(
        endpoint.url,
        transport,
        options.pop("username", endpoint.user),
        options.pop("password", PASSWORD),
        ca_trust_path=trust,
        message_encryption=options.pop("message_encryption", "auto" if endpoint.certificate else "always"),
        **{"operation_timeout_sec": 10, "read_timeout_sec": 15, **options},
    )


def pypsrp(endpoint: WinrmEndpoint, auth: str = "basic", **options: Any) -> WSMan:
    """The other client."""
    trust: Any = str(endpoint.certificate) if endpoint.certificate else False
    return WSMan(
        "127.0.0.1",
        port=endpoint.port,
        username=endpoint.user,
        password=options.pop("password", PASSWORD),
        ssl=endpoint.certificate is not None,
        auth=auth,
        cert_validation=trust,
        **options,
    )


def run(protocol: winrm.Protocol, line: str, *arguments: str) -> tuple[bytes, bytes, int]:
    """Run a command in a shell of its own."""
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, line, arguments)
    result = protocol.get_command_output(shell, command)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    return result


def actions(requests_: list[Request]) -> list[str]:
    """What was asked for."""
    return [request.action for request in requests_]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it has not come to hold within 20 s"
        time.sleep(0.01)


def post(endpoint: WinrmEndpoint, body: bytes) -> requests.Response:
    """Send anything at all."""
    return requests.post(endpoint.url, data=body, auth=(endpoint.user, PASSWORD), timeout=20)


def message(action: str, body: dict[str, Any] | None = None, shell: str = "", **header: Any) -> bytes:
    """A request as pywinrm makes it, with other header fields."""
    maker = winrm.Protocol("http://127.0.0.1/wsman", "basic", "user", "password")
    envelope = {"env:Envelope": maker.build_wsman_header(action, f"{SHELL}/cmd", shell)}
    envelope["env:Envelope"]["env:Header"].update({name.replace("_", ":"): text for name, text in header.items()})
    envelope["env:Envelope"]["env:Body"] = body or {}
    return xmltodict.unparse(envelope).encode()


def refusal(answer: requests.Response) -> tuple[int, str, int]:
    """HTTP status, subcode and code of a fault."""
    root = ET.fromstring(answer.content)
    code = root.find(".//f:WSManFault", NAMES)
    assert code is not None, answer.content
    return answer.status_code, root.findtext(".//s:Subcode/s:Value", "", NAMES), int(code.get("Code", ""))


# What clients do.


@WAYS
def test_pywinrm_runs_a_command(endpoint: Open, starter: Starter, tls: bool, transport: str) -> None:
    opened = endpoint(tls=tls, gather=10)
    began = time.monotonic()
    result = run(pywinrm(opened, transport), "printf 'a\\nü'; printf b >&2;", "exit", "7")
    assert result == (b"a\n\xc3\xbc", b"b", 7)
    assert starter.lines == ["printf 'a\\nü'; printf b >&2; exit 7"]
    assert actions(opened.requests) == ["Create", "Command", "Receive", "Signal", "Delete"]
    assert all(request.status == 200 and request.received > 1000 and request.sent > 400 for request in opened.requests)
    assert [request.shell_id is None for request in opened.requests] == [True, False, False, False, False]
    assert began < opened.requests[0].time < opened.requests[-1].time < time.monotonic()
    # The empty or unauthenticated request, the negotiation, and over HTTP the empty request that is accepted.
    assert opened.handshakes == {"basic": 0, "ntlm": 2 if tls else 3}[transport]
    assert opened.open_shells == 0
    opened.reset()
    assert (opened.requests, opened.handshakes) == ([], 0)


@pytest.mark.parametrize(("tls", "auth"), [(True, "basic"), (True, "ntlm"), (False, "ntlm"), (False, "negotiate")])
def test_pypsrp_runs_a_command(endpoint: Open, tls: bool, auth: str) -> None:
    opened = endpoint(tls=tls, gather=10)
    with pypsrp(opened, auth) as client:
        client.update_max_payload_size()
        assert client.max_envelope_size == 512_000
        shell = WinRS(client, codepage=65001, no_profile=True, idle_time_out=30, id=str(uuid.uuid4()), name="ours")
        wanted = shell.id
        with shell:
            assert shell.id == str(wanted).upper()
            process = Process(shell, "cat; exit 3", no_shell=True)
            process.begin_invoke()
            process.send(b"one ", end=False)
            process.send(b"two")
            process.end_invoke()
            assert (process.stdout, process.stderr, process.rc) == (b"one two", b"", 3)
            process.signal(SignalCode.TERMINATE)
            state = shell._get_shell()
            assert state["Name"] == "ours"
            assert state["IdleTimeOut"] == "PT30.000S"
    assert actions(opened.requests) == [
        *("Get", "Create", "Command", "Send", "Send", "Receive", "Signal", "Get", "Delete")
    ]


def ansible_connection(opened: WinrmEndpoint, **options: Any) -> Any:
    """Ansible's winrm connection, not connected yet."""
    connection = connection_loader.get("winrm", PlayContext(), "/dev/null")
    connection.set_options(
        direct={
            "remote_addr": "127.0.0.1",
            "remote_user": opened.user,
            "remote_password": PASSWORD,
            "port": opened.port,
            "scheme": "https" if opened.certificate else "http",
            "transport": ["basic" if opened.certificate else "ntlm"],
            **options,
        },
        var_options={"_extras": {"ansible_winrm_server_cert_validation": "ignore", "ansible_winrm_proxy": None}},
    )
    return connection


def powershell(starter: Starter) -> Callable[[str], subprocess.Popen[bytes]]:
    """Starts commands, and what PowerShell is given encoded as well."""

    def start(line: str) -> subprocess.Popen[bytes]:
        if line.startswith("PowerShell "):
            line = base64.b64decode(line.split()[-1]).decode("utf-16-le")
        return starter(line)

    return start


@pytest.mark.parametrize("tls", [True, False])
def test_ansibles_connection_runs_a_command(endpoint: Open, starter: Starter, tls: bool) -> None:
    opened = endpoint(powershell(starter), tls=tls, gather=10)
    connection = ansible_connection(opened)
    connection._connect()
    # As the collection does it, without PowerShell ...
    command = connection.protocol.run_command(connection.shell_id, "echo plain; exit 4")
    assert connection.protocol.get_command_output(connection.shell_id, command) == (b"plain\n", b"", 4)
    connection.protocol.cleanup_command(connection.shell_id, command)
    # ... and as Ansible does it.
    assert connection.exec_command("cat; exit 5", in_data=b"x" * 300_000) == (5, b"x" * 300_000, b"")
    connection.close()
    assert opened.open_shells == 0
    assert actions(opened.requests)[:4] == ["Create", "Command", "Receive", "Signal"]


def test_ansibles_connection_makes_a_new_shell_at_the_quota(endpoint: Open, starter: Starter) -> None:
    opened = endpoint(powershell(starter), tls=True, gather=10)
    connection = ansible_connection(opened)
    connection._connect()
    opened.on_request = faults.nth("Command", 1, faults.quota())
    assert connection.exec_command("echo again") == (0, b"again\n", b"")
    connection.close()
    assert actions(opened.requests) == [
        *("Create", "Command", "Delete", "Create", "Command", "Receive", "Signal", "Delete")
    ]


@pytest.mark.parametrize(("limit", "receives"), [(153_600, 4), (512_000, 1)])
def test_output_is_split_into_envelopes(endpoint: Open, limit: int, receives: int) -> None:
    opened = endpoint(tls=True, gather=10)
    client = pypsrp(opened, max_envelope_size=limit)
    with WinRS(client) as shell:
        process = Process(shell, "head -c 300000 /dev/zero | tr '\\0' x; head -c 60000 /dev/zero >&2")
        process.invoke()
        process.signal(SignalCode.TERMINATE)
    client.close()
    assert (process.stdout, process.stderr, process.rc) == (b"x" * 300_000, bytes(60_000), 0)
    sizes = [request.sent for request in opened.requests if request.action == "Receive"]
    assert len(sizes) == receives
    assert all(size <= limit for size in sizes)
    assert sizes[0] > min(limit, 480_000) - 256


def test_a_client_that_is_slower_than_its_command(
    endpoint: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is read ahead is limited, and nothing is lost for that."""
    monkeypatch.setattr(commands, "STORE", 100_000)
    done = tmp_path / "done"
    protocol = pywinrm(endpoint(tls=True))
    shell = protocol.open_shell()
    command = protocol.run_command(shell, f"head -c 2000000 /dev/zero; touch {done}")
    time.sleep(0.2)
    assert not done.exists()
    assert protocol.get_command_output(shell, command) == (bytes(2_000_000), b"", 0)
    assert done.exists()


def test_every_byte_passes_unchanged(endpoint: Open) -> None:
    protocol = pywinrm(endpoint(), "ntlm")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat; cat /dev/null >&2")
    everything = bytes(range(256)) * 3
    protocol.send_command_input(shell, command, everything, end=True)
    assert protocol.get_command_output(shell, command) == (everything, b"", 0)


def test_input_that_is_not_read_in_time_is_written_later(endpoint: Open, starter: Starter) -> None:
    protocol = pywinrm(endpoint(), "ntlm", operation_timeout_sec=1)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "kill -STOP $$; exec wc -c")
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.send_command_input(shell, command, b"x" * 100_000, end=True)
    os.kill(starter.processes[0].pid, signal.SIGCONT)
    assert protocol.get_command_output(shell, command) == (b"100000\n", b"", 0)
    with pytest.raises(PywinrmFault) as refused:
        protocol.send_command_input(shell, command, b"more")
    assert refused.value.wsman_fault_code == errors.PIPE_CLOSED


@pytest.mark.parametrize(
    ("status", "seen"), [(3010, 3010), (0xC0000005, -1073741819), (0x80070005, -2147024891), (-9, -9)]
)
def test_exit_statuses_are_those_of_windows(endpoint: Open, starter: Starter, status: int, seen: int) -> None:
    class Ended(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            super().wait(timeout)
            return status

    opened = endpoint(lambda line: starter.start(line, Ended))
    assert run(pywinrm(opened, "ntlm"), "true")[2] == seen


def test_output_is_given_at_once_and_the_rest_is_waited_for(endpoint: Open, tmp_path: Path) -> None:
    """A Receive without output times out, upon which pywinrm asks again."""
    go = tmp_path / "go"

    def on_request(action: str, number: int) -> None:
        if (action, number) == ("Receive", 3):
            go.touch()

    opened = endpoint(tls=True)
    opened.on_request = on_request
    protocol = pywinrm(opened, operation_timeout_sec=1)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, f"echo first; while [ ! -e {go} ]; do sleep 0.02; done; echo second")
    assert protocol.get_command_output_raw(shell, command) == (b"first\n", b"", -1, False)
    assert protocol.get_command_output(shell, command) == (b"second\n", b"", 0)
    statuses = [request.status for request in opened.requests if request.action == "Receive"]
    assert statuses[:3] == [200, 500, 200]


def test_shells_work_side_by_side(endpoint: Open, tmp_path: Path) -> None:
    """Each command ends only when all have begun."""
    opened = endpoint(tls=True)
    line = f"touch {tmp_path}/$0; while [ $(ls {tmp_path} | wc -l) -lt 8 ]; do sleep 0.01; done; echo $0"

    def client(number: int) -> tuple[bytes, bytes, int]:
        return run(pywinrm(opened, ("basic", "ntlm")[number % 2]), line.replace("$0", str(number)))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(client, range(8))) == [(b"%d\n" % number, b"", 0) for number in range(8)]
    assert opened.open_shells == 0


def test_commands_of_one_shell_work_side_by_side(endpoint: Open) -> None:
    protocol = pywinrm(endpoint(), "ntlm")
    shell = protocol.open_shell()
    slow = protocol.run_command(shell, "read go; echo slow")
    assert protocol.get_command_output(shell, protocol.run_command(shell, "echo quick")) == (b"quick\n", b"", 0)
    protocol.send_command_input(shell, slow, b"go\n")
    assert protocol.get_command_output(shell, slow) == (b"slow\n", b"", 0)


def test_settings_reach_whoever_can_obey_them(endpoint: Open, starter: Starter, tmp_path: Path) -> None:
    seen: list[Settings] = []

    def start_in(line: str, settings: Settings) -> subprocess.Popen[bytes]:
        seen.append(settings)
        return starter.start(line, env={**os.environ, **settings.environment}, cwd=settings.working_directory)

    wanted: dict[str, Any] = {
        "working_directory": str(tmp_path),
        "env_vars": {"A": "b c", "D": "é"},
        "idle_timeout": "PT1M30S",
    }
    protocol = pywinrm(endpoint(start_in=start_in), "ntlm")
    shell = protocol.open_shell(codepage=65001, noprofile=True, **wanted)
    command = protocol.run_command(shell, 'pwd; echo "$A$D"')
    assert protocol.get_command_output(shell, command)[0].decode() == f"{tmp_path}\nb cé\n"
    assert seen == [Settings({"A": "b c", "D": "é"}, str(tmp_path), 65001, True, idle_timeout=90)]
    with pytest.raises(PywinrmFault) as refused:
        pywinrm(endpoint(), "ntlm").open_shell(**wanted)
    assert refused.value.wsman_fault_code == errors.UNSUPPORTED_FEATURE


# The end of commands and shells.


def test_a_terminated_command_ends_and_is_forgotten(
    endpoint: Open, starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that does not want to."""
    monkeypatch.setattr(commands, "GRACE", 0.1)
    protocol = pywinrm(endpoint(), "ntlm")
    shell = protocol.open_shell()
    for line in ("echo up; exec sleep 60", "trap '' TERM; echo up; while :; do read x; done"):
        command = protocol.run_command(shell, line)
        assert protocol.get_command_output_raw(shell, command)[0] == b"up\n"
        protocol.cleanup_command(shell, command)
        with pytest.raises(PywinrmFault) as gone:
            protocol.get_command_output(shell, command)
        assert (gone.value.wsman_fault_code, gone.value.fault_subcode) == (2150858843, "w:InvalidSelectors")
    assert [process.returncode for process in starter.processes] == [-signal.SIGTERM, -signal.SIGKILL]


def test_an_interrupted_command_says_so(endpoint: Open) -> None:
    with pypsrp(endpoint(), "ntlm") as client, WinRS(client) as shell:
        process = Process(shell, "echo up; exec sleep 60")
        process.begin_invoke()
        process.poll_invoke()
        process.signal(SignalCode.CTRL_C)
        process.end_invoke()
    assert (process.stdout, process.rc) == (b"up\n", -1073741510)


@pytest.mark.parametrize("action", ["Delete", "Signal"])
def test_whoever_waits_for_output_is_told_of_the_end(endpoint: Open, action: str) -> None:
    opened = endpoint(tls=True)
    protocol, other = pywinrm(opened), pywinrm(opened)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "echo up; exec sleep 60")
    protocol.get_command_output_raw(shell, command)
    arrived = threading.Event()
    opened.on_request = lambda action, dummy: arrived.set() if action == "Receive" else None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(protocol.get_command_output, shell, command)
        assert arrived.wait(20)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        if action == "Delete":
            other.close_shell(shell)
        else:
            other.cleanup_command(shell, command)
        with pytest.raises(PywinrmFault) as ended:
            waiting.result(10)
    assert ended.value.wsman_fault_code == errors.ABORTED


def test_a_child_that_keeps_the_pipes_is_not_waited_for(endpoint: Open) -> None:
    protocol = pywinrm(endpoint(), "ntlm")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep 60 & echo $!")
    output, dummy, status = protocol.get_command_output(shell, command)
    os.kill(int(output), signal.SIGTERM)
    assert status == 0


def test_a_command_that_closes_its_output_is_waited_for(endpoint: Open) -> None:
    protocol = pywinrm(endpoint(), "ntlm")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "echo up; exec >&- 2>&-; read go; exit 9")
    assert protocol.get_command_output_raw(shell, command) == (b"up\n", b"", -1, False)
    protocol.send_command_input(shell, command, b"go\n")
    assert protocol.get_command_output(shell, command) == (b"", b"", 9)


def test_idle_shells_are_deleted(endpoint: Open) -> None:
    opened = endpoint(tls=True)
    protocol = pywinrm(opened)
    kept, shell = protocol.open_shell(idle_timeout=f"PT{'9' * 400}S"), protocol.open_shell(idle_timeout="PT0.1S")
    eventually(lambda: opened.open_shells == 1)
    with pytest.raises(PywinrmFault) as gone:
        protocol.run_command(shell, "echo")
    assert gone.value.wsman_fault_code == 2150858843
    protocol.run_command(kept, "true")


def test_a_running_request_is_no_idleness_and_a_running_command_is(endpoint: Open, starter: Starter) -> None:
    opened = endpoint(tls=True, limits=Limits(idle_timeout=2))
    protocol = pywinrm(opened)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep 2.2; echo out; exec sleep 60")
    assert protocol.get_command_output_raw(shell, command)[0] == b"out\n"
    eventually(lambda: opened.open_shells == 0 and starter.processes[0].returncode is not None)


def test_a_shell_outlives_its_connection(endpoint: Open) -> None:
    opened = endpoint(tls=True)
    first = pywinrm(opened)
    shell = first.open_shell()
    command = first.run_command(shell, "read x; echo $x")
    first.transport.close_session()
    second = pywinrm(opened, "ntlm")
    second.send_command_input(shell, command, b"still here\n")
    assert second.get_command_output(shell, command) == (b"still here\n", b"", 0)


def test_closing_breaks_everything_at_once(endpoint: Open, starter: Starter, tmp_path: Path) -> None:
    opened = endpoint(tls=True, directory=tmp_path)
    waiting, hanging, idle = pywinrm(opened), pywinrm(opened, "ntlm"), pywinrm(opened)
    with socket.create_connection(("127.0.0.1", opened.port)) as silent:
        idle.open_shell()
        shell = waiting.open_shell()
        command = waiting.run_command(shell, "exec sleep 60")
        opened.on_request = faults.every("Create", faults.hung())
        with ThreadPoolExecutor(2) as pool:
            outcomes: list[Future[Any]] = [
                pool.submit(waiting.get_command_output, shell, command),
                pool.submit(hanging.open_shell),
            ]
            eventually(lambda: actions(opened.requests).count("Create") == 3)
            began = time.monotonic()
            opened.close()
            assert time.monotonic() - began < 20
            for outcome in outcomes:
                with pytest.raises((requests.ConnectionError, PywinrmFault)):
                    outcome.result(10)
        assert silent.recv(1) == b""
    assert starter.processes[0].returncode == -signal.SIGTERM
    with pytest.raises(requests.ConnectionError):
        idle.open_shell()
    opened.close()


def test_a_guest_that_comes_back(endpoint: Open, tmp_path: Path) -> None:
    """Its port and its certificate are the same, and so a client need not be told anything."""
    first = endpoint(tls=True, directory=tmp_path)
    protocol = pywinrm(first)
    with pytest.raises(OSError, match="in use"):
        endpoint(port=first.port)
    protocol.open_shell()
    first.close()
    with pytest.raises(requests.ConnectionError):
        protocol.open_shell()
    endpoint(tls=True, directory=tmp_path, port=first.port)
    assert run(protocol, "echo back")[0] == b"back\n"


# Who may speak, and what is refused.


@WAYS
def test_wrong_credentials_are_refused(endpoint: Open, starter: Starter, tls: bool, transport: str) -> None:
    opened = endpoint(tls=tls)
    for wrong in ({"password": "wrong"}, {"username": "Administrators"}, {"username": "ELSEWHERE\\Administrator"}):
        with pytest.raises(InvalidCredentialsError):
            pywinrm(opened, transport, **wrong).open_shell()
    with pytest.raises(AuthenticationError), pypsrp(opened, transport, password="wrong") as client:
        WinRS(client).open()
    assert not opened.requests
    assert opened.handshakes > 3
    assert run(pywinrm(opened, transport, username=".\\administrator"), "echo in")[0] == b"in\n"
    with pytest.raises(AnsibleConnectionFailure, match="credentials were rejected"):
        ansible_connection(opened, remote_password="wrong", transport=[transport])._connect()
    assert len(starter.lines) == 1


@pytest.mark.parametrize(
    ("options", "offered"),
    [
        ({}, "Negotiate"),
        ({"allow_unencrypted": True}, 'Negotiate, Basic realm="WSMAN"'),
        ({"tls": True}, 'Negotiate, Basic realm="WSMAN"'),
        ({"tls": True, "allow_basic": False}, "Negotiate"),
        ({"tls": True, "allow_negotiate": False}, 'Basic realm="WSMAN"'),
    ],
)
def test_what_is_offered(endpoint: Open, options: dict[str, bool], offered: str) -> None:
    """Basic is not offered where the password could be read on the way."""
    opened = endpoint(**options)
    answer = requests.post(opened.url, timeout=20, verify=str(opened.certificate))
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, offered)
    for authorization in (
        "Basic !",
        "Basic \xe4",
        "Basic " + base64.b64encode(b"x").decode(),
        "Negotiate !",
        "Negotiate AAAA",
        "Bearer x",
    ):
        headers = {"Authorization": authorization}
        assert requests.post(opened.url, timeout=20, verify=str(opened.certificate), headers=headers).status_code == 401
    if "Basic" not in offered:
        right = ("Administrator", PASSWORD)
        assert requests.post(opened.url, timeout=20, verify=str(opened.certificate), auth=right).status_code == 401


def test_messages_in_clear_text_need_to_be_allowed(endpoint: Open) -> None:
    with pytest.raises(WinRMTransportError) as refused:
        pywinrm(endpoint(), "ntlm", message_encryption="never").open_shell()
    assert refused.value.code == 500
    allowed = endpoint(allow_unencrypted=True)
    assert run(pywinrm(allowed, "ntlm", message_encryption="never"), "echo clear")[0] == b"clear\n"
    assert run(pywinrm(allowed, "basic", message_encryption="auto"), "echo clear")[0] == b"clear\n"


def test_encrypted_messages_belong_to_their_connection(endpoint: Open) -> None:
    """As on Windows, pywinrm cannot go on after its connection was lost: 400, and not the message of another."""
    opened = endpoint()
    protocol = pywinrm(opened, "ntlm")
    shell = protocol.open_shell()
    opened.on_request = faults.nth("Command", 1, faults.cut_before())
    with pytest.raises(requests.ConnectionError):
        protocol.run_command(shell, "echo 1")
    with pytest.raises(WinRMTransportError) as lost:
        protocol.run_command(shell, "echo 2")
    assert lost.value.code == 400


TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "length": lambda body: body.replace(b"Length=", b"Length=1", 1),
    "message": lambda body: body[:-30] + bytes([body[-30] ^ 1]) + body[-29:],
    "end": lambda body: body[:-4],
    "head": lambda body: body.replace(b"OriginalContent", b"Content", 1),
    "signature": lambda body: body.replace(b"\x10\0\0\0", b"\xff\xff\xff\x7f", 1),
    "nothing": lambda body: body[: body.index(b"octet-stream\r\n") + 14] + b"--Encrypted Boundary--\r\n",
}


@pytest.mark.parametrize("what", TAMPERED)
def test_encrypted_messages_that_were_tampered_with(endpoint: Open, what: str) -> None:
    opened = endpoint()
    protocol = pywinrm(opened, "ntlm")
    session = protocol.transport.build_session()
    encryption: Any = protocol.transport.encryption
    request = encryption.prepare_encrypted_request(
        session, opened.url, message(f"{TRANSFER}/Create", {"rsp:Shell": None})
    )
    request.body = TAMPERED[what](request.body)
    request.headers["Content-Length"] = str(len(request.body))
    assert session.send(request, timeout=20).status_code == 400
    assert not opened.requests


def test_what_is_not_a_request(endpoint: Open) -> None:
    opened = endpoint(allow_unencrypted=True, limits=Limits(max_envelope_size=20_000))
    right: dict[str, Any] = {"auth": (opened.user, PASSWORD), "timeout": 20}
    assert requests.get(opened.url, **right).status_code == 405
    assert requests.post(opened.url + "/x", b"x", **right).status_code == 404
    assert requests.post(opened.url, iter([b"x"]), **right).status_code == 411
    assert requests.post(opened.url, headers={"Content-Length": "9" * 5000}, **right).status_code == 411
    assert requests.post(opened.url, b"x" * 20_001, **right).status_code == 413
    assert requests.post(opened.url, b"x" * 3_000_000, **right).status_code == 413
    headers = {"Content-Type": 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"'}
    assert requests.post(opened.url, b"x", headers=headers, **right).status_code == 400
    with pytest.raises(WinRMTransportError) as refused:
        protocol = pywinrm(opened, "ntlm")
        protocol.run_command(protocol.open_shell(), "echo " + "x" * 20_000)
    assert refused.value.code == 413


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
INVALID = {
    "no XML": b"no XML",
    "not well-formed": b"<a><b></a>",
    "no SOAP": b"<a/>",
    "encoding": b'<?xml version="1.0" encoding="foo"?><a/>',
    "other encoding": b'<?xml version="1.0" encoding="utf-7"?><a/>',
    "cut": message(f"{TRANSFER}/Create")[:-10],
    "entities": BOMB + b"<x>&b;&f;</x>",
    "entities and SOAP": BOMB + message(f"{TRANSFER}/Create", {"rsp:Shell": None}).partition(b"?>")[2],
    "document type": b"<!DOCTYPE x><x/>",
    "other body": message(f"{TRANSFER}/Create", {"rsp:Other": None}),
    "no body": message(f"{TRANSFER}/Create"),
    "no duration": message(f"{TRANSFER}/Create", {"rsp:Shell": {"rsp:IdleTimeOut": "soon"}}),
    "empty duration": message(f"{TRANSFER}/Create", {"rsp:Shell": None}, w_OperationTimeout="P"),
    "no size": message(f"{TRANSFER}/Create", {"rsp:Shell": None}, w_MaxEnvelopeSize="much"),
    "long size": message(f"{TRANSFER}/Create", {"rsp:Shell": None}, w_MaxEnvelopeSize="9" * 5000),
    "code page": message(
        f"{TRANSFER}/Create",
        {"rsp:Shell": None},
        w_OptionSet={"w:Option": [{"@Name": "WINRS_CODEPAGE", "#text": "850"}]},
    ),
    "no command": message(f"{SHELL}/Command", {"rsp:CommandLine": {"rsp:Command": " "}}, "SHELL"),
    "no stream": message(f"{SHELL}/Receive", {"rsp:Receive": None}, "SHELL"),
    "unknown output": message(f"{SHELL}/Receive", {"rsp:Receive": {"rsp:DesiredStream": "stdout pr"}}, "SHELL"),
    "unknown input": message(f"{SHELL}/Send", {"rsp:Send": {"rsp:Stream": {"@Name": "stdout"}}}, "SHELL"),
    "no base64": message(f"{SHELL}/Send", {"rsp:Send": {"rsp:Stream": {"@Name": "stdin", "#text": "*"}}}, "SHELL"),
    "no ASCII": message(f"{SHELL}/Send", {"rsp:Send": {"rsp:Stream": {"@Name": "stdin", "#text": "ä"}}}, "SHELL"),
    "unknown signal": message(f"{SHELL}/Signal", {"rsp:Signal": {"rsp:Code": "hup"}}, "SHELL"),
}


@pytest.mark.parametrize("what", INVALID)
def test_invalid_messages_are_refused(endpoint: Open, what: str) -> None:
    opened = endpoint(allow_unencrypted=True)
    shell = pywinrm(opened, "basic", message_encryption="never").open_shell()
    answer = post(opened, INVALID[what].replace(b">SHELL<", f">{shell}<".encode()))
    assert refusal(answer) == (500, "w:SchemaValidationError", errors.SCHEMA_VALIDATION)
    assert b"root:" not in answer.content


POWERSHELL = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
REFUSED = {
    "unknown action": (message(f"{SHELL}/Disconnect"), "a:ActionNotSupported", errors.INVALID_ACTION),
    "no action": (message(""), "a:MessageInformationHeaderRequired", errors.HEADER_REQUIRED),
    "PowerShell": (
        message(f"{TRANSFER}/Create", w_ResourceURI=POWERSHELL),
        "a:DestinationUnreachable",
        errors.INVALID_RESOURCE,
    ),
    "unknown resource": (
        message(f"{TRANSFER}/Get", w_ResourceURI="x"),
        "a:DestinationUnreachable",
        errors.INVALID_RESOURCE,
    ),
    "small envelope": (
        message(f"{TRANSFER}/Get", w_MaxEnvelopeSize="8191"),
        "w:EncodingLimit",
        errors.ENVELOPE_TOO_SMALL,
    ),
    "no shell": (message(f"{TRANSFER}/Delete"), "w:InvalidSelectors", errors.INSUFFICIENT_SELECTORS),
    "delete": (message(f"{TRANSFER}/Delete", shell="x"), "w:InvalidSelectors", 2150858843),
    "get": (message(f"{TRANSFER}/Get", shell="x"), "w:InvalidSelectors", 2150858843),
    "command": (
        message(f"{SHELL}/Command", {"rsp:CommandLine": {"rsp:Command": "x"}}, "x"),
        "w:InvalidSelectors",
        2150858843,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_messages(endpoint: Open, what: str) -> None:
    body, subcode, code = REFUSED[what]
    opened = endpoint(allow_unencrypted=True)
    assert refusal(post(opened, body)) == (500, subcode, code)
    assert [(request.status, request.received) for request in opened.requests] == [(500, len(body))]


def test_quotas(endpoint: Open, starter: Starter) -> None:
    opened = endpoint(tls=True, limits=Limits(max_shells_per_user=2, max_processes_per_shell=2))
    protocol = pywinrm(opened)
    shell, other = protocol.open_shell(), protocol.open_shell()
    with pytest.raises(PywinrmFault) as refused:
        protocol.open_shell()
    assert (refused.value.wsman_fault_code, refused.value.fault_subcode) == (0x803381A5, "w:QuotaLimit")
    commands_ = [protocol.run_command(shell, "exec sleep 60") for dummy in range(2)]
    with pytest.raises(PywinrmFault) as refused:
        protocol.run_command(shell, "exec sleep 60")
    assert (refused.value.wsman_fault_code, refused.value.fault_subcode) == (1816, "w:QuotaLimit")
    assert len(starter.lines) == 2
    protocol.cleanup_command(shell, commands_[0])
    protocol.run_command(shell, "exec sleep 60")
    protocol.close_shell(other)
    protocol.open_shell()


def test_a_command_that_cannot_be_started(endpoint: Open) -> None:
    def start(dummy: str) -> subprocess.Popen[bytes]:
        raise FileNotFoundError(2, "No such file or directory")

    protocol = pywinrm(endpoint(start), "ntlm")
    with pytest.raises(PywinrmFault, match="No such file") as refused:
        protocol.run_command(protocol.open_shell(), "echo")
    assert refused.value.wsman_fault_code == errors.NOT_STARTED


@pytest.mark.parametrize("bad", [{"password": ""}, {"password": "a:b"}, {"password": "a\nb"}, {"user": "a:b"}])
def test_an_account_that_cannot_be(endpoint: Open, bad: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be one line without a colon") as refused:
        endpoint(**bad)
    assert "a:b" not in str(refused.value)


def test_the_password_is_not_told(
    endpoint: Open, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in logs, not by the objects, not in the environment, and not in a file with a name."""
    caplog.set_level("DEBUG")
    opened = endpoint(tls=True)
    for transport in ("basic", "ntlm"):
        run(pywinrm(opened, transport), "echo said")
        with pytest.raises(InvalidCredentialsError):
            pywinrm(opened, transport, password="wrong").open_shell()
    post_like = [repr(opened), repr(vars(opened)), repr(opened.requests), repr(dict(os.environ)), caplog.text]
    assert opened.certificate is not None
    files = [path.read_text() for path in opened.certificate.parent.iterdir()]
    for text in (*post_like, *files, *capfd.readouterr()):
        assert PASSWORD not in text
    assert "NTLM_USER_FILE" not in os.environ
    assert {path.name for path in opened.certificate.parent.iterdir()} == {"certificate.pem", "key.pem"}
    opened.close()
    assert not opened.certificate.parent.exists()


# What goes wrong when a test wants it.


def fails(kind: type[Exception], **attributes: Any) -> Callable[[Callable[[], Any]], None]:
    """A check that something fails like this."""

    def check(attempt: Callable[[], Any]) -> None:
        with pytest.raises(kind) as failure:
            attempt()
        assert {name: getattr(failure.value, name) for name in attributes} == attributes

    return check


FAULTS = [
    ("cut before", faults.cut_before(), False, fails(requests.ConnectionError)),
    ("cut after", faults.cut_after(), True, fails(requests.ConnectionError)),
    ("truncated", faults.truncated(), True, fails(requests.exceptions.ChunkedEncodingError)),
    ("half XML", faults.half_xml(), True, fails(ET.ParseError)),
    ("garbage", faults.garbage(), True, fails(ET.ParseError)),
    ("bare 500", faults.http_error(), False, fails(WinRMTransportError, code=500)),
    ("bare 503", faults.http_error(503, b"<html>"), False, fails(WinRMTransportError, code=503)),
    ("quota", faults.quota(), False, fails(PywinrmFault, wmierror_code=0x803381A6, wsman_fault_code=None)),
    ("access denied", faults.access_denied(), False, fails(PywinrmFault, wsman_fault_code=5)),
    ("shell gone", faults.shell_gone(), False, fails(PywinrmFault, wsman_fault_code=2150858843)),
    ("timed out", faults.timed_out(), False, fails(WinRMOperationTimeoutError)),
]


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(("fault", "carried_out", "check"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_faults(
    endpoint: Open, starter: Starter, tls: bool, fault: Fault, carried_out: bool, check: Callable[..., None]
) -> None:
    """A fault at a command, and another that is not hit."""
    opened = endpoint(tls=tls)
    protocol = pywinrm(opened, "basic" if tls else "ntlm")
    shell = protocol.open_shell()
    opened.on_request = faults.nth("Command", (1, 3), fault)
    check(lambda: protocol.run_command(shell, "echo"))
    assert len(starter.lines) == carried_out
    assert actions(opened.requests) == ["Create", "Command"]
    again = pywinrm(opened, "basic" if tls else "ntlm")
    again.run_command(shell, "echo")
    check(lambda: again.run_command(shell, "echo"))


def test_a_slow_answer(endpoint: Open) -> None:
    opened = endpoint()
    protocol = pywinrm(opened, "ntlm")
    opened.on_request = faults.every("Create", faults.slow(0.4))
    began = time.monotonic()
    protocol.open_shell()
    assert time.monotonic() - began > 0.4


def test_a_hung_answer(endpoint: Open) -> None:
    opened = endpoint(tls=True)
    protocol = pywinrm(opened, operation_timeout_sec=1, read_timeout_sec=2)
    opened.on_request = faults.nth("Create", 1, faults.hung())
    with pytest.raises(requests.ReadTimeout):
        protocol.open_shell()
    assert opened.open_shells == 1
    protocol.open_shell()


@pytest.mark.parametrize("tls", [True, False])
def test_a_huge_answer(endpoint: Open, tls: bool) -> None:
    opened = endpoint(tls=tls)
    opened.on_request = faults.every("Receive", faults.huge(3_000_000, b"\0"))
    stdout, stderr, status = run(pywinrm(opened, "basic" if tls else "ntlm"), "echo end")
    assert (stdout == bytes(3_000_000) + b"end\n", stderr, status) == (True, b"", 0)
    assert opened.requests[2].sent > 4_000_000


def test_faults_of_our_own(endpoint: Open) -> None:
    """Any function may be asked, and is told how often the action came since the last reset."""
    asked: list[tuple[str, int]] = []

    def on_request(action: str, number: int) -> Fault | None:
        asked.append((action, number))
        error = errors.SoapFault("w:InternalError", 995, "ours", at="Receiver")
        return faults.soap_fault(error) if (action, number) == ("Receive", 2) else None

    opened = endpoint(tls=True)
    opened.on_request = on_request
    with pypsrp(opened) as client, WinRS(client) as shell:
        process = Process(shell, "echo one; read x")
        process.begin_invoke()
        process.poll_invoke()
        with pytest.raises(WSManFaultError, match="ours"):
            process.poll_invoke()
    assert asked == [("Create", 1), ("Command", 1), ("Receive", 1), ("Receive", 2), ("Delete", 1)]
    opened.reset()
    assert opened.on_request is None
