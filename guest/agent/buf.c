// SPDX-License-Identifier: GPL-2.0-or-later
#include "buf.h"

#include <stdlib.h>
#include <string.h>

/* Twice a frame: every byte of a frame may have to be escaped. */
#define BUF_MAX (2u * RIG_FRAME_MAX + (1u << 20))
/* An emptied buffer keeps this much memory for the next message. */
#define BUF_KEEP (256u << 10)

bool buf_reserve(struct buf *b, size_t more)
{
	size_t want, cap;
	uint8_t *data;

	if (b->failed)
		return false;
	if (more <= b->cap - b->len)
		return true;
	if (b->pos > b->len / 2) { /* moving what is left pays */
		memmove(b->data, b->data + b->pos, b->len - b->pos);
		b->len -= b->pos;
		b->pos = 0;
		return buf_reserve(b, more);
	}
	if (more > BUF_MAX || b->len + more > BUF_MAX) {
		b->failed = true;
		return false;
	}
	want = b->len + more;
	cap = b->cap ? b->cap : 4096;
	while (cap < want)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (!len || !buf_reserve(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void buf_le(struct buf *b, uint64_t v, unsigned int bytes)
{
	uint8_t raw[8];

	for (unsigned int i = 0; i < bytes; i++)
		raw[i] = (uint8_t)(v >> (8 * i));
	buf_add(b, raw, bytes);
}

void buf_u8(struct buf *b, uint8_t v)
{
	buf_le(b, v, 1);
}

void buf_u16(struct buf *b, uint16_t v)
{
	buf_le(b, v, 2);
}

void buf_u32(struct buf *b, uint32_t v)
{
	buf_le(b, v, 4);
}

void buf_u64(struct buf *b, uint64_t v)
{
	buf_le(b, v, 8);
}

void buf_bytes(struct buf *b, const void *data, size_t len)
{
	if (len > UINT32_MAX) {
		b->failed = true;
		return;
	}
	buf_u32(b, (uint32_t)len);
	buf_add(b, data, len);
}

void buf_consume(struct buf *b, size_t len)
{
	b->pos += len;
	if (b->pos >= b->len)
		buf_clear(b);
}

void buf_clear(struct buf *b)
{
	b->pos = 0;
	b->len = 0;
	b->failed = false;
	if (b->cap > BUF_KEEP)
		buf_free(b);
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

static const uint8_t *rd_take(struct reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->bad || len > r->left) {
		r->bad = true;
		return NULL;
	}
	r->at += len;
	r->left -= len;
	return at;
}

static uint64_t rd_le(struct reader *r, unsigned int bytes)
{
	const uint8_t *at = rd_take(r, bytes);
	uint64_t v = 0;

	for (unsigned int i = 0; at && i < bytes; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

uint8_t rd_u8(struct reader *r)
{
	return (uint8_t)rd_le(r, 1);
}

uint32_t rd_u32(struct reader *r)
{
	return (uint32_t)rd_le(r, 4);
}

uint64_t rd_u64(struct reader *r)
{
	return rd_le(r, 8);
}

const uint8_t *rd_bytes(struct reader *r, size_t *len)
{
	*len = rd_u32(r);
	return rd_take(r, *len);
}

char *rd_string(struct reader *r)
{
	size_t len;
	const uint8_t *at = rd_bytes(r, &len);
	char *copy;

	if (!at || memchr(at, 0, len)) {
		r->bad = true;
		return NULL;
	}
	copy = malloc(len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, at, len);
	copy[len] = 0;
	return copy;
}
