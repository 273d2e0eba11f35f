#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: domain_shutdown_info
short_description: Tell what is on record of the shutdowns of domains
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Reads what M(winguest.shutdown.domain_shutdown) has recorded of domains in their metadata, the latest request with
    its outcome, and how long earlier shutdowns took, and finds the evidence of those that were forced.
  - Says of a request that was left outstanding whether the guest may still obey it.
  - Runs on the hypervisor, and needs nothing there but Python and libvirt's Python bindings.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.info_module
  - winguest.shutdown._attributes.action_group
requirements:
  - python >= 3.9
  - libvirt-python (the package C(python3-libvirt) of the distribution)
options:
  uri:
    description:
      - The libvirt connection URI of the hypervisor, as seen from the host on which the module runs.
    type: str
    default: qemu:///system
  domains:
    description:
      - The domains, each either a plain string, the domain's name, or a dictionary with C(name) or C(uuid), or both,
        which must then belong together.
      - A domain that does not exist, or that is named twice, is an error.
      - Exactly one of O(domains) and O(all) is required.
    type: list
    elements: raw
  all:
    description:
      - All domains of the hypervisor.
      - Exactly one of O(domains) and O(all) is required.
    type: bool
    default: false
  name_pattern:
    description:
      - With O(all=true), only domains whose name matches this shell pattern (C(*), C(?), C([abc])), case-sensitive.
    type: str
  evidence_dir:
    description:
      - Folder on the hypervisor in which M(winguest.shutdown.domain_shutdown) has put evidence. One that does not exist
        holds none; one that cannot be read is an error.
    type: path
    default: /var/lib/winguest/evidence
seealso:
  - module: winguest.shutdown.domain_shutdown
  - module: winguest.shutdown.domain_shutdown_record
  - module: winguest.shutdown.guest_shutdown_info
"""

EXAMPLES = r"""
- name: Find the guests that may yet go off
  winguest.shutdown.domain_shutdown_info:
    all: true
  register: records

- name: Name them
  ansible.builtin.debug:
    msg: "{{ records.domains | selectattr('request') | selectattr('request.outstanding') | map(attribute='name') }}"
"""

RETURN = r"""
domains:
  description: One entry for each domain, in the order of O(domains) or by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The domain's name.
      returned: always
      type: str
      sample: web01
    uuid:
      description: The domain's UUID.
      returned: always
      type: str
      sample: 6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11
    state:
      description:
        - The state it is in, C(running), C(paused), C(in_shutdown), C(shutoff), C(crashed), C(pmsuspended) or
          C(nostate).
      returned: always
      type: str
      sample: running
    state_reason:
      description: libvirt's reason for the state.
      returned: always
      type: str
      sample: booted
    request:
      description: The latest request that is on record; null where there is none.
      returned: always
      type: dict
      contains:
        at:
          description: When it was made, ISO 8601 in UTC.
          returned: always
          type: str
          sample: "2026-11-23T10:12:03.204Z"
        outcome:
          description:
            - How its run ended, as in RV(winguest.shutdown.domain_shutdown#module:domains[].outcome); empty while it is
              under way, or where it was cut off.
          returned: always
          type: str
          sample: left_running
        ended:
          description: When its run ended; empty where RV(domains[].request.outcome) is.
          returned: always
          type: str
          sample: "2026-11-23T10:17:03.305Z"
        reason:
          description: Why it ended so, where the controller had disappeared and nobody was left to be told; else empty.
          returned: always
          type: str
          sample: ""
        finish_by:
          description: When its finish clock ran out.
          returned: always
          type: str
          sample: "2026-11-23T10:17:03.204Z"
        hard_end:
          description: Its hard end.
          returned: always
          type: str
          sample: "2026-11-23T11:12:03.204Z"
        on_timeout:
          description: What was allowed at the end of its clocks.
          returned: always
          type: str
          sample: leave
        outstanding:
          description: Whether the guest may still obey it.
          returned: always
          type: bool
          sample: true
        void:
          description: Whether it was left outstanding, and the domain is off or was started anew since.
          returned: always
          type: bool
          sample: false
    history:
      description: The latest shutdowns that went well, up to ten, the oldest first.
      returned: always
      type: list
      elements: dict
      contains:
        at:
          description: When it was asked for.
          returned: always
          type: str
          sample: "2026-11-20T10:12:03.204Z"
        outcome:
          description: C(graceful) or C(saved).
          returned: always
          type: str
          sample: graceful
        method:
          description: The method that was in use.
          returned: always
          type: str
          sample: acpi
        accept_seconds:
          description: Seconds from the first request to the first sign that the guest obeyed; null when none was seen.
          returned: always
          type: float
          sample: 0.512
        finish_seconds:
          description: Seconds from the first request to the end.
          returned: always
          type: float
          sample: 24.803
        save_seconds:
          description: Seconds of them that the managed save took; null for a guest that was not saved by the run.
          returned: always
          type: float
          sample: null
    evidence:
      description: What was kept of the guest before it was forced, the latest 20 times, the newest first.
      returned: always
      type: list
      elements: dict
      contains:
        folder:
          description: The folder.
          returned: always
          type: str
          sample: /var/lib/winguest/evidence/web01-20261123T101203204Z-k3j2h1g0
        files:
          description: The files in it.
          returned: always
          type: list
          elements: str
          sample: []
        time:
          description: When it was taken.
          returned: always
          type: str
          sample: "2026-11-23T10:17:03.204Z"
        why:
          description: Why the guest was to be forced.
          returned: always
          type: str
          sample: take evidence before the guest is forced
    trouble:
      description: Why the record, or the domain, could not be read; empty where it could.
      returned: always
      type: str
      sample: ""
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_records as records
from ansible_collections.winguest.shutdown.plugins.module_utils import _evidence, _facts, _selection
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import (
    LIBVIRT_IMPORT_ERROR,
    Hypervisor,
    HypervisorError,
    Inbox,
    LibvirtError,
)

OPTIONS: dict[str, dict[str, object]] = {
    **_selection.OPTIONS,
    "evidence_dir": {"type": "path", "default": "/var/lib/winguest/evidence"},
}


def read(module: AnsibleModule) -> list[dict[str, object]]:
    """The entries of all domains that are meant."""
    named = records.wanted(module.params)
    hypervisor = Hypervisor(module.params["uri"], Inbox())
    try:
        if module.params["all"]:
            domains = _facts.all_domains(hypervisor.connection, module.params["name_pattern"])
        else:
            domains = _facts.find(hypervisor.connection, named)
        kept = [records.look(domain) for domain in domains]
    finally:
        hypervisor.close()
    evidence = _evidence.found(module.params["evidence_dir"], [(one.name, one.uuid) for one in kept])
    return [{**one.told(), "evidence": evidence[one.uuid]} for one in kept]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt"), exception=LIBVIRT_IMPORT_ERROR)
    try:
        domains = read(module)
    except (ValueError, _evidence.EvidenceError, HypervisorError) as error:
        module.fail_json(msg=str(error))
    except LibvirtError as error:
        module.fail_json(msg=f"libvirt failed while the domains were looked at: {error}")
    module.exit_json(changed=False, domains=domains)


if __name__ == "__main__":
    main()
