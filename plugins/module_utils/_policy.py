# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What the user allows and asks for, per domain: the options of domain_shutdown, checked."""

from __future__ import annotations

import dataclasses
import typing as t

METHODS = ("acpi", "guest_shutdown", "agent")
ON_TIMEOUT = ("leave", "save", "force")
LONGEST = 1e8
"""Seconds, about three years: no clock is longer, so that every deadline is a date."""


class PolicyError(ValueError):
    """Options that contradict one another; the text says which, where, and what to do."""


@dataclasses.dataclass(frozen=True)
class Policy:
    """How one domain is shut down. Times in seconds."""

    methods: tuple[str, ...] = METHODS
    guest: str = ""
    """The inventory name of the domain's Windows host, over whose connection guest_shutdown asks."""
    accept_timeout: float = 60.0
    timeout: float = 300.0
    max_timeout: float = 3600.0
    stall_timeout: float = 60.0
    press_interval: float = 10.0
    double_press: bool = True
    press_after_acceptance: bool = False
    baseline_time: float = 3.0
    progress_min_rate: float = 65536.0
    poll_interval: float = 5.0
    on_timeout: t.Literal["leave", "save", "force"] = "leave"
    save_timeout: float = 600.0
    reconnect_timeout: float = 60.0
    wake: bool = True
    resume: bool = False
    thaw: bool = True
    waive: tuple[str, ...] = ()


FIELDS: dict[str, dataclasses.Field[t.Any]] = {field.name: field for field in dataclasses.fields(Policy)}

# timeout comes first: what accept_timeout and max_timeout are by default depends on it.
_AT_LEAST = {
    "timeout": 0.0,
    "accept_timeout": 0.0,
    "max_timeout": 0.0,
    "stall_timeout": 0.0,
    "press_interval": 1.0,
    "baseline_time": 0.0,
    "progress_min_rate": 1.0,
    "poll_interval": 1.0,
    "save_timeout": 1.0,
    "reconnect_timeout": 0.0,
}


def make_policy(options: t.Mapping[str, t.Any], where: str) -> Policy:
    """The policy from checked module options; where names the place for an error ("domains[2] (web01)").

    Raises PolicyError for values out of range and for clocks that contradict one another.
    """
    values = {name: options[name] for name in FIELDS if options.get(name) is not None}
    timeout = values.get("timeout", Policy.timeout)
    values.setdefault("accept_timeout", min(Policy.accept_timeout, timeout))
    values.setdefault("max_timeout", max(Policy.max_timeout, timeout))
    for name in ("methods", "waive"):
        if name in values:
            values[name] = tuple(values[name])
    policy = Policy(**values)
    for name, least in _AT_LEAST.items():
        value = getattr(policy, name)
        if not least <= value < float("inf"):
            raise PolicyError(f"{where}: {name} is {value:g}; it must be a number of at least {least:g}")
        if name != "progress_min_rate" and value > LONGEST:
            raise PolicyError(f"{where}: {name} is {value:g}; it must not be more than {LONGEST:g} seconds")
    if len(set(policy.methods)) != len(policy.methods):
        raise PolicyError(f"{where}: methods names {_repeated(policy.methods)} twice; name each method once")
    if policy.methods == ("guest_shutdown",) and not policy.guest:
        raise PolicyError(
            f"{where}: methods has only guest_shutdown, and guest is not given, so nobody could be asked; set guest to "
            "the inventory name of the domain's Windows host, or allow another method"
        )
    if policy.timeout > policy.max_timeout:
        raise PolicyError(
            f"{where}: timeout ({policy.timeout:g} s) is later than max_timeout ({policy.max_timeout:g} s), "
            "the hard end; raise max_timeout or lower timeout"
        )
    if policy.methods and policy.accept_timeout > policy.timeout:
        raise PolicyError(
            f"{where}: accept_timeout ({policy.accept_timeout:g} s) is longer than timeout ({policy.timeout:g} s), "
            "so no second method could ever be tried; lower accept_timeout or raise timeout"
        )
    if 0 < policy.baseline_time < 1:
        raise PolicyError(f"{where}: baseline_time is {policy.baseline_time:g}; use 0 (off) or at least 1 second")
    return policy


def _repeated(names: t.Sequence[str]) -> str:
    return next(name for name in names if names.count(name) > 1)
