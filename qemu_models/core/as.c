/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: address-space registers, commands and fault records.
 *
 * Spec 1.7, 2.3, 2.4 and the corrections at its head: translations really stay
 * cached until a command drops them, so that a driver that forgets one is caught.
 */
#include "mali_int.h"

#include <string.h>

#define LOCK_MIN_LOG2 15 /* panthor_mmu.c:570-597 */
#define LOCK_MIN      (UINT64_C(1) << LOCK_MIN_LOG2)

static uint64_t *reg64(MaliAs *a, uint32_t reg)
{
    switch (reg & ~4u) {
    case AS_TRANSTAB: return &a->transtab;
    case AS_MEMATTR: return &a->memattr;
    case AS_LOCKADDR: return &a->lockaddr;
    case AS_TRANSCFG: return &a->transcfg;
    default: return NULL;
    }
}

static bool as_active(const MaliGpu *g, unsigned as)
{
    return g->s.as[as].held || (g->s.as_stuck >> as & 1) ||
           mali_late_pending(g, (MaliLate)(MALI_LATE_AS + as));
}

uint32_t mali_as_read(MaliGpu *g, unsigned as, uint32_t reg)
{
    MaliAs *a = &g->s.as[as];
    const uint64_t *p = reg64(a, reg);

    if (p) {
        return (uint32_t)(*p >> (reg & 4 ? 32 : 0));
    }
    switch (reg) {
    case AS_FAULTSTATUS: return a->fault_status;
    case AS_FAULTADDRESS: return (uint32_t)a->fault_addr;
    case AS_FAULTADDRESS + 4: return (uint32_t)(a->fault_addr >> 32);
    /* Commands complete in their write (spec 0.3), but for those protected mode holds back. */
    case AS_STATUS: return as_active(g, as) ? AS_STATUS_ACTIVE : 0;
    default: return 0;
    }
}

static void tlb_drop(MaliAs *a)
{
    memset(a->tlb, 0, sizeof(a->tlb));
}

static void tlb_drop_locked(MaliAs *a)
{
    for (unsigned i = 0; i < MALI_TLB_SIZE; i++) {
        if (a->lock_size && a->tlb[i].va - a->lock_base < a->lock_size) {
            a->tlb[i].valid = 0;
        }
    }
}

static void unlock(MaliAs *a)
{
    a->lock_base = 0;
    a->lock_size = 0;
}

/* The range is [base & ~(size-1), +size) with size = 2^(field+1). */
static void lock_range(const MaliAs *a, uint64_t *base, uint64_t *size)
{
    unsigned width = a->lockaddr & 63;

    if (width >= 47) { /* all of the 48-bit space: also keeps the shift defined */
        *base = 0;
        *size = UINT64_MAX;
        return;
    }
    *size = UINT64_C(2) << width;
    *size = *size < LOCK_MIN ? LOCK_MIN : *size;
    *base = a->lockaddr & ~(*size - 1);
}

static void check_config(MaliGpu *g, unsigned as)
{
    const MaliAs *a = &g->s.as[as];
    unsigned mode = AS_TRANSCFG_MODE(a->transcfg);

    if (mode != AS_TRANSCFG_UNMAPPED && mode != AS_TRANSCFG_IDENTITY &&
        mode != AS_TRANSCFG_AARCH64_4K) {
        mali_violation(g, "as-transcfg", "AS %u: mode %u", as, mode);
    }
    if (mode == AS_TRANSCFG_AARCH64_4K && (a->transtab & 0xfff || !a->transtab)) {
        mali_violation(g, "as-transtab", "AS %u: 0x%llx", as, (unsigned long long)a->transtab);
    }
}

static void cmd_update(MaliGpu *g, unsigned as)
{
    MaliAs *a = &g->s.as[as];

    check_config(g, as);
    a->act_transtab = a->transtab;
    a->act_memattr = a->memattr;
    a->act_transcfg = a->transcfg;
    tlb_drop(a);
    unlock(a);
    mali_csg_as_updated(g, as);
}

static void cmd_lock(MaliGpu *g, unsigned as)
{
    MaliAs *a = &g->s.as[as];

    bool lost = a->lock_lost;

    a->lock_staged = a->lock_lost = 0;
    if (lost) {
        mali_known_issue(g, "lock-across-reset", as);
    } else if ((a->lockaddr & 63) + 1 < LOCK_MIN_LOG2) {
        mali_violation(g, "as-lock-size", "AS %u: LOCKADDR 0x%llx", as,
                       (unsigned long long)a->lockaddr);
    }
    lock_range(a, &a->lock_base, &a->lock_size);
    tlb_drop_locked(a);
}

static void cmd_unlock(MaliGpu *g, unsigned as)
{
    tlb_drop_locked(&g->s.as[as]);
    unlock(&g->s.as[as]);
    mali_csg_as_updated(g, as);
}

/* tyr relies on FLUSH_PT to unlock: tyr mmu/address_space.rs:424-428. */
static void cmd_flush(MaliGpu *g, unsigned as)
{
    tlb_drop(&g->s.as[as]);
    unlock(&g->s.as[as]);
    mali_csg_as_updated(g, as);
}

static void cmd_nop(MaliGpu *g, unsigned as)
{
    (void)g;
    (void)as;
}

static const struct AsCommand {
    const char *name;
    void (*run)(MaliGpu *g, unsigned as);
} commands[] = {
    [AS_COMMAND_NOP] = { "NOP", cmd_nop },
    [AS_COMMAND_UPDATE] = { "UPDATE", cmd_update },
    [AS_COMMAND_LOCK] = { "LOCK", cmd_lock },
    [AS_COMMAND_UNLOCK] = { "UNLOCK", cmd_unlock },
    [AS_COMMAND_FLUSH_PT] = { "FLUSH_PT", cmd_flush },
    [AS_COMMAND_FLUSH_MEM] = { "FLUSH_MEM", cmd_flush },
};

