# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests use of Ansible that ansible-core 2.16 to 2.18 do not have yet."""

from __future__ import annotations

import contextlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from typing import Any

import ansible.template
from ansible.module_utils import basic


def patch_module_args(arguments: Mapping[str, Any]) -> contextlib.AbstractContextManager[None]:
    """A context in which a module's main() is given these arguments."""
    if importlib.util.find_spec("ansible.module_utils.testing") is None:
        return _patched(arguments)
    from ansible.module_utils import testing

    return testing.patch_module_args(dict(arguments))


def trust_as_template(text: str) -> str:
    """The text, as one that may be a template. In older ones every text is that is not marked as unsafe."""
    return ansible.template.trust_as_template(text) if hasattr(ansible.template, "trust_as_template") else text


@contextlib.contextmanager
def _patched(arguments: Mapping[str, Any]) -> Iterator[None]:
    before = basic._ANSIBLE_ARGS
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    try:
        yield
    finally:
        basic._ANSIBLE_ARGS = before
