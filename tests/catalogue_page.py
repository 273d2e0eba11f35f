# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/catalogue.md, the page about the catalogue, from its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import checkout
from ansible_collections.winguest.shutdown.plugins.module_utils import _catalogue as catalogue
from ansible_collections.winguest.shutdown.plugins.module_utils import _catalogue_rows_host as host
from ansible_collections.winguest.shutdown.plugins.module_utils import _catalogue_rows_image as image
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS as GUEST_ROWS

ROWS = (*GUEST_ROWS, *image.ROWS, *host.ROWS)
PAGE = checkout.ROOT / "docs" / "catalogue.md"

SHORT = {
    "CV": r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion",
    "NT": r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion",
    "POL": r"HKLM\SOFTWARE\Policies\Microsoft",
    "CCS": r"HKLM\SYSTEM\CurrentControlSet",
}
COLUMNS = (
    *("id, effect", "what it does", "where", "wanted", "when absent", "takes effect"),
    *("enforced", "cost, conflicts, and what else to do", "source", "grade"),
)

EXAMPLE = r"""
guest_readiness_custom_rows:
  - id: spooler_timeout
    scenario: applications
    title: The spooler of our label printers takes minutes to end
    registry:
      key: HKLM\SOFTWARE\Example\Labels
      name: StopTimeout
      type: REG_DWORD
    desired: 5
    least: 1
    most: 30
    absent_is_fine: true
    takes_effect: next_shutdown
    cost: labels that are being printed are lost
guest_readiness_desired:
  policy_script_wait: 120
guest_readiness_waive:
  - hibernation
guest_readiness_enforce:
  - power_button_forced_shutdown
guest_readiness_baseline: stig
"""

HEAD = """<!--
SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
SPDX-License-Identifier: GPL-3.0-or-later
Made from the rows by `tests/run catalogue`. Changes by hand are lost.
-->

# The catalogue

Every setting and state of a Windows guest, of its domain, and of the hypervisor that is known to block, swallow or
prolong a shutdown, with what is wanted there and why. The {rows} rows were gathered by reading documentation, policy
definitions, headers, and what others found in the binaries. **Nothing in here was seen on a live Windows.** What is
said to be seen on the test bed was seen on real libvirt and QEMU. {enforced} rows are *enforced*: remediation sets them
unless they are waived. {request} more are set on request, which is by name. The other {read} are only read.
"""

LEGEND = """## How to read it

* **Effect**: {effects}.
* **Where**: `{short}`. A power setting is meant in every power scheme, on AC and on DC, with its overriding policy;
  [its GUIDs](#power-settings) are below. A value of *each user* is meant in the profile of everybody who is signed in,
  in the stored profiles of all others, in the default profile that new users get, and in that of the sign-in screen.
  What is *in an image* is read in images only, by `image_readiness`; of the other rows it reads what hives and files
  show.
  A part of a *definition* is meant in the running domain, in a managed-save image, and in the persistent definition.
* **When absent**: what Windows, or libvirt, does without the value. *Unknown*: nobody could find out, so that absence
  does not count as fine.
* **Enforced**: *yes*, *on request* (when it is named in `guest_readiness_enforce` or `domain_readiness_enforce`), or
  *only read*.
* **Grade**: {grades}.
"""

CHANGING = """## Changing it from the inventory

These variables of the role `guest_readiness`, which are options of its modules too, add rows, change what a row wants,
waive rows, and enforce rows that are not enforced by themselves:

```yaml{example}```

A row of your own has one of `registry` (key, name, type), `user` (the same, with the key below a user's hive) and
`power` (subgroup, setting: GUIDs). `desired: null` wants the value to be absent. `least` and `most` say which numbers
are as good as `desired`. `effect`, `takes_effect`, `cost`, `source`, `enforced` (true) and `absent_is_fine` (false) may
be left out. What could not be carried safely in a command line of cmd.exe is refused: `"`, `%`, `!`, `^`, `*`, `?`,
control characters and line ends, and characters that cannot be seen.

The rows about [the domain and its hypervisor](#the-domain-and-its-hypervisor) are those of the role `domain_readiness`,
with the variables `domain_readiness_desired`, `domain_readiness_waive` and `domain_readiness_enforce`.

A value in `guest_readiness_desired` replaces the row's, and its range. `guest_readiness_baseline` waives what a
security baseline forbids, but for rows that `guest_readiness_desired` or `guest_readiness_enforce` name:
"""

