/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scoreboards, the progress timer and tiler memory: what completes later than its instruction. */
#include "env.h"

#define A             90
#define LATER         UINT64_C(100000) /* async_ns */
#define SIGNAL(slot)  ((uint64_t)(slot) << 48)
#define ON_WAIT(mask) ((uint64_t)(mask) << 16)
#define RUN_COMPUTE() I_OP(CS_OP_RUN_COMPUTE)
#define RUN_IDVS()    I_OP(CS_OP_RUN_IDVS)
#define HANDLER(a, n) (I_OP(CS_OP_SET_EXCEPTION_HANDLER) | I_SRC0(a) | I_SRC1(n) | 2)

static Env e;

static void start(unsigned nq)
{
    env_new_cfg(&e, nq, &(MaliConfig){ .async_ns = LATER });
}

static void go(const uint64_t *instr, unsigned n)
{
    grp_submit(e.m, &e.g, 0, instr, n);
    grp_ring(e.m, &e.g);
}
#define GO(...) go((const uint64_t[]){ __VA_ARGS__ }, N_INSTR(((const uint64_t[]){ __VA_ARGS__ })))

/* Just before what was issued now is over, and just after. */
static void almost(void)
{
    mach_run(e.m, LATER - 1000);
}
static void after(void)
{
    mach_run(e.m, 50000);
}

static uint32_t word(uint32_t off)
{
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    return cs_out(e.m, 0, 0, off);
}

TEST(wait_stands_until_the_load_is_told)
{
    start(1);
    ram_w32(e.m, e.data_pa, 77);
    GO(MOVE48(A, e.data_va), LOAD(4, 1, A, 0), WAIT(1), STORE(4, 1, A, 8));
    almost();
    CHECK_EQ(env_extract(&e, 0), 16);
    CHECK_EQ(word(CS_OUT_STATUS_BLOCKED_REASON), CS_BLOCKED_SB_WAIT);
    CHECK_EQ(word(CS_OUT_STATUS_WAIT), CS_STATUS_WAIT_SB_SRC_WAIT | 1);
    CHECK_EQ(word(CS_OUT_STATUS_SCOREBOARDS), 1);
    after();
    CHECK_EQ(env_extract(&e, 0), 32);
    CHECK_EQ(env_d32(&e, 8), 77);
}

TEST(entries_are_selected)
{
    start(1);
    GO(I_OP(CS_OP_SET_SB_ENTRY) | 5 | 6 << 4, RUN_COMPUTE(), MOVE48(A, e.data_va),
       STORE(4, 1, A, 0), WAIT(0x9f));
    almost();
    CHECK_EQ(env_extract(&e, 0), 40); /* the WAIT is for others and for 7, which is clear */
    CHECK_EQ(word(CS_OUT_STATUS_SCOREBOARDS), 0x60);
    after();
    CHECK_EQ(word(CS_OUT_STATUS_SCOREBOARDS), 0);
}

/* Its operands are those of the issue, its effect that of the end. */
TEST(deferred_sync_happens_later)
{
    start(1);
    GO(MOVE48(A, e.data_va), MOVE48(2, 41), RUN_COMPUTE(),
       SYNC(CS_OP_SYNC_ADD64, A, 2, CS_SCOPE_SYSTEM, 0) | ON_WAIT(1) | SIGNAL(3), MOVE48(2, 9),
       MOVE48(A, 0), WAIT(8));
    mach_run(e.m, 2 * LATER - 1000);
    CHECK_EQ(env_d64(&e, 0), 0);
    CHECK_EQ(word(CS_OUT_STATUS_SCOREBOARDS), 8);
    after();
    CHECK_EQ(env_d64(&e, 0), 41);
    CHECK_EQ(env_extract(&e, 0), 56);
    CHECK(csg_ack(e.m, 0) & CSG_SYNC_UPDATE);
}

