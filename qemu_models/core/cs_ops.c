/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the opcode table and the instructions that touch no memory.
 *
 * Spec 5.2. Which of them are asynchronous is in the table; what that means in cs_async.c.
 */
#include "cs_int.h"

#define ARCH_ANY  0xff
#define MAX_DEPTH (MALI_MAX_FRAMES - 1) /* the ring is the eighth frame (Mesa decode_csf.c) */

static MaliStep op_nothing(MaliCtx *x)
{
    (void)x;
    return MALI_STEP_OK;
}

static MaliStep op_move48(MaliCtx *x)
{
    unsigned d = f_dst(x->w);

    MALI_NEED_REGS(x, d, 2);
    set_reg64(x->cs, d, x->w & UINT64_C(0xffffffffffff));
    return MALI_STEP_OK;
}

static MaliStep op_move32(MaliCtx *x)
{
    MALI_NEED_REGS(x, f_dst(x->w), 1);
    x->cs->reg[f_dst(x->w)] = f_imm32(x->w);
    return MALI_STEP_OK;
}

/* Shared entries belong to nobody here: SHARED_SB_INC and _DEC only count progress (bit 32). */
static MaliStep op_progress(MaliCtx *x)
{
    if (x->w >> 32 & 1) {
        x->cs->progress++;
        x->g->sync_dirty = true;
    }
    return MALI_STEP_OK;
}

/* Arch >= 11, bit 33: the mask is the one of SET_STATE. */
static MaliStep op_wait(MaliCtx *x)
{
    bool state = mali_arch_major(x->g->row) >= 11 && (x->w >> 33 & 1);

    MALI_TRY(mali_cs_sb_wait(x, state ? x->cs->sb_mask_wait : f_mask16(x->w)));
    return op_progress(x);
}
static MaliStep op_add_imm32(MaliCtx *x)
{
    MALI_NEED_REGS(x, f_dst(x->w), 1);
    MALI_NEED_REGS(x, f_src0(x->w), 1);
    x->cs->reg[f_dst(x->w)] = x->cs->reg[f_src0(x->w)] + f_imm32(x->w);
    return MALI_STEP_OK;
}

static MaliStep op_add_imm64(MaliCtx *x)
{
    int64_t imm = (int32_t)f_imm32(x->w);

    MALI_NEED_REGS(x, f_dst(x->w), 2);
    MALI_NEED_REGS(x, f_src0(x->w), 2);
    set_reg64(x->cs, f_dst(x->w), reg64(x->cs, f_src0(x->w)) + (uint64_t)imm);
    return MALI_STEP_OK;
}

static MaliStep op_umin32(MaliCtx *x)
{
    uint32_t a, b;

    MALI_NEED_REGS(x, f_dst(x->w), 1);
    MALI_NEED_REGS(x, f_src0(x->w), 1);
    MALI_NEED_REGS(x, f_src1(x->w), 1);
    a = x->cs->reg[f_src0(x->w)];
    b = x->cs->reg[f_src1(x->w)];
    x->cs->reg[f_dst(x->w)] = a < b ? a : b;
    return MALI_STEP_OK;
}

/* ---- flow ---- */

static bool taken(int32_t v, unsigned cond)
{
    switch (cond) {
    case CS_COND_LE: return v <= 0;
    case CS_COND_GT: return v > 0;
    case CS_COND_EQ: return v == 0;
    case CS_COND_NE: return v != 0;
    case CS_COND_LT: return v < 0;
    case CS_COND_GE: return v >= 0;
    default: return true;
    }
}

