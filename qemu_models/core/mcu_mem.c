/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: what the MCU's firmware would do with memory: words of the
 * shared section, and the physical view of it for the event log.
 */
#include "mali_int.h"

/*
 * Words are stored little endian in guest memory and the interface promises no
 * tearing (pitfall 4): one access of 4 or 8 bytes each. A little-endian host is
 * assumed, as everywhere in this model.
 */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the model is written for little-endian hosts"
#endif

uint32_t mali_mcu_r32(MaliGpu *g, uint64_t va)
{
    uint32_t v;

    return mali_mcu_read(g, va, &v, sizeof(v)) ? v : 0;
}

uint64_t mali_mcu_r64(MaliGpu *g, uint64_t va)
{
    uint64_t v;

    return mali_mcu_read(g, va, &v, sizeof(v)) ? v : 0;
}

void mali_mcu_w32(MaliGpu *g, uint64_t va, uint32_t v)
{
    mali_mcu_write(g, va, &v, sizeof(v));
}

void mali_mcu_w64(MaliGpu *g, uint64_t va, uint64_t v)
{
    mali_mcu_write(g, va, &v, sizeof(v));
}

/* Walks of one event: 128 MiB in pages, as much as a manifest may describe. */
#define MAX_WALKS 32768u

/* Steps by leaf, so a block costs one walk; an unmapped page is stepped over. */
void mali_ev_extents(MaliEvent *e, const char *key, unsigned as, uint64_t va, uint64_t len)
{
    uint64_t run_pa = 0, run_len = 0;

    mali_ev_arr_begin(e, key);
    for (unsigned walks = 0; len && !e->overflow && !e->dropped; walks++) {
        MaliLeaf l;
        bool ok = mali_walk_leaf(e->g, as, va, &l) == MALI_XL_OK;
        uint64_t size = ok ? mali_leaf_size(&l) : 4096;
        uint64_t n = size - (va & (size - 1));

        if (walks == MAX_WALKS) {
            e->overflow = true; /* the event says "truncated" */
            break;
        }
        n = n < len ? n : len;
        if (ok && run_len && l.pa == run_pa + run_len) {
            run_len += n;
        } else {
            if (run_len) {
                mali_ev_arr_pair(e, run_pa, run_len);
            }
            run_pa = l.pa;
            run_len = ok ? n : 0;
        }
        va += n;
        len -= n;
    }
    if (run_len) {
        mali_ev_arr_pair(e, run_pa, run_len);
    }
    mali_ev_arr_end(e);
}
