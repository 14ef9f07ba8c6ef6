/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protected mode: each edge of the state machine and the events it must leave. */
#include "env.h"

#include <stdlib.h>

static Env e;

#define PM_MASK (GLB_PROTM_ENTER | GLB_PROTM_EXIT)

static void map_prot_section(Machine *m)
{
    pt_map(m, m->mcu_root, FW_PROT_VA, mach_alloc(m, 0x4000), 0x4000, PT_NX);
}

/* What a patched driver does: the section has memory, the firewall keeps the normal master out. */
static void protected_world(unsigned nq, uint32_t ips)
{
    uint64_t va = FW_GLB_IN_VA + GLB_IN_ACK_IRQ_MASK, pa;

    env_new_ips(&e, nq, ips);
    map_prot_section(e.m);
    mcu_w32(e.m, va, mcu_r32(e.m, va) | PM_MASK);
    pa = pt_lookup(e.m, e.m->mcu_root, e.g.protm_va);
    e.m->prot_base = pa;
    e.m->prot_end = pa + e.g.protm_size;
}

static bool prot_pending(const Env *v, unsigned cs)
{
    uint32_t req = mcu_r32(v->m, FW_CS_IN_VA(v->g.slot, cs) + CS_IN_REQ);

    return (req ^ cs_out(v->m, v->g.slot, cs, CS_OUT_ACK)) & CS_PROTM_PENDING;
}

static void ack_pend(const Env *v, unsigned cs)
{
    uint64_t va = FW_CS_IN_VA(v->g.slot, cs) + CS_IN_REQ;
    uint32_t ack = cs_out(v->m, v->g.slot, cs, CS_OUT_ACK);

    mcu_w32(v->m, va, (mcu_r32(v->m, va) & ~CS_PROTM_PENDING) | (ack & CS_PROTM_PENDING));
}

static uint32_t glb_diff(uint32_t bit)
{
    return (mcu_r32(e.m, FW_GLB_IN_VA + GLB_IN_REQ) ^ glb_ack(e.m)) & bit;
}

static void enter(void)
{
    glb_toggle(e.m, GLB_PROTM_ENTER);
    glb_ring(e.m);
}

static bool active(void)
{
    return rd(e.m, GPU_STATUS) & GPU_STATUS_PROTM_ACTIVE;
}

static void ack_exit(void)
{
    CHECK(glb_diff(GLB_PROTM_EXIT));
    glb_level(e.m, GLB_PROTM_EXIT, glb_ack(e.m));
    wr(e.m, JOB_INT_BASE + INT_CLEAR, JOB_INT_GLOBAL);
}

static void ping(void)
{
    glb_toggle(e.m, GLB_PING);
    glb_ring(e.m);
}

/* Stops at the region, acknowledged; not entered. */
static void at_region(const uint64_t *instr, unsigned n)
{
    grp_submit(e.m, &e.g, 0, instr, n);
    grp_ring(e.m, &e.g);
    mach_run(e.m, 5 * MS);
    CHECK(prot_pending(&e, 0));
    env_ack(&e);
    ack_pend(&e, 0);
    ev_clear(e.m);
}
#define AT_REGION(...)                                                                             \
    do {                                                                                           \
        const uint64_t i_[] = { __VA_ARGS__ };                                                     \
        at_region(i_, N_INSTR(i_));                                                                \
    } while (0)

/* A loop of some thousand instructions: 5 ms at 1 M/s. */
#define LONG_REGION                                                                                \
    MOVE48(0, e.data_va), MOVE32(4, 2000), PROT_REGION(8003), MOVE32(5, 0), ADD_IMM32(5, 5, 1),    \
        ADD_IMM32(4, 4, -1), NOP(), BRANCH(CS_COND_GT, 4, -4), STORE(5, 1, 0, 0), NOP(),           \
        MOVE32(7, 77), STORE(7, 1, 0, 8)

TEST(region_pends_once)
{
    protected_world(2, 0);
    env_run(&e, (const uint64_t[]){ PROT_REGION(1), MOVE32(9, 1) }, 2);
    mach_run(e.m, 20 * MS);
    CHECK_EQ(ev_count(e.m, "protm-pend"), 1);
    CHECK_HAS(ev_last(e.m, "protm-pend"), "\"csg\":0,\"cs\":0}");
    CHECK(prot_pending(&e, 0));
    CHECK(!prot_pending(&e, 1));
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    env_ack(&e);
    mach_run(e.m, 20 * MS);
    CHECK_EQ(ev_count(e.m, "protm-pend"), 1);
    CHECK(!active());
}

TEST(region_runs_and_ends)
{
    protected_world(1, 0);
    AT_REGION(MOVE48(0, e.data_va), MOVE32(2, 5), PROT_REGION(2), STORE(2, 1, 0, 0),
              STORE(2, 1, 0, 4), MOVE32(3, 6), STORE(3, 1, 0, 8));
    enter();
    CHECK(!glb_diff(GLB_PROTM_ENTER));
    CHECK(active());
    CHECK(rd(e.m, JOB_INT_BASE + INT_RAWSTAT) & JOB_INT_GLOBAL);
    CHECK_HAS(ev_last(e.m, "protm-enter"), "\"csg\":0,\"streams\":1,\"acked\":true}");
    CHECK_EQ(env_d32(&e, 0), 0);
    wr(e.m, JOB_INT_BASE + INT_CLEAR, ~0u);
    mach_run(e.m, 5 * MS);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"end\",\"csg\":0,\"unfinished\":0}");
    CHECK_HAS(ev_last(e.m, "reset"), "\"kind\":\"fast\"");
    CHECK_HAS(ev_get(e.m, "glb-event", 0), "\"name\":\"protm-exit\"");
    CHECK(rd(e.m, JOB_INT_BASE + INT_RAWSTAT) & JOB_INT_GLOBAL);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_ENABLED);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_START);
    CHECK_EQ(env_d32(&e, 0), 5);
    CHECK_EQ(env_d32(&e, 4), 5);
    CHECK_EQ(env_d32(&e, 8), 6);
    ack_exit();
    ping();
    CHECK_EQ(ev_count(e.m, "ping"), 1);
    CHECK_EQ(ev_count(e.m, "protm-suspend"), 0);
    CHECK_EQ(ev_count(e.m, "violation"), 0);
}

