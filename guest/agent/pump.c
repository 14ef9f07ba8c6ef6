// SPDX-License-Identifier: GPL-2.0-or-later
/* The bytes between a child's pipes, our buffers and a report. */
#include <errno.h>
#include <unistd.h>

#include "proc.h"

/* Reads from one pipe before the others get their turn (a child may write for ever). */
#define PUMP_TURNS 32

void proc_close_stdin(struct proc *p)
{
	p->in_close = true;
	if (!buf_left(&p->in))
		close_fd(&p->in_fd);
}

size_t proc_poll_fill(struct proc *p, struct pollfd *fds)
{
	size_t n = 0;

	if (p->in_fd >= 0 && buf_left(&p->in))
		fds[n++] = (struct pollfd){ .fd = p->in_fd, .events = POLLOUT };
	if (p->out.fd >= 0)
		fds[n++] = (struct pollfd){ .fd = p->out.fd, .events = POLLIN };
	if (p->err.fd >= 0)
		fds[n++] = (struct pollfd){ .fd = p->err.fd, .events = POLLIN };
	return n;
}

static void pump_in(struct proc *p)
{
	while (p->in_fd >= 0 && buf_left(&p->in)) {
		ssize_t n = write(p->in_fd, buf_head(&p->in), buf_left(&p->in));

		if (n > 0) {
			buf_consume(&p->in, (size_t)n);
		} else if (errno != EINTR) {
			if (errno == EAGAIN)
				return;
			buf_clear(&p->in); /* EPIPE: nobody reads it */
			close_fd(&p->in_fd);
		}
	}
	if (p->in_close)
		close_fd(&p->in_fd);
}

static void keep_output(struct stream *s, const uint8_t *data, size_t len)
{
	size_t room = STREAM_MAX - s->data.len;

	if (len > room) {
		len = room;
		s->cut = true;
	}
	buf_add(&s->data, data, len);
	if (s->data.failed) {
		s->data.failed = false;
		s->cut = true;
	}
}

static void pump_out(struct stream *s)
{
	static uint8_t chunk[65536];

	for (int turn = 0; s->fd >= 0 && turn < PUMP_TURNS; turn++) {
		ssize_t n = read(s->fd, chunk, sizeof(chunk));

		if (n > 0)
			keep_output(s, chunk, (size_t)n);
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN)
			return;
		else
			close_fd(&s->fd);
	}
}

void proc_pump(struct proc *p)
{
	pump_in(p);
	pump_out(&p->out);
	pump_out(&p->err);
}

static void report_stream(const struct stream *s, uint64_t from, struct buf *body)
{
	size_t left = from < s->data.len ? s->data.len - (size_t)from : 0;

	buf_bytes(body, left ? s->data.data + from : NULL, left);
}

void proc_report(const struct proc *p, bool timed_out, uint64_t out_from, uint64_t err_from,
		 struct buf *body)
{
	uint8_t flags = timed_out ? REPORT_TIMED_OUT : 0;

	if (p->out.cut)
		flags |= REPORT_STDOUT_CUT;
	if (p->err.cut)
		flags |= REPORT_STDERR_CUT;
	buf_u8(body, (uint8_t)p->state);
	buf_u8(body, flags);
	buf_u32(body, (uint32_t)p->code);
	report_stream(&p->out, out_from, body);
	report_stream(&p->err, err_from, body);
}
