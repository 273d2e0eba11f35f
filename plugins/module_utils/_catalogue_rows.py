# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The rows of the catalogue, scenario by scenario. docs/catalogue.md is made from them by `tests/run catalogue`."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import (
    _catalogue_rows_applications,
    _catalogue_rows_damage,
    _catalogue_rows_logon,
    _catalogue_rows_other,
    _catalogue_rows_power,
    _catalogue_rows_updates,
)

if t.TYPE_CHECKING:
    from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Row

# The order is that in which they are set and shown. The power button comes before the sleep states: a button whose
# action is a state that was just forbidden would do nothing.
ROWS: tuple[Row, ...] = (
    *_catalogue_rows_updates.ROWS,
    *_catalogue_rows_logon.EVENT_TRACKER,
    *_catalogue_rows_logon.LOGON,
    *_catalogue_rows_applications.ROWS,
    *_catalogue_rows_power.POWER_BUTTON,
    *_catalogue_rows_power.SLEEP,
    *_catalogue_rows_damage.ROWS,
    *_catalogue_rows_other.ROWS,
)