TEST(flush_is_told_later)
{
    uint32_t id;

    start(1);
    id = rd(e.m, LATEST_FLUSH_ID);
    GO(MOVE32(2, 0), FLUSH_CACHE2(2) | SIGNAL(2), WAIT(4));
    almost();
    CHECK_EQ(rd(e.m, LATEST_FLUSH_ID), id);
    after();
    CHECK_EQ(rd(e.m, LATEST_FLUSH_ID), id + 1);
}

TEST(other_deferred_operations)
{
    start(1);
    GO(MOVE48(A, e.data_va), RUN_COMPUTE(), HEAP_OP(CS_HEAP_VT_START) | ON_WAIT(1) | SIGNAL(1),
       STORE_STATE(CS_STORE_TIMESTAMP, A, 8) | ON_WAIT(1) | SIGNAL(1),
       I_OP(CS_OP_FINISH_FRAGMENT) | 1 | ON_WAIT(1) | SIGNAL(1),
       I_OP(CS_OP_TRACE_POINT) | ON_WAIT(1) | SIGNAL(1), ERROR_BARRIER());
    mach_run(e.m, 2 * LATER - 1000);
    CHECK_EQ(env_cs(&e, 0)->num_deferred, 4);
    CHECK_EQ(env_cs(&e, 0)->heap_vt_start, 0);
    after();
    CHECK_EQ(env_cs(&e, 0)->heap_vt_start, 1);
    CHECK_EQ(env_cs(&e, 0)->heap_frag_end, 1);
    CHECK(env_d64(&e, 8));
    CHECK_EQ(env_extract(&e, 0), 56); /* the barrier waited for all */
}

TEST(queue_of_deferred_operations_is_finite)
{
    uint64_t many[24] = { MOVE48(A, e.data_va), MOVE48(2, 1), RUN_COMPUTE() };

    start(1);
    many[0] = MOVE48(A, e.data_va);
    for (unsigned i = 3; i < 24; i++) {
        many[i] = SYNC(CS_OP_SYNC_ADD32, A, 2, CS_SCOPE_CSG, 0) | ON_WAIT(1) | SIGNAL(1);
    }
    go(many, 24);
    almost();
    CHECK_EQ(env_cs(&e, 0)->num_deferred, MALI_MAX_DEFERRED);
    CHECK_EQ(word(CS_OUT_STATUS_BLOCKED_REASON), CS_BLOCKED_SB_WAIT);
    mach_run(e.m, 20 * LATER);
    CHECK_EQ(env_d32(&e, 0), 21);
}

TEST(stream_with_something_outstanding_is_not_idle)
{
    start(1);
    GO(RUN_COMPUTE());
    env_ack(&e);
    almost();
    CHECK(!e.m->gpu->s.csg[0].idle);
    after();
    CHECK(e.m->gpu->s.csg[0].idle);
}

/* With a pace the WAIT costs the stream time it has saved up: no timer is needed. */
TEST(wait_is_paid_by_the_streams_clock)
{
    env_new_cfg(&e, 1, &(MaliConfig){ .async_ns = 3000, .cs_ips = 1000000 });
    mach_run(e.m, SEC);
    GO(MOVE48(A, e.data_va), STORE(4, 1, A, 0), WAIT(1), NOP(), BRANCH(CS_COND_ALWAYS, 0, -4));
    mach_run(e.m, 10 * MS);
    /* 4 instructions of 1 us and a WAIT of 2 us in addition: 6 us a round, 1666 rounds */
    CHECK(e.m->gpu->s.counter[MALI_CNT_INSTRUCTIONS] > 6400);
    CHECK(e.m->gpu->s.counter[MALI_CNT_INSTRUCTIONS] < 7000);
    CHECK(e.m->timer_sets < 400);
}

