/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* What the guest does with a press of its power button, and by itself. */

#pragma once

#include "support.h"

/* Boot, for as long as the settings say. */
void behave_as_booting(void);

/* Hear the button again after waking, and count its presses anew. */
void behave_as_awake(void);

void behave_on_press(void);

/* Take words from outside: an answer, if the guest has asked, or new settings. */
void behave_on_words(char *words);

/* Do what is due. */
void behave_on_time(void);
