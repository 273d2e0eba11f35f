# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts pip into the environment whose Python runs this, from the package index and no other host.

ansible-test calls it in place of get-pip.py, with the arguments that it would give to that one. Our own environments
get a pip of today by it, which needs half the time of Debian 12's.
"""

from __future__ import annotations

import ensurepip
import subprocess
import sys
import sysconfig
from pathlib import Path

# Options of get-pip.py that pip itself does not know; what they are about is not installed at all.
FOREIGN = {"--no-setuptools", "--no-wheel"}


def carried() -> Path:
    """The pip that this Python carries for new environments, packed; Debian keeps it in a folder of its own."""
    folder = Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).with_name("_bundled"))
    for wheel in folder.glob("pip-*.whl"):
        return wheel
    sys.exit(f"There is no pip in {folder}. On Debian, install python3-venv.")


def main() -> None:
    """Let that pip install the version that was asked for; it need not be installed for it."""
    wanted = [argument for argument in sys.argv[1:] if argument not in FOREIGN]
    pip = str(carried() / "pip")
    subprocess.run([sys.executable, pip, "install", "--no-compile", *wanted], check=True)


if __name__ == "__main__":
    main()
