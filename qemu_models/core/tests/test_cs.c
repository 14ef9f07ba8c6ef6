/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter: every instruction, call stack, faults, sync objects, hostile rings, pacing. */
#include "env.h"

#define A 90 /* address register of the tests: points to the data buffer */

static Env e;

/* Runs @body in the ring between "A = data" and nothing else; registers stay visible in the state.
 */
static void body(const uint64_t *instr, unsigned n)
{
    uint64_t prog[64] = { MOVE48(A, e.data_va) };

    memcpy(prog + 1, instr, 8 * n);
    env_run(&e, prog, n + 1);
}
#define BODY(...)                                                                                  \
    do {                                                                                           \
        const uint64_t i_[] = { __VA_ARGS__ };                                                     \
        body(i_, N_INSTR(i_));                                                                     \
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
static bool drained(void)
{
    return env_extract(&e, 0) == e.g.q[0].insert;
}

TEST(moves)
{
    env_new(&e, 1);
    BODY(MOVE48(2, UINT64_C(0x123456789abc)), MOVE32(4, 0xdeadbeef));
    CHECK_EQ(reg2(2), UINT64_C(0x123456789abc));
    CHECK_EQ(reg(4), 0xdeadbeef);
    CHECK(drained());
}

TEST(arithmetic)
{
    env_new(&e, 1);
    BODY(MOVE32(0, 5), ADD_IMM32(1, 0, -7), MOVE48(2, 0xffffffff), ADD_IMM64(4, 2, 1),
         ADD_IMM64(6, 4, -2), UMIN32(8, 0, 1), UMIN32(9, 1, 0));
    CHECK_EQ(reg(1), 0xfffffffe);
    CHECK_EQ(reg2(4), UINT64_C(0x100000000));
    CHECK_EQ(reg2(6), UINT64_C(0xfffffffe));
    CHECK_EQ(reg(8), 5);
    CHECK_EQ(reg(9), 5);
}

TEST(load_and_store)
{
    env_new(&e, 1);
    for (unsigned i = 0; i < 16; i++) {
        ram_w32(e.m, e.data_pa + 4 * i, 0x100 + i);
    }
    BODY(LOAD(10, 0xffff, A, 0), STORE(10, 0x8005, A, 0x100), ADD_IMM64(2, A, 0x300),
         STORE(10, 1, 2, -0x100));
    CHECK_EQ(reg(25), 0x10f);
    CHECK_EQ(env_d32(&e, 0x100), 0x100);
    CHECK_EQ(env_d32(&e, 0x104), 0); /* left out by the mask */
    CHECK_EQ(env_d32(&e, 0x108), 0x102);
    CHECK_EQ(env_d32(&e, 0x13c), 0x10f);
    CHECK_EQ(env_d32(&e, 0x200), 0x100);
}

TEST(load_into_its_own_address)
{
    env_new(&e, 1);
    ram_w64(e.m, e.data_pa, 0x1234);
    BODY(LOAD(A, 3, A, 0));
    CHECK_EQ(reg2(A), 0x1234);
}

/* r0 counts down from @start; the loop runs while @cond holds for it. */
static uint32_t loop(unsigned cond, uint32_t start, int32_t step)
{
    const uint64_t code[] = { ADD_IMM32(1, 1, 1), ADD_IMM32(0, 0, step), BRANCH(cond, 0, -3) };

    env_code(&e, code, 3);
    BODY(MOVE32(0, start), MOVE32(1, 0), MOVE48(2, e.code_va), MOVE32(4, 24), CALL(2, 4));
    return reg(1);
}

TEST(branch_conditions)
{
    env_new(&e, 1);
    CHECK_EQ(loop(CS_COND_GT, 5, -1), 5);
    CHECK_EQ(loop(CS_COND_GE, 5, -1), 6);
    CHECK_EQ(loop(CS_COND_NE, 5, -1), 5);
    CHECK_EQ(loop(CS_COND_LT, -5, 1), 5);
    CHECK_EQ(loop(CS_COND_LE, -5, 1), 6);
    CHECK_EQ(loop(CS_COND_EQ, 1, -1), 2);
}

TEST(branch_in_the_ring)
{
    env_new(&e, 1);
    BODY(MOVE32(0, 3), MOVE32(1, 0), ADD_IMM32(1, 1, 2), ADD_IMM32(0, 0, -1),
         BRANCH(CS_COND_GT, 0, -3));
    CHECK_EQ(reg(1), 6);
    BODY(BRANCH(CS_COND_ALWAYS, 0, 100));
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID); /* would pass INSERT */
    CHECK(env_extract(&e, 0) < e.g.q[0].insert);
}

