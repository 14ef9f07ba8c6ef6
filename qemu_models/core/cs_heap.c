/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: tiler heaps (spec 4.11): the stream's counters, out of memory, and the
 * host's answer.
 *
 * Nothing is tiled, so memory runs out by the fault plan only. The instruction stands
 * still and asks; it is executed when there is an answer: with a chunk it goes on,
 * without one the exception handler runs first, and without a handler the stream
 * faults (U: the real firmware would wait for fragment jobs first; here none are
 * outstanding).
 */
#include "cs_int.h"

#define HANDLER_OOM 2u /* SET_EXCEPTION_HANDLER type */

static void log_heap(MaliCtx *x)
{
    const MaliCs *s = x->cs;
    MaliEvent e;

    mali_ev_begin(&e, x->g, "tiler-oom");
    mali_ev_u64(&e, "csg", x->csg);
    mali_ev_u64(&e, "cs", x->idx);
    mali_ev_u64(&e, "heap", s->heap_va);
    mali_ev_u64(&e, "vt_start", s->heap_vt_start);
    mali_ev_u64(&e, "vt_end", s->heap_vt_end);
    mali_ev_u64(&e, "frag_end", s->heap_frag_end);
    mali_ev_end(&e);
}

/* RUN_TILING, RUN_IDVS, RUN_IDVS2 */
MaliStep mali_op_tile(MaliCtx *x)
{
    MaliStep st;

    if (x->cs->oom == MALI_OOM_NONE && mali_fault_hit(x->g, MALI_FAULT_TILER_OOM)) {
        x->cs->oom = MALI_OOM_ASKED;
    }
    if (x->cs->oom != MALI_OOM_ASKED) {
        x->cs->oom = MALI_OOM_NONE;
        return MALI_STEP_OK;
    }
    st = mali_cs_block(x, MALI_WAIT_OOM);
    mali_cs_status(x->g, x->csg, x->idx);
    log_heap(x);
    mali_cs_event(x->g, x->csg, x->idx, CS_TILER_OOM);
    return st;
}

/* The handler is called; the instruction that ran out of memory follows it. */
static void call_handler(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    uint64_t end = s->handler_va + (s->handler_len & ~7u);

    if (s->depth >= MALI_MAX_FRAMES - 1) {
        mali_cs_fatal(g, csg, cs, CS_EXC_CALL_STACK_OVERFLOW, mali_cs_pc(s));
    } else if (s->handler_va & 7 || end <= s->handler_va) {
        mali_cs_fatal(g, csg, cs, CS_EXC_INSTR_INVALID, s->handler_va);
    } else {
        s->frame[s->depth++] = (MaliFrame){ s->handler_va, end };
    }
}

static void answered(MaliGpu *g, unsigned csg, unsigned cs, uint64_t chunk)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    MaliEvent e;

    s->wait = MALI_WAIT_NONE;
    s->oom = MALI_OOM_ANSWERED;
    mali_ev_begin(&e, g, "heap-grow");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "cs", cs);
    mali_ev_u64(&e, "chunk", chunk);
    mali_ev_bool(&e, "handler", !chunk && s->handler_type == HANDLER_OOM);
    mali_ev_end(&e);
    if (chunk) {
        return;
    }
    if (s->handler_type == HANDLER_OOM) {
        call_handler(g, csg, cs);
    } else {
        mali_cs_fault(g, csg, cs, CS_EXC_OOM, s->heap_va);
    }
}

/* The stream's doorbell: the host may have answered (heap.c:459-484, sched.c:1630-1644). */
void mali_cs_heap_answer(MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliCsgIface *f = &g->s.iface.csg[csg];
    MaliCs *s = &g->s.csg[csg].cs[cs];
    uint32_t req, ack;

    if (s->wait != MALI_WAIT_OOM || (s->pending & CS_TILER_OOM)) {
        return;
    }
    req = mali_mcu_r32(g, f->cs_in[cs] + CS_IN_REQ);
    ack = mali_mcu_r32(g, f->cs_out[cs] + CS_OUT_ACK);
    if (!((req ^ ack) & CS_TILER_OOM)) {
        answered(g, csg, cs, mali_mcu_r64(g, f->cs_in[cs] + CS_IN_HEAP_START));
    }
}
