/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* Starting the guest, at boot and on waking, and its main loop. */

#include "acpi.h"
#include "alarms.h"
#include "behaviour.h"
#include "clock.h"
#include "disk.h"
#include "interrupts.h"
#include "page.h"
#include "report.h"
#include "screen.h"
#include "serial.h"
#include "settings.h"

enum { HAS_COMMAND_LINE = 1 << 2 };

struct multiboot {
    uint32_t flags, unused[3];
    const char *command_line;
};

static char command_line[1024];

/* The boot loader puts the kernel's own path first, or does not. */
static char *without_path(char *words) {
    char *end = words;
    bool path = true;
    for (; *end && *end != ' '; end++) {
        path = path && *end != '=';
    }
    return path || *words == '/' ? end : words;
}

/* All of this is lost in S3. */
static void start_machine(void) {
    interrupts_start();
    clock_start();
    serial_start();
    screen_start();
    if (!acpi_start()) {
        report("no ACPI");
    }
    disk_start();
    if (!disk_exists()) {
        report("no disk");
    }
    disk_mark("RUNNING");
}

static __attribute__((noreturn)) void loop(void) {
    for (;;) {
        for (char *line; (line = serial_line());) {
            behave_on_words(line);
        }
        if (acpi_pressed()) {
            behave_on_press();
        }
        behave_on_time();
        page_draw();
        alarms_wait();
    }
}

__attribute__((noreturn)) void booted(const struct multiboot *information) {
    if (information->flags & HAS_COMMAND_LINE) {
        format(command_line, sizeof(command_line), "%s", information->command_line);
    }
    start_machine();
    settings_read(without_path(command_line), NULL);
    behave_as_booting();
    loop();
}

__attribute__((noreturn)) void woken(void) {
    start_machine();
    behave_as_awake();
    loop();
}
