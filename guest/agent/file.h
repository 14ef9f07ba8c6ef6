/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing guest files for the host; both run in a child process. */
#ifndef RIG_AGENT_FILE_H
#define RIG_AGENT_FILE_H

#include "buf.h"

enum { PUT_APPEND = 1, PUT_PARENTS = 2 };

struct file_job {
	char *path;
	/* put */
	uint32_t mode; /* permission bits, or 0 to leave them as they are */
	uint8_t flags;
	const uint8_t *data; /* points into the request */
	size_t len;
	/* get */
	uint64_t offset;
	uint32_t max;
};

/* Parse a request; false when it is malformed (then r->bad) or memory is out. */
bool file_job_read(struct file_job *job, bool put, struct reader *r);
void file_job_free(struct file_job *job);

/* Both return 0 or an errno; get writes what it read to stdout. */
int file_put(void *job);
int file_get(void *job);

#endif
