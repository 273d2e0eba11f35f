# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-test runs in place of get-pip.py, so that it needs no host but the package index.

ansible-test calls it, in the environment that needs pip, with the arguments it would give to get-pip.py.
"""

from __future__ import annotations

import subprocess
import sys

# Options of get-pip.py that pip itself does not know; ensurepip brings what they are about.
FOREIGN = {"--no-setuptools", "--no-wheel"}


def main() -> None:
    """Let Python unpack the pip it carries, and let that pip install the version that was asked for."""
    subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
    wanted = [argument for argument in sys.argv[1:] if argument not in FOREIGN]
    subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=True)


if __name__ == "__main__":
    main()
