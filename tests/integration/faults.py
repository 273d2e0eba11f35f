# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may go wrong, and what must hold then. The tests marked with @fault show it; docs/faults.md is the table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

fault = pytest.mark.fault
"""@fault("id", ...): the test shows that what the rows of these faults say is so. `tests/run faults` runs these alone.

tests/faults_page.py finds it in the sources, and tests/unit/test_faults_page.py sees that every fault has such a test.
"""


@dataclass(frozen=True)
class Fault:
    """A fault, in words for whoever operates guests: Markdown, without a "|"."""

    id: str
    what: str
    """What happens."""
    holds: str
    """What holds all the same: outcome, message, and what is not done."""
    todo: str
    """What whoever reads the message does."""
