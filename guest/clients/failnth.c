// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * failnth: let one allocation of a kernel path fail, the n-th, for n = FIRST, FIRST + 1, …
 *
 *   failnth probe DEVICE FIRST [LAST]    bind the platform device (and unbind it)
 *   failnth group DEVICE FIRST [LAST]    DRM_IOCTL_PANTHOR_GROUP_CREATE (and destroy it)
 *   failnth twice probe|group …          the one behind it fails too: who asks again is refused
 *
 * Which allocations count is set in debugfs before (failslab, fail_page_alloc). Behind each
 * try what it held must be given back, and the same path, unharmed, must work; a try that did
 * without the allocation is the proof itself. Without LAST it ends behind BEYOND tries in a row
 * in which nothing failed any more; always behind the first that is not well, and
 * behind a number of errnos that mean something else. One line a try:
 *
 *   n=… errno=… left=… again=… usage=… clocks=… dmabufs=… heap=…
 *
 * left: what the kernel still had to count (0: the n-th allocation failed); again: errno of
 * the unharmed try; then what is held too much behind both, for good: runtime PM references,
 * enables of the GPU's clock, dma-bufs, bytes of our heap. The last line is "RESULT ok", or
 * "RESULT fail step=… why=…".
 *
 * /proc/thread-self/fail-nth counts the calls of this task alone, and every capability that
 * lets a call pass its filter (Documentation/fault-injection/fault-injection.rst): only one of
 * them may be open. Behind the n-th the attribute's own settings count: those of failslab must
 * be a probability of 100 for `twice`, and "times" is written here.
 */
#include "gpu.h"

#include <fcntl.h>
#include <sys/mman.h>

#define ENDLESS	  100000u	/* a path with more allocations than this is a loop */
#define BEYOND	  4u		/* the allocator's own needs differ from try to try by fewer */
#define WRONG	  32u		/* errnos that do not say "no memory": the caller knows of some */
#define SETTLE_NS 20000000000ll /* buffers go by a worker, behind an RCU grace period */
#define FLAGS	  1		/* of a group: a protected suspend buffer, out of the heap */

struct path {
	const char *device;
	bool probe;
	struct gpu gpu; /* group */
	uint32_t vm, flags;
};

struct held {
	long usage, clocks, dmabufs, heap;
};

static int nth_fd, tracing_fd, times_fd = -1;

static void write_number(int fd, unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	/* not all of these files have a position, and none minds it */
	if (write(fd, text, (size_t)length) != length)
		result_errno("fail-nth, tracing_on, times");
}

/* What is traced is traced from here to disarm(), in tries that are not unharmed. */
static void arm(unsigned int n)
{
	write_number(tracing_fd, n > 0);
	if (times_fd >= 0 && n)
		write_number(times_fd, 2); /* the n-th is the first of them */
	write_number(nth_fd, n);
}

/* Switch injection off; how many allocations were still to come before the failing one. */
static unsigned int disarm(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		result_errno("fail-nth");
	if (times_fd >= 0)
		write_number(times_fd, 0);
	write_number(nth_fd, 0);
	write_number(tracing_fd, 0);
	return (unsigned int)atoi(text);
}

static int driver_file(const char *name)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "/sys/bus/platform/drivers/panthor/%s", name);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		result_errno(file);
	return fd;
}

static int bind(const struct path *p, unsigned int n, unsigned int *left)
{
	const size_t length = strlen(p->device);
	int fd = driver_file("bind"), error;

	arm(n);
	error = write(fd, p->device, length) == (ssize_t)length ? 0 : errno;
	*left = disarm();
	close(fd);
	if (!error) {
		fd = driver_file("unbind");
		if (write(fd, p->device, length) != (ssize_t)length)
			result_errno("unbind");
		close(fd);
	}
	return error;
}

static int create(struct path *p, unsigned int n, unsigned int *left)
{
	const struct gpu_group_options options = {
		.queues = 1, .priority = 1, .ring_size = 65536, .flags = p->flags
	};
	uint32_t group;
	int error;

	arm(n);
	error = gpu_group_create(&p->gpu, p->vm, &options, &group) ? errno : 0;
	*left = disarm();
	if (!error && gpu_group_destroy(&p->gpu, group))
		result_errno("group_destroy");
	return error;
}

static int try_path(struct path *p, unsigned int n, unsigned int *left)
{
	return p->probe ? bind(p, n, left) : create(p, n, left);
}

