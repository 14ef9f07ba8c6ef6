/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: page-table walk, TLB, accesses by virtual address.
 *
 * Spec 2.1, 2.2: VMSAv8-64 stage 1, 4 KiB granule, four levels, little-endian
 * descriptors as linux drivers/iommu/io-pgtable-arm.c writes them. The tables are
 * guest memory: the depth is fixed, so a hostile table costs four reads at most.
 */
#include "mali_int.h"

#include <string.h>

#define PAGE         4096u
#define DESC_VALID   1u
#define DESC_TABLE   2u /* level 3: a page */
#define DESC_ADDR    UINT64_C(0x0000fffffffff000)
#define DESC_ATTR(d) (((d) >> 2) & 7)
#define DESC_RO      MALI_BIT64(7)
#define DESC_AF      MALI_BIT64(10)
#define DESC_XN                                                                                    \
    (MALI_BIT64(53) | MALI_BIT64(54)) /* both set for NOEXEC: io-pgtable-arm.c:66-100              \
                                       */
#define MEMATTR_FAULT 3u

#define TLB_WAYS 4u
#define TLB_SETS (MALI_TLB_SIZE / TLB_WAYS)
/* The checker compares a used entry with the tables at most this often (virtual time). */
#define TLB_CHECK_NS 100000u

static unsigned level_shift(unsigned level)
{
    return 39 - 9 * level;
}

static MaliXlate fail(MaliLeaf *l, uint32_t code, unsigned level)
{
    l->fault = code + level;
    return MALI_XL_FAULT;
}

/* The checks on a block or page descriptor. */
static MaliXlate leaf(const MaliAs *a, uint64_t va, uint64_t d, MaliLeaf *l)
{
    uint64_t mask = (UINT64_C(1) << level_shift(l->level)) - 1;

    if (!(d & DESC_AF) && !(a->act_transcfg & AS_TRANSCFG_DISABLE_AF_FAULT)) {
        return fail(l, EXC_ACCESS_FLAG, l->level);
    }
    if (((a->act_memattr >> (8 * DESC_ATTR(d))) & 0xff) >> 6 == MEMATTR_FAULT) {
        return fail(l, EXC_MEM_ATTR_FAULT, l->level);
    }
    l->pa = (d & DESC_ADDR & ~mask) | (va & mask);
    l->perm = MALI_PERM_R | (d & DESC_RO ? 0 : MALI_PERM_W) | (d & DESC_XN ? 0 : MALI_PERM_X);
    return MALI_XL_OK;
}

static MaliXlate walk_tables(MaliGpu *g, const MaliAs *a, uint64_t va, MaliLeaf *l)
{
    unsigned pa_bits = (g->row->mmu_features >> 8) & 0xff;
    uint64_t table = a->act_transtab & DESC_ADDR;

    for (l->level = 0;; l->level++) {
        uint64_t d, at = table + ((va >> level_shift(l->level)) & 511) * 8;

        if (table >> pa_bits) {
            return fail(l, EXC_ADDR_SIZE_FAULT_OUT, l->level ? l->level - 1 : 0);
        }
        if (!g->ops.mem_read(g->opaque, MALI_MASTER_NORMAL, at, &d, sizeof(d))) {
            l->fault = EXC_GPU_BUS_FAULT;
            return MALI_XL_BUS;
        }
        bool table_or_page = d & DESC_TABLE;

        if (!(d & DESC_VALID) || (l->level == 0 && !table_or_page) ||
            (l->level == 3 && !table_or_page)) {
            return fail(l, EXC_TRANSLATION_FAULT, l->level);
        }
        if (l->level < 3 && table_or_page) {
            table = d & DESC_ADDR;
            continue;
        }
        if ((d & DESC_ADDR) >> pa_bits) {
            return fail(l, EXC_ADDR_SIZE_FAULT_OUT, l->level);
        }
        return leaf(a, va, d, l);
    }
}

