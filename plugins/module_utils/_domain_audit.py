# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""domain_readiness and domain_readiness_info: many domains at once, each read, mended if that is wanted, and told."""

from __future__ import annotations

import collections
import dataclasses
import queue
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_readiness as readiness
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_reading as domain_reading
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_remediation as remediation
from ansible_collections.winguest.shutdown.plugins.module_utils import _facts, _host_reading, _selection
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import SavedImage
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue, build
from ansible_collections.winguest.shutdown.plugins.module_utils._connections import ThreadConnections
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_reading import DomainReading
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_remediation import Mended
from ansible_collections.winguest.shutdown.plugins.module_utils._host_readiness import Host
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import Hypervisor, Inbox
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import Lane
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Facts
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import Finding
from ansible_collections.winguest.shutdown.plugins.module_utils._registry_text import printable, shown

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now

WIDTH = 8
"""Domains at a time, well below the 20 workers that a libvirt daemon has by default."""

PATIENCE = 180.0
"""Seconds without any domain coming to its end after which libvirt is given up; nearly all calls have less."""

MIGRATION = "migration"

MOST_NAMED = 20
"""Domains that the message of a failed task names; all of them are in the results."""

ROW_OPTIONS: dict[str, dict[str, t.Any]] = {
    "waive": {"type": "list", "elements": "str", "default": []},
    "desired": {"type": "dict", "default": {}},
}
"""Options about rows that a domain may have of its own."""

CHOICE_OPTIONS: dict[str, dict[str, t.Any]] = {
    "rows": {"type": "list", "elements": "str"},
    "enforce": {"type": "list", "elements": "str", "default": []},
}
"""The same for remediation only."""

AUDIT_OPTIONS: dict[str, dict[str, t.Any]] = {
    "ask_agent": {"type": "bool", "default": True},
    "host_root": {"type": "path", "default": "/"},
    "problems_only": {"type": "bool", "default": False},
}

