// SPDX-License-Identifier: GPL-2.0-or-later
#include "frame.h"

#include <string.h>

enum { END = 0xc0, ESC = 0xdb, ESC_END = 0xdc, ESC_ESC = 0xdd };

static void frame_done(struct deframer *d, frame_fn *fn, void *ctx)
{
	struct reader r = { d->raw.data, d->raw.len, false };
	struct frame f;
	uint32_t ops, length;

	if (d->broken || d->escaped || d->raw.failed || d->raw.len < FRAME_HEADER)
		return;
	f.session = rd_u64(&r);
	f.id = rd_u32(&r);
	ops = rd_u32(&r);
	f.op = (uint16_t)ops;
	f.status = (uint16_t)(ops >> 16);
	length = rd_u32(&r);
	if (length != r.left)
		return;
	f.body = r;
	fn(ctx, &f);
}

void deframer_reset(struct deframer *d)
{
	buf_clear(&d->raw);
	d->escaped = false;
	d->broken = false;
}

/* The longest run of bytes without END and ESC. */
static size_t plain_run(const uint8_t *data, size_t len)
{
	size_t n = 0;

	while (n < len && data[n] != END && data[n] != ESC)
		n++;
	return n;
}

static void add_plain(struct deframer *d, const uint8_t *data, size_t len)
{
	if (d->broken)
		return;
	if (d->raw.len + len > RIG_FRAME_MAX + FRAME_HEADER) {
		d->broken = true;
		buf_clear(&d->raw);
		return;
	}
	buf_add(&d->raw, data, len);
}

static void end_escape(struct deframer *d, uint8_t byte)
{
	const uint8_t plain = byte == ESC_END ? END : ESC;

	d->escaped = false;
	if (byte == ESC_END || byte == ESC_ESC)
		add_plain(d, &plain, 1);
	else
		d->broken = true;
}

void deframer_feed(struct deframer *d, const uint8_t *data, size_t len, frame_fn *fn, void *ctx)
{
	while (len) {
		size_t n = 1;

		if (*data == END) {
			frame_done(d, fn, ctx);
			deframer_reset(d);
		} else if (d->escaped) {
			end_escape(d, *data);
		} else if (*data == ESC) {
			d->escaped = true;
		} else {
			n = plain_run(data, len);
			add_plain(d, data, n);
		}
		data += n;
		len -= n;
	}
}

static void add_escaped(struct buf *out, const uint8_t *data, size_t len)
{
	static const uint8_t esc_end[] = { ESC, ESC_END }, esc_esc[] = { ESC, ESC_ESC };

	while (len) {
		size_t n = plain_run(data, len);

		buf_add(out, data, n);
		if (n < len) {
			buf_add(out, data[n] == END ? esc_end : esc_esc, 2);
			n++;
		}
		data += n;
		len -= n;
	}
}

bool frame_write(struct buf *out, uint64_t session, uint32_t id, uint16_t op, uint16_t status,
		 const void *body, size_t len)
{
	const size_t before = out->len;
	struct buf header = { 0 };

	buf_u64(&header, session);
	buf_u32(&header, id);
	buf_u16(&header, op);
	buf_u16(&header, status);
	buf_u32(&header, (uint32_t)len);
	buf_u8(out, END);
	add_escaped(out, header.data, header.len);
	add_escaped(out, body, len);
	buf_u8(out, END);
	out->failed = out->failed || header.failed || len > RIG_FRAME_MAX;
	buf_free(&header);
	if (!out->failed)
		return true;
	out->len = before;
	out->failed = false;
	return false;
}
