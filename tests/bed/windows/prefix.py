# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Wine prefix that is made once, and the cheap copy of it that each simulated Windows guest gets.

A prefix is the folder that holds a drive C and a registry. Making one takes Wine over ten seconds; a copy takes some
milliseconds, since the files of Windows and of the programs in it are links.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bed.windows import programs

WINE = Path("/usr/lib/wine/wine64")
UNSHIFTED = ("setarch", "--addr-no-randomize")
"""Debian's Wine has no preloader that keeps the addresses free which Windows programs want. Where the kernel puts
libraries there, which it does now and then, a program does not start."""
WINESERVER = Path("/usr/lib/wine/wineserver64")
USER = "Administrator"
START_TIMEOUT = 120.0

SIMULATED = ("powercfg.exe", "shutdown.exe", "tasklist.exe", "wevtutil.exe")
CHANGED = ("cmd.exe", "reg.exe")
OVERRIDES = ";".join(
    [
        "mscoree,mshtml,winemenubuilder.exe=",  # neither .NET nor a browser, and nothing into the menus of this machine
        *(f"{Path(name).stem}.exe=n" for name in (*SIMULATED, *CHANGED)),
    ]
)
"""Wine prefers programs of its own to files of the same name in system32, but for these."""

UTF8_LOCALE = "hi_IN"
"""A language for which Windows has no old code page, so that all code pages of the system are UTF-8 (65001), as WinRM's
clients want them for a shell. What is seen of a language is set apart from that."""

LANGUAGES = {"en-US": "C", "de-DE": "de_DE.UTF-8"}


SERVICES = "[System\\\\CurrentControlSet\\\\Services\\\\"
"""How a service's key begins in Wine's text of a registry."""


NT = "[Software\\\\Microsoft\\\\Windows NT\\\\CurrentVersion\\\\"
TIME_ZONE = rf"{NT}Time Zones\\UTC]"
SLOW = (rf"{NT}Time Zones\\", rf"{NT}FontLink\\SystemLink]", rf"{NT}FontSubstitutes]")
"""How the keys begin there that every program of Wine's reads as it starts: for its time zone, and for fonts."""


NO_FONTS = '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig/>\n'
"""Nothing is drawn, and every program of Wine's would look through this machine's fonts as it starts."""


class PrefixError(RuntimeError):
    """A prefix cannot be made or copied; the text says why and what to do."""


@dataclass(frozen=True)
class Prepared:
    """What is made once: a prefix, the locales that Wine takes the languages from, and the fonts it has: none."""

    directory: Path

    @property
    def prefix(self) -> Path:
        """The prefix that copies are made of."""
        return self.directory / "prefix"

    @property
    def locales(self) -> Path:
        """The folder of the locales."""
        return self.directory / "locales"

    @property
    def fonts(self) -> Path:
        """The configuration of fontconfig."""
        return self.directory / "fonts.conf"


def prepare(cache: Path) -> Prepared:
    """Make the prefix under `cache`, or find it there. Several processes may do so at once."""
    check_machine()
    prepared = Prepared(cache.resolve() / f"wine-{_digest()}")
    if not prepared.directory.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "wine.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not prepared.directory.exists():
                _make(prepared.directory)
    return prepared


def check_machine() -> None:
    """Raise a PrefixError that says what to do if this machine has no Wine, or another than expected."""
    needed = {WINE: "wine64", WINESERVER: "wine64", Path("/usr/share/i18n/locales", UTF8_LOCALE): "locales"}
    missing = sorted({package for path, package in needed.items() if not path.exists()})
    if missing:
        raise PrefixError(f"Missing here: apt-get install --no-install-recommends {' '.join(missing)}.")


def copy(prepared: Prepared, directory: Path) -> None:
    """Make a prefix of one's own, whose registry, users and temporary files are copies and all else is linked."""
    directory.mkdir(parents=True)
    for name in ("system.reg", "user.reg", "userdef.reg", ".update-timestamp"):
        shutil.copy2(prepared.prefix / name, directory / name)
    (directory / "dosdevices").mkdir()
    (directory / "dosdevices" / "c:").symlink_to("../drive_c")
    original, drive = prepared.prefix / "drive_c", directory / "drive_c"
    shutil.copytree(original / "users", drive / "users")
    for path in original.iterdir():
        if path.name != "users":
            shutil.copytree(path, drive / path.name, copy_function=os.symlink)


def environment(prepared: Prepared, prefix: Path, scratch: Path, language: str) -> dict[str, str]:
    """The variables for any program of Wine's; nothing of this process's own gets into the guest.

    `scratch`: where Wine keeps the sockets of this prefix, and what it takes for the user's home.
    """
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "USER": USER,
        "WINEPREFIX": str(prefix),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": OVERRIDES,
        "DISPLAY": "",
        "LOCPATH": str(prepared.locales),
        "FONTCONFIG_FILE": str(prepared.fonts),
        "TZ": "UTC",
        "LANG": "C",
        "LC_CTYPE": f"{UTF8_LOCALE}.UTF-8",
        "LC_MESSAGES": LANGUAGES[language],
    }


