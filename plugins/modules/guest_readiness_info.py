#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_readiness_info
short_description: Find what keeps a Windows guest from shutting down
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Reads everything that the catalogue of blockers names from a Windows guest, and changes nothing. This is the audit
    of M(winguest.shutdown.guest_readiness) by itself.
  - Stored profiles of users are loaded for a moment to be read, and unloaded again.
  - Runs on the controller, over the connection that Ansible has to the guest, and needs no PowerShell there.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.info_module
  - winguest.shutdown._attributes.guest
  - winguest.shutdown._readiness
options:
  rows:
    description:
      - Read only these rows of the catalogue. RV(verdicts) and RV(hints), which are about all rows, are left out then.
    type: list
    elements: str
  timeout:
    description:
      - Seconds that one command on the guest may take. There are two for a guest with a handful of users.
      - It holds over C(winrm). Other connections have time-outs of their own.
    type: float
    default: 300
seealso:
  - module: winguest.shutdown.guest_readiness
"""

EXAMPLES = r"""
- name: Find what would keep this guest from shutting down
  winguest.shutdown.guest_readiness_info:
    problems_only: true
  register: readiness

- name: Show the verdicts
  ansible.builtin.debug:
    var: readiness.verdicts
"""

RETURN = r"""
findings:
  description:
    - What was found, one entry for each place of each row, in the order of the catalogue. A row about power schemes has
      one place for each scheme on AC and on DC, and a row about users one for each profile.
  returned: when the guest answered
  type: list
  elements: dict
  contains:
    id:
      description: The id of the row.
      returned: always
      type: str
      sample: power_button_action
    scenario:
      description: The scenario it belongs to, as in RV(verdicts).
      returned: always
      type: str
      sample: power_button
    effect:
      description: What it does to a shutdown, C(blocks), C(swallows), C(prolongs) or C(informs).
      returned: always
      type: str
      sample: swallows
    title:
      description: The same in a sentence.
      returned: always
      type: str
      sample: The power button does something else than shut Windows down
    location:
      description: The place that this entry is about.
      returned: always
      type: str
      sample: "power scheme 381b4222-f694-41f0-9685-ff5bb260df2e, AC: SUB_BUTTONS PBUTTONACTION"
    actual:
      description:
        - What is there now; null where nothing is, or where it could not be read. Bytes are hexadecimal, long texts are
          cut, and control characters are shown as escapes.
      returned: always
      type: raw
      sample: 3
    desired:
      description: What is wanted there; null where nothing should be.
      returned: always
      type: raw
      sample: 3
    state:
      description:
        - C(ok); C(differs), it is not as wanted; C(fixed), it was not and now is; C(waived), it is not and may stay so;
          C(unverified), it is not, by a row that nobody could verify and that is only reported; C(unreadable), with the
          reason in RV(findings[].detail); C(managed_by_policy), a policy that is not as wanted overrides it.
      returned: always
      type: str
      sample: fixed
    actual_before:
      description: What was there before remediation.
      returned: always
      type: raw
      sample: 0
    state_before:
      description: The state before remediation.
      returned: always
      type: str
      sample: differs
    detail:
      description: What else is to be said, such as why it could not be read or why it is waived.
      returned: always
      type: str
      sample: ""
    enforced:
      description: Whether remediation sets it.
      returned: always
      type: bool
      sample: true
    takes_effect:
      description:
        - When a change takes effect, C(now), C(activation) (of the power scheme, which remediation does), C(logon),
          C(boot), C(next_shutdown) or C(unknown); null for what can only be read.
      returned: always
      type: str
      sample: activation
    cost:
      description: What setting it costs.
      returned: always
      type: str
      sample: ""
    cure:
      description: What a person can do where remediation cannot.
      returned: always
      type: str
      sample: ""
    grade:
      description:
        - How sure the row is, C(verified) (two independent sources), C(single_source), C(common_knowledge) or
          C(contested).
      returned: always
      type: str
      sample: verified
    source:
      description: Where the row comes from.
      returned: always
      type: str
      sample: winnt.h; Power.admx
verdicts:
  description:
    - For each scenario (C(updates), C(event_tracker), C(logon), C(applications), C(power_button), C(sleep), C(damage),
      C(other)) the worst that is true of it. C(blocked), a soft shutdown would be lost or not end; C(prolonged), it
      would take longer; C(waived), it would suffer from what is waived; C(unknown), something could not be read;
      C(ready_later), it is mended, which holds from the next sign-in or boot on; C(ready).
  returned: when the guest answered
  type: dict
  sample: {"power_button": "ready", "updates": "prolonged"}
hints:
  description: What the findings mean for whoever shuts the guest down.
  returned: when the guest answered
  type: dict
  contains:
    recommended_methods:
      description:
        - Methods that this guest would obey, politest first. C(acpi) and C(agent) are those of
          M(winguest.shutdown.domain_shutdown), C(guest_shutdown) is M(winguest.shutdown.guest_shutdown).
      returned: always
      type: list
      elements: str
      sample: [acpi, guest_shutdown, agent]
    methods_reason:
      description: Why a method is missing.
      returned: always
      type: list
      elements: str
      sample: []
    recommended_timeout:
      description: Seconds that a shutdown of this guest may take, as it is set; the sum of RV(hints.timeout_parts).
      returned: always
      type: int
      sample: 270
    timeout_parts:
      description:
        - Seconds by what may take them, C(base), C(sessions) (hung sessions), C(services), C(scripts) (shutdown
          scripts), C(page_file) (clearing it) and C(servicing) (updates that are pending).
      returned: always
      type: dict
      sample: {"base": 60, "services": 30, "sessions": 180}
    pending_servicing:
      description: Whether a shutdown has updates or other servicing to work on.
      returned: always
      type: bool
      sample: false
    pending_rows:
      description: Ids of the rows that say so.
      returned: always
      type: list
      elements: str
      sample: []
totals:
  description: How many findings are in each state.
  returned: when the guest answered
  type: dict
  sample: {"differs": 0, "fixed": 12, "ok": 140}
system:
  description: Which Windows it is, as far as it says so.
  returned: when the guest answered
  type: dict
  contains:
    product:
      description: Its name.
      returned: always
      type: str
      sample: Windows Server 2022 Standard
    build:
      description: Its build.
      returned: always
      type: int
      sample: 20348
    server:
      description: Whether it is a server.
      returned: always
      type: bool
      sample: true
"""
