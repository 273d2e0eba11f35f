# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook prepare_image where no disk image is opened: a build VM over WinRM, and a mounted root.

With disk images, and with the last step, it is tested in test_image_appliance.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bed import ansible_run, image
from bed.guests import Bed
from bed.module import HYPERVISOR_PYTHON
from bed.windows import keys
from bed.windows.blockers import OBEDIENT, merged
from bed.windows.guest import SimulatedWindows
from bed.windows.places import contents
from bed.windows.systems import SERVER_2022
from bed.windows.typed import dword

PLAYBOOK = "winguest.shutdown.prepare_image"
WRONG = {keys.RELIABILITY_POLICY: {"ShutdownReasonOn": dword(1)}}


def reason(registry: Any) -> Any:
    """Whether the policy has Windows ask for a reason."""
    return registry[keys.RELIABILITY_POLICY]["ShutdownReasonOn"].data


def test_a_build_vm_and_a_root_in_one_run(shared_bed: Bed, tmp_path: Path) -> None:
    """Both are mended, and a second run changes nothing."""
    root = image.make(tmp_path / "root", SERVER_2022, WRONG)
    local = {"ansible_connection": "local", "ansible_python_interpreter": HYPERVISOR_PYTHON}
    with SimulatedWindows(shared_bed, "build", registry=merged(OBEDIENT, WRONG)) as windows:
        windows.start()
        inventory = {
            "build_guests": {"hosts": {"build": {**windows.variables, "ansible_password": windows.password}}},
            "image_builders": {"hosts": {"here": {**local, "image_readiness_images": [{"root": str(root)}]}}},
        }
        for changed in True, False:
            run = ansible_run.play(inventory, PLAYBOOK)
            assert run.status == 0, run.output
            assert run.result("build", "winguest.shutdown.guest_readiness")["changed"] is changed
            assert run.result("here", "winguest.shutdown.image_readiness")["changed"] is changed
            assert f"{root}: ready" in run.output
            assert reason(contents(windows)) == reason(image.contents(root)) == 0
            (judged,) = [task.result["ansible_facts"] for task in run.tasks if task.task.endswith("Judge the image")]
            (told,) = judged["image_readiness_result"]
            assert (told["ready"], told["why"], told["boot"]) == (True, "", {})


def test_a_build_vm_that_cannot_be_reached_fails(tmp_path: Path) -> None:
    host = {"ansible_connection": "winrm", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "x"}
    group = {"hosts": {"build": {**host, "ansible_password": "x", "ansible_winrm_transport": "ntlm"}}}
    run = ansible_run.play({"build_guests": group, "image_builders": {}}, PLAYBOOK)
    assert run.status == 2, run.output


def test_an_audit_writes_nothing(tmp_path: Path) -> None:
    """Also where a step was asked for that only a disk image can take."""
    root = image.make(tmp_path / "root", SERVER_2022, WRONG)
    before = image.state(root)
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": HYPERVISOR_PYTHON,
        "image_readiness_images": [{"root": str(root)}],
        "image_readiness_remediate": False,
        "image_readiness_boot": True,
    }
    run = ansible_run.play({"build_guests": {}, "image_builders": {"hosts": {"here": variables}}}, PLAYBOOK)
    assert run.status == 0, run.output
    assert f"{root}: not ready" in run.output and "event_tracker_policy" in run.output
    assert image.state(root) == before
