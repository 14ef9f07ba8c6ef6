/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent does with requests. Reply bodies are documented in rig/guest/wire.py. */
#ifndef RIG_AGENT_OPS_H
#define RIG_AGENT_OPS_H

#include "frame.h"

#define PROTOCOL_VERSION 1u

/* Frames that wait to be sent to the host. */
extern struct buf outgoing;

void handle_frame(void *ctx, const struct frame *frame);
/* Answer what can be answered by now, kill what is over its time. */
void procs_tick(void);
/* When procs_tick() has to be called again, ms monotonic, or NO_DEADLINE. */
int64_t procs_deadline(void);

#endif
