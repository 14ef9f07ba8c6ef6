/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Migration and hostile guests. */
#include <stdlib.h>

#include "machine.h"
#include "t.h"

static void *save(Machine *m, size_t *len)
{
    void *blob;

    *len = mali_save(m->gpu, NULL, 0);
    blob = malloc(*len);
    if (mali_save(m->gpu, blob, *len) != *len) {
        abort();
    }
    return blob;
}

/* The same RAM and time, another device. */
static void move(Machine *m)
{
    size_t len;
    void *blob = save(m, &len);
    bool ok;

    mali_reset(m->gpu);
    memset(m->line, 0, sizeof(m->line));
    m->timer = MALI_NEVER;
    ok = mali_load(m->gpu, blob, len, NULL);
    free(blob);
    CHECK(ok);
}

static void random_step(Machine *m)
{
    switch (t_rand() % 8) {
    case 0:
        glb_toggle(m, GLB_PING);
        glb_ring(m);
        break;
    case 1: wr(m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300); break;
    case 2:
        as_lock(m, (unsigned)(t_rand() % 8), FW_SHARED_VA, 15 + (unsigned)(t_rand() % 12));
        break;
    case 3: as_cmd(m, (unsigned)(t_rand() % 8), (uint32_t)(t_rand() % 6)); break;
    case 4: wr(m, JOB_INT_BASE + INT_CLEAR, ~0u); break;
    case 5: mali_glb_event(m->gpu, GLB_IDLE); break;
    case 6: wr(m, GPU_INT_BASE + INT_MASK, (uint32_t)t_rand()); break;
    default: m->now += t_rand() % 1000000; break;
    }
}

/* Two machines do the same, one of them migrates in between: no difference can be seen. */
TEST(migration_at_random_points)
{
    for (unsigned round = 0; round < 20; round++) {
        Machine *a = mach_boot(), *b = mach_boot();
        size_t la, lb;
        void *sa, *sb;
        bool same;

        for (unsigned i = 0; i < 60; i++) {
            t_seed(round * 1000 + i);
            random_step(a);
            t_seed(round * 1000 + i);
            random_step(b);
            if (t_rand() % 4 == 0) {
                move(b);
            }
            CHECK(!memcmp(a->line, b->line, sizeof(a->line)));
            CHECK_EQ(a->timer, b->timer);
        }
        sa = save(a, &la);
        sb = save(b, &lb);
        same = la == lb && !memcmp(sa, sb, la);
        free(sa);
        free(sb);
        CHECK(same);
        mach_free_all();
    }
}

TEST(migration_restores_lines_and_timer)
{
    Machine *m = mach_boot();

    wr(m, GPU_INT_BASE + INT_MASK, ~0u);
    CHECK(m->line[MALI_IRQ_GPU]);
    m->gpu->s.csg[0].resident = 1;
    mali_glb_idle_check(m->gpu);
    m->gpu->s.csg[0].resident = 0;
    mali_glb_idle_check(m->gpu);
    uint64_t timer = m->timer;

    CHECK(timer != MALI_NEVER);
    move(m);
    CHECK(m->line[MALI_IRQ_GPU]);
    CHECK_EQ(m->timer, timer);
    mach_run(m, 1000000);
    CHECK_EQ(ev_count(m, "glb-event"), 1);
}

static bool load_changed(Machine *m, size_t off, uint8_t val)
{
    size_t len;
    uint8_t *blob = save(m, &len);
    bool ok;

    blob[off] = val;
    ok = mali_load(m->gpu, blob, len, NULL);
    free(blob);
    return ok;
}

#define STATE_OFF(f) (MALI_BLOB_HEADER + offsetof(MaliState, f))

TEST(migration_of_a_wrong_blob_leaves_a_reset_device)
{
    Machine *m = mach_boot();
    size_t len;
    uint8_t *blob = save(m, &len);
    bool cut = mali_load(m->gpu, blob, len - 1, NULL), longer,
         empty = mali_load(m->gpu, blob, 0, NULL);

    free(blob);
    blob = calloc(1, len + 1);
    longer = mali_load(m->gpu, blob, len + 1, NULL) || mali_load(m->gpu, blob, len, NULL);
    free(blob);
    CHECK(!cut && !empty && !longer);
    CHECK_EQ(rd(m, MCU_STATUS), 0);
    CHECK_EQ(rd(m, LATEST_FLUSH_ID), 1);
    CHECK(!load_changed(m, 0, 'X'));
    CHECK(!load_changed(m, STATE_OFF(iface.num_csg), 9));
    CHECK(!load_changed(m, STATE_OFF(iface.num_cs), 9));
    CHECK(!load_changed(m, STATE_OFF(mcu_status), 4));
    CHECK(!load_changed(m, STATE_OFF(l2_ready), 2));
    CHECK(!load_changed(m, STATE_OFF(flush_id) + 3, 1));
    CHECK(!load_changed(m, STATE_OFF(as[0].tlb[3].level), 4));
    CHECK(!load_changed(m, STATE_OFF(line), 2));
    CHECK(load_changed(m, STATE_OFF(flush_id), 77));
    CHECK_EQ(rd(m, LATEST_FLUSH_ID), 77);
}

