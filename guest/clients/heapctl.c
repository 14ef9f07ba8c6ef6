// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * heapctl HEAP COMMAND: a client of /dev/dma_heap/HEAP.
 *
 *   alloc SIZE [N]   N allocations of SIZE, all kept until the end; one line each
 *   hold SIZE [N]    the same, then "READY n=N" and they stay until stdin closes (a keeper)
 *   max [LIMIT]      the largest single allocation, by bisection up to LIMIT (2G)
 *   loop SIZE N      N times allocate and free
 *   cpu [SIZE]       whether the CPU can reach a buffer: size, mmap, read, write
 *   late SIZE        "READY", and one allocation when stdin closes: "errno=..."
 *   refusals         allocations that are wrong in one thing each: "name=ERRNO" words
 *   reopen           open, allocate and close every heap there is, by minor, until stdin
 *                    closes; HEAP is any of them, and stays
 *   trusted [SIZE]   a trusted application fills a buffer from normal memory, "READY
 *                    filled"; at a byte of input the latter is wiped, "READY wiped"; when
 *                    stdin closes the buffer is read back and compared
 *
 * SIZE in bytes, or with K, M, G. Output: lines of key=value; the last one is
 * "RESULT ok" (exit status 0: done what was asked) or "RESULT fail step=… why=…".
 * `cpu` reports and judges nothing: reaching a protected buffer or not is the
 * scenario's business.
 */
#include "heapctl.h"
#include "tee.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define DEFAULT_LIMIT (UINT64_C(2) << 30)

static int heap;
static sigjmp_buf fault;

/* A dma-buf, or -1 and errno. */
static int allocate(uint64_t size)
{
	struct heap_allocation a = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };

	return ioctl(heap, HEAP_ALLOC, &a) ? -1 : (int)a.fd;
}

/* N buffers, kept open; returns how many there are, and why it ended early (an errno). */
static uint64_t allocate_many(uint64_t size, uint64_t count, int *failure)
{
	uint64_t done;

	*failure = 0;
	for (done = 0; done < count; done++) {
		int fd = allocate(size);

		if (fd < 0) {
			*failure = errno;
			printf("alloc=%llu size=%llu errno=%s\n", (unsigned long long)done,
			       (unsigned long long)size, errno_name(*failure));
			break;
		}
		printf("alloc=%llu size=%llu errno=0 len=%lld\n", (unsigned long long)done,
		       (unsigned long long)size, (long long)lseek(fd, 0, SEEK_END));
	}
	return done;
}

static _Noreturn void cmd_alloc(uint64_t size, uint64_t count, bool hold)
{
	int failure;
	uint64_t done = allocate_many(size, count, &failure);

	if (hold) {
		printf("READY n=%llu\n", (unsigned long long)done);
		hold_until_eof();
	}
	if (done < count)
		result_fail("alloc", errno_name(failure));
	result_ok();
}

static _Noreturn void cmd_max(uint64_t limit)
{
	/* In pages: `low` works (0 always does), `high` does not. */
	uint64_t low = 0, high = limit / PAGE + 1;

	while (low + 1 < high) {
		uint64_t middle = low + (high - low) / 2;
		int fd = allocate(middle * PAGE);

		if (fd >= 0)
			close(fd);
		if (fd >= 0)
			low = middle;
		else
			high = middle;
	}
	printf("max=%llu\n", (unsigned long long)(low * PAGE));
	if (!low)
		result_errno("alloc");
	result_ok();
}

static _Noreturn void cmd_loop(uint64_t size, uint64_t count)
{
	uint64_t failed = 0;
	int first = 0;

	for (uint64_t i = 0; i < count; i++) {
		int fd = allocate(size);

		if (fd >= 0) {
			close(fd);
		} else if (!failed++) {
			first = errno;
		}
	}
	printf("loops=%llu failed=%llu first_errno=%s\n", (unsigned long long)count,
	       (unsigned long long)failed, first ? errno_name(first) : "0");
	if (failed)
		result_fail("loop", errno_name(first));
	result_ok();
}

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

/* Touch mapped memory: a firewalled buffer answers with SIGBUS. */
static void touch(volatile uint32_t *word)
{
	int sig = sigsetjmp(fault, 1);

	if (sig) {
		printf("touch=%s\n", sigabbrev_np(sig));
		return;
	}
	*word = 0x52494721;
	printf("touch=%s\n", *word == 0x52494721 ? "ok" : "lost");
}

