/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: command stream groups: requests of the host and doorbells.
 *
 * Spec 4.2, 4.6, 4.7, 4.10. Requests are completed inside the doorbell write. The
 * host writes the shared section while this runs: each request word is read once.
 */
#include <string.h>

#include "mali_int.h"

#define ACK_LIE 3u /* what csg-ack-wrong adds to STATE: TERMINATE for RESUME, SUSPEND for START */

static unsigned num_cs(const MaliGpu *g)
{
    return g->s.iface.num_cs < MALI_NUM_CS ? g->s.iface.num_cs : MALI_NUM_CS;
}

static unsigned num_csg(const MaliGpu *g)
{
    return g->s.iface.num_csg < MALI_NUM_CSG ? g->s.iface.num_csg : MALI_NUM_CSG;
}

/* ---- state requests ---- */

static void leave_slot(MaliGpu *g, unsigned csg)
{
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (g->s.csg[csg].cs[j].started) {
            mali_cs_stop(g, csg, j);
        }
    }
    memset(&g->s.csg[csg], 0, sizeof(g->s.csg[csg]));
}

static uint32_t latch_inputs(MaliGpu *g, unsigned csg, uint32_t cs_req[MALI_NUM_CS])
{
    MaliCsg *c = &g->s.csg[csg];
    uint64_t in = mali_csg_iface(g, csg)->in;
    uint32_t as = mali_mcu_r32(g, in + CSG_IN_CONFIG), streams = 0;

    memset(c, 0, sizeof(*c));
    c->resident = 1;
    c->as = as % MALI_NUM_AS;
    mali_endpoint_latch(g, csg);
    c->suspend_va = mali_mcu_r64(g, in + CSG_IN_SUSPEND_BUF);
    c->protm_suspend_va = mali_mcu_r64(g, in + CSG_IN_PROTM_SUSPEND_BUF);
    if (as == 0 || as >= MALI_NUM_AS) {
        mali_violation(g, "csg-as", "csg %u: address space %u", csg, as);
    }
    for (unsigned j = 0; j < num_cs(g); j++) {
        cs_req[j] = mali_mcu_r32(g, mali_csg_iface(g, csg)->cs_in[j] + CS_IN_REQ);
        if ((cs_req[j] & CS_STATE_MASK) == CS_STATE_START) {
            streams |= MALI_BIT(j);
            mali_cs_read_config(g, csg, j);
        }
    }
    return streams;
}

/* Bytes mapped contiguously from @va on, up to 1 MiB: is the buffer as large as it should be? */
static uint64_t mapped_size(MaliGpu *g, uint64_t va)
{
    const uint64_t max = UINT64_C(1) << 20;
    uint64_t n = 0, pa;

    while (n < max && mali_walk(g, 0, va + n, &pa, NULL)) {
        n += 0x1000 - ((va + n) & 0xfff);
    }
    return n < max ? n : max;
}

static void log_entry(MaliGpu *g, unsigned csg, uint32_t streams, const bool *restored,
                      uint32_t crc)
{
    const MaliCsg *c = &g->s.csg[csg];
    MaliEvent e;

    mali_ev_begin(&e, g, restored ? "csg-resume" : "csg-start");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "as", c->as);
    mali_ev_u64(&e, "prio", c->prio);
    mali_ev_endpoints(&e, g, csg);
    mali_ev_u64(&e, "streams", streams);
    mali_ev_u64(&e, "cs_prio", c->cs_prio);
    mali_ev_u64(&e, "suspend_va", c->suspend_va);
    mali_ev_u64(&e, "suspend_mapped_size", mapped_size(g, c->suspend_va));
    mali_ev_extents(&e, "suspend_pa", 0, c->suspend_va, g->s.iface.suspend_size);
    mali_ev_u64(&e, "protm_suspend_va", c->protm_suspend_va);
    mali_ev_u64(&e, "protm_mapped_size", mapped_size(g, c->protm_suspend_va));
    mali_ev_extents(&e, "protm_suspend_pa", 0, c->protm_suspend_va, g->s.iface.protm_suspend_size);
    if (restored) {
        mali_ev_bool(&e, "restored", *restored);
        mali_ev_u64(&e, "crc32", crc);
    }
    mali_ev_end(&e);
}

