/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: PWR_CONTROL, which replaces the power registers and the reset
 * commands of GPU_CONTROL from arch 14 on (spec 1.10; panthor_pwr.c).
 *
 * A domain belongs to the host or, delegated, to the MCU; only its owner powers it.
 * Decisions: L2 is the host's for ever and always allowed; TILER and SHADER are allowed
 * while not delegated. The MCU powers what is delegated to it when it boots and lets go
 * when it halts; one that is just switched off leaves it on, which is why the driver
 * retracts and powers down before L2 (panthor_pwr.c:418-436). BASE and STACK are not
 * there. Everything completes in the register write (spec 0.3).
 */
#include "mali_int.h"

#define RAY_TRAVERSAL MALI_BIT(5) /* of GPU_FEATURES */

typedef struct Domain {
    const char *name;
    uint64_t present, *ready;
} Domain;

bool mali_has_pwr(const MaliGpu *g)
{
    return mali_arch_major(g->row) >= 14;
}

static bool domain(MaliGpu *g, uint32_t number, Domain *d)
{
    switch (number) {
    case PWR_DOMAIN_L2: *d = (Domain){ "l2", 1, &g->s.l2_ready }; return true;
    case PWR_DOMAIN_TILER: *d = (Domain){ "tiler", 1, &g->s.tiler_ready }; return true;
    case PWR_DOMAIN_SHADER:
        *d = (Domain){ "shader", g->row->shader_present, &g->s.shader_ready };
        return true;
    default: return false;
    }
}

/* ---- registers ---- */
static uint64_t status(const MaliGpu *g)
{
    uint64_t allowed = (PWR_STATUS_ALLOW(PWR_DOMAIN_L2) | MALI_PWR_DELEGABLE) & ~g->s.pwr_delegated;

    return allowed | g->s.pwr_delegated << 16 | PWR_STATUS_ALLOW_SOFT_RESET |
           PWR_STATUS_ALLOW_FAST_RESET;
}

/* The blocks of domains 0 to 3, then those of 8 to 15. */
static uint64_t domain_read(MaliGpu *g, uint32_t offset)
{
    uint32_t n = (offset - PWR_DOMAINS) / PWR_BLOCK;
    Domain d;

    if (!domain(g, n < 4 ? n : n + 4, &d)) {
        return 0;
    }
    switch (offset & (PWR_BLOCK - 8)) {
    case PWR_PRESENT: return d.present;
    case PWR_READY: return *d.ready;
    default: return 0; /* transitions are over at once */
    }
}

uint32_t mali_pwr_read(MaliGpu *g, uint32_t offset)
{
    uint64_t v = 0;

    if (!mali_has_pwr(g)) {
        return 0;
    }
    if (offset >= PWR_DOMAINS) {
        v = domain_read(g, offset);
    } else if (offset < PWR_COMMAND) {
        v = status(g);
    } else if (offset >= PWR_CMDARG) {
        v = g->s.pwr_arg;
    }
    return (uint32_t)(v >> (offset & 4 ? 32 : 0));
}

/* ---- commands: the bits to raise ---- */
static uint32_t power(MaliGpu *g, uint32_t number, const Domain *d, bool up)
{
    uint64_t next = up ? *d->ready | (g->s.pwr_arg & d->present) : *d->ready & ~g->s.pwr_arg;
    bool is_l2 = number == PWR_DOMAIN_L2;

    if (g->s.pwr_delegated & MALI_BIT64(number)) {
        return PWR_IRQ_NOT_ALLOWED;
    }
    if (is_l2 ? !up && (g->s.tiler_ready | g->s.shader_ready) : up && !g->s.l2_ready) {
        return PWR_IRQ_NOT_ALLOWED; /* what hangs on L2 goes on after it and off before it */
    }
    if (next == *d->ready) {
        return 0;
    }
    if (is_l2) {
        mali_l2_set(g, next);
    } else {
        mali_power_set(g, d->name, d->ready, next);
    }
    return PWR_IRQ_POWER_CHANGED | PWR_IRQ_POWER_CHANGED_ALL;
}

static uint32_t delegate(MaliGpu *g, uint32_t number)
{
    uint64_t bit = MALI_BIT64(number);

    if (!(MALI_PWR_DELEGABLE & bit) || g->s.pwr_delegated & bit) {
        return PWR_IRQ_NOT_ALLOWED;
    }
    g->s.pwr_delegated |= bit;
    return PWR_IRQ_DELEGATION_CHANGED;
}

static uint32_t retract(MaliGpu *g, uint32_t number)
{
    uint64_t bit = MALI_BIT64(number);

    if (!(g->s.pwr_delegated & bit)) {
        return PWR_IRQ_NOT_ALLOWED;
    }
    g->s.pwr_delegated &= ~bit;
    return PWR_IRQ_RETRACT_COMPLETED | PWR_IRQ_DELEGATION_CHANGED;
}

static uint32_t for_domain(MaliGpu *g, uint32_t cmd)
{
    uint32_t number = PWR_COMMAND_DOMAIN(cmd), sub = PWR_COMMAND_SUBDOMAIN(cmd);
    bool rtu = number == PWR_DOMAIN_SHADER && g->row->gpu_features & RAY_TRAVERSAL;
    Domain d;

    if (!domain(g, number, &d) || sub & ~(rtu ? PWR_SUBDOMAIN_RTU : 0)) {
        return PWR_IRQ_INVALID;
    }
    switch (PWR_COMMAND_TYPE(cmd)) {
    case PWR_COMMAND_POWER_UP: return power(g, number, &d, true);
    case PWR_COMMAND_POWER_DOWN: return power(g, number, &d, false);
    case PWR_COMMAND_DELEGATE: return delegate(g, number);
    case PWR_COMMAND_RETRACT: return retract(g, number);
    default: return PWR_IRQ_INVALID;
    }
}

