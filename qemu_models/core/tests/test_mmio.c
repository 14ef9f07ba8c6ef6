/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register table and dispatch: spec 1.2, 1.3. */
#include "../mmio.h"
#include "machine.h"
#include "t.h"

TEST(mmio_table_is_sorted_and_disjoint)
{
    for (unsigned i = 0; i < mali_num_regs; i++) {
        const MaliReg *r = &mali_regs[i];

        CHECK(!(r->first & 3) && !(r->last & 3) && r->first <= r->last && r->last < MALI_MMIO_SIZE);
        CHECK(i == 0 || mali_regs[i - 1].last < r->first);
        CHECK(r->kind != REG_STORE || r->arg + (r->last - r->first) / 4 < 64);
    }
}

TEST(mmio_stored_registers_do_not_overlap)
{
    bool used[64] = { false };

    for (unsigned i = 0; i < mali_num_regs; i++) {
        const MaliReg *r = &mali_regs[i];

        for (uint32_t w = 0; r->kind == REG_STORE && w <= (r->last - r->first) / 4; w++) {
            CHECK(!used[r->arg + w]);
            used[r->arg + w] = true;
        }
    }
}

TEST(mmio_g610_identity)
{
    static const struct {
        uint32_t off, val;
    } regs[] = {
        { GPU_ID, 0xa8670005 },
        { GPU_CSF_ID, 0x040a0412 },
        { GPU_REVID, 0 },
        { GPU_CORE_FEATURES, 0 },
        { GPU_L2_FEATURES, 0x07120306 },
        { GPU_TILER_FEATURES, 0x809 },
        { GPU_MEM_FEATURES, 0x301 },
        { GPU_MMU_FEATURES, 0x2830 },
        { GPU_THREAD_FEATURES, 0x04010000 },
        { GPU_THREAD_MAX_THREADS, 0x800 },
        { GPU_THREAD_MAX_WORKGROUP_SIZE, 0x400 },
        { GPU_THREAD_MAX_BARRIER_SIZE, 0x400 },
        { GPU_COHERENCY_FEATURES, 0 },
        { GPU_TEXTURE_FEATURES, 0xc1ffff9e },
        { GPU_TEXTURE_FEATURES + 4, 0 },
        { GPU_AS_PRESENT, 0xff },
        { GPU_FEATURES, 0 },
        { GPU_FEATURES + 4, 0 },
        { GPU_PRESENT, 0x50005 },
        { GPU_PRESENT + 4, 0 },
        { GPU_PRESENT + GPU_DOMAIN_TILER, 1 },
        { GPU_PRESENT + GPU_DOMAIN_L2, 1 },
        { MCU_STATUS, 0 },
        { GPU_STATUS, 0 },
    };
    Machine *m = mach_new(NULL);

    for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        CHECK_EQ(rd(m, regs[i].off), regs[i].val);
    }
}

static unsigned cores(const char *gpu)
{
    uint64_t v = mali_gpu_row(gpu)->shader_present;
    unsigned n = 0;

    for (; v; v &= v - 1) {
        n++;
    }
    return n;
}

/* panthor_hw.c:49-60 and 114-171: the arch is supported, the name fits the cores. */
TEST(mmio_gpu_rows_are_plausible)
{
    for (unsigned i = 0; mali_gpu_name(i); i++) {
        Machine *m = mach_new(mali_gpu_name(i));
        uint32_t id = rd(m, GPU_ID), arch = id >> 28;

        CHECK(arch >= 10 && arch <= 14);
        CHECK_EQ(m->gpu->row->cs_regs, arch >= 12 ? 128 : 96);
        CHECK_EQ(m->gpu->row->scoreboards, arch >= 11 ? 16 : 8);
        CHECK_EQ(rd(m, GPU_FEATURES) != 0, arch >= 11);
        CHECK_EQ(rd64(m, arch >= 14 ? PWR_DOMAINS + 4 * PWR_BLOCK : GPU_PRESENT),
                 m->gpu->row->shader_present);
        mach_free_all();
    }
}

