# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that reads a report which was written as JSON."""

from __future__ import annotations

import json
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

DOCUMENTATION = r"""
name: shutdown_report_read
short_description: Read a report that was written as JSON
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Reads what the role P(winguest.shutdown.shutdown_report#role) has written. Other than with
    P(ansible.builtin.from_json#filter), nothing in it that a guest has said is taken for a template, with any
    ansible-core.
options:
  _input:
    description:
      - The report as JSON.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Name the guests that were forced
  ansible.builtin.debug:
    msg: "{{ report.totals.forced | map(attribute='name') | join(', ') }}"
  vars:
    report: "{{ lookup('ansible.builtin.file', 'shutdown-report.json') | winguest.shutdown.shutdown_report_read }}"
"""

RETURN = r"""
_value:
  description:
    - The report, as P(winguest.shutdown.shutdown_report#filter) returns it.
  type: dict
"""


def shutdown_report_read(text: t.Any) -> t.Any:
    """The report; raises AnsibleFilterError for what is none."""
    try:
        told = json.loads(text)
        dummy = told["totals"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AnsibleFilterError(f"shutdown_report_read: the input is no report as JSON: {error!r}") from error
    return wrap_var(told)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter."""
        return {"shutdown_report_read": shutdown_report_read}
