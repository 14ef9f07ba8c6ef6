/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake machine's GPU page tables and address spaces. */
#include "machine.h"

/* ---- GPU page tables: as drivers/iommu/io-pgtable-arm.c writes them ---- */
#define LEAF_BITS 0xf44ull /* nG, AF, SH inner, AP unprivileged, AttrIndx 1 */

uint64_t pt_new(Machine *m)
{
    return mach_alloc(m, 4096);
}

uint64_t pt_entry(Machine *m, uint64_t root, uint64_t va, unsigned level)
{
    uint64_t table = root;

    for (unsigned l = 0;; l++) {
        uint64_t at = table + ((va >> (39 - 9 * l)) & 511) * 8;

        if (l == level) {
            return at;
        }
        if ((ram_r64(m, at) & 3) != 3) {
            ram_w64(m, at, mach_alloc(m, 4096) | 3);
        }
        table = ram_r64(m, at) & 0x0000fffffffff000ull;
    }
}

static uint64_t leaf_bits(unsigned flags)
{
    return LEAF_BITS | (flags & PT_RO ? 1ull << 7 : 0) | (flags & PT_NX ? 3ull << 53 : 0);
}

void pt_map(Machine *m, uint64_t root, uint64_t va, uint64_t pa, uint64_t len, unsigned flags)
{
    for (uint64_t off = 0; off < len; off += 4096) {
        ram_w64(m, pt_entry(m, root, va + off, 3), (pa + off) | leaf_bits(flags) | 3);
    }
}

void pt_map_2m(Machine *m, uint64_t root, uint64_t va, uint64_t pa, unsigned flags)
{
    ram_w64(m, pt_entry(m, root, va, 2), pa | leaf_bits(flags) | 1);
}

void pt_unmap(Machine *m, uint64_t root, uint64_t va, uint64_t len)
{
    for (uint64_t off = 0; off < len; off += 4096) {
        ram_w64(m, pt_entry(m, root, va + off, 3), 0);
    }
}

uint64_t pt_lookup(Machine *m, uint64_t root, uint64_t va)
{
    uint64_t table = root;

    for (unsigned l = 0; l < 4; l++) {
        unsigned shift = 39 - 9 * l;
        uint64_t d = ram_r64(m, table + ((va >> shift) & 511) * 8);

        table = d & 0x0000fffffffff000ull;
        if (!(d & 1)) {
            return 0;
        }
        if (l == 3 || !(d & 2)) {
            return (table & ~((1ull << shift) - 1)) | (va & ((1ull << shift) - 1));
        }
    }
    return 0;
}

/* ---- address spaces ---- */
void as_cmd(Machine *m, unsigned as, uint32_t cmd)
{
    wr(m, AS_REG(as, AS_COMMAND), cmd);
}

void as_lock(Machine *m, unsigned as, uint64_t base, unsigned log2_size)
{
    wr64(m, AS_REG(as, AS_LOCKADDR), base | (log2_size - 1));
    as_cmd(m, as, AS_COMMAND_LOCK);
}

void as_enable(Machine *m, unsigned as, uint64_t root)
{
    wr64(m, AS_REG(as, AS_TRANSTAB), root);
    wr64(m, AS_REG(as, AS_MEMATTR), 0x4c4c4c4c8c4c8f4cull); /* panthor_mmu.c:2176-2216 */
    wr64(m, AS_REG(as, AS_TRANSCFG), 0x420001c6);           /* panthor_mmu.c:794-799 */
    as_cmd(m, as, AS_COMMAND_UPDATE);
}

void as_disable(Machine *m, unsigned as)
{
    wr(m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300);
    wr64(m, AS_REG(as, AS_TRANSTAB), 0);
    wr64(m, AS_REG(as, AS_MEMATTR), 0);
    wr64(m, AS_REG(as, AS_TRANSCFG), AS_TRANSCFG_UNMAPPED);
    as_cmd(m, as, AS_COMMAND_UPDATE);
}
