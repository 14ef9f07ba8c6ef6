/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions of arch 11 and later: each operation, its edges, and where it does not exist. */
#include "env.h"

static Env e;

static void on(const char *gpu)
{
    env_new_cfg(&e, 1, &(MaliConfig){ .gpu = gpu });
}

static void run(const uint64_t *instr, unsigned n)
{
    env_run(&e, instr, n);
}
#define RUN(...)                                                                                   \
    do {                                                                                           \
        const uint64_t i_[] = { __VA_ARGS__ };                                                     \
        run(i_, N_INSTR(i_));                                                                      \
    } while (0)

static uint32_t reg(unsigned r)
{
    return env_cs(&e, 0)->reg[r];
}
static uint64_t reg2(unsigned r)
{
    return reg(r) | (uint64_t)reg(r + 1) << 32;
}
static uint32_t fatal(void)
{
    return cs_out(e.m, 0, 0, CS_OUT_FATAL) & 0xff;
}

static uint64_t imm(unsigned op, unsigned sub, uint32_t v)
{
    return I_OP(op) | I_DST(8) | I_SRC0(4) | I_SRC1(sub) | I_IMM(v);
}
static uint64_t regs(unsigned op, unsigned sub, uint32_t v)
{
    return I_OP(op) | I_DST(8) | I_SRC0(4) | I_SRC1(6) | I_IMM(sub << 24 | v);
}

/* Registers 4 and 6 before, 8 after. */
static void load(uint64_t a, uint64_t b)
{
    MaliCs *cs = env_cs(&e, 0);

    cs->reg[4] = (uint32_t)a;
    cs->reg[5] = (uint32_t)(a >> 32);
    cs->reg[6] = (uint32_t)b;
    cs->reg[7] = (uint32_t)(b >> 32);
    cs->reg[8] = cs->reg[9] = 0x5555;
}

#define POS(p, w) ((w) << 8 | (p))

TEST(arith_imm32)
{
    static const struct {
        uint32_t sub, imm, a, want;
    } row[] = {
        { 0, 5, 0xffffffff, 4 },
        { 1, 4, 0x80000001, 0x10 },
        { 1, 32, 3, 3 },
        { 2, 4, 0x80000000, 0x08000000 },
        { 3, 4, 0x80000000, 0xf8000000 },
        { 3, 0, 0x80000000, 0x80000000 },
        { 3, 4, 0x40000000, 0x04000000 },
        { 4, POS(8, 8), 0x1234ab56, 0xab },
        { 4, POS(28, 8), 0x92345678, 9 },
        { 4, POS(40, 8), 0xffffffff, 0 },
        { 4, POS(0, 0), 0xffffffff, 0 },
        { 5, POS(8, 8), 0x1234ab56, 0xffffffab },
        { 5, POS(0, 32), 0x80000000, 0x80000000 },
        { 6, POS(8, 8) | 0xcd0000, 0x11111111, 0x1111cd11 },
        { 6, POS(32, 8) | 0xcd0000, 0x11111111, 0x11111111 },
        { 7, 9, 10, 9 },
        { 7, 0xffffffff, 10, 10 },
    };

    on("g925");
    for (unsigned i = 0; i < N_INSTR(row); i++) {
        load(row[i].a, 0);
        RUN(imm(CS_OP_ADD_IMM32, row[i].sub, row[i].imm));
        CHECK_EQ(reg(8), row[i].want);
        CHECK_EQ(reg(9), 0x5555);
    }
    RUN(imm(CS_OP_ADD_IMM32, 8, 0));
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
}

