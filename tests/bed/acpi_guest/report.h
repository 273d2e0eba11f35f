/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* What the guest says it does: one line per event, on COM1, COM2 and the screen. */

#pragma once

#include "support.h"

enum { REPORT_LINES = 7, REPORT_LENGTH = 80 };

/* Say an event; the time goes before it. */
void report(const char *event, ...) __attribute__((format(printf, 1, 2)));

/* The last lines, the oldest first; empty where nothing has been said yet. */
const char *reported(int index);
