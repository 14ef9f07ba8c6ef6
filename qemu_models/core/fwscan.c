/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: which virtual addresses of the MCU are mapped, for images
 * without a manifest (real firmware files).
 */
#include "fwimage.h"

#define MCU_VA_END (UINT64_C(1) << 32) /* the MCU's address space: panthor_mmu.c:2890-2893 */
/* A hostile table could map 4 GiB in pages: this is 128 MiB in pages, or far more in blocks. */
#define MAX_LEAVES 32768u
#define MAX_RUNS   64u

typedef struct Run {
    uint64_t va, size;
    uint32_t perm;
} Run;

static void run_log(MaliGpu *g, const Run *r)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "section");
    mali_ev_str(&e, "name", "?");
    mali_ev_u64(&e, "va", r->va);
    mali_ev_u64(&e, "size", r->size);
    mali_ev_u64(&e, "flags", 0);
    mali_ev_bool(&e, "prot", false);
    mali_ev_bool(&e, "mapped", true);
    mali_ev_perm(&e, r->perm);
    mali_ev_extents(&e, "extents", 0, r->va, r->size);
    mali_ev_str(&e, "content", "unchecked");
    mali_ev_end(&e);
}

/*
 * Steps by the size of what the walk ended at, so an absent table costs one walk.
 * Runs are contiguous VAs of one permission.
 */
void mali_sections_scan(MaliGpu *g)
{
    Run run = { 0, 0, 0 };
    unsigned runs = 0, leaves = 0;
    MaliEvent e;

    mali_ev_begin(&e, g, "sections-unknown");
    mali_ev_end(&e);
    for (uint64_t va = 0; va < MCU_VA_END && runs < MAX_RUNS && leaves < MAX_LEAVES;) {
        MaliLeaf l;
        bool ok = mali_walk_leaf(g, 0, va, &l) == MALI_XL_OK;
        uint64_t size = mali_leaf_size(&l);
        uint64_t next = (va | (size - 1)) + 1;

        leaves += l.level == 3;
        if (run.size && (!ok || l.perm != run.perm)) {
            run_log(g, &run);
            runs++;
            run.size = 0;
        }
        if (ok && !run.size) {
            run = (Run){ .va = va, .size = 0, .perm = l.perm };
        }
        run.size += ok ? next - va : 0;
        va = next;
    }
    if (run.size && runs < MAX_RUNS) {
        run_log(g, &run);
    }
}