/* Exactly the instructions of the region are made by the protected master. */
TEST(region_has_its_size)
{
    for (unsigned size = 0; size < 4; size++) {
        protected_world(1, 0);
        AT_REGION(MOVE48(0, e.data_va), MOVE32(2, 5), PROT_REGION(size), NOP(), NOP(),
                  STORE(2, 1, 0, 0));
        e.m->prot_base = e.data_pa; /* from now on it is protected memory */
        e.m->prot_end = e.data_pa + 0x1000;
        enter();
        mach_run(e.m, MS);
        CHECK(!active());
        CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"end\"");
        CHECK_EQ(env_d32(&e, 0), size == 3 ? 5 : 0);
        CHECK_EQ(ev_count(e.m, "cs-fatal"), size == 3 ? 0 : 1);
        CHECK_EQ(ev_count(e.m, "protm-fault"), 0);
    }
}

TEST(regions_one_after_the_other)
{
    protected_world(1, 0);
    AT_REGION(PROT_REGION(1), NOP(), PROT_REGION(1), MOVE32(9, 1));
    for (unsigned i = 0; i < 2; i++) {
        enter();
        mach_run(e.m, MS);
        CHECK(!active());
        ack_exit();
        CHECK_EQ(prot_pending(&e, 0), i == 0);
        ack_pend(&e, 0);
    }
    CHECK_EQ(env_cs(&e, 0)->reg[9], 1);
    CHECK_EQ(ev_count(e.m, "protm-exit"), 2);
    CHECK_EQ(ev_count(e.m, "violation"), 0);
}

TEST(region_in_a_region_is_invalid)
{
    protected_world(1, 0);
    AT_REGION(PROT_REGION(3), NOP(), PROT_REGION(1), NOP());
    enter();
    mach_run(e.m, MS);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "cs-fatal"), "\"code\":73");
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"fault\"");
}

TEST(acknowledgements_are_sampled)
{
    const uint64_t job[] = { PROT_REGION(1), MOVE32(9, 1) };

    protected_world(3, 0);
    for (unsigned q = 0; q < 3; q++) {
        grp_submit(e.m, &e.g, q, job, 2);
    }
    grp_ring(e.m, &e.g);
    mach_run(e.m, MS);
    env_ack(&e);
    ack_pend(&e, 0);
    ack_pend(&e, 2);
    enter();
    ack_pend(&e, 1); /* too late for this time */
    CHECK_HAS(ev_last(e.m, "protm-enter"), "\"streams\":5,\"acked\":true");
    mach_run(e.m, MS);
    CHECK_EQ(env_cs(&e, 0)->reg[9], 1);
    CHECK_EQ(env_cs(&e, 1)->reg[9], 0);
    CHECK_EQ(env_cs(&e, 2)->reg[9], 1);
    CHECK(!active());
    ack_exit();
    enter();
    mach_run(e.m, MS);
    CHECK_EQ(env_cs(&e, 1)->reg[9], 1);
    CHECK_EQ(ev_count(e.m, "protm-pend"), 3);
}

static void check_refused(const char *reason)
{
    enter();
    CHECK(glb_diff(GLB_PROTM_ENTER));
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-enter"), "\"acked\":false");
    CHECK_HAS(ev_last(e.m, "protm-enter"), reason);
    CHECK_EQ(ev_count(e.m, "csg-suspend"), 0);
    CHECK_EQ(ev_count(e.m, "protm-exit"), 0);
}

TEST(entry_without_acknowledgement_is_refused_once)
{
    protected_world(1, 0);
    env_run(&e, (const uint64_t[]){ PROT_REGION(1), MOVE32(9, 1) }, 2);
    check_refused("\"reason\":\"no-stream\"");
    CHECK_HAS(ev_last(e.m, "violation"), "\"rule\":\"protm-enter\"");
    ack_pend(&e, 0);
    for (unsigned i = 0; i < 3; i++) { /* the acknowledgement is sampled at the request only */
        ping();
    }
    CHECK_EQ(ev_count(e.m, "protm-enter"), 1);
    CHECK(glb_diff(GLB_PROTM_ENTER));
    glb_level(e.m, GLB_PROTM_ENTER, glb_ack(e.m)); /* taken back */
    glb_ring(e.m);
    enter();
    CHECK(active());
}

TEST(entry_needs_the_section)
{
    protected_world(1, 0);
    AT_REGION(PROT_REGION(1), NOP());
    pt_unmap(e.m, e.m->mcu_root, FW_PROT_VA + 0x3000, 0x1000);
    as_lock(e.m, 0, FW_PROT_VA, 15);
    as_cmd(e.m, 0, AS_COMMAND_UNLOCK);
    check_refused("\"reason\":\"section-unmapped\"");
}

