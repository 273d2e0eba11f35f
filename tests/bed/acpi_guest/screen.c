/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "screen.h"

enum { CRTC_INDEX = 0x3D4, CRTC_DATA = 0x3D5, CURSOR = 0x0A, CURSOR_OFF = 0x20 };

static uint16_t drawn[SCREEN_ROWS * SCREEN_COLUMNS], shown[SCREEN_ROWS * SCREEN_COLUMNS];
static volatile uint16_t *const screen = (volatile uint16_t *)0xB8000;

void screen_start(void) {
    outb(CRTC_INDEX, CURSOR);
    outb(CRTC_DATA, CURSOR_OFF);
    memset(shown, 0xFF, sizeof(shown));
}

void screen_fill(int row, int rows, enum colour colour) {
    for (int cell = row * SCREEN_COLUMNS; cell < (row + rows) * SCREEN_COLUMNS; cell++) {
        drawn[cell] = colour << 8 | ' ';
    }
}

void screen_text(int row, int column, enum colour colour, const char *text) {
    for (; *text && column < SCREEN_COLUMNS; text++, column++) {
        drawn[row * SCREEN_COLUMNS + column] = colour << 8 | (uint8_t)*text;
    }
}

void screen_flush(void) {
    for (size_t cell = 0; cell < COUNT(drawn); cell++) {
        if (drawn[cell] != shown[cell]) {
            screen[cell] = shown[cell] = drawn[cell];
        }
    }
}
