/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* Numbers on which boot.S and the C files agree. */

#pragma once

/* Conventional memory that the firmware leaves alone: what wakes the guest, and above it a stack for that. */
#define WAKE_ADDRESS 0x8000
#define WAKE_ROOM 0x1000

/* Where all variables are kept in S3: QEMU loads the kernel again on every reset, and waking is one. */
#define KEPT_ADDRESS 0x400000

#define EXCEPTIONS 32
#define EXCEPTIONS_WITH_CODE 0x60227D00
#define EXCEPTION_ENTRY_SIZE 16
