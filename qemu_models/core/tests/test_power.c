/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GPU_CMD, resets, power domains, flush id, time: spec 1.4, 1.6, 1.8, 1.9. */
#include "machine.h"
#include "t.h"

#define POWER_BITS (GPU_IRQ_POWER_CHANGED | GPU_IRQ_POWER_CHANGED_ALL)
#define L2(reg)    ((reg) + GPU_DOMAIN_L2)

TEST(power_l2_on_and_off)
{
    Machine *m = mach_new(NULL);
    uint64_t n;

    CHECK_EQ(rd64(m, L2(GPU_READY)), 0);
    l2_on(m);
    CHECK_EQ(rd64(m, L2(GPU_PWRTRANS)), 0);
    CHECK_EQ(rd64(m, L2(GPU_READY)), 1);
    CHECK_EQ(rd(m, GPU_INT_BASE), POWER_BITS);
    CHECK_HAS(ev_last(m, "power"), "\"domain\":\"l2\",\"ready\":1");
    wr(m, GPU_INT_BASE + INT_CLEAR, ~0u);
    l2_on(m); /* nothing changes */
    CHECK_EQ(rd(m, GPU_INT_BASE), 0);
    CHECK_EQ(ev_count(m, "power"), 1);
    wr64(m, L2(GPU_PWROFF), 1);
    CHECK_EQ(rd64(m, L2(GPU_READY)), 0);
    CHECK_EQ(rd(m, GPU_INT_BASE), POWER_BITS);
    l2_on(m);
    CHECK(mali_counter(m->gpu, "power-ons", &n));
    CHECK_EQ(n, 2);
}

TEST(power_ready_is_a_subset_of_present)
{
    Machine *m = mach_new(NULL);

    wr64(m, L2(GPU_PWRON), ~0ull); /* panthor_gpu.c:253-318 checks (mask & val) == val */
    wr64(m, GPU_PWRON, ~0ull);
    wr64(m, GPU_PWRON + GPU_DOMAIN_TILER, ~0ull);
    CHECK_EQ(rd64(m, L2(GPU_READY)), 1);
    CHECK_EQ(rd64(m, GPU_READY), 0x50005);
    CHECK_EQ(rd64(m, GPU_READY + GPU_DOMAIN_TILER), 1);
    wr(m, GPU_PWROFF, 0x50000);
    CHECK_EQ(rd64(m, GPU_READY), 0x5);
    wr(m, GPU_PWROFF + 4, ~0u); /* HI acts on its own bits only */
    CHECK_EQ(rd64(m, GPU_READY), 0x5);
    wr(m, GPU_PWRON + 8, ~0u); /* SHADER_PWRFEATURES */
    CHECK_EQ(rd64(m, GPU_READY), 0x5);
    wr(m, GPU_PWRON + 0x30, ~0u); /* no such domain */
}

TEST(power_l2_off_under_a_running_mcu_is_a_violation)
{
    Machine *m = mach_boot();

    CHECK_EQ(ev_count(m, "violation"), 0);
    wr64(m, L2(GPU_PWROFF), 1);
    CHECK_HAS(ev_last(m, "violation"), "\"rule\":\"l2-off\"");
}

TEST(flush_completes_in_any_power_state)
{
    Machine *m = mach_new(NULL);
    uint32_t id = rd(m, LATEST_FLUSH_ID);

    CHECK(id != 0 && !(id >> 24));
    wr(m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300);
    CHECK(rd(m, GPU_INT_BASE) & GPU_IRQ_CLEAN_CACHES_COMPLETED);
    CHECK_EQ(rd(m, LATEST_FLUSH_ID), id + 1);
    CHECK_HAS(ev_last(m, "gpu-cmd"), "\"cmd\":\"FLUSH_CACHES\",\"arg\":563}");
}

TEST(flush_id_wraps_over_zero)
{
    Machine *m = mach_new(NULL);

    m->gpu->s.flush_id = 0xffffff;
    mali_flush_id_next(m->gpu);
    CHECK_EQ(rd(m, LATEST_FLUSH_ID), 1);
}

