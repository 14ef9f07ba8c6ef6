/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the suspend buffer of a group.
 *
 * The buffer lies in guest memory (AS0) and outlives slots, resets and power
 * cycles; nobody but the firmware knows its format, so this one is ours (spec 4.7).
 * All of suspend_size is written, zeros behind the blob, so that a buffer which is
 * too small shows. All values are little-endian. The events csg-suspend and
 * csg-resume tell the size and the crc32 of the header.
 *
 *   header, 32 bytes                     record, one a started stream, ascending
 *     0  u32 magic "MCSG"                  0  u64 extract, progress, handler_va, heap_va,
 *     4  u32 version (3)                          fault_info, fatal_info
 *     8  u32 size of header and records   48  u32 depth, sb_endpoint, sb_other, error,
 *    12  u32 crc32 of [16, size)                  handler_len, handler_type, resources,
 *    16  u32 mask of streams                      heap_vt_start, heap_vt_end, heap_frag_end,
 *    20  u32 pending CSG events                   prot_left, pending, fault, fatal, stopped,
 *    24  u32 registers a stream                   prot_saved
 *    28  u32 0                           112  8 x { u64 pc, u64 end }
 *                                        240  u32 registers, then sb_deferred, sb_mask_stream,
 *                                             sb_mask_wait, oom | number deferred << 8;
 *                                             u64 run_since, 16 x sb_ready, 8 x { u64 word,
 *                                             addr, data, ready, slot }: times from now on
 *
 * Eight streams of 128 registers need 32 + 8 x 1224 = 9824 of the default 12288 bytes.
 * The protected suspend buffer has the same format with magic "MCSP" and holds only the
 * streams that are in the middle of a PROT_REGION; it is touched in protected mode only.
 * What comes back is hostile input (pitfall 31): it is read once, checked, and used
 * only if all of it is in range. Waits are not saved: see cs.c.
 */
#include <string.h>

#include "fwimage.h"
#include "mali_int.h"

#define MAGIC             0x4753434du
#define MAGIC_PROTECTED   0x5053434du
#define VERSION           3u
#define HEADER_SIZE       32u
#define TAIL_SIZE         (8u * (MALI_MAX_SB + 1) + 40u * MALI_MAX_DEFERRED)
#define RECORD_SIZE(regs) (256u + 4u * (regs) + TAIL_SIZE)
#define BLOB_MAX          (HEADER_SIZE + MALI_NUM_CS * RECORD_SIZE(MALI_MAX_REGS))
#define CRC_FROM          16u /* what lies before it is checked word by word */
#define CHUNK             1024u

_Static_assert(BLOB_MAX <= 0x3000, "the default suspend_size");

/* ---- one description of the layout for both directions ---- */

typedef struct Cursor {
    uint8_t *p;
    bool save;
    uint64_t now; /* virtual ns */
} Cursor;

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

typedef struct Header {
    uint32_t magic, version, size, crc, streams, pending, regs, zero;
} Header;

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

/* Points in time are as far from now in the buffer as in the device; 0 and NEVER are not times. */
static void f_time(Cursor *c, uint64_t *v)
{
    uint64_t t = *v;

    if (c->save && t && t != MALI_NEVER) {
        t = t > c->now ? t - c->now : 1;
    }
    field(c, &t, 8);
    if (!c->save) {
        *v = t && t < MALI_NEVER - c->now ? t + c->now : t;
    }
}

static void visit_scoreboards(Cursor *c, MaliCs *s)
{
    f_time(c, &s->run_since);
    for (unsigned i = 0; i < MALI_MAX_SB; i++) {
        f_time(c, &s->sb_ready[i]);
    }
    for (unsigned i = 0; i < MALI_MAX_DEFERRED; i++) {
        MaliDeferred *d = &s->deferred[i];
        uint64_t slot = d->slot;

        f64(c, &d->word);
        f64(c, &d->addr);
        f64(c, &d->data);
        f_time(c, &d->ready);
        f64(c, &slot);
        d->slot = (uint32_t)slot;
    }
    s->outstanding |= !c->save; /* looked at in the first slice */
}

