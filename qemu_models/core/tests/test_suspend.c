/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Suspend buffers: state survives slots, resets, power cycles and snapshots; hostile contents do
 * not hurt. */
#include "env.h"

#define RECORD (256u + 96u * 4u + 8u * 17u + 40u * 8u) /* of a stream with 96 registers */

#include <stdlib.h>

static Env e;

#define LOOPS 20000u

/* Sums 1..LOOPS, twice nested, stores it, then signals: much of the state matters to the result. */
static void long_job(unsigned q)
{
    unsigned at = 0x200 * q;
    const uint64_t inner[] = {
        ADD_IMM32(20, 20, 1),
        ADD_IMM64(22, 22, 3),
        ADD_IMM32(21, 21, -1),
        BRANCH(CS_COND_GT, 21, -4),
    };
    const uint64_t outer[] = {
        MOVE32(20, 0),
        MOVE48(22, 0),
        MOVE32(21, LOOPS),
        MOVE48(24, e.code_va + at + 0x100),
        MOVE32(26, 32),
        CALL(24, 26),
        MOVE48(28, e.data_va + 0x100 * q),
        STORE(20, 0xd, 28, 0x40),
        WAIT(0xff),
    };

    memcpy(ram_ptr(e.m, e.code_pa + at, sizeof(outer)), outer, sizeof(outer));
    memcpy(ram_ptr(e.m, e.code_pa + at + 0x100, sizeof(inner)), inner, sizeof(inner));
    env_job(&e, q, e.code_va + at, N_INSTR(outer), e.data_va + 0x100 * q);
}

static bool done(unsigned q)
{
    return env_d64(&e, 0x100 * q) == 1 && env_d32(&e, 0x100 * q + 0x40) == LOOPS &&
           env_d64(&e, 0x100 * q + 0x48) == 3 * LOOPS && env_d32(&e, 0x100 * q + 8) == 0;
}

/* A started group in the middle of the job on all of its @nq queues. */
static void midway(unsigned nq)
{
    env_new_ips(&e, nq, 1000000);
    for (unsigned q = 0; q < nq; q++) {
        long_job(q);
    }
    grp_ring(e.m, &e.g);
    mach_run(e.m, 10 * MS);
    CHECK(!done(0));
    CHECK(env_cs(&e, 0)->depth == 2);
}

static uint64_t blob_pa(unsigned off)
{
    return pt_lookup(e.m, e.m->mcu_root, e.g.suspend_va + (off & ~0xfffu)) + (off & 0xfff);
}

static void suspend(void)
{
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    CHECK_EQ(csg_ack(e.m, e.g.slot) & CSG_STATE_MASK, CSG_STATE_SUSPEND);
    CHECK_HAS(ev_last(e.m, "csg-suspend"), "\"saved\":true,");
}

static void resume(unsigned slot, unsigned as)
{
    grp_bind(e.m, &e.g, slot, as, CSG_STATE_RESUME);
    CHECK_EQ(csg_ack(e.m, slot) & CSG_STATE_MASK, CSG_STATE_RESUME);
}

TEST(resume_in_another_slot_gives_the_same_result)
{
    midway(2);
    suspend();
    CHECK_EQ(mcu_r32(e.m, e.g.q[0].out_va + RING_OUT_ACTIVE), 0);
    mach_run(e.m, 200 * MS);
    CHECK(!done(0));
    resume(5, 3);
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"csg\":5,\"as\":3,");
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"restored\":true");
    mach_run(e.m, 400 * MS);
    CHECK(done(0));
    CHECK(done(1));
    CHECK_EQ(ev_count(e.m, "violation"), 0);
}

TEST(many_moves)
{
    midway(1);
    for (unsigned i = 1; i < 30; i++) {
        suspend();
        resume(i % 8, 1 + i % 7);
        mach_run(e.m, MS + i * 1111);
    }
    mach_run(e.m, 400 * MS);
    CHECK(done(0));
}

