/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cores of a group and the time of its jobs; priorities of streams. */
#include "../cs_int.h"
#include "env.h"

#define TIME     UINT64_C(120000) /* async_ns: of a job with all four cores of a g610 */
#define SLACK    UINT64_C(20000)
#define IN(word) (FW_CSG_IN_VA(0) + CSG_IN_##word)
#define REQ(compute, fragment, tiler)                                                              \
    (2u << 28 | (uint32_t)(tiler) << 16 | (fragment) << 8 | (compute))
#define RUN(op) I_OP(CS_OP_RUN_##op)

static Env e;

static void start(void)
{
    env_new_cfg(&e, 1, &(MaliConfig){ .async_ns = TIME });
}

static void ask(uint32_t req)
{
    mcu_w32(e.m, IN(ENDPOINT_REQ), req);
    csg_toggle(e.m, 0, CSG_ENDPOINT_CONFIG);
}

static uint32_t current(void)
{
    return mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_EP_CURRENT);
}

/* Whether @op, issued now, is over after @ns and not long before. */
static bool takes(uint64_t op, uint64_t ns)
{
    uint64_t before;

    grp_submit(e.m, &e.g, 0, (const uint64_t[]){ op, WAIT(1) }, 2);
    grp_ring(e.m, &e.g);
    mach_run(e.m, ns - SLACK);
    before = env_extract(&e, 0);
    mach_run(e.m, 4 * SLACK);
    return env_extract(&e, 0) == before + 8;
}

/* Off the slot and on again, with what the inputs say by now (grp_bind writes its own). */
static void again(void)
{
    static const uint32_t state[] = { CSG_STATE_SUSPEND, CSG_STATE_RESUME };

    for (unsigned i = 0; i < 2; i++) {
        mcu_w32(e.m, IN(REQ), (mcu_r32(e.m, IN(REQ)) & ~CSG_STATE_MASK) | state[i]);
        csg_kick(e.m, 0);
    }
}

TEST(endpoints_are_those_of_cores_that_are_there)
{
    start();
    mcu_w64(e.m, IN(ALLOW_COMPUTE), 0x10001);
    mcu_w64(e.m, IN(ALLOW_FRAGMENT), 0x50005);
    ask(REQ(2, 3, 1));
    CHECK_EQ(current(), REQ(2, 3, 1));
    ask(REQ(1, 0, 0));
    CHECK_EQ(current(), REQ(1, 0, 0));
    CHECK_EQ(ev_count(e.m, "violation"), 0);
    CHECK_HAS(ev_last(e.m, "csg-endpoints"), "\"prio\":2,\"compute\":1,\"fragment\":0,\"tiler\":0");
}

TEST(endpoints_of_cores_that_are_off_are_not_granted)
{
    start();
    mcu_w64(e.m, FW_GLB_IN_VA + GLB_IN_CORE_EN_MASK, 0x10001);
    ask(REQ(4, 4, 1));
    CHECK_EQ(current(), REQ(4, 4, 1)); /* it is not asked for yet */
    glb_toggle(e.m, GLB_CFG_ALLOC_EN);
    glb_ring(e.m);
    ask(REQ(4, 4, 1));
    CHECK_EQ(current(), REQ(2, 2, 1));
    CHECK_EQ(mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_EP_REQ), REQ(4, 4, 1));
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK(fw_start(e.m));
    CHECK_EQ(e.m->gpu->s.core_en, 0x50005);
}

TEST(endpoints_that_a_mask_does_not_have)
{
    start();
    mcu_w64(e.m, IN(ALLOW_COMPUTE), 0x10001);
    ask(REQ(3, 4, 1));
    CHECK_EQ(current(), REQ(2, 4, 1));
    CHECK_HAS(ev_last(e.m, "violation"), "3 compute endpoints out of the cores 0x10001");
    mcu_w64(e.m, IN(ALLOW_COMPUTE), 0x10001);
    mcu_w32(e.m, IN(ALLOW_OTHER), 3);
    ask(REQ(2, 4, 1));
    CHECK_EQ(current(), REQ(2, 4, 1));
    CHECK_HAS(ev_last(e.m, "violation"), "csg 0: tiler cores 0x3, there are 0x1");
    mcu_w32(e.m, IN(ALLOW_OTHER), 1);
    mcu_w64(e.m, IN(ALLOW_FRAGMENT), 0x50006);
    ask(REQ(2, 4, 1));
    CHECK_EQ(current(), REQ(2, 3, 1));
    CHECK_HAS(ev_last(e.m, "violation"), "csg 0: fragment cores 0x50006, there are 0x50005");
    CHECK_EQ(ev_count(e.m, "violation"), 3);
}

