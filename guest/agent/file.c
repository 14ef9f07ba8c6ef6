// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_job_read(struct file_job *job, bool put, struct reader *r)
{
	*job = (struct file_job){ .path = rd_string(r) };
	if (put) {
		job->mode = rd_u32(r);
		job->flags = rd_u8(r);
		job->data = rd_bytes(r, &job->len);
	} else {
		job->offset = rd_u64(r);
		job->max = rd_u32(r);
	}
	return job->path && !r->bad;
}

void file_job_free(struct file_job *job)
{
	free(job->path);
}

static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0755) && errno != EEXIST) {
			*slash = '/';
			return errno;
		}
		*slash = '/';
	}
	return 0;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	/* The first write carries everything: an attribute in sysfs takes it in one piece. */
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_put(void *arg)
{
	const struct file_job *job = arg;
	const int how = job->flags & PUT_APPEND ? O_APPEND : O_TRUNC;
	int failure, fd;

	if (job->flags & PUT_PARENTS) {
		failure = make_parents(job->path);
		if (failure)
			return failure;
	}
	fd = open(job->path, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0644);
	if (fd < 0)
		return errno;
	failure = write_all(fd, job->data, job->len);
	if (!failure && job->mode && fchmod(fd, job->mode))
		failure = errno;
	if (close(fd) && !failure)
		failure = errno;
	return failure;
}

static int copy_out(int fd, size_t left)
{
	static uint8_t chunk[65536];

	while (left) {
		ssize_t n = read(fd, chunk, left < sizeof(chunk) ? left : sizeof(chunk));
		int failure;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : 0;
		failure = write_all(STDOUT_FILENO, chunk, (size_t)n);
		if (failure)
			return failure;
		left -= (size_t)n;
	}
	return 0;
}

int file_get(void *arg)
{
	const struct file_job *job = arg;
	int fd = open(job->path, O_RDONLY | O_CLOEXEC);
	int failure;

	if (fd < 0)
		return errno;
	if (job->offset && lseek(fd, (off_t)job->offset, SEEK_SET) < 0)
		failure = errno;
	else
		failure = copy_out(fd, job->max);
	close(fd);
	return failure;
}
