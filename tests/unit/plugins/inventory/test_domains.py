# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory that comes of hypervisors of libvirt's test driver: hosts, variables, groups, names, and the cache."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments import constructed, inventory_cache
from ansible.template import Templar
from ansible_collections.winguest.shutdown.plugins.inventory import domains
from ansible_collections.winguest.shutdown.plugins.plugin_utils import _domain_inventory
from ansible_collections.winguest.shutdown.plugins.plugin_utils._trust import trusted
from unit.plugins.libvirt_nodes import AGENT, OFF, card, domain, node, uuid_of

NAME = domains.InventoryModule.NAME
WINDOWS_10, WINDOWS_2022 = "http://microsoft.com/win/10", "http://microsoft.com/win/2k22"
EVIL = "{{ 7 * 7 }}"


@pytest.fixture(scope="module", autouse=True)
def options() -> None:
    """Ansible knows the plugin's options, as when its plugin loader had found it."""
    known = yaml.safe_load(domains.DOCUMENTATION)["options"]
    for fragment in (constructed, inventory_cache):
        known |= yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]
    constants.config.initialize_plugin_configuration_definitions("inventory", NAME, known)


class Lab:
    """A folder with configurations, and what was warned of."""

    def __init__(self, folder: Path, warnings: list[str]) -> None:
        self.folder = folder
        self.warnings = warnings

    def node(self, name: str, *written: str) -> dict[str, str]:
        """A hypervisor of this name with these domains, as an entry of uris."""
        return {"uri": node(self.folder / f"{name}.xml", *written), "hypervisor": name}

    def parse(
        self, *uris: Any, cache_used: bool = True, into: InventoryData | None = None, **more: Any
    ) -> InventoryData:
        """The inventory that a configuration makes."""
        path = self.folder / "lab.winguest.yml"
        path.write_text(json.dumps({"plugin": NAME, "uris": list(uris), **more}), encoding="utf-8")
        plugin: Any = domains.InventoryModule()
        plugin._load_name = NAME
        plugin._redirected_names = [NAME]
        assert plugin.verify_file(str(path))
        inventory = into or InventoryData()
        del self.warnings[:]
        plugin.parse(inventory, DataLoader(), str(path), cache=cache_used)
        if more.get("cache"):
            plugin.update_cache_if_changed()
        return inventory


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    warnings: list[str] = []
    lab = Lab(tmp_path, warnings)

    class Display:
        def warning(self, text: str) -> None:
            warnings.append(text)

        def vvv(self, text: str) -> None:
            pass

    really = domains.BaseInventoryPlugin.__init__

    def initialise(plugin: Any) -> None:
        really(plugin)
        plugin.display = Display()

    monkeypatch.setattr(domains.InventoryModule, "__init__", initialise)
    return lab


def groups(inventory: InventoryData) -> dict[str, list[str]]:
    """The hosts of each group that the plugin made."""
    return {
        name: sorted(str(host) for host in group.get_hosts())
        for name, group in inventory.groups.items()
        if name not in ("all", "ungrouped")
    }


def variables(inventory: InventoryData, host: str) -> dict[str, Any]:
    """A host's own variables."""
    found = inventory.get_host(host)
    assert found is not None
    return {name: value for name, value in found.vars.items() if not name.startswith("inventory_")}


