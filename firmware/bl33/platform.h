/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What BL33 uses of QEMU's `virt` machine. Addresses: hw/arm/virt.c, fixed since 2.x. */
#ifndef BL33_PLATFORM_H
#define BL33_PLATFORM_H

#include <stdint.h>

#define RAM_BASE    0x40000000UL /* QEMU puts the device tree here */
#define DTB_MAX	    0x00100000UL /* and TF-A keeps it within this */
#define KERNEL_BASE 0x40200000UL /* first 2 MiB boundary behind BL33 */

#define KIB(n) ((uint64_t)(n) >> 10)

enum fw_cfg_key {
	FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_INITRD_SIZE = 0x0b,
	FW_CFG_KERNEL_DATA = 0x11,
	FW_CFG_INITRD_DATA = 0x12,
};

/* Text on the normal world's UART, the one that becomes ttyAMA0. */
void put_text(const char *text);
void put_number(uint64_t n);
void put_hex(uint64_t n);

/* One line "BL33: ERROR: <what>", then power off: nothing waits for a deadline. */
void __attribute__((noreturn)) fail(const char *what);
void __attribute__((noreturn)) power_off(void);

/* Fails when the machine has no fw_cfg with DMA. */
void fw_cfg_check(void);
/* Reads `length` bytes of item `key`, from its start, to `to`. The caller checks bounds. */
void fw_cfg_read(enum fw_cfg_key key, void *to, uint32_t length);
/* A 32-bit little-endian item; 0 when QEMU does not have it. */
uint32_t fw_cfg_u32(enum fw_cfg_key key);

void psci_system_off(void);

#endif