static void visit_cs(Cursor *c, MaliCs *s, unsigned regs)
{
    uint64_t *const wide[] = {
        &s->extract, &s->progress, &s->handler_va, &s->heap_va, &s->fault_info, &s->fatal_info,
    };
    uint32_t later = s->oom | s->num_deferred << 8;
    uint32_t *const narrow[] = {
        &s->depth,       &s->sb_endpoint,   &s->sb_other,  &s->error,
        &s->handler_len, &s->handler_type,  &s->resources, &s->heap_vt_start,
        &s->heap_vt_end, &s->heap_frag_end, &s->prot_left, &s->pending,
        &s->fault,       &s->fatal,         &s->stopped,   &s->prot_saved,
    };
    uint32_t *const late[] = { &s->sb_deferred, &s->sb_mask_stream, &s->sb_mask_wait, &later };

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
    for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
        f32(c, late[i]);
    }
    s->oom = later & 0xff;
    s->num_deferred = later >> 8;
    visit_scoreboards(c, s);
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

static bool deferred_valid(const MaliCs *s)
{
    if (s->num_deferred > MALI_MAX_DEFERRED || s->oom >= MALI_OOM_COUNT) {
        return false;
    }
    for (unsigned i = 0; i < s->num_deferred; i++) {
        if (s->deferred[i].slot >= MALI_MAX_SB) {
            return false;
        }
    }
    return true;
}

static bool cs_valid(const MaliCs *s)
{
    return deferred_valid(s) && frames_valid(s) && !(s->extract & 7) && s->sb_endpoint < 16 &&
           s->sb_other < 16 && s->sb_deferred < 16 && s->stopped <= 1 && s->prot_saved <= 1 &&
           s->prot_left <= 0xffff && !(s->pending & ~CS_EVT_MASK);
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

/* Which of the two buffers. */
typedef struct Space {
    uint64_t va;
    uint32_t size, magic;
    MaliMaster master;
} Space;

static Space normal_space(const MaliGpu *g, unsigned csg)
{
    return (Space){ g->s.csg[csg].suspend_va, g->s.iface.suspend_size, MAGIC, MALI_MASTER_NORMAL };
}

static Space protected_space(const MaliGpu *g, unsigned csg)
{
    return (Space){ g->s.csg[csg].protm_suspend_va, g->s.iface.protm_suspend_size, MAGIC_PROTECTED,
                    MALI_MASTER_PROTECTED };
}

static bool write_zeros(MaliGpu *g, MaliMaster master, uint64_t va, uint64_t end)
{
    static const uint8_t zero[CHUNK];

    for (uint64_t n; va < end; va += n) {
        n = end - va < CHUNK ? end - va : CHUNK;
        if (!mali_mcu_write_as(g, master, va, zero, n)) {
            return false;
        }
    }
    return true;
}

static bool write_blob(MaliGpu *g, unsigned csg, uint32_t streams, const Space *to, MaliBlob *info)
{
    MaliCsg *c = &g->s.csg[csg];
    uint32_t pending = to->magic == MAGIC ? c->pending & ~CSG_IDLE : 0;
    Header h = { to->magic, VERSION, HEADER_SIZE, 0, streams, pending, g->row->cs_regs, 0 };
    uint8_t blob[BLOB_MAX];
    Cursor cur = { blob + HEADER_SIZE, true, g->ops.now_ns(g->opaque) };

    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (streams & MALI_BIT(j)) {
            visit_cs(&cur, &c->cs[j], h.regs);
        }
    }
    h.size = (uint32_t)(cur.p - blob);
    cur.p = blob;
    visit_header(&cur, &h);
    h.crc = mali_crc32(0, blob + CRC_FROM, h.size - CRC_FROM);
    cur.p = blob;
    visit_header(&cur, &h);
    *info = (MaliBlob){ .bytes = h.size, .crc = h.crc, .streams = h.streams };
    return h.size <= to->size && mali_mcu_write_as(g, to->master, to->va, blob, h.size) &&
           write_zeros(g, to->master, to->va + h.size, to->va + to->size);
}

bool mali_csg_save(MaliGpu *g, unsigned csg, MaliBlob *info)
{
    Space to = normal_space(g, csg);
    uint32_t streams = 0;

    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        MaliCs *s = &g->s.csg[csg].cs[j];

        s->pending &= ~CS_PROTM_PENDING; /* asked for again: the region is reached again */
        streams |= s->started ? MALI_BIT(j) : 0;
    }
    return write_blob(g, csg, streams, &to, info);
}

static void log_protected_save(MaliGpu *g, unsigned csg, bool saved, const MaliBlob *blob)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "protm-suspend");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "streams", blob->streams);
    mali_ev_bool(&e, "saved", saved);
    mali_ev_u64(&e, "bytes", blob->bytes);
    mali_ev_u64(&e, "crc32", blob->crc);
    mali_ev_end(&e);
}

