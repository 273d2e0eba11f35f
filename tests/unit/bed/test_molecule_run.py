# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from molecule's output: the steps of each scenario with their hosts, and where nothing was tested."""

from __future__ import annotations

from bed.molecule_run import doubts, steps


def test_a_step_without_hosts_is_in_doubt() -> None:
    """As molecule's output is where no host was matched, or where it was told to leave something out."""
    output = """\
INFO     [one > converge] Executing
PLAY RECAP *********************************************************************
here                       : ok=9    changed=1    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0
INFO     [one > converge] Executed: Successful
INFO     [one > idempotence] Executing
skipping: no hosts matched
PLAY RECAP *********************************************************************
INFO     [one > idempotence] Executed: Successful
INFO     [one > verify] Executing
here                       : ok=1    changed=0    unreachable=0    failed=1    skipped=0    rescued=0    ignored=0
ERROR    [one > verify] Executed: Failed
"""
    assert doubts(steps(output.splitlines()), ["one", "two"]) == [
        "one: it did ['converge', 'idempotence', 'verify'] and not ['converge', 'idempotence', 'verify', 'cleanup']",
        "one: idempotence ended as Successful with {}",
        "one: verify ended as Failed with {'here': Host(ok=1, changed=0, unreachable=0, failed=1)}",
        "two: it did [] and not ['converge', 'idempotence', 'verify', 'cleanup']",
    ]
