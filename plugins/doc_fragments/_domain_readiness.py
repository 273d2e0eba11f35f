# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: another collection that extends this fragment breaks without notice.

from __future__ import annotations


class ModuleDocFragment:
    """The options of what audits domains and their hypervisor by the catalogue."""

    DOCUMENTATION = r"""
requirements:
  - python >= 3.9
  - libvirt-python (the package C(python3-libvirt) of the distribution)
options:
  uri:
    description:
      - The libvirt connection URI of the hypervisor, as seen from the host on which the module runs.
    type: str
    default: qemu:///system
  domains:
    description:
      - The domains to look at.
      - Each is either a plain string, the domain's name, or a dictionary with C(name) or C(uuid) (or both, which must
        then belong together) and options about rows (from O(waive) to O(desired), and in
        M(winguest.shutdown.domain_readiness) C(rows) and C(enforce), too), which then hold for that domain in place of
        the task's own.
      - A domain that does not exist, or that is named twice (by name and by UUID, for example), is an error, and then
        no domain is touched.
      - An empty list is an error.
      - Exactly one of O(domains) and O(all) is required.
    type: list
    elements: raw
  all:
    description:
      - Look at all domains of the hypervisor, defined or transient, running or not.
      - Exactly one of O(domains) and O(all) is required.
    type: bool
    default: false
  name_pattern:
    description:
      - With O(all=true), only domains whose name matches this shell pattern (C(*), C(?), C([abc])), case-sensitive.
      - Matching none is not an error.
    type: str
  waive:
    description:
      - Ids of rows that are to be left as they are. They are still read and reported, as C(waived).
    type: list
    elements: str
    default: []
  desired:
    description:
      - Other desired values, by the id of the row, for rows that have one. C(domain_on_poweroff), C(domain_on_reboot),
        C(domain_on_crash) and C(domain_display) take one of libvirt's words, C(domain_suspend_to_mem) and
        C(domain_suspend_to_disk) V(true) or V(false), C(host_libvirt_guests_timeout) and C(host_daemon_wait) seconds.
    type: dict
    default: {}
  ask_agent:
    description:
      - Ask each guest agent that has opened its channel for its version, for the commands that it refuses, and whether
        file systems are frozen.
      - libvirt notes in a domain whose agent was asked like this that it is tainted (C(custom-ga-command)), until the
        domain's end. Nothing else comes of it. Without it, whether an agent has opened its channel is all that is told.
    type: bool
    default: true
  host_root:
    description:
      - The folder in which the hypervisor's file system is, for a module that runs in a container on it.
    type: path
    default: /
  problems_only:
    description:
      - Leave findings that are C(ok) out of RV(domains[].findings) and RV(host.findings).
      - Use it for thousands of domains at once. Each domain has about 30 findings, and all of them make up 16 KiB of
        the result, whose writing is most of what the module takes, in time and in memory.
    type: bool
    default: false
notes:
  - The settings of the hypervisor are read from its files, C(libvirt-guests) in C(/etc/default) or C(/etc/sysconfig),
    the script C(libvirt-guests.sh) for what holds where nothing is set, systemd's links to its unit, and C(qemu.conf).
    They cannot be read when libvirt is on another host.
  - An agent that does not answer is given up after some seconds, and up to eight domains are looked at at a time, so
    that none of them holds up the others.
"""
