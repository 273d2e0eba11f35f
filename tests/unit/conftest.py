# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the unit tests share."""

from __future__ import annotations

import libvirt
import pytest


@pytest.fixture(autouse=True)
def no_former_error() -> None:
    """libvirt keeps a thread's last error, and a libvirtError that a test makes would take the text of that one."""
    libvirt.virResetLastError()