TEST(entry_with_firmware_that_says_nothing)
{
    protected_world(1, 0);
    AT_REGION(PROT_REGION(1), NOP());
    mcu_w32(e.m, FW_TEXT_VA, 0); /* no manifest: the section of the public images */
    check_refused("\"reason\":\"section-unmapped\"");
    pt_map(e.m, e.m->mcu_root, FW_PROT_VA, mach_alloc(e.m, 0x40000), 0x40000, PT_NX);
    glb_level(e.m, GLB_PROTM_ENTER, glb_ack(e.m));
    glb_ring(e.m);
    enter();
    CHECK(active());
}

TEST(entry_with_an_image_without_section)
{
    protected_world(1, 0);
    AT_REGION(PROT_REGION(1), NOP());
    mcu_w32(e.m, FW_TEXT_VA + 0x28 + 3 * 48 + 24, 3); /* flags of prot_data: no PROT */
    check_refused("\"reason\":\"no-section\"");
}

/* Nobody is given the memory of one page: what the firewall says of a write from protected mode. */
static void ordinary(uint64_t va)
{
    e.m->bad_base = pt_lookup(e.m, e.m->mcu_root, va);
    e.m->bad_end = e.m->bad_base + 0x1000;
}

static void check_faulted(uint64_t va)
{
    char where[40];

    snprintf(where, sizeof(where), "\"va\":%" PRIu64 ",", va);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-fault"), where);
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"fault\"");
    CHECK_EQ(rd(e.m, GPU_INT_BASE + INT_RAWSTAT) & 3, GPU_IRQ_PROTM_FAULT);
    CHECK_EQ(ev_count(e.m, "violation"), 0);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_ENABLED);
}

TEST(ordinary_memory_as_the_section_faults_at_the_entry)
{
    for (unsigned page = 0; page < 4; page++) {
        protected_world(1, 0);
        AT_REGION(PROT_REGION(1), MOVE32(9, 1));
        ordinary(FW_PROT_VA + page * 0x1000);
        enter();
        CHECK(!glb_diff(GLB_PROTM_ENTER)); /* it is no refusal */
        mach_run(e.m, MS);
        check_faulted(FW_PROT_VA + page * 0x1000);
        CHECK_EQ(env_cs(&e, 0)->reg[9], 0);
        CHECK(!prot_pending(&e, 0)); /* it does not ask again: only a reset helps */
    }
}

TEST(ordinary_memory_faults_with_firmware_that_says_nothing)
{
    protected_world(1, 0);
    mcu_w32(e.m, FW_TEXT_VA, 0);
    pt_map(e.m, e.m->mcu_root, FW_PROT_VA, mach_alloc(e.m, 0x40000), 0x40000, PT_NX);
    AT_REGION(PROT_REGION(1), NOP());
    ordinary(FW_PROT_VA + 0x3f000);
    enter();
    check_faulted(FW_PROT_VA + 0x3f000);
}

TEST(entry_leaves_the_section_as_it_is)
{
    uint64_t pa;

    protected_world(1, 0);
    pa = pt_lookup(e.m, e.m->mcu_root, FW_PROT_VA);
    ram_w32(e.m, pa, 0x12345678);
    AT_REGION(PROT_REGION(1), NOP());
    enter();
    CHECK(active());
    CHECK_EQ(ram_r32(e.m, pa), 0x12345678);
}

/* A section that the firmware cannot write to is another defect, which the boot tells of. */
TEST(entry_writes_to_no_section_that_is_read_only)
{
    protected_world(1, 0);
    pt_map(e.m, e.m->mcu_root, FW_PROT_VA, mach_alloc(e.m, 0x4000), 0x4000, PT_RO | PT_NX);
    AT_REGION(PROT_REGION(1), NOP());
    ordinary(FW_PROT_VA);
    enter();
    CHECK(active());
    CHECK_EQ(ev_count(e.m, "protm-fault"), 0);
}

/* ---- two groups ---- */

static Env other;

static void two_groups(uint32_t ips)
{
    protected_world(1, ips);
    env_group(&other, e.m, 1);
    grp_bind(e.m, &other.g, 3, 2, CSG_STATE_START);
    env_ack(&other);
}

TEST(other_groups_are_suspended_and_come_back)
{
    two_groups(1000000);
    grp_submit(e.m, &other.g, 0,
               (const uint64_t[]){ MOVE48(0, other.data_va), MOVE32(4, 20000), ADD_IMM32(4, 4, -1),
                                   BRANCH(CS_COND_GT, 4, -2), MOVE32(5, 9), STORE(5, 1, 0, 0) },
               6);
    grp_ring(e.m, &other.g);
    mach_run(e.m, 5 * MS);
    AT_REGION(LONG_REGION);
    enter();
    CHECK(active());
    CHECK_HAS(ev_last(e.m, "csg-suspend"), "\"csg\":3,\"saved\":true");
    CHECK_EQ(csg_ack(e.m, 3) & CSG_STATE_MASK, CSG_STATE_SUSPEND);
    CHECK_EQ(csg_req(e.m, 3) & CSG_STATE_MASK, CSG_STATE_START);
    CHECK(rd(e.m, JOB_INT_BASE + INT_RAWSTAT) & JOB_INT_CSG(3));
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_START);
    /* What the irq handler does is no update: protected mode goes on. */
    csg_ack_events(e.m, 3);
    csg_ack_events(e.m, 0);
    grp_ring(e.m, &other.g);
    CHECK(active());
    mach_run(e.m, 3 * MS);
    CHECK(active());
    CHECK(!e.m->gpu->s.csg[3].resident);
    mach_run(e.m, 30 * MS);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"end\"");
    CHECK_EQ(env_d32(&e, 0), 2000);
    CHECK_EQ(env_d32(&e, 8), 77);
    /* The ring of that time was looked at: back from the buffer, not from the start. */
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"csg\":3");
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"restored\":true");
    CHECK_EQ(csg_ack(e.m, 3) & CSG_STATE_MASK, CSG_STATE_START);
    mach_run(e.m, 60 * MS);
    CHECK_EQ(env_d32(&other, 0), 9);
    CHECK_EQ(ev_count(e.m, "violation"), 0);
}

