/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both suspend buffers with any content, their checksum right or wrong: a RESUME takes them. */
#include "../fwimage.h"
#include "fuzz.h"

const char *const fuzz_gpus[] = { "g610", "g720" };
const unsigned fuzz_num_gpus = 2;

void fuzz_prepare(Env *e, const char *gpu)
{
    const uint64_t prog[] = { MOVE48(0, e->data_va),
                              MOVE48(2, e->code_va),
                              MOVE32(4, 64),
                              CALL(2, 4),
                              PROT_REGION(3),
                              NOP(),
                              NOP(),
                              NOP(),
                              SYNC_WAIT(CS_OP_SYNC_WAIT64, 0, 6, 1, 0) };

    fuzz_start(e, gpu, 2);
    grp_submit(e->m, &e->g, 0, prog, N_INSTR(prog));
    grp_submit(e->m, &e->g, 1, prog + 8, 1);
    grp_ring(e->m, &e->g);
    mach_run(e->m, MS);
    grp_state(e->m, &e->g, CSG_STATE_SUSPEND);
}

static void correct_crc(Env *e, uint64_t va)
{
    uint32_t size = mcu_r32(e->m, va + 8);

    if (size > 16 && size <= 0x3000) {
        uint8_t *blob = ram_ptr(e->m, pt_lookup(e->m, e->m->mcu_root, va), size);

        mcu_w32(e->m, va + 12, mali_crc32(0, blob + 16, size - 16));
    }
}

static void resume(Env *e)
{
    grp_bind(e->m, &e->g, 0, 1, CSG_STATE_RESUME);
    grp_ring(e->m, &e->g);
}

static void enter(Env *e)
{
    mcu_w32(e->m, FW_CS_IN_VA(0, 0) + CS_IN_REQ,
            mcu_r32(e->m, FW_CS_IN_VA(0, 0) + CS_IN_REQ) ^ CS_PROTM_PENDING);
    glb_toggle(e->m, GLB_PROTM_ENTER);
    glb_ring(e->m);
}

void fuzz_input(Env *e, In *in)
{
    while (in_left(in)) {
        unsigned what = in_take(in, 1);
        uint64_t buf = what & 0x80 ? e->g.protm_va : e->g.suspend_va;

        switch (what % 8) {
        case 0: fuzz_time(e, in); break;
        case 1: resume(e); break;
        case 2: grp_state(e->m, &e->g, CSG_STATE_SUSPEND); break;
        case 3: correct_crc(e, buf); break;
        case 4: enter(e); break;
        default: {
            uint64_t off = in_take(in, 2) % 0x1000 & ~3u;

            mcu_w32(e->m, buf + off, (uint32_t)in_take(in, 4));
        }
        }
    }
}