TEST(call_nests_and_returns)
{
    const uint64_t inner[] = { ADD_IMM32(0, 0, 1) };
    const uint64_t outer[] = { MOVE48(6, e.code_va + 0x100), MOVE32(8, 8), CALL(6, 8), CALL(6, 8) };
    uint64_t fixed[4];

    env_new(&e, 1);
    memcpy(fixed, outer, sizeof(fixed));
    fixed[0] = MOVE48(6, e.code_va + 0x100);
    env_code(&e, fixed, 4);
    memcpy(ram_ptr(e.m, e.code_pa + 0x100, 8), inner, 8);
    /* The second inner CALL is the last of its frame: both end together. */
    BODY(MOVE32(0, 0), MOVE48(2, e.code_va), MOVE32(4, 32), CALL(2, 4), ADD_IMM32(0, 0, 0x10));
    CHECK_EQ(reg(0), 0x12);
    CHECK_EQ(env_cs(&e, 0)->depth, 0);
}

TEST(call_of_nothing_and_jump)
{
    env_new(&e, 1);
    env_code(
        &e,
        (const uint64_t[]){ MOVE48(2, e.code_va + 0x80), MOVE32(4, 8), JUMP(2, 4), MOVE32(9, 1) },
        4);
    ram_w64(e.m, e.code_pa + 0x80, MOVE32(8, 1));
    BODY(MOVE48(2, e.code_va), MOVE32(4, 0), CALL(2, 4), MOVE32(4, 32), CALL(2, 4), MOVE32(10, 1));
    CHECK_EQ(reg(8), 1);
    CHECK_EQ(reg(9), 0); /* JUMP replaced the frame */
    CHECK_EQ(reg(10), 1);
}

TEST(call_stack_overflow)
{
    env_new(&e, 1);
    env_code(&e, (const uint64_t[]){ ADD_IMM32(0, 0, 1), CALL(2, 4) }, 2);
    BODY(MOVE32(0, 0), MOVE48(2, e.code_va), MOVE32(4, 16), CALL(2, 4));
    CHECK_EQ(fatal(), CS_EXC_CALL_STACK_OVERFLOW);
    CHECK_EQ(reg(0), 7); /* eight frames with the ring */
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_FATAL_INFO), e.code_va + 8);
}

TEST(jump_in_the_ring_is_invalid)
{
    env_new(&e, 1);
    BODY(MOVE48(2, e.code_va), MOVE32(4, 16), JUMP(2, 4));
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
}

TEST(unknown_opcode)
{
    env_new(&e, 1);
    env_code(&e, (const uint64_t[]){ NOP(), I_OP(0xff) }, 2);
    BODY(MOVE48(2, e.code_va), MOVE32(4, 16), CALL(2, 4));
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_FATAL_INFO), e.code_va + 8);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_STATUS_CMD_PTR), e.code_va + 8);
    CHECK_HAS(ev_last(e.m, "cs-fatal"), "\"code\":73");
}

TEST(registers_out_of_range)
{
    static const uint64_t bad[] = {
        MOVE48(95, 0),
        MOVE32(96, 0),
        ADD_IMM32(0, 96, 0),
        ADD_IMM64(95, 0, 0),
        UMIN32(0, 1, 200),
        LOAD(90, 0x40, A, 0),
        STORE(0, 1, 95, 0),
        CALL(95, 0),
        SYNC(CS_OP_SYNC_ADD64, 0, 95, 0, 0),
        SYNC_WAIT(CS_OP_SYNC_WAIT64, 0, 95, 0, 0),
        PROGRESS_LOAD(95),
        PROGRESS_STORE(255),
        HEAP_SET(95),
        PROGRESS_WAIT(9, 0),
        PROGRESS_WAIT(0, 95),
        FLUSH_CACHE2(96),
        STORE_STATE(0, 95, 0),
        BRANCH(7, 0, 0),
        SYNC_WAIT(CS_OP_SYNC_WAIT32, 0, 2, 5, 0),
    };

    for (unsigned i = 0; i < N_INSTR(bad); i++) {
        env_new(&e, 1);
        BODY(bad[i]);
        CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
        mach_free_all();
    }
}

TEST(wait_progress_and_resources)
{
    env_new(&e, 1);
    BODY(WAIT(0xff), WAIT_PROGRESS_INC(), PROGRESS_LOAD(2), MOVE48(4, 77), PROGRESS_STORE(4),
         PROGRESS_LOAD(6), PROGRESS_WAIT(0, 4), REQ_RESOURCE(0xb), I_OP(CS_OP_SET_SB_ENTRY) | 0x21);
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    CHECK_EQ(reg2(2), 1);
    CHECK_EQ(reg2(6), 77);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_REQ_RESOURCE), 0xb);
    CHECK_EQ(env_cs(&e, 0)->sb_endpoint, 1);
    CHECK_EQ(env_cs(&e, 0)->sb_other, 2);
    CHECK(drained());
}

TEST(progress_wait_of_another_queue)
{
    const uint64_t wait[] = { MOVE48(2, 5), PROGRESS_WAIT(1, 2), MOVE32(9, 1) };
    const uint64_t store[] = { MOVE48(2, 5), PROGRESS_STORE(2) };

    env_new(&e, 2);
    env_run(&e, wait, 3);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_BLOCKED_REASON), CS_BLOCKED_PROGRESS_WAIT);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_WAIT), CS_STATUS_WAIT_PROGRESS);
    grp_submit(e.m, &e.g, 1, store, 2);
    grp_ring(e.m, &e.g);
    mach_run(e.m, 100000);
    CHECK_EQ(reg(9), 1);
}

