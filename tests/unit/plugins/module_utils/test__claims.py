# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims of real processes on the same domains."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import libvirt
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._claims import Claims, NoClaims, claims_for

ONE, TWO = str(uuid.UUID(int=1 << 100)), str(uuid.UUID(int=2 << 100))
OTHER = """
import sys, time
from ansible_collections.winguest.shutdown.plugins.module_utils._claims import Claims
claims = Claims(sys.argv[1])
print(claims.take(sys.argv[2]), flush=True)
sys.stdin.read()
"""


def other(folder: Path, domain: str) -> subprocess.Popen[str]:
    """Another process with a claim on the domain, until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(folder), domain],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None and process.stdout.readline() == "\n"
    return process


def test_a_domain_has_one_run_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    claims = Claims(str(folder))
    assert claims.holder(ONE) == "" and not folder.exists(), "who only asks makes nothing"
    before = time.time()
    with other(folder, ONE) as process:
        said = claims.take(ONE)
        assert said == claims.holder(ONE)
        found = re.fullmatch(rf"another run \(process {process.pid}, since (\S+)Z\)", said)
        assert found, said
        began = time.mktime(time.strptime(found.group(1)[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        assert abs(began - before) < 60
        assert claims.take(TWO) == "" == claims.take(TWO)
        claims.release(ONE)  # one that it does not have
        assert claims.take(ONE)
        process.kill()
        process.wait()
        assert claims.take(ONE) == "", "the kernel has released it"
    with other(tmp_path / "elsewhere", ONE):
        assert claims.holder(ONE) == ""
    claims.release(TWO)
    with other(folder, TWO) as process:
        assert f"process {process.pid}" in claims.holder(TWO)
        process.kill()


def test_thousands_of_domains_cost_no_more_than_a_few_seconds_and_one_open_file(tmp_path: Path) -> None:
    claims = Claims(str(tmp_path))
    domains = [str(uuid.uuid4()) for dummy in range(5000)]
    files, began = len(os.listdir("/proc/self/fd")), time.process_time()
    assert not any(claims.take(domain) for domain in domains)
    for domain in domains:
        claims.release(domain)
    assert time.process_time() - began < 5
    assert len(os.listdir("/proc/self/fd")) <= files + 1


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="cannot be made"):
        Claims(str(tmp_path / "file")).take(ONE)


def test_the_test_drivers_domains_are_nobody_elses(tmp_path: Path) -> None:
    claims = claims_for(libvirt.open("test:///default"), str(tmp_path))
    assert isinstance(claims, NoClaims)
    assert (claims.take(ONE), claims.holder(ONE), list(tmp_path.iterdir())) == ("", "", [])
    claims.release(ONE)


def test_the_same_uuid_on_another_hypervisor_is_another_domain(tmp_path: Path) -> None:
    """As clones have it that are shut down from one host."""
    running = other(tmp_path, ONE)
    try:
        assert Claims(str(tmp_path)).take(ONE).startswith("another run (process ")
        assert Claims(str(tmp_path), "53c99fff-676e-421e-8783-ac3af9dd4c05").take(ONE) == ""
    finally:
        running.communicate()
