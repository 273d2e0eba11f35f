#!/usr/bin/python

# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: domain_shutdown
short_description: Shut Windows guests on libvirt/QEMU down, softly first
version_added: 0.1.0
author:
  - The winguest.shutdown contributors (@winguest)
description:
  - Asks one domain, many, or all domains of a hypervisor to shut down, all at once, and follows each of them on
    libvirt's events until it has ended in one named outcome. One connection carries events and states; calls that may
    block have a few of their own, so that no domain holds up another.
  - Politest first. The ACPI power button is pressed, and pressed again until the guest shows that it started; then the
    guest agent is asked. Each request is one explicit libvirt shutdown flag, so libvirt never chooses for itself.
  - A guest is powered off by force only where O(on_timeout=force) allowed it, never before O(timeout) seconds, never
    before O(max_timeout) seconds while it is still seen working, and only after evidence was taken.
  - While it runs, a line for each hypervisor tells every few seconds how many domains are off, what the others do, and
    how long the slowest may still take.
  - A run that is cancelled, cut off or killed forces nothing afterwards. When the controller disappears, the work on
    the hypervisor notices it after O(controller_timeout) seconds. From then on it asks nothing of any guest, only
    watches what becomes of each until its clocks run out, and records that in the domain's metadata. What is final (a
    save, a forced stop) is moreover begun only after a sign of life of the controller that is newer than the decision.
  - Two runs never work on the same domain. The one that comes later refuses it and tells which process has it.
  - What became of every domain is returned, with a timeline of what was asked, what was seen, and why.
  - Runs on the hypervisor, and needs nothing there but Python and libvirt's Python bindings.
extends_documentation_fragment:
  - winguest.shutdown._attributes
  - winguest.shutdown._attributes.action_group
attributes:
  action:
    description: Has an action plugin, which runs on the controller.
    support: full
  async:
    description: Can be run with the keyword C(async).
    support: partial
    details:
      - It runs in the background by itself in any case. With C(async) nobody watches it, so nothing is shown while it
        runs, and O(on_timeout=force) is an error, for the task and for any domain.
  check_mode:
    support: full
    details:
      - Returns RV(domains[].plan) for each domain, asks nothing of any guest, and writes nothing.
  diff_mode:
    support: none
    details:
      - What a run changes is whether guests run; RV(domains) tells that for each.
  idempotent:
    support: full
    details:
      - A domain that is off is reported as C(already_off) and not touched.
requirements:
  - python >= 3.9
  - libvirt-python (the package C(python3-libvirt) of the distribution)
