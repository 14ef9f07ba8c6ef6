// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * failnth: let one allocation of a kernel path fail, the n-th, for n = FIRST, FIRST + 1, …
 *
 *   failnth probe DEVICE FIRST [LAST]    bind the platform device (and unbind it)
 *   failnth group DEVICE FIRST [LAST]    DRM_IOCTL_PANTHOR_GROUP_CREATE (and destroy it)
 *
 * Which allocations count is set in debugfs before (failslab, fail_page_alloc). Behind each
 * try what it held must be given back, and the same path, unharmed, must work. Without LAST it
 * ends behind BEYOND tries in a row in which nothing failed any more. One line a try:
 *
 *   n=… errno=… left=… again=… usage=… dmabufs=… heap=…
 *
 * left: what the kernel still had to count (0: the n-th allocation failed); again: errno of
 * the unharmed try; then what is held too much behind both, for good: runtime PM references,
 * dma-bufs, bytes of our heap. The last line is "RESULT ok", or "RESULT fail step=… why=…".
 *
 * /proc/thread-self/fail-nth counts the calls of this task alone, and every capability that
 * lets a call pass its filter (Documentation/fault-injection/fault-injection.rst): only one of
 * them may be open.
 */
#include "gpu.h"

#include <fcntl.h>
#include <sys/mman.h>

#define ENDLESS	  100000u	/* a path with more allocations than this is a loop */
#define BEYOND	  4u		/* the allocator's own needs differ from try to try by fewer */
#define SETTLE_NS 20000000000ll /* buffers go by a worker, behind an RCU grace period */
#define FLAGS	  1		/* of a group: a protected suspend buffer, out of the heap */

struct path {
	const char *device;
	bool probe;
	struct gpu gpu; /* group */
	uint32_t vm, flags;
};

struct held {
	long usage, dmabufs, heap;
};

static int nth_fd, tracing_fd;

static void write_number(int fd, unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fd, text, (size_t)length, 0) != length)
		result_errno("fail-nth, tracing_on");
}

/* What is traced is traced from here to disarm(), in tries that are not unharmed. */
static void arm(unsigned int n)
{
	write_number(tracing_fd, n > 0);
	write_number(nth_fd, n);
}

/* Switch injection off; how many allocations were still to come before the failing one. */
static unsigned int disarm(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		result_errno("fail-nth");
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
		.dmabufs = number_in("/sys/kernel/debug/dma_buf/bufinfo", "Total "),
		.heap = number_in("/sys/kernel/debug/righeap/list", " bytes="),
	};
}

static bool same(const struct held *a, const struct held *b)
{
	return a->usage == b->usage && a->dmabufs == b->dmabufs && a->heap == b->heap;
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

/* One n: the failing try, the look behind it, the unharmed one. Whether nothing failed. */
static bool one(struct path *p, unsigned int n, struct held *before)
{
	unsigned int left, unused;
	const int error = try_path(p, n, &left);
	struct held now = settle(p, before);
	const int again = try_path(p, 0, &unused);

	if (same(&now, before))
		now = settle(p, before);
	printf("n=%u errno=%s left=%u again=%s usage=%ld dmabufs=%ld heap=%ld\n", n,
	       error ? errno_name(error) : "0", left, again ? errno_name(again) : "0",
	       now.usage - before->usage, now.dmabufs - before->dmabufs, now.heap - before->heap);
	*before = now; /* told once */
	return left > 0;
}

static _Noreturn void sweep(struct path *p, unsigned int first, unsigned int last)
{
	unsigned int beyond = 0, unused;
	struct held before;

	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	tracing_fd = open("/sys/kernel/tracing/tracing_on", O_WRONLY | O_CLOEXEC);
	if (nth_fd < 0 || tracing_fd < 0)
		result_errno("fail-nth, tracing_on");
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) /* a page fault of ours is not the path's */
		result_errno("mlockall");
	before = held_now(p);
	if (try_path(p, 0, &unused))
		result_errno("unharmed");
	before = settle(p, &before); /* what the first try alone leaves is no leak */
	for (unsigned int n = first; last ? n <= last : beyond < BEYOND; n++) {
		if (n - first > ENDLESS)
			result_fail("sweep", "endless");
		beyond = one(p, n, &before) ? beyond + 1 : 0;
	}
	result_ok();
}

int main(int argc, char **argv)
{
	struct path path = { .flags = FLAGS };
	uint64_t first = 0, last = 0;

	setvbuf(stdout, NULL, _IOLBF, 0); /* an oops ends us: what was printed must be out */
	if (argc < 4 || argc > 5 || (strcmp(argv[1], "probe") && strcmp(argv[1], "group")) ||
	    !parse_size(argv[3], &first) || (argc == 5 && !parse_size(argv[4], &last))) {
		fputs("usage: failnth probe|group DEVICE FIRST [LAST]\n", stderr);
		return 2;
	}
	path.device = argv[2];
	path.probe = !strcmp(argv[1], "probe");
	if (!path.probe && (gpu_open(&path.gpu) || gpu_vm_create(&path.gpu, &path.vm)))
		result_errno(gpu_step);
	sweep(&path, (unsigned int)first, (unsigned int)last);
}
