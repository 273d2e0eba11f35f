# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every gate runs on a fresh copy of the sources."""

from __future__ import annotations

import pytest
from gates import sandbox


@pytest.fixture(scope="session", autouse=True)
def fresh_copy(testrun_uid: str) -> None:
    """Bring the copy up to date before the first gate."""
    sandbox.prepare(testrun_uid)
