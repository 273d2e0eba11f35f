# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""domain_shutdown_info and domain_shutdown_record, run whole on libvirt's test driver."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt
import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.module_utils import _evidence
from ansible_collections.winguest.shutdown.plugins.module_utils._acts import raw_record, read_record, write_record
from ansible_collections.winguest.shutdown.plugins.module_utils._record import KEY, NAMESPACE, Past, Record, Request
from ansible_collections.winguest.shutdown.plugins.modules import domain_shutdown_info, domain_shutdown_record
from unit.older_core import patch_module_args
from unit.plugins.libvirt_test_driver import URI, Driver

AT, LATER = "2026-11-23T10:12:03.204Z", "2026-11-23T11:12:03.204Z"
FUTURE = "2999-01-01T00:00:00.000Z"
PAST = Past(AT, "graceful", "acpi", None, 12.5)
BOTH = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a module; its result."""

    def run(module: Any, **options: Any) -> dict[str, Any]:
        with patch_module_args({"uri": URI, **options}), pytest.raises(SystemExit) as ended:
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) is (ended.value.code != 0)
        return result

    return run


def with_request(domain: Any, outcome: str = "left_running", hard_end: str = LATER, **changes: Any) -> Request:
    """Put a request on the domain's record."""
    request = Request(AT, domain.ID(), LATER, hard_end, "leave", outcome, LATER if outcome else "")
    request = Request(**{**request.__dict__, **changes})
    write_record(domain, Record(request, (PAST,)))
    return request


def started_anew(domain: Any) -> None:
    domain.destroy()
    domain.create()


@pytest.mark.parametrize("module", [domain_shutdown_info, domain_shutdown_record])
def test_the_options_are_those_that_are_documented(module: Any) -> None:
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert list(module.OPTIONS) == list(documented)
    for name, option in documented.items():
        assert {key: value for key, value in option.items() if key != "description"} == module.OPTIONS[name], name


# ---- domain_shutdown_info


def documented_keys(returned: dict[str, Any]) -> set[str]:
    return set(returned["contains"])


def test_what_is_returned_is_what_is_documented(run: Run, driver: Driver, tmp_path: Path) -> None:
    domain = driver.start("documented")
    with_request(domain)
    _evidence.collect(
        driver.connection, domain, str(tmp_path), {"name": "documented", "uuid": domain.UUIDString(), "time": AT}
    )
    (told,) = run(domain_shutdown_info, domains=["documented"], evidence_dir=str(tmp_path))["domains"]
    documented = yaml.safe_load(domain_shutdown_info.RETURN)["domains"]
    assert told.keys() == documented_keys(documented)
    assert told["request"].keys() == documented_keys(documented["contains"]["request"])
    assert told["history"][0].keys() == documented_keys(documented["contains"]["history"])
    assert told["evidence"][0].keys() == documented_keys(documented["contains"]["evidence"])


def test_a_domain_without_a_record(run: Run, driver: Driver, tmp_path: Path) -> None:
    domain = driver.start("blank")
    result = run(domain_shutdown_info, domains=["blank"], evidence_dir=str(tmp_path / "no such"))
    assert result["changed"] is False
    assert result["domains"] == [
        {
            "name": "blank",
            "uuid": domain.UUIDString(),
            "state": "running",
            "state_reason": "booted",
            "request": None,
            "history": [],
            "evidence": [],
            "trouble": "",
        }
    ]


@pytest.mark.parametrize(
    ("outcome", "then", "outstanding", "void"),
    [
        ("left_running", "", True, False),
        ("", "", True, False),
        ("left_running", "off", False, True),
        ("left_running", "anew", False, True),
        ("graceful", "off", False, False),
        ("forced", "anew", False, False),
    ],
)
def test_whether_a_request_is_outstanding(
    run: Run, driver: Driver, outcome: str, then: str, outstanding: bool, void: bool
) -> None:
    domain = driver.start(f"request-{outcome}-{then}")
    with_request(domain, outcome)
    if then:
        domain.destroy()
    if then == "anew":
        domain.create()
    (told,) = run(domain_shutdown_info, domains=[{"uuid": domain.UUIDString()}])["domains"]
    assert (told["request"]["outstanding"], told["request"]["void"]) == (outstanding, void)
    assert told["request"]["outcome"] == outcome
    assert told["history"] == [PAST.__dict__]


