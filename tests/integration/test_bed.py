# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bed's guests are domains as they were ordered, and can be heard and told things."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import libvirt
import pytest
from bed.acpi_guest import DiskState, disk_state
from bed.guests import LIBOSINFO, WINDOWS_10, AcpiGuest, AgentGuest, Bed, Guest


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with Bed() as bed:
        yield bed


def end(domain: libvirt.virDomain) -> None:
    with contextlib.suppress(libvirt.libvirtError):  # it may be off, or about to be
        domain.destroy()
    domain.undefine()


@pytest.mark.parametrize(
    ("guest", "present", "absent"),
    [
        (
            AcpiGuest("by-default"),
            [
                "devices/..[@type='qemu']",
                f"metadata/{{{LIBOSINFO}}}libosinfo/{{{LIBOSINFO}}}os[@id='{WINDOWS_10}']",
                "features/acpi",
                "pm/suspend-to-mem[@enabled='yes']",
                "devices/video/model[@type='vga']",
                "devices/disk/target[@bus='ide']",
                "devices/serial/source[@mode='bind']",
            ],
            ["devices/channel", "devices/graphics/listen[@type='address']", "devices/interface"],
        ),
        (
            AcpiGuest(
                "not-by-default",
                disk=False,
                display=False,
                acpi=False,
                agent_channel=True,
                sleep_states=False,
                on_poweroff="restart",
                windows=False,
            ),
            ["devices/channel", "pm/suspend-to-mem[@enabled='no']", "on_poweroff[.='restart']"],
            ["metadata", "features/acpi", "devices/video", "devices/graphics", "devices/disk"],
        ),
        (
            AgentGuest("with-agent"),
            [
                "devices/channel/target[@name='org.qemu.guest_agent.0']",
                "devices/disk/target[@bus='virtio']",
                "os/initrd",
            ],
            ["metadata"],
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_domain_is_as_ordered(bed: Bed, guest: Guest, present: list[str], absent: list[str]) -> None:
    text = guest.xml(bed.directory, bed.cache)
    domain = bed.connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    description = ET.fromstring(domain.XMLDesc())
    end(domain)
    assert [path for path in present if description.find(path) is None] == []
    assert [path for path in absent if description.find(path) is not None] == []


def test_an_acpi_guest_is_heard_told_and_seen(bed: Bed) -> None:
    (domain,) = bed.start(AcpiGuest("one", "press=ignore"))
    bed.wait_for("one", "ready")
    domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    since = bed.wait_for("one", "ignored")
    bed.tell("one", "press=obey")
    stream = bed.connection.newStream()
    assert domain.screenshot(stream, 0) == "image/png"
    assert stream.recv(4) == b"\x89PNG"
    stream.abort()
    domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    bed.wait_for("one", "power off", since=since)
    with pytest.raises(TimeoutError, match="power off"):  # the message has all it did say
        bed.wait_for("one", "never said", timeout=0)
    bed.daemon.stop_daemon()
    bed.daemon.start_daemon()
    bed.reconnect()
    end(bed.connection.lookupByName("one"))


def test_a_guest_that_is_off_cannot_be_told_anything(bed: Bed) -> None:
    domain = bed.define(AcpiGuest("off"))
    with pytest.raises(RuntimeError, match='"off" was not told'):
        bed.tell("off", "press=obey")
    end(domain)


def test_a_disk_stays_when_its_domain_is_defined_again(bed: Bed) -> None:
    bed.define(AcpiGuest("again"))
    bed.disk("again").write_bytes(b"mine")
    domain = bed.define(AcpiGuest("again", "press=hang"))
    assert "press=hang" in domain.XMLDesc()
    assert bed.disk("again").read_bytes() == b"mine"
    end(domain)


def test_a_disk_goes_with_the_last_domain_of_its_name(bed: Bed) -> None:
    """The next guest of that name may be of another kind, and could not even mount what it would find."""
    end(bed.define(AcpiGuest("same")))
    bed.disk("same").write_bytes(b"another's")
    domain = bed.define(AcpiGuest("same"))
    assert disk_state(bed.disk("same")) is DiskState.UNUSED
    end(domain)


def test_a_name_too_long_for_a_socket_is_refused(bed: Bed) -> None:
    with pytest.raises(ValueError, match="too long"):
        AcpiGuest("x" * 80).xml(bed.directory, bed.cache)