TEST(suspend_takes_what_is_outstanding_along)
{
    start(1);
    GO(MOVE48(A, e.data_va), MOVE48(2, 5), RUN_COMPUTE(),
       SYNC(CS_OP_SYNC_SET64, A, 2, CS_SCOPE_CSG, 0) | ON_WAIT(1) | SIGNAL(1), WAIT(2),
       STORE(2, 1, A, 16));
    mach_run(e.m, LATER / 2);
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    mach_run(e.m, SEC);
    CHECK_EQ(env_d64(&e, 0), 0);
    grp_bind(e.m, &e.g, 3, 2, CSG_STATE_RESUME);
    mach_run(e.m, LATER);
    CHECK_EQ(env_d64(&e, 0), 0); /* half of the RUN, and the SYNC: 1.5 times LATER */
    mach_run(e.m, LATER);
    CHECK_EQ(env_d64(&e, 0), 5);
    CHECK_EQ(env_d32(&e, 16), 5);
}

TEST(deferred_access_that_is_locked_out_or_faults_is_tried_again)
{
    uint64_t pa, va = 0x7000000;

    start(1);
    pa = mach_alloc(e.m, 4096);
    pt_map(e.m, e.g.root, va, pa, 4096, 0);
    GO(MOVE48(A, va), MOVE48(2, 5), RUN_COMPUTE(),
       SYNC(CS_OP_SYNC_SET64, A, 2, CS_SCOPE_CSG, 0) | ON_WAIT(1) | SIGNAL(1), WAIT(2));
    mach_run(e.m, LATER / 2);
    as_lock(e.m, 1, va, 15);
    mach_run(e.m, 4 * LATER);
    CHECK_EQ(ram_r64(e.m, pa), 0);
    pt_unmap(e.m, e.g.root, va, 4096);
    as_cmd(e.m, 1, AS_COMMAND_FLUSH_PT);
    mach_run(e.m, 2 * MS);
    CHECK_EQ(env_cs(&e, 0)->wait, MALI_WAIT_FAULT);
    CHECK_EQ(ev_count(e.m, "mmu-fault"), 1);
    pt_map(e.m, e.g.root, va, pa, 4096, 0);
    as_cmd(e.m, 1, AS_COMMAND_FLUSH_PT);
    mach_run(e.m, 2 * MS);
    CHECK_EQ(ram_r64(e.m, pa), 5);
    CHECK_EQ(env_extract(&e, 0), 40);
}

TEST(deferred_sync_out_of_line_faults_once)
{
    start(1);
    GO(MOVE48(A, e.data_va + 1), MOVE48(2, 5), RUN_COMPUTE(),
       SYNC(CS_OP_SYNC_SET64, A, 2, CS_SCOPE_CSG, 0) | ON_WAIT(1) | SIGNAL(1), WAIT(2));
    mach_run(e.m, 4 * LATER);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), CS_EXC_ADDR_RANGE_FAULT);
    env_ack(&e);
    mach_run(e.m, 4 * LATER);
    CHECK_EQ(env_extract(&e, 0), 40);
    CHECK_EQ(ev_count(e.m, "cs-fault"), 1);
}

TEST(protected_region_waits_for_what_is_outstanding)
{
    start(1);
    GO(RUN_COMPUTE(), PROT_REGION(1), NOP());
    almost();
    CHECK_EQ(ev_count(e.m, "protm-pend"), 0);
    after();
    CHECK_EQ(ev_count(e.m, "protm-pend"), 1);
}

TEST(wait_mask_and_slot_of_the_state)
{
    env_new_cfg(&e, 1, &(MaliConfig){ .gpu = "g720", .async_ns = LATER });
    GO(MOVE48(A, e.data_va), MOVE48(2, 3), I_OP(CS_OP_SET_STATE_IMM32) | I_SRC1(9) | 1,
       I_OP(CS_OP_SET_STATE_IMM32) | I_SRC1(2) | 12, RUN_COMPUTE(),
       SYNC(CS_OP_SYNC_SET32, A, 2, CS_SCOPE_CSG, 0) | UINT64_C(1) << 52,
       I_OP(CS_OP_SET_STATE_IMM32) | I_SRC1(9) | 1u << 12, WAIT(0) | UINT64_C(1) << 33);
    mach_run(e.m, 2 * LATER - 1000);
    CHECK_EQ(word(CS_OUT_STATUS_WAIT), CS_STATUS_WAIT_SB_SRC_WAIT | 1u << 12);
    CHECK_EQ(env_d32(&e, 0), 0);
    after();
    CHECK_EQ(env_d32(&e, 0), 3);
    CHECK_EQ(env_extract(&e, 0), 64);
}

