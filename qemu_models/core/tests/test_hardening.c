/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hostile or unlucky guest must not get: unbounded work, a full disk, lost or stale events.
 */
#include <stdlib.h>

#include "env.h"

#define A 90

static Env e;

/* ---- suspend sizes ---- */

static bool boots_with(uint32_t normal, uint32_t protm)
{
    const FwOpts o = { .suspend_size = normal, .protm_suspend_size = protm };
    Machine *m = mach_new(NULL);
    bool ok;

    l2_on(m);
    fw_map(m, &o);
    fw_load(m, &o);
    as_enable(m, 0, m->mcu_root);
    ok = fw_start(m);
    if (!ok) {
        CHECK_HAS(ev_last(m, "mcu-boot"), "\"reason\":\"control-block\"");
    }
    return ok;
}

TEST(suspend_sizes_of_the_manifest_are_bounded)
{
    CHECK(boots_with(MALI_MAX_SUSPEND, MALI_MAX_SUSPEND));
    CHECK(!boots_with(MALI_MAX_SUSPEND + 1, 0x5000));
    CHECK(!boots_with(0x3000, 0xfffff000));
}

TEST(suspend_sizes_of_the_configuration_are_bounded)
{
    const MaliConfig big[] = { { .suspend_size = MALI_MAX_SUSPEND + 1 },
                               { .protm_suspend_size = MALI_MAX_SUSPEND + 1 } };
    const char *why;

    env_new(&e, 1);
    for (unsigned i = 0; i < 2; i++) {
        CHECK(!mali_new(&big[i], &e.m->gpu->ops, e.m, &why));
        CHECK_HAS(why, "1 MiB");
    }
}

/* 4 GiB of virtual addresses, all of them the same pages: no event may walk them all. */
TEST(extents_are_bounded)
{
    uint64_t before;
    MaliEvent ev;

    env_new(&e, 1);
    before = e.m->reads;
    mali_ev_begin(&ev, e.m->gpu, "csg-start");
    mali_ev_extents(&ev, "suspend_pa", 0, UINT64_C(1) << 40, UINT64_C(1) << 32);
    mali_ev_end(&ev);
    CHECK(e.m->reads - before <= 4 * 32768);
    CHECK_HAS(ev_last(e.m, "csg-start"), "\"truncated\":true");
}

/* ---- slices ---- */

/* Two streams hand a token to and fro; all others wait for an object that never changes. */
static void ping_pong(unsigned me, uint64_t peer)
{
    const uint64_t prog[] = {
        MOVE48(A, e.data_va),
        MOVE48(0, peer),
        MOVE48(2, 0),
        MOVE48(4, 1),
        SYNC_WAIT(CS_OP_SYNC_WAIT64, A, 2, CS_COND_GT, 0),
        ADD_IMM64(2, 2, 1),
        SYNC(CS_OP_SYNC_ADD64, 0, 4, CS_SCOPE_CSG, 0),
        BRANCH(CS_COND_ALWAYS, 2, -4),
    };
    uint64_t mine[N_INSTR(prog)];

    memcpy(mine, prog, sizeof(prog));
    mine[0] = MOVE48(A, e.data_va + 64 * me);
    grp_submit(e.m, &e.g, me, mine, N_INSTR(mine));
}

TEST(looks_at_waiting_streams_are_bounded)
{
    uint64_t most = 0;

    env_new(&e, 8);
    ram_w64(e.m, e.data_pa, 1);
    ping_pong(0, e.data_va + 64);
    ping_pong(1, e.data_va);
    for (unsigned j = 2; j < 8; j++) {
        ping_pong(j, e.data_va);
    }
    grp_ring(e.m, &e.g);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t before = e.m->reads;

        e.m->now += 1000000;
        mali_timer(e.m->gpu);
        most = e.m->reads - before > most ? e.m->reads - before : most;
    }
    CHECK(ram_r64(e.m, e.data_pa) > 100); /* it does go on */
    CHECK(most < 5000);
}

/* ---- the event log ---- */

static void flood(Machine *m, unsigned n)
{
    while (n--) {
        wr(m, 0x4000, 1); /* no such register */
    }
}

static uint64_t counter(Machine *m, const char *name)
{
    uint64_t v = 0;

    CHECK(mali_counter(m->gpu, name, &v));
    return v;
}

