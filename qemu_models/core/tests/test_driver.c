/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What panthor 7.3 does, register by register (spec chapter 6): probe, runtime
 * suspend and resume, pings, hang reset, unload. A clean driver causes no violation.
 */
#include "machine.h"
#include "t.h"

#define GPU_MASK 0x00020103u
#define MS       1000000ull

static void irq_resume(Machine *m, uint32_t base, uint32_t mask) /* panthor_device.h:580-587 */
{
    wr(m, base + INT_CLEAR, mask);
    wr(m, base + INT_MASK, mask);
}

/* The threaded handler of one line: STAT, MASK 0, CLEAR, MASK back. */
static uint32_t irq_handle(Machine *m, MaliIrq irq, uint32_t base, uint32_t mask)
{
    uint32_t all = 0, s;

    if (!m->line[irq] || !rd(m, base + INT_STAT)) {
        return 0;
    }
    wr(m, base + INT_MASK, 0);
    CHECK(!m->line[irq]);
    while ((s = rd(m, base + INT_RAWSTAT) & mask)) {
        wr(m, base + INT_CLEAR, s);
        all |= s;
    }
    wr(m, base + INT_MASK, mask);
    return all;
}

static void flush(Machine *m)
{
    wr(m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300);
    CHECK_EQ(irq_handle(m, MALI_IRQ_GPU, GPU_INT_BASE, GPU_MASK), GPU_IRQ_CLEAN_CACHES_COMPLETED);
}

static void disable_as0(Machine *m)
{
    wr(m, MMU_INT_BASE + INT_MASK, 0xfffe);
    flush(m);
    wr64(m, AS_REG(0, AS_TRANSTAB), 0);
    wr64(m, AS_REG(0, AS_MEMATTR), 0);
    wr64(m, AS_REG(0, AS_TRANSCFG), AS_TRANSCFG_UNMAPPED);
    CHECK(!(rd(m, AS_REG(0, AS_STATUS)) & 1));
    as_cmd(m, 0, AS_COMMAND_UPDATE);
    CHECK(!(rd(m, AS_REG(0, AS_STATUS)) & 1));
}

static void power_on_l2(Machine *m)
{
    l2_on(m);
    CHECK_EQ(rd64(m, GPU_READY + GPU_DOMAIN_L2), 1);
}

static void boot(Machine *m)
{
    irq_resume(m, JOB_INT_BASE, ~0u);
    wr(m, MCU_CONTROL, MCU_CONTROL_AUTO);
    CHECK_EQ(irq_handle(m, MALI_IRQ_JOB, JOB_INT_BASE, ~0u), JOB_INT_GLOBAL);
    fw_global_init(m);
    CHECK_EQ(irq_handle(m, MALI_IRQ_JOB, JOB_INT_BASE, ~0u), JOB_INT_GLOBAL);
}

static Machine *probe(void)
{
    Machine *m = mach_new(NULL);

    CHECK_EQ(rd(m, GPU_ID), 0xa8670005);
    wr(m, GPU_INT_BASE + INT_MASK, 0);
    irq_resume(m, GPU_INT_BASE, GPU_MASK);
    wr(m, MMU_INT_BASE + INT_MASK, 0);
    irq_resume(m, MMU_INT_BASE, 0xffff);
    wr(m, JOB_INT_BASE + INT_MASK, 0);
    power_on_l2(m);
    fw_map(m, &fw_default);
    fw_load(m, &fw_default);
    as_enable(m, 0, m->mcu_root);
    boot(m);
    return m;
}

static void stop_mcu(Machine *m)
{
    wr(m, JOB_INT_BASE + INT_MASK, 0);
    wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_DISABLED);
}

