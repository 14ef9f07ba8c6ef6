/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups: state requests, doorbells, events, the idle rule, status words. */
#include "../cs_int.h"
#include "env.h"

static Env e;

static uint32_t job_raw(void)
{
    return rd(e.m, JOB_INT_BASE + INT_RAWSTAT);
}
static uint32_t state_word(void)
{
    return mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_STATE);
}
static uint32_t events(void)
{
    return (csg_req(e.m, 0) ^ csg_ack(e.m, 0)) & CSG_EVT_MASK;
}
static void job_clear(void)
{
    wr(e.m, JOB_INT_BASE + INT_CLEAR, ~0u);
}

static void fresh(unsigned nq)
{
    env_group(&e, mach_boot(), nq);
    job_clear();
}

static void submit_nop(unsigned q)
{
    grp_submit(e.m, &e.g, q, (const uint64_t[]){ NOP() }, 1);
}

/* A stream that never ends, in the code buffer. */
static void submit_loop(unsigned q)
{
    env_code(&e, (const uint64_t[]){ BRANCH(CS_COND_ALWAYS, 0, -1) }, 1);
    env_job(&e, q, e.code_va, 1, e.data_va);
}

TEST(start_is_acknowledged_in_the_doorbell)
{
    fresh(3);
    submit_loop(1);
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_START);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_START);
    CHECK_EQ((csg_ack(e.m, 0) ^ csg_req(e.m, 0)) & ~CSG_EVT_MASK, 0);
    CHECK(job_raw() & JOB_INT_CSG(0));
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_ACK) & CS_STATE_MASK, CS_STATE_START);
    CHECK_EQ(cs_out(e.m, 0, 2, CS_OUT_ACK) & CS_STATE_MASK, CS_STATE_START);
    CHECK_EQ(cs_out(e.m, 0, 3, CS_OUT_ACK) & CS_STATE_MASK, CS_STATE_STOP);
    CHECK_EQ(mcu_r32(e.m, e.g.q[1].out_va + RING_OUT_ACTIVE), 1);
    CHECK_EQ(mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_DOORBELL_ACK),
             mcu_r32(e.m, FW_CSG_IN_VA(0) + CSG_IN_DOORBELL_REQ));
    CHECK_EQ(events() & CSG_IDLE, 0);
    CHECK_EQ(mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_EP_CURRENT),
             mcu_r32(e.m, FW_CSG_IN_VA(0) + CSG_IN_ENDPOINT_REQ));
}

TEST(start_event_tells_the_buffers)
{
    const char *ev;
    char want[128];

    fresh(2);
    grp_bind(e.m, &e.g, 3, 2, CSG_STATE_START);
    ev = ev_last(e.m, "csg-start");
    CHECK_HAS(ev, "\"csg\":3,\"as\":2,");
    CHECK_HAS(ev, "\"streams\":3,");
    snprintf(want, sizeof(want), "\"suspend_va\":%" PRIu64, e.g.suspend_va);
    CHECK_HAS(ev, want);
    snprintf(want, sizeof(want), "\"suspend_pa\":[[%" PRIu64 ",%u]]",
             pt_lookup(e.m, e.m->mcu_root, e.g.suspend_va), e.g.suspend_size);
    CHECK_HAS(ev, want);
    snprintf(want, sizeof(want), "\"protm_suspend_pa\":[[%" PRIu64 ",%u]]",
             pt_lookup(e.m, e.m->mcu_root, e.g.protm_va), e.g.protm_size);
    CHECK_HAS(ev, want);
}

TEST(mapped_size_sees_a_short_buffer)
{
    fresh(1);
    e.g.protm_va = 0x06000000;
    pt_map(e.m, e.m->mcu_root, e.g.protm_va, mach_alloc(e.m, 0x3000), 0x3000, 0);
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_START);
    CHECK_HAS(ev_last(e.m, "csg-start"), "\"protm_mapped_size\":12288");
    CHECK_HAS(ev_last(e.m, "csg-start"), ",12288]]");
}

TEST(start_position_is_extract_init)
{
    fresh(1);
    mcu_w64(e.m, e.g.q[0].in_va + RING_IN_EXTRACT_INIT, 64);
    mcu_w64(e.m, e.g.q[0].out_va + RING_OUT_EXTRACT, 64);
    mcu_w64(e.m, e.g.q[0].in_va + RING_IN_INSERT, 80);
    ram_w64(e.m, e.g.q[0].ring_pa + 64, MOVE32(5, 7));
    e.g.q[0].insert = 80;
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_START);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 0), 80);
    CHECK_EQ(env_cs(&e, 0)->reg[5], 7);
}

