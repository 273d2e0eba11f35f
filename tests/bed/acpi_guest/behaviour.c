/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "behaviour.h"

#include "acpi.h"
#include "alarms.h"
#include "clock.h"
#include "disk.h"
#include "page.h"
#include "report.h"
#include "settings.h"

enum phase { BOOTING, RUNNING, ASKING, UPDATING, LEAVING, HUNG };

enum { STEP_MS = 50, SECTORS_PER_STEP = 64 };

static enum phase phase;
static uint32_t presses;

/* The settings as they are for the press that is being answered. */
static uint32_t current[SETTINGS];

static uint32_t update_start, update_sectors;

static void run(void) {
    phase = RUNNING;
    if (presses + 1 < settings[PRESSES]) {
        page_show(LOOK_DARK, "Running, display off", "The next press only turns the display on");
    } else {
        page_show(LOOK_CALM, "Running", "");
    }
}

static void hear_button(void) {
    presses = 0;
    page_show_presses(presses);
    acpi_hear_button();
    run();
}

static void start_noise(void) {
    alarm_cancel(ALARM_NOISE);
    if (settings[NOISE]) {
        alarm_set(ALARM_NOISE, settings[NOISE]);
    }
}

static void start_dozing(void) {
    alarm_cancel(ALARM_SLEEP);
    if (settings[SLEEP]) {
        alarm_set(ALARM_SLEEP, settings[SLEEP]);
    }
}

static void fall_asleep(void) {
    if (!acpi_can_sleep()) {
        report("no S3");
        run();
        return;
    }
    report("sleep");
    page_show(LOOK_DARK, "Asleep", "S3, suspended to memory");
    page_draw();
    clock_stop();
    acpi_sleep();
}

static void hibernate(void) {
    if (!acpi_can_hibernate()) {
        report("no S4");
        run();
        return;
    }
    report("hibernate");
    page_show(LOOK_DARK, "Hibernated", "S4, suspended to disk");
    page_draw();
    acpi_hibernate();
}

static void leave(void) {
    phase = LEAVING;
    page_show(LOOK_LEAVING, current[PRESS] == REBOOT ? "Restarting" : "Shutting down", "");
    alarm_set(ALARM_STEP, current[DELAY]);
}

static void left(void) {
    disk_mark("CLEAN");
    report(current[PRESS] == REBOOT ? "reboot" : "power off");
    page_show(LOOK_DARK, current[PRESS] == REBOOT ? "Restarting" : "Off", "");
    page_draw();
    if (current[PRESS] == REBOOT) {
        reset();
    }
    acpi_power_off();
}

static void hang(void) {
    phase = HUNG;
    report("hang");
    page_show(LOOK_BAD, "Hung", "It accepted to shut down, and will do nothing more");
}

static void fall_over(void) {
    report("crash");
    page_show(LOOK_BAD, "Crashed", "It has told the hypervisor so");
    page_draw();
    crash();
}

static void update(void) {
    phase = UPDATING;
    report("writing");
    disk_mark("SERVICING");
    update_start = now();
    update_sectors = 0;
    alarm_set(ALARM_STEP, 0);
}

static void update_on(void) {
    uint32_t elapsed = now() - update_start;
    if (elapsed > current[WRITE]) {
        elapsed = current[WRITE];
    }
    uint32_t due = divide((uint64_t)elapsed * current[RATE], 1000);
    for (int i = 0; i < SECTORS_PER_STEP && update_sectors < due; i++) {
        disk_write();
        update_sectors++;
    }
    if (update_sectors < due) {
        alarm_set(ALARM_STEP, 0);
    } else if (elapsed < current[WRITE]) {
        uint32_t left = current[WRITE] - elapsed;
        alarm_set(ALARM_STEP, left < STEP_MS ? left : STEP_MS);
    } else {
        report("written");
        if (current[PRESS] == UPDATE) {
            leave();
        } else {
            hang();
        }
        return;
    }
    uint32_t percent = divide((uint64_t)elapsed * 100, current[WRITE]);
    char headline[64];
    format(headline, sizeof(headline), "Working on updates %u%% - do not turn off", percent);
    page_show_progress(LOOK_BUSY, headline, percent);
}

static void ask(void) {
    phase = ASKING;
    report("asking");
    page_show(LOOK_ASKING, "Asking what to do", "Waiting for an answer on COM2");
}

static void decide(void) {
    if (current[PRESS] == ASK) {
        ask();
        return;
    }
    if (current[PRESS] == IGNORE) {
        report("ignored");
        run();
        return;
    }
    report("accepted");
    switch (current[PRESS]) {
    case HANG:
        hang();
        break;
    case UPDATE:
    case UPDATE_HANG:
        update();
        break;
    case PRESS_SLEEP:
        fall_asleep();
        break;
    case PRESS_HIBERNATE:
        hibernate();
        break;
    case CRASH:
        fall_over();
        break;
    default:
        leave();
    }
}

void behave_as_booting(void) {
    phase = BOOTING;
    report("booting");
    page_show(LOOK_LEAVING, "Starting", "The power button is not heard yet");
    alarm_set(ALARM_BOOTED, settings[BOOT]);
    start_noise();
}

void behave_as_awake(void) {
    hear_button();
    report("awake");
}

void behave_on_press(void) {
    page_show_presses(++presses);
    report("press %u", presses);
    if (phase != RUNNING) {
        report("ignored");
    } else if (presses < settings[PRESSES]) {
        report("display on");
        run();
    } else {
        memcpy(current, settings, sizeof(current));
        decide();
    }
}

static void ask_now(void) {
    if (phase == RUNNING) {
        memcpy(current, settings, sizeof(current));
        ask();
    } else {
        report("ignored");
    }
}

void behave_on_words(char *words) {
    uint32_t named = settings_read(words, phase == ASKING ? current : NULL);
    report("told");
    if (named & 1 << NOISE) {
        start_noise();
    }
    if (named & 1 << SLEEP && phase != BOOTING) {
        start_dozing();
    }
    if (named & 1 << BOOT && phase == BOOTING) {
        alarm_set(ALARM_BOOTED, settings[BOOT]);
    }
    if (phase == RUNNING) {
        run();
    } else if (phase == ASKING && named & 1 << PRESS) {
        decide();
    }
    if (settings[ASK_NOW]) {
        settings[ASK_NOW] = 0;
        ask_now();
    }
}

void behave_on_time(void) {
    if (alarm_rings(ALARM_BOOTED)) {
        hear_button();
        start_dozing();
        report("ready");
    }
    if (alarm_rings(ALARM_NOISE)) {
        disk_write();
        start_noise();
    }
    if (alarm_rings(ALARM_SLEEP) && phase == RUNNING) {
        fall_asleep();
    }
    if (alarm_rings(ALARM_STEP)) {
        if (phase == UPDATING) {
            update_on();
        } else {
            left();
        }
    }
}
