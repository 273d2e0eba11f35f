/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "serial.h"

#include "clock.h"
#include "interrupts.h"

enum { DATA, INTERRUPTS, FIFO, LINE, MODEM, STATUS, SCRATCH = 7 };
enum { RECEIVED = 0x01, ROOM_TO_SEND = 0x20, PATIENCE_MS = 20 };

struct port {
    uint16_t base;
    bool exists, blocked;
};

static struct port com1 = {.base = 0x3F8}, com2 = {.base = 0x2F8};
static char line[1024];
static size_t length;

static void start(struct port *port, uint8_t interrupts) {
    outb(port->base + SCRATCH, 0x5A);
    port->exists = inb(port->base + SCRATCH) == 0x5A;
    if (!port->exists) {
        return;
    }
    outb(port->base + LINE, 0x80);
    outb(port->base + DATA, 1);
    outb(port->base + INTERRUPTS, 0);
    outb(port->base + LINE, 0x03);
    outb(port->base + FIFO, 0xC7);
    outb(port->base + MODEM, 0x0B);
    outb(port->base + INTERRUPTS, interrupts);
}

void serial_start(void) {
    start(&com1, 0);
    start(&com2, RECEIVED);
    interrupts_allow(IRQ_COM2);
    length = 0;
}

static bool can_send(const struct port *port) { return inb(port->base + STATUS) & ROOM_TO_SEND; }

static bool send(struct port *port, char c) {
    for (uint32_t start = now(); !can_send(port);) {
        if (port->blocked || now() - start > PATIENCE_MS) {
            return false;
        }
    }
    outb(port->base + DATA, c);
    return true;
}

/* Whoever does not read is waited for once, and not again before he reads. What he gets then begins on a new line. */
static void write(struct port *port, const char *text) {
    if (!port->exists || (port->blocked && !send(port, '\n'))) {
        return;
    }
    port->blocked = false;
    while (*text && !port->blocked) {
        port->blocked = !send(port, *text++);
    }
}

void serial_write(const char *text) {
    /* Whoever hears something on COM1 may connect to COM2 then, and should not get the rest of it there. */
    write(&com2, text);
    write(&com1, text);
}

char *serial_line(void) {
    while (com2.exists && inb(com2.base + STATUS) & RECEIVED) {
        char c = inb(com2.base + DATA);
        if (c == '\n' || c == '\r') {
            line[length] = 0;
            length = 0;
            return line;
        }
        if (length < sizeof(line) - 1) {
            line[length++] = c;
        }
    }
    return NULL;
}
