/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt blocks: spec 1.1 and pitfalls 1, 17. */
#include "machine.h"
#include "t.h"

static const struct {
    uint32_t base, bit;
    MaliIrq irq;
} blocks[] = {
    { GPU_INT_BASE, GPU_IRQ_PROTM_FAULT, MALI_IRQ_GPU },
    { JOB_INT_BASE, JOB_INT_GLOBAL, MALI_IRQ_JOB },
    { MMU_INT_BASE, MMU_INT_FAULT(3), MALI_IRQ_MMU },
};
#define NBLOCKS (sizeof(blocks) / sizeof(blocks[0]))

TEST(irq_line_is_the_level_of_rawstat_and_mask)
{
    Machine *m = mach_new(NULL);

    for (unsigned i = 0; i < NBLOCKS; i++) {
        uint32_t base = blocks[i].base, bit = blocks[i].bit;
        MaliIrq irq = blocks[i].irq;

        wr(m, base + INT_RAWSTAT, bit); /* a write forces bits on */
        CHECK_EQ(rd(m, base + INT_RAWSTAT), bit);
        CHECK_EQ(rd(m, base + INT_STAT), 0);
        CHECK(!m->line[irq]);
        wr(m, base + INT_MASK, bit);
        CHECK(m->line[irq]);
        CHECK_EQ(rd(m, base + INT_STAT), bit);
        CHECK_EQ(rd(m, base + INT_CLEAR), 0);
        CHECK(m->line[irq]);       /* no read clears */
        wr(m, base + INT_MASK, 0); /* what panthor's raw handler does */
        CHECK(!m->line[irq]);
        wr(m, base + INT_MASK, bit);
        CHECK(m->line[irq]);
        wr(m, base + INT_CLEAR, bit);
        CHECK(!m->line[irq]);
        CHECK_EQ(rd(m, base + INT_RAWSTAT), 0);
        CHECK_EQ(rd(m, base + INT_MASK), bit);
        CHECK_EQ(m->rises[irq], 2);
    }
}

TEST(irq_event_after_clear_sets_rawstat_again)
{
    Machine *m = mach_new(NULL);

    wr(m, GPU_INT_BASE + INT_MASK, GPU_IRQ_CLEAN_CACHES_COMPLETED);
    for (unsigned i = 1; i <= 3; i++) {
        wr(m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300);
        CHECK(m->line[MALI_IRQ_GPU]);
        CHECK_EQ(m->rises[MALI_IRQ_GPU], i);
        wr(m, GPU_INT_BASE + INT_CLEAR, GPU_IRQ_CLEAN_CACHES_COMPLETED);
        CHECK(!m->line[MALI_IRQ_GPU]);
    }
}

TEST(irq_bits_without_hardware_stay_zero)
{
    Machine *m = mach_new(NULL);

    for (unsigned i = 0; i < NBLOCKS; i++) {
        wr(m, blocks[i].base + INT_RAWSTAT, ~0u);
    }
    CHECK_EQ(rd(m, GPU_INT_BASE), 0x001e0703);
    CHECK_EQ(rd(m, JOB_INT_BASE), ~0u);
    CHECK_EQ(rd(m, MMU_INT_BASE), 0x00ff00ff);
}

TEST(irq_blocks_are_independent)
{
    Machine *m = mach_new(NULL);

    wr(m, JOB_INT_BASE + INT_MASK, ~0u);
    wr(m, MMU_INT_BASE + INT_MASK, ~0u);
    wr(m, GPU_INT_BASE + INT_RAWSTAT, ~0u);
    CHECK(!m->line[MALI_IRQ_JOB] && !m->line[MALI_IRQ_MMU] && !m->line[MALI_IRQ_GPU]);
    wr(m, JOB_INT_BASE + INT_RAWSTAT, 1);
    CHECK(m->line[MALI_IRQ_JOB] && !m->line[MALI_IRQ_MMU] && !m->line[MALI_IRQ_GPU]);
}