TEST(arith_imm64)
{
    static const struct {
        uint32_t sub, imm;
        uint64_t a, want;
    } row[] = {
        { 0, 0xffffffff, UINT64_C(0x100000000), 0xffffffff },
        { 1, 36, 3, UINT64_C(0x3000000000) },
        { 2, 36, UINT64_C(0x8000000000000000), 0x08000000 },
        { 3, 60, UINT64_C(0x8000000000000000), UINT64_C(0xfffffffffffffff8) },
        { 4, POS(28, 12), UINT64_C(0xabcdef0120), 0xabc },
        { 5, POS(60, 4), UINT64_C(0x9000000000000000), UINT64_C(0xfffffffffffffff9) },
        { 5, POS(0, 64), 7, 7 },
        { 4, POS(64, 1), ~UINT64_C(0), 0 },
        { 6, POS(40, 16) | 0xbeef0000, 0, UINT64_C(0xbeef0000000000) },
        { 6, POS(64, 16) | 0xbeef0000, 7, 7 },
        { 7, 9, UINT64_C(0x100000000), 9 },
    };

    on("g925");
    for (unsigned i = 0; i < N_INSTR(row); i++) {
        load(row[i].a, 0);
        RUN(imm(CS_OP_ADD_IMM64, row[i].sub, row[i].imm));
        CHECK_EQ(reg2(8), row[i].want);
    }
    RUN(imm(CS_OP_ADD_IMM64, 8, 0));
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
}

TEST(arith_reg32)
{
    static const uint32_t want[] = {
        4, 0x80000014, 0x8000000c, 0x100, 0x08000001, 0xf8000001, 0x80004010,
    };

    on("g925");
    for (unsigned i = 0; i < N_INSTR(want); i++) {
        load(0x80000010, 4);
        RUN(regs(CS_OP_UMIN32, i, i == 6 ? POS(12, 4) : 0));
        CHECK_EQ(reg(8), want[i]);
        CHECK_EQ(reg(9), 0x5555);
    }
    RUN(regs(CS_OP_UMIN32, 7, 0));
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
}

TEST(arith_reg64)
{
    static const uint64_t want[] = {
        4,
        UINT64_C(0x8000000000000014),
        UINT64_C(0x800000000000000c),
        0x100,
        UINT64_C(0x0800000000000001),
        UINT64_C(0xf800000000000001),
        UINT64_C(0x8000040000000010),
    };

    on("g925");
    for (unsigned i = 0; i < N_INSTR(want); i++) {
        load(UINT64_C(0x8000000000000010), 4);
        RUN(regs(CS_OP_ARITH_REG64, i, i == 6 ? POS(40, 4) : 0));
        CHECK_EQ(reg2(8), want[i]);
    }
    RUN(regs(CS_OP_ARITH_REG64, 7, 0));
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
}

/* All sixteen modes bit by bit, from their names: 12 is A, 10 is B. */
TEST(logic_op32)
{
    static const uint8_t want[16] = { 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 };

    on("g715");
    for (unsigned mode = 0; mode < 16; mode++) {
        load(12, 10);
        RUN(regs(CS_OP_LOGIC_OP32, 0, mode));
        CHECK_EQ(reg(8) & 15, want[mode]);
        CHECK_EQ(reg(8) >> 4, mode & 8 ? 0xfffffff : 0);
    }
    load(0xf0, 33); /* BIT_SET32 and BIT_CLEAR32 take the bit's number, modulo 32 */
    RUN(regs(CS_OP_LOGIC_OP32, 0, 0x17));
    CHECK_EQ(reg(8), 0xf2);
    load(0xf0, 4);
    RUN(regs(CS_OP_LOGIC_OP32, 0, 0x12));
    CHECK_EQ(reg(8), 0xe0);
}

#define NEXT_SB(type, fmt, d)                                                                      \
    (I_OP(CS_OP_NEXT_SB_ENTRY) | I_DST(d) | I_SRC1((type) | (uint64_t)(fmt) << 4))
#define SET_STATE_IMM(s, v) (I_OP(CS_OP_SET_STATE_IMM32) | I_SRC1(s) | I_IMM(v))
#define SET_STATE(s, r)     (I_OP(CS_OP_SET_STATE) | I_SRC1(s) | I_SRC0(r))

