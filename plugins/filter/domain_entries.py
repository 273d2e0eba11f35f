# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter of the playbook shutdown."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.winguest.shutdown.plugins.plugin_utils._fleet import FleetError
from ansible_collections.winguest.shutdown.plugins.plugin_utils._fleet import domain_entries as entries

DOCUMENTATION = r"""
name: domain_entries
short_description: Say which domains to shut down on which hypervisor, and how
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Makes of the guests of an inventory, and of what is known of their readiness, the option C(domains) of
    M(winguest.shutdown.domain_shutdown) for each hypervisor. The playbook C(winguest.shutdown.shutdown) uses it.
  - A guest's entry has the domain's name and UUID (the variables C(winguest_domain), by default the guest's inventory
    name, and C(winguest_uuid)), the guest itself unless it could not be reached, what the hints of its readiness
    recommend (C(methods); C(timeout) where it is longer, up to the hard end; C(expected_time) where updates are
    pending), and over all that what its variable C(winguest_shutdown) says, a dictionary of options.
positional: variables, hypervisors, chosen
options:
  _input:
    description:
      - Inventory names of Windows guests. Their variable C(winguest_hypervisor) names the hypervisor; it may be missing
        where there is only one. Guests of hypervisors that are not in O(hypervisors) are left out.
    type: list
    elements: str
    required: true
  variables:
    description:
      - Variables by inventory name, which C(hostvars) has. A hypervisor's C(domain_shutdown_timeout) and
        C(domain_shutdown_max_timeout) are the clocks of its guests that have none of their own.
    type: dict
    required: true
  hypervisors:
    description:
      - Inventory names of hypervisors.
    type: list
    elements: str
    required: true
  chosen:
    description:
      - The guests that the run is about. A hypervisor none of whose guests is among them has all of them shut down.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what would be shut down on each hypervisor
  ansible.builtin.debug:
    msg: "{{ groups.windows | winguest.shutdown.domain_entries(hostvars, groups.hypervisors, groups.windows) }}"
"""

RETURN = r"""
_value:
  description:
    - For each hypervisor with guests, the entries of the option C(domains) of M(winguest.shutdown.domain_shutdown).
  type: dict
"""


def domain_entries(
    guests: t.Any, variables: t.Any, hypervisors: t.Any, chosen: t.Any
) -> dict[str, list[dict[str, t.Any]]]:
    """The entries; raises AnsibleFilterError for variables that cannot be right."""
    try:
        return entries(list(guests), variables, list(hypervisors), list(chosen))
    except (FleetError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"domain_entries: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter."""
        return {"domain_entries": domain_entries}
