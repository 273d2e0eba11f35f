/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* The serial ports: COM1 is written, COM2 is written and read. */

#pragma once

#include "support.h"

void serial_start(void);

/* Write to both ports, and never wait for long: what cannot be sent is lost. */
void serial_write(const char *text);

/* The next whole line from COM2, which may be changed until the next call, or a null pointer. */
char *serial_line(void);