TEST(heap_words)
{
    env_new(&e, 1);
    BODY(HEAP_SET(A), HEAP_OP(CS_HEAP_VT_START), HEAP_OP(CS_HEAP_VT_START), HEAP_OP(CS_HEAP_VT_END),
         HEAP_OP(CS_HEAP_FRAG_END), I_OP(CS_OP_FINISH_FRAGMENT) | 1);
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_HEAP_ADDRESS), e.data_va);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_HEAP_VT_START), 2);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_HEAP_VT_END), 1);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_HEAP_FRAG_END), 2);
}

TEST(instructions_without_effect)
{
    static const uint8_t op[] = {
        CS_OP_NOP,           CS_OP_RUN_COMPUTE,
        CS_OP_RUN_TILING,    CS_OP_RUN_IDVS,
        CS_OP_RUN_FRAGMENT,  CS_OP_RUN_FULLSCREEN,
        CS_OP_FINISH_TILING, CS_OP_RUN_COMPUTE_INDIRECT,
        CS_OP_TRACE_POINT,   CS_OP_SET_EXCEPTION_HANDLER,
    };

    env_new(&e, 1);
    for (unsigned i = 0; i < sizeof(op); i++) {
        BODY(I_OP(op[i]));
        CHECK(drained());
    }
    CHECK_EQ(fatal(), 0);
}

TEST(opcodes_by_architecture)
{
    env_new(&e, 1);
    BODY(I_OP(CS_OP_RUN_IDVS2)); /* arch 12 */
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
}

TEST(later_architectures)
{
    env_new_cfg(&e, 1, &(MaliConfig){ .gpu = "g925" });
    BODY(MOVE32(127, 5), ADD_IMM32(126, 127, 1), MOVE48(2, 7), ADD_IMM64(4, 2, -1),
         UMIN32(6, 126, 127), I_OP(CS_OP_RUN_IDVS2), BRANCH(CS_COND_ALWAYS, 0, 0));
    CHECK_EQ(reg(126), 6);
    CHECK_EQ(reg2(4), 6);
    CHECK_EQ(reg(6), 5);
    CHECK(drained());
    BODY(ADD_IMM32(0, 0, 1) | I_SRC1(9)); /* a sub-opcode that is not there yet */
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
}

TEST(removed_opcode)
{
    env_new_cfg(&e, 1, &(MaliConfig){ .gpu = "g720" });
    BODY(I_OP(CS_OP_RUN_IDVS));
    CHECK_EQ(fatal(), CS_EXC_INSTR_INVALID);
}

TEST(flush_id)
{
    uint32_t id;

    env_new(&e, 1);
    id = rd(e.m, LATEST_FLUSH_ID);
    BODY(MOVE32(0, 0), FLUSH_CACHE2(0));
    CHECK_EQ(rd(e.m, LATEST_FLUSH_ID), id + 1);
    BODY(MOVE32(0, id), FLUSH_CACHE2(0)); /* flushed since: skipped */
    CHECK_EQ(rd(e.m, LATEST_FLUSH_ID), id + 1);
    BODY(MOVE32(0, id + 1), FLUSH_CACHE2(0));
    CHECK_EQ(rd(e.m, LATEST_FLUSH_ID), id + 2);
}

TEST(store_state)
{
    env_new(&e, 1);
    ram_w64(e.m, e.data_pa + 8, ~UINT64_C(0));
    mach_run(e.m, 5 * MS);
    BODY(STORE_STATE(CS_STORE_TIMESTAMP, A, 0), STORE_STATE(CS_STORE_CYCLES, A, 16),
         STORE_STATE(CS_STORE_ERROR, A, 8));
    CHECK(env_d64(&e, 0) != 0);
    CHECK(env_d64(&e, 16) != 0);
    CHECK_EQ(env_d64(&e, 8), UINT64_C(0xffffffff00000000));
}

TEST(sync_write)
{
    env_new(&e, 1);
    ram_w64(e.m, e.data_pa, UINT64_C(0xffffffff));
    ram_w32(e.m, e.data_pa + 8, 9);
    ram_w32(e.m, e.data_pa + 0x20, 0xffffffff);
    BODY(MOVE48(2, 2), SYNC(CS_OP_SYNC_ADD64, A, 2, CS_SCOPE_SYSTEM, 0), ADD_IMM64(4, A, 0x20),
         SYNC(CS_OP_SYNC_ADD32, 4, 2, CS_SCOPE_SYSTEM, 0), ADD_IMM64(4, A, 0x40),
         SYNC(CS_OP_SYNC_SET64, 4, A, CS_SCOPE_SYSTEM, 0), ADD_IMM64(4, A, 0x60),
         SYNC(CS_OP_SYNC_SET32, 4, 2, CS_SCOPE_SYSTEM, 0));
    CHECK_EQ(env_d64(&e, 0), UINT64_C(0x100000001));
    CHECK_EQ(env_d32(&e, 8), 0);
    CHECK_EQ(env_d64(&e, 0x20), 1); /* no carry into the status word */
    CHECK_EQ(env_d64(&e, 0x40), e.data_va);
    CHECK_EQ(env_d32(&e, 0x60), 2);
}

