/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "report.h"

#include "clock.h"
#include "serial.h"

static char lines[REPORT_LINES][REPORT_LENGTH];
static int oldest;

void report(const char *event, ...) {
    char text[REPORT_LENGTH];
    va_list values;
    va_start(values, event);
    format_list(text, sizeof(text), event, values);
    va_end(values);

    char *line = lines[oldest];
    oldest = (oldest + 1) % REPORT_LINES;
    format(line, REPORT_LENGTH, "%u %s", now(), text);
    char sent[REPORT_LENGTH + 1];
    format(sent, sizeof(sent), "%s\n", line);
    serial_write(sent);
}

const char *reported(int index) { return lines[(oldest + index) % REPORT_LINES]; }
