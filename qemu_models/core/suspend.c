/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the suspend buffer of a group.
 *
 * The buffer lies in guest memory (AS0) and outlives slots, resets and power
 * cycles; nobody but the firmware knows its format, so this one is ours (spec 4.7).
 * All of suspend_size is written, zeros behind the blob, so that a buffer which is
 * too small shows. All values are little-endian.
 *
 *   header, 32 bytes                     record, one a started stream, ascending
 *     0  u32 magic "MCSG"                  0  u64 extract, progress, handler_va, heap_va,
 *     4  u32 version (1)                          fault_info, fatal_info
 *     8  u32 size of header and records   48  u32 depth, sb_endpoint, sb_other, error,
 *    12  u32 crc32 of [16, size)                  handler_len, handler_type, resources,
 *    16  u32 mask of streams                      heap_vt_start, heap_vt_end, heap_frag_end,
 *    20  u32 pending CSG events                   prot_left, pending, fault, fatal, stopped, 0
 *    24  u32 registers a stream          112  8 x { u64 pc, u64 end }
 *    28  u32 0                           240  u32 registers
 *
 * Eight streams of 128 registers need 32 + 8 x 752 = 6048 of the default 12288 bytes.
 * What comes back is hostile input (pitfall 31): it is read once, checked, and used
 * only if all of it is in range. Waits are not saved: see cs.c.
 */
#include <string.h>

#include "mali_int.h"

#define MAGIC 0x4753434du
#define VERSION 1u
#define HEADER_SIZE 32u
#define RECORD_SIZE(regs) (240u + 4u * (regs))
#define BLOB_MAX (HEADER_SIZE + MALI_NUM_CS * RECORD_SIZE(MALI_MAX_REGS))
#define CHUNK 1024u

_Static_assert(BLOB_MAX <= 0x3000, "the default suspend_size");

/* ---- CRC-32 as in zlib, by nibbles ---- */

static uint32_t crc32_add(uint32_t crc, const uint8_t *p, size_t len)
{
    static const uint32_t t[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };

    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ t[crc & 15];
        crc = crc >> 4 ^ t[crc & 15];
    }
    return ~crc;
}

/* ---- one description of the layout for both directions ---- */

typedef struct Cursor { uint8_t *p; bool save; } Cursor;

static void field(Cursor *c, uint64_t *v, unsigned size)
{
    uint64_t in = 0;

    for (unsigned i = 0; i < size; i++) {
        if (c->save) {
            c->p[i] = (uint8_t)(*v >> (8 * i));
        }
        in |= (uint64_t)c->p[i] << (8 * i);
    }
    *v = in;
    c->p += size;
}

static void f32(Cursor *c, uint32_t *v)
{
    uint64_t wide = *v;

    field(c, &wide, 4);
    *v = (uint32_t)wide;
}

static void f64(Cursor *c, uint64_t *v)
{
    field(c, v, 8);
}

typedef struct Header { uint32_t magic, version, size, crc, streams, pending, regs, zero; } Header;

static void visit_header(Cursor *c, Header *h)
{
    f32(c, &h->magic);
    f32(c, &h->version);
    f32(c, &h->size);
    f32(c, &h->crc);
    f32(c, &h->streams);
    f32(c, &h->pending);
    f32(c, &h->regs);
    f32(c, &h->zero);
}

static void visit_cs(Cursor *c, MaliCs *s, unsigned regs)
{
    uint64_t *const wide[] = {
        &s->extract, &s->progress, &s->handler_va, &s->heap_va, &s->fault_info, &s->fatal_info,
    };
    uint32_t zero = 0;
    uint32_t *const narrow[] = {
        &s->depth, &s->sb_endpoint, &s->sb_other, &s->error, &s->handler_len, &s->handler_type,
        &s->resources, &s->heap_vt_start, &s->heap_vt_end, &s->heap_frag_end, &s->prot_left,
        &s->pending, &s->fault, &s->fatal, &s->stopped, &zero,
    };

    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        f64(c, wide[i]);
    }
    for (size_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
        f32(c, narrow[i]);
    }
    for (unsigned i = 0; i < MALI_MAX_FRAMES; i++) {
        f64(c, &s->frame[i].pc);
        f64(c, &s->frame[i].end);
    }
    for (unsigned i = 0; i < regs; i++) {
        f32(c, &s->reg[i]);
    }
}

/* ---- ranges; also what a loaded snapshot must satisfy ---- */

static bool frames_valid(const MaliCs *s)
{
    if (s->depth >= MALI_MAX_FRAMES) {
        return false;
    }
    for (unsigned i = 0; i < s->depth; i++) {
        const MaliFrame *f = &s->frame[i];
        bool top = i == s->depth - 1;

        /* A caller may stand at its end; the active frame would have returned. */
        if ((f->pc & 7) || f->pc > f->end || (top && f->pc == f->end)) {
            return false;
        }
    }
    return true;
}

static bool cs_valid(const MaliCs *s)
{
    return frames_valid(s) && !(s->extract & 7) && s->sb_endpoint < 16 && s->sb_other < 16 &&
           s->stopped <= 1 && !(s->pending & ~CS_EVT_MASK);
}

