/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "disk.h"

#include "clock.h"
#include "report.h"

enum { BASE = 0x1F0, DATA = 0, SECTOR_COUNT = 2, LBA_LOW, LBA_MIDDLE, LBA_HIGH, DRIVE, COMMAND, STATUS = COMMAND };
enum { CONTROL = 0x3F6, NO_INTERRUPTS = 2, MASTER_LBA = 0xE0 };
enum { WRITE_SECTORS = 0x30, FLUSH_CACHE = 0xE7, IDENTIFY = 0xEC };
enum { BUSY = 0x80, FAULT = 0x20, REQUEST = 0x08, ERROR = 0x01 };
enum { SECTOR_SIZE = 512, USED_SECTORS = 128, CAPACITY_WORD = 60, PATIENCE_MS = 30000 };

static uint32_t sectors, written;
static const char *marked = "";
static uint16_t buffer[SECTOR_SIZE / 2];

/* Wait until a command is done, or has come so far that data can be moved. */
static bool reached(uint8_t wanted) {
    uint32_t start = now();
    uint8_t status;
    while ((status = inb(BASE + STATUS)) & BUSY) {
        if (now() - start > PATIENCE_MS) {
            return false;
        }
    }
    return !(status & (FAULT | ERROR)) && (status & wanted) == wanted;
}

static bool command(uint8_t command, uint32_t sector, uint8_t wanted) {
    outb(BASE + DRIVE, MASTER_LBA);
    outb(BASE + SECTOR_COUNT, 1);
    outb(BASE + LBA_LOW, sector);
    outb(BASE + LBA_MIDDLE, sector >> 8);
    outb(BASE + LBA_HIGH, sector >> 16);
    outb(BASE + COMMAND, command);
    return reached(wanted);
}

static bool write(uint32_t sector) {
    if (!command(WRITE_SECTORS, sector, REQUEST)) {
        return false;
    }
    const void *next = buffer;
    uint32_t count = SECTOR_SIZE / 4;
    __asm__ volatile("rep outsl" : "+S"(next), "+c"(count) : "d"(BASE + DATA) : "memory");
    return reached(0);
}

static void check(bool success) {
    if (!success) {
        sectors = 0;
        report("disk error");
    }
}

void disk_start(void) {
    sectors = 0;
    outb(CONTROL, NO_INTERRUPTS);
    outb(BASE + DRIVE, MASTER_LBA);
    /* Without a drive all bits are clear, without a controller all are set. */
    uint8_t status = inb(BASE + STATUS);
    if (status != 0 && status != 0xFF && command(IDENTIFY, 0, REQUEST)) {
        void *next = buffer;
        uint32_t count = COUNT(buffer);
        __asm__ volatile("rep insw" : "+D"(next), "+c"(count) : "d"(BASE + DATA) : "memory");
        uint32_t capacity = buffer[CAPACITY_WORD] | buffer[CAPACITY_WORD + 1] << 16;
        sectors = capacity < USED_SECTORS ? capacity : USED_SECTORS;
    }
}

bool disk_exists(void) { return sectors; }

void disk_mark(const char *mark) {
    marked = mark;
    if (sectors) {
        memset(buffer, 0, sizeof(buffer));
        format((char *)buffer, sizeof(buffer), "%s\n", mark);
        check(write(0) && command(FLUSH_CACHE, 0, 0));
    }
}

const char *disk_marked(void) { return marked; }

void disk_write(void) {
    if (sectors > 1) {
        memset(buffer, 0, sizeof(buffer));
        format((char *)buffer, sizeof(buffer), "The ACPI guest's write %u\n", written + 1);
        check(write(1 + written % (sectors - 1)));
        written++;
    }
}

uint32_t disk_written(void) { return written; }
