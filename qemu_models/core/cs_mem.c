/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: memory as a stream sees it: accesses, instruction fetch, loads and stores.
 */
#include <string.h>

#include "cs_int.h"

#define PAGE_MASK UINT64_C(0xfff)
#define LINE_MASK UINT64_C(0x3f)

/*
 * Source id of an MMU fault (spec 2.4: no public source, free choice): 0x0088 plus
 * the stream.
 */
#define FAULT_SOURCE(cs) (0x0088u + (cs))

static inline MaliMaster master(const MaliCtx *x)
{
    return mali_protm_master(x->g);
}

/*
 * A bus error behind the translation: GPU_FAULT, in protected mode PROTM_FAULT, and
 * CS_BUS_FAULT (corrections to spec 4.12).
 */
static MaliStep bus_error(MaliCtx *x, uint64_t va, MaliAccess acc)
{
    uint64_t pa = 0;
    uint32_t code;

    mali_walk(x->g, x->grp->as, va, &pa, NULL);
    code = mali_fault(x->g, MALI_FAULT_GPU_FAULT_CODE) & 0xff;
    if (code) {
        mali_fault_struck(x->g, MALI_FAULT_GPU_FAULT_CODE);
    }
    mali_gpu_fault(x->g, code ? code : EXC_GPU_BUS_FAULT, x->grp->as, pa, acc,
                   FAULT_SOURCE(x->idx));
    if (x->g->s.protm.active) {
        mali_protm_bus_error(x->g, x->csg, x->idx, va, pa, acc);
    }
    return mali_cs_kill(x, CS_EXC_BUS_FAULT, va);
}

static MaliStep failed(MaliCtx *x, MaliXlate why, uint64_t va, MaliAccess acc, uint32_t code)
{
    MaliStep st;

    switch (why) {
    case MALI_XL_OK: return MALI_STEP_OK;
    case MALI_XL_LOCKED: return mali_cs_block(x, MALI_WAIT_LOCK);
    case MALI_XL_BUS: return bus_error(x, va, acc);
    default:
        x->cs->wait_va = va;
        x->cs->wait_cond = acc;
        st = mali_cs_block(x, MALI_WAIT_FAULT);
        mali_cs_status(x->g, x->csg, x->idx);
        mali_mmu_fault(x->g, x->grp->as, va, acc, code, FAULT_SOURCE(x->idx));
        return st;
    }
}

/* Fault plan: this access is the one. */
static MaliXlate inject(MaliCtx *x, MaliXlate r, uint32_t *fault)
{
    MaliGpu *g = x->g;

    if (mali_fault_hit(g, MALI_FAULT_MMU_FAULT_AT)) {
        *fault = mali_fault(g, MALI_FAULT_MMU_FAULT_CODE) & 0xff;
        if (*fault) {
            mali_fault_struck(g, MALI_FAULT_MMU_FAULT_CODE);
        } else {
            *fault = EXC_TRANSLATION_FAULT + 3;
        }
        r = MALI_XL_FAULT;
    } else if (mali_fault_hit(g, MALI_FAULT_GPU_FAULT_AT) ||
               (g->s.protm.active && mali_fault_hit(g, MALI_FAULT_PROTM_FAULT_AT))) {
        r = MALI_XL_BUS;
    }
    mali_fault_changed(g);
    return r;
}

MaliStep mali_cs_read(MaliCtx *x, uint64_t va, void *buf, size_t len)
{
    uint64_t fault_va = va;
    uint32_t fault = 0;
    MaliXlate r = mali_va_read(x->g, x->grp->as, master(x), va, buf, len, &fault, &fault_va);

    r = r == MALI_XL_OK && x->g->inject ? inject(x, r, &fault) : r;
    return r == MALI_XL_OK ? MALI_STEP_OK : failed(x, r, fault_va, MALI_ACC_READ, fault);
}

/* Fault plan: protected data gets out. Where nothing is mapped nothing is written. */
static void leak(MaliCtx *x, uint64_t va, const void *buf, size_t len)
{
    uint32_t away = mali_fault(x->g, MALI_FAULT_PROTM_LEAK), fault;
    uint64_t to = (x->pc & ~PAGE_MASK) + away + (va & PAGE_MASK), fault_va;

    if (away && x->g->s.protm.active) {
        mali_fault_struck(x->g, MALI_FAULT_PROTM_LEAK);
        mali_va_write(x->g, x->grp->as, MALI_MASTER_NORMAL, to, buf, len, &fault, &fault_va);
    }
}

MaliStep mali_cs_write(MaliCtx *x, uint64_t va, const void *buf, size_t len)
{
    uint64_t fault_va = va;
    uint32_t fault = 0;
    MaliXlate r;

    x->g->fetch.line_valid = false; /* it may be code */
    r = x->g->inject ? inject(x, MALI_XL_OK, &fault) : MALI_XL_OK;
    if (r == MALI_XL_OK) {
        r = mali_va_write(x->g, x->grp->as, master(x), va, buf, len, &fault, &fault_va);
    }
    leak(x, va, buf, len);
    return r == MALI_XL_OK ? MALI_STEP_OK : failed(x, r, fault_va, MALI_ACC_WRITE, fault);
}

