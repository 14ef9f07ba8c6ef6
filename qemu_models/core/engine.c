/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: who runs when.
 *
 * Streams run only from the timer, never inside an MMIO write. A slice executes at
 * most SLICE instructions in turns by priority and looks at most LOOKS times at streams that wait,
 * then rests as long as it took, so that vCPUs get at the device even while streams have more to do
 * than the host can execute: whoever holds the lock all but always starves the others (pitfall 14).
 * With cs_ips a stream pays for instructions with virtual time (pitfall 13): credit_ns is the time
 * up to which it has paid. It may save up BURST_NS while it has nothing to do: short jobs finish at
 * once, and a running stream asks for the timer once in BURST_NS, not once an instruction.
 */
#include "mali_int.h"

#define SLICE       4000u
#define TURN        40u   /* of a group of priority 0; one of priority 15 gets 16 times that */
#define EVEN        5u    /* a stream of priority 0 gets 5 / 5 of a turn, one of 15 20 / 5 */
#define LOOKS       2048u /* at waiting streams, one slice: each costs a read or two of memory */
#define BURST_NS    UINT64_C(100000)
#define REST_MIN_NS UINT64_C(10000)
#define REST_MAX_NS UINT64_C(200000)
#define POLL_NS                                                                                    \
    UINT64_C(1000000) /* re-poll of waits: a CPU write rings no doorbell (pitfall 16)              \
                       */
#define NS_PER_S    UINT64_C(1000000000)
#define NUM_STREAMS (MALI_NUM_CSG * MALI_NUM_CS)

static uint64_t now_ns(MaliGpu *g)
{
    return g->ops.now_ns(g->opaque);
}

static bool polled(const MaliCs *s)
{
    return s->started && !s->stopped &&
           (s->wait == MALI_WAIT_SYNC || s->wait == MALI_WAIT_PROGRESS ||
            s->wait == MALI_WAIT_LOCK);
}

/* Virtual time between two looks at a running stream: pays for one instruction at least. */
static uint64_t quantum(const MaliGpu *g)
{
    uint64_t one = NS_PER_S / g->cfg.cs_ips + 1;

    return one > BURST_NS ? one : BURST_NS;
}

/* Streams that have become runnable get what they saved up, but no more than a burst. */
static void admit(const MaliGpu *g, MaliCs *s, uint64_t now)
{
    bool run = mali_cs_runnable(s);

    if (run && !s->queued && g->cfg.cs_ips) {
        uint64_t floor = now > quantum(g) ? now - quantum(g) : 0;

        s->credit_ns = s->credit_ns > floor ? s->credit_ns : floor;
    }
    s->queued = run;
}

static uint64_t ready_at(const MaliGpu *g, const MaliCs *s)
{
    return g->cfg.cs_ips ? s->credit_ns + quantum(g) : 0;
}

/* ---- deadlines ---- */

typedef struct Needs {
    uint64_t run_at;
    bool poll;
} Needs;

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Something outstanding is over; a stream that has used up its credit may as well be looked at
 * with its next quantum. */
static uint64_t over_at(const MaliGpu *g, const MaliCs *s, uint64_t now)
{
    uint64_t over = mali_cs_next_ready(s, now), paid = ready_at(g, s);

    return over > paid ? over : paid;
}

static Needs needs(MaliGpu *g, uint64_t now)
{
    Needs n = { MALI_NEVER, false };

    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        for (unsigned j = 0; g->s.csg[i].resident && j < MALI_NUM_CS; j++) {
            MaliCs *s = &g->s.csg[i].cs[j];

            n.run_at = earlier(n.run_at, mali_cs_progress_deadline(g, s));
            if (!mali_protm_runs(g, i, j)) {
                s->queued = 0;
                continue;
            }
            admit(g, s, now);
            if (s->queued && ready_at(g, s) < n.run_at) {
                n.run_at = ready_at(g, s);
            }
            if (s->outstanding && !s->queued) {
                n.run_at = earlier(n.run_at, over_at(g, s, now));
            }
            n.poll |= polled(s);
        }
    }
    return n;
}

/* Fault plan: no stream runs, or not yet. */
static bool stands_still(const MaliGpu *g)
{
    return mali_fault(g, MALI_FAULT_JOB_NEVER) || mali_late_pending(g, MALI_LATE_JOB);
}

void mali_timer_rearm(MaliGpu *g)
{
    uint64_t now = now_ns(g), when;
    Needs n = needs(g, now);

    if (stands_still(g)) {
        if (n.run_at != MALI_NEVER && mali_fault(g, MALI_FAULT_JOB_NEVER)) {
            mali_fault_struck(g, MALI_FAULT_JOB_NEVER);
        }
        n.run_at = MALI_NEVER;
    }

    if (!n.poll) {
        g->s.poll_deadline = MALI_NEVER;
    } else if (g->s.poll_deadline == MALI_NEVER || g->s.poll_deadline > now + POLL_NS) {
        g->s.poll_deadline = now + POLL_NS;
    }
    if (g->s.rest_until > now + REST_MAX_NS) {
        g->s.rest_until = now; /* a snapshot has turned time back */
    }
    if (n.run_at < g->s.rest_until) {
        n.run_at = g->s.rest_until;
    }
    when = earlier(earlier(n.run_at, g->s.poll_deadline), g->s.idle_deadline);
    when = earlier(when, mali_late_deadline(g));
    if (when < now) {
        when = now;
    }
    if (when != g->timer_set) {
        g->timer_set = when;
        g->ops.set_timer(g->opaque, when);
    }
}