TEST(flush_never_fault)
{
    Machine *m = mach_new(NULL);

    CHECK(mali_fault_set(m->gpu, "flush-never", 1));
    wr(m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300);
    CHECK_EQ(rd(m, GPU_INT_BASE), 0);
    wr(m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300); /* only one was to be lost */
    CHECK_EQ(rd(m, GPU_INT_BASE), GPU_IRQ_CLEAN_CACHES_COMPLETED);
}

static void check_full_reset(uint32_t kind, const char *name)
{
    Machine *m = mach_boot();
    uint32_t id = rd(m, LATEST_FLUSH_ID);

    wr(m, MMU_INT_BASE + INT_RAWSTAT, 1);
    wr(m, JOB_INT_BASE + INT_RAWSTAT, 1);
    wr64(m, GPU_PWRON, 5);
    as_lock(m, 1, 0, 20);
    mali_gpu_fault(m->gpu, EXC_GPU_BUS_FAULT, 1, 0x1234, MALI_ACC_READ, 0x88);
    wr(m, GPU_INT_BASE + INT_CLEAR, ~0u);
    wr(m, GPU_CMD, GPU_CMD_RESET | kind << 8);
    CHECK_EQ(rd(m, GPU_INT_BASE), GPU_IRQ_RESET_COMPLETED);
    CHECK(m->line[MALI_IRQ_GPU]); /* the masks survive: panthor_gpu.c:388-394 */
    CHECK_EQ(rd(m, GPU_INT_BASE + INT_MASK), 0x00020103);
    CHECK_EQ(rd(m, MMU_INT_BASE + INT_MASK), 0xffff);
    CHECK_EQ(rd(m, JOB_INT_BASE + INT_MASK), ~0u);
    CHECK(!m->line[MALI_IRQ_JOB] && !m->line[MALI_IRQ_MMU]);
    CHECK_EQ(rd(m, MCU_CONTROL), 0);
    CHECK_EQ(rd(m, MCU_STATUS), 0);
    CHECK_EQ(rd64(m, L2(GPU_READY)), 0);
    CHECK_EQ(rd64(m, GPU_READY), 0);
    CHECK_EQ(rd(m, GPU_FAULT_STATUS), 0);
    CHECK_EQ(rd64(m, GPU_FAULT_ADDR), 0);
    CHECK_EQ(rd64(m, AS_REG(0, AS_TRANSTAB)), 0);
    CHECK_EQ(m->gpu->s.as[1].lock_size, 0);
    CHECK_EQ(m->gpu->s.as[0].act_transcfg, 0);
    CHECK_EQ(rd(m, LATEST_FLUSH_ID), id); /* keeps running */
    CHECK_EQ(m->timer, MALI_NEVER);
    CHECK_HAS(ev_last(m, "reset"), name);
}

TEST(reset_soft)
{
    check_full_reset(GPU_RESET_SOFT, "\"kind\":\"soft\"");
}
TEST(reset_hard)
{
    check_full_reset(GPU_RESET_HARD, "\"kind\":\"hard\"");
}

TEST(reset_fast_leaves_protected_mode_and_boots_again)
{
    Machine *m = mach_boot();

    wr(m, GPU_CMD, GPU_CMD_SET_PROTECTED_MODE);
    CHECK_EQ(rd(m, GPU_STATUS), GPU_STATUS_PROTM_ACTIVE);
    wr(m, GPU_CMD, GPU_CMD_RESET);
    CHECK_EQ(rd(m, GPU_STATUS), 0);
    CHECK_EQ(rd64(m, L2(GPU_READY)), 1);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_ENABLED);
    CHECK_EQ(ev_count(m, "mcu-boot"), 2);
    CHECK_HAS(ev_last(m, "mcu-boot"), "\"full\":false");
    CHECK(rd(m, GPU_INT_BASE) & GPU_IRQ_RESET_COMPLETED);
    CHECK_HAS(ev_last(m, "reset"), "\"kind\":\"fast\"");
}

TEST(reset_of_a_cold_gpu_completes)
{
    Machine *m = mach_new(NULL);

    wr(m, GPU_CMD, 0x101);
    CHECK_EQ(rd(m, GPU_INT_BASE), GPU_IRQ_RESET_COMPLETED); /* tyr polls it with MASK 0 */
    wr(m, GPU_CMD, 0x301);
    CHECK_HAS(ev_last(m, "violation"), "RESET of kind 3: unknown");
}

