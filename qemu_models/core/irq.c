/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the interrupt blocks and their level lines (PWR_CONTROL shares the GPU's).
 *
 * Spec 1.1. A line is a level: every change of RAWSTAT or MASK ends in
 * mali_irq_update(); nothing pulses and no read clears (pitfall 1).
 */
#include "mali_int.h"

/* Bits that exist; others cannot be forced through RAWSTAT (spec 1.2, 1.3: absent AS read 0). */
static const uint32_t valid_bits[MALI_IRQ_COUNT + 1] = {
    [MALI_IRQ_JOB] = 0xffffffffu,
    [MALI_IRQ_MMU] = 0x00010001u * ((1u << MALI_NUM_AS) - 1),
    [MALI_IRQ_GPU] = GPU_IRQ_FAULT | GPU_IRQ_PROTM_FAULT | GPU_IRQ_RESET_COMPLETED |
                     GPU_IRQ_POWER_CHANGED | GPU_IRQ_POWER_CHANGED_ALL |
                     GPU_IRQ_CLEAN_CACHES_COMPLETED | GPU_IRQ_DOORBELL_MIRROR |
                     GPU_IRQ_MCU_STATUS_CHANGED | GPU_IRQ_FLUSH_PA_RANGE_DONE,
    [MALI_IRQ_PWR] = PWR_IRQ_POWER_CHANGED | PWR_IRQ_POWER_CHANGED_ALL |
                     PWR_IRQ_DELEGATION_CHANGED | PWR_IRQ_RESET_COMPLETED |
                     PWR_IRQ_RETRACT_COMPLETED | PWR_IRQ_INSPECT_COMPLETED | PWR_IRQ_NOT_ALLOWED |
                     PWR_IRQ_INVALID,
};

static MaliIrqBlock *block(MaliGpu *g, MaliIrq irq)
{
    switch (irq) {
    case MALI_IRQ_JOB: return &g->s.job_irq;
    case MALI_IRQ_MMU: return &g->s.mmu_irq;
    case MALI_IRQ_GPU: return &g->s.gpu_irq;
    default: return &g->s.pwr_irq;
    }
}

static bool pending(MaliGpu *g, MaliIrq irq)
{
    const MaliIrqBlock *b = block(g, irq);

    return (b->rawstat & b->mask) != 0;
}

void mali_irq_update(MaliGpu *g)
{
    for (unsigned i = 0; i < MALI_IRQ_COUNT; i++) {
        bool level = pending(g, (MaliIrq)i) || (i == MALI_IRQ_GPU && pending(g, MALI_IRQ_PWR));

        if (level != (g->s.line[i] != 0)) {
            g->s.line[i] = level;
            g->ops.set_irq(g->opaque, (MaliIrq)i, level);
        }
    }
}

/* The fault plan's share: what is lost of @bits, and what will come once more. */
static uint32_t planned(MaliGpu *g, MaliIrq irq, uint32_t bits)
{
    uint32_t *drop = &g->s.fault[MALI_FAULT_IRQ_DROP_JOB + irq], lost = bits & *drop;
    uint32_t *twice = &g->s.fault[MALI_FAULT_IRQ_DOUBLE_JOB + irq], more = bits & ~lost & *twice;

    if (lost) {
        mali_fault_struck(g, MALI_FAULT_IRQ_DROP_JOB + irq);
    }
    *drop &= ~lost;
    *twice &= ~more;
    g->s.irq_again[irq] |= more;
    return bits & ~lost;
}

void mali_irq_raise(MaliGpu *g, MaliIrq irq, uint32_t bits)
{
    block(g, irq)->rawstat |= planned(g, irq, bits & valid_bits[irq]);
    mali_irq_update(g);
}

uint32_t mali_irq_read(MaliGpu *g, MaliIrq irq, uint32_t reg)
{
    const MaliIrqBlock *b = block(g, irq);

    switch (reg) {
    case INT_RAWSTAT: return b->rawstat;
    case INT_MASK: return b->mask;
    case INT_STAT: return b->rawstat & b->mask;
    default: return 0; /* CLEAR is write-only */
    }
}

void mali_irq_write(MaliGpu *g, MaliIrq irq, uint32_t reg, uint32_t val)
{
    MaliIrqBlock *b = block(g, irq);

    switch (reg) {
    case INT_RAWSTAT: /* forces bits on: tyr regs.rs:141-143 */
        b->rawstat |= val & valid_bits[irq];
        break;
    case INT_CLEAR:
        if (g->s.irq_again[irq] & val) {
            mali_fault_struck(g, MALI_FAULT_IRQ_DOUBLE_JOB + irq);
        }
        b->rawstat = (b->rawstat & ~val) | (g->s.irq_again[irq] & val);
        g->s.irq_again[irq] &= ~val;
        break;
    case INT_MASK: b->mask = val; break;
    default: break;
    }
    mali_irq_update(g);
}
