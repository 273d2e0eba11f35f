/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef ASK_H
#define ASK_H

/* Ask the test bed what this program, started with this command line, answers. Do not return if it answers, but
 * write its output and end with its status; return if the program is to do its own work. */
void ask(void);

#endif
