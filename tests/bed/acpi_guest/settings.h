/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* The words that say how the guest behaves. */

#pragma once

#include "support.h"

/* The first ones are about one press, so they can also be an answer to one. */
enum setting { PRESS, DELAY, WRITE, RATE, PRESSES, BOOT, NOISE, SLEEP, ASK_NOW, SETTINGS };

enum { ABOUT_ONE_PRESS = PRESSES };

enum press { OBEY, IGNORE, HANG, UPDATE, UPDATE_HANG, PRESS_SLEEP, PRESS_HIBERNATE, REBOOT, ASK, CRASH };

extern uint32_t settings[SETTINGS];

/* Set what these words say; unknown ones are reported. What is about one press goes to `answer` if there is one.
 * Returns which settings were named, one bit each.
 */
uint32_t settings_read(char *words, uint32_t *answer);

/* The word for a setting as it is. */
void settings_word(enum setting setting, char *out, size_t room);
