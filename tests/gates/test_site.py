# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site of the guides and of the plugins' pages."""

from __future__ import annotations

from pathlib import Path

import checkout
import docs_site


def test_the_site(tmp_path: Path) -> None:
    """It can be made without a warning (no link leads nowhere, no page is left out), and has every page."""
    html = docs_site.build(tmp_path).parent
    guides = {page.stem for page in docs_site.DOCS.glob("*.md")} - {"README"}
    modules = {f"{path.stem}_module" for path in (checkout.ROOT / "plugins" / "modules").glob("*.py")}
    roles = {f"{path.name}_role" for path in (checkout.ROOT / "roles").iterdir()}
    assert guides <= {page.stem for page in html.glob("*.html")}
    assert modules | roles <= {page.stem for page in (html / "collections/winguest/shutdown").glob("*.html")}
