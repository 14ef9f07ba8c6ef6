/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MCU boot, control blocks, sections, stop: spec 1.5, 3.4, 4.3. */
#include "../fwimage.h"
#include "machine.h"
#include "t.h"

#define CTL FW_SHARED_VA

static uint32_t ctl_csg(Machine *m, unsigned i, uint32_t off)
{
    return mcu_r32(m, CTL + FW_CSG_CTL(FW_CSG_STRIDE, i) + off);
}

static uint32_t ctl_cs(Machine *m, unsigned i, unsigned j, uint32_t off)
{
    return ctl_csg(m, i, FW_CS_CTL(FW_CS_STRIDE, j) + off);
}

/* Everything up to MCU_CONTROL. */
static Machine *ready(const MaliConfig *cfg, const FwOpts *o)
{
    Machine *m = mach_new_cfg(cfg);

    l2_on(m);
    fw_map(m, o);
    fw_load(m, o);
    as_enable(m, 0, m->mcu_root);
    return m;
}

static Machine *ready_default(void)
{
    return ready(NULL, &fw_default);
}

static void check_control(Machine *m)
{
    CHECK_EQ(mcu_r32(m, CTL + GLB_CTL_VERSION), FW_VERSION(1, 5, 0));
    CHECK_EQ(mcu_r32(m, CTL + GLB_CTL_GROUP_NUM), 8);
    CHECK_EQ(mcu_r32(m, CTL + GLB_CTL_GROUP_STRIDE), FW_CSG_STRIDE);
    CHECK_EQ(mcu_r32(m, CTL + GLB_CTL_INSTR_FEATURES), 0x71);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_EQ(ctl_csg(m, i, CSG_CTL_INPUT_VA), FW_CSG_IN_VA(i));
        CHECK_EQ(ctl_csg(m, i, CSG_CTL_OUTPUT_VA), FW_CSG_OUT_VA(i));
        CHECK_EQ(ctl_csg(m, i, CSG_CTL_SUSPEND_SIZE), 0x3000);
        CHECK_EQ(ctl_csg(m, i, CSG_CTL_PROTM_SUSPEND_SIZE), 0x5000);
        CHECK_EQ(ctl_csg(m, i, CSG_CTL_STREAM_NUM), 8);
        for (unsigned j = 0; j < 8; j++) {
            CHECK_EQ(ctl_cs(m, i, j, CS_CTL_FEATURES), 0x0007085f);
            CHECK_EQ(ctl_cs(m, i, j, CS_CTL_INPUT_VA), FW_CS_IN_VA(i, j));
            CHECK_EQ(ctl_cs(m, i, j, CS_CTL_OUTPUT_VA), FW_CS_OUT_VA(i, j));
        }
    }
}

TEST(boot_fills_the_control_blocks)
{
    Machine *m = ready_default();

    CHECK(fw_start(m));
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_ENABLED);
    check_control(m);
    CHECK_HAS(ev_last(m, "mcu-boot"), "\"ok\":true,\"boot\":1,\"full\":true,\"version\":17104896,"
                                      "\"protm_suspend_size\":20480,\"suspend_size\":12288}");
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(boot_with_an_empty_control_block)
{
    FwOpts o = fw_default;
    Machine *m;

    o.zero_vas = true;
    m = ready(NULL, &o);
    CHECK(fw_start(m));
    check_control(m);
}

TEST(boot_of_an_image_without_manifest)
{
    FwOpts o = fw_default;
    const char *e;
    Machine *m;

    o.no_manifest = true;
    m = ready(NULL, &o);
    CHECK(fw_start(m));
    check_control(m);
    CHECK_EQ(ev_count(m, "sections-unknown"), 1);
    CHECK_EQ(ev_count(m, "section"), 3);
    e = ev_get(m, "section", 0);
    CHECK_HAS(e, "\"name\":\"?\",\"va\":8388608,\"size\":8192,\"flags\":0,\"prot\":false,"
                 "\"mapped\":true,\"perm\":\"rx\"");
    CHECK_HAS(ev_get(m, "section", 1), "\"va\":33554432,\"size\":16384,");
    CHECK_HAS(ev_get(m, "section", 2), "\"va\":67108864,\"size\":65536,\"flags\":0,\"prot\":false,"
                                       "\"mapped\":true,\"perm\":\"rw\"");
}

TEST(boot_raises_the_job_line_whatever_the_mask)
{
    Machine *m = ready_default();

    wr(m, MCU_CONTROL, MCU_CONTROL_AUTO); /* tyr: MASK 0, polls RAWSTAT */
    CHECK(rd(m, JOB_INT_BASE + INT_RAWSTAT) & JOB_INT_GLOBAL);
    CHECK(!m->line[MALI_IRQ_JOB]);
    wr(m, JOB_INT_BASE + INT_MASK, ~0u);
    CHECK(m->line[MALI_IRQ_JOB]);
}