TEST(slot_of_a_suspended_group_can_be_taken)
{
    static Env third;

    two_groups(0);
    AT_REGION(PROT_REGION(1), NOP());
    enter();
    mach_run(e.m, MS);
    CHECK(!active());
    env_group(&third, e.m, 1);
    grp_bind(e.m, &third.g, 3, 3, CSG_STATE_START); /* another buffer: another group */
    CHECK_EQ(ev_count(e.m, "csg-resume"), 0);
    CHECK_HAS(ev_last(e.m, "csg-start"), "\"csg\":3");
    CHECK_EQ(e.m->gpu->s.protm.implicit, 0);
}

TEST(suspended_group_stays_out_if_the_host_says_so)
{
    for (unsigned terminate = 0; terminate < 2; terminate++) {
        two_groups(0);
        AT_REGION(PROT_REGION(1), NOP());
        enter();
        mach_run(e.m, MS);
        grp_state(e.m, &other.g, terminate ? CSG_STATE_TERMINATE : CSG_STATE_SUSPEND);
        CHECK_EQ(ev_count(e.m, "csg-resume"), 0);
        CHECK_EQ(e.m->gpu->s.protm.implicit, 0);
        CHECK(!e.m->gpu->s.csg[3].resident);
        if (!terminate) {
            grp_bind(e.m, &other.g, 5, 2, CSG_STATE_RESUME);
            CHECK_HAS(ev_last(e.m, "csg-resume"), "\"restored\":true");
        }
    }
}

TEST(two_groups_at_once_are_one_too_many)
{
    two_groups(0);
    mcu_w32(e.m, FW_CSG_IN_VA(3) + CSG_IN_ENDPOINT_REQ, 9u << 28);
    csg_toggle(e.m, 3, CSG_ENDPOINT_CONFIG);
    grp_submit(e.m, &other.g, 0, (const uint64_t[]){ PROT_REGION(1), NOP() }, 2);
    grp_ring(e.m, &other.g);
    AT_REGION(PROT_REGION(1), NOP());
    env_ack(&other);
    ack_pend(&other, 0);
    enter();
    CHECK_HAS(ev_last(e.m, "violation"), "\"rule\":\"protm-groups\"");
    CHECK_HAS(ev_last(e.m, "protm-enter"), "\"csg\":3,\"streams\":1,\"acked\":true");
    mach_run(e.m, MS);
    CHECK(!active());
}

/* ---- exits ---- */

static void running_region(void)
{
    AT_REGION(LONG_REGION);
    enter();
    mach_run(e.m, 2 * MS);
    CHECK(active());
    CHECK(env_cs(&e, 0)->prot_left);
}

/* Suspended in the middle, asked for again, finished at the second time. */
static void check_unfinished(const char *why)
{
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-exit"), why);
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"unfinished\":1}");
    CHECK_HAS(ev_last(e.m, "protm-suspend"), "\"csg\":0,\"streams\":1,\"saved\":true");
}

static void check_finishes(void)
{
    CHECK(prot_pending(&e, 0));
    CHECK_EQ(env_cs(&e, 0)->reg[4], 0); /* the state is in the buffer only */
    mach_run(e.m, 20 * MS);
    CHECK_EQ(env_d32(&e, 0), 0);
    env_ack(&e);
    ack_pend(&e, 0);
    enter();
    CHECK(active());
    mach_run(e.m, 30 * MS);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"end\",\"csg\":");
    CHECK_EQ(env_d32(&e, 0), 2000);
    CHECK_EQ(env_d32(&e, 8), 77);
    CHECK_EQ(ev_count(e.m, "violation"), 0);
}

TEST(ping_ends_it)
{
    protected_world(1, 1000000);
    running_region();
    ping();
    check_unfinished("\"why\":\"ping\"");
    CHECK_EQ(ev_count(e.m, "ping"), 1);
    CHECK(!glb_diff(GLB_PING));
    ack_exit();
    check_finishes();
}

TEST(any_request_ends_it)
{
    protected_world(1, 1000000);
    running_region();
    glb_toggle(e.m, GLB_CFG_ALLOC_EN);
    glb_ring(e.m);
    check_unfinished("\"why\":\"request\"");
    ack_exit();
    check_finishes();
}

TEST(csg_update_ends_it)
{
    protected_world(1, 1000000);
    running_region();
    csg_toggle(e.m, 0, CSG_STATUS_UPDATE);
    check_unfinished("\"why\":\"csg-update\"");
    CHECK(!((csg_req(e.m, 0) ^ csg_ack(e.m, 0)) & CSG_STATUS_UPDATE));
    ack_exit();
    check_finishes();
}

TEST(suspend_ends_it_and_resume_asks_again)
{
    protected_world(1, 1000000);
    running_region();
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    check_unfinished("\"why\":\"csg-update\"");
    CHECK_HAS(ev_last(e.m, "csg-suspend"), "\"saved\":true");
    ack_exit();
    grp_bind(e.m, &e.g, 6, 4, CSG_STATE_RESUME);
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"restored\":true");
    CHECK_HAS(ev_last(e.m, "protm-pend"), "\"csg\":6,\"cs\":0}");
    check_finishes();
}

