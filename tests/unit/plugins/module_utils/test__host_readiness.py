# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who acts on the guests when the hypervisor goes down, as its files tell, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import HYPERVISOR, ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build
from ansible_collections.winguest.shutdown.plugins.module_utils._host_readiness import Host
from ansible_collections.winguest.shutdown.plugins.module_utils._host_reading import (
    HostReading,
    daemon_settings,
    read,
    shell_settings,
)

NEW, OLD = 11_002_000, 9_000_000
SYSTEM, SESSION = "qemu:///system", "qemu:///session"
NOBODY = ["nobody asks the guests: their QEMU processes end with the host"]
DAEMON = 'auto_shutdown_try_shutdown = "all"\nauto_shutdown_wait = 600\n'

MakeHost = Callable[..., Host]


@pytest.fixture
def host(tmp_path: Path) -> MakeHost:
    """A hypervisor with these files: settings of libvirt-guests, whether it is enabled, and qemu.conf."""

    def make(
        service: str | None = None,
        enabled: bool = True,
        daemon: str | None = None,
        version: int = NEW,
        uri: str = SYSTEM,
    ) -> Host:
        if service is not None:
            write(tmp_path / "etc/default/libvirt-guests", service)
        if enabled:
            link(tmp_path, "etc/systemd/system/multi-user.target.wants/libvirt-guests.service")
        if daemon is not None:
            folder = "home/.config/libvirt" if uri == SESSION else "etc/libvirt"
            write(tmp_path / folder / "qemu.conf", daemon)
        return Host(read(uri, version, str(tmp_path), str(tmp_path / "home")))

    return make


@pytest.fixture(autouse=True)
def no_home_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def link(root: Path, name: str, target: str = "/usr/lib/systemd/system/libvirt-guests.service") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def found(host: Host, **options: Any) -> dict[str, tuple[str, Any]]:
    """What is not ok, and what is there."""
    return {f.row.id: (f.state, f.actual) for f in host.findings(build(ROWS, **options)) if f.state != "ok"}


def test_nobody_acts(host: MakeHost) -> None:
    bare = host(enabled=False)
    assert (bare.acts_first, bare.acts()) == ("nobody", NOBODY)
    assert found(bare) == {"host_no_service": ("differs", "nobody")}
    assert found(bare, waive=["host_no_service"]) == {"host_no_service": ("waived", "nobody")}


def test_libvirt_guests_as_libvirt_has_it(host: MakeHost) -> None:
    installed = host("#URIS=default\n#ON_SHUTDOWN=suspend\n")
    assert installed.acts_first == "libvirt-guests"
    assert installed.acts() == ["libvirt-guests, when systemd stops it: saves the running guests (managed save)"]
    assert found(installed) == {"host_libvirt_guests_suspend": ("differs", "suspend")}


@pytest.mark.parametrize("place", ["usr/libexec", "usr/lib/libvirt"])
def test_libvirt_guests_as_a_distribution_has_it(tmp_path: Path, host: MakeHost, place: str) -> None:
    """Debian's asks the guests to shut down where nothing is set."""
    script = 'URIS="default"\nON_SHUTDOWN="shutdown"\nSHUTDOWN_TIMEOUT=60\n\nstop() {\n    ON_SHUTDOWN="suspend"\n}\n'
    write(tmp_path / place / "libvirt-guests.sh", script)
    asks = host()
    assert "asks the running guests to shut down, one after the other, and waits for each 60 s" in asks.acts()[0]
    assert found(asks) == {"host_libvirt_guests_timeout": ("differs", 60)}
    saves = host("ON_SHUTDOWN=suspend", enabled=False)  # it is already
    assert found(saves) == {"host_libvirt_guests_suspend": ("differs", "suspend")}