TEST(error_is_inherited_and_propagated)
{
    env_new(&e, 1);
    ram_w32(e.m, e.data_pa, 1);
    ram_w32(e.m, e.data_pa + 4, 1); /* an object with an error */
    BODY(MOVE48(2, 0), SYNC_WAIT(CS_OP_SYNC_WAIT32, A, 2, CS_COND_GT, 0), ADD_IMM64(4, A, 0x20),
         MOVE48(6, 1), SYNC(CS_OP_SYNC_ADD64, 4, 6, CS_SCOPE_SYSTEM, 1),
         STORE_STATE(CS_STORE_ERROR, A, 0x40), ERROR_BARRIER(), ADD_IMM64(4, A, 0x30),
         SYNC(CS_OP_SYNC_ADD64, 4, 6, CS_SCOPE_SYSTEM, 1));
    CHECK_EQ(env_d64(&e, 0x20), 1);
    CHECK_EQ(env_d32(&e, 0x28), 1);
    CHECK_EQ(env_d32(&e, 0x40), CS_EXC_INHERIT_FAULT);
    CHECK_EQ(env_d64(&e, 0x30), 1);
    CHECK_EQ(env_d32(&e, 0x38), 0);
    CHECK_EQ(ev_count(e.m, "cs-fault"), 0);
}

TEST(rejected_error_is_a_fault_that_waits_for_the_host)
{
    uint32_t req, ack;

    env_new(&e, 1);
    ram_w32(e.m, e.data_pa, 1);
    ram_w32(e.m, e.data_pa + 4, 1);
    BODY(MOVE48(2, 0), SYNC_WAIT(CS_OP_SYNC_WAIT32, A, 2, CS_COND_GT, 1), MOVE32(9, 1));
    req = mcu_r32(e.m, FW_CS_IN_VA(0, 0) + CS_IN_REQ);
    ack = cs_out(e.m, 0, 0, CS_OUT_ACK);
    CHECK((req ^ ack) & CS_FAULT);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), CS_EXC_INHERIT_FAULT);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_FAULT_INFO), e.data_va);
    CHECK_EQ(reg(9), 0);
    env_ack(&e);
    mach_run(e.m, MS);
    CHECK_EQ(reg(9), 1);
    CHECK(drained());
    CHECK_EQ(ev_count(e.m, "cs-fault"), 1);
    BODY(STORE_STATE(CS_STORE_ERROR, A, 0x40), ERROR_BARRIER(),
         STORE_STATE(CS_STORE_ERROR, A, 0x44));
    CHECK_EQ(env_d64(&e, 0x40), CS_EXC_INHERIT_FAULT);
}

TEST(misaligned_data_is_a_fault)
{
    env_new(&e, 1);
    BODY(ADD_IMM64(2, A, 2), LOAD(4, 1, 2, 0));
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), CS_EXC_ADDR_RANGE_FAULT);
}

/* What the kernel reads of a blocked stream: sched.c:1273-1340. */
static void check_sync_status(uint32_t wait, uint64_t ref)
{
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_BLOCKED_REASON), CS_BLOCKED_SYNC_WAIT);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_WAIT), wait);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_STATUS_WAIT_SYNC_PTR), e.data_va);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_WAIT_SYNC_VALUE), (uint32_t)ref);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_WAIT_SYNC_VALUE_HI), ref >> 32);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_SCOREBOARDS), 0);
}

TEST(sync_wait_ends_by_a_cpu_write)
{
    env_new(&e, 1);
    ram_w64(e.m, e.data_pa, UINT64_C(0x100000005));
    BODY(MOVE48(2, UINT64_C(0x100000005)), SYNC_WAIT(CS_OP_SYNC_WAIT64, A, 2, CS_COND_GT, 0),
         MOVE32(9, 1));
    check_sync_status(CS_STATUS_WAIT_SYNC | CS_STATUS_WAIT_SYNC_64B | CS_STATUS_WAIT_SYNC_COND_GT,
                      UINT64_C(0x100000005));
    ram_w64(e.m, e.data_pa, UINT64_C(0x100000006));
    mach_run(e.m, 3 * MS); /* no doorbell: polled each 1 ms */
    CHECK_EQ(reg(9), 1);
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_BLOCKED_REASON), CS_BLOCKED_NONE);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_WAIT), 0);
}

TEST(sync_wait_less_or_equal)
{
    env_new(&e, 1);
    ram_w32(e.m, e.data_pa, 6);
    BODY(MOVE32(2, 5), SYNC_WAIT(CS_OP_SYNC_WAIT32, A, 2, CS_COND_LE, 0), MOVE32(9, 1));
    check_sync_status(CS_STATUS_WAIT_SYNC, 5);
    ram_w32(e.m, e.data_pa, 5);
    mach_run(e.m, 3 * MS);
    CHECK_EQ(reg(9), 1);
}