def test_hosts_groups_and_variables(lab: Lab) -> None:
    first = lab.node(
        "kvm-01", domain("web01", WINDOWS_2022, devices=AGENT + card()), domain("tux", "http://debian.org/12")
    )
    second = lab.node("kvm-02", domain("old01", "http://microsoft.com/win/8.1", state=OFF), domain("box", tag=""))
    inventory = lab.parse(first, second)
    assert groups(inventory) == {
        "windows": ["box", "old01", "web01"],
        "hypervisors": ["kvm-01", "kvm-02"],
        "hypervisor_kvm_01": ["web01"],
        "hypervisor_kvm_02": ["box", "old01"],
        "state_running": ["box", "web01"],
        "state_shutoff": ["old01"],
        "os_win2k22": ["web01"],
        "os_win8_1": ["old01"],
        "os_windows": ["box"],
    }
    web = variables(inventory, "web01")
    assert len(web.pop("winguest_addresses")) == 1
    assert web == {
        "ansible_host": "192.168.0.1",
        "winguest_address": "192.168.0.1",
        "winguest_address_source": "agent",
        "winguest_agent": True,
        "winguest_autostart": False,
        "winguest_description": "",
        "winguest_domain": "web01",
        "winguest_hypervisor": "kvm-01",
        "winguest_known_by": "libosinfo",
        "winguest_memory_mib": 64,
        "winguest_networks": ["br0"],
        "winguest_os": "win2k22",
        "winguest_os_id": WINDOWS_2022,
        "winguest_persistent": True,
        "winguest_state": "running",
        "winguest_title": "",
        "winguest_uri": first["uri"],
        "winguest_uuid": uuid_of("web01"),
        "winguest_vcpus": 2,
    }
    assert "ansible_host" not in variables(inventory, "old01")
    assert variables(inventory, "old01")["winguest_address"] is None
    assert inventory.groups["windows"].vars == {"ansible_connection": "winrm"}
    assert variables(inventory, "kvm-01") == {
        "winguest_uri": first["uri"],
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    assert not lab.warnings


def test_what_is_documented_is_there(lab: Lab) -> None:
    inventory = lab.parse(lab.node("kvm01", domain("w", tag="", devices=card())))
    documentation = " ".join(yaml.safe_load(domains.DOCUMENTATION)["description"])
    for name in variables(inventory, "w"):
        assert f"C({name})" in documentation


def test_hypervisors_elsewhere(lab: Lab) -> None:
    """Nothing listens at these addresses; the hypervisors are hosts all the same."""
    inventory = lab.parse(
        {"uri": "test+tcp://127.0.0.2:1/default"},
        {"uri": "test+tls://127.0.0.3:1/default?no_verify=1", "hypervisor": "three", "local_uri": "test:///default"},
    )
    assert variables(inventory, "127.0.0.2") == {"ansible_host": "127.0.0.2", "winguest_uri": "test:///default"}
    assert variables(inventory, "three") == {"ansible_host": "127.0.0.3", "winguest_uri": "test:///default"}
    assert (
        len(lab.warnings) == 2
        and "uris[0] (test+tcp://127.0.0.2:1/default): libvirt cannot be asked" in lab.warnings[0]
    )
    assert groups(lab.parse("test+tcp://127.0.0.2:1/default", add_hypervisors=False)) == {
        "hypervisor_127_0_0_2": [],
        "windows": [],
    }


def test_strict_makes_errors_of_warnings(lab: Lab) -> None:
    with pytest.raises(AnsibleParserError, match=r"uris\[0\] .*: libvirt cannot be asked"):
        lab.parse("test+tcp://127.0.0.2:1/default", strict=True)
    twins = lab.node("a", domain("w", tag="")), lab.node("b", domain("w", tag=""))
    with pytest.raises(AnsibleParserError, match="'w' cannot be used, because 2 guests have it"):
        lab.parse(*twins, strict=True)
    with pytest.raises(AnsibleError, match="Could not set x for host w"):
        lab.parse(twins[0], strict=True, compose={"x": "no_such_variable"})


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"uris": []}, "uris is empty"),
        ({"uris": ["kvm01"]}, r"lab\.winguest\.yml: uris\[0\]: 'kvm01' is no libvirt URI"),
        ({"uris": [{"uri": "test:///default", "hypervisor": "windows"}]}, "there is a group of that name"),
        ({"hostname": "fqdn"}, "hostname"),
        ({"address_sources": ["dns"]}, "address_sources"),
        ({"timeout": -1}, "timeout is -1"),
    ],
)
def test_bad_options(lab: Lab, more: dict[str, Any], told: str) -> None:
    with pytest.raises(AnsibleError, match=told):
        lab.parse(*more.pop("uris", ["test:///default"]), **more)


def test_the_files_that_are_ours(lab: Lab) -> None:
    plugin: Any = domains.InventoryModule()
    for name in ("winguest.yml", "lab.winguest.yaml", "domains.yml", "lab.domains.yaml"):
        (lab.folder / name).touch()
        assert plugin.verify_file(str(lab.folder / name))
    for name in ("hosts.yml", "mydomains.yml", "winguest.yml.bak", "domains.json"):
        (lab.folder / name).touch()
        assert not plugin.verify_file(str(lab.folder / name))
    assert not plugin.verify_file(str(lab.folder / "absent.winguest.yml"))


def test_without_libvirt_the_error_says_what_to_do(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_domain_inventory, "LIBVIRT_IMPORT_ERROR", "No module named 'libvirt'")
    with pytest.raises(AnsibleParserError, match=r"on the controller, for .*No module named 'libvirt'; install"):
        lab.parse("test:///default")


# ---- names


