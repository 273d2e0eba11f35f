# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the modules' documentation and of README.md, run: each on guests that have the names it uses.

Only what is a place is another one: `uri`, and the folders. An example about a disk image is run up to the image, which
is not there; test_image_appliance.py has real ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checkout
import pytest
import yaml
from bed import guide, image
from bed.ansible_run import Run, play
from bed.guests import AcpiGuest, Bed
from bed.module import HYPERVISOR_PYTHON
from bed.windows.blockers import OBEDIENT
from bed.windows.guest import SimulatedWindows

MODULES = sorted(path.stem for path in (checkout.ROOT / "plugins" / "modules").glob("*.py"))
OURS = "winguest.shutdown."
FOREVER = ("guest_shutdown",)
"""After which the guest is off."""

Tasks = list[dict[str, Any]]


def examples(module: str) -> Tasks:
    """The tasks of a module's examples."""
    read: Tasks = yaml.safe_load(
        importlib.import_module(f"ansible_collections.{OURS}plugins.modules.{module}").EXAMPLES
    )
    return read


def tasks_of_the_readme() -> Tasks:
    """The tasks in README.md."""
    blocks = [block.text for block in guide.blocks(checkout.ROOT / "README.md") if block.language == "yaml"]
    found = [read for block in blocks if isinstance(read := yaml.safe_load(block), list)]
    return [task for tasks in found for task in tasks]


DOMAINS = {module: examples(module) for module in MODULES if module.startswith("domain_")}
GUESTS = {module: examples(module) for module in MODULES if module.startswith("guest_")}
IMAGES = {module: examples(module) for module in MODULES if module.startswith("image_")}


def options(task: dict[str, Any]) -> dict[str, Any]:
    """The options of a task of ours; empty for another's."""
    return next((task[name] or {} for name in task if name.startswith(OURS)), {})


def named(tasks: Tasks) -> dict[str, str | None]:
    """The domains that tasks name, with a UUID where they give one."""
    found: dict[str, str | None] = {}
    for task in tasks:
        given = options(task)
        for entry in [*given.get("domains", []), *([given["name"]] if "name" in given else [])]:
            one = entry if isinstance(entry, dict) else {"name": entry}
            found[one.get("name", "by-uuid")] = one.get("uuid")
    return found


class Hypervisor:
    """A private libvirt, and this machine as the host that has it."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self.bed, self.folder = bed, folder

    def run(self, tasks: Tasks) -> Run:
        """Run the tasks on it."""
        places = {"uri": self.bed.daemon.uri}
        folders = {name: str(self.folder / name) for name in ("evidence_dir", "backup_dir")}
        for task in tasks:
            given = options(task)
            given.update({name: value for name, value in {**places, **folders}.items() if name in given})
        play_of_them = {
            "hosts": "all",
            "gather_facts": False,
            "module_defaults": {
                f"group/{OURS}domain": places,
                f"{OURS}domain_shutdown": {**places, "baseline_time": 0, "evidence_dir": folders["evidence_dir"]},
                f"{OURS}domain_readiness": {**places, "backup_dir": folders["backup_dir"]},
            },
            "tasks": tasks,
        }
        file = self.folder / "examples.yml"
        file.write_text(yaml.safe_dump([play_of_them]), encoding="utf-8")
        here = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
        return play({"all": {"hosts": {"kvm01": here}}}, str(file))


@pytest.fixture(scope="module")
def hypervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hypervisor]:
    with Bed() as bed:
        yield Hypervisor(bed, tmp_path_factory.mktemp("examples"))


@pytest.mark.parametrize("source", [*DOMAINS, "README.md"])
def test_domains(hypervisor: Hypervisor, source: str) -> None:
    """All examples of a module, one after the other; guests that a former module has shut down are up again."""
    tasks = tasks_of_the_readme() if source == "README.md" else DOMAINS[source]
    assert tasks
    bed = hypervisor.bed
    known = {domain.name(): domain for domain in bed.connection.listAllDomains()}
    for name, uuid in named(tasks).items():
        domain = known.get(name) or bed.connection.defineXML(with_uuid(bed, name, uuid))
        if not domain.isActive():
            said = len(bed.com1(name))
            domain.create()
            bed.wait_for(name, "ready", timeout=60, since=said)
    run = hypervisor.run(tasks)
    assert run.status == 0, run.output
    assert [task.state for task in run.tasks] == ["ok"] * len(tasks), run.output


def with_uuid(bed: Bed, name: str, uuid: str | None) -> str:
    """The definition of a guest that obeys."""
    xml = AcpiGuest(name).xml(bed.directory, bed.cache)
    return xml.replace("</name>", f"</name><uuid>{uuid}</uuid>", 1) if uuid else xml


@pytest.fixture(scope="module")
def windows() -> Iterator[SimulatedWindows]:
    with Bed() as bed, SimulatedWindows(bed, "web01", registry=OBEDIENT) as windows:
        yield windows


@pytest.mark.parametrize("module", GUESTS)
def test_guests(windows: SimulatedWindows, module: str) -> None:
    """All examples of a module; each by itself where the guest goes off with it."""
    tasks = GUESTS[module]
    for some in [[task] for task in tasks] if module in FOREVER else [tasks]:
        if not windows.control.reachable:
            windows.start()
        host = {**windows.variables, "ansible_password": windows.password}
        run = play({"windows": {"hosts": {"web01": host}}}, some)
        assert run.status == 0, run.output
        assert [task.state for task in run.tasks] == ["ok"] * len(some), run.output
        if module in FOREVER:
            windows.control.wait_until(lambda: not windows.control.reachable, 120)


@pytest.mark.parametrize("module", IMAGES)
def test_images(tmp_path: Path, module: str) -> None:
    root, hives = image.make(tmp_path / "root"), image.make_folder_of_hives(tmp_path / "hives")
    here = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
    for task in IMAGES[module]:
        given = options(task)
        places = {"root": str(root), "hives": str(hives)}
        given.update({name: value for name, value in places.items() if name in given})
        run = play({"windows": {"hosts": {"builder": here}}}, [task])
        if "image" in given:
            assert run.status == 2 and "it cannot be opened: No such file or directory" in run.output, run.output
        else:
            assert run.status == 0, run.output