TEST(enter_in_protected_mode_ends_it)
{
    protected_world(1, 1000000);
    running_region();
    enter();
    check_unfinished("\"why\":\"request\"");
    CHECK_HAS(ev_last(e.m, "protm-enter"), "\"reason\":\"no-stream\"");
    CHECK(!active());
}

TEST(fault_ends_it)
{
    protected_world(1, 0);
    AT_REGION(MOVE48(0, UINT64_C(0x500000000000)), PROT_REGION(5), STORE(1, 1, 0, 0), NOP());
    enter();
    mach_run(e.m, MS);
    check_unfinished("\"why\":\"fault\"");
    CHECK_EQ(ev_count(e.m, "mmu-fault"), 1);
    CHECK(prot_pending(&e, 0));
    CHECK(!(rd(e.m, GPU_INT_BASE + INT_RAWSTAT) & GPU_IRQ_PROTM_FAULT));
}

TEST(recoverable_fault_ends_it)
{
    protected_world(1, 0);
    AT_REGION(MOVE48(0, e.data_va + 1), MOVE48(2, e.data_va), MOVE32(5, 3), PROT_REGION(2),
              STORE(5, 1, 0, 0), STORE(5, 1, 2, 0));
    enter();
    mach_run(e.m, MS);
    check_unfinished("\"why\":\"fault\"");
    CHECK_EQ(ev_count(e.m, "cs-fault"), 1);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), CS_EXC_ADDR_RANGE_FAULT);
    ack_exit();
    env_ack(&e);
    ack_pend(&e, 0);
    enter();
    mach_run(e.m, MS);
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"end\"");
    CHECK_EQ(env_d32(&e, 0), 3);
}

TEST(bus_errors_of_the_fault_plan)
{
    protected_world(1, 0);
    AT_REGION(MOVE48(0, e.data_va), STORE(1, 1, 0, 0x8), PROT_REGION(3), STORE(1, 1, 0, 0x10),
              STORE(1, 1, 0, 0x14), STORE(1, 1, 0, 0x18));
    CHECK(mali_fault_set(e.m->gpu, "protm-fault-at", 2));
    enter();
    mach_run(e.m, MS);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"fault\"");
    CHECK_EQ(rd(e.m, GPU_INT_BASE + INT_RAWSTAT) & 3, GPU_IRQ_PROTM_FAULT);
    CHECK_EQ(e.m->gpu->s.fault[MALI_FAULT_PROTM_FAULT_AT], 0);
}

TEST(a_leak_of_the_fault_plan)
{
    protected_world(1, 0);
    AT_REGION(MOVE48(0, e.data_va), MOVE32(5, 7), STORE(5, 1, 0, 0x2010), PROT_REGION(1),
              STORE(5, 1, 0, 0x1020));
    CHECK(mali_fault_set(e.m->gpu, "protm-leak", (uint32_t)(e.data_va - e.g.q[0].ring_va)));
    enter();
    mach_run(e.m, MS);
    CHECK_EQ(env_d32(&e, 0x1020), 7);
    CHECK_EQ(env_d32(&e, 0x20), 7);
    CHECK_EQ(env_d32(&e, 0x10), 0); /* what was stored in normal mode stays where it is */
}

TEST(bus_error_is_a_protected_fault)
{
    protected_world(1, 0);
    AT_REGION(MOVE48(0, e.data_va), PROT_REGION(2), STORE(1, 1, 0, 0x10), NOP());
    e.m->bad_base = e.data_pa;
    e.m->bad_end = e.data_pa + 0x1000;
    enter();
    mach_run(e.m, MS);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-fault"), "\"csg\":0,\"cs\":0,\"va\":");
    CHECK_HAS(ev_last(e.m, "protm-fault"), "\"write\":true}");
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"fault\",\"csg\":0,\"unfinished\":0}");
    CHECK_EQ(rd(e.m, GPU_INT_BASE + INT_RAWSTAT) & 3, GPU_IRQ_PROTM_FAULT);
    CHECK_EQ(rd(e.m, GPU_FAULT_STATUS) & 0xff, EXC_GPU_BUS_FAULT);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FATAL) & 0xff, CS_EXC_BUS_FAULT);
    CHECK(!prot_pending(&e, 0));
}

TEST(normal_access_to_protected_memory_is_a_gpu_fault)
{
    protected_world(1, 0);
    env_run(&e, (const uint64_t[]){ MOVE48(0, e.data_va), NOP() }, 2);
    e.m->prot_base = e.data_pa;
    e.m->prot_end = e.data_pa + 0x1000;
    env_run(&e, (const uint64_t[]){ STORE(1, 1, 0, 0x10) }, 1);
    CHECK_EQ(rd(e.m, GPU_INT_BASE + INT_RAWSTAT) & 3, GPU_IRQ_FAULT);
    CHECK_EQ(ev_count(e.m, "protm-fault"), 0);
}

TEST(stream_without_work_stays_in)
{
    protected_world(1, 0);
    AT_REGION(PROT_REGION(3), NOP());
    enter();
    mach_run(e.m, 50 * MS);
    CHECK(active());
    /* More work rings a doorbell that nobody hears. */
    env_run(&e, (const uint64_t[]){ MOVE32(9, 1), NOP(), MOVE32(8, 1) }, 3);
    CHECK(active());
    CHECK_EQ(env_cs(&e, 0)->reg[9], 0);
    ping();
    check_unfinished("\"why\":\"ping\"");
    ack_exit();
    env_ack(&e);
    ack_pend(&e, 0);
    enter();
    mach_run(e.m, MS);
    CHECK(!active());
    CHECK_EQ(env_cs(&e, 0)->reg[8], 1);
}