/* Returns whether the halt was clean, which makes the next boot a fast one. */
static bool runtime_suspend(Machine *m)
{
    bool fast;

    glb_level(m, GLB_HALT, GLB_HALT);
    glb_ring(m);
    fast = rd(m, MCU_STATUS) == MCU_STATUS_HALT;
    stop_mcu(m);
    disable_as0(m);
    wr(m, MMU_INT_BASE + INT_MASK, 0);
    if (fast) {
        wr64(m, GPU_PWROFF + GPU_DOMAIN_L2, 1);
        CHECK_EQ(rd64(m, GPU_PWRTRANS + GPU_DOMAIN_L2), 0);
    } else {
        wr(m, GPU_INT_BASE + INT_CLEAR, GPU_IRQ_RESET_COMPLETED);
        wr(m, GPU_CMD, 0x101);
        CHECK_EQ(irq_handle(m, MALI_IRQ_GPU, GPU_INT_BASE, GPU_MASK), GPU_IRQ_RESET_COMPLETED);
    }
    wr(m, GPU_INT_BASE + INT_MASK, 0);
    CHECK(!m->line[0] && !m->line[1] && !m->line[2]);
    CHECK_EQ(m->timer, MALI_NEVER);
    return fast;
}

static void runtime_resume(Machine *m, bool fast)
{
    irq_resume(m, GPU_INT_BASE, GPU_MASK);
    power_on_l2(m);
    irq_resume(m, MMU_INT_BASE, 0xffff);
    as_enable(m, 0, m->mcu_root);
    if (fast) {
        glb_level(m, GLB_HALT, 0);
    } else {
        fw_load(m, &fw_default);
    }
    boot(m);
}

static void ping(Machine *m)
{
    glb_toggle(m, GLB_PING);
    glb_ring(m);
    CHECK_EQ(irq_handle(m, MALI_IRQ_JOB, JOB_INT_BASE, ~0u), JOB_INT_GLOBAL);
    CHECK_EQ((glb_ack(m) ^ mcu_r32(m, FW_GLB_IN_VA)) & GLB_PING, 0);
}

/* A kernel BO in the MCU VM while it is active: LOCK, entries, flush, UNLOCK
 * (panthor_mmu.c:1780-1860). */
static uint64_t new_bo(Machine *m)
{
    uint64_t va;

    as_lock(m, 0, m->next_mcu_va & ~0xfffffull, 20);
    va = mcu_bo(m, 0x3000);
    flush(m);
    as_cmd(m, 0, AS_COMMAND_UNLOCK);
    return va;
}

TEST(driver_probe_and_pings)
{
    Machine *m = probe();

    for (unsigned i = 0; i < 5; i++) {
        mach_run(m, 12000 * MS);
        ping(m);
        new_bo(m);
    }
    CHECK_EQ(ev_count(m, "ping"), 5);
    CHECK_EQ(ev_count(m, "glb-event"), 0);
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(driver_runtime_pm_cycles)
{
    Machine *m = probe();
    uint64_t n;

    for (unsigned i = 0; i < 20; i++) {
        mach_run(m, 50 * MS);
        CHECK(runtime_suspend(m));
        mach_run(m, 1000 * MS);
        runtime_resume(m, true);
        CHECK_HAS(ev_last(m, "mcu-boot"), "\"full\":false");
        ping(m);
        CHECK_EQ(mcu_r32(m, new_bo(m)), 0);
    }
    CHECK_EQ(ev_count(m, "violation"), 0);
    CHECK(mali_counter(m->gpu, "power-ons", &n));
    CHECK_EQ(n, 21);
}

TEST(driver_slow_suspend)
{
    Machine *m = probe();

    CHECK(mali_fault_set(m->gpu, "halt-never", 1));
    CHECK(!runtime_suspend(m));
    runtime_resume(m, false);
    CHECK_HAS(ev_last(m, "mcu-boot"), "\"full\":true");
    mali_fault_set(m->gpu, "halt-never", 0);
    CHECK(runtime_suspend(m));
    runtime_resume(m, true);
    CHECK_EQ(ev_count(m, "violation"), 0);
}

/* panthor_device.c:474-531: a failed fast boot is tried again as a slow one, with no MCU_CONTROL=0.
 */
TEST(driver_failed_fast_boot)
{
    Machine *m = probe();

    CHECK(runtime_suspend(m));
    CHECK(mali_fault_set(m->gpu, "boot-fail", 1));
    irq_resume(m, GPU_INT_BASE, GPU_MASK);
    power_on_l2(m);
    irq_resume(m, MMU_INT_BASE, 0xffff);
    as_enable(m, 0, m->mcu_root);
    glb_level(m, GLB_HALT, 0);
    CHECK(!fw_start(m));
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_FATAL);
    disable_as0(m);
    wr64(m, GPU_PWROFF + GPU_DOMAIN_L2, 1);
    runtime_resume(m, false);
    CHECK_HAS(ev_last(m, "mcu-boot"), "\"ok\":true,\"boot\":3,\"full\":true");
    ping(m);
    CHECK_EQ(ev_count(m, "violation"), 0);
}

