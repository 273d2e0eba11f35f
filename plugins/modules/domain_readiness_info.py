#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: domain_readiness_info
short_description: Find what keeps libvirt domains from shutting down
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Reads all that the catalogue of blockers has about domains and their hypervisor, for one domain, many, or all
    domains of a hypervisor, and changes nothing. This is the audit of M(winguest.shutdown.domain_readiness) by
    itself.
  - The definitions (of the running domain and for its next start), the state, jobs, the guest agent, requests that
    are outstanding, and who acts on the guests when the hypervisor goes down.
  - Runs on the hypervisor, and needs nothing there but Python and libvirt's Python bindings.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.info_module
  - winguest.shutdown._attributes.action_group
  - winguest.shutdown._domain_readiness
seealso:
  - module: winguest.shutdown.domain_readiness
  - module: winguest.shutdown.guest_readiness_info
"""

EXAMPLES = r"""
- name: Find what would keep the domains of this hypervisor from shutting down
  winguest.shutdown.domain_readiness_info:
    all: true
    problems_only: true
  register: readiness

- name: Show who acts when the hypervisor goes down
  ansible.builtin.debug:
    var: readiness.host.acts
"""

RETURN = r"""
domains:
  description: One entry for each domain, in the order of O(domains) or by name; also when the task failed.
  returned: when the domains could be found
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
      description: Its state, in libvirt's words.
      returned: always
      type: str
      sample: running
    reason:
      description: Why it is in that state, in libvirt's words.
      returned: always
      type: str
      sample: booted
    persistent:
      description: Whether it has a definition that outlives it.
      returned: always
      type: bool
      sample: true
    findings:
      description:
        - What was found, in the order of the catalogue. A row about a definition has one entry for the running domain
          and one for the persistent definition, which holds from the next start. Rows that do not apply to the domain
          have none.
      returned: always
      type: list
      elements: dict
      contains:
        id:
          description: The id of the row.
          returned: always
          type: str
          sample: domain_on_poweroff
        scenario:
          description: The scenario it belongs to, always C(host).
          returned: always
          type: str
          sample: host
        effect:
          description: What it does to a shutdown, C(blocks), C(swallows), C(prolongs) or C(informs).
          returned: always
          type: str
          sample: blocks
        title:
          description: The same in a sentence.
          returned: always
          type: str
          sample: The domain is started anew when its guest has shut down
        location:
          description: The place that this entry is about.
          returned: always
          type: str
          sample: "persistent definition: on_poweroff"
        actual:
          description: What is there now; null where nothing is, or where it could not be read.
          returned: always
          type: raw
          sample: destroy
        desired:
          description: What is wanted there; null where nothing should be.
          returned: always
          type: raw
          sample: destroy
        state:
          description:
            - C(ok); C(differs), it is not as wanted; C(fixed), it was not and now is; C(later), it is not in the
              running domain, and will be from the next start; C(waived), it is not and may stay so; C(unverified), it
              is not, by a row that nobody could verify and that is only reported; C(unreadable), with the reason in
              C(detail).
          returned: always
          type: str
          sample: fixed
        actual_before:
          description: What was there before remediation.
          returned: always
          type: raw
          sample: restart
        state_before:
          description: The state before remediation.
          returned: always
          type: str
          sample: differs
        detail:
          description: What else is to be said, such as why it could not be read.
          returned: always
          type: str
          sample: ""
        enforced:
          description: Whether remediation sets it.
          returned: always
          type: bool
          sample: true
        takes_effect:
          description: When a change holds, C(now) or C(next_start); null for what can only be read.
          returned: always
          type: str
          sample: now
        cost:
          description: What setting it costs.
          returned: always
          type: str
          sample: ""
        cure:
          description: What a person can do.
          returned: always
          type: str
          sample: Set it to destroy in the domain's XML and start the domain anew.
        grade:
          description:
            - How sure the row is, C(verified) (two independent sources, or one that was seen to hold on real libvirt),
              C(single_source), C(common_knowledge) or C(contested).
          returned: always
          type: str
          sample: verified
        source:
          description: Where the row comes from.
          returned: always
          type: str
          sample: "libvirt: formatdomain"
    verdicts:
      description:
        - For the scenario C(host), the worst that is true of the domain. C(blocked), a soft shutdown would be lost or
          not end; C(prolonged), it would take longer; C(waived), it would suffer from what is waived; C(unknown),
          something could not be read; C(ready_later), it is mended, which holds from the next start on; C(ready).
      returned: always
      type: dict
      sample: {"host": "ready_later"}
    recommended_methods:
      description: >-
        The methods of M(winguest.shutdown.domain_shutdown) that this domain can carry now, politest first. None for
        one that is off, has powered off already or has crashed.
      returned: always
      type: list
      elements: str
      sample: [acpi, agent]
    agent:
      description: The guest agent.
      returned: always
      type: dict
      contains:
        connected:
          description: Whether it has opened its channel; null where there is none, or where libvirt does not know.
          returned: always
          type: bool
          sample: true
        answers:
          description: Whether it answers; null where it was not asked.
          returned: always
          type: bool
          sample: true
        version:
          description: Its version.
          returned: always
          type: str
          sample: 8.2.0
        disabled_commands:
          description: Commands that it has and refuses; nearly all of them while file systems are frozen.
          returned: always
          type: list
          elements: str
          sample: [guest-exec]
    changed:
      description: Whether it was changed or, in check mode, would be.
      returned: always
      type: bool
      sample: true
    holds:
      description:
        - From when on what was changed holds, C(now) or, if any of it does only then, C(next_start); null where nothing
          was changed. No domain is started anew for it.
      returned: always
      type: str
      sample: next_start
    former_definition:
      description:
        - The persistent definition as it was before it was changed, to put back with C(virsh define); null where it was
          not changed.
      returned: always
      type: str
      sample: null
    former_is_whole:
      description:
        - Whether RV(domains[].former_definition) is all of it. Passwords (of displays, for one) are left out of it, and
          only the file RV(domains[].backup) has them.
      returned: always
      type: bool
      sample: true
    backup:
      description: The file with the former definition; null where none was asked for.
      returned: always
      type: str
      sample: /var/lib/winguest/definitions/web01-6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11-20261123T101203204Z.xml
    failed:
      description: Whether remediation of this domain failed.
      returned: always
      type: bool
      sample: false
    error:
      description: Why it could not be mended or looked at; null where it could.
      returned: always
      type: str
      sample: null
