# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role shutdown_report, run by Ansible as at the end of a run over a fleet."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from bed.ansible_run import Run, play
from bed.module import HYPERVISOR_PYTHON
from bed.report_sample import KINDS, domain_result, screenshot
from bed.report_sample import page as bed_page

HOSTILE = "{{ 7 * 7 }}{% raw %}</script><script>document.title='owned'</script>\u2028<!--"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
NOWHERE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_timeout": 3}


class Reporting:
    """A fleet of two hypervisors and three guests, the results of which lie in a file that each host reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results: dict[str, dict[str, Any]] = {}
        self.hypervisors: dict[str, dict[str, Any]] = {"here": dict(LOCAL), "silent": dict(LOCAL)}
        self.guests = {
            "web01": {"winguest_hypervisor": "here"},
            "hung": {"winguest_hypervisor": "here", "winguest_domain": "build07"},
            "lost": {"winguest_hypervisor": "silent"},
        }
        forced = domain_result("build07", KINDS["hung"])
        evidence = folder / "evidence"
        evidence.mkdir()
        (evidence / "screen.png").write_bytes(screenshot(80, 60))
        forced["evidence"] = [str(evidence / "screen.png")]
        forced["reason"] = HOSTILE
        self.forced = forced
        self.results["here"] = {"domain_shutdown_result": {"domains": [domain_result("web01", KINDS["web"]), forced]}}

    def run(self, *arguments: str, serial: int | None = None, **variables: Any) -> Run:
        """The play, in which each host first gets its results as untrusted data, as if a module had returned them."""
        (self.folder / "results.json").write_text(json.dumps(self.results))
        hosts = {name: {**LOCAL, **values} for name, values in self.guests.items()}
        given = {"shutdown_report_folder": str(self.folder / "new" / "out"), **variables}
        inventory = {
            "hypervisors": {"hosts": self.hypervisors},
            "windows": {"hosts": hosts},
            "all": {"vars": given},
        }
        read = "lookup('ansible.builtin.file', '" + str(self.folder / "results.json") + "') | from_json"
        playbook = self.folder / "playbook.json"
        results: list[dict[str, Any]] = [
            {
                "name": f"Leave {fact}",
                "ansible.builtin.set_fact": {fact: "{{ (" + read + f")[inventory_hostname].{fact} }}}}"},
                "when": f"({read})[inventory_hostname].{fact} is defined",
            }
            for fact in ("domain_shutdown_result", "guest_readiness_result")
        ]
        play_hosts = {"hosts": "hypervisors:windows", "gather_facts": False}
        role = "winguest.shutdown.shutdown_report"
        report: dict[str, Any] = {**play_hosts, "serial": serial, "roles": [role]}
        if not serial:
            task = {"name": "Report", "ansible.builtin.include_role": {"name": role}, "run_once": True}
            report = {**play_hosts, "tasks": [task]}
        playbook.write_text(json.dumps([{**play_hosts, "tasks": results}, report]))
        return play(inventory, str(playbook), *arguments)

    def document(self) -> dict[str, Any]:
        """What was written as JSON."""
        document: dict[str, Any] = json.loads((self.folder / "new" / "out" / "shutdown-report.json").read_text())
        return document

    def outcomes(self) -> dict[str, str]:
        """The outcome of each guest in it."""
        return {guest["name"]: guest["outcome"] for guest in self.document()["guests"]}


@pytest.fixture
def reporting(tmp_path: Path) -> Reporting:
    return Reporting(tmp_path)


def test_a_report_with_a_screenshot_and_whoever_is_missing(reporting: Reporting) -> None:
    run = reporting.run("--check", "--diff", shutdown_report_title="Night of " + "<b>maintenance</b>")
    assert run.status == 0, run.output
    document = reporting.document()
    guests = {guest["name"]: guest for guest in document["guests"]}
    assert document["check_mode"] is True
    assert reporting.outcomes() == {"web01": "graceful", "hung": "forced", "lost": "unknown"}
    assert guests["hung"]["screen"]["data"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert guests["hung"]["reason"] == HOSTILE
    assert document["totals"]["hypervisors_in_trouble"] == ["silent"]
    assert "silent: no result of a shutdown" in guests["lost"]["reason"]
    page = reporting.folder / "new" / "out" / "shutdown-report.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    text = page.read_text()
    assert text == bed_page(document), "the tests of the page look at another one"
    assert HOSTILE not in text
    assert "<title>Night of &lt;b&gt;maintenance&lt;/b&gt;</title>" in text
    assert "iVBORw0KGgo" not in run.output
    kept = [task for task in run.tasks if task.task.endswith("Keep where the report is, and its totals")]
    assert {task.host for task in kept} == {"here"}
    result = kept[0].result["ansible_facts"]["shutdown_report_result"]
    assert result["html"] == str(page)
    assert result["totals"]["forced"] == [{"hypervisor": "here", "name": "hung"}]


def test_screenshots_that_cannot_be_had(reporting: Reporting) -> None:
    gone = {**reporting.forced, "name": "gone", "uuid": "1", "evidence": [str(reporting.folder / "no" / "screen.png")]}
    away = {**reporting.forced, "name": "away", "uuid": "2", "evidence": ["/srv/screen.png"]}
    reporting.results["here"]["domain_shutdown_result"]["domains"].append(gone)
    reporting.hypervisors["silent"] = NOWHERE
    reporting.results["silent"] = {"domain_shutdown_result": {"domains": [away]}}
    run = reporting.run(shutdown_report_largest_screenshot=100)
    assert run.status == 0, run.output
    missing = {g["name"]: g["screen"]["missing"] for g in reporting.document()["guests"] if g["screen"]}
    assert missing.pop("away").startswith("it could not be fetched: ")
    assert missing == {"hung": "it is larger than 100 bytes", "gone": "it is not there any more"}


def test_a_limit_and_serial(reporting: Reporting) -> None:
    """Whoever the limit leaves out is not missed, and the report is whole after the last batch."""
    reporting.guests["other"] = {"winguest_hypervisor": "silent"}
    run = reporting.run("--limit", "here,web01,lost", serial=2, shutdown_report_screenshots=False)
    assert run.status == 0, run.output
    assert reporting.outcomes() == {"web01": "graceful", "build07": "forced", "lost": "unknown"}
    assert [host["name"] for host in reporting.document()["hypervisors"]] == ["here"]
    screens = {guest["name"]: guest["screen"] for guest in reporting.document()["guests"]}
    assert screens["build07"]["missing"] == "it was not fetched from the hypervisor"
