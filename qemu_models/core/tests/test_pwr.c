/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PWR_CONTROL of arch 14: spec 1.10, panthor_pwr.c. */
#include "machine.h"
#include "t.h"

#define G1      "g1-pro"
#define CORES   0x50005u
#define L2      (PWR_DOMAINS + 0 * PWR_BLOCK)
#define TILER   (PWR_DOMAINS + 1 * PWR_BLOCK)
#define SHADER  (PWR_DOMAINS + 4 * PWR_BLOCK)
#define RESETS  (PWR_STATUS_ALLOW_SOFT_RESET | PWR_STATUS_ALLOW_FAST_RESET)
#define ALLOWED (PWR_STATUS_ALLOW(0) | PWR_STATUS_ALLOW(1) | PWR_STATUS_ALLOW(8) | RESETS)
#define GIVEN   (PWR_STATUS_ALLOW(0) | PWR_STATUS_DELEGATED(1) | PWR_STATUS_DELEGATED(8) | RESETS)
#define CHANGED (PWR_IRQ_POWER_CHANGED | PWR_IRQ_POWER_CHANGED_ALL)

/* The command and the bits it raised. */
static uint32_t cmd(Machine *m, uint32_t type, uint32_t domain, uint64_t arg)
{
    wr(m, PWR_INT_BASE + INT_CLEAR, ~0u);
    wr64(m, PWR_CMDARG, arg);
    CHECK_EQ(rd64(m, PWR_CMDARG), arg);
    wr(m, PWR_COMMAND, domain << 8 | type);
    return rd(m, PWR_INT_BASE + INT_RAWSTAT);
}

/* As panthor_pwr_l2_power_on(): L2, then SHADER and TILER to the MCU. */
static Machine *powered(void)
{
    Machine *m = mach_new(G1);

    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_L2, 1), CHANGED);
    CHECK_EQ(cmd(m, PWR_COMMAND_DELEGATE, PWR_DOMAIN_SHADER, 0), PWR_IRQ_DELEGATION_CHANGED);
    CHECK_EQ(cmd(m, PWR_COMMAND_DELEGATE, PWR_DOMAIN_TILER, 0), PWR_IRQ_DELEGATION_CHANGED);
    return m;
}

static Machine *booted(const FwOpts *o)
{
    Machine *m = powered();

    fw_boot(m, o);
    return m;
}

TEST(pwr_is_of_arch_14_only)
{
    Machine *m = mach_new("g925");

    CHECK_EQ(rd64(m, PWR_STATUS), 0);
    CHECK_EQ(rd64(m, SHADER + PWR_PRESENT), 0);
    wr(m, PWR_COMMAND, PWR_COMMAND_RESET_SOFT);
    CHECK_HAS(ev_last(m, "violation"), "mmio-unknown");
    wr(m, PWR_INT_BASE + INT_RAWSTAT, ~0u);
    wr(m, PWR_INT_BASE + INT_MASK, ~0u);
    CHECK(!m->line[MALI_IRQ_GPU]);
    CHECK_EQ(rd(m, PWR_INT_BASE + INT_RAWSTAT), 0);
}

TEST(pwr_replaces_the_old_registers)
{
    Machine *m = mach_new(G1);

    CHECK_EQ(rd64(m, GPU_PRESENT), 0);
    wr(m, GPU_PWRON + GPU_DOMAIN_L2, 1);
    CHECK_HAS(ev_last(m, "violation"), "power-control");
    CHECK_EQ(rd64(m, L2 + PWR_READY), 0);
    wr(m, GPU_CMD, 0x101);
    CHECK_HAS(ev_last(m, "violation"), "PWR_COMMAND does that");
    CHECK_EQ(rd(m, GPU_INT_BASE), 0);
}