TEST(two_queues_ping_pong)
{
    uint64_t q0[] = { MOVE48(A, e.data_va),
                      MOVE32(2, 0),
                      MOVE32(4, 1),
                      MOVE32(0, 50),
                      SYNC(CS_OP_SYNC_ADD32, A, 4, CS_SCOPE_CSG, 0),
                      ADD_IMM64(6, A, 0x20),
                      SYNC_WAIT(CS_OP_SYNC_WAIT32, 6, 2, CS_COND_GT, 0),
                      ADD_IMM32(2, 2, 1),
                      ADD_IMM32(0, 0, -1),
                      BRANCH(CS_COND_GT, 0, -6) };
    uint64_t q1[] = { MOVE48(A, e.data_va),
                      MOVE32(2, 0),
                      MOVE32(4, 1),
                      MOVE32(0, 50),
                      SYNC_WAIT(CS_OP_SYNC_WAIT32, A, 2, CS_COND_GT, 0),
                      ADD_IMM64(6, A, 0x20),
                      SYNC(CS_OP_SYNC_ADD32, 6, 4, CS_SCOPE_CSG, 0),
                      ADD_IMM32(2, 2, 1),
                      ADD_IMM32(0, 0, -1),
                      BRANCH(CS_COND_GT, 0, -6) };

    env_new(&e, 2);
    q0[0] = q1[0] = MOVE48(A, e.data_va);
    grp_submit(e.m, &e.g, 0, q0, N_INSTR(q0));
    grp_submit(e.m, &e.g, 1, q1, N_INSTR(q1));
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS); /* much less than 50 polls: the writes wake the waits */
    CHECK_EQ(env_d32(&e, 0), 50);
    CHECK_EQ(env_d32(&e, 0x20), 50);
    CHECK(drained());
}

TEST(code_is_data)
{
    env_new(&e, 1);
    /* Writes MOVE32(9, 1) over the NOP two instructions later. */
    BODY(MOVE32(2, (uint32_t)MOVE32(9, 1)), MOVE32(3, MOVE32(9, 1) >> 32), MOVE48(4, e.code_va),
         MOVE32(6, 24), CALL(4, 6));
    CHECK_EQ(reg(9), 0);
    env_code(&e, (const uint64_t[]){ STORE(2, 3, 4, 16), NOP(), NOP() }, 3);
    BODY(MOVE32(2, (uint32_t)MOVE32(9, 1)), MOVE32(3, MOVE32(9, 1) >> 32), MOVE48(4, e.code_va),
         MOVE32(6, 24), CALL(4, 6));
    CHECK_EQ(reg(9), 1);
}

TEST(code_written_by_the_cpu)
{
    env_new(&e, 1);
    env_code(&e, (const uint64_t[]){ BRANCH(CS_COND_ALWAYS, 0, -1), MOVE32(9, 1) }, 2);
    BODY(MOVE48(4, e.code_va), MOVE32(6, 16), CALL(4, 6));
    mach_run(e.m, 5 * MS);
    CHECK_EQ(reg(9), 0);
    ram_w64(e.m, e.code_pa, NOP());
    mach_run(e.m, MS);
    CHECK_EQ(reg(9), 1);
}

TEST(job_of_panthor_round_the_ring)
{
    env_new(&e, 1);
    env_code(&e,
             (const uint64_t[]){ MOVE48(0, e.data_va), MOVE32(2, 0xabcd), STORE(2, 1, 0, 0x80),
                                 WAIT(0xff) },
             4);
    for (unsigned i = 1; i <= 100; i++) { /* 32 jobs fit into the ring */
        ram_w32(e.m, e.data_pa + 0x80, 0);
        env_job(&e, 0, e.code_va, 4, e.data_va);
        grp_ring(e.m, &e.g);
        mach_run(e.m, MS);
        CHECK_EQ(env_d64(&e, 0), i);
        CHECK_EQ(env_d32(&e, 0x80), 0xabcd);
        CHECK(drained());
        env_ack(&e);
    }
    CHECK_EQ(ev_count(e.m, "violation"), 0);
}

TEST(unmapped_access_stalls_until_the_as_goes)
{
    env_new(&e, 1);
    BODY(MOVE48(2, UINT64_C(0x700000000000)), STORE(4, 1, 2, 0), MOVE32(9, 1));
    CHECK(rd(e.m, MMU_INT_BASE + INT_RAWSTAT) & MMU_INT_FAULT(1));
    CHECK_EQ(rd64(e.m, AS_REG(1, AS_FAULTADDRESS)), UINT64_C(0x700000000000));
    CHECK_EQ(rd(e.m, AS_REG(1, AS_FAULTSTATUS)) & 0x3ff, EXC_TRANSLATION_FAULT | 3 << 8);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_FAULTSTATUS)) >> 16, 0x88);
    CHECK_EQ(fatal(), 0);
    as_cmd(e.m, 1, AS_COMMAND_FLUSH_MEM); /* nothing changed: no second report */
    wr(e.m, MMU_INT_BASE + INT_CLEAR, MMU_INT_FAULT(1));
    mach_run(e.m, 5 * MS);
    CHECK(!(rd(e.m, MMU_INT_BASE + INT_RAWSTAT) & MMU_INT_FAULT(1)));
    as_disable(e.m, 1);
    CHECK_EQ(fatal(), CS_EXC_BUS_FAULT);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_FATAL_INFO), UINT64_C(0x700000000000));
    CHECK_EQ(reg(9), 0);
}

