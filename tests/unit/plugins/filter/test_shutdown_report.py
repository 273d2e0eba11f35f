# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of the role shutdown_report, as Ansible calls them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.winguest.shutdown.plugins.filter import (
    shutdown_report,
    shutdown_report_html,
    shutdown_report_read,
    shutdown_report_screens,
)
from bed.report_sample import Fleet, evening
from unit.older_core import trust_as_template

ALL = (shutdown_report, shutdown_report_html, shutdown_report_read, shutdown_report_screens)


@pytest.mark.parametrize("module", ALL)
def test_documented_as_they_are(module: Any) -> None:
    documented = yaml.safe_load(module.DOCUMENTATION)
    filters = module.FilterModule().filters()
    assert list(filters) == [documented["name"]]
    function = filters[documented["name"]]
    code = function.__code__
    options = list(documented["options"])
    assert options[0] == "_input"
    assert options[1:] == list(code.co_varnames[1 : code.co_argcount])


def test_nothing_in_a_result_is_taken_for_a_template() -> None:
    fleet = Fleet()
    fleet.add_hypervisor("hv", {"web": "web"})
    domain = fleet.hostvars["hv"]["domain_shutdown_result"]["domains"][0]
    domain["reason"] = "{{ 7 * 7 }}"
    templar = Templar(DataLoader(), variables={"report": fleet.report()})
    reason = trust_as_template("{{ report.guests[0].reason }}")
    assert templar.template(reason) == "{{ 7 * 7 }}"
    read = shutdown_report_read.shutdown_report_read(json.dumps(fleet.report()))
    assert Templar(DataLoader(), variables={"report": read}).template(reason) == "{{ 7 * 7 }}"


def test_with_nobody_named_as_asked_everybody_was() -> None:
    fleet = evening()
    assert fleet.report(asked=[])["totals"] == fleet.report()["totals"]
    fleet.hypervisors.append("unused")
    fleet.hostvars["unused"] = {}
    assert "unused" not in [host["name"] for host in fleet.report(asked=["hv-north"])["hypervisors"]]


def test_check_mode_in_words() -> None:
    assert Fleet().report(check_mode="False")["check_mode"] is False
    assert Fleet().report(check_mode=True)["check_mode"] is True


def test_what_cannot_be_used_is_told() -> None:
    with pytest.raises(AnsibleFilterError, match="it must be hostvars"):
        shutdown_report.shutdown_report([], [])
    with pytest.raises(AnsibleFilterError, match="it must be hostvars"):
        shutdown_report_screens.shutdown_report_screens("x", [])
    with pytest.raises(AnsibleFilterError, match="most_entries is 1; it must be at least 2"):
        Fleet().report(most_entries=1)
    with pytest.raises(AnsibleFilterError, match="a report as JSON"):
        shutdown_report_html.shutdown_report_html({"title": "x"}, "", [], [])
    odd: Any
    for odd in ("{", "[]", {}):
        with pytest.raises(AnsibleFilterError, match="shutdown_report_read: the input is no report as JSON"):
            shutdown_report_read.shutdown_report_read(odd)
    with pytest.raises(AnsibleFilterError, match="no report as JSON"):
        shutdown_report_html.shutdown_report_html("{}", "", [], [])
