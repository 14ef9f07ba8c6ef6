// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memctl ACCESS ADDRESS...: what becomes of a CPU's access to physical memory.
 *
 *   read     a load of 4 bytes
 *   write    a store of 4 bytes
 *   exec     a call; the caller has put a return instruction there
 *
 * One line an address: "access=… address=… result=ok", with value=… for a read, or the
 * signal that the access died of instead (SIGBUS: an external abort). Nothing is judged.
 * The memory is reached through /dev/mem, which needs a kernel without STRICT_DEVMEM.
 */
#include "rig_client.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define PAGE UINT64_C(4096)

static sigjmp_buf back;

static void on_fault(int number)
{
	siglongjmp(back, number);
}

static void catch_faults(void)
{
	static const int faults[] = { SIGBUS, SIGSEGV, SIGILL };
	struct sigaction action = { .sa_handler = on_fault };

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (sigaction(faults[i], &action, NULL))
			result_errno("sigaction");
}

static void touch(const char *access, uint64_t address, volatile uint32_t *word)
{
	int number;

	printf("access=%s address=%#llx ", access, (unsigned long long)address);
	number = sigsetjmp(back, 1);
	if (number) {
		printf("result=SIG%s\n", sigabbrev_np(number));
	} else if (*access == 'r') {
		uint32_t value = *word;

		printf("result=ok value=%#x\n", value);
	} else if (*access == 'w') {
		*word = 0x6d656d63;
		printf("result=ok\n");
	} else {
		((void (*)(void))(uintptr_t)word)();
		printf("result=ok\n");
	}
}

static void at(int memory, const char *access, uint64_t address)
{
	int protection = *access == 'r'	  ? PROT_READ
			 : *access == 'w' ? PROT_READ | PROT_WRITE
					  : PROT_READ | PROT_EXEC;
	uint8_t *page =
		mmap(NULL, PAGE, protection, MAP_SHARED, memory, (off_t)(address & ~(PAGE - 1)));

	if (page == MAP_FAILED)
		result_errno("mmap");
	touch(access, address, (volatile uint32_t *)(page + address % PAGE));
	munmap(page, PAGE);
}

int main(int argc, char **argv)
{
	const char *access = argc > 2 ? argv[1] : "";
	int memory;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(access, "read") && strcmp(access, "write") && strcmp(access, "exec")) {
		fputs("usage: memctl read|write|exec ADDRESS...\n", stderr);
		return 2;
	}
	catch_faults();
	memory = open("/dev/mem", O_RDWR | O_CLOEXEC);
	if (memory < 0)
		result_errno("open");
	for (int i = 2; i < argc; i++) {
		char *end;
		uint64_t address = strtoull(argv[i], &end, 0);

		if (*end || address % 4)
			result_fail("address", argv[i]);
		at(memory, access, address);
	}
	result_ok();
}