static uint32_t blob_crc(void)
{
    uint32_t crc = ~0u, size = ram_r32(e.m, blob_pa(8));

    size = size > e.g.suspend_size ? e.g.suspend_size : size;
    for (unsigned i = 16; i < size; i++) {
        crc ^= *(uint8_t *)ram_ptr(e.m, blob_pa(i), 1);
        for (unsigned k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
    }
    return ~crc;
}

static void fix_crc(void)
{
    ram_w32(e.m, blob_pa(12), blob_crc());
}

/* ---- more groups than slots: what panthor's tick does (sched.c:2270-2430) ---- */

#define GROUPS 10u
#define SLOTS  7u /* one address space is the MCU's */

static Env group[GROUPS];

static bool all_done(void)
{
    bool all = true;

    for (unsigned i = 0; i < GROUPS; i++) {
        e = group[i];
        all = all && done(0) && done(1);
    }
    return all;
}

/* Evicts whoever is in the slot, then lets the next one in. */
static void rotate(unsigned slot, unsigned leaves, unsigned enters, bool first)
{
    if (leaves < GROUPS) {
        e = group[leaves];
        suspend();
        env_ack(&e);
    }
    e = group[enters];
    if (first) {
        grp_bind(e.m, &e.g, slot, slot + 1, CSG_STATE_START);
    } else {
        resume(slot, slot + 1);
    }
    group[enters] = e;
}

TEST(ten_groups_take_turns)
{
    unsigned in[SLOTS], next = 0, tick;
    bool known[GROUPS] = { false };

    env_new_ips(&e, 2, 2000000);
    grp_state(e.m, &e.g, CSG_STATE_TERMINATE);
    for (unsigned i = 0; i < GROUPS; i++) {
        env_group(&group[i], e.m, 2);
        e = group[i];
        long_job(0);
        long_job(1);
        group[i] = e;
    }
    memset(in, 0xff, sizeof(in));
    for (tick = 0; tick < 100 && !all_done(); tick++) {
        for (unsigned s = 0; s < SLOTS; s++) {
            rotate(s, in[s], next, !known[next]);
            known[next] = true;
            in[s] = next;
            next = (next + 1) % GROUPS;
        }
        mach_run(e.m, 10 * MS);
        for (unsigned s = 0; s < SLOTS; s++) {
            e = group[in[s]];
            csg_toggle(e.m, s, CSG_STATUS_UPDATE);
            env_ack(&e);
        }
    }
    CHECK(tick < 100);
    CHECK(tick > 3);
    CHECK_EQ(ev_count(e.m, "violation"), 0);
}

TEST(events_tell_what_is_in_the_buffer)
{
    char want[64];

    midway(3);
    for (unsigned i = 0; i < e.g.suspend_size; i++) {
        *(uint8_t *)ram_ptr(e.m, blob_pa(i), 1) = 0x5a;
    }
    suspend();
    snprintf(want, sizeof(want), "\"bytes\":%u,\"crc32\":%u", 32 + 3 * RECORD, blob_crc());
    CHECK_HAS(ev_last(e.m, "csg-suspend"), want);
    for (unsigned i = 32 + 3 * RECORD; i < e.g.suspend_size; i++) {
        CHECK_EQ(*(uint8_t *)ram_ptr(e.m, blob_pa(i), 1), 0); /* all of the buffer is written */
    }
    snprintf(want, sizeof(want), "\"crc32\":%u", blob_crc());
    resume(1, 1);
    CHECK_HAS(ev_last(e.m, "csg-resume"), want);
}

static void reboot(void)
{
    as_disable(e.m, 0);
    wr(e.m, GPU_PWROFF + GPU_DOMAIN_L2, 1);
    wr(e.m, GPU_CMD, GPU_CMD_RESET | GPU_RESET_HARD << 8);
    mali_reset(e.m->gpu);
    l2_on(e.m);
    as_enable(e.m, 0, e.m->mcu_root);
    fw_load(e.m, &fw_default);
    CHECK(fw_start(e.m));
    fw_global_init(e.m);
}

TEST(power_cycle)
{
    midway(2);
    suspend();
    reboot();
    resume(2, 4);
    mach_run(e.m, 400 * MS);
    CHECK(done(0));
    CHECK(done(1));
}

TEST(terminate_writes_no_buffer)
{
    midway(1);
    grp_state(e.m, &e.g, CSG_STATE_TERMINATE);
    CHECK_EQ(ram_r32(e.m, blob_pa(0)), 0);
    CHECK_EQ(ev_count(e.m, "csg-suspend"), 0);
}

TEST(snapshot_in_the_middle)
{
    size_t len;
    void *blob;

    midway(2);
    len = mali_save(e.m->gpu, NULL, 0);
    blob = malloc(len);
    CHECK_EQ(mali_save(e.m->gpu, blob, len), len);
    mali_reset(e.m->gpu);
    mach_run(e.m, 100 * MS);
    CHECK(!done(0));
    CHECK(mali_load(e.m->gpu, blob, len, NULL));
    free(blob);
    mach_run(e.m, 400 * MS);
    CHECK(done(0));
    CHECK(done(1));
}

TEST(suspend_while_waiting)
{
    env_new(&e, 1);
    env_run(&e,
            (const uint64_t[]){ MOVE48(0, e.data_va), MOVE48(2, 7),
                                SYNC_WAIT(CS_OP_SYNC_WAIT64, 0, 2, CS_COND_GT, 0),
                                STORE(2, 1, 0, 0x40) },
            4);
    suspend();
    /* The kernel evaluates the object itself while the group is away: sched.c:1394, 2585-2612. */
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_BLOCKED_REASON), CS_BLOCKED_SYNC_WAIT);
    CHECK_EQ(cs_out64(e.m, 0, 0, CS_OUT_STATUS_WAIT_SYNC_PTR), e.data_va);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_STATUS_WAIT_SYNC_VALUE), 7);
    resume(4, 2);
    mach_run(e.m, 3 * MS);
    CHECK_EQ(env_d32(&e, 0x40), 0);
    CHECK_EQ((csg_ack(e.m, 4) ^ csg_req(e.m, 4)) & CSG_IDLE, CSG_IDLE);
    ram_w64(e.m, e.data_pa, 8);
    mach_run(e.m, 3 * MS);
    CHECK_EQ(env_d32(&e, 0x40), 7);
}

