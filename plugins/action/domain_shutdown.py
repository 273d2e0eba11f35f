# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action behind the module domain_shutdown, which has its documentation."""

from __future__ import annotations

from ansible_collections.winguest.shutdown.plugins.plugin_utils._watched_run import WatchedRun as ActionModule

__all__ = ["ActionModule"]
