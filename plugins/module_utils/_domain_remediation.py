# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Mends what is wrong with a domain: its definition, what libvirt can change while it runs, and its saved image.

A definition is validated before it is kept, read again afterwards, and put back when it is not what was meant. No guest
is started, stopped or restarted.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
import time
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import DefinitionElement, SavedImage
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_readiness import KEPT, LIVE, DomainFinding
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_xml import DefinitionError, Document, lost
from ansible_collections.winguest.shutdown.plugins.module_utils._evidence import plain, write_new
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import Finding
from ansible_collections.winguest.shutdown.plugins.module_utils._record import timestamp

try:
    import libvirt
except ImportError:
    pass  # the module has told the user by now
else:
    WHOLE = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE

EVENTS = {"on_poweroff": 0, "on_reboot": 1, "on_crash": 2}
"""virDomainLifecycle."""

ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")
"""virDomainLifecycleAction, whose numbers are the places here."""


class RemediationError(Exception):
    """A domain could not be mended; the text says what was tried, why it failed, and what holds now."""


@dataclasses.dataclass
class Mended:
    """What was done to a domain, as far as it went. former is its definition before, without passwords and the like."""

    changed: bool = False
    former: str = ""
    former_is_whole: bool = True
    backup: str = ""
    complaints: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    """Why libvirt would not change the running domain, by the place of the finding."""
    error: str = ""


def edited(document: Document, wrong: t.Iterable[Finding]) -> Document:
    """The definition with the desired data at all places of the kept definition that are wrong."""
    for finding in wrong:
        place, data = finding.row.location, finding.row.desired.data
        if isinstance(place, DefinitionElement) and side(finding) == KEPT:
            document = document.with_data(place, str(data))
    return document


def prepare_backups(folder: str) -> None:
    """Make the folder for former definitions, readable by its owner only, and see that it can be written to."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RemediationError(
            f"backup_dir {folder!r} cannot be written to ({reason}), and no definition is changed without the backup "
            "that was asked for; name a folder that this user can write to, or leave backup_dir out"
        ) from error


def side(finding: Finding) -> str:
    """The definition that a finding is about."""
    return finding.side if isinstance(finding, DomainFinding) else ""


def mend(domain: t.Any, wrong: t.Sequence[Finding], backup_dir: str | None) -> Mended:
    """Mend what is wrong. What goes wrong meanwhile is told in the result, so that nobody loses what was done."""
    mended = Mended()
    try:
        if any(side(finding) == KEPT for finding in wrong):
            _redefine(domain, wrong, backup_dir, mended)
        for finding in wrong:
            if side(finding) == LIVE:
                _change_running(domain, finding, mended)
            elif isinstance(finding.row.location, SavedImage):
                domain.managedSaveRemove(0)
                mended.changed = True
    except (libvirt.libvirtError, RemediationError, DefinitionError, OSError) as error:
        mended.error = str(error)
    return mended


def _redefine(domain: t.Any, wrong: t.Sequence[Finding], backup_dir: str | None, mended: Mended) -> None:
    former = Document(domain.XMLDesc(WHOLE))
    mended.former = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    mended.former_is_whole = mended.former == former.text
    wanted = edited(former, wrong)
    if backup_dir is not None:
        stamp = re.sub(r"[^0-9TZ]", "", timestamp(time.time()))
        name = f"{plain(domain.name())}-{domain.UUIDString()}-{stamp}.xml"
        mended.backup = write_new(backup_dir, name, former.text.encode())
    _define(domain.connect(), former.text, wanted.text)
    mended.changed = True
    amiss = _amiss(domain, former, wanted, wrong)
    if amiss:
        _define(domain.connect(), former.text, former.text)
        mended.changed = False
        raise RemediationError(f"libvirt took the definition and {amiss}; the former definition was put back")


def _define(connection: t.Any, former: str, text: str) -> None:
    """Define it, validated against libvirt's schema unless the former definition does not pass that either."""
    try:
        connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_OPERATION_DENIED, libvirt.VIR_ERR_ACCESS_DENIED):
            raise
        if _passes(connection, former):
            raise
        connection.defineXMLFlags(text, 0)


def _passes(connection: t.Any, former: str) -> bool:
    """Whether the definition that is there already would be taken; to define it again changes nothing."""
    try:
        connection.defineXMLFlags(former, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    except libvirt.libvirtError:
        return False
    return True


def _amiss(domain: t.Any, former: Document, wanted: Document, wrong: t.Sequence[Finding]) -> str:
    """What is not as it was meant to be after the definition; empty when all is well."""
    now = domain.XMLDesc(WHOLE)
    places = [
        finding.row.location
        for finding in wrong
        if isinstance(finding.row.location, DefinitionElement) and side(finding) == KEPT
    ]
    document = Document(now)
    unchanged = [place.path for place in places if document.get(place) != wanted.get(place)]
    if unchanged:
        return f"did not keep {', '.join(unchanged)}"
    missing = lost(former, now, places)
    return f"changed {', '.join(missing)}, which nobody had asked for" if missing else ""


def _change_running(domain: t.Any, finding: Finding, mended: Mended) -> None:
    """Change what a running domain does when its guest ends. What libvirt will not do now holds from the next start."""
    place = t.cast(DefinitionElement, finding.row.location)
    event, action = EVENTS[place.path], ACTIONS.index(str(finding.row.desired.data))
    try:
        domain.setLifecycleAction(event, action, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        mended.changed = True
    except libvirt.libvirtError as error:
        mended.complaints[finding.place] = f"libvirt cannot change it while the domain runs: {error}"
