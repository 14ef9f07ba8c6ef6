/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any word of the shared section and of the rings' pages, and doorbells: requests out of order. */
#include "fuzz.h"

const char *const fuzz_gpus[] = { "g610", "g925" };
const unsigned fuzz_num_gpus = 2;

void fuzz_prepare(Env *e, const char *gpu)
{
    fuzz_start(e, gpu, 3);
}

/* Words that mean something are more likely than others. */
static uint64_t place(Env *e, In *in)
{
    unsigned kind = in_take(in, 1), off = in_take(in, 1);

    switch (kind % 8) {
    case 0: return FW_GLB_IN_VA + (off & 0xfc);
    case 1: return FW_CSG_IN_VA(kind >> 6) + (off & 0x7c);
    case 2: return FW_CS_IN_VA(kind >> 7, kind >> 5 & 3) + (off & 0x7c);
    case 3: return FW_GLB_OUT_VA + (off & 0x1c);
    case 4: return FW_CSG_OUT_VA(kind >> 6) + (off & 0x1c);
    case 5: return e->g.q[kind >> 6 & 1].in_va + (off & 0xc);
    case 6: return FW_CS_OUT_VA(kind >> 7, kind >> 5 & 3) + (off & 0xfc);
    default: return FW_SHARED_VA + (off << 8 & 0xff00) + (kind & 0xf8);
    }
}

void fuzz_input(Env *e, In *in)
{
    const uint64_t some[] = {
        MOVE48(0, e->data_va), MOVE32(2, 1), SYNC(CS_OP_SYNC_ADD64, 0, 2, CS_SCOPE_SYSTEM, 0),
        PROT_REGION(2),        NOP(),        NOP()
    };

    grp_submit(e->m, &e->g, 0, some, N_INSTR(some));
    while (in_left(in)) {
        unsigned what = in_take(in, 1) % 8;
        uint64_t at;

        switch (what) {
        case 0: fuzz_time(e, in); break;
        case 1: fuzz_doorbell(e, in); break;
        case 2: csg_toggle(e->m, in_take(in, 1) % 8, (uint32_t)in_take(in, 4)); break;
        case 3:
            glb_toggle(e->m, (uint32_t)in_take(in, 4));
            glb_ring(e->m);
            break;
        default:
            at = place(e, in);
            mcu_w32(e->m, at, (uint32_t)in_take(in, 4));
            break;
        }
    }
}
