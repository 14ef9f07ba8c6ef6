// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mmiobench COUNT [ADDRESS]: how fast a device register can be read.
 *
 * Reads one 32-bit register COUNT times through /dev/mem; the default is GPU_ID,
 * which the device answers without power. Output: "reads=… us=… reads_per_s=…",
 * then RESULT as all clients.
 */
#include "rig_client.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#define GPU_ID	  0x0b000000u
#define PAGE	  4096u
#define MAX_READS 100000000u

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const volatile uint32_t *map_register(uint64_t address)
{
	int fd = open("/dev/mem", O_RDONLY | O_SYNC | O_CLOEXEC);
	char *page;

	if (fd < 0)
		result_errno("open");
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)(address & ~(PAGE - 1ull)));
	if (page == MAP_FAILED)
		result_errno("mmap");
	return (const volatile uint32_t *)(page + address % PAGE);
}

int main(int argc, char **argv)
{
	uint64_t count, address = GPU_ID;
	const volatile uint32_t *reg;
	uint32_t first, value = 0;
	int64_t start, spent;

	if (argc < 2 || argc > 3 || !parse_size(argv[1], &count) || !count || count > MAX_READS ||
	    (argc == 3 && (!parse_size(argv[2], &address) || address % sizeof(*reg)))) {
		fputs("usage: mmiobench COUNT [ADDRESS]\n", stderr);
		return 2;
	}
	reg = map_register(address);
	start = now_ns();
	first = *reg;
	for (uint64_t i = 1; i < count; i++)
		value |= *reg ^ first;
	spent = now_ns() - start;
	printf("value=%#x reads=%llu us=%lld reads_per_s=%.0f\n", first, (unsigned long long)count,
	       (long long)spent / 1000, (double)count * 1e9 / (double)spent);
	if (value)
		result_fail("value", "changed");
	result_ok();
}
