/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: endpoints of a group: the cores its jobs get, and its priority.
 *
 * A group asks for numbers of cores for compute, fragment and tiler jobs, out of masks (spec 4.1).
 * It gets what is asked for, as far as cores of its mask are there and enabled (GLB_CFG_ALLOC_EN);
 * STATUS_EP_CURRENT says so. Decisions where no source says more:
 * - No shader runs, so the cores of a job are seen in its time: one that gets half of the GPU's
 *   cores takes twice as long, one that gets none is never over (the progress timer tells).
 * - Groups on slots share cores: nobody's job waits for another's. So the bits for endpoints of
 *   one's own are told as requested; panthor names and never sets them (panthor_fw.h:168-169).
 * - The counts hold from START, RESUME or ENDPOINT_CONFIG on; what has been issued is not changed.
 */
#include "cs_int.h"

#define TILERS UINT64_C(1) /* TILER_PRESENT of all rows */

typedef enum Kind { COMPUTE, FRAGMENT, TILER, KINDS } Kind;

static const struct {
    const char *name;
    uint32_t shift, max;
} kinds[KINDS] = { { "compute", 0, 0xff }, { "fragment", 8, 0xff }, { "tiler", 16, 0xf } };

static unsigned count(uint64_t mask)
{
    return (unsigned)__builtin_popcountll(mask);
}

static uint32_t part(uint32_t word, Kind k)
{
    return word >> kinds[k].shift & kinds[k].max;
}

/* The layout of the low word is the same: panthor_fw.c:333-366. */
static uint32_t requested(MaliGpu *g, unsigned csg)
{
    uint64_t in = mali_csg_iface(g, csg)->in;

    return g->s.iface.fw_version >= FW_VERSION(4, 0, 0)
               ? (uint32_t)mali_mcu_r64(g, in + CSG_IN_ENDPOINT_REQ2)
               : mali_mcu_r32(g, in + CSG_IN_ENDPOINT_REQ);
}

static uint64_t present(const MaliGpu *g, Kind k)
{
    return k == TILER ? TILERS : g->row->shader_present;
}

static uint64_t allowed(MaliGpu *g, unsigned csg, Kind k)
{
    uint64_t in = mali_csg_iface(g, csg)->in;

    switch (k) {
    case COMPUTE: return mali_mcu_r64(g, in + CSG_IN_ALLOW_COMPUTE);
    case FRAGMENT: return mali_mcu_r64(g, in + CSG_IN_ALLOW_FRAGMENT);
    default: return mali_mcu_r32(g, in + CSG_IN_ALLOW_OTHER);
    }
}

/* What the driver itself refuses (panthor_sched.c:3667-3675) must not get here. */
static void check(MaliGpu *g, unsigned csg, Kind k, uint64_t mask, unsigned wanted)
{
    if (mask & ~present(g, k)) {
        mali_violation(g, "endpoints", "csg %u: %s cores 0x%llx, there are 0x%llx", csg,
                       kinds[k].name, (unsigned long long)mask, (unsigned long long)present(g, k));
    } else if (wanted > count(mask)) {
        mali_violation(g, "endpoints", "csg %u: %u %s endpoints out of the cores 0x%llx", csg,
                       wanted, kinds[k].name, (unsigned long long)mask);
    }
}

/* @req with the counts that are granted. */
static uint32_t granted(MaliGpu *g, unsigned csg, uint32_t req)
{
    uint32_t word = req;

    for (Kind k = 0; k < KINDS; k++) {
        uint64_t mask = allowed(g, csg, k), on = k == TILER ? TILERS : g->s.core_en;
        unsigned wanted = part(req, k), n = count(mask & present(g, k) & on);

        check(g, csg, k, mask, wanted);
        word &= ~(kinds[k].max << kinds[k].shift);
        word |= (wanted < n ? wanted : n) << kinds[k].shift;
    }
    return word;
}

uint32_t mali_endpoint_latch(MaliGpu *g, unsigned csg)
{
    MaliCsg *c = &g->s.csg[csg];
    uint32_t req = requested(g, csg);

    c->endpoints = granted(g, csg, req);
    c->prio = CSG_ENDPOINT_PRIORITY(req);
    return req;
}

void mali_ev_endpoints(MaliEvent *e, const MaliGpu *g, unsigned csg)
{
    for (Kind k = 0; k < KINDS; k++) {
        mali_ev_u64(e, kinds[k].name, part(g->s.csg[csg].endpoints, k));
    }
}

static void log_change(MaliGpu *g, unsigned csg)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "csg-endpoints");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "prio", g->s.csg[csg].prio);
    mali_ev_endpoints(&e, g, csg);
    mali_ev_end(&e);
}

void mali_endpoint_config(MaliGpu *g, unsigned csg, bool changed)
{
    const MaliCsgIface *f = mali_csg_iface(g, csg);
    uint32_t req = mali_endpoint_latch(g, csg);

    mali_mcu_w32(g, f->out + CSG_OUT_STATUS_EP_CURRENT, g->s.csg[csg].endpoints);
    mali_mcu_w32(g, f->out + CSG_OUT_STATUS_EP_REQ, req);
    if (changed) {
        log_change(g, csg);
    }
}

/* ---- jobs ---- */

static Kind kind_of(uint8_t op)
{
    switch (op) {
    case CS_OP_RUN_COMPUTE:
    case CS_OP_RUN_COMPUTE_INDIRECT: return COMPUTE;
    case CS_OP_RUN_FRAGMENT:
    case CS_OP_RUN_FULLSCREEN: return FRAGMENT;
    case CS_OP_RUN_TILING:
    case CS_OP_RUN_IDVS:
    case CS_OP_RUN_IDVS2: return TILER;
    default: return KINDS; /* FINISH_TILING needs none */
    }
}

static void log_none(const MaliCtx *x, Kind k)
{
    MaliEvent e;

    mali_ev_begin(&e, x->g, "no-endpoint");
    mali_ev_u64(&e, "csg", x->csg);
    mali_ev_u64(&e, "cs", x->idx);
    mali_ev_str(&e, "kind", kinds[k].name);
    mali_ev_end(&e);
}

uint64_t mali_endpoint_time(const MaliCtx *x, uint8_t op)
{
    const MaliGpu *g = x->g;
    Kind k = kind_of(op);
    unsigned all, mine;

    if (k == KINDS) {
        return g->cfg.async_ns;
    }
    all = count(present(g, k));
    mine = part(x->grp->endpoints, k);
    if (!mine) {
        log_none(x, k);
        return MALI_NEVER;
    }
    return mine < all ? (uint64_t)g->cfg.async_ns * all / mine : g->cfg.async_ns;
}
