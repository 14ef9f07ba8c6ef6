/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any instructions: one GPU an architecture, two streams, in and out of protected mode. */
#include "fuzz.h"

const char *const fuzz_gpus[] = { "g610", "g715", "g720", "g925", "g1-ultra" };
const unsigned fuzz_num_gpus = 5;

void fuzz_prepare(Env *e, const char *gpu)
{
    fuzz_start(e, gpu, 2);
    for (unsigned j = 0; j < 2; j++) {
        const uint64_t regs[] = { MOVE48(0, e->data_va), MOVE48(2, e->code_va), MOVE32(4, 64),
                                  MOVE48(6, e->g.q[j].ring_va), MOVE32(8, 1) };

        grp_submit(e->m, &e->g, j, regs, N_INSTR(regs));
    }
}

static void protected_mode(Env *e)
{
    for (unsigned j = 0; j < 2; j++) {
        mcu_w32(e->m, FW_CS_IN_VA(0, j) + CS_IN_REQ,
                (mcu_r32(e->m, FW_CS_IN_VA(0, j) + CS_IN_REQ) & ~CS_EVT_MASK) |
                    (cs_out(e->m, 0, j, CS_OUT_ACK) & CS_EVT_MASK));
    }
    glb_toggle(e->m, GLB_PROTM_ENTER);
    glb_ring(e->m);
}

static void instructions(Env *e, In *in, unsigned q)
{
    unsigned n = in_take(in, 1) % 32;

    while (n-- && in_left(in) && e->g.q[q].insert < RING - 8) {
        uint64_t word = in_take(in, 8);

        grp_submit(e->m, &e->g, q, &word, 1);
    }
}

void fuzz_input(Env *e, In *in)
{
    while (in_left(in)) {
        switch (in_take(in, 1) % 8) {
        case 0: fuzz_time(e, in); break;
        case 1: csg_ack_events(e->m, 0); break;
        case 2: protected_mode(e); break;
        case 3: ram_w64(e->m, e->code_pa + 8 * in_take(in, 1), in_take(in, 8)); break;
        case 4: fuzz_as_command(e, in); break;
        default:
            instructions(e, in, in_take(in, 1) & 1);
            grp_ring(e->m, &e->g);
            break;
        }
    }
}
