/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/*
 * A library that Wine's reg.exe loads in place of ntdll.dll and user32.dll, of each of which it needs one function (see
 * askdll.def), so that the test bed is asked before reg.exe does anything, without a second process for each of the many
 * calls of it, and so that nothing is prepared for drawing, as user32.dll does.
 */

#include "ask.h"

#include <windows.h>

BOOL WINAPI DllMain(HINSTANCE library, DWORD reason, void *reserved)
{
    (void)library;
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH)
        ask();
    return TRUE;
}
