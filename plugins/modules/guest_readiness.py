#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_readiness
short_description: Find and mend what keeps a Windows guest from shutting down
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Reads everything that the catalogue of blockers names from a Windows guest, sets what is not as it should be, and
    reads that again, all in two commands over the connection that Ansible has to the guest.
  - Only rows that are verified and cost little are enforced by default. All others are reported, and set when they are
    named in O(enforce) or O(rows).
    L(The catalogue,https://github.com/winguest/shutdown/blob/main/docs/catalogue.md) has each row with its desired
    value, what it costs, and its source.
  - Power settings are set in every power scheme, on AC and on DC, and the active scheme is activated again. Settings of
    users are set for those who are signed in, for stored profiles (loaded for a moment and unloaded again), in the
    default profile and in C(HKU\.DEFAULT).
  - Runs Windows' own C(reg), C(powercfg), C(wevtutil) and C(tasklist) on the guest, no PowerShell and no Python, and
    reads nothing that Windows translates.
  - Runs on the controller.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.guest
  - winguest.shutdown._readiness
attributes:
  check_mode:
    support: full
    details:
      - Reads the same and writes nothing. Stored profiles are loaded and unloaded to be read.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  scenarios:
    description:
      - Set only what belongs to these scenarios. Everything is read all the same.
    type: list
    elements: str
    choices: [updates, event_tracker, logon, applications, power_button, sleep, damage, other]
    default: [updates, event_tracker, logon, applications, power_button, sleep, damage, other]
  rows:
    description:
      - Set only these rows, whether they are enforced by default or not. Everything is read all the same.
    type: list
    elements: str
  enforce:
    description:
      - Ids of further rows to set.
    type: list
    elements: str
    default: []
  override_policy:
    description:
      - Where a policy overrides a power setting with another value, remove that value from the policy's key. A domain's
        group policy will write it again.
      - Without it, such a setting is reported as C(managed_by_policy) and left alone.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that one command on the guest may take. There are two for a guest with a handful of users.
      - It holds over C(winrm). Other connections have time-outs of their own.
    type: float
    default: 300
notes:
  - A user whose profile is on the disk only, and who signs in at the very moment in which it is being read, may get a
    temporary profile. Each is loaded for a fraction of a second.
  - When the connection breaks, it is opened again within 30 seconds, profiles that were left loaded are unloaded, and
    the interrupted command is run again. Where that is not possible, the next run unloads them.
seealso:
  - module: winguest.shutdown.guest_readiness_info
  - module: winguest.shutdown.guest_shutdown
  - module: winguest.shutdown.domain_shutdown
"""

EXAMPLES = r"""
- name: Mend everything that is enforced by default
  winguest.shutdown.guest_readiness:

- name: Mend only the power button and sleep, on guests that keep to the CIS benchmark
  winguest.shutdown.guest_readiness:
    scenarios: [power_button, sleep]
    baseline: cis

- name: Have a press of the power button close applications by force, and leave the event tracker alone
  winguest.shutdown.guest_readiness:
    enforce: [power_button_forced_shutdown]
    waive: [event_tracker_policy, event_tracker_policy_ui]

- name: A row of our own, and another desired value
  winguest.shutdown.guest_readiness:
    desired:
      hung_session_timeout: 2
    custom_rows:
      - id: our_backup_agent
        scenario: applications
        title: Our backup agent waits for a running backup
        registry:
          key: HKLM\SOFTWARE\Example\Backup
          name: WaitAtShutdown
          type: REG_DWORD
        desired: 0
        absent_is_fine: true
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