/* Lines in the log, whose numbers have no gap. (No strstr: under ASan it looks at all of it.) */
static uint64_t gapless(const Machine *m)
{
    uint64_t seq = 0;

    for (const char *p = m->log; p && *p; p = strchr(p, '\n') + 1, seq++) {
        CHECK_EQ(strtoull(p + strlen("{\"seq\":"), NULL, 10), seq);
    }
    return seq;
}

TEST(log_has_a_budget_a_second)
{
    Machine *m = mach_new(NULL);

    flood(m, 300000);
    CHECK(m->log_len < MALI_LOG_SECOND + 8192);
    CHECK_EQ(ev_count(m, "suppressed"), 1);
    CHECK_HAS(ev_last(m, "suppressed"), "\"why\":\"rate\"");
    CHECK_EQ(counter(m, "violations"), 300000);
    CHECK(counter(m, "suppressed") > 100000);
    m->now += 1000000000;
    flood(m, 1);
    CHECK_EQ(ev_count(m, "suppressed"), 2);
    CHECK_HAS(ev_last(m, "suppressed"), "\"why\":\"over\"");
    CHECK_EQ(gapless(m) - 2 + counter(m, "suppressed"), 300001);
}

TEST(log_has_a_budget_in_all)
{
    Machine *m = mach_new(NULL);

    m->gpu->s.log.total = MALI_LOG_TOTAL - 50;
    for (unsigned i = 0; i < 100; i++) {
        flood(m, 10);
        m->now += 1000000000;
    }
    CHECK_EQ(ev_count(m, "violation"), 1);
    CHECK_EQ(ev_count(m, "suppressed"), 1);
    CHECK_HAS(ev_last(m, "suppressed"), "\"why\":\"total\"");
    mali_reset(m->gpu); /* a guest that reboots gets no second one */
    flood(m, 10);
    CHECK_EQ(ev_count(m, "violation"), 1);
    CHECK_EQ(gapless(m), 2);
}

/* ---- events ---- */

static unsigned crossed;

/* The host acknowledges cs_irq_req just when the stream raises the next event. */
static void acknowledge_irq(Machine *m)
{
    crossed++;
    mcu_w32(m, FW_CSG_IN_VA(0) + CSG_IN_CS_IRQ_ACK,
            mcu_r32(m, FW_CSG_OUT_VA(0) + CSG_OUT_CS_IRQ_REQ));
}

TEST(event_and_acknowledgement_cross)
{
    env_new(&e, 1);
    crossed = 0;
    mali_cs_event(e.m->gpu, 0, 0, CS_TILER_OOM);
    e.m->at_fence = acknowledge_irq;
    mali_cs_event(e.m->gpu, 0, 0, CS_FAULT);
    if (!crossed) { /* no fence: the host's store shows only now */
        acknowledge_irq(e.m);
    }
    CHECK_EQ((mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_CS_IRQ_REQ) ^
              mcu_r32(e.m, FW_CSG_IN_VA(0) + CSG_IN_CS_IRQ_ACK)) &
                 1,
             1);
}

static uint32_t cs_events(unsigned j)
{
    return (mcu_r32(e.m, FW_CS_IN_VA(0, j) + CS_IN_REQ) ^ cs_out(e.m, 0, j, CS_OUT_ACK)) &
           CS_EVT_MASK;
}

/* A group dies with events that nobody looks at; the next one on its slot has none. */
TEST(events_of_the_last_group_are_withdrawn)
{
    Env other;

    env_new(&e, 1);
    env_run(&e, (const uint64_t[]){ MOVE48(A, 0x1001), STORE(4, 1, A, 0), I_OP(0xff) }, 3);
    mali_csg_event(e.m->gpu, 0, CSG_PROGRESS_TIMER_EVENT);
    CHECK_EQ(cs_events(0), CS_FAULT);
    grp_state(e.m, &e.g, CSG_STATE_TERMINATE);
    CHECK_EQ(cs_events(0), CS_FAULT);
    env_group(&other, e.m, 1);
    grp_bind(e.m, &other.g, 0, 2, CSG_STATE_START);
    CHECK_EQ(cs_events(0), 0);
    CHECK(!((csg_req(e.m, 0) ^ csg_ack(e.m, 0)) & CSG_PROGRESS_TIMER_EVENT));
}