TEST(registers_of_deferred_operations_must_exist)
{
    const uint64_t bad[] = {
        FLUSH_CACHE2(96),
        SYNC(CS_OP_SYNC_ADD64, 95, 2, 0, 0) | ON_WAIT(1),
        SYNC(CS_OP_SYNC_ADD64, A, 95, 0, 0) | ON_WAIT(1),
        SYNC(CS_OP_SYNC_ADD32, A, 96, 0, 0) | ON_WAIT(1),
    };

    for (unsigned i = 0; i < N_INSTR(bad); i++) {
        start(1);
        GO(bad[i]);
        mach_run(e.m, MS);
        CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FATAL), CS_EXC_INSTR_INVALID);
    }
}

/* ---- the progress timer ---- */

TEST(job_that_never_ends_runs_into_the_progress_timer)
{
    start(1);
    CHECK(mali_fault_set(e.m->gpu, "run-never", 2));
    GO(RUN_COMPUTE(), WAIT(1), RUN_COMPUTE(), WAIT(1), NOP());
    env_ack(&e);
    mach_run(e.m, 3 * MS); /* 2500 x 1024 cycles of 800 MHz are 3.2 ms */
    CHECK_EQ(env_extract(&e, 0), 24);
    CHECK_EQ(ev_count(e.m, "progress-timeout"), 0);
    mach_run(e.m, MS);
    CHECK_EQ(ev_count(e.m, "progress-timeout"), 1);
    CHECK((csg_ack(e.m, 0) ^ csg_req(e.m, 0)) & CSG_PROGRESS_TIMER_EVENT);
    CHECK(e.m->line[MALI_IRQ_JOB]);
    env_ack(&e);
    mach_run(e.m, SEC);
    CHECK_EQ(ev_count(e.m, "progress-timeout"), 1);
    CHECK_EQ(env_extract(&e, 0), 24);
    CHECK(!e.m->gpu->s.csg[0].idle);
    grp_state(e.m, &e.g, CSG_STATE_TERMINATE); /* as the host does */
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_TERMINATE);
}

TEST(progress_timer_of_zero_is_off)
{
    start(1);
    mcu_w32(e.m, FW_GLB_IN_VA + GLB_IN_PROGRESS_TIMER, 0);
    glb_toggle(e.m, GLB_CFG_PROGRESS_TIMER);
    glb_ring(e.m);
    CHECK(mali_fault_set(e.m->gpu, "run-never", 1));
    GO(RUN_COMPUTE(), WAIT(1));
    mach_run(e.m, 100 * SEC);
    CHECK_EQ(ev_count(e.m, "progress-timeout"), 0);
    CHECK(e.m->timer == MALI_NEVER); /* and nobody looks any more */
}

/* ---- tiler memory ---- */

static void tile(unsigned handler)
{
    const uint64_t job[] = {
        MOVE48(A, 0x1234000),
        HEAP_SET(A),
        HEAP_OP(CS_HEAP_VT_START),
        MOVE48(A, e.code_va),
        MOVE32(4, 8),
        handler ? HANDLER(A, 4) : NOP(),
        RUN_IDVS(),
        HEAP_OP(CS_HEAP_VT_END),
        MOVE48(A, e.data_va),
        MOVE32(2, 1),
        STORE(2, 1, A, 0),
    };
    const uint64_t code[] = { ADD_IMM32(20, 20, 7) };

    CHECK(mali_fault_set(e.m->gpu, "tiler-oom", 1));
    env_code(&e, code, 1);
    go(job, N_INSTR(job));
    mach_run(e.m, MS);
}

