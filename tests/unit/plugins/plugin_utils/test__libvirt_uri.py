# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a URI says: of the hypervisor's name, of Ansible's way there, and of libvirt as seen from there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils._libvirt_uri import UriError, parse

LOCAL = {"ansible_connection": "local"}


@pytest.mark.parametrize(
    ("text", "host", "there", "connection"),
    [
        ("qemu:///system", "", "qemu:///system", LOCAL),
        ("qemu:///session", "", "qemu:///session", LOCAL),
        ("test:///tmp/node.xml", "", "test:///tmp/node.xml", LOCAL),
        ("qemu+unix:///system?socket=/x/y", "", "qemu+unix:///system?socket=/x/y", LOCAL),
        ("qemu+tcp://localhost:1234/system", "localhost", "qemu+tcp://localhost:1234/system", LOCAL),
        ("qemu+ssh://kvm01/system", "kvm01", "qemu:///system", {"ansible_host": "kvm01"}),
        (
            "qemu+ssh://adm%40x@KVM01.example.org:2222/system?keyfile=/k",
            "kvm01.example.org",
            "qemu:///system",
            {"ansible_host": "kvm01.example.org", "ansible_user": "adm@x", "ansible_port": 2222},
        ),
        ("qemu+libssh2://a@b/session?socket=/x/y", "b", "qemu+unix:///session?socket=/x/y", None),
        ("qemu+ssh://root@localhost/system", "localhost", "qemu:///system", None),
        ("qemu+tls://kvm01:16514/system", "kvm01", "qemu:///system", {"ansible_host": "kvm01"}),
        ("qemu://[2001:db8::1]/system", "2001:db8::1", "qemu:///system", {"ansible_host": "2001:db8::1"}),
        ("xen+ssh://root@dom0", "dom0", "xen://", None),
    ],
)
def test_parse(text: str, host: str, there: str, connection: dict[str, Any] | None) -> None:
    uri = parse(text)
    assert (uri.text, uri.host, uri.there) == (text, host, there)
    assert connection is None or uri.connection == connection


@pytest.mark.parametrize(
    "text", ["", "kvm01", "/system", "qemu+ssh://host:port/system", "qemu://[x/system", "+x://y/z"]
)
def test_no_uri(text: str) -> None:
    with pytest.raises(UriError, match="is no libvirt URI"):
        parse(text)


def test_no_password_is_taken_or_shown() -> None:
    with pytest.raises(UriError, match="has no password") as told:
        parse("qemu+ssh://root:sesame@kvm01/system")
    assert "sesame" not in str(told.value)


def test_ssh_asks_nobody() -> None:
    assert parse("qemu+ssh://a/system").unattended == "qemu+ssh://a/system?no_tty=1"
    assert parse("qemu+ssh://a/system?keyfile=/k").unattended == "qemu+ssh://a/system?keyfile=/k&no_tty=1"
    for text in ("qemu+ssh://a/system?no_tty=0", "qemu:///system", "qemu+tls://a/system", "qemu+libssh://a/system"):
        assert parse(text).unattended == text