TEST(endpoints_start_with_the_group)
{
    start();
    mcu_w64(e.m, IN(ALLOW_COMPUTE), 4);
    mcu_w32(e.m, IN(ENDPOINT_REQ), REQ(1, 4, 1));
    again();
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"compute\":1,\"fragment\":4,\"tiler\":1,");
    CHECK(takes(RUN(COMPUTE), 4 * TIME));
    CHECK_EQ(ev_count(e.m, "csg-endpoints"), 0);
}

TEST(jobs_take_the_time_of_their_cores)
{
    start();
    CHECK(takes(RUN(COMPUTE), TIME));
    ask(REQ(2, 1, 1));
    CHECK(takes(RUN(COMPUTE), 2 * TIME));
    CHECK(takes(RUN(COMPUTE_INDIRECT), 2 * TIME));
    CHECK(takes(RUN(FRAGMENT), 4 * TIME));
    CHECK(takes(RUN(FULLSCREEN), 4 * TIME));
    CHECK(takes(RUN(TILING), TIME));
    ask(REQ(3, 0, 0));
    CHECK(takes(RUN(COMPUTE), TIME * 4 / 3));
    CHECK(takes(I_OP(CS_OP_FINISH_TILING), TIME)); /* asks for no core */
}

TEST(job_without_an_endpoint_is_never_over)
{
    static const struct {
        uint64_t op;
        const char *kind;
    } row[] = { { RUN(COMPUTE), "compute" },
                { RUN(FRAGMENT), "fragment" },
                { RUN(IDVS), "tiler" } };

    for (unsigned i = 0; i < 3; i++) {
        env_new(&e, 1); /* even where other jobs take no time */
        ask(REQ(i ? 4 : 0, i == 1 ? 0 : 4, i != 2));
        grp_submit(e.m, &e.g, 0, (const uint64_t[]){ row[i].op, WAIT(1) }, 2);
        grp_ring(e.m, &e.g);
        mach_run(e.m, 10 * SEC);
        CHECK_EQ(env_extract(&e, 0), 8);
        CHECK_HAS(ev_last(e.m, "no-endpoint"), row[i].kind);
        CHECK_EQ(ev_count(e.m, "progress-timeout"), 1);
        CHECK_EQ(ev_count(e.m, "violation"), 0);
        mach_free_all();
    }
}

/* ---- priorities of streams ---- */

static void config(unsigned q, unsigned prio)
{
    mcu_w32(e.m, FW_CS_IN_VA(0, q) + CS_IN_CONFIG, 1u << 8 | prio);
}

TEST(priorities_of_streams_are_read_at_each_start)
{
    env_new(&e, 2);
    CHECK_EQ(e.m->gpu->s.csg[0].cs_prio, 0x11);
    config(0, 15);
    config(1, 7);
    again();
    CHECK_HAS(ev_last(e.m, "csg-resume"), "\"cs_prio\":127,");
    CHECK_EQ(e.m->gpu->s.csg[0].cs_prio, 0x7f);
}

/* As with groups (priority_decides_who_gets_more), on a host that cannot keep up. */
TEST(priority_of_a_stream_decides_who_gets_more)
{
    const uint64_t loop[] = { ADD_IMM64(4, 4, 1), BRANCH(CS_COND_ALWAYS, 0, -2) };
    uint64_t low, mid, high;

    env_new(&e, 3);
    config(0, 0);
    config(1, 5);
    config(2, 15);
    again();
    for (unsigned j = 0; j < 3; j++) {
        grp_submit(e.m, &e.g, j, loop, 2);
    }
    grp_ring(e.m, &e.g);
    mach_run(e.m, 100 * MS);
    low = reg64(&e.m->gpu->s.csg[0].cs[0], 4);
    mid = reg64(&e.m->gpu->s.csg[0].cs[1], 4);
    high = reg64(&e.m->gpu->s.csg[0].cs[2], 4);
    CHECK(low > 1000); /* nobody starves */
    CHECK(mid * 10 / low >= 18 && mid * 10 / low <= 22);
    CHECK(high * 10 / low >= 36 && high * 10 / low <= 44);
}
