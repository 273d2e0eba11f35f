/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* The time, and waiting for it. */

#pragma once

#include "support.h"

/* Start the clock at 0, or go on where it was stopped. */
void clock_start(void);
void clock_stop(void);

/* Milliseconds since boot, without the time asleep. */
uint32_t now(void);

/* Sleep until the next interrupt; one comes by this time at the latest, or within a second if none is asked for. */
void wait_until(const uint32_t *time);
