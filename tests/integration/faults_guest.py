# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of guests: of their WinRM service, credentials and registry, and of images that are worked on."""

from __future__ import annotations

from integration.faults import Fault

FAULTS = (
    Fault(
        "winrm_down",
        "the guest is off, or its WinRM service cannot be reached",
        "an unreachable host, or in a shutdown `not_delivered` on the timeline and the next method; the other guests "
        "go on, and the report and the verification say what could not be asked",
        "start the service (`winrm quickconfig`), or let the hypervisor shut the guest down without it",
    ),
    Fault(
        "credentials_wrong",
        "the guest takes another password",
        "an unreachable host, with the reason and without the password in any output; the other hosts go on",
        "correct the credentials",
    ),
    Fault(
        "winrm_slow",
        "the service answers late, asks for patience, or a program of the guest takes too long",
        "what comes late is waited for; after `timeout` the command is ended, and the task fails",
        "set a longer `timeout`, or look at what keeps the guest busy; the next run goes on from what was written",
    ),
    Fault(
        "winrm_hung",
        "the service takes a request and never answers",
        "the command is run once more in a new shell, and then the task fails, saying that it did so twice",
        "restart the service or the guest, and run again",
    ),
    Fault(
        "winrm_cut",
        "the connection is cut before a request arrives, after it, or in the middle of its answer, at any stage of a "
        "run",
        "once is overcome: what was lost is asked again, and a write is made or repeated; twice at the same command "
        "is a failure that tells what may have been left",
        "run again: it goes on from there",
    ),
    Fault(
        "winrm_fault",
        "the service answers with a fault of WS-Management, with HTTP 500 or 503, with half a message or with none",
        "a lost shell, a full quota or a service that is not there for a moment is overcome; else the task fails with "
        "the service's words, and says whether settings may have been written already",
        "look at the words: rights of the user, quotas of WinRM, the service; then run again",
    ),
    Fault(
        "winrm_flood",
        "a program, a value or the service itself answers with megabytes, once or always",
        "a megabyte of it is read; what it hides is asked again piece by piece, and what cannot be read is "
        "`unreadable` and never taken for fine; nothing is written on the strength of it",
        "look at the finding's place in the guest: such a value is no accident",
    ),
    Fault(
        "output_lost",
        "what the guest has printed is gone before it could be fetched, as when a virus scanner holds the file",
        "it is asked again, three times in all, and is `unreadable` after that",
        "nothing, or exempt `winguest-*.txt` in the temporary folder from the scanner",
    ),
    Fault(
        "program_fails",
        "a program of the guest, such as `tasklist.exe`, is blocked by a policy or breaks down",
        "what it should have told is `unreadable`, with its words, and never taken for fine",
        "allow the program to the user, or waive the row",
    ),
    Fault(
        "registry_refused",
        "a key may not be read or not be written, always or for a moment",
        "a refusal for a moment is overcome; else the finding is `unreadable` or still `differs` with the program's "
        "words, the task fails for what could not be mended, and all else is mended",
        "give the user the right to the key that is named, or waive the row",
    ),
    Fault(
        "hive_interrupted",
        "the connection breaks while the hive of a user who is signed out is loaded",
        "when it comes back, the hive is unloaded and read again; when it does not, the message says that it may "
        "still be loaded, and the next run of any kind unloads it first",
        "run again when the guest can be reached",
    ),
    Fault(
        "hive_refused",
        "a user's hive is damaged, in use, or may not be loaded or written",
        "its findings are `unreadable` or `differs` with the program's words, it is unloaded again, and all other "
        "users' are mended",
        "restore the profile, or give the right to load hives (SeBackupPrivilege and SeRestorePrivilege)",
    ),
    Fault(
        "guest_reboots",
        "the guest stops dead and is started again in the middle of a remediation",
        "it is waited for (half a minute), and the remediation goes on; what was written is read back from the new "
        "boot",
        "nothing; if it takes longer, run again",
    ),
    Fault(
        "guest_clock_jumps",
        "the guest's clock jumps by days during a remediation, is hours behind at a stop, and right at the next boot",
        "nothing in the guest is decided by its clock; stops are told in the order of its logs, a clean one as clean "
        "and a pulled plug as unclean",
        "let the guest's time service run; times in the history are those of the guest's own clock",
    ),
    Fault(
        "answer_lost",
        "the guest takes the request to shut down, and its answer is lost because it goes off",
        "the outcome is `unanswered`, which is no failure, and nobody asks twice",
        "nothing: whether it goes off is seen from the hypervisor",
    ),
    Fault(
        "request_refused",
        "Windows refuses the request: no right, still starting, or another shutdown is scheduled",
        "a failure of that request with the status and what it means; in a shutdown the next method follows",
        "give the right that is named, or set `cancel_scheduled`",
    ),
    Fault(
        "guest_hostile",
        "values, names, accounts and programs of the guest are made to look like answers, commands or escape sequences",
        "the same programs are run as in an honest guest, only what is said of the attacking place differs, and "
        "nothing that steers a terminal gets to it",
        "treat the guest as compromised",
    ),
    Fault(
        "image_killed",
        "the work on an image is killed at any moment",
        "every hive, or the whole image, is as it was or as it is to be; nothing is left that the next run does not "
        "remove",
        "run again",
    ),
    Fault(
        "image_damaged",
        "a hive is damaged or makes its reader crash or never end, or a volume is dirty, hibernated or encrypted",
        "an error that names it, within a time limit, and an image that has not changed by a bit",
        "restore the hive from a backup; boot a dirty or hibernated image and shut it down fully; decrypt it",
    ),
    Fault(
        "image_disk_full",
        "there is no space for the copy that is to take the image's name",
        "the image is as it was, and the copy is removed",
        "free the space, or use the option `overlay`",
    ),
    Fault(
        "image_in_use",
        "a domain, a program or another run uses the image",
        "it is refused, with the name of who uses it, before anything is written",
        "shut the domain down, or wait for the other run",
    ),
    Fault(
        "image_hostile",
        "a guest has written the header of another format to its raw disk, to have a file of the host read",
        "it is refused as long as its format was not named",
        "name the format that the image truly has",
    ),
)
