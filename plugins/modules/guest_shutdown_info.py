#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_shutdown_info
short_description: Tell how a Windows guest was shut down, and what got in the way
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Reads the events of a Windows guest's latest starts and stops from its event logs, and tells of each stop whether it
    was in order, who asked for it and why, and which applications and services held it up.
  - What is going on since the last start is told in RV(current), and what gets or got in the way of a shutdown in
    RV(blocking), in sentences.
  - Events are found by provider and number, and their data are read by position or name, so that the language of the
    guest does not matter.
  - Runs Windows' own C(wevtutil) on the guest, no PowerShell and no Python, in one command over the connection that
    Ansible has to the guest. How many events it reads is limited by O(stops).
  - Runs on the controller.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.info_module
  - winguest.shutdown._attributes.guest
options:
  days:
    description:
      - Events that are older than this are not read, from 1 to 3650 days.
    type: int
    default: 30
  stops:
    description:
      - How many stops are told at most, from 1 to 100.
    type: int
    default: 10
  timeout:
    description:
      - Seconds that one command on the guest may take. There is one, or a few where the answer is very long.
    type: float
    default: 120
notes:
  - A hybrid shutdown (fast startup) does not end Windows' kernel, and neither its event log. It is told among
    RV(stops[].sleeps), and not as a stop.
  - What is in the logs is what was written into them. Programs on the guest can forge some of these events, those of
    applications that veto a shutdown for one.
  - Nothing tells a press of the power button from a program for sure. Windows logs both as asked for by a program, the
    button as asked for by C(winlogon.exe).
seealso:
  - module: winguest.shutdown.guest_readiness_info
  - module: winguest.shutdown.domain_shutdown_info
"""

EXAMPLES = r"""
- name: Find what keeps this guest from shutting down
  winguest.shutdown.guest_shutdown_info:
  register: history

- name: Show it
  ansible.builtin.debug:
    var: history.blocking

- name: Was the last stop in order?
  winguest.shutdown.guest_shutdown_info:
    stops: 1
  register: last
  failed_when: last.stops | map(attribute="clean") | select("false") | length > 0