INFO_OPTIONS = {**_selection.OPTIONS, **ROW_OPTIONS, **AUDIT_OPTIONS}
REMEDIATION_OPTIONS = {
    **_selection.OPTIONS,
    **ROW_OPTIONS,
    **CHOICE_OPTIONS,
    **AUDIT_OPTIONS,
    "backup_dir": {"type": "path"},
}


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is wanted of a domain: the catalogue as the user wants it, and which rows are to be mended (None: all)."""

    catalogue: Catalogue
    rows: tuple[str, ...] | None


class Wanted(t.NamedTuple):
    """One entry of domains, checked."""

    where: str
    name: str | None
    uuid: str | None
    rules: Rules


@dataclasses.dataclass
class Audited:
    """What became of one domain."""

    reading: DomainReading
    found: list[Finding]
    wrong: list[Finding] = dataclasses.field(default_factory=list)
    """What was, or in check mode would be, mended."""
    before: dict[tuple[str, str], Finding] = dataclasses.field(default_factory=dict)
    """The same by their places, where it was tried."""
    mended: Mended = dataclasses.field(default_factory=Mended)
    diff: list[dict[str, str]] = dataclasses.field(default_factory=list)

    @property
    def planned(self) -> bool:
        """Whether something would be mended, were this not check mode."""
        return bool(self.wrong) and not self.before


def make_rules(options: t.Mapping[str, t.Any]) -> Rules:
    """The rules from the task's or a domain's options. Raises CatalogueError for what cannot be."""
    rows = options.get("rows")
    catalogue = build(
        ROWS,
        desired=options["desired"],
        waive=options["waive"],
        enforce=[*options.get("enforce", []), *(rows or [])],
    )
    return Rules(catalogue, None if rows is None else tuple(rows))


def read_domains(
    entries: t.Sequence[t.Any], options: t.Mapping[str, t.Any], own: t.Mapping[str, dict[str, t.Any]]
) -> list[Wanted]:
    """The entries of domains with their rules. Raises ValueError with all that is wrong with them."""

    def make(entry: _selection.Entry) -> Wanted:
        try:
            rules = make_rules({**options, **entry.own})
        except ValueError as error:
            raise ValueError(f"{entry.where}: {error}") from error
        return Wanted(entry.where, entry.name, entry.uuid, rules)

    return _selection.read_entries(entries, _selection.entry_options(own), make)


class Told(t.NamedTuple):
    """What is told of one domain; without the definitions, which are many times as large."""

    domain: dict[str, t.Any]
    states: collections.Counter[str]
    """How many findings are in each state."""
    diff: list[dict[str, str]]


class Audit:
    """One run over the domains of one hypervisor."""

    def __init__(self, params: t.Mapping[str, t.Any], mending: bool, check_mode: bool) -> None:
        """Raises ValueError for options that cannot be. mending tells whether what is wrong is to be mended."""
        self._params = params
        self._mending, self._check_mode = mending, check_mode
        _selection.check_selection(params, "look at")
        self._rules = make_rules(params)
        own = {**ROW_OPTIONS, **(CHOICE_OPTIONS if mending else {})}
        self._wanted = read_domains(params["domains"] or [], params, own)
        if mending and not check_mode and params["backup_dir"]:
            remediation.prepare_backups(params["backup_dir"])

    def run(self) -> dict[str, t.Any]:
        """Read the hypervisor and the domains, mend them, and return the results."""
        uri = self._params["uri"]
        hypervisor = Hypervisor(uri, Inbox())
        connection = hypervisor.connection
        if self._params["all"]:
            domains = _facts.all_domains(connection, self._params["name_pattern"])
            chosen = [(domain, self._rules) for domain in domains]
        else:
            found = _facts.find(connection, [(entry.where, entry.name, entry.uuid) for entry in self._wanted])
            chosen = [(domain, entry.rules) for domain, entry in zip(found, self._wanted)]
        reading = _host_reading.read(connection.getURI(), connection.getLibVersion(), self._params["host_root"])
        told = self._audit_all(uri, [(domain.UUIDString(), domain.name(), rules) for domain, rules in chosen])
        hypervisor.close()
        return self._result(told, Host(reading))

    # ---- domains

    def _audit_all(self, uri: str, chosen: t.Sequence[tuple[str, str, Rules]]) -> list[Told]:
        """Several domains at a time: one whose agent has hung holds up no other."""
        connections = ThreadConnections(uri)
        lane = Lane("audit", WIDTH)
        done: queue.SimpleQueue[tuple[str, Told]] = queue.SimpleQueue()

        def submit(uuid: str, name: str, rules: Rules) -> None:
            lane.submit(lambda: done.put((uuid, self._audit_one(connections, uuid, name, rules))))

        for uuid, name, rules in chosen:
            submit(uuid, name, rules)
        told: dict[str, Told] = {}
        try:
            while len(told) < len(chosen):
                uuid, one = done.get(timeout=PATIENCE)
                told[uuid] = one
        except queue.Empty:
            silence = f"libvirt has been silent for {PATIENCE:g} s, and what has become of it is not known"
            for uuid, name, rules in chosen:
                if uuid not in told:
                    told[uuid] = self._told(_unread(uuid, name, rules, silence))
        return [told[uuid] for uuid, dummy_name, dummy_rules in chosen]

    def _audit_one(self, connections: ThreadConnections, uuid: str, name: str, rules: Rules) -> Told:
        """In a thread of the lane: whatever goes wrong with this domain is told of it alone."""
        try:
            return self._told(self._audit(connections.get().lookupByUUIDString(uuid), rules))
        except libvirt.libvirtError as error:
            gone = error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
            trouble = f"libvirt does not tell about it: {error}"
            return self._told(_unread(uuid, name, rules, trouble, "gone" if gone else "nostate"))
        except Exception as error:  # a defect of ours must end this domain's audit, not the whole run
            return self._told(_unread(uuid, name, rules, f"{type(error).__name__}: {error}"))

    def _audit(self, domain: t.Any, rules: Rules) -> Audited:
        reading = domain_reading.read(domain, self._params["ask_agent"])
        audited = Audited(reading, readiness.findings(rules.catalogue, reading), mended=Mended(error=reading.trouble))
        if not self._mending or reading.trouble:
            return audited
        wrong = audited.wrong = [finding for finding in audited.found if readiness.mendable(finding, rules.rows)]
        if wrong and reading.facts.job == MIGRATION:
            mended = audited.mended
            mended.error = "a migration is under way, and would take the former definition with it; run again after it"
            audited.wrong = []
            return audited
        if self._check_mode:
            planned = remediation.edited(reading.kept, wrong).text if reading.kept else ""
            audited.diff = _diff(reading, planned, wrong)
        elif wrong:
            self._mend(domain, rules, audited)
        return audited

    def _mend(self, domain: t.Any, rules: Rules, audited: Audited) -> None:
        reading, wrong = audited.reading, audited.wrong
        audited.mended = mended = remediation.mend(domain, wrong, self._params["backup_dir"])
        audited.before = {finding.place: finding for finding in wrong}
        after = dataclasses.replace(domain_reading.read(domain, False), agent=reading.agent)
        if after.trouble:
            mended.error = mended.error or after.trouble
            return
        audited.reading = after
        audited.found = [_compared(finding, audited) for finding in readiness.findings(rules.catalogue, after)]
        mended.error = mended.error or _left(audited)
        fixed = {finding.place for finding in audited.found if finding.state == "fixed"}
        audited.diff = _diff(reading, after.kept_text, [finding for finding in wrong if finding.place in fixed])

    # ---- results

    def _told(self, one: Audited) -> Told:
        return Told(self._domain(one), collections.Counter(finding.state for finding in one.found), one.diff)

    def _result(self, told: list[Told], host: Host) -> dict[str, t.Any]:
        domains = [one.domain for one in told]
        result: dict[str, t.Any] = {
            "changed": any(domain["changed"] for domain in domains),
            "domains": domains,
            "host": self._host(host),
            "totals": {state: sum(one.states[state] for one in told) for state in readiness.STATES},
            "diff": [diff for one in told for diff in one.diff],
        }
        failed = [domain for domain in domains if domain["failed"]]
        if failed:
            lines = [f"{domain['name']}: {domain['error']}" for domain in failed[:MOST_NAMED]]
            lines += [f"and {len(failed) - MOST_NAMED} more"] if len(failed) > MOST_NAMED else []
            result["msg"] = f"{len(failed)} of {len(domains)} domains could not be mended. " + " | ".join(lines)
        return result

    def _domain(self, one: Audited) -> dict[str, t.Any]:
        facts, agent, mended = one.reading.facts, one.reading.agent, one.mended
        former = mended.former if mended.changed else ""
        return {
            "name": facts.name,
            "uuid": facts.uuid,
            "state": facts.state,
            "reason": facts.reason,
            "persistent": facts.persistent,
            "findings": self._findings(one.found, one.before),
            "verdicts": readiness.verdicts(one.found),
            "recommended_methods": readiness.methods(one.reading),
            "agent": {
                "connected": facts.definition.agent_connected,
                "answers": agent.answers,
                "version": printable(agent.version) or None,
                "disabled_commands": [printable(name) for name in agent.disabled[:100]],
            },
            "changed": mended.changed or one.planned,
            "holds": _holds(one),
            "former_definition": former or None,
            "former_is_whole": mended.former_is_whole if former else None,
            "backup": mended.backup or None,
            "failed": bool(mended.error) and self._mending and facts.state != "gone",
            "error": printable(mended.error) or None,
        }

    def _host(self, host: Host) -> dict[str, t.Any]:
        found = host.findings(self._rules.catalogue)
        unknown = bool(host.reading.trouble)
        return {
            "findings": self._findings(found, {}),
            "verdicts": readiness.verdicts(found),
            "acts_first": None if unknown else host.acts_first,
            "acts": host.acts(),
        }

    def _findings(self, found: list[Finding], before: t.Mapping[tuple[str, str], Finding]) -> list[dict[str, t.Any]]:
        told = [finding for finding in found if finding.state != "ok" or not self._params["problems_only"]]
        return [finding.told(before.get(finding.place)) for finding in told]


def _unread(uuid: str, name: str, rules: Rules, trouble: str, state: str = "nostate") -> Audited:
    """A domain that could not be read."""
    reading = DomainReading(Facts(name, uuid, state, "unknown", True, _facts.UNKNOWN, trouble=trouble), trouble=trouble)
    return Audited(reading, readiness.findings(rules.catalogue, reading), mended=Mended(error=trouble))


def _compared(finding: Finding, audited: Audited) -> Finding:
    """The finding afterwards: what was wrong and no longer is, is fixed; what still is, has libvirt's own words.

    What libvirt would not change in the running domain holds from the next start, where there is a definition for one.
    """
    if finding.place not in audited.before:
        return finding
    if finding.state == "ok":
        return finding.changed(state="fixed")
    complaint = audited.mended.complaints.get(finding.place, "")
    state = "later" if complaint and audited.reading.kept else finding.state
    return finding.changed(state=state, detail="; ".join(filter(None, (finding.detail, complaint))))


def _left(audited: Audited) -> str:
    """What could not be mended, though nothing has failed; empty when all is."""
    left = [finding for finding in audited.found if finding.place in audited.before and finding.state == "differs"]
    return "; ".join(f"{finding.row.id} at {finding.location} is as it was ({finding.detail})" for finding in left)


def _holds(one: Audited) -> str | None:
    """From when on what was changed, or would be, holds: now or, if any of it does only then, the next start."""
    if not (one.mended.changed or one.planned):
        return None
    later = one.reading.facts.off and any(remediation.side(finding) for finding in one.wrong)
    later = later or any(finding.row.takes_effect == "next_start" for finding in one.wrong)
    return "next_start" if later or one.mended.complaints else "now"


def _diff(reading: DomainReading, after: str, wrong: t.Sequence[Finding]) -> list[dict[str, str]]:
    """The definition before and after, and a line for whatever else changed; without passwords and the like."""
    name = reading.facts.name
    diff = []
    if reading.kept_text != after:
        header = f"{name}: {readiness.KEPT}"
        diff.append({"before_header": header, "after_header": header, "before": reading.kept_text, "after": after})
    before_lines, after_lines = [], []
    for finding in wrong:
        if remediation.side(finding) == readiness.LIVE or isinstance(finding.row.location, SavedImage):
            before_lines.append(f"{finding.location} = {shown(finding.actual)}\n")
            after_lines.append(f"{finding.location} = {shown(finding.row.desired.data) or '(absent)'}\n")
    if before_lines:
        texts = {"before": "".join(before_lines), "after": "".join(after_lines)}
        diff.append({"before_header": name, "after_header": name, **texts})
    return diff
