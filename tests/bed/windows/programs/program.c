/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* A simulated program: all it does is ask what to answer. It is there under the name of each such program. */

#include "ask.h"

#include <stdio.h>

int wmain(void)
{
    ask();
    fputs("This program is simulated, and nobody is there to say what it does.\n", stderr);
    return 1;
}