static uint32_t run(MaliGpu *g, uint32_t cmd)
{
    switch (PWR_COMMAND_TYPE(cmd)) {
    case PWR_COMMAND_RESET_SOFT: mali_gpu_reset(g, GPU_RESET_SOFT); return PWR_IRQ_RESET_COMPLETED;
    case PWR_COMMAND_RESET_FAST: mali_gpu_reset(g, GPU_RESET_FAST); return PWR_IRQ_RESET_COMPLETED;
    case PWR_COMMAND_INSPECT: return PWR_IRQ_INSPECT_COMPLETED;
    default: return for_domain(g, cmd);
    }
}

/* ---- the fault plan: late, wrong and never of each sort of command ---- */
typedef struct PwrFaults {
    MaliFault late, wrong, never;
} PwrFaults;

static PwrFaults faults_of(uint32_t cmd)
{
    switch (PWR_COMMAND_TYPE(cmd)) {
    case PWR_COMMAND_RESET_SOFT:
    case PWR_COMMAND_RESET_FAST:
        return (PwrFaults){ MALI_FAULT_PWR_RESET_LATE, MALI_FAULT_PWR_RESET_WRONG,
                            MALI_FAULT_PWR_RESET_NEVER };
    case PWR_COMMAND_DELEGATE:
        return (PwrFaults){ MALI_FAULT_PWR_DELEGATE_LATE, MALI_FAULT_PWR_DELEGATE_WRONG,
                            MALI_FAULT_PWR_DELEGATE_NEVER };
    case PWR_COMMAND_RETRACT:
        return (PwrFaults){ MALI_FAULT_PWR_RETRACT_LATE, MALI_FAULT_PWR_RETRACT_WRONG,
                            MALI_FAULT_PWR_RETRACT_NEVER };
    default:
        return (PwrFaults){ MALI_FAULT_PWR_POWER_LATE, MALI_FAULT_PWR_POWER_WRONG,
                            MALI_FAULT_PWR_POWER_NEVER };
    }
}

static void command(MaliGpu *g, uint32_t cmd)
{
    PwrFaults f = faults_of(cmd);
    MaliEvent e;
    uint32_t bits;

    if (mali_late(g, MALI_LATE_PWR, f.late, cmd)) {
        return;
    }

    mali_ev_begin(&e, g, "pwr-cmd");
    mali_ev_u64(&e, "cmd", PWR_COMMAND_TYPE(cmd));
    mali_ev_u64(&e, "domain", PWR_COMMAND_DOMAIN(cmd));
    mali_ev_u64(&e, "arg", g->s.pwr_arg);
    mali_ev_end(&e);
    if (mali_fault_hit(g, f.never)) {
        return;
    }
    if (mali_fault_hit(g, f.wrong)) {
        mali_irq_raise(g, MALI_IRQ_PWR, PWR_IRQ_NOT_ALLOWED);
        return;
    }
    bits = run(g, cmd);
    if (bits & (PWR_IRQ_NOT_ALLOWED | PWR_IRQ_INVALID)) {
        mali_violation(g, "pwr-command", "PWR_COMMAND 0x%x is %s", cmd,
                       bits & PWR_IRQ_INVALID ? "unknown" : "not allowed now");
    }
    mali_irq_raise(g, MALI_IRQ_PWR, bits);
    mali_timer_rearm(g);
}

void mali_pwr_write(MaliGpu *g, uint32_t offset, uint32_t val)
{
    if (!mali_has_pwr(g) || offset < PWR_COMMAND) {
        mali_violation(g, "mmio-unknown", "write of 0x%x to 0x%x", val, offset);
    } else if (offset == PWR_COMMAND) {
        command(g, val);
    } else if (offset == PWR_CMDARG) {
        g->s.pwr_arg = (g->s.pwr_arg & ~UINT64_C(0xffffffff)) | val;
    } else if (offset == PWR_CMDARG + 4) {
        g->s.pwr_arg = (g->s.pwr_arg & 0xffffffffu) | (uint64_t)val << 32;
    }
}

/* ---- the MCU's side ---- */
void mali_pwr_mcu(MaliGpu *g, bool on)
{
    if (!mali_has_pwr(g)) {
        return;
    }
    if (on && g->s.pwr_delegated != MALI_PWR_DELEGABLE) {
        mali_violation(g, "pwr-undelegated", "the MCU boots without power over %s",
                       g->s.pwr_delegated & MALI_BIT64(PWR_DOMAIN_SHADER) ? "TILER" : "SHADER");
    }
    if (g->s.pwr_delegated & MALI_BIT64(PWR_DOMAIN_SHADER)) {
        mali_power_set(g, "shader", &g->s.shader_ready, on ? g->row->shader_present : 0);
    }
    if (g->s.pwr_delegated & MALI_BIT64(PWR_DOMAIN_TILER)) {
        mali_power_set(g, "tiler", &g->s.tiler_ready, on);
    }
}
