# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A made-up fleet and its report: for tests, for the benchmark, and for the picture in the README.

What became of each guest was decided by the real ladder over a made-up guest, so timelines read as those of real runs.
Findings are rows of the real catalogue. `python -m bed.report_sample` writes the page and the picture.
"""

from __future__ import annotations

import argparse
import base64
import copy
import dataclasses
import functools
import json
import random
import tempfile
import uuid
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import checkout
import yaml

checkout.use_this_collection()

from ansible_collections.winguest.shutdown.plugins.filter.shutdown_report import shutdown_report  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.filter.shutdown_report_html import shutdown_report_html  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._case import Case, failure, totals  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Row  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Asked, Event  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._png import png_from_ppm  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import Policy  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Definition, Facts  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp  # noqa: E402
from ansible_collections.winguest.shutdown.plugins.module_utils._timeline import Timeline  # noqa: E402
from unit.made_up_guest import Guest, World  # noqa: E402

ROLE = checkout.ROOT / "roles" / "shutdown_report"
EVENING = 1_795_802_400.0  # 2026-11-27T18:00:00Z
EVIDENCE = "/var/lib/winguest/evidence"
BY_ID: dict[str, Row] = {row.id: row for row in ROWS}

Variables = dict[str, Any]


# ---- guests


class Kind(NamedTuple):
    """How guests behave, how they may be shut down, and how they are found: running, unless a state is named."""

    guest: Guest
    policy: Policy = Policy()
    agent: bool = True
    state: tuple[str, str] = ("running", "booted")
    on_poweroff: str = "destroy"
    mended: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


BUTTON = ("power_button_action", "shutdown_without_logon", "event_tracker_policy")
KINDS = {
    "web": Kind(Guest(works_for=18, works_at=2e6, agent="obeys"), mended=BUTTON),
    "app": Kind(
        Guest(presses_needed=2, works_for=41, works_at=1e6, agent="obeys"),
        mended=("auto_end_tasks", "hung_session_timeout"),
    ),
    "sql": Kind(Guest(works_for=150, works_at=8e6, noise=2e5), Policy(timeout=900, on_timeout="save"), agent=False),
    "dc": Kind(Guest(presses_needed=None, agent="obeys", works_for=33, works_at=3e6), mended=("other_users_warning",)),
    "files": Kind(
        Guest(asleep=True, works_for=12, works_at=1e6),
        agent=False,
        mended=("sleep_idle_timeout", "hibernate_idle_timeout"),
    ),
    "updates": Kind(Guest(works_for=520, works_at=6e6, agent="obeys"), left=("cbs_reboot_pending",)),
    "hung": Kind(
        Guest(presses_needed=1, works_for=70, works_at=2e6, then="hang", agent="hung"),
        Policy(on_timeout="force"),
        left=("volume_damaged", "threat_not_removed"),
    ),
    "deaf": Kind(Guest(presses_needed=None, agent="deaf"), Policy(on_timeout="save"), mended=BUTTON),
    "vetoed": Kind(Guest(presses_needed=None), agent=False, left=("power_button_action", "program_vetoed_shutdown")),
    "trap": Kind(Guest(), on_poweroff="restart"),
    "off": Kind(Guest(), state=("shutoff", "shutdown")),
}


class _Told(World):
    """A made-up guest whose history is told as a case is."""

    def __init__(self, kind: Kind, case: Case) -> None:
        super().__init__(kind.guest, case.policy)
        self._case = case
        self.seen = case.seen

    def tell(self, event: Event) -> None:
        """Put what was asked and seen on the case's timeline, too."""
        if isinstance(event, Asked) and event.act != "sample":
            self._case.note(self.now, "asked", self.asked[-1][1].why)
        self._case.fold(event, self.now)
        super().tell(event)


def domain_result(name: str, kind: Kind, began: float = EVENING) -> Variables:
    """What domain_shutdown returns of a guest of this kind."""
    result = copy.deepcopy(_result(kind))
    result.update(name=name, uuid=str(uuid.uuid5(uuid.NAMESPACE_DNS, repr(name))))
    for entry in result["timeline"]:
        entry["time"] = timestamp(began + entry["seconds"])
    if result["outcome"] == "forced":
        folder = f"{EVIDENCE}/{name}-20261127T180502Z-k2j4x8"
        result["evidence"] = [f"{folder}/screen.png", f"{folder}/evidence.json"]
    return result


@functools.cache
def _result(kind: Kind) -> Variables:
    state, reason = ("pmsuspended", "unknown") if kind.guest.asleep else kind.state
    facts = Facts(
        name="",
        uuid="",
        state=state,
        reason=reason,
        persistent=True,
        definition=Definition(True, kind.on_poweroff, kind.agent, kind.agent or None, True, ()),
        domain_id=None if state == "shutoff" else 1,
    )
    case = Case(facts, kind.policy, Timeline(0.0, EVENING), 0.0)
    if case.end is None:
        history = _Told(kind, case).run()
        case.finish(history.end, history.ended_at)
    return case.result()