/* The number behind `key` in the last line of a file that has it; 0 where none does. */
static long number_in(const char *file, const char *key)
{
	char line[512];
	long number = 0;
	FILE *f = fopen(file, "re");

	if (!f)
		result_errno(file);
	while (fgets(line, sizeof(line), f)) {
		const char *found = strstr(line, key);

		if (found)
			number = strtol(found + strlen(key), NULL, 10);
	}
	fclose(f);
	return number;
}

static struct held held_now(const struct path *p)
{
	char file[128];

	snprintf(file, sizeof(file), "/sys/bus/platform/devices/%s/power/runtime_usage", p->device);
	return (struct held){
		.usage = number_in(file, ""),
		.clocks = number_in("/sys/kernel/debug/clk/gpu-clk/clk_enable_count", ""),
		.dmabufs = number_in("/sys/kernel/debug/dma_buf/bufinfo", "Total "),
		.heap = number_in("/sys/kernel/debug/righeap/list", " bytes="),
	};
}

static bool same(const struct held *a, const struct held *b)
{
	return a->usage == b->usage && a->clocks == b->clocks && a->dmabufs == b->dmabufs &&
	       a->heap == b->heap;
}

/* Wait until nothing more is held than before; what is, where that does not come about. */
static struct held settle(const struct path *p, const struct held *before)
{
	const int64_t deadline = monotonic_ns() + SETTLE_NS;
	struct held now = held_now(p);

	while (!same(&now, before) && monotonic_ns() < deadline) {
		usleep(20000);
		now = held_now(p);
	}
	return now;
}

/* mm/shmem.c says ENOSPC when it gets no memory for an inode. */
static bool no_memory(int error)
{
	return !error || error == ENOMEM || error == ENOSPC;
}

/* One n: the failing try, the look behind it, the unharmed one. Whether all of it went well. */
static bool one(struct path *p, unsigned int n, const struct held *before, unsigned int *left)
{
	static unsigned int wrong;
	unsigned int unused;
	const int error = try_path(p, n, left);
	struct held now = settle(p, before);
	const int again = error ? try_path(p, 0, &unused) : 0;

	if (error && same(&now, before))
		now = settle(p, before);
	printf("n=%u errno=%s left=%u again=%s usage=%ld clocks=%ld dmabufs=%ld heap=%ld\n", n,
	       error ? errno_name(error) : "0", *left, again ? errno_name(again) : "0",
	       now.usage - before->usage, now.clocks - before->clocks,
	       now.dmabufs - before->dmabufs, now.heap - before->heap);
	wrong += !no_memory(error);
	return wrong < WRONG && !again && same(&now, before);
}

static _Noreturn void sweep(struct path *p, unsigned int first, unsigned int last)
{
	unsigned int beyond = 0, left;
	struct held before;

	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	tracing_fd = open("/sys/kernel/tracing/tracing_on", O_WRONLY | O_CLOEXEC);
	if (nth_fd < 0 || tracing_fd < 0)
		result_errno("fail-nth, tracing_on");
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) /* a page fault of ours is not the path's */
		result_errno("mlockall");
	before = held_now(p);
	if (try_path(p, 0, &left))
		result_errno("unharmed");
	before = settle(p, &before); /* what the first try alone leaves is no leak */
	for (unsigned int n = first; last ? n <= last : beyond < BEYOND; n++) {
		if (n - first > ENDLESS)
			result_fail("sweep", "endless");
		if (!one(p, n, &before, &left))
			break;
		beyond = left ? beyond + 1 : 0;
	}
	result_ok();
}

int main(int argc, char **argv)
{
	struct path path = { .flags = FLAGS };
	uint64_t first = 0, last = 0;

	setvbuf(stdout, NULL, _IOLBF, 0); /* an oops ends us: what was printed must be out */
	if (argc > 1 && !strcmp(argv[1], "twice")) {
		times_fd = open("/sys/kernel/debug/failslab/times", O_WRONLY | O_CLOEXEC);
		if (times_fd < 0)
			result_errno("times");
		argv++;
		argc--;
	}
	if (argc < 4 || argc > 5 || (strcmp(argv[1], "probe") && strcmp(argv[1], "group")) ||
	    !parse_size(argv[3], &first) || (argc == 5 && !parse_size(argv[4], &last))) {
		fputs("usage: failnth [twice] probe|group DEVICE FIRST [LAST]\n", stderr);
		return 2;
	}
	path.device = argv[2];
	path.probe = !strcmp(argv[1], "probe");
	if (!path.probe && (gpu_open(&path.gpu) || gpu_vm_create(&path.gpu, &path.vm)))
		result_errno(gpu_step);
	sweep(&path, (unsigned int)first, (unsigned int)last);
}
