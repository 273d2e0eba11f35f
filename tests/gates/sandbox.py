# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the gates' programs run: a real copy of the sources in a collection tree, and a home folder of its own.

A copy, because ansible-test insists on a path that ends in ansible_collections/winguest/shutdown and looks through
symbolic links; and because no program then depends on what else lies in the checkout, or on who owns it.
"""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bed import newer_python
from checkout import CACHE, ROOT

COLLECTIONS = CACHE / "collections"
COPY = COLLECTIONS / "ansible_collections" / "winguest" / "shutdown"
HOME = CACHE / "home"
PYTHONS = CACHE / "pythons"
OTHER_PYTHONS = ("3.9", "3.10", "3.12")

# The get-pip.py versions that ansible-test of ansible-core 2.16, 2.18 and 2.19, 2.20 and 2.21 look for.
GET_PIP_VERSIONS = ("23_1_2", "24_2", "25_2")

# Left in the copy by the programs themselves; the next run is faster with them.
KEPT = (".git/", ".ansible/", ".cache/", "tests/output/")


def prepare(run_id: str) -> None:
    """Bring the copy and the home folder up to date, once in a test run."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "copy.lock").open("a+", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if lock.read() == run_id:
            return  # another worker of this run was here first
        lock.truncate(0)
        _update_copy()
        _update_home()
        lock.write(run_id)


def run(*command: str, cwd: Path = COPY, seconds: float = 280, accept: tuple[int, ...] = (0,), **extra: str) -> str:
    """Run a program in the sandbox and return all it printed; anything but an accepted exit status fails the test."""
    environment = _environment() | extra
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        pytest.fail(f'The program "{command[0]}" is missing, so this gate checked nothing. Run tests/run setup.', False)
    process = subprocess.Popen(
        [program, *command[1:]],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output = process.communicate(timeout=seconds)[0]
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        print(process.communicate()[0])
        raise
    if process.returncode not in accept:
        pytest.fail(f"{' '.join(command)}\nended with status {process.returncode}:\n\n{output}", False)
    return output


def sanity(program: str, *arguments: str, seconds: float = 2900) -> None:
    """Run ansible-test's sanity tests; leaving one out counts as a failure, but for Pythons this machine lacks.

    Two runs must not be at the same time: they use the same folders, PYTHONS among them.
    """
    _update_pythons()
    output = run(program, "sanity", "--local", *arguments, seconds=seconds)
    skipped = re.compile(
        r'WARNING: Skipping sanity test "(?:compile|import)" on Python (\S+) because it could not be found\.'
    )
    for line in re.findall(r"^.*(?:Skipping|Required program).*$", output, re.MULTILINE):
        found = skipped.fullmatch(line)
        if found is None or shutil.which(f"python{found[1]}", path=_environment()["PATH"]):
            pytest.fail(f"ansible-test left something out, which it does not count as a failure:\n{output}", False)


def files(pattern: str) -> list[str]:
    """The sources that match a pattern, as paths within the collection; at least one, or the test fails."""
    matching = (str(path.relative_to(COPY)) for path in COPY.glob(pattern) if path.is_file())
    found = sorted(name for name in matching if not name.startswith(KEPT) and "__pycache__" not in name)
    if not found:
        pytest.fail(f"There is no {pattern} among the sources, so this gate would check nothing.", False)
    return found


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON", "XDG_"))}
    path = [str(Path(sys.executable).parent), str(PYTHONS), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
    return kept | {
        "HOME": str(HOME),
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join(path),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(COPY / "tests" / "ansible.cfg"),
        "ANSIBLE_HOME": str(HOME / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
    }


def _update_copy() -> None:
    if not (ROOT / ".git").exists():
        pytest.fail(f"The gates ask git which files are sources, and {ROOT} is no git clone. Use one.", False)
    listed = subprocess.run(
        # The checkout may belong to someone else than root.
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    wanted = {name for name in listed if name and (ROOT / name).is_file()}
    for path in sorted(COPY.rglob("*"), reverse=True):
        name = str(path.relative_to(COPY))
        if name in wanted or f"{name}/".startswith(KEPT):
            continue
        if not path.is_dir():
            path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()
    for name in wanted:
        source, target = ROOT / name, COPY / name
        if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        shutil.copymode(source, target)
    # Some of the programs ask git which files there are.
    subprocess.run(["git", "init", "--quiet"], cwd=COPY, check=True)
    subprocess.run(["git", "add", "--all"], cwd=COPY, check=True)


def _update_home() -> None:
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in GET_PIP_VERSIONS:
        shutil.copy(COPY / "tests" / "get_pip_standin.py", cache / f"get_pip_{version}.py")


def _update_pythons() -> None:
    """Collect the other Pythons on PATH that really start: a version manager's may be there and only complain.

    The next Debian's is always had.
    """
    shutil.rmtree(PYTHONS, ignore_errors=True)
    PYTHONS.mkdir()
    (PYTHONS / f"python{newer_python.VERSION}").symlink_to(newer_python.program(CACHE))
    for version in OTHER_PYTHONS:
        program = shutil.which(f"python{version}")
        if program is None:
            continue
        test = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.executable)"
        answer = subprocess.run([program, "-c", test], check=False, capture_output=True, text=True)
        if answer.returncode == 0 and answer.stdout.startswith(f"{version} "):
            (PYTHONS / f"python{version}").symlink_to(answer.stdout.strip().removeprefix(f"{version} "))