def finding(row: Row, state: str, location: str = "") -> Variables:
    """One finding as the modules return it."""
    desired = row.desired.data
    wrong = None if state == "ok" else 3 if row.writable else "2 entries in the last 30 days"
    fixed = state == "fixed"
    shown = None if isinstance(desired, (bytes, tuple)) else desired
    return {
        **{key: getattr(row, key) for key in ("id", "scenario", "effect", "title", "cost", "cure", "grade", "source")},
        "location": location or str(getattr(row.location, "key", "")) or "event log System",
        "actual": shown if fixed else wrong,
        "desired": shown,
        "state": state,
        "actual_before": wrong,
        "state_before": "differs" if fixed else state,
        "detail": "",
        "enforced": row.enforced,
        "takes_effect": row.takes_effect if fixed else None,
    }


def readiness_result(kind: Kind) -> Variables:
    """What guest_readiness returns of a guest of this kind."""
    schemes = ("Balanced, AC", "Balanced, DC", "High performance, AC", "High performance, DC", "Power saver, AC")
    found = [finding(BY_ID["clear_page_file"], "ok")]
    for row in (BY_ID[ident] for ident in kind.mended):
        power = row.scenario in ("power_button", "sleep")
        places = (
            [f"power scheme {scheme}: {getattr(row.location, 'alias', '')}" for scheme in schemes] if power else [""]
        )
        found += [finding(row, "fixed", place) for place in places]
    found += [finding(BY_ID[ident], "differs") for ident in kind.left]
    methods = ["acpi", "guest_shutdown", *(["agent"] if kind.agent else [])]
    return {
        "changed": bool(kind.mended),
        "findings": found,
        "verdicts": {BY_ID[ident].scenario: "blocked" for ident in kind.left} or {"power_button": "ready"},
        "hints": {
            "recommended_methods": methods,
            "methods_reason": [],
            "recommended_timeout": 270,
            "timeout_parts": {"base": 60, "sessions": 180, "services": 30},
            "pending_servicing": "cbs_reboot_pending" in kind.left,
            "pending_rows": ["cbs_reboot_pending"] if "cbs_reboot_pending" in kind.left else [],
        },
    }


# ---- fleets


@dataclasses.dataclass
class Fleet:
    """Hosts and their variables, as Ansible has them at the end of a run."""

    hostvars: dict[str, Variables] = dataclasses.field(default_factory=dict)
    hypervisors: list[str] = dataclasses.field(default_factory=list)
    guests: list[str] = dataclasses.field(default_factory=list)

    def add_hypervisor(self, name: str, guests: Mapping[str, str], began: float = EVENING) -> None:
        """One that answered; guests: the kind of each by name."""
        domains = [domain_result(guest, KINDS[kind], began) for guest, kind in guests.items()]
        result = {"changed": True, "failed": False, "domains": domains, "totals": totals(domains)}
        if failure(domains):
            result["msg"] = failure(domains)
        self.hypervisors.append(name)
        self.hostvars[name] = {"domain_shutdown_result": result}
        for guest, kind in guests.items():
            self.add_guest(guest, name, guest_readiness_result=readiness_result(KINDS[kind]))

    def add_guest(self, name: str, hypervisor: str, **variables: Any) -> None:
        """A host of the group windows."""
        self.guests.append(name)
        self.hostvars[name] = {"winguest_hypervisor": hypervisor, **variables}

    def report(self, screens: Sequence[Variables] = (), **options: Any) -> Variables:
        """The report's document."""
        made: Variables = shutdown_report(self.hostvars, self.hypervisors, self.guests, screens=screens, **options)
        return made

    def screens(self) -> list[Variables]:
        """What fetching the screenshots of all that were forced would give."""
        picture = base64.b64encode(screenshot()).decode()
        return [
            {"item": {"hypervisor": name, "path": path}, "content": picture}
            for name in self.hypervisors
            for domain in self.hostvars[name].get("domain_shutdown_result", {}).get("domains", [])
            for path in domain.get("evidence", [])
            if path.endswith("screen.png")
        ]


