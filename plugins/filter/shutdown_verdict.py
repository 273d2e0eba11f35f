# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter of the role shutdown_verify."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.winguest.shutdown.plugins.module_utils._shutdown_verdict import verdict

DOCUMENTATION = r"""
name: shutdown_verdict
short_description: Say how a guest's last stop went, by both sides' records
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Puts together what a guest and its hypervisor have recorded. The role P(winguest.shutdown.shutdown_verify#role) uses
    it.
positional: domain, readiness, cleared
options:
  _input:
    description:
      - The result of M(winguest.shutdown.guest_shutdown_info), also one of a guest that could not be reached.
    type: dict
    required: true
  domain:
    description:
      - The result of M(winguest.shutdown.domain_shutdown_info) of the guest's domain, also one of a hypervisor that
        could not be reached, or of a task that was skipped.
    type: dict
  readiness:
    description:
      - The result of M(winguest.shutdown.guest_readiness_info), for what is the matter with volumes.
    type: dict
  cleared:
    description:
      - The result of M(winguest.shutdown.domain_shutdown_record) for the request that an earlier call of the filter
        has called settled.
    type: dict
"""

EXAMPLES = r"""
- name: Say how the last stop went
  ansible.builtin.debug:
    msg: "{{ (history | winguest.shutdown.shutdown_verdict(records, readiness)).verdict }}"
"""

RETURN = r"""
_value:
  description:
    - What the variable C(shutdown_verify_result) of the role P(winguest.shutdown.shutdown_verify#role) is described to
      have.
  type: dict
"""


def shutdown_verdict(guest: t.Any, domain: t.Any = None, readiness: t.Any = None, cleared: t.Any = None) -> t.Any:
    """The verdict; raises AnsibleFilterError for what is no result of these modules."""
    others = {"domain": domain, "readiness": readiness, "cleared": cleared}
    for name, result in {"the input": guest, **others}.items():
        if not isinstance(result, t.Mapping) and (result is not None or result is guest):
            raise AnsibleFilterError(f"shutdown_verdict: {name} is {result!r:.100}; it must be a module's result")
    try:
        return verdict(guest, **others)
    except (KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(f"shutdown_verdict: this is no result of the modules it is for: {error!r}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter."""
        return {"shutdown_verdict": shutdown_verdict}
