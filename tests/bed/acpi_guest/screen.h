/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* The VGA's text mode. */

#pragma once

#include "support.h"

enum { SCREEN_ROWS = 25, SCREEN_COLUMNS = 80 };

/* A colour is the ink's number, with the paper's times sixteen. */
enum colour {
    CYAN_ON_BLACK = 0x03,
    GREY_ON_BLACK = 0x07,
    WHITE_ON_BLACK = 0x0F,
    WHITE_ON_BLUE = 0x1F,
    WHITE_ON_GREEN = 0x2F,
    WHITE_ON_CYAN = 0x3F,
    WHITE_ON_RED = 0x4F,
    WHITE_ON_BROWN = 0x6F,
    BLACK_ON_GREY = 0x70,
};

/* To be called when the text mode has just been set: the screen shows nothing of what was drawn. */
void screen_start(void);

void screen_fill(int row, int rows, enum colour colour);

void screen_text(int row, int column, enum colour colour, const char *text);

/* Bring to the screen what has changed, which costs far more than drawing it. */
void screen_flush(void);
