# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages stay short."""

from __future__ import annotations

from ansible_collections.winguest.shutdown.plugins.plugin_utils._wording import several


def test_several() -> None:
    assert several([]) == ""
    assert several(["a"]) == "a"
    assert several(list("abcde"), "; ") == "a; b; c; d; e"
    assert several([str(number) for number in range(1000)]) == "0, 1, 2, 3, 4, and 995 more"