def evening() -> Fleet:
    """A small fleet in which everything occurs that one wants to see."""
    fleet = Fleet()
    north = {"web01": "web", "web02": "web", "web03": "web", "app01": "app", "app02": "app", "sql01": "sql"}
    fleet.add_hypervisor("hv-north", {**north, "dc01": "dc", "files01": "files", "build07": "hung"})
    south = {"web04": "web", "web05": "web", "app03": "app", "sql02": "sql", "term01": "updates", "kiosk03": "deaf"}
    fleet.add_hypervisor(
        "hv-south",
        {**south, "term02": "vetoed", "lab-old": "trap", "spare01": "off", "büro-drucker": "app"},
        EVENING + 4,
    )
    fleet.hypervisors.append("hv-east")
    fleet.hostvars["hv-east"] = {
        "domain_shutdown_result": {
            "unreachable": True,
            "msg": "Failed to connect to the host via ssh: connect to host hv-east port 22: No route to host",
        }
    }
    for name in ("web06", "app04"):
        fleet.add_guest(name, "hv-east", guest_readiness_result=readiness_result(KINDS["web"]))
    fleet.hostvars["files01"]["guest_readiness_result"] = {
        "unreachable": True,
        "msg": "ntlm: the specified credentials were rejected by the server",
    }
    fleet.hostvars["dc01"]["guest_shutdown_result"] = {
        "outcome": "refused",
        "msg": "Windows has refused the request: the account has no right to shut down (status 5)",
    }
    fleet.hostvars["dc01"]["guest_shutdown_info_result"] = {
        "stops": [],
        "blocking": ["the application mmc.exe vetoed a shutdown (2 times, last at 2026-11-27T17:58:51.000Z)"],
    }
    fleet.hostvars["build07"]["shutdown_verify_result"] = {
        "verdict": "forced",
        "reasons": ["the hypervisor has on record that it powered the guest off by force"],
        "blocking": ["the application Setup (setup.exe) has held up a shutdown"],
    }
    return fleet


def large(guests: int, hypervisors: int = 50) -> Fleet:
    """A fleet of so many guests, most of which obeyed."""
    chance = random.Random(guests)
    kinds = list(KINDS)
    weights = [60 if kind in ("web", "app") else 12 if kind in ("sql", "dc", "files") else 3 for kind in kinds]
    fleet = Fleet()
    for number in range(hypervisors):
        count = guests // hypervisors + (number < guests % hypervisors)
        named = {f"win-{number:03}-{one:03}": chance.choices(kinds, weights)[0] for one in range(count)}
        fleet.add_hypervisor(f"hv-{number:03}", named, EVENING + chance.uniform(0, 600))
    return fleet


# ---- pictures and pages


def screenshot(width: int = 800, height: int = 600) -> bytes:
    """A picture as of a Windows that waits for an application; drawn here, of nobody's Windows."""
    blue, dark, white, grey, line = b"\x10\x5a\x9e", b"\x0c\x3f\x70", b"\xff\xff\xff", b"\xd8\xd8\xd8", b"\x9a\xb8\xd4"
    left, right, top, bottom = width // 4, 3 * width // 4, height // 3, 2 * height // 3
    rows = []
    for y in range(height):
        row = bytearray((dark if y > height - 40 else blue) * width)
        if top <= y < bottom:
            row[left * 3 : right * 3] = (grey if y < top + 30 else white) * (right - left)
            text = (y - top - 50) % 24 < 9 and top + 50 < y < bottom - 60
            long = zlib.crc32(bytes([(y - top - 50) // 24 % 256])) % 140
            if text:
                row[(left + 30) * 3 : (right - 60 - long) * 3] = line * (right - 90 - left - long)
            if bottom - 44 < y < bottom - 16:
                for button in (right - 230, right - 115):
                    row[button * 3 : (button + 95) * 3] = grey * 95
        rows.append(bytes(row))
    return png_from_ppm(b"P6\n%d %d\n255\n" % (width, height) + b"".join(rows))


def page(document: Mapping[str, Any]) -> str:
    """The page, as the role makes it; without the line ends at the files' ends, which lookups take off."""
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))

    def read(kind: str) -> list[str]:
        names = variables[f"__shutdown_report_{kind}_files"]
        return [(ROLE / "files" / name).read_text(encoding="utf-8").rstrip() for name in names]

    skeleton = (ROLE / "files" / "page.html").read_text(encoding="utf-8").rstrip()
    made: str = shutdown_report_html(json.dumps(document), skeleton, read("style"), read("script"))
    return made


def main() -> None:
    """Write the page of the small fleet, and take its picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, metavar="FILE", help="keep the page there")
    parser.add_argument("--guests", type=int, metavar="N", help="a fleet of so many guests instead, and no picture")
    parser.add_argument("--picture", type=Path, metavar="FILE", default=checkout.ROOT / "docs" / "report.png")
    options = parser.parse_args()
    fleet = large(options.guests) if options.guests else evening()
    text = page(fleet.report(fleet.screens(), title="Maintenance shutdown"))
    with tempfile.TemporaryDirectory(prefix="winguest-report-") as folder:
        file = options.page or Path(folder, "report.html")
        file.write_text(text, encoding="utf-8")
        if options.page:
            print(f"{file}: {len(text) / 1024:.0f} KiB")
        if not options.guests:
            _take_picture(file, options.picture)


def _take_picture(file: Path, picture: Path) -> None:
    from bed.browser import Browser  # the tests of documents need no browser

    with Browser(width=1200, height=1330) as browser:
        browser.open(file)
        browser.click("[aria-label='Details of hv-north / build07']")
        browser.run("scrollTo(0, 0)")
        picture.write_bytes(browser.picture())
    print(f"{picture}: {picture.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