/* Page of the PC into the fetch buffer. A fetch is a READ: panthor maps rings NOEXEC (spec 5.2). */
static MaliStep fetch_page(MaliCtx *x, uint64_t page)
{
    MaliGpu *g = x->g;
    uint32_t fault = 0;
    uint64_t pa;
    MaliXlate r = mali_translate(g, x->grp->as, x->pc, MALI_ACC_READ, &pa, NULL, &fault);

    if (r != MALI_XL_OK) {
        return failed(x, r, x->pc, MALI_ACC_READ, fault);
    }
    g->fetch.va = page;
    g->fetch.pa = pa & ~PAGE_MASK;
    g->fetch.as = x->grp->as;
    g->fetch.valid = true;
    return MALI_STEP_OK;
}

/*
 * Streams write their own code, so no more than one line is read ahead, and it is
 * read again after each store of a stream and in each slice (pitfall 11).
 */
MaliStep mali_cs_fetch(MaliCtx *x)
{
    MaliGpu *g = x->g;
    uint64_t page = x->pc & ~PAGE_MASK, line = x->pc & ~LINE_MASK;

    if (!g->fetch.valid || g->fetch.va != page || g->fetch.as != x->grp->as) {
        g->fetch.valid = false;
        g->fetch.line_valid = false;
        MALI_TRY(fetch_page(x, page));
    }
    if (!g->fetch.line_valid || g->fetch.line_va != line) {
        g->fetch.line_valid = false;
        if (!g->ops.mem_read(g->opaque, master(x), g->fetch.pa | (line & PAGE_MASK), g->fetch.line,
                             sizeof(g->fetch.line))) {
            return bus_error(x, x->pc, MALI_ACC_READ);
        }
        g->fetch.line_va = line;
        g->fetch.line_valid = true;
    }
    x->w = g->fetch.line[(x->pc & LINE_MASK) / 8];
    return MALI_STEP_OK;
}

/* ---- LOAD_MULTIPLE, STORE_MULTIPLE ---- */

typedef MaliStep (*MaliXfer)(MaliCtx *x, uint64_t va, uint32_t *regs, unsigned n);

static MaliStep load_run(MaliCtx *x, uint64_t va, uint32_t *regs, unsigned n)
{
    return mali_cs_read(x, va, regs, 4 * n);
}

static MaliStep store_run(MaliCtx *x, uint64_t va, uint32_t *regs, unsigned n)
{
    return mali_cs_write(x, va, regs, 4 * n);
}

/* Runs of set bits, one access each: registers that are left out touch no memory. */
static MaliStep multiple(MaliCtx *x, uint64_t va, uint32_t *regs, MaliXfer access)
{
    unsigned mask = f_mask16(x->w), i = 0;

    while (mask >> i) {
        unsigned n = 0;

        while (mask >> (i + n) & 1) {
            n++;
        }
        if (n) {
            MALI_TRY(access(x, va + 4 * i, regs + i, n));
        }
        i += n + 1;
    }
    return MALI_STEP_OK;
}

/* Checks the operands; *@va is the address and *@n the number of registers spanned. */
static MaliStep multiple_operands(MaliCtx *x, uint64_t *va, unsigned *n)
{
    unsigned mask = f_mask16(x->w);

    MALI_NEED_REGS(x, f_src0(x->w), 2);
    for (*n = 0; mask >> *n; ++*n) {
    }
    MALI_NEED_REGS(x, f_dst(x->w), *n);
    *va = reg64(x->cs, f_src0(x->w)) + (uint64_t)f_off16(x->w);
    return *va & 3 ? mali_cs_recoverable(x, CS_EXC_ADDR_RANGE_FAULT, *va) : MALI_STEP_OK;
}

/*
 * Registers change only when all of the data is there: the instruction may be
 * tried again, and may load into its own address register.
 */
MaliStep mali_op_load_multiple(MaliCtx *x)
{
    uint32_t *regs = &x->cs->reg[0], data[16];
    unsigned n;
    uint64_t va;

    MALI_TRY(multiple_operands(x, &va, &n));
    regs += f_dst(x->w);
    memcpy(data, regs, 4 * n);
    MALI_TRY(multiple(x, va, data, load_run));
    memcpy(regs, data, 4 * n);
    return MALI_STEP_OK;
}

MaliStep mali_op_store_multiple(MaliCtx *x)
{
    unsigned n;
    uint64_t va;

    MALI_TRY(multiple_operands(x, &va, &n));
    return multiple(x, va, &x->cs->reg[0] + f_dst(x->w), store_run);
}