def test_names_that_collide(lab: Lab) -> None:
    words = ("localhost", "all", "windows", "hypervisors", "state_running", "kvm01", "mine", "127.0.0.1", "..")
    one = lab.node("kvm01", *[domain(word, tag="") for word in words], domain("web01", tag=""))
    two = lab.node("kvm02", domain("web01", tag=""), domain("web02", tag=""))
    inventory = lab.parse(one, two, groups={"mine": "true"}, compose={"ansible_user": "'who'"})
    expected = sorted([*[f"kvm01_{word}" for word in words], "kvm01_web01", "kvm02_web01", "web02"])
    assert groups(inventory)["windows"] == groups(inventory)["mine"] == expected
    assert variables(inventory, "kvm01_localhost")["winguest_domain"] == "localhost"
    for group in ("all", "state_running", "hypervisors", "mine"):
        assert inventory.groups[group].vars == {}, "a guest's variables became a group's"
    assert inventory.groups["windows"].vars == {"ansible_connection": "winrm"}
    assert len(lab.warnings) == len(words) + 1


def test_groups_of_earlier_sources_keep_their_names(lab: Lab) -> None:
    earlier = InventoryData()
    earlier.add_group("db")
    inventory = lab.parse(lab.node("kvm01", domain("db", tag=""), domain("os_windows", tag="")), into=earlier)
    assert groups(inventory)["windows"] == ["kvm01_db", "kvm01_os_windows"]
    assert inventory.groups["db"].vars == {} and inventory.groups["os_windows"].vars == {}


@pytest.mark.parametrize(("style", "expected"), [("name", "w"), ("qualified", "kvm01_w"), ("uuid", uuid_of("w"))])
def test_hostname(lab: Lab, style: str, expected: str) -> None:
    inventory = lab.parse(lab.node("kvm01", domain("w", tag="")), hostname=style)
    assert groups(inventory)["windows"] == [expected] and not lab.warnings


def test_no_text_of_others_is_a_template(lab: Lab) -> None:
    names = [EVIL, "a b", "-x", "x:y,z", "ünï", "$(id)", "'\"`"]
    more = f"<title>{EVIL}</title><description>{EVIL}</description>"
    devices = card(bridge=EVIL)
    uri = lab.node("kvm01", *[domain(name, tag="win11", more=more, devices=devices) for name in names])
    inventory = lab.parse(
        uri, compose={"copied": "winguest_title"}, keyed_groups=[{"key": "winguest_title", "prefix": "t"}]
    )
    assert groups(inventory)["windows"] == sorted(names)
    assert groups(inventory)["t____7___7___"] == sorted(names), "the group's name is fit for one"
    for name in names:
        known = {**variables(inventory, name), "inventory_hostname": inventory.get_host(name).name}  # type: ignore[union-attr]
        templar = Templar(loader=DataLoader(), variables=known)
        shown = {key: templar.template(trusted(f"{{{{ {key} }}}}")) for key in known}
        assert shown["winguest_domain"] == shown["inventory_hostname"] == name
        assert shown["winguest_title"] == shown["winguest_description"] == shown["copied"] == EVIL
        assert shown["winguest_networks"] == [EVIL] and shown["winguest_addresses"][0]["network"] == EVIL


def test_an_address_of_two_guests_leads_to_neither(lab: Lab) -> None:
    twins = [lab.node(name, domain(f"w{name}", tag="", devices=card())) for name in "ab"]
    inventory = lab.parse(*twins)
    for name in "ab":
        assert variables(inventory, f"w{name}")["winguest_address"] == "192.168.0.1"
        assert "ansible_host" not in variables(inventory, f"w{name}")
    (warning,) = lab.warnings
    assert "'wa' of a, 'wb' of b have the same address 192.168.0.1" in warning


# ---- what users add


def test_constructed(lab: Lab) -> None:
    uri = lab.node("kvm01", domain("sql01", WINDOWS_10, devices=card()), domain("web01", WINDOWS_10))
    inventory = lab.parse(
        uri,
        connection="",
        compose={"ansible_port": "5986", "winguest_shutdown": "{'tier': 2} if 'sql' in winguest_domain else {}"},
        groups={"reachable": "winguest_address is not none", "broken": "no_such_variable"},
        keyed_groups=[
            {"key": "winguest_networks", "prefix": "net"},
            {"key": "winguest_shutdown.tier | string", "prefix": "tier"},
        ],
    )
    assert str(variables(inventory, "sql01")["ansible_port"]) == "5986"  # a text before ansible-core 2.19
    assert variables(inventory, "sql01")["winguest_shutdown"] == {"tier": 2}
    assert variables(inventory, "web01")["winguest_shutdown"] == {}
    found = groups(inventory)
    assert found["reachable"] == found["net_br0"] == found["tier_2"] == ["sql01"] and "broken" not in found
    assert inventory.groups["windows"].vars == {}


