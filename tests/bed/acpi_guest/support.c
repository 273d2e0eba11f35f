/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "support.h"

/* Not loops in C, in which gcc would recognise these functions and call them. */
void *memcpy(void *to, const void *from, size_t size) {
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}

void *memset(void *to, int byte, size_t size) {
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
    return start;
}

bool same(const char *one, const char *other) {
    while (*one && *one == *other) {
        one++, other++;
    }
    return *one == *other;
}

bool begins_with(const void *memory, const char *text) {
    const char *byte = memory;
    while (*text && *byte == *text) {
        byte++, text++;
    }
    return !*text;
}

uint32_t divide(uint64_t dividend, uint32_t divisor) {
    uint32_t low = dividend, high = (uint32_t)(dividend >> 32) % divisor;
    __asm__("divl %2" : "+a"(low), "+d"(high) : "r"(divisor));
    return low;
}

struct output {
    char *next, *last;
};

static void put(struct output *out, char c) {
    if (out->next < out->last) {
        *out->next++ = c;
    }
}

static void put_number(struct output *out, uint32_t number, uint32_t base, int digits) {
    char text[10];
    int length = 0;
    do {
        text[length++] = "0123456789ABCDEF"[number % base];
        number /= base;
    } while (number || length < digits);
    while (length) {
        put(out, text[--length]);
    }
}

void format_list(char *room, size_t size, const char *format, va_list values) {
    struct output out = {room, room + size - 1};
    for (; *format; format++) {
        if (*format != '%') {
            put(&out, *format);
            continue;
        }
        switch (*++format) {
        case 's':
            for (const char *text = va_arg(values, const char *); *text; text++) {
                put(&out, *text);
            }
            break;
        case 'c':
            put(&out, va_arg(values, int));
            break;
        case 'u':
            put_number(&out, va_arg(values, uint32_t), 10, 1);
            break;
        case 'x':
            put_number(&out, va_arg(values, uint32_t), 16, 8);
            break;
        default:
            put(&out, *format);
        }
    }
    *out.next = 0;
}

void format(char *room, size_t size, const char *text, ...) {
    va_list values;
    va_start(values, text);
    format_list(room, size, text, values);
    va_end(values);
}
