# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Troubles in words that stay short, however many guests have them. Pure."""

from __future__ import annotations

import typing as t

MOST_NAMED = 5


def several(texts: t.Sequence[str], joint: str = ", ") -> str:
    """The first of the texts, and how many others there are."""
    named = joint.join(texts[:MOST_NAMED])
    others = len(texts) - MOST_NAMED
    return f"{named}{joint}and {others} more" if others > 0 else named