TEST(fault_ends_when_the_page_appears)
{
    uint64_t pa;

    env_new(&e, 1);
    pa = mach_alloc(e.m, 0x1000);
    BODY(MOVE48(2, UINT64_C(0x700000000000)), MOVE32(4, 42), STORE(4, 1, 2, 8));
    CHECK(!drained());
    as_lock(e.m, 1, UINT64_C(0x700000000000), 15);
    pt_map(e.m, e.g.root, UINT64_C(0x700000000000), pa, 0x1000, 0);
    as_cmd(e.m, 1, AS_COMMAND_UNLOCK);
    mach_run(e.m, MS);
    CHECK(drained());
    CHECK_EQ(ram_r32(e.m, pa + 8), 42);
}

TEST(fetch_from_nowhere_faults_as_a_read)
{
    env_new(&e, 1);
    BODY(MOVE48(2, UINT64_C(0x700000000000)), MOVE32(4, 64), CALL(2, 4));
    CHECK_EQ(rd(e.m, AS_REG(1, AS_FAULTSTATUS)) & 0x3ff, EXC_TRANSLATION_FAULT | 2 << 8);
}

TEST(noexec_code_runs_and_readonly_faults)
{
    uint64_t pa, va = UINT64_C(0x600000000000);

    env_new(&e, 1);
    pa = mach_alloc(e.m, 0x1000);
    pt_map(e.m, e.g.root, va, pa, 0x1000, PT_NX | PT_RO);
    ram_w64(e.m, pa, MOVE32(9, 1));
    ram_w64(e.m, pa + 8, STORE(9, 1, 2, 0));
    BODY(MOVE48(2, va), MOVE32(4, 16), CALL(2, 4));
    CHECK_EQ(reg(9), 1);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_FAULTSTATUS)) & 0x3f8, EXC_PERM_FAULT | 3 << 8);
}

TEST(locked_range_stalls_until_unlock)
{
    env_new(&e, 1);
    as_lock(e.m, 1, e.data_va, 16);
    BODY(MOVE32(4, 42), STORE(4, 1, A, 0), MOVE32(9, 1));
    mach_run(e.m, 5 * MS);
    CHECK_EQ(reg(9), 0);
    CHECK_EQ(fatal(), 0);
    CHECK(!(rd(e.m, MMU_INT_BASE + INT_RAWSTAT) & MMU_INT_FAULT(1)));
    as_cmd(e.m, 1, AS_COMMAND_UNLOCK);
    mach_run(e.m, 100000);
    CHECK_EQ(reg(9), 1);
    CHECK_EQ(env_d32(&e, 0), 42);
}

TEST(locked_code_and_locked_sync_object)
{
    env_new(&e, 1);
    env_code(&e, (const uint64_t[]){ MOVE32(9, 1) }, 1);
    as_lock(e.m, 1, e.code_va, 16);
    BODY(MOVE48(2, e.code_va), MOVE32(4, 8), CALL(2, 4), MOVE48(2, 0),
         SYNC_WAIT(CS_OP_SYNC_WAIT64, A, 2, CS_COND_GT, 0), MOVE32(9, 2));
    CHECK_EQ(reg(9), 0);
    as_cmd(e.m, 1, AS_COMMAND_UNLOCK);
    mach_run(e.m, MS);
    CHECK_EQ(reg(9), 1);
    env_ack(&e);
    as_lock(e.m, 1, e.data_va, 16);
    mach_run(e.m, 10 * MS); /* still the same wait, still idle: no second event */
    CHECK_EQ(env_cs(&e, 0)->wait, MALI_WAIT_SYNC);
    CHECK(!(rd(e.m, JOB_INT_BASE + INT_RAWSTAT) & JOB_INT_CSG(0)));
    ram_w64(e.m, e.data_pa, 1);
    as_cmd(e.m, 1, AS_COMMAND_UNLOCK);
    mach_run(e.m, 2 * MS);
    CHECK_EQ(reg(9), 2);
}

TEST(unmapped_sync_object_faults)
{
    env_new(&e, 1);
    BODY(MOVE48(2, 0), SYNC_WAIT(CS_OP_SYNC_WAIT64, A, 2, CS_COND_GT, 0));
    pt_unmap(e.m, e.g.root, e.data_va, 0x1000);
    as_cmd(e.m, 1, AS_COMMAND_FLUSH_MEM);
    mach_run(e.m, 3 * MS);
    CHECK_EQ(rd64(e.m, AS_REG(1, AS_FAULTADDRESS)), e.data_va);
    CHECK_EQ(env_cs(&e, 0)->wait, MALI_WAIT_FAULT);
}

