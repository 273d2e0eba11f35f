/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "page.h"

#include "clock.h"
#include "disk.h"
#include "report.h"
#include "screen.h"
#include "settings.h"

enum { TITLE = 0, BANNER = 2, BANNER_ROWS = 7, HEADLINE = 4, DETAIL = 6, FACTS = 11, LOG = 17 };
enum { LEFT = 2, INDENT = 14, UPTIME = 67 };
enum { BAR_WIDTH = 60, FULL_BLOCK = 0xDB, SHADE = 0xB0, PERCENT = 100, PER_ROW = 4, APART = 16 };

static const enum colour colours[] = {
    [LOOK_CALM] = WHITE_ON_GREEN,  [LOOK_BUSY] = WHITE_ON_BLUE, [LOOK_LEAVING] = WHITE_ON_CYAN,
    [LOOK_ASKING] = WHITE_ON_BROWN, [LOOK_BAD] = WHITE_ON_RED,   [LOOK_DARK] = BLACK_ON_GREY,
};

static enum look look;
static char headline[SCREEN_COLUMNS], detail[SCREEN_COLUMNS];
static uint32_t presses;

void page_show(enum look new_look, const char *new_headline, const char *new_detail) {
    look = new_look;
    format(headline, sizeof(headline), "%s", new_headline);
    format(detail, sizeof(detail), "%s", new_detail);
}

void page_show_progress(enum look new_look, const char *new_headline, uint32_t percent) {
    char bar[BAR_WIDTH + 1] = {0};
    for (uint32_t i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i * PERCENT < percent * BAR_WIDTH ? FULL_BLOCK : SHADE;
    }
    page_show(new_look, new_headline, bar);
}

void page_show_presses(uint32_t number) { presses = number; }

static void centre(int row, enum colour colour, const char *text) {
    int length = 0;
    while (text[length]) {
        length++;
    }
    screen_text(row, (SCREEN_COLUMNS - length) / 2, colour, text);
}

static void fact(int row, const char *name, const char *text) {
    screen_text(row, LEFT, CYAN_ON_BLACK, name);
    screen_text(row, INDENT, WHITE_ON_BLACK, text);
}

static void draw_title(void) {
    char text[SCREEN_COLUMNS];
    uint32_t seconds = now() / 1000, minutes = seconds / 60;
    screen_fill(TITLE, 1, BLACK_ON_GREY);
    screen_text(TITLE, LEFT, BLACK_ON_GREY, "ACPI guest - a simulator, not Windows");
    format(text, sizeof(text), "up %u:%u%u:%u%u", minutes / 60, minutes % 60 / 10, minutes % 10,
           seconds % 60 / 10, seconds % 10);
    screen_text(TITLE, UPTIME, BLACK_ON_GREY, text);
}

static void draw_facts(void) {
    char text[SCREEN_COLUMNS];
    fact(FACTS, "Behaviour", "");
    for (int setting = 0; setting < SETTINGS; setting++) {
        settings_word(setting, text, sizeof(text));
        screen_text(FACTS + setting / PER_ROW, INDENT + setting % PER_ROW * APART, WHITE_ON_BLACK, text);
    }
    format(text, sizeof(text), "%u, counted since the boot or the waking", presses);
    fact(FACTS + 3, "Presses", text);
    format(text, sizeof(text), "%s, %u sectors written", disk_marked(), disk_written());
    fact(FACTS + 4, "Disk", disk_exists() ? text : "none");
}

static void draw_log(void) {
    fact(LOG, "Log", "");
    for (int i = 0, row = LOG; i < REPORT_LINES; i++) {
        if (*reported(i)) {
            screen_text(row++, INDENT, i == REPORT_LINES - 1 ? WHITE_ON_BLACK : GREY_ON_BLACK, reported(i));
        }
    }
}

void page_draw(void) {
    screen_fill(0, SCREEN_ROWS, GREY_ON_BLACK);
    draw_title();
    screen_fill(BANNER, BANNER_ROWS, colours[look]);
    centre(HEADLINE, colours[look], headline);
    centre(DETAIL, colours[look], detail);
    draw_facts();
    draw_log();
    screen_flush();
}
