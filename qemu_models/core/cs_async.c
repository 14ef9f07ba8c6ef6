/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: scoreboards: operations that complete later than their instruction.
 *
 * With async_ns an asynchronous operation (spec 5.2) takes that much virtual time and keeps
 * its scoreboard entry busy until then. One with a wait mask starts when those entries are
 * clear. When it will be over is known as it is issued, so an entry is a point in time
 * (sb_ready); those whose effect can be seen (sync objects, counters, flushes) stand in a
 * queue with their operands and happen at that time. Decisions where no source says more:
 * - Loads, stores and RUN_* have their effect at once and are only told later: what they
 *   load is not defined before the WAIT.
 * - A stream has a clock of its own: the virtual time it has paid for (engine.c). A WAIT
 *   lets it pass up to now without the timer; only what lies ahead of now blocks.
 * - PROT_REGION waits for all entries and in protected mode all completes at once, so
 *   nothing issued in one mode happens in the other.
 * - A suspend does not wait: what is outstanding goes into the buffer with the time it
 *   still takes.
 */
#include <string.h>

#include "cs_int.h"

#define NS_PER_S UINT64_C(1000000000)

/* ---- the stream's clock ---- */

static uint64_t local(const MaliGpu *g)
{
    uint64_t t = g->run.base + g->run.stall;

    if (g->cfg.cs_ips) {
        t += g->run.n * NS_PER_S / g->cfg.cs_ips;
    }
    return t < g->run.now ? t : g->run.now;
}

/* The stream waits until @t, which is not ahead of now: it can execute that much less. */
static void stall(MaliGpu *g, uint64_t t)
{
    uint64_t n = (g->run.now - t) * g->cfg.cs_ips / NS_PER_S + g->run.n + 1;

    if (g->cfg.cs_ips) {
        g->run.stall += t - local(g);
        g->run.max = n < g->run.max ? (unsigned)n : g->run.max;
    }
}

/* ---- entries ---- */

static uint32_t queued_entries(const MaliCs *s)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < s->num_deferred; i++) {
        mask |= MALI_BIT(s->deferred[i].slot);
    }
    return mask;
}

uint32_t mali_cs_busy(const MaliCs *s, uint64_t now)
{
    uint32_t mask = queued_entries(s);

    for (unsigned i = 0; s->outstanding && i < MALI_MAX_SB; i++) {
        mask |= s->sb_ready[i] > now ? MALI_BIT(i) : 0;
    }
    return mask;
}

static uint64_t ready_at(const MaliCs *s, uint32_t mask)
{
    uint64_t t = 0;

    for (unsigned i = 0; i < MALI_MAX_SB; i++) {
        t = (mask >> i & 1) && s->sb_ready[i] > t ? s->sb_ready[i] : t;
    }
    return t;
}