MaliXlate mali_walk_leaf(MaliGpu *g, unsigned as, uint64_t va, MaliLeaf *l)
{
    const MaliAs *a = &g->s.as[as];
    /* INA_BITS = 55 - VA bits (spec 1.7); four levels translate 48 at most. */
    unsigned va_bits = 55 - AS_TRANSCFG_INA_BITS(a->act_transcfg);

    memset(l, 0, sizeof(*l));
    switch (AS_TRANSCFG_MODE(a->act_transcfg)) {
    case AS_TRANSCFG_IDENTITY:
        l->pa = va;
        l->perm = MALI_PERM_R | MALI_PERM_W | MALI_PERM_X;
        l->level = 3;
        return MALI_XL_OK;
    case AS_TRANSCFG_AARCH64_4K:
        if (va >> (va_bits < 48 ? va_bits : 48)) {
            return fail(l, EXC_ADDR_SIZE_FAULT_IN, 0);
        }
        return walk_tables(g, a, va, l);
    default: /* reset state, UNMAPPED, 64K pages that panthor never uses */
        return fail(l, EXC_TRANSLATION_FAULT, 0);
    }
}

uint64_t mali_leaf_size(const MaliLeaf *l)
{
    return UINT64_C(1) << level_shift(l->level);
}

bool mali_walk(MaliGpu *g, unsigned as, uint64_t va, uint64_t *pa, uint32_t *perm)
{
    MaliLeaf l;

    if (mali_walk_leaf(g, as, va, &l) != MALI_XL_OK) {
        return false;
    }
    *pa = l.pa;
    if (perm) {
        *perm = l.perm;
    }
    return true;
}

static bool locked(const MaliAs *a, uint64_t va)
{
    return a->lock_size && va - a->lock_base < a->lock_size;
}

static MaliTlbEntry *tlb_set(MaliAs *a, uint64_t va)
{
    uint64_t vpn = va / PAGE;

    return &a->tlb[(vpn ^ vpn >> 4 ^ vpn >> 9) % TLB_SETS * TLB_WAYS];
}

/*
 * The contract checker: a hit that the tables no longer justify is a missed
 * LOCK/UNLOCK. Inside a locked range the tables may be in the middle of a change
 * (only the MCU's accesses get here then, pitfall 9).
 */
static void tlb_check(MaliGpu *g, unsigned as, MaliTlbEntry *t)
{
    uint64_t now = g->ops.now_ns(g->opaque);
    MaliLeaf l;

    if (now - t->checked_ns < TLB_CHECK_NS || locked(&g->s.as[as], t->va)) {
        return;
    }
    t->checked_ns = now;
    if (mali_walk_leaf(g, as, t->va, &l) != MALI_XL_OK) {
        mali_violation(g, "stale-tlb",
                       "AS %u VA 0x%llx: entry to PA 0x%llx used after its unmapping", as,
                       (unsigned long long)t->va, (unsigned long long)t->pa);
    } else if (l.pa != t->pa || l.perm != t->perm) {
        mali_violation(
            g, "stale-tlb", "AS %u VA 0x%llx: entry to PA 0x%llx used, table says 0x%llx", as,
            (unsigned long long)t->va, (unsigned long long)t->pa, (unsigned long long)l.pa);
    }
}

static MaliTlbEntry *tlb_find(MaliAs *a, uint64_t va)
{
    MaliTlbEntry *set = tlb_set(a, va);

    for (unsigned i = 0; i < TLB_WAYS; i++) {
        if (set[i].valid && set[i].va == (va & ~(uint64_t)(PAGE - 1))) {
            return &set[i];
        }
    }
    return NULL;
}

static MaliTlbEntry *tlb_fill(MaliGpu *g, MaliAs *a, uint64_t va, const MaliLeaf *l)
{
    MaliTlbEntry *t = &tlb_set(a, va)[a->tlb_next++ % TLB_WAYS];

    t->va = va & ~(uint64_t)(PAGE - 1);
    t->pa = l->pa & ~(uint64_t)(PAGE - 1);
    t->perm = l->perm;
    t->level = (uint8_t)l->level;
    t->checked_ns = g->ops.now_ns(g->opaque);
    t->valid = 1;
    return t;
}

