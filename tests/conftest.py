# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all tests share: the collection of this checkout, and how thoroughly hypothesis searches."""

from __future__ import annotations

import os

import checkout
import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

checkout.use_this_collection()

set_hypothesis_home_dir(checkout.CACHE / "hypothesis")
# In CI the same commit gives the same verdict; by hand every run looks at new examples. A busy machine is no bug.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("hand", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "hand")

FIRST_TO_LAST = ("gates", "integration", "unit")
MARKS = {"gates": pytest.mark.gate, "integration": pytest.mark.integration}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests by their folder, and begin with those that may take long, so that the workers end together."""

    def turn(item: pytest.Item) -> tuple[int, float]:
        limit = item.get_closest_marker("timeout")
        return FIRST_TO_LAST.index(_folder(item)), -limit.args[0] if limit else 0

    for item in items:
        if _folder(item) in MARKS:
            item.add_marker(MARKS[_folder(item)])
    items.sort(key=turn)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(checkout.ROOT / "tests").parts[0]
