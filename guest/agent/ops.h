/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent does with requests; their bodies are documented in rig/guest/wire.py. */
#ifndef RIG_AGENT_OPS_H
#define RIG_AGENT_OPS_H

#include "frame.h"

#define PROTOCOL_VERSION 1u

void handle_frame(void *ctx, const struct frame *frame);

#endif
