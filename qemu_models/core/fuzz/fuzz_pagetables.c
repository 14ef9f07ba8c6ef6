/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any descriptor anywhere in the tables of the group and of the MCU, while both are in use. */
#include "fuzz.h"

const char *const fuzz_gpus[] = { "g610" };
const unsigned fuzz_num_gpus = 1;

void fuzz_prepare(Env *e, const char *gpu)
{
    const uint64_t copy[] = {
        MOVE48(0, 0),          LOAD(8, 0xff, 2, 0),   STORE(8, 0xff, 4, 0),
        ADD_IMM64(2, 2, 0x40), ADD_IMM64(4, 4, 0x40),
    };

    fuzz_start(e, gpu, 1);
    env_code(e, copy, N_INSTR(copy));
}

static void entry(Env *e, In *in)
{
    static const uint64_t where[] = { 0x1000000, FW_SHARED_VA, FW_PROT_VA, 0 };
    uint64_t kind = in_take(in, 1), va = where[kind & 3] + in_take(in, 1) * 4096;
    uint64_t root = kind & 4 ? e->m->mcu_root : e->g.root;
    uint64_t at, table = root, bits = in_take(in, 8);

    /* The host's walk would make tables: follow what is there. */
    for (unsigned l = 0;; l++) {
        at = table + ((va >> (39 - 9 * l)) & 511) * 8;
        if (l == (kind >> 4 & 3)) {
            break;
        }
        table = ram_r64(e->m, at) & 0x0000fffffffff000ull;
    }
    ram_w64(e->m, at, bits);
}

static void copy_from(Env *e, In *in)
{
    const uint64_t job[] = {
        MOVE48(2, in_take(in, 6)),
        MOVE48(4, in_take(in, 6)),
        MOVE48(90, e->code_va),
        MOVE32(92, 40),
        CALL(90, 92),
    };

    if (e->g.q[0].insert < 16 * sizeof(job)) {
        grp_submit(e->m, &e->g, 0, job, N_INSTR(job));
        grp_ring(e->m, &e->g);
    }
}

void fuzz_input(Env *e, In *in)
{
    while (in_left(in)) {
        switch (in_take(in, 1) % 6) {
        case 0: fuzz_time(e, in); break;
        case 1: fuzz_as_command(e, in); break;
        case 2: copy_from(e, in); break;
        case 3: wr64(e->m, AS_REG(1, AS_TRANSCFG), in_take(in, 8)); break;
        case 4: fuzz_doorbell(e, in); break;
        default: entry(e, in); break;
        }
    }
}
