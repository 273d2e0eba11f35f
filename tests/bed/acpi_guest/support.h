/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* What a C file otherwise gets from its environment: types, port I/O, text. */

#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* What is to be in memory has to be there when a device hears of it. */
static inline void outb(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value) {
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t inw(uint16_t port) {
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* Stop for good. */
static inline __attribute__((noreturn)) void halt(void) {
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
bool same(const char *one, const char *other);
bool begins_with(const void *memory, const char *text);

/* A 64-bit division that must give a 32-bit result; gcc's own is in a library that is not there for 32 bits. */
uint32_t divide(uint64_t dividend, uint32_t divisor);

/* printf's %s, %u, %c and %x (always eight digits). Text that does not fit is cut off. */
void format_list(char *out, size_t room, const char *format, va_list values);
void format(char *out, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));
