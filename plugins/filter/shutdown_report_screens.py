# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter with which the role shutdown_report finds the screenshots that it fetches."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_document import screens_wanted

DOCUMENTATION = r"""
name: shutdown_report_screens
short_description: Say where the screenshots of guests are that were forced
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Looks for them in the evidence that M(winguest.shutdown.domain_shutdown) has told of. The role
    P(winguest.shutdown.shutdown_report#role) uses it.
options:
  _input:
    description:
      - All hosts' variables, as the variable C(hostvars) has them.
    type: dict
    required: true
  hypervisors:
    description:
      - Inventory names of the hypervisors.
    type: list
    elements: str
    required: true
  most:
    description:
      - How many are told at most.
    type: int
    default: 100
"""

EXAMPLES = r"""
- name: List the screenshots of guests that were forced
  ansible.builtin.debug:
    msg: "{{ hostvars | winguest.shutdown.shutdown_report_screens(hypervisors=groups.hypervisors) }}"
"""

RETURN = r"""
_value:
  description:
    - For each screenshot a dictionary with C(hypervisor), its inventory name, and C(path), where the screenshot is on
      it.
  type: list
  elements: dict
"""


def shutdown_report_screens(hostvars: t.Any, hypervisors: t.Sequence[str], most: int = 100) -> t.Any:
    """Hypervisors and paths; raises AnsibleFilterError for what has no hosts in it."""
    if not isinstance(hostvars, t.Mapping):
        raise AnsibleFilterError(f"shutdown_report_screens: the input is {hostvars!r:.100}; it must be hostvars")
    return wrap_var(screens_wanted({name: hostvars.get(name, {}) for name in hypervisors}, int(most)))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter."""
        return {"shutdown_report_screens": shutdown_report_screens}