TEST(single_steps)
{
    env_new(&e, 1);
    grp_submit(e.m, &e.g, 0, (const uint64_t[]){ MOVE32(1, 1), MOVE32(1, 2), PROT_REGION(1) }, 3);
    grp_ring(e.m, &e.g);
    CHECK_EQ(mali_cs_step(e.m->gpu, 0, 0), MALI_STEP_OK);
    CHECK_EQ(reg(1), 1);
    CHECK_EQ(mali_cs_step(e.m->gpu, 0, 0), MALI_STEP_OK);
    CHECK_EQ(reg(1), 2);
    CHECK_EQ(mali_cs_step(e.m->gpu, 0, 0), MALI_STEP_BLOCKED);
    CHECK_EQ(mali_cs_step(e.m->gpu, 0, 0), MALI_STEP_BLOCKED);
    CHECK_EQ(env_cs(&e, 0)->extract, 16);
}

TEST(bus_error_of_a_fetch)
{
    env_new(&e, 1);
    e.m->prot_base = e.code_pa;
    e.m->prot_end = e.code_pa + 0x1000;
    BODY(MOVE48(2, e.code_va), MOVE32(4, 8), CALL(2, 4));
    CHECK_EQ(rd64(e.m, GPU_FAULT_ADDR), e.code_pa);
    CHECK_EQ(fatal(), CS_EXC_BUS_FAULT);
}

TEST(bus_error)
{
    env_new(&e, 1);
    e.m->prot_base = e.data_pa;
    e.m->prot_end = e.data_pa + 0x1000;
    BODY(STORE(4, 1, A, 0x10));
    CHECK(rd(e.m, GPU_INT_BASE + INT_RAWSTAT) & GPU_IRQ_FAULT);
    CHECK_EQ(rd(e.m, GPU_FAULT_STATUS) & 0x7ff, EXC_GPU_BUS_FAULT | 3 << 8 | GPU_FAULT_ADDR_VALID);
    CHECK_EQ(rd64(e.m, GPU_FAULT_ADDR), e.data_pa + 0x10);
    CHECK_EQ(fatal(), CS_EXC_BUS_FAULT);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_FATAL_INFO), e.data_va + 0x10);
}

TEST(prot_region_blocks)
{
    uint32_t req, ack;

    env_new(&e, 1);
    BODY(PROT_REGION(1), MOVE32(9, 1));
    mach_run(e.m, 20 * MS);
    req = mcu_r32(e.m, FW_CS_IN_VA(0, 0) + CS_IN_REQ);
    ack = cs_out(e.m, 0, 0, CS_OUT_ACK);
    CHECK((req ^ ack) & CS_PROTM_PENDING);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_WAIT), CS_STATUS_WAIT_PROTM);
    CHECK_EQ(reg(9), 0);
    CHECK_EQ(ev_count(e.m, "cs-blocked"), 1);
    CHECK_HAS(ev_last(e.m, "cs-blocked"), "\"why\":\"protm\"");
    env_ack(&e); /* panthor 7.3 leaves PROTM_PENDING alone: no storm */
    CHECK(!(mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_STATE) & CSG_STATUS_STATE_IDLE));
}

/* ---- hostile rings ---- */

static uint64_t random_word(void)
{
    uint64_t w = t_rand();

    /* Mostly known opcodes and registers, so that they get somewhere. */
    if (t_rand() & 7) {
        w = (w & UINT64_C(0x003f3f3fffffffff)) | I_OP(t_rand() % 54);
    }
    if (t_rand() & 1) {
        w &= ~UINT64_C(0x8000);
    }
    return w;
}

static void random_ring(unsigned q)
{
    uint64_t word[RING / 8];

    for (unsigned i = 0; i < RING / 8; i++) {
        /* Now and then a CALL that is likely to hit the code buffer. */
        word[i] = i % 32 == 0   ? MOVE48(t_rand() % 60, e.code_va + (t_rand() & 0xfff8))
                  : i % 32 == 1 ? MOVE32(t_rand() % 60, t_rand() & 0xfff8)
                  : i % 32 == 2 ? CALL(t_rand() % 60, t_rand() % 60)
                                : random_word();
    }
    e.g.q[q].insert = 0;
    mcu_w64(e.m, e.g.q[q].out_va + RING_OUT_EXTRACT, 0);
    grp_submit(e.m, &e.g, q, word, RING / 8);
}

/* The group is started on random code, and moved to another slot in the middle. */
static void random_round(void)
{
    for (unsigned i = 0; i < 0x10000 / 8; i++) {
        ram_w64(e.m, e.code_pa + 8 * i, random_word());
    }
    for (unsigned q = 0; q < e.g.nq; q++) {
        random_ring(q);
    }
    grp_bind(e.m, &e.g, t_rand() % 8, 1 + t_rand() % 7, CSG_STATE_START);
    for (unsigned k = 0; k < 4; k++) {
        mach_run(e.m, MS);
        env_ack(&e);
        csg_toggle(e.m, e.g.slot, CSG_STATUS_UPDATE);
        if (k == 1) {
            grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
            grp_bind(e.m, &e.g, t_rand() % 8, 1 + t_rand() % 7, CSG_STATE_RESUME);
        }
    }
    as_disable(e.m, e.g.as);
    grp_state(e.m, &e.g, CSG_STATE_TERMINATE);
    CHECK_EQ(ev_count(e.m, "violation"), 0);
    CHECK(!strstr(e.m->log, "\"restored\":false"));
    ev_clear(e.m);
}