static void try_map(int fd, size_t size, int prot, const char *name)
{
	void *map = mmap(NULL, size, prot, MAP_SHARED, fd, 0);

	printf("%s=%s\n", name, map == MAP_FAILED ? errno_name(errno) : "ok");
	if (map == MAP_FAILED)
		return;
	if (prot & PROT_WRITE)
		touch(map);
	munmap(map, size);
}

static _Noreturn void cmd_cpu(uint64_t size)
{
	int fd = allocate(size);
	char byte = 0;

	if (fd < 0)
		result_errno("alloc");
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	printf("len=%lld\n", (long long)lseek(fd, 0, SEEK_END));
	printf("rewind=%lld\n", (long long)lseek(fd, 0, SEEK_SET));
	try_map(fd, size, PROT_READ, "mmap_read");
	try_map(fd, size, PROT_READ | PROT_WRITE, "mmap_write");
	printf("read=%s\n", read(fd, &byte, 1) < 0 ? errno_name(errno) : "ok");
	printf("write=%s\n", write(fd, &byte, 1) < 0 ? errno_name(errno) : "ok");
	result_ok();
}

/* What the application writes; the scenario knows it too. */
static uint8_t trusted_byte(uint64_t i)
{
	return (uint8_t)(i * 7 + i / 256 + 3);
}

static void need_tee(int failed)
{
	if (!failed)
		return;
	if (errno == EIO)
		printf("refusal=%#x\n", tee_refusal);
	result_errno(tee_step);
}

static _Noreturn void cmd_trusted(uint64_t size)
{
	struct tee_memory normal, secret;
	uint64_t wrong = 0;
	struct tee tee;
	int fd = allocate(size);

	if (fd < 0)
		result_errno("alloc");
	need_tee(tee_open(&tee));
	need_tee(tee_normal(&tee, size, &normal));
	need_tee(tee_dmabuf(&tee, fd, &secret));
	for (uint64_t i = 0; i < size; i++)
		normal.map[i] = trusted_byte(i);
	need_tee(tee_copy(&tee, &normal, &secret));
	printf("READY filled=%llu\n", (unsigned long long)size);
	getchar();
	memset(normal.map, 0, size);
	puts("READY wiped=1");
	hold_until_eof();
	need_tee(tee_copy(&tee, &secret, &normal));
	for (uint64_t i = 0; i < size; i++)
		wrong += normal.map[i] != trusted_byte(i);
	printf("wrong=%llu\n", (unsigned long long)wrong);
	memset(normal.map, 0, size);
	if (wrong)
		result_fail("read_back", "wrong");
	result_ok();
}

static _Noreturn void usage(void)
{
	fputs("usage: heapctl HEAP alloc SIZE [N] | hold SIZE [N] | max [LIMIT] | loop SIZE N | "
	      "cpu [SIZE] | late SIZE | refusals | reopen | trusted [SIZE]\n",
	      stderr);
	exit(2);
}

static uint64_t number(int argc, char **argv, int at, uint64_t otherwise)
{
	uint64_t value = otherwise;

	if (at < argc && !parse_size(argv[at], &value))
		usage();
	return value;
}

int main(int argc, char **argv)
{
	char path[256];
	const char *command = argc > 2 ? argv[2] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		usage();
	snprintf(path, sizeof(path), "/dev/dma_heap/%s", argv[1]);
	heap = open(path, O_RDWR | O_CLOEXEC);
	if (heap < 0)
		result_errno("open");
	if (!strcmp(command, "alloc") && argc >= 4)
		cmd_alloc(number(argc, argv, 3, 0), number(argc, argv, 4, 1), false);
	if (!strcmp(command, "hold") && argc >= 4)
		cmd_alloc(number(argc, argv, 3, 0), number(argc, argv, 4, 1), true);
	if (!strcmp(command, "max"))
		cmd_max(number(argc, argv, 3, DEFAULT_LIMIT));
	if (!strcmp(command, "loop") && argc >= 5)
		cmd_loop(number(argc, argv, 3, 0), number(argc, argv, 4, 0));
	if (!strcmp(command, "late") && argc >= 4)
		cmd_late(heap, number(argc, argv, 3, 0));
	if (!strcmp(command, "refusals"))
		cmd_refusals(heap);
	if (!strcmp(command, "reopen"))
		cmd_reopen(heap);
	if (!strcmp(command, "trusted"))
		cmd_trusted(number(argc, argv, 3, 65536));
	if (!strcmp(command, "cpu"))
		cmd_cpu(number(argc, argv, 3, 65536));
	usage();
}
