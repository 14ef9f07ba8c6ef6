/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: what the host sees of groups and streams: status words,
 * EXTRACT, events and the idle rule (spec 4.2, 4.8-4.10).
 */
#include "mali_int.h"

/* ---- status words ---- */

void mali_cs_extract(MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliCs *s = &g->s.csg[csg].cs[cs];

    mali_mcu_w64(g, s->ring_out + RING_OUT_EXTRACT, s->extract);
}

typedef struct Blocked {
    uint32_t wait, reason;
} Blocked;

/* status_wait and blocked_reason as the host reads them (sched.c:1273-1340). */
static Blocked blocked(const MaliCs *s)
{
    Blocked b = { 0, CS_BLOCKED_NONE };

    switch (s->wait) {
    case MALI_WAIT_SYNC:
        b.reason = CS_BLOCKED_SYNC_WAIT;
        b.wait = CS_STATUS_WAIT_SYNC |
                 (s->wait_cond == CS_COND_GT ? CS_STATUS_WAIT_SYNC_COND_GT : 0) |
                 (s->wait_64 ? CS_STATUS_WAIT_SYNC_64B : 0);
        break;
    case MALI_WAIT_SCOREBOARD:
        b.reason = CS_BLOCKED_SB_WAIT;
        b.wait = (s->wait_cond & CS_STATUS_WAIT_SB_MASK) | CS_STATUS_WAIT_SB_SRC_WAIT;
        break;
    case MALI_WAIT_OOM: b.reason = CS_BLOCKED_RESOURCE; break;
    case MALI_WAIT_PROGRESS:
        b.reason = CS_BLOCKED_PROGRESS_WAIT;
        b.wait = CS_STATUS_WAIT_PROGRESS;
        break;
    case MALI_WAIT_PROTM:
        /* No reason of its own; 0 would let the host take an almost empty ring for idle. */
        b.reason = CS_BLOCKED_RESOURCE;
        b.wait = CS_STATUS_WAIT_PROTM;
        break;
    default: break;
    }
    return b;
}

void mali_cs_status(MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliCs *s = &g->s.csg[csg].cs[cs];
    uint64_t out = g->s.iface.csg[csg].cs_out[cs];
    bool sync = s->wait == MALI_WAIT_SYNC;
    Blocked b = blocked(s);

    mali_cs_extract(g, csg, cs);
    mali_mcu_w64(g, out + CS_OUT_STATUS_CMD_PTR, mali_cs_pc(s));
    mali_mcu_w32(g, out + CS_OUT_STATUS_WAIT, b.wait);
    mali_mcu_w32(g, out + CS_OUT_STATUS_REQ_RESOURCE, s->resources);
    mali_mcu_w64(g, out + CS_OUT_STATUS_WAIT_SYNC_PTR, sync ? s->wait_va : 0);
    mali_mcu_w32(g, out + CS_OUT_STATUS_WAIT_SYNC_VALUE, sync ? (uint32_t)s->wait_ref : 0);
    mali_mcu_w32(g, out + CS_OUT_STATUS_WAIT_SYNC_VALUE_HI,
                 sync ? (uint32_t)(s->wait_ref >> 32) : 0);
    mali_mcu_w32(g, out + CS_OUT_STATUS_SCOREBOARDS, mali_cs_busy(s, g->ops.now_ns(g->opaque)));
    mali_mcu_w32(g, out + CS_OUT_STATUS_BLOCKED_REASON, b.reason);
    mali_mcu_w32(g, out + CS_OUT_FAULT, s->fault);
    mali_mcu_w32(g, out + CS_OUT_FATAL, s->fatal);
    mali_mcu_w64(g, out + CS_OUT_FAULT_INFO, s->fault_info);
    mali_mcu_w64(g, out + CS_OUT_FATAL_INFO, s->fatal_info);
    mali_mcu_w32(g, out + CS_OUT_HEAP_VT_START, s->heap_vt_start);
    mali_mcu_w32(g, out + CS_OUT_HEAP_VT_END, s->heap_vt_end);
    mali_mcu_w32(g, out + CS_OUT_HEAP_FRAG_END, s->heap_frag_end);
    mali_mcu_w64(g, out + CS_OUT_HEAP_ADDRESS, s->heap_va);
}

/* ---- events: an ack bit is inverted only while the host has acknowledged the last one ---- */

