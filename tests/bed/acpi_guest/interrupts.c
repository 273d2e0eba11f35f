/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "interrupts.h"

#include "boot.h"
#include "page.h"
#include "report.h"

enum { PIC1 = 0x20, PIC2 = 0xA0, FIRST_IRQ = EXCEPTIONS, IRQS = 16, CASCADE = 2, END = 0x20 };
enum { CODE_SEGMENT = 0x08, INTERRUPT_GATE = 0x8E00 };

struct gate {
    uint16_t offset_low, segment, type, offset_high;
};

struct gate_table {
    uint16_t limit;
    const struct gate *base;
} __attribute__((packed));

struct frame {
    uint32_t number, code, address;
};

extern const uint8_t exceptions[], interrupt[];

static struct gate gates[EXCEPTIONS + IRQS];

static void set_gate(int number, const uint8_t *entry) {
    uint32_t offset = (uint32_t)entry;
    gates[number] = (struct gate){offset, CODE_SEGMENT, INTERRUPT_GATE, offset >> 16};
}

/* The four words that start an 8259: edge triggered, cascaded, and told when an interrupt has ended. If it ended them by
 * itself, the line from the second to the first would stay up while another one waits, and the first, which sees only
 * that it rises, would never hear from the second again.
 */
static void start_pic(uint16_t port, uint8_t vector, uint8_t cascade) {
    outb(port, 0x11);
    outb(port + 1, vector);
    outb(port + 1, cascade);
    outb(port + 1, 0x01);
    outb(port + 1, 0xFF);
}

void interrupts_start(void) {
    for (int number = 0; number < EXCEPTIONS; number++) {
        set_gate(number, exceptions + number * EXCEPTION_ENTRY_SIZE);
    }
    for (int irq = 0; irq < IRQS; irq++) {
        set_gate(FIRST_IRQ + irq, interrupt);
    }
    struct gate_table table = {sizeof(gates) - 1, gates};
    __asm__ volatile("lidt %0" : : "m"(table));
    start_pic(PIC1, FIRST_IRQ, 1 << CASCADE);
    start_pic(PIC2, FIRST_IRQ + 8, CASCADE);
    interrupts_allow(CASCADE);
}

void interrupts_allow(uint8_t irq) {
    uint16_t mask = (irq < 8 ? PIC1 : PIC2) + 1;
    outb(mask, inb(mask) & ~(1 << irq % 8));
}

void interrupts_wait(void) {
    outb(PIC2, END);
    outb(PIC1, END);
    /* Nothing can come between the two: `sti` takes effect after the instruction that follows it. */
    __asm__ volatile("sti; hlt" : : : "memory");
}

__attribute__((noreturn)) void panic(const struct frame *frame) {
    report("panic exception %u code %u at %x", frame->number, frame->code, frame->address);
    page_show(LOOK_BAD, "Crashed", "An exception of the processor, see below");
    page_draw();
    halt();
}