static void csg_start(MaliGpu *g, unsigned csg)
{
    uint32_t cs_req[MALI_NUM_CS], streams = latch_inputs(g, csg, cs_req);

    log_entry(g, csg, streams, NULL, 0);
    for (unsigned j = 0; j < num_cs(g); j++) {
        if (streams & MALI_BIT(j)) {
            mali_cs_start(g, csg, j, cs_req[j], MALI_CS_FRESH);
        }
    }
}

static void csg_resume(MaliGpu *g, unsigned csg, MaliCsFrom from)
{
    uint32_t cs_req[MALI_NUM_CS], streams = latch_inputs(g, csg, cs_req);
    bool ignore = mali_fault_hit(g, MALI_FAULT_IGNORE_SUSPEND_BUF);
    MaliBlob blob = { 0, 0, 0 };
    bool restored = !ignore && mali_csg_restore(g, csg, &blob);

    log_entry(g, csg, streams, &restored, blob.crc);
    for (unsigned j = 0; j < num_cs(g); j++) {
        if (streams & MALI_BIT(j)) {
            mali_cs_start(g, csg, j, cs_req[j], blob.streams & MALI_BIT(j) ? from : MALI_CS_FRESH);
            if (!restored && !ignore) {
                mali_cs_fatal(g, csg, j, CS_EXC_FW_INTERNAL_ERROR, 0);
            }
        } else {
            mali_cs_reset(&g->s.csg[csg].cs[j]); /* saved once, but not wanted back */
        }
    }
}

static void csg_suspend(MaliGpu *g, unsigned csg)
{
    MaliBlob blob = { 0, 0, 0 };
    bool saved = mali_csg_save(g, csg, &blob);
    MaliEvent e;

    if (!saved) { /* what comes back will not be restored */
        mali_violation(g, "suspend-buffer", "csg %u: 0x%x bytes at 0x%llx cannot be written", csg,
                       g->s.iface.suspend_size, (unsigned long long)g->s.csg[csg].suspend_va);
    }
    leave_slot(g, csg);
    mali_ev_begin(&e, g, "csg-suspend");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_bool(&e, "saved", saved);
    mali_ev_u64(&e, "bytes", blob.bytes);
    mali_ev_u64(&e, "crc32", blob.crc);
    mali_ev_end(&e);
}

/* CSG_REQ stays what it is; CSG_ACK tells the host (spec 4.12). */
void mali_csg_suspend_implicitly(MaliGpu *g, unsigned csg)
{
    const MaliCsgIface *f = mali_csg_iface(g, csg);
    uint32_t ack = mali_mcu_r32(g, f->out + CSG_OUT_ACK);
    uint32_t now = (ack & ~CSG_STATE_MASK) | CSG_STATE_SUSPEND;

    g->s.protm.suspend_va[csg] = g->s.csg[csg].suspend_va;
    g->s.protm.implicit |= MALI_BIT(csg);
    csg_suspend(g, csg);
    mali_mcu_w32(g, f->out + CSG_OUT_STATUS_STATE, 0);
    mali_mcu_w32(g, f->out + CSG_OUT_ACK, now);
    if ((now ^ ack) & mali_mcu_r32(g, f->in + CSG_IN_ACK_IRQ_MASK)) {
        mali_irq_raise(g, MALI_IRQ_JOB, JOB_INT_CSG(csg));
    }
}

/*
 * A group that protected mode has put aside comes back from its buffer, whichever way
 * it was started; a START with another buffer is another group.
 */
static bool comes_back(MaliGpu *g, unsigned csg)
{
    MaliProtm *p = &g->s.protm;
    bool was = p->implicit & MALI_BIT(csg);

    p->implicit &= ~MALI_BIT(csg);
    return was &&
           mali_mcu_r64(g, mali_csg_iface(g, csg)->in + CSG_IN_SUSPEND_BUF) == p->suspend_va[csg];
}

static void csg_terminate(MaliGpu *g, unsigned csg)
{
    MaliEvent e;

    leave_slot(g, csg);
    mali_ev_begin(&e, g, "csg-terminate");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_end(&e);
}

/* csg-ack-wrong has made CSG_ACK differ by @bits from what was done: nothing new is asked for. */
static bool lied(const MaliGpu *g, uint32_t bits)
{
    return bits == ACK_LIE && g->struck[MALI_FAULT_CSG_ACK_WRONG];
}

