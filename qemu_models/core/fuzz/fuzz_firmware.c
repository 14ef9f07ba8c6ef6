/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any firmware image: manifest, control blocks and mappings are changed, then the MCU boots. */
#include "fuzz.h"

const char *const fuzz_gpus[] = { "g610", "g925" };
const unsigned fuzz_num_gpus = 2;

void fuzz_prepare(Env *e, const char *gpu)
{
    const FwOpts fw = { .suspend_size = 0x3000, .protm_suspend_size = 0x5000, .map_prot = true };

    fuzz_boot(e, gpu, &fw);
    wr(e->m, MCU_CONTROL, MCU_CONTROL_DISABLE);
}

static void boot(Env *e)
{
    wr(e->m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    fw_start(e->m);
}

static void unmap(Env *e, In *in)
{
    static const uint64_t va[] = { FW_SHARED_VA, FW_TEXT_VA, FW_DATA_VA, FW_PROT_VA };
    unsigned pick = in_take(in, 1);

    pt_unmap(e->m, e->m->mcu_root, va[pick & 3] + (pick >> 2) % 2 * 4096, 4096);
}

void fuzz_input(Env *e, In *in)
{
    while (in_left(in)) {
        unsigned what = in_take(in, 1);
        uint64_t off;

        switch (what % 8) {
        case 0: boot(e); break;
        case 1: unmap(e, in); break;
        case 2:
            mcu_w32(e->m, FW_DATA_VA + (in_take(in, 2) & 0x3ffc), (uint32_t)in_take(in, 4));
            break;
        case 3:
        case 4:
            off = in_take(in, 1) & 0xfc;
            mcu_w32(e->m, FW_TEXT_VA + off, (uint32_t)in_take(in, 4));
            break;
        case 5: fuzz_doorbell(e, in); break;
        default:
            off = (what & 0x80 ? 0x1000 : 0) + (in_take(in, 2) & 0x7fc);
            mcu_w32(e->m, FW_SHARED_VA + off, (uint32_t)in_take(in, 4));
            break;
        }
    }
    boot(e);
}
