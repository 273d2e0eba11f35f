# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The ladder's acts as libvirt calls. Each runs in a lane, may block there, and tells what came of it."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_names as names
from ansible_collections.winguest.shutdown.plugins.module_utils import _record
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import failed
from ansible_collections.winguest.shutdown.plugins.module_utils._ladder import Act, Done, StateSeen
from ansible_collections.winguest.shutdown.plugins.module_utils._lanes import within

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now
else:
    OFF_ALREADY = (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN)
    BOTH = libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_AFFECT_LIVE

FREEZE_LIMIT = 10.0
"""Seconds: a Windows guest holds its writes about that long, so a later answer is worth nothing."""

DELIVERED_AFTER = 30.0
"""Seconds: before 11.2 libvirt has one error for an agent that never answered (told after 5 s by default) and for one
that took the shutdown and did not answer (told after 60 s), so the time tells them apart."""

THAW_LIMIT = 10.0

POWERED_OFF_MEANWHILE = "the guest has powered off meanwhile"

LANES: dict[str, str] = {
    "press": "act",
    "wake": "act",
    "resume": "act",
    "guest_shutdown": "act",
    "thaw": "agent",
    "agent": "agent",
    "save": "save",
    "abort_save": "act",
    "evidence": "end",
    "destroy": "end",
    "destroy_plain": "end",
}


def simple(act: Act, domain: t.Any) -> Done:
    """The acts that are one call without arguments."""
    if act == "press":
        domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    elif act == "wake":
        domain.pMWakeup(0)
    elif act == "resume":
        domain.resume()
    elif act == "thaw":
        return Done("thaw", "ok", f"{within(THAW_LIMIT, domain.fsThaw)} file systems")
    elif act == "save":
        return _save(domain)
    elif act == "abort_save":
        domain.abortJob()
    else:
        raise ValueError(act)
    return Done(act, "ok")


def _save(domain: t.Any) -> Done:
    """Save the domain, unless its guest has powered off by now: libvirt would save even what is left of it."""
    try:
        if not _has_powered_off(_state(domain)):
            domain.managedSave(0)
            return Done("save", "ok")
    except libvirt.libvirtError:
        if not _has_powered_off(_state(domain)):
            raise
    return Done("save", "dropped", POWERED_OFF_MEANWHILE)


def ask_agent(domain: t.Any) -> Done:
    """Ask the guest agent to shut down; tells a request that never arrived from one that was not answered."""
    began = time.monotonic()
    try:
        domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
    except libvirt.libvirtError as error:
        code = error.get_error_code()
        if code == getattr(libvirt, "VIR_ERR_AGENT_COMMAND_TIMEOUT", None):
            return Done("agent", "no_reply", str(error))
        if code == libvirt.VIR_ERR_AGENT_UNRESPONSIVE:
            one_error_for_both = not hasattr(libvirt, "VIR_ERR_AGENT_COMMAND_TIMEOUT")
            arrived = one_error_for_both and time.monotonic() - began >= DELIVERED_AFTER
            return Done("agent", "no_reply" if arrived else "not_delivered", str(error))
        return failed("agent", error)
    return Done("agent", "ok")


def destroy(
    domain: t.Any, domain_id: int | None, agent: bool, stopped: t.Callable[[], bool], note: t.Callable[[str], None]
) -> Done:
    """Freeze where the agent answers, then end QEMU gently; what was frozen is thawed when QEMU stays.

    Whether it may is asked last of all, so that a run that was cancelled meanwhile forces nothing.
    """
    note(_freeze(domain) if agent else "not frozen: no guest agent")
    done = _end_gently(domain, domain_id, stopped)
    if done.result != "ok" and agent:
        _thaw(domain)
    return done


def _end_gently(domain: t.Any, domain_id: int | None, stopped: t.Callable[[], bool]) -> Done:
    needless = _needless(domain, domain_id, stopped)
    if needless:
        return Done("destroy", "dropped", needless)
    try:
        domain.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
    except libvirt.libvirtError as error:
        # QEMU did not end within 15 s, or a call that hangs on its monitor kept libvirt from getting hold of it.
        in_vain = (libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_OPERATION_TIMEOUT)
        done = failed("destroy", error)
        if done.result == "lost":
            return done
        if error.get_error_code() in in_vain:
            return Done("destroy", "busy", str(error))
        if error.get_error_code() in OFF_ALREADY:
            return Done("destroy", "dropped", str(error))
        return done
    return Done("destroy", "ok")


