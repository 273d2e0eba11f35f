# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: another collection that extends this fragment breaks without notice.

from __future__ import annotations


class ModuleDocFragment:
    """What the collection's modules say about check mode, diff mode, idempotence and action groups."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode, in which it reports what it would do and changes nothing.
  diff_mode:
    description: In diff mode, returns what changed, or in check mode would change, as it was before and as it is after.
  idempotent:
    description: When run again with nothing else having changed in the meantime, reports no change.
"""

    # For modules that only read.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module only reads, so it does the same with and without check mode.
  diff_mode:
    support: N/A
    details:
      - This module only reads.
  idempotent:
    support: full
    details:
      - This module only reads.
"""

    # For modules in the action group of the same name in meta/runtime.yml.
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Takes the defaults that C(module_defaults) has for C(group/winguest.shutdown.domain).
    support: full
    membership:
      - winguest.shutdown.domain
"""

    # For what runs on the controller, over the connection of a Windows host.
    GUEST = r"""
options: {}
attributes:
  platform:
    description: The operating systems of the hosts it is for.
    support: full
    platforms: windows
notes:
  - The connection, its credentials and its transport are those of the inventory. Over C(winrm) the programs run in the
    connection's own shell; over others, such as C(psrp) and C(ssh) (with C(ansible_shell_type) set to C(cmd) or
    C(powershell)), they are run by the connection.
  - The user must be an administrator of the guest. Become is not supported.
"""
