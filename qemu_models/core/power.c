/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: GPU_CMD, resets, cache flushes, power domains, time.
 *
 * Spec 1.4, 1.6, 1.8, 1.9. Everything completes in the register write (spec 0.3).
 */
#include "mali_int.h"

#include <string.h>

#define CORE_HZ UINT64_C(800000000) /* clock of the device-tree node, spec appendix A */

/* ---- cycle counter ---- */
uint64_t mali_cycle_count(MaliGpu *g)
{
    uint64_t ns = g->s.cycles_sum_ns;

    if (g->s.cycles_on) {
        ns += g->ops.now_ns(g->opaque) - g->s.cycles_base_ns;
    }
    return ns / 1000000000 * CORE_HZ + ns % 1000000000 * CORE_HZ / 1000000000;
}

void mali_cycles_enable(MaliGpu *g, uint32_t source, bool on)
{
    uint64_t now = g->ops.now_ns(g->opaque);

    if (g->s.cycles_on) {
        g->s.cycles_sum_ns += now - g->s.cycles_base_ns;
    }
    g->s.cycles_base_ns = now;
    g->s.cycles_on = on ? g->s.cycles_on | source : g->s.cycles_on & ~source;
}

/* ---- caches ---- */
/* 0 means "always flush" to user space and must never appear; 31:24 stay 0 (spec 1.8). */
void mali_flush_id_next(MaliGpu *g)
{
    g->s.flush_id = (g->s.flush_id + 1) & LATEST_FLUSH_ID_MASK;
    if (!g->s.flush_id) {
        g->s.flush_id = 1;
    }
}

/* No condition on power or MCU: the driver flushes with L2 off at unload (pitfall 20). */
void mali_flush_done(MaliGpu *g)
{
    bool wrong = mali_fault_hit(g, MALI_FAULT_FLUSH_WRONG);

    mali_flush_id_next(g);
    mali_irq_raise(g, MALI_IRQ_GPU,
                   wrong ? GPU_IRQ_RESET_COMPLETED : GPU_IRQ_CLEAN_CACHES_COMPLETED);
}

static void cmd_flush_caches(MaliGpu *g, uint32_t arg)
{
    (void)arg;
    if (mali_fault_hit(g, MALI_FAULT_FLUSH_NEVER) ||
        mali_late(g, MALI_LATE_FLUSH, MALI_FAULT_FLUSH_LATE, 0)) {
        return;
    }
    mali_flush_done(g);
}

static void cmd_flush_pa_range(MaliGpu *g, uint32_t arg)
{
    (void)arg;
    if (mali_arch_major(g->row) < 12) {
        mali_violation(g, "gpu-command", "FLUSH_PA_RANGE on arch %u", mali_arch_major(g->row));
        return;
    }
    (void)arg;
    mali_flush_id_next(g);
    mali_irq_raise(g, MALI_IRQ_GPU, GPU_IRQ_FLUSH_PA_RANGE_DONE);
}

/* ---- resets ---- */
static void ev_power(MaliGpu *g, const char *domain, uint64_t ready)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "power");
    mali_ev_str(&e, "domain", domain);
    mali_ev_u64(&e, "ready", ready);
    mali_ev_end(&e);
}

void mali_power_set(MaliGpu *g, const char *domain, uint64_t *ready, uint64_t val)
{
    if (*ready != val) {
        *ready = val;
        ev_power(g, domain, val);
    }
}

/* FAST only leaves protected mode; in AUTO the MCU then boots again (spec 4.12). */
static void reset_fast(MaliGpu *g)
{
    bool reboot = g->s.mcu_control == MCU_CONTROL_AUTO;

    mali_mcu_stop(g);
    if (reboot) {
        mali_mcu_control(g, MCU_CONTROL_AUTO);
    }
}

/*
 * SOFT and HARD. The INT_MASKs and GPU RAWSTAT survive: the driver waits for the
 * reset's own interrupt across it (panthor_gpu.c:388-394).
 */
