# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: another collection that extends this fragment breaks without notice.

from __future__ import annotations


class ModuleDocFragment:
    """The options of everything that audits by the catalogue."""

    DOCUMENTATION = r"""
options:
  baseline:
    description:
      - A security baseline that Windows must keep to. Rows whose desired value it forbids are waived, and the hints
        name a method that does not need them.
      - V(cis) is the CIS Microsoft Windows Server Benchmark, whose rule 2.3.13.1 forbids shutting down without a logon,
        for one. V(stig) is the DISA STIG.
    type: str
    choices: [none, cis, stig]
    default: none
  waive:
    description:
      - Ids of rows that are to be left as they are. They are still read and reported, as C(waived).
    type: list
    elements: str
    default: []
  desired:
    description:
      - Other desired values, by the id of the row. A value of yours takes the place of the row's range, too.
    type: dict
    default: {}
  custom_rows:
    description:
      - Rows of your own, each a dictionary with C(id), C(scenario), C(title), C(desired), and one of C(registry) and
        C(user) (dictionaries with C(key), C(name) and C(type)) and C(power) (with C(subgroup) and C(setting), GUIDs).
      - C(registry) is a value under C(HKLM\SOFTWARE) or C(HKLM\SYSTEM); C(user) is one in every user's hive, with the
        key as it is below C(HKEY_CURRENT_USER); C(power) is a power setting in every power scheme.
      - May also have C(least) and C(most) (a range of numbers that is accepted as well), C(effect), C(takes_effect),
        C(cost), C(source), C(enforced) (default V(true)) and C(absent_is_fine) (default V(false)).
      - The tables in the catalogue's page show what each of them means. Anything that cannot be is an error that names
        the row and the key, and then nothing is read.
    type: list
    elements: dict
    default: []
  problems_only:
    description:
      - Leave findings out of RV(findings) that are C(ok) and, unless they were fixed, those that only inform.
    type: bool
    default: false
"""
