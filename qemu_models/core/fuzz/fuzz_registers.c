/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any register, any value, any order: a vCPU that writes what it likes. */
#include "../mmio.h"
#include "fuzz.h"

const char *const fuzz_gpus[] = { "g610", "g720", "g1-ultra" };
const unsigned fuzz_num_gpus = 3;

void fuzz_prepare(Env *e, const char *gpu)
{
    fuzz_start(e, gpu, 2);
}

static uint32_t offset(In *in)
{
    uint32_t pick = (uint32_t)in_take(in, 1);
    const MaliReg *r = &mali_regs[pick % mali_num_regs];
    uint32_t words = (r->last - r->first) / 4 + 1;

    return pick == 0xff ? (uint32_t)in_take(in, 4)
                        : r->first + 4 * ((uint32_t)in_take(in, 2) % words);
}

void fuzz_input(Env *e, In *in)
{
    while (in_left(in)) {
        switch (in_take(in, 1) % 4) {
        case 0: rd(e->m, offset(in)); break;
        case 1: fuzz_time(e, in); break;
        default: {
            uint32_t at = offset(in);

            wr(e->m, at, (uint32_t)in_take(in, 4));
        }
        }
    }
}
