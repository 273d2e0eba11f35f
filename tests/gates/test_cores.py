# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection on the other versions of ansible-core that it supports.

In every run, on the oldest one: the unit tests of what Ansible loads. `tests/run cores` does all unit tests and
ansible-test's sanity, of the plugins and of the tests, on every version, which takes long.
"""

from __future__ import annotations

import os

import pytest
from checkout import ROOT
from gates import cores, sandbox

OLDEST = "2.16"
ALL = ["--numprocesses", "2", "tests/unit"]
LOADED = [
    *("--numprocesses", "0"),
    *(f"tests/unit/plugins/{part}" for part in ("filter", "inventory", "modules", "plugin_utils")),
]
"""The unit tests of what Ansible loads, and of what that imports; the other ones do not depend on Ansible at all."""

CHOSEN = os.environ.get("WINGUEST_CORES", "").split()
if not set(CHOSEN) <= cores.PYTHONS.keys():
    raise ValueError(f"WINGUEST_CORES is {' '.join(CHOSEN)}; it may name these: {' '.join(cores.PYTHONS)}")

pytestmark = pytest.mark.timeout(3000)


if CHOSEN:

    @pytest.mark.parametrize("version", CHOSEN)
    @pytest.mark.xdist_group("ansible-test")
    def test_sanity(version: str) -> None:
        """ansible-test of this version finds nothing."""
        sandbox.sanity(str(cores.environment(version) / "bin" / "ansible-test"))


@pytest.mark.parametrize("version", CHOSEN or [OLDEST])
def test_units(version: str) -> None:
    """The unit tests pass with this version, and it is this version that they were run with."""
    environment = cores.environment(version)
    python = str(environment / "bin" / "python")
    found = sandbox.run(python, "-c", "import ansible.release; print(ansible.release.__version__)")
    assert found.startswith(f"{version}."), found
    path = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])
    chosen = ALL if CHOSEN else LOADED
    sandbox.run(python, "-m", "pytest", "--quiet", *chosen, cwd=ROOT, seconds=2900, PATH=path)
