# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What image_readiness and image_readiness_info say of themselves is what they take; what they return, tests of the
integration compare."""

from __future__ import annotations

import types
import typing as t

import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.doc_fragments._image_disk import ModuleDocFragment as Disk
from ansible_collections.winguest.shutdown.plugins.doc_fragments._readiness import ModuleDocFragment as Readiness
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_disk, _image_module, _remediation
from ansible_collections.winguest.shutdown.plugins.module_utils._image_readiness import IMAGE_STATES, ROWS
from ansible_collections.winguest.shutdown.plugins.modules import image_readiness, image_readiness_info

AUDIT: dict[str, t.Any] = {
    **_image_module.SOURCE_OPTIONS,
    **_image_disk.OPTIONS,
    **_remediation.CATALOGUE_OPTIONS,
    **_remediation.AUDIT_OPTIONS,
}
REMEDIATION: dict[str, t.Any] = {**AUDIT, **_image_disk.TARGET_OPTIONS, **_remediation.REMEDIATION_OPTIONS}
MODULES = [(image_readiness, REMEDIATION), (image_readiness_info, AUDIT)]
both = pytest.mark.parametrize(("module", "spec"), MODULES, ids=["image_readiness", "image_readiness_info"])
FRAGMENTS = {
    "winguest.shutdown._readiness": Readiness.DOCUMENTATION,
    "winguest.shutdown._image_disk": Disk.DOCUMENTATION,
    "winguest.shutdown._image_disk.target": Disk.TARGET,
}


@both
def test_the_options_are_those_that_are_documented(module: types.ModuleType, spec: dict[str, t.Any]) -> None:
    documentation = yaml.safe_load(module.DOCUMENTATION)
    documented = dict(documentation["options"])
    for name in documentation["extends_documentation_fragment"]:
        documented.update(yaml.safe_load(FRAGMENTS.get(name, "options: {}"))["options"])
    assert documented.keys() == spec.keys()
    for name, option in documented.items():
        said = {key: value for key, value in option.items() if key != "description"}
        taken = dict(spec[name])
        for words in (said, taken):
            if "choices" in words:
                words["choices"] = sorted(words["choices"])
        assert said == taken, name


@both
def test_the_examples_are_tasks_that_can_be(module: types.ModuleType, spec: dict[str, t.Any]) -> None:
    for task in yaml.safe_load(module.EXAMPLES):
        for name, options in task.items():
            if name.startswith("winguest."):
                assert name.rpartition(".")[2] == module.__name__.rpartition(".")[2]
                assert options.keys() <= spec.keys()
                assert sum(source in options for source in _image_module.EXACTLY_ONE) == 1


def test_both_return_the_same_and_tell_every_state() -> None:
    documented = [yaml.safe_load(module.RETURN) for module in (image_readiness, image_readiness_info)]
    assert documented[0].keys() == documented[1].keys()
    for told in documented:
        state = " ".join(told["findings"]["contains"]["state"]["description"])
        assert all(f"C({word})" in state for word in IMAGE_STATES)


def test_every_row_has_an_id_of_its_own() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)
