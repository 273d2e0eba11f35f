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

if hasattr(ansible.template, "trust_as_template"):

    def _as_ours(text: str) -> str:
        return ansible.template.trust_as_template(text)

    def _as_others(text: str) -> str:
        return text

else:
    from ansible.utils.unsafe_proxy import wrap_var

    def _as_ours(text: str) -> str:
        return text

    def _as_others(text: str) -> str:
        return t.cast(str, wrap_var(text))


_WORD = re.compile(r"[A-Za-z0-9_.:/-]*")


def untrusted(value: t.Any) -> t.Any:
    """The value with every text in it, also keys, marked as what others wrote."""
    return _mapped(value, lambda text: _as_ours(text) if _WORD.fullmatch(text) else _as_others(text))


def trusted(value: t.Any) -> t.Any:
    """The value with every text in it marked as ours, or the user's own."""
    return _mapped(value, _as_ours)


def _mapped(value: t.Any, mark: t.Callable[[str], str]) -> t.Any:
    if isinstance(value, str):
        return mark(value)
    if isinstance(value, dict):
        return {_mapped(key, mark): _mapped(item, mark) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, mark) for item in value]
    return value
