/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Global interface: spec 4.2, 4.4, 4.5, 4.9. */
#include "machine.h"
#include "t.h"

#define US 1000ull
#define MS 1000000ull

static uint32_t glb_req(Machine *m)
{
    return mcu_r32(m, FW_GLB_IN_VA + GLB_IN_REQ);
}

/* What the job irq handler does with bit 31. */
static bool take_irq(Machine *m)
{
    bool level = m->line[MALI_IRQ_JOB];

    wr(m, JOB_INT_BASE + INT_CLEAR, JOB_INT_GLOBAL);
    return level;
}

TEST(glb_init_is_acknowledged)
{
    Machine *m = mach_boot();

    CHECK_EQ(glb_ack(m) & 0x7ff, glb_req(m) & 0x7ff);
    CHECK_EQ(ev_count(m, "glb-req"), 3);
    CHECK_HAS(ev_get(m, "glb-req", 0), "\"name\":\"cfg-progress-timer\"}");
    CHECK_HAS(ev_get(m, "glb-req", 1), "\"name\":\"cfg-alloc-en\"}");
    CHECK_HAS(ev_get(m, "glb-req", 2), "\"name\":\"cfg-poweroff-timer\"}");
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(glb_ping)
{
    Machine *m = mach_boot();
    uint64_t n;

    for (unsigned i = 1; i <= 5; i++) {
        glb_toggle(m, GLB_PING);
        glb_ring(m);
        CHECK(take_irq(m));
        CHECK_EQ((glb_req(m) ^ glb_ack(m)) & GLB_PING, 0);
        CHECK(mali_counter(m->gpu, "pings", &n));
        CHECK_EQ(n, i);
    }
    CHECK_HAS(ev_last(m, "ping"), "\"n\":5}");
    glb_ring(m); /* no change: no answer, no interrupt */
    CHECK(!take_irq(m));
    CHECK_EQ(ev_count(m, "ping"), 5);
}

TEST(glb_ping_never_fault)
{
    Machine *m = mach_boot();

    CHECK(mali_fault_set(m->gpu, "ping-never", 1));
    glb_toggle(m, GLB_PING | GLB_FWCFG_UPDATE);
    glb_ring(m);
    CHECK_EQ((glb_req(m) ^ glb_ack(m)) & (GLB_PING | GLB_FWCFG_UPDATE), GLB_PING);
    mali_fault_set(m->gpu, "ping-never", 0);
    glb_ring(m);
    CHECK_EQ((glb_req(m) ^ glb_ack(m)) & GLB_PING, 0);
}

TEST(glb_irq_only_for_masked_in_bits)
{
    Machine *m = mach_boot();

    glb_toggle(m, GLB_FWCFG_UPDATE); /* not in panthor's ack_irq_mask */
    glb_ring(m);
    CHECK(!take_irq(m));
    CHECK_EQ((glb_req(m) ^ glb_ack(m)) & GLB_FWCFG_UPDATE, 0);
}

TEST(glb_doorbell_with_mcu_off_does_nothing)
{
    Machine *m = mach_new(NULL);

    glb_ring(m);
    wr(m, DOORBELL(23), 1);
    CHECK_EQ(m->log_len, 0);
}

TEST(glb_counter_enable)
{
    Machine *m = mach_boot();
    uint64_t before = rd64(m, GPU_CYCLE_COUNT);

    m->now += 1000;
    CHECK_EQ(rd64(m, GPU_CYCLE_COUNT), before + 800);
    glb_level(m, GLB_COUNTER_EN, 0);
    glb_ring(m);
    m->now += 1000;
    CHECK_EQ(rd64(m, GPU_CYCLE_COUNT), before + 800);
    CHECK(!(glb_ack(m) & GLB_COUNTER_EN));
}

/* ---- halt ---- */
static void halt(Machine *m)
{
    glb_level(m, GLB_HALT, GLB_HALT);
    glb_ring(m);
}

TEST(halt_and_fast_resume)
{
    Machine *m = mach_boot();

    for (unsigned i = 0; i < 3; i++) {
        halt(m);
        CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_HALT);
        CHECK_EQ(rd(m, MCU_CONTROL), MCU_CONTROL_AUTO);
        CHECK_EQ(ev_count(m, "mcu-halt"), i + 1);
        CHECK_EQ(m->timer, MALI_NEVER);
        glb_toggle(m, GLB_PING);
        glb_ring(m); /* a halted MCU does not answer */
        CHECK_EQ(ev_count(m, "ping"), 0);
        wr(m, JOB_INT_BASE + INT_MASK, 0);
        wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
        CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_DISABLED);
        as_disable(m, 0);
        wr64(m, GPU_PWROFF + GPU_DOMAIN_L2, 1);
        l2_on(m);
        as_enable(m, 0, m->mcu_root);
        glb_level(m, GLB_HALT, 0);
        CHECK(fw_start(m));
        CHECK_HAS(ev_last(m, "mcu-boot"), "\"full\":false");
        CHECK_EQ(glb_ack(m) & ~GLB_HALT, glb_req(m)); /* ack := req at boot: the lost PING too */
        fw_global_init(m);
    }
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(halt_left_set_halts_again)
{
    Machine *m = mach_boot();

    halt(m);
    wr(m, MCU_CONTROL, 0);
    CHECK(fw_start(m));
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_ENABLED);
    glb_ring(m);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_HALT);
}