LEFT_OUT = """## What is not in it

* Rights of accounts (SeShutdownPrivilege and SeRemoteShutdownPrivilege): they are in no registry value.
* What only WMI, COM or PowerShell tell of a guest that runs: Defender's present state, the health of the component
  store, the dirty bit of a volume, the sessions of other users.
* Names that Windows does not read, or reads no more, whatever is written about them: `WaitToKillAppTimeout`,
  `Winlogon\\ShutdownWithoutLogon`, `HibernateFileSizePercent`.
* What only hides commands in the update dialog: `NoAUShutdownOption`, `NoAUAsDefaultShutdownOption`.
"""


def page(rows: Sequence[catalogue.Row] = ROWS) -> str:
    """The whole page."""
    parts = [
        HEAD.format(
            rows=len(rows),
            enforced=sum(row.enforced for row in rows),
            request=sum(row.writable and not row.enforced for row in rows),
            read=sum(not row.writable for row in rows),
        ),
        LEGEND.format(
            effects="; ".join(f"*{name}*, {text}" for name, text in catalogue.EFFECTS.items()),
            short="`, `".join(f"{short}` is `{key}" for short, key in SHORT.items()),
            grades="; ".join(f"*{_words(name)}*, {text}" for name, text in catalogue.GRADES.items()),
        ),
    ]
    for scenario, title in catalogue.SCENARIOS.items():
        members = [row for row in rows if row.scenario == scenario]
        parts.append(f"## {title}\n\n" + table(COLUMNS, ([*_cells(row)] for row in members)))
    parts += [
        "## Rows that nobody verified\n\n" + "".join(_unverified(rows)),
        "## Power settings\n\n" + table(("id", "name in powercfg", "subgroup", "setting"), _power(rows)),
        CHANGING.replace("{example}", EXAMPLE) + "\n" + table(("baseline", "rule", "waives"), _baselines(rows)),
        LEFT_OUT,
    ]
    return "\n".join(parts)


def table(head: Sequence[str], lines: Iterator[list[str]]) -> str:
    """A table in Markdown."""
    marks = ["---"] * len(head)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (list(head), marks, *lines))


def _cells(row: catalogue.Row) -> Iterator[str]:
    """A row's cells, in the order of COLUMNS."""
    yield f"`{row.id}` *{row.effect}*"
    yield row.title
    yield ("in an image: " if row in image.ROWS else "") + _where(row.location)
    yield _wanted(row)
    yield _absent(row)
    yield catalogue.TAKES_EFFECT[row.takes_effect] if row.writable else ""
    yield "yes" if row.enforced else "on request" if row.writable else "only read"
    rules = ", ".join(f"{name.upper()} {rule}" for name, rule in row.baselines)
    notes = (f"Cost: {row.cost}." if row.cost else "", f"Forbidden by {rules}." if rules else "", row.cure)
    yield " ".join(filter(None, notes))
    yield row.source
    yield _words(row.grade)