TEST(sync_wait_in_a_region)
{
    protected_world(1, 0);
    AT_REGION(MOVE48(0, e.data_va), MOVE32(2, 4), PROT_REGION(2),
              SYNC_WAIT(CS_OP_SYNC_WAIT32, 0, 2, CS_COND_GT, 0), MOVE32(9, 1));
    enter();
    mach_run(e.m, 20 * MS);
    CHECK(active());
    ram_w32(e.m, e.data_pa, 5);
    mach_run(e.m, 5 * MS);
    CHECK(!active());
    CHECK_EQ(env_cs(&e, 0)->reg[9], 1);
}

TEST(sync_update_does_not_end_it)
{
    protected_world(1, 1000000);
    AT_REGION(MOVE48(0, e.data_va), MOVE32(2, 1), MOVE32(4, 3000), PROT_REGION(6002),
              SYNC(CS_OP_SYNC_ADD32, 0, 2, CS_SCOPE_SYSTEM, 0), ADD_IMM32(4, 4, -1),
              BRANCH(CS_COND_GT, 4, -2), MOVE32(9, 1));
    enter();
    mach_run(e.m, 2 * MS);
    CHECK((csg_ack(e.m, 0) ^ csg_req(e.m, 0)) & CSG_SYNC_UPDATE);
    csg_ack_events(e.m, 0);
    CHECK(active());
    mach_run(e.m, 20 * MS);
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"end\"");
    CHECK_EQ(env_cs(&e, 0)->reg[9], 1);
}

/* ---- MMU, resets ---- */

TEST(as_commands_wait_for_the_exit)
{
    unsigned n;

    protected_world(1, 1000000);
    running_region();
    n = ev_count(e.m, "as-cmd");
    wr64(e.m, AS_REG(1, AS_LOCKADDR), e.data_va | 14);
    wr(e.m, MMU_INT_BASE + INT_CLEAR, ~0u);
    wr(e.m, AS_REG(1, AS_COMMAND), AS_COMMAND_LOCK);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), AS_STATUS_ACTIVE);
    CHECK_EQ(rd(e.m, AS_REG(2, AS_STATUS)), 0);
    CHECK_HAS(ev_last(e.m, "violation"), "\"rule\":\"as-command-in-protm\"");
    CHECK_HAS(ev_last(e.m, "violation"), "AS 1: LOCK");
    CHECK_EQ(ev_count(e.m, "as-cmd"), n);
    CHECK(!(rd(e.m, MMU_INT_BASE + INT_RAWSTAT)));
    ping();
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), 0);
    CHECK_EQ(ev_count(e.m, "as-cmd"), n + 1);
    CHECK_HAS(ev_last(e.m, "as-cmd"), "\"cmd\":\"LOCK\"");
    CHECK_EQ(rd(e.m, MMU_INT_BASE + INT_RAWSTAT), MMU_INT_COMMAND(1));
}

TEST(resets_and_mcu_stop_leave_it)
{
    static const struct {
        uint32_t reg, val;
        const char *why;
        bool runs;
    } row[] = {
        { GPU_CMD, GPU_CMD_RESET | GPU_RESET_FAST << 8, "\"why\":\"reset\"", true },
        { GPU_CMD, GPU_CMD_RESET | GPU_RESET_SOFT << 8, "\"why\":\"reset\"", false },
        { GPU_CMD, GPU_CMD_RESET | GPU_RESET_HARD << 8, "\"why\":\"reset\"", false },
        { MCU_CONTROL, MCU_CONTROL_DISABLE, "\"why\":\"mcu-stop\"", false },
    };

    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        protected_world(1, 1000000);
        running_region();
        mali_fault_set(e.m->gpu, "protm-exit-never", 1); /* even then */
        wr(e.m, AS_REG(1, AS_COMMAND), AS_COMMAND_FLUSH_MEM);
        wr(e.m, row[i].reg, row[i].val);
        CHECK(!active());
        CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), 0);
        CHECK_HAS(ev_last(e.m, "protm-exit"), row[i].why);
        CHECK_EQ(ev_count(e.m, "glb-event"), 0);
        CHECK_EQ(rd(e.m, MCU_STATUS) == MCU_STATUS_ENABLED, row[i].runs);
        mach_run(e.m, 10 * MS);
        CHECK_EQ(ev_count(e.m, "protm-exit"), 1);
    }
}

TEST(set_protected_mode_command_holds_the_mmu_too)
{
    protected_world(1, 0);
    wr(e.m, GPU_CMD, GPU_CMD_SET_PROTECTED_MODE);
    wr(e.m, AS_REG(1, AS_COMMAND), AS_COMMAND_FLUSH_MEM);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), AS_STATUS_ACTIVE);
    wr(e.m, GPU_CMD, GPU_CMD_RESET);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), 0);
    CHECK_EQ(ev_count(e.m, "protm-exit"), 0);
}

/* ---- the protected suspend buffer ---- */

static uint64_t protm_pa(void)
{
    return pt_lookup(e.m, e.m->mcu_root, e.g.protm_va);
}

TEST(unfinished_state_is_in_protected_memory_only)
{
    uint64_t normal;

    protected_world(1, 1000000);
    running_region();
    CHECK_EQ(ram_r32(e.m, protm_pa()), 0);
    ping();
    CHECK_EQ(ram_r32(e.m, protm_pa()), 0x5053434d);
    CHECK_EQ(ram_r32(e.m, protm_pa() + 32 + 240 + 4 * 7), 0);
    CHECK(ram_r32(e.m, protm_pa() + 32 + 240 + 4 * 5)); /* the counter */
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    normal = pt_lookup(e.m, e.m->mcu_root, e.g.suspend_va);
    CHECK_EQ(ram_r32(e.m, normal), 0x4753434d);
    for (unsigned r = 0; r < 96; r++) {
        CHECK_EQ(ram_r32(e.m, normal + 32 + 240 + 4 * r), 0);
    }
}