TEST(suspend_while_waiting_for_protected_mode)
{
    env_new(&e, 1);
    env_run(&e, (const uint64_t[]){ PROT_REGION(1) }, 1);
    suspend();
    resume(3, 1);
    mach_run(e.m, MS);
    CHECK_EQ(ev_count(e.m, "cs-blocked"), 2); /* asked for again when the group gets a slot */
    CHECK((cs_out(e.m, 3, 0, CS_OUT_ACK) ^ mcu_r32(e.m, FW_CS_IN_VA(3, 0) + CS_IN_REQ)) &
          CS_PROTM_PENDING);
}

TEST(pending_event_goes_along)
{
    env_new(&e, 1);
    env_run(&e,
            (const uint64_t[]){ MOVE48(0, e.data_va), SYNC(CS_OP_SYNC_ADD32, 0, 0, 0, 0),
                                SYNC(CS_OP_SYNC_ADD32, 0, 0, 0, 0) },
            3);
    CHECK_EQ(e.m->gpu->s.csg[0].pending & CSG_SYNC_UPDATE, CSG_SYNC_UPDATE);
    suspend();
    resume(6, 1);
    CHECK_EQ((csg_ack(e.m, 6) ^ csg_req(e.m, 6)) & CSG_SYNC_UPDATE, CSG_SYNC_UPDATE);
}

