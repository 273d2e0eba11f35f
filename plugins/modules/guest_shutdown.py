#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_shutdown
short_description: Ask a Windows guest over its own connection to shut down
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Runs C(shutdown.exe) on the guest with the planned reason C(p:0:0), and does not wait for the shutdown itself, since
    that cuts the connection. Whether the guest went off is for the hypervisor to say, see
    M(winguest.shutdown.domain_shutdown).
  - Recognises a shutdown that is in progress already, one that is scheduled and blocks all others, and a refusal, by
    the exit status, which is a Win32 error code and the same in every language.
  - Runs on the controller, over the host's own connection, and needs no PowerShell and no Python on the guest.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.guest
attributes:
  check_mode:
    support: full
    details:
      - Checks the options and asks nothing of the guest.
  diff_mode:
    support: none
    details:
      - What a run changes is that the guest shuts down.
  idempotent:
    support: partial
    details:
      - A shutdown that is in progress already is no change. When the guest is off, it cannot be reached.
options:
  message:
    description:
      - What the users of the guest are shown, at most 512 characters.
      - The characters C(") and C(%) and line ends cannot be carried.
      - It is not shown in the task's result. Connections other than C(winrm) have command lines in their own log from
        the verbosity C(-vvv) on.
    type: str
  delay:
    description:
      - Seconds that Windows waits before it begins. Windows closes applications by force after any delay, so a delay
        above 0 needs O(force=true).
    type: int
    default: 0
  force:
    description:
      - Close applications without asking them, so that none can hold the shutdown up. Unsaved data is lost.
    type: bool
    default: false
  cancel_scheduled:
    description:
      - Cancel a shutdown that is scheduled (its timer may be years long) when it blocks this one, and ask again.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that C(shutdown.exe) may take to answer.
    type: float
    default: 30
seealso:
  - module: winguest.shutdown.guest_readiness
  - module: winguest.shutdown.domain_shutdown
  - name: shutdown
    description: Microsoft's documentation of the command and its limits.
    link: https://learn.microsoft.com/windows-server/administration/windows-commands/shutdown
"""

EXAMPLES = r"""
- name: Ask Windows to shut down, with applications asked to close
  winguest.shutdown.guest_shutdown:

- name: Give users a minute, then close what they have open
  winguest.shutdown.guest_shutdown:
    message: This machine shuts down for maintenance. Please save your work.
    delay: 60
    force: true
    cancel_scheduled: true
"""

RETURN = r"""
outcome:
  description:
    - C(accepted), Windows has taken the request;
    - C(unanswered), the connection was cut after the guest had taken the command;
    - C(in_progress), a shutdown was in progress already;
    - C(scheduled), another shutdown is scheduled and blocks this one (the task fails);
    - C(refused), with the reason in RV(msg) (the task fails);
    - C(planned), only in check mode.
  returned: always
  type: str
  sample: accepted
status:
  description: The exit status of C(shutdown.exe), a Win32 error code; null where there was no answer.
  returned: when it was run
  type: int
  sample: 0
cancelled_scheduled:
  description: Whether a scheduled shutdown was cancelled first.
  returned: when it was run
  type: bool
  sample: false
msg:
  description: The outcome in words, and where it helps, what to do.
  returned: always
  type: str
  sample: Windows has accepted the request
"""