def _where(place: catalogue.Location) -> str:
    if isinstance(place, catalogue.RegistryValue):
        return f"{_key(place.key)} `{place.name}` {place.type}"
    if isinstance(place, catalogue.UserValue):
        return f"each user's `{place.key}` `{place.name}` {place.type}"
    if isinstance(place, catalogue.PowerSetting):
        return f"power setting `{place.alias}`"
    if isinstance(place, catalogue.RegistryKey):
        return f"keys in {_key(place.key)}" if place.subkeys else f"the key {_key(place.key)}"
    if isinstance(place, catalogue.TwoValues):
        return f"{_key(place.one.key)} `{place.one.name}`, and {_key(place.other.key)} `{place.other.name}`"
    if isinstance(place, catalogue.ServiceValues):
        return f"every service's `{place.name}` REG_DWORD"
    if isinstance(place, catalogue.File):
        return f"the file `{place.path}`"
    if isinstance(place, catalogue.Process):
        return f"the process `{place.image}`"
    if isinstance(place, catalogue.DefinitionElement):
        return f"definition: `{place.path}`"
    if isinstance(place, catalogue.SavedImage):
        return "managed-save image"
    if isinstance(place, catalogue.HostSetting):
        return f"`{place.file}`: `{place.name}`"
    if isinstance(place, (catalogue.DomainState, catalogue.HostState)):
        of = "domain" if isinstance(place, catalogue.DomainState) else "hypervisor"
        return f"state of the {of}: {_words(place.name)}"
    numbers = " or ".join(map(str, place.ids))
    return f"event {numbers} of {place.provider} in the log {place.log}, in the last {place.days} days"


def _key(key: str) -> str:
    for short, whole in SHORT.items():
        if key.startswith(f"{whole}\\"):
            return f"`{short}{key[len(whole) :]}`"
    return f"`{key}`"


def _wanted(row: catalogue.Row) -> str:
    desired = row.desired
    if isinstance(row.location, catalogue.TwoValues):
        return "the same in both"
    if desired.least is not None and desired.most is None:
        others = "".join(f", or {_data(other)}" for other in desired.others)
        return f"at least {desired.least}{others}"
    accepted = [_data(data) for data in (desired.data, *desired.others)]
    if desired.data is None and desired.most is not None:
        return f"absent, or at most {desired.most}"
    if desired.least is not None or desired.most is not None:
        return f"{desired.least} to {desired.most}; set to {accepted[0]}"
    return " or ".join(accepted)


def _absent(row: catalogue.Row) -> str:
    """What its absence means, where it is a value that Windows has a default for."""
    place, absent = row.location, row.absent
    if (
        not isinstance(place, (*catalogue.WRITABLE, catalogue.ServiceValues, catalogue.HostSetting))
        or absent.client is None
    ):
        return ""
    meaning = _data(absent.client)
    if absent.server != absent.client:
        meaning = f"client {meaning}, server {_data(absent.server)}"
    if absent.since_build:
        meaning = f"{meaning} since build {absent.since_build}, {_data(absent.before)} before"
    return meaning


def _data(data: object) -> str:
    if data is None:
        return "absent"
    if data is catalogue.UNKNOWN:
        return "unknown"
    if isinstance(data, tuple):
        return ", ".join(f"`{part}`" for part in data) or "an empty list"
    return f'`"{data}"`' if isinstance(data, str) else f"{data}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _unverified(rows: Sequence[catalogue.Row]) -> Iterator[str]:
    yield "They are reported, and not enforced unless they are named in `guest_readiness_enforce` or "
    yield "`domain_readiness_enforce`.\n\n"
    for grade, meaning in catalogue.GRADES.items():
        names = [f"`{row.id}`" for row in rows if row.grade == grade]
        if grade != "verified" and names:
            yield f"* *{_words(grade)}* ({meaning}): {', '.join(names)}\n"


def _power(rows: Sequence[catalogue.Row]) -> Iterator[list[str]]:
    for row in rows:
        if isinstance(row.location, catalogue.PowerSetting):
            place = row.location
            yield [f"`{row.id}`", f"`{place.alias}`", f"`{place.subgroup}`", f"`{place.setting}`"]


def _baselines(rows: Sequence[catalogue.Row]) -> Iterator[list[str]]:
    for name, title in catalogue.BASELINES.items():
        for row in rows:
            yield from ([f"`{name}`, {title}", rule, f"`{row.id}`"] for known, rule in row.baselines if known == name)


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.relative_to(checkout.ROOT))


if __name__ == "__main__":
    main()