TEST(unsignalled_fault_goes_along)
{
    uint32_t ack;

    env_new(&e, 1);
    ram_w64(e.m, e.data_pa, UINT64_C(0x100000001));
    for (unsigned i = 0; i < 2; i++) { /* the second fault finds the first one not acknowledged */
        env_run(&e, (const uint64_t[]){ MOVE48(0, e.data_va + 2), LOAD(4, 1, 0, 0), MOVE32(9, i) },
                3);
        env_cs(&e, 0)->wait = MALI_WAIT_NONE;
    }
    CHECK_EQ(env_cs(&e, 0)->pending, CS_FAULT);
    suspend();
    resume(2, 1);
    mach_run(e.m, MS);
    CHECK_EQ(env_cs(&e, 0)->wait, MALI_WAIT_FAULT_ACK);
    ack = cs_out(e.m, 2, 0, CS_OUT_ACK) ^ mcu_r32(e.m, FW_CS_IN_VA(2, 0) + CS_IN_REQ);
    CHECK_EQ(ack & CS_FAULT, CS_FAULT);
    CHECK_EQ(cs_out(e.m, 2, 0, CS_OUT_FAULT), CS_EXC_ADDR_RANGE_FAULT);
    CHECK_EQ(cs_out64(e.m, 2, 0, CS_OUT_FAULT_INFO), e.data_va + 2);
    env_ack(&e);
    mach_run(e.m, MS);
    CHECK_EQ(env_cs(&e, 0)->wait, MALI_WAIT_NONE);
}

TEST(fault_stalled_access_is_made_again)
{
    uint64_t va = UINT64_C(0x500000000000), pa;

    env_new(&e, 1);
    env_run(&e, (const uint64_t[]){ MOVE48(0, va), MOVE32(2, 5), STORE(2, 1, 0, 0) }, 3);
    suspend();
    pa = mach_alloc(e.m, 0x1000);
    pt_map(e.m, e.g.root, va, pa, 0x1000, 0);
    resume(1, 2);
    mach_run(e.m, MS);
    CHECK_EQ(ram_r32(e.m, pa), 5);
}

TEST(largest_group_fits)
{
    env_new_cfg(&e, 8, &(MaliConfig){ .gpu = "g720" });
    for (unsigned q = 0; q < 8; q++) {
        grp_submit(e.m, &e.g, q, (const uint64_t[]){ MOVE32(127, 0x100 + q) }, 1);
    }
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    suspend();
    CHECK_EQ(ram_r32(e.m, blob_pa(8)), 32 + 8 * (RECORD + 32 * 4));
    resume(7, 7);
    for (unsigned q = 0; q < 8; q++) {
        CHECK_EQ(env_cs(&e, q)->reg[127], 0x100 + q);
    }
}

TEST(stream_that_is_not_wanted_back)
{
    midway(2);
    suspend();
    e.g.nq = 1;
    resume(3, 1);
    mach_run(e.m, 400 * MS);
    CHECK(done(0));
    CHECK(!done(1));
}

TEST(snapshot_with_ranges_broken)
{
    size_t len;
    uint8_t *blob;
    MaliState *s;

    midway(1);
    len = mali_save(e.m->gpu, NULL, 0);
    blob = malloc(len);
    CHECK_EQ(mali_save(e.m->gpu, blob, len), len);
    s = malloc(sizeof(*s));
    for (unsigned i = 0; i < 4; i++) {
        memcpy(s, blob + len - sizeof(*s), sizeof(*s));
        CHECK(mali_csg_valid(s));
        s->csg[0].cs[0].depth = i == 0 ? 9 : 2;
        s->csg[0].cs[0].ring_size = i == 1 ? 100 : RING;
        s->csg[0].as = i == 2 ? MALI_NUM_AS : 1;
        s->csg[0].cs[0].wait = i == 3 ? MALI_WAIT_COUNT : 0;
        CHECK(!mali_csg_valid(s));
    }
    free(s);
    free(blob);
}

TEST(buffer_that_is_not_there)
{
    midway(1);
    pt_unmap(e.m, e.m->mcu_root, e.g.suspend_va + 0x2000, 0x1000);
    as_cmd(e.m, 0, AS_COMMAND_FLUSH_MEM);
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_SUSPEND);
    CHECK_HAS(ev_last(e.m, "csg-suspend"), "\"saved\":false");
    CHECK_HAS(ev_last(e.m, "violation"), "suspend-buffer");
}