TEST(pwr_domains)
{
    Machine *m = mach_new(G1);

    CHECK_EQ(rd64(m, L2 + PWR_PRESENT), 1);
    CHECK_EQ(rd64(m, TILER + PWR_PRESENT), 1);
    CHECK_EQ(rd64(m, SHADER + PWR_PRESENT), CORES);
    CHECK_EQ(rd64(m, PWR_DOMAINS + 10 * PWR_BLOCK), 0); /* BASE */
    CHECK_EQ(rd64(m, PWR_DOMAINS + 11 * PWR_BLOCK), 0); /* STACK */
    CHECK_EQ(rd64(m, PWR_DOMAINS + 2 * PWR_BLOCK), 0);
    CHECK_EQ(rd64(m, PWR_STATUS), ALLOWED);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_L2, ~0ull), CHANGED);
    CHECK_EQ(rd64(m, L2 + PWR_READY), 1);
    CHECK_EQ(rd64(m, L2 + PWR_PWRTRANS), 0);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_L2, 1), 0); /* nothing changes */
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_SHADER, 0xf), CHANGED);
    CHECK_EQ(rd64(m, SHADER + PWR_READY), 5);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_DOWN, PWR_DOMAIN_SHADER, 1), CHANGED);
    CHECK_EQ(rd64(m, SHADER + PWR_READY), 4);
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(pwr_shares_the_line_of_the_gpu)
{
    Machine *m = mach_new(G1);

    wr(m, PWR_INT_BASE + INT_MASK, ~0u);
    cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_L2, 1);
    CHECK(m->line[MALI_IRQ_GPU]);
    CHECK_EQ(rd(m, PWR_INT_BASE + INT_STAT), CHANGED);
    CHECK_EQ(rd(m, GPU_INT_BASE + INT_RAWSTAT), 0);
    wr(m, PWR_INT_BASE + INT_MASK, 0);
    CHECK(!m->line[MALI_IRQ_GPU]);
    wr(m, GPU_INT_BASE + INT_MASK, ~0u);
    wr(m, GPU_INT_BASE + INT_RAWSTAT, GPU_IRQ_FAULT);
    CHECK(m->line[MALI_IRQ_GPU]);
    wr(m, PWR_INT_BASE + INT_MASK, ~0u);
    wr(m, GPU_INT_BASE + INT_CLEAR, ~0u);
    CHECK(m->line[MALI_IRQ_GPU]);
    wr(m, PWR_INT_BASE + INT_CLEAR, ~0u);
    CHECK(!m->line[MALI_IRQ_GPU]);
}

TEST(pwr_delegated_domains_are_the_mcus)
{
    Machine *m = powered();

    CHECK_EQ(rd64(m, PWR_STATUS), GIVEN);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_SHADER, 1), PWR_IRQ_NOT_ALLOWED);
    CHECK_EQ(cmd(m, PWR_COMMAND_DELEGATE, PWR_DOMAIN_SHADER, 0), PWR_IRQ_NOT_ALLOWED);
    CHECK_EQ(cmd(m, PWR_COMMAND_RETRACT, PWR_DOMAIN_SHADER, 0),
             PWR_IRQ_RETRACT_COMPLETED | PWR_IRQ_DELEGATION_CHANGED);
    CHECK_EQ(cmd(m, PWR_COMMAND_RETRACT, PWR_DOMAIN_SHADER, 0), PWR_IRQ_NOT_ALLOWED);
    CHECK_EQ(rd64(m, PWR_STATUS) & PWR_STATUS_ALLOW(8), PWR_STATUS_ALLOW(8));
}

TEST(pwr_wrong_commands)
{
    static const struct {
        uint32_t type, domain, bits;
    } rows[] = {
        { PWR_COMMAND_DELEGATE, PWR_DOMAIN_L2, PWR_IRQ_NOT_ALLOWED },
        { PWR_COMMAND_POWER_UP, PWR_DOMAIN_SHADER, PWR_IRQ_NOT_ALLOWED }, /* L2 is off */
        { PWR_COMMAND_POWER_UP, PWR_DOMAIN_BASE, PWR_IRQ_INVALID },
        { PWR_COMMAND_POWER_UP, 0x100 | PWR_DOMAIN_TILER, PWR_IRQ_INVALID }, /* a subdomain */
        { PWR_COMMAND_POWER_UP, 0x200 | PWR_DOMAIN_SHADER, PWR_IRQ_INVALID },
        { 0x77, PWR_DOMAIN_L2, PWR_IRQ_INVALID },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Machine *m = mach_new(G1);

        CHECK_EQ(cmd(m, rows[i].type, rows[i].domain, 1), rows[i].bits);
        CHECK_HAS(ev_last(m, "violation"), "pwr-command");
        mach_free_all();
    }
}

TEST(pwr_ray_tracing_unit_is_a_subdomain)
{
    Machine *m = mach_new(G1);

    cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_L2, 1);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_UP, 0x100 | PWR_DOMAIN_SHADER, 1), CHANGED);
}

TEST(pwr_registers_that_are_not_written)
{
    Machine *m = mach_new(G1);

    wr(m, PWR_STATUS, 1);
    CHECK_HAS(ev_last(m, "violation"), "mmio-unknown");
    wr(m, L2 + PWR_READY, 1);
    CHECK_HAS(ev_last(m, "violation"), "mmio-read-only");
    wr(m, PWR_COMMAND + 4, 1); /* the unused half */
    CHECK_EQ(ev_count(m, "pwr-cmd"), 0);
    CHECK_EQ(rd(m, PWR_COMMAND), 0);
    CHECK_EQ(cmd(m, PWR_COMMAND_INSPECT, 0, 0), PWR_IRQ_INSPECT_COMPLETED);
}