static MaliXlate translate(MaliGpu *g, unsigned as, uint64_t va, MaliAccess acc, uint64_t *pa,
                           uint32_t *perm, uint32_t *fault)
{
    static const uint32_t needed[] = {
        [MALI_ACC_ATOMIC] = MALI_PERM_R | MALI_PERM_W,
        [MALI_ACC_EXEC] = MALI_PERM_X,
        [MALI_ACC_READ] = MALI_PERM_R,
        [MALI_ACC_WRITE] = MALI_PERM_W,
    };
    MaliAs *a = &g->s.as[as];
    MaliTlbEntry *t = tlb_find(a, va);

    if (t) {
        tlb_check(g, as, t);
    } else {
        MaliLeaf l;
        MaliXlate r = mali_walk_leaf(g, as, va, &l);

        if (r != MALI_XL_OK) {
            *fault = l.fault;
            return r;
        }
        t = tlb_fill(g, a, va, &l);
    }
    if ((t->perm & needed[acc]) != needed[acc]) {
        *fault = EXC_PERM_FAULT + t->level;
        return MALI_XL_FAULT;
    }
    *pa = t->pa | (va & (PAGE - 1));
    if (perm) {
        *perm = t->perm;
    }
    return MALI_XL_OK;
}

MaliXlate mali_translate(MaliGpu *g, unsigned as, uint64_t va, MaliAccess acc, uint64_t *pa,
                         uint32_t *perm, uint32_t *fault)
{
    if (as >= MALI_NUM_AS) { /* CSG_CONFIG is a word of the guest's */
        *fault = EXC_TRANSLATION_FAULT;
        return MALI_XL_FAULT;
    }
    if (locked(&g->s.as[as], va)) {
        return MALI_XL_LOCKED;
    }
    return translate(g, as, va, acc, pa, perm, fault);
}

typedef MaliXlate Translate(MaliGpu *g, unsigned as, uint64_t va, MaliAccess acc, uint64_t *pa,
                            uint32_t *perm, uint32_t *fault);

/* One loop for all accesses: @rbuf of a read, @wbuf of a write. */
static MaliXlate access_va(MaliGpu *g, Translate *xl, unsigned as, MaliMaster m, uint64_t va,
                           uint8_t *rbuf, const uint8_t *wbuf, size_t len, uint32_t *fault,
                           uint64_t *fault_va)
{
    while (len) {
        size_t n = PAGE - (va & (PAGE - 1));
        uint64_t pa;
        MaliXlate r;
        bool ok;

        n = n < len ? n : len;
        *fault_va = va;
        r = xl(g, as, va, wbuf ? MALI_ACC_WRITE : MALI_ACC_READ, &pa, NULL, fault);
        if (r != MALI_XL_OK) {
            return r;
        }
        ok = wbuf ? g->ops.mem_write(g->opaque, m, pa, wbuf, n)
                  : g->ops.mem_read(g->opaque, m, pa, rbuf, n);
        if (!ok) {
            *fault = EXC_GPU_BUS_FAULT;
            return MALI_XL_BUS;
        }
        va += n;
        len -= n;
        rbuf = rbuf ? rbuf + n : NULL;
        wbuf = wbuf ? wbuf + n : NULL;
    }
    return MALI_XL_OK;
}

MaliXlate mali_va_read(MaliGpu *g, unsigned as, MaliMaster m, uint64_t va, void *buf, size_t len,
                       uint32_t *fault, uint64_t *fault_va)
{
    return access_va(g, mali_translate, as, m, va, buf, NULL, len, fault, fault_va);
}

MaliXlate mali_va_write(MaliGpu *g, unsigned as, MaliMaster m, uint64_t va, const void *buf,
                        size_t len, uint32_t *fault, uint64_t *fault_va)
{
    return access_va(g, mali_translate, as, m, va, NULL, buf, len, fault, fault_va);
}

bool mali_mcu_read_as(MaliGpu *g, MaliMaster m, uint64_t va, void *buf, size_t len)
{
    uint32_t fault;
    uint64_t at;

    return access_va(g, translate, 0, m, va, buf, NULL, len, &fault, &at) == MALI_XL_OK;
}

bool mali_mcu_write_as(MaliGpu *g, MaliMaster m, uint64_t va, const void *buf, size_t len)
{
    uint32_t fault;
    uint64_t at;

    return access_va(g, translate, 0, m, va, NULL, buf, len, &fault, &at) == MALI_XL_OK;
}

bool mali_mcu_read(MaliGpu *g, uint64_t va, void *buf, size_t len)
{
    return mali_mcu_read_as(g, MALI_MASTER_NORMAL, va, buf, len);
}

bool mali_mcu_write(MaliGpu *g, uint64_t va, const void *buf, size_t len)
{
    return mali_mcu_write_as(g, MALI_MASTER_NORMAL, va, buf, len);
}
