/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "alarms.h"

#include "clock.h"

static uint32_t times[ALARMS];
static bool active[ALARMS];

void alarm_set(enum alarm alarm, uint32_t ms) {
    times[alarm] = now() + ms;
    active[alarm] = true;
}

void alarm_cancel(enum alarm alarm) { active[alarm] = false; }

bool alarm_rings(enum alarm alarm) {
    if (!active[alarm] || (int32_t)(now() - times[alarm]) < 0) {
        return false;
    }
    active[alarm] = false;
    return true;
}

void alarms_wait(void) {
    const uint32_t *first = NULL;
    for (int alarm = 0; alarm < ALARMS; alarm++) {
        if (active[alarm] && (!first || (int32_t)(times[alarm] - *first) < 0)) {
            first = &times[alarm];
        }
    }
    wait_until(first);
}