TEST(migration_to_another_gpu_is_refused)
{
    Machine *a = mach_new("g610"), *b = mach_new("g720");
    size_t len;
    void *blob = save(a, &len);
    bool ok = mali_load(b->gpu, blob, len, NULL);

    free(blob);
    CHECK(!ok);
}

TEST(migration_between_rows_of_one_gpu_id_is_refused)
{
    Machine *a = mach_new("g725"), *b = mach_new("g925");
    size_t len;
    void *blob = save(a, &len);
    bool ok = mali_load(b->gpu, blob, len, NULL);

    free(blob);
    CHECK_EQ(rd(a, GPU_ID), rd(b, GPU_ID));
    CHECK(!ok);
    CHECK_EQ(mali_save(a->gpu, NULL, 0), len);
}

TEST(migration_of_random_states)
{
    t_seed(11);
    for (unsigned i = 0; i < 300; i++) {
        Machine *m = mach_boot();
        size_t len;
        uint8_t *blob = save(m, &len);

        for (unsigned k = 1 + t_rand() % 8; k; k--) {
            blob[MALI_BLOB_HEADER + t_rand() % (len - MALI_BLOB_HEADER)] = (uint8_t)t_rand();
        }
        mali_load(m->gpu, blob, len, NULL);
        free(blob);
        glb_ring(m);
        for (unsigned k = 0; k < 10; k++) {
            m->now += 1000000;
            mali_timer(m->gpu);
        }
        mach_free_all();
    }
}

/* ---- hostile guests: nothing but "it ends and no sanitizer speaks" is expected ---- */
static const uint32_t interesting[] = {
    GPU_CMD,
    MCU_CONTROL,
    DOORBELL(0),
    DOORBELL(1),
    GPU_PWRON + GPU_DOMAIN_L2,
    GPU_PWROFF + GPU_DOMAIN_L2,
    AS_REG(0, AS_TRANSTAB),
    AS_REG(0, AS_TRANSCFG),
    AS_REG(0, AS_COMMAND),
    AS_REG(0, AS_LOCKADDR),
    AS_REG(1, AS_TRANSTAB),
    AS_REG(1, AS_TRANSCFG),
    AS_REG(1, AS_COMMAND),
    JOB_INT_BASE,
    MMU_INT_BASE,
};
#define NINT (sizeof(interesting) / sizeof(interesting[0]))

TEST(hostile_registers)
{
    Machine *m = mach_boot();

    t_seed(5);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t off = t_rand() & 1 ? interesting[t_rand() % NINT]
                                    : (uint32_t)(t_rand() % (MALI_MMIO_SIZE + 64));
        uint32_t val = (uint32_t)(t_rand() >> (t_rand() % 64));

        wr(m, off, val);
        rd(m, (uint32_t)(t_rand() % MALI_MMIO_SIZE));
        if (i % 64 == 0) {
            mach_run(m, 100000);
            ev_clear(m);
        }
    }
}

static void garble(Machine *m, uint64_t pa, uint64_t len)
{
    for (unsigned k = t_rand() % 16; k; k--) {
        ram_w32(m, pa + t_rand() % len / 4 * 4, (uint32_t)(t_rand() >> (t_rand() % 64)));
    }
}

TEST(hostile_shared_section)
{
    t_seed(6);
    for (unsigned i = 0; i < 300; i++) {
        Machine *m = mach_boot();
        uint64_t pa = pt_lookup(m, m->mcu_root, FW_SHARED_VA);

        for (unsigned k = 0; k < 8; k++) {
            garble(m, pa + (t_rand() & 1 ? 0 : 0x2000), 0x3000);
            wr(m, DOORBELL(0), 1);
            wr(m, DOORBELL(1 + t_rand() % 8), 1);
            mach_run(m, 2000000);
            if (t_rand() % 4 == 0) {
                wr(m, MCU_CONTROL, 0);
                wr(m, MCU_CONTROL, 2);
            }
        }
        mach_free_all();
    }
}

TEST(hostile_page_tables)
{
    t_seed(8);
    for (unsigned i = 0; i < 200; i++) {
        Machine *m = mach_boot();
        uint64_t req = pt_lookup(m, m->mcu_root, FW_GLB_IN_VA); /* later the helpers find nothing */

        for (unsigned k = 0; k < 8; k++) {
            garble(m, m->mcu_root, 16 * 4096);
            as_cmd(m, 0, AS_COMMAND_UPDATE);
            ram_w32(m, req, (uint32_t)t_rand() & ~GLB_HALT);
            wr(m, DOORBELL(0), 1);
            wr(m, MCU_CONTROL, 0);
            wr(m, MCU_CONTROL, 2);
            mach_run(m, 2000000);
        }
        mach_free_all();
    }
}

/* The shared section goes away under a running MCU. */
TEST(hostile_unmap_under_the_mcu)
{
    Machine *m = mach_boot();

    as_disable(m, 0);
    wr(m, DOORBELL(0), 1);
    wr(m, DOORBELL(1), 1);
    mali_glb_event(m->gpu, GLB_IDLE);
    mach_run(m, 10000000);
    wr(m, MCU_CONTROL, 0);
    CHECK_EQ(rd(m, MCU_STATUS), 0);
}