static MaliStep op_branch(MaliCtx *x)
{
    unsigned bits = mali_arch_major(x->g->row) >= 12 ? 0xf : 0x7;
    unsigned cond = (x->w >> 28) & bits;
    uint64_t to = *x->pos + (uint64_t)(f_off16(x->w) * 8);

    MALI_NEED_REGS(x, f_src0(x->w), 1);
    if (cond > CS_COND_ALWAYS) {
        return mali_cs_invalid(x);
    }
    if (!taken((int32_t)x->cs->reg[f_src0(x->w)], cond)) {
        return MALI_STEP_OK;
    }
    /* In the ring: EXTRACT must not pass INSERT, nor go back to what is overwritten. */
    if (!x->cs->depth && (to > x->cs->insert || x->cs->insert - to > x->cs->ring_size)) {
        return mali_cs_invalid(x);
    }
    *x->pos = to;
    return MALI_STEP_OK;
}

/* Operands of CALL and JUMP: a 64-bit address and a length in bytes. */
static MaliStep target(MaliCtx *x, MaliFrame *to)
{
    unsigned addr = f_src0(x->w), len = f_src1(x->w);

    MALI_NEED_REGS(x, addr, 2);
    MALI_NEED_REGS(x, len, 1);
    to->pc = reg64(x->cs, addr);
    to->end = to->pc + (x->cs->reg[len] & ~7u);
    return (to->pc & 7) || to->end < to->pc ? mali_cs_invalid(x) : MALI_STEP_OK;
}

static MaliStep op_call(MaliCtx *x)
{
    MaliFrame to;

    MALI_TRY(target(x, &to));
    if (x->cs->depth >= MAX_DEPTH) {
        return mali_cs_kill(x, CS_EXC_CALL_STACK_OVERFLOW, x->pc);
    }
    x->cs->frame[x->cs->depth++] = to;
    return MALI_STEP_OK;
}

static MaliStep op_jump(MaliCtx *x)
{
    MaliFrame to;

    MALI_TRY(target(x, &to));
    if (!x->cs->depth) {
        return mali_cs_invalid(x);
    }
    x->cs->frame[x->cs->depth - 1] = to;
    return MALI_STEP_OK;
}

/* ---- state of the stream ---- */

static MaliStep op_set_sb_entry(MaliCtx *x)
{
    x->cs->sb_endpoint = x->w & 0xf;
    x->cs->sb_other = (x->w >> 4) & 0xf;
    return MALI_STEP_OK;
}

static MaliStep op_progress_wait(MaliCtx *x)
{
    unsigned queue = x->w & 0x1f;
    uint64_t ref;
    MaliStep st;

    MALI_NEED_REGS(x, f_src0(x->w), 2);
    if (queue >= x->g->s.iface.num_cs || queue >= MALI_NUM_CS) {
        return mali_cs_invalid(x);
    }
    ref = reg64(x->cs, f_src0(x->w));
    if (x->grp->cs[queue].progress >= ref) {
        return MALI_STEP_OK;
    }
    x->cs->wait_va = queue;
    x->cs->wait_ref = ref;
    st = mali_cs_block(x, MALI_WAIT_PROGRESS);
    mali_cs_status(x->g, x->csg, x->idx);
    return st;
}

static MaliStep op_progress_store(MaliCtx *x)
{
    MALI_NEED_REGS(x, f_src0(x->w), 2);
    x->cs->progress = reg64(x->cs, f_src0(x->w));
    x->g->sync_dirty = true;
    return MALI_STEP_OK;
}

static MaliStep op_progress_load(MaliCtx *x)
{
    MALI_NEED_REGS(x, f_dst(x->w), 2);
    set_reg64(x->cs, f_dst(x->w), x->cs->progress);
    return MALI_STEP_OK;
}

static MaliStep op_set_exception_handler(MaliCtx *x)
{
    MALI_NEED_REGS(x, f_src0(x->w), 2);
    MALI_NEED_REGS(x, f_src1(x->w), 1);
    x->cs->handler_type = x->w & 0xff;
    x->cs->handler_va = reg64(x->cs, f_src0(x->w));
    x->cs->handler_len = x->cs->reg[f_src1(x->w)];
    return MALI_STEP_OK;
}