TEST(broken_protected_buffer_is_fatal)
{
    protected_world(1, 1000000);
    running_region();
    ping();
    ack_exit();
    ram_w32(e.m, protm_pa() + 0x100, 0x12345678);
    env_ack(&e);
    ack_pend(&e, 0);
    enter();
    CHECK(!glb_diff(GLB_PROTM_ENTER));
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "violation"), "\"rule\":\"protm-suspend-buffer\"");
    CHECK_HAS(ev_last(e.m, "cs-fatal"), "\"code\":104");
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"fault\",\"csg\":0,\"unfinished\":0}");
}

TEST(protected_buffer_that_is_not_there)
{
    protected_world(1, 1000000);
    AT_REGION(LONG_REGION);
    enter();
    mach_run(e.m, MS);
    e.m->gpu->s.csg[0].protm_suspend_va = 0x70000000;
    ping();
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-suspend"), "\"saved\":false");
    CHECK_HAS(ev_last(e.m, "violation"), "\"rule\":\"protm-suspend-buffer\"");
    CHECK_EQ(env_cs(&e, 0)->reg[5], 0);
}

TEST(protected_buffer_in_ordinary_memory)
{
    protected_world(1, 1000000);
    running_region();
    ordinary(e.g.protm_va + 0x2000);
    ping();
    CHECK_HAS(ev_last(e.m, "protm-suspend"), "\"saved\":false");
    CHECK_EQ(ev_count(e.m, "violation"), 0);
    CHECK_HAS(ev_last(e.m, "protm-fault"), "\"write\":true}");
    CHECK_EQ(rd(e.m, GPU_INT_BASE + INT_RAWSTAT) & 3, GPU_IRQ_PROTM_FAULT);
    CHECK(!active());
    CHECK_EQ(env_cs(&e, 0)->reg[5], 0);
}

TEST(normal_buffer_cannot_forge_a_region)
{
    uint64_t pa;

    protected_world(1, 0);
    env_run(&e, (const uint64_t[]){ NOP() }, 1);
    env_cs(&e, 0)->prot_left = 5; /* not marked as saved */
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    pa = pt_lookup(e.m, e.m->mcu_root, e.g.suspend_va);
    CHECK_EQ(ram_r32(e.m, pa), 0x4753434d);
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_RESUME);
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"restored\":false");
}

TEST(stale_request_of_a_slot_is_withdrawn)
{
    protected_world(1, 0);
    env_run(&e, (const uint64_t[]){ PROT_REGION(1), NOP() }, 2);
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    env_group(&other, e.m, 1);
    grp_bind(e.m, &other.g, 0, 2, CSG_STATE_START);
    CHECK(!prot_pending(&other, 0));
    grp_state(e.m, &other.g, CSG_STATE_TERMINATE);
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_RESUME);
    mach_run(e.m, MS);
    CHECK(prot_pending(&e, 0));
    CHECK_EQ(ev_count(e.m, "protm-pend"), 2);
}

/* ---- fault plan ---- */

TEST(fault_enter_never)
{
    protected_world(1, 0);
    mali_fault_set(e.m->gpu, "protm-enter-never", 1);
    AT_REGION(PROT_REGION(1), NOP());
    check_refused("\"reason\":\"fault-plan\"");
    CHECK_EQ(ev_count(e.m, "violation"), 0);
}

TEST(fault_status_never)
{
    protected_world(1, 0);
    mali_fault_set(e.m->gpu, "protm-status-never", 1);
    AT_REGION(PROT_REGION(1), NOP());
    enter();
    CHECK(!glb_diff(GLB_PROTM_ENTER));
    mach_run(e.m, 10 * MS);
    CHECK(!active());
    CHECK_EQ(ev_count(e.m, "protm-exit"), 0);
    CHECK_EQ(env_cs(&e, 0)->wait, MALI_WAIT_PROTM);
}

TEST(fault_exit_never)
{
    protected_world(1, 0);
    mali_fault_set(e.m->gpu, "protm-exit-never", 1);
    AT_REGION(PROT_REGION(1), MOVE32(9, 1), MOVE32(10, 1));
    enter();
    mach_run(e.m, 10 * MS);
    CHECK(active());
    CHECK_EQ(env_cs(&e, 0)->reg[9], 1);
    CHECK_EQ(env_cs(&e, 0)->reg[10], 0);
    ping();
    CHECK(active());
    CHECK(glb_diff(GLB_PING));
    CHECK_EQ(ev_count(e.m, "protm-exit"), 0);
    wr(e.m, GPU_CMD, GPU_CMD_RESET | GPU_RESET_SOFT << 8);
    CHECK(!active());
}

TEST(fault_status_stuck)
{
    protected_world(1, 0);
    CHECK(!active());
    mali_fault_set(e.m->gpu, "protm-status-stuck", 1);
    CHECK(active());
    wr(e.m, GPU_CMD, GPU_CMD_RESET | GPU_RESET_SOFT << 8);
    CHECK(active());
    mali_fault_set(e.m->gpu, "protm-status-stuck", 0);
    CHECK(!active());
}

TEST(fault_exit_spurious)
{
    protected_world(1, 0);
    mali_fault_set(e.m->gpu, "protm-exit-spurious", 2);
    for (unsigned i = 0; i < 3; i++) {
        ping();
        CHECK_EQ(!!glb_diff(GLB_PROTM_EXIT), i < 2);
        glb_level(e.m, GLB_PROTM_EXIT, glb_ack(e.m));
    }
    CHECK_EQ(ev_count(e.m, "protm-exit"), 2);
    CHECK_EQ(ev_count(e.m, "ping"), 3);
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"spurious\"");
}

