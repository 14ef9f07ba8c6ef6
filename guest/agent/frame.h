/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framing on the byte stream between host and agent (rig/guest/wire.py is the other end).
 *
 * A frame is END, the escaped bytes, END (SLIP, RFC 1055). END never occurs
 * inside a frame, so a reader is in step again at the next END whatever came
 * before: half a frame of a host that vanished, or plain garbage. What the
 * bytes are: header (session u64, id u32, op u16, status u16, length u32; all
 * little endian), then `length` bytes. A frame whose length is not exactly
 * that is dropped.
 */
#ifndef RIG_AGENT_FRAME_H
#define RIG_AGENT_FRAME_H

#include "buf.h"

#define FRAME_HEADER 20u

enum op {
	OP_HELLO = 1,
	OP_RUN = 2,
	OP_SPAWN = 3,
	OP_WAIT = 4,
	OP_KILL = 5,
	OP_STDIN = 6,
	OP_RELEASE = 7,
	OP_PUT = 8,
	OP_GET = 9,
	OP_UPTIME = 10,
	OP_LIST = 11,
};

#define OP_REPLY 0x8000u

struct frame {
	uint64_t session;
	uint32_t id;
	uint16_t op;
	uint16_t status; /* replies: 0 or an errno */
	struct reader body;
};

/* The receiving half: bytes in, frames out. */
struct deframer {
	struct buf raw; /* unescaped bytes of the frame under way */
	bool escaped;	/* the last byte was ESC */
	bool broken;	/* bad escape or too long: drop everything up to the next END */
};

typedef void frame_fn(void *ctx, const struct frame *frame);

/* Feed received bytes; `fn` is called for each whole, well-formed frame. */
void deframer_feed(struct deframer *d, const uint8_t *data, size_t len, frame_fn *fn, void *ctx);
void deframer_reset(struct deframer *d);

/* Append one frame to `out`. Nothing is appended (and false returned) when memory runs out. */
bool frame_write(struct buf *out, uint64_t session, uint32_t id, uint16_t op, uint16_t status,
		 const void *body, size_t len);

#endif
