# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Whose text a variable's value is, told to Ansible: what others wrote is never evaluated.

ansible-core takes text for a template unless it was marked as unsafe, and from 2.19 on only when it was marked as
trusted. Single words, which say the same in either case, go without a mark: ansible-inventory shows it with the text.
"""

from __future__ import annotations

import re
import typing as t

import ansible.template

EXPLICIT_TRUST = hasattr(ansible.template, "trust_as_template")

if not EXPLICIT_TRUST:
    from ansible.utils.unsafe_proxy import wrap_var

_WORD = re.compile(r"[A-Za-z0-9_.:/-]*")


def untrusted(value: t.Any) -> t.Any:
    """The value with every text in it, also keys, marked as what others wrote."""
    return _mapped(value, _as_trusted if EXPLICIT_TRUST else _as_unsafe)


def trusted(value: t.Any) -> t.Any:
    """The value with every text in it marked as ours, or the user's own."""
    return _mapped(value, ansible.template.trust_as_template) if EXPLICIT_TRUST else value


def _as_trusted(text: str) -> str:
    return ansible.template.trust_as_template(text) if _WORD.fullmatch(text) else text


def _as_unsafe(text: str) -> str:
    return text if _WORD.fullmatch(text) else t.cast(str, wrap_var(text))


def _mapped(value: t.Any, mark: t.Callable[[str], str]) -> t.Any:
    if isinstance(value, str):
        return mark(value)
    if isinstance(value, dict):
        return {_mapped(key, mark): _mapped(item, mark) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, mark) for item in value]
    return value
