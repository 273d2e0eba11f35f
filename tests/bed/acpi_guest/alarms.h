/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* Times at which something is due. */

#pragma once

#include "support.h"

/* The end of the boot, falling asleep by itself, the next write of the noise, and what a behaviour waits for. */
enum alarm { ALARM_BOOTED, ALARM_SLEEP, ALARM_NOISE, ALARM_STEP, ALARMS };

void alarm_set(enum alarm alarm, uint32_t ms);
void alarm_cancel(enum alarm alarm);

/* Whether its time has come; if so, it is cancelled. */
bool alarm_rings(enum alarm alarm);

/* Sleep until the first alarm or an interrupt. */
void alarms_wait(void);
