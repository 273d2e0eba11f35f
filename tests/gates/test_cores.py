# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection on the other versions of ansible-core that it supports.

Here, on the oldest one: the unit tests of what Ansible loads, and those of ansible-test's that depend on the version.
`tests/run cores` does all of both on every version, which takes long.
"""

from __future__ import annotations

import os

import pytest
from checkout import ROOT
from gates import cores, sandbox

OLDEST = "2.16"
DEPENDING = ("action-plugin-docs", "ansible-doc", "runtime-metadata", "validate-modules")
"""Of ansible-test's sanity tests, those that compare the collection with Ansible itself. The unit tests import it."""

ALL = ["tests/unit"]
LOADED = [f"tests/unit/plugins/{part}" for part in ("filter", "inventory", "modules", "plugin_utils")]
"""The unit tests of what Ansible loads, and of what that imports; the other ones do not depend on Ansible at all."""

CHOSEN = os.environ.get("WINGUEST_CORES", "").split()
if not set(CHOSEN) <= cores.PYTHONS.keys():
    raise ValueError(f"WINGUEST_CORES is {' '.join(CHOSEN)}; it may name these: {' '.join(cores.PYTHONS)}")

EACH = pytest.mark.parametrize("version", CHOSEN or [OLDEST])
pytestmark = pytest.mark.timeout(3000)


@EACH
@pytest.mark.xdist_group("ansible-test")
def test_sanity(version: str) -> None:
    """ansible-test of this version finds nothing."""
    environment = cores.environment(version)
    chosen = [] if CHOSEN else [word for name in DEPENDING for word in ("--test", name)]
    sandbox.sanity(str(environment / "bin" / "ansible-test"), *chosen)


@EACH
def test_units(version: str) -> None:
    """The unit tests pass with this version, and it is this version that they were run with."""
    environment = cores.environment(version)
    python = str(environment / "bin" / "python")
    found = sandbox.run(python, "-c", "import ansible.release; print(ansible.release.__version__)")
    assert found.startswith(f"{version}."), found
    chosen = ["--numprocesses", "2", *ALL] if CHOSEN else ["--numprocesses", "0", *LOADED]
    path = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])
    sandbox.run(python, "-m", "pytest", "--quiet", *chosen, cwd=ROOT, seconds=2900, PATH=path)