TEST(boot_sizes_config_then_manifest_then_default)
{
    MaliConfig cfg = { .suspend_size = 0x8000 };
    FwOpts o = { .suspend_size = 0x4000, .protm_suspend_size = 0x6000 };
    Machine *m = ready(&cfg, &o);

    CHECK(fw_start(m));
    CHECK_EQ(ctl_csg(m, 3, CSG_CTL_SUSPEND_SIZE), 0x8000);
    CHECK_EQ(ctl_csg(m, 3, CSG_CTL_PROTM_SUSPEND_SIZE), 0x6000);
    CHECK_EQ(m->gpu->s.iface.suspend_size, 0x8000);
    m = ready(NULL, &(FwOpts){ .version = 0 });
    CHECK(fw_start(m));
    CHECK_EQ(ctl_csg(m, 7, CSG_CTL_SUSPEND_SIZE), 0x3000);
    CHECK_EQ(ctl_csg(m, 7, CSG_CTL_PROTM_SUSPEND_SIZE), 0x5000);
}

TEST(boot_cs_features_by_architecture)
{
    MaliConfig cfg = { .gpu = "g720" };
    Machine *m = ready(&cfg, &fw_default);

    CHECK(fw_start(m));
    CHECK_EQ(ctl_cs(m, 0, 0, CS_CTL_FEATURES), 0x0007107f);
    cfg.gpu = "g715";
    m = ready(&cfg, &fw_default);
    CHECK(fw_start(m));
    CHECK_EQ(ctl_cs(m, 0, 0, CS_CTL_FEATURES), 0x0007105f);
}

static void check_fails(Machine *m, const char *reason)
{
    char want[64];

    wr(m, GPU_INT_BASE + INT_CLEAR, ~0u);
    CHECK(!fw_start(m));
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_FATAL);
    CHECK_EQ(rd(m, GPU_INT_BASE), GPU_IRQ_MCU_STATUS_CHANGED);
    snprintf(want, sizeof(want), "\"ok\":false,\"reason\":\"%s\"", reason);
    CHECK_HAS(ev_last(m, "mcu-boot"), want);
    glb_ring(m);                          /* a dead MCU does not answer */
    wr(m, MCU_CONTROL, MCU_CONTROL_AUTO); /* nor boot before it was disabled */
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_FATAL);
    wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_DISABLED);
}

TEST(boot_needs_l2)
{
    Machine *m = ready_default();

    wr64(m, GPU_PWROFF + GPU_DOMAIN_L2, 1);
    check_fails(m, "l2-off");
    l2_on(m);
    CHECK(fw_start(m));
}

TEST(boot_needs_as0)
{
    Machine *m = ready_default();

    as_disable(m, 0);
    check_fails(m, "as0-off");
    wr64(m, AS_REG(0, AS_TRANSCFG), 0x420001c6); /* no UPDATE */
    check_fails(m, "as0-off");
}

TEST(boot_needs_the_shared_section)
{
    Machine *m = ready_default();
    uint64_t last = FW_SHARED_VA + FW_SHARED_SIZE - 4096, pa = pt_lookup(m, m->mcu_root, last);

    pt_unmap(m, m->mcu_root, last, 4096);
    check_fails(m, "shared-unmapped");
    pt_map(m, m->mcu_root, last, pa, 4096, PT_RO);
    check_fails(m, "shared-unmapped");
    pt_map(m, m->mcu_root, last, pa, 4096, PT_NX);
    CHECK(fw_start(m));
}

TEST(boot_refuses_bad_control_blocks)
{
    static const struct {
        uint32_t off, val;
    } bad[] = {
        { GLB_CTL_INPUT_VA, 0x05000000 },
        { GLB_CTL_OUTPUT_VA, 0x0400fffc },
        { GLB_CTL_OUTPUT_VA, 0x04006002 },
        { GLB_CTL_GROUP_NUM, 9 },
        { GLB_CTL_GROUP_NUM, ~0u },
        { GLB_CTL_GROUP_STRIDE, 0x9c },
        { GLB_CTL_GROUP_STRIDE, 0x80000000 },
        { GLB_CTL_GROUP_STRIDE, 0xa2 },
        { GLB_CTL_GROUP_STRIDE, 4 },
        { 0x1000 + CSG_CTL_INPUT_VA, 0x03fffffc },
        { 0x1000 + CSG_CTL_OUTPUT_VA, ~3u },
        { 0x1000 + CSG_CTL_STREAM_NUM, 9 },
        { 0x1000 + CSG_CTL_STREAM_NUM, 7 },
        { 0x1000 + CSG_CTL_STREAM_STRIDE, 0x10 },
        { 0x1000 + CSG_CTL_STREAM_STRIDE, ~3u },
        { 0x1040 + CS_CTL_INPUT_VA, 0x0400ffac },
        { 0x1040 + CS_CTL_OUTPUT_VA, 4 },
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        Machine *m = ready_default();

        mcu_w32(m, CTL + bad[i].off, bad[i].val);
        check_fails(m, "control-block");
        fw_load(m, &fw_default);
        CHECK(fw_start(m));
        mach_free_all();
    }
}

