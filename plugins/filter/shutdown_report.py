# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter with which the role shutdown_report makes its document."""

from __future__ import annotations

import datetime
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_document import document
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_facts import gather, plain
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_screens import read_screens

DOCUMENTATION = r"""
name: shutdown_report
short_description: Put what became of a fleet's guests together
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Gathers the results that the roles of this collection have left in the variables of hypervisors and guests. The role
    P(winguest.shutdown.shutdown_report#role) uses it, and its documentation says what is in the report.
options:
  _input:
    description:
      - All hosts' variables, as the variable C(hostvars) has them.
    type: dict
    required: true
  hypervisors:
    description:
      - Inventory names of the hypervisors.
    type: list
    elements: str
    required: true
  guests:
    description:
      - Inventory names of the Windows guests.
    type: list
    elements: str
    default: []
  asked:
    description:
      - Inventory names of the hosts that the run was for. One that is not among them and has no result is left out.
      - Without it, or if it is empty, the run was for all of them.
    type: list
    elements: str
  title:
    description:
      - The title of the report.
    type: str
    default: Shutdown of Windows guests
  check_mode:
    description:
      - Whether the report is of a run in check mode.
    type: bool
    default: false
  screens:
    description:
      - Results of M(ansible.builtin.stat) in a loop over what P(winguest.shutdown.shutdown_report_screens#filter)
        returns, and then those of M(ansible.builtin.slurp) in a loop over these results.
    type: list
    elements: dict
    default: []
  largest_screen:
    description:
      - The size in bytes beyond which a screenshot was not to be fetched, for the reason that the report gives.
    type: int
    default: 1048576
  most_entries:
    description:
      - How many entries of one guest's timeline are kept, at least 2. The middle of a longer one is left out.
    type: int
    default: 200
"""

EXAMPLES = r"""
- name: Say how many guests had to be forced
  ansible.builtin.debug:
    msg: "{{ report.totals.forced | length }} of {{ report.totals.guests }}"
  vars:
    report: "{{ hostvars | winguest.shutdown.shutdown_report(hypervisors=groups.hypervisors, guests=groups.windows) }}"
"""

RETURN = r"""
_value:
  description:
    - The report, a dictionary with C(title), C(made_at), C(check_mode), C(run) (when it began and ended), C(totals),
      C(hypervisors) and C(guests).
    - What guests and hypervisors have said is marked as unsafe, so that nothing in it is taken for a template.
  type: dict
"""


def shutdown_report(
    hostvars: t.Any,
    hypervisors: t.Sequence[str],
    guests: t.Sequence[str] = (),
    asked: t.Sequence[str] | None = None,
    title: str = "Shutdown of Windows guests",
    check_mode: bool = False,
    screens: t.Sequence[t.Mapping[str, t.Any]] = (),
    largest_screen: int = 1024 * 1024,
    most_entries: int = 200,
) -> t.Any:
    """The report; raises AnsibleFilterError for what no report can be made of."""
    if not isinstance(hostvars, t.Mapping):
        raise AnsibleFilterError(f"shutdown_report: the input is {hostvars!r:.100}; it must be hostvars")
    if int(most_entries) < 2:
        raise AnsibleFilterError(f"shutdown_report: most_entries is {most_entries}; it must be at least 2")
    now = datetime.datetime.now(datetime.timezone.utc)
    made = {
        "title": plain(title),
        "made_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "check_mode": boolean(check_mode),
    }
    wanted = set(asked) if asked else None
    return wrap_var(
        document(
            gather(hostvars, hypervisors, wanted),
            gather(hostvars, guests, wanted),
            made,
            read_screens(screens, int(largest_screen)),
            int(most_entries),
        )
    )


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter."""
        return {"shutdown_report": shutdown_report}