static void command(MaliGpu *g, unsigned as, uint32_t cmd)
{
    MaliAs *a = &g->s.as[as];
    MaliEvent e;

    if (cmd >= sizeof(commands) / sizeof(commands[0])) {
        mali_violation(g, "as-command", "AS %u: unknown command %u", as, cmd);
        return;
    }
    if (g->s.gpu_status & GPU_STATUS_PROTM_ACTIVE) { /* spec 4.12 */
        mali_violation(g, "as-command-in-protm", "AS %u: %s", as, commands[cmd].name);
        a->held = cmd + 1;
        return;
    }
    if (mali_fault_hit(g, MALI_FAULT_AS_NEVER)) {
        g->s.as_stuck |= MALI_BIT(as);
    }
    if ((g->s.as_stuck >> as & 1) ||
        mali_late(g, (MaliLate)(MALI_LATE_AS + as), MALI_FAULT_AS_LATE, cmd)) {
        return;
    }
    /* Before the run: what it sets off (a stream that wakes or dies) logs behind it. */
    mali_ev_begin(&e, g, "as-cmd");
    mali_ev_u64(&e, "as", as);
    mali_ev_str(&e, "cmd", commands[cmd].name);
    if (cmd == AS_COMMAND_LOCK) {
        uint64_t base, size;

        lock_range(a, &base, &size);
        mali_ev_u64(&e, "base", base);
        mali_ev_u64(&e, "size", size);
    } else if (cmd == AS_COMMAND_UPDATE) {
        mali_ev_u64(&e, "base", a->transtab);
        mali_ev_u64(&e, "mode", AS_TRANSCFG_MODE(a->transcfg));
    }
    mali_ev_end(&e);
    if (!mali_fault_hit(g, MALI_FAULT_AS_WRONG)) {
        commands[cmd].run(g, as);
    }
    mali_irq_raise(g, MALI_IRQ_MMU, MMU_INT_COMMAND(as));
}

void mali_as_resume(MaliGpu *g)
{
    for (unsigned i = 0; i < MALI_NUM_AS; i++) {
        uint32_t held = g->s.as[i].held;

        g->s.as[i].held = 0;
        if (held) {
            command(g, i, held - 1);
        }
    }
}

void mali_as_write(MaliGpu *g, unsigned as, uint32_t reg, uint32_t val)
{
    uint64_t *p = reg64(&g->s.as[as], reg);

    if ((reg & ~4u) == AS_LOCKADDR) {
        g->s.as[as].lock_staged = 1;
        if (reg == AS_LOCKADDR) { /* the first half: with the second alone the range is lost */
            g->s.as[as].lock_lost = 0;
        }
    }
    if (p) {
        *p =
            reg & 4 ? (*p & 0xffffffffu) | (uint64_t)val << 32 : (*p & ~UINT64_C(0xffffffff)) | val;
    } else if (reg == AS_COMMAND) {
        command(g, as, val);
    }
}

void mali_mmu_reset(MaliGpu *g)
{
    for (unsigned i = 0; i < MALI_NUM_AS; i++) {
        MaliAs *a = &g->s.as[i];
        bool lost = a->lock_staged || a->lock_lost;

        memset(a, 0, sizeof(*a));
        a->lock_lost = lost;
    }
}

static const char *access_name(MaliAccess acc)
{
    static const char *const names[] = { "atomic", "exec", "read", "write" };

    return names[acc & 3];
}

void mali_mmu_fault(MaliGpu *g, unsigned as, uint64_t va, MaliAccess acc, uint32_t code,
                    uint32_t source)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "mmu-fault");
    mali_ev_u64(&e, "as", as);
    mali_ev_u64(&e, "va", va);
    mali_ev_u64(&e, "code", code);
    mali_ev_str(&e, "access", access_name(acc));
    mali_ev_u64(&e, "source", source);
    mali_ev_end(&e);
    if (as >= MALI_NUM_AS) {
        return; /* no such registers: only the log knows */
    }
    /* The first unhandled record stays (spec 2.4): the driver reads it before it clears the bit. */
    if (!(g->s.mmu_irq.rawstat & MMU_INT_FAULT(as))) {
        g->s.as[as].fault_status =
            (code & 0xff) | AS_FAULTSTATUS_ACCESS(acc) | AS_FAULTSTATUS_SOURCE(source);
        g->s.as[as].fault_addr = va;
    }
    mali_irq_raise(g, MALI_IRQ_MMU, MMU_INT_FAULT(as));
}

void mali_gpu_fault(MaliGpu *g, uint32_t code, unsigned as, uint64_t addr, MaliAccess acc,
                    uint32_t source)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "gpu-fault");
    mali_ev_u64(&e, "code", code);
    mali_ev_u64(&e, "as", as);
    mali_ev_u64(&e, "addr", addr);
    mali_ev_str(&e, "access", access_name(acc));
    mali_ev_u64(&e, "source", source);
    mali_ev_end(&e);
    if (!g->s.gpu_fault_status) { /* latched until CLEAR_FAULT (spec 1.2) */
        g->s.gpu_fault_status = (code & 0xff) | AS_FAULTSTATUS_ACCESS(acc) | GPU_FAULT_ADDR_VALID |
                                GPU_FAULT_JASID_VALID | GPU_FAULT_JASID(as & 15) |
                                AS_FAULTSTATUS_SOURCE(source);
        g->s.gpu_fault_addr = addr;
    }
    mali_irq_raise(g, MALI_IRQ_GPU, g->s.protm.active ? GPU_IRQ_PROTM_FAULT : GPU_IRQ_FAULT);
}
