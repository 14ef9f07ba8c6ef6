/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: command streams: frames, outcomes of an instruction, waits.
 *
 * Spec 5.1: frame 0 is the ring buffer, its position the byte counter EXTRACT;
 * CALL pushes a frame with an address and an end. The position of a frame always
 * points to the next instruction, and a stream that waits points to the instruction
 * it waits at: when the wait is over it is simply executed again. So a suspend
 * buffer needs no wait condition, and a hostile one cannot forge any.
 */
#include <string.h>

#include "cs_int.h"

uint64_t mali_cs_pc(const MaliCs *cs)
{
    if (cs->depth) {
        return cs->frame[cs->depth - 1].pc;
    }
    return cs->ring_base + (cs->extract & (cs->ring_size - 1));
}

bool mali_cs_runnable(const MaliCs *cs)
{
    return cs->started && !cs->stopped && cs->wait == MALI_WAIT_NONE &&
           (cs->depth || cs->extract < cs->insert);
}

void mali_cs_reset(MaliCs *cs)
{
    MaliCs keep = *cs;

    memset(cs, 0, sizeof(*cs));
    cs->ring_base = keep.ring_base;
    cs->ring_in = keep.ring_in;
    cs->ring_out = keep.ring_out;
    cs->ring_size = keep.ring_size;
    cs->doorbell = keep.doorbell;
    cs->insert = keep.insert;
    cs->started = keep.started;
    cs->queued = keep.queued;
    cs->credit_ns = keep.credit_ns;
}

/* ---- outcomes ---- */

MaliStep mali_cs_block(MaliCtx *x, MaliCsWait wait)
{
    if (!x->late) {
        *x->pos -= 8;
    }
    x->cs->wait = wait;
    return MALI_STEP_BLOCKED;
}

static void log_exception(MaliGpu *g, const char *kind, unsigned csg, unsigned cs, uint32_t code,
                          uint64_t info)
{
    MaliEvent e;

    mali_ev_begin(&e, g, kind);
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "cs", cs);
    mali_ev_u64(&e, "code", code);
    mali_ev_u64(&e, "info", info);
    mali_ev_end(&e);
}

void mali_cs_fatal(MaliGpu *g, unsigned csg, unsigned cs, uint32_t type, uint64_t info)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];

    s->stopped = 1;
    s->wait = MALI_WAIT_NONE;
    s->fatal = type;
    s->fatal_info = info;
    mali_cs_status(g, csg, cs);
    log_exception(g, "cs-fatal", csg, cs, type, info);
    mali_cs_event(g, csg, cs, CS_FATAL);
}

void mali_cs_fault(MaliGpu *g, unsigned csg, unsigned cs, uint32_t type, uint64_t info)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];

    /*
     * The host looks for the guilty job at the position it reads when it handles
     * the event (panthor_sched.c:1540-1552), and rings the stream's doorbell after
     * that (1713-1727, 1834): until then the stream must not move on.
     */
    s->wait = MALI_WAIT_FAULT_ACK;
    s->error = type;
    s->fault = type;
    s->fault_info = info;
    mali_cs_status(g, csg, cs);
    log_exception(g, "cs-fault", csg, cs, type, info);
    mali_cs_event(g, csg, cs, CS_FAULT);
}

MaliStep mali_cs_kill(MaliCtx *x, uint32_t type, uint64_t info)
{
    if (!x->late) {
        *x->pos -= 8;
    }
    mali_cs_fatal(x->g, x->csg, x->idx, type, info);
    return MALI_STEP_STOPPED;
}

MaliStep mali_cs_recoverable(MaliCtx *x, uint32_t type, uint64_t info)
{
    mali_cs_fault(x->g, x->csg, x->idx, type, info);
    return MALI_STEP_BLOCKED;
}

/* ---- waits ---- */