static void reset_full(MaliGpu *g)
{
    g->s.pwr_delegated = 0;
    g->s.mcu_control = MCU_CONTROL_DISABLE;
    mali_mcu_stop(g);
    mali_mmu_reset(g);
    mali_power_set(g, "shader", &g->s.shader_ready, 0);
    mali_power_set(g, "tiler", &g->s.tiler_ready, 0);
    mali_power_set(g, "l2", &g->s.l2_ready, 0);
    g->s.gpu_status = 0;
    g->s.gpu_fault_status = 0;
    g->s.gpu_fault_addr = 0;
    mali_cycles_enable(g, ~0u, false);
    g->s.cycles_sum_ns = 0;
    memset(g->s.scratch, 0, sizeof(g->s.scratch));
    g->s.job_irq.rawstat = 0;
    g->s.mmu_irq.rawstat = 0;
}

void mali_log_reset(MaliGpu *g, const char *kind)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "reset");
    mali_ev_str(&e, "kind", kind);
    mali_ev_end(&e);
}

void mali_gpu_reset(MaliGpu *g, uint32_t kind)
{
    static const char *const kinds[] = { "fast", "soft", "hard" };

    g->s.counter[MALI_CNT_RESETS]++;
    mali_log_reset(g, kinds[kind]);
    mali_late_drop(g);
    mali_protm_drop(g, "reset");
    if (kind == GPU_RESET_FAST) {
        reset_fast(g);
    } else {
        reset_full(g);
    }
}

static void cmd_reset(MaliGpu *g, uint32_t arg)
{
    if (arg > GPU_RESET_HARD || mali_has_pwr(g)) {
        mali_violation(g, "gpu-command", "RESET of kind %u: %s", arg,
                       mali_has_pwr(g) ? "PWR_COMMAND does that" : "unknown");
        return;
    }
    mali_gpu_reset(g, arg);
    if (!mali_fault_hit(g, MALI_FAULT_RESET_NEVER) &&
        !mali_late(g, MALI_LATE_RESET, MALI_FAULT_RESET_LATE, 0)) {
        bool wrong = mali_fault_hit(g, MALI_FAULT_RESET_WRONG);

        mali_irq_raise(g, MALI_IRQ_GPU,
                       wrong ? GPU_IRQ_CLEAN_CACHES_COMPLETED : GPU_IRQ_RESET_COMPLETED);
    }
    mali_timer_rearm(g);
}

/* ---- other commands ---- */
static void cmd_time(MaliGpu *g, uint32_t arg)
{
    mali_cycles_enable(g, MALI_CYCLES_BY_CMD, arg & 1);
}

static void cmd_set_protected(MaliGpu *g, uint32_t arg)
{
    (void)arg;
    g->s.gpu_status |= GPU_STATUS_PROTM_ACTIVE;
}

static void cmd_clear_fault(MaliGpu *g, uint32_t arg)
{
    (void)arg;
    g->s.gpu_fault_status = 0;
    g->s.gpu_fault_addr = 0;
}

static void cmd_nothing(MaliGpu *g, uint32_t arg)
{
    (void)g;
    (void)arg;
}

static const struct GpuCommand {
    const char *name;
    void (*run)(MaliGpu *g, uint32_t arg);
} commands[] = {
    [GPU_CMD_NOP] = { "NOP", cmd_nothing },
    [GPU_CMD_RESET] = { "RESET", cmd_reset },
    [GPU_CMD_TIME] = { "TIME", cmd_time },
    [GPU_CMD_FLUSH_CACHES] = { "FLUSH_CACHES", cmd_flush_caches },
    [GPU_CMD_SET_PROTECTED_MODE] = { "SET_PROTECTED_MODE", cmd_set_protected },
    [GPU_CMD_FINISH_HALT] = { "FINISH_HALT", cmd_nothing },
    [GPU_CMD_CLEAR_FAULT] = { "CLEAR_FAULT", cmd_clear_fault },
    [GPU_CMD_FLUSH_PA_RANGE] = { "FLUSH_PA_RANGE", cmd_flush_pa_range },
};