static void cs_flush_events(MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliCsgIface *f = &g->s.iface.csg[csg];
    MaliCs *s = &g->s.csg[csg].cs[cs];
    uint32_t req, ack, now, irq_req, irq_ack;

    if (!s->pending || g->hold_events) {
        return;
    }
    req = mali_mcu_r32(g, f->cs_in[cs] + CS_IN_REQ);
    ack = mali_mcu_r32(g, f->cs_out[cs] + CS_OUT_ACK);
    now = s->pending & ~(req ^ ack);
    if (!now) {
        return;
    }
    s->pending &= ~now;
    mali_mcu_w32(g, f->cs_out[cs] + CS_OUT_ACK, ack ^ now);
    if (!(now & mali_mcu_r32(g, f->cs_in[cs] + CS_IN_ACK_IRQ_MASK))) {
        return;
    }
    /* The host acknowledges cs_irq_req, then reads CS_ACK: one of the two must see the other. */
    mali_fence(g);
    irq_ack = mali_mcu_r32(g, f->in + CSG_IN_CS_IRQ_ACK);
    irq_req = mali_mcu_r32(g, f->out + CSG_OUT_CS_IRQ_REQ);
    if (!((irq_req ^ irq_ack) & MALI_BIT(cs))) {
        mali_mcu_w32(g, f->out + CSG_OUT_CS_IRQ_REQ, irq_req ^ MALI_BIT(cs));
    }
    mali_irq_raise(g, MALI_IRQ_JOB, JOB_INT_CSG(csg));
}

static void csg_flush_events(MaliGpu *g, unsigned csg)
{
    const MaliCsgIface *f = &g->s.iface.csg[csg];
    MaliCsg *c = &g->s.csg[csg];
    uint32_t req, ack, now;

    if (!c->pending || g->hold_events) {
        return;
    }
    req = mali_mcu_r32(g, f->in + CSG_IN_REQ);
    ack = mali_mcu_r32(g, f->out + CSG_OUT_ACK);
    now = c->pending & ~(req ^ ack);
    if (!now) {
        return;
    }
    c->pending &= ~now;
    mali_mcu_w32(g, f->out + CSG_OUT_ACK, ack ^ now);
    if (now & mali_mcu_r32(g, f->in + CSG_IN_ACK_IRQ_MASK)) {
        mali_irq_raise(g, MALI_IRQ_JOB, JOB_INT_CSG(csg));
    }
}

void mali_csg_flush_events(MaliGpu *g, unsigned csg)
{
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        cs_flush_events(g, csg, j);
    }
    csg_flush_events(g, csg);
}

void mali_cs_event(MaliGpu *g, unsigned csg, unsigned cs, uint32_t bits)
{
    g->s.csg[csg].cs[cs].pending |= bits & CS_EVT_MASK;
    cs_flush_events(g, csg, cs);
}

void mali_csg_event(MaliGpu *g, unsigned csg, uint32_t bits)
{
    g->s.csg[csg].pending |= bits & CSG_EVT_MASK;
    csg_flush_events(g, csg);
}

/* ---- idle rule (4.9) ---- */

static bool cs_idle(MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliCs *s = &g->s.csg[csg].cs[cs];
    uint32_t req;

    if (!s->started) {
        return true;
    }
    if (s->stopped || mali_cs_runnable(s) || s->outstanding) {
        return false;
    }
    req = mali_mcu_r32(g, g->s.iface.csg[csg].cs_in[cs] + CS_IN_REQ);
    switch (s->wait) {
    case MALI_WAIT_NONE: return req & CS_IDLE_EMPTY;
    case MALI_WAIT_SYNC: return req & CS_IDLE_SYNC_WAIT;
    case MALI_WAIT_PROTM: return req & CS_IDLE_PROTM_PENDING;
    default: return false;
    }
}

static bool csg_idle(MaliGpu *g, unsigned csg)
{
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (!cs_idle(g, csg, j)) {
            return false;
        }
    }
    return true;
}

void mali_csg_idle_update(MaliGpu *g, unsigned csg)
{
    MaliCsg *c = &g->s.csg[csg];
    bool idle;

    if (!c->resident) {
        return;
    }
    idle = csg_idle(g, csg);
    if (idle == (bool)c->idle) {
        return;
    }
    c->idle = idle;
    mali_mcu_w32(g, g->s.iface.csg[csg].out + CSG_OUT_STATUS_STATE,
                 idle ? CSG_STATUS_STATE_IDLE : 0);
    if (idle) {
        mali_csg_event(g, csg, CSG_IDLE);
    } else {
        c->pending &= ~CSG_IDLE; /* not told yet, not true any more */
    }
    mali_glb_idle_check(g);
}