@pytest.mark.parametrize(
    ("service", "said", "wrong"),
    [
        ("ON_SHUTDOWN=shutdown", "one after the other, and waits for each 300 s", {}),
        ("ON_SHUTDOWN='shutdown' # all\nSHUTDOWN_TIMEOUT=\"900\"", "waits for each 900 s", {}),
        ("export ON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT=0", "waits for each for ever", {}),
        ("ON_SHUTDOWN=shutdown\nPARALLEL_SHUTDOWN=4\nSHUTDOWN_TIMEOUT=600", "4 at a time, and waits for all 600 s", {}),
        ("ON_SHUTDOWN=shutdown\nPARALLEL_SHUTDOWN=1", "one after the other, and waits for each 300 s", {}),
        (
            "ON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT=-5",
            "libvirt-guests, when systemd stops it: refuses its SHUTDOWN_TIMEOUT of -5, and does nothing",
            {"host_libvirt_guests_timeout": ("differs", "-5")},
        ),
        ("ON_SHUTDOWN=", "saves", {"host_libvirt_guests_suspend": ("differs", "")}),
        (
            "ON_SHUTDOWN=shutdown\nPARALLEL_SHUTDOWN=\nSHUTDOWN_TIMEOUT=",
            "waits for each for ever",
            {"host_libvirt_guests_timeout": ("differs", "")},
        ),
        (
            "ON_SHUTDOWN=suspend\nON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT=60",
            "waits for each 60 s",
            {"host_libvirt_guests_timeout": ("differs", 60)},
        ),
        (
            "ON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT=soon",
            "waits for each soon s",
            {"host_libvirt_guests_timeout": ("differs", "soon")},
        ),
        ("ON_SHUTDOWN=shutdwn\nSHUTDOWN_TIMEOUT=1", "saves", {"host_libvirt_guests_suspend": ("differs", "shutdwn")}),
    ],
)
def test_settings_of_libvirt_guests(host: MakeHost, service: str, said: str, wrong: dict[str, Any]) -> None:
    made = host(service)
    assert made.acts_first == "libvirt-guests"
    assert said in made.acts()[0]
    assert found(made) == wrong


def test_another_time_is_wanted(host: MakeHost) -> None:
    made = host("ON_SHUTDOWN=shutdown")
    wanted = {"host_libvirt_guests_timeout": 900}
    assert found(made, desired=wanted) == {"host_libvirt_guests_timeout": ("differs", 300)}


@pytest.mark.parametrize(
    ("uris", "uri", "acts"),
    [
        ("default", SYSTEM, True),
        ("default", SESSION, False),
        ("xen:///system", SYSTEM, False),
        ("xen:///system qemu:///system", SYSTEM, True),
        ("qemu+unix:///system?socket=/run/x", SYSTEM, True),
        ("qemu:///session", SYSTEM, False),
        ("qemu:///session", SESSION, True),
    ],
)
def test_libvirt_guests_acts_on_its_uris_only(host: MakeHost, uris: str, uri: str, acts: bool) -> None:
    assert host(f"URIS='{uris}'", uri=uri, daemon='auto_shutdown_try_save = "none"').service_acts is acts


@pytest.mark.parametrize("folder", ["usr/lib/systemd/system", "lib/systemd/system", "run/systemd/system"])
def test_wherever_it_is_enabled(tmp_path: Path, folder: str) -> None:
    link(tmp_path, f"{folder}/multi-user.target.wants/libvirt-guests.service")
    assert read(SYSTEM, OLD, str(tmp_path)).enabled


def test_one_that_is_masked_does_not_act(tmp_path: Path, host: MakeHost) -> None:
    link(tmp_path, "etc/systemd/system/libvirt-guests.service", "/dev/null")
    masked = host()
    assert (masked.reading.masked, masked.acts_first) == (True, "nobody")
    (finding,) = [f for f in masked.findings(build(ROWS)) if f.state != "ok"]
    assert (finding.row.id, finding.detail) == ("host_no_service", "masked")


def test_settings_where_other_distributions_have_them(tmp_path: Path) -> None:
    write(tmp_path / "etc/sysconfig/libvirt-guests", "ON_SHUTDOWN=shutdown")
    link(tmp_path, "etc/systemd/system/multi-user.target.wants/libvirt-guests.service")
    assert not Host(read(SYSTEM, OLD, str(tmp_path))).suspends


def test_the_daemon(host: MakeHost) -> None:
    made = host(enabled=False, daemon=DAEMON)
    assert made.acts_first == "daemon"
    (act,) = made.acts()
    assert act.startswith("libvirt's daemon, when the shutdown is announced: ")
    assert act.endswith(": asks all domains to shut down, and waits 600 s for them together")
    assert found(made) == {}


