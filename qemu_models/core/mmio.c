/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mali CSF GPU model: register accesses through the table of regs.c. */
#include "mmio.h"

#include <string.h>

const MaliReg *mali_reg_find(uint32_t offset)
{
    unsigned lo = 0, hi = mali_num_regs;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (offset > mali_regs[mid].last) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < mali_num_regs && offset >= mali_regs[lo].first ? &mali_regs[lo] : NULL;
}

static uint32_t row_field(const MaliGpu *g, const MaliReg *r, uint32_t offset)
{
    const char *field = (const char *)g->row + r->arg;
    uint64_t v64;
    uint32_t v32;

    if (r->kind == REG_ROW32) {
        memcpy(&v32, field, sizeof(v32));
        return v32;
    }
    memcpy(&v64, field, sizeof(v64));
    return (uint32_t)(v64 >> (offset == r->first ? 0 : 32));
}

static uint32_t *stored(MaliGpu *g, const MaliReg *r, uint32_t offset)
{
    return &g->s.scratch[r->arg + (offset - r->first) / 4];
}

uint32_t mali_mmio_read(MaliGpu *g, uint32_t offset)
{
    const MaliReg *r = offset & 3 ? NULL : mali_reg_find(offset);

    g->s.counter[MALI_CNT_MMIO_READS]++;
    if (!r) {
        return 0;
    }
    switch (r->kind) {
    case REG_CONST: return r->arg;
    case REG_ROW32:
    case REG_ROW64: return row_field(g, r, offset);
    case REG_STORE: return *stored(g, r, offset);
    default: return r->read ? r->read(g, offset) : 0;
    }
}

void mali_mmio_write(MaliGpu *g, uint32_t offset, uint32_t val)
{
    const MaliReg *r = offset & 3 ? NULL : mali_reg_find(offset);

    g->s.counter[MALI_CNT_MMIO_WRITES]++;
    if (!r) {
        mali_violation(g, "mmio-unknown", "write of 0x%x to 0x%x", val, offset);
    } else if (r->kind == REG_STORE) {
        *stored(g, r, offset) = val;
    } else if (r->kind == REG_CALL && r->write) {
        r->write(g, offset, val);
    } else {
        mali_violation(g, "mmio-read-only", "write of 0x%x to %s", val, r->name);
    }
}
