/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growable byte buffers and bounds-checked readers.
 *
 * A buffer that runs out of memory (or over its limit) turns `failed` and stays
 * as it was: the caller checks once, at the end, and answers ENOMEM.
 */
#ifndef RIG_AGENT_BUF_H
#define RIG_AGENT_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest frame either side may send, bytes before escaping. */
#define RIG_FRAME_MAX (64u << 20)

struct buf {
	uint8_t *data;
	size_t pos; /* of a queue: bytes before this one are consumed */
	size_t len;
	size_t cap;
	bool failed;
};

/* A buffer used as a queue: bytes that are still to go, and where they are. */
static inline size_t buf_left(const struct buf *b)
{
	return b->len - b->pos;
}

static inline const uint8_t *buf_head(const struct buf *b)
{
	return b->data + b->pos;
}

/* Make room for `more` bytes behind the content; false when that is impossible. */
bool buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
/* A byte string: u32 length, then the bytes. */
void buf_bytes(struct buf *b, const void *data, size_t len);
/* A queue: the next `len` bytes are done. */
void buf_consume(struct buf *b, size_t len);
/* Forget everything; big allocations are given back. */
void buf_clear(struct buf *b);
void buf_free(struct buf *b);

struct reader {
	const uint8_t *at;
	size_t left;
	bool bad; /* something did not fit: the request is malformed */
};

uint8_t rd_u8(struct reader *r);
uint32_t rd_u32(struct reader *r);
uint64_t rd_u64(struct reader *r);
/* A byte string; the pointer is into the frame. */
const uint8_t *rd_bytes(struct reader *r, size_t *len);
/* A byte string without NUL bytes, copied and terminated; NULL when bad or out of memory. */
char *rd_string(struct reader *r);

#endif
