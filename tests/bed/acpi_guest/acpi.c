/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "acpi.h"

#include "boot.h"
#include "interrupts.h"

enum { STATUS = 0, ENABLE = 2, BUTTON = 1 << 8, SLEEP_ENABLE = 1 << 13, SLEEP_TYPE = 10, ACPI_MODE = 1 };
enum { RESET_CONTROL = 0xCF9, HARD_RESET = 0x06, KEYBOARD_COMMAND = 0x64, PULSE_RESET = 0xFE };
enum { PANIC_PORT = 0x505, PANICKED = 1 };
enum { PACKAGE = 0x12, BYTE = 0x0A, NO_SUCH_STATE = 0xFF };

/* The beginnings of the tables, as the ACPI specification lays them out. */
struct table {
    char signature[4];
    uint32_t length;
    uint8_t unused[28];
} __attribute__((packed));

struct pointer {
    char signature[8];
    uint8_t unused[8];
    const struct table *root;
} __attribute__((packed));

struct root {
    struct table header;
    const struct table *tables[];
} __attribute__((packed));

struct firmware_control {
    char signature[4];
    uint32_t length, hardware, waking_vector;
} __attribute__((packed));

struct fixed {
    struct table header;
    struct firmware_control *control;
    const struct table *code;
    uint8_t model, profile;
    uint16_t interrupt;
    uint32_t command_port;
    uint8_t enable_command, disable_command, s4_command, p_state_command;
    uint32_t event_a, event_b, control_a;
} __attribute__((packed));

extern const uint8_t wake_code[], wake_code_end[], data_start[], bss_end[];

static const struct fixed *fixed;
static uint8_t off_type, sleep_type, hibernation_type;

static const struct pointer *find_pointer(void) {
    for (uint32_t address = 0xE0000; address < 0x100000; address += 16) {
        if (begins_with((const void *)address, "RSD PTR ")) {
            return (const struct pointer *)address;
        }
    }
    return NULL;
}

static const struct fixed *find_fixed(void) {
    const struct pointer *pointer = find_pointer();
    if (!pointer) {
        return NULL;
    }
    const struct root *root = (const struct root *)pointer->root;
    for (uint32_t i = 0; i < (root->header.length - sizeof(root->header)) / sizeof(*root->tables); i++) {
        if (begins_with(root->tables[i], "FACP")) {
            return (const struct fixed *)root->tables[i];
        }
    }
    return NULL;
}

/* The number of a sleep state is the first element of a package in the DSDT, a program, of which no more is understood
 * here than that such a package follows its name. A state that has no package is not offered.
 */
static uint8_t find_state(const char *name) {
    const uint8_t *code = (const uint8_t *)fixed->code, *end = code + fixed->code->length - 8;
    for (; code < end; code++) {
        if (begins_with(code, name) && code[4] == PACKAGE) {
            return code[7] == BYTE ? code[8] : code[7];
        }
    }
    return NO_SUCH_STATE;
}

bool acpi_start(void) {
    fixed = find_fixed();
    if (!fixed) {
        return false;
    }
    off_type = find_state("_S5_");
    sleep_type = find_state("_S3_");
    hibernation_type = find_state("_S4_");
    while (!(inw(fixed->control_a) & ACPI_MODE)) {
        outb(fixed->command_port, fixed->enable_command);
    }
    outw(fixed->event_a + ENABLE, 0);
    interrupts_allow(fixed->interrupt);
    return true;
}

void acpi_hear_button(void) {
    if (fixed) {
        outw(fixed->event_a + STATUS, BUTTON);
        outw(fixed->event_a + ENABLE, BUTTON);
    }
}

bool acpi_pressed(void) {
    if (!fixed || !(inw(fixed->event_a + ENABLE) & inw(fixed->event_a + STATUS) & BUTTON)) {
        return false;
    }
    outw(fixed->event_a + STATUS, BUTTON);
    return true;
}

static __attribute__((noreturn)) void enter(uint8_t type) {
    uint16_t others = inw(fixed->control_a) & ACPI_MODE;
    outw(fixed->control_a, others | type << SLEEP_TYPE | SLEEP_ENABLE);
    halt();
}

bool acpi_can_sleep(void) { return fixed && sleep_type != NO_SUCH_STATE; }

void acpi_sleep(void) {
    memcpy((void *)WAKE_ADDRESS, wake_code, wake_code_end - wake_code);
    memcpy((void *)KEPT_ADDRESS, data_start, bss_end - data_start);
    fixed->control->waking_vector = WAKE_ADDRESS;
    enter(sleep_type);
}

bool acpi_can_hibernate(void) { return fixed && hibernation_type != NO_SUCH_STATE; }

/* What is in memory is lost: nothing here resumes from a disk. */
void acpi_hibernate(void) { enter(hibernation_type); }

void acpi_power_off(void) { enter(off_type); }

void crash(void) {
    outb(PANIC_PORT, PANICKED);
    halt();
}

void reset(void) {
    outb(RESET_CONTROL, HARD_RESET);
    outb(KEYBOARD_COMMAND, PULSE_RESET);
    halt();
}
