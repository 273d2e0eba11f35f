# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the automation platform makes of the modules' results, by the queries of extensions/audit.

It drops a record with a null at any depth, loses all records of a job for one without a name, takes two canonical_facts
that differ for two nodes, and drops the event when the query fails.
"""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checkout
import jq
import pytest
import yaml
from bed.module import Modules
from unit.plugins.libvirt_test_driver import URI

COLLECTION = "winguest.shutdown"
QUERIES = yaml.safe_load((checkout.ROOT / "extensions/audit/event_query.yml").read_text(encoding="utf-8"))
COUNTED = ("domain_readiness", "domain_shutdown")
NOT_COUNTED = ("domain_shutdown_record", "guest_readiness", "guest_shutdown", "image_readiness")
"""The file says why."""

PLACES = {"domain_readiness": ("host_root", "backup_dir"), "domain_shutdown": ("evidence_dir",)}
"""Options about folders; nothing is written elsewhere."""

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "domain_shutdown": [
        {"all": True, "methods": [], "timeout": 0, "max_timeout": 0, "on_timeout": "leave"},
        {"all": True, "methods": [], "timeout": 0, "max_timeout": 0, "on_timeout": "save"},
    ],
    "domain_readiness": [{"all": True}, {"domains": ["test"], "problems_only": True, "enforce": ["no_such_row"]}],
}
"""The first of each is tried in check mode, too."""

WRONG: list[Any] = [
    None,
    *("text", 5, [], {}),
    {"failed": True, "msg": "no domain has the name web01", "domains": None},
    {"domains": "omitted"},
    {"domains": [None, "web01", {}, {"name": "web01"}, {"name": "web01", "uuid": None}, {"uuid": ""}]},
    {"results": None},
    {"results": [None, {"domains": [{"name": None}]}]},
    {"censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"},
]
"""From which nothing can be told."""


def records(module: str, result: Any) -> list[dict[str, Any]]:
    """What the platform would note of this result; the four rules hold for it."""
    found = jq.compile(QUERIES[f"{COLLECTION}.{module}"]["query"]).input_value(result).all()
    for record in found:
        assert record.keys() == {"name", "canonical_facts", "facts"}
        assert isinstance(record["name"], str) and record["name"]
        assert record["canonical_facts"].keys() == {"uuid"}, "a name, host or module is no lasting identity"
        assert str(uuid.UUID(record["canonical_facts"]["uuid"])) == record["canonical_facts"]["uuid"]
        assert None not in values(record)
        assert record["facts"]["device_type"] == "virtual_machine"
    return list(found)


def values(value: Any) -> list[Any]:
    """All that is in it, at any depth."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for part in inner for found in values(part))]


@pytest.fixture(scope="module")
def modules() -> Iterator[Modules]:
    modules = Modules()
    yield modules
    modules.close()


def test_every_module_is_counted_or_there_is_a_reason() -> None:
    names = {path.stem for path in (checkout.ROOT / "plugins" / "modules").glob("*.py")}
    assert {name for name in names if not name.endswith("_info")} == {*COUNTED, *NOT_COUNTED}
    assert QUERIES.keys() == {f"{COLLECTION}.{name}" for name in COUNTED}
    assert all(entry.keys() == {"query"} for entry in QUERIES.values())


@pytest.mark.parametrize("module", COUNTED)
def test_results_of_the_real_module(module: str, modules: Modules, tmp_path: Path) -> None:
    """On libvirt's test driver, also when it fails: the driver's only domain is counted once."""
    places = {name: str(tmp_path) for name in PLACES[module]}

    def result(check_mode: bool = False, **options: Any) -> dict[str, Any]:
        return modules.call(module, {"uri": URI, **places, **options}, check_mode).returned

    results = [result(**options) for options in OPTIONS[module]]
    results.append(result(check_mode=True, **OPTIONS[module][0]))
    assert {bool(result.get("failed")) for result in results} == {False, True}
    for returned in results:
        told = [domain["uuid"] for domain in returned.get("domains", [])]
        noted = records(module, returned)
        assert [record["canonical_facts"]["uuid"] for record in noted] == told
        assert noted == [] or noted[0]["name"] == "test"
    assert records(module, {"results": [results[0]]}) == records(module, results[0]), "a task with a loop"
    failed = result(domains=["nowhere"])
    assert failed["failed"] and records(module, failed) == []


@pytest.mark.parametrize("module", COUNTED)
def test_the_documented_result(module: str) -> None:
    source = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.modules.{module}")
    contains = yaml.safe_load(source.RETURN)["domains"]["contains"]
    domain = {name: value.get("sample") for name, value in contains.items()}
    (record,) = records(module, {"domains": [domain]})
    assert (record["name"], record["canonical_facts"]) == ("web01", {"uuid": domain["uuid"]})
    (nameless,) = records(module, {"domains": [{**domain, "name": None, "uuid": domain["uuid"].upper()}]})
    assert (nameless["name"], nameless["canonical_facts"]) == (domain["uuid"].upper(), record["canonical_facts"])


@pytest.mark.parametrize("module", COUNTED)
@pytest.mark.parametrize("result", WRONG)
def test_a_result_without_domains_is_no_error(module: str, result: Any) -> None:
    assert records(module, result) == []
