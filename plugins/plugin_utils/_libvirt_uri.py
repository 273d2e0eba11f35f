# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What a libvirt URI says about its hypervisor. Pure."""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

SSH_TRANSPORTS = ("ssh", "libssh", "libssh2")
HERE = "localhost"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class UriError(ValueError):
    """It is no libvirt URI; the text says why."""


@dataclasses.dataclass(frozen=True)
class Uri:
    """A URI taken apart. host is empty where libvirt runs on this machine."""

    text: str
    driver: str
    transport: str
    host: str
    user: str
    port: int | None
    path: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def local(self) -> bool:
        """Whether this machine reaches it without logging in anywhere."""
        return not self.host or (self.host in LOOPBACK and not self.over_ssh)

    @property
    def over_ssh(self) -> bool:
        """Whether libvirt is reached through ssh, as Ansible would reach the host."""
        return self.transport in SSH_TRANSPORTS

    @property
    def there(self) -> str:
        """The URI by which the hypervisor itself reaches the same libvirt."""
        if self.local:
            return self.text
        socket = dict(self.parameters).get("socket")
        if socket and self.over_ssh:
            return f"{self.driver}+unix://{self.path}?{urllib.parse.urlencode({'socket': socket}, safe='/')}"
        return f"{self.driver}://{self.path}"

    @property
    def unattended(self) -> str:
        """The URI with which ssh asks nobody: a question at the terminal would hold the inventory up."""
        if self.transport != "ssh" or "no_tty" in dict(self.parameters):
            return self.text
        return f"{self.text}{'&' if '?' in self.text else '?'}no_tty=1"

    @property
    def connection(self) -> dict[str, t.Any]:
        """What it tells of Ansible's connection to the hypervisor."""
        if self.local:
            return {"ansible_connection": "local"}
        known: dict[str, t.Any] = {"ansible_host": self.host}
        if self.over_ssh:
            known.update(ansible_user=self.user or None, ansible_port=self.port)
        return {name: value for name, value in known.items() if value is not None}


def parse(text: str) -> Uri:
    """Take it apart. Raises UriError."""
    # A plain string: what Ansible hands out may be one that carries more.
    text = "".join(text)
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UriError(f"{text!r} is no libvirt URI: {error}") from error
    driver, dummy, transport = parts.scheme.partition("+")
    if not driver or not text.startswith(f"{parts.scheme}:"):
        raise UriError(f"{text!r} is no libvirt URI; one is qemu:///system, or qemu+ssh://root@host/system")
    if parts.password is not None:
        raise UriError("a libvirt URI has no password; libvirt takes credentials from its auth.conf, and ssh has keys")
    user = urllib.parse.unquote(parts.username or "")
    parameters = tuple(urllib.parse.parse_qsl(parts.query))
    return Uri(text, driver, transport, parts.hostname or "", user, port, parts.path, parameters)
