/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: sync objects and STORE_STATE (spec 4.8, 4.10, 5.2).
 */
#include "cs_int.h"

/* ---- sync objects: {u32 or u64 seqno, u32 status} (sched.c:317-345) ---- */

static void sync_signal(MaliCtx *x)
{
    x->g->sync_dirty = true;
    if (((x->w >> 1) & 3) != CS_SCOPE_SYSTEM || (x->grp->pending & CSG_SYNC_UPDATE)) {
        return; /* not for the host, or it has one to come (pitfall 12) */
    }
    mali_cs_extract(x->g, x->csg, x->idx);
    mali_csg_event(x->g, x->csg, CSG_SYNC_UPDATE);
}

static MaliStep sync_write(MaliCtx *x, unsigned size, bool add)
{
    unsigned addr = f_src0(x->w), data = f_src1(x->w);
    uint32_t status = (x->w & 1) && x->cs->error;
    uint64_t va, v, old = 0;

    MALI_NEED_REGS(x, addr, 2);
    MALI_NEED_REGS(x, data, size / 4);
    va = src_addr(x);
    v = src_data(x, size);
    if (va & (size - 1)) {
        return mali_cs_recoverable(x, CS_EXC_ADDR_RANGE_FAULT, va);
    }
    if (add) {
        MALI_TRY(mali_cs_read(x, va, &old, size));
        v += old;
    }
    /* Whoever sees the new seqno must see its status: status first. */
    MALI_TRY(mali_cs_write(x, va + size, &status, 4));
    MALI_TRY(mali_cs_write(x, va, &v, size));
    sync_signal(x);
    return MALI_STEP_OK;
}

bool mali_cs_sync_met(uint64_t value, uint64_t ref, uint32_t cond)
{
    return cond == CS_COND_GT ? value > ref : value <= ref;
}

static MaliStep sync_block(MaliCtx *x, uint64_t va, uint64_t ref, uint32_t cond, unsigned size)
{
    MaliStep st = mali_cs_block(x, MALI_WAIT_SYNC);

    x->cs->wait_va = va;
    x->cs->wait_ref = ref;
    x->cs->wait_cond = cond;
    x->cs->wait_64 = size == 8;
    x->cs->wait_reject = x->w & 1;
    mali_cs_status(x->g, x->csg, x->idx);
    return st;
}

static MaliStep sync_wait(MaliCtx *x, unsigned size)
{
    unsigned addr = f_src0(x->w), data = f_src1(x->w);
    uint32_t cond = (x->w >> 28) & 0xf, status;
    uint64_t va, ref, v = 0;

    MALI_NEED_REGS(x, addr, 2);
    MALI_NEED_REGS(x, data, size / 4);
    if (cond != CS_COND_LE && cond != CS_COND_GT) {
        return mali_cs_invalid(x);
    }
    va = reg64(x->cs, addr);
    ref = size == 8 ? reg64(x->cs, data) : x->cs->reg[data];
    if (va & (size - 1)) {
        return mali_cs_recoverable(x, CS_EXC_ADDR_RANGE_FAULT, va);
    }
    MALI_TRY(mali_cs_read(x, va, &v, size));
    if (!mali_cs_sync_met(v, ref, cond)) {
        return sync_block(x, va, ref, cond, size);
    }
    MALI_TRY(mali_cs_read(x, va + size, &status, 4));
    if (status && (x->w & 1)) {
        return mali_cs_recoverable(x, CS_EXC_INHERIT_FAULT, va);
    }
    if (status) {
        x->cs->error = CS_EXC_INHERIT_FAULT;
    }
    return MALI_STEP_OK;
}

MaliStep mali_op_sync_add32(MaliCtx *x)
{
    return sync_write(x, 4, true);
}
MaliStep mali_op_sync_set32(MaliCtx *x)
{
    return sync_write(x, 4, false);
}
MaliStep mali_op_sync_wait32(MaliCtx *x)
{
    return sync_wait(x, 4);
}
MaliStep mali_op_sync_add64(MaliCtx *x)
{
    return sync_write(x, 8, true);
}
MaliStep mali_op_sync_set64(MaliCtx *x)
{
    return sync_write(x, 8, false);
}
MaliStep mali_op_sync_wait64(MaliCtx *x)
{
    return sync_wait(x, 8);
}

/* ---- STORE_STATE: 64 bits for the counters (sched.c:710-720), 32 for the others (U) ---- */

MaliStep mali_op_store_state(MaliCtx *x)
{
    const MaliGpu *g = x->g;
    unsigned addr = f_src0(x->w), size = 8;
    uint64_t va, v;

    MALI_NEED_REGS(x, addr, 2);
    va = src_addr(x) + (uint64_t)f_off16(x->w);
    switch ((x->w >> 32) & 3) {
    case CS_STORE_TIMESTAMP: v = g->ops.timestamp(g->opaque) + g->s.timestamp_offset; break;
    case CS_STORE_CYCLES: v = mali_cycle_count(x->g); break;
    case CS_STORE_DISJOINT:
        v = 0;
        size = 4;
        break;
    default:
        v = x->cs->error;
        size = 4;
        break;
    }
    if (va & (size - 1)) {
        return mali_cs_recoverable(x, CS_EXC_ADDR_RANGE_FAULT, va);
    }
    return mali_cs_write(x, va, &v, size);
}