TEST(random_rings)
{
    uint64_t done = 0;

    t_seed(7);
    env_group(&e, mach_boot(), 4);
    for (unsigned i = 0; i < 300 || done < 100000; i++) {
        CHECK(i < 20000);
        random_round();
        mali_counter(e.m->gpu, "instructions", &done);
    }
}

/* ---- pacing ---- */

static void endless(Env *env, unsigned nq)
{
    const uint64_t code[] = { ADD_IMM64(0, 0, 1), BRANCH(CS_COND_ALWAYS, 0, -2) };

    env_code(env, code, 2);
    for (unsigned q = 0; q < nq; q++) {
        env_job(env, q, env->code_va, 2, env->data_va);
    }
    grp_ring(env->m, &env->g);
}

static uint64_t executed(Env *env)
{
    uint64_t n = 0;

    mali_counter(env->m->gpu, "instructions", &n);
    return n;
}

TEST(pace)
{
    static const uint32_t ips[] = { 1, 1000, 8000000, 3333333 };

    for (unsigned i = 0; i < 4; i++) {
        uint64_t n, span = ips[i] < 1000 ? 20 * SEC : SEC, want;

        env_new_ips(&e, 2, ips[i]);
        endless(&e, 2);
        mach_run(e.m, span);
        n = executed(&e);
        want = 2 * (uint64_t)ips[i] * (span / SEC);
        CHECK(n >= want * 99 / 100);
        CHECK(n <= want * 101 / 100 + 2 * ips[i] / 5000 + 4);
        mach_free_all();
    }
}

TEST(short_job_is_not_delayed_by_the_pace)
{
    env_new_ips(&e, 1, 8000000);
    mach_run(e.m, 10 * MS);
    env_code(&e, (const uint64_t[]){ NOP() }, 1);
    env_job(&e, 0, e.code_va, 1, e.data_va);
    grp_ring(e.m, &e.g);
    mach_run(e.m, 1);
    CHECK_EQ(env_d64(&e, 0), 1);
}

TEST(paced_loop_asks_for_few_timers)
{
    unsigned before;

    env_new_ips(&e, 1, 8000000);
    endless(&e, 1);
    before = e.m->timer_sets;
    mach_run(e.m, SEC);
    CHECK(e.m->timer_sets - before < 11000); /* once in 100 us */
}

TEST(slice_is_bounded)
{
    uint64_t before;

    env_new(&e, 8);
    endless(&e, 8);
    before = executed(&e);
    mali_timer(e.m->gpu);
    CHECK(executed(&e) - before <= 4000);
    for (unsigned q = 0; q < 8; q++) {
        CHECK(env_cs(&e, q)->reg[0] > 0); /* everybody had a turn */
    }
}

/* An engine that is always due would keep the embedder's lock from the vCPUs. */
TEST(rest_after_a_slice)
{
    env_new(&e, 1);
    endless(&e, 1);
    mali_timer(e.m->gpu);
    CHECK(e.m->timer >= e.m->now + 10000);
    CHECK(e.m->timer <= e.m->now + 200000);
    grp_ring(e.m, &e.g);
    CHECK(e.m->timer >= e.m->now + 10000);
}

TEST(rest_ends_when_time_is_turned_back)
{
    env_new(&e, 1);
    endless(&e, 1);
    mach_run(e.m, MS);
    e.m->now -= 500000; /* a snapshot of half a millisecond ago */
    grp_ring(e.m, &e.g);
    CHECK(e.m->timer <= e.m->now + 200000);
}

TEST(waiting_costs_one_timer_a_poll)
{
    unsigned before;

    env_new(&e, 1);
    BODY(MOVE48(2, 0), SYNC_WAIT(CS_OP_SYNC_WAIT64, A, 2, CS_COND_GT, 0));
    before = e.m->timer_sets;
    mach_run(e.m, 100 * MS);
    CHECK(e.m->timer_sets - before < 210);
}

/* A slice has turns for 16 streams: the others must come first in the next one. */
TEST(more_streams_than_turns)
{
    static Env more[3];

    env_new(&e, 8);
    more[0] = e;
    endless(&more[0], 8);
    for (unsigned i = 1; i < 3; i++) {
        env_group(&more[i], e.m, 8);
        grp_bind(e.m, &more[i].g, i, 1 + i, CSG_STATE_START);
        endless(&more[i], 8);
    }
    mach_run(e.m, 2 * MS);
    for (unsigned i = 0; i < 24; i++) {
        CHECK(env_cs(&more[i / 8], i % 8)->reg[0] > 0);
    }
}
