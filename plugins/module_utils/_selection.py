# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The options that say which domains a module is about, checked before libvirt is asked."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

Spec = t.Mapping[str, t.Mapping[str, t.Any]]
Made = t.TypeVar("Made")

OPTIONS: dict[str, dict[str, t.Any]] = {
    "uri": {"type": "str", "default": "qemu:///system"},
    "domains": {"type": "list", "elements": "raw"},
    "all": {"type": "bool", "default": False},
    "name_pattern": {"type": "str"},
}


class Entry(t.NamedTuple):
    """One entry of domains: where it is, for errors; which domain it names; and the options that it has of its own."""

    where: str
    name: str | None
    uuid: str | None
    own: dict[str, t.Any]


def entry_options(options: Spec) -> dict[str, dict[str, t.Any]]:
    """The options of an entry: which domain, and those of the task that it may have of its own, without defaults."""
    own = {name: {key: value for key, value in spec.items() if key != "default"} for name, spec in options.items()}
    return {"name": {"type": "str"}, "uuid": {"type": "str"}, **own}


def check_selection(params: t.Mapping[str, t.Any], purpose: str, both: bool = False) -> None:
    """Raises ValueError unless exactly one of domains and all was given, and sensibly; both allows both."""
    if params["domains"] is not None and not params["domains"]:
        raise ValueError(
            "domains is empty; name at least one domain, or use all=true for every domain of the hypervisor"
        )
    if (params["domains"] is None) != params["all"] and not (both and params["all"]):
        raise ValueError(f"give exactly one of domains, a list of the domains to {purpose}, and all=true")
    if params["name_pattern"] is not None and not params["all"]:
        raise ValueError("name_pattern chooses among all domains; it needs all=true")


def read_entries(entries: t.Sequence[t.Any], options: Spec, make: t.Callable[[Entry], Made]) -> list[Made]:
    """What make makes of the entries, each a name or a dictionary with these options (see entry_options).

    Raises ValueError with all that is wrong with them; make raises it for an entry that cannot be.
    """
    validator = ArgumentSpecValidator(dict(options), required_one_of=[["name", "uuid"]])
    made, errors = [], []
    for index, entry in enumerate(entries):
        where = f"domains[{index}]"
        if isinstance(entry, str):
            entry = {"name": entry}
        if not isinstance(entry, dict):
            errors.append(f"{where} is {entry!r}; give a name, or a dictionary with name or uuid")
            continue
        label = f"{where} ({entry.get('name') or entry.get('uuid') or 'neither name nor uuid'})"
        unknown = sorted(str(key) for key in entry.keys() - options.keys())
        if unknown:
            errors.append(f"{label}: unsupported {', '.join(unknown)}; supported are {', '.join(options)}")
            continue
        checked = validator.validate({key: value for key, value in entry.items() if value is not None})
        if checked.error_messages:
            errors.append(f"{label}: {'; '.join(checked.error_messages)}")
            continue
        values = checked.validated_parameters
        own = {name: values[name] for name in options if name not in ("name", "uuid") and values.get(name) is not None}
        try:
            made.append(make(Entry(label, values.get("name"), values.get("uuid"), own)))
        except ValueError as error:
            errors.append(str(error))
    if errors:
        raise ValueError("; ".join(errors))
    return made