TEST(start_with_nothing_to_do_is_idle)
{
    fresh(2);
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_START);
    CHECK_EQ(events(), CSG_IDLE);
    CHECK_EQ(state_word(), CSG_STATUS_STATE_IDLE);
}

TEST(ring_without_change_raises_nothing)
{
    env_new(&e, 2);
    for (unsigned i = 0; i < 10; i++) {
        csg_kick(e.m, 0);
        grp_ring(e.m, &e.g);
        mach_run(e.m, MS);
        CHECK_EQ(job_raw() & JOB_INT_CSG(0), 0);
    }
}

TEST(idle_is_told_once_a_transition)
{
    env_new(&e, 2);
    CHECK_EQ(state_word(), CSG_STATUS_STATE_IDLE);
    submit_nop(1);
    grp_ring(e.m, &e.g);
    CHECK_EQ(state_word(), 0);
    mach_run(e.m, MS);
    CHECK_EQ(events(), CSG_IDLE);
    CHECK_EQ(state_word(), CSG_STATUS_STATE_IDLE);
    env_ack(&e);
    CHECK_EQ(events(), 0);
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    CHECK_EQ(events(), 0);
}

TEST(idle_that_is_over_is_not_told)
{
    env_new(&e, 1);
    for (unsigned i = 0; i < 2; i++) { /* told once, and once more remembered */
        submit_nop(0);
        grp_ring(e.m, &e.g);
        mach_run(e.m, MS);
    }
    CHECK_EQ(e.m->gpu->s.csg[0].pending, CSG_IDLE);
    submit_loop(0);
    grp_ring(e.m, &e.g);
    csg_ack_events(e.m, 0);
    CHECK_EQ(events(), 0);
}

TEST(idle_needs_all_queues)
{
    env_new(&e, 2);
    submit_loop(0);
    submit_nop(1);
    grp_ring(e.m, &e.g);
    mach_run(e.m, 5 * MS);
    CHECK_EQ(env_extract(&e, 1), 8);
    CHECK_EQ(events(), 0);
    CHECK_EQ(state_word(), 0);
}

TEST(idle_in_sync_wait_by_the_bit)
{
    const uint64_t wait[] = { MOVE48(0, 0), MOVE48(2, 0),
                              SYNC_WAIT(CS_OP_SYNC_WAIT32, 0, 2, CS_COND_GT, 0) };
    uint64_t prog[3];

    for (unsigned on = 0; on < 2; on++) {
        uint64_t req_va = FW_CS_IN_VA(0, 0) + CS_IN_REQ;

        env_new(&e, 1);
        memcpy(prog, wait, sizeof(prog));
        prog[0] = MOVE48(0, e.data_va);
        if (!on) {
            mcu_w32(e.m, req_va, mcu_r32(e.m, req_va) & ~CS_IDLE_SYNC_WAIT);
        }
        env_run(&e, prog, 3);
        CHECK_EQ(events(), on ? CSG_IDLE : 0);
        ram_w32(e.m, e.data_pa,
                1); /* the wait ends: not idle while it runs, idle again when empty */
        env_ack(&e);
        mach_run(e.m, 3 * MS);
        CHECK_EQ(events(), CSG_IDLE);
        mach_free_all();
    }
}

TEST(events_wait_for_the_acknowledgement)
{
    unsigned rises;

    env_new(&e, 1);
    env_code(&e,
             (const uint64_t[]){ SYNC(CS_OP_SYNC_ADD32, 0, 2, CS_SCOPE_SYSTEM, 0),
                                 ADD_IMM32(4, 4, -1), BRANCH(CS_COND_GT, 4, -3) },
             3);
    rises = e.m->rises[MALI_IRQ_JOB];
    env_run(&e,
            (const uint64_t[]){ MOVE48(0, e.data_va + 64), MOVE32(2, 1), MOVE32(4, 10000),
                                MOVE48(6, e.code_va), MOVE32(8, 24), CALL(6, 8) },
            6);
    mach_run(e.m, 20 * MS);
    CHECK_EQ(env_d32(&e, 64), 10000);
    CHECK_EQ(e.m->rises[MALI_IRQ_JOB] - rises, 1); /* pitfall 12 */
    CHECK_EQ(events(), CSG_SYNC_UPDATE | CSG_IDLE);
    job_clear();
    csg_ack_events(e.m, 0); /* the remembered one comes at the doorbell */
    CHECK_EQ(events(), CSG_SYNC_UPDATE);
    CHECK(job_raw() & JOB_INT_CSG(0));
    env_ack(&e);
    CHECK_EQ(events(), 0);
}