static bool fault_acked(MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliCsgIface *f = &g->s.iface.csg[csg];
    uint32_t req, ack;

    if (g->s.csg[csg].cs[cs].pending & CS_FAULT) {
        return false; /* not even signalled */
    }
    req = mali_mcu_r32(g, f->cs_in[cs] + CS_IN_REQ);
    ack = mali_mcu_r32(g, f->cs_out[cs] + CS_OUT_ACK);
    return !((req ^ ack) & CS_FAULT);
}

static bool sync_over(MaliGpu *g, const MaliCsg *c, const MaliCs *s)
{
    uint64_t value = 0, fault_va;
    uint32_t fault;
    MaliXlate r = mali_va_read(g, c->as, mali_protm_master(g), s->wait_va, &value,
                               s->wait_64 ? 8 : 4, &fault, &fault_va);

    if (r == MALI_XL_OK) {
        return mali_cs_sync_met(value, s->wait_ref, s->wait_cond);
    }
    /* Locked: later. An object that cannot be read any more faults when the instruction runs again.
     */
    return r != MALI_XL_LOCKED;
}

static bool wait_over(MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliCsg *c = &g->s.csg[csg];
    const MaliCs *s = &c->cs[cs];

    switch (s->wait) {
    case MALI_WAIT_SYNC: return sync_over(g, c, s);
    case MALI_WAIT_PROGRESS: return c->cs[s->wait_va % MALI_NUM_CS].progress >= s->wait_ref;
    case MALI_WAIT_FAULT_ACK: return fault_acked(g, csg, cs);
    case MALI_WAIT_SCOREBOARD: return g->ops.now_ns(g->opaque) >= s->wait_ref;
    case MALI_WAIT_LOCK: return true;
    default: /* PROTM, FAULT and OOM end by an act of the host */ return false;
    }
}

bool mali_cs_unblock(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];

    if (!s->started || s->stopped) {
        return false;
    }
    if (s->wait != MALI_WAIT_NONE) {
        if (!wait_over(g, csg, cs)) {
            return false;
        }
        s->wait = MALI_WAIT_NONE;
    }
    return mali_cs_runnable(s);
}

/* A fault-stalled access is tried again only where it would succeed now: no second fault report. */
static bool fault_gone(MaliGpu *g, unsigned as, const MaliCs *s)
{
    uint64_t pa;
    uint32_t fault;

    return mali_translate(g, as, s->wait_va, (MaliAccess)s->wait_cond, &pa, NULL, &fault) ==
           MALI_XL_OK;
}

static void as_updated(MaliGpu *g, unsigned csg, unsigned cs, bool unmapped)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];

    if (s->wait == MALI_WAIT_LOCK) {
        s->wait = MALI_WAIT_NONE;
    } else if (s->wait == MALI_WAIT_FAULT) {
        if (unmapped) { /* spec 2.4: so the host finds the guilty queue */
            mali_cs_fatal(g, csg, cs, CS_EXC_BUS_FAULT, s->wait_va);
        } else if (fault_gone(g, g->s.csg[csg].as, s)) {
            s->wait = MALI_WAIT_NONE;
        }
    }
}

void mali_csg_as_updated(MaliGpu *g, unsigned as)
{
    uint64_t mode = AS_TRANSCFG_MODE(g->s.as[as].act_transcfg);
    bool unmapped = mode == 0 || mode == AS_TRANSCFG_UNMAPPED;

    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        const MaliCsg *c = &g->s.csg[i];

        for (unsigned j = 0; c->resident && c->as == as && j < MALI_NUM_CS; j++) {
            if (c->cs[j].started && !c->cs[j].stopped) {
                as_updated(g, i, j, unmapped);
            }
        }
    }
    g->fetch.valid = false;
    mali_engine_kick(g);
}

/* ---- running ---- */

void mali_cs_ops(MaliGpu *g)
{
    unsigned arch = mali_arch_major(g->row);

    if (g->op[CS_OP_NOP]) {
        return;
    }
    for (unsigned i = 0; i < mali_num_ops; i++) {
        if (arch >= mali_ops[i].min_arch && arch <= mali_ops[i].max_arch) {
            g->op[mali_ops[i].code] = &mali_ops[i];
        }
    }
}

