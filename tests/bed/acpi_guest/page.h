/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* The page that the screen shows. */

#pragma once

#include "support.h"

enum look { LOOK_CALM, LOOK_BUSY, LOOK_LEAVING, LOOK_ASKING, LOOK_BAD, LOOK_DARK };

/* What the guest is doing now. */
void page_show(enum look look, const char *headline, const char *detail);

/* The same with a bar below it. */
void page_show_progress(enum look look, const char *headline, uint32_t percent);

/* How often the power button was pressed. */
void page_show_presses(uint32_t presses);

/* Bring the screen up to date. */
void page_draw(void);