/* @old and @state: what CSG_ACK and CSG_REQ say; false if the request is not understood. */
static bool set_state(MaliGpu *g, unsigned csg, uint32_t old, uint32_t state)
{
    bool resident = g->s.csg[csg].resident;

    switch (state) {
    case CSG_STATE_START:
    case CSG_STATE_RESUME:
        /* After a fast reset CSG_ACK repeats the old request (4.3): what counts is residence. */
        if (!resident) {
            bool back = comes_back(g, csg);

            if (state == CSG_STATE_START && !back) {
                csg_start(g, csg);
            } else {
                csg_resume(g, csg, back ? MALI_CS_BACK : MALI_CS_RESTORED);
            }
        } else if (old != state && !lied(g, old ^ state)) {
            mali_violation(g, "csg-state", "csg %u: state %u requested while on the slot", csg,
                           state);
        }
        return true;
    case CSG_STATE_SUSPEND:
        g->s.protm.implicit &= ~MALI_BIT(csg);
        if (resident) {
            csg_suspend(g, csg);
        }
        return true;
    case CSG_STATE_TERMINATE:
        g->s.protm.implicit &= ~MALI_BIT(csg);
        if (resident) {
            csg_terminate(g, csg);
        }
        return true;
    default:
        mali_violation(g, "csg-state", "csg %u: unknown state %u requested", csg, state);
        return false;
    }
}

static void status_update(MaliGpu *g, unsigned csg)
{
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (g->s.csg[csg].cs[j].started) {
            mali_cs_status(g, csg, j);
        }
    }
}

/* A SYNC_UPDATE too many does no harm, one too few does. */
#define STALE_EVENTS (CSG_IDLE | CSG_PROGRESS_TIMER_EVENT)

/* The bits of CSG_ACK that have changed. */
static uint32_t requests(MaliGpu *g, unsigned csg)
{
    const MaliCsgIface *f = mali_csg_iface(g, csg);
    uint32_t req = mali_mcu_r32(g, f->in + CSG_IN_REQ);
    uint32_t ack = mali_mcu_r32(g, f->out + CSG_OUT_ACK);
    uint32_t done = (ack & CSG_EVT_MASK) | (req & ~CSG_EVT_MASK);
    bool was = g->s.csg[csg].resident;

    if (!set_state(g, csg, ack & CSG_STATE_MASK, req & CSG_STATE_MASK)) {
        done = (done & ~CSG_STATE_MASK) | (ack & CSG_STATE_MASK);
    }
    if (!was && g->s.csg[csg].resident) { /* these were about the last group here */
        done = (done & ~STALE_EVENTS) | (req & STALE_EVENTS);
    }
    if ((req ^ ack) & CSG_ENDPOINT_CONFIG) {
        mali_endpoint_config(g, csg, was);
    }
    if ((req ^ ack) & CSG_STATUS_UPDATE) {
        status_update(g, csg);
    }
    if (((req ^ ack) & CSG_STATE_MASK) && mali_fault_hit(g, MALI_FAULT_CSG_ACK_WRONG)) {
        done ^= ACK_LIE;
    }
    if (done != ack) {
        if (!g->s.csg[csg].resident) {
            mali_mcu_w32(g, f->out + CSG_OUT_STATUS_STATE, 0);
        }
        mali_mcu_w32(g, f->out + CSG_OUT_ACK, done);
    }
    return done ^ ack;
}

/* Whether a request waits for its acknowledgement. */
static bool asked(MaliGpu *g, unsigned csg)
{
    const MaliCsgIface *f = mali_csg_iface(g, csg);

    return (mali_mcu_r32(g, f->in + CSG_IN_REQ) ^ mali_mcu_r32(g, f->out + CSG_OUT_ACK)) &
           ~CSG_EVT_MASK;
}

/* ---- doorbells ---- */

static void cs_doorbells(MaliGpu *g, unsigned csg)
{
    const MaliCsgIface *f = mali_csg_iface(g, csg);
    uint32_t req = mali_mcu_r32(g, f->in + CSG_IN_DOORBELL_REQ);
    uint32_t ack = mali_mcu_r32(g, f->out + CSG_OUT_DOORBELL_ACK);

    for (unsigned j = 0; g->s.csg[csg].resident && j < num_cs(g); j++) {
        if ((req ^ ack) & MALI_BIT(j)) {
            mali_cs_kick(g, csg, j);
        }
    }
    if (req != ack) {
        mali_mcu_w32(g, f->out + CSG_OUT_DOORBELL_ACK, req);
    }
}