/* panthor_hw.c:129-171: rows of one product id get their names by the number of cores. */
TEST(mmio_gpu_rows_differ_in_cores)
{
    CHECK(cores("g715i") >= 10 && cores("g720i") >= 10 && cores("g925") >= 10);
    CHECK(cores("g715") >= 7 && cores("g715") < 10);
    CHECK(cores("g720") >= 6 && cores("g720") < 10);
    CHECK(cores("g725") >= 6 && cores("g725") < 10);
}

TEST(mmio_unknown_gpu_is_refused)
{
    MaliConfig cfg = { .gpu = "g78" };
    static const MaliOps none;
    const char *err = NULL;

    CHECK(!mali_new(&cfg, &none, NULL, &err));
    CHECK_HAS(err, "unknown GPU");
    cfg.gpu = NULL;
    CHECK(!mali_new(&cfg, &none, NULL, &err));
    CHECK_HAS(err, "callback");
}

TEST(mmio_unknown_offsets_read_zero)
{
    Machine *m = mach_new(NULL);

    CHECK_EQ(rd(m, 0x40000), 0); /* IPA_CONTROL */
    CHECK_EQ(rd(m, 0xffc), 0);
    CHECK_EQ(rd(m, 2), 0);
    CHECK_EQ(rd(m, 0xfffffffc), 0);
    CHECK_EQ(ev_count(m, "violation"), 0);
    wr(m, 0x40000, 5);
    CHECK_HAS(ev_last(m, "violation"), "\"rule\":\"mmio-unknown\"");
    wr(m, GPU_ID, 5);
    CHECK_HAS(ev_last(m, "violation"), "\"rule\":\"mmio-read-only\"");
    CHECK_HAS(ev_last(m, "violation"), "GPU_ID");
    CHECK_EQ(rd(m, GPU_ID), 0xa8670005);
}

TEST(mmio_stored_registers_read_back)
{
    Machine *m = mach_new(NULL);

    wr(m, GPU_COHERENCY_PROTOCOL, 31);
    wr(m, GPU_L2_CONFIG, 1u << 24);
    wr(m, GPU_ASN_HASH + 8, 0x1234);
    CHECK_EQ(rd(m, GPU_COHERENCY_PROTOCOL), 31);
    CHECK_EQ(rd(m, GPU_L2_CONFIG), 1u << 24);
    CHECK_EQ(rd(m, GPU_ASN_HASH + 8), 0x1234);
    CHECK_EQ(rd(m, GPU_ASN_HASH), 0);
}

TEST(mmio_coherent_variant)
{
    MaliConfig cfg = { .coherent = true };

    CHECK_EQ(rd(mach_new_cfg(&cfg), GPU_COHERENCY_FEATURES), 1);
}

TEST(mmio_counts_accesses)
{
    Machine *m = mach_new(NULL);
    uint64_t n;

    rd(m, GPU_ID);
    rd(m, GPU_ID);
    wr(m, GPU_CMD, GPU_CMD_NOP);
    CHECK(mali_counter(m->gpu, "mmio-reads", &n));
    CHECK_EQ(n, 2);
    CHECK(mali_counter(m->gpu, "mmio-writes", &n));
    CHECK_EQ(n, 1);
    CHECK(!mali_counter(m->gpu, "nonsense", &n));
    for (unsigned i = 0; i < MALI_CNT_COUNT; i++) {
        CHECK(mali_counter(m->gpu, mali_counter_name(i), &n));
    }
    CHECK(!mali_counter_name(MALI_CNT_COUNT));
}

TEST(mmio_fault_plan_rows)
{
    Machine *m = mach_new(NULL);
    uint32_t arg;

    for (unsigned i = 0; mali_fault_name(i); i++) {
        CHECK(strlen(mali_fault_help(i)) > 5);
        CHECK(mali_fault_set(m->gpu, mali_fault_name(i), i + 1));
        CHECK(mali_fault_get(m->gpu, mali_fault_name(i), &arg));
        CHECK_EQ(arg, i + 1);
    }
    CHECK(!mali_fault_set(m->gpu, "nonsense", 1));
    mali_reset(m->gpu); /* the plan outlives a reset */
    CHECK(mali_fault_get(m->gpu, "ping-never", &arg));
    CHECK_EQ(arg, MALI_FAULT_PING_NEVER + 1);
}