static MaliStep op_req_resource(MaliCtx *x)
{
    x->cs->resources = x->w & (mali_arch_major(x->g->row) >= 12 ? 0x1f : 0xf);
    return MALI_STEP_OK;
}

/* The id in the register is that of LATEST_FLUSH_ID at submission: if a flush has happened since,
 * skip. */
static MaliStep op_flush_cache2(MaliCtx *x)
{
    uint32_t id;

    MALI_NEED_REGS(x, f_src0(x->w), 1);
    id = x->late ? (uint32_t)x->late->addr : x->cs->reg[f_src0(x->w)];
    if (!id || id == x->g->s.flush_id) {
        mali_flush_id_next(x->g);
    }
    return MALI_STEP_OK;
}

static MaliStep op_error_barrier(MaliCtx *x)
{
    MALI_TRY(mali_cs_sb_wait(x, ~0u));
    x->cs->error = 0;
    return MALI_STEP_OK;
}

static MaliStep op_finish_fragment(MaliCtx *x)
{
    x->cs->heap_frag_end += x->w & 1;
    return MALI_STEP_OK;
}

static MaliStep op_heap_set(MaliCtx *x)
{
    MALI_NEED_REGS(x, f_src0(x->w), 2);
    x->cs->heap_va = reg64(x->cs, f_src0(x->w));
    return MALI_STEP_OK;
}

static MaliStep op_heap_operation(MaliCtx *x)
{
    switch ((x->w >> 32) & (mali_arch_major(x->g->row) >= 12 ? 7 : 3)) {
    case CS_HEAP_VT_START: x->cs->heap_vt_start++; break;
    case CS_HEAP_VT_END: x->cs->heap_vt_end++; break;
    case CS_HEAP_FRAG_END: x->cs->heap_frag_end++; break;
    default: break;
    }
    return MALI_STEP_OK;
}

/*
 * Waits for the host to let the group into protected mode (spec 4.12), then the next
 * [15:0] instructions are the region. A region within a region is not defined: invalid.
 */
static MaliStep op_prot_region(MaliCtx *x)
{
    MaliStep st;
    MaliEvent e;

    if (x->cs->prot_left) {
        return mali_cs_invalid(x);
    }
    if (!x->g->s.protm.active) {
        MALI_TRY(mali_cs_sb_wait(x, ~0u));
    }
    if (mali_protm_region(x->g, x->csg, x->idx, x->w & 0xffff)) {
        return MALI_STEP_OK;
    }
    st = mali_cs_block(x, MALI_WAIT_PROTM);
    mali_ev_begin(&e, x->g, "cs-blocked");
    mali_ev_u64(&e, "csg", x->csg);
    mali_ev_u64(&e, "cs", x->idx);
    mali_ev_str(&e, "why", "protm");
    mali_ev_end(&e);
    mali_protm_pend(x->g, x->csg, x->idx);
    return st;
}