TEST(fault_pend_never)
{
    protected_world(1, 0);
    mali_fault_set(e.m->gpu, "protm-pend-never", 1);
    env_run(&e, (const uint64_t[]){ PROT_REGION(1), NOP() }, 2);
    CHECK(!prot_pending(&e, 0));
    CHECK_EQ(ev_count(e.m, "protm-pend"), 0);
    CHECK_EQ(ev_count(e.m, "cs-blocked"), 1);
}

/* ---- snapshots, hostile guests ---- */

static void move(Machine *m)
{
    size_t len = mali_save(m->gpu, NULL, 0);
    void *blob = malloc(len);
    bool ok;

    mali_save(m->gpu, blob, len);
    mali_reset(m->gpu);
    m->timer = MALI_NEVER;
    ok = mali_load(m->gpu, blob, len, NULL);
    free(blob);
    CHECK(ok);
}

TEST(snapshot_in_protected_mode)
{
    protected_world(1, 1000000);
    running_region();
    wr(e.m, AS_REG(1, AS_COMMAND), AS_COMMAND_FLUSH_MEM);
    for (unsigned i = 0; i < 20; i++) {
        move(e.m);
        mach_run(e.m, 100000);
        CHECK(active());
        CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), AS_STATUS_ACTIVE);
    }
    ping();
    move(e.m);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), 0);
    ack_exit();
    env_ack(&e);
    ack_pend(&e, 0);
    enter();
    move(e.m);
    mach_run(e.m, 30 * MS);
    CHECK(!active());
    CHECK_EQ(env_d32(&e, 0), 2000);
    CHECK_EQ(env_d32(&e, 8), 77);
}

TEST(snapshot_with_protected_mode_broken)
{
    MaliProtm *p;
    MaliState *s;

    protected_world(1, 0);
    s = &e.m->gpu->s;
    p = &s->protm;
    CHECK(mali_protm_valid(s));
#define BROKEN(field, bad)                                                                         \
    do {                                                                                           \
        field = bad;                                                                               \
        CHECK(!mali_protm_valid(s));                                                               \
        field = 0;                                                                                 \
    } while (0)
    BROKEN(p->active, 2);
    BROKEN(p->csg, MALI_NUM_CSG);
    BROKEN(p->streams, 256);
    BROKEN(p->leave, 3);
    BROKEN(p->implicit, 256);
    BROKEN(p->refused, 2);
    BROKEN(s->as[5].held, AS_COMMAND_FLUSH_MEM + 2);
    CHECK(mali_protm_valid(s));
}

static void random_step(void)
{
    Env *v = t_rand() & 1 ? &e : &other;
    const uint64_t job[] = {
        MOVE48(0, v->data_va),     PROT_REGION(t_rand() % 600),
        ADD_IMM32(8, 8, 1),        t_rand() % 8 ? STORE(8, 1, 0, 0) : LOAD(8, 1, 6, t_rand() % 3),
        MOVE32(4, t_rand() % 300), ADD_IMM32(4, 4, -1),
        BRANCH(CS_COND_GT, 4, -2), t_rand() % 8 ? NOP() : PROT_REGION(1)
    };

    switch (t_rand() % 14) {
    case 0:
    case 1:
        if (v->g.q[0].insert - mcu_r64(v->m, v->g.q[0].out_va + RING_OUT_EXTRACT) < RING / 2) {
            grp_submit(v->m, &v->g, 0, job, N_INSTR(job));
        }
        grp_ring(v->m, &v->g);
        break;
    case 2:
    case 3:
    case 4: ack_pend(v, 0); break;
    case 5:
    case 6:
        if (glb_diff(GLB_PROTM_ENTER)) {
            glb_level(e.m, GLB_PROTM_ENTER, glb_ack(e.m));
            glb_ring(e.m);
        }
        enter();
        break;
    case 7: ping(); break;
    case 8: grp_state(v->m, &v->g, t_rand() % 4 ? CSG_STATE_SUSPEND : CSG_STATE_TERMINATE); break;
    case 9: grp_bind(v->m, &v->g, v->g.slot, v->g.as, t_rand() % 4 ? 3 : 1); break;
    case 10: csg_ack_events(v->m, v->g.slot); break;
    case 11: glb_level(v->m, GLB_PROTM_EXIT, glb_ack(v->m)); break;
    case 12: csg_toggle(v->m, v->g.slot, CSG_STATUS_UPDATE); break;
    default: as_cmd(v->m, t_rand() % 4, t_rand() % 6); break;
    }
}

/* Whatever the host does: no crash, and the invariants hold. */
TEST(hostile_sequences)
{
    unsigned entered = 0;

    for (unsigned round = 0; round < 40; round++) {
        t_seed(100 + round);
        two_groups(round & 1 ? 1000000 : 0);
        for (unsigned i = 0; i < 400; i++) {
            const MaliState *s = &e.m->gpu->s;

            random_step();
            mach_run(e.m, t_rand() % 200000);
            CHECK_EQ(active(), s->protm.active);
            CHECK(!s->protm.active || s->csg[s->protm.csg].resident);
            CHECK(mali_protm_valid(s) && mali_csg_valid(s));
            if (t_rand() % 16 == 0) {
                move(e.m);
            }
        }
        entered += ev_count(e.m, "protm-exit");
        mach_free_all();
    }
    CHECK(entered > 100);
}
