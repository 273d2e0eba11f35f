# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated Windows guest: a simulator of how a Windows answers a power button and WinRM, and no Windows.

    with Bed() as bed, SimulatedWindows(bed, "one", SERVER_2022, registry=OBEDIENT) as windows:
        windows.start()
        ... press its button through libvirt, or run commands on it through WinRM, as windows.variables say ...
        windows.decisions

It is made of four things:
* the ACPI guest (bed.acpi_guest), a real machine under libvirt and QEMU with a real power button, real S3 and S5 and a
  real disk. At each press it asks on its second serial port what to do;
* a model, pure functions that decide each press and each request to shut down from what the registry holds and from
  what else goes on in the guest: who is signed in, which applications and services do not end, updates, damage;
* a WinRM endpoint that real clients talk to;
* Wine's cmd.exe and reg.exe on a real registry for the commands that come through it, with programs of our own on that
  same registry for those that Wine does not have.

What the model does is what Microsoft's documentation, its ADMX files and headers, string tables and published
decompilations of its programs, and field reports say; rules.py has each rule with its source and marks what no source
says. None of it was compared with a running Windows. Values of another type than the sources name count as absent.

What it does not simulate: the agent, modern standby, hard-error boxes, user rights, and what a hibernated system
resumes to. Of a hybrid shutdown only what the next start does not read anew. A shutdown that both waits and writes to
the disk writes first; one that restarts only waits. Whatever would be on the screen is not there. The idle time runs
only when a test says so (`left_alone`). All other times are Windows' seconds divided by `time_scale`, so that with 60 a
minute takes a second.

    snapshot.py    what the registry held at one moment
    registry.py    the registry of a guest that runs
    prefix.py      the Wine prefix that is made once, and copied for each guest
    wine.py        the Wine of a guest, which holds its registry and runs its commands
    programs/      programs that run in Wine, to replace those that it lacks
    commands/      what these programs answer
    endpoint/      the WinRM endpoint
    systems.py     the versions of Windows that it can play, and the registry of each
    keys.py        keys of the registry
    typed.py       registry values by type
    power.py       power settings, and how the value in force is found
    situation.py   what else goes on in the guest, and its state
    rules.py       the rules of the model with their sources
    model.py       what a press, a request and idleness lead to
    course.py      what a shutdown that has begun waits for
    events.py      what Windows logs
    blockers.py    the seven scenarios in which a guest does not obey, and a guest that does
    control.py     the thread that tells the ACPI guest what the model decides
    network.py     the endpoint of a guest that comes and goes
    guest.py       the guest: a libvirt domain with all of the above
    disk_bound.py  the same with a registry and a log that are on its disk, as far as overlays go
"""