const MaliOp mali_ops[] = {
    { CS_OP_NOP, 10, ARCH_ANY, "NOP", op_nothing, MALI_ASYNC_NONE, 0 },
    { CS_OP_MOVE48, 10, ARCH_ANY, "MOVE48", op_move48, MALI_ASYNC_NONE, 0 },
    { CS_OP_MOVE32, 10, ARCH_ANY, "MOVE32", op_move32, MALI_ASYNC_NONE, 0 },
    { CS_OP_WAIT, 10, ARCH_ANY, "WAIT", op_wait, MALI_ASYNC_NONE, 0 },
    { CS_OP_RUN_COMPUTE, 10, ARCH_ANY, "RUN_COMPUTE", op_nothing, MALI_ASYNC_RUN, 0 },
    { CS_OP_RUN_TILING, 10, 11, "RUN_TILING", mali_op_tile, MALI_ASYNC_RUN, 0 },
    { CS_OP_RUN_IDVS, 10, 11, "RUN_IDVS", mali_op_tile, MALI_ASYNC_RUN, 0 },
    { CS_OP_RUN_FRAGMENT, 10, ARCH_ANY, "RUN_FRAGMENT", op_nothing, MALI_ASYNC_RUN, 0 },
    { CS_OP_RUN_FULLSCREEN, 10, ARCH_ANY, "RUN_FULLSCREEN", op_nothing, MALI_ASYNC_RUN, 0 },
    { CS_OP_FINISH_TILING, 10, ARCH_ANY, "FINISH_TILING", op_nothing, MALI_ASYNC_RUN, 0 },
    { CS_OP_FINISH_FRAGMENT, 10, ARCH_ANY, "FINISH_FRAGMENT", op_finish_fragment, MALI_ASYNC_SIGNAL,
      0 },
    { CS_OP_RUN_IDVS2, 12, ARCH_ANY, "RUN_IDVS2", mali_op_tile, MALI_ASYNC_RUN, 0 },
    { CS_OP_ADD_IMM32, 10, 12, "ADD_IMM32", op_add_imm32, MALI_ASYNC_NONE, 0 },
    { CS_OP_ADD_IMM32, 13, ARCH_ANY, "ARITH_IMM32", mali_op_arith_imm32, MALI_ASYNC_NONE, 0 },
    { CS_OP_ADD_IMM64, 10, 12, "ADD_IMM64", op_add_imm64, MALI_ASYNC_NONE, 0 },
    { CS_OP_ADD_IMM64, 13, ARCH_ANY, "ARITH_IMM64", mali_op_arith_imm64, MALI_ASYNC_NONE, 0 },
    { CS_OP_UMIN32, 10, 12, "UMIN32", op_umin32, MALI_ASYNC_NONE, 0 },
    { CS_OP_UMIN32, 13, ARCH_ANY, "ARITH_REG32", mali_op_arith_reg32, MALI_ASYNC_NONE, 0 },
    { CS_OP_LOGIC_OP32, 11, ARCH_ANY, "LOGIC_OP32", mali_op_logic_op32, MALI_ASYNC_NONE, 0 },
    { CS_OP_LOAD_MULTIPLE, 10, ARCH_ANY, "LOAD_MULTIPLE", mali_op_load_multiple, MALI_ASYNC_OTHER,
      0 },
    { CS_OP_STORE_MULTIPLE, 10, ARCH_ANY, "STORE_MULTIPLE", mali_op_store_multiple,
      MALI_ASYNC_OTHER, 0 },
    { CS_OP_BRANCH, 10, ARCH_ANY, "BRANCH", op_branch, MALI_ASYNC_NONE, 0 },
    { CS_OP_SET_SB_ENTRY, 10, ARCH_ANY, "SET_SB_ENTRY", op_set_sb_entry, MALI_ASYNC_NONE, 0 },
    { CS_OP_PROGRESS_WAIT, 10, ARCH_ANY, "PROGRESS_WAIT", op_progress_wait, MALI_ASYNC_NONE, 0 },
    { CS_OP_SET_EXCEPTION_HANDLER, 10, ARCH_ANY, "SET_EXCEPTION_HANDLER", op_set_exception_handler,
      MALI_ASYNC_NONE, 0 },
    { CS_OP_NEXT_SB_ENTRY, 11, ARCH_ANY, "NEXT_SB_ENTRY", mali_op_next_sb_entry, MALI_ASYNC_NONE,
      0 },
    { CS_OP_SET_STATE, 11, ARCH_ANY, "SET_STATE", mali_op_set_state, MALI_ASYNC_NONE, 0 },
    { CS_OP_SET_STATE_IMM32, 11, ARCH_ANY, "SET_STATE_IMM32", mali_op_set_state_imm32,
      MALI_ASYNC_NONE, 0 },
    { CS_OP_SHARED_SB_INC, 11, ARCH_ANY, "SHARED_SB_INC", op_progress, MALI_ASYNC_NONE, 0 },
    { CS_OP_SHARED_SB_DEC, 11, ARCH_ANY, "SHARED_SB_DEC", op_progress, MALI_ASYNC_NONE, 0 },
    { CS_OP_CALL, 10, ARCH_ANY, "CALL", op_call, MALI_ASYNC_NONE, 0 },
    { CS_OP_JUMP, 10, ARCH_ANY, "JUMP", op_jump, MALI_ASYNC_NONE, 0 },
    { CS_OP_REQ_RESOURCE, 10, ARCH_ANY, "REQ_RESOURCE", op_req_resource, MALI_ASYNC_NONE, 0 },
    { CS_OP_FLUSH_CACHE2, 10, ARCH_ANY, "FLUSH_CACHE2", op_flush_cache2, MALI_ASYNC_SIGNAL, 1 },
    { CS_OP_SYNC_ADD32, 10, ARCH_ANY, "SYNC_ADD32", mali_op_sync_add32, MALI_ASYNC_SIGNAL, 3 },
    { CS_OP_SYNC_SET32, 10, ARCH_ANY, "SYNC_SET32", mali_op_sync_set32, MALI_ASYNC_SIGNAL, 3 },
    { CS_OP_SYNC_WAIT32, 10, ARCH_ANY, "SYNC_WAIT32", mali_op_sync_wait32, MALI_ASYNC_NONE, 0 },
    { CS_OP_STORE_STATE, 10, ARCH_ANY, "STORE_STATE", mali_op_store_state, MALI_ASYNC_SIGNAL, 2 },
    { CS_OP_PROT_REGION, 10, ARCH_ANY, "PROT_REGION", op_prot_region, MALI_ASYNC_NONE, 0 },
    { CS_OP_PROGRESS_STORE, 10, ARCH_ANY, "PROGRESS_STORE", op_progress_store, MALI_ASYNC_NONE, 0 },
    { CS_OP_PROGRESS_LOAD, 10, ARCH_ANY, "PROGRESS_LOAD", op_progress_load, MALI_ASYNC_NONE, 0 },
    { CS_OP_RUN_COMPUTE_INDIRECT, 10, ARCH_ANY, "RUN_COMPUTE_INDIRECT", op_nothing, MALI_ASYNC_RUN,
      0 },
    { CS_OP_ERROR_BARRIER, 10, ARCH_ANY, "ERROR_BARRIER", op_error_barrier, MALI_ASYNC_NONE, 0 },
    { CS_OP_HEAP_SET, 10, ARCH_ANY, "HEAP_SET", op_heap_set, MALI_ASYNC_NONE, 0 },
    { CS_OP_HEAP_OPERATION, 10, ARCH_ANY, "HEAP_OPERATION", op_heap_operation, MALI_ASYNC_SIGNAL,
      0 },
    { CS_OP_TRACE_POINT, 10, ARCH_ANY, "TRACE_POINT", op_nothing, MALI_ASYNC_SIGNAL, 0 },
    { CS_OP_SYNC_ADD64, 10, ARCH_ANY, "SYNC_ADD64", mali_op_sync_add64, MALI_ASYNC_SIGNAL, 4 },
    { CS_OP_SYNC_SET64, 10, ARCH_ANY, "SYNC_SET64", mali_op_sync_set64, MALI_ASYNC_SIGNAL, 4 },
    { CS_OP_SYNC_WAIT64, 10, ARCH_ANY, "SYNC_WAIT64", mali_op_sync_wait64, MALI_ASYNC_NONE, 0 },
    { CS_OP_ARITH_REG64, 13, ARCH_ANY, "ARITH_REG64", mali_op_arith_reg64, MALI_ASYNC_NONE, 0 },
};
const unsigned mali_num_ops = sizeof(mali_ops) / sizeof(mali_ops[0]);