static void check_rejected(void)
{
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"restored\":false");
    for (unsigned q = 0; q < e.g.nq; q++) {
        CHECK_EQ(cs_out(e.m, e.g.slot, q, CS_OUT_FATAL), CS_EXC_FW_INTERNAL_ERROR);
    }
    CHECK_EQ(csg_ack(e.m, e.g.slot) & CSG_STATE_MASK, CSG_STATE_RESUME);
}

TEST(empty_buffer_is_rejected)
{
    env_group(&e, mach_boot(), 3);
    resume(0, 1);
    check_rejected();
}

TEST(one_wrong_bit_is_rejected)
{
    midway(1);
    suspend();
    ram_w32(e.m, blob_pa(0x200), ram_r32(e.m, blob_pa(0x200)) ^ 0x100);
    resume(1, 1);
    check_rejected();
}

TEST(out_of_range_values_are_rejected)
{
    /* Offsets as in suspend.c; the record starts at 32. */
    static const struct {
        unsigned off;
        uint32_t v;
    } bad[] = {
        { 0, 0 },
        { 4, 2 },
        { 8, 0 },
        { 8, 0x4000 },
        { 16, 3 },
        { 16, 0x101 },
        { 20, CSG_IDLE },
        { 20, 1 },
        { 24, 128 },
        { 24, 0xffffffff },
        { 32, 4 },
        { 32 + 48, 8 },
        { 32 + 48, 0xffffffff },
        { 32 + 52, 16 },
        { 32 + 56, 99 },
        { 32 + 88, 1 },
        { 32 + 92, 1 },
        { 32 + 104, 2 },
        { 32 + 108, 1 },
        { 32 + 112, 1 },
        { 32 + 120, 0 },
        { 32 + 240 + 96 * 4 + 12, 3 },      /* no such state of tiler memory */
        { 32 + 240 + 96 * 4 + 12, 9 << 8 }, /* more deferred than fit */
        { 32 + 240 + 96 * 4 + 12, 1 << 8 | 1 << 16 },
    };

    for (unsigned i = 0; i < N_INSTR(bad); i++) {
        midway(1);
        suspend();
        ram_w32(e.m, blob_pa(bad[i].off), bad[i].v);
        fix_crc();
        resume(1, 1);
        check_rejected();
        mach_free_all();
    }
}

TEST(mutated_blobs)
{
    unsigned rejected = 0;

    t_seed(3);
    midway(2);
    for (unsigned i = 0; i < 3000; i++) {
        suspend();
        for (unsigned n = 1 + t_rand() % 4; n; n--) {
            unsigned off = t_rand() % (t_rand() & 1 ? 0x120 : 0x800);

            *(uint8_t *)ram_ptr(e.m, blob_pa(off), 1) = (uint8_t)t_rand();
        }
        if (t_rand() & 7) {
            fix_crc();
        }
        resume(t_rand() % 8, 1 + t_rand() % 7);
        rejected += strstr(ev_last(e.m, "csg-resume"), "\"restored\":false") != NULL;
        mach_run(e.m, 50000);
        env_ack(&e);
        ev_clear(e.m);
        CHECK(mali_csg_valid(&e.m->gpu->s));
    }
    CHECK(rejected > 100);
    CHECK(rejected < 2900);
}

TEST(ignored_buffer_starts_from_nothing)
{
    midway(1);
    suspend();
    CHECK(mali_fault_set(e.m->gpu, "ignore-suspend-buf", 1));
    resume(1, 1);
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"restored\":false");
    CHECK_EQ(cs_out(e.m, 1, 0, CS_OUT_FATAL), 0);
    CHECK_EQ(env_cs(&e, 0)->depth, 0);
    mach_run(e.m, 400 * MS);
    CHECK(!done(0)); /* EXTRACT_INIT is behind the CALL: the rest of the job is lost */
}
