# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs modules for tests that run many: each in a process of its own, which begins with everything imported.

What a module reads and prints is what Ansible gives it and gets from it; only the start of Python is saved, which takes
ten times as long as a little module's work. This file is run by the Python that the modules are run by.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import sys
import tempfile
import traceback
import typing as t


def main() -> None:
    """One request a line: a module and its arguments as Ansible writes them. One answer a line."""
    for line in sys.stdin:
        request = json.loads(line)
        module = importlib.import_module(request["module"])
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(json.dumps({"ANSIBLE_MODULE_ARGS": request["arguments"]}).encode())
            given.seek(0)
            child = os.fork()
            if child == 0:
                _run(module.main, given.fileno(), out.fileno(), err.fileno())
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            told = [_all(file) for file in (out, err)]
        print(json.dumps({"out": told[0], "err": told[1], "status": status}), flush=True)


def _run(module: t.Callable[[], t.Any], *files: int) -> t.NoReturn:
    status: t.Any = 0
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lasts as long as the process
        module()
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()  # with which AnsibleModule removes its temporary folder
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1)


def _all(file: t.IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    main()