options:
  uri:
    description:
      - The libvirt connection URI of the hypervisor, as seen from the host on which the module runs.
      - It must allow changes; a read-only socket or a polkit rule that denies them is an error and nothing is asked.
    type: str
    default: qemu:///system
  domains:
    description:
      - The domains to shut down.
      - Each is either a plain string, the domain's name, or a dictionary with C(name) or C(uuid) (or both, which must
        then
        belong together) and any of the options of this module from O(methods) to O(waive), which then hold for that
        domain in place of the task's own.
      - Besides, such a dictionary may have C(tier), an integer, V(0) by default. Domains of a lower tier are shut down
        before those of a higher one, which begin when every domain of the tier before has an outcome; see
        O(continue_after).
      - And it may have C(expected_time), the seconds that this guest is expected to take from the first request until
        it is off, a float. See O(budget) for what is expected of one without it.
      - A domain that does not exist, or that is named twice (by name and by UUID, for example), is an error, and then
        nothing is asked of any domain.
      - An empty list is an error.
      - With O(all=true) these are the domains with options of their own, and those of all others are the task's.
        Without it they are all that is shut down.
    type: list
    elements: raw
  all:
    description:
      - Shut down all domains of the hypervisor, defined or transient; those that are off are reported as such.
      - One of O(domains) and O(all) is required.
    type: bool
    default: false
  name_pattern:
    description:
      - With O(all=true), only domains whose name matches this shell pattern (C(*), C(?), C([abc])), case-sensitive.
      - Matching none is not an error.
    type: str
  methods:
    description:
      - How the guest is asked, in this order. A method that brings no sign of life for O(accept_timeout) seconds, or
        that
        cannot be delivered, gives way to the next one, and after the last one the first has its turn again.
      - V(acpi) presses the ACPI power button. Windows asks applications, and a setting or an application can swallow
        it.
      - V(guest_shutdown) asks Windows itself, from the controller, over the connection of the host O(guest), as
        M(winguest.shutdown.guest_shutdown) does by default. Applications are asked, and can hold it up. Without
        O(guest) it is left out.
      - V(agent) asks the QEMU guest agent. Nothing can veto it, and applications lose what was not saved
        (C(ExitWindowsEx) with C(EWX_FORCE), from the agent's source).
      - A method that the domain's definition cannot carry is left out, and the timeline says so.
      - An empty list asks nothing of the guest and only lets the clocks run, see the notes.
    type: list
    elements: str
    choices: [acpi, guest_shutdown, agent]
    default: [acpi, guest_shutdown, agent]
  guest:
    description:
      - The inventory name of the domain's Windows host, whose connection and credentials O(methods) uses for
        V(guest_shutdown). It belongs to an entry of O(domains).
      - It is asked by the controller, so it is left out where nobody is there to do so, as with C(async).
    type: str
  accept_timeout:
    description:
      - Seconds without a sign of life after which the next method is tried.
      - Signs of life are the guest's own power-off, the guest agent's stop, and block writes above the guest's
        baseline.
      - Must not be longer than O(timeout).
      - The default is 60, or O(timeout) where that is shorter.
    type: float
  timeout:
    description:
      - The finish clock, in seconds from the first request. From then on the guest is waited for only as long as it
        shows progress, and then O(on_timeout) applies.
      - Where libvirt cannot tell what a guest writes (it has no disk of its own, or its QEMU does not answer), not
        seeing progress says nothing, and the guest is waited for until O(max_timeout).
    type: float
    default: 300
  max_timeout:
    description:
      - The hard end, in seconds from the first request. O(on_timeout) applies then, whatever the guest is doing.
      - Must not be shorter than O(timeout).
      - O(budget) may bring it forward, and O(timeout) with it.
      - The default is 3600, or O(timeout) where that is longer.
    type: float
  stall_timeout:
    description:
      - Seconds without progress after which a guest beyond O(timeout) counts as hung.
    type: float
    default: 60
  press_interval:
    description:
      - Seconds between requests while the guest has not accepted. At least 1.
    type: float
    default: 10
  double_press:
    description:
      - Press the power button in pairs half a second apart, because the first press only turns on the display of a
        Windows
        guest whose display is off. The second one is left out when the first was accepted within that time.
    type: bool
    default: true
  press_after_acceptance:
    description:
      - Go on pressing after the guest has accepted. Windows ignores that; a guest whose button toggles cancels its
        shutdown.
    type: bool
    default: false
  baseline_time:
    description:
      - Seconds for which the guest's idle block writes are measured before the first request. V(0) measures nothing,
        or at
        least 1.
    type: float
    default: 3
  progress_min_rate:
    description:
      - Bytes a second of block writes below which nothing counts as progress. What counts must also be at least twice
        the
        baseline.
    type: float
    default: 65536
  poll_interval:
    description:
      - Seconds between samples of the domains' states and block writes. The states are only the safety net for lost
        events.
        At least 1.
    type: float
    default: 5
  on_timeout:
    description:
      - What happens to a guest whose clocks have run out.
      - V(leave) leaves it running. The request stays on record as outstanding, because the guest may still obey it.
      - V(save) saves the guest with its memory (managed save); the next start of the domain resumes it. A transient
        domain cannot be saved and is refused.
      - V(force) powers it off. Evidence is written to O(evidence_dir) first, its file systems are frozen where the
        guest
        agent answers, QEMU is ended gently (SIGTERM), and by SIGKILL only when the gentle way fails.
      - A guest that a storage error has paused is left as it is, whatever this says, and so is one that has powered off
        and whose QEMU is still flushing or held by a backup. One that someone has paused since it was asked is not
        forced.
      - Without evidence nothing is forced; when it cannot be written, the outcome is C(error).
    type: str
    choices: [leave, save, force]
    default: leave
  save_timeout:
    description:
      - Seconds that a managed save may take; then it is aborted, and the outcome is C(error).
    type: float
    default: 600
  reconnect_timeout:
    description:
      - Seconds to wait for libvirt to come back when the connection to it breaks. Nothing is forced meanwhile, and
        when it
        stays away the outcome is C(error).
      - A request that was lost with the connection is made again. A save or a forced stop is not, and is C(error) when
        libvirt did not get it.
    type: float
    default: 60
  wake:
    description: Wake a guest that sleeps (S3, libvirt state C(pmsuspended)). Without it such a guest is refused.
    type: bool
    default: true
  resume:
    description:
      - Resume a domain that someone has paused. Without it such a domain is refused, because a request would only be
        delivered when it is resumed.
    type: bool
    default: false
  thaw:
    description:
      - Thaw the guest's file systems through the guest agent before the first request, should something have frozen
        them.
    type: bool
    default: true
  waive:
    description:
      - Rows of the catalogue that are to be ignored. What is in the way of a shutdown refuses the domain, and
        RV(domains[].reason) then names the row's id and its cure. What only changes the way is told in
        RV(domains[].timeline) and RV(domains[].plan), in the same manner.
        M(winguest.shutdown.domain_readiness) mends what a definition can hold.
      - V(domain_on_poweroff) is an C(<on_poweroff>) that turns the shutdown into a restart. It refuses.
      - V(domain_job) is a libvirt job under way (migration, save, dump, snapshot, backup). It refuses.
      - V(domain_block_job) is a block copy, commit or pull under way. It refuses.
      - V(domain_agent_channel) is a definition without a channel for the guest agent. It is told.
      - V(domain_agent) is a channel that no guest agent has opened. It is told.
      - V(domain_display) is a domain without a display that may have to be forced. It is told.
    type: list
    elements: str
    choices:
      - domain_on_poweroff
      - domain_job
      - domain_block_job
      - domain_agent_channel
      - domain_agent
      - domain_display
    default: []
  evidence_dir:
    description:
      - Folder on the hypervisor for the evidence of guests before they are forced. Made with mode 0700 when missing,
        with a
        folder in it for each forced guest.
      - Holds the guest's screen as PNG and a JSON document with statistics and timeline, mode 0600.
      - It must be writable when any domain has O(on_timeout=force); otherwise nothing is asked of any domain.
    type: path
    default: /var/lib/winguest/evidence
  continue_after:
    description:
      - Outcomes with which a domain does not hold up the next tier, besides C(already_off), C(graceful), C(saved) and
        C(forced), which never do.
      - Domains of a tier that is held up, and of those after it, end as C(refused), and nothing is asked of them.
    type: list
    elements: str
    choices: [left_running, refused, restarted, vanished, error]
    default: []
  parallel:
    description:
      - How many domains are being shut down at once, in the order of O(domains) within their tier. V(0) is no limit.
      - For one that waits for its turn no clock runs, and nothing is measured. What stands in the way of its shutdown
        is looked for once, when the run begins.
    type: int
    default: 0
  budget:
    description:
      - Seconds that all of it may take ("the UPS lasts 15 minutes"), from the start of the module. Without it there is
        no such limit. At least 1.
      - A guest is expected to take its C(expected_time) (see O(domains)). Without that it is the second longest of its
        latest graceful shutdowns on record, of up to ten, or the longest while there are fewer than five, and a quarter
        more. Without a record it is O(timeout). The forecast adds O(baseline_time) and a second, and goes through the
        tiers in their order, with O(parallel) domains at once. It is in RV(forecast) and RV(domains[].forecast).
      - The clocks are fitted to the budget. O(timeout) and O(max_timeout) of each guest become so much shorter, and
        never longer, that its final action ends within the budget too, and that later tiers find the time that they are
        expected to need. O(accept_timeout) is shortened so that each method has its turn. The hard end thus comes
        earlier than O(max_timeout) says, also for a guest that is still seen working. With O(on_timeout=force) that
        guest is then powered off in the middle of its work.
      - What cannot fit is settled by its own policy when its turn comes. With O(on_timeout=save) it is saved straight
        away, without a request. With O(on_timeout=leave) it is left running, and asked nothing. With
        O(on_timeout=force) it is asked, has what time there is, and is forced when these clocks have run out; that is
        never less than O(accept_timeout) after the first request, even if the budget is exceeded by that.
      - A save is reckoned at the longest one on record and a quarter more, or by O(save_rate). Saves are reckoned one
        after the other. A forced stop is reckoned at 10 seconds, four at a time. Another 3 seconds are kept for each
        tier, and 2 for the end of the run. A final action that takes longer than that is not cut short, so the budget
        is then exceeded.
      - When a run is later than forecast, what has not had its turn is fitted again to what is left.
      - A budget in which not even that can be done, or in which no domain would be off, is an error, and nothing is
        asked of any domain; in check mode, too.
    type: float
  save_rate:
    description:
      - MiB a second at which managed saves write to this hypervisor's storage, all together; for the forecast of saves
        that are not on record. At least 1.
    type: float
    default: 100
  progress_interval:
    description:
      - Seconds between two looks at how far the run is. A line is shown when something has changed since the last one,
        and at least every 30 seconds. With C(-v) changes of single domains are shown too, with C(-vv) all that happens.
      - Looks are at least as frequent as O(controller_timeout) needs, which is four times in that time.
      - V(0) shows nothing; so does C(no_log).
    type: float
    default: 5
  controller_timeout:
    description:
      - Seconds without a sign of life of the controller after which it counts as gone, for good. At least 4.
      - Raise it for controllers that are busy with hundreds of hypervisors at once.
    type: float
    default: 12
  watched:
    description:
      - Go on in the background and be watched from there. Set by the action plugin; leave it alone.
    type: bool
    default: false
notes:
  - "The same in the words of Tencent Cloud's StopInstances: SOFT is O(on_timeout=leave). SOFT_FIRST is
    O(on_timeout=force),
    with O(max_timeout) equal to O(timeout) for a fixed deadline (300 seconds there). HARD is O(methods=[]) with
    O(timeout=0), O(max_timeout=0) and O(on_timeout=force): no request, no wait, but still evidence first."
  - The task fails when any domain ended as C(left_running), C(refused), C(restarted), C(cancelled) or C(error); all
    results are returned all the same.
  - SIGTERM, SIGHUP and SIGINT end the run with the outcome C(cancelled). Nothing is pressed, saved or forced any more.
  - The last request, its deadlines and its outcome, and how long the last ten shutdowns took, are kept in the domain's
    metadata, in an element of the namespace C(urn:winguest:shutdown:1).
  - While a hypervisor cannot be reached, the task tries for 5 minutes to reach it again. Then it is unreachable; the
    work there has only been watching for long by then. Its results are kept there for 15 minutes.
  - Files that a run needs while it is under way, and the claims on domains by which two runs notice each other, are in
    C(/run/winguest), or for users other than root in C(/run/user/UID/winguest) or C(/tmp/winguest-UID). Runs of
    different users, or on different hosts, do not notice each other.
  - A transient domain leaves no trace when it ends. Should the event of its end be lost, its outcome is C(vanished).
seealso:
  - module: winguest.shutdown.domain_readiness
  - name: libvirt, virDomainShutdownFlags
    description: The explicit shutdown modes.
    link: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainShutdownFlags
"""

EXAMPLES = r"""
- name: Shut two guests down and leave them running if they will not go
  winguest.shutdown.domain_shutdown:
    domains:
      - web01
      - web02

- name: Shut all guests of this hypervisor down, each in its own way
  winguest.shutdown.domain_shutdown:
    domains:
      - name: web01
        on_timeout: force
      - name: sql01
        timeout: 1200
        on_timeout: save
      - uuid: 6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11
        methods: [acpi]

- name: Print what a maintenance shutdown would do
  winguest.shutdown.domain_shutdown:
    all: true
    name_pattern: "win-*"
    on_timeout: save
  check_mode: true
  register: planned

- name: Soft first, by force after five minutes
  winguest.shutdown.domain_shutdown:
    domains: [build07]
    timeout: 300
    max_timeout: 300
    on_timeout: force
    evidence_dir: /srv/evidence

- name: Within the 15 minutes of the UPS, the applications before their database
  winguest.shutdown.domain_shutdown:
    domains:
      - name: app01
        expected_time: 120
        on_timeout: force
      - name: app02
      - name: sql01
        tier: 1
        expected_time: 400
        on_timeout: save
    continue_after: [left_running]
    budget: 900
    save_rate: 400
"""

RETURN = r"""
domains:
  description: One entry for each domain, in the order of O(domains) or by name; also when the task failed.
  returned: when the domains could be found
  type: list
  elements: dict
  contains:
    name:
      description: The domain's name.
      returned: always
      type: str
      sample: web01
    uuid:
      description: The domain's UUID.
      returned: always
      type: str
      sample: 6f1c9d6e-3c54-4d0c-9f3b-1b9d5a1f2a11
    outcome:
      description:
        - C(already_off), it was off, or went off before anything was asked of it;
        - C(graceful), the guest shut down and powered off;
        - C(saved), its memory is saved and the next start resumes it;
        - C(forced), powered off by force;
        - C(left_running), the clocks ran out and nothing more was allowed;
        - C(refused), a trap made it impossible or dangerous to ask;
        - C(vanished), migrated, undefined, or a transient domain that ended unseen;
        - C(restarted), the guest or someone else started it anew;
        - C(cancelled), the run was told to stop;
        - C(error), anything else, with the reason;
        - C(planned), only in check mode.
      returned: always
      type: str
      sample: graceful
    reason:
      description: Why it ended so and, where something is to be done about it, what.
      returned: always
      type: str
      sample: the guest shut down and powered off
    method:
      description: The method that was in use when the guest obeyed, one of O(methods); null unless it was
        C(graceful).
      returned: always
      type: str
      sample: acpi
    presses:
      description: How many times the power button was pressed.
      returned: always
      type: int
      sample: 2
    accepted_by:
      description: The first sign that the guest had started to shut down; null when none was seen.
      returned: always
      type: str
      sample: the guest agent stopped
    accept_seconds:
      description: Seconds from the first request to that sign; null when none was seen.
      returned: always
      type: float
      sample: 0.512
    finish_seconds:
      description: Seconds from the first request to the outcome; null when nothing was asked.
      returned: always
      type: float
      sample: 24.803
    forced:
      description: Whether this run powered the guest off by force.
      returned: always
      type: bool
      sample: false
    permission:
      description: What allowed the force; null when nothing was forced.
      returned: always
      type: str
      sample: on_timeout=force for this domain in this run, timeout=300 s, max_timeout=3600 s
    request_outstanding:
      description: Whether a request was made that the guest may still obey.
      returned: always
      type: bool
      sample: false
    evidence:
      description: Paths, on the hypervisor, of the evidence that was written.
      returned: always
      type: list
      elements: str
      sample: []
    plan:
      description: In check mode, notes on what changes the way, each with the row's id and its cure, and then what
        would be done, step by step; empty otherwise and for domains whose outcome is clear.
      returned: always
      type: list
      elements: str
      sample: ["press the ACPI power button twice, 0.5 s apart, every 10 s until accepted, for up to 60 s"]
    forecast:
      description: What was foretold of it before anything was asked, to be compared with what happened; null for a
        domain that had its outcome then.
      returned: always
      type: dict
      contains:
        tier:
          description: Its tier.
          returned: always
          type: int
          sample: 1
        expected_seconds:
          description: Seconds from the first request until it is off.
          returned: always
          type: float
          sample: 400.0
        source:
          description: Where they come from, V(expected_time), V(record) or V(timeout), which is only a bound.
          returned: always
          type: str
          sample: expected_time
        start_seconds:
          description: When its turn comes, in seconds since the run began; null when its tier is never started.
          returned: always
          type: float
          sample: 124.1
        end_seconds:
          description: When it is off, saved or left, in seconds since the run began; null when its tier is never
            started.
          returned: always
          type: float
          sample: 528.1
        fits:
          description: Whether it fits O(budget) and its tier is started; without a budget everything else fits.
          returned: always
          type: bool
          sample: true
        becomes:
          description: The outcome that it has if all goes as foretold, C(graceful), C(saved), C(forced),
            C(left_running) or C(refused).
          returned: always
          type: str
          sample: graceful
        timeout:
          description: The finish clock as fitted to O(budget), in seconds; null when nothing is asked of it.
          returned: always
          type: float
          sample: 300.0
        max_timeout:
          description: The hard end as fitted to O(budget), in seconds; null when nothing is asked of it.
          returned: always
          type: float
          sample: 471.2
    timeline:
      description: What was found, asked and seen, and how it ended.
      returned: always
      type: list
      elements: dict
      contains:
        time:
          description: When, ISO 8601 in UTC.
          returned: always
          type: str
          sample: "2026-11-23T10:12:03.204Z"
        seconds:
          description: When, in seconds since the run began.
          returned: always
          type: float
          sample: 3.021
        kind:
          description: C(found) before the run, C(asked) by the run, C(seen) of the guest, or C(ended).
          returned: always
          type: str
          sample: asked
        text:
          description: What, and why.
          returned: always
          type: str
          sample: press the ACPI power button
        count:
          description: How many times in a row, where it happened more than once.
          returned: when it was repeated
          type: int
          sample: 5
        last_seconds:
          description: When the last of them was, in seconds since the run began.
          returned: when it was repeated
          type: float
          sample: 53.021
totals:
  description: How many domains had each outcome that occurred, and C(domains), how many there were.
  returned: when the domains could be found
  type: dict
  sample: {"domains": 3, "forced": 1, "graceful": 2}
forecast:
  description: What was foretold of the whole run before anything was asked, in check mode and otherwise.
  returned: when the domains could be found
  type: dict
  contains:
    budget:
      description: O(budget); null without one.
      returned: always
      type: float
      sample: 900.0
    expected_seconds:
      description: Seconds that all of it takes if all goes as foretold, since the run began.
      returned: always
      type: float
      sample: 528.1
    fits:
      description: The names of the domains that fit, in the order in which they have their turns.
      returned: always
      type: list
      elements: str
      sample: [app01, app02, sql01]
    does_not_fit:
      description: The other ones that had no outcome before, in that order.
      returned: always
      type: list
      elements: dict
      sample: []
      contains:
        name:
          description: The domain's name.
          returned: always
          type: str
          sample: db02
        becomes:
          description: What becomes of it, as in RV(domains[].forecast.becomes).
          returned: always
          type: str
          sample: saved
        reason:
          description: Why it does not fit.
          returned: always
          type: str
          sample: 600.0 s by forecast (by record) do not fit the budget, which leaves it 240.0 s
"""

import dataclasses
import os
import select
import signal
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.winguest.shutdown.plugins.module_utils import _background, _evidence, _facts, _selection
from ansible_collections.winguest.shutdown.plugins.module_utils._case import failure, totals
from ansible_collections.winguest.shutdown.plugins.module_utils._claims import claims_for
from ansible_collections.winguest.shutdown.plugins.module_utils._errands import Errands
from ansible_collections.winguest.shutdown.plugins.module_utils._hypervisor import (
    LIBVIRT_IMPORT_ERROR,
    Hypervisor,
    HypervisorError,
    Inbox,
    LibvirtError,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._order import HOLDING, Wish, make_rules, make_wish
from ansible_collections.winguest.shutdown.plugins.module_utils._places import PlaceError, runtime_folder
from ansible_collections.winguest.shutdown.plugins.module_utils._policy import (
    LONGEST,
    METHODS,
    ON_TIMEOUT,
    Policy,
    PolicyError,
    make_policy,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._preflight import WAIVABLE
from ansible_collections.winguest.shutdown.plugins.module_utils._progress_file import ProgressFile
from ansible_collections.winguest.shutdown.plugins.module_utils._run import Run
from ansible_collections.winguest.shutdown.plugins.module_utils._selection import (
    check_selection,
    entry_options,
    read_entries,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._sign_of_life import SignOfLife
from ansible_collections.winguest.shutdown.plugins.module_utils._turns import BudgetError, Turns

POLICY_OPTIONS: dict[str, dict[str, t.Any]] = {
    "methods": {"type": "list", "elements": "str", "choices": list(METHODS), "default": list(METHODS)},
    "guest": {"type": "str"},
    "accept_timeout": {"type": "float"},
    "timeout": {"type": "float", "default": 300},
    "max_timeout": {"type": "float"},
    "stall_timeout": {"type": "float", "default": 60},
    "press_interval": {"type": "float", "default": 10},
    "double_press": {"type": "bool", "default": True},
    "press_after_acceptance": {"type": "bool", "default": False},
    "baseline_time": {"type": "float", "default": 3},
    "progress_min_rate": {"type": "float", "default": 65536},
    "poll_interval": {"type": "float", "default": 5},
    "on_timeout": {"type": "str", "choices": list(ON_TIMEOUT), "default": "leave"},
    "save_timeout": {"type": "float", "default": 600},
    "reconnect_timeout": {"type": "float", "default": 60},
    "wake": {"type": "bool", "default": True},
    "resume": {"type": "bool", "default": False},
    "thaw": {"type": "bool", "default": True},
    "waive": {"type": "list", "elements": "str", "choices": list(WAIVABLE), "default": []},
}
"""The options that a domain may have of its own."""

OPTIONS: dict[str, dict[str, t.Any]] = {
    **_selection.OPTIONS,
    **POLICY_OPTIONS,
    "evidence_dir": {"type": "path", "default": "/var/lib/winguest/evidence"},
    "continue_after": {"type": "list", "elements": "str", "choices": list(HOLDING), "default": []},
    "parallel": {"type": "int", "default": 0},
    "budget": {"type": "float"},
    "save_rate": {"type": "float", "default": 100},
    "progress_interval": {"type": "float", "default": 5},
    "controller_timeout": {"type": "float", "default": 12},
    "watched": {"type": "bool", "default": False},
}

WISHES: dict[str, dict[str, t.Any]] = {"tier": {"type": "int"}, "expected_time": {"type": "float"}}
"""The options that only a domain may have."""

EXPECTED = (
    *(PolicyError, BudgetError, PlaceError, HypervisorError),
    *(_facts.SelectionError, _evidence.EvidenceError),
)
"""Errors whose text says all that the user has to know; nothing was asked of any domain."""

DOMAIN_OPTIONS = entry_options({**POLICY_OPTIONS, **WISHES})


class Wanted(t.NamedTuple):
    """One entry of domains, checked."""

    where: str
    name: str | None
    uuid: str | None
    policy: Policy
    wish: Wish = Wish()


def read_domains(entries: t.Sequence[t.Any], defaults: t.Mapping[str, t.Any]) -> list[Wanted]:
    """The entries of domains with their policies. Raises PolicyError with all that is wrong with them."""

    def make(entry: _selection.Entry) -> Wanted:
        policy = make_policy({**defaults, **entry.own}, entry.where)
        return Wanted(entry.where, entry.name, entry.uuid, policy, make_wish(entry.own, entry.where))

    try:
        return read_entries(entries, DOMAIN_OPTIONS, make)
    except ValueError as error:
        raise PolicyError(str(error)) from error


def check(module: AnsibleModule) -> list[Wanted]:
    """The wanted domains, none with all=true. Whatever can be known to be wrong without libvirt is found here."""
    params = module.params
    try:
        check_selection(params, "shut down", both=True)
    except ValueError as error:
        raise PolicyError(str(error)) from error
    for name, least in (("progress_interval", 0.0), ("controller_timeout", 4.0)):
        if not least <= params[name] <= LONGEST:
            raise PolicyError(f"{name} is {params[name]:g}; it must be a number from {least:g} to {LONGEST:g}")
    task = make_policy(params, "the task")
    make_rules(params)
    wanted = read_domains(params["domains"] or [], params)
    policies = [entry.policy for entry in wanted] or [task]
    if not module.check_mode and any(policy.on_timeout == "force" for policy in policies):
        _evidence.prepare(params["evidence_dir"])
    return wanted


def controller_gone() -> bool:
    """Whether nobody is left to read the results: the other end of standard output has been closed."""
    poll = select.poll()
    poll.register(1, 0)  # errors and hang-ups are reported without being asked for
    return any(events & (select.POLLERR | select.POLLHUP) for number, events in poll.poll(0))


class Watch(t.NamedTuple):
    """Through what the run is watched."""

    life: SignOfLife
    progress: ProgressFile
    errands: Errands


def go_into_background(module: AnsibleModule) -> Watch:
    """Answer, and go on where nobody waits for this process but somebody watches it."""
    folder = _background.make_folder(runtime_folder())
    told = {name: module.params[name] for name in ("progress_interval", "controller_timeout")}
    _background.go_into_background(folder, told)
    return Watch(
        SignOfLife(f"{folder}/alive", module.params["controller_timeout"]),
        ProgressFile(f"{folder}/progress", module._verbosity),
        Errands(folder),
    )


def choose(params: t.Mapping[str, t.Any], connection: t.Any, wanted: list[Wanted]) -> list[tuple[t.Any, Policy, Wish]]:
    """The domains to shut down, each with what is said of it: by its entry, or else by the task."""
    found = _facts.find(connection, [(entry.where, entry.name, entry.uuid) for entry in wanted])
    if not params["all"]:
        return [(domain, entry.policy, entry.wish) for domain, entry in zip(found, wanted)]
    own = {domain.UUIDString(): (domain, entry.policy, entry.wish) for domain, entry in zip(found, wanted)}
    policy = make_policy(params, "the task")
    others = _facts.all_domains(connection, params["name_pattern"])
    return list({**{domain.UUIDString(): (domain, policy, Wish()) for domain in others}, **own}.values())


def shut_down(module: AnsibleModule, wanted: list[Wanted], watch: Watch | None) -> dict[str, t.Any]:
    """Take up the domains, carry the run out unless in check mode, and return the results."""
    spare = os.open(os.devnull, os.O_RDONLY)
    turns = Turns(make_rules(module.params), time.monotonic())
    inbox = Inbox()
    hypervisor = Hypervisor(module.params["uri"], inbox)
    claims = claims_for(hypervisor.connection, runtime_folder())
    if watch is None:
        run = Run(hypervisor, inbox, module.params["evidence_dir"], controller_gone, claims=claims, turns=turns)
    else:
        run = Run(hypervisor, inbox, module.params["evidence_dir"], claims=claims, turns=turns, **watch._asdict())
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda received, frame: run.stop(f"{signal.Signals(received).name} received"))
    for domain, policy, wish in choose(module.params, hypervisor.connection, wanted):
        if watch is None and not module.check_mode:
            policy = dataclasses.replace(policy, guest="")  # nobody is there to do errands
        if not run.stopped:
            run.add(_facts.gather(domain), policy, wish)
    if not run.stopped:
        turns.foretell(time.monotonic())
    if module.check_mode:
        run.plan()
    else:
        run.carry_out()
    hypervisor.close()
    os.close(spare)  # Ansible opens files to tell the results, and no other file descriptor may be left by now
    if run.unrecorded and not run.stopped:
        module.warn(f"The outcome could not be written into the metadata of: {', '.join(run.unrecorded)}.")
    results = [case.result() for case in run.cases]
    changed = any(case.acted or case.would_act for case in run.cases)
    return {"changed": changed, "domains": results, "totals": totals(results), "forecast": turns.forecast}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt"), exception=LIBVIRT_IMPORT_ERROR)
    try:
        wanted = check(module)
        watched = module.params["watched"] and not module.check_mode
        result = shut_down(module, wanted, go_into_background(module) if watched else None)
    except EXPECTED as error:
        module.fail_json(msg=str(error))
    except LibvirtError as error:
        module.fail_json(msg=f"libvirt failed while the domains were looked at, and nothing was asked of any: {error}")
    message = failure(result["domains"])
    if message:
        module.fail_json(msg=message, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
