/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host that talks to us now, the answers on the way to it, and what it waits for. */
#ifndef RIG_AGENT_SESSION_H
#define RIG_AGENT_SESSION_H

#include "frame.h"
#include "proc.h"

/* Frames that wait to be sent to the host. */
extern struct buf outgoing;

/* A host said hello: if it is another one, forget what the last one asked for. */
void session_begin(uint64_t id);
bool session_is(uint64_t id);

/* Queue the answer to request `id`; a body that ran out of memory becomes ENOMEM. */
void reply(uint32_t id, uint16_t op, uint16_t status, const struct buf *body);
void reply_and_free(uint32_t id, uint16_t op, struct buf *body);
/* Answer this request when `p` ends (or says something), or after `timeout` ms. */
void answer_later(struct proc *p, enum waiter_kind kind, const struct frame *f, uint32_t timeout);

/* Answer what can be answered by now, kill what is over its time. */
void procs_tick(void);
/* When procs_tick() has to be called again, ms monotonic, or NO_DEADLINE. */
int64_t procs_deadline(void);

#endif