"""

RETURN = r"""
stops:
  description: The stops, the newest first.
  returned: when the guest answered
  type: list
  elements: dict
  contains:
    start:
      description:
        - When Windows had started before this stop, ISO 8601 in UTC by the guest's clock; null where that is older than
          what was read.
      returned: always
      type: str
      sample: "2026-09-01T08:00:00.000Z"
    stop:
      description:
        - When it closed its event log, or its kernel ended; null where nothing says so, as after a power failure.
      returned: always
      type: str
      sample: "2026-09-01T17:03:10.204Z"
    next_start:
      description: When it started again.
      returned: always
      type: str
      sample: "2026-09-01T17:04:02.500Z"
    clean:
      description:
        - Whether it stopped in order, with the event log closed, and nothing amiss at the next boot; null where no
          event says so.
      returned: always
      type: bool
      sample: true
    evidence:
      description: What says whether it was in order.
      returned: always
      type: list
      elements: str
      sample: ["the event log was closed in order at 2026-09-01T17:03:08.112Z (EventLog 6006)"]
    stop_error:
      description: The code of the stop error (blue screen) that ended it; null where none is known.
      returned: always
      type: str
      sample: "0x0000009f"
    power_button_held:
      description: Whether it ended because the power button was held.
      returned: always
      type: bool
      sample: false
    while_sleeping:
      description: Whether it ended on its way to sleep or back.
      returned: always
      type: bool
      sample: false
    asked_by:
      description: Who asked for the shutdown last (User32 1074); null where nobody did, or it was aborted.
      returned: always
      type: dict
      contains:
        time:
          description: When.
          returned: always
          type: str
          sample: "2026-09-01T17:02:50.000Z"
        program:
          description: The program and, in parentheses, its computer.
          returned: always
          type: str
          sample: C:\Windows\system32\winlogon.exe (WEB01)
        user:
          description: As which user.
          returned: always
          type: str
          sample: NT AUTHORITY\SYSTEM
        reason_code:
          description: The code of the reason, which is the same in every language.
          returned: always
          type: str
          sample: "0x500ff"
        reason_text:
          description: The reason in the guest's language.
          returned: always
          type: str
          sample: No title for this reason could be found
        kind_text:
          description: The kind of shutdown in the guest's language.
          returned: always
          type: str
          sample: power off
        comment:
          description: The comment that was given.
          returned: always
          type: str
          sample: ""
    reason:
      description: The reason code in words, with C(planned) or C(unplanned); null where there is none.
      returned: always
      type: str
      sample: "operating system: upgrade, planned"
    action:
      description: What the kernel was to do, C(shutdown), C(restart) or C(power_off); null where it is not known.
      returned: always
      type: str
      sample: power_off
    kernel_reason:
      description:
        - The kernel's number for who began it (Kernel-Power 109), a hint only. 5 is a call of the kernel's interface,
          which is also what a press of the power button may be logged as.
      returned: always
      type: int
      sample: 5
    vetoed_by:
      description: Applications that tried to veto the shutdown (Winsrv 10001).
      returned: always
      type: list
      elements: str
      sample: [notepad.exe]
    hung:
      description: Applications that were ended because they were hung (Winsrv 10002).
      returned: always
      type: list
      elements: str
      sample: []
    late_services:
      description: Services that did not stop in their time (Service Control Manager 7043).
      returned: always
      type: list
      elements: str
      sample: []
    failed_requests:
      description: Attempts to shut down that failed (User32 1073).
      returned: always
      type: list
      elements: dict
      contains:
        time:
          description: When.
          returned: always
          type: str
          sample: "2026-09-01T17:02:50.000Z"
        user:
          description: As which user.
          returned: always
          type: str
          sample: NT AUTHORITY\SYSTEM
    aborted_requests:
      description: Shutdowns that were aborted (User32 1075).
      returned: always
      type: list
      elements: dict
      contains:
        time:
          description: When.
          returned: always
          type: str
          sample: "2026-09-01T17:02:50.000Z"
        user:
          description: By which user.
          returned: always
          type: str
          sample: WEB01\Administrator
    sleeps:
      description: When it went to sleep, the latest 20 times (Kernel-Power 42 and 107).
      returned: always
      type: list
      elements: dict
      contains:
        time:
          description: When.
          returned: always
          type: str
          sample: "2026-09-01T12:00:00.000Z"
        reason:
          description:
            - Why, as C(button or lid), C(battery), C(a program), C(asleep for long enough to hibernate), C(idle),
              C(unknown), or another reason by its number.
          returned: always
          type: str
          sample: idle
        state:
          description: The state it went to, C(S1) to C(S4); null where it is not known.
          returned: always
          type: str
          sample: S3
        resumed:
          description: When it resumed; null where that is not known.
          returned: always
          type: str
          sample: "2026-09-01T13:00:00.000Z"
current:
  description:
    - What has happened since the last start, with the same keys as RV(stops) from C(start) to C(sleeps), except those
      that only a stop has (C(next_start), C(clean), C(evidence), C(stop_error), C(power_button_held) and
      C(while_sleeping)).
  returned: when the guest answered
  type: dict
  sample: {"start": "2026-09-01T17:04:02.500Z", "stop": null, "vetoed_by": []}
blocking:
  description:
    - What holds a shutdown up now, and what has held one up, swallowed it, or made it take longer, as far back as stops
      are told; the newest first.
  returned: when the guest answered
  type: list
  elements: str
  sample:
    - the application notepad.exe vetoed a shutdown (2 times, last at 2026-09-01T17:02:51.000Z)
incomplete:
  description: What could not be read, or was left out because there is too much of it. Empty where all was read.
  returned: when the guest answered
  type: list
  elements: str
  sample: []
"""
