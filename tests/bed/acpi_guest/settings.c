/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "settings.h"

#include "report.h"

static const char *const names[SETTINGS] = {
    [PRESS] = "press",     [DELAY] = "delay", [WRITE] = "write", [RATE] = "rate",
    [PRESSES] = "presses", [BOOT] = "boot",   [NOISE] = "noise", [SLEEP] = "sleep",
    [ASK_NOW] = "ask",
};

static const char *const presses[] = {
    [OBEY] = "obey",     [IGNORE] = "ignore",           [HANG] = "hang",
    [UPDATE] = "update", [UPDATE_HANG] = "update-hang", [PRESS_SLEEP] = "sleep",
    [REBOOT] = "reboot", [ASK] = "ask",                 [PRESS_HIBERNATE] = "hibernate",
    [CRASH] = "crash",
};

uint32_t settings[SETTINGS] = {[PRESS] = OBEY, [WRITE] = 5000, [RATE] = 400, [PRESSES] = 1};

static bool find(const char *const *table, uint32_t count, const char *word, uint32_t *index) {
    for (*index = 0; *index < count; ++*index) {
        if (same(table[*index], word)) {
            return true;
        }
    }
    return false;
}

/* At most nine digits, so that it cannot overflow. */
static bool read_number(const char *text, uint32_t *number) {
    int digits = 0;
    for (*number = 0; *text >= '0' && *text <= '9' && digits < 9; text++, digits++) {
        *number = *number * 10 + (*text - '0');
    }
    return digits && !*text;
}

static bool read_word(char *word, uint32_t *setting, uint32_t *value) {
    char *equals = word;
    while (*equals && *equals != '=') {
        equals++;
    }
    if (!*equals) {
        return false;
    }
    *equals = 0;
    bool known = find(names, SETTINGS, word, setting);
    *equals = '=';
    if (!known) {
        return false;
    }
    return *setting == PRESS ? find(presses, COUNT(presses), equals + 1, value) : read_number(equals + 1, value);
}

static bool is_space(char c) { return c == ' ' || c == '\t'; }

uint32_t settings_read(char *words, uint32_t *answer) {
    uint32_t named = 0;
    while (*words) {
        char *word = words;
        while (*words && !is_space(*words)) {
            words++;
        }
        if (*words) {
            *words++ = 0;
        }
        uint32_t setting, value;
        if (!*word) {
            continue;
        }
        if (!read_word(word, &setting, &value)) {
            report("unknown %s", word);
            continue;
        }
        (answer && setting < ABOUT_ONE_PRESS ? answer : settings)[setting] = value;
        named |= 1 << setting;
    }
    return named;
}

void settings_word(enum setting setting, char *out, size_t room) {
    if (setting == PRESS) {
        format(out, room, "%s=%s", names[setting], presses[settings[setting]]);
    } else {
        format(out, room, "%s=%u", names[setting], settings[setting]);
    }
}
