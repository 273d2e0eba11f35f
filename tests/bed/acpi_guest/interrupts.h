/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* Interrupts, which only end `hlt`, and exceptions, which end the guest. */

#pragma once

#include "support.h"

enum { IRQ_TIMER = 0, IRQ_COM2 = 3, IRQ_CLOCK = 8 };

/* Set up the CPU and the interrupt controllers; every interrupt is off at first. */
void interrupts_start(void);

void interrupts_allow(uint8_t irq);

/* Sleep until the next interrupt. The one before has been seen to; one that came meanwhile ends this at once. */
void interrupts_wait(void);
