# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter with which the role shutdown_report makes its page."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_page import PageError, page

DOCUMENTATION = r"""
name: shutdown_report_html
short_description: Make one self-contained HTML page of a report
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Nothing that a guest has said is taken for markup, and the page loads nothing from elsewhere. The role
    P(winguest.shutdown.shutdown_report#role) uses it.
options:
  _input:
    description:
      - The report of P(winguest.shutdown.shutdown_report#filter) as JSON.
    type: str
    required: true
  skeleton:
    description:
      - The page's HTML, with C($title), C($policy), C($style), C($script) and C($document) in it.
    type: str
    required: true
  styles:
    description:
      - Its style sheets.
    type: list
    elements: str
    required: true
  scripts:
    description:
      - Its scripts, in the order in which they run.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Make the page of a report
  ansible.builtin.copy:
    content: "{{ lookup('ansible.builtin.file', 'report.json') | winguest.shutdown.shutdown_report_html(**parts) }}"
    dest: report.html
    mode: "0600"
"""

RETURN = r"""
_value:
  description:
    - The page.
  type: str
"""


def shutdown_report_html(document: t.Any, skeleton: str, styles: t.Sequence[str], scripts: t.Sequence[str]) -> t.Any:
    """The page; raises AnsibleFilterError for what is no report."""
    if not isinstance(document, str):
        raise AnsibleFilterError(f"shutdown_report_html: the input is {document!r:.100}; it must be a report as JSON")
    try:
        return page(document, skeleton, styles, scripts)
    except PageError as error:
        raise AnsibleFilterError(f"shutdown_report_html: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter."""
        return {"shutdown_report_html": shutdown_report_html}
