# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the unit tests of the plugins share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from unit.plugins.libvirt_test_driver import Driver


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    """libvirt's test driver, with the domains of one file of tests."""
    driver = Driver()
    yield driver
    driver.clear()