/* The stream stands still for a reason of the host's: nothing moves on. */
static bool held(const MaliCs *s)
{
    return s->stopped || s->wait == MALI_WAIT_FAULT || s->wait == MALI_WAIT_FAULT_ACK ||
           s->wait == MALI_WAIT_PROTM || s->wait == MALI_WAIT_OOM;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * When this stream is to be looked at for what is outstanding; MALI_NEVER: when somebody else
 * does something. A time that is over counts until it has been acted upon.
 */
uint64_t mali_cs_next_ready(const MaliCs *s, uint64_t now)
{
    uint64_t next = MALI_NEVER;

    if (!s->outstanding || held(s) || s->wait == MALI_WAIT_LOCK) {
        return MALI_NEVER;
    }
    if (!mali_cs_busy(s, now)) {
        return now;
    }
    for (unsigned i = 0; i < MALI_MAX_SB; i++) {
        next = s->sb_ready[i] > now ? earlier(next, s->sb_ready[i]) : next;
    }
    for (unsigned i = 0; i < s->num_deferred; i++) {
        next = earlier(next, s->deferred[i].ready);
    }
    return s->wait == MALI_WAIT_SCOREBOARD ? earlier(next, s->wait_ref) : next;
}

static void occupy(MaliCs *s, unsigned slot, uint64_t ready)
{
    s->outstanding = 1;
    s->sb_ready[slot] = s->sb_ready[slot] > ready ? s->sb_ready[slot] : ready;
}

/* ---- completion ---- */

static unsigned first_due(const MaliCs *s, uint64_t upto)
{
    unsigned best = s->num_deferred;
    uint64_t at = upto;

    for (unsigned i = 0; i < s->num_deferred; i++) {
        if (s->deferred[i].ready < at || (s->deferred[i].ready == at && best == s->num_deferred)) {
            best = i;
            at = s->deferred[i].ready;
        }
    }
    return best;
}

static void drop(MaliCs *s, unsigned i)
{
    memmove(&s->deferred[i], &s->deferred[i + 1],
            (s->num_deferred - i - 1) * sizeof(s->deferred[0]));
    s->num_deferred--;
    memset(&s->deferred[s->num_deferred], 0, sizeof(s->deferred[0]));
}

/* False: a locked range or a fault is in the way; it is tried again. */
static bool complete_one(MaliCtx *x, unsigned i)
{
    MaliDeferred d = x->cs->deferred[i];
    const MaliOp *op = x->g->op[d.word >> 56];
    MaliStep st = MALI_STEP_OK;

    x->w = d.word;
    x->late = &d;
    if (op && op->async == MALI_ASYNC_SIGNAL) { /* else forged: a suspend buffer is the guest's */
        st = op->fn(x);
    }
    x->late = NULL;
    if (st == MALI_STEP_BLOCKED && x->cs->wait != MALI_WAIT_FAULT_ACK) {
        return false;
    }
    drop(x->cs, i);
    return true;
}

static void complete(MaliCtx *x, uint64_t upto)
{
    MaliCs *s = x->cs;
    uint64_t w = x->w;

    for (unsigned i; !held(s) && (i = first_due(s, upto)) < s->num_deferred;) {
        if (!complete_one(x, i)) {
            break;
        }
    }
    x->w = w;
}

bool mali_cs_complete(MaliGpu *g, unsigned csg, unsigned cs, uint64_t now)
{
    MaliCsg *grp = &g->s.csg[csg];
    MaliCtx x = {
        .g = g, .grp = grp, .cs = &grp->cs[cs], .csg = csg, .idx = cs, .nregs = g->row->cs_regs
    };
    uint32_t before;

    if (!x.cs->outstanding) {
        return false;
    }
    before = x.cs->num_deferred;
    x.pc = mali_cs_pc(x.cs);
    mali_cs_ops(g);
    complete(&x, now);
    if (!mali_cs_busy(x.cs, now)) {
        x.cs->outstanding = 0;
        x.cs->run_since = 0;
        return true;
    }
    return x.cs->num_deferred != before;
}

/* ---- waiting ---- */

MaliStep mali_cs_sb_wait(MaliCtx *x, uint32_t mask)
{
    MaliCs *s = x->cs;
    uint64_t t;
    MaliStep st;

    if (!s->outstanding) {
        return MALI_STEP_OK;
    }
    t = ready_at(s, mask);
    if (t <= x->g->run.now) {
        if (t > local(x->g)) {
            stall(x->g, t);
        }
        complete(x, t);
        if (held(s) || s->wait != MALI_WAIT_NONE) { /* a completion has failed */
            *x->pos -= 8;
            return MALI_STEP_BLOCKED;
        }
        if (!(queued_entries(s) & mask)) {
            return MALI_STEP_OK;
        }
        t = mali_cs_next_ready(s, t);
    }
    st = mali_cs_block(x, MALI_WAIT_SCOREBOARD);
    s->wait_ref = t;
    s->wait_cond = mask;
    mali_cs_status(x->g, x->csg, x->idx);
    return st;
}

/* ---- issue ---- */

/* Wait mask and slot: in the instruction, or (arch >= 11, bit 52) in the stream's state. */
static uint32_t wait_mask(const MaliCtx *x)
{
    bool state = mali_arch_major(x->g->row) >= 11 && (x->w >> 52 & 1);

    return state ? x->cs->sb_mask_wait : f_mask16(x->w);
}

static unsigned signal_slot(const MaliCtx *x)
{
    bool state = mali_arch_major(x->g->row) >= 11 && (x->w >> 52 & 1);

    return (state ? x->cs->sb_deferred : (unsigned)(x->w >> 48)) % x->g->row->scoreboards;
}

static MaliStep issue_run(MaliCtx *x, const MaliOp *op)
{
    uint64_t t = local(x->g), takes;
    unsigned slot = x->cs->sb_endpoint % x->g->row->scoreboards;

    MALI_TRY(op->fn(x));
    takes =
        mali_fault_hit(x->g, MALI_FAULT_RUN_NEVER) ? MALI_NEVER : mali_endpoint_time(x, op->code);
    if (!takes) {
        return MALI_STEP_OK;
    }
    if (!x->cs->run_since) {
        x->cs->run_since = t;
    }
    occupy(x->cs, slot, takes == MALI_NEVER ? takes : t + takes);
    return MALI_STEP_OK;
}

static MaliStep issue_other(MaliCtx *x, const MaliOp *op)
{
    MALI_TRY(op->fn(x));
    occupy(x->cs, x->cs->sb_other % x->g->row->scoreboards, local(x->g) + x->g->cfg.async_ns);
    return MALI_STEP_OK;
}

/* Operands are read now: the stream may change its registers before it happens. */
static MaliStep capture(MaliCtx *x, const MaliOp *op, MaliDeferred *d)
{
    unsigned addr = f_src0(x->w), data = f_src1(x->w);

    if (op->operands >= 1) {
        MALI_NEED_REGS(x, addr, op->operands >= 2 ? 2 : 1);
        d->addr = op->operands >= 2 ? reg64(x->cs, addr) : x->cs->reg[addr];
    }
    if (op->operands >= 3) {
        MALI_NEED_REGS(x, data, op->operands == 4 ? 2 : 1);
        d->data = op->operands == 4 ? reg64(x->cs, data) : x->cs->reg[data];
    }
    return MALI_STEP_OK;
}

static MaliStep issue_signal(MaliCtx *x, const MaliOp *op)
{
    MaliCs *s = x->cs;
    uint64_t t = local(x->g), after;
    MaliDeferred d = { .word = x->w, .slot = signal_slot(x) };

    MALI_TRY(capture(x, op, &d));
    if (s->num_deferred == MALI_MAX_DEFERRED) {
        return mali_cs_sb_wait(x, ~0u) == MALI_STEP_OK ? issue_signal(x, op) : MALI_STEP_BLOCKED;
    }
    after = ready_at(s, wait_mask(x));
    t = after > t ? after : t;
    d.ready = t == MALI_NEVER ? t : t + x->g->cfg.async_ns;
    s->deferred[s->num_deferred++] = d;
    occupy(s, d.slot, d.ready);
    return MALI_STEP_OK;
}

MaliStep mali_cs_issue(MaliCtx *x, const MaliOp *op)
{
    if (x->g->s.protm.active) {
        return op->fn(x);
    }
    switch (op->async) {
    case MALI_ASYNC_RUN: return issue_run(x, op);
    case MALI_ASYNC_OTHER: return x->g->cfg.async_ns ? issue_other(x, op) : op->fn(x);
    default: break;
    }
    /* Only FLUSH_CACHE2 is asynchronous without a wait mask (Mesa's cs_instr_is_asynchronous). */
    if (!x->g->cfg.async_ns || (op->code != CS_OP_FLUSH_CACHE2 && !wait_mask(x))) {
        if (wait_mask(x) && x->cs->outstanding && op->code != CS_OP_FLUSH_CACHE2) {
            MALI_TRY(mali_cs_sb_wait(x, wait_mask(x)));
        }
        return op->fn(x);
    }
    return issue_signal(x, op);
}

/* ---- the progress timer: GLB CFG_PROGRESS_TIMER; 0 is off ---- */

/* When the oldest RUN_* of this stream has made no progress for too long. */
uint64_t mali_cs_progress_deadline(const MaliGpu *g, const MaliCs *s)
{
    return g->s.progress_ns && s->run_since && s->run_since != MALI_NEVER
               ? s->run_since + g->s.progress_ns
               : MALI_NEVER;
}

static void log_progress(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "progress-timeout");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "cs", cs);
    mali_ev_end(&e);
}

void mali_csg_progress_check(MaliGpu *g, unsigned csg, uint64_t now)
{
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        MaliCs *s = &g->s.csg[csg].cs[j];

        if (s->started && mali_cs_progress_deadline(g, s) <= now) {
            s->run_since = MALI_NEVER; /* told once */
            log_progress(g, csg, j);
            mali_csg_event(g, csg, CSG_PROGRESS_TIMER_EVENT);
        }
    }
}