TEST(idle_groups_make_the_gpu_idle)
{
    env_new(&e, 1);
    submit_nop(0);
    grp_ring(e.m, &e.g);
    mach_run(e.m, 500000);
    CHECK_EQ((glb_ack(e.m) ^ mcu_r32(e.m, FW_GLB_IN_VA)) & GLB_IDLE, 0);
    mach_run(e.m, MS); /* idle_timer is 0.8 ms */
    CHECK_EQ((glb_ack(e.m) ^ mcu_r32(e.m, FW_GLB_IN_VA)) & GLB_IDLE, GLB_IDLE);
    CHECK(job_raw() & JOB_INT_GLOBAL);
}

TEST(no_timer_while_all_is_idle)
{
    env_new(&e, 4);
    mach_run(e.m, 10 * MS);
    CHECK_EQ(e.m->timer, MALI_NEVER);
}

TEST(local_scope_tells_the_host_nothing)
{
    env_new(&e, 1);
    env_run(
        &e,
        (const uint64_t[]){ MOVE48(0, e.data_va), SYNC(CS_OP_SYNC_ADD64, 0, 0, CS_SCOPE_CSG, 0) },
        2);
    CHECK_EQ(events(), CSG_IDLE);
}

TEST(irq_mask_is_honoured)
{
    env_new(&e, 1);
    mcu_w32(e.m, FW_CSG_IN_VA(0) + CSG_IN_ACK_IRQ_MASK, 0);
    submit_nop(0);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    CHECK_EQ(events(), CSG_IDLE);
    CHECK_EQ(job_raw() & JOB_INT_CSG(0), 0);
}

TEST(cs_event_sets_cs_irq_req)
{
    uint32_t irq;

    env_new(&e, 3);
    grp_submit(e.m, &e.g, 2, (const uint64_t[]){ I_OP(0xfe) }, 1);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    irq = mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_CS_IRQ_REQ) ^
          mcu_r32(e.m, FW_CSG_IN_VA(0) + CSG_IN_CS_IRQ_ACK);
    CHECK_EQ(irq, 4);
    CHECK((cs_out(e.m, 0, 2, CS_OUT_ACK) ^ mcu_r32(e.m, FW_CS_IN_VA(0, 2) + CS_IN_REQ)) & CS_FATAL);
    CHECK(job_raw() & JOB_INT_CSG(0));
    CHECK_EQ(env_extract(&e, 2), 0); /* the guilty job is found by it */
    CHECK_EQ(events(), 0);           /* a dead stream is not idle */
    env_ack(&e);
    submit_nop(2);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 2), 0);
}

/* The interrupt comes when all words of a request are there: whoever polls the line must see them.
 */
TEST(second_cs_event_before_the_acknowledgement)
{
    env_new(&e, 1);
    mali_cs_event(e.m->gpu, 0, 0, CS_FAULT);
    mali_cs_event(e.m->gpu, 0, 0, CS_FATAL);
    CHECK_EQ(mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_CS_IRQ_REQ) ^
                 mcu_r32(e.m, FW_CSG_IN_VA(0) + CSG_IN_CS_IRQ_ACK),
             1);
    CHECK_EQ((cs_out(e.m, 0, 0, CS_OUT_ACK) ^ mcu_r32(e.m, FW_CS_IN_VA(0, 0) + CS_IN_REQ)) &
                 CS_EVT_MASK,
             CS_FAULT | CS_FATAL);
}