/* device.c:125-154: the MCU does not answer. */
TEST(driver_hang_reset)
{
    Machine *m = probe();

    CHECK(mali_fault_set(m->gpu, "ping-never", 1));
    glb_toggle(m, GLB_PING);
    glb_ring(m);
    CHECK(!m->line[MALI_IRQ_JOB]);
    stop_mcu(m);
    wr(m, MMU_INT_BASE + INT_MASK, 0);
    wr(m, GPU_INT_BASE + INT_CLEAR, GPU_IRQ_RESET_COMPLETED);
    wr(m, GPU_CMD, 0x101);
    CHECK_EQ(irq_handle(m, MALI_IRQ_GPU, GPU_INT_BASE, GPU_MASK), GPU_IRQ_RESET_COMPLETED);
    power_on_l2(m);
    irq_resume(m, MMU_INT_BASE, 0xffff);
    as_enable(m, 0, m->mcu_root);
    fw_load(m, &fw_default);
    mali_fault_set(m->gpu, "ping-never", 0);
    boot(m);
    ping(m);
    CHECK_EQ(ev_count(m, "violation"), 0);
}

/* panthor_fw.c:1305-1330, panthor_mmu.c:3353-3369: AS0 goes last, with L2 off. */
TEST(driver_unload_and_probe_again)
{
    Machine *m = probe();

    stop_mcu(m);
    wr64(m, GPU_PWROFF + GPU_DOMAIN_L2, 1);
    disable_as0(m);
    wr(m, GPU_INT_BASE + INT_MASK, 0);
    wr(m, MMU_INT_BASE + INT_MASK, 0);
    CHECK(!m->line[0] && !m->line[1] && !m->line[2]);
    CHECK_EQ(ev_count(m, "violation"), 0);
    irq_resume(m, GPU_INT_BASE, GPU_MASK);
    irq_resume(m, MMU_INT_BASE, 0xffff);
    power_on_l2(m);
    fw_load(m, &fw_default);
    as_enable(m, 0, m->mcu_root);
    boot(m);
    ping(m);
    CHECK_EQ(ev_count(m, "violation"), 0);
}

/* tyr driver.rs, fw.rs: AS0 active before the firmware is mapped, RAWSTAT polled with MASK 0. */
TEST(driver_tyr_probe)
{
    Machine *m = mach_new(NULL);

    wr(m, GPU_CMD, 0x101);
    CHECK(rd(m, GPU_INT_BASE) & GPU_IRQ_RESET_COMPLETED);
    wr(m, GPU_PWRON + GPU_DOMAIN_L2, 1);
    CHECK_EQ(rd(m, GPU_READY + GPU_DOMAIN_L2), 1);
    as_enable(m, 0, m->mcu_root);
    as_lock(m, 0, 0, 32);
    fw_map(m, &fw_default);
    fw_load(m, &fw_default);
    as_cmd(m, 0, AS_COMMAND_FLUSH_PT);
    wr(m, JOB_INT_BASE + INT_CLEAR, JOB_INT_GLOBAL);
    wr(m, MCU_CONTROL, MCU_CONTROL_AUTO);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_ENABLED);
    CHECK(rd(m, JOB_INT_BASE) & JOB_INT_GLOBAL);
    wr(m, MCU_CONTROL, 0);
    as_cmd(m, 0, AS_COMMAND_FLUSH_PT);
    as_cmd(m, 0, AS_COMMAND_FLUSH_MEM);
    as_disable(m, 0);
    CHECK_EQ(rd(m, MCU_STATUS), 0);
    CHECK_EQ(ev_count(m, "violation"), 0);
}
