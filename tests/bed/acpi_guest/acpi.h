/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* ACPI: the power button, soft-off, sleep and reset, at the places that the firmware's tables name. */

#pragma once

#include "support.h"

/* Find the tables and switch to ACPI mode; false if this machine has no ACPI. */
bool acpi_start(void);

/* Begin to hear the power button; what was pressed before is forgotten. */
void acpi_hear_button(void);

/* Whether the power button was pressed since the last call. */
bool acpi_pressed(void);

bool acpi_can_sleep(void);
bool acpi_can_hibernate(void);

/* These do not return. */
void acpi_sleep(void) __attribute__((noreturn));
void acpi_hibernate(void) __attribute__((noreturn));
void acpi_power_off(void) __attribute__((noreturn));
void reset(void) __attribute__((noreturn));

/* Tell the hypervisor of a crash, where it has a device for that, and stop. */
void crash(void) __attribute__((noreturn));