TEST(request_words_are_complete_at_the_interrupt)
{
    fresh(1);
    e.g.q[0].ring_size = 8; /* START that goes wrong: request, doorbell and event in one */
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_START);
    CHECK_EQ((csg_ack(e.m, 0) ^ csg_req(e.m, 0)) & ~CSG_EVT_MASK, 0);
    CHECK((cs_out(e.m, 0, 0, CS_OUT_ACK) ^ mcu_r32(e.m, FW_CS_IN_VA(0, 0) + CS_IN_REQ)) & CS_FATAL);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_ACK) & CS_STATE_MASK, CS_STATE_START);
    env_ack(&e);
}

TEST(doorbell_of_nobody)
{
    env_new(&e, 1);
    submit_nop(0);
    wr(e.m, DOORBELL(7), 1);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 0), 0); /* INSERT is looked at when rung only */
    csg_kick(e.m, 0);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 0), 0);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 0), 8);
}

TEST(terminate_drops_the_group)
{
    env_new(&e, 1);
    submit_loop(0);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    grp_state(e.m, &e.g, CSG_STATE_TERMINATE);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_TERMINATE);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_ACK) & CS_STATE_MASK, CS_STATE_STOP);
    CHECK_EQ(mcu_r32(e.m, e.g.q[0].out_va + RING_OUT_ACTIVE), 0);
    CHECK_EQ(ev_count(e.m, "csg-terminate"), 1);
    CHECK_EQ(ev_count(e.m, "csg-suspend"), 0);
    job_clear();
    grp_ring(e.m, &e.g);
    mach_run(e.m, 10 * MS);
    CHECK_EQ(job_raw() & JOB_INT_CSG(0), 0);
    /* The slot takes the next group, though nobody told the streams to stop. */
    env_group(&e, e.m, 1);
    submit_nop(0);
    grp_bind(e.m, &e.g, 0, 2, CSG_STATE_START);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 0), 8);
}

TEST(priority_change_alone)
{
    uint64_t va = FW_CSG_IN_VA(0) + CSG_IN_ENDPOINT_REQ;

    env_new(&e, 1);
    mcu_w32(e.m, va, (mcu_r32(e.m, va) & 0x0fffffff) | 0xa0000000);
    csg_toggle(e.m, 0, CSG_ENDPOINT_CONFIG);
    CHECK_EQ(csg_ack(e.m, 0), csg_req(e.m, 0));
    CHECK_EQ(e.m->gpu->s.csg[0].prio, 10);
    CHECK(job_raw() & JOB_INT_CSG(0));
}

TEST(status_update_of_an_idle_queue)
{
    env_new(&e, 1);
    submit_nop(0);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATUS_UPDATE, csg_req(e.m, 0) & CSG_STATUS_UPDATE);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_BLOCKED_REASON), CS_BLOCKED_NONE);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_SCOREBOARDS), 0);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_STATUS_CMD_PTR), e.g.q[0].ring_va + 8);
}

TEST(ack_never_fault)
{
    fresh(1);
    CHECK(mali_fault_set(e.m->gpu, "csg-ack-never", 1));
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_START);
    mach_run(e.m, 100 * MS);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_TERMINATE);
    CHECK_EQ(job_raw() & JOB_INT_CSG(0), 0);
    CHECK_EQ(ev_count(e.m, "csg-start"), 0);
}

TEST(stop_and_start_of_one_stream)
{
    uint64_t req = FW_CS_IN_VA(0, 0) + CS_IN_REQ, db = FW_CSG_IN_VA(0) + CSG_IN_DOORBELL_REQ;

    env_new(&e, 1);
    mcu_w32(e.m, req, mcu_r32(e.m, req) & ~CS_STATE_MASK);
    mcu_w32(e.m, db, mcu_r32(e.m, db) ^ 1);
    csg_kick(e.m, 0);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_ACK) & CS_STATE_MASK, CS_STATE_STOP);
    submit_nop(0);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 0), 0);
    mcu_w32(e.m, req, mcu_r32(e.m, req) | CS_STATE_START);
    mcu_w32(e.m, db, mcu_r32(e.m, db) ^ 1);
    csg_kick(e.m, 0);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 0), 8);
}

/* ---- requests that no driver should make ---- */

TEST(extract_beyond_insert)
{
    env_new(&e, 1);
    submit_nop(0);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    mcu_w64(e.m, e.g.q[0].in_va + RING_IN_INSERT, 0);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    CHECK_HAS(ev_last(e.m, "violation"), "ring-insert");
    CHECK_EQ(env_extract(&e, 0), 8);
}

