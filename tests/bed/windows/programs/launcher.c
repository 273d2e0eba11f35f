/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/*
 * Starts one command line in Wine, and ends when it ends.
 *
 * The command line comes in an environment variable, since Wine quotes the arguments of what is started from Linux in
 * its own way. The status goes into a file, since Linux keeps no more than the lowest 8 bits of it.
 */

#include <windows.h>

enum { LONGEST = 32768 };

static wchar_t command_line[LONGEST];
static wchar_t status_file[LONGEST];

static void take(const wchar_t *name, wchar_t *value)
{
    if (!GetEnvironmentVariableW(name, value, LONGEST))
        ExitProcess(GetLastError());
    SetEnvironmentVariableW(name, NULL);
}

static void report(DWORD status)
{
    HANDLE file = CreateFileW(status_file, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD written;
    WriteFile(file, &status, sizeof status, &written, NULL);
    CloseHandle(file);
}

/* All that the command starts is in this job, and ends when the last handle of it, ours, is closed: whenever and
 * however this process ends. */
static HANDLE new_job(void)
{
    HANDLE job = CreateJobObjectW(NULL, NULL);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    return job;
}

int wmain(void)
{
    take(L"WINGUEST_COMMAND_LINE", command_line);
    take(L"WINGUEST_STATUS", status_file);
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION command;
    HANDLE job = new_job();
    if (!CreateProcessW(NULL, command_line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup, &command)) {
        report(GetLastError());
        return 1;
    }
    AssignProcessToJobObject(job, command.hProcess);
    ResumeThread(command.hThread);
    /* The registry program holds this mutex as long as the guest lives; nothing of the guest outlives it. */
    HANDLE ends[] = {command.hProcess, OpenMutexW(SYNCHRONIZE, FALSE, L"winguest")};
    WaitForMultipleObjects(ends[1] ? 2 : 1, ends, FALSE, INFINITE);
    DWORD status;
    GetExitCodeProcess(command.hProcess, &status);
    report(status);
    return status & 0xFF;
}
