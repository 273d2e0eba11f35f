# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Sphinx makes the site of the guides and of the plugins' pages; tests/docs_site.py puts them together for it."""

from __future__ import annotations

project = "winguest.shutdown"
author = "The winguest.shutdown contributors"
copyright = author  # noqa: A001 - the name is Sphinx's
title = html_title = html_short_title = "Clean shutdowns of Windows guests"

extensions = ["myst_parser", "sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/ansible/latest", "ansible.inv")}
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["examples"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]

html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_theme_options = {
    "display_version": False,
    "topbar_links": {"Repository": "https://github.com/winguest/shutdown"},
}
html_static_path = ["site.css"]
html_css_files = ["site.css"]
default_role = "any"