TEST(scoreboard_selection)
{
    on("g720");
    RUN(SET_STATE_IMM(0, 15), SET_STATE_IMM(1, 3), SET_STATE_IMM(2, 7), NEXT_SB(1, 0, 8),
        NEXT_SB(2, 1, 9), NEXT_SB(3, 0, 10), NEXT_SB(0, 0, 11));
    CHECK_EQ(reg(8), 0);
    CHECK_EQ(reg(9), 1u << 4);
    CHECK_EQ(reg(10), 8);
    CHECK_EQ(reg(11), 5);
    CHECK_EQ(env_cs(&e, 0)->sb_endpoint, 0);
    CHECK_EQ(env_cs(&e, 0)->sb_other, 4);
    CHECK_EQ(env_cs(&e, 0)->sb_deferred, 8);
    RUN(MOVE32(4, 0xabcd), SET_STATE(8, 4), SET_STATE_IMM(9, 0x1234),
        WAIT(0) | UINT64_C(1) << 33 | UINT64_C(1) << 32, I_OP(CS_OP_SHARED_SB_INC),
        I_OP(CS_OP_SHARED_SB_DEC) | UINT64_C(1) << 32, PROGRESS_LOAD(12));
    CHECK_EQ(env_cs(&e, 0)->sb_mask_stream, 0xabcd);
    CHECK_EQ(env_cs(&e, 0)->sb_mask_wait, 0x1234);
    CHECK_EQ(reg2(12), 2);
    CHECK_EQ(fatal(), 0);
}

TEST(scoreboard_selection_survives_a_suspend)
{
    on("g720");
    RUN(SET_STATE_IMM(2, 15), SET_STATE_IMM(8, 5), SET_STATE_IMM(9, 6));
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    grp_bind(e.m, &e.g, 4, 3, CSG_STATE_RESUME);
    CHECK_EQ(env_cs(&e, 0)->sb_deferred, 15);
    CHECK_EQ(env_cs(&e, 0)->sb_mask_stream, 5);
    CHECK_EQ(env_cs(&e, 0)->sb_mask_wait, 6);
}

TEST(late_instructions_that_are_invalid)
{
    const uint64_t bad[] = {
        SET_STATE_IMM(0, 16),
        SET_STATE_IMM(3, 0),
        SET_STATE(0, 128),
        NEXT_SB(4, 0, 8),
        NEXT_SB(1, 0, 128),
        I_OP(CS_OP_LOGIC_OP32) | I_DST(128),
        I_OP(CS_OP_LOGIC_OP32) | I_SRC0(128),
        I_OP(CS_OP_LOGIC_OP32) | I_SRC1(128),
        I_OP(CS_OP_ADD_IMM64) | I_DST(127),
        I_OP(CS_OP_ADD_IMM64) | I_SRC0(127),
        I_OP(CS_OP_ARITH_REG64) | I_DST(127),
        I_OP(CS_OP_ARITH_REG64) | I_SRC0(127),
        I_OP(CS_OP_ARITH_REG64) | I_SRC1(127),
    };

    for (unsigned i = 0; i < N_INSTR(bad); i++) {
        on("g925");
        RUN(bad[i]);
        CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
        mach_free_all();
    }
}

TEST(late_instructions_by_architecture)
{
    static const struct {
        const char *gpu;
        uint8_t op;
        bool known;
    } row[] = {
        { "g610", CS_OP_LOGIC_OP32, false },      { "g615", CS_OP_LOGIC_OP32, true },
        { "g610", CS_OP_NEXT_SB_ENTRY, false },   { "g615", CS_OP_NEXT_SB_ENTRY, true },
        { "g610", CS_OP_SET_STATE, false },       { "g615", CS_OP_SET_STATE, true },
        { "g610", CS_OP_SET_STATE_IMM32, false }, { "g615", CS_OP_SET_STATE_IMM32, true },
        { "g610", CS_OP_SHARED_SB_INC, false },   { "g615", CS_OP_SHARED_SB_INC, true },
        { "g610", CS_OP_SHARED_SB_DEC, false },   { "g615", CS_OP_SHARED_SB_DEC, true },
        { "g720", CS_OP_ARITH_REG64, false },     { "g625", CS_OP_ARITH_REG64, true },
    };

    for (unsigned i = 0; i < N_INSTR(row); i++) {
        on(row[i].gpu);
        RUN(I_OP(row[i].op));
        CHECK_EQ(fatal(), row[i].known ? 0 : CS_EXC_INSTR_INVALID);
        mach_free_all();
    }
}