def test_a_record_that_is_not_ours_is_told(run: Run, driver: Driver) -> None:
    domain = driver.start("not-ours")
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<other/>", KEY, NAMESPACE, BOTH)
    (told,) = run(domain_shutdown_info, domains=["not-ours"])["domains"]
    assert "not a shutdown record" in told["trouble"]
    assert told["request"] is None


def test_evidence_is_found_by_whose_it_is(run: Run, driver: Driver, tmp_path: Path) -> None:
    one, other = driver.start("evidence one"), driver.start("evidence_one")
    assert _evidence.plain(one.name()) == _evidence.plain(other.name())
    paths = {}
    for domain, time in ((one, "2026-01-01T00:00:00.000Z"), (other, AT), (one, AT)):
        document = {"name": domain.name(), "uuid": domain.UUIDString(), "time": time, "why": "hung"}
        paths[domain.name(), time] = _evidence.collect(driver.connection, domain, str(tmp_path), document)
    for name, text in (
        ("evidence_one-20261123T101203204Z-broken", "{"),
        ("evidence_one-20261123T101203204Z-list", "[]"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evidence.json").write_text(text)
    (tmp_path / "evidence_one-20261123T101203204Z-empty").mkdir()
    (tmp_path / "file").touch()
    first, second = run(domain_shutdown_info, domains=["evidence one", "evidence_one"], evidence_dir=str(tmp_path))[
        "domains"
    ]
    assert [entry["time"] for entry in first["evidence"]] == [AT, "2026-01-01T00:00:00.000Z"]
    assert [entry["files"] for entry in second["evidence"]] == [paths["evidence_one", AT]]
    assert first["evidence"][0]["why"] == "hung"


def test_evidence_is_bounded(tmp_path: Path) -> None:
    for number in range(_evidence.MOST_FOUND + 5):
        folder = tmp_path / f"web-20261123T1012{number:05d}Z-abc"
        folder.mkdir()
        (folder / "evidence.json").write_text(json.dumps({"uuid": "u", "time": str(number)}))
    found = _evidence.found(str(tmp_path), [("web", "u"), ("other", "v")])
    assert [entry["time"] for entry in found["u"]] == [str(number) for number in range(24, 4, -1)]
    assert found["v"] == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "give exactly one of domains, a list of the domains to look at, and all=true"),
        ({"domains": []}, "domains is empty"),
        ({"domains": ["no such"]}, "there is no domain with name 'no such'"),
        ({"domains": [{"name": "test", "timeout": 3}]}, "unsupported timeout"),
        ({"domains": ["test"], "evidence_dir": "/etc/passwd"}, "cannot be read"),
        ({"domains": ["test"], "uri": "test:///no/such"}, "cannot connect to libvirt"),
    ],
)
def test_wrong_options(run: Run, driver: Driver, options: dict[str, Any], complaint: str) -> None:
    result = run(domain_shutdown_info, **options)
    assert result["failed"]
    assert complaint in result["msg"]


def test_all_domains_whose_names_match(run: Run, driver: Driver) -> None:
    for name in ("told-b", "told-a", "Told-c"):
        driver.start(name)
    result = run(domain_shutdown_info, all=True, name_pattern="told-*")
    assert [domain["name"] for domain in result["domains"]] == ["told-a", "told-b"]