TEST(boot_fail_fault_counts_down)
{
    Machine *m = ready_default();

    CHECK(mali_fault_set(m->gpu, "boot-fail", 2));
    CHECK(fw_start(m));
    wr(m, MCU_CONTROL, 0);
    check_fails(m, "fault-plan");
    CHECK(fw_start(m));
}

TEST(stop_and_fast_boot)
{
    Machine *m = mach_boot();
    uint64_t n;

    wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(rd(m, MCU_STATUS), MCU_STATUS_DISABLED);
    CHECK_EQ(ev_count(m, "mcu-stop"), 1);
    wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(ev_count(m, "mcu-stop"), 1);
    CHECK(fw_start(m)); /* shared section as it was left */
    CHECK_HAS(ev_last(m, "mcu-boot"), "\"boot\":2,\"full\":false");
    wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    fw_load(m, &fw_default);
    CHECK(fw_start(m));
    CHECK_HAS(ev_last(m, "mcu-boot"), "\"boot\":3,\"full\":true");
    check_control(m);
    CHECK(mali_counter(m->gpu, "mcu-boots", &n));
    CHECK_EQ(n, 3);
}

TEST(boot_twice_is_once)
{
    Machine *m = mach_boot();

    wr(m, MCU_CONTROL, MCU_CONTROL_ENABLE);
    CHECK_EQ(ev_count(m, "mcu-boot"), 1);
    CHECK_EQ(rd(m, MCU_CONTROL), MCU_CONTROL_ENABLE);
}

/* ---- sections ---- */
TEST(crc32_is_that_of_zlib)
{
    CHECK_EQ(mali_crc32(0, "123456789", 9), 0xcbf43926);
    CHECK_EQ(mali_crc32(mali_crc32(0, "12345", 5), "6789", 4), 0xcbf43926);
    CHECK_EQ(mali_crc32(0, "", 0), 0);
}

TEST(sections_of_the_manifest)
{
    Machine *m = ready_default();
    char want[96];

    CHECK(fw_start(m));
    CHECK_EQ(ev_count(m, "section"), 4);
    CHECK_HAS(ev_get(m, "section", 0),
              "\"name\":\"shared\",\"va\":67108864,\"size\":65536,\"flags\":3221225499,"
              "\"prot\":false,\"mapped\":true,\"perm\":\"rw\"");
    CHECK_HAS(ev_get(m, "section", 1), "\"name\":\"text\"");
    CHECK_HAS(ev_get(m, "section", 1), "\"perm\":\"rx\"");
    snprintf(want, sizeof(want), "\"extents\":[[%" PRIu64 ",16384]],\"content\":\"ok\"}",
             pt_lookup(m, m->mcu_root, FW_DATA_VA));
    CHECK_HAS(ev_get(m, "section", 2), want);
    CHECK_HAS(ev_get(m, "section", 3), "\"name\":\"prot_data\"");
    CHECK_HAS(
        ev_get(m, "section", 3),
        "\"prot\":true,\"mapped\":false,\"perm\":\"\",\"extents\":[],\"content\":\"unchecked\"}");
}

TEST(section_content_changed)
{
    Machine *m = mach_boot();

    wr(m, MCU_CONTROL, 0);
    mcu_w32(m, FW_DATA_VA + 0x100, 0x1234); /* volatile range */
    CHECK(fw_start(m));
    CHECK_EQ(ev_count(m, "violation"), 0);
    wr(m, MCU_CONTROL, 0);
    mcu_w32(m, FW_DATA_VA + 0x200, 0x1234);
    CHECK(fw_start(m));
    CHECK_HAS(ev_get(m, "section", 10), "\"name\":\"data\"");
    CHECK_HAS(ev_get(m, "section", 10), "\"content\":\"bad\"");
    CHECK_HAS(ev_last(m, "violation"), "\"rule\":\"section-content\",\"detail\":\"data\"");
}

