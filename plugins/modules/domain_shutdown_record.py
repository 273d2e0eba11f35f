#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: domain_shutdown_record
short_description: Clear what is on record of the shutdowns of a domain
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - M(winguest.shutdown.domain_shutdown) records its requests in the metadata of domains. A request that was left
    outstanding stays there, since the guest may still obey it. This clears it when that is settled, or removes the
    whole record.
  - Asks nothing of the guest, and changes nothing of the domain but that element of its metadata.
  - Runs on the hypervisor, and needs nothing there but Python and libvirt's Python bindings.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - python >= 3.9
  - libvirt-python (the package C(python3-libvirt) of the distribution)
options:
  uri:
    description:
      - The libvirt connection URI of the hypervisor, as seen from the host on which the module runs.
    type: str
    default: qemu:///system
  name:
    description:
      - The domain's name. One of O(name) and O(uuid) is required, and with both they must belong together.
    type: str
  uuid:
    description:
      - The domain's UUID.
    type: str
  state:
    description:
      - V(settled), no request is outstanding. One that is, is cleared if the domain is off or was started anew since it
        was made, or if it is the one in O(requested_at); otherwise the task fails. How long earlier shutdowns took
        stays on record.
      - V(absent), nothing is on record, whatever it was.
    type: str
    choices: [settled, absent]
    default: settled
  requested_at:
    description:
      - With O(state=settled), clear the request that was made at this time, as
        RV(winguest.shutdown.domain_shutdown_info#module:domains[].request.at) has it, even if nobody can tell from the
        domain that it is settled. Another one is left as it is.
      - A request whose run may still be under way is not cleared.
    type: str
seealso:
  - module: winguest.shutdown.domain_shutdown_info
  - module: winguest.shutdown.domain_shutdown
"""

EXAMPLES = r"""
- name: Clear a request that has become void
  winguest.shutdown.domain_shutdown_record:
    name: web01

- name: Forget all about a domain that was made from another one
  winguest.shutdown.domain_shutdown_record:
    name: web02
    state: absent
"""

RETURN = r"""
msg:
  description: What was found, or why it could not be cleared.
  returned: always
  type: str
  sample: the request of 2026-11-23T10:12:03.204Z is settled
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.winguest.shutdown.plugins.module_utils import _acts, _facts, _record
from ansible_collections.winguest.shutdown.plugins.module_utils import _domain_records as records
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import (
    LIBVIRT_IMPORT_ERROR,
    Hypervisor,
    HypervisorError,
    Inbox,
    LibvirtError,
)

OPTIONS: dict[str, dict[str, t.Any]] = {
    "uri": {"type": "str", "default": "qemu:///system"},
    "name": {"type": "str"},
    "uuid": {"type": "str"},
    "state": {"type": "str", "choices": ["settled", "absent"], "default": "settled"},
    "requested_at": {"type": "str"},
}


class RecordUnreadable(Exception):
    """What is in the record's place cannot be read; the text says why, and what to do."""


def clear(module: AnsibleModule) -> dict[str, t.Any]:
    """Clear what is to be cleared; the module's result."""
    params = module.params
    hypervisor = Hypervisor(params["uri"], Inbox())
    try:
        (domain,) = _facts.find(hypervisor.connection, [("the options", params["name"], params["uuid"])])
        return _removed(module, domain) if params["state"] == "absent" else _settled(module, domain)
    finally:
        hypervisor.close()


def _removed(module: AnsibleModule, domain: t.Any) -> dict[str, t.Any]:
    before = _acts.raw_record(domain)
    if before and not module.check_mode:
        _acts.remove_record(domain)
    return _result(before, "", "the record is removed" if before else "nothing was on record")


def _settled(module: AnsibleModule, domain: t.Any) -> dict[str, t.Any]:
    kept = records.look(domain)
    if kept.trouble or kept.record_error:
        raise RecordUnreadable(kept.trouble or f"{kept.record_error}; with state=absent it is removed, whatever it is")
    now = _record.timestamp(time.time())
    record, told = records.settled(kept, module.params["requested_at"], now)
    if record != kept.record and not module.check_mode:
        _acts.write_record(domain, record)
    return _result(_record.to_xml(kept.record), _record.to_xml(record), told)


def _result(before: str, after: str, told: str) -> dict[str, t.Any]:
    header = {"before_header": "metadata", "after_header": "metadata"}
    lines = {name: f"{text}\n" if text else "" for name, text in (("before", before), ("after", after))}
    return {"changed": before != after, "msg": told, "diff": {**header, **lines}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True, required_one_of=[["name", "uuid"]])
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt"), exception=LIBVIRT_IMPORT_ERROR)
    try:
        result = clear(module)
    except (_facts.SelectionError, HypervisorError, RecordUnreadable, records.StillOutstanding) as error:
        module.fail_json(msg=str(error))
    except LibvirtError as error:
        module.fail_json(msg=f"libvirt failed, and the record may be as it was: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