void mali_engine_kick(MaliGpu *g)
{
    mali_timer_rearm(g);
}

/* ---- waits ---- */

unsigned mali_engine_poll(MaliGpu *g)
{
    unsigned looks = 0;

    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        bool woken = false;

        for (unsigned j = 0; g->s.csg[i].resident && j < MALI_NUM_CS; j++) {
            if (g->s.csg[i].cs[j].wait != MALI_WAIT_NONE && mali_protm_runs(g, i, j)) {
                woken |= mali_cs_unblock(g, i, j);
                looks++;
            }
        }
        if (woken) {
            mali_csg_idle_update(g, i);
        }
    }
    return looks;
}

/* ---- what completes later (cs_async.c) ---- */

static void complete_due(MaliGpu *g, uint64_t now)
{
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        bool changed = false;

        for (unsigned j = 0; g->s.csg[i].resident && j < MALI_NUM_CS; j++) {
            if (g->s.csg[i].cs[j].started && mali_protm_runs(g, i, j)) {
                changed |= mali_cs_complete(g, i, j, now);
            }
        }
        if (changed) {
            mali_csg_idle_update(g, i);
        }
        if (g->s.csg[i].resident && g->s.progress_ns) {
            mali_csg_progress_check(g, i, now);
        }
    }
}

/* ---- running ---- */

/* Instructions this stream may execute now, at most @max. */
static unsigned budget(const MaliGpu *g, const MaliCs *s, uint64_t now, unsigned max)
{
    uint64_t ips = g->cfg.cs_ips, span, n;

    if (!ips) {
        return max;
    }
    span = now > s->credit_ns ? now - s->credit_ns : 0;
    if (span > NS_PER_S) {
        span = NS_PER_S; /* keeps the product in range; a slice needs far less */
    }
    n = span * ips / NS_PER_S;
    return n < max ? (unsigned)n : max;
}

static unsigned run_turn(MaliGpu *g, unsigned stream, uint64_t now, unsigned max)
{
    unsigned csg = stream / MALI_NUM_CS, cs = stream % MALI_NUM_CS, n;
    MaliCs *s = &g->s.csg[csg].cs[cs];

    if (!g->s.csg[csg].resident || !mali_cs_runnable(s) || !mali_protm_runs(g, csg, cs)) {
        return 0;
    }
    n = mali_cs_run(g, csg, cs, budget(g, s, now, max));
    if (g->cfg.cs_ips) {
        s->credit_ns += n * NS_PER_S / g->cfg.cs_ips + (n ? g->run.stall : 0);
    }
    mali_protm_settle(g); /* not sooner: it may take the group off its slot */
    return n;
}

/* By the priorities of group and stream: nobody starves, but who matters more gets more of a busy
 * host. */
static unsigned turn(const MaliGpu *g, unsigned stream, unsigned left)
{
    const MaliCsg *c = &g->s.csg[stream / MALI_NUM_CS];
    unsigned mine = c->cs_prio >> 4 * (stream % MALI_NUM_CS) & 0xf;
    unsigned n = TURN * (1 + c->prio % 16) * (EVEN + mine) / EVEN;

    return n < left ? n : left;
}

/* One turn for each stream from @engine_next on; the number of instructions executed. */
static unsigned run_round(MaliGpu *g, uint64_t now, unsigned left, uint64_t *ran)
{
    unsigned done = 0;

    for (unsigned k = 0; k < NUM_STREAMS && done < left; k++) {
        unsigned stream = (g->s.engine_next + k) % NUM_STREAMS, n;

        n = run_turn(g, stream, now, turn(g, stream, left - done));
        if (n) {
            *ran |= MALI_BIT64(stream);
            done += n;
        }
    }
    g->s.engine_next = (g->s.engine_next + 1) % NUM_STREAMS;
    return done;
}

static void publish(MaliGpu *g, uint64_t ran)
{
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        uint64_t mine = ran >> (i * MALI_NUM_CS) & ((1u << MALI_NUM_CS) - 1);

        for (unsigned j = 0; j < MALI_NUM_CS; j++) {
            if ((mine >> j & 1) && g->s.csg[i].cs[j].started) {
                mali_cs_extract(g, i, j);
            }
        }
        if (mine) {
            mali_csg_idle_update(g, i);
        }
    }
}

static void rest(MaliGpu *g, uint64_t since)
{
    uint64_t now = now_ns(g), took = now - since;

    g->s.rest_until = now + (took < REST_MIN_NS   ? REST_MIN_NS
                             : took > REST_MAX_NS ? REST_MAX_NS
                                                  : took);
}

void mali_engine_run(MaliGpu *g)
{
    uint64_t now = now_ns(g), ran = 0;
    unsigned left = SLICE, looks, n;

    g->fetch.valid = false;
    if (stands_still(g)) {
        return;
    }
    complete_due(g, now);
    looks = mali_engine_poll(g);
    do {
        g->sync_dirty = false;
        needs(g, now);
        n = run_round(g, now, left, &ran);
        left -= n;
        if (g->sync_dirty) {
            looks += mali_engine_poll(g); /* streams that wait for each other need no timer */
        }
    } while (n && left && looks < LOOKS);
    g->fetch.valid = false;
    publish(g, ran);
    if (ran) {
        rest(g, now);
    }
    if (g->s.poll_deadline <= now) {
        g->s.poll_deadline = MALI_NEVER; /* polled: rearm starts the next period */
    }
}
