/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "platform.h"

#define FW_CFG_BASE  0x09020000UL
#define FW_CFG_DMA   ((volatile uint64_t *)(FW_CFG_BASE + 16))
#define FW_CFG_MAGIC 0x51454d5520434647ULL /* "QEMU CFG", read back from the DMA register */
#define DMA_ERROR    1U
#define DMA_READ     2U
#define DMA_SELECT   8U

#define UART_BASE    0x09000000UL
#define UART(offset) (*(volatile uint32_t *)(UART_BASE + (offset)))
#define UART_DR	     0x00
#define UART_FR	     0x18
#define UART_FR_TXFF (1U << 5)
#define UART_LCR_H   0x2c
#define UART_CR	     0x30

/* All fields are big endian (QEMU docs/specs/fw_cfg.rst). */
struct fw_cfg_dma {
	uint32_t control;
	uint32_t length;
	uint64_t address;
};

static void put_char(char c)
{
	static int enabled;

	if (!enabled) {
		UART(UART_LCR_H) = 0x70; /* 8n1, FIFO */
		UART(UART_CR) = 0x101;	 /* UART and transmitter on */
		enabled = 1;
	}
	while (UART(UART_FR) & UART_FR_TXFF)
		;
	UART(UART_DR) = (uint8_t)c;
}

void put_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			put_char('\r');
		put_char(*text);
	}
}

static void put_base(uint64_t n, unsigned int base)
{
	char digits[21];
	int i = sizeof(digits);

	digits[--i] = '\0';
	do {
		digits[--i] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	put_text(digits + i);
}

void put_number(uint64_t n)
{
	put_base(n, 10);
}

void put_hex(uint64_t n)
{
	put_text("0x");
	put_base(n, 16);
}

void power_off(void)
{
	psci_system_off();
	for (;;)
		__asm__ volatile("wfi");
}

void fail(const char *what)
{
	put_text("BL33: ERROR: ");
	put_text(what);
	put_text("\n");
	power_off();
}

void fw_cfg_check(void)
{
	if (__builtin_bswap64(*FW_CFG_DMA) != FW_CFG_MAGIC)
		fail("no fw_cfg with DMA at 0x9020000: not QEMU's virt machine");
}

void fw_cfg_read(enum fw_cfg_key key, void *to, uint32_t length)
{
	volatile struct fw_cfg_dma request = {
		.control = __builtin_bswap32((uint32_t)key << 16 | DMA_SELECT | DMA_READ),
		.length = __builtin_bswap32(length),
		.address = __builtin_bswap64((uint64_t)to),
	};

	__asm__ volatile("dsb sy" ::: "memory");
	*FW_CFG_DMA = __builtin_bswap64((uint64_t)&request);
	__asm__ volatile("dsb sy" ::: "memory");
	while (__builtin_bswap32(request.control) & ~DMA_ERROR)
		; /* QEMU finishes within the write; the specification allows later */
	if (request.control)
		fail("fw_cfg: the DMA transfer failed");
	__asm__ volatile("dsb sy" ::: "memory");
}

uint32_t fw_cfg_u32(enum fw_cfg_key key)
{
	uint32_t value = 0;

	fw_cfg_read(key, &value, sizeof(value));
	return value;
}