/* Frames that have reached their end return; several may end together. */
static inline void pop_frames(MaliCs *cs)
{
    while (cs->depth && cs->frame[cs->depth - 1].pc >= cs->frame[cs->depth - 1].end) {
        cs->depth--;
    }
}

static uint32_t code_or(MaliGpu *g, MaliFault row, uint32_t otherwise)
{
    uint32_t code = mali_fault(g, row) & 0xff;

    if (code) {
        mali_fault_struck(g, row);
    }
    return code ? code : otherwise;
}

/* Fault plan: this instruction is the one. A fault counts as executed, a fatal one does not. */
static MaliStep inject(MaliCtx *x)
{
    MaliGpu *g = x->g;

    if (mali_fault_hit(g, MALI_FAULT_CS_FATAL_AT)) {
        mali_fault_changed(g);
        return mali_cs_kill(x, code_or(g, MALI_FAULT_CS_FATAL_CODE, CS_EXC_INSTR_INVALID), x->pc);
    }
    if (mali_fault_hit(g, MALI_FAULT_CS_FAULT_AT)) {
        mali_fault_changed(g);
        return mali_cs_recoverable(x, code_or(g, MALI_FAULT_CS_FAULT_CODE, CS_EXC_KABOOM), x->pc);
    }
    return MALI_STEP_OK;
}

static inline MaliStep step(MaliCtx *x)
{
    const MaliOp *op;
    MaliStep st;

    x->pc = mali_cs_pc(x->cs);
    x->pos = x->cs->depth ? &x->cs->frame[x->cs->depth - 1].pc : &x->cs->extract;
    *x->pos += 8;
    MALI_TRY(mali_cs_fetch(x));
    st = x->g->inject ? inject(x) : MALI_STEP_OK;
    if (st == MALI_STEP_OK) {
        op = x->g->op[x->w >> 56];
        st = !op ? mali_cs_invalid(x) : op->async ? mali_cs_issue(x, op) : op->fn(x);
    }
    pop_frames(x->cs);
    return st;
}

/* A fault counts as executed (MALI_WAIT_FAULT_ACK), a wait does not. */
static MaliStep protected_step(MaliCtx *x)
{
    uint32_t left = x->cs->prot_left;
    MaliStep st = step(x);
    bool done = st == MALI_STEP_OK || x->cs->wait == MALI_WAIT_FAULT_ACK;

    return mali_protm_step(x->g, x->csg, x->idx, left, done) ? st : MALI_STEP_BLOCKED;
}

unsigned mali_cs_run(MaliGpu *g, unsigned csg, unsigned cs, unsigned max)
{
    MaliCsg *grp = &g->s.csg[csg];
    MaliCtx x = {
        .g = g, .grp = grp, .cs = &grp->cs[cs], .csg = csg, .idx = cs, .nregs = g->row->cs_regs
    };
    MaliStep st = MALI_STEP_OK;
    unsigned n = 0;

    g->run.n = 0;
    mali_cs_ops(g);
    if (!mali_cs_runnable(x.cs)) {
        return 0;
    }
    g->run.now = g->ops.now_ns(g->opaque);
    g->run.base = g->cfg.cs_ips ? x.cs->credit_ns : g->run.now;
    g->run.stall = 0;
    g->run.max = max;
    while (n < g->run.max && st == MALI_STEP_OK && (x.cs->depth || x.cs->extract < x.cs->insert)) {
        st = g->s.protm.active ? protected_step(&x) : step(&x);
        g->run.n = ++n;
    }
    g->s.counter[MALI_CNT_INSTRUCTIONS] += n;
    return n;
}

MaliStep mali_cs_step(MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliCs *s = &g->s.csg[csg].cs[cs];

    g->fetch.valid = false;
    mali_cs_run(g, csg, cs, 1);
    return s->stopped                  ? MALI_STEP_STOPPED
           : s->wait != MALI_WAIT_NONE ? MALI_STEP_BLOCKED
                                       : MALI_STEP_OK;
}