TEST(power_on_reset)
{
    Machine *m = mach_boot();
    uint64_t seq = m->gpu->s.log.seq;

    wr(m, GPU_CMD, GPU_CMD_FLUSH_CACHES);
    CHECK(m->line[MALI_IRQ_GPU]);
    mali_reset(m->gpu);
    CHECK(!m->line[MALI_IRQ_GPU]);
    CHECK_EQ(rd(m, GPU_INT_BASE + INT_MASK), 0);
    CHECK_EQ(rd(m, MCU_STATUS), 0);
    CHECK_EQ(rd64(m, L2(GPU_READY)), 0);
    CHECK_EQ(rd(m, LATEST_FLUSH_ID), 1);
    CHECK_EQ(m->timer, MALI_NEVER);
    CHECK(m->gpu->s.log.seq > seq); /* the log goes on */
}

TEST(gpu_command_unknown)
{
    Machine *m = mach_new(NULL);

    wr(m, GPU_CMD, 2);
    CHECK_HAS(ev_last(m, "violation"), "\"rule\":\"gpu-command\"");
    wr(m, GPU_CMD, 0xff);
    wr(m, GPU_CMD, GPU_CMD_FLUSH_PA_RANGE); /* arch 12 and later */
    CHECK_EQ(ev_count(m, "violation"), 3);
    m = mach_new("g720");
    wr(m, GPU_CMD, GPU_CMD_FLUSH_PA_RANGE);
    CHECK_EQ(rd(m, GPU_INT_BASE), GPU_IRQ_FLUSH_PA_RANGE_DONE);
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(gpu_fault_is_latched_until_cleared)
{
    Machine *m = mach_new(NULL);

    mali_gpu_fault(m->gpu, EXC_GPU_BUS_FAULT, 2, 0x123456789000, MALI_ACC_WRITE, 0x89);
    CHECK_EQ(rd(m, GPU_FAULT_STATUS), 0x00892f80);
    CHECK_EQ(rd64(m, GPU_FAULT_ADDR), 0x123456789000);
    CHECK_EQ(rd(m, GPU_INT_BASE), GPU_IRQ_FAULT);
    mali_gpu_fault(m->gpu, EXC_GPU_BUS_FAULT, 3, 0x1000, MALI_ACC_READ, 0x88);
    CHECK_EQ(rd(m, GPU_FAULT_STATUS), 0x00892f80);
    wr(m, GPU_CMD, GPU_CMD_CLEAR_FAULT);
    CHECK_EQ(rd(m, GPU_FAULT_STATUS), 0);
    CHECK_EQ(rd64(m, GPU_FAULT_ADDR), 0);
    CHECK_EQ(ev_count(m, "gpu-fault"), 2);
}

TEST(cycle_counter_counts_while_enabled)
{
    Machine *m = mach_new(NULL);

    m->now += 1000;
    CHECK_EQ(rd64(m, GPU_CYCLE_COUNT), 0);
    wr(m, GPU_CMD, GPU_CMD_TIME | 1 << 8);
    m->now += 5000000000;
    CHECK_EQ(rd64(m, GPU_CYCLE_COUNT), 4000000000); /* 800 MHz */
    wr(m, GPU_CMD, GPU_CMD_TIME);
    m->now += 5000;
    CHECK_EQ(rd64(m, GPU_CYCLE_COUNT), 4000000000);
    wr(m, GPU_CMD, GPU_CMD_TIME | 1 << 8);
    m->now += 5000;
    CHECK_EQ(rd64(m, GPU_CYCLE_COUNT), 4000004000);
}

TEST(timestamp_is_the_system_counter_plus_offset)
{
    Machine *m = mach_new(NULL);

    CHECK_EQ(rd64(m, GPU_TIMESTAMP), m->now / 16);
    wr64(m, GPU_TIMESTAMP_OFFSET, 0x100000005ull);
    CHECK_EQ(rd64(m, GPU_TIMESTAMP_OFFSET), 0x100000005ull);
    CHECK_EQ(rd64(m, GPU_TIMESTAMP), m->now / 16 + 0x100000005ull);
}
