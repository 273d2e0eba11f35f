# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection on the other versions of ansible-core that it supports.

Here, on the oldest one: the unit tests, and those of ansible-test's that depend on the version. `tests/run cores` does
all of both on every version, which takes long.
"""

from __future__ import annotations

import os

import pytest
from checkout import ROOT
from gates import cores, sandbox

OLDEST = "2.16"
DEPENDING = ("action-plugin-docs", "ansible-doc", "import", "runtime-metadata", "validate-modules")
"""Of ansible-test's sanity tests, those that compare the collection with Ansible itself, or load it."""

FEW = (("WINGUEST_HISTORIES", "20"), ("WINGUEST_INPUTS", "20"))
"""Made-up inputs are for what does not depend on Ansible at all."""

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
def test_units(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit tests pass with this version, and it is this version that they were run with."""
    environment = cores.environment(version)
    python = str(environment / "bin" / "python")
    found = sandbox.run(python, "-c", "import ansible.release; print(ansible.release.__version__)")
    assert found.startswith(f"{version}."), found
    command = (python, "-m", "pytest", "--numprocesses", "2" if CHOSEN else "0", "--quiet", "tests/unit")
    path = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])
    for name, value in [] if CHOSEN else FEW:
        monkeypatch.setenv(name, value)
    sandbox.run(*command, cwd=ROOT, seconds=2900, PATH=path)