TEST(halt_never_fault)
{
    Machine *m = mach_boot();

    CHECK(mali_fault_set(m->gpu, "halt-never", 1));
    halt(m);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_ENABLED);
    wr(m, MCU_CONTROL, 0); /* slow path: soft reset, sections reloaded */
    wr(m, GPU_CMD, 0x101);
    l2_on(m);
    as_enable(m, 0, m->mcu_root);
    fw_load(m, &fw_default);
    CHECK(fw_start(m));
    CHECK_HAS(ev_last(m, "mcu-boot"), "\"full\":true");
}

TEST(halt_by_state_field_of_interface_4_1)
{
    FwOpts o = { .version = FW_VERSION(4, 1, 0) };
    Machine *m = mach_new(NULL);

    l2_on(m);
    fw_map(m, &o);
    fw_load(m, &o);
    as_enable(m, 0, m->mcu_root);
    CHECK(fw_start(m));
    CHECK_EQ(mcu_r32(m, FW_SHARED_VA), FW_VERSION(4, 1, 0));
    fw_global_init(m);
    halt(m); /* bit 0 means nothing now */
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_ENABLED);
    glb_level(m, GLB_STATE_MASK, GLB_STATE_HALT << GLB_STATE_SHIFT);
    glb_ring(m);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_HALT);
    CHECK_EQ((glb_ack(m) & GLB_STATE_MASK) >> GLB_STATE_SHIFT, GLB_STATE_HALT);
    wr(m, MCU_CONTROL, 0);
    glb_level(m, GLB_STATE_MASK, 0);
    CHECK(fw_start(m));
    CHECK_EQ(glb_ack(m) & GLB_STATE_MASK, 0);
    glb_ring(m);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_ENABLED);
}

TEST(halt_with_a_group_on_its_slot_is_a_violation)
{
    Machine *m = mach_boot();

    m->gpu->s.csg[2].resident = 1;
    halt(m);
    CHECK_HAS(ev_last(m, "violation"),
              "\"rule\":\"halt-resident\",\"detail\":\"GLB HALT while group 2 ");
}

/* ---- idle ---- */
static void busy(Machine *m, bool on)
{
    m->gpu->s.csg[0].resident = 1;
    m->gpu->s.csg[0].idle = !on;
    mali_glb_idle_check(m->gpu);
}

static void idle_end(Machine *m)
{
    m->gpu->s.csg[0].resident = 0;
}

TEST(idle_event_once_a_transition)
{
    Machine *m = mach_boot();

    mach_run(m, 10 * MS);
    CHECK_EQ(ev_count(m, "glb-event"), 0); /* nothing has run: no transition */
    for (unsigned i = 1; i <= 3; i++) {
        busy(m, true);
        CHECK_EQ(m->timer, MALI_NEVER);
        busy(m, false);
        mach_run(m, 802 * US); /* 49 * 1024 / 62.5 MHz = 802.8 us */
        CHECK_EQ(ev_count(m, "glb-event"), i - 1);
        mach_run(m, 2 * US);
        CHECK_EQ(ev_count(m, "glb-event"), i);
        CHECK(take_irq(m));
        CHECK((glb_req(m) ^ glb_ack(m)) & GLB_IDLE);
        glb_level(m, GLB_IDLE, glb_ack(m));
        glb_ring(m);
        mach_run(m, 10 * MS);
        CHECK_EQ(ev_count(m, "glb-event"), i);
        CHECK(!take_irq(m));
    }
    CHECK_HAS(ev_last(m, "glb-event"), "\"name\":\"idle\"}");
    idle_end(m);
}