/* What normal mode may know of a stream that is in the middle of a region. */
static void hide(MaliCs *s)
{
    MaliCs keep = *s;

    mali_cs_reset(s);
    s->extract = keep.extract;
    s->progress = keep.progress;
    s->pending = keep.pending;
    s->fault = keep.fault;
    s->fault_info = keep.fault_info;
    s->prot_left = keep.prot_left;
    s->prot_saved = 1;
}

bool mali_protm_save(MaliGpu *g, unsigned csg, uint32_t streams)
{
    Space to = protected_space(g, csg);
    MaliBlob blob;
    bool saved = write_blob(g, csg, streams, &to, &blob);

    log_protected_save(g, csg, saved, &blob);
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (streams & MALI_BIT(j)) {
            hide(&g->s.csg[csg].cs[j]);
        }
    }
    return saved;
}

/* ---- restore ---- */

static unsigned count_bits(uint32_t v)
{
    unsigned n = 0;

    for (; v; v &= v - 1) {
        n++;
    }
    return n;
}

static bool header_valid(const MaliGpu *g, const Header *h, uint32_t magic, uint32_t have)
{
    return h->magic == magic && h->version == VERSION && h->regs == g->row->cs_regs &&
           !(h->pending & ~(CSG_EVT_MASK & ~CSG_IDLE)) && h->streams < MALI_BIT(MALI_NUM_CS) &&
           h->size == HEADER_SIZE + count_bits(h->streams) * RECORD_SIZE(h->regs) &&
           h->size <= have;
}

/* All of the buffer, checked; @cs is cleared where it has no record. */
static bool read_blob(MaliGpu *g, const Space *from, Header *h, MaliCs cs[MALI_NUM_CS],
                      MaliBlob *info)
{
    uint32_t have = from->size < BLOB_MAX ? from->size : BLOB_MAX;
    uint8_t blob[BLOB_MAX];
    Cursor cur = { blob, false, g->ops.now_ns(g->opaque) };

    if (have < HEADER_SIZE || !mali_mcu_read_as(g, from->master, from->va, blob, have)) {
        return false;
    }
    visit_header(&cur, h);
    if (!header_valid(g, h, from->magic, have)) {
        return false;
    }
    *info =
        (MaliBlob){ .bytes = h->size, .crc = mali_crc32(0, blob + CRC_FROM, h->size - CRC_FROM) };
    if (info->crc != h->crc) {
        return false;
    }
    memset(cs, 0, MALI_NUM_CS * sizeof(cs[0]));
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (h->streams & MALI_BIT(j)) {
            visit_cs(&cur, &cs[j], h->regs);
            if (!cs_valid(&cs[j])) {
                return false;
            }
        }
    }
    return true;
}

bool mali_csg_restore(MaliGpu *g, unsigned csg, MaliBlob *info)
{
    Space from = normal_space(g, csg);
    MaliCsg *c = &g->s.csg[csg];
    MaliCs cs[MALI_NUM_CS];
    Header h = { 0 };

    if (!read_blob(g, &from, &h, cs, info)) {
        return false;
    }
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        /* The rest of a region runs in protected mode or not at all. */
        if ((cs[j].prot_left != 0) != (cs[j].prot_saved != 0)) {
            return false;
        }
        /* The host has not even been told of this fault. */
        cs[j].wait = cs[j].pending & CS_FAULT ? MALI_WAIT_FAULT_ACK : MALI_WAIT_NONE;
    }
    memcpy(c->cs, cs, sizeof(cs));
    c->pending = h.pending;
    info->streams = h.streams;
    return true;
}

/* One stream goes on where hide() was called; the buffer must be of that very moment. */
bool mali_protm_restore(MaliGpu *g, unsigned csg, unsigned j)
{
    Space from = protected_space(g, csg);
    MaliCs *s = &g->s.csg[csg].cs[j], now, cs[MALI_NUM_CS];
    Header h = { 0 };
    MaliBlob info;

    if (!read_blob(g, &from, &h, cs, &info) || !(h.streams & MALI_BIT(j)) ||
        cs[j].extract != s->extract || cs[j].prot_left != s->prot_left || cs[j].stopped) {
        return false;
    }
    now = *s;
    *s = cs[j];
    s->ring_base = now.ring_base;
    s->ring_in = now.ring_in;
    s->ring_out = now.ring_out;
    s->ring_size = now.ring_size;
    s->doorbell = now.doorbell;
    s->insert = now.insert;
    s->started = now.started;
    s->queued = now.queued;
    s->credit_ns = now.credit_ns;
    s->pending = now.pending;
    s->prot_saved = 0;
    return true;
}
