# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of hypervisors: of libvirt, QEMU, storage, domains and their agents, of whoever else is at work there."""

from __future__ import annotations

from integration.faults import Fault

FAULTS = (
    Fault(
        "libvirt_restarted",
        "libvirtd is stopped, and started again, during the run",
        "the run connects anew and goes on; its clocks went on meanwhile, and every guest ends as it would have",
        "nothing",
    ),
    Fault(
        "libvirt_killed",
        "libvirtd is killed, and started again, during the run",
        "as when it is stopped",
        "nothing",
    ),
    Fault(
        "libvirt_away",
        "libvirtd does not come back",
        "`error` after `reconnect_timeout`: what became of the guest is not known; nothing is forced, and QEMU runs on",
        "look after libvirt and run again",
    ),
    Fault(
        "libvirt_silent",
        "libvirtd hangs with its connections open (SIGSTOP)",
        "`error` after `reconnect_timeout`, and nothing is forced",
        "look after libvirt and run again",
    ),
    Fault(
        "libvirt_slow",
        "libvirtd stands still for seconds, again and again",
        "every guest ends as it would have, later",
        "nothing; a longer `reconnect_timeout` where it stands still for longer",
    ),
    Fault(
        "libvirt_out_of_files",
        "libvirtd has no file descriptor left, and so takes no new connection",
        "the run waits for one, 30 s for each act, and then goes on; an act that gets none has failed, and "
        "its guest is not forced",
        "raise libvirtd's limit of open files",
    ),
    Fault(
        "module_out_of_files",
        "the module has no file descriptor left",
        "`error`: without evidence nothing is forced; the results are told all the same",
        "raise the user's limit of open files, and run again",
    ),
    Fault(
        "connection_cut",
        "the connection to libvirt is cut: at the look, the baseline, the request, the wait, the force or "
        "save, the record",
        "before the clocks run out the run connects anew and goes on, and a request that was lost is made "
        "again; a force or save that libvirt got counts; one that it did not get is `error`, and is not tried "
        "again",
        "after an `error`, look after libvirt and run again",
    ),
    Fault(
        "connection_read_only",
        "the connection may only read",
        "`error` at once; nothing is asked",
        "use an account that may manage libvirt",
    ),
    Fault(
        "libvirt_unreachable",
        "there is no libvirt at the URI",
        "the task fails and names the URI; nothing is asked",
        "check the URI, and that this user may use it",
    ),
    Fault(
        "qemu_killed",
        "the host kills QEMU, or terminates it",
        "`error`: QEMU ended without the guest having powered off",
        "look for the reason on the host; check the guest's disks at its next start",
    ),
    Fault(
        "qemu_hangs",
        "QEMU hangs (SIGSTOP)",
        "other guests are not held up; it is left running, or where forcing is allowed ended by the plain "
        "destroy after the gentle one",
        "look at the host's storage and load",
    ),
    Fault(
        "guest_crashes",
        "the guest crashes when it is asked",
        "a kept crash is `left_running` and then `refused`; a restart is `restarted`",
        "dump it (`virsh dump`) and destroy it; set `on_crash` by `domain_readiness`",
    ),
    Fault(
        "disk_full_saving",
        "the disk is full when a guest is saved (`on_timeout=save`)",
        "`error`: the guest is not forced, runs on, and there is no half image",
        "make room for the guest's memory in libvirt's save folder, and run again",
    ),
    Fault(
        "disk_full_evidence",
        "the disk is full, or the folder gone, when evidence is written",
        "`error`: without evidence nothing is forced",
        "make room in `evidence_dir`, or name another one",
    ),
    Fault(
        "evidence_unwritable",
        "the evidence folder cannot be written to from the start",
        "the task fails before anything is asked",
        "name a folder that can be written to",
    ),
    Fault(
        "storage_error",
        "a storage error pauses the guest",
        "`left_running` where it comes in the middle, `refused` where it was there before: never forced, and "
        "it can go on where it was",
        "mend the storage and resume it (`virsh resume`)",
    ),
    Fault(
        "storage_slow",
        "the guest has powered off, and QEMU waits for its storage",
        "nothing ends QEMU before its clocks have run out, and a second run is refused; `graceful` when it is through",
        "nothing",
    ),
    Fault(
        "domain_undefined",
        "someone undefines the domain meanwhile",
        "it is shut down all the same: `graceful`",
        "nothing",
    ),
    Fault(
        "domain_renamed",
        "someone renames the domain meanwhile",
        "it is the same domain by its UUID: `graceful`, and recorded there",
        "nothing",
    ),
    Fault(
        "domain_migrated",
        "someone migrates the domain away meanwhile (live, to another libvirt)",
        "`vanished`: it runs on there, and nothing is forced",
        "shut it down where it is now",
    ),
    Fault(
        "domain_destroyed",
        "someone else powers the domain off by force meanwhile",
        "`error` that says so, and `forced` is false",
        "check the guest's disks at its next start",
    ),
    Fault(
        "domain_started_anew",
        "someone stops and starts the domain meanwhile",
        "`restarted` or `error`: the new start is neither asked nor forced",
        "find out who it was, and run again",
    ),
    Fault(
        "domain_suspended",
        "someone suspends the domain meanwhile",
        "`left_running`: it is not forced, since it may be in the middle of its shutdown; one that was paused "
        "before is `refused`",
        "resume it (`virsh resume`), or allow that by `resume=true`",
    ),
    Fault(
        "two_operators",
        "two runs want the same domain at once",
        "one of them works, and the other one's domain is `refused`, with the process that has it",
        "wait for the other run, or end it",
    ),
    Fault(
        "run_killed",
        "the run is cancelled, killed or cut off",
        "nothing is asked or forced any more; a cancelled guest is `cancelled`, with its request outstanding",
        "run again",
    ),
    Fault(
        "controller_gone",
        "the controller dies, hangs, or is cut off from the hypervisor",
        "the run only watches from then on: `left_running` at worst, recorded in the domain, and nothing is forced",
        "run again from a controller that lives",
    ),
    Fault(
        "agent_absent",
        "the guest agent is absent, hung or dead",
        "the button is pressed instead",
        "install or restart the agent",
    ),
    Fault(
        "agent_blocks",
        "the guest agent takes the request, and libvirt's call blocks for a minute",
        "nobody else is held up; `left_running`",
        "look at the guest",
    ),
    Fault(
        "agent_lies",
        "the guest agent says that it has obeyed, and does nothing",
        "`left_running` when the clocks have run out, with the agent's word for it",
        "look at the guest; do without `agent` in `methods`",
    ),
    Fault(
        "agent_floods",
        "the guest agent sends answers without an end that nobody has asked for",
        "the agent counts as not there, and the button is pressed instead",
        "look at the guest: that is no agent",
    ),
    Fault(
        "agent_late",
        "the guest agent answers later than libvirt waits",
        "the agent counts as not there, and the button is pressed instead",
        "look at the guest's load",
    ),
    Fault(
        "clock_jumps_hypervisor",
        "the hypervisor's time of day jumps by a month, forwards and back (a mock: only the module sees it)",
        "the guest's clocks do not follow: it is forced no earlier and no later; the report's times go on "
        "from the first one",
        "set the clock; times in the report are by the clock as the run began",
    ),
    Fault(
        "clock_jumps_controller",
        "the controller's time of day jumps by a month, forwards and back (a mock: only Ansible sees it)",
        "it is not taken for dead, and the run ends as it would have",
        "nothing",
    ),
)
