# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of hypervisors: of libvirt, QEMU, storage, domains and their agents, of whoever else is at work there."""

from __future__ import annotations

from integration.faults import Fault

FAULTS = (
    Fault(
        "libvirt_restarted",
        "libvirtd is stopped, and started again, during the run",
        "the run connects anew and goes on; its clocks went on meanwhile; every guest ends as it would have",
        "nothing",
    ),
    Fault(
        "libvirt_killed",
        "libvirtd is killed, and started again, during the run",
        "as when it is stopped",
        "nothing",
    ),
)