static bool binding_valid(const MaliCs *s)
{
    return s->ring_size >= 64 && !(s->ring_size & (s->ring_size - 1)) && !(s->ring_base & 7) &&
           s->insert >= s->extract && s->wait < MALI_WAIT_COUNT &&
           (s->wait != MALI_WAIT_FAULT || s->wait_cond <= MALI_ACC_WRITE) &&
           s->credit_ns < MALI_NEVER / 2;
}

bool mali_csg_valid(const MaliState *s)
{
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        const MaliCsg *c = &s->csg[i];

        if (c->as >= MALI_NUM_AS || (c->pending & ~CSG_EVT_MASK)) {
            return false;
        }
        for (unsigned j = 0; j < MALI_NUM_CS; j++) {
            if (!cs_valid(&c->cs[j]) || (c->cs[j].started && !binding_valid(&c->cs[j]))) {
                return false;
            }
        }
    }
    return true;
}

/* ---- save ---- */

static bool write_zeros(MaliGpu *g, uint64_t va, uint32_t len, uint32_t *crc)
{
    static const uint8_t zero[CHUNK];

    while (len) {
        uint32_t n = len < CHUNK ? len : CHUNK;

        if (!mali_mcu_write(g, va, zero, n)) {
            return false;
        }
        *crc = crc32_add(*crc, zero, n);
        va += n;
        len -= n;
    }
    return true;
}

bool mali_csg_save(MaliGpu *g, unsigned csg, MaliBlob *info)
{
    MaliCsg *c = &g->s.csg[csg];
    Header h = { MAGIC, VERSION, HEADER_SIZE, 0, 0, c->pending & ~CSG_IDLE, g->row->cs_regs, 0 };
    uint8_t blob[BLOB_MAX];
    Cursor cur = { blob + HEADER_SIZE, true };

    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (c->cs[j].started) {
            visit_cs(&cur, &c->cs[j], h.regs);
            h.streams |= MALI_BIT(j);
        }
    }
    h.size = (uint32_t)(cur.p - blob);
    cur.p = blob;
    visit_header(&cur, &h);
    h.crc = crc32_add(0, blob + 16, h.size - 16);
    cur.p = blob;
    visit_header(&cur, &h);
    if (h.size > g->s.iface.suspend_size || !mali_mcu_write(g, c->suspend_va, blob, h.size)) {
        return false;
    }
    info->streams = h.streams;
    info->bytes = g->s.iface.suspend_size;
    info->crc = crc32_add(0, blob, h.size);
    return write_zeros(g, c->suspend_va + h.size, g->s.iface.suspend_size - h.size, &info->crc);
}

/* ---- restore ---- */

/* The buffer as it is now: its first bytes to @blob, the checksum over all of it. */
static bool read_buffer(MaliGpu *g, uint64_t va, uint8_t *blob, uint32_t len, uint32_t *crc)
{
    uint8_t rest[CHUNK];

    if (!mali_mcu_read(g, va, blob, len)) {
        return false;
    }
    *crc = crc32_add(0, blob, len);
    for (uint32_t done = len; done < g->s.iface.suspend_size;) {
        uint32_t left = g->s.iface.suspend_size - done, n = left < CHUNK ? left : CHUNK;

        if (!mali_mcu_read(g, va + done, rest, n)) {
            return false;
        }
        *crc = crc32_add(*crc, rest, n);
        done += n;
    }
    return true;
}

static unsigned count_bits(uint32_t v)
{
    unsigned n = 0;

    for (; v; v &= v - 1) {
        n++;
    }
    return n;
}

static bool header_valid(const MaliGpu *g, const Header *h, const uint8_t *blob, uint32_t have)
{
    return h->magic == MAGIC && h->version == VERSION && h->regs == g->row->cs_regs &&
           !(h->pending & ~(CSG_EVT_MASK & ~CSG_IDLE)) && h->streams < MALI_BIT(MALI_NUM_CS) &&
           h->size == HEADER_SIZE + count_bits(h->streams) * RECORD_SIZE(h->regs) &&
           h->size <= have && h->crc == crc32_add(0, blob + 16, h->size - 16);
}

bool mali_csg_restore(MaliGpu *g, unsigned csg, MaliBlob *info)
{
    uint32_t have = g->s.iface.suspend_size < BLOB_MAX ? g->s.iface.suspend_size : BLOB_MAX;
    MaliCsg *c = &g->s.csg[csg];
    uint8_t blob[BLOB_MAX];
    MaliCs cs[MALI_NUM_CS];
    Cursor cur = { blob, false };
    Header h = { 0 };

    if (have < HEADER_SIZE || !read_buffer(g, c->suspend_va, blob, have, &info->crc)) {
        return false;
    }
    info->bytes = g->s.iface.suspend_size;
    visit_header(&cur, &h);
    if (!header_valid(g, &h, blob, have)) {
        return false;
    }
    memset(cs, 0, sizeof(cs));
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (h.streams & MALI_BIT(j)) {
            visit_cs(&cur, &cs[j], h.regs);
            if (!cs_valid(&cs[j])) {
                return false;
            }
            /* The host has not even been told of this fault. */
            cs[j].wait = cs[j].pending & CS_FAULT ? MALI_WAIT_FAULT_ACK : MALI_WAIT_NONE;
        }
    }
    memcpy(c->cs, cs, sizeof(cs));
    c->pending = h.pending;
    info->streams = h.streams;
    return true;
}