void mali_gpu_command(MaliGpu *g, uint32_t cmd)
{
    uint32_t type = GPU_CMD_TYPE(cmd), arg = GPU_CMD_PAYLOAD(cmd);
    MaliEvent e;

    if (type >= sizeof(commands) / sizeof(commands[0]) || !commands[type].run) {
        mali_violation(g, "gpu-command", "unknown command 0x%x", cmd);
        return;
    }
    mali_ev_begin(&e, g, "gpu-cmd");
    mali_ev_str(&e, "cmd", commands[type].name);
    mali_ev_u64(&e, "arg", arg);
    mali_ev_end(&e);
    commands[type].run(g, arg);
}

/* ---- power domains ---- */
static uint64_t *domain(MaliGpu *g, uint32_t offset, uint64_t *present, const char **name)
{
    switch (offset & 0x30) {
    case GPU_DOMAIN_SHADER:
        *present = g->row->shader_present;
        *name = "shader";
        return &g->s.shader_ready;
    case GPU_DOMAIN_TILER:
        *present = 1;
        *name = "tiler";
        return &g->s.tiler_ready;
    case GPU_DOMAIN_L2:
        *present = 1; /* other values only print a note in the driver (panthor_gpu.c:298-311) */
        *name = "l2";
        return &g->s.l2_ready;
    default: return NULL;
    }
}

/* PRESENT, READY, PWRTRANS and PWRACTIVE of the three domains. */
uint32_t mali_power_read(MaliGpu *g, uint32_t offset)
{
    unsigned shift = offset & 4 ? 32 : 0;
    uint64_t present, *ready;
    const char *name;

    ready = domain(g, offset, &present, &name);
    if (!ready || offset & 8 || mali_has_pwr(g)) {
        return 0;
    }
    switch (offset & ~0x3fu) {
    case GPU_PRESENT: return (uint32_t)(present >> shift);
    case GPU_READY:
        if (ready == &g->s.l2_ready && *ready && mali_fault_hit(g, MALI_FAULT_L2_WRONG)) {
            return shift ? 0 : 2;
        }
        return (uint32_t)(*ready >> shift);
    default: /* transitions are over at once */ return 0;
    }
}

/*
 * Losing L2 takes a failed MCU out of FATAL (U): the driver's way from a failed fast
 * boot to a slow one is L2 off and on and MCU_CONTROL=AUTO, without a DISABLE in
 * between (panthor_device.c:474-531).
 */
void mali_l2_set(MaliGpu *g, uint64_t val)
{
    if (val) {
        g->s.counter[MALI_CNT_POWER_ONS]++;
    } else if (g->s.mcu_status == MCU_STATUS_ENABLED) {
        mali_violation(g, "l2-off", "L2 powered off while the MCU runs");
    } else if (g->s.mcu_status == MCU_STATUS_FATAL) {
        mali_mcu_stop(g);
    }
    mali_power_set(g, "l2", &g->s.l2_ready, val);
}

/* LO and HI act on their own (pitfall 23). */
void mali_power_write(MaliGpu *g, uint32_t offset, uint32_t val)
{
    uint64_t present, val64 = (uint64_t)val << (offset & 4 ? 32 : 0);
    const char *name;
    uint64_t *ready = domain(g, offset, &present, &name);

    if (mali_has_pwr(g)) {
        mali_violation(g, "power-control", "write of 0x%x to 0x%x: PWR_COMMAND does that", val,
                       offset);
        return;
    }
    if (!ready || offset & 8) {
        return;
    }
    bool on = (offset & ~0x3fu) == GPU_PWRON;
    uint64_t next = on ? *ready | (val64 & present) : *ready & ~val64;

    if (next == *ready) {
        return;
    }
    if (ready == &g->s.l2_ready) {
        if (on && (mali_fault_hit(g, MALI_FAULT_L2_NEVER) ||
                   mali_late(g, MALI_LATE_L2, MALI_FAULT_L2_LATE, val))) {
            return;
        }
        mali_l2_set(g, next);
    } else {
        mali_power_set(g, name, ready, next);
    }
    mali_irq_raise(g, MALI_IRQ_GPU, GPU_IRQ_POWER_CHANGED | GPU_IRQ_POWER_CHANGED_ALL);
}
