/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "clock.h"

#include "interrupts.h"

/* The TSC tells the time, since nobody has to be awake for it to go on. The PIT can only count to 55 ms, so it is used
 * to learn how fast the TSC is, and to wake the guest when something is due soon. Otherwise the RTC wakes it, once a
 * second.
 */
enum { PIT_COUNTER = 0x40, PIT_COMMAND = 0x43, PIT_HZ = 1193182 };
enum { ONE_SHOT = 0x30, READ_BACK = 0xC2, OUTPUT_HIGH = 0x80 };
enum { RTC_INDEX = 0x70, RTC_DATA = 0x71, RTC_B = 0x0B, RTC_C = 0x0C, EVERY_SECOND = 0x12 };
enum { CALIBRATION_MS = 10, SAMPLES = 4, LONGEST_SHOT_MS = 50, SECOND = 1000 };

static uint64_t ticks_at_zero;
static uint32_t ticks_per_ms;
static uint32_t stopped_at;

static uint64_t ticks(void) {
    uint64_t count;
    __asm__ volatile("rdtsc" : "=A"(count));
    return count;
}

static void start_pit(uint16_t count) {
    outb(PIT_COMMAND, ONE_SHOT);
    outb(PIT_COUNTER, count);
    outb(PIT_COUNTER, count >> 8);
}

static uint32_t read_pit(bool *over) {
    outb(PIT_COMMAND, READ_BACK);
    *over = inb(PIT_COUNTER) & OUTPUT_HIGH;
    uint8_t low = inb(PIT_COUNTER);
    return inb(PIT_COUNTER) << 8 | low;
}

/* What TSC and PIT show at the same time. The host may put the guest aside between the two, so the quickest of some
 * tries counts.
 */
static uint64_t sample(uint32_t *pit, bool *over) {
    uint64_t best = 0, shortest = UINT64_MAX;
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t before = ticks();
        uint32_t count = read_pit(over);
        uint64_t took = ticks() - before;
        if (took < shortest) {
            shortest = took;
            best = before + took / 2;
            *pit = count;
        }
    }
    return best;
}

/* False if the guest was put aside for so long that the PIT has run out meanwhile. */
static bool calibrate(void) {
    bool over;
    uint32_t first, last;
    start_pit(0xFFFF);
    uint64_t from = sample(&first, &over), to;
    do {
        to = sample(&last, &over);
        if (over) {
            return false;
        }
    } while (first - last < CALIBRATION_MS * PIT_HZ / 1000);
    ticks_per_ms = divide((to - from) * PIT_HZ, (first - last) * 1000);
    return true;
}

static uint8_t rtc_read(uint8_t index) {
    outb(RTC_INDEX, index);
    return inb(RTC_DATA);
}

void clock_start(void) {
    while (!ticks_per_ms && !calibrate()) {
    }
    ticks_at_zero = ticks() - (uint64_t)stopped_at * ticks_per_ms;
    rtc_read(RTC_B);
    outb(RTC_DATA, EVERY_SECOND);
    rtc_read(RTC_C);
    interrupts_allow(IRQ_TIMER);
    interrupts_allow(IRQ_CLOCK);
}

void clock_stop(void) { stopped_at = now(); }

uint32_t now(void) {
    return divide(ticks() - ticks_at_zero, ticks_per_ms);
}

void wait_until(const uint32_t *time) {
    int32_t left = time ? (int32_t)(*time - now()) : SECOND;
    if (left <= 0) {
        return;
    }
    if (left < SECOND) {
        uint32_t shot = left < LONGEST_SHOT_MS ? left : LONGEST_SHOT_MS;
        start_pit(shot * (PIT_HZ / 1000 + 1));
    }
    interrupts_wait();
    /* Unread, the RTC would not interrupt again. */
    rtc_read(RTC_C);
}