TEST(section_permissions_other_than_the_image_says)
{
    Machine *m = ready_default();

    pt_map(m, m->mcu_root, FW_DATA_VA, pt_lookup(m, m->mcu_root, FW_DATA_VA), 4096, 0);
    CHECK(fw_start(m));
    CHECK_EQ(ev_count(m, "violation"), 0); /* what all pages allow is still right */
    wr(m, MCU_CONTROL, 0);
    pt_map(m, m->mcu_root, FW_DATA_VA, pt_lookup(m, m->mcu_root, FW_DATA_VA), 4096, PT_RO | PT_NX);
    CHECK(fw_start(m));
    CHECK_HAS(ev_last(m, "violation"), "\"rule\":\"section-perm\"");
}

TEST(section_of_protected_memory_is_not_read)
{
    FwOpts o = fw_default;
    Machine *m;

    o.map_prot = true;
    m = ready(NULL, &o);
    m->prot_base = pt_lookup(m, m->mcu_root, FW_PROT_VA);
    m->prot_end = m->prot_base + 0x4000;
    CHECK(fw_start(m));
    CHECK_HAS(ev_get(m, "section", 3), "\"prot\":true,\"mapped\":true,\"perm\":\"rw\"");
    CHECK_HAS(ev_get(m, "section", 3), ",16384]],\"content\":\"unchecked\"}");
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(corrupt_section_fault)
{
    FwOpts o = fw_default;
    Machine *m;

    o.map_prot = true;
    m = ready(NULL, &o);
    CHECK(mali_fault_set(m->gpu, "corrupt-section", 0xbadc0de));
    CHECK(fw_start(m));
    CHECK_EQ(mcu_r32(m, FW_PROT_VA), 0xbadc0de);
    CHECK_EQ(mcu_r32(m, FW_DATA_VA), 0x03020100);
}

/* Only contents are read: image variant prot-too-big has 32 MiB without any. */
TEST(large_section_without_content)
{
    Machine *m = ready(NULL, &fw_default);

    mcu_w32(m, FW_TEXT_VA + 0x28 + 3 * 48 + 20, 32u << 20);
    CHECK(fw_start(m));
    CHECK_HAS(ev_get(m, "section", 3), "\"name\":\"prot_data\",\"va\":50331648,\"size\":33554432");
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(manifest_is_checked)
{
    static const struct {
        uint32_t off, val;
    } bad[] = {
        { 0x08, 2 },
        { 0x20, 33 },
        { 0x20, ~0u },
        { 0x28 + 16, 1 },
        { 0x28 + 16, 0xfffff000 },
        { 0x28 + 20, 0 },
        { 0x28 + 20, 0xfffff000 },
        { 0x28 + 28, 0x10001 },
        { 0x28 + 36, ~0u },
        { 0x28 + 40, ~0u },
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        Machine *m = ready_default();

        mcu_w32(m, FW_TEXT_VA + bad[i].off, bad[i].val);
        CHECK(fw_start(m)); /* the image still boots, its sections are unknown */
        CHECK_HAS(ev_last(m, "violation"), "\"rule\":\"manifest\"");
        CHECK_EQ(ev_count(m, "sections-unknown"), 1);
        mach_free_all();
    }
}

TEST(manifest_random_bytes)
{
    t_seed(3);
    for (unsigned i = 0; i < 200; i++) {
        Machine *m = ready_default();

        for (unsigned k = t_rand() % 20; k; k--) {
            mcu_w32(m, FW_TEXT_VA + 0x0c + t_rand() % 0x200 / 4 * 4,
                    (uint32_t)(t_rand() >> (t_rand() % 64)));
        }
        fw_start(m);
        mach_free_all();
    }
}

TEST(scan_is_bounded)
{
    FwOpts o = { .no_manifest = true };
    Machine *m = ready(NULL, &o);
    uint64_t table = pt_entry(m, m->mcu_root, 0x10000000, 3),
             l2 = pt_entry(m, m->mcu_root, 0x10000000, 2);

    /* One table of pages of alternating permissions, used for 3 GiB. */
    for (unsigned i = 0; i < 512; i++) {
        ram_w64(m, table + 8 * i, (RAM_BASE + i * 4096) | 0xf44 | (i & 1) << 7 | 3);
    }
    for (unsigned g = 1; g < 4; g++) {
        for (unsigned i = 0; i < 512; i++) {
            ram_w64(m, pt_entry(m, m->mcu_root, (uint64_t)g << 30 | (uint64_t)i << 21, 2),
                    ram_r64(m, l2));
        }
    }
    CHECK(fw_start(m));
    CHECK_EQ(ev_count(m, "section"), 64);
}
