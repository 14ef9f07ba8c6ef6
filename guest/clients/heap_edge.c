// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * heapctl late, refusals and reopen: heaps that go while somebody has them open, and
 * allocations that are wrong. They report and judge nothing: which errno is right is
 * for the host to say.
 */
#include "heapctl.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MINORS	   16u
#define ROUNDS	   16u /* between two looks at stdin */
#define SHORT_ARGS 16u /* without heap_flags, which are 0 then */

/* HEAP_ALLOC's argument with more behind it than this kernel knows. */
struct long_allocation {
	struct heap_allocation known;
	uint64_t unknown;
};

_Noreturn void cmd_late(int heap, uint64_t size)
{
	struct heap_allocation a = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };

	puts("READY open=1");
	hold_until_eof();
	printf("errno=%s\n", ioctl(heap, HEAP_ALLOC, &a) ? errno_name(errno) : "0");
	close(heap);
	result_ok();
}

/* "name=ERRNO", or "name=SIZE" of the buffer that there is. */
static void told(const char *name, int failed, const struct heap_allocation *a)
{
	if (failed) {
		printf("%s=%s ", name, errno_name(errno));
		return;
	}
	printf("%s=%lld ", name, (long long)lseek((int)a->fd, 0, SEEK_END));
	close((int)a->fd);
}

_Noreturn void cmd_refusals(int heap)
{
	const struct {
		const char *name;
		struct heap_allocation a;
	} cases[] = {
		{ "good", { .len = PAGE, .fd_flags = O_RDWR | O_CLOEXEC } },
		{ "read_only", { .len = PAGE, .fd_flags = O_RDONLY } },
		{ "one_byte", { .len = 1, .fd_flags = O_RDWR } },
		{ "page_and_byte", { .len = PAGE + 1, .fd_flags = O_RDWR } },
		{ "no_length", { .len = 0, .fd_flags = O_RDWR } },
		{ "length_wraps", { .len = UINT64_MAX, .fd_flags = O_RDWR } },
		{ "fd", { .len = PAGE, .fd = 1, .fd_flags = O_RDWR } },
		{ "fd_flags", { .len = PAGE, .fd_flags = O_RDWR | O_NONBLOCK } },
		{ "fd_flags_high", { .len = PAGE, .fd_flags = O_RDWR | 1u << 31 } },
		{ "heap_flags", { .len = PAGE, .fd_flags = O_RDWR, .heap_flags = 1 } },
		{ "heap_flags_high",
		  { .len = PAGE, .fd_flags = O_RDWR, .heap_flags = UINT64_C(1) << 63 } },
	};
	struct long_allocation more = { .known = { .len = PAGE, .fd_flags = O_RDWR } };
	struct heap_allocation a = { .len = PAGE, .fd_flags = O_RDWR };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct heap_allocation one = cases[i].a;

		told(cases[i].name, ioctl(heap, HEAP_ALLOC, &one), &one);
	}
	told("short", ioctl(heap, _IOC(_IOC_READ | _IOC_WRITE, 'H', 0, SHORT_ARGS), &a), &a);
	told("long", ioctl(heap, _IOWR('H', 0, struct long_allocation), &more), &more.known);
	told("command", ioctl(heap, _IOWR('H', 1, struct heap_allocation), &a), &a);
	putchar('\n');
	result_ok();
}

/* Open, allocate, close; nobody has the minor, or the heap has gone meanwhile: no defect. */
static bool use(const char *node)
{
	struct heap_allocation a = { .len = PAGE, .fd_flags = O_RDWR };
	int fd = open(node, O_RDWR | O_CLOEXEC);
	bool used;

	if (fd < 0) {
		if (errno != ENXIO && errno != ENODEV)
			result_errno("open");
		return false;
	}
	used = !ioctl(fd, HEAP_ALLOC, &a);
	if (used)
		close((int)a.fd);
	close(fd);
	return used;
}

/*
 * Nodes of our own: those of the kernel go before their heap does, and an inode that is still
 * there is one more way to it.
 */
_Noreturn void cmd_reopen(int heap)
{
	char folder[] = "/dev/heaps-XXXXXX", node[MINORS][64];
	uint64_t opened = 0, refused = 0;
	struct stat st;

	if (fstat(heap, &st) || !mkdtemp(folder))
		result_errno("folder");
	for (unsigned int i = 0; i < MINORS; i++) {
		snprintf(node[i], sizeof(node[i]), "%s/%u", folder, i);
		if (mknod(node[i], S_IFCHR | 0600, makedev(major(st.st_rdev), i)))
			result_errno("mknod");
	}
	puts("READY nodes=1");
	fflush(stdout);
	while (!eof_within(0))
		for (unsigned int round = 0; round < ROUNDS; round++)
			for (unsigned int i = 0; i < MINORS; i++)
				*(use(node[i]) ? &opened : &refused) += 1;
	printf("opened=%llu refused=%llu\n", (unsigned long long)opened,
	       (unsigned long long)refused);
	result_ok();
}