void mali_csg_process(MaliGpu *g, unsigned csg)
{
    uint32_t changed = 0;

    if (csg >= num_csg(g) ||
        mali_late(g, (MaliLate)(MALI_LATE_CSG + csg), MALI_FAULT_CSG_ACK_LATE, 0)) {
        return;
    }
    /* All words first, then the interrupt: of the requests, then of what came of them. */
    g->hold_events = true;
    if (!mali_fault(g, MALI_FAULT_CSG_ACK_NEVER)) {
        changed = requests(g, csg);
    } else if (asked(g, csg)) {
        mali_fault_struck(g, MALI_FAULT_CSG_ACK_NEVER);
    }
    cs_doorbells(g, csg);
    g->hold_events = false;
    /* A ring for nothing raises nothing (pitfall 3). */
    if (changed & mali_mcu_r32(g, mali_csg_iface(g, csg)->in + CSG_IN_ACK_IRQ_MASK)) {
        mali_irq_raise(g, MALI_IRQ_JOB, JOB_INT_CSG(csg));
    }
    mali_engine_poll(g);
    mali_csg_idle_update(g, csg);
    if (g->s.csg[csg].resident) {
        mali_csg_flush_events(g, csg);
    }
    mali_glb_idle_check(g);
    mali_engine_kick(g);
}

void mali_csg_doorbell(MaliGpu *g, unsigned doorbell)
{
    if (g->s.protm.active) {
        return; /* the exit looks at all rings */
    }
    for (unsigned i = 0; i < num_csg(g); i++) {
        bool rung = false;

        for (unsigned j = 0; g->s.csg[i].resident && j < MALI_NUM_CS; j++) {
            const MaliCs *s = &g->s.csg[i].cs[j];

            if (s->started && !s->stopped && s->doorbell == doorbell) {
                mali_cs_read_insert(g, i, j);
                rung = true;
            }
        }
        if (rung) {
            mali_late(g, MALI_LATE_JOB, MALI_FAULT_JOB_LATE, 0);
            mali_csg_idle_update(g, i);
        }
    }
    mali_engine_poll(g);
    mali_engine_kick(g);
}

/* ---- MCU start and stop ---- */

static void boot_cs(MaliGpu *g, const MaliCsgIface *f, unsigned cs)
{
    uint64_t out = f->cs_out[cs];

    for (unsigned off = CS_OUT_STATUS_CMD_PTR; off < CS_OUT_SIZE; off += 4) {
        mali_mcu_w32(g, out + off, 0);
    }
    mali_mcu_w32(g, out + CS_OUT_ACK, mali_mcu_r32(g, f->cs_in[cs] + CS_IN_REQ));
}

void mali_csg_boot(MaliGpu *g)
{
    mali_csg_stop_all(g);
    for (unsigned i = 0; i < num_csg(g); i++) {
        const MaliCsgIface *f = mali_csg_iface(g, i);

        for (unsigned j = 0; j < num_cs(g); j++) {
            boot_cs(g, f, j);
        }
        for (unsigned off = CSG_OUT_STATUS_EP_CURRENT; off < CSG_OUT_SIZE; off += 4) {
            mali_mcu_w32(g, f->out + off, 0);
        }
        mali_mcu_w32(g, f->out + CSG_OUT_CS_IRQ_REQ, mali_mcu_r32(g, f->in + CSG_IN_CS_IRQ_ACK));
        mali_mcu_w32(g, f->out + CSG_OUT_DOORBELL_ACK,
                     mali_mcu_r32(g, f->in + CSG_IN_DOORBELL_REQ));
        mali_mcu_w32(g, f->out + CSG_OUT_ACK, mali_mcu_r32(g, f->in + CSG_IN_REQ));
    }
}

void mali_csg_stop_all(MaliGpu *g)
{
    memset(g->s.csg, 0, sizeof(g->s.csg));
    g->s.poll_deadline = MALI_NEVER;
    g->fetch.valid = false;
    mali_timer_rearm(g);
}
