// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "ops.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "proc.h"
#include "session.h"

#define MAX_STRINGS 4096u

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void free_strings(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
}

/* A counted list of strings, NULL at its end; NULL when malformed or out of memory. */
static char **read_strings(struct reader *r)
{
	const uint32_t count = rd_u32(r);
	char **strings;

	if (r->bad || count > MAX_STRINGS) {
		r->bad = true;
		return NULL;
	}
	strings = calloc(count + 1, sizeof(*strings));
	for (uint32_t i = 0; strings && i < count; i++) {
		strings[i] = rd_string(r);
		if (!strings[i]) {
			free_strings(strings);
			return NULL;
		}
	}
	return strings;
}

static struct proc *start_program(struct reader *r)
{
	char **argv = read_strings(r);
	char **env = argv ? read_strings(r) : NULL;
	size_t len = 0;
	const uint8_t *in = env ? rd_bytes(r, &len) : NULL;
	struct proc *p = NULL;

	errno = r->bad ? EINVAL : ENOMEM;
	if (in && !argv[0])
		errno = EINVAL;
	else if (in)
		p = proc_start(argv, env, NULL, NULL);
	if (p)
		buf_add(&p->in, in, len);
	free_strings(argv);
	free_strings(env);
	return p;
}

static void op_hello(const struct frame *f)
{
	struct buf body = { 0 };

	session_begin(f->session);
	buf_u32(&body, PROTOCOL_VERSION);
	buf_u32(&body, (uint32_t)getpid());
	buf_u64(&body, clock_ns(CLOCK_BOOTTIME));
	reply_and_free(f->id, f->op, &body);
}

static int op_run(struct frame *f)
{
	const uint32_t timeout = rd_u32(&f->body);
	struct proc *p = start_program(&f->body);

	if (!p)
		return errno;
	p->foreground = true;
	proc_close_stdin(p);
	answer_later(p, WAIT_EXIT, f, timeout);
	return 0;
}

static int op_spawn(struct frame *f)
{
	struct proc *p = start_program(&f->body);
	struct buf body = { 0 };

	if (!p)
		return errno;
	buf_u32(&body, p->id);
	buf_u32(&body, (uint32_t)p->pid);
	reply_and_free(f->id, f->op, &body);
	return 0;
}

static int op_wait(struct frame *f)
{
	struct proc *p = proc_find(rd_u32(&f->body));
	const uint32_t timeout = rd_u32(&f->body);
	const bool output = rd_u8(&f->body);

	if (f->body.bad)
		return EINVAL;
	if (!p || p->foreground)
		return ESRCH;
	if (p->waiter.kind != WAIT_NONE)
		return EBUSY;
	answer_later(p, output ? WAIT_OUTPUT : WAIT_EXIT, f, timeout);
	p->waiter.out_seen = rd_u64(&f->body);
	p->waiter.err_seen = rd_u64(&f->body);
	return 0;
}

static int op_kill(struct frame *f)
{
	struct proc *p = proc_find(rd_u32(&f->body));
	const uint32_t sig = rd_u32(&f->body);
	int failure;

	if (f->body.bad || sig >= NSIG)
		return EINVAL;
	failure = p ? proc_signal(p, (int)sig) : ESRCH;
	if (!failure)
		reply(f->id, f->op, 0, NULL);
	return failure;
}

static int op_stdin(struct frame *f)
{
	struct proc *p = proc_find(rd_u32(&f->body));
	const bool close_it = rd_u8(&f->body);
	size_t len;
	const uint8_t *data = rd_bytes(&f->body, &len);

	if (!data)
		return EINVAL;
	if (!p)
		return ESRCH;
	if (len && p->in_fd < 0)
		return EPIPE;
	buf_add(&p->in, data, len);
	if (p->in.failed) {
		p->in.failed = false;
		return ENOMEM;
	}
	if (close_it)
		proc_close_stdin(p);
	reply(f->id, f->op, 0, NULL);
	return 0;
}

static int op_release(struct frame *f)
{
	struct proc *p = proc_find(rd_u32(&f->body));

	if (!p)
		return ESRCH;
	if (p->pid)
		return EBUSY;
	proc_free(p);
	reply(f->id, f->op, 0, NULL);
	return 0;
}

static int op_file(struct frame *f)
{
	const uint32_t timeout = rd_u32(&f->body);
	struct file_job job;
	char *argv[] = { NULL, NULL };
	struct proc *p;
	int failure;

	if (!file_job_read(&job, f->op == OP_PUT, &f->body)) {
		file_job_free(&job);
		return f->body.bad ? EINVAL : ENOMEM;
	}
	argv[0] = job.path;
	p = proc_start(argv, NULL, f->op == OP_PUT ? file_put : file_get, &job);
	failure = errno;
	file_job_free(&job);
	if (!p)
		return failure;
	p->foreground = true;
	proc_close_stdin(p);
	answer_later(p, WAIT_EXIT, f, timeout);
	return 0;
}

static void op_uptime(const struct frame *f)
{
	struct buf body = { 0 };

	buf_u64(&body, clock_ns(CLOCK_BOOTTIME));
	buf_u64(&body, clock_ns(CLOCK_MONOTONIC));
	buf_u64(&body, clock_ns(CLOCK_REALTIME));
	reply_and_free(f->id, f->op, &body);
}

static void op_list(const struct frame *f)
{
	struct buf body = { 0 };
	uint32_t count = 0;

	for (struct proc *p = procs; p; p = p->next)
		count += !p->foreground;
	buf_u32(&body, count);
	for (struct proc *p = procs; p; p = p->next) {
		if (p->foreground)
			continue;
		buf_u32(&body, p->id);
		buf_u32(&body, (uint32_t)p->pid);
		buf_bytes(&body, p->name, strlen(p->name));
	}
	reply_and_free(f->id, f->op, &body);
}

static int dispatch(struct frame *f)
{
	switch (f->op) {
	case OP_RUN:
		return op_run(f);
	case OP_SPAWN:
		return op_spawn(f);
	case OP_WAIT:
		return op_wait(f);
	case OP_KILL:
		return op_kill(f);
	case OP_STDIN:
		return op_stdin(f);
	case OP_RELEASE:
		return op_release(f);
	case OP_PUT:
	case OP_GET:
		return op_file(f);
	case OP_UPTIME:
		op_uptime(f);
		return 0;
	case OP_LIST:
		op_list(f);
		return 0;
	default:
		return EOPNOTSUPP;
	}
}

void handle_frame(void *ctx, const struct frame *frame)
{
	struct frame f = *frame;
	int failure;

	(void)ctx;
	if (f.op == OP_HELLO) {
		op_hello(&f);
		return;
	}
	if (!session_is(f.session))
		return; /* a host that is gone sent this */
	failure = dispatch(&f);
	if (failure)
		reply(f.id, f.op, (uint16_t)failure, NULL);
}
