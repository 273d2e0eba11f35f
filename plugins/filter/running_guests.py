# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter of the playbook shutdown that says whom to ask afterwards."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.winguest.shutdown.plugins.plugin_utils._fleet import running_guests as running

DOCUMENTATION = r"""
name: running_guests
short_description: Name the guests that a shutdown has left running
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Names the guests whose domains ended as C(left_running), C(refused), C(restarted), C(cancelled) or C(error), so that
    they can be asked what blocked them. The playbook C(winguest.shutdown.shutdown) uses it.
positional: results
options:
  _input:
    description:
      - What P(winguest.shutdown.domain_entries#filter) has made.
    type: dict
    required: true
  results:
    description:
      - For each hypervisor the result of M(winguest.shutdown.domain_shutdown); one without a result may be missing.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Name the guests that are still running
  ansible.builtin.debug:
    msg: "{{ entries | winguest.shutdown.running_guests({'hv1': domain_shutdown_result}) }}"
"""

RETURN = r"""
_value:
  description:
    - Inventory names of guests.
  type: list
  elements: str
"""


def running_guests(entries: t.Any, results: t.Any) -> list[str]:
    """The guests; raises AnsibleFilterError for what is no result of domain_shutdown."""
    try:
        return running(entries, results)
    except (KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(f"running_guests: this is no result of domain_shutdown: {error!r}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter."""
        return {"running_guests": running_guests}