TEST(bus_error_is_logged)
{
    env_new(&e, 1);
    e.m->prot_base = e.data_pa;
    e.m->prot_end = e.data_pa + 0x1000;
    env_run(&e, (const uint64_t[]){ MOVE48(A, e.data_va), STORE(4, 1, A, 8) }, 2);
    CHECK_EQ(ev_count(e.m, "gpu-fault"), 1);
    CHECK_HAS(ev_last(e.m, "gpu-fault"), "\"access\":\"write\"");
}

/* ---- interface 4 and the cycle counter ---- */

TEST(endpoint_request_of_interface_4)
{
    const FwOpts o = { .version = FW_VERSION(4, 0, 0),
                       .suspend_size = 0x3000,
                       .protm_suspend_size = 0x5000 };
    Machine *m = mach_new(NULL);

    l2_on(m);
    fw_boot(m, &o);
    env_group(&e, m, 1);
    mcu_w64(m, FW_CSG_IN_VA(0) + CSG_IN_ENDPOINT_REQ2, UINT64_C(7) << 28 | 0x404);
    grp_bind(m, &e.g, 0, 1, CSG_STATE_START);
    CHECK_HAS(ev_last(m, "csg-start"), "\"prio\":7,");
    CHECK_EQ(mcu_r32(m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_EP_CURRENT), 7u << 28 | 0x404);
    mcu_w64(m, FW_CSG_IN_VA(0) + CSG_IN_ENDPOINT_REQ2, UINT64_C(3) << 28);
    csg_toggle(m, 0, CSG_ENDPOINT_CONFIG);
    CHECK_EQ(m->gpu->s.csg[0].prio, 3);
}

TEST(cycle_counter_stops_with_the_mcu)
{
    uint64_t then;

    env_new(&e, 1);
    e.m->now += 1000000;
    then = rd64(e.m, GPU_CYCLE_COUNT);
    CHECK(then);
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    e.m->now += 1000000;
    CHECK_EQ(rd64(e.m, GPU_CYCLE_COUNT), then);
}

/* ---- states of other devices ---- */

static const char *refused(const MaliConfig *to)
{
    static const char *why;
    Machine *a = mach_new_cfg(&(MaliConfig){ .cs_ips = 1000 }), *b = mach_new_cfg(to);
    size_t len = mali_save(a->gpu, NULL, 0);
    void *blob = malloc(len);
    bool ok;

    mali_save(a->gpu, blob, len);
    ok = mali_load(b->gpu, blob, len, &why);
    free(blob);
    CHECK_EQ(ok, !why);
    return why;
}

TEST(state_of_another_configuration_is_refused_with_a_reason)
{
    CHECK(!refused(&(MaliConfig){ .cs_ips = 1000 }));
    CHECK_HAS(refused(&(MaliConfig){ .cs_ips = 1001 }), "cs-ips");
    CHECK_HAS(refused(&(MaliConfig){ .cs_ips = 1000, .gpu = "g710" }), "another GPU");
    CHECK_HAS(refused(&(MaliConfig){ .cs_ips = 1000, .coherent = true }), "coherent");
    CHECK_HAS(refused(&(MaliConfig){ .cs_ips = 1000, .counter_hz = 1000 }), "counter frequency");
    CHECK_HAS(refused(&(MaliConfig){ .cs_ips = 1000, .suspend_size = 0x4000 }), "suspend sizes");
    CHECK_HAS(refused(&(MaliConfig){ .cs_ips = 1000, .protm_suspend_size = 0x4000 }),
              "suspend sizes");
}

TEST(damaged_state_is_refused_with_a_reason)
{
    Machine *m = mach_boot();
    size_t len = mali_save(m->gpu, NULL, 0);
    uint8_t *blob = malloc(len);
    const char *why[4];

    mali_save(m->gpu, blob, len);
    mali_load(m->gpu, blob, 7, &why[0]);
    mali_load(m->gpu, blob, len - 1, &why[1]);
    blob[MALI_BLOB_HEADER + offsetof(MaliState, iface.suspend_size) + 3] = 1;
    mali_load(m->gpu, blob, len, &why[2]);
    blob[32] ^= 1; /* the tables' checksum: other faults or counters */
    mali_load(m->gpu, blob, len, &why[3]);
    free(blob);
    CHECK_HAS(why[0], "short");
    CHECK_HAS(why[1], "length");
    CHECK_HAS(why[2], "damaged");
    CHECK_HAS(why[3], "version");
}
