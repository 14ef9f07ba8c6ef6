/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: instructions of arch 11 and later (spec 5.3; fields: Mesa's v13.xml).
 *
 * Where no public source says it (U): SUB is source 0 - source 1, a shift moves source 0
 * by source 1 modulo the width, BFINS puts the low bits of source 1 into source 0, and a
 * field that leaves the register is cut off at its end.
 */
#include "cs_int.h"

/* [39:32] of ARITH_IMM */
enum {
    IMM_ADD,
    IMM_LSL,
    IMM_LSR,
    IMM_ASR,
    IMM_BFEXT_U,
    IMM_BFEXT_S,
    IMM_BFINS,
    IMM_UMIN,
    IMM_COUNT,
};
/* [31:24] of ARITH_REG */
enum {
    REG_UMIN,
    REG_ADD,
    REG_SUB,
    REG_LSL,
    REG_LSR,
    REG_ASR,
    REG_BFINS,
    REG_COUNT,
};

/* SET_STATE [39:32] */
#define STATE_SB_ENDPOINT 0
#define STATE_SB_OTHER    1
#define STATE_SB_DEFERRED 2
#define STATE_MASK_STREAM 8
#define STATE_MASK_WAIT   9

/* @bits is 32 or 64: one implementation of both widths. */
static uint64_t low(unsigned n)
{
    return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

static uint64_t sign_extend(uint64_t v, unsigned n)
{
    return n && n < 64 && (v >> (n - 1) & 1) ? v | ~low(n) : v;
}

static uint64_t asr(uint64_t v, unsigned by, unsigned bits)
{
    v = sign_extend(v, bits);
    return by && v >> 63 ? v >> by | ~low(64 - by) : v >> by;
}

/* Position [7:0] and width [15:8] of a bit field, inside the register. */
static void field(uint64_t w, unsigned bits, unsigned *pos, unsigned *width)
{
    *pos = w & 0xff;
    *width = (w >> 8) & 0xff;
    *pos = *pos < bits ? *pos : bits;
    *width = *width < bits - *pos ? *width : bits - *pos;
}

static uint64_t extract(uint64_t v, uint64_t w, unsigned bits, bool sign)
{
    unsigned pos, width;

    field(w, bits, &pos, &width);
    v = pos < 64 ? v >> pos & low(width) : 0;
    return sign ? sign_extend(v, width) : v;
}

static uint64_t insert(uint64_t base, uint64_t v, uint64_t w, unsigned bits)
{
    unsigned pos, width;

    field(w, bits, &pos, &width);
    return pos < 64 ? (base & ~(low(width) << pos)) | (v & low(width)) << pos : base;
}

static uint64_t get(const MaliCs *cs, unsigned r, unsigned bits)
{
    return bits == 64 ? reg64(cs, r) : cs->reg[r];
}

static void set(MaliCs *cs, unsigned r, unsigned bits, uint64_t v)
{
    if (bits == 64) {
        set_reg64(cs, r, v);
    } else {
        cs->reg[r] = (uint32_t)v;
    }
}

static MaliStep arith_imm(MaliCtx *x, unsigned bits)
{
    uint64_t s, r, imm = (uint64_t)(int64_t)(int32_t)f_imm32(x->w);
    unsigned by = x->w & (bits - 1), sub = f_src1(x->w);

    MALI_NEED_REGS(x, f_dst(x->w), bits / 32);
    MALI_NEED_REGS(x, f_src0(x->w), bits / 32);
    if (sub >= IMM_COUNT) {
        return mali_cs_invalid(x);
    }
    s = get(x->cs, f_src0(x->w), bits);
    imm = bits == 32 ? (uint32_t)imm : imm;
    switch (sub) {
    case IMM_ADD: r = s + imm; break;
    case IMM_LSL: r = s << by; break;
    case IMM_LSR: r = s >> by; break;
    case IMM_ASR: r = asr(s, by, bits); break;
    case IMM_BFEXT_U: r = extract(s, x->w, bits, false); break;
    case IMM_BFEXT_S: r = extract(s, x->w, bits, true); break;
    case IMM_BFINS: r = insert(s, f_mask16(x->w), x->w, bits); break;
    default: r = s < imm ? s : imm; break;
    }
    set(x->cs, f_dst(x->w), bits, r);
    return MALI_STEP_OK;
}

static MaliStep arith_reg(MaliCtx *x, unsigned bits)
{
    unsigned sub = f_imm32(x->w) >> 24, by;
    uint64_t a, b, r;

    MALI_NEED_REGS(x, f_dst(x->w), bits / 32);
    MALI_NEED_REGS(x, f_src0(x->w), bits / 32);
    MALI_NEED_REGS(x, f_src1(x->w), bits / 32);
    if (sub >= REG_COUNT) {
        return mali_cs_invalid(x);
    }
    a = get(x->cs, f_src0(x->w), bits);
    b = get(x->cs, f_src1(x->w), bits);
    by = b & (bits - 1);
    switch (sub) {
    case REG_UMIN: r = a < b ? a : b; break;
    case REG_ADD: r = a + b; break;
    case REG_SUB: r = a - b; break;
    case REG_LSL: r = a << by; break;
    case REG_LSR: r = a >> by; break;
    case REG_ASR: r = asr(a, by, bits); break;
    default: r = insert(a, b, x->w, bits); break;
    }
    set(x->cs, f_dst(x->w), bits, r);
    return MALI_STEP_OK;
}

MaliStep mali_op_arith_imm32(MaliCtx *x)
{
    return arith_imm(x, 32);
}
MaliStep mali_op_arith_imm64(MaliCtx *x)
{
    return arith_imm(x, 64);
}
MaliStep mali_op_arith_reg32(MaliCtx *x)
{
    return arith_reg(x, 32);
}
MaliStep mali_op_arith_reg64(MaliCtx *x)
{
    return arith_reg(x, 64);
}

/*
 * Mode is a truth table: bit 0 for A and B, 1 for A alone, 2 for B alone, 3 for neither.
 * With the index bit B is 1 << source 1 (BIT_SET32, BIT_CLEAR32).
 */
MaliStep mali_op_logic_op32(MaliCtx *x)
{
    uint32_t a, b, r = 0;

    MALI_NEED_REGS(x, f_dst(x->w), 1);
    MALI_NEED_REGS(x, f_src0(x->w), 1);
    MALI_NEED_REGS(x, f_src1(x->w), 1);
    a = x->cs->reg[f_src0(x->w)];
    b = x->cs->reg[f_src1(x->w)];
    b = x->w & 0x10 ? UINT32_C(1) << (b & 31) : b;
    r |= x->w & 1 ? a & b : 0;
    r |= x->w & 2 ? a & ~b : 0;
    r |= x->w & 4 ? ~a & b : 0;
    r |= x->w & 8 ? ~a & ~b : 0;
    x->cs->reg[f_dst(x->w)] = r;
    return MALI_STEP_OK;
}

/* ---- scoreboards ---- */

static uint32_t *selection(MaliCs *cs, unsigned type)
{
    switch (type) {
    case STATE_SB_ENDPOINT: return &cs->sb_endpoint;
    case STATE_SB_OTHER: return &cs->sb_other;
    case STATE_SB_DEFERRED: return &cs->sb_deferred;
    default: return NULL;
    }
}

/* Selects the entry after the current one, round robin (U): all are free. Type 0 only tells. */
MaliStep mali_op_next_sb_entry(MaliCtx *x)
{
    unsigned type = f_src1(x->w) & 0xf;
    uint32_t *sel = selection(x->cs, type ? type - 1 : STATE_SB_OTHER), next;

    MALI_NEED_REGS(x, f_dst(x->w), 1);
    if (!sel) {
        return mali_cs_invalid(x);
    }
    next = (*sel + 1) % x->g->row->scoreboards;
    if (type) {
        *sel = next;
    }
    x->cs->reg[f_dst(x->w)] = x->w >> 36 & 1 ? UINT32_C(1) << next : next;
    return MALI_STEP_OK;
}

static MaliStep set_state(MaliCtx *x, uint32_t v)
{
    unsigned state = f_src1(x->w);
    uint32_t *sel = selection(x->cs, state);

    if (sel && v < x->g->row->scoreboards) {
        *sel = v;
    } else if (state == STATE_MASK_STREAM) {
        x->cs->sb_mask_stream = v;
    } else if (state == STATE_MASK_WAIT) {
        x->cs->sb_mask_wait = v;
    } else {
        return mali_cs_invalid(x);
    }
    return MALI_STEP_OK;
}

MaliStep mali_op_set_state(MaliCtx *x)
{
    MALI_NEED_REGS(x, f_src0(x->w), 1);
    return set_state(x, x->cs->reg[f_src0(x->w)]);
}

MaliStep mali_op_set_state_imm32(MaliCtx *x)
{
    return set_state(x, f_imm32(x->w));
}