@pytest.mark.parametrize("module", [domain_shutdown_info, domain_shutdown_record])
def test_without_libvirt(run: Run, monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    monkeypatch.setattr(module, "LIBVIRT_IMPORT_ERROR", "Traceback: no libvirt")
    result = run(module, **({"domains": ["test"]} if module is domain_shutdown_info else {"name": "test"}))
    assert result["failed"]
    assert "required Python library" in result["msg"]


# ---- domain_shutdown_record


def test_a_void_request_is_cleared_and_the_history_stays(run: Run, driver: Driver) -> None:
    domain = driver.start("void")
    with_request(domain)
    started_anew(domain)
    before = raw_record(domain)
    checked = run(domain_shutdown_record, name="void", _ansible_check_mode=True, _ansible_diff=True)
    assert checked["changed"]
    assert raw_record(domain) == before
    assert AT in checked["diff"]["before"]
    assert "<request" not in checked["diff"]["after"]
    cleared = run(domain_shutdown_record, uuid=domain.UUIDString())
    assert (cleared["changed"], cleared["msg"]) == (True, f"the request of {AT} is settled")
    assert read_record(domain) == Record(None, (PAST,))
    domain.destroy()
    assert read_record(domain) == Record(None, (PAST,)), "it is out of the definition, too"
    again = run(domain_shutdown_record, name="void")
    assert (again["changed"], again["msg"]) == (False, "no request is outstanding")


def test_a_request_that_may_be_obeyed_yet_is_not_cleared_unless_it_is_named(run: Run, driver: Driver) -> None:
    domain = driver.start("pending")
    request = with_request(domain)
    result = run(domain_shutdown_record, name="pending")
    assert result["failed"]
    assert "the guest may still obey" in result["msg"]
    other = run(domain_shutdown_record, name="pending", requested_at=LATER)
    assert (other["changed"], other["msg"]) == (False, f"the request that is outstanding is another one, of {AT}")
    assert read_record(domain).request == request
    assert run(domain_shutdown_record, name="pending", requested_at=AT)["changed"]
    assert read_record(domain).request is None


def test_a_request_whose_run_may_be_under_way_is_not_cleared(run: Run, driver: Driver) -> None:
    domain = driver.start("under-way")
    with_request(domain, "", FUTURE)
    result = run(domain_shutdown_record, name="under-way", requested_at=AT)
    assert result["failed"]
    assert "may still be under way" in result["msg"]
    assert read_record(domain).request is not None
    with_request(domain, "", LATER)
    assert run(domain_shutdown_record, name="under-way", requested_at=AT)["changed"], "its hard end is long past"


def test_a_settled_request_stays(run: Run, driver: Driver) -> None:
    domain = driver.start("settled")
    request = with_request(domain, "forced")
    assert not run(domain_shutdown_record, name="settled", requested_at=AT)["changed"]
    assert read_record(domain).request == request


def test_the_whole_record_is_removed(run: Run, driver: Driver) -> None:
    domain = driver.start("absent")
    with_request(domain)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<theirs/>", "them", "urn:them", BOTH)
    assert run(domain_shutdown_record, name="absent", state="absent", _ansible_check_mode=True)["changed"]
    assert raw_record(domain)
    assert run(domain_shutdown_record, name="absent", state="absent")["changed"]
    assert raw_record(domain) == ""
    assert domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "urn:them", 0)
    domain.destroy()
    assert raw_record(domain) == ""
    assert not run(domain_shutdown_record, name="absent", state="absent")["changed"]


def test_what_is_not_ours_is_removed_only_when_that_is_asked_for(run: Run, driver: Driver) -> None:
    domain = driver.start("foreign")
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<other/>", KEY, NAMESPACE, BOTH)
    result = run(domain_shutdown_record, name="foreign")
    assert result["failed"]
    assert "with state=absent it is removed" in result["msg"]
    assert run(domain_shutdown_record, name="foreign", state="absent")["changed"]
    assert raw_record(domain) == ""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "one of the following is required: name, uuid"),
        ({"name": "no such"}, "there is no domain with name 'no such'"),
        ({"uuid": "x"}, "is not a UUID"),
        ({"name": "test", "state": "gone"}, "value of state must be one of: settled, absent"),
        ({"name": "test", "uri": "test:///no/such"}, "cannot connect to libvirt"),
    ],
)
def test_wrong_options_for_the_record(run: Run, driver: Driver, options: dict[str, Any], complaint: str) -> None:
    result = run(domain_shutdown_record, **options)
    assert result["failed"]
    assert complaint in result["msg"]
