# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""domain_readiness and domain_readiness_info: their options, wrong ones, and whole runs on libvirt's test driver."""

from __future__ import annotations

import gc
import json
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt
import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.doc_fragments._domain_readiness import ModuleDocFragment
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_audit, _facts, _host_reading
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_reading as domain_reading
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_remediation as remediation
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import build
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_audit import (
    CHOICE_OPTIONS,
    INFO_OPTIONS,
    REMEDIATION_OPTIONS,
    ROW_OPTIONS,
    Audited,
    _compared,
    read_domains,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_readiness import findings, mendable
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_reading import DomainReading
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_xml import Document
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import Definition, Facts
from ansible_collections.winguest.shutdown.plugins.modules import domain_readiness, domain_readiness_info
from unit.older_core import patch_module_args
from unit.plugins.libvirt_test_driver import AGENT, URI, Driver, domain_xml

NOWHERE = "00000000-0000-4000-8000-000000000000"
PM = "<pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>"
DISPLAY = "<graphics type='vnc'/><video><model type='vga'/></video>"
RESTARTS = "<on_poweroff>restart</on_poweroff>"
INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
WHOLE = INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE

Run = Callable[..., dict[str, Any]]

DEFAULTS: dict[str, dict[str, Any]] = {
    "domain_readiness": {"waive": [], "desired": {}, "enforce": []},
    "domain_readiness_info": {"waive": [], "desired": {}},
}


# ---- the options


@pytest.mark.parametrize(
    ("module", "options"), [(domain_readiness, REMEDIATION_OPTIONS), (domain_readiness_info, INFO_OPTIONS)]
)
def test_the_options_are_those_that_are_documented(module: Any, options: dict[str, Any]) -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    documented |= yaml.safe_load(module.DOCUMENTATION).get("options", {})
    assert {name: {key: value for key, value in option.items() if key != "description"}
            for name, option in documented.items()} == options  # fmt: skip


@pytest.mark.parametrize("module", [domain_readiness, domain_readiness_info])
def test_the_examples_are_tasks_with_these_options(module: Any) -> None:
    tasks = [task for task in yaml.safe_load(module.EXAMPLES) if "ansible.builtin.debug" not in task]
    for task in tasks:
        name = module.__name__.rpartition(".")[2]
        options = task[f"winguest.shutdown.{name}"]
        assert options.keys() <= REMEDIATION_OPTIONS.keys()
        read_domains(options.get("domains", []), {**DEFAULTS[name], **options}, {**ROW_OPTIONS, **CHOICE_OPTIONS})


def test_both_modules_return_the_same() -> None:
    mending, looking = (yaml.safe_load(module.RETURN) for module in (domain_readiness, domain_readiness_info))
    assert mending == looking


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([5], "domains[0] is 5; give a name, or a dictionary with name or uuid"),
        (
            [{"name": "a", "on_timeout": "force"}],
            "domains[0] (a): unsupported on_timeout; supported are name, uuid, waive",
        ),
        ([{"name": "a", "waive": ["x"]}], "domains[0] (a): waive: there is no row 'x'"),
        (["a", {"name": "b", "desired": {"domain_acpi": 1}}], "domains[1] (b): desired[domain_acpi]"),
        ([{"uuid": NOWHERE, "rows": ["domain_job"]}], f"domains[0] ({NOWHERE}): enforce: domain_job can only be read"),
    ],
)
def test_wrong_entries(entries: list[Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        read_domains(entries, DEFAULTS["domain_readiness"], {**ROW_OPTIONS, **CHOICE_OPTIONS})


# ---- whole runs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a module in this process, where the test driver's domains are, and returns what it printed."""

    def run(module: Any = domain_readiness, **options: Any) -> dict[str, Any]:
        options = {"uri": URI, "host_root": str(tmp_path), "_ansible_diff": True, **options}
        with patch_module_args(options), pytest.raises(SystemExit) as ended:
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) is (ended.value.code != 0)
        return result

    return run


def states(domain: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The state of each finding, by the row and where it was found."""
    return {(f["id"], f["location"].partition(":")[0]): f["state"] for f in domain["findings"]}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "give exactly one of domains, a list of the domains to look at, and all=true"),
        ({"domains": ["a"], "all": True}, "give exactly one of domains"),
        ({"domains": []}, "domains is empty; name at least one domain, or use all=true"),
        ({"domains": ["a"], "name_pattern": "a*"}, "name_pattern chooses among all domains; it needs all=true"),
        ({"all": True, "waive": ["no_such"]}, "waive: there is no row 'no_such'"),
        ({"all": True, "desired": {"domain_on_poweroff": "boot"}}, "desired[domain_on_poweroff] is 'boot'"),
        ({"domains": ["a"], "uri": "test:///no/such"}, "cannot connect to libvirt at uri 'test:///no/such'"),
        ({"domains": ["no such"]}, "domains[0] (no such): there is no domain with name 'no such'"),
        ({"domains": ["test", {"name": "test"}]}, "domains[1] (test) and domains[0] (test) are the same domain test"),
    ],
)
@pytest.mark.parametrize("module", [domain_readiness, domain_readiness_info])
def test_wrong_options(run: Run, module: Any, options: dict[str, Any], complaint: str) -> None:
    result = run(module, **options)
    assert result["failed"] and complaint in result["msg"]
    assert "domains" not in result and "exception" not in result


def test_a_backup_folder_that_cannot_be(run: Run, driver: Driver) -> None:
    result = run(domains=["test"], backup_dir="/proc/no/such")
    assert result["failed"] and "backup_dir '/proc/no/such' cannot be written to" in result["msg"]


@pytest.mark.parametrize("module", [domain_readiness, domain_readiness_info])
def test_without_libvirt(run: Run, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIBVIRT_IMPORT_ERROR", "Traceback: no libvirt")
    assert "required Python library" in run(module, domains=["test"])["msg"]


def test_the_audit_changes_nothing(run: Run, driver: Driver) -> None:
    domain = driver.start("looked-at", features="", more=RESTARTS)
    before = domain.XMLDesc(0), domain.XMLDesc(WHOLE)
    result = run(domain_readiness_info, all=True, name_pattern="looked*", problems_only=True)
    (found,) = result["domains"]
    assert (result["changed"], found["changed"], found["holds"]) == (False, False, None)
    assert (found["name"], found["state"], found["persistent"]) == ("looked-at", "running", True)
    assert found["verdicts"] == {"host": "blocked"}
    assert found["recommended_methods"] == []
    assert states(found)["domain_acpi", "persistent definition"] == "differs"
    assert set(states(found).values()) == {"differs"}, "problems_only"
    assert result["host"]["acts_first"] == "nobody"
    assert result["totals"]["differs"] == len(found["findings"])
    assert (domain.XMLDesc(0), domain.XMLDesc(WHOLE)) == before


def test_remediation_a_second_run_and_check_mode(run: Run, driver: Driver, tmp_path: Path) -> None:
    domain = driver.start("mended", features="", more=RESTARTS)
    before = domain.XMLDesc(WHOLE)
    options: dict[str, Any] = {"domains": ["mended"], "backup_dir": str(tmp_path / "backup")}

    planned = run(**options, _ansible_check_mode=True)
    assert planned["changed"] and not (tmp_path / "backup").exists()
    assert planned["domains"][0]["holds"] == "next_start"
    assert planned["diff"][0]["before"] == before and "<acpi/>" in planned["diff"][0]["after"]
    assert domain.XMLDesc(WHOLE) == before

    result = run(**options)
    (mended,) = result["domains"]
    assert (result["changed"], mended["holds"], mended["failed"]) == (True, "next_start", False)
    assert mended["former_definition"] == before and mended["former_is_whole"]
    assert Path(mended["backup"]).read_text() == before
    assert stat.S_IMODE(Path(mended["backup"]).stat().st_mode) == 0o600
    # To the test driver, a new definition is at once that of the running domain, too.
    assert states(mended)["domain_on_poweroff", "persistent definition"] == "fixed"
    assert result["diff"][0]["after"] == domain.XMLDesc(INACTIVE)
    assert domain.isActive()

    domain.destroy()
    again = run(**options)
    assert (again["changed"], again["domains"][0]["verdicts"]) == (False, {"host": "ready"})
    assert again["domains"][0]["former_definition"] is None
    assert "diff" not in again or again["diff"] == []
    domain.create()
    assert run(domain_readiness_info, domains=["mended"])["domains"][0]["verdicts"] == {"host": "ready"}


def test_each_domain_in_its_own_way(run: Run, driver: Driver) -> None:
    for name in ("waives", "chooses", "plain"):
        driver.start(name, features="", more=RESTARTS, devices=DISPLAY + AGENT).destroy()
    result = run(
        domains=[
            {"name": "waives", "waive": ["domain_acpi"]},
            {"name": "chooses", "rows": ["domain_on_poweroff"], "desired": {"domain_on_poweroff": "preserve"}},
            "plain",
        ]
    )
    kept = {
        d["name"]: {i: s for (i, side), s in states(d).items() if side == "persistent definition"}
        for d in result["domains"]
    }
    assert [d["name"] for d in result["domains"]] == ["waives", "chooses", "plain"]
    assert (kept["waives"]["domain_acpi"], kept["waives"]["domain_on_poweroff"]) == ("waived", "fixed")
    assert (kept["chooses"]["domain_acpi"], kept["chooses"]["domain_on_poweroff"]) == ("differs", "fixed")
    assert (kept["plain"]["domain_acpi"], kept["plain"]["domain_on_poweroff"]) == ("fixed", "fixed")
    assert "<on_poweroff>preserve<" in driver.connection.lookupByName("chooses").XMLDesc(INACTIVE)


def test_passwords_are_kept_and_not_told(run: Run, driver: Driver, tmp_path: Path) -> None:
    secret = "<graphics type='vnc' passwd='sesame'/><video><model type='vga'/></video>"
    domain = driver.start("secret", more=RESTARTS, devices=secret)
    result = run(domains=["secret"], backup_dir=str(tmp_path / "backup"))
    (mended,) = result["domains"]
    assert "sesame" in domain.XMLDesc(WHOLE) and not mended["failed"]
    assert "sesame" not in json.dumps(result) and mended["former_is_whole"] is False
    assert "sesame" in Path(mended["backup"]).read_text()


def test_a_managed_save_image_is_removed_only_when_asked(run: Run, driver: Driver) -> None:
    domain = driver.start("saved", more=PM, devices=DISPLAY + AGENT)
    domain.managedSave(0)
    assert run(domains=["saved"])["changed"] is False
    assert domain.hasManagedSaveImage(0)
    result = run(domains=["saved"], enforce=["domain_managed_save"])
    assert (result["changed"], result["domains"][0]["holds"]) == (True, "now")
    assert result["diff"] == [{
        "before_header": "saved", "after_header": "saved",
        "before": "managed-save image = present\n", "after": "managed-save image = (absent)\n",
    }]  # fmt: skip
    assert not domain.hasManagedSaveImage(0)
    assert run(domains=["saved"], enforce=["domain_managed_save"])["changed"] is False


def test_a_domain_that_has_crashed(run: Run, tmp_path: Path) -> None:
    state = "<test:runstate xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>6</test:runstate>"
    more = f"<uuid>{NOWHERE}</uuid>{state}{PM}"  # each connection makes a domain of its own from the file
    node = tmp_path / "node.xml"
    node.write_text(f"<node>{domain_xml('crashed', more=more, devices=DISPLAY + AGENT)}</node>", encoding="utf-8")
    (found,) = run(domain_readiness_info, uri=f"test://{node}", domains=["crashed"])["domains"]
    assert (found["state"], found["verdicts"]) == ("crashed", {"host": "blocked"})
    assert {ident for (ident, dummy), state in states(found).items() if state != "ok"} == {"domain_crashed"}


def test_states_and_settings(run: Run, driver: Driver) -> None:
    domain = driver.start("stated", more=PM, devices=DISPLAY + AGENT)
    domain.suspend()
    domain.setAutostart(1)
    (found,) = run(domain_readiness_info, domains=["stated"])["domains"]
    wrong = {ident for (ident, dummy), state in states(found).items() if state != "ok"}
    assert wrong == {"domain_paused", "domain_autostart"}
    assert found["verdicts"] == {"host": "blocked"}


class Refusing:
    """A domain whose hypervisor changes nothing while it runs."""

    def setLifecycleAction(self, event: int, action: int, flags: int) -> None:
        assert (event, action, flags) == (0, 0, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        raise libvirt.libvirtError("not here")


@pytest.mark.parametrize(("kept", "state"), [("destroy", "later"), (None, "differs")])
def test_what_libvirt_will_not_change_now(kept: str | None, state: str) -> None:
    """It holds from the next start where there is a definition for one, and could not be mended elsewhere."""
    audited = _audited("restart", kept)
    audited.mended = remediation.mend(Refusing(), audited.wrong, None)
    assert (audited.mended.error, audited.mended.changed) == ("", False)
    (after,) = [_compared(finding, audited) for finding in audited.wrong]
    assert (after.state, after.detail) == (state, "libvirt cannot change it while the domain runs: not here")


def _audited(live: str, kept: str | None) -> Audited:
    def document(action: str) -> Document:
        return Document(f"<domain><on_poweroff>{action}</on_poweroff></domain>")

    definition = Definition(True, live, False, None, True, ())
    facts = Facts("web01", NOWHERE, "running", "booted", kept is not None, definition, 7)
    reading = DomainReading(facts, document(live), document(kept) if kept else None)
    found = findings(build(ROWS), reading)
    wrong = [finding for finding in found if mendable(finding, ["domain_on_poweroff"])]
    return Audited(reading, found, wrong, {finding.place: finding for finding in wrong})


class Stubborn:
    """A domain that stands for a real one, and whose hypervisor does something else with what it is given."""

    def __init__(self, domain: Any, changes: Callable[[str], str]) -> None:
        self._domain, self._changes = domain, changes
        self.defined: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._domain, name)

    def connect(self) -> Any:
        return self

    def defineXMLFlags(self, text: str, flags: int) -> Any:
        self.defined.append(text)
        former = len(self.defined) > 1
        return self._domain.connect().defineXMLFlags(text if former else self._changes(text), 0)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (lambda text: text.replace("<on_poweroff>destroy", "<on_poweroff>restart"), "did not keep on_poweroff"),
        (lambda text: text.replace("<on_reboot>restart", "<on_reboot>destroy"), "changed on_reboot, which nobody"),
    ],
)
def test_a_definition_that_went_wrong_is_put_back(
    run: Run, driver: Driver, changes: Callable[[str], str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = driver.start("stubborn", more=RESTARTS)
    before = domain.XMLDesc(WHOLE)
    mend = remediation.mend
    monkeypatch.setattr(remediation, "mend", lambda real, *others: mend(Stubborn(real, changes), *others))
    result = run(domains=["stubborn"], rows=["domain_on_poweroff"])
    assert result["failed"] and complaint in result["msg"] and "the former definition was put back" in result["msg"]
    assert result["msg"].startswith("1 of 1 domains could not be mended. stubborn: ")
    assert domain.XMLDesc(WHOLE) == before
    domain.destroy()
    domain.undefine()


class Strict:
    """A connection whose libvirt has no schema, or refuses what it is given by it."""

    def __init__(self, refused: tuple[str, ...]) -> None:
        self.refused = refused
        self.defined: list[tuple[str, int]] = []

    def defineXMLFlags(self, text: str, flags: int) -> None:
        self.defined.append((text, flags))
        if text in self.refused and flags == libvirt.VIR_DOMAIN_DEFINE_VALIDATE:
            raise libvirt.libvirtError("does not pass the schema")


def test_it_is_validated_unless_the_former_definition_would_not_pass() -> None:
    validate = libvirt.VIR_DOMAIN_DEFINE_VALIDATE
    fine = Strict(())
    remediation._define(fine, "former", "new")
    assert fine.defined == [("new", validate)]
    wrong = Strict(("new",))
    with pytest.raises(libvirt.libvirtError, match="does not pass the schema"):
        remediation._define(wrong, "former", "new")
    assert wrong.defined == [("new", validate), ("former", validate)]
    both = Strict(("new", "former"))
    remediation._define(both, "former", "new")
    assert both.defined == [("new", validate), ("former", validate), ("new", 0)]


def test_a_domain_that_migrates_is_left_alone(run: Run, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = driver.start("migrates", more=RESTARTS)
    before = domain.XMLDesc(WHOLE)
    monkeypatch.setattr(_facts, "_job", lambda domain: "migration")
    result = run(domains=["migrates"])
    assert result["failed"] and "migrates: a migration is under way" in result["msg"]
    assert domain.XMLDesc(WHOLE) == before and not result["changed"]
    assert not run(domain_readiness_info, domains=["migrates"]).get("failed")


def test_a_libvirt_that_falls_silent(run: Run, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.start("silent")
    release = threading.Event()
    monkeypatch.setattr(_domain_audit, "PATIENCE", 0.2)
    monkeypatch.setattr(domain_reading, "read", lambda domain, ask: release.wait(20))
    result = run(domain_readiness_info, domains=["silent"])
    release.set()
    (silent,) = result["domains"]
    assert silent["verdicts"] == {"host": "unknown"} and "silent for 0.2 s" in silent["error"]


def test_definitions_go_once_they_are_told(run: Run, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of thousands of domains would take most of the memory."""
    names = [driver.start(f"told-{number}").name() for number in range(2 * _domain_audit.WIDTH)]
    kept: list[int] = []
    result = _domain_audit.Audit._result

    def counted(audit: Any, told: Any, host: Any) -> dict[str, Any]:
        gc.collect()
        kept.append(sum(isinstance(one, Document) for one in gc.get_objects()))
        return result(audit, told, host)

    monkeypatch.setattr(_domain_audit.Audit, "_result", counted)
    run(domain_readiness_info, domains=names[:1])
    run(domain_readiness_info, domains=names)
    assert kept[0] == kept[1]


def test_a_domain_that_goes_away(run: Run, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and fails nobody's task: what is not there any more needs no mending."""
    domain = driver.start("goes", more=RESTARTS)
    host_read = _host_reading.read

    def gone(*arguments: Any) -> Any:
        domain.destroy()
        domain.undefine()
        return host_read(*arguments)

    monkeypatch.setattr(_host_reading, "read", gone)
    result = run(domains=["goes"])
    (goes,) = result["domains"]
    assert (goes["state"], goes["failed"], goes["verdicts"]) == ("gone", False, {"host": "unknown"})


def test_one_that_fails_is_no_others_fault(run: Run, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("breaks", "works"):
        driver.start(name, more=RESTARTS).destroy()
    edited = remediation.edited

    def break_one(document: Any, wrong: Any) -> Any:
        if "<name>breaks<" in document.text:
            raise remediation.DefinitionError("no good")
        return edited(document, wrong)

    monkeypatch.setattr(remediation, "edited", break_one)
    result = run(domains=["breaks", "works"])
    assert result["failed"] and result["msg"] == "1 of 2 domains could not be mended. breaks: no good"
    assert [d["failed"] for d in result["domains"]] == [True, False]
    assert result["changed"] and result["domains"][1]["changed"]
