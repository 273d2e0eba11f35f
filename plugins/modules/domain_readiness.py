#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: domain_readiness
short_description: Find and mend what keeps libvirt domains from shutting down
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Half of why a soft shutdown fails is in the domain's definition, in its state, or in the hypervisor. This reads
    all that the catalogue of blockers has about them, for one domain, many, or all domains of a hypervisor, and mends
    what a definition can hold. M(winguest.shutdown.guest_readiness) does the same within the guest.
  - Mended by default are a missing C(<acpi/>), an C(on_poweroff) that turns a shutdown into a restart, sleep states
    that are offered to the guest (C(<pm>)), and a missing channel for the guest agent. C(on_reboot), C(on_crash), a
    display for evidence, and a managed-save image that lies about are mended when they are named in O(enforce) or
    O(rows). All else is reported with what a person can do. L(The
    catalogue,https://github.com/winguest/shutdown/blob/main/docs/catalogue.md) has each row with its source.
  - Changes nothing of a definition but the elements that it is about. The new definition is validated against
    libvirt's schema where the former one passes that, read again, and put back when it is not what was meant.
  - What libvirt can change while the domain runs (the actions at its end) holds now. All else holds from the next
    start. No guest is started, stopped or restarted for it.
  - Runs on the hypervisor, and needs nothing there but Python and libvirt's Python bindings.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.action_group
  - winguest.shutdown._domain_readiness
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Returns each persistent definition before and after, without passwords. In check mode, what libvirt would add by
        itself (the addresses of new devices, for one) is not in it.
  idempotent:
    support: full
options:
  rows:
    description:
      - Mend only these rows, whether they are enforced by default or not. Everything is read all the same.
    type: list
    elements: str
  enforce:
    description:
      - Ids of further rows to mend.
    type: list
    elements: str
    default: []
  backup_dir:
    description:
      - Folder on the hypervisor for the former definitions of domains that are changed, whole and with passwords. Made
        with mode 0700 when missing; the files in it have mode 0600.
    type: path
notes:
  - The user must be allowed to read a definition with its passwords (libvirt's C(read-secure) permission) and to define
    it, because a definition that was read without them would lose them.
  - A domain that was suspended with its memory (managed save) goes on with the definition in its image. What is mended
    holds from the start after that.
seealso:
  - module: winguest.shutdown.domain_readiness_info
  - module: winguest.shutdown.domain_shutdown
  - module: winguest.shutdown.guest_readiness
"""

EXAMPLES = r"""
- name: Mend what is enforced by default in all Windows domains
  winguest.shutdown.domain_readiness:
    all: true
    name_pattern: "win-*"
    backup_dir: /var/lib/winguest/definitions

- name: Forbid sleep from the hypervisor's side, and nothing else
  winguest.shutdown.domain_readiness:
    domains: [web01, web02]
    rows: [domain_suspend_to_mem, domain_suspend_to_disk]

- name: Keep what the domains of a cluster do at a power-off, and give one of them a display
  winguest.shutdown.domain_readiness:
    domains:
      - sql01
      - name: build07
        enforce: [domain_display]
    waive: [domain_on_poweroff]
  check_mode: true
  diff: true
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
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_audit import REMEDIATION_OPTIONS, Audit
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_remediation import RemediationError
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import (
    LIBVIRT_IMPORT_ERROR,
    HypervisorError,
    LibvirtError,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(REMEDIATION_OPTIONS, supports_check_mode=True)
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt"), exception=LIBVIRT_IMPORT_ERROR)
    try:
        result = Audit(module.params, True, module.check_mode).run()
    except (ValueError, HypervisorError, RemediationError) as error:
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
