# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of guests: of their WinRM service, credentials and registry, and of images that are worked on."""

from __future__ import annotations

from integration.faults import Fault

FAULTS: tuple[Fault, ...] = ()