static void answer(uint64_t chunk)
{
    uint64_t in = FW_CS_IN_VA(e.g.slot, 0), csg = FW_CSG_IN_VA(e.g.slot);
    uint32_t ack = cs_out(e.m, e.g.slot, 0, CS_OUT_ACK);

    mcu_w64(e.m, in + CS_IN_HEAP_START, chunk);
    mcu_w64(e.m, in + CS_IN_HEAP_END, chunk);
    mcu_w32(e.m, in, (mcu_r32(e.m, in) & ~CS_TILER_OOM) | (ack & CS_TILER_OOM));
    mcu_w32(e.m, csg + CSG_IN_DOORBELL_REQ, mcu_r32(e.m, csg + CSG_IN_DOORBELL_REQ) ^ 1);
    csg_kick(e.m, e.g.slot);
    mach_run(e.m, MS);
}

TEST(tiler_out_of_memory_is_answered_with_a_chunk)
{
    env_new(&e, 1);
    tile(0);
    CHECK((cs_out(e.m, 0, 0, CS_OUT_ACK) ^ mcu_r32(e.m, FW_CS_IN_VA(0, 0))) & CS_TILER_OOM);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_HEAP_ADDRESS), 0x1234000);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_HEAP_VT_START), 1);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_HEAP_VT_END), 0);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_HEAP_FRAG_END), 0);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_BLOCKED_REASON), CS_BLOCKED_RESOURCE);
    CHECK(!e.m->gpu->s.csg[0].idle);
    csg_ack_events(e.m, 0); /* other events: no answer yet */
    CHECK_EQ(env_d32(&e, 0), 0);
    answer(0x5555001);
    CHECK_EQ(env_d32(&e, 0), 1);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), 0);
    CHECK_HAS(ev_last(e.m, "heap-grow"), "\"chunk\":89477121");
    CHECK_EQ(ev_count(e.m, "tiler-oom"), 1);
}

TEST(tiler_out_of_memory_calls_the_exception_handler)
{
    env_new(&e, 1);
    tile(1);
    answer(0);
    CHECK_EQ(env_cs(&e, 0)->reg[20], 7);
    CHECK_EQ(env_d32(&e, 0), 1);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), 0);
}

TEST(tiler_out_of_memory_without_a_handler_faults)
{
    env_new(&e, 1);
    tile(0);
    answer(0);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), CS_EXC_OOM);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_FAULT_INFO), 0x1234000);
    env_ack(&e);
    mach_run(e.m, MS);
    CHECK_EQ(env_d32(&e, 0), 1);
}

TEST(tiler_out_of_memory_is_asked_again_after_a_suspend)
{
    env_new(&e, 1);
    tile(0);
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    grp_bind(e.m, &e.g, 2, 3, CSG_STATE_RESUME);
    mach_run(e.m, MS);
    CHECK_EQ(ev_count(e.m, "tiler-oom"), 2);
    CHECK((cs_out(e.m, 2, 0, CS_OUT_ACK) ^ mcu_r32(e.m, FW_CS_IN_VA(2, 0))) & CS_TILER_OOM);
    answer(0x5555001);
    CHECK_EQ(env_d32(&e, 0), 1);
}

TEST(handler_that_cannot_be_called_is_fatal)
{
    env_new(&e, 1);
    tile(1);
    env_cs(&e, 0)->handler_va |= 4;
    answer(0);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FATAL), CS_EXC_INSTR_INVALID);
    env_new(&e, 1);
    tile(1);
    env_cs(&e, 0)->depth = MALI_MAX_FRAMES - 1;
    answer(0);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FATAL), CS_EXC_CALL_STACK_OVERFLOW);
}