TEST(insert_out_of_line)
{
    env_new(&e, 1);
    mcu_w64(e.m, e.g.q[0].in_va + RING_IN_INSERT, 13);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    CHECK_EQ(ev_count(e.m, "violation"), 1);
    CHECK_EQ(env_extract(&e, 0), 8);
    mcu_w64(e.m, e.g.q[0].in_va + RING_IN_INSERT, 1 << 20);
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    CHECK_HAS(ev_last(e.m, "violation"), "overruns");
    CHECK_EQ(env_extract(&e, 0), 8 + RING);
}

TEST(bad_ring_is_a_config_fault)
{
    static const uint32_t size[] = { 0, 8, 0x1001, 0x30000 };

    for (unsigned i = 0; i < 4; i++) {
        fresh(1);
        e.g.q[0].ring_size = size[i];
        grp_bind(e.m, &e.g, 0, 1, CSG_STATE_START);
        mach_run(e.m, MS);
        CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FATAL), CS_EXC_CONFIG_FAULT);
        CHECK(mali_csg_valid(&e.m->gpu->s));
        mach_free_all();
    }
}

TEST(unknown_state_and_start_twice)
{
    uint64_t va = FW_CSG_IN_VA(0) + CSG_IN_REQ;

    env_new(&e, 1);
    mcu_w32(e.m, va, (mcu_r32(e.m, va) & ~CSG_STATE_MASK) | 6);
    csg_kick(e.m, 0);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_START);
    CHECK_EQ(ev_count(e.m, "violation"), 1);
    mcu_w32(e.m, va, (mcu_r32(e.m, va) & ~CSG_STATE_MASK) | CSG_STATE_RESUME);
    csg_kick(e.m, 0);
    CHECK_EQ(ev_count(e.m, "violation"), 2);
    CHECK_EQ(ev_count(e.m, "csg-resume"), 0);
}

TEST(random_interface_words)
{
    t_seed(11);
    env_new(&e, 4);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t base =
            t_rand() & 1 ? FW_CSG_IN_VA(t_rand() % 8) : FW_CS_IN_VA(t_rand() % 8, t_rand() % 8);

        mcu_w32(e.m, base + (t_rand() % 0x58 & ~3u), t_rand() & 1 ? t_rand() % 64 : t_rand());
        if (t_rand() % 3 == 0) {
            csg_kick(e.m, t_rand() % 8);
            mach_run(e.m, t_rand() % 100000);
        }
    }
    grp_state(e.m, &e.g, CSG_STATE_TERMINATE);
}

TEST(stop_forgets_all)
{
    env_new(&e, 1);
    submit_loop(0);
    grp_ring(e.m, &e.g);
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    job_clear();
    mach_run(e.m, 20 * MS);
    CHECK_EQ(env_extract(&e, 0), 0);
    CHECK_EQ(job_raw(), 0);
}

/* A host that cannot keep up: without a pace, streams get instructions by their groups' priority.
 */
TEST(priority_decides_who_gets_more)
{
    const uint64_t loop[] = { ADD_IMM64(4, 4, 1), BRANCH(CS_COND_ALWAYS, 0, -2) };
    uint64_t high, low;
    TGroup other;

    env_new(&e, 1);
    grp_new(e.m, &other, 1, RING);
    grp_bind(e.m, &other, 1, 2, CSG_STATE_START);
    mcu_w32(e.m, FW_CSG_IN_VA(0) + CSG_IN_ENDPOINT_REQ, 15u << 28);
    csg_toggle(e.m, 0, CSG_ENDPOINT_CONFIG); /* a change while on the slot (sched.c:2298-2322) */
    mcu_w32(e.m, FW_CSG_IN_VA(1) + CSG_IN_ENDPOINT_REQ, 0);
    csg_toggle(e.m, 1, CSG_ENDPOINT_CONFIG);
    grp_submit(e.m, &e.g, 0, loop, 2);
    grp_submit(e.m, &other, 0, loop, 2);
    grp_ring(e.m, &e.g);
    grp_ring(e.m, &other);
    mach_run(e.m, 100 * MS);
    high = reg64(&e.m->gpu->s.csg[0].cs[0], 4);
    low = reg64(&e.m->gpu->s.csg[1].cs[0], 4);
    CHECK(low > 1000); /* nobody starves */
    CHECK(high / low >= 12 && high / low <= 20);
}
