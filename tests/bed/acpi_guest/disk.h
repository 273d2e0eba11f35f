/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* The first IDE disk: its first sector says how things stand, the others are written for the sake of writing. */

#pragma once

#include "support.h"

/* Look for the disk. Without one, everything below does nothing. */
void disk_start(void);

bool disk_exists(void);

/* Say on the disk, and durably, how things stand. */
void disk_mark(const char *mark);

/* What the disk says. */
const char *disk_marked(void);

/* Write the next sector, whichever it is. */
void disk_write(void);

/* How many sectors disk_write has written. */
uint32_t disk_written(void);
