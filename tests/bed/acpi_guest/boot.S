/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* Where the machine enters the kernel: at boot, on interrupts and exceptions, and on waking from S3. */

#include "boot.h"

#define MULTIBOOT 0x1BADB002
#define CODE 0x08
#define DATA 0x10
#define INTERRUPT_FLAG 0x200

    .section .multiboot, "a"
    .align 4
    .long MULTIBOOT, 0, -MULTIBOOT

    .macro flat_segments
    mov $DATA, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %fs
    mov %ax, %gs
    mov %ax, %ss
    mov $stack_top, %esp
    .endm

    .text
    .global start
start:
    cld
    lgdt gdt_pointer
    ljmp $CODE, $1f
1:  flat_segments
    /* Not left to the loader, which need not clear it again on a reset. */
    xor %eax, %eax
    mov $bss_start, %edi
    mov $bss_end, %ecx
    sub %edi, %ecx
    rep stosb
    push %ebx
    call booted

woken_flat:
    flat_segments
    mov $KEPT_ADDRESS, %esi
    mov $data_start, %edi
    mov $bss_end, %ecx
    sub %edi, %ecx
    rep movsb
    call woken

/* An interrupt only ends `hlt`. It returns with interrupts off, so the main loop sees to the devices undisturbed, and
 * the level of an SCI that nobody has cleared yet does not interrupt again and again.
 */
    .global interrupt
interrupt:
    andl $~INTERRUPT_FLAG, 8(%esp)
    iret

/* One entry per exception, EXCEPTION_ENTRY_SIZE apart. Those that have no error code of their own get a zero. */
    .global exceptions
    .set number, 0
    .align EXCEPTION_ENTRY_SIZE
exceptions:
    .rept EXCEPTIONS
    .align EXCEPTION_ENTRY_SIZE
    .if !((EXCEPTIONS_WITH_CODE >> number) & 1)
    push $0
    .endif
    push $number
    jmp exception
    .set number, number + 1
    .endr

exception:
    cld
    push %esp
    call panic

/* What the firmware jumps to in real mode on waking from S3, once it is copied to WAKE_ADDRESS. The devices have been
 * reset, and only the video BIOS knows how to bring the text mode back.
 */
    .section .rodata
    .global wake_code, wake_code_end
    .code16
wake_code:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $WAKE_ROOM, %sp
    mov $0x0003, %ax
    int $0x10
    cli
    lgdtl gdt_pointer_for_waking - wake_code
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $CODE, $woken_flat
gdt_pointer_for_waking:
    .word gdt_end - gdt - 1
    .long gdt
wake_code_end:

    .align 8
gdt:
    .quad 0
    .quad 0x00CF9A000000FFFF
    .quad 0x00CF92000000FFFF
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

    .bss
    .align 16
    .skip 8192
stack_top:

    .section .note.GNU-stack, "", @progbits
