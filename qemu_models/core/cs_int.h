/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: what the interpreter's files (cs.c, cs_ops.c, cs_mem.c, cs_sync.c) share.
 */
#ifndef MALI_CS_INT_H
#define MALI_CS_INT_H

#include "mali_int.h"

/* One instruction being executed. */
typedef struct MaliCtx {
    MaliGpu *g;
    MaliCsg *grp;
    MaliCs *cs;
    unsigned csg, idx;
    uint32_t nregs;
    uint64_t w;               /* the instruction word */
    uint64_t pc;              /* its address */
    uint64_t *pos;            /* position of its frame, already behind the instruction */
    const MaliDeferred *late; /* it was issued earlier and happens now; NULL: at once */
} MaliCtx;

typedef MaliStep (*MaliOpFn)(MaliCtx *x);

/* What a scoreboard entry has to do with an instruction. */
typedef enum MaliAsync {
    MALI_ASYNC_NONE,
    MALI_ASYNC_RUN,    /* busy: the endpoint entry */
    MALI_ASYNC_OTHER,  /* busy: the "other" entry */
    MALI_ASYNC_SIGNAL, /* busy: the entry in [51:48]; waits for those in [31:16] */
} MaliAsync;

/* One row an instruction; architectures outside [min_arch, max_arch] do not know it. */
typedef struct MaliOp {
    uint8_t code, min_arch, max_arch;
    const char *name;
    MaliOpFn fn;
    uint8_t async;    /* MaliAsync */
    uint8_t operands; /* of ASYNC_SIGNAL: 1 a register, 2 an address, 3 and 4 with data */
} MaliOp;

extern const MaliOp mali_ops[];
extern const unsigned mali_num_ops;

/* ---- fields of the instruction word (spec 5.2) ---- */
static inline unsigned f_dst(uint64_t w)
{
    return (w >> 48) & 0xff;
}
static inline unsigned f_src0(uint64_t w)
{
    return (w >> 40) & 0xff;
}
static inline unsigned f_src1(uint64_t w)
{
    return (w >> 32) & 0xff;
}
static inline uint32_t f_imm32(uint64_t w)
{
    return (uint32_t)w;
}
static inline int64_t f_off16(uint64_t w)
{
    return (int16_t)(w & 0xffff);
}
static inline unsigned f_mask16(uint64_t w)
{
    return (w >> 16) & 0xffff;
}

static inline uint64_t reg64(const MaliCs *cs, unsigned r)
{
    return cs->reg[r] | (uint64_t)cs->reg[r + 1] << 32;
}

/* Operands of an instruction that may have been issued earlier. */
static inline uint64_t src_addr(const MaliCtx *x)
{
    return x->late ? x->late->addr : reg64(x->cs, f_src0(x->w));
}

static inline uint64_t src_data(const MaliCtx *x, unsigned size)
{
    unsigned r = f_src1(x->w);

    return x->late ? x->late->data : size == 8 ? reg64(x->cs, r) : x->cs->reg[r];
}

static inline void set_reg64(MaliCs *cs, unsigned r, uint64_t v)
{
    cs->reg[r] = (uint32_t)v;
    cs->reg[r + 1] = (uint32_t)(v >> 32);
}

/* ---- outcomes (cs.c) ---- */
/* The stream stands still at this instruction and tries it again when @wait is over. */
MaliStep mali_cs_block(MaliCtx *x, MaliCsWait wait);
/* CS_FATAL for this instruction. */
MaliStep mali_cs_kill(MaliCtx *x, uint32_t type, uint64_t info);
/* CS_FAULT: the instruction counts as executed, the error flag is set. */
MaliStep mali_cs_recoverable(MaliCtx *x, uint32_t type, uint64_t info);

static inline MaliStep mali_cs_invalid(MaliCtx *x)
{
    return mali_cs_kill(x, CS_EXC_INSTR_INVALID, x->pc);
}

/* ---- scoreboards (cs_async.c) ---- */
MaliStep mali_cs_issue(MaliCtx *x, const MaliOp *op); /* an instruction with .async */
/* OK when these entries are clear, else the stream stands still until they are. */
MaliStep mali_cs_sb_wait(MaliCtx *x, uint32_t mask);
void mali_cs_ops(MaliGpu *g); /* fills the opcode table */

/* ---- endpoints (endpoint.c) ---- */
/* Virtual ns that a RUN_* (@op) takes with the cores of its group; MALI_NEVER without any. */
uint64_t mali_endpoint_time(const MaliCtx *x, uint8_t op);

/* ---- tiler heaps (cs_heap.c) ---- */
MaliStep mali_op_tile(MaliCtx *x);

/* ---- memory of the group's VM (cs_mem.c); anything but OK has been dealt with ---- */
MaliStep mali_cs_read(MaliCtx *x, uint64_t va, void *buf, size_t len);
MaliStep mali_cs_write(MaliCtx *x, uint64_t va, const void *buf, size_t len);
MaliStep mali_cs_fetch(MaliCtx *x);
MaliStep mali_op_load_multiple(MaliCtx *x);
MaliStep mali_op_store_multiple(MaliCtx *x);

/* ---- arch >= 11 (cs_late.c) ---- */
MaliStep mali_op_arith_imm32(MaliCtx *x);
MaliStep mali_op_arith_imm64(MaliCtx *x);
MaliStep mali_op_arith_reg32(MaliCtx *x);
MaliStep mali_op_arith_reg64(MaliCtx *x);
MaliStep mali_op_logic_op32(MaliCtx *x);
MaliStep mali_op_next_sb_entry(MaliCtx *x);
MaliStep mali_op_set_state(MaliCtx *x);
MaliStep mali_op_set_state_imm32(MaliCtx *x);

/* ---- sync objects (cs_sync.c) ---- */
/* Condition of a SYNC_WAIT, unsigned. */
bool mali_cs_sync_met(uint64_t value, uint64_t ref, uint32_t cond);
MaliStep mali_op_sync_add32(MaliCtx *x);
MaliStep mali_op_sync_set32(MaliCtx *x);
MaliStep mali_op_sync_wait32(MaliCtx *x);
MaliStep mali_op_sync_add64(MaliCtx *x);
MaliStep mali_op_sync_set64(MaliCtx *x);
MaliStep mali_op_sync_wait64(MaliCtx *x);
MaliStep mali_op_store_state(MaliCtx *x);

#define MALI_TRY(e)                                                                                \
    do {                                                                                           \
        MaliStep s_ = (e);                                                                         \
        if (s_ != MALI_STEP_OK) {                                                                  \
            return s_;                                                                             \
        }                                                                                          \
    } while (0)

/* Registers [first, first + n) must exist. */
#define MALI_NEED_REGS(x, first, n)                                                                \
    do {                                                                                           \
        if ((first) + (n) > (x)->nregs) {                                                          \
            return mali_cs_invalid(x);                                                             \
        }                                                                                          \
    } while (0)

#endif