TEST(idle_is_cancelled_by_work)
{
    Machine *m = mach_boot();

    busy(m, true);
    busy(m, false);
    mach_run(m, 500 * US);
    busy(m, true);
    mach_run(m, 10 * MS);
    CHECK_EQ(ev_count(m, "glb-event"), 0);
    busy(m, false);
    mach_run(m, 10 * MS);
    CHECK_EQ(ev_count(m, "glb-event"), 1);
    idle_end(m);
}

TEST(idle_needs_idle_en)
{
    Machine *m = mach_boot();

    glb_level(m, GLB_IDLE_EN, 0);
    glb_ring(m);
    busy(m, true);
    busy(m, false);
    mach_run(m, 10 * MS);
    CHECK_EQ(ev_count(m, "glb-event"), 0);
    mcu_w32(m, FW_GLB_IN_VA + GLB_IN_IDLE_TIMER, GLB_TIMER_SOURCE_GPU_COUNTER | 800);
    glb_level(m, GLB_IDLE_EN, GLB_IDLE_EN);
    glb_ring(m); /* 800 * 1024 / 800 MHz = 1.024 ms */
    mach_run(m, 1020 * US);
    CHECK_EQ(ev_count(m, "glb-event"), 0);
    mach_run(m, 10 * US);
    CHECK_EQ(ev_count(m, "glb-event"), 1);
    idle_end(m);
}

TEST(idle_timer_stops_with_the_mcu)
{
    Machine *m = mach_boot();

    busy(m, true);
    busy(m, false);
    CHECK(m->timer != MALI_NEVER);
    idle_end(m);
    wr(m, MCU_CONTROL, 0);
    CHECK_EQ(m->timer, MALI_NEVER);
    mach_run(m, 10 * MS);
    CHECK_EQ(ev_count(m, "glb-event"), 0);
}

TEST(event_waits_for_the_host)
{
    Machine *m = mach_boot();
    uint32_t ack;

    mali_glb_event(m->gpu, GLB_IDLE);
    CHECK(take_irq(m));
    ack = glb_ack(m);
    mali_glb_event(m->gpu, GLB_IDLE); /* not yet acknowledged: remembered */
    CHECK_EQ(glb_ack(m), ack);
    CHECK(!take_irq(m));
    glb_ring(m);
    CHECK_EQ(glb_ack(m), ack);
    glb_level(m, GLB_IDLE, ack);
    glb_ring(m);
    CHECK_EQ(glb_ack(m), ack ^ GLB_IDLE);
    CHECK(take_irq(m));
    glb_level(m, GLB_IDLE, glb_ack(m));
    glb_ring(m);
    CHECK_EQ(glb_ack(m), ack ^ GLB_IDLE); /* nothing left: no endless loop (pitfall 3) */
    CHECK(!take_irq(m));
}

TEST(event_names)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } events[] = {
        { GLB_IDLE, "idle" },
        { GLB_PROTM_EXIT, "protm-exit" },
        { GLB_PERFCNT_THRESHOLD, "perfcnt-threshold" },
        { GLB_PERFCNT_OVERFLOW, "perfcnt-overflow" },
        { 1u << 20, "inactive" },
    };
    Machine *m = mach_boot();
    uint32_t ack = glb_ack(m);

    for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        mali_glb_event(m->gpu, events[i].bit);
        CHECK_HAS(ev_last(m, "glb-event"), events[i].name);
        CHECK_EQ(glb_ack(m) ^ ack, events[i].bit);
        ack = glb_ack(m);
    }
    wr(m, MCU_CONTROL, 0);
    mali_glb_event(m->gpu, GLB_IDLE);
    CHECK_EQ(glb_ack(m), ack);
}

TEST(doorbell_of_groups_that_do_not_exist)
{
    Machine *m = mach_boot();

    mcu_w32(m, FW_GLB_IN_VA + GLB_IN_DOORBELL_REQ, 0x80000000);
    glb_ring(m);
    CHECK_HAS(ev_last(m, "violation"), "\"rule\":\"glb-doorbell\"");
    CHECK_EQ(mcu_r32(m, FW_GLB_OUT_VA + GLB_OUT_DOORBELL_ACK), 0x80000000);
}