host:
  description: The hypervisor.
  returned: when the domains could be found
  type: dict
  contains:
    findings:
      description: What was found of the hypervisor, in the form of RV(domains[].findings).
      returned: always
      type: list
      elements: dict
      sample: []
    verdicts:
      description: The same for the hypervisor, in the form of RV(domains[].verdicts).
      returned: always
      type: dict
      sample: {"host": "ready"}
    acts_first:
      description:
        - Who acts on the guests first when the hypervisor goes down, C(daemon) (libvirt's daemon, by its
          C(auto_shutdown_*) settings), C(libvirt-guests) or C(nobody); null where that cannot be read.
      returned: always
      type: str
      sample: libvirt-guests
    acts:
      description: What is done to the guests then, in this order.
      returned: always
      type: list
      elements: str
      sample:
        - "libvirt-guests, when systemd stops it: saves the running guests (managed save)"
totals:
  description: How many findings about domains are in each state.
  returned: when the domains could be found
  type: dict
  sample: {"differs": 0, "fixed": 3, "later": 1, "ok": 40, "unreadable": 0, "unverified": 0, "waived": 0}
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_audit import INFO_OPTIONS, Audit
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import (
    LIBVIRT_IMPORT_ERROR,
    HypervisorError,
    LibvirtError,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(INFO_OPTIONS, supports_check_mode=True)
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt"), exception=LIBVIRT_IMPORT_ERROR)
    try:
        result = Audit(module.params, False, module.check_mode).run()
    except (ValueError, HypervisorError) as error:
        module.fail_json(msg=str(error))
    except LibvirtError as error:
        module.fail_json(msg=f"libvirt failed while the domains were looked at: {error}")
    if not module._diff:
        del result["diff"]
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
