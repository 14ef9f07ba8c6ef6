// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rig-resume REALTIME_NS < SEED + FILES: makes a guest restored from a snapshot this run's own.
 *
 * Sets the clock, which stood still since the snapshot was taken; mixes 32 bytes of
 * the host's randomness into the kernel's generator, whose state all guests of one
 * snapshot share (ioctls in the kernel's drivers/char/random.c); writes files.
 * FILES, to the end of stdin: path length, mode, size (32 bits each, little endian),
 * then the path and the content. Folders are made as needed.
 */
#include "rig_client.h"

#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#define SEED_BYTES 32
#define CHUNK	   65536u

struct head {
	uint32_t path_len, mode, size;
};

static char path[4096];

static void set_clock(const char *text)
{
	struct timespec t;
	char *end;
	long long ns;

	errno = 0;
	ns = strtoll(text, &end, 10);
	if (errno || end == text || *end || ns < 0)
		result_fail("clock", "not a number");
	t.tv_sec = ns / 1000000000;
	t.tv_nsec = ns % 1000000000;
	if (clock_settime(CLOCK_REALTIME, &t))
		result_errno("clock");
}

static void reseed(void)
{
	struct {
		struct rand_pool_info info;
		unsigned char bytes[SEED_BYTES];
	} seed = { .info = { .entropy_count = SEED_BYTES * 8, .buf_size = SEED_BYTES } };
	int fd;

	if (fread(seed.bytes, SEED_BYTES, 1, stdin) != 1)
		result_fail("seed", "short");
	fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed) || ioctl(fd, RNDRESEEDCRNG))
		result_errno("seed");
	close(fd);
}

static void make_folders(void)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0755) && errno != EEXIST)
			result_errno(path);
		*slash = '/';
	}
}

static void write_content(int fd, uint32_t left)
{
	static char chunk[CHUNK];

	while (left) {
		size_t want = left < CHUNK ? left : CHUNK;

		if (fread(chunk, want, 1, stdin) != 1)
			result_fail(path, "short");
		for (size_t done = 0; done < want;) {
			ssize_t n = write(fd, chunk + done, want - done);

			if (n < 0)
				result_errno(path);
			done += (size_t)n;
		}
		left -= (uint32_t)want;
	}
}

static bool next_file(void)
{
	struct head head;
	size_t n = fread(&head, 1, sizeof(head), stdin);
	int fd;

	if (!n && feof(stdin))
		return false;
	if (n != sizeof(head) || !head.path_len || head.path_len >= sizeof(path) ||
	    fread(path, head.path_len, 1, stdin) != 1 || path[0] != '/')
		result_fail("head", "damaged");
	path[head.path_len] = 0;
	make_folders();
	unlink(path); /* a program that runs keeps its old file */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		result_errno(path);
	write_content(fd, head.size);
	if (fchmod(fd, head.mode) || close(fd))
		result_errno(path);
	return true;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: rig-resume REALTIME_NS < SEED + FILES\n", stderr);
		return 2;
	}
	set_clock(argv[1]);
	reseed();
	while (next_file())
		;
	result_ok();
}
