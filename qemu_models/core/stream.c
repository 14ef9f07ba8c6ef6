/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: one stream of a group on its slot: start, stop, doorbell (spec 4.6).
 */
#include "mali_int.h"

static void cs_ack_state(MaliGpu *g, unsigned csg, unsigned cs, uint32_t req)
{
    uint64_t va = mali_csg_iface(g, csg)->cs_out[cs] + CS_OUT_ACK;

    mali_mcu_w32(g, va, (mali_mcu_r32(g, va) & CS_EVT_MASK) | (req & ~CS_EVT_MASK));
}

void mali_cs_read_insert(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    uint64_t insert = mali_mcu_r64(g, s->ring_in + RING_IN_INSERT);

    if (insert & 7) {
        mali_violation(g, "ring-insert", "csg %u cs %u: insert 0x%llx is not aligned", csg, cs,
                       (unsigned long long)insert);
        insert &= ~UINT64_C(7);
    }
    if (insert < s->extract) {
        mali_violation(g, "ring-insert", "csg %u cs %u: extract 0x%llx is beyond insert 0x%llx",
                       csg, cs, (unsigned long long)s->extract, (unsigned long long)insert);
        insert = s->extract;
    } else if (insert - s->extract > s->ring_size) {
        mali_violation(g, "ring-insert", "csg %u cs %u: insert 0x%llx overruns extract 0x%llx", csg,
                       cs, (unsigned long long)insert, (unsigned long long)s->extract);
        insert = s->extract + s->ring_size;
    }
    s->insert = insert;
}

void mali_cs_read_config(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCsg *c = &g->s.csg[csg];
    uint32_t config = mali_mcu_r32(g, mali_csg_iface(g, csg)->cs_in[cs] + CS_IN_CONFIG);

    c->cs[cs].doorbell = CS_CONFIG_DOORBELL(config);
    c->cs_prio = (c->cs_prio & ~(0xfu << 4 * cs)) | CS_CONFIG_PRIORITY(config) << 4 * cs;
}

/* What may differ at each START and RESUME: slot, doorbell, addresses (4.6). */
static bool bind_cs(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    uint64_t in = mali_csg_iface(g, csg)->cs_in[cs];

    s->ring_base = mali_mcu_r64(g, in + CS_IN_RINGBUF_BASE);
    s->ring_size = mali_mcu_r32(g, in + CS_IN_RINGBUF_SIZE);
    s->ring_in = mali_mcu_r64(g, in + CS_IN_RINGBUF_INPUT);
    s->ring_out = mali_mcu_r64(g, in + CS_IN_RINGBUF_OUTPUT);
    mali_cs_read_config(g, csg, cs);
    s->started = 1;
    /* 4 to 64 KiB, a power of two (sched.c:3523-3525); the model only needs a mask. */
    return s->ring_size >= 64 && !(s->ring_size & (s->ring_size - 1)) && !(s->ring_base & 7);
}

static uint64_t extract_init(MaliGpu *g, const MaliCs *s)
{
    return mali_mcu_r64(g, s->ring_in + RING_IN_EXTRACT_INIT) & ~UINT64_C(7);
}

/*
 * What the last stream here raised and the host left without an answer is not this
 * one's: it is withdrawn. Only PROTM_PENDING of a group that protected mode had put
 * aside: whoever needs protected mode asks again, all else the host has yet to see.
 */
static void withdraw_events(MaliGpu *g, unsigned csg, unsigned cs, MaliCsFrom from)
{
    const MaliCsgIface *f = mali_csg_iface(g, csg);
    uint32_t req = mali_mcu_r32(g, f->cs_in[cs] + CS_IN_REQ);
    uint32_t ack = mali_mcu_r32(g, f->cs_out[cs] + CS_OUT_ACK);
    uint32_t stale = (req ^ ack) & (from == MALI_CS_BACK ? CS_PROTM_PENDING : CS_EVT_MASK);

    if (stale) {
        mali_mcu_w32(g, f->cs_out[cs] + CS_OUT_ACK, ack ^ stale);
    }
}

/*
 * Puts one stream into operation. @from: where its state came from.
 * The host sends no STOP when a group leaves its slot (sched.c:1397-1410), so what
 * CS_ACK says does not matter.
 */
void mali_cs_start(MaliGpu *g, unsigned csg, unsigned cs, uint32_t req, MaliCsFrom from)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    bool good = bind_cs(g, csg, cs);

    if (from == MALI_CS_FRESH) {
        mali_cs_reset(s);
        s->extract = extract_init(g, s);
    } else if (good && from == MALI_CS_RESTORED && s->extract != extract_init(g, s)) {
        mali_violation(g, "extract-init", "csg %u cs %u: host says 0x%llx, suspended at 0x%llx",
                       csg, cs, (unsigned long long)extract_init(g, s),
                       (unsigned long long)s->extract);
    }
    s->credit_ns = 0;
    s->queued = 0;
    withdraw_events(g, csg, cs, from);
    if (good) {
        mali_cs_read_insert(g, csg, cs);
    } else {
        s->ring_base = 0; /* never looked at: the stream does not run */
        s->ring_size = 64;
        s->insert = s->extract;
    }
    mali_mcu_w32(g, s->ring_out + RING_OUT_ACTIVE, 1);
    mali_cs_status(g, csg, cs);
    cs_ack_state(g, csg, cs, req);
    if (!good) {
        mali_cs_fatal(g, csg, cs, CS_EXC_CONFIG_FAULT, 0);
    } else if (s->prot_saved && !s->stopped) {
        mali_protm_pend(g, csg, cs);
    }
}

void mali_cs_stop(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    uint64_t va = mali_csg_iface(g, csg)->cs_out[cs] + CS_OUT_ACK;

    mali_cs_status(g, csg, cs);
    mali_mcu_w32(g, s->ring_out + RING_OUT_ACTIVE, 0);
    mali_mcu_w32(g, va, (mali_mcu_r32(g, va) & ~CS_STATE_MASK) | CS_STATE_STOP);
    s->started = 0;
}

/* CS_REQ.STATE may change while the group stays on its slot. */
void mali_cs_kick(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    uint32_t req = mali_mcu_r32(g, mali_csg_iface(g, csg)->cs_in[cs] + CS_IN_REQ);
    bool start = (req & CS_STATE_MASK) == CS_STATE_START;

    if (start && !s->started) {
        mali_cs_start(g, csg, cs, req, MALI_CS_FRESH);
    } else if (!start && s->started) {
        mali_cs_stop(g, csg, cs);
    } else if (s->started) {
        mali_cs_read_insert(g, csg, cs);
        mali_cs_heap_answer(g, csg, cs);
        cs_ack_state(g, csg, cs, req);
    }
}
