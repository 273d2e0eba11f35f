#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_readiness
short_description: Find and mend what keeps a Windows image from shutting down once it runs
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Reads everything that the catalogue of blockers names and an image shows, from a disk image, a mounted or unpacked
    Windows, or a folder of hives, sets what is not as it should be, and reads that again.
  - Only rows that are verified and cost little are enforced by default. All others are reported, and set when they are
    named in O(enforce) or O(rows).
    L(The catalogue,https://github.com/winguest/shutdown/blob/main/docs/catalogue.md) has each row with its desired
    value, what it costs, and its source.
  - Power settings are set in every power scheme of the image, on AC and on DC. Settings of users are set in every
    profile of the image, in the default profile, and in the hive of the sign-in screen. What is missing is created.
  - The control set is the one that C(Select) in SYSTEM calls C(Current).
  - Runs on the host that has the image.
requirements:
  - python >= 3.9
  - hivex (the package C(python3-hivex) of the distribution), for the Python that runs the module
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._readiness
  - winguest.shutdown._image_disk
  - winguest.shutdown._image_disk.target
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  image:
    description:
      - A disk image with a Windows, which is opened by libguestfs.
      - Exactly one of O(image), O(root) and O(hives) is required.
    type: path
  root:
    description:
      - The folder in which the drive of Windows is, mounted or unpacked (such as by C(wimapply)); C(Windows) is in it.
      - Exactly one of O(image), O(root) and O(hives) is required.
    type: path
  hives:
    description:
      - A folder with hives, C(SOFTWARE), C(SYSTEM) and, as far as they are there, C(DEFAULT), C(COMPONENTS),
        C(NTUSER.DAT) (the default profile's), and users' as C(Users/NAME/NTUSER.DAT). The logs of hives need not be
        there.
      - Exactly one of O(image), O(root) and O(hives) is required.
    type: path
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
        group policy will write it again in the running guest.
      - Without it, such a setting is reported as C(managed_by_policy) and left alone.
    type: bool
    default: false
notes:
  - Refuses, with the reason and what to do, an image that is in use, hibernated (or shut down with fast startup), or
    has a hive whose logs were not replayed. Then nothing in it was changed.
  - Each hive is made anew beside the old one, looked at, and then takes its place at once. Whatever happens meanwhile,
    each hive is the old one or the new one, and running again goes on from there.
  - In a mounted root no link is followed, so that a profile behind a link is C(unreadable).
  - For several images, use a loop over the task. Each is closed before the next is opened.
seealso:
  - module: winguest.shutdown.image_readiness_info
  - module: winguest.shutdown.guest_readiness
"""

EXAMPLES = r"""
- name: Mend everything that is enforced by default in a disk image
  winguest.shutdown.image_readiness:
    image: /var/lib/libvirt/images/golden.qcow2

- name: Mend several images, one after the other, on guests that keep to the CIS benchmark
  winguest.shutdown.image_readiness:
    image: "{{ item }}"
    baseline: cis
  loop:
    - /var/lib/libvirt/images/web01.qcow2
    - /var/lib/libvirt/images/web02.qcow2

- name: Mend an unpacked Windows, before it is captured into a WIM file
  winguest.shutdown.image_readiness:
    root: /srv/build/windows

- name: Have a press of the power button close applications by force, in a folder of hives
  winguest.shutdown.image_readiness:
    hives: /srv/build/hives
    enforce: [power_button_forced_shutdown]
"""

RETURN = r"""
findings:
  description:
    - What was found, one entry for each place of each row, in the order of the catalogue. A row about power schemes has
      one place for each scheme on AC and on DC, and a row about users one for each profile.
  returned: when the image could be read
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
          reason in RV(findings[].detail); C(managed_by_policy), a policy that is not as wanted overrides it;
          C(not_in_image), only a running guest shows it (or, with O(hives), other files), so nothing is known.
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
        - When a change takes effect in a running guest, C(now), C(activation) (of the power scheme), C(logon), C(boot),
          C(next_shutdown) or C(unknown); null for what can only be read. In an image, all of it holds from the next
          boot on.
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
    - What is C(not_in_image) does not count.
    - For each scenario (C(updates), C(event_tracker), C(logon), C(applications), C(power_button), C(sleep), C(damage),
      C(other)) the worst that is true of it. C(blocked), a soft shutdown would be lost or not end; C(prolonged), it
      would take longer; C(waived), it would suffer from what is waived; C(unknown), something could not be read;
      C(ready_later), it was mended, which holds from the next sign-in or boot on; C(ready).
  returned: when the image could be read
  type: dict
  sample: {"power_button": "ready", "updates": "prolonged"}
hints:
  description: What the findings mean for whoever shuts down a guest that is made of the image.
  returned: when the image could be read
  type: dict
  contains:
    recommended_methods:
      description:
        - Methods that such a guest would obey, politest first. C(acpi) and C(agent) are those of
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
      description: Seconds that a shutdown of such a guest may take, as it is set; the sum of RV(hints.timeout_parts).
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
  returned: when the image could be read
  type: dict
  sample: {"differs": 0, "fixed": 12, "not_in_image": 22, "ok": 118}
system:
  description: Which Windows it is, as far as it says so.
  returned: when the image could be read
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
image:
  description: The image that was looked at, as it was named.
  returned: when the image could be read
  type: str
  sample: /var/lib/libvirt/images/web01.qcow2
holds:
  description:
    - With O(image), the file that holds (or in check mode would hold) what was changed. Empty otherwise.
  returned: when the image could be read
  type: str
  sample: /var/lib/libvirt/images/web01.qcow2
format:
  description: The format of RV(holds). Empty where it is no disk image.
  returned: when the image could be read
  type: str
  sample: qcow2
hives:
  description: The hives that were read.
  returned: when the image could be read
  type: list
  elements: dict
  contains:
    name:
      description:
        - C(SOFTWARE), C(SYSTEM), C(.DEFAULT), C(default) (the default profile's), or the security identifier of a user.
      returned: always
      type: str
      sample: SYSTEM
    path:
      description: The path of its file in the image.
      returned: always
      type: str
      sample: Windows/System32/config/SYSTEM
    changed:
      description: Whether it was, or in check mode would be, written.
      returned: always
      type: bool
      sample: true
obstacles:
  description:
    - Why M(winguest.shutdown.image_readiness) refuses to write into this image, each with what to do about it.
  returned: when the image could be read
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.winguest.shutdown.plugins.module_utils._image_disk import OPTIONS, TARGET_OPTIONS
from ansible_collections.winguest.shutdown.plugins.module_utils._image_module import EXACTLY_ONE, SOURCE_OPTIONS, run
from ansible_collections.winguest.shutdown.plugins.module_utils._remediation import (
    CATALOGUE_OPTIONS,
    REMEDIATION_OPTIONS,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {**SOURCE_OPTIONS, **OPTIONS, **TARGET_OPTIONS, **CATALOGUE_OPTIONS, **REMEDIATION_OPTIONS},
        mutually_exclusive=[EXACTLY_ONE, ("copy", "overlay")],
        required_one_of=[EXACTLY_ONE],
        required_by={"format": "image", "copy": "image", "overlay": "image"},
        supports_check_mode=True,
    )
    run(module, writing=True)


if __name__ == "__main__":
    main()