def end_all(prefix: Path) -> None:
    """Kill whatever runs in this prefix, Wine's server and all, and return when none of it is left."""
    variable = b"WINEPREFIX=" + os.fsencode(prefix)
    found = True
    while found:  # one that is killed may have started another just before
        found = False
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    if variable in (entry / "environ").read_bytes().split(b"\0"):
                        found = True
                        os.kill(int(entry.name), signal.SIGKILL)


def _digest() -> str:
    digest = hashlib.sha256()
    for path in [*programs.sources(), Path(programs.__file__), Path(__file__), WINE, WINESERVER]:
        digest.update(b"\0".join([path.name.encode(), path.read_bytes()]))
    return digest.hexdigest()[:16]


def _make(directory: Path) -> None:
    """Whole or not at all, whatever happens meanwhile."""
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix="wine-new-") as name:
        made, scratch = Prepared(Path(name, "made")), Path(name, "scratch")
        for path in (made.directory, made.locales, scratch):
            path.mkdir()
        made.fonts.write_text(NO_FONTS)
        for locale in (UTF8_LOCALE, "de_DE"):
            _run(["localedef", "-i", locale, "-f", "UTF-8", str(made.locales / f"{locale}.UTF-8")])
        # Without the locale a prefix is as good, and Wine is told by it what is not made for each guest anew.
        variables = environment(made, made.prefix, scratch, "en-US")
        try:
            _run([*UNSHIFTED, str(WINE), "wineboot", "--init"], variables)
            _run([str(WINESERVER), "--wait"], variables)
        finally:
            end_all(made.prefix)
        (made.prefix / "wineserver").unlink(missing_ok=True)  # where Debian's Wine notes the sockets of this prefix
        _own_folders(made.prefix / "drive_c" / "users", scratch)
        _disable_services(made.prefix / "system.reg")
        _leave_out_what_slows(made.prefix / "system.reg")
        _put_programs(made.prefix / "drive_c")
        os.replace(made.directory, directory)


def _run(command: list[str], variables: Mapping[str, str] | None = None) -> None:
    try:
        ended = subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=START_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PrefixError(f"{' '.join(command)} has not ended within {START_TIMEOUT:g} s.") from error
    if ended.returncode != 0:
        raise PrefixError(f"{' '.join(command)} has failed and says:\n{ended.stdout}{ended.stderr}")


def _own_folders(users: Path, home: Path) -> None:
    """Wine makes the user's folders links to those of the user of this machine; make them folders."""
    for path in users.rglob("*"):
        if path.is_symlink() and path.resolve().is_relative_to(home.resolve()):
            path.unlink()
            path.mkdir()


def _disable_services(registry: Path) -> None:
    """Wine starts a handful of services for hardware that no guest needs; without them a guest is up sooner."""
    lines = registry.read_text(encoding="utf-8").split("\n")
    key = ""
    for number, line in enumerate(lines):
        if line.startswith("["):
            key = line
        elif line.startswith('"Start"=') and key.startswith(SERVICES):
            lines[number] = '"Start"=dword:00000004'
    registry.write_text("\n".join(lines), encoding="utf-8")


def _leave_out_what_slows(registry: Path) -> None:
    """With all time zones and fonts each program asks the server 2,000 times before it begins."""
    head, *keys = re.split(r"(?m)^(?=\[)", registry.read_text(encoding="utf-8"))
    kept = [key for key in keys if not key.startswith(SLOW)]
    zone = [re.sub(r'(?m)^"MUI_.*\n', "", key) for key in keys if key.startswith(TIME_ZONE)]  # names in a library
    registry.write_text("".join([head, *kept, *zone]), encoding="utf-8")


def _put_programs(drive: Path) -> None:
    ours, system = drive / "winguest", drive / "windows" / "system32"
    ours.mkdir()
    programs.build(ours)
    for name in SIMULATED:
        shutil.copyfile(ours / "program.exe", system / name)
    shutil.copyfile(ours / "ask.dll", system / "ask.dll")
    # Wine's cmd takes the output that `for /f` reads for text in the code page of no language at all.
    _change(system / "cmd.exe", ("rt,ccs=unicode".encode("utf-16-le"), "rt,ccs=utf-8".encode("utf-16-le")))
    # See askdll.c.
    _change(system / "reg.exe", (b"ntdll.dll\0", b"ask.dll\0"), (b"user32.dll\0", b"ask.dll\0"))


def _change(program: Path, *texts: tuple[bytes, bytes]) -> None:
    """Replace texts in a program of Wine's, and what marks it as one that is to be loaded from elsewhere."""
    content = program.read_bytes()
    for was, becomes in (*texts, (b"Wine builtin DLL", b"")):
        if content.count(was) != 1:
            raise PrefixError(f"{program.name} is not the one of Wine 8.0 in Debian 12: it has no unique {was!r}.")
        content = content.replace(was, becomes.ljust(len(was), b"\0"))
    program.write_bytes(content)