@pytest.mark.parametrize("wait", ["", "auto_shutdown_wait = 0\n", "auto_shutdown_wait=30"])
def test_the_daemon_waits_half_a_minute(host: MakeHost, wait: str) -> None:
    made = host(enabled=False, daemon=f'auto_shutdown_try_shutdown = "persistent"\n{wait}')
    assert found(made) == {"host_daemon_wait": ("differs", 30)}


def test_the_daemon_uses_force(host: MakeHost) -> None:
    made = host(enabled=False, daemon=f'auto_shutdown_try_save = "persistent"\n{DAEMON}auto_shutdown_poweroff = "all"')
    assert found(made) == {"host_daemon_poweroff": ("differs", "all")}
    assert [part.split()[0] for part in made.acts()[0].partition(": ")[2].split(", then ")] == [
        "saves",
        "asks",
        "powers",
    ]


def test_both_act(host: MakeHost) -> None:
    both = host("ON_SHUTDOWN=shutdown", daemon=DAEMON)
    assert both.acts_first == "daemon"
    assert [act.split(",")[0] for act in both.acts()] == ["libvirt's daemon", "libvirt-guests"]
    assert found(both) == {"host_two_services": ("differs", tuple(both.acts()))}


def test_an_older_daemon_does_not_know_them(host: MakeHost) -> None:
    made = host("ON_SHUTDOWN=shutdown", daemon=DAEMON, version=OLD)
    assert made.acts_first == "libvirt-guests"
    assert found(made) == {
        "host_daemon_ignored": ("differs", ("auto_shutdown_try_shutdown", "auto_shutdown_wait")),
    }


def test_a_session_saves_by_itself(host: MakeHost) -> None:
    made = host(enabled=False, uri=SESSION)
    assert made.acts() == ["libvirt's daemon, when the shutdown is announced: saves persistent domains"]
    assert host(enabled=False, uri=SESSION, daemon='auto_shutdown_try_save = "none"').acts() == NOBODY


def test_a_hypervisor_elsewhere(tmp_path: Path) -> None:
    host = Host(read("qemu+ssh://root@kvm7/system", NEW, str(tmp_path)))
    assert host.acts() == []
    assert {state for state, dummy in found(host).values()} == {"unreadable"}
    assert len(found(host)) == len(HYPERVISOR)
    assert "kvm7" in host.findings(build(ROWS))[0].detail


def test_a_file_that_cannot_be_read(tmp_path: Path, host: MakeHost) -> None:
    (tmp_path / "etc/libvirt/qemu.conf").mkdir(parents=True)
    write(tmp_path / "etc/default/libvirt-guests", "ON_SHUTDOWN='shutdown")
    made = host()
    assert {state for state, dummy in found(made).values()} == {"unreadable"}
    details = {f.row.id: f.detail for f in made.findings(build(ROWS)) if f.state != "ok"}
    assert "libvirt-guests cannot be read: No closing quotation" in details["host_libvirt_guests_timeout"]
    assert "qemu.conf cannot be read: Is a directory" in details["host_daemon_wait"]


def test_shell_settings() -> None:
    text = "# A=1\nA=1\n  export B=\"x y\" # c\nC='#'\nD=\nE=a b\nnonsense\nF = 1\n1G=1\nA=2\n"
    assert shell_settings(text) == {"A": "2", "B": "x y", "C": "#", "D": "", "E": "a"}


def test_what_is_longer_than_any_setting_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="URIS has 5000 characters"):
        shell_settings(f"URIS={'x' * 5000}")
    assert shell_settings("# a comment\x0cON_SHUTDOWN=shutdown\x85ON_BOOT=start") == {}


def test_daemon_settings() -> None:
    text = "#auto_shutdown_wait = 1\nauto_shutdown_wait=2\nauto_shutdown_wait = 3\n"
    text += "user = \"root\"\n auto_shutdown_try_save='x'\n"
    assert daemon_settings(text) == {"auto_shutdown_wait": "2", "auto_shutdown_try_save": "x"}


def test_nothing_is_there(tmp_path: Path) -> None:
    assert read(SYSTEM, OLD, str(tmp_path / "nowhere")) == HostReading(version=OLD)
