// SPDX-License-Identifier: GPL-2.0-or-later
#include "session.h"

#include <errno.h>
#include <signal.h>

/* How long a killed process group may take to die before the reply says "stuck". */
#define KILL_GRACE_MS 1000

struct buf outgoing;
static uint64_t session; /* 0: no host has said hello yet */

bool session_is(uint64_t id)
{
	return id && id == session;
}

void reply(uint32_t id, uint16_t op, uint16_t status, const struct buf *body)
{
	const bool lost = body && body->failed;
	const size_t len = body && !lost ? body->len : 0;

	if (lost)
		status = ENOMEM;
	if (!frame_write(&outgoing, session, id, op | OP_REPLY, status, len ? body->data : NULL,
			 len))
		frame_write(&outgoing, session, id, op | OP_REPLY, ENOMEM, NULL, 0);
}

void reply_and_free(uint32_t id, uint16_t op, struct buf *body)
{
	reply(id, op, 0, body);
	buf_free(body);
}

void session_begin(uint64_t id)
{
	if (id == session)
		return;
	session = id;
	buf_clear(&outgoing);
	for (struct proc *p = procs; p; p = p->next) {
		p->waiter.kind = WAIT_NONE;
		if (p->foreground)
			proc_signal(p, SIGKILL);
	}
}

static int64_t deadline_after(uint32_t ms)
{
	return ms == UINT32_MAX ? NO_DEADLINE : now_ms() + ms;
}

void answer_later(struct proc *p, enum waiter_kind kind, const struct frame *f, uint32_t timeout)
{
	p->waiter = (struct waiter){
		.kind = kind,
		.request = f->id,
		.op = f->op,
		.deadline = deadline_after(timeout),
	};
}

static void answer(struct proc *p, bool timed_out)
{
	const struct waiter w = p->waiter;
	struct buf body = { 0 };

	p->waiter.kind = WAIT_NONE;
	proc_report(p, timed_out, w.out_seen, w.err_seen, &body);
	reply_and_free(w.request, w.op, &body);
}

static bool has_news(const struct proc *p)
{
	const struct waiter *w = &p->waiter;

	if (!p->pid)
		return true;
	return w->kind == WAIT_OUTPUT &&
	       (p->out.data.len > w->out_seen || p->err.data.len > w->err_seen);
}

/* The deadline of a waiter has passed; true when it is to be answered now. */
static bool give_up(struct proc *p, int64_t now)
{
	if (!p->foreground)
		return true;
	if (!p->killed) {
		proc_signal(p, SIGKILL);
		p->killed = true;
		p->waiter.deadline = now + KILL_GRACE_MS;
		return false;
	}
	p->state = PROC_STUCK;
	return true;
}

static void tick_one(struct proc *p, int64_t now)
{
	if (p->waiter.kind == WAIT_NONE) {
		if (p->foreground && !p->pid)
			proc_free(p); /* its host has gone */
	} else if (has_news(p)) {
		answer(p, p->killed);
		if (p->foreground)
			proc_free(p);
	} else if (now >= p->waiter.deadline && give_up(p, now)) {
		answer(p, true);
		if (p->foreground)
			proc_free(p); /* when it dies after all, procs_reap() takes it */
	}
}

void procs_tick(void)
{
	const int64_t now = now_ms();
	struct proc *next;

	for (struct proc *p = procs; p; p = next) {
		next = p->next;
		tick_one(p, now);
	}
}

int64_t procs_deadline(void)
{
	int64_t first = NO_DEADLINE;

	for (struct proc *p = procs; p; p = p->next)
		if (p->waiter.kind != WAIT_NONE && p->waiter.deadline < first)
			first = p->waiter.deadline;
	return first;
}