/* panthor_pwr_l2_power_off(): an MCU that was only switched off has left its domains on. */
TEST(pwr_off_after_a_hang)
{
    Machine *m = booted(&fw_default);

    CHECK_EQ(rd64(m, SHADER + PWR_READY), CORES);
    CHECK_EQ(rd64(m, TILER + PWR_READY), 1);
    wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(rd64(m, SHADER + PWR_READY), CORES);
    CHECK_EQ(ev_count(m, "violation"), 0);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_DOWN, PWR_DOMAIN_L2, 1), PWR_IRQ_NOT_ALLOWED);
    cmd(m, PWR_COMMAND_RETRACT, PWR_DOMAIN_TILER, 0);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_DOWN, PWR_DOMAIN_TILER, 1), CHANGED);
    cmd(m, PWR_COMMAND_RETRACT, PWR_DOMAIN_SHADER, 0);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_DOWN, PWR_DOMAIN_SHADER, CORES), CHANGED);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_DOWN, PWR_DOMAIN_L2, 1), CHANGED);
}

/* The STATE field of interface 4.1 halts, and the MCU lets go of its domains. */
TEST(pwr_off_after_a_halt)
{
    Machine *m = booted(&(FwOpts){ .version = 0x04010000 });

    glb_level(m, GLB_STATE_MASK, GLB_STATE_HALT << GLB_STATE_SHIFT);
    glb_ring(m);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_HALT);
    CHECK_EQ((glb_ack(m) & GLB_STATE_MASK) >> GLB_STATE_SHIFT, GLB_STATE_HALT);
    CHECK_EQ(rd64(m, SHADER + PWR_READY), 0);
    CHECK_EQ(rd64(m, TILER + PWR_READY), 0);
    wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(cmd(m, PWR_COMMAND_POWER_DOWN, PWR_DOMAIN_L2, 1), CHANGED);
    CHECK_EQ(rd64(m, PWR_STATUS), GIVEN); /* for the next time */
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(pwr_mcu_without_its_domains)
{
    Machine *m = mach_new(G1);

    cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_L2, 1);
    cmd(m, PWR_COMMAND_DELEGATE, PWR_DOMAIN_SHADER, 0);
    fw_map(m, &fw_default);
    fw_load(m, &fw_default);
    as_enable(m, 0, m->mcu_root);
    CHECK(fw_start(m));
    CHECK_HAS(ev_last(m, "violation"), "pwr-undelegated");
    CHECK_HAS(ev_last(m, "violation"), "TILER");
}

TEST(pwr_soft_reset)
{
    Machine *m = booted(&fw_default);

    wr(m, PWR_INT_BASE + INT_MASK, PWR_IRQ_RESET_COMPLETED);
    CHECK_EQ(cmd(m, PWR_COMMAND_RESET_SOFT, 0, 0), PWR_IRQ_RESET_COMPLETED);
    CHECK(m->line[MALI_IRQ_GPU]);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_DISABLED);
    CHECK_EQ(rd64(m, L2 + PWR_READY) | rd64(m, SHADER + PWR_READY), 0);
    CHECK_EQ(rd64(m, PWR_STATUS), ALLOWED);
    CHECK_HAS(ev_last(m, "reset"), "soft");
}

TEST(pwr_fast_reset_boots_the_mcu_again)
{
    Machine *m = booted(&fw_default);

    CHECK_EQ(cmd(m, PWR_COMMAND_RESET_FAST, 0, 0), PWR_IRQ_RESET_COMPLETED);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_ENABLED);
    CHECK_EQ(rd64(m, SHADER + PWR_READY), CORES);
}

TEST(pwr_delegate_fault)
{
    Machine *m = mach_new(G1);

    CHECK(mali_fault_set(m->gpu, "pwr-delegate-never", 1));
    cmd(m, PWR_COMMAND_POWER_UP, PWR_DOMAIN_L2, 1);
    CHECK_EQ(cmd(m, PWR_COMMAND_DELEGATE, PWR_DOMAIN_SHADER, 0), 0);
    CHECK_EQ(rd64(m, PWR_STATUS), ALLOWED);
}

/* panthor_fw.c:333-356: the priority is in the 64-bit field from interface 4.0 on. */
TEST(pwr_era_endpoint_request)
{
    static const uint32_t versions[] = { 0x03ffffff, 0x04000000 };

    for (unsigned i = 0; i < 2; i++) {
        Machine *m = booted(&(FwOpts){ .version = versions[i] });
        TGroup g;

        grp_new(m, &g, 1, 4096);
        mcu_w32(m, FW_CSG_IN_VA(0) + CSG_IN_ENDPOINT_REQ2, 7u << 28);
        grp_bind(m, &g, 0, 1, CSG_STATE_START);
        CHECK_EQ(m->gpu->s.csg[0].prio == 7, i == 1);
        mach_free_all();
    }
}