def test_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINGUEST_INVENTORY_NAME_PATTERN", "te*,x")
    monkeypatch.setenv("WINGUEST_INVENTORY_READ_ONLY", "true")
    assert groups(lab.parse("test:///default"))["windows"] == ["test"]


# ---- the cache


def cache(lab: Lab) -> dict[str, Any]:
    return {
        "cache": True,
        "cache_plugin": "jsonfile",
        "cache_connection": str(lab.folder / "cache"),
        "cache_timeout": 3600,
    }


def test_the_cache(lab: Lab) -> None:
    one = lab.node("one", domain("w1", tag="", devices=card(), more=f"<title>{EVIL}</title>"))
    before = lab.parse(one, **cache(lab))
    (entry,) = (lab.folder / "cache").iterdir()
    assert "w1" in entry.read_text() and "__ansible" not in entry.read_text(), "what is cached is more than plain data"
    lab.node("one", domain("w2", tag=""))
    again = lab.parse(one, **cache(lab))
    assert groups(again) == groups(before) and variables(again, "w1") == variables(before, "w1")
    templar = Templar(loader=DataLoader(), variables=variables(again, "w1"))
    assert templar.template(trusted("{{ winguest_title }}")) == EVIL, "what was cached became a template"
    assert groups(lab.parse(one, cache_used=False, **cache(lab)))["windows"] == ["w2"], "--flush-cache"
    assert groups(lab.parse(one, **cache(lab)))["windows"] == ["w2"], "it was not stored anew"
    assert groups(lab.parse(one))["windows"] == ["w2"]


def test_another_configuration_is_not_answered_from_the_cache(lab: Lab) -> None:
    one = lab.node("one", domain("w1", tag=""), domain("x1"))
    assert groups(lab.parse(one, **cache(lab)))["windows"] == ["w1"]
    assert groups(lab.parse(one, name_pattern=["x*"], **cache(lab)))["windows"] == ["w1", "x1"]
    two = lab.node("two", domain("w2", tag=""))
    lab.node("one", domain("later", tag=""))
    assert groups(lab.parse(one, two, **cache(lab)))["windows"] == ["w1", "w2"], "the first was asked again"
    renamed = {**one, "hypervisor": "other"}
    assert groups(lab.parse(renamed, **cache(lab)))["hypervisor_other"] == ["w1"]


def test_one_libvirt_under_two_names_is_read_once(lab: Lab) -> None:
    one, two = lab.node("one", domain("w1", tag="")), lab.node("two", domain("w2", tag=""))
    inventory = lab.parse(one, {**one, "hypervisor": "also"}, two)
    assert groups(inventory)["windows"] == ["also_w1", "one_w1", "w2"]


def test_a_failure_is_not_cached(lab: Lab) -> None:
    path = lab.folder / "late.xml"
    late = {"uri": f"test://{path}", "hypervisor": "late"}
    good = lab.node("good", domain("w1", tag=""))
    assert groups(lab.parse(good, late, **cache(lab)))["windows"] == ["w1"] and len(lab.warnings) == 1
    assert groups(lab.parse(good, late, **cache(lab)))["windows"] == ["w1"] and len(lab.warnings) == 1
    node(path, domain("w2", tag=""))
    assert groups(lab.parse(good, late, **cache(lab)))["windows"] == ["w1", "w2"] and not lab.warnings


def test_a_cached_inventory_needs_no_libvirt(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    one = lab.node("one", domain("w1", tag=""))
    lab.parse(one, **cache(lab))
    monkeypatch.setattr(_domain_inventory, "LIBVIRT_IMPORT_ERROR", "No module named 'libvirt'")
    assert groups(lab.parse(one, **cache(lab)))["windows"] == ["w1"]


def test_what_is_no_reading_in_the_cache_is_read_anew(lab: Lab) -> None:
    one = lab.node("one", domain("w1", tag=""))
    lab.parse(one, **cache(lab))
    (entry,) = (lab.folder / "cache").iterdir()
    entry.write_text('{"hosts": []}', encoding="utf-8")
    assert groups(lab.parse(one, **cache(lab)))["windows"] == ["w1"]