def destroy_plain(domain: t.Any, domain_id: int | None, stopped: t.Callable[[], bool]) -> Done:
    """End QEMU, by SIGKILL in the end, after it was asked gently in vain."""
    needless = _needless(domain, domain_id, stopped)
    if needless:
        return Done("destroy_plain", "dropped", needless)
    try:
        domain.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_DEFAULT)
    except libvirt.libvirtError as error:
        if error.get_error_code() in OFF_ALREADY:
            return Done("destroy_plain", "ok", str(error))
        return failed("destroy_plain", error)
    return Done("destroy_plain", "ok")


def _needless(domain: t.Any, domain_id: int | None, stopped: t.Callable[[], bool]) -> str:
    """Why the domain must not, or need not, be destroyed after all, asked at the last moment."""
    now = domain.connect().lookupByUUIDString(domain.UUIDString())
    seen = _state(now)
    if seen.domain_id is not None and seen.domain_id != domain_id:
        return "the domain was started anew meanwhile"
    if _has_powered_off(seen):
        return POWERED_OFF_MEANWHILE
    return "the run was told to stop" if stopped() else ""


def _state(domain: t.Any) -> StateSeen:
    state, reason = domain.state()
    return names.state_seen(state, reason, domain.ID())


def _has_powered_off(seen: StateSeen) -> bool:
    return seen.state in ("in_shutdown", "shutoff") or (seen.state, seen.reason) == ("paused", "shutting_down")


def _freeze(domain: t.Any) -> str:
    try:
        return f"{within(FREEZE_LIMIT, domain.fsFreeze)} file systems frozen"
    except Exception as error:  # a freeze is a kindness on the way; its failure is told, not raised
        return f"not frozen: {error}"


def _thaw(domain: t.Any) -> None:
    try:
        within(FREEZE_LIMIT, domain.fsThaw)
    except Exception:  # the agent is gone, and its freeze with it
        return


def raw_record(domain: t.Any) -> str:
    """What is in the record's place in the domain's metadata; empty where nothing is."""
    try:
        return str(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, _record.NAMESPACE, 0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            return ""
        raise


def read_record(domain: t.Any) -> _record.Record:
    """The record in the domain's metadata. Raises RecordError when something else is in its place."""
    try:
        text = raw_record(domain)
    except libvirt.libvirtError as error:
        raise _record.RecordError(f"the metadata cannot be read: {error}") from error
    return _record.from_xml(text) if text else _record.Record()


def write_record(domain: t.Any, record: _record.Record, guess: bool = False) -> None:
    """Put the record into the domain's definition, and into the running domain where there is one.

    guess: it is most likely persistent and running, so that libvirt need not be asked whether it is.
    """
    text = _record.to_xml(record)
    if guess:
        try:
            return _set_metadata(domain, text, _record.KEY, BOTH)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
                raise
    return _set_metadata(domain, text, _record.KEY, _places(domain))


def remove_record(domain: t.Any) -> None:
    """Take it out of both."""
    _set_metadata(domain, None, None, _places(domain))


def put_back(domain: t.Any, record: _record.Record) -> None:
    """Let the domain have the record that it had before, or none if it had none."""
    if record == _record.Record():
        remove_record(domain)
    else:
        write_record(domain, record)


def _places(domain: t.Any) -> int:
    """Where a domain has metadata, as flags."""
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0
    if domain.isActive():
        flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
    return int(flags)


def _set_metadata(domain: t.Any, text: str | None, key: str | None, flags: int) -> None:
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, key, _record.NAMESPACE, flags)


def still_ours(domain: t.Any, request: _record.Request | None) -> bool:
    """Whether the request on record is this one, and no later one of another run."""
    try:
        return read_record(domain).request == request
    except _record.RecordError:
        return False


def try_to_record(act: Act, domain: t.Any, record: _record.Record, guess: bool = False) -> Done:
    """Write the record; a failure is told as a Done of the act it belongs to. For guess, see write_record."""
    try:
        write_record(domain, record, guess)
    except libvirt.libvirtError as error:
        return failed(act, error)
    return Done(act, "ok")
