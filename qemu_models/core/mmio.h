/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mali CSF GPU model: the register table (regs.c) as its reader (mmio.c) sees it. */
#ifndef MALI_MMIO_H
#define MALI_MMIO_H

#include "mali_int.h"

typedef enum MaliRegKind {
    REG_CONST, /* reads @arg; read-only */
    REG_ROW32, /* reads the 32-bit field at @arg of the GPU's row; read-only */
    REG_ROW64, /* the same for a 64-bit field */
    REG_STORE, /* read back what was written: scratch[@arg + word], no effect */
    REG_CALL,  /* @read and @write; NULL: reads 0 / is read-only */
} MaliRegKind;

typedef struct MaliReg {
    uint32_t first, last; /* byte offsets of the first and the last word */
    const char *name;
    MaliRegKind kind;
    uint32_t arg;
    uint32_t (*read)(MaliGpu *g, uint32_t offset);
    void (*write)(MaliGpu *g, uint32_t offset, uint32_t val);
} MaliReg;

extern const MaliReg mali_regs[]; /* sorted by offset */
extern const unsigned mali_num_regs;

const MaliReg *mali_reg_find(uint32_t offset); /* NULL: no such register */

#endif
